import ByteGrammar
public import NIOCore

/// Cuts a byte stream into messages and keep-alives (RFC 3261 section 18.3, RFC 5626 sections 3.5.1 and 4.4.1).
///
/// Bytes may arrive split at any place. Nothing is looked at twice: the search for the end of the header fields goes on
/// where it stopped.
public struct StreamFramer: Sendable {
    /// Which end of the connection this is, for the meaning of empty lines.
    public enum Side: Sendable, Hashable {
        /// We opened the connection: a single CRLF is the answer to our ping.
        case client
        /// The peer opened the connection: CRLF CRLF is a ping.
        case server
    }

    /// What was found.
    public enum Event: Sendable {
        /// A message.
        case message(SIPMessage)
        /// CRLF CRLF between messages: answer with CRLF.
        case ping
        /// CRLF between messages.
        case pong
        /// The stream cannot be read on: answer the request with a 400 if there is one, then close.
        case failed(SIPError, request: SIPMessage?)
    }

    private let side: Side
    private let limits: SIPLimits
    private var buffer = ByteBuffer()
    /// How far the search for the end of the header fields came.
    private var searched = 0
    /// The scanned head of the message whose body is not complete.
    private var head: HeadScanner?
    private var blankLines = 0
    private var blankBytes = 0
    private var failure: SIPError?

    /// Starts at the beginning of a stream.
    public init(side: Side, limits: SIPLimits = SIPLimits()) {
        self.side = side
        self.limits = limits
    }

    /// The bytes that wait for more.
    public var bufferedBytes: Int { self.buffer.readableBytes }

    /// Whether a message has begun and is not complete.
    public var isInMessage: Bool { self.buffer.readableBytes > 0 }

    /// Takes bytes as they arrived.
    ///
    /// Call ``next()`` until it returns nil before the next call.
    public mutating func append(_ bytes: ByteBuffer) {
        guard self.failure == nil else { return }
        if self.buffer.readableBytes == 0 {
            self.buffer = bytes
        } else {
            self.buffer.writeImmutableBuffer(bytes)
        }
    }

    /// The next event, or nil when more bytes are needed.
    public mutating func next() -> Event? {
        guard self.failure == nil else { return nil }
        if self.head == nil {
            if let event = self.skipBlankLines() { return event }
            // One byte may be the first half of an empty line.
            guard self.buffer.readableBytes > 1 else { return nil }
            guard self.findHead() else { return self.checkHeadSize() }
        }
        return self.takeMessage()
    }

    private mutating func fail(_ error: SIPError, request: SIPMessage? = nil) -> Event {
        self.failure = error
        self.buffer = ByteBuffer()
        return .failed(error, request: request)
    }

    /// Takes the empty lines before a start line.
    private mutating func skipBlankLines() -> Event? {
        while self.searched == 0, self.buffer.readableBytes >= 2,
            self.buffer.getInteger(at: self.buffer.readerIndex, as: UInt16.self) == 0x0D0A
        {
            self.buffer.moveReaderIndex(forwardBy: 2)
            self.blankBytes += 2
            self.blankLines += 1
            if self.side == .client {
                self.blankLines = 0
                return .pong
            }
            if self.blankLines == 2 {
                self.blankLines = 0
                return .ping
            }
            if self.blankBytes > self.limits.blankBytesBeforeMessage, self.blankLines > 2 {
                return self.fail(SIPError(.malformedStartLine, "too many empty lines"))
            }
        }
        return nil
    }

    /// Looks for CRLF CRLF within the limit, and scans the head once it is there.
    private mutating func findHead() -> Bool {
        let bound = min(self.buffer.readableBytes, self.limits.headBytes)
        guard let end = Self.headEnd(self.buffer, from: self.searched, to: bound) else {
            self.searched = bound
            return false
        }
        self.head = Self.scan(self.buffer, end: end, self.limits)
        return true
    }

    private static func scan(_ buffer: ByteBuffer, end: Int, _ limits: SIPLimits) -> HeadScanner {
        var scanner = HeadScanner()
        _ = scanner.scan(buffer.readableBytesUInt8Span.extracting(0..<end), limits: limits)
        return scanner
    }

    private static func headEnd(_ buffer: ByteBuffer, from start: Int, to bound: Int) -> Int? {
        let bytes = buffer.readableBytesUInt8Span
        var from = start
        while let feed = ByteSearch.firstOffset(of: 0x0A, in: bytes.bytes, from: from, to: bound) {
            if feed >= 3, bytes[feed - 1] == 0x0D, bytes[feed - 2] == 0x0A { return feed + 1 }
            from = feed + 1
        }
        return nil
    }

    private mutating func checkHeadSize() -> Event? {
        let bound = self.limits.headBytes
        guard self.buffer.readableBytes > bound else { return nil }
        let fault = SIPError(.headTooLarge, "start line and header fields exceed \(bound) bytes", offset: bound)
        return self.fail(fault, request: self.answerable(Self.scan(self.buffer, end: bound, self.limits)))
    }

    /// What is known of a request that cannot be read, for the answer to it.
    private func answerable(_ head: HeadScanner) -> SIPMessage? {
        guard let start = head.start, case .request = start else { return nil }
        let empty = UInt32(head.headEnd)..<UInt32(head.headEnd)
        return SIPMessage(storage: self.buffer, start: start, fields: head.fields, bodyRange: empty)
    }

    /// Takes the message whose head was scanned, when its body is complete.
    private mutating func takeMessage() -> Event? {
        guard let head = self.head else { return nil }
        var fault = head.fault
        if fault == nil, head.contentLength == nil {
            fault = SIPError(.missingContentLength, "a message on a stream needs Content-Length", offset: head.headEnd)
        }
        let length = head.contentLength ?? 0
        if fault == nil, length > self.limits.bodyBytes {
            fault = SIPError(.bodyTooLarge, "the body exceeds \(self.limits.bodyBytes) bytes", offset: head.headEnd)
        }
        if let fault { return self.fail(fault, request: self.answerable(head)) }
        guard self.buffer.readableBytes >= head.headEnd + length,
            let slice = self.buffer.readSlice(length: head.headEnd + length), let start = head.start
        else { return nil }
        self.head = nil
        self.searched = 0
        self.blankLines = 0
        self.blankBytes = 0
        if self.buffer.readableBytes == 0 { self.buffer = ByteBuffer() }
        let body = UInt32(head.headEnd)..<UInt32(head.headEnd + length)
        return .message(SIPMessage(storage: slice, start: start, fields: head.fields, bodyRange: body))
    }
}
