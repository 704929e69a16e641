import CPIM
import MSRP
import MSRPTransport
import MessageSignalling
import MessagingCore
import MessagingService
import NIOCore
import SDP
import SIP
import Synchronization

/// A large message, or a file, of a peer on its way in.
final class Transfer: Sendable {
    /// A call for one file, and what was agreed to.
    struct FileCall: Sendable {
        /// What the file becomes, and whose.
        let message: MessagingCore.MessageID
        let receiver: Address
        let origin: Origin?
        let answer: [UInt8]
    }

    private struct State {
        var refusal: Refusal.Code?
        var work: Task<Void, Never>?
        var hasArrived = false
        var hasEnded = false
    }

    private let session: MSRPSession
    private let file: OfferedFile?
    private let call: FileCall?
    private let state = Mutex(State())

    /// - Parameters:
    ///   - file: what has to come, if it is one file.
    ///   - call: the call that is there for it alone.
    init(_ session: MSRPSession, _ file: OfferedFile? = nil, _ call: FileCall? = nil) {
        self.session = session
        self.file = file
        self.call = call
    }

    /// Why it was refused; MSRP itself says that only roughly.
    var refusal: Refusal.Code? {
        get { state.withLock { $0.refusal } }
        set { state.withLock { $0.refusal = newValue } }
    }

    /// Whether its file is a message by now.
    var hasArrived: Bool { state.withLock { $0.hasArrived } }
    /// Whether nothing comes any more.
    var isOver: Bool { state.withLock { $0.hasArrived || $0.hasEnded } }

    func close() { session.close() }

    /// Whether it is a try of this transfer.
    func isFor(_ message: MessagingCore.MessageID, _ receiver: Address) -> Bool {
        call.map { $0.message == message && $0.receiver == receiver } ?? false
    }

    /// Begins to take in what comes.
    /// - Parameter commit: puts a message where it belongs.
    func start(
        _ events: SessionEvents,
        _ service: MessagingService,
        _ context: IncomingContext,
        commit: @escaping @Sendable (IncomingMessage.Content) async throws -> Void
    ) {
        state.withLock { state in
            state.work = Task {
                await run(events, service, context, commit)
                self.state.withLock { $0.hasEnded = true }
            }
        }
    }

    /// Returns when nothing of it is left but how it ended.
    func ended() async { await state.withLock { $0.work }?.value }

    /// Whoever offers the same file once more, as to show that the call is still there, gets the same answer (RFC 5547,
    /// section 8.4).
    func invited(again request: PeerRequest, _ contact: String) {
        guard let call, let offer = request.message.offer, offer.origin == call.origin else {
            return request.respond(488)
        }
        request.respond(200, headers: [(.contact, contact)], body: (call.answer, "application/sdp"))
    }

    /// Takes in what comes until the session ends; each message is answered once it is committed.
    private func run(
        _ events: SessionEvents,
        _ service: MessagingService,
        _ context: IncomingContext,
        _ commit: (IncomingMessage.Content) async throws -> Void
    ) async {
        let watch = Task { [session] in
            // A peer that stops in the middle must not hold on to anything for ever.
            try await Task.sleep(for: InterconnectLimits.transferTime)
            session.close()
        }
        defer { watch.cancel() }
        var arrivals = Arrivals()
        var first: MSRP.MessageID?
        for await event in events {
            switch event {
            // Who sends a message hangs up when all is said; a file goes on where it was cut (RFC 4975, section 5.4).
            case .interrupted where file == nil || hasArrived: session.close()
            case .began(let incoming) where file != nil:
                guard first == nil else {
                    session.stop(incoming.id, .stopSending)
                    continue
                }
                first = incoming.id
            default: break
            }
            await arrivals.take(event, session) { incoming in
                IncomingMessage(
                    service,
                    context,
                    size: incoming.announcedSize.flatMap { Int64(exactly: $0) },
                    type: incoming.contentType,
                    offered: file
                )
            } commit: { content in
                try await commit(content)
                state.withLock { $0.hasArrived = file != nil }
            } status: { error in
                status(of: error)
            }
        }
        await arrivals.giveUp()
    }

    private func status(of error: any Error) -> MSRPStatus {
        let code = (error as? Refusal)?.code ?? (error is CPIMError ? .invalidMessage : .internalError)
        refusal = code
        return Problems.messageStatus(of: code)
    }
}

extension Answering {
    /// A peer calls: for a conversation, or to send a large message, or a file.
    func invite(_ request: PeerRequest) async throws {
        if try request.message.to().tag != nil {
            let call = try request.dialogID()
            if let live = interconnect.dialog(call) { return live.invited(again: request) }
            guard let transfer = interconnect.transfer(call: call) else { return request.respond(481) }
            return transfer.invited(again: request, running.contact)
        }
        let context = try context(of: request)
        if let offer = request.message.offer, let slot = OfferedFile.slot(in: offer) {
            return try await file(offer, slot, request, context)
        }
        if Self.isConversation(request.message) { return try await converse(request, context) }
        try await transfer(request, context)
    }

    /// What is no large message is a conversation: it may go both ways.
    private static func isConversation(_ request: SIPMessage) -> Bool {
        if Requests.Service.large.isNamed(in: request) { return false }
        if Requests.Service.session.isNamed(in: request) { return true }
        guard let offer = request.offer, let medium = offer.media.first(where: { $0.isMSRP && !$0.isFile }) else {
            return true
        }
        return offer.direction(of: medium) != .sendOnly
    }

    private func transfer(_ request: PeerRequest, _ context: IncomingContext) async throws {
        guard try await service.knows(context.receiver) else { throw Refusal(.notFound, "no such user") }
        guard let offer = request.message.offer, let other = MessageMedia.peer(offer) else {
            return request.respond(488)
        }
        let end = try running.media.end(at: request.address, sends: false)
        let events = SessionEvents()
        let transfer = Transfer(try running.media.wait(end.local, for: other.path, events))
        try begin(transfer, events, request, context, end.description.bytes, contact: running.contact)
    }

    /// A peer offers a file (RFC 5547).
    private func file(
        _ offer: SessionDescription,
        _ slot: Int,
        _ request: PeerRequest,
        _ context: IncomingContext
    ) async throws {
        guard try await service.knows(context.receiver) else { throw Refusal(.notFound, "no such user") }
        let file: OfferedFile
        do {
            file = try OfferedFile(offer, slot: slot)
        } catch {
            let warning = "399 \(interconnect.configuration.name) \"\(error.reason)\""
            return request.respond(488, headers: [(.warning, warning)])
        }
        guard let other = MessageMedia.peer(offer, slot: slot, accepting: nil) else { return request.respond(488) }
        var context = context
        context.fallbackID = file.message(from: context.sender)
        // What there is of an earlier try would have to find room beside it.
        await interconnect.endTransfers(of: context.fallbackID, to: context.receiver)
        if let bytes = file.bytes { try await service.checkRoom(for: context.receiver, bytes: bytes) }
        let end = try running.media.file(at: request.address, file)
        var decisions = [MediaAcceptance?](repeating: nil, count: offer.media.count)
        decisions[slot] = end.medium
        let answer = try SessionDescription(
            answering: offer,
            origin: running.media.origin(at: request.address),
            decisions: decisions
        ).bytes
        let events = SessionEvents()
        let session = try running.media.wait(end.local, for: other.path, events, accepting: file.carriers)
        let call = Transfer.FileCall(
            message: context.fallbackID,
            receiver: context.receiver,
            origin: offer.origin,
            answer: answer
        )
        let contact = "\(running.contact);\(Requests.Service.file.tag)"
        try begin(Transfer(session, file, call), events, request, context, answer, contact: contact)
    }

    private func begin(
        _ transfer: Transfer,
        _ events: SessionEvents,
        _ request: PeerRequest,
        _ context: IncomingContext,
        _ answer: [UInt8],
        contact: String
    ) throws {
        let call = try request.dialogID()
        guard interconnect.begin(transfer, call: call, from: context.sender.domain ?? "") else {
            transfer.close()
            return request.respond(503, headers: [(.retryAfter, "5")])
        }
        transfer.start(events, service, context) { content in try await commit(content, context) }
        let headers: [(HeaderName, String)] = [(.contact, contact), (.allow, Self.methods)]
        request.respond(200, headers: headers, body: (answer, "application/sdp"))
        // It counts as a transfer from here on, not as a request.
        Task {
            await transfer.ended()
            // Its BYE may still ask how it ended.
            try? await Task.sleep(for: InterconnectLimits.farewell)
            interconnect.endTransfer(call: call)
        }
    }

    /// The peer hangs up.
    func bye(_ request: PeerRequest) {
        guard let call = try? request.message.dialogIDAtServer() else { return request.respond(481) }
        if let live = interconnect.dialog(call) { return live.hungUp(request) }
        guard let transfer = interconnect.endTransfer(call: call) else { return request.respond(481) }
        let refusal = transfer.refusal.map { [(Problems.header, $0.rawValue)] } ?? []
        request.respond(200, headers: refusal)
        transfer.close()
    }
}
