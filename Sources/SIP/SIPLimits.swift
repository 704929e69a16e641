/// The bounds that are checked before anything is parsed further. Each has an error code of its own.
public struct SIPLimits: Sendable, Hashable {
    /// Bytes of the start line and all header fields (``SIPError/Code/headTooLarge``).
    public var headBytes = 32_768
    /// Bytes of one header field with its folds (``SIPError/Code/lineTooLong``). At most 65,535.
    public var lineBytes = 8192 {
        didSet { self.lineBytes = min(self.lineBytes, 65_535) }
    }
    /// Header fields of one message (``SIPError/Code/tooManyHeaderFields``).
    public var headerFields = 256
    /// Bytes of a body (``SIPError/Code/bodyTooLarge``).
    public var bodyBytes = 262_144
    /// Bytes that a peer may send before the first byte of a message on a stream: empty lines only.
    public var blankBytesBeforeMessage = 1024

    /// Entries of one comma-separated list (``SIPError/Code/tooManyItems``).
    public static let listItems = 256
    /// Parameters of one value (``SIPError/Code/tooManyItems``).
    public static let parameters = 64

    /// The default limits.
    public init() {}
}
