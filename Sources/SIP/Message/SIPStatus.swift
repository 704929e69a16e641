/// A status code of a response.
public struct SIPStatus: RawRepresentable, Sendable, Hashable, Comparable, ExpressibleByIntegerLiteral,
    CustomStringConvertible
{
    /// The number, in 100...699.
    public let rawValue: UInt16

    /// Makes a status, or nil when the number is not in 100...699.
    public init?(rawValue: UInt16) {
        guard (100...699).contains(rawValue) else { return nil }
        self.rawValue = rawValue
    }

    /// Makes a status of a literal; a number out of range becomes the nearest one in range.
    public init(integerLiteral value: UInt16) { self.rawValue = min(max(value, 100), 699) }

    /// Whether one status has the lower number.
    public static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }

    /// The number and the reason phrase.
    public var description: String { "\(self.rawValue) \(self.reasonPhrase)" }

    /// The hundreds of the code: 1 for 180, 2 for 202 and so on.
    public var family: Int { Int(self.rawValue / 100) }
    /// Whether this is a 1xx.
    public var isProvisional: Bool { self.rawValue < 200 }
    /// Whether this is a 2xx or above.
    public var isFinal: Bool { self.rawValue >= 200 }
    /// Whether this is a 2xx.
    public var isSuccess: Bool { self.family == 2 }

    /// The phrase that the defining RFC gives the code, or that of the x00 code of its family (RFC 3261 section 8.1.3.2).
    public var reasonPhrase: String {
        // Most answers are this one.
        if self.rawValue == 200 { return "OK" }
        return Self.phrases[self.rawValue] ?? Self.phrases[self.rawValue / 100 * 100] ?? "Unknown"
    }

    private static let phrases: [UInt16: String] = [
        100: "Trying", 180: "Ringing", 181: "Call Is Being Forwarded", 182: "Queued", 183: "Session Progress",
        199: "Early Dialog Terminated", 200: "OK", 202: "Accepted", 204: "No Notification", 300: "Multiple Choices",
        301: "Moved Permanently", 302: "Moved Temporarily", 305: "Use Proxy", 380: "Alternative Service",
        400: "Bad Request", 401: "Unauthorized", 402: "Payment Required", 403: "Forbidden", 404: "Not Found",
        405: "Method Not Allowed", 406: "Not Acceptable", 407: "Proxy Authentication Required",
        408: "Request Timeout", 410: "Gone", 412: "Conditional Request Failed", 413: "Request Entity Too Large",
        414: "Request-URI Too Long", 415: "Unsupported Media Type", 416: "Unsupported URI Scheme",
        417: "Unknown Resource-Priority", 420: "Bad Extension", 421: "Extension Required",
        422: "Session Interval Too Small", 423: "Interval Too Brief", 424: "Bad Location Information",
        428: "Use Identity Header", 429: "Provide Referrer Identity", 430: "Flow Failed",
        433: "Anonymity Disallowed", 436: "Bad Identity Info", 437: "Unsupported Credential",
        438: "Invalid Identity Header", 439: "First Hop Lacks Outbound Support", 440: "Max-Breadth Exceeded",
        469: "Bad Info Package", 470: "Consent Needed", 480: "Temporarily Unavailable",
        481: "Call/Transaction Does Not Exist", 482: "Loop Detected", 483: "Too Many Hops",
        484: "Address Incomplete", 485: "Ambiguous", 486: "Busy Here", 487: "Request Terminated",
        488: "Not Acceptable Here", 489: "Bad Event", 491: "Request Pending", 493: "Undecipherable",
        494: "Security Agreement Required", 500: "Server Internal Error", 501: "Not Implemented",
        502: "Bad Gateway", 503: "Service Unavailable", 504: "Server Time-out", 505: "Version Not Supported",
        513: "Message Too Large", 555: "Push Notification Service Not Supported", 580: "Precondition Failure",
        600: "Busy Everywhere", 603: "Decline", 604: "Does Not Exist Anywhere", 606: "Not Acceptable",
        607: "Unwanted", 608: "Rejected",
    ]
}
