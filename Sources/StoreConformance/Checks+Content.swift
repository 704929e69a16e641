import MessagingCore
import Store

extension StoreConformance {
    static let contentChecks = [
        Check("a content is read as it was written, replaced and removed") { harness in
            let store = try await harness.open()
            let content = StoredContent.sample(
                5,
                blobs: [.sample(1), .sample(2), .sample(1)],
                accounts: [3, 1, .max],
                references: 3,
                holders: 2
            )
            var released = content
            released.document = [0, 255]
            released.blobs = []
            released.accounts.append(.two)
            released.references = 1
            released.holders = 0
            let replacement = released
            try await store.write { try $0.apply(.content(content)) }
            try requireEqual(try await store.read { try $0.content(content.id) }, content, "as written")
            try await store.write { try $0.apply(.content(replacement)) }
            try requireEqual(try await store.read { try $0.content(content.id) }, replacement, "replaced")
            try await store.write { try $0.apply(.removeContent(content.id)) }
            try await store.read { view in
                try requireEqual(try view.content(content.id), nil, "removed")
                try requireEqual(try view.documents([content.id]), [:], "its document")
                try requireEqual(try view.contents(bearing: content.message, limit: 9), [], "by its message")
            }
            try store.close()
        },
        Check("documents come together; missing ones are left out") { harness in
            let store = try await harness.open()
            try await store.write { transaction in
                for id: Int64 in 1...4 { try transaction.apply(.content(.sample(id))) }
            }
            let ids = [4, 2, 77, 2].map { ContentID(rawValue: $0) }
            let found = try await store.read { try $0.documents(ids) }
            try requireEqual(
                found,
                [ids[0]: [UInt8]("document 4".utf8), ids[1]: [UInt8]("document 2".utf8)],
                "the documents"
            )
            try store.close()
        },
        Check("contents are found by the message id they bear, newest first, and nobody else's") { harness in
            let store = try await harness.open()
            try await store.write { transaction in
                for id: Int64 in 1...5 {
                    try transaction.apply(.content(.sample(id, message: id == 3 ? "another" : "same")))
                }
            }
            try await store.read { view in
                let bearing = try view.contents(bearing: MessageID(stored: "same"), limit: 3)
                try requireEqual(bearing.map(\.id.rawValue), [5, 4, 2], "the newest three")
            }
            try store.close()
        },
        Check("contents stored by a time that are still held come in order of number") { harness in
            let store = try await harness.open()
            try await store.write { transaction in
                for id: Int64 in 1...6 {
                    try transaction.apply(.content(.sample(id, holders: id == 2 ? 0 : 1)))
                }
            }
            try await store.read { view in
                func ids(_ time: Int64, _ after: Int64, _ limit: Int) throws -> [Int64] {
                    try view.contents(
                        storedBy: Timestamp(rawValue: time),
                        after: ContentID(rawValue: after),
                        limit: limit
                    ).map(\.id.rawValue)
                }
                try requireEqual(try ids(50, 0, 9), [1, 3, 4, 5], "up to the time, the time included")
                try requireEqual(try ids(50, 0, 2), [1, 3], "a page")
                try requireEqual(try ids(50, 3, 9), [4, 5], "the next")
            }
            try store.close()
        },
        Check("submission keys are kept by account and message and forgotten by age") { harness in
            let store = try await harness.open()
            func key(_ number: Int64) -> SubmissionKey {
                SubmissionKey(
                    digest: [UInt8](repeating: UInt8(number), count: 32),
                    created: number,
                    time: Timestamp(rawValue: number)
                )
            }
            let message = MessageID(stored: "m")
            let keys = (1...3).map { key($0) }
            try await store.write { transaction in
                try transaction.apply(.key(.one, message, keys[0]))
                try transaction.apply(.key(.two, message, keys[1]))
                try transaction.apply(.key(.one, MessageID(stored: "n"), keys[2]))
            }
            try await store.read { view in
                try requireEqual(try view.key(.one, message), keys[0], "one's key")
                try requireEqual(try view.key(.two, message), keys[1], "the other's key under the same id")
                try requireEqual(try view.key(.two, MessageID(stored: "n")), nil, "a key of another account")
            }
            try await store.write { try $0.apply(.removeKeys(before: Timestamp(rawValue: 2))) }
            try await store.read { view in
                try requireEqual(try view.key(.one, message), nil, "an old key")
                try requireEqual(try view.key(.two, message), keys[1], "a key as old as the bound")
                try requireEqual(try view.key(.one, MessageID(stored: "n")), keys[2], "a younger key")
            }
            try store.close()
        },
        Check("numbers of accounts and contents rise and are never given twice, whatever was removed") { harness in
            let store = try await harness.open()
            struct Undone: Error {}
            let first = try await store.write { transaction in
                (try transaction.nextAccountID(), try transaction.nextContentID(), try transaction.nextContentID())
            }
            try require(first.0.rawValue > 0 && first.1.rawValue > 0, "a number of zero was given")
            try require(first.1.rawValue < first.2.rawValue, "numbers do not rise")
            try await store.write { transaction in
                try transaction.apply(.content(.sample(first.2.rawValue)))
            }
            try await store.write { try $0.apply(.removeContent(first.2)) }
            _ = try? await store.write { transaction in
                _ = try transaction.nextContentID()
                throw Undone()
            }
            try store.close()
            let again = try await harness.open()
            let second = try await again.write { transaction in
                (try transaction.nextAccountID(), try transaction.nextContentID())
            }
            try require(second.0 > first.0, "an account's number was given twice")
            try require(second.1.rawValue > first.2.rawValue, "a content's number was given twice")
            try again.close()
        },
    ]

    static let searchChecks = [
        Check("search finds messages that hold every word, of their owner, newest first") { harness in
            let store = try await harness.open()
            try await store.write { transaction in
                try Self.store(1, "Grüße aus dem Süden, dear Alice", [1, 2], transaction)
                try Self.store(2, "Dear Bob: the RED boat sails", [1], transaction)
                try Self.store(3, "the red-boat, again; alice too", [1, 2], transaction)
                try Self.store(4, "boat of somebody else", [3], transaction)
            }
            try await store.read { view in
                func found(_ words: String...) throws -> [Int64] {
                    try view.search(.one, words: words, before: .max, limit: 9).map(\.created)
                }
                try requireEqual(try found("boat"), [3, 2], "one word")
                try requireEqual(try found("red", "boat"), [3, 2], "two words")
                try requireEqual(try found("alice", "dear"), [1], "in any order, whatever the case")
                try requireEqual(try found("gruße"), [1], "without the diacritics")
                try requireEqual(try found("red", "sailing"), [], "a word that is missing")
                try requireEqual(try found("sail"), [2], "the last word may be the beginning of one")
                try requireEqual(try found("sail", "boat"), [], "an earlier word may not")
                try requireEqual(try found(), [], "no word")
                try requireEqual(try found("-", "…"), [], "nothing but punctuation")
                try requireEqual(try found("red-boat"), [3, 2], "a word that punctuation divides")
                let older = try view.search(.one, words: ["boat"], before: 3, limit: 9)
                try requireEqual(older.map(\.created), [2], "below a number")
                let page = try view.search(.one, words: ["boat"], before: .max, limit: 1)
                try requireEqual(page, [.message(1, 3)], "a page")
                let other = try view.search(.two, words: ["boat"], before: .max, limit: 9)
                try requireEqual(other.map(\.created), [3], "another's mailbox")
            }
            try store.close()
        },
        Check("what was taken out of the index, or deleted, is not found; what stands in it is") { harness in
            let store = try await harness.open()
            try await store.write { transaction in
                for id: Int64 in 1...3 { try Self.store(id, "word number\(id)", [1], transaction) }
            }
            try await store.write { transaction in
                try transaction.apply(.unindex(ContentID(rawValue: 1), accounts: [.one], text: "word number1"))
                try transaction.apply(.item(Item.message(1, 2).deleted(changed: 9)))
            }
            let found = try await store.read { try $0.search(.one, words: ["word"], before: .max, limit: 9) }
            try requireEqual(found.map(\.created), [3], "what is left")
            try store.close()
        },
        Check("no text, and no word of a query, passes for an owner or for the query's own language") { harness in
            let store = try await harness.open()
            let hostile = [
                "ownedby1", "ownedby2", "\"", "a\" OR \"b", "NEAR(a b)", "AND", "OR", "NOT", "words:secret", "*", "a*",
                "^a", "\u{0}", "\u{E000}1", "\u{E000}2", "-secret", "(", ")", "नमस्ते", "می‌خواهم", "e\u{301}te\u{301}",
                "日本語", "👩‍👩‍👧", "ﬀ", "İ", String(repeating: "x", count: 20000),
            ]
            try await store.write { transaction in
                try Self.store(1, "secret plan " + hostile.joined(separator: " "), [1], transaction)
                try Self.store(2, "secret plan shared", [1, 2], transaction)
            }
            try await store.read { view in
                for word in hostile {
                    let theirs = try view.search(.two, words: [word, "secret"], before: .max, limit: 9)
                    try require(!theirs.contains { $0.created == 1 }, "\(word.debugDescription) gave another's message")
                    let nobodys = try view.search(AccountID(rawValue: 9), words: [word], before: .max, limit: 9)
                    try requireEqual(nobodys, [], "\(word.debugDescription) for an account without messages")
                    _ = try view.search(.one, words: hostile, before: .max, limit: 9)
                }
                for word in ["\u{E000}2", "ownedby2"] {
                    let whose = try view.search(.one, words: [word, "shared"], before: .max, limit: 9)
                    try requireEqual(whose, [], "\(word.debugDescription) tells who else has a message")
                }
                for word in ["नमस्ते", "می‌خواهم", "été", "日本語"] {
                    let found = try view.search(.one, words: [word], before: .max, limit: 9)
                    try requireEqual(found.map(\.created), [1], "the word \(word)")
                }
            }
            try store.close()
        },
        Check("a message found by its words is the one whose content holds them") { harness in
            let store = try await harness.open()
            try await store.write { transaction in
                try Self.store(1, "first text", [1], transaction, message: "same")
                try transaction.apply(.content(.sample(2, message: "same", accounts: [1, 2])))
                try transaction.apply(.item(.message(2, 2, object: "same", content: 2)))
                try transaction.apply(.index(ContentID(rawValue: 2), accounts: [.one, .two], text: "second text"))
            }
            try await store.read { view in
                let second = try view.search(.one, words: ["second"], before: .max, limit: 9)
                try requireEqual(second, [], "the text of another content under the same id")
                let text = try view.search(.one, words: ["text"], before: .max, limit: 9)
                try requireEqual(text.map(\.created), [1], "what both hold")
            }
            try store.close()
        },
        Check("contents above a mark come in order, for the index to be caught up") { harness in
            let store = try await harness.open()
            try await store.write { transaction in
                for id: Int64 in [3, 1, 4, 2] { try transaction.apply(.content(.sample(id))) }
            }
            try await store.read { view in
                let fresh = try view.unindexed(after: ContentID(rawValue: 1), limit: 2)
                try requireEqual(fresh, [.sample(2), .sample(3)], "the next two")
            }
            try store.close()
        },
    ]

    /// A content with its text in the index, and an item of it for every owner.
    private static func store(
        _ id: Int64,
        _ text: String,
        _ owners: [Int64],
        _ transaction: any WriteTransaction,
        message: String? = nil
    ) throws {
        let content = StoredContent.sample(id, message: message, accounts: owners)
        try transaction.apply(.content(content))
        for owner in owners {
            try transaction.apply(.item(.message(owner, id, object: content.message.description, content: id)))
        }
        try transaction.apply(.index(content.id, accounts: content.accounts, text: text))
    }
}
