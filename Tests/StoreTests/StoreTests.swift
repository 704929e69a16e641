import Foundation
import MemoryStore
import MessagingCore
import SQLiteStore
import Store
import StoreConformance
import Testing

/// A folder of one test.
struct Scratch: ~Copyable {
    let path: String

    init() throws {
        path = FileManager.default.temporaryDirectory.appendingPathComponent("store-\(UUID().uuidString)").path
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }
}

@Suite("Every store keeps the protocol")
struct ConformanceTests {
    @Test("in memory", arguments: StoreConformance.checks)
    func memory(_ check: StoreConformance.Check) async throws {
        let disk = MemoryDisk()
        try await check.run(StoreConformance.Storage { MemoryStore(disk: disk) })
    }

    @Test("SQLite", arguments: StoreConformance.checks)
    func sqlite(_ check: StoreConformance.Check) async throws {
        let scratch = try Scratch()
        let path = scratch.path + "/continuo.sqlite"
        try await check.run(StoreConformance.Storage { try SQLiteStore(path: path) })
    }
}

@Suite("SQLite")
struct SQLiteTests {
    @Test("an acknowledged commit is on the disk: synchronous is FULL on the writer, whatever the library sets")
    func synchronous() throws {
        let scratch = try Scratch()
        let store = try SQLiteStore(path: scratch.path + "/s.sqlite")
        #expect(try store.synchronousSetting() == 2)
        #expect(FileManager.default.fileExists(atPath: scratch.path + "/s.sqlite-wal"))
        try store.close()
        #expect(try SQLiteStore(path: scratch.path + "/s.sqlite").synchronousSetting() == 2)
    }

    @Test("a database of a newer version is refused and left as it is")
    func newer() throws {
        let scratch = try Scratch()
        let path = scratch.path + "/s.sqlite"
        try SQLiteStore(path: path).close()
        try Self.shell("sqlite3 '\(path)' \"INSERT INTO grdb_migrations VALUES('99')\"")
        #expect(throws: StoreError(.tooNew, "")) { try SQLiteStore(path: path) }
    }

    @Test("a file that is no database is refused as corrupt")
    func notADatabase() throws {
        let scratch = try Scratch()
        let path = scratch.path + "/s.sqlite"
        try Data(repeating: 7, count: 10000).write(to: URL(fileURLWithPath: path))
        #expect(throws: StoreError(.corrupt, "")) { try SQLiteStore(path: path) }
    }

    @Test("a full disk refuses writes as full, reads go on, and writes work again when there is space")
    func full() async throws {
        let scratch = try Scratch()
        let path = scratch.path + "/small"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        guard (try? Self.shell("mount -t tmpfs -o size=3m tmpfs '\(path)' 2>/dev/null")) != nil else { return }
        defer { _ = try? Self.shell("umount '\(path)'") }
        let store = try SQLiteStore(path: path + "/s.sqlite")
        try await store.write { try $0.apply(.setting("kept", [1])) }
        let filler = path + "/filler"
        try Self.shell("dd if=/dev/zero of='\(filler)' bs=4096 count=100000 2>/dev/null || true")
        let large = [UInt8](repeating: 1, count: 200_000)
        await #expect(throws: StoreError(.full, "")) {
            for number in 0..<50 { try await store.write { try $0.apply(.setting("large \(number)", large)) } }
        }
        #expect(try await store.read { try $0.setting("kept") } == [1])
        try FileManager.default.removeItem(atPath: filler)
        try await store.write { try $0.apply(.setting("after", large)) }
        #expect(try await store.read { try $0.setting("after") } == large)
        try store.checkIntegrity()
        try store.close()
    }

    @Test("rows that were damaged are told as corrupt, and nothing traps", arguments: 0..<40)
    func damagedRows(_ seed: Int) async throws {
        let scratch = try Scratch()
        let path = scratch.path + "/s.sqlite"
        let store = try SQLiteStore(path: path)
        try await store.write { transaction in
            let account = Account(
                id: AccountID(rawValue: 1),
                name: "a",
                addresses: [try Address("a@a.example")],
                epoch: Epoch("e"),
                balance: 1
            )
            try transaction.apply(.account(account))
            let message = MessageItem(
                flags: [.received],
                content: ContentID(rawValue: 1),
                conversation: ConversationID(stored: "c"),
                decisions: PackedDecisions(revision: 0)
            )
            try transaction.apply(
                .item(
                    Item(
                        account: account.id,
                        kind: .message,
                        object: "m",
                        created: 1,
                        changed: 1,
                        body: .message(message)
                    )
                )
            )
        }
        let bytes = (0..<(seed % 20)).map { _ in String(format: "%02x", UInt8.random(in: 0...255)) }.joined()
        try store.close()
        try Self.shell(
            "sqlite3 '\(path)' \"UPDATE item SET state = x'\(bytes)'; UPDATE account SET profile = x'\(bytes)'\""
        )
        let damaged = try SQLiteStore(path: path)
        for read in [
            { _ = try $0.user(AccountID(rawValue: 1)) },
            { _ = try $0.item(AccountID(rawValue: 1), created: 1) },
            { _ = try $0.list(AccountID(rawValue: 1), Listing(limit: 9)) },
        ] as [@Sendable (any ReadView) throws -> Void] {
            do {
                try await damaged.read(read)
            } catch {
                #expect((error as? StoreError)?.code == .corrupt, "\(error)")
            }
        }
        try damaged.close()
    }

    @Test("an online backup is a whole, sound database of one moment while writes go on")
    func backup() async throws {
        let scratch = try Scratch()
        let store = try SQLiteStore(path: scratch.path + "/s.sqlite")
        try await store.write { try $0.apply(.setting("n", [0])) }
        let copy = scratch.path + "/copy.sqlite"
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                for number in 1...200 {
                    try await store.write { transaction in
                        try transaction.apply(.setting("n", [UInt8(number)]))
                        try transaction.apply(.setting("m", [UInt8(number)]))
                    }
                }
            }
            try store.backup(to: copy)
            try await group.waitForAll()
        }
        let restored = try SQLiteStore(path: copy)
        try restored.checkIntegrity()
        let (n, m) = try await restored.read { (try $0.setting("n"), try $0.setting("m")) }
        #expect(n == m || m == nil)
    }

    @Test("new epochs after a restore, for every account")
    func epochs() async throws {
        let scratch = try Scratch()
        let store = try SQLiteStore(path: scratch.path + "/s.sqlite")
        try await store.write { transaction in
            for number in 1...3 {
                let account = Account(
                    id: AccountID(rawValue: Int64(number)),
                    name: "a",
                    addresses: [try Address("a\(number)@a.example")],
                    epoch: Epoch("old"),
                    balance: 0
                )
                try transaction.apply(.account(account))
            }
        }
        try await store.renewEpochs { Epoch("new") }
        let epochs = try await store.read { try $0.accounts(after: AccountID(rawValue: 0), limit: 9).map(\.epoch) }
        #expect(epochs == [Epoch("new"), Epoch("new"), Epoch("new")])
    }

    @discardableResult
    private static func shell(_ command: String) throws -> Int32 {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/bin/sh")
        process.arguments = ["-c", command]
        try process.run()
        process.waitUntilExit()
        guard process.terminationStatus == 0 else { throw StoreError(.fileFailed, command) }
        return process.terminationStatus
    }
}
