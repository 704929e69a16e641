/// What went wrong while MSRP was read, checked or run.
///
/// Two errors are equal when their codes are: the reason is for people and may change.
public struct MSRPError: Error, Sendable, Equatable, CustomStringConvertible {
    /// The kind of an error; an open set, so that a caller can add its own.
    public struct Code: RawRepresentable, Hashable, Sendable {
        /// A stable, machine-readable name.
        public let rawValue: String

        /// Makes a code out of its name.
        public init(rawValue: String) { self.rawValue = rawValue }
    }

    /// The kind of the error.
    public let code: Code
    /// What was expected or found, for people; it never holds message content.
    public let reason: String
    /// The status with which the peer refused, when that is what went wrong.
    public let status: MSRPStatus?
    /// Octets from the start of the frame or of the value at which the error was seen; 0 when that means nothing.
    public let offset: Int

    /// Makes an error.
    public init(_ code: Code, _ reason: String, status: MSRPStatus? = nil, offset: Int = 0) {
        self.code = code
        self.reason = reason
        self.status = status
        self.offset = offset
    }

    /// The code and the reason.
    public var description: String { "\(self.code.rawValue): \(self.reason) (at \(self.offset))" }

    /// Equality by code only.
    public static func == (left: Self, right: Self) -> Bool { left.code == right.code }
}

// Framing: nothing after such an error can be trusted, the connection has to go.
extension MSRPError.Code {
    /// The first line of a frame is not an MSRP request or status line.
    public static let malformedStartLine = Self(rawValue: "malformed-start-line")
    /// The first line of a frame is longer than ``MSRPLimits/maxLineBytes``.
    public static let lineTooLong = Self(rawValue: "line-too-long")
    /// The headers of a frame are longer than ``MSRPLimits/maxHeadBytes``.
    public static let headTooLong = Self(rawValue: "head-too-long")
    /// A frame has more headers than ``MSRPLimits/maxHeaders``.
    public static let tooManyHeaders = Self(rawValue: "too-many-headers")
    /// A WebSocket message does not hold exactly one chunk (RFC 7977 section 5.1).
    public static let notOneFramePerMessage = Self(rawValue: "not-one-frame-per-message")
    /// The stream ended inside a frame.
    public static let truncatedFrame = Self(rawValue: "truncated-frame")
}

// A frame that was delimited well and makes no sense: 400 (or what `responseStatus` says).
extension MSRPError.Code {
    /// A transaction id is not 4 to 32 ident characters.
    public static let malformedTransactionID = Self(rawValue: "malformed-transaction-id")
    /// A header line is not `Name: value`, is folded, or holds a control character.
    public static let malformedHeader = Self(rawValue: "malformed-header")
    /// To-Path and From-Path are not the first two headers.
    public static let headerOrder = Self(rawValue: "header-order")
    /// A header that may be there once is there twice.
    public static let repeatedHeader = Self(rawValue: "repeated-header")
    /// A header that the method demands is missing.
    public static let missingHeader = Self(rawValue: "missing-header")
    /// An MSRP URI does not follow RFC 4975 section 9.
    public static let malformedURI = Self(rawValue: "malformed-uri")
    /// A path holds more than ``MSRPLimits/maxPathURIs``.
    public static let tooManyPathURIs = Self(rawValue: "too-many-path-uris")
    /// A Byte-Range does not follow the grammar, or counts from 0, or runs backwards.
    public static let malformedByteRange = Self(rawValue: "malformed-byte-range")
    /// A Message-ID is empty, too long, or holds a character outside ident.
    public static let malformedMessageID = Self(rawValue: "malformed-message-id")
    /// A Status header is not `namespace code comment`.
    public static let malformedStatus = Self(rawValue: "malformed-status")
    /// Success-Report or Failure-Report has a value that does not exist.
    public static let malformedReportRequest = Self(rawValue: "malformed-report-request")
    /// A number (Expires and the like) is not one or does not fit.
    public static let malformedNumber = Self(rawValue: "malformed-number")
    /// A digest challenge cannot be read or names nothing that we can compute.
    public static let malformedChallenge = Self(rawValue: "malformed-challenge")
    /// A certificate fingerprint is not one of SHA-256.
    public static let malformedFingerprint = Self(rawValue: "malformed-fingerprint")
    /// A body came without a Content-Type.
    public static let missingContentType = Self(rawValue: "missing-content-type")
}

// Bounds of the reassembly, of sessions and of what is sent.
extension MSRPError.Code {
    /// A message is larger than ``MSRPLimits/maxMessageBytes``.
    public static let messageTooLarge = Self(rawValue: "message-too-large")
    /// More messages are being received than ``MSRPLimits/maxIncompleteMessages``.
    public static let tooManyMessages = Self(rawValue: "too-many-messages")
    /// A message came in more separate pieces than ``MSRPLimits/maxGaps``.
    public static let tooManyGaps = Self(rawValue: "too-many-gaps")
    /// More octets wait for a gap to close than ``MSRPLimits/maxOutOfOrderBytes``.
    public static let tooMuchOutOfOrder = Self(rawValue: "too-much-out-of-order")
    /// More messages wait to be sent than ``MSRPLimits/maxOutgoingMessages``.
    public static let tooManyOutgoing = Self(rawValue: "too-many-outgoing")
    /// A value that is to be printed holds a line end or another character that it must not.
    public static let unprintable = Self(rawValue: "unprintable")
    /// No message of that id is being sent or received.
    public static let unknownMessage = Self(rawValue: "unknown-message")
    /// A message with that id is already being sent.
    public static let repeatedMessageID = Self(rawValue: "repeated-message-id")
    /// More (or less) content was supplied than the size that was announced.
    public static let wrongSize = Self(rawValue: "wrong-size")
    /// A content type that neither `accept-types` nor `accept-wrapped-types` covers.
    public static let unsupportedContentType = Self(rawValue: "unsupported-content-type")
}

// The life of a session, of a request and of a connection.
extension MSRPError.Code {
    /// No response within ``MSRPLimits/transactionTimeout``.
    public static let transactionTimeout = Self(rawValue: "transaction-timeout")
    /// The peer answered or reported a failure.
    public static let refused = Self(rawValue: "refused")
    /// The connection broke, and what was sent on it cannot be resumed.
    public static let connectionLost = Self(rawValue: "connection-lost")
    /// No connection could be made.
    public static let connectFailed = Self(rawValue: "connect-failed")
    /// The peer did not come, or did not come back, in time.
    public static let peerTimeout = Self(rawValue: "peer-timeout")
    /// The session is over.
    public static let sessionClosed = Self(rawValue: "session-closed")
    /// The sender gave the message up.
    public static let aborted = Self(rawValue: "aborted")
    /// A relay did not let us in.
    public static let notAuthorized = Self(rawValue: "not-authorized")
    /// Offer and answer leave no one to open the connection (RFC 6135).
    public static let noConnectionRole = Self(rawValue: "no-connection-role")
    /// More sessions on one connection than allowed.
    public static let tooManySessions = Self(rawValue: "too-many-sessions")
    /// The peer does not read what it is sent.
    public static let peerNotReading = Self(rawValue: "peer-not-reading")
}

extension MSRPError {
    /// Whether the bytes that follow cannot be made sense of, so that only closing the connection is left.
    public var isFatalToConnection: Bool {
        switch self.code {
        case .malformedStartLine, .lineTooLong, .headTooLong, .tooManyHeaders, .notOneFramePerMessage,
            .truncatedFrame, .peerNotReading:
            true
        default: false
        }
    }

    /// The status that a request with this error is answered with (RFC 4975 section 10).
    public var responseStatus: MSRPStatus {
        switch self.code {
        case .messageTooLarge, .tooManyMessages, .tooManyGaps, .tooMuchOutOfOrder: .stopSending
        case .unsupportedContentType: .unsupportedMediaType
        case .transactionTimeout: .timeout
        default: .badRequest
        }
    }
}
