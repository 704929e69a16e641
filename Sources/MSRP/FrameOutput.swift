public import NIOCore

/// Collects printed frames on their way to a connection.
public struct FrameOutput: Sendable {
    /// How frames are put on a connection.
    public enum Framing: Sendable, Hashable {
        /// One after the other, on TCP or TLS.
        case stream
        /// Each in a message of its own, on a WebSocket (RFC 7977 section 5.1).
        case message
    }

    /// Content of at least this many octets is passed on as it is; less is copied next to its head, which costs less
    /// than handling two buffers.
    static let minSeparateBytes = 16 * 1024

    /// How frames are put on the connection.
    public let framing: Framing
    /// Octets collected.
    public private(set) var byteCount = 0
    private var done: [ByteBuffer] = []
    private var tail = ByteBuffer()

    /// Makes an empty collection.
    public init(framing: Framing) { self.framing = framing }

    /// Whether nothing was collected.
    public var isEmpty: Bool { self.byteCount == 0 }

    /// Takes everything collected: with ``Framing/message`` each buffer is one frame.
    public mutating func take() -> [ByteBuffer] {
        self.closeTail()
        self.byteCount = 0
        defer { self.done = [] }
        return self.done
    }

    /// Adds a frame.
    public mutating func add(_ frame: Frame) throws(MSRPError) {
        let before = self.tail.readableBytes
        try frame.write(into: &self.tail)
        self.frameAdded(since: before)
    }

    mutating func add(_ chunk: OutgoingChunk, paths: PathLines) {
        let before = self.tail.readableBytes
        if self.framing == .stream, chunk.body.readableBytes >= Self.minSeparateBytes {
            chunk.writeHead(into: &self.tail, paths: paths)
            self.byteCount += self.tail.readableBytes - before + chunk.body.readableBytes
            self.closeTail()
            self.done.append(chunk.body)
            chunk.writeTail(into: &self.tail)
            self.byteCount += self.tail.readableBytes
        } else {
            chunk.write(into: &self.tail, paths: paths)
            self.frameAdded(since: before)
        }
    }

    mutating func addResponse(_ status: MSRPStatus, id: TransactionID, paths: PathLines) {
        let before = self.tail.readableBytes
        Frame.writeStartLine(.response(status, comment: status.comment), id: id, into: &self.tail)
        self.tail.writeImmutableBuffer(paths.lines)
        Frame.writeEndLine(id: id, .complete, into: &self.tail)
        self.frameAdded(since: before)
    }

    mutating func addReport(
        _ status: ReportStatus,
        on id: MessageID,
        range: ByteRange,
        transactionID: TransactionID,
        paths: PathLines
    ) {
        let before = self.tail.readableBytes
        Frame.writeStartLine(.request(.report), id: transactionID, into: &self.tail)
        self.tail.writeImmutableBuffer(paths.lines)
        self.tail.writeString("Message-ID: \(id.text)\r\nByte-Range: \(range.text)\r\nStatus: \(status.text)\r\n")
        Frame.writeEndLine(id: transactionID, .complete, into: &self.tail)
        self.frameAdded(since: before)
    }

    private mutating func frameAdded(since before: Int) {
        self.byteCount += self.tail.readableBytes - before
        if self.framing == .message { self.closeTail() }
    }

    private mutating func closeTail() {
        guard self.tail.readableBytes > 0 else { return }
        self.done.append(self.tail)
        self.tail = ByteBuffer()
    }
}
