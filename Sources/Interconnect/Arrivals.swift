import CPIM
import MSRP
import MSRPTransport
import MessagingCore
import NIOCore

/// The messages of one MSRP session on their way in; each is answered once it is committed.
struct Arrivals {
    private var messages: [MSRP.MessageID: IncomingMessage] = [:]
    private var stopped: [MSRP.MessageID: MSRPStatus] = [:]

    /// Takes what happens to messages; what happens to the session is its owner's business.
    /// - Parameters:
    ///   - begin: makes room for a message.
    ///   - commit: puts it where it belongs.
    ///   - status: how an error is answered.
    mutating func take(
        _ event: MSRPSessionEvent,
        _ session: MSRPSession,
        begin: (Session.Incoming) -> IncomingMessage,
        commit: (IncomingMessage.Content) async throws -> Void,
        status: (any Error) -> MSRPStatus
    ) async {
        switch event {
        case .began(let incoming): messages[incoming.id] = begin(incoming)
        case .content(let id, _, let bytes):
            guard var message = messages[id] else { return }
            do {
                try await message.take(Array(bytes.readableBytesView))
                messages[id] = message
            } catch {
                messages[id] = nil
                await message.giveUp()
                let status = status(error)
                stopped[id] = status
                session.stop(id, status)
            }
        case .completed(let id, _):
            guard var message = messages.removeValue(forKey: id) else {
                // All of it was here before it could be stopped.
                return session.settle(id, stopped.removeValue(forKey: id) ?? .badRequest)
            }
            do {
                try await commit(try await message.finish())
                session.settle(id)
            } catch {
                await message.giveUp()
                session.settle(id, status(error))
            }
        case .aborted(let id):
            stopped[id] = nil
            await messages.removeValue(forKey: id)?.giveUp()
        case .established, .interrupted, .result, .closed: break
        }
    }

    /// Gives up what will not become complete.
    func giveUp() async { for message in messages.values { await message.giveUp() } }
}
