import CPIM
import ClientWire
import FoundationEssentials
import MessagingCore
import MessagingService

/// What two Continuo servers say about a live conversation beyond the standard: bodies of types of their own, which
/// others refuse without harm, and one header of a text, which others pass over.
///
/// Pure: nothing here touches a socket.
enum SessionMapping {
    /// One line of a lane (``SessionParcel``) without a text.
    static let lineType = "application/vnd.continuo.session+json"
    /// What is not stored: typing, and the signalling of media.
    static let hintType = "application/vnd.continuo.hint+json"
    /// What a user lets the others see of the devices.
    static let devicesType = "application/vnd.continuo.devices+json"
    /// What is said of a file that a user shows.
    static let fileType = "application/vnd.continuo.file+json"
    /// The line that a text stands in.
    static let textHeader = "Session"

    /// A line beside its text; the text itself is the CPIM message.
    struct TextLine: Codable, Equatable {
        var session: SessionID
        var from: Address
        var number: Int64
        var line: SessionLine
        var conversation: ConversationID
        var expires: MessagingCore.Timestamp?
    }

    static func encode(_ value: some Encodable) throws -> [UInt8] { [UInt8](try StrictJSON.encode(value)) }

    /// - Throws: ``Refusal`` `invalid-message`.
    static func decode<T: Decodable>(_ type: T.Type, _ bytes: [UInt8]) throws(Refusal) -> T {
        do {
            return try StrictJSON.decode(type, from: Data(bytes))
        } catch {
            throw Refusal(.invalidMessage, "a line of a session that cannot be read")
        }
    }

    /// The header of a text; nil when the line has none.
    static func header(of parcel: SessionParcel) throws -> [CPIMHeader] {
        guard let text = parcel.text else { return [] }
        let line = TextLine(
            session: parcel.session,
            from: parcel.from,
            number: parcel.number,
            line: parcel.line,
            conversation: text.envelope.conversation,
            expires: text.envelope.expires
        )
        let value = String(decoding: try encode(line), as: UTF8.self)
        return [CPIMHeader(textHeader, prefix: MessageMapping.prefix, value: value)]
    }

    /// The line that a message is the text of; nil when it is of no session.
    static func line(of head: CPIMMessage) throws(Refusal) -> TextLine? {
        guard let value = head.value(of: textHeader, in: MessageMapping.namespace) else { return nil }
        return try decode(TextLine.self, Array(value.utf8))
    }
}
