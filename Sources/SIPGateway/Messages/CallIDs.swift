import Crypto
import MessagingCore
import MessagingService

/// Ids of messages and the Call-IDs that carry them: a phone that knows no CPIM reports on a message by its Call-ID.
enum CallIDs {
    /// The Call-ID of a message to a phone: the id itself where the grammar allows it (RFC 3261, section 25.1).
    static func callID(of message: MessageID) -> String {
        let text = message.description
        return text.utf8.contains(where: { $0 == UInt8(ascii: "=") || $0 == UInt8(ascii: "@") })
            ? "m." + digest(text) : text
    }

    /// The id of a message that a phone wrote without one: the same for the same request, however often it comes.
    static func messageID(callID: String, sequence: UInt32, user: String) -> MessageID {
        MessageID(stored: "sip." + digest("\(user)\u{0}\(callID)\u{0}\(sequence)"))
    }

    /// 128 bits of a text's SHA-256, as hexadecimal digits.
    static func digest(_ text: String) -> String {
        hexadecimal(SHA256.hash(data: Array(text.utf8)).prefix(16))
    }
}
