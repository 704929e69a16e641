public import ByteGrammar

/// One value of Via: the path of the answer (RFC 3261 section 20.42).
public struct Via: HeaderValue {
    /// The transport token as it was written: `UDP`, `TCP`, `TLS`, `WS`, `WSS` or any other.
    public var transport: String
    /// Where the sender says it is.
    public var sentBy: HostPort
    /// The parameters.
    public var parameters: Parameters

    /// Makes a Via.
    public init(transport: String, sentBy: HostPort, parameters: Parameters = []) {
        self.transport = transport
        self.sentBy = sentBy
        self.parameters = parameters
    }

    /// The `branch` parameter.
    public var branch: String? {
        get { self.parameters["branch"] }
        set { self.parameters["branch"] = newValue }
    }

    /// Whether the branch starts with the magic cookie, so that it is unique (RFC 3261 section 8.1.1.7).
    public var hasUniqueBranch: Bool { self.branch?.hasPrefix(Self.cookie) ?? false }

    /// The start of every branch that follows RFC 3261.
    public static let cookie = "z9hG4bK"

    /// The `received` parameter without brackets (RFC 5118 section 4.5 asks to take it both ways).
    public var received: String? {
        get { self.parameters["received"].map(Host.unbracketed) }
        set { self.parameters["received"] = newValue }
    }

    /// Whether the sender asks for the answer to go where the request came from (RFC 3581).
    public var asksForPort: Bool { self.parameters.contains("rport") }

    /// The port that the request came from, once a server has noted it (RFC 3581).
    public var receivedPort: UInt16? { self.parameters["rport"].flatMap { UInt16($0) } }

    /// The value as it is printed.
    public var description: String { "SIP/2.0/\(self.transport) \(self.sentBy)\(self.parameters)" }

    /// Takes one value.
    ///
    /// - Throws: ``SIPError/Code/malformedHeaderValue``, ``SIPError/Code/malformedURI`` for the sent-by.
    public init(parsing cursor: inout ByteCursor) throws(SIPError) {
        guard cursor.take("SIP" as StaticString), cursor.separator(0x2F), cursor.take("2.0" as StaticString),
            cursor.separator(0x2F), let transport = cursor.token()
        else { throw SIPError(.malformedHeaderValue, "Via does not start with SIP/2.0/", offset: cursor.offset) }
        let blank = cursor.offset
        cursor.skipWhitespace()
        guard cursor.offset > blank else {
            throw SIPError(.malformedHeaderValue, "no space before the sent-by", offset: cursor.offset)
        }
        self.transport = cursor.text(transport)
        self.sentBy = try HostPort(parsing: &cursor, spaceAroundColon: true)
        self.parameters = try Parameters(parsing: &cursor)
    }

    /// Notes where a request really came from (RFC 3261 section 18.2.1, RFC 3581 section 4).
    ///
    /// - Returns: Whether anything was noted.
    public mutating func note(sourceAddress: String, sourcePort: UInt16) -> Bool {
        let differs = !Host.areEquivalent(Host.unbracketed(self.sentBy.host), sourceAddress)
        guard differs || self.asksForPort else { return false }
        self.received = sourceAddress
        if self.asksForPort { self.parameters["rport"] = "\(sourcePort)" }
        return true
    }
}
