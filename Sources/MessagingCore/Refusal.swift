/// Why a command was refused: a stable code for programs, a sentence for people. Equal by code alone.
public struct Refusal: Error, Sendable, Equatable, CustomStringConvertible {
    /// A stable, open set of codes; the gateways derive protocol status from it in one place each.
    public struct Code: RawRepresentable, Hashable, Sendable, Codable {
        public let rawValue: String

        /// Wraps a code's text.
        public init(rawValue: String) { self.rawValue = rawValue }

        /// A code that another server named: small letters and hyphens, at most 40; nil for anything else.
        public init?(heard text: String) {
            guard (1...40).contains(text.utf8.count),
                text.utf8.allSatisfy({ (UInt8(ascii: "a")...UInt8(ascii: "z")).contains($0) || $0 == UInt8(ascii: "-") }
                )
            else { return nil }
            rawValue = text
        }

        public static let invalidID = Code(rawValue: "invalid-id")
        public static let invalidAddress = Code(rawValue: "invalid-address")
        public static let invalidMessage = Code(rawValue: "invalid-message")
        public static let invalidRules = Code(rawValue: "invalid-rules")
        public static let invalidRequest = Code(rawValue: "invalid-request")
        public static let tooLarge = Code(rawValue: "too-large")
        public static let tooMany = Code(rawValue: "too-many")
        public static let noCredit = Code(rawValue: "no-credit")
        public static let notEntitled = Code(rawValue: "not-entitled")
        public static let quotaExceeded = Code(rawValue: "quota-exceeded")
        public static let conflict = Code(rawValue: "conflict")
        public static let stale = Code(rawValue: "stale")
        public static let notFound = Code(rawValue: "not-found")
        public static let noLongerStored = Code(rawValue: "no-longer-stored")
        public static let forbidden = Code(rawValue: "forbidden")
        public static let unauthenticated = Code(rawValue: "unauthenticated")
        public static let rateLimited = Code(rawValue: "rate-limited")
        public static let storeFull = Code(rawValue: "store-full")
        public static let unavailable = Code(rawValue: "unavailable")
        public static let internalError = Code(rawValue: "internal-error")
    }

    public let code: Code
    /// A sentence for the person who caused it; never holds content or secrets.
    public let detail: String

    /// A refusal with its code and its sentence.
    public init(_ code: Code, _ detail: String) {
        self.code = code
        self.detail = detail
    }

    public static func == (lhs: Self, rhs: Self) -> Bool { lhs.code == rhs.code }

    public var description: String { "\(code.rawValue): \(detail)" }
}
