public import ByteGrammar

/// A challenge or credentials: a scheme and parameters between commas (RFC 3261 sections 20.7, 20.44).
public struct AuthenticationValue: HeaderValue {
    /// The scheme as it was written, such as `Digest`.
    public var scheme: String
    /// The parameters.
    public var parameters: Parameters

    /// Makes a value.
    public init(scheme: String, parameters: Parameters) {
        self.scheme = scheme
        self.parameters = parameters
    }

    /// Whether the scheme is Digest.
    public var isDigest: Bool { ASCII.equalIgnoringCase(self.scheme, "Digest") }

    /// The value as it is printed.
    public var description: String {
        "\(self.scheme) \(self.parameters.commaSeparated)"
    }

    /// Takes one value with all of its parameters.
    ///
    /// - Throws: ``SIPError/Code/malformedHeaderValue``, ``SIPError/Code/tooManyItems``.
    public init(parsing cursor: inout ByteCursor) throws(SIPError) {
        guard let scheme = cursor.token() else {
            throw SIPError(.malformedHeaderValue, "expected a scheme", offset: cursor.offset)
        }
        self.scheme = cursor.text(scheme)
        self.parameters = []
        cursor.skipWhitespace()
        guard !cursor.isAtEnd else { return }
        self.parameters = try Parameters(commaSeparated: &cursor)
    }
}

/// What a server says of itself once it has accepted credentials: Authentication-Info (RFC 7616 section 3.5) and
/// Proxy-Authentication-Info (RFC 7615).
public struct AuthenticationInfo: HeaderValue {
    /// `nextnonce`, `qop`, `rspauth`, `cnonce`, `nc`.
    public var parameters: Parameters

    /// Makes a value.
    public init(parameters: Parameters) { self.parameters = parameters }

    /// The value as it is printed.
    public var description: String { self.parameters.commaSeparated }

    /// Takes one value with all of its parameters.
    ///
    /// - Throws: ``SIPError/Code/malformedHeaderValue``, ``SIPError/Code/tooManyItems``.
    public init(parsing cursor: inout ByteCursor) throws(SIPError) {
        self.parameters = try Parameters(commaSeparated: &cursor)
    }
}

extension Parameters {
    /// The parameters with commas between them.
    fileprivate var commaSeparated: String {
        self.items.map { item in
            guard let value = item.value else { return item.name }
            return item.isQuoted ? "\(item.name)=\(Quoting.quoted(value))" : "\(item.name)=\(value)"
        }.joined(separator: ", ")
    }

    fileprivate init(commaSeparated cursor: inout ByteCursor) throws(SIPError) {
        self.items = []
        repeat {
            guard self.items.count < SIPLimits.parameters else {
                throw SIPError(.tooManyItems, "more than \(SIPLimits.parameters) parameters", offset: cursor.offset)
            }
            guard let name = cursor.token() else {
                throw SIPError(.malformedHeaderValue, "expected a parameter", offset: cursor.offset)
            }
            var parameter = Parameter(cursor.text(name))
            if cursor.separator(0x3D) {
                if let quoted = cursor.quotedString() {
                    parameter.value = cursor.unescaped(quoted)
                    parameter.isQuoted = true
                } else {
                    let range = cursor.take(until: Self.bareValueEnd)
                    guard !range.isEmpty else {
                        throw SIPError(.malformedHeaderValue, "a parameter without a value", offset: cursor.offset)
                    }
                    parameter.value = cursor.text(range)
                }
            }
            self.items.append(parameter)
        } while cursor.separator(0x2C)
        cursor.skipWhitespace()
    }

    private static let bareValueEnd = ByteSet(", \t\r\n\"".utf8)
}
