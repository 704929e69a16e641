import MessagingCore
import Store

/// The writer's view: reads see what the transaction has written so far.
final class SQLiteTransaction: SQLiteView, WriteTransaction {
    private let state: WriterState
    /// Whether each job has a savepoint: then its rows have to be in the database before the next one begins.
    private let isCareful: Bool
    /// The first change of the job that failed: nothing more is written after it, and the job fails with it.
    private(set) var failure: (any Error)?
    /// Whether the job that runs has written anything.
    private(set) var hasWritten = false

    init(
        connection: Connection,
        state: WriterState,
        isCareful: Bool,
        keyed: SipHash,
        caches: DocumentCaches
    ) {
        self.state = state
        self.isCareful = isCareful
        super.init(connection: connection, keyed: keyed, caches: caches)
    }

    /// The next job begins.
    func begin() {
        failure = nil
        hasWritten = false
    }

    private func writing<T>(isRow: Bool = true, _ body: () throws -> T) throws -> T {
        if let failure { throw failure }
        if isRow { hasWritten = true }
        do {
            return try body()
        } catch {
            failure = error
            throw error
        }
    }

    func nextAccountID() throws -> AccountID { AccountID(rawValue: try number("account")) }

    func nextContentID() throws -> ContentID { ContentID(rawValue: try number("content")) }

    func isWritten(_ profile: AccountProfile, of account: AccountID) -> Bool { state.profiles[account] == profile }

    func noteWritten(_ profile: AccountProfile, of account: AccountID) {
        if state.profiles.count > WriterState.capacity { state.profiles.removeAll() }
        state.profiles[account] = profile
        state.numbers[account] = nil
    }

    /// Notes the numbers of an account, which change with every message: they are written once for all jobs of the batch.
    func writeNumbers(_ account: Account) throws {
        if isCareful { return try update(account) }
        state.numbers[account.id] = account
    }

    override func user(_ id: AccountID) throws -> UserState? {
        if let account = state.numbers[id] {
            // What fails here is not the job's own: the batch may not go on without it.
            try writing { try update(account) }
            state.numbers[id] = nil
        }
        return try super.user(id)
    }

    override func accounts(after: AccountID, limit: Int) throws -> [Account] {
        try writing { try flushNumbers() }
        return try super.accounts(after: after, limit: limit)
    }

    private func flushNumbers() throws {
        for account in state.numbers.values { try update(account) }
        state.numbers.removeAll(keepingCapacity: true)
    }

    func knownHighest(of account: AccountID) -> ChangeNumber? { state.highest[account] }

    /// What a job that fails has noted is higher than what is there, which does no harm.
    func noteHighest(_ number: ChangeNumber, of account: AccountID) {
        if state.highest.count > WriterState.capacity { state.highest.removeAll() }
        state.highest[account] = max(number, state.highest[account] ?? 0)
    }

    func knownNumber(_ side: WriterState.Side) -> Int64? { state.sides[side] }

    func noteNumber(_ number: Int64, _ side: WriterState.Side) {
        if state.sides.count > WriterState.capacity { state.sides.removeAll() }
        state.sides[side] = number
    }

    func forgetNumber(_ side: WriterState.Side) { state.sides[side] = nil }

    /// A number that a failed job took stays unused: there is nothing to undo.
    private func number(_ counter: String) throws -> Int64 { try writing(isRow: false) { try next(counter) } }

    private func next(_ name: String) throws -> Int64 {
        guard
            let last = try state.counters[name]?.last
                ?? connection.first("SELECT value FROM counter WHERE name = ?", .text(name), map: { $0.integer(0) })
        else { throw StoreError(.corrupt, "a counter is missing") }
        state.counters[name] = WriterState.Counter(last: last + 1, isWritten: false)
        return last + 1
    }

    /// Writes what is written once for all jobs of the batch: the numbers of accounts, and how far numbers were given
    /// away; what a failed job took of these stays unused.
    func finish() throws {
        try flushNumbers()
        for (name, counter) in state.counters where !counter.isWritten {
            try connection.run("UPDATE counter SET value = ? WHERE name = ?", .integer(counter.last), .text(name))
            state.counters[name]?.isWritten = true
        }
    }

    func claim(lane: String, node: String, now: Timestamp, leaseMilliseconds: Int64) throws -> Claim? {
        try writing { try take(lane, node, now, leaseMilliseconds) }
    }

    private func take(_ lane: String, _ node: String, _ now: Timestamp, _ leaseMilliseconds: Int64) throws -> Claim? {
        let until = now.advanced(by: leaseMilliseconds)
        let current = try connection.first(
            "SELECT node, fence, until FROM claim WHERE lane = ?",
            .text(lane)
        ) { (node: $0.text(0), fence: $0.integer(1), until: Timestamp(rawValue: $0.integer(2))) }
        if let current, current.node != node, current.until > now { return nil }
        let fence = (current?.fence ?? 0) + (current?.node == node ? 0 : 1)
        try connection.run(
            "INSERT OR REPLACE INTO claim VALUES(?, ?, ?, ?)",
            .text(lane),
            .text(node),
            .integer(fence),
            .integer(until.rawValue)
        )
        return Claim(lane: lane, fence: fence, until: until)
    }

    func holds(_ claim: Claim) throws -> Bool {
        try connection.first("SELECT fence FROM claim WHERE lane = ?", .text(claim.lane)) { $0.integer(0) }
            == claim.fence
    }

    func apply(_ change: Change) throws { try writing { try write(change) } }

    private func write(_ change: Change) throws {
        switch change {
        case .account(let account): try write(account)
        case .preferences(let account, let preferences): try write(preferences, of: account)
        case .credential(let account, let credential):
            try connection.run(
                "UPDATE account SET credential = ? WHERE id = ?",
                .text(credential.encoded),
                .integer(account.rawValue)
            )
        case .device(let account, let device): try write(device, of: account)
        case .deviceProgress(let account, let device): try writeProgress(device, of: account)
        case .removeDevice(let account, let device):
            try connection.run(
                "DELETE FROM device WHERE account = ? AND id = ?",
                .integer(account.rawValue),
                .integer(Int64(device.rawValue))
            )
            try connection.run(
                "DELETE FROM token WHERE account = ? AND device = ?",
                .integer(account.rawValue),
                .integer(Int64(device.rawValue))
            )
            try connection.run(
                "DELETE FROM sip_credential WHERE account = ? AND device = ?",
                .integer(account.rawValue),
                .integer(Int64(device.rawValue))
            )
        case .sipCredential(let credential):
            try connection.run(
                "INSERT OR REPLACE INTO sip_credential VALUES(?, ?, ?, ?)",
                .text(credential.user),
                .integer(credential.account.rawValue),
                .integer(Int64(credential.device.rawValue)),
                .blob(try RowDocument.encode(credential))
            )
        case .token(let hash, let identity):
            try connection.run(
                "INSERT OR REPLACE INTO token VALUES(?, ?, ?)",
                .blob(hash.bytes),
                .integer(identity.account.rawValue),
                .integer(Int64(identity.device.rawValue))
            )
        case .item(let item): try write(item)
        case .content(let content): try write(content)
        case .removeContent(let id):
            try connection.run("DELETE FROM content WHERE id = ?", .integer(id.rawValue))
        case .key(let account, let message, let key):
            try connection.run(
                "INSERT OR REPLACE INTO submission VALUES(?, ?, ?, ?, ?, ?)",
                .integer(keyed.indexKey(ItemKind.message.rawValue, message.description)),
                .integer(account.rawValue),
                .text(message.description),
                .blob(key.digest),
                .integer(key.created),
                .integer(key.time.rawValue)
            )
        case .removeKeys(let time):
            try connection.run("DELETE FROM submission WHERE time < ?", .integer(time.rawValue))
        case .removeClaims(let time):
            try connection.run(
                "DELETE FROM claim WHERE until < ? AND lane NOT IN (SELECT lane FROM outbox)",
                .integer(time.rawValue)
            )
        case .ledger(let line): try write(line)
        case .setting(let name, let value):
            try connection.run("INSERT OR REPLACE INTO setting VALUES(?, ?)", .text(name), .blob(value))
        case .trim(let account, let number):
            try connection.run(
                "DELETE FROM item INDEXED BY item_tombstone WHERE account = ? AND tombstone = 1 AND changed <= ?",
                .integer(account.rawValue),
                .integer(number)
            )
        case .index(let id, let accounts, let text):
            try connection.run(
                "INSERT INTO search(rowid, words) VALUES(?, ?)",
                .integer(id.rawValue),
                .text(Self.indexed(accounts, text))
            )
        case .unindex(let id, let accounts, let text):
            try connection.run(
                "INSERT INTO search(search, rowid, words) VALUES('delete', ?, ?)",
                .integer(id.rawValue),
                .text(Self.indexed(accounts, text))
            )
        case .enqueue, .postpone, .dequeue: try applyToOutbox(change)
        case .upload, .removeUpload, .blob, .refer, .removeBlob: try applyToBlobs(change)
        case .session, .removeSession, .sessionText: try applyToSessions(change)
        }
    }

    private static func indexed(_ accounts: [AccountID], _ text: String) -> String {
        accounts.map(owner).joined(separator: " ") + " " + SearchWords.line(of: text)
    }

    private func applyToOutbox(_ change: Change) throws {
        switch change {
        case .enqueue(let entry, let due):
            try connection.run(
                "INSERT INTO outbox(lane, due, attempts, record) VALUES(?, ?, 0, ?)",
                .text(entry.lane),
                .integer(due.rawValue),
                .blob(entry.record)
            )
        case .postpone(let id, let attempts, let due):
            try connection.run(
                "UPDATE outbox SET attempts = ?, due = ? WHERE id = ?",
                .integer(Int64(attempts)),
                .integer(due.rawValue),
                .integer(id)
            )
        case .dequeue(let id): try connection.run("DELETE FROM outbox WHERE id = ?", .integer(id))
        default: break
        }
    }

    private func applyToBlobs(_ change: Change) throws {
        switch change {
        case .upload(let upload):
            try connection.run(
                "INSERT OR REPLACE INTO upload VALUES(?, ?, ?, ?, ?, ?, ?)",
                .text(upload.id),
                .integer(upload.account.rawValue),
                .text(upload.type),
                .optional(upload.name),
                .integer(upload.bytes),
                .optional(upload.hash?.description),
                .integer(upload.leaseEnds.rawValue)
            )
        case .removeUpload(let id): try connection.run("DELETE FROM upload WHERE id = ?", .text(id))
        case .blob(let hash, let bytes):
            try connection.run(
                """
                INSERT INTO blob VALUES(?, ?, 0, NULL) ON CONFLICT(hash) DO UPDATE SET dying = NULL
                """,
                .text(hash.description),
                .integer(bytes)
            )
        case .refer(let hash, let count, let time):
            try connection.run(
                "UPDATE blob SET refs = refs + ?1, dying = CASE WHEN refs + ?1 > 0 THEN NULL ELSE ?2 END WHERE hash = ?3",
                .integer(Int64(count)),
                .integer(time.rawValue),
                .text(hash.description)
            )
        case .removeBlob(let hash): try connection.run("DELETE FROM blob WHERE hash = ?", .text(hash.description))
        default: break
        }
    }
}
