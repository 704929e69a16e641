/// Which side opens a connection: `a=setup` (RFC 4145 section 4, for MSRP RFC 6135, for DTLS RFC 5763).
public enum SetupRole: String, Sendable, Hashable, CaseIterable {
    /// This side opens it.
    case active
    /// The other side opens it.
    case passive
    /// The other side chooses.
    case activePassive = "actpass"
    /// Nobody opens it for now.
    case holdConnection = "holdconn"

    /// The roles that may answer an offered one (RFC 4145 section 4.1).
    public var allowedAnswers: [SetupRole] {
        switch self {
        case .active: [.passive, .holdConnection]
        case .passive: [.active, .holdConnection]
        case .activePassive: [.active, .passive, .holdConnection]
        case .holdConnection: [.holdConnection]
        }
    }

    /// Chooses the answer to an offered role.
    ///
    /// - Parameters:
    ///   - canListen: whether this side can be connected to.
    ///   - canConnect: whether this side can connect.
    /// - Returns: the role, or nil when the two sides cannot meet. Where both are possible this side connects, so that
    ///   media start without waiting for the answer to arrive.
    public func answering(canListen: Bool, canConnect: Bool) -> SetupRole? {
        switch self {
        case .active: canListen ? .passive : nil
        case .passive: canConnect ? .active : nil
        case .activePassive: canConnect ? .active : canListen ? .passive : nil
        case .holdConnection: .holdConnection
        }
    }
}

extension AttributeCarrier {
    /// The role stated by `a=setup`; nil when it is absent or unknown.
    public var setup: SetupRole? { self.attribute("setup").flatMap(SetupRole.init) }

    /// The certificate fingerprints, `a=fingerprint` (RFC 8122), those that are well-formed.
    public var fingerprints: [Fingerprint] { self.attributes(named: "fingerprint").compactMap(Fingerprint.init) }
}

/// The hash of a certificate (RFC 8122 section 5).
public struct Fingerprint: Sendable, Hashable {
    /// The name of the hash function in small letters, such as `sha-256`.
    public var hashFunction: String
    /// The hash.
    public var octets: [UInt8]

    /// Makes a fingerprint.
    public init(hashFunction: String, octets: [UInt8]) {
        self.hashFunction = hashFunction
        self.octets = octets
    }

    /// Reads the value of the attribute; nil when it is not a name and pairs of hexadecimal digits.
    public init?(_ text: String) {
        let parts = text.words
        guard parts.count == 2, let octets = ColonHex.decode(parts[1]) else { return nil }
        self.init(hashFunction: parts[0].lowercased(), octets: octets)
    }

    /// The value of the attribute, with capital digits as the RFC demands.
    public var text: String { "\(self.hashFunction) \(ColonHex.encode(self.octets))" }
}
