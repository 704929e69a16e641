import MessagingCore
import Store
import Synchronization

extension StoreConformance {
    private struct Undone: Error {}

    static let transactionChecks = [
        Check("a job that throws is undone alone: its neighbours in the same batch commit") { harness in
            let store = try await harness.open()
            let gate = Gate()
            let results = Journal<String>()
            store.submit({ _ in try gate.pass() })
            await gate.reached()
            for number in 1...30 {
                store.submit { transaction in
                    try transaction.apply(.setting("number-\(number)", [UInt8(number)]))
                    try transaction.apply(.account(.sample(Int64(number), "user-\(number)")))
                    try transaction.apply(.item(.message(1, Int64(number))))
                    if number % 3 == 0 { throw Undone() }
                } done: { result in
                    switch result {
                    case .success: results.note("done")
                    case .failure(let error): results.note(error is Undone ? "undone" : "\(error)")
                    }
                }
            }
            gate.open()
            try await store.drain()
            try requireEqual(results.all, (1...30).map { $0 % 3 == 0 ? "undone" : "done" }, "the results")
            try await store.read { view in
                for number in 1...30 {
                    let kept = number % 3 != 0
                    try requireEqual(try view.setting("number-\(number)") != nil, kept, "the setting of job \(number)")
                    try requireEqual(
                        try view.account(holding: .sample("user-\(number)")) != nil,
                        kept,
                        "the address of job \(number)"
                    )
                    try requireEqual(
                        try view.item(.one, created: Int64(number)) != nil,
                        kept,
                        "the item of job \(number)"
                    )
                }
            }
            try store.close()
        },
        Check("an account as a job that was undone had written it is not taken for written") { harness in
            let store = try await harness.open()
            try await store.write { try $0.apply(.account(.sample(1, "alice"))) }
            var renamed = Account.sample(1, "alice", "alice.work")
            renamed.name = "Renamed"
            let changed = renamed
            _ = try? await store.write { transaction in
                try transaction.apply(.account(changed))
                throw Undone()
            }
            try await store.write { try $0.apply(.account(changed)) }
            let found = try await store.read { try $0.user(.one)?.account }
            try requireEqual(found, changed, "the account")
            try store.close()
        },
        Check("the error of a job comes back as it was thrown, even one that a failing store uses") { harness in
            let store = try await harness.open()
            let gate = Gate()
            let results = Journal<StoreError?>()
            store.submit({ _ in try gate.pass() })
            await gate.reached()
            for code in [StoreError.Code.full, .corrupt, .busy, .commitFailed] {
                store.submit({ _ in throw StoreError(code, "said by the job") }) { result in
                    guard case .failure(let error) = result else { return results.note(nil) }
                    results.note(error as? StoreError)
                }
                store.submit { try $0.apply(.setting(code.rawValue, [])) }
            }
            gate.open()
            try await store.drain()
            try requireEqual(
                results.all.map { $0?.code },
                [.full, .corrupt, .busy, .commitFailed],
                "the errors"
            )
            try await store.read { view in
                for name in ["full", "corrupt", "busy", "commit-failed"] {
                    try require(try view.setting(name) != nil, "the neighbour of a job that threw \(name) was undone")
                }
            }
            try store.close()
        },
        Check("a job whose change failed is undone, even if it caught the error") { harness in
            let store = try await harness.open()
            try await store.write { try $0.apply(.account(.sample(1, "alice"))) }
            let error = try await failure("a job that caught the conflict") {
                try await store.write { transaction in
                    try transaction.apply(.setting("before", []))
                    try? transaction.apply(.account(.sample(2, "bob", "alice")))
                    try? transaction.apply(.setting("after", []))
                }
            }
            try requireEqual((error as? StoreError)?.code, .conflict, "the error \(error)")
            try await store.read { view in
                try requireEqual(try view.setting("before"), nil, "what it changed before")
                try requireEqual(try view.setting("after"), nil, "what it changed after")
                try require(try view.user(.two) == nil, "half of the change that failed was kept")
            }
            try store.close()
        },
        Check("reads in a transaction see its own changes and those of the jobs before it") { harness in
            let store = try await harness.open()
            let gate = Gate()
            let journal = Journal<String>()
            store.submit({ _ in try gate.pass() })
            await gate.reached()
            store.submit { try $0.apply(.item(.message(1, 1))) }
            store.submit { transaction in
                try transaction.apply(.item(.message(1, 2)))
                throw Undone()
            }
            store.submit { transaction in
                try transaction.apply(.item(.message(1, 3)))
                try transaction.apply(.item(Item.message(1, 1).deleted(changed: 4)))
                try requireEqual(try transaction.changes(.one, after: 0, limit: 9).map(\.changed), [3, 4], "changes")
                try requireEqual(try transaction.list(.one, Listing(limit: 9)).map(\.created), [3], "the listing")
            } done: { result in
                if case .failure(let error) = result { journal.note("\(error)") } else { journal.note("seen") }
            }
            gate.open()
            try await store.drain()
            try requireEqual(journal.all, ["seen"], "the job that looked")
            try store.close()
        },
        Check("completions come in the order of submission, and the batch's observer after them") { harness in
            let store = try await harness.open()
            let journal = Journal<Int>()
            let batch = -1
            store.observeBatches { outcome in
                switch outcome {
                case .committed: journal.note(batch)
                case .failed: journal.note(-2)
                case .undone: break
                }
            }
            let count = 500
            for number in 0..<count {
                store.submit { transaction in
                    try transaction.apply(.setting("last", [UInt8(truncatingIfNeeded: number)]))
                    if number % 7 == 0 { throw Undone() }
                } done: { _ in
                    journal.note(number)
                }
            }
            try await store.drain()
            try store.close()
            let events = journal.all
            try requireEqual(events.filter { $0 >= 0 }, Array(0..<count), "the completions")
            try requireEqual(events.last, batch, "what came last")
            try requireEqual(events.first, 0, "what came first: a batch ended before its completions")
            try require(!events.contains(-2), "a batch failed")
        },
        Check("what is acknowledged is there for whoever reads after the acknowledgement") { harness in
            let store = try await harness.open()
            for number in 1...50 {
                let seen: Result<[UInt8]?, any Error> = await withCheckedContinuation { continuation in
                    store.submit({ try $0.apply(.setting("n", [UInt8(number)])) }) { _ in
                        store.read { view in
                            continuation.resume(returning: Result { try view.setting("n") })
                        } failed: { error in
                            continuation.resume(returning: .failure(error))
                        }
                    }
                }
                try requireEqual(try seen.get(), [UInt8(number)], "right after acknowledgement \(number)")
            }
            try store.close()
        },
        Check("closing finishes what was queued; afterwards everything is refused as closed") { harness in
            let store = try await harness.open()
            let journal = Journal<Int>()
            for number in 0..<300 {
                store.submit({ try $0.apply(.setting("\(number)", [])) }) { result in
                    if case .success = result { journal.note(number) }
                }
            }
            try store.close()
            try requireEqual(journal.all, Array(0..<300), "the completions when closing returns")
            let written = try await failure("a write after closing") { try await store.write { _ in } }
            try requireEqual((written as? StoreError)?.code, .closed, "the write's error \(written)")
            let read = try await failure("a read after closing") { _ = try await store.read { try $0.outboxCount() } }
            try requireEqual((read as? StoreError)?.code, .closed, "the read's error \(read)")
            try store.close()
        },
    ]

    static let isolationChecks = [
        Check("readers see only what is committed, and do not wait for a transaction that is open") { harness in
            let store = try await harness.open()
            try await store.write { try $0.apply(.setting("value", [1])) }
            let gate = Gate()
            store.submit { transaction in
                try transaction.apply(.setting("value", [2]))
                try transaction.apply(.item(.message(1, 1)))
                try gate.pass()
            }
            await gate.reached()
            for _ in 1...20 {
                try await store.read { view in
                    try requireEqual(try view.setting("value"), [1], "while the change is not committed")
                    try requireEqual(try view.item(.one, created: 1), nil, "an item that is not committed")
                }
            }
            gate.open()
            try await store.drain()
            try requireEqual(try await store.read { try $0.setting("value") }, [2], "when it is")
            try store.close()
        },
        Check("a reader's view stays as it was at the first look, while the writer goes on") { harness in
            let store = try await harness.open()
            try await store.write { transaction in
                try transaction.apply(.setting("a", [1]))
                try transaction.apply(.item(.message(1, 1)))
            }
            let gate = Gate()
            async let views = store.read { view in
                let before = (try view.setting("a"), try view.changes(.one, after: 0, limit: 9))
                try gate.pass()
                return (before, (try view.setting("a"), try view.changes(.one, after: 0, limit: 9)))
            }
            await gate.reached()
            for number: Int64 in 2...20 {
                try await store.write { transaction in
                    try transaction.apply(.setting("a", [UInt8(number)]))
                    try transaction.apply(.item(.message(1, number)))
                }
            }
            gate.open()
            let (before, after) = try await views
            try requireEqual(before.0, [1], "before the writes")
            try requireEqual(after.0, before.0, "the setting in the same view")
            try requireEqual(after.1, before.1, "the items in the same view")
            try requireEqual(try await store.read { try $0.setting("a") }, [20], "a new view")
            try store.close()
        },
        Check("what one job writes is never seen in parts") { harness in
            let store = try await harness.open()
            try await store.write { try Self.writePair(0, $0) }
            let rounds = 200
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask {
                    for round in 1...rounds { try await store.write { try Self.writePair(round, $0) } }
                }
                for _ in 1...3 {
                    group.addTask {
                        var last = 0
                        while last < rounds {
                            let floor = last
                            last = try await store.read { view in
                                let first = try Self.number(view.setting("first"))
                                let second = try Self.number(view.setting("second"))
                                try requireEqual(second, first, "two settings that are written together")
                                try require(first >= floor, "a later view shows an earlier state")
                                return first
                            }
                        }
                    }
                }
                try await group.waitForAll()
            }
            try store.close()
        },
    ]

    private static func writePair(_ number: Int, _ transaction: any WriteTransaction) throws {
        let bytes = [UInt8](String(number).utf8)
        try transaction.apply(.setting("first", bytes))
        try transaction.apply(.setting("second", bytes))
    }

    private static func number(_ bytes: [UInt8]?) throws -> Int {
        try requireValue(bytes.flatMap { Int(String(decoding: $0, as: UTF8.self)) }, "a number")
    }
}
