import ClientWire
import ContinuoClient
import Foundation
import MessagingCore
import SessionCore

/// One terminal in live conversations: takes what the person types and what the mailbox brings, and prints.
///
/// Texts are printed in the order of their ordinals and each once, whichever way they come: with the mailbox, with the
/// answer to one's own, or as history.
actor Chat {
    let client: ContinuoClient
    let stream: DeviceSession
    let own: DeviceID
    let printer: ChatPrinter
    /// The conversation that lines are said in.
    private(set) var current: SessionID?
    private(set) var sessions: [SessionID: SessionDocument] = [:]
    private var labels: [DeviceID: String] = [:]
    private var isUpToDate = false
    private var waiting: [CheckedContinuation<Void, Never>] = []
    /// Texts that wait for one before them, of the current conversation.
    private var texts: [Ordinal: ItemDocument] = [:]
    /// The last text that was printed of each conversation: it only rises.
    private var cursors: [SessionID: Ordinal] = [:]
    /// Legs of this device that are being seen to.
    private var joining: Set<LegName> = []
    private var leaving: Set<LegName> = []

    private struct LegName: Hashable {
        var session: SessionID
        var generation: Generation
    }

    init(client: ContinuoClient, stream: DeviceSession, own: DeviceID, json: Bool) {
        self.client = client
        self.stream = stream
        self.own = own
        printer = ChatPrinter(json: json)
    }

    /// Returns once the mailbox has come: what is typed is about what is there.
    func ready() async throws {
        guard !isUpToDate else { return }
        await withCheckedContinuation { waiting.append($0) }
    }

    // MARK: From the mailbox

    func take(_ event: SessionEvent) async throws {
        switch event {
        case .connected: break
        case .disconnected(let reason, _): printer.note("disconnected: \(reason)")
        case .upToDate:
            guard !isUpToDate else { return }
            isUpToDate = true
            try await begin()
            printer.ready()
            for one in waiting { one.resume() }
            waiting = []
        case .typing(let hint): if hint.session == current { printer.typing(hint) }
        case .signal: break
        case .mailbox(.arrived(let item)), .mailbox(.changed(let item)): try await take(item)
        case .mailbox(.gone(let item)): if item.kind == "session" { sessions[SessionID(stored: item.id)] = nil }
        case .mailbox(.relisted): break
        }
    }

    private func begin() async throws {
        for item in await stream.mailbox.items.values { try await learn(item) }
        for session in sessions.values where session.state != .over { printer.session(session.summary(labels)) }
        if let mine = sessions.values.first(where: { $0.state == .open && $0.leg(own) != nil }) {
            try await open(mine.id)
        }
    }

    private func learn(_ item: ItemDocument) async throws {
        if item.kind == "device", let value = item.value, case .object(let fields) = value,
            case .text(let label)? = fields["label"], let number = Int32(item.id)
        {
            labels[DeviceID(rawValue: number)] = label
        }
        if let session = item.session { sessions[session.id] = session }
    }

    private func take(_ item: ItemDocument) async throws {
        let before = item.session.flatMap { sessions[$0.id] }
        try await learn(item)
        guard isUpToDate else { return }
        if let session = item.session { return try await changed(before, session) }
        // What is said while the conversation is on other devices comes with it, or is found in the mailbox.
        guard let place = item.message?.session, place.id == current, sessions[place.id]?.isHere(own) == true else {
            return
        }
        take(item, place.ordinal)
    }

    private func take(_ item: ItemDocument, _ ordinal: Ordinal) {
        guard let current, var printed = cursors[current], ordinal > printed else { return }
        texts[ordinal] = item
        while let next = texts.removeValue(forKey: printed + 1) {
            printed += 1
            if let message = next.message { printer.said(message, printed) }
        }
        cursors[current] = printed
    }

    private func changed(_ before: SessionDocument?, _ now: SessionDocument) async throws {
        if now.request?.alerting.contains(own) == true, before?.request?.alerting.contains(own) != true {
            printer.request(now)
            if current == nil || sessions[current ?? now.id]?.state == .over { current = now.id }
        }
        if let request = now.request, request.outcome != .waiting, before?.request?.outcome == .waiting {
            printer.outcome(now, labels)
            if now.request?.outcome == .accepted, now.request?.device != own, current == now.id { current = nil }
        }
        guard current == now.id || now.leg(own)?.isJoining == true else { return }
        if before?.state != now.state {
            printer.state(now)
        } else if before?.participants != now.participants {
            printer.participants(now)
        }
        if let leg = now.leg(own) { try await follow(leg, in: now) }
        guard let before else { return }
        if before.media != now.media || before.pending != now.pending { printer.media(now.mediaLines(labels)) }
    }

    /// Does what a device does with its own leg.
    private func follow(_ leg: SessionDocument.Leg, in session: SessionDocument) async throws {
        let name = LegName(session: session.id, generation: leg.generation)
        switch leg.state {
        case .preparing:
            guard joining.insert(name).inserted else { return }
            printer.note("the conversation with \(session.with) comes here")
            let history = try await client.join(session.id, under: leg.generation)
            try await open(session.id, with: history)
        case .draining:
            guard leaving.insert(name).inserted else { return }
            let place = leg.to.flatMap { labels[$0] } ?? "another device"
            printer.note("moved to \(printable(place))")
            _ = try await client.step(session.id, LegStep(leg.generation, .closed))
        case .live: if cursors[session.id] == nil { try await open(session.id) }
        case .replaying: break
        }
    }

    /// Turns to a conversation, and prints what this device has of it.
    func open(_ id: SessionID, with history: [ItemDocument]? = nil) async throws {
        let session = try await client.session(id)
        sessions[id] = session
        if current != id { texts = [:] }
        current = id
        cursors[id] = cursors[id] ?? session.leg(own)?.start ?? 0
        for item in history ?? [] { if let place = item.message?.session { take(item, place.ordinal) } }
        try await fetch(id)
    }

    /// Gets what was not printed yet.
    private func fetch(_ id: SessionID) async throws {
        while current == id, let printed = cursors[id] {
            let page = try await client.texts(id, after: printed)
            for item in page.texts {
                guard let place = item.message?.session else { continue }
                // What is missing in between was deleted.
                cursors[id] = max(cursors[id] ?? 0, place.ordinal - 1)
                take(item, place.ordinal)
            }
            guard let now = cursors[id], now > printed, now < page.head else { return }
        }
    }

    // MARK: From the person

    func ask(_ addresses: [Address], subject: String?, text: String?) async throws {
        let request = SessionRequest(
            id: try await client.newSessionID(),
            to: addresses,
            subject: subject,
            text: text
        )
        let session = try await client.request(request)
        sessions[session.id] = session
        current = session.id
        printer.state(session)
    }

    /// - Returns: false when the person wants to go.
    func take(_ input: ChatInput) async throws -> Bool {
        do {
            if input == .quit { return false }
            try await carryOut(input)
        } catch let error as ClientError where !error.isTemporary {
            // The person is told, and goes on.
            printer.failure("\(error)")
        } catch let failure as CommandFailure {
            printer.failure(failure.description)
        }
        return true
    }

    private func carryOut(_ input: ChatInput) async throws {
        switch input {
        case .nothing, .quit: break
        case .help: printer.plain(ChatInput.helpText)
        case .wrong(let why): printer.failure(why)
        case .text(let text): try await say(text)
        case .accept(let name):
            let session = try await client.accept(try id(), AcceptRequest(device: try await device(name)))
            if session.leg(own) != nil { try await open(session.id) }
        case .reject: _ = try await client.reject(try id())
        case .ignore: _ = try await client.ignore(try id())
        case .leave: _ = try await client.leave(try id())
        case .sessions:
            for session in try await client.sessions() { printer.session(session.summary(labels)) }
        case .open(let text): try await open(try parseSessionID(text))
        case .devices:
            for status in try await client.devices() { printer.device(status) }
        case .who: for one in try await client.counterparts(try id()) { printer.plain(one.text) }
        case .move(let name, let history): try await move(to: name, history)
        case .add(let name, let history):
            _ = try await client.attach(try id(), try leg(try await device(name), nil, history))
        case .invite(let text): _ = try await client.invite(try parseAddress(text), to: try id())
        case .remove(let text): _ = try await client.remove(try parseAddress(text), from: try id())
        case .media, .propose, .yes, .no, .change, .play, .pause: try await carryOut(media: input)
        }
    }

    private func say(_ text: String) async throws {
        let session = try id()
        let request = SendRequest(
            id: try await client.newMessageID(),
            session: session,
            parts: [PartRequest(text: text)]
        )
        _ = try await client.send(request, attempts: 5)
        // The mailbox tells this device of its own text without the content.
        try await fetch(session)
    }

    private func move(to name: String?, _ history: String?) async throws {
        let target = try await device(name) ?? own
        let session = try await client.session(try id())
        guard let from = session.legs.first(where: { $0.state == .live && $0.device != target }) else {
            throw CommandFailure.refused("there is no other device to move it from")
        }
        let mine = session.legs.first { $0.state == .live && $0.device == own }
        _ = try await client.attach(session.id, try leg(target, (target == own ? from : mine ?? from).device, history))
    }

    private func leg(_ device: DeviceID?, _ from: DeviceID?, _ history: String?) throws -> LegRequest {
        switch history {
        case nil, "all": return LegRequest(device: device, from: from)
        case "none": return LegRequest(device: device, from: from, history: LegRequest.History.none)
        case let text?:
            guard let count = Int(text), count >= 0 else {
                throw CommandFailure.misused("'\(text)': how many texts? a number, all or none")
            }
            return LegRequest(device: device, from: from, history: .last, count: count)
        }
    }

    private func carryOut(media input: ChatInput) async throws {
        let session = try await client.session(try id())
        switch input {
        case .media: printer.media(session.mediaLines(labels))
        case .propose(let kind, let source, let name):
            var request = MediaRequest(id: try await client.newMessageID(), revision: session.revision, change: .add)
            request.kind = kind
            request.source = source
            request.device = try await device(name)
            _ = try await client.propose(session.id, request)
        case .yes(let name):
            _ = try await client.answer(
                session.id,
                try asked(session),
                MediaAnswer(accept: true, device: try await device(name))
            )
        case .no: _ = try await client.answer(session.id, try asked(session), MediaAnswer(accept: false))
        case .change(let verb, let number, let name):
            let change: MediaRequest.Change =
                switch verb {
                case .hold: .hold
                case .resume: .resume
                case .place: .move
                case .drop: .remove
                }
            var request = MediaRequest(
                id: try await client.newMessageID(),
                revision: session.revision,
                change: change,
                medium: MediumID(rawValue: number)
            )
            request.device = try await device(name)
            _ = try await client.propose(session.id, request)
        case .play(let number, let seconds): try await play(session, number, true, seconds)
        case .pause(let number, let seconds): try await play(session, number, false, seconds)
        default: break
        }
    }

    private func play(_ session: SessionDocument, _ number: Int32, _ isPlaying: Bool, _ seconds: Double?) async throws {
        let now = try await client.serverTime()
        let playback = session.media.first { $0.id.rawValue == number }?.playback
        let position = seconds.map { Int64($0 * 1000) } ?? playback?.position(at: now) ?? 0
        let wish = PlayRequest(isPlaying: isPlaying, position: position)
        _ = try await client.play(session.id, MediumID(rawValue: number), wish)
    }

    // MARK: Names

    private func id() throws -> SessionID {
        guard let current else {
            throw CommandFailure.refused("no conversation: ask somebody with 'continuo chat ADDRESS', or wait")
        }
        return current
    }

    /// The change that waits for this person's answer.
    private func asked(_ session: SessionDocument) throws -> MessageID {
        guard let change = session.pending.first(where: { $0.awaited.contains(session.user) }) else {
            throw CommandFailure.refused("nothing waits for your answer")
        }
        return change.id
    }

    /// A device by its number, or by a piece of its name; nil for this one.
    private func device(_ name: String?) async throws -> DeviceID? {
        guard let name else { return nil }
        if let number = Int32(name), labels[DeviceID(rawValue: number)] != nil { return DeviceID(rawValue: number) }
        var found = labels.filter { $0.value.lowercased().contains(name.lowercased()) }
        if found.count > 1 {
            // Of several the one that is there is meant.
            let connected = Set(try await client.devices().filter(\.isConnected).map(\.device.id))
            found = found.filter { connected.contains($0.key) }
        }
        guard let one = found.first, found.count == 1 else {
            let known = labels.values.sorted().map(printable).joined(separator: ", ")
            throw CommandFailure.misused("'\(name)' is \(found.isEmpty ? "none" : "several") of your devices: \(known)")
        }
        return one.key
    }

    private func parseSessionID(_ text: String) throws -> SessionID {
        let found = sessions.keys.filter { $0.description.hasPrefix(text) || $0.description.hasSuffix(text) }
        guard let one = found.first, found.count == 1 else {
            throw CommandFailure.misused("'\(text)' is no conversation of yours; /sessions shows them")
        }
        return one
    }
}

extension SessionDocument {
    /// A device's newest leg.
    func leg(_ device: DeviceID) -> Leg? { legs.last { $0.device == device } }
}

extension SessionDocument {
    /// Whether texts of the session are this device's own to show.
    func isHere(_ device: DeviceID) -> Bool { leg(device).map { $0.state == .live || $0.state == .replaying } ?? false }
}

extension SessionDocument.Leg {
    var isJoining: Bool { state == .preparing || state == .replaying }
}
