public import MessagingCore

extension Refusal.Code {
    // What only HTTP can get wrong.
    public static let methodNotAllowed = Self(rawValue: "method-not-allowed")
    public static let unsupportedMediaType = Self(rawValue: "unsupported-media-type")
    public static let rangeNotSatisfiable = Self(rawValue: "range-not-satisfiable")
    public static let upgradeRequired = Self(rawValue: "upgrade-required")

    /// The HTTP status that goes with a code (RFC 9110, section 15): the one place where it is decided.
    public var status: Int {
        switch self {
        case .invalidID, .invalidAddress, .invalidMessage, .invalidRules, .invalidRequest: 400
        case .unauthenticated: 401
        case .noCredit: 402
        case .forbidden, .notEntitled: 403
        case .notFound: 404
        case .methodNotAllowed: 405
        case .conflict, .stale: 409
        case .noLongerStored: 410
        case .tooLarge: 413
        case .unsupportedMediaType: 415
        case .rangeNotSatisfiable: 416
        case .tooMany: 422
        case .upgradeRequired: 426
        case .rateLimited: 429
        case .quotaExceeded, .storeFull: 507
        case .unavailable: 503
        default: 500
        }
    }

    /// A short name of the problem, the same for every occurrence.
    public var title: String {
        rawValue.split(separator: "-").joined(separator: " ")
    }
}

extension Problem {
    /// The problem that a refusal is on the wire.
    public init(_ refusal: Refusal) {
        self.init(refusal, status: refusal.code.status, title: refusal.code.title)
    }
}
