import DequeModule
public import NIOCore

/// Sends messages of one session: cuts them into chunks, interleaves them, waits for the answers, and knows what has
/// to be sent again after a broken connection (RFC 4975 sections 5.1 and 7.1).
///
/// It decides and does no I/O: the caller asks for the next chunk whenever there is room on the connection, prints it,
/// and passes in what comes back and what time it is.
public struct MessageSender: Sendable {
    /// What became of a message.
    public enum Outcome: Sendable, Hashable {
        /// Every chunk was answered with success, or sent, when no answers were asked for.
        case sent
        /// The receiver has reported that the whole message arrived.
        case delivered
        /// The message was refused, reported as failed, not answered in time, or given up.
        case failed(MSRPStatus)
    }

    /// What became of which message.
    public struct Result: Sendable, Hashable {
        /// The message.
        public var id: MessageID
        /// Its fate.
        public var outcome: Outcome

        /// Makes a result.
        public init(id: MessageID, outcome: Outcome) {
            self.id = id
            self.outcome = outcome
        }
    }

    /// A chunk to be sent, and what else its sending means.
    public struct Step: Sendable, Hashable {
        /// The chunk.
        public var chunk: OutgoingChunk
        /// The producer of the chunk's message may supply more; it was told to wait before.
        public var resumesProducer: Bool
        /// The message is over with this chunk, because no answer is asked for.
        public var result: Result?
    }

    /// Whether a producer may go on.
    public enum Room: Sendable, Hashable {
        /// Go on.
        case more
        /// Wait until a ``Step`` says ``Step/resumesProducer``.
        case wait
    }

    struct Entry {
        var message: OutgoingMessage
        var prefix: ByteBuffer
        var suffix: ByteBuffer
        var isQueued = false
        var isProducerWaiting = false
    }

    struct Transaction {
        var id: MessageID
        var cut: OutgoingMessage.Cut
        var wantsAnswer: Bool
    }

    let limits: MSRPLimits
    var ids: IdentifierGenerator
    var entries: [MessageID: Entry] = [:]
    var ready: Deque<MessageID> = []
    var transactions: [TransactionID: Transaction] = [:]
    /// All have the same timeout, so the order of sending is the order of deadlines.
    var deadlines: Deque<(NIODeadline, TransactionID)> = []
    /// Requests of which only an error would be answered, the oldest first.
    var errorOnly: Deque<TransactionID> = []
    var unansweredBytes = 0
    var unansweredChunks = 0
    var ledgers = ReportLedgers()
    private(set) var isPaused = false

    /// Makes a sender with nothing to send.
    public init(limits: MSRPLimits = .init(), ids: IdentifierGenerator) {
        self.limits = limits
        self.ids = ids
    }

    /// Messages that are not over.
    public var messageCount: Int { self.entries.count }

    /// Octets sent and not answered.
    public var unansweredByteCount: Int { self.unansweredBytes }

    /// Whether ``next(now:)`` would give a chunk.
    public var wantsToSend: Bool { !self.isPaused && !self.ready.isEmpty && self.hasWindow }

    private var hasWindow: Bool {
        self.unansweredBytes < self.limits.maxUnansweredBytes
            && self.unansweredChunks < self.limits.maxUnansweredChunks
    }

    /// Stops and resumes the giving out of chunks.
    public mutating func setPaused(_ isPaused: Bool) { self.isPaused = isPaused }

    /// A message id that is not in use.
    public mutating func makeMessageID() -> MessageID { self.ids.messageID() }

    // MARK: Content

    /// Begins a message.
    ///
    /// - Throws: ``MSRPError``: ``MSRPError/Code/tooManyOutgoing``, ``MSRPError/Code/repeatedMessageID`` or
    ///   ``MSRPError/Code/unprintable``.
    public mutating func start(_ header: MessageHeader) throws(MSRPError) {
        guard self.entries.count < self.limits.maxOutgoingMessages else {
            throw MSRPError(.tooManyOutgoing, "more than \(self.limits.maxOutgoingMessages)")
        }
        guard self.entries[header.id] == nil else {
            throw MSRPError(.repeatedMessageID, "already being sent")
        }
        try Frame.checkValue(header.contentType)
        var prefix = ByteBuffer()
        prefix.writeString("Message-ID: \(header.id.text)\r\n")
        if header.wantsSuccessReport { prefix.writeStaticString("Success-Report: yes\r\n") }
        if header.failureReport != .yes { prefix.writeString("Failure-Report: \(header.failureReport.rawValue)\r\n") }
        prefix.writeStaticString("Byte-Range: ")
        let suffix = ByteBuffer(string: "\r\nContent-Type: \(header.contentType)\r\n\r\n")
        var entry = Entry(message: OutgoingMessage(header: header), prefix: prefix, suffix: suffix)
        // A message that is known to be empty is complete as it is.
        if header.size == 0 { try entry.message.finish() }
        self.entries[header.id] = entry
        if header.wantsSuccessReport || header.failureReport != .no {
            self.ledgers.open(header.id, wantsSuccess: header.wantsSuccessReport, limits: self.limits)
        }
        self.enqueue(header.id)
    }

    /// Takes content of a message, in order.
    ///
    /// - Throws: ``MSRPError``: ``MSRPError/Code/unknownMessage``, ``MSRPError/Code/wrongSize`` or
    ///   ``MSRPError/Code/aborted``.
    public mutating func supply(_ bytes: ByteBuffer, to id: MessageID) throws(MSRPError) -> Room {
        guard let index = self.entries.index(forKey: id) else {
            throw MSRPError(.unknownMessage, "no such message is being sent")
        }
        try self.entries.values[index].message.supply(bytes)
        let mustWait = self.entries.values[index].message.unsentBytes >= self.limits.maxBufferedBytes
        self.entries.values[index].isProducerWaiting = mustWait
        self.enqueue(id)
        return mustWait ? .wait : .more
    }

    /// Hears that all content of a message was supplied.
    ///
    /// - Throws: ``MSRPError``: ``MSRPError/Code/unknownMessage``, ``MSRPError/Code/wrongSize`` or
    ///   ``MSRPError/Code/aborted``.
    public mutating func finish(_ id: MessageID) throws(MSRPError) {
        guard let index = self.entries.index(forKey: id) else {
            throw MSRPError(.unknownMessage, "no such message is being sent")
        }
        try self.entries.values[index].message.finish()
        self.enqueue(id)
    }

    /// Gives a message up; the peer is told with a `#` chunk when it has heard of the message.
    ///
    /// - Returns: whether there was such a message.
    @discardableResult
    public mutating func abort(_ id: MessageID) -> Bool {
        guard let index = self.entries.index(forKey: id) else { return false }
        self.ledgers.close(id)
        switch self.entries.values[index].message.abort(tellsPeer: true) {
        case .sendAbort: self.enqueue(id)
        case .forget: self.forget(id)
        case .ignore: break
        }
        return true
    }

    mutating func enqueue(_ id: MessageID) {
        guard let index = self.entries.index(forKey: id), !self.entries.values[index].isQueued,
            self.entries.values[index].message.isReady
        else { return }
        self.entries.values[index].isQueued = true
        self.ready.append(id)
    }

    /// Drops a message and everything under way for it.
    mutating func forget(_ id: MessageID) {
        guard let entry = self.entries.removeValue(forKey: id) else { return }
        if entry.isQueued { self.ready.removeAll { $0 == id } }
        for (transactionID, transaction) in self.transactions where transaction.id == id {
            self.removeTransaction(transactionID)
        }
    }

    @discardableResult
    mutating func removeTransaction(_ id: TransactionID) -> Transaction? {
        guard let transaction = self.transactions.removeValue(forKey: id) else { return nil }
        if transaction.wantsAnswer {
            self.unansweredBytes -= transaction.cut.piece.bytes.readableBytes
            self.unansweredChunks -= 1
        }
        return transaction
    }
}
