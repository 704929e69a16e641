import DequeModule
public import NIOCore

/// A chunk of a message, ready to be printed.
public struct OutgoingChunk: Sendable, Hashable {
    /// The id of the request.
    public let transactionID: TransactionID
    /// The message that it belongs to.
    public let messageID: MessageID
    /// What of the message it holds.
    public let range: ByteRange
    /// The content.
    public let body: ByteBuffer
    /// Whether more follows.
    public let continuation: Continuation
    private let prefix: ByteBuffer
    private let suffix: ByteBuffer

    init(
        transactionID: TransactionID,
        messageID: MessageID,
        range: ByteRange,
        body: ByteBuffer,
        continuation: Continuation,
        prefix: ByteBuffer,
        suffix: ByteBuffer
    ) {
        self.transactionID = transactionID
        self.messageID = messageID
        self.range = range
        self.body = body
        self.continuation = continuation
        self.prefix = prefix
        self.suffix = suffix
    }

    /// Appends the chunk to a buffer, exactly as it goes over the wire.
    ///
    /// - Parameter paths: the To-Path and From-Path lines, from ``PathLines``.
    public func write(into buffer: inout ByteBuffer, paths: PathLines) {
        self.writeHead(into: &buffer, paths: paths)
        buffer.writeImmutableBuffer(self.body)
        self.writeTail(into: &buffer)
    }

    /// Appends what comes before the content.
    public func writeHead(into buffer: inout ByteBuffer, paths: PathLines) {
        buffer.writeStaticString("MSRP ")
        buffer.writeString(self.transactionID.text)
        buffer.writeStaticString(" SEND\r\n")
        buffer.writeImmutableBuffer(paths.lines)
        buffer.writeImmutableBuffer(self.prefix)
        buffer.writeString(String(self.range.start))
        buffer.writeInteger(ASCII.hyphen)
        buffer.writeString(self.range.end.map(String.init) ?? "*")
        buffer.writeInteger(UInt8(ascii: "/"))
        buffer.writeString(self.range.total.map(String.init) ?? "*")
        buffer.writeImmutableBuffer(self.suffix)
    }

    /// Appends what comes after the content.
    public func writeTail(into buffer: inout ByteBuffer) {
        buffer.writeStaticString("\r\n")
        Frame.writeEndLine(id: self.transactionID, self.continuation, into: &buffer)
    }
}

/// The To-Path and From-Path lines of a session, printed once.
public struct PathLines: Sendable, Hashable {
    let lines: ByteBuffer

    /// Prints the lines.
    public init(to: [MSRPURI], from: [MSRPURI]) {
        var lines = ByteBuffer()
        Frame.writePaths(to: to, from: from, into: &lines)
        self.lines = lines
    }
}

extension MessageSender {
    /// The next chunk to be sent; none when nothing is ready, sending is paused, or too much is unanswered.
    ///
    /// Messages take turns. The clock of a request starts with its last octet, so ask for a chunk when it can go out.
    public mutating func next(now: NIODeadline) -> Step? {
        guard self.wantsToSend, let id = self.ready.popFirst(), let index = self.entries.index(forKey: id) else {
            return nil
        }
        let maxBytes = self.ready.isEmpty ? self.limits.bulkChunkBytes : self.limits.chunkBytes
        self.entries.values[index].isQueued = false
        guard let cut = self.entries.values[index].message.cut(atMost: max(1, maxBytes)) else { return nil }
        let entry = self.entries.values[index]
        let chunk = self.chunk(cut, of: entry)
        let resumes =
            entry.isProducerWaiting && entry.message.unsentBytes <= self.limits.maxBufferedBytes / 2
        if resumes { self.entries.values[index].isProducerWaiting = false }
        let result = self.track(chunk, cut, of: entry, now: now)
        self.enqueue(id)
        return Step(chunk: chunk, resumesProducer: resumes, result: result)
    }

    private mutating func chunk(_ cut: OutgoingMessage.Cut, of entry: Entry) -> OutgoingChunk {
        let header = entry.message.header
        let isWhole = entry.message.phase != .open
        // After an abort nobody counts any more; the announced size stays what it was.
        let total = header.size ?? (isWhole && cut.flag != .aborted ? entry.message.suppliedBytes : nil)
        let isInterruptible = cut.piece.bytes.readableBytes > 2048 || cut.flag == .aborted
        let range = ByteRange(
            uncheckedStart: cut.piece.offset + 1,
            end: isInterruptible ? nil : cut.piece.end,
            total: total
        )
        return OutgoingChunk(
            transactionID: self.transactionID(for: cut.piece.bytes),
            messageID: header.id,
            range: range,
            body: cut.piece.bytes,
            continuation: cut.flag,
            prefix: entry.prefix,
            suffix: entry.suffix
        )
    }

    /// An id whose end-line does not occur in the body, and which is not in use.
    private mutating func transactionID(for body: ByteBuffer) -> TransactionID {
        while true {
            let id = self.ids.transactionID()
            if self.transactions[id] == nil,
                !EndLine.occurs(in: body.readableBytesUInt8Span, id: id.text.utf8.span)
            {
                return id
            }
        }
    }

    /// Remembers what has to be answered.
    private mutating func track(
        _ chunk: OutgoingChunk,
        _ cut: OutgoingMessage.Cut,
        of entry: Entry,
        now: NIODeadline
    ) -> Result? {
        let header = entry.message.header
        guard cut.flag != .aborted else {
            self.forget(header.id)
            return Result(id: header.id, outcome: .failed(.stopSending))
        }
        if cut.flag == .complete { self.ledgers.setSize(entry.message.suppliedBytes, of: header.id) }
        switch header.failureReport {
        case .yes:
            self.transactions[chunk.transactionID] = Transaction(id: header.id, cut: cut, wantsAnswer: true)
            self.deadlines.append((now + self.limits.transactionTimeout, chunk.transactionID))
            self.unansweredBytes += cut.piece.bytes.readableBytes
            self.unansweredChunks += 1
            return nil
        case .partial: self.expectErrorOnly(chunk.transactionID, cut, of: header.id)
        case .no: break
        }
        // With `partial` the message counts as sent once it is; an error that still comes is reported as one.
        guard let index = self.entries.index(forKey: header.id),
            self.entries.values[index].message.answered() == .allAnswered
        else { return nil }
        return self.complete(header.id)
    }

    /// Keeps the id of a request that is answered only when something is wrong.
    ///
    /// Nothing says when no answer can come any more, so the newest push out the oldest; the content is not kept, since
    /// nothing would let go of it.
    private mutating func expectErrorOnly(_ id: TransactionID, _ cut: OutgoingMessage.Cut, of message: MessageID) {
        let piece = OutgoingMessage.Piece(offset: cut.piece.offset, bytes: ByteBuffer())
        self.transactions[id] = Transaction(id: message, cut: .init(piece: piece, flag: cut.flag), wantsAnswer: false)
        self.errorOnly.append(id)
        if self.errorOnly.count > self.limits.maxUnansweredChunks, let oldest = self.errorOnly.popFirst() {
            self.removeTransaction(oldest)
        }
    }

    mutating func complete(_ id: MessageID) -> Result {
        if let entry = self.entries.removeValue(forKey: id), entry.isQueued {
            self.ready.removeAll { $0 == id }
        }
        return Result(id: id, outcome: self.ledgers.settle(id) == .delivered ? .delivered : .sent)
    }
}
