import DequeModule
public import NIOCore

extension MessageSender {
    /// What an answer or a report means for a message.
    public enum OnAnswer: Sendable, Hashable {
        /// The message goes on.
        case progress(MessageID)
        /// Something has become of the message.
        case result(Result)
        /// The answer belongs to nothing that we know: it came too late, or twice, or was never asked for.
        case ignore
    }

    /// Takes a response.
    public mutating func received(_ status: MSRPStatus, to id: TransactionID) -> OnAnswer {
        guard let transaction = self.removeTransaction(id) else { return .ignore }
        self.trimDeadlines()
        guard status.isSuccess else { return self.refused(transaction.id, status) }
        guard transaction.wantsAnswer, let index = self.entries.index(forKey: transaction.id) else { return .ignore }
        switch self.entries.values[index].message.answered() {
        case .progress: return .progress(transaction.id)
        case .allAnswered: return .result(self.complete(transaction.id))
        case .ignore: return .ignore
        }
    }

    private mutating func refused(_ id: MessageID, _ status: MSRPStatus) -> OnAnswer {
        let isKnown = self.entries[id] != nil || self.ledgers.isOpen(id)
        self.ledgers.close(id)
        if let index = self.entries.index(forKey: id) {
            // The peer has let go of the message; it needs no `#`.
            _ = self.entries.values[index].message.abort(tellsPeer: false)
            self.forget(id)
        }
        return isKnown ? .result(Result(id: id, outcome: .failed(status))) : .ignore
    }

    /// Takes the Status of a REPORT on a message.
    public mutating func received(report status: ReportStatus, range: ByteRange, of id: MessageID) -> OnAnswer {
        switch self.ledgers.received(status, range: range, of: id) {
        case .delivered:
            // The report on the last octet may overtake the answer to the chunk that held it.
            self.forget(id)
            return .result(Result(id: id, outcome: .delivered))
        case .failed(let status):
            self.forget(id)
            return .result(Result(id: id, outcome: .failed(status)))
        case .progress: return .progress(id)
        case .ignore: return .ignore
        }
    }

    /// When ``expire(now:)`` has something to do; none when nothing is awaited.
    public var nextDeadline: NIODeadline? { self.deadlines.first?.0 }

    /// Fails the messages whose answers did not come in time (408).
    public mutating func expire(now: NIODeadline) -> [Result] {
        var results: [Result] = []
        while let (deadline, id) = self.deadlines.first, deadline <= now {
            self.deadlines.removeFirst()
            guard let transaction = self.removeTransaction(id), transaction.wantsAnswer else { continue }
            if case .result(let result) = self.refused(transaction.id, .timeout) { results.append(result) }
        }
        return results
    }

    /// Forgets deadlines of requests that were answered: those at the front, and all once they are the larger part,
    /// as they become behind a request that is not answered.
    mutating func trimDeadlines() {
        while let (_, id) = self.deadlines.first, self.transactions[id] == nil { self.deadlines.removeFirst() }
        guard self.deadlines.count > 2 * self.transactions.count + Self.spareDeadlines else { return }
        self.deadlines.removeAll { self.transactions[$0.1] == nil }
    }

    /// Deadlines of answered requests that are not worth looking for.
    static var spareDeadlines: Int { 64 }

    /// Makes everything unanswered wait to be sent again, under the same message ids, once there is a new connection
    /// (RFC 4975 section 5.4).
    ///
    /// Sending is paused until then.
    ///
    /// - Returns: the messages that cannot be sent again, because without answers nobody knows what has arrived.
    public mutating func connectionLost() -> [Result] {
        self.setPaused(true)
        let lost = self.transactions.values.sorted { $0.cut.piece.offset > $1.cut.piece.offset }
        self.transactions.removeAll()
        self.deadlines.removeAll()
        self.errorOnly.removeAll()
        self.unansweredBytes = 0
        self.unansweredChunks = 0
        for transaction in lost where transaction.wantsAnswer {
            guard let index = self.entries.index(forKey: transaction.id) else { continue }
            self.entries.values[index].message.rewind(transaction.cut)
            self.enqueue(transaction.id)
        }
        var results: [Result] = []
        for (id, entry) in self.entries where entry.message.header.failureReport != .yes {
            guard entry.message.hasSentAny else { continue }
            self.ledgers.close(id)
            self.forget(id)
            results.append(Result(id: id, outcome: .failed(.timeout)))
        }
        return results.sorted { $0.id.text < $1.id.text }
    }

    /// Gives everything up, because the session is over.
    ///
    /// - Returns: a result for each message that was not over.
    public mutating func close() -> [Result] {
        let ids = self.entries.keys.sorted { $0.text < $1.text }
        for id in ids {
            self.ledgers.close(id)
            self.forget(id)
        }
        return ids.map { Result(id: $0, outcome: .failed(.noSuchSession)) }
    }
}
