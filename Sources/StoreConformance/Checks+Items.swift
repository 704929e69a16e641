import MessagingCore
import Store

extension StoreConformance {
    static let itemChecks = [
        Check("an item of every shape is read as it was written, by number and by object") { harness in
            let store = try await harness.open()
            let items = [
                Item.message(1, 1, flags: [.received, .wantsDisplayed, .delivered], expires: Timestamp(rawValue: -7)),
                .message(1, 2, changed: 20, flags: [.sent, .transient], expires: nil),
                .document(1, 3, .contact, "{}"),
                .document(1, 4, .file, ""),
                Item.document(1, 5, .device, "gone").deleted(changed: 50),
                .message(2, 1),
            ]
            try await store.write { transaction in
                for item in items { try transaction.apply(.item(item)) }
            }
            try await store.read { view in
                for item in items {
                    try requireEqual(try view.item(item.account, created: item.created), item, "by number")
                    try requireEqual(
                        try view.item(item.account, kind: item.kind, object: item.object),
                        item,
                        "by object"
                    )
                }
                try requireEqual(try view.item(.one, created: 6), nil, "a number that was never given")
                try requireEqual(try view.item(.one, kind: .rules, object: "message-1"), nil, "another kind's object")
                try requireEqual(try view.item(.one, kind: .message, object: "message-3"), nil, "another object")
                try requireEqual(try view.item(.two, created: 2), nil, "another account's number")
            }
            try store.close()
        },
        Check("ids that begin alike are told apart") { harness in
            let store = try await harness.open()
            let prefix = "01890a5d-ac96-774b-bcce-b302099a80"
            let items = (0..<20).map { Item.message(1, $0 + 1, object: prefix + String($0 + 10), content: $0 + 1) }
            try await store.write { transaction in
                for (index, item) in items.enumerated() {
                    try transaction.apply(.item(item))
                    try transaction.apply(.content(.sample(Int64(index) + 1, message: item.object)))
                }
            }
            try await store.read { view in
                for item in items {
                    try requireEqual(try view.item(.one, kind: .message, object: item.object), item, "by object")
                    let bearing = try view.contents(bearing: MessageID(stored: item.object), limit: 10)
                    try requireEqual(bearing.map(\.message.description), [item.object], "contents bearing it")
                }
                try requireEqual(try view.item(.one, kind: .message, object: prefix + "99"), nil, "one not stored")
            }
            try store.close()
        },
        Check("an item written again replaces what was under its number") { harness in
            let store = try await harness.open()
            try await store.write { transaction in
                try transaction.apply(.item(.message(1, 1)))
                try transaction.apply(.item(.message(1, 2)))
                try transaction.apply(.item(.message(1, 1, changed: 3, flags: [.received, .read])))
            }
            try await store.read { view in
                try requireEqual(
                    try view.changes(.one, after: 0, limit: 9),
                    [.message(1, 2), .message(1, 1, changed: 3, flags: [.received, .read])],
                    "the changes"
                )
            }
            try store.close()
        },
        Check("two items of one account never share a number of change") { harness in
            let store = try await harness.open()
            try await store.write { try $0.apply(.item(.message(1, 1))) }
            let error = try await failure("a second item changed at 1") {
                try await store.write { try $0.apply(.item(.message(1, 2, changed: 1))) }
            }
            try requireEqual((error as? StoreError)?.code, .conflict, "the error \(error)")
            try store.close()
        },
        Check("changes come in order of change, tombstones included, page by page") { harness in
            let store = try await harness.open()
            try await store.write { transaction in
                for number: Int64 in 1...9 { try transaction.apply(.item(.message(1, number))) }
                try transaction.apply(.item(.message(1, 2, changed: 10)))
                try transaction.apply(.item(Item.message(1, 5).deleted(changed: 11)))
                try transaction.apply(.item(.message(2, 1)))
            }
            try await store.read { view in
                var numbers: [ChangeNumber] = []
                var after: ChangeNumber = 0
                while true {
                    let page = try view.changes(.one, after: after, limit: 4)
                    numbers += page.map(\.changed)
                    guard let last = page.last else { break }
                    after = last.changed
                }
                try requireEqual(numbers, [1, 3, 4, 6, 7, 8, 9, 10, 11], "the order")
                let tail = try view.changes(.one, after: 9, limit: 9)
                try requireEqual(
                    tail,
                    [.message(1, 2, changed: 10), Item.message(1, 5).deleted(changed: 11)],
                    "the tail"
                )
                try requireEqual(try view.changes(.one, after: 11, limit: 9), [], "beyond the end")
            }
            try store.close()
        },
        Check("changes below a level are those of items created up to it") { harness in
            let store = try await harness.open()
            try await store.write { transaction in
                for number: Int64 in 1...6 { try transaction.apply(.item(.message(1, number))) }
                try transaction.apply(.item(.message(1, 1, changed: 7)))
                try transaction.apply(.item(Item.message(1, 5).deleted(changed: 8)))
                try transaction.apply(.item(Item.message(1, 3).deleted(changed: 9)))
            }
            try await store.read { view in
                let below = try view.changes(.one, after: 4, createdUpTo: 4, limit: 9)
                try requireEqual(below.map(\.changed), [7, 9], "changed after 4, created up to 4")
                let first = try view.changes(.one, after: 4, createdUpTo: 4, limit: 1)
                try requireEqual(first.map(\.changed), [7], "the first of them")
                let exact = try view.changes(.one, after: 0, createdUpTo: 2, limit: 9)
                try requireEqual(exact.map(\.changed), [2, 7], "the bound itself counts")
            }
            try store.close()
        },
        Check("trim drops an account's tombstones up to a number, and nothing else") { harness in
            let store = try await harness.open()
            try await store.write { transaction in
                var account = Account.sample(1, "alice")
                account.trim = 1
                try transaction.apply(.account(account))
                for number: Int64 in 1...4 {
                    try transaction.apply(.item(Item.message(1, number).deleted(changed: number)))
                }
                try transaction.apply(.item(.message(1, 5)))
                try transaction.apply(.item(Item.message(2, 1).deleted(changed: 1)))
                try transaction.apply(.item(Item.message(3, 1)))
            }
            try await store.read { view in
                let owners = try view.accountsWithTombstones(after: AccountID(rawValue: 0), limit: 9)
                try requireEqual(owners, [.one, .two], "accounts with tombstones")
                try requireEqual(try view.accountsWithTombstones(after: .one, limit: 9), [.two], "after the first")
                try requireEqual(
                    try view.accountsWithTombstones(after: AccountID(rawValue: 0), limit: 1),
                    [.one],
                    "the first of them"
                )
            }
            try await store.write { try $0.apply(.trim(.one, upTo: 3)) }
            try await store.read { view in
                try requireEqual(try view.changes(.one, after: 0, limit: 9).map(\.changed), [4, 5], "what is left")
                try requireEqual(try view.changes(.two, after: 0, limit: 9).map(\.changed), [1], "another account's")
                try requireEqual(try view.user(.one)?.account.trim, 1, "the account's row is the caller's")
            }
            try await store.write { try $0.apply(.trim(.one, upTo: .max)) }
            try await store.read { view in
                let owners = try view.accountsWithTombstones(after: AccountID(rawValue: 0), limit: 9)
                try requireEqual(owners, [.two], "accounts with tombstones at the end")
                try requireEqual(try view.changes(.one, after: 0, limit: 9).map(\.changed), [5], "live items stay")
            }
            try store.close()
        },
    ]

    /// A mailbox of every kind of item, in two conversations.
    private static func fill(_ transaction: any WriteTransaction) throws {
        let items = [
            Item.message(1, 1, conversation: "a"),
            .message(1, 2, conversation: "a", flags: .sent),
            .message(1, 3, conversation: "b", flags: [.received, .read]),
            .document(1, 4, .contact, "{}"),
            .document(1, 5, .file, "{}"),
            .message(1, 6, conversation: "a", flags: [.received, .sent]),
            Item.message(1, 7, conversation: "b").deleted(changed: 107),
            Item.document(1, 8, .contact, "{}").deleted(changed: 108),
            .message(1, 9, conversation: "b"),
            .message(2, 10, conversation: "a"),
        ]
        for item in items { try transaction.apply(.item(item)) }
    }

    static let listingChecks = [
        Check("a listing shows live items, newest first, and each filter holds") { harness in
            let store = try await harness.open()
            try await store.write(Self.fill)
            try await store.read { view in
                func numbers(_ listing: Listing) throws -> [ChangeNumber] {
                    try view.list(.one, listing).map(\.created)
                }
                let a = ConversationID(stored: "a")
                let b = ConversationID(stored: "b")
                try requireEqual(try numbers(Listing(limit: 99)), [9, 6, 5, 4, 3, 2, 1], "everything")
                try requireEqual(try numbers(Listing(kinds: [.message], limit: 99)), [9, 6, 3, 2, 1], "messages")
                try requireEqual(try numbers(Listing(kinds: [.contact], limit: 99)), [4], "contacts")
                try requireEqual(try numbers(Listing(kinds: [.file, .contact], limit: 99)), [5, 4], "two kinds")
                try requireEqual(try numbers(Listing(kinds: [], limit: 99)), [], "no kind")
                try requireEqual(try numbers(Listing(box: .inbox, limit: 99)), [9, 6, 3, 1], "the inbox")
                try requireEqual(try numbers(Listing(box: .sent, limit: 99)), [6, 2], "what was sent")
                try requireEqual(try numbers(Listing(conversation: a, limit: 99)), [6, 2, 1], "a conversation")
                try requireEqual(try numbers(Listing(conversation: b, limit: 99)), [9, 3], "another conversation")
                try requireEqual(
                    try numbers(Listing(conversation: ConversationID(stored: "c"), limit: 99)),
                    [],
                    "a conversation that is not there"
                )
                try requireEqual(try numbers(Listing(unreadOnly: true, limit: 99)), [9, 6, 1], "unread")
                try requireEqual(
                    try numbers(Listing(kinds: [.message], box: .sent, conversation: a, unreadOnly: true, limit: 99)),
                    [6],
                    "every filter at once"
                )
                try requireEqual(try numbers(Listing(before: 6, limit: 2)), [5, 4], "a page")
                try requireEqual(try numbers(Listing(box: .inbox, before: 9, limit: 1)), [6], "a page of the inbox")
                try requireEqual(try numbers(Listing(limit: 0)), [], "no room")
                let counts = try [ItemKind.message, .contact, .file, .rules].map { try view.count(.one, $0) }
                try requireEqual(counts, [5, 1, 1, 0], "how many of a kind")
            }
            try store.close()
        },
        Check("conversations show their newest live message and their counts, newest first") { harness in
            let store = try await harness.open()
            try await store.write(Self.fill)
            try await store.write { try $0.apply(.item(.message(1, 11, conversation: "c", flags: .sent))) }
            try await store.read { view in
                func summary(_ name: String, _ newest: Int64, _ messages: Int, _ unread: Int) -> ConversationSummary {
                    ConversationSummary(
                        conversation: ConversationID(stored: name),
                        newest: newest,
                        messages: messages,
                        unread: unread
                    )
                }
                let all = [summary("c", 11, 1, 0), summary("b", 9, 2, 1), summary("a", 6, 3, 2)]
                try requireEqual(try view.conversations(.one, before: .max, limit: 9), all, "all")
                try requireEqual(try view.conversations(.one, before: .max, limit: 1), [all[0]], "the first page")
                try requireEqual(try view.conversations(.one, before: 11, limit: 9), Array(all[1...]), "the next")
                try requireEqual(try view.conversations(AccountID(rawValue: 9), before: .max, limit: 9), [], "nobody's")
            }
            try await store.write { transaction in
                for number: Int64 in [3, 9] {
                    try transaction.apply(
                        .item(Item.message(1, number, conversation: "b").deleted(changed: 200 + number))
                    )
                }
            }
            let left = try await store.read { try $0.conversations(.one, before: .max, limit: 9) }
            try requireEqual(left.map(\.conversation.description), ["c", "a"], "without the one that was deleted")
            try store.close()
        },
        Check("conversation ids that begin alike are conversations of their own") { harness in
            let store = try await harness.open()
            let names = ["01890a5d-ac96-774b-bcce-b302099a8057", "01890a5d-ac96-774b-bcce-b302099a8058"]
            try await store.write { transaction in
                for (index, name) in names.enumerated() {
                    try transaction.apply(.item(.message(1, Int64(index) + 1, conversation: name)))
                }
            }
            let found = try await store.read { try $0.conversations(.one, before: .max, limit: 9) }
            try requireEqual(found.map(\.conversation.description), names.reversed(), "the conversations")
            try requireEqual(found.map(\.messages), [1, 1], "their messages")
            try store.close()
        },
        Check("unread messages come in order, of the mailbox or of one conversation, within bounds") { harness in
            let store = try await harness.open()
            try await store.write(Self.fill)
            try await store.read { view in
                func numbers(_ name: String?, _ after: Int64, _ upTo: Int64, _ limit: Int) throws -> [ChangeNumber] {
                    try view.unread(
                        .one,
                        conversation: name.map(ConversationID.init(stored:)),
                        after: after,
                        upTo: upTo,
                        limit: limit
                    ).map(\.created)
                }
                try requireEqual(try numbers(nil, 0, .max, 9), [1, 6, 9], "all")
                try requireEqual(try numbers(nil, 0, .max, 2), [1, 6], "a page")
                try requireEqual(try numbers(nil, 1, 9, 9), [6, 9], "bounds: after is out, upTo is in")
                try requireEqual(try numbers("a", 0, .max, 9), [1, 6], "a conversation")
                try requireEqual(try numbers("a", 0, 5, 9), [1], "a conversation within bounds")
                try requireEqual(try numbers("c", 0, .max, 9), [], "one that is not there")
            }
            try store.close()
        },
        Check("transient messages are listed across accounts until they are released") { harness in
            let store = try await harness.open()
            try await store.write { transaction in
                try transaction.apply(.item(.message(2, 1, flags: [.received, .transient])))
                try transaction.apply(.item(.message(1, 2, flags: [.received, .transient])))
                try transaction.apply(.item(.message(1, 4, flags: [.sent, .transient])))
                try transaction.apply(.item(.message(1, 3)))
                try transaction.apply(.item(Item.message(1, 5, flags: .transient).deleted(changed: 6)))
            }
            try await store.read { view in
                func places(_ account: Int64, _ created: Int64, _ limit: Int) throws -> [[Int64]] {
                    try view.transient(after: (AccountID(rawValue: account), created), limit: limit)
                        .map { [$0.account.rawValue, $0.created] }
                }
                try requireEqual(try places(0, 0, 9), [[1, 2], [1, 4], [2, 1]], "all")
                try requireEqual(try places(0, 0, 2), [[1, 2], [1, 4]], "a page")
                try requireEqual(try places(1, 2, 9), [[1, 4], [2, 1]], "after a place")
                try requireEqual(try places(2, 1, 9), [], "after the last")
            }
            try await store.write { try $0.apply(.item(.message(1, 2, changed: 7, flags: [.received, .released]))) }
            let left = try await store.read { try $0.transient(after: (AccountID(rawValue: 0), 0), limit: 9) }
            try requireEqual(left.map(\.created), [4, 1], "after one was released")
            try store.close()
        },
    ]
}
