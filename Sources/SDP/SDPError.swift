/// Why a session description, or an exchange of them, was refused.
///
/// Two errors are equal when their codes are equal; the reason and the offset are for people.
public struct SDPError: Error, Sendable, Equatable, CustomStringConvertible {
    /// What went wrong, as an open set: a later version may add codes.
    public struct Code: RawRepresentable, Sendable, Hashable {
        /// The stable text of the code.
        public let rawValue: String

        /// Makes a code from its stable text.
        public init(rawValue: String) { self.rawValue = rawValue }

        /// The description is larger than ``SDPLimits/maximumBytes``.
        public static let descriptionTooLarge = Self(rawValue: "sdp-description-too-large")
        /// A line is longer than ``SDPLimits/maximumLineBytes``.
        public static let lineTooLong = Self(rawValue: "sdp-line-too-long")
        /// There are more lines than ``SDPLimits/maximumLines``.
        public static let tooManyLines = Self(rawValue: "sdp-too-many-lines")
        /// There are more media than ``SDPLimits/maximumMedia``.
        public static let tooManyMedia = Self(rawValue: "sdp-too-many-media")
        /// There is nothing to read.
        public static let empty = Self(rawValue: "sdp-empty")
        /// A line is not of the form `letter=value`.
        public static let malformedLine = Self(rawValue: "sdp-malformed-line")
        /// A line holds NUL or a bare CR.
        public static let invalidCharacter = Self(rawValue: "sdp-invalid-character")
        /// The first line is not `v=0`.
        public static let invalidVersion = Self(rawValue: "sdp-invalid-version")
        /// There is no `o=` line.
        public static let missingOrigin = Self(rawValue: "sdp-missing-origin")
        /// The `o=` line has not six fields.
        public static let invalidOrigin = Self(rawValue: "sdp-invalid-origin")
        /// A `c=` line has not three fields.
        public static let invalidConnection = Self(rawValue: "sdp-invalid-connection")
        /// An `m=` line breaks the grammar.
        public static let invalidMedia = Self(rawValue: "sdp-invalid-media")
        /// A line stands twice that may stand once.
        public static let duplicateLine = Self(rawValue: "sdp-duplicate-line")
        /// A session line stands inside a medium.
        public static let misplacedLine = Self(rawValue: "sdp-misplaced-line")
        /// An attribute that is mandatory for the medium is absent.
        public static let missingAttribute = Self(rawValue: "sdp-missing-attribute")
        /// An attribute breaks its own grammar.
        public static let invalidAttribute = Self(rawValue: "sdp-invalid-attribute")
        /// An answer or a later offer has fewer or other media than it must have.
        public static let mediaMismatch = Self(rawValue: "sdp-media-mismatch")
        /// An answer has a direction that the offer does not allow.
        public static let directionMismatch = Self(rawValue: "sdp-direction-mismatch")
        /// An answer has a format, or a role, that was not offered.
        public static let notOffered = Self(rawValue: "sdp-not-offered")
        /// An answer to nothing, or a second offer while one is open.
        public static let wrongState = Self(rawValue: "sdp-wrong-state")
        /// An offer came while our own is open: SIP answers it with 491.
        public static let glare = Self(rawValue: "sdp-glare")
    }

    /// What went wrong.
    public let code: Code
    /// What was expected or found, for people.
    public let reason: String
    /// The octet of the description where it was seen; nil for errors of meaning.
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

/// The bounds within which a description is read; each has its own error code.
public struct SDPLimits: Sendable, Equatable {
    /// The largest description, in octets.
    public var maximumBytes = 256 * 1024
    /// The longest line, in octets.
    public var maximumLineBytes = 8192
    /// The most lines.
    public var maximumLines = 16_384
    /// The most media.
    public var maximumMedia = 1024

    /// The bounds for descriptions that come from the network.
    public static let standard = SDPLimits()

    /// Starts from the standard bounds.
    public init() {}
}
