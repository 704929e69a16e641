import ByteGrammar

/// A URI as it stands in a Request-URI or an address: SIP, tel, or any other scheme untouched.
public enum URI: Sendable, Hashable, CustomStringConvertible {
    /// A SIP or SIPS URI.
    case sip(SIPURI)
    /// A telephone number.
    case tel(TelURI)
    /// A URI of another scheme, as it was written.
    case other(String)

    /// Reads a URI that fills the whole text.
    ///
    /// - Throws: ``SIPError/Code/malformedURI``, ``SIPError/Code/tooManyItems``.
    public init(_ text: String) throws(SIPError) {
        let bytes = Array(text.utf8)
        self = try Self.parse(bytes.span)
    }

    /// The text of the URI.
    public var description: String {
        switch self {
        case .sip(let uri): uri.description
        case .tel(let uri): uri.description
        case .other(let text): text
        }
    }

    /// The scheme in lower case.
    public var scheme: String {
        switch self {
        case .sip(let uri): uri.isSecure ? "sips" : "sip"
        case .tel: "tel"
        case .other(let text): ASCII.lowercased(String(text.prefix { $0 != ":" }))
        }
    }

    /// The SIP or SIPS URI, nil for any other scheme.
    public var sip: SIPURI? {
        if case .sip(let uri) = self { uri } else { nil }
    }

    /// The telephone number, nil for any other scheme.
    public var tel: TelURI? {
        if case .tel(let uri) = self { uri } else { nil }
    }

    /// Whether two URIs are equivalent by the rules of their scheme (RFC 3261 section 19.1.4, RFC 3966 section 5).
    public func isEquivalent(to other: Self) -> Bool {
        switch (self, other) {
        case (.sip(let left), .sip(let right)): left.isEquivalent(to: right)
        case (.tel(let left), .tel(let right)): left.isEquivalent(to: right)
        case (.other(let left), .other(let right)): Array(left.utf8) == Array(right.utf8)
        default: false
        }
    }

    static func parse(_ bytes: Span<UInt8>) throws(SIPError) -> URI {
        var cursor = ByteCursor(bytes)
        if cursor.take("sip:" as StaticString) { return .sip(try SIPURI(isSecure: false, parsing: &cursor)) }
        if cursor.take("sips:" as StaticString) { return .sip(try SIPURI(isSecure: true, parsing: &cursor)) }
        if cursor.take("tel:" as StaticString) { return .tel(try TelURI(parsing: &cursor)) }
        let scheme = cursor.take(while: Self.schemeBytes)
        guard let first = scheme.first, ByteSet.alpha.contains(bytes[first]), cursor.take(0x3A) else {
            throw SIPError(.malformedURI, "a URI without a scheme", offset: 0)
        }
        let rest = cursor.take(while: .uriAny)
        guard !rest.isEmpty, cursor.isAtEnd else {
            throw SIPError(.malformedURI, "a byte that a URI must escape", offset: cursor.offset)
        }
        return .other(bytes.text)
    }

    private static let schemeBytes = ByteSet(
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+-.".utf8
    )
}
