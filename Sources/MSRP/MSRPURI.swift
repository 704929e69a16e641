/// An MSRP URI (RFC 4975 section 6): one hop of a path.
///
/// Two URIs are equal by the comparison rules of section 6.1, whatever their spelling: scheme, host and transport
/// without case, port and session id exactly, the user part and other parameters not at all. ``text`` keeps the
/// spelling, and is what is printed.
public struct MSRPURI: Sendable, CustomStringConvertible {
    /// The most octets that a URI may have.
    public static let maxBytes = 1024

    /// `msrps` rather than `msrp`.
    public let isSecure: Bool
    /// The user part, met in the URI of a relay that one sends AUTH to.
    public let user: String?
    /// The host in lower case, an IPv6 address without its brackets.
    public let host: String
    /// The port; none when it is not written.
    public let port: UInt16?
    /// Names the session at its host; none in the URI of a relay that one sends AUTH to.
    public let sessionID: String?
    /// `tcp` or `ws`, in lower case.
    public let transport: String
    /// The URI as it was read or made.
    public let text: String

    /// As it was read or made.
    public var description: String { self.text }

    /// Whether the host is an IPv6 address.
    public var isIPv6: Bool { self.host.utf8.contains(ASCII.colon) }

    /// The port to connect to: the one written, or 2855 (RFC 4975 section 15.4).
    public var effectivePort: UInt16 { self.port ?? Self.defaultPort }

    /// The port registered for MSRP.
    public static let defaultPort: UInt16 = 2855

    /// Makes a URI out of its parts.
    ///
    /// - Throws: ``MSRPError`` with ``MSRPError/Code/malformedURI`` when a part cannot be written in a URI.
    public init(
        secure: Bool,
        user: String? = nil,
        host: String,
        port: UInt16?,
        sessionID: String?,
        transport: String = "tcp"
    ) throws(MSRPError) {
        var text = secure ? "msrps://" : "msrp://"
        if let user { text += user + "@" }
        let bare = host.utf8.contains(ASCII.colon) && !host.hasPrefix("[")
        text += bare ? "[\(host)]" : host
        if let port { text += ":\(port)" }
        if let sessionID { text += "/" + sessionID }
        text += ";" + transport
        try self.init(parsing: text)
    }

    init(
        isSecure: Bool,
        user: String?,
        host: String,
        port: UInt16?,
        sessionID: String?,
        transport: String,
        text: String
    ) {
        self.isSecure = isSecure
        self.user = user
        self.host = host
        self.port = port
        self.sessionID = sessionID
        self.transport = transport
        self.text = text
    }

    /// A new session id of 120 random bits (RFC 4975 section 14.1 asks for 80).
    ///
    /// Knowing a session id is what lets a peer into a session: pass a generator fit for secrets.
    public static func makeSessionID(using generator: inout some RandomNumberGenerator) -> String {
        let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".utf8)
        return String(
            decoding: (0..<20).map { _ in alphabet[Int(generator.next(upperBound: UInt64(64)))] },
            as: UTF8.self
        )
    }
}

extension MSRPURI: Hashable {
    /// Compares by the rules of RFC 4975 section 6.1.
    public static func == (left: Self, right: Self) -> Bool {
        left.isSecure == right.isSecure && left.host == right.host && left.port == right.port
            && left.sessionID == right.sessionID && left.transport == right.transport
    }

    /// Hashes what ``==(_:_:)`` compares.
    public func hash(into hasher: inout Hasher) {
        hasher.combine(self.isSecure)
        hasher.combine(self.host)
        hasher.combine(self.port)
        hasher.combine(self.sessionID)
        hasher.combine(self.transport)
    }
}
