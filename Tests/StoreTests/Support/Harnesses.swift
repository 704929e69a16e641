import Foundation
import MemoryStore
import SQLiteStore
import Store
import StoreConformance
import Synchronization
import Testing

/// The stores that the suite is run against.
enum Backend: String, CaseIterable, CustomTestStringConvertible {
    case memory
    case sqlite

    var testDescription: String { rawValue }

    /// Runs a check with a harness of its own, which is cleaned up afterwards.
    func run(_ check: StoreConformance.Check) async throws {
        switch self {
        case .memory: try await check.run(MemoryHarness())
        case .sqlite:
            let harness = try SQLiteHarness()
            defer { harness.cleanUp() }
            try await check.run(harness)
        }
    }
}

/// In-memory stores over one disk.
struct MemoryHarness: StoreHarness {
    private let disk = MemoryDisk()

    func open() -> any Store { MemoryStore(disk: disk) }

    func crash(_ store: any Store) { disk.unmount() }
}

/// A folder that is gone after the test.
struct TemporaryFolder: Sendable {
    let url: URL

    init() throws {
        url = FileManager.default.temporaryDirectory.appendingPathComponent("store-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
    }

    func path(_ name: String) -> String { url.appendingPathComponent(name).path }

    func remove() { try? FileManager.default.removeItem(at: url) }
}

/// SQLite databases; a crash goes on with the files as they were on disk at that moment.
final class SQLiteHarness: StoreHarness {
    private struct State {
        var crashes = 0
        var abandoned: [any Store] = []
    }

    private let folder: TemporaryFolder
    private let state = Mutex(State())

    init() throws { folder = try TemporaryFolder() }

    private func path(_ number: Int) -> String { folder.path("\(number).sqlite") }

    func open() throws -> any Store { try SQLiteStore(path: path(state.withLock { $0.crashes })) }

    func crash(_ store: any Store) async throws {
        let number = state.withLock { $0.crashes }
        let (from, to) = (path(number), path(number + 1))
        try await store.read { view in
            // While this view is looked at, the log that it reads is not begun anew: the copied log holds every page
            // that a checkpoint may be writing while the database is copied before it.
            _ = try view.outboxCount()
            for suffix in ["", "-wal"] where FileManager.default.fileExists(atPath: from + suffix) {
                try FileManager.default.copyItem(atPath: from + suffix, toPath: to + suffix)
            }
        }
        state.withLock { state in
            state.crashes += 1
            state.abandoned.append(store)
        }
    }

    func cleanUp() {
        for store in state.withLock({ $0.abandoned }) { try? store.close() }
        folder.remove()
    }
}
