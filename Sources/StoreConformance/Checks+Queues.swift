import MessagingCore
import Store

extension StoreConformance {
    static let outboxChecks = [
        Check("a lane's entries come in the order they were entered, as they were entered") { harness in
            let store = try await harness.open()
            try await store.write { transaction in
                for number in 1...6 {
                    let lane = number % 3 == 0 ? "b.example" : "a.example"
                    try transaction.apply(.enqueue(.sample(lane, number), due: Timestamp(rawValue: Int64(number))))
                }
            }
            try await store.read { view in
                let entries = try view.entries(lane: "a.example", limit: 9)
                try requireEqual(entries.map(\.entry), [1, 2, 4, 5].map { .sample("a.example", $0) }, "the entries")
                try requireEqual(entries.map(\.due.rawValue), [1, 2, 4, 5], "their times")
                try requireEqual(entries.map(\.attempts), [0, 0, 0, 0], "their attempts")
                try requireEqual(Set(entries.map(\.id)).count, 4, "distinct numbers")
                try requireEqual(try view.entries(lane: "a.example", limit: 2), Array(entries[..<2]), "a page")
                try requireEqual(try view.entries(lane: "c.example", limit: 2), [], "a lane that is not there")
                try requireEqual(try view.outboxCount(), 6, "the count")
            }
            try store.close()
        },
        Check("a lane is due with its oldest entry: what comes after it never overtakes") { harness in
            let store = try await harness.open()
            try requireEqual(try await store.read { try $0.nextDue() }, nil, "when nothing waits")
            try await store.write { transaction in
                for (lane, due) in [("c", 5), ("a", 10), ("b", 20), ("a", 1), ("b", 2)] {
                    try transaction.apply(.enqueue(.sample(lane, Int(due)), due: Timestamp(rawValue: Int64(due))))
                }
            }
            try await store.read { view in
                func lanes(_ now: Int64, _ limit: Int = 9) throws -> [String] {
                    try view.dueLanes(at: Timestamp(rawValue: now), limit: limit)
                }
                try requireEqual(try lanes(4), [], "before any")
                try requireEqual(try lanes(5), ["c"], "at the time itself")
                try requireEqual(try lanes(15), ["c", "a"], "the oldest entry first")
                try requireEqual(try lanes(99), ["c", "a", "b"], "all")
                try requireEqual(try lanes(99, 2), ["c", "a"], "some")
                try requireEqual(try view.nextDue()?.rawValue, 5, "when the first lane falls due")
            }
            try store.close()
        },
        Check("lanes are in groups, and those of one group are asked for alone") { harness in
            let store = try await harness.open()
            try requireEqual(try await store.read { try $0.laneGroups() }, [], "when nothing waits")
            let lanes = ["b.example|2", "a", "b.example|1", "b", "b.example.net|1", "b|x|y", "c|\u{10FFFE}", "b-|1"]
            try await store.write { transaction in
                for (number, lane) in (lanes + lanes).enumerated() {
                    let due = Timestamp(rawValue: Int64(number))
                    try transaction.apply(.enqueue(.sample(lane, number), due: due))
                }
            }
            try await store.read { view in
                try requireEqual(
                    try view.laneGroups(),
                    ["a", "b", "b-", "b.example", "b.example.net", "c"],
                    "every group once"
                )
                func due(_ group: String, _ now: Int64 = 99, _ limit: Int = 9) throws -> [String] {
                    try view.dueLanes(in: group, at: Timestamp(rawValue: now), limit: limit)
                }
                try requireEqual(try due("b.example"), ["b.example|2", "b.example|1"], "the oldest entry first")
                try requireEqual(try due("b.example", 99, 1), ["b.example|2"], "some")
                try requireEqual(try due("b.example", 1), ["b.example|2"], "those that are due")
                try requireEqual(try due("b"), ["b", "b|x|y"], "the lane that is called as the group, too")
                try requireEqual(try due("c"), ["c|\u{10FFFE}"], "the last names")
                try requireEqual(try due("b.exam"), [], "no part of a name")
            }
            try store.close()
        },
        Check("entries are postponed and taken out by number") { harness in
            let store = try await harness.open()
            try await store.write { transaction in
                for number in 1...3 {
                    try transaction.apply(.enqueue(.sample("a", number), due: Timestamp(rawValue: 1)))
                }
            }
            let ids = try await store.read { try $0.entries(lane: "a", limit: 9).map(\.id) }
            try await store.write { transaction in
                try transaction.apply(.postpone(entry: ids[0], attempts: 4, due: Timestamp(rawValue: 50)))
                try transaction.apply(.dequeue(entry: ids[1]))
                try transaction.apply(.dequeue(entry: ids[1]))
            }
            try await store.read { view in
                let left = try view.entries(lane: "a", limit: 9)
                try requireEqual(left.map(\.id), [ids[0], ids[2]], "what is left")
                try requireEqual(left.map(\.attempts), [4, 0], "attempts")
                try requireEqual(left.map(\.due.rawValue), [50, 1], "times")
                try requireEqual(try view.dueLanes(at: Timestamp(rawValue: 49), limit: 9), [], "the lane waits")
                try requireEqual(try view.nextDue()?.rawValue, 50, "until its oldest entry is due")
                try requireEqual(try view.outboxCount(), 2, "the count")
            }
            try store.close()
        },
        Check("numbers of outbox entries are never given twice") { harness in
            let store = try await harness.open()
            var seen: Set<Int64> = []
            for number in 1...3 {
                try await store.write { try $0.apply(.enqueue(.sample("a", number), due: Timestamp(rawValue: 1))) }
                let ids = try await store.read { try $0.entries(lane: "a", limit: 9).map(\.id) }
                try requireEqual(ids.count, 1, "entries")
                for id in ids {
                    try require(seen.insert(id).inserted, "number \(id) was given to two entries")
                    try await store.write { try $0.apply(.dequeue(entry: id)) }
                }
            }
            try store.close()
        },
        Check("a lane has one holder at a time, with a lease and a fence") { harness in
            let store = try await harness.open()
            func claim(_ lane: String, _ node: String, _ now: Int64, _ lease: Int64 = 100) async throws -> Claim? {
                try await store.write {
                    try $0.claim(
                        lane: lane,
                        node: node,
                        now: Timestamp(rawValue: now),
                        leaseMilliseconds: lease
                    )
                }
            }
            func holds(_ claim: Claim) async throws -> Bool { try await store.write { try $0.holds(claim) } }
            let first = try requireValue(try await claim("a", "one", 0), "a free lane")
            try requireEqual(first.until.rawValue, 100, "the lease")
            try requireEqual(try await claim("a", "two", 99), nil, "a lane that another holds")
            let elsewhere = try requireValue(try await claim("b", "two", 99), "another lane")
            let renewed = try requireValue(try await claim("a", "one", 99), "renewing")
            try requireEqual(renewed.fence, first.fence, "the fence of one holder stays")
            try requireEqual(renewed.until.rawValue, 199, "the renewed lease")
            try requireEqual(try await claim("a", "two", 198), nil, "before the renewed lease ends")
            try require(try await holds(first), "the claim before renewal is the same holder's")
            let taken = try requireValue(try await claim("a", "two", 199), "when the lease has ended")
            try require(taken.fence > renewed.fence, "the fence did not rise with the new holder")
            try require(try await !holds(renewed), "the old claim still holds")
            try require(try await holds(taken), "the new claim does not hold")
            try requireEqual(try await claim("a", "one", 200), nil, "the old holder, while the new one's lease runs")
            let back = try requireValue(try await claim("a", "one", 299), "the old holder, afterwards")
            try require(back.fence > taken.fence, "the fence did not rise with the old holder's return")
            try require(try await holds(elsewhere), "another lane's claim was touched")
            let entry = OutboxEntry(
                account: AccountID(rawValue: 1),
                message: MessageID(stored: "m"),
                content: .none,
                lane: "a",
                task: .message(receiver: Address(stored: "sip:x@y.example")),
                expires: Timestamp(rawValue: 9),
                reports: []
            )
            try await store.write { transaction in
                try transaction.apply(.enqueue(entry, due: Timestamp(rawValue: 0)))
                try transaction.apply(.removeClaims(before: Timestamp(rawValue: 1000)))
            }
            try require(try await holds(back), "the claim of a lane that holds something was forgotten")
            try require(try await !holds(elsewhere), "the claim of an empty lane stays for ever")
            let anew = try requireValue(try await claim("b", "two", 2000), "a lane that was forgotten")
            try await store.write { try $0.apply(.removeClaims(before: anew.until)) }
            try require(try await holds(anew), "a claim was forgotten before its lease ended")
            let unknown = Claim(lane: "never", fence: 0, until: Timestamp(rawValue: 9))
            try require(try await !holds(unknown), "a claim on a lane that nobody ever claimed holds")
            try store.close()
        },
    ]

    static let blobChecks = [
        Check("uploads are read as written, replaced, removed, and found when their lease has ended") { harness in
            let store = try await harness.open()
            let done = Upload.sample("b", leaseEnds: 30, hash: .sample(7), name: "boat.png")
            try await store.write { transaction in
                for (id, end) in [("d", 40), ("a", 10), ("b", 20), ("c", 15)] {
                    try transaction.apply(.upload(.sample(id, leaseEnds: Int64(end))))
                }
                try transaction.apply(.upload(done))
                try transaction.apply(.removeUpload("c"))
                try transaction.apply(.removeUpload("missing"))
            }
            try await store.read { view in
                try requireEqual(try view.upload("a"), .sample("a", leaseEnds: 10), "as announced")
                try requireEqual(try view.upload("b"), done, "replaced")
                try requireEqual(try view.upload("c"), nil, "removed")
                func ended(_ time: Int64, _ limit: Int) throws -> [String] {
                    try view.uploads(leaseEndedBy: Timestamp(rawValue: time), limit: limit).map(\.id)
                }
                try requireEqual(try ended(30, 9), ["a", "b"], "ended, the time included, the longest ago first")
                try requireEqual(try ended(99, 1), ["a"], "one")
                try requireEqual(try ended(9, 9), [], "none")
                let account = done.account
                try requireEqual(try view.uploads(of: account, limit: 9).map(\.id), ["a", "b", "d"], "the account's")
                try requireEqual(try view.uploads(of: account, limit: 1).map(\.id), ["a"], "one of them")
                let nobody = AccountID(rawValue: account.rawValue + 1)
                try requireEqual(try view.uploads(of: nobody, limit: 9), [], "nobody's")
            }
            try store.close()
        },
        Check("a blob dies when its last reference goes, and lives again when one comes") { harness in
            let store = try await harness.open()
            let hash = BlobHash.sample(1)
            func blob(_ changes: Change...) async throws -> BlobRecord? {
                try await store.write { transaction in
                    for change in changes { try transaction.apply(change) }
                }
                return try await store.read { try $0.blob(hash) }
            }
            func record(_ references: Int, dying: Int64? = nil) -> BlobRecord {
                BlobRecord(
                    hash: hash,
                    bytes: 5,
                    references: references,
                    dyingSince: dying.map(Timestamp.init(rawValue:))
                )
            }
            func at(_ time: Int64) -> Timestamp { Timestamp(rawValue: time) }
            try requireEqual(try await blob(.refer(hash, by: 1, at: at(1))), nil, "a reference makes no row")
            try requireEqual(try await blob(.blob(hash, bytes: 5)), record(0), "a new row")
            try requireEqual(try await blob(.refer(hash, by: 2, at: at(10))), record(2), "two references")
            try requireEqual(try await blob(.refer(hash, by: -1, at: at(20))), record(1), "one reference")
            try requireEqual(try await blob(.refer(hash, by: -1, at: at(30))), record(0, dying: 30), "none")
            try requireEqual(try await blob(.refer(hash, by: 1, at: at(40))), record(1), "revived by a reference")
            try requireEqual(try await blob(.refer(hash, by: -1, at: at(50))), record(0, dying: 50), "dying again")
            try requireEqual(try await blob(.blob(hash, bytes: 5)), record(0), "revived by its row")
            let moved = try await blob(
                .refer(hash, by: 1, at: at(60)),
                .refer(hash, by: -1, at: at(60)),
                .refer(hash, by: 1, at: at(60))
            )
            try requireEqual(moved, record(1), "down and up in one commit")
            try requireEqual(try await blob(.removeBlob(hash)), nil, "removed")
            try store.close()
        },
        Check("dying blobs are listed by how long they have been, and all of them by hash") { harness in
            let store = try await harness.open()
            try await store.write { transaction in
                for number in 1...5 {
                    try transaction.apply(.blob(.sample(number), bytes: Int64(number)))
                    try transaction.apply(.refer(.sample(number), by: 1, at: Timestamp(rawValue: 1)))
                }
                for (number, time) in [(4, 10), (2, 20), (5, 30)] {
                    try transaction.apply(.refer(.sample(number), by: -1, at: Timestamp(rawValue: Int64(time))))
                }
            }
            try await store.read { view in
                func dying(_ time: Int64, _ limit: Int) throws -> [BlobHash] {
                    try view.dyingBlobs(since: Timestamp(rawValue: time), limit: limit).map(\.hash)
                }
                try requireEqual(try dying(9, 9), [], "before any")
                try requireEqual(try dying(20, 9), [.sample(4), .sample(2)], "by a time, the time included")
                try requireEqual(try dying(99, 1), [.sample(4)], "the one that is dying longest")
                let all = try view.blobs(after: BlobHash(stored: ""), limit: 9)
                try requireEqual(all.map(\.hash), (1...5).map { .sample($0) }, "all, by hash")
                let page = try view.blobs(after: .sample(2), limit: 2)
                try requireEqual(page.map(\.hash), [.sample(3), .sample(4)], "a page")
                try requireEqual(page.map(\.dyingSince?.rawValue), [nil, 10], "whether they are dying")
            }
            try store.close()
        },
    ]
}
