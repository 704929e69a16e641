import Foundation
import GRDB
import MessagingCore
import Store
import Synchronization
import Testing

@testable import SQLiteStore

@Suite("A store without room")
struct FullDiskTests {
    private static let one = AccountID(rawValue: 1)

    /// Writes items until one is refused; returns how many were acknowledged and the error.
    private func fill(_ store: SQLiteStore, from first: Int64) async throws -> (last: Int64, error: any Error) {
        var number = first
        while number < first + 100_000 {
            do {
                let item = Item.file(1, number, bytes: 50_000)
                try await store.write { try $0.apply(.item(item)) }
            } catch {
                return (number - 1, error)
            }
            number += 1
        }
        throw StoreError(.internalInconsistency, "the disk never filled")
    }

    private func expectStored(_ store: SQLiteStore, upTo last: Int64) async throws {
        let stored = try await store.read { try $0.changes(Self.one, after: 0, limit: .max) }
        #expect(stored == (1...last).map { .file(1, $0, bytes: 50_000) })
    }

    @Test("refuses writes as full, goes on reading, and writes again when there is room: the database's own bound")
    func pages() async throws {
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        let store = try SQLiteStore(path: folder.path("a.sqlite"))
        let failures = Atomic(0)
        store.observeBatches { outcome in
            if case .failed = outcome { failures.add(1, ordering: .relaxed) }
        }
        try await store.pool.writeWithoutTransaction { try $0.execute(sql: "PRAGMA max_page_count = 1000") }
        let (last, error) = try await fill(store, from: 1)
        #expect((error as? StoreError)?.code == .full)
        #expect(last > 10)
        try await expectStored(store, upTo: last)
        // An account that a batch failed over is not taken for written afterwards.
        let account = Account(id: Self.one, name: "A", addresses: [], epoch: Epoch("e"), balance: 5)
        await #expect(throws: StoreError(.full, "")) {
            try await store.write { transaction in
                try transaction.apply(.account(account))
                try transaction.apply(.setting("large", [UInt8](repeating: 1, count: 5_000_000)))
            }
        }
        #expect(failures.load(ordering: .relaxed) == 2, "the observer is told of batches that failed")
        try await store.pool.writeWithoutTransaction { try $0.execute(sql: "PRAGMA max_page_count = 2000") }
        let (later, _) = try await fill(store, from: last + 1)
        #expect(later > last + 10)
        try await expectStored(store, upTo: later)
        try await store.pool.writeWithoutTransaction { try $0.execute(sql: "PRAGMA max_page_count = 3000") }
        try await store.write { try $0.apply(.account(account)) }
        let found = try await store.read { try $0.user(Self.one)?.account }
        #expect(found == account)
        try store.checkIntegrity()
        try store.close()
    }

    @Test("on a full disk a whole batch is refused, and nothing of it is there", .enabled(if: SmallDisk.canMount))
    func disk() async throws {
        let disk = try SmallDisk(megabytes: 12)
        defer { disk.unmount() }
        let store = try SQLiteStore(path: disk.path("a.sqlite"))
        let ballast = disk.path("ballast")
        try Data(count: 6 << 20).write(to: URL(fileURLWithPath: ballast))
        let (last, error) = try await fill(store, from: 1)
        #expect((error as? StoreError)?.code == .full, "\(error)")
        #expect(last > 5)
        try await expectStored(store, upTo: last)

        // A small job beside a large one that does not fit: whatever is acknowledged is there, and nothing else.
        let gate = DispatchSemaphore(value: 0)
        store.write({ _ in gate.wait() }, completion: { _ in })
        let small = Task { try await store.write { try $0.apply(.setting("small", [1])) } }
        let large = Task {
            try await store.write { transaction in
                try transaction.apply(.setting("large", [1]))
                for number in 1...100 {
                    try transaction.apply(.setting("large-\(number)", [UInt8](repeating: 1, count: 100_000)))
                }
            }
        }
        try await Task.sleep(for: .milliseconds(100))
        gate.signal()
        let isSmallDone = (try? await small.value) != nil
        await #expect(throws: StoreError(.full, "")) { try await large.value }
        try await store.read { view in
            let isSmallStored = try view.setting("small") != nil
            #expect(isSmallStored == isSmallDone)
            let parts = try ["large", "large-1", "large-100"].filter { try view.setting($0) != nil }
            #expect(parts == [])
        }

        try FileManager.default.removeItem(atPath: ballast)
        let (later, _) = try await fill(store, from: last + 1)
        #expect(later > last + 5, "nothing was written after room was made")
        try await expectStored(store, upTo: later)
        try store.checkIntegrity()

        // What was acknowledged is there for the next process too, even while the disk is full.
        let again = try SQLiteStore(path: disk.path("a.sqlite"))
        try await expectStored(again, upTo: later)
        try? again.close()
        try? store.close()
    }
}

/// A file system of a few megabytes in memory; only an administrator can have one.
struct SmallDisk {
    private let folder: TemporaryFolder

    /// Whether one can be mounted here.
    static let canMount: Bool = {
        guard let disk = try? SmallDisk(megabytes: 1) else { return false }
        disk.unmount()
        return true
    }()

    init(megabytes: Int) throws {
        folder = try TemporaryFolder()
        guard mount("tmpfs", folder.url.path, "tmpfs", 0, "size=\(megabytes)m") == 0 else {
            folder.remove()
            throw StoreError(.fileFailed, "no file system can be mounted here")
        }
    }

    func path(_ name: String) -> String { folder.path(name) }

    func unmount() {
        // Connections that are still being closed keep the old tree alive; the mount point is free at once.
        umount2(folder.url.path, Int32(MNT_DETACH))
        folder.remove()
    }
}
