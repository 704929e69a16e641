import CPIM
import Crypto
import MessageSignalling
import MessagingCore
import MessagingService
import NIOCore
import SIP
import SIPTransport

/// Requests as they go to peers.
enum Requests {
    static let conversation = CPMService.conversation
    static let contribution = CPMService.contribution
    static let inReplyTo = CPMService.inReplyTo
    /// The session that a question about devices is asked in.
    static let session: HeaderName = "Continuo-Session"
    /// The medium of that session whose file is asked for, and which of its octets, `first-last`.
    static let medium: HeaderName = "Continuo-Medium"
    static let octets: HeaderName = "Continuo-Octets"

    /// A request from one user to another, under the identity that this provider answers for.
    static func make(_ method: SIPMethod, from: Address, to: Address) -> SIPMessage {
        var request = SIPMessage(method: method, uri: to.description)
        request.append(.maxForwards, "70")
        request.append(.from, "<\(from)>;tag=\(RandomText.token(12))")
        request.append(.to, "<\(to)>")
        request.append(.callID, RandomText.token(24))
        request.append(.cSeq, "1 \(method.rawValue)")
        request.append(.pAssertedIdentity, "<\(from)>")
        // On a stream the length is said also when there is nothing (RFC 3261, section 18.3).
        request.append(.contentLength, "0")
        return request
    }

    typealias Service = CPMService

    /// Says which service a request is for.
    static func mark(_ request: inout SIPMessage, as service: Service) { service.mark(&request) }

    /// A MESSAGE with this content.
    static func message(from: Address, to: Address, _ body: [UInt8], type: String) -> SIPMessage {
        var request = make(.message, from: from, to: to)
        request.setBody(ByteBuffer(bytes: body), contentType: type)
        return request
    }

    /// A question whether a provider is there, and what it can do.
    static func options(to peer: Peer, from domain: String) -> SIPMessage {
        make(.options, from: Address(stored: "sip:\(domain)"), to: Address(stored: "sip:\(peer.domain)"))
    }

    /// What belongs together, for a message.
    static func name(_ envelope: Envelope, in request: inout SIPMessage) {
        request.append(conversation, envelope.conversation.description)
        request.append(contribution, envelope.id.description)
        if let answered = envelope.inReplyTo { request.append(inReplyTo, answered.description) }
    }

    /// What the headers of a request say of its message.
    /// - Throws: ``Refusal`` `forbidden` when its sender is not one that the peer may speak for, `not-found` when it is
    ///   for nobody here.
    static func context(
        of request: SIPMessage,
        domains: Set<String>,
        own: [String],
        now: MessagingCore.Timestamp
    ) throws -> IncomingContext {
        let sender = try sender(of: request, domains: domains)
        guard let receiver = try? Address(try request.requestURI().description), let home = receiver.domain,
            own.contains(home)
        else { throw Refusal(.notFound, "it is for nobody here") }
        return IncomingContext(
            sender: sender,
            receiver: receiver,
            fallbackID: try fallbackID(request, sender),
            conversation: request.text(conversation).flatMap { try? ConversationID($0) },
            inReplyTo: request.text(inReplyTo).flatMap { try? MessageID($0) },
            now: now
        )
    }

    /// Who a request comes from.
    /// - Throws: ``Refusal`` `forbidden` when the peer may not speak for that user.
    static func sender(of request: SIPMessage, domains: Set<String>) throws -> Address {
        let asserted = try AssertedIdentity.identities(request)
        // A trusted peer that asserts nothing answers for what stands in From.
        let name = try asserted.first?.uri ?? request.from().uri
        guard let sender = try? Address(name.description), let domain = sender.domain, domains.contains(domain) else {
            throw Refusal(.forbidden, "its sender is not of a domain in the certificate")
        }
        return sender
    }

    /// The same each time that a request comes: what it is called as a message if it does not say.
    private static func fallbackID(_ request: SIPMessage, _ sender: Address) throws -> MessageID {
        let text = "\(try request.callID()) \(try request.cSeq().number) \(sender)"
        return MessageID(stored: "sip-" + hexadecimal(SHA256.hash(data: Array(text.utf8)).prefix(20)))
    }
}
