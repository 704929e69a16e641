import ByteGrammar

/// A SIP or SIPS URI (RFC 3261 section 19.1).
///
/// Escapes stay as they were written, so that a URI prints as it was read; comparisons decode them.
public struct SIPURI: Sendable, Hashable, CustomStringConvertible {
    /// Whether the scheme is `sips`.
    public var isSecure: Bool
    /// The user part with its escapes, nil when there is no `@`.
    public var user: String?
    /// The password with its escapes, nil when there is none.
    public var password: String?
    /// Host and port.
    public var hostPort: HostPort
    /// The URI parameters, values with their escapes.
    public var parameters: Parameters
    /// The URI headers, names and values with their escapes.
    public var headers: [Parameter]

    /// Makes a URI of parts that are escaped already.
    public init(
        user: String? = nil,
        host: String,
        port: UInt16? = nil,
        isSecure: Bool = false,
        parameters: Parameters = [],
        headers: [Parameter] = []
    ) {
        self.isSecure = isSecure
        self.user = user
        self.password = nil
        self.hostPort = HostPort(host: host, port: port)
        self.parameters = parameters
        self.headers = headers
    }

    /// The host as it was written.
    public var host: String {
        get { self.hostPort.host }
        set { self.hostPort.host = newValue }
    }

    /// The port, nil when none was written.
    public var port: UInt16? {
        get { self.hostPort.port }
        set { self.hostPort.port = newValue }
    }

    /// The user part with its escapes resolved.
    public var decodedUser: String? {
        self.user.map { String(decoding: PercentEncoding.decode($0.utf8) ?? Array($0.utf8), as: UTF8.self) }
    }

    /// The `transport` parameter in lower case.
    public var transport: String? { self.parameters["transport"].map { ASCII.lowercased($0) } }

    /// Whether the `lr` parameter is there (a loose router, RFC 3261 section 16.12).
    public var isLooseRouter: Bool { self.parameters.contains("lr") }

    /// The `gr` parameter: nil when the URI is no GRUU, empty for a temporary GRUU (RFC 5627 section 3).
    public var gruu: String? { self.parameters.first("gr").map { $0.value ?? "" } }

    /// The text of the URI.
    public var description: String {
        var text = self.isSecure ? "sips:" : "sip:"
        if let user = self.user {
            text += user
            if let password = self.password {
                text += ":"
                text += password
            }
            text += "@"
        }
        text += self.hostPort.host
        if let port = self.hostPort.port { text += ":\(port)" }
        text += self.parameters.description
        var separator = "?"
        for header in self.headers {
            text += separator + header.name
            if let value = header.value { text += "=" + value }
            separator = "&"
        }
        return text
    }

    /// The address of record that the URI names: scheme, decoded user and lower-case host, nothing else.
    ///
    /// This is the form for keys (RFC 3261 section 10.3 step 5); two texts of one address have one key. A SIPS URI has
    /// the key of its SIP form, since both name one user.
    public var addressOfRecord: String {
        let host = ASCII.lowercased(self.host)
        guard let user = self.user else { return "sip:\(host)" }
        let decoded = PercentEncoding.decode(user.utf8) ?? Array(user.utf8)
        return "sip:\(PercentEncoding.encode(decoded, unescaped: .uriUser))@\(host)"
    }
}

extension SIPURI {
    /// Whether two URIs are equivalent (RFC 3261 section 19.1.4).
    ///
    /// The relation is not transitive.
    public func isEquivalent(to other: Self) -> Bool {
        guard self.isSecure == other.isSecure,
            Self.equal(self.user, other.user, ignoringCase: false),
            Self.equal(self.password, other.password, ignoringCase: false),
            self.hostPort.isEquivalent(to: other.hostPort)
        else { return false }
        // These count even when they stand on one side only.
        for name in ["user", "ttl", "method", "maddr", "transport", "gr"]
        where self.parameters.contains(name) != other.parameters.contains(name) { return false }
        for parameter in self.parameters.items {
            guard let twin = other.parameters.first(parameter.name) else { continue }
            // A name that stands twice, which it must not, counts as it stands first.
            let value = self.parameters[parameter.name]
            guard Self.equal(value, twin.value, ignoringCase: true) else { return false }
        }
        return self.headersAreEquivalent(to: other)
    }

    private func headersAreEquivalent(to other: Self) -> Bool {
        guard self.headers.count == other.headers.count else { return false }
        var rest = other.headers
        for header in self.headers {
            let found = rest.firstIndex {
                ASCII.equalIgnoringCase($0.name, header.name) && Self.equal($0.value, header.value, ignoringCase: false)
            }
            guard let found else { return false }
            rest.remove(at: found)
        }
        return true
    }

    private static func equal(_ left: String?, _ right: String?, ignoringCase: Bool) -> Bool {
        guard let left, let right else { return left == nil && right == nil }
        var first = PercentEncoding.decode(left.utf8) ?? Array(left.utf8)
        var second = PercentEncoding.decode(right.utf8) ?? Array(right.utf8)
        if ignoringCase {
            first = first.map(ASCII.lowercased)
            second = second.map(ASCII.lowercased)
        }
        return first == second
    }
}
