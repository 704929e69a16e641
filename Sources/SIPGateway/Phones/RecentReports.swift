import MessagingCore

/// Reports that were handed out lately: of each receiver the highest, so that none is told twice.
struct RecentReports: Sendable {
    private struct Key: Hashable {
        var id: MessageID
        var receiver: Address
    }

    private var known: [Key: Disposition] = [:]
    private var order: [Key] = []
    private let capacity: Int

    init(capacity: Int = 1) { self.capacity = max(1, capacity) }

    /// - Returns: whether it is news.
    mutating func insert(_ report: PhoneReport) -> Bool {
        let key = Key(id: report.id, receiver: report.receiver)
        if let known = known[key], known >= report.state { return false }
        if known.updateValue(report.state, forKey: key) == nil { order.append(key) }
        if order.count > capacity { known[order.removeFirst()] = nil }
        return true
    }
}

/// The last messages that a phone took, by their place in the mailbox.
struct RecentMessages: Sendable {
    private var known: Set<ChangeNumber> = []
    private var order: [ChangeNumber] = []
    private let capacity: Int

    init(capacity: Int = 1) { self.capacity = max(1, capacity) }

    func contains(_ message: PhoneMessage) -> Bool { known.contains(message.created) }

    mutating func insert(_ message: PhoneMessage) {
        guard known.insert(message.created).inserted else { return }
        order.append(message.created)
        if order.count > capacity { known.remove(order.removeFirst()) }
    }
}
