import ByteGrammar

/// A transport of SIP.
public enum SIPTransportKind: String, Sendable, Hashable, CaseIterable {
    /// Datagrams.
    case udp = "UDP"
    /// A plain stream.
    case tcp = "TCP"
    /// A stream with TLS.
    case tls = "TLS"
    /// WebSocket (RFC 7118).
    case ws = "WS"
    /// WebSocket with TLS (RFC 7118).
    case wss = "WSS"

    /// The transport of a Via token or a `transport` parameter, in any case.
    public init?(token: String) {
        guard let found = Self.allCases.first(where: { ASCII.equalIgnoringCase($0.rawValue, token) }) else {
            return nil
        }
        self = found
    }

    /// Whether the transport delivers all bytes in order, so that transactions do not retransmit.
    public var isReliable: Bool { self != .udp }
    /// Whether the transport is encrypted.
    public var isSecure: Bool { self == .tls || self == .wss }
    /// The port when none is given (RFC 3261 section 19.1.2, RFC 7118 section 5).
    public var defaultPort: UInt16 {
        switch self {
        case .udp, .tcp: 5060
        case .tls: 5061
        case .ws: 80
        case .wss: 443
        }
    }

    /// The largest request for UDP when the path MTU is not known (RFC 3261 section 18.1.1).
    public static let maximumDatagramRequest = 1300

    /// Whether a request must go over a stream although UDP was chosen (RFC 3261 section 18.1.1).
    ///
    /// - Parameter pathMTU: The path MTU, nil when it is not known.
    public static func needsStream(requestBytes: Int, pathMTU: Int?) -> Bool {
        requestBytes > (pathMTU.map { max(0, $0 - 200) } ?? Self.maximumDatagramRequest)
    }
}

/// Where the response to a request goes (RFC 3261 section 18.2.2, RFC 3581 section 4).
public enum ResponseRoute: Sendable, Hashable {
    /// Back on the connection; if it is gone, to the given place.
    case connection(fallbackHost: String, port: UInt16)
    /// To this address as a datagram.
    case datagram(host: String, port: UInt16)

    /// The route that the topmost Via asks for, after the server noted the source address.
    public init(via: Via) {
        let kind = SIPTransportKind(token: via.transport) ?? .udp
        let sentByPort = via.sentBy.port ?? kind.defaultPort
        let host = via.received ?? Host.unbracketed(via.sentBy.host)
        if kind.isReliable {
            self = .connection(fallbackHost: host, port: sentByPort)
        } else if let maddr = via.parameters["maddr"] {
            self = .datagram(host: Host.unbracketed(maddr), port: sentByPort)
        } else {
            self = .datagram(host: host, port: via.receivedPort ?? sentByPort)
        }
    }
}
