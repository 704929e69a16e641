import MessagingCore
import SessionCore

/// What a person typed into `continuo chat`.
enum ChatInput: Equatable {
    case nothing
    case text(String)
    case help
    case quit
    /// Without a device it is this one.
    case accept(device: String?)
    case reject
    case ignore
    case leave
    case sessions
    case open(String)
    case devices
    case who
    /// Hands this conversation from where it is to a device; `here` is this one.
    case move(to: String?, history: String?)
    case add(device: String?, history: String?)
    case invite(String)
    case remove(String)
    case media
    case propose(MediumKind, source: String?, device: String?)
    case yes(device: String?)
    case no
    case change(MediumVerb, Int32, device: String?)
    case play(Int32, seconds: Double?)
    case pause(Int32, seconds: Double?)
    case wrong(String)

    /// What can be done to a medium that is there.
    enum MediumVerb: String, CaseIterable {
        case hold
        case resume
        case place
        case join
        case part
        case drop

        /// Whether it says on which device.
        var namesDevice: Bool { self == .place || self == .join }
    }

    static let helpText = """
        Type a line to say it. Commands:
          /accept [DEVICE]            accept the request here, or on another device of yours
          /reject  /ignore  /leave    say no on all devices; silence it here; leave or end
          /sessions  /open ID         your conversations on any device; look at one
          /devices  /who              your devices; the others' as far as they show them
          /move DEVICE [N|all|none]   continue on another device, with the last N texts
          /here [N|all|none]          bring the conversation here
          /add [DEVICE] [N|all|none]  another device beside this one
          /invite ADDRESS  /remove ADDRESS
          /media                      what runs, from which device to which
          /voice [DEVICE]  /video [DEVICE]  /show FILE [DEVICE]   propose voice, live video, a stored video
          /yes [DEVICE]  /no          answer a proposal
          /hold N  /resume N  /place N DEVICE  /drop N            change a medium
          /join N DEVICE  /part N     take part in a medium of the others; leave it to them
          /play N [SECONDS]  /pause N [SECONDS]                   a stored video, for all
          /quit
        """

    init(_ line: String) {
        let words = line.split(separator: " ").map(String.init)
        guard let first = words.first else {
            self = .nothing
            return
        }
        guard first.hasPrefix("/"), !first.hasPrefix("//") else {
            // Two strokes say one: how else would a text begin with it?
            self = .text(first.hasPrefix("//") ? String(line.trimmingPrefix { $0 == " " }.dropFirst()) : line)
            return
        }
        let rest = Array(words.dropFirst())
        self = Self.command(String(first.dropFirst()), rest) ?? .wrong("'\(line)' is no command; /help shows them")
    }

    private static func command(_ name: String, _ rest: [String]) -> ChatInput? {
        let one = rest.first
        switch (name, rest.count) {
        case ("help", 0): return .help
        case ("quit", 0): return .quit
        case ("accept", 0...1): return .accept(device: one)
        case ("reject", 0): return .reject
        case ("ignore", 0): return .ignore
        case ("leave", 0): return .leave
        case ("sessions", 0): return .sessions
        case ("open", 1): return .open(rest[0])
        case ("devices", 0): return .devices
        case ("who", 0): return .who
        case ("move", 1...2): return .move(to: one, history: rest.count > 1 ? rest[1] : nil)
        case ("here", 0...1): return .move(to: nil, history: one)
        case ("add", 0...2): return .add(device: one, history: rest.count > 1 ? rest[1] : nil)
        case ("invite", 1): return .invite(rest[0])
        case ("remove", 1): return .remove(rest[0])
        case ("media", 0): return .media
        case ("voice", 0...1): return .propose(.audio, source: nil, device: one)
        case ("video", 0...1): return .propose(.video, source: nil, device: one)
        case ("show", 1...2): return .propose(.storedVideo, source: one, device: rest.count > 1 ? rest[1] : nil)
        case ("yes", 0...1): return .yes(device: one)
        case ("no", 0): return .no
        default: return medium(name, rest)
        }
    }

    private static func medium(_ name: String, _ rest: [String]) -> ChatInput? {
        guard let number = rest.first.flatMap({ Int32($0) }) else { return nil }
        if let verb = MediumVerb(rawValue: name), rest.count == (verb.namesDevice ? 2 : 1) {
            return .change(verb, number, device: rest.count > 1 ? rest[1] : nil)
        }
        guard rest.count <= 2 else { return nil }
        let seconds = rest.count > 1 ? Double(rest[1]) : nil
        guard rest.count == 1 || seconds.map((0...1e9).contains) == true else { return nil }
        switch name {
        case "play": return .play(number, seconds: seconds)
        case "pause": return .pause(number, seconds: seconds)
        default: return nil
        }
    }
}
