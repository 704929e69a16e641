import FoundationEssentials
public import Interconnect
import Yams

/// Everything an operator can set before starting: read from a YAML file, checked whole, with defaults for the rest.
public struct Configuration: Sendable, Equatable {
    /// Where something listens.
    public struct Endpoint: Sendable, Equatable, CustomStringConvertible {
        public var host: String
        public var port: Int

        /// An address to listen on.
        public init(host: String, port: Int) {
            self.host = host
            self.port = port
        }

        /// Reads `host:port` or `[ipv6]:port`; nil if it is neither.
        public init?(_ text: String) {
            guard let colon = text.lastIndex(of: ":"), let port = Int(text[text.index(after: colon)...]),
                (0...65535).contains(port)
            else { return nil }
            let host = text[..<colon].trimmingPrefix("[")
            guard !host.isEmpty else { return nil }
            self.host = String(host.hasSuffix("]") ? host.dropLast() : host)
            self.port = port
        }

        /// Whether only this machine can reach it.
        public var isLoopback: Bool { host == "localhost" || host == "::1" || host.hasPrefix("127.") }

        /// Whether it is all addresses of this machine, and so the address of none.
        public var isWildcard: Bool { host == "0.0.0.0" || host == "::" }

        public var description: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }
    }

    /// A certificate chain and its key, both PEM files; read again when they change.
    public struct TLS: Sendable, Equatable {
        public var certificate: String
        public var key: String

        /// Paths of the two files.
        public init(certificate: String, key: String) {
            self.certificate = certificate
            self.key = key
        }
    }

    /// How other providers are reached, and whom this one exchanges messages with.
    public struct Peering: Sendable, Equatable {
        /// Another provider.
        public struct Peer: Sendable, Equatable {
            public var domain: String
            /// Names that its certificate may bear; its domain if none.
            public var names: [String] = []
            /// Where it listens; looked up in DNS if absent.
            public var route: Endpoint?
            /// How files go there.
            public var files = FileWay.messages

            /// A provider by its domain.
            public init(domain: String, names: [String] = [], route: Endpoint? = nil) {
                self.domain = domain
                self.names = names
                self.route = route
            }
        }

        /// Where other providers connect; nobody is reached without it.
        public var listen: Endpoint?
        public var messagePort = 2855
        public var messageHost: String?
        public var name: String?
        public var certificate = ""
        public var key = ""
        public var authorities = ""
        public var nameServers: [String] = []
        public var peers: [Peer] = []

        /// None.
        public init() {}
    }

    public var data = "data"
    public var domains = ["localhost"]
    public var publicURL: String?
    public var listen = Endpoint(host: "127.0.0.1", port: 8080)
    public var tls: TLS?
    public var allowPlain = false
    public var operatorListen = Endpoint(host: "127.0.0.1", port: 8081)
    public var operatorHosts: [String] = []
    public var passwordCost = 15
    public var windowItems = 1024
    public var windowBytes = 1 << 20
    public var linkDays = 7
    /// STUN and TURN servers that media between devices may use (RFC 7064, RFC 7065).
    public var stun: [String] = []
    public var turn: [String] = []
    /// What the TURN servers share with this one for passing credentials.
    public var turnSecret: String?
    public var graceSeconds = 120
    public var peering = Peering()
    public var sip = SIPPhones()
    public var logLevel = "info"

    /// The defaults: one machine, loopback, no TLS.
    public init() {}

    /// The address that devices are told to use.
    public var reachableURL: String {
        publicURL ?? "\(tls == nil ? "http" : "https")://\(listen)"
    }
}

/// One thing that is wrong with a configuration, and how to mend it.
public struct ConfigurationProblem: Sendable, Equatable, CustomStringConvertible {
    public var key: String
    public var line: Int?
    public var problem: String
    public var mend: String

    public var description: String {
        "\(line.map { "line \($0): " } ?? "")\(key): \(problem)\n    \(mend)"
    }
}

/// All that is wrong with a configuration, told at once.
public struct ConfigurationError: Error, CustomStringConvertible {
    public var source: String
    public var problems: [ConfigurationProblem]

    public var description: String {
        "\(source) has \(problems.count == 1 ? "a problem" : "\(problems.count) problems"):\n"
            + problems.map { "  \($0)" }.joined(separator: "\n")
    }
}
