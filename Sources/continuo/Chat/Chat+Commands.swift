import ClientWire
import ContinuoClient
import MessagingCore
import SessionCore

/// What the person types.
extension Chat {
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
        } catch let error as ClientError {
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
        let message = try await answered { try await client.newMessageID() }
        let request = SendRequest(id: message, session: session, parts: [PartRequest(text: text)])
        _ = try await answered { try await client.send(request) }
        // The mailbox tells this device of its own text without the content.
        try await answered { try await fetch(session) }
    }

    /// Asks until there is an answer: what was said is neither lost to a cut nor overtaken by what is said after it.
    private func answered<Answer: Sendable>(_ ask: () async throws -> Answer) async throws -> Answer {
        var backoff = Backoff()
        while true {
            do {
                return try await ask()
            } catch let error as ClientError where error.isTemporary {
                try await Task.sleep(for: backoff.next(random: .random(in: 0..<1)))
            }
        }
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
                case .join: .join
                case .part: .part
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
