/// Another provider that this one exchanges messages with.
public struct Peer: Sendable, Hashable {
    /// The domain of its users' addresses, in lower case.
    public var domain: String
    /// Names that its certificate may bear as DNS or SIP identity (RFC 5922); the domain itself if empty.
    public var names: Set<String>
    /// Where it listens; looked up by NAPTR and SRV (RFC 3263) if absent.
    public var route: Route?
    /// Whether its server takes lines of live conversations, which it is asked if nil.
    public var keepsLanes: Bool?

    /// How files go to its users.
    public var files: FileWay

    /// A host and a port for SIP over TLS.
    public struct Route: Sendable, Hashable {
        public var host: String
        public var port: Int

        /// A place that is known beforehand.
        public init(host: String, port: Int) {
            self.host = host
            self.port = port
        }
    }

    /// A peer; nothing is taken from anybody who is none.
    public init(
        domain: String,
        names: Set<String> = [],
        route: Route? = nil,
        keepsLanes: Bool? = nil,
        files: FileWay = .messages
    ) {
        self.domain = domain.lowercased()
        self.names = Set(names.map { $0.lowercased() })
        self.route = route
        self.keepsLanes = keepsLanes
        self.files = files
    }

    /// The identities by which its certificate is known.
    var identities: Set<String> { names.isEmpty ? [domain] : names }
    /// The one that its certificate must bear when this side connects.
    var serverName: String { identities.contains(domain) ? domain : identities.min() ?? domain }
}

/// How files go to users of another provider.
public enum FileWay: Sendable, Hashable {
    /// With the message that they belong to, over MSRP.
    case messages
    /// As links to this provider, if they have so many octets or more; else with their message.
    case links(from: Int64)
    /// Each in a call of its own, over MSRP (RFC 5547).
    case transfers
}

/// How a peer carries live conversations, as it says when it is asked.
struct PeerKind: Sendable, Hashable {
    /// It takes lines of sessions.
    var keepsLanes: Bool
    /// Its users' conversations have texts in them (CPM's sessions); telephones' have none.
    var hasTexts: Bool
}

/// Whom this provider knows.
struct PeerTable: Sendable {
    private let byDomain: [String: Peer]

    init(_ peers: [Peer]) {
        byDomain = Dictionary(peers.map { ($0.domain, $0) }) { first, _ in first }
    }

    subscript(_ domain: String) -> Peer? { byDomain[domain.lowercased()] }

    /// The domains that whoever shows these names in a verified certificate may speak for.
    func domains(of names: Set<String>) -> Set<String> {
        Set(byDomain.values.filter { !$0.identities.isDisjoint(with: names) }.map(\.domain))
    }
}

/// Whether a peer is there, as its answers tell. While it is away nothing is sent to it but a probe from time to time, so
/// that a peer that is down costs neither work nor memory.
enum PeerHealth: Sendable, Hashable {
    case up
    /// Nobody answered, so many times on end.
    case down(failures: Int)

    static let firstPauseMilliseconds: Int64 = 1000
    static let longestPauseMilliseconds: Int64 = 120_000

    /// The peer answered, or something came from it.
    /// - Returns: whether it had been away.
    mutating func heard() -> Bool {
        defer { self = .up }
        return self != .up
    }

    /// Nobody answered.
    /// - Returns: whether it was there before.
    mutating func missed() -> Bool {
        guard case .down(let failures) = self else {
            self = .down(failures: 1)
            return true
        }
        self = .down(failures: failures + 1)
        return false
    }

    /// How long to wait for the next probe; nil when none is needed.
    var pauseMilliseconds: Int64? {
        guard case .down(let failures) = self else { return nil }
        return min(Self.longestPauseMilliseconds, Self.firstPauseMilliseconds << Int64(min(failures - 1, 16)))
    }
}
