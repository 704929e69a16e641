import Foundation
import GRDB
import MessagingCore
import Store
import Synchronization
import Testing

@testable import SQLiteStore

@Suite("The SQLite store's file")
struct SQLiteStoreTests {
    private static let one = AccountID(rawValue: 1)

    @Test("is written with a log and full synchronisation, on the connection that writes")
    func settings() async throws {
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        for _ in 0..<2 {
            let store = try SQLiteStore(path: folder.path("a.sqlite"))
            #expect(try store.synchronousSetting() == 2)
            let mode = try await store.pool.read { try String.fetchOne($0, sql: "PRAGMA journal_mode") }
            #expect(mode == "wal")
            try await store.write { try $0.apply(.setting("a", [1])) }
            #expect(try store.synchronousSetting() == 2, "still, after a transaction")
            try store.close()
        }
    }

    @Test("holds what was committed, without its log, once the writer has rested")
    func idleCheckpoint() async throws {
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        let store = try SQLiteStore(path: folder.path("a.sqlite"))
        defer { try? store.close() }
        for value in UInt8(1)...2 {
            try await store.write { try $0.apply(.setting("a", [value])) }
            var copied: [UInt8]?
            for attempt in 0..<200 where copied != [value] {
                try await Task.sleep(for: .milliseconds(50))
                let copy = folder.path("copy-\(value)-\(attempt).sqlite")
                try FileManager.default.copyItem(atPath: folder.path("a.sqlite"), toPath: copy)
                // A copy taken in the middle may be no database.
                guard let raw = try? DatabaseQueue(path: copy) else { continue }
                let row = try? await raw.read {
                    try Data.fetchOne($0, sql: "SELECT value FROM setting WHERE name = 'a'")
                }
                copied = row.map { Array($0) }
                try raw.close()
            }
            #expect(copied == [value])
        }
    }

    @Test("names its steps; one that a newer program has written is refused and left alone")
    func versions() async throws {
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        let path = folder.path("a.sqlite")
        let store = try SQLiteStore(path: path)
        try await store.write { try $0.apply(.setting("a", [1])) }
        try store.close()
        let raw = try DatabaseQueue(path: path)
        try await raw.write { database in
            let steps = try String.fetchAll(database, sql: "SELECT identifier FROM grdb_migrations ORDER BY rowid")
            #expect(steps == Schema.migrator.migrations)
            try database.execute(sql: "INSERT INTO grdb_migrations VALUES('99999')")
        }
        try raw.close()
        #expect(throws: StoreError(.tooNew, "")) { _ = try SQLiteStore(path: path) }
        let again = try DatabaseQueue(path: path)
        let settings = try await again.read { try Int.fetchOne($0, sql: "SELECT count(*) FROM setting") }
        #expect(settings == 1)
    }

    @Test("of an older version is told as such unread, and what it holds is found once it is opened")
    func rekeyed() async throws {
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        let path = folder.path("a.sqlite")
        let message = MessageID(stored: "01890a5d-ac96-774b-bcce-b302099a8057")
        let key = SubmissionKey(digest: [9], created: 1, time: Timestamp(rawValue: 1))
        let item = Item.file(1, 1, bytes: 3)
        let store = try SQLiteStore(path: path)
        try await store.write { transaction in
            try transaction.apply(.item(item))
            try transaction.apply(.key(Self.one, message, key))
        }
        try store.close()
        #expect(try !SQLiteStore.isOlder(path: path))
        let raw = try DatabaseQueue(path: path)
        try await raw.write { database in
            try database.execute(sql: "UPDATE item SET object_key = 7; UPDATE submission SET message_key = 7")
            try database.execute(sql: "DELETE FROM grdb_migrations WHERE identifier = '4-keys'")
        }
        try raw.close()
        #expect(try SQLiteStore.isOlder(path: path))
        let again = try SQLiteStore(path: path)
        #expect(try await again.read { try $0.item(Self.one, kind: .file, object: item.object) } == item)
        #expect(try await again.read { try $0.key(Self.one, message) } == key)
        try again.close()
    }

    @Test("has keys that grow with the time of ids, and that ids of one time do not share")
    func keys() {
        let hash = SipHash(key: Array(1...16))
        let key = { (text: String) in hash.indexKey(1, text) }
        let early = key("01890a5d-ac96-774b-bcce-b302099a8057")
        let late = key("01890a5d-ac97-7000-8000-000000000000")
        #expect(early >> 16 == 0x0189_0a5d_ac96)
        #expect(early < late)
        // All of their first 64 bits are alike, which whoever makes them chooses.
        let chosen = (0..<1000).map { key(String(format: "01890a5d-ac96-774b-bcce-%012x", $0)) }
        #expect(Set(chosen).count > 950)
        #expect(hash.indexKey(1, "laptop") != hash.indexKey(2, "laptop"))
    }

    @Test("is refused as corrupt when it is no database at all")
    func garbage() throws {
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        let path = folder.path("a.sqlite")
        let bytes = Data(repeating: 0x5a, count: 20000)
        try bytes.write(to: URL(fileURLWithPath: path))
        #expect(throws: StoreError(.corrupt, "")) { try SQLiteStore(path: path) }
        #expect(try Data(contentsOf: URL(fileURLWithPath: path)) == bytes)
    }

    @Test("is copied while it is written to; the copy is whole and of one moment")
    func backup() async throws {
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        let store = try SQLiteStore(path: folder.path("a.sqlite"))
        @Sendable func job(_ number: Int) -> @Sendable (any WriteTransaction) throws -> Void {
            { transaction in
                try transaction.apply(.setting("first", [UInt8]("\(number)".utf8)))
                try transaction.apply(.item(.file(1, Int64(number), bytes: 2000)))
                try transaction.apply(.setting("second", [UInt8]("\(number)".utf8)))
            }
        }
        for number in 1...200 { try await store.write(job(number)) }
        let (written, committed) = AsyncStream.makeStream(of: Int.self, bufferingPolicy: .bufferingNewest(1))
        let writer = Task {
            defer { committed.finish() }
            var number = 200
            while !Task.isCancelled {
                number += 1
                try await store.write(job(number))
                committed.yield(number)
            }
        }
        var writes = written.makeAsyncIterator()
        for round in 1...3 {
            // Not before the writer is at it: on a busy machine its task may begin after the last copy.
            try #require(await writes.next() != nil)
            let path = folder.path("copy-\(round).sqlite")
            try store.backup(to: path)
            let copy = try SQLiteStore(path: path)
            try copy.checkIntegrity()
            try await copy.read { view in
                let first = try #require(try view.setting("first"))
                let second = try view.setting("second")
                #expect(second == first)
                let number = try #require(Int64(String(decoding: first, as: UTF8.self)))
                #expect(number >= 200)
                let stored = try view.changes(Self.one, after: 0, limit: .max).map(\.changed)
                #expect(stored == Array(1...number))
            }
            try copy.close()
        }
        writer.cancel()
        try await writer.value
        try store.close()
    }

    @Test("that is damaged fails its check")
    func integrity() async throws {
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        let path = folder.path("a.sqlite")
        let store = try SQLiteStore(path: path)
        try await store.write { transaction in
            for number: Int64 in 1...500 { try transaction.apply(.item(.file(1, number, bytes: 1000))) }
        }
        try store.checkIntegrity()
        try store.close()
        let file = try FileHandle(forUpdating: URL(fileURLWithPath: path))
        let end = try file.seekToEnd()
        for page in stride(from: end / 2, to: end / 2 + 40960, by: 4096) {
            try file.seek(toOffset: page / 4096 * 4096)
            try file.write(contentsOf: Data(repeating: 0xa5, count: 200))
        }
        try file.close()
        let damaged = try SQLiteStore(path: path)
        #expect(throws: StoreError(.corrupt, "")) { try damaged.checkIntegrity() }
        await #expect(throws: StoreError(.corrupt, "")) {
            try await damaged.read { _ = try $0.changes(Self.one, after: 0, limit: .max) }
        }
        try? damaged.close()
    }

    @Test("gives every mailbox another epoch after a restore, and changes nothing else")
    func epochs() async throws {
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        let store = try SQLiteStore(path: folder.path("a.sqlite"))
        let accounts = (1...1234).map { number in
            Account(
                id: AccountID(rawValue: number),
                name: "\(number)",
                addresses: [Address(stored: "sip:user-\(number)@example.org")],
                epoch: Epoch("old"),
                balance: number
            )
        }
        try await store.write { transaction in
            for account in accounts { try transaction.apply(.account(account)) }
        }
        try await store.renewEpochs { Epoch("new") }
        let renewed = try await store.read { try $0.accounts(after: AccountID(rawValue: 0), limit: .max) }
        #expect(
            renewed
                == accounts.map { account in
                    var account = account
                    account.epoch = Epoch("new")
                    return account
                }
        )
        try store.close()
    }

    @Test("takes no more jobs than its queue holds: further ones are refused as busy, at once")
    func busy() async throws {
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        let store = try SQLiteStore(path: folder.path("a.sqlite"))
        let gate = DispatchSemaphore(value: 0)
        let entered = DispatchSemaphore(value: 0)
        let done = Atomic(0)
        store.write(
            { _ in
                entered.signal()
                gate.wait()
            },
            completion: { _ in }
        )
        await withCheckedContinuation { continuation in
            DispatchQueue.global().async {
                entered.wait()
                continuation.resume()
            }
        }
        for _ in 0..<SQLiteStore.queuedJobs {
            store.write({ _ in }, completion: { if case .success = $0 { done.add(1, ordering: .relaxed) } })
        }
        let refused = Mutex<StoreError?>(nil)
        store.write(
            { _ in },
            completion: { result in
                if case .failure(let error) = result { refused.withLock { $0 = error as? StoreError } }
            }
        )
        #expect(refused.withLock { $0 } == StoreError(.busy, ""))
        gate.signal()
        try store.close()
        #expect(done.load(ordering: .relaxed) == SQLiteStore.queuedJobs)
    }

    @Test("a row that cannot be understood fails whoever needs it, and no neighbour")
    func corruptRow() async throws {
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        let store = try SQLiteStore(path: folder.path("a.sqlite"))
        try await store.write { transaction in
            for account: Int64 in 1...2 {
                try transaction.apply(.item(.file(account, 1, bytes: 3)))
                let name = Address(stored: "sip:\(account)@example.org")
                try transaction.apply(
                    .account(
                        Account(
                            id: AccountID(rawValue: account),
                            name: "",
                            addresses: [name],
                            epoch: Epoch("e"),
                            balance: 0
                        )
                    )
                )
            }
        }
        try await store.pool.write { database in
            try database.execute(sql: "UPDATE item SET state = x'' WHERE account = 1")
            try database.execute(sql: "UPDATE account SET profile = x'7b' WHERE id = 1")
        }
        let corrupt = StoreError(.corrupt, "")
        await #expect(throws: corrupt) { try await store.read { _ = try $0.item(Self.one, created: 1) } }
        await #expect(throws: corrupt) { try await store.read { _ = try $0.user(Self.one) } }
        // Jobs of one batch: the gate keeps the writer until all three wait.
        let gate = DispatchSemaphore(value: 0)
        store.write({ _ in gate.wait() }, completion: { _ in })
        async let before: Void = store.write { try $0.apply(.setting("before", [])) }
        async let reader: Void = store.write { transaction in
            try transaction.apply(.setting("reader", []))
            _ = try transaction.item(Self.one, created: 1)
        }
        async let after: Void = store.write { try $0.apply(.setting("after", [])) }
        try await Task.sleep(for: .milliseconds(100))
        gate.signal()
        try await before
        try await after
        do {
            try await reader
            Issue.record("the job that needs the row succeeded")
        } catch {
            #expect(error as? StoreError == corrupt)
        }
        try await store.read { view in
            let names = ["before", "after", "reader"]
            let stored = try names.filter { try view.setting($0) != nil }
            #expect(stored == ["before", "after"])
            let other = try view.item(AccountID(rawValue: 2), created: 1)
            #expect(other == .file(2, 1, bytes: 3))
        }
        try store.close()
    }
}

extension Item {
    /// A file's item with a document of so many bytes.
    static func file(_ account: Int64, _ number: ChangeNumber, bytes: Int) -> Item {
        Item(
            account: AccountID(rawValue: account),
            kind: .file,
            object: "file-\(number)",
            created: number,
            changed: number,
            body: .document([UInt8](repeating: UInt8(truncatingIfNeeded: number), count: bytes))
        )
    }
}
