import ByteGrammar
import CPIM
import MessagingCore
import MessagingService
import XMLBodies

/// What the SIP headers say of a message that comes in, and what stands in for what it does not say itself.
struct IncomingContext: Sendable {
    /// Whose identity the peer asserts.
    var sender: Address
    /// The user it is for.
    var receiver: Address
    /// The id of a message that bears none.
    var fallbackID: MessageID
    var conversation: ConversationID?
    var inReplyTo: MessageID?
    var now: MessagingCore.Timestamp
    /// Whether it comes within a conversation of the two, where both may stay unnamed.
    var isInConversation = false

    /// A message that says nothing of itself but what is in it.
    func envelope(_ parts: [Part]) -> Envelope {
        Envelope(
            id: fallbackID,
            from: sender,
            to: [receiver],
            date: now,
            kind: .immediate,
            conversation: conversation ?? MessagingService.conversation(of: [sender, receiver]),
            inReplyTo: inReplyTo,
            parts: parts
        )
    }
}

/// What the head of a message, and those of its parts, say.
extension IncomingMessage {
    static func timestamp(_ time: CPIM.Timestamp) -> MessagingCore.Timestamp {
        MessagingCore.Timestamp(rawValue: time.unixSeconds * 1000 + Int64(time.nanosecond / 1_000_000))
    }

    static func isComposing(_ bytes: [UInt8]) throws -> Bool {
        do {
            return try IsComposingDocument(parsing: bytes).state == .active
        } catch {
            throw Refusal(.invalidMessage, "a status that cannot be read")
        }
    }

    static func reports(_ head: CPIMMessage) -> [Report] {
        guard let request = DispositionRequest(head) else { return [] }
        var reports: [Report] = []
        if request.wants(.positiveDelivery) { reports.append(.delivered) }
        if request.wants(.display) { reports.append(.displayed) }
        return reports
    }

    static func report(_ bytes: [UInt8]) throws -> (message: MessageID, disposition: Disposition)? {
        let document: IMDNDocument
        do {
            document = try IMDNDocument(parsing: bytes)
        } catch {
            throw Refusal(.invalidMessage, "a notification that cannot be read")
        }
        let disposition: Disposition
        switch document.notification {
        case .delivery(.delivered): disposition = .delivered
        case .display(.displayed): disposition = .displayed
        case .delivery(.failed), .display(.failed): disposition = .failed
        // What intermediaries do is nobody's business here.
        default: return nil
        }
        return (try MessageID(document.messageID), disposition)
    }

    /// The name of a file, if it is one that may be shown.
    static func fileName(_ entity: MIMEEntity) -> String? {
        guard let text = entity.header("Content-Disposition"), let value = try? MediaType("disposition/\(text)") else {
            return nil
        }
        let name: String?
        if let extended = value.parameter("filename*") {
            // RFC 8187: charset'language'octets.
            let pieces = extended.split(separator: "'", maxSplits: 2, omittingEmptySubsequences: false)
            name =
                pieces.count == 3 && pieces[0].lowercased() == "utf-8"
                ? PercentEncoding.decode(String(pieces[2]).utf8).flatMap { String(validating: $0, as: UTF8.self) } : nil
        } else {
            name = value.parameter("filename")
        }
        guard let name, (try? Envelope.validate(fileName: name)) != nil else { return nil }
        return name
    }
}
