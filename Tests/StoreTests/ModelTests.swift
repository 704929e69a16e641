import MemoryStore
import MessagingCore
import SQLiteStore
import Store
import Testing

/// Random jobs against both stores: whatever is read, inside or outside of a job, is the same.
@Suite("Both stores are one")
struct ModelTests {
    private struct Undone: Error {}

    private static let jobs = 200
    private static let lookEvery = 10

    /// The first seed makes an item at a number that another has come to by a change.
    private static let seeds = [10_031_295_322_105_756_887] + (0..<4).map { _ in UInt64.random(in: 1 ... .max) }

    @Test("under random changes", arguments: seeds)
    func model(_ seed: UInt64) async throws {
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        let sqlite = try SQLiteStore(path: folder.path("a.sqlite"))
        let memory = MemoryStore()
        for store in [sqlite, memory] as [any Store] { try await store.write(Script.index) }
        var script = Script(seed: seed)
        for number in 1...Self.jobs {
            let changes = (0...script.below(6)).map { _ in script.change() }
            let throwsAtEnd = script.below(8) == 0
            @Sendable func run(_ store: any Store) async -> String {
                do {
                    return try await store.write { transaction in
                        for change in changes { try transaction.apply(change) }
                        let seen = try Self.everything(transaction)
                        if throwsAtEnd { throw Undone() }
                        return seen
                    }
                } catch let error as StoreError {
                    return error.code.rawValue
                } catch {
                    return "\(error)"
                }
            }
            let (inSQLite, inMemory) = (await run(sqlite), await run(memory))
            try #require(inSQLite == inMemory, "seed \(seed), job \(number): \(changes)")
            if number % Self.lookEvery == 0 {
                let committed = try await sqlite.read(Self.everything)
                let expected = try await memory.read(Self.everything)
                try #require(committed == expected, "seed \(seed), after job \(number)")
            }
        }
        try sqlite.checkIntegrity()
        try sqlite.close()
        memory.close()
    }

    /// What every read says, in words.
    @Sendable private static func everything(_ view: any ReadView) throws -> String {
        var seen: [String] = []
        func note(_ value: some Any) { seen.append("\(value)") }
        let accounts = (1...Script.accounts).map { AccountID(rawValue: $0) }
        note(try view.accounts(after: accounts[0], limit: 3))
        for account in accounts {
            let user = try view.user(account)
            note(user?.account as Any)
            note(user?.devices as Any)
            note(user?.preferences.rules.revision as Any)
            note(try view.credential(account) as Any)
            for revision: Int32 in 0..<4 { note(try view.rules(account, revision: revision)?.revision as Any) }
            note(try view.ledger(account, before: 6, limit: 3))
            note(try view.changes(account, after: 2, limit: 50))
            note(try view.changes(account, after: 1, createdUpTo: 8, limit: 4))
            note(try ItemKind.allCases.map { try view.count(account, $0) })
            for listing in Self.listings { note(try view.list(account, listing)) }
            note(try view.conversations(account, before: 30, limit: 2))
            note(try view.conversations(account, before: .max, limit: 50))
            note(try view.unread(account, conversation: nil, after: 1, upTo: 12, limit: 5))
            note(try view.unread(account, conversation: Script.conversation(1), after: 0, upTo: .max, limit: 5))
            for number: Int64 in 1...Script.items {
                note(try view.item(account, created: number) as Any)
                note(try view.item(account, kind: .message, object: "message-\(number)") as Any)
                note(try view.key(account, MessageID(stored: "message-\(number)")) as Any)
            }
            for words in [["red"], ["red", "bo"], ["boat", "red"], ["x"], []] {
                note(try view.search(account, words: words, before: 11, limit: 4))
            }
        }
        for account in accounts {
            note(try view.sessions(of: account, limit: 2))
            for number in 0..<3 {
                for role in SessionRecord.Role.allCases {
                    note(try view.session(account, Script.session(number), role) as Any)
                }
                note(try view.texts(account, Script.session(number), after: 1, limit: 3))
                note(try view.lastText(account, Script.session(number)) as Any)
            }
        }
        note(try view.sessions(dueBy: Timestamp(rawValue: 20), limit: 4))
        for number in 0..<Script.names { note(try view.account(holding: Script.address(number)) as Any) }
        for number in 0..<Script.names { note(try view.identity(Script.token(number)) as Any) }
        let ids = (1...Script.items).map { ContentID(rawValue: $0) }
        for id in ids { note(try view.content(id) as Any) }
        note(try view.documents(ids).sorted { $0.key.rawValue < $1.key.rawValue })
        note(try view.contents(bearing: MessageID(stored: "message-3"), limit: 2))
        note(try view.unindexed(after: ids[2], limit: 3))
        note(try view.transient(after: (accounts[0], 4), limit: 5))
        note(try view.contents(storedBy: Timestamp(rawValue: 50), after: ids[0], limit: 4))
        note(try view.accountsWithTombstones(after: AccountID(rawValue: 0), limit: 9))
        for number in 0..<Script.names {
            note(try view.blob(Script.hash(number)) as Any)
            note(try view.upload("upload-\(number)") as Any)
            note(try view.setting("setting-\(number)") as Any)
            note(try view.entries(lane: "lane-\(number)", limit: 3))
        }
        note(try view.uploads(leaseEndedBy: Timestamp(rawValue: 20), limit: 3))
        note(try view.dyingBlobs(since: Timestamp(rawValue: 20), limit: 3))
        note(try view.blobs(after: Script.hash(0), limit: 3))
        note(try view.dueLanes(at: Timestamp(rawValue: 20), limit: 3))
        note(try view.nextDue() as Any)
        note(try view.outboxCount())
        return seen.joined(separator: "\n")
    }

    private static let listings = [
        Listing(limit: 50), Listing(kinds: [.message], box: .inbox, limit: 3), Listing(box: .sent, before: 9, limit: 5),
        Listing(kinds: [.contact], limit: 5), Listing(kinds: [.file, .contact], unreadOnly: true, limit: 5),
        Listing(conversation: Script.conversation(1), limit: 5),
        Listing(kinds: [.message], conversation: Script.conversation(2), unreadOnly: true, before: 14, limit: 2),
        Listing(kinds: [.contact], conversation: Script.conversation(0), limit: 5), Listing(kinds: [], limit: 5),
    ]
}
