/// Where an active end connects to: the path, or with RFC 6714 the c= and m= lines.
public struct ConnectionAddress: Sendable, Hashable {
    /// A host name or address, without brackets.
    public var host: String
    /// The port.
    public var port: UInt16
    /// Whether TLS is used.
    public var isSecure: Bool
    /// Whether the connection is a WebSocket.
    public var isWebSocket: Bool
    /// What the certificate of the other end must be, when signalling has said so (RFC 4975 section 14.4).
    ///
    /// It takes the place of the host name, which with ``CEMA`` says nothing about the other end.
    public var fingerprint: CertificateFingerprint?

    /// Makes an address.
    public init(
        host: String,
        port: UInt16,
        isSecure: Bool,
        isWebSocket: Bool = false,
        fingerprint: CertificateFingerprint? = nil
    ) {
        self.host = host
        self.port = port
        self.isSecure = isSecure
        self.isWebSocket = isWebSocket
        self.fingerprint = fingerprint
    }

    /// The address that a URI names: that of the first hop of a path (RFC 4975 section 7.1).
    public init(_ uri: MSRPURI) {
        self.init(
            host: uri.host,
            port: uri.effectivePort,
            isSecure: uri.isSecure,
            isWebSocket: uri.transport == "ws"
        )
    }
}

/// What one side of an offer and answer says about an MSRP connection.
public struct MediaAddress: Sendable, Hashable {
    /// The address in the c= line.
    public var host: String
    /// The port in the m= line.
    public var port: UInt16
    /// The value of `a=path`, the next hop first.
    public var path: [MSRPURI]
    /// Whether `a=msrp-cema` is there.
    public var hasCEMA: Bool

    /// Makes a description.
    public init(host: String, port: UInt16, path: [MSRPURI], hasCEMA: Bool) {
        self.host = host
        self.port = port
        self.path = path
        self.hasCEMA = hasCEMA
    }

    /// Whether c= and m= lines agree with the first URI of the path, as they do when no middlebox has changed them.
    public var matchesPath: Bool {
        guard let first = self.path.first else { return false }
        return first.host == self.host.lowercased() && first.effectivePort == self.port
    }
}

/// Connection establishment for media anchoring (RFC 6714): middleboxes change the c= and m= lines and leave the path
/// alone; an end that knows of it connects to where these lines say.
public enum CEMA {
    /// Whether an end adds `a=msrp-cema` to its offer (section 4.2): not with a relay of its own, where the path leads
    /// to the relay and the c= line does too.
    public static func offers(usesRelay: Bool) -> Bool { !usesRelay }

    /// Whether an end adds it to its answer (section 4.3): only to an offer that has it, from an end without a relay,
    /// unless it will connect and the offer's path shows a relay.
    public static func answers(to offer: MediaAddress, usesRelay: Bool, role: ConnectionRole) -> Bool {
        guard offer.hasCEMA, !usesRelay else { return false }
        return role == .passive || offer.path.count == 1
    }

    /// What an active end does once offer and answer are known.
    public enum Decision: Sendable, Hashable {
        /// Connect there.
        case connect(ConnectionAddress)
        /// Without the extension, the lines were changed by something in between that the path does not show: make
        /// another offer without `a=msrp-cema` (section 4.4), since connecting by the path would bypass it or fail.
        case fallBack
    }

    /// Where the active end connects (section 4.4).
    ///
    /// - Parameters:
    ///   - localHasCEMA: whether this end has put the attribute into its offer or answer.
    ///   - remote: what the other end says.
    ///   - isOfferer: whether this end has made the offer, and so can make another one.
    /// - Throws: ``MSRPError`` with ``MSRPError/Code/malformedURI`` when the other end has no path.
    public static func decide(
        localHasCEMA: Bool,
        remote: MediaAddress,
        isOfferer: Bool
    ) throws(MSRPError) -> Decision {
        guard let first = remote.path.first else { throw MSRPError(.malformedURI, "a path has at least one URI") }
        var byPath = ConnectionAddress(first)
        if localHasCEMA, remote.hasCEMA {
            byPath.host = remote.host
            byPath.port = remote.port
            return .connect(byPath)
        }
        // The other end does not know of the extension. If nothing has changed its lines, the path is right.
        if localHasCEMA, isOfferer, !remote.matchesPath, remote.path.count == 1 { return .fallBack }
        return .connect(byPath)
    }
}
