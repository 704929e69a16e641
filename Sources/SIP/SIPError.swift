/// What went wrong in a message, a header field or a URI.
///
/// Two errors are equal when their codes are equal, so that tests and callers match on the code and print the rest.
public struct SIPError: Error, Sendable, Hashable, CustomStringConvertible {
    /// What kind of fault this is.
    public let code: Code
    /// A sentence for a person.
    public let reason: String
    /// Where the fault was seen, in bytes from the start of what was parsed, when that is known.
    public let offset: Int?

    /// Makes an error.
    public init(_ code: Code, _ reason: String, offset: Int? = nil) {
        self.code = code
        self.reason = reason
        self.offset = offset
    }

    /// Whether the codes are equal.
    public static func == (left: Self, right: Self) -> Bool { left.code == right.code }

    /// Hashes the code.
    public func hash(into hasher: inout Hasher) { hasher.combine(self.code) }

    /// Code, reason and offset in one line.
    public var description: String {
        let place = self.offset.map { " at \($0)" } ?? ""
        return "\(self.code.rawValue)\(place): \(self.reason)"
    }

    func moved(to offset: Int) -> Self { Self(self.code, self.reason, offset: offset) }
}

extension SIPError {
    /// The open set of error codes.
    public struct Code: RawRepresentable, Sendable, Hashable, ExpressibleByStringLiteral {
        /// The stable text of the code.
        public let rawValue: String

        /// Makes a code.
        public init(rawValue: String) { self.rawValue = rawValue }

        /// Makes a code from a literal.
        public init(stringLiteral value: String) { self.rawValue = value }
    }
}

extension SIPError.Code {
    /// The first line is neither a request line nor a status line.
    public static let malformedStartLine: Self = "malformed-start-line"
    /// The version is not SIP/2.0 (answer 505).
    public static let unsupportedVersion: Self = "unsupported-version"
    /// The status code is not in 100...699.
    public static let malformedStatus: Self = "malformed-status"
    /// A header line has no colon, no name, or a control character.
    public static let malformedHeader: Self = "malformed-header"
    /// The value of a header field does not follow its grammar.
    public static let malformedHeaderValue: Self = "malformed-header-value"
    /// A header field that every message has is missing.
    public static let missingHeader: Self = "missing-header"
    /// A header field that may stand once stands twice.
    public static let repeatedHeader: Self = "repeated-header"
    /// The method in CSeq is not the method of the request.
    public static let methodMismatch: Self = "method-mismatch"
    /// A URI does not follow its grammar.
    public static let malformedURI: Self = "malformed-uri"
    /// Content-Length is no number, or two of them differ.
    public static let malformedContentLength: Self = "malformed-content-length"
    /// A message on a stream has no Content-Length.
    public static let missingContentLength: Self = "missing-content-length"
    /// The datagram ends before the body does.
    public static let truncatedBody: Self = "truncated-body"
    /// The empty line that ends the header fields is missing.
    public static let truncatedHead: Self = "truncated-head"
    /// Start line and header fields exceed ``SIPLimits/headBytes``.
    public static let headTooLarge: Self = "head-too-large"
    /// One header field exceeds ``SIPLimits/lineBytes``.
    public static let lineTooLong: Self = "line-too-long"
    /// There are more header fields than ``SIPLimits/headerFields``.
    public static let tooManyHeaderFields: Self = "too-many-header-fields"
    /// The body exceeds ``SIPLimits/bodyBytes``.
    public static let bodyTooLarge: Self = "body-too-large"
    /// A list has more entries than ``SIPLimits/listItems``, or an entry more parameters than ``SIPLimits/parameters``.
    public static let tooManyItems: Self = "too-many-items"
    /// A method was called on a message or a state that does not allow it.
    public static let notAllowed: Self = "not-allowed"
}
