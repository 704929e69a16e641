import Dispatch
import GRDB
import MessagingCore
import Store
import Synchronization
import Testing

@testable import SQLiteStore

/// Jobs of one batch, which share a transaction without savepoints until one of them has to be undone.
@Suite("A batch of the SQLite store")
struct BatchTests {
    private struct Undone: Error {}

    /// What a batch came to, and how often each of its jobs ran.
    private struct Outcome {
        var runs: [Int]
        var results: [Bool]
        var batches: [BatchOutcome]
        var settings: [[UInt8]?]
    }

    /// Runs three jobs as one batch; the one in the middle does what it is given.
    private func run(
        on store: SQLiteStore,
        _ middle: @escaping @Sendable (any WriteTransaction) throws -> Void
    ) async throws -> Outcome {
        let runs = Mutex([0, 0, 0])
        let results = Mutex<[Bool]>([])
        let batches = Mutex<[BatchOutcome]>([])
        let isOpen = DispatchSemaphore(value: 0)
        // What is queued while the first one waits makes one batch.
        await withCheckedContinuation { continuation in
            store.write({ _ in
                continuation.resume()
                isOpen.wait()
            }) { _ in }
        }
        store.observeBatches { outcome in batches.withLock { $0.append(outcome) } }
        let last = await withCheckedContinuation { continuation in
            for number in 0..<3 {
                store.write({ transaction in
                    runs.withLock { $0[number] += 1 }
                    if number == 1 { return try middle(transaction) }
                    try transaction.apply(.setting("job \(number)", [UInt8(number)]))
                }) { result in
                    let isDone = (try? result.get()) != nil
                    results.withLock { $0.append(isDone) }
                    if number == 2 { continuation.resume(returning: isDone) }
                }
            }
            isOpen.signal()
        }
        #expect(last)
        // The writer's queue is serial: the observer has been told of all batches when this gets its turn.
        try await store.pool.writeWithoutTransaction { _ in }
        return Outcome(
            runs: runs.withLock { $0 },
            results: results.withLock { $0 },
            batches: Array(batches.withLock { $0 }.dropFirst()),
            settings: try await store.read { view in try (0..<3).map { try view.setting("job \($0)") } }
        )
    }

    @Test("runs once when a job is refused before it wrote anything")
    func refused() async throws {
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        let store = try SQLiteStore(path: folder.path("a.sqlite"))
        defer { try? store.close() }
        let outcome = try await run(on: store) { transaction in
            _ = try transaction.setting("anything")
            _ = try transaction.nextContentID()
            throw Undone()
        }
        #expect(outcome.runs == [1, 1, 1])
        #expect(outcome.results == [true, false, true])
        #expect(outcome.batches == [.committed])
        #expect(outcome.settings == [[0], nil, [2]])
    }

    @Test("is undone and runs again, job by job, when one failed after it wrote; that one alone leaves nothing")
    func undone() async throws {
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        let store = try SQLiteStore(path: folder.path("a.sqlite"))
        defer { try? store.close() }
        let middle: @Sendable (any WriteTransaction) throws -> Void = { transaction in
            try transaction.apply(.setting("job 1", [1]))
            throw Undone()
        }
        let outcome = try await run(on: store, middle)
        #expect(outcome.runs == [2, 2, 1], "the last one had not begun when all was undone")
        #expect(outcome.results == [true, false, true])
        #expect(outcome.batches == [.undone, .committed])
        #expect(outcome.settings == [[0], nil, [2]])
        // The next batches have savepoints: nobody can make every batch run twice.
        let next = try await run(on: store, middle)
        #expect(next.runs == [1, 1, 1])
        #expect(next.batches == [.committed])
        #expect(next.settings == [[0], nil, [2]])
    }

    @Test("writes an account's numbers once, and whoever reads them in it sees them")
    func numbers() async throws {
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        let path = folder.path("a.sqlite")
        let store = try SQLiteStore(path: path)
        var account = Account(
            id: AccountID(rawValue: 1),
            name: "A",
            addresses: [try Address("sip:a@a.example")],
            epoch: Epoch("e"),
            balance: 5
        )
        let id = account.id
        try await store.write { [account] in try $0.apply(.account(account)) }
        account.head = 7
        account.balance = 3
        let (seen, listed) = try await store.write { [account] transaction in
            try transaction.apply(.account(account))
            let seen = try transaction.user(id)?.account
            var later = account
            later.head = 8
            try transaction.apply(.account(later))
            return (seen, try transaction.accounts(after: AccountID(rawValue: 0), limit: 9).map(\.head))
        }
        #expect(seen == account)
        #expect(listed == [8])
        // A batch that fails over takes its numbers with it, also those that were not written yet.
        account.head = 9
        await #expect(throws: Undone.self) {
            try await store.write { [account] transaction in
                try transaction.apply(.account(account))
                throw Undone()
            }
        }
        try store.close()
        let again = try SQLiteStore(path: path)
        let stored = try await again.read { try $0.user(id)?.account }
        #expect(stored?.head == 8)
        #expect(stored?.balance == 3)
        try again.close()
    }

    @Test("knows the row of a session's side no longer than it is there")
    func sides() async throws {
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        let store = try SQLiteStore(path: folder.path("a.sqlite"))
        defer { try? store.close() }
        let (account, session) = (AccountID(rawValue: 1), SessionID(stored: "s"))
        let record = SessionRecord(
            account: account,
            session: session,
            role: .participant,
            state: [1],
            due: nil,
            isOver: false
        )
        @Sendable func text(_ ordinal: Ordinal) -> Change {
            .sessionText(account, session, SessionText(ordinal: ordinal, created: ordinal))
        }
        try await store.write { transaction in
            try transaction.apply(.session(record))
            try transaction.apply(text(1))
        }
        await #expect(throws: Undone.self) {
            try await store.write { transaction in
                try transaction.apply(.removeSession(account, session, .participant))
                throw Undone()
            }
        }
        try await store.write { try $0.apply(text(2)) }
        let texts = try await store.read { try $0.texts(account, session, after: 0, limit: 9).map(\.ordinal) }
        #expect(texts == [1, 2])
        try await store.write { try $0.apply(.removeSession(account, session, .participant)) }
        await #expect(throws: StoreError(.missing, "")) { try await store.write { try $0.apply(text(3)) } }
    }
}
