/// Why a message, a MIME entity or a report was refused.
///
/// Two errors are equal when their codes are equal; the reason and the offset are for people.
public struct CPIMError: Error, Sendable, Equatable, CustomStringConvertible {
    /// What went wrong, as an open set: a later version may add codes.
    public struct Code: RawRepresentable, Sendable, Hashable {
        /// The stable text of the code.
        public let rawValue: String

        /// Makes a code from its stable text.
        public init(rawValue: String) { self.rawValue = rawValue }

        /// The message is larger than ``CPIMLimits/maximumBytes``.
        public static let messageTooLarge = Self(rawValue: "cpim-message-too-large")
        /// There are more headers in a block than ``CPIMLimits/maximumHeaders``.
        public static let tooManyHeaders = Self(rawValue: "cpim-too-many-headers")
        /// A header line is longer than ``CPIMLimits/maximumHeaderBytes``.
        public static let headerTooLong = Self(rawValue: "cpim-header-too-long")
        /// A multipart has more parts than ``CPIMLimits/maximumParts``.
        public static let tooManyParts = Self(rawValue: "mime-too-many-parts")
        /// Multiparts are nested deeper than ``CPIMLimits/maximumDepth``.
        public static let tooDeep = Self(rawValue: "mime-too-deep")
        /// Decoded content is larger than ``CPIMLimits/maximumDecodedBytes``.
        public static let contentTooLarge = Self(rawValue: "mime-content-too-large")
        /// There is nothing to read.
        public static let empty = Self(rawValue: "cpim-empty")
        /// A line is no header.
        public static let malformedHeader = Self(rawValue: "cpim-malformed-header")
        /// A header holds a control character.
        public static let invalidCharacter = Self(rawValue: "cpim-invalid-character")
        /// A header is not UTF-8.
        public static let invalidEncoding = Self(rawValue: "cpim-invalid-encoding")
        /// A backslash is followed by what is no escape.
        public static let invalidEscape = Self(rawValue: "cpim-invalid-escape")
        /// The empty line after the message headers is missing.
        public static let missingSeparator = Self(rawValue: "cpim-missing-separator")
        /// An address has no URI.
        public static let invalidAddress = Self(rawValue: "cpim-invalid-address")
        /// A DateTime is no RFC 3339 date and time.
        public static let invalidDateTime = Self(rawValue: "cpim-invalid-datetime")
        /// A header that a report needs is absent.
        public static let missingHeader = Self(rawValue: "cpim-missing-header")
        /// A Content-Type is no media type.
        public static let invalidMediaType = Self(rawValue: "mime-invalid-media-type")
        /// A multipart has no boundary, or no legal one.
        public static let invalidBoundary = Self(rawValue: "mime-invalid-boundary")
        /// A multipart ends without its closing delimiter.
        public static let unterminatedMultipart = Self(rawValue: "mime-unterminated-multipart")
        /// Content is not in the transfer encoding that it claims.
        public static let invalidTransferEncoding = Self(rawValue: "mime-invalid-transfer-encoding")
        /// A transfer encoding or content coding is not known.
        public static let unsupportedEncoding = Self(rawValue: "mime-unsupported-encoding")
        /// Compressed content is damaged.
        public static let invalidCompression = Self(rawValue: "mime-invalid-compression")
        /// A reference to an external body lacks a mandatory part.
        public static let invalidExternalBody = Self(rawValue: "mime-invalid-external-body")
        /// The content is not of the type asked for.
        public static let unexpectedType = Self(rawValue: "mime-unexpected-type")
    }

    /// What went wrong.
    public let code: Code
    /// What was expected or found, for people.
    public let reason: String
    /// The octet of the input where it was seen; nil for errors of meaning.
    public let offset: Int?

    /// Makes an error.
    public init(_ code: Code, _ reason: String, offset: Int? = nil) {
        self.code = code
        self.reason = reason
        self.offset = offset
    }

    /// Compares the codes only.
    public static func == (left: Self, right: Self) -> Bool { left.code == right.code }

    /// The code, the reason and the offset in one line.
    public var description: String {
        guard let offset else { return "\(self.code.rawValue): \(self.reason)" }
        return "\(self.code.rawValue) at octet \(offset): \(self.reason)"
    }
}

/// The bounds within which messages and MIME entities are read; each has its own error code.
public struct CPIMLimits: Sendable, Equatable {
    /// The largest message, in octets.
    public var maximumBytes = 16 << 20
    /// The most headers in one block.
    public var maximumHeaders = 128
    /// The longest header, in octets, with the lines it is folded over.
    public var maximumHeaderBytes = 8192
    /// The most parts of one multipart.
    public var maximumParts = 128
    /// The deepest nesting of multiparts and messages.
    public var maximumDepth = 8
    /// The largest content after decoding or inflating, in octets.
    public var maximumDecodedBytes = 16 << 20

    /// The bounds for messages that come from the network.
    public static let standard = CPIMLimits()

    /// Starts from the standard bounds.
    public init() {}
}
