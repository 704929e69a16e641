import DequeModule

/// What the receivers of messages have reported (RFC 4975 section 7.1.2).
///
/// Some report the whole message once, some each chunk, some the octets so far: what counts is which octets the
/// reports have named, not how many reports there were.
struct ReportLedgers: Sendable {
    enum OnReport: Equatable {
        case delivered
        case failed(MSRPStatus)
        case progress
        case ignore
    }

    private struct Ledger {
        var wantsSuccess: Bool
        var size: UInt64?
        var reported = OffsetSet()
        var maxRanges: Int

        var isDelivered: Bool {
            guard self.wantsSuccess, let size = self.size else { return false }
            return self.reported.covers(upTo: size)
        }
    }

    private var ledgers: [MessageID: Ledger] = [:]
    private var order: Deque<MessageID> = []

    var count: Int { self.ledgers.count }

    func isOpen(_ id: MessageID) -> Bool { self.ledgers[id] != nil }

    mutating func open(_ id: MessageID, wantsSuccess: Bool, limits: MSRPLimits) {
        // The oldest is given up for the newest: a peer that never reports must not cost memory for ever.
        while self.ledgers.count >= limits.maxAwaitedReports, let oldest = self.order.popFirst() {
            self.ledgers[oldest] = nil
        }
        // Ids that are over leave the queue with those before them, or here when there are many.
        if self.order.count > 2 * limits.maxAwaitedReports { self.order.removeAll { self.ledgers[$0] == nil } }
        self.ledgers[id] = Ledger(wantsSuccess: wantsSuccess, maxRanges: limits.maxGaps)
        self.order.append(id)
    }

    mutating func close(_ id: MessageID) { self.ledgers[id] = nil }

    /// Hears how large a message is, now that its last chunk is on its way.
    mutating func setSize(_ size: UInt64, of id: MessageID) { self.ledgers[id]?.size = size }

    /// Hears that all of a message was answered.
    ///
    /// The reports on its octets may have come before.
    mutating func settle(_ id: MessageID) -> OnReport {
        guard let ledger = self.ledgers[id] else { return .ignore }
        // An empty message is not delivered before a report says so, and that one settles it by itself.
        guard ledger.size != 0, ledger.isDelivered else { return .progress }
        self.close(id)
        return .delivered
    }

    mutating func received(_ status: ReportStatus, range: ByteRange, of id: MessageID) -> OnReport {
        // A namespace that is not ours says nothing to us.
        guard status.namespace == 0, var ledger = self.ledgers[id] else { return .ignore }
        guard status.status.isSuccess else {
            self.close(id)
            return .failed(status.status)
        }
        guard ledger.wantsSuccess else { return .ignore }
        let end = range.end ?? range.total ?? ledger.size
        guard let end else {
            // `1-*/*` of a message that is still being sent cannot speak of octets that were not sent.
            return .progress
        }
        if end >= range.start, !ledger.reported.insert(range.start - 1..<end, maxRanges: ledger.maxRanges) {
            return .ignore
        }
        guard ledger.isDelivered else {
            self.ledgers[id] = ledger
            return .progress
        }
        self.close(id)
        return .delivered
    }
}
