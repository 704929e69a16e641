public import NIOCore

/// What a frame parser finds in a stream, in this order: a head, any number of pieces of its body, its end.
public enum FrameEvent: Sendable {
    /// A frame has begun.
    case head(FrameHead)
    /// The next octets of its body: a slice of what was read, never empty.
    case body(ByteBuffer)
    /// The frame is over.
    case end(Continuation)
}

/// Takes a stream of octets apart into MSRP frames (RFC 4975 section 7.1), however the octets are split.
///
/// A body goes through in slices as it comes, without being copied and without a bound on its size; only a head and at
/// most one end-line are ever held back. After an error the parser answers every call with the same error.
public struct FrameParser: Sendable {
    private enum State: Sendable {
        case head(HeadScanner)
        case body(id: [UInt8], atStart: Bool)
        case end(Continuation)
        case failed(MSRPError)
    }

    private let limits: MSRPLimits
    private var state = State.head(HeadScanner())
    private var pending = ByteBuffer()
    /// Whether `pending` is storage of our own, to which appending is cheap.
    private var isPendingOwned = false

    /// Makes a parser that stands at the start of a frame.
    public init(limits: MSRPLimits = .init()) { self.limits = limits }

    /// Whether everything taken in so far was whole frames.
    public var isBetweenFrames: Bool {
        if case .head = self.state { self.pending.readableBytes == 0 } else { false }
    }

    /// Octets taken in and not yet given out.
    public var heldBytes: Int { self.pending.readableBytes }

    /// Takes octets in.
    ///
    /// Call ``next()`` until it has nothing more.
    public mutating func append(_ bytes: ByteBuffer) {
        guard bytes.readableBytes > 0 else { return }
        if self.pending.readableBytes == 0 {
            self.pending = bytes
            self.isPendingOwned = false
        } else if self.isPendingOwned {
            self.pending.writeImmutableBuffer(bytes)
        } else {
            // What is held back is at most a head; joining it to what follows is the only copy there is.
            var joined = ByteBufferAllocator().buffer(capacity: self.pending.readableBytes + bytes.readableBytes)
            joined.writeImmutableBuffer(self.pending)
            joined.writeImmutableBuffer(bytes)
            self.pending = joined
            self.isPendingOwned = true
        }
    }

    /// The next event; none when more octets are needed.
    ///
    /// - Throws: ``MSRPError`` for which ``MSRPError/isFatalToConnection`` holds.
    public mutating func next() throws(MSRPError) -> FrameEvent? {
        switch self.state {
        case .head(let scanner): return try self.nextHead(scanner)
        case .body(let id, let atStart): return self.nextBody(id: id, atStart: atStart)
        case .end(let flag):
            self.state = .head(HeadScanner())
            return .end(flag)
        case .failed(let error): throw error
        }
    }

    private mutating func nextHead(_ before: HeadScanner) throws(MSRPError) -> FrameEvent? {
        guard self.pending.readableBytes > 0 else { return nil }
        var scanner = before
        let step: HeadScanner.Step
        do {
            step = try scanner.scan(self.pending.readableBytesUInt8Span, limits: self.limits)
        } catch {
            self.state = .failed(error)
            self.pending = ByteBuffer()
            throw error
        }
        switch step {
        case .needsMore:
            self.state = .head(scanner)
            return nil
        case .body(let end, let next):
            guard let head = self.takeHead(scanner, end: end, next: next, hasBody: true) else { return nil }
            let id = Array(head.transactionID.text.utf8)
            self.state = .body(id: id, atStart: true)
            return .head(head)
        case .noBody(let end, let next, let flag):
            guard let head = self.takeHead(scanner, end: end, next: next, hasBody: false) else { return nil }
            self.state = .end(flag)
            return .head(head)
        }
    }

    private mutating func takeHead(_ scanner: HeadScanner, end: Int, next: Int, hasBody: Bool) -> FrameHead? {
        guard let bytes = self.pending.getSlice(at: self.pending.readerIndex, length: end) else { return nil }
        self.pending.moveReaderIndex(forwardBy: next)
        self.isPendingOwned = false
        return scanner.head(of: bytes, hasBody: hasBody)
    }

    private mutating func nextBody(id: [UInt8], atStart: Bool) -> FrameEvent? {
        guard self.pending.readableBytes > 0 else { return nil }
        switch EndLine.search(self.pending.readableBytesUInt8Span, id: id.span, atStart: atStart) {
        case .none(let safe):
            guard safe > 0, let slice = self.pending.readSlice(length: safe) else { return nil }
            self.isPendingOwned = false
            self.state = .body(id: id, atStart: false)
            return .body(slice)
        case .found(let bodyEnd, let next, let flag):
            let slice = bodyEnd > 0 ? self.pending.readSlice(length: bodyEnd) : nil
            self.pending.moveReaderIndex(forwardBy: next - bodyEnd)
            self.isPendingOwned = false
            guard let slice else {
                self.state = .head(HeadScanner())
                return .end(flag)
            }
            self.state = .end(flag)
            return .body(slice)
        }
    }
}
