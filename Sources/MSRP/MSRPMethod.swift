/// The method of a request (RFC 4975 section 9: one or more upper-case letters); an open set.
public struct MSRPMethod: RawRepresentable, Hashable, Sendable {
    /// The name as on the wire.
    public let rawValue: String

    /// Makes a method out of its name.
    public init(rawValue: String) { self.rawValue = rawValue }

    /// A chunk of a message, or an empty request that binds a session to a connection (RFC 4975).
    public static let send = Self(rawValue: "SEND")
    /// What became of a message (RFC 4975).
    ///
    /// Never answered.
    public static let report = Self(rawValue: "REPORT")
    /// A client asks a relay for a URI (RFC 4976).
    public static let auth = Self(rawValue: "AUTH")
    /// A participant of a chat room asks for a nickname (RFC 7701).
    public static let nickname = Self(rawValue: "NICKNAME")
}

/// A status code, of a response or in a Status header (RFC 4975 section 10); an open set.
public struct MSRPStatus: RawRepresentable, Hashable, Sendable {
    /// Three decimal digits.
    public let rawValue: UInt16

    /// Makes a status out of its number; none when it does not have three digits.
    public init?(rawValue: UInt16) {
        guard (100...999).contains(rawValue) else { return nil }
        self.rawValue = rawValue
    }

    private init(known: UInt16) { self.rawValue = known }

    /// 200: it worked.
    public static let ok = Self(known: 200)
    /// 400: the request was not understood.
    public static let badRequest = Self(known: 400)
    /// 401: a relay wants credentials (RFC 4976).
    public static let unauthorized = Self(known: 401)
    /// 403: the action is not allowed.
    public static let forbidden = Self(known: 403)
    /// 408: no response in time.
    ///
    /// Only in reports, never on the wire as a response.
    public static let timeout = Self(known: 408)
    /// 413: stop sending this message.
    public static let stopSending = Self(known: 413)
    /// 415: the content type is not understood.
    public static let unsupportedMediaType = Self(known: 415)
    /// 423: a parameter is out of bounds (Expires of an AUTH).
    public static let parameterOutOfBounds = Self(known: 423)
    /// 481: there is no such session.
    public static let noSuchSession = Self(known: 481)
    /// 501: the method is not known.
    public static let unknownMethod = Self(known: 501)
    /// 506: the session is already bound to another connection.
    public static let alreadyBound = Self(known: 506)

    /// Whether it says that it worked (2xx).
    public var isSuccess: Bool { (200..<300).contains(self.rawValue) }

    /// The words that we send along; for people only.
    public var comment: String {
        switch self {
        case .ok: "OK"
        case .badRequest: "Bad request"
        case .unauthorized: "Unauthorized"
        case .forbidden: "Forbidden"
        case .timeout: "Timeout"
        case .stopSending: "Stop sending"
        case .unsupportedMediaType: "Unsupported media type"
        case .parameterOutOfBounds: "Parameter out of bounds"
        case .noSuchSession: "No such session"
        case .unknownMethod: "Unknown method"
        case .alreadyBound: "Session already bound"
        default: ""
        }
    }
}

/// The flag at the end of a frame (RFC 4975 section 7.1).
public enum Continuation: UInt8, Sendable, CaseIterable {
    /// `$`: the message is complete with this chunk.
    case complete = 0x24
    /// `+`: more chunks of the message follow.
    case more = 0x2B
    /// `#`: the sender has given the message up.
    case aborted = 0x23
}

/// When the sender of a message wants to hear of a failure (RFC 4975 section 7.1.1).
public enum FailureReport: String, Sendable, CaseIterable {
    /// Responses always, and reports of failures: the default.
    case yes
    /// Responses and reports of failures only.
    case partial
    /// Neither.
    case no
}

/// The value of a Status header: what became of the octets that a REPORT names (RFC 4975 section 7.1.2).
public struct ReportStatus: Hashable, Sendable {
    /// The namespace of the code; `000` is that of MSRP's own status codes.
    public var namespace: UInt16
    /// The status code.
    public var status: MSRPStatus
    /// Words for people.
    public var comment: String

    /// Makes a value in the namespace of MSRP's own codes unless another one is named.
    public init(_ status: MSRPStatus, comment: String? = nil, namespace: UInt16 = 0) {
        self.namespace = namespace
        self.status = status
        self.comment = comment ?? status.comment
    }

    /// As it is printed: `000 200 OK`.
    public var text: String {
        let digits = String(self.namespace)
        let padded = String(repeating: "0", count: max(0, 3 - digits.count)) + digits
        return self.comment.isEmpty
            ? "\(padded) \(self.status.rawValue)" : "\(padded) \(self.status.rawValue) \(self.comment)"
    }
}
