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

/// A large message of a peer on its way in.
final class Transfer: Sendable {
    private let session: MSRPSession
    private let refused = Mutex<Refusal.Code?>(nil)

    init(_ session: MSRPSession) { self.session = session }

    /// Why it was refused; MSRP itself says that only roughly.
    var refusal: Refusal.Code? {
        get { refused.withLock { $0 } }
        set { refused.withLock { $0 = newValue } }
    }

    func close() { session.close() }

    /// Takes in what comes until the session ends; each message is answered once it is committed.
    func run(_ events: SessionEvents, _ answering: Answering, _ context: IncomingContext) async {
        let watch = Task { [session] in
            // A peer that stops in the middle must not hold on to anything for ever.
            try await Task.sleep(for: InterconnectLimits.transferTime)
            session.close()
        }
        defer { watch.cancel() }
        var arrivals = Arrivals()
        for await event in events {
            // Who sends hangs up when all is said.
            if case .interrupted = event { session.close() }
            await arrivals.take(event, session) { incoming in
                let size = incoming.announcedSize.flatMap { Int64(exactly: $0) }
                return IncomingMessage(answering.service, context, size: size)
            } commit: { content in
                try await answering.commit(content, context)
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
    /// A peer calls: for a conversation, or to send a large message.
    func invite(_ request: PeerRequest) async throws {
        if try request.message.to().tag != nil {
            let dialog = try request.dialogID()
            guard let live = interconnect.dialog(dialog) else { return request.respond(481) }
            return live.invited(again: request)
        }
        let context = try context(of: request)
        if Self.isConversation(request.message) { return try await converse(request, context) }
        try await transfer(request, context)
    }

    /// What is no large message is a conversation: it may go both ways.
    private static func isConversation(_ request: SIPMessage) -> Bool {
        if Requests.Service.large.isNamed(in: request) { return false }
        if Requests.Service.session.isNamed(in: request) { return true }
        guard let offer = try? SessionDescription(parsing: Array(request.body.readableBytesView)),
            let medium = offer.media.first(where: \.isMSRP)
        else { return true }
        return offer.direction(of: medium) != .sendOnly
    }

    private func transfer(_ request: PeerRequest, _ context: IncomingContext) async throws {
        guard try await service.knows(context.receiver) else { throw Refusal(.notFound, "no such user") }
        guard let offer = try? SessionDescription(parsing: Array(request.message.body.readableBytesView)),
            let other = MessageMedia.peer(offer)
        else { return request.respond(488) }
        let end = try running.media.end(at: request.address, sends: false)
        let events = SessionEvents()
        let transfer = Transfer(try running.media.wait(end.local, for: other.path, events))
        let call = try request.dialogID()
        guard interconnect.begin(transfer, call: call) else {
            transfer.close()
            return request.respond(503, headers: [(.retryAfter, "5")])
        }
        request.respond(
            200,
            headers: [(.contact, running.contact), (.allow, Self.methods)],
            body: (end.description.bytes, "application/sdp")
        )
        // It counts as a transfer from here on, not as a request.
        Task {
            await transfer.run(events, self, context)
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
