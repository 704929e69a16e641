import MessagingCore
import Store

extension StoreConformance {
    static var mailbox: [Check] {
        [
            Check("items come back by object and by number; a change replaces the item") { storage in
                let store = try storage.open()
                let item = Sample.message(1, 5)
                let contact = Sample.document(1, .contact, "m-5", 6)
                try await store.put(.item(item), .item(contact))
                try expect(try await store.read { try $0.item(first, kind: .message, object: "m-5") }, is: item)
                try expect(try await store.read { try $0.item(first, kind: .contact, object: "m-5") }, is: contact)
                try expect(try await store.read { try $0.item(first, created: 6) }, is: contact)
                try expect(try await store.read { try $0.item(second, created: 6) }, is: nil)
                let read = Sample.message(1, 5, changed: 7, flags: [.received, .read])
                try await store.put(.item(read))
                try expect(try await store.read { try $0.item(first, created: 5) }, is: read)
            },
            Check("message ids of the same instant are told apart, in lookups and in search") { storage in
                let store = try storage.open()
                let ids = ["01a0c450-6c00-7000-8000-000000000001", "01a0c450-6c00-7000-8000-000000000002"]
                try await store.write { transaction in
                    for (index, id) in ids.enumerated() {
                        let number = Int64(index + 1)
                        var item = Sample.message(1, number)
                        item.object = id
                        try transaction.apply(.item(item))
                        try transaction.apply(.content(Sample.content(number, message: id)))
                        let text = index == 0 ? "harbour" : "bridge"
                        try transaction.apply(.index(ContentID(rawValue: number), accounts: [first], text: text))
                    }
                }
                for (index, id) in ids.enumerated() {
                    let (item, contents, found) = try await store.read { view in
                        (
                            try view.item(first, kind: .message, object: id),
                            try view.contents(bearing: MessageID(stored: id), limit: 9),
                            try view.search(first, words: [index == 0 ? "harbour" : "bridge"], before: .max, limit: 9)
                        )
                    }
                    try expect(item?.created, is: ChangeNumber(index + 1))
                    try expect(contents.map(\.id.rawValue), is: [Int64(index + 1)])
                    try expect(found.map(\.object), is: [id])
                }
            },
            Check("changes come in the order of their change, tombstones included, each item once") { storage in
                let store = try storage.open()
                let items = (1...4).map { Sample.message(1, $0) }
                try await store.write { transaction in
                    for item in items { try transaction.apply(.item(item)) }
                    try transaction.apply(.item(Sample.tombstone(items[1], changed: 5)))
                    try transaction.apply(.item(Sample.message(1, 1, changed: 6, flags: [.received, .read])))
                    try transaction.apply(.item(Sample.message(2, 1)))
                }
                let pages = try await store.read { view in
                    (
                        try view.changes(first, after: 0, limit: 10).map(\.changed),
                        try view.changes(first, after: 3, limit: 2).map(\.changed),
                        try view.changes(first, after: 3, createdUpTo: 2, limit: 10).map(\.created),
                        try view.changes(first, after: 4, limit: 1).first?.isTombstone
                    )
                }
                try expect(pages.0, is: [3, 4, 5, 6])
                try expect(pages.1, is: [4, 5])
                try expect(pages.2, is: [2, 1])
                try expect(pages.3, is: true)
            },
            Check("listings are newest first and follow every filter") { storage in
                let store = try storage.open()
                try await store.write { transaction in
                    try transaction.apply(.item(Sample.message(1, 1)))
                    try transaction.apply(.item(Sample.message(1, 2, flags: [.sent])))
                    try transaction.apply(.item(Sample.document(1, .contact, "x", 3)))
                    try transaction.apply(.item(Sample.message(1, 4, flags: [.received, .read], conversation: "c-2")))
                    try transaction.apply(.item(Sample.message(1, 5, flags: [.received, .sent], conversation: "c-2")))
                    try transaction.apply(.item(Sample.tombstone(Sample.message(1, 6), changed: 7)))
                }
                func list(_ listing: Listing) async throws -> [ChangeNumber] {
                    try await store.read { try $0.list(first, listing).map(\.created) }
                }
                try expect(try await list(Listing(limit: 10)), is: [5, 4, 3, 2, 1])
                try expect(try await list(Listing(before: 4, limit: 2)), is: [3, 2])
                try expect(try await list(Listing(kinds: [.message], limit: 10)), is: [5, 4, 2, 1])
                try expect(try await list(Listing(kinds: [.contact], limit: 10)), is: [3])
                try expect(try await list(Listing(kinds: [.contact, .file], limit: 10)), is: [3])
                try expect(try await list(Listing(kinds: [.message], box: .inbox, limit: 10)), is: [5, 4, 1])
                try expect(try await list(Listing(kinds: [.message], box: .sent, limit: 10)), is: [5, 2])
                try expect(try await list(Listing(kinds: [.message], box: .inbox, limit: 2)), is: [5, 4])
                try expect(try await list(Listing(kinds: [.message], unreadOnly: true, limit: 10)), is: [5, 1])
                let other = ConversationID(stored: "c-2")
                try expect(try await list(Listing(kinds: [.message], conversation: other, limit: 10)), is: [5, 4])
                try expect(
                    try await list(Listing(kinds: [.message], conversation: other, unreadOnly: true, limit: 10)),
                    is: [5]
                )
            },
            Check("conversations are summed up by their newest message") { storage in
                let store = try storage.open()
                try await store.write { transaction in
                    try transaction.apply(.item(Sample.message(1, 1)))
                    try transaction.apply(.item(Sample.message(1, 2, flags: [.received, .read], conversation: "c-2")))
                    try transaction.apply(.item(Sample.message(1, 3)))
                    try transaction.apply(.item(Sample.message(1, 4, conversation: "c-3")))
                    try transaction.apply(.item(Sample.tombstone(Sample.message(1, 4), changed: 5)))
                    try transaction.apply(.item(Sample.message(2, 9)))
                }
                let found = try await store.read { view in
                    (
                        try view.conversations(first, before: .max, limit: 10),
                        try view.conversations(first, before: 3, limit: 10),
                        try view.conversations(first, before: .max, limit: 1)
                    )
                }
                let one = ConversationSummary(
                    conversation: ConversationID(stored: "c-1"),
                    newest: 3,
                    messages: 2,
                    unread: 2
                )
                let two = ConversationSummary(
                    conversation: ConversationID(stored: "c-2"),
                    newest: 2,
                    messages: 1,
                    unread: 0
                )
                try expect(found.0, is: [one, two])
                try expect(found.1, is: [two])
                try expect(found.2, is: [one])
            },
            Check("unread messages come oldest first, of all conversations or of one") { storage in
                let store = try storage.open()
                try await store.write { transaction in
                    for number in 1...6 {
                        let name = number % 2 == 0 ? "c-2" : "c-1"
                        try transaction.apply(.item(Sample.message(1, ChangeNumber(number), conversation: name)))
                    }
                    try transaction.apply(.item(Sample.message(1, 3, changed: 7, flags: [.received, .read])))
                    try transaction.apply(.item(Sample.message(1, 8, flags: [.sent])))
                }
                let found = try await store.read { view in
                    (
                        try view.unread(first, conversation: nil, after: 1, upTo: 5, limit: 10).map(\.created),
                        try view.unread(
                            first,
                            conversation: ConversationID(stored: "c-2"),
                            after: 0,
                            upTo: 9,
                            limit: 2
                        ).map(\.created)
                    )
                }
                try expect(found.0, is: [2, 4, 5])
                try expect(found.1, is: [2, 4])
            },
            Check("contents come back by number and by message, newest first; removed ones do not") { storage in
                let store = try storage.open()
                let one = Sample.content(1, message: "m-x", accounts: [1, 2], blobs: [Sample.hash("a")])
                let two = Sample.content(2, message: "m-x", time: Sample.now.advanced(by: 9))
                let three = Sample.content(3, holders: 0)
                try await store.put(.content(one), .content(two), .content(three))
                try expect(try await store.read { try $0.content(one.id) }, is: one)
                try expect(
                    try await store.read { try $0.contents(bearing: one.message, limit: 9) },
                    is: [two, one]
                )
                try expect(
                    try await store.read { try $0.documents([one.id, three.id, ContentID(rawValue: 77)]) },
                    is: [one.id: one.document, three.id: three.document]
                )
                let none = ContentID(rawValue: 0)
                try expect(
                    try await store.read { try $0.contents(storedBy: Sample.now, after: none, limit: 9).map(\.id) },
                    is: [one.id]
                )
                try expect(
                    try await store.read { try $0.unindexed(after: one.id, limit: 1).map(\.id) },
                    is: [two.id]
                )
                try await store.put(.removeContent(one.id))
                try expect(try await store.read { try $0.content(one.id) }, is: nil)
            },
            Check("submission keys are found for their account until they are removed by age") { storage in
                let store = try storage.open()
                let message = MessageID(stored: "m-1")
                let key = SubmissionKey(digest: [1, 2, 3], created: 4, time: Sample.now)
                let newer = SubmissionKey(digest: [4], created: 5, time: Sample.now.advanced(by: 10))
                try await store.put(.key(first, message, key), .key(second, message, newer))
                try expect(try await store.read { try $0.key(first, message) }, is: key)
                try await store.put(.removeKeys(before: Sample.now.advanced(by: 1)))
                try expect(try await store.read { try $0.key(first, message) }, is: nil)
                try expect(try await store.read { try $0.key(second, message) }, is: newer)
            },
            Check("transient messages and mailboxes with tombstones are found; trimming drops old tombstones") {
                storage in
                let store = try storage.open()
                try await store.write { transaction in
                    try transaction.apply(.account(try Sample.account(1)))
                    try transaction.apply(.account(try Sample.account(2)))
                    try transaction.apply(.item(Sample.message(1, 1, flags: [.received, .transient])))
                    try transaction.apply(.item(Sample.message(1, 2)))
                    try transaction.apply(.item(Sample.message(2, 1, flags: [.received, .transient])))
                    try transaction.apply(.item(Sample.tombstone(Sample.message(2, 2), changed: 3)))
                    try transaction.apply(.item(Sample.tombstone(Sample.message(2, 4), changed: 5)))
                }
                let found = try await store.read { view in
                    (
                        try view.transient(after: (AccountID(rawValue: 0), 0), limit: 9).map(\.account),
                        try view.transient(after: (first, 1), limit: 9).map(\.account),
                        try view.accountsWithTombstones(after: AccountID(rawValue: 0), limit: 9)
                    )
                }
                try expect(found.0, is: [first, second])
                try expect(found.1, is: [second])
                try expect(found.2, is: [second])
                try await store.put(.trim(second, upTo: 3))
                try expect(
                    try await store.read { try $0.changes(second, after: 0, limit: 9).map(\.changed) },
                    is: [1, 5]
                )
            },
        ]
    }

    static var search: [Check] {
        [
            Check("search finds live messages that hold every word, of the account alone, newest first") { storage in
                let store = try storage.open()
                try await store.write { transaction in
                    let texts = ["the harbour at night", "harbour and bridge", "Bridge of Größe", "harbour"]
                    for (index, text) in texts.enumerated() {
                        let number = Int64(index + 1)
                        let accounts = number == 4 ? [second] : [first, second]
                        try transaction.apply(.content(Sample.content(number, accounts: accounts.map(\.rawValue))))
                        try transaction.apply(.index(ContentID(rawValue: number), accounts: accounts, text: text))
                        for account in accounts {
                            try transaction.apply(.item(Sample.message(account.rawValue, number)))
                        }
                    }
                }
                func search(_ words: [String], _ account: AccountID = first) async throws -> [ChangeNumber] {
                    try await store.read {
                        try $0.search(account, words: words, before: .max, limit: 9).map(\.created)
                    }
                }
                try expect(try await search(["harbour"]), is: [2, 1])
                try expect(try await search(["harbour"], second), is: [4, 2, 1])
                try expect(try await search(["HARBOUR", "bridge"]), is: [2])
                try expect(try await search(["harbour", "bri"]), is: [2])
                try expect(try await search(["nothing"]), is: [])
                try expect(try await search(["\"harbour\" OR"]), is: [])
                try expect(try await search([]), is: [])
                try expect(
                    try await store.read {
                        try $0.search(first, words: ["harbour"], before: 2, limit: 9).map(\.created)
                    },
                    is: [1]
                )
                let gone = Sample.tombstone(Sample.message(1, 2), changed: 9)
                try await store.put(
                    .item(gone),
                    .unindex(ContentID(rawValue: 1), accounts: [first, second], text: "the harbour at night")
                )
                try expect(try await search(["harbour"]), is: [])
                try expect(try await search(["bridge"]), is: [3])
            }
        ]
    }
}
