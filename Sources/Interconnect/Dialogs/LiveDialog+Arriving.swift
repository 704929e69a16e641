import Crypto
import MSRP
import MessagingCore
import MessagingService
import SessionCore
import Synchronization

/// What the other side says in a conversation, on its way into mailboxes.
extension LiveDialog {
    func context(of incoming: Session.Incoming) -> IncomingContext {
        // The same each time that the message comes: what it is called if it does not say.
        let name = "\(key.session) \(incoming.id) \(key.other)"
        return IncomingContext(
            sender: key.other,
            receiver: key.own,
            fallbackID: MessageID(stored: "msrp-" + hexadecimal(SHA256.hash(data: Array(name.utf8)).prefix(20))),
            conversation: conversation,
            now: .wallClock(),
            isInConversation: true
        )
    }

    func commit(_ content: IncomingMessage.Content) async throws {
        // What the conversation itself waits for comes first: that it is open, above all.
        await state.withLock(\.last)?.value
        switch content {
        case .message(var text, let files):
            text.envelope.kind = .inSession
            text.envelope.conversation = conversation
            let id = text.envelope.id
            let role = state.withLock { $0.machine.role }
            let line: SessionLine =
                role == .host ? .toOwner(.text(id)) : .fromOwner(.text(1, id, from: key.other))
            try await service.takeNext(line, of: key.session, from: key.other, to: key.own, text: text, with: files)
        case .reports(let reports):
            for report in reports {
                try await service.receiveReport(of: report.message, to: key.own, from: key.other, report.disposition)
            }
        case .composing(let isActive):
            if isActive { service.take(.typing(key.session, from: key.other, to: key.own)) }
        case .text: throw Refusal(.invalidMessage, "a line of a session has no place in a conversation")
        }
    }
}
