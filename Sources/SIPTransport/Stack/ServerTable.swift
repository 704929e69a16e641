import SIP

/// The server transactions of a stack.
///
/// They are found by what a request shares with its retransmissions, its ACK and CANCEL and with copies of it that came
/// another way; which of these it is, the keys of the few transactions found there tell. So one table serves both the
/// matching of requests (RFC 3261 section 17.2.3) and the finding of merged ones (section 8.2.2.2).
struct ServerTable {
    /// How many transactions one identity may have, so that none is far to find.
    static let maximumCopies = 16

    private var first: [RequestIdentity: ServerRecord] = [:]
    private(set) var count = 0

    /// The transaction of a key.
    func find(_ identity: RequestIdentity, _ key: ServerTransactionKey) -> ServerRecord? {
        var record = self.first[identity]
        while let current = record, current.key != key { record = current.next }
        return record
    }

    /// How many transactions an identity has, and how many of them are of the same method.
    func copies(_ identity: RequestIdentity, of method: SIPMethod) -> (all: Int, sameMethod: Int) {
        var copies = (all: 0, sameMethod: 0)
        var record = self.first[identity]
        while let current = record {
            copies.all += 1
            if current.key.method == method { copies.sameMethod += 1 }
            record = current.next
        }
        return copies
    }

    /// Adds a transaction that is not there.
    mutating func insert(_ record: ServerRecord) {
        record.next = self.first.updateValue(record, forKey: record.identity)
        self.count += 1
    }

    /// Removes a transaction; one that is not there stays so.
    mutating func remove(_ record: ServerRecord) {
        guard let index = self.first.index(forKey: record.identity) else { return }
        var current = self.first.values[index]
        if current === record {
            if let next = record.next { self.first.values[index] = next } else { self.first.remove(at: index) }
        } else {
            while let next = current.next, next !== record { current = next }
            guard current.next != nil else { return }
            current.next = record.next
        }
        record.next = nil
        self.count -= 1
    }

    /// Forgets all of them; record and transaction hold each other.
    mutating func removeAll() {
        for head in self.first.values {
            var record: ServerRecord? = head
            while let current = record {
                current.transaction = nil
                record = current.next
                current.next = nil
            }
        }
        self.first = [:]
        self.count = 0
    }
}
