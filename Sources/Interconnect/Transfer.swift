import CPIM
import MSRP
import MSRPTransport
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
        var messages: [MSRP.MessageID: IncomingMessage] = [:]
        var stopped: [MSRP.MessageID: MSRPStatus] = [:]
        for await event in events {
            switch event {
            case .began(let incoming):
                let size = incoming.announcedSize.flatMap { Int64(exactly: $0) }
                messages[incoming.id] = IncomingMessage(answering.service, context, size: size)
            case .content(let id, _, let bytes):
                guard var message = messages[id] else { continue }
                do {
                    try await message.take(Array(bytes.readableBytesView))
                    messages[id] = message
                } catch {
                    messages[id] = nil
                    await message.giveUp()
                    let status = status(of: error)
                    stopped[id] = status
                    session.stop(id, status)
                }
            case .completed(let id, _):
                guard var message = messages.removeValue(forKey: id) else {
                    // All of it was here before it could be stopped.
                    session.settle(id, stopped.removeValue(forKey: id) ?? .badRequest)
                    continue
                }
                do {
                    try await answering.commit(try await message.finish(), context)
                    session.settle(id)
                } catch {
                    await message.giveUp()
                    session.settle(id, status(of: error))
                }
            case .aborted(let id): await messages.removeValue(forKey: id)?.giveUp()
            // Who sends hangs up when all is said.
            case .interrupted: session.close()
            case .established, .result, .closed: break
            }
        }
        for message in messages.values { await message.giveUp() }
    }

    private func status(of error: any Error) -> MSRPStatus {
        guard let error = error as? Refusal else {
            refusal = error is CPIMError ? .invalidMessage : .internalError
            return error is CPIMError ? .badRequest : .timeout
        }
        refusal = error.code
        switch Problems.status(of: error.code) {
        case 403, 404: return .forbidden
        case 413, 480: return .stopSending
        case 503: return .timeout
        default: return .badRequest
        }
    }
}

extension Answering {
    /// Lets a peer send a large message.
    func invite(_ request: PeerRequest) async throws {
        let context = try context(of: request)
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
        guard let call = try? request.message.dialogIDAtServer(), let transfer = interconnect.endTransfer(call: call)
        else {
            return request.respond(481)
        }
        let refusal = transfer.refusal.map { [(Problems.header, $0.rawValue)] } ?? []
        request.respond(200, headers: refusal)
        transfer.close()
    }
}
