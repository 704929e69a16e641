import ClientWire
import Crypto
import FoundationEssentials
import MessagingCore

/// Links that stand for one message of one account, signed and expiring: `ACCOUNT.EXPIRY.SIGNATURE.MESSAGE-ID`; and for one
/// file of it alone: `ACCOUNT.EXPIRY.PART.SIGNATURE.MESSAGE-ID`.
struct LinkSigner: Sendable {
    private let key: SymmetricKey
    let base: String

    private static let signatureBytes = 16

    init(key: [UInt8], base: String) {
        self.key = SymmetricKey(data: key)
        self.base = base
    }

    func link(account: AccountID, message: MessageID, expires: Timestamp) -> String {
        "\(base)/l/\(token(account: account, message: message, expires: expires))"
    }

    func token(account: AccountID, message: MessageID, expires: Timestamp) -> String {
        let claim = "\(account.rawValue).\(expires.rawValue)"
        return "\(claim).\(hexadecimal(signature(claim, message))).\(message)"
    }

    /// - Throws: ``Refusal`` `forbidden` for a token that is forged or past its time.
    func open(_ token: String, now: Timestamp) throws(Refusal) -> (AccountID, MessageID) {
        let fields = token.split(separator: ".", maxSplits: 3, omittingEmptySubsequences: false).map(String.init)
        guard fields.count == 4, let account = Int64(fields[0]), let expiry = Int64(fields[1]),
            let given = Array(hexadecimal: fields[2])
        else { throw Refusal(.forbidden, "the link is not valid") }
        let message = MessageID(stored: fields[3])
        guard constantTimeEqual(given, signature("\(account).\(expiry)", message)) else {
            throw Refusal(.forbidden, "the link is not valid")
        }
        guard Timestamp(rawValue: expiry) > now else { throw Refusal(.forbidden, "the link has expired") }
        return (AccountID(rawValue: account), message)
    }

    func fileLink(account: AccountID, message: MessageID, part: Int, expires: Timestamp) -> String {
        let claim = "\(account.rawValue).\(expires.rawValue).\(part)"
        return "\(base)/f/\(claim).\(hexadecimal(signature(Self.file + claim, message))).\(message)"
    }

    /// - Throws: ``Refusal`` `forbidden` for a token that is forged or past its time.
    func openFile(_ token: String, now: Timestamp) throws(Refusal) -> (AccountID, MessageID, part: Int) {
        let fields = token.split(separator: ".", maxSplits: 4, omittingEmptySubsequences: false).map(String.init)
        guard fields.count == 5, let account = Int64(fields[0]), let expiry = Int64(fields[1]),
            let part = Int(fields[2]),
            let given = Array(hexadecimal: fields[3])
        else { throw Refusal(.forbidden, "the link is not valid") }
        let message = MessageID(stored: fields[4])
        guard constantTimeEqual(given, signature("\(Self.file)\(account).\(expiry).\(part)", message)) else {
            throw Refusal(.forbidden, "the link is not valid")
        }
        guard Timestamp(rawValue: expiry) > now else { throw Refusal(.forbidden, "the link has expired") }
        return (AccountID(rawValue: account), message, part)
    }

    /// Neither kind of link is ever taken for the other.
    private static let file = "file:"

    private func signature(_ claim: String, _ message: MessageID) -> [UInt8] {
        let code = HMAC<SHA256>.authenticationCode(for: Data("\(claim).\(message)".utf8), using: key)
        return Array(code.prefix(Self.signatureBytes))
    }
}

extension MessagingService {
    /// The notice of a message for a device that is not sent it whole, as JSON.
    func notice(_ document: [UInt8], account: AccountID) throws -> [UInt8] {
        let envelope = try Documents.decode(Envelope.self, document)
        let expires = clock().advanced(by: configuration.linkLifeMilliseconds)
        return try Documents.encode(
            Notice(envelope, link: links.link(account: account, message: envelope.id, expires: expires))
        )
    }
}
