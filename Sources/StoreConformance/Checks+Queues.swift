import MessagingCore
import Store

extension StoreConformance {
    static var blobs: [Check] {
        [
            Check("a blob dies when its last reference goes and revives with a new one") { storage in
                let store = try storage.open()
                let hash = Sample.hash("a")
                let later = Sample.now.advanced(by: 100)
                try await store.put(
                    .blob(hash, bytes: 10),
                    .refer(hash, by: 2, at: Sample.now),
                    .refer(hash, by: -1, at: Sample.now)
                )
                try expect(
                    try await store.read { try $0.blob(hash) },
                    is: BlobRecord(hash: hash, bytes: 10, references: 1, dyingSince: nil)
                )
                try await store.put(.refer(hash, by: -1, at: later))
                try expect(
                    try await store.read { try $0.blob(hash) },
                    is: BlobRecord(hash: hash, bytes: 10, references: 0, dyingSince: later)
                )
                try expect(try await store.read { try $0.dyingBlobs(since: Sample.now, limit: 9) }, is: [])
                try expect(try await store.read { try $0.dyingBlobs(since: later, limit: 9).map(\.hash) }, is: [hash])
                try await store.put(.blob(hash, bytes: 10), .refer(hash, by: 1, at: later))
                try expect(try await store.read { try $0.dyingBlobs(since: later, limit: 9) }, is: [])
                try await store.put(.removeBlob(hash))
                try expect(try await store.read { try $0.blob(hash) }, is: nil)
            },
            Check("blobs are listed by hash, page by page") { storage in
                let store = try storage.open()
                try await store.put(
                    .blob(Sample.hash("c"), bytes: 3),
                    .blob(Sample.hash("a"), bytes: 1),
                    .blob(Sample.hash("b"), bytes: 2)
                )
                let pages = try await store.read { view in
                    (
                        try view.blobs(after: BlobHash(stored: ""), limit: 2).map(\.bytes),
                        try view.blobs(after: Sample.hash("b"), limit: 2).map(\.bytes)
                    )
                }
                try expect(pages.0, is: [1, 2])
                try expect(pages.1, is: [3])
            },
            Check("uploads come back, are replaced, found by the end of their lease, and removed") { storage in
                let store = try storage.open()
                var upload = Upload(
                    id: "u-1",
                    account: first,
                    type: "image/png",
                    name: "harbour.png",
                    bytes: 9,
                    leaseEnds: Sample.now
                )
                try await store.put(.upload(upload))
                try expect(try await store.read { try $0.upload("u-1") }, is: upload)
                try expect(
                    try await store.read { try $0.uploads(leaseEndedBy: Sample.now, limit: 9).map(\.id) },
                    is: ["u-1"]
                )
                try expect(
                    try await store.read { try $0.uploads(of: first, limit: 9) },
                    is: [upload]
                )
                let nobody = AccountID(rawValue: upload.account.rawValue + 1)
                try expect(try await store.read { try $0.uploads(of: nobody, limit: 9) }, is: [])
                try expect(try await store.read { try $0.uploads(of: first, limit: 0) }, is: [])
                upload.hash = Sample.hash("a")
                upload.leaseEnds = Sample.now.advanced(by: 10)
                try await store.put(.upload(upload))
                try expect(try await store.read { try $0.upload("u-1") }, is: upload)
                try expect(try await store.read { try $0.uploads(leaseEndedBy: Sample.now, limit: 9) }, is: [])
                try await store.put(.removeUpload("u-1"))
                try expect(try await store.read { try $0.upload("u-1") }, is: nil)
            },
        ]
    }

    static var queue: [Check] {
        [
            Check("a lane is worked in order: a later entry never overtakes one that waits") { storage in
                let store = try storage.open()
                let later = Sample.now.advanced(by: 100)
                try await store.put(
                    .enqueue(try Sample.entry("b.example", "m-1"), due: Sample.now),
                    .enqueue(try Sample.entry("b.example", "m-2"), due: Sample.now),
                    .enqueue(try Sample.entry("c.example", "m-3"), due: later)
                )
                let entries = try await store.read { try $0.entries(lane: "b.example", limit: 9) }
                try expect(
                    entries.map(\.entry),
                    is: [try Sample.entry("b.example", "m-1"), try Sample.entry("b.example", "m-2")]
                )
                try expect(entries.map(\.attempts), is: [0, 0])
                try expect(try await store.read { try $0.dueLanes(at: Sample.now, limit: 9) }, is: ["b.example"])
                try expect(try await store.read { try $0.nextDue() }, is: Sample.now)
                try expect(try await store.read { try $0.outboxCount() }, is: 3)
                try await store.put(.postpone(entry: entries[0].id, attempts: 1, due: later))
                try expect(try await store.read { try $0.dueLanes(at: Sample.now, limit: 9) }, is: [])
                try expect(
                    try await store.read { try $0.dueLanes(at: later, limit: 9) }.sorted(),
                    is: ["b.example", "c.example"]
                )
                try expect(try await store.read { try $0.entries(lane: "b.example", limit: 1).first?.attempts }, is: 1)
                try await store.put(.dequeue(entry: entries[0].id))
                try expect(
                    try await store.read {
                        try $0.entries(lane: "b.example", limit: 9).map(\.entry.message.description)
                    },
                    is: ["m-2"]
                )
            },
            Check("a lane has one holder; after its lease another takes over with a higher fence") { storage in
                let store = try storage.open()
                func claim(_ node: String, _ now: Timestamp) async throws -> Claim? {
                    try await store.write {
                        try $0.claim(lane: "l", node: node, now: now, leaseMilliseconds: 10)
                    }
                }
                let one = try await claim("one", Sample.now)
                try expect(one?.until, is: Sample.now.advanced(by: 10))
                try expect(try await claim("two", Sample.now.advanced(by: 9)), is: nil)
                let renewed = try await claim("one", Sample.now.advanced(by: 5))
                try expect(renewed?.fence, is: one?.fence)
                let two = try await claim("two", Sample.now.advanced(by: 15))
                guard let renewed, let two else { throw ConformanceFailure(description: "a lane was not given") }
                try expect(two.fence > renewed.fence, "the fence did not rise")
                try expect(try await store.write { try $0.holds(renewed) }, is: false)
                try expect(try await store.write { try $0.holds(two) }, is: true)
            },
        ]
    }
}
