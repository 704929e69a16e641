import CPIM
import MSRP
import MSRPTransport
import MessageSignalling
import MessagingCore
import MessagingService
import NIOCore
import SDP
import SessionCore
import Synchronization
import XMLBodies

/// The texts of a conversation, both ways: `message/cpim` in MSRP (RFC 4975), acknowledged once committed.
extension LiveDialog {
    // MARK: The path

    /// Begins the MSRP session that the descriptions have agreed on; the one before ends.
    func connect() {
        let events = SessionEvents()
        let (session, old, isNamedAlike) = state.withLock { state in
            // What was agreed is under way already.
            if let current = state.session, let path = state.description.path, current.local == path.local,
                current.remotePath == path.other.path
            {
                return (nil as MSRPSession?, nil as MSRPSession?, true)
            }
            defer { state.isRunning = false }
            let old = state.session.take()
            guard !state.isOver, let path = state.description.path else { return (nil, old, false) }
            // Two of one name cannot be: the old one has to be gone first.
            if let old, old.local == path.local {
                state.leaving = old
                return (nil, old, true)
            }
            state.session = try? running.media.session(path.local, to: path.other, events)
            return (state.session, old, false)
        }
        old?.close()
        guard let session else {
            if !isNamedAlike { handle(.disconnected(connects: false)) }
            return
        }
        Task { await pump(events, session) }
        session.start()
    }

    private func pump(_ events: SessionEvents, _ session: MSRPSession) async {
        var arrivals = Arrivals()
        for await event in events {
            switch event {
            case .established: attach(session)
            case .interrupted: detach(session, isClosed: false)
            case .closed:
                detach(session, isClosed: true)
                if hasLeft(session) { connect() }
            default:
                await arrivals.take(event, session) { incoming in
                    IncomingMessage(
                        service,
                        context(of: incoming),
                        size: incoming.announcedSize.flatMap { Int64(exactly: $0) },
                        type: incoming.contentType
                    )
                } commit: { content in
                    try await commit(content)
                } status: { error in
                    let code = (error as? Refusal)?.code
                    return Problems.messageStatus(of: code ?? (error is CPIMError ? .invalidMessage : .internalError))
                }
            }
        }
        await arrivals.giveUp()
    }

    /// Whether a session is the one whose name the next one waits for.
    private func hasLeft(_ session: MSRPSession) -> Bool {
        state.withLock { state in
            guard state.leaving === session else { return false }
            state.leaving = nil
            return true
        }
    }

    private func attach(_ session: MSRPSession) {
        let isCurrent = state.withLock { state in
            guard state.session === session else { return false }
            state.isRunning = true
            return true
        }
        guard isCurrent else { return }
        handle(.connected)
        letGo()
    }

    private func detach(_ session: MSRPSession, isClosed: Bool) {
        let connects: Bool? = state.withLock { state in
            guard state.session === session else { return nil }
            state.isRunning = false
            if isClosed { state.session = nil }
            return state.description.path?.other.connects ?? false
        }
        // Whoever connects tries again by itself before its session is closed.
        guard let connects, isClosed || !connects else { return }
        handle(.disconnected(connects: connects))
    }

    /// Whoever waits for the path looks again.
    func letGo() {
        let waiters = state.withLock { state in
            defer { state.waiters = [:] }
            return Array(state.waiters.values)
        }
        for waiter in waiters { waiter.resume() }
    }

    /// The path, once it works; nil when it does not within a time, or the conversation is over.
    private func path() async -> (session: MSRPSession, takes: ConversationPath)? {
        let deadline = ContinuousClock.now.advanced(by: InterconnectLimits.pathTime)
        while ContinuousClock.now < deadline {
            let isOver = state.withLock(\.isOver)
            if let path = working { return path }
            if isOver { return nil }
            await changed(within: ContinuousClock.now.duration(to: deadline))
        }
        return nil
    }

    private var working: (session: MSRPSession, takes: ConversationPath)? { state.withLock(\.working) }

    private func changed(within time: Duration) async {
        var number = 0
        let clock = Task { [weak self] in
            try await Task.sleep(for: time)
            self?.letGo()
        }
        await withCheckedContinuation { continuation in
            let isNow = state.withLock { state in
                // What happened since it was looked at would not be told.
                guard state.working == nil, !state.isOver else { return true }
                number = state.nextWaiter
                state.nextWaiter += 1
                state.waiters[number] = continuation
                return false
            }
            if isNow { continuation.resume() }
        }
        clock.cancel()
    }

    // MARK: Out

    /// Takes a line of our side.
    func take(_ parcel: SessionParcel) async -> OutboundResult {
        guard let text = parcel.text else {
            await handle(.line(parcel.line)).value
            if case .fromOwner(.participants) = parcel.line { await convene() }
            return .delivered
        }
        let result = await send(text)
        // Where the owner is elsewhere the order is that in which texts were taken over there.
        if result == .delivered, case .toOwner(.text(let id)) = parcel.line {
            do {
                let place = SessionLine.fromOwner(.text(1, id, from: key.own))
                try await service.takeNext(place, of: key.session, from: key.other, to: key.own)
            } catch let refusal as Refusal where refusal.code == .conflict || refusal.code == .notFound {
                // It ended meanwhile: the text goes as a message, and is known over there by its id.
                return .delivered
            } catch {
                return .temporary
            }
        }
        return result
    }

    /// Brings a text to the other side, or finds that it will not be taken.
    private func send(_ text: PeerText) async -> OutboundResult {
        var envelope = text.envelope
        // What stands for itself in a conversation needs no word about its kind.
        envelope.kind = .immediate
        // A path that broke under the text is followed by another one.
        for _ in 0..<2 {
            // A path may come of the answer that we owe; what the answer waits for comes after this.
            let isApart = state.withLock { state in
                state.machine.phase == .open(.absent) || state.question?.isInAcknowledgement ?? false
            }
            if isApart {
                return await interconnect.deliverApart(PeerText(envelope: envelope, reports: text.reports), key, peer)
            }
            guard let (session, other) = await path() else { return isOver ? .permanent(.unavailable) : .temporary }
            guard Self.takes(other.attributes.accepts, envelope) else {
                return await interconnect.deliverApart(PeerText(envelope: envelope, reports: text.reports), key, peer)
            }
            do {
                let pieces = MessageMapping.pieces(envelope, reports: text.reports)
                try await send(pieces, on: session)
                _ = state.withLock { $0.composing.messageSent() }
                return .delivered
            } catch let error as MSRPError where error.code == .refused {
                guard let code = Self.refusal(error.status) else {
                    // Over there nobody knows the session any more: only another path helps.
                    if error.status == .noSuchSession { session.close() }
                    continue
                }
                await fail(envelope, code)
                return .delivered
            } catch let refusal as Refusal {
                await fail(envelope, refusal.code)
                return .delivered
            } catch {
                continue
            }
        }
        return .temporary
    }

    private func send(_ pieces: [MessageMapping.Piece], on session: MSRPSession) async throws {
        let size = pieces.reduce(0) { $0 + $1.size }
        let message = MSRPSession.Outgoing(contentType: CPIMMessage.contentType, size: UInt64(size))
        try await session.send(message, content: Content(pieces: pieces, service: service))
    }

    /// Whether the other side takes all parts of a message.
    static func takes(_ accepts: (String, Bool) -> Bool, _ envelope: Envelope) -> Bool {
        guard envelope.parts.count < 2 || accepts("multipart/mixed", true) else { return false }
        return envelope.parts.allSatisfy { accepts($0.type, true) }
    }

    /// What a refusal of a text means; nil when it may be taken on another path.
    private static func refusal(_ status: MSRPStatus?) -> Refusal.Code? {
        switch status {
        case .stopSending?: .tooLarge
        case .forbidden?: .forbidden
        case .badRequest?, .unsupportedMediaType?: .invalidMessage
        default: nil
        }
    }

    /// A text that the other side does not take: its sender is told, and the conversation goes on.
    private func fail(_ envelope: Envelope, _ code: Refusal.Code) async {
        _ = try? await service.receiveReport(
            of: envelope.id,
            to: envelope.from,
            from: key.other,
            .failed,
            failure: code
        )
    }

    /// Sends a report within the conversation.
    /// - Returns: false when it has to go another way.
    func report(_ bytes: [UInt8]) async -> Bool {
        guard let (session, other) = working, other.attributes.accepts("message/imdn+xml", isWrapped: true) else {
            return false
        }
        let sending = Task { try await send([.bytes(bytes)], on: session) }
        let patience = Task {
            try await Task.sleep(for: InterconnectLimits.reportTime)
            sending.cancel()
        }
        defer { patience.cancel() }
        return (try? await sending.value) != nil
    }

    // MARK: Composing

    /// Our user is writing (RFC 3994).
    func composed() {
        let action = state.withLock { $0.composing.composed(at: .now) }
        if case .send(let document) = action { send(document) }
        schedule()
    }

    /// Tells the other side whether our user is writing; it may be lost.
    func send(_ document: IsComposingDocument) {
        guard let (session, other) = working, other.attributes.accepts(IsComposingDocument.contentType) else { return }
        let bytes = document.bytes
        Task {
            var message = MSRPSession.Outgoing(
                contentType: IsComposingDocument.contentType,
                size: UInt64(bytes.count)
            )
            message.failureReport = .no
            let content = Content(pieces: [.bytes(bytes)], service: service)
            try? await session.send(message, content: content)
        }
    }
}
