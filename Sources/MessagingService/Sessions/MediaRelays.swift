public import ClientWire
import Crypto
import FoundationEssentials
import MessagingCore
public import Store

/// STUN and TURN servers that devices may use to reach each other.
public struct MediaRelays: Sendable, Hashable {
    /// `stun:` URIs (RFC 7064).
    public var stun: [String]
    /// `turn:` and `turns:` URIs (RFC 7065).
    public var turn: [String]
    /// What the TURN servers share with this one.
    public var secret: String?

    /// Servers to be named to devices; none, unless told.
    public init(stun: [String] = [], turn: [String] = [], secret: String? = nil) {
        self.stun = stun
        self.turn = turn
        self.secret = secret
    }

    /// How long a credential holds: longer than a conversation, most likely.
    static let credentialSeconds: Int64 = 12 * 3600

    /// The document for one device. The credential passes with its time, and needs no account at the relay: its name is
    /// the time of its end and whose it is, its password an HMAC-SHA1 of that (as coturn's `use-auth-secret` has it).
    func document(for who: DeviceIdentity, now: Timestamp) -> IceDocument {
        var document = IceDocument(iceServers: [])
        if !stun.isEmpty { document.iceServers.append(IceDocument.Server(urls: stun)) }
        guard !turn.isEmpty else { return document }
        var server = IceDocument.Server(urls: turn)
        if let secret {
            let end = now.rawValue / 1000 + Self.credentialSeconds
            let name = "\(end):\(who.account.rawValue)-\(who.device.rawValue)"
            let code = HMAC<Insecure.SHA1>.authenticationCode(
                for: Data(name.utf8),
                using: SymmetricKey(data: Data(secret.utf8))
            )
            server.username = name
            server.credential = Data(code).base64EncodedString()
        }
        document.iceServers.append(server)
        return document
    }
}

extension MessagingService {
    /// What the asking device may use to reach others.
    public func relays(_ who: DeviceIdentity) -> IceDocument {
        configuration.mediaRelays.document(for: who, now: clock())
    }
}
