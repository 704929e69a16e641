public import ClientWire
import FoundationEssentials
public import MessagingCore
import NIOCore

/// What a session tells.
public enum SessionEvent: Sendable {
    /// The socket is open and the server has welcomed the device.
    case connected
    /// The mailbox was changed; what it is about is on disk and acknowledged.
    case mailbox(LocalMailbox.Event)
    /// The device has everything there is.
    case upToDate
    /// Somebody types in a live conversation.
    case typing(TypingHint)
    /// An offer, an answer or a candidate for a medium on this device.
    case signal(MediaSignal)
    /// The connection ended; it is tried again after the wait.
    case disconnected(reason: String, retryIn: Duration)
}

/// Keeps one device in step with its mailbox: connects, catches up, stores, acknowledges, and comes back after cuts.
///
/// What the session tells has been synced to the journal before. One session at a time may use a journal.
public actor DeviceSession {
    private let client: ContinuoClient
    private let journal: MailboxJournal
    private var backoff: Backoff
    private var link: WebSocketLink?
    /// Frames stored by one sync, so that catching up does not wait for the disk at every frame.
    static let framesPerSync = 64

    /// A session over a client that has a token.
    public init(client: ContinuoClient, journal: sending MailboxJournal, backoff: Backoff = Backoff()) {
        self.client = client
        self.journal = journal
        self.backoff = backoff
    }

    /// What the device holds.
    public var mailbox: LocalMailbox { journal.mailbox }

    /// Tells the others in a live conversation that this user types; nothing while there is no connection.
    public func type(in session: SessionID) throws {
        var frame = ClientFrame()
        frame.typing = TypingHint(session: session)
        link?.send(try StrictJSON.encode(frame))
    }

    /// Sends a signal to the leg that it names; nothing while there is no connection.
    public func send(_ signal: MediaSignal) throws {
        var frame = ClientFrame()
        frame.signal = signal
        link?.send(try StrictJSON.encode(frame))
    }

    /// Runs until cancelled, telling `onEvent` everything in order; waits for it, so that nothing piles up.
    /// - Throws: ``ClientError`` when the device was revoked, another program took its place, or its disk failed.
    public func run(_ onEvent: @Sendable (SessionEvent) async throws -> Void) async throws {
        while true {
            let reason: String
            do {
                reason = try await connection(onEvent)
            } catch let error as ClientError where error.isTemporary {
                reason = "\(error)"
            }
            try Task.checkCancellation()
            let wait = backoff.next(random: .random(in: 0..<1))
            try await onEvent(.disconnected(reason: reason, retryIn: wait))
            try await Task.sleep(for: wait)
        }
    }

    /// One connection, from the greeting to its end.
    /// - Returns: why it ended.
    private func connection(_ onEvent: @Sendable (SessionEvent) async throws -> Void) async throws -> String {
        guard let token = client.token else { throw ClientError.storage("this device has not logged in") }
        let link = try await WebSocketLink.open(client.server, path: "/v1/socket")
        self.link = link
        defer {
            link.close()
            self.link = nil
        }
        var hello = ClientFrame()
        hello.hello = ClientFrame.Hello(token: token, cursor: journal.mailbox.cursor)
        link.send(try StrictJSON.encode(hello))
        do {
            while true {
                var waiting = try await link.frames()[...]
                while !waiting.isEmpty {
                    let some = waiting.prefix(Self.framesPerSync)
                    waiting = waiting.dropFirst(some.count)
                    for event in try take(some, link) { try await onEvent(event) }
                }
            }
        } catch let closed as WebSocketLink.Closed {
            try Task.checkCancellation()
            switch closed.code {
            case CloseCode.unauthenticated:
                throw ClientError.refused(Self.problem(.unauthenticated, "this device is not logged in any more"))
            case CloseCode.replaced:
                throw ClientError.refused(Self.problem(.conflict, "another program connected as this device"))
            case CloseCode.badFrame: throw ClientError.unexpected("the server did not understand: \(closed.reason)")
            default: return closed.reason
            }
        }
    }

    /// Stores frames, syncs, acknowledges.
    private func take(_ frames: ArraySlice<ByteBuffer>, _ link: WebSocketLink) throws -> [SessionEvent] {
        var events: [SessionEvent] = []
        var level: ChangeNumber?
        var isStored = false
        for buffer in frames {
            let frame: ServerFrame
            do {
                frame = try StrictJSON.decode(ServerFrame.self, from: Data(buffer.readableBytesView))
            } catch {
                throw ClientError.unexpected(error.detail)
            }
            if let typing = frame.typing {
                events.append(.typing(typing))
                continue
            }
            if let signal = frame.signal {
                events.append(.signal(signal))
                continue
            }
            if frame.welcome != nil {
                backoff.reset()
                events.append(.connected)
            }
            events += try journal.append(frame, buffer.readableBytesView).map { .mailbox($0) }
            if let mark = frame.level {
                level = mark
                events.append(.upToDate)
            } else if frame.reset?.last == true {
                events.append(.upToDate)
            }
            isStored = isStored || frame.changes != nil || frame.reset?.last == true
        }
        try journal.synchronise()
        if isStored, let cursor = journal.mailbox.cursor {
            var answer = ClientFrame()
            answer.ack = cursor.number
            answer.level = level
            link.send(try StrictJSON.encode(answer))
        }
        return events
    }

    private static func problem(_ code: Refusal.Code, _ detail: String) -> Problem {
        Problem(Refusal(code, detail), status: code.status, title: code.title)
    }
}
