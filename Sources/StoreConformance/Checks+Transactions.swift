import MessagingCore
import Store
import Synchronization

/// Collects what happened, in order.
private final class Record: Sendable {
    private let stored = Mutex<[String]>([])

    func add(_ text: String) { stored.withLock { $0.append(text) } }

    var all: [String] { stored.withLock { $0 } }
}

private struct Wanted: Error {}

extension StoreConformance {
    static var transactions: [Check] {
        [
            Check("a job that throws is undone alone; its neighbours of the same batch are committed") { storage in
                let store = try storage.open()
                // While this job runs the others queue up behind it, and become one batch.
                let gate = Record()
                store.write({ _ in while gate.all.isEmpty {} }, completion: { _ in })
                let outcomes = Record()
                for number in 1...5 {
                    store.write({ transaction in
                        try transaction.apply(.setting("s\(number)", [UInt8(number)]))
                        if number == 3 { throw Wanted() }
                    }) { result in
                        if case .success = result {
                            outcomes.add("\(number)")
                        } else {
                            outcomes.add("\(number) failed")
                        }
                    }
                }
                gate.add("open")
                try await store.put(.setting("last", [1]))
                try expect(outcomes.all, is: ["1", "2", "3 failed", "4", "5"])
                let found = try await store.read { view in try (1...5).map { try view.setting("s\($0)") != nil } }
                try expect(found, is: [true, true, false, true, true])
            },
            Check("completions come after the commit, in order; then the observer is told") { storage in
                let store = try storage.open()
                let record = Record()
                store.observeBatches { outcome in record.add("batch \(outcome)") }
                store.write({ _ in record.add("job") }) { _ in record.add("done") }
                try await store.put(.setting("x", [1]))
                let all = record.all
                try expect(
                    all.prefix(3) == ["job", "done", "batch committed"] || all.contains("batch committed"),
                    "\(all)"
                )
                try expect(
                    (all.firstIndex(of: "done") ?? .max) < (all.firstIndex(of: "batch committed") ?? -1),
                    "the observer came first: \(all)"
                )
            },
            Check("a job sees its own changes and those of jobs before it; readers see committed state alone") {
                storage in
                let store = try storage.open()
                try await store.put(.setting("x", [1]))
                let seen = try await store.write { transaction in
                    try transaction.apply(.setting("x", [2]))
                    return try transaction.setting("x")
                }
                try expect(seen, is: [2])
                let inside = Record()
                let outside = Record()
                store.write({ transaction in
                    try transaction.apply(.setting("x", [3]))
                    inside.add("written")
                    while outside.all.isEmpty {}
                }) { _ in inside.add("committed") }
                while inside.all.isEmpty { await Task.yield() }
                // The writer is in the middle of its job: the reader neither waits nor sees it.
                let before = try await store.read { try $0.setting("x") }
                outside.add("read")
                try expect(before, is: [2])
                try await store.put(.setting("y", [1]))
                try expect(try await store.read { try $0.setting("x") }, is: [3])
            },
            Check("what was acknowledged is there after a crash; what a crash cut off is not there in part") {
                storage in
                let store = try storage.open()
                try await store.write { transaction in
                    try transaction.apply(.account(try Sample.account(1)))
                    for number in 1...50 { try transaction.apply(.item(Sample.message(1, ChangeNumber(number)))) }
                    try transaction.apply(.content(Sample.content(1)))
                }
                // Never closed: as after a kill.
                let again = try storage.open()
                let found = try await again.read { view in
                    (
                        try view.changes(first, after: 0, limit: 100).count, try view.user(first)?.account,
                        try view.content(ContentID(rawValue: 1))
                    )
                }
                try expect(found.0, is: 50)
                try expect(found.1, is: try Sample.account(1))
                try expect(found.2, is: Sample.content(1))
                try await again.put(.setting("x", [1]))
                try expect(try await again.read { try $0.setting("x") }, is: [1])
            },
            Check("a closed store finishes what is queued and refuses what comes later") { storage in
                let store = try storage.open()
                let outcomes = Record()
                for number in 1...20 {
                    store.write({ try $0.apply(.setting("s\(number)", [1])) }) { result in
                        if case .success = result { outcomes.add("done") }
                    }
                }
                try store.close()
                try expect(outcomes.all.count, is: 20)
                do {
                    try await store.put(.setting("late", [1]))
                    throw ConformanceFailure(description: "a closed store took a job")
                } catch let error as StoreError {
                    try expect(error.code, is: .closed)
                }
                let again = try storage.open()
                try expect(try await again.read { try $0.setting("s20") }, is: [1])
                try expect(try await again.read { try $0.setting("late") }, is: nil)
            },
        ]
    }
}
