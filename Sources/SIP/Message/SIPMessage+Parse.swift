import ByteGrammar
public import NIOCore

extension SIPMessage {
    /// What came out of reading bytes that should be one message.
    public enum Reading: Sendable {
        /// The bytes are a message. Values of header fields were not looked at yet; see ``SIPMessage/validate()``.
        case message(SIPMessage)
        /// The bytes are no message. What could be read of a request is there, so that it can be answered.
        case broken(SIPError, request: SIPMessage?)
    }

    /// Reads a datagram or a WebSocket message (RFC 3261 section 18.3, RFC 7118 section 5.1).
    ///
    /// The body is what Content-Length says, or without one everything to the end; bytes behind the body are ignored.
    /// Empty lines before the start line are skipped.
    public static func read(_ bytes: ByteBuffer, limits: SIPLimits = SIPLimits()) -> Reading {
        var bytes = bytes
        Self.skipEmptyLines(&bytes)
        var scanner = HeadScanner()
        let complete = scanner.scan(bytes.readableBytesUInt8Span, limits: limits)
        var fault = scanner.fault
        let available = max(0, bytes.readableBytes - scanner.headEnd)
        let length = scanner.contentLength ?? available
        if fault == nil, length > limits.bodyBytes {
            fault = SIPError(.bodyTooLarge, "the body exceeds \(limits.bodyBytes) bytes", offset: scanner.headEnd)
        }
        if fault == nil, length > available {
            fault = SIPError(
                .truncatedBody,
                "\(available) of \(length) bytes of the body are there",
                offset: bytes.readableBytes
            )
        }
        guard let start = scanner.start else {
            return .broken(fault ?? SIPError(.malformedStartLine, "no start line", offset: 0), request: nil)
        }
        let body =
            UInt32(
                truncatingIfNeeded: scanner.headEnd
            )..<UInt32(truncatingIfNeeded: scanner.headEnd + min(length, available))
        let message = SIPMessage(storage: bytes, start: start, fields: scanner.fields, bodyRange: body)
        if let fault { return .broken(fault, request: message.isRequest ? message : nil) }
        guard complete else {
            return .broken(SIPError(.truncatedHead, "the header fields do not end"), request: nil)
        }
        return .message(message)
    }

    /// Reads a datagram or a WebSocket message that must be well formed.
    ///
    /// - Throws: The first fault that ``read(_:limits:)`` finds.
    public init(parsing bytes: ByteBuffer, limits: SIPLimits = SIPLimits()) throws(SIPError) {
        switch Self.read(bytes, limits: limits) {
        case .message(let message): self = message
        case .broken(let error, _): throw error
        }
    }

    /// Reads a message from a text, for tests and tools.
    ///
    /// - Throws: As ``init(parsing:limits:)``.
    public init(_ text: String) throws(SIPError) { try self.init(parsing: ByteBuffer(string: text)) }

    private static func skipEmptyLines(_ bytes: inout ByteBuffer) {
        while bytes.readableBytes >= 2,
            bytes.getInteger(at: bytes.readerIndex, as: UInt16.self) == 0x0D0A
        {
            bytes.moveReaderIndex(forwardBy: 2)
        }
    }
}
