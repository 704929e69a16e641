import MessagingCore
import Store

extension SQLiteView {
    static let itemColumns = "account, created, changed, kind, object, state"

    func item(_ row: Query) throws -> Item {
        guard let kind = UInt8(exactly: row.integer(3)).flatMap(ItemKind.init(rawValue:)) else {
            throw RecordReader.corrupt
        }
        return Item(
            account: AccountID(rawValue: row.integer(0)),
            kind: kind,
            object: row.text(4),
            created: row.integer(1),
            changed: row.integer(2),
            body: try row.withBlob(5, Item.Body.init(record:))
        )
    }

    func item(_ account: AccountID, kind: ItemKind, object: String) throws -> Item? {
        try connection.first(
            literal: """
                SELECT account, created, changed, kind, object, state FROM item INDEXED BY item_object
                WHERE object_key = ? AND account = ? AND kind = ? AND object = ?
                """,
            .integer(keyed.indexKey(kind.rawValue, object)),
            .integer(account.rawValue),
            .integer(Int64(kind.rawValue)),
            .text(object),
            map: item
        )
    }

    func item(_ account: AccountID, created: ChangeNumber) throws -> Item? {
        try connection.first(
            "SELECT \(Self.itemColumns) FROM item WHERE account = ? AND created = ?",
            .integer(account.rawValue),
            .integer(created),
            map: item
        )
    }

    func changes(_ account: AccountID, after: ChangeNumber, limit: Int) throws -> [Item] {
        try changes(account, after: after, createdUpTo: .max, limit: limit)
    }

    func changes(
        _ account: AccountID,
        after: ChangeNumber,
        createdUpTo: ChangeNumber,
        limit: Int
    ) throws -> [Item] {
        // Items as they were made, in the mailbox's own order, merged with those that changed since.
        try connection.rows(
            """
            SELECT account, created, created, kind, object, state FROM item
                WHERE account = ?1 AND created > ?2 AND created <= ?3 AND changed = created
            UNION ALL
            SELECT \(Self.itemColumns) FROM item INDEXED BY item_changed
                WHERE account = ?1 AND changed > ?2 AND created <= ?3 AND changed <> created
            ORDER BY 3 LIMIT ?4
            """,
            .integer(account.rawValue),
            .integer(after),
            .integer(createdUpTo),
            .integer(Int64(limit)),
            map: item
        )
    }

    func list(_ account: AccountID, _ listing: Listing) throws -> [Item] {
        // The planner has no statistics and would walk the whole mailbox: each filter names its index.
        let isOther = listing.kinds.count == 1 && listing.kinds.first != .message
        let index =
            switch true {
            case listing.conversation != nil: " INDEXED BY item_conversation"
            case listing.unreadOnly: " INDEXED BY item_unread"
            case isOther: " INDEXED BY item_other"
            default: ""
            }
        var sql = "SELECT \(Self.itemColumns) FROM item\(index) WHERE account = ?1 AND created < ?2"
        if listing.unreadOnly { sql += " AND unread = 1" } else { sql += " AND tombstone = 0" }
        if listing.kinds.count == 1, let kind = listing.kinds.first {
            sql += kind == .message ? " AND kind = 1" : " AND kind <> 1 AND kind = \(kind.rawValue)"
        } else if listing.kinds.count < ItemKind.allCases.count {
            sql += " AND kind IN (\(listing.kinds.map { "\($0.rawValue)" }.joined(separator: ",")))"
        }
        if listing.conversation != nil { sql += " AND conversation_hash = ?3" }
        sql += " ORDER BY created DESC"
        var query = try connection.prepare(sql)
        query.bind(.integer(account.rawValue))
        query.bind(.integer(listing.before))
        if let conversation = listing.conversation {
            query.bind(.integer(keyed(conversation.description)))
        }
        var items: [Item] = []
        defer { query.end() }
        while items.count < listing.limit, try query.next() {
            let item = try item(query)
            if let conversation = listing.conversation, item.message?.conversation != conversation { continue }
            if let box = listing.box, item.message?.flags.contains(box == .inbox ? .received : .sent) != true {
                continue
            }
            items.append(item)
        }
        return items
    }

    func count(_ account: AccountID, _ kind: ItemKind) throws -> Int {
        let index = kind == .message ? "" : " INDEXED BY item_other"
        let isOther = kind == .message ? "" : " AND kind <> 1"
        return try connection.first(
            "SELECT count(*) FROM item\(index) WHERE account = ? AND kind = ?\(isOther) AND tombstone = 0",
            .integer(account.rawValue),
            .integer(Int64(kind.rawValue))
        ) { Int($0.integer(0)) } ?? 0
    }

    func conversations(_ account: AccountID, before: ChangeNumber, limit: Int) throws -> [ConversationSummary] {
        // One index probe for each conversation of the mailbox, however long it is.
        let newest = try connection.rows(
            """
            WITH RECURSIVE each(hash) AS (
                SELECT min(conversation_hash) FROM item INDEXED BY item_conversation
                    WHERE account = ?1 AND conversation_hash IS NOT NULL
                UNION ALL
                SELECT (SELECT min(conversation_hash) FROM item INDEXED BY item_conversation
                    WHERE account = ?1 AND conversation_hash > hash AND conversation_hash IS NOT NULL)
                FROM each WHERE hash IS NOT NULL)
            SELECT hash, (SELECT max(created) FROM item INDEXED BY item_conversation
                WHERE account = ?1 AND conversation_hash = hash AND conversation_hash IS NOT NULL) AS newest
            FROM each WHERE hash IS NOT NULL AND newest < ?2 ORDER BY newest DESC LIMIT ?3
            """,
            .integer(account.rawValue),
            .integer(before),
            .integer(Int64(limit))
        ) { ($0.integer(0), $0.integer(1)) }
        return try newest.compactMap { hash, created in
            guard let message = try item(account, created: created)?.message else { return nil }
            let counts = try connection.first(
                """
                SELECT count(*), sum(unread) FROM item INDEXED BY item_conversation
                WHERE account = ? AND conversation_hash = ? AND conversation_hash IS NOT NULL
                """,
                .integer(account.rawValue),
                .integer(hash)
            ) { (Int($0.integer(0)), Int($0.integer(1))) }
            return ConversationSummary(
                conversation: message.conversation,
                newest: created,
                messages: counts?.0 ?? 0,
                unread: counts?.1 ?? 0
            )
        }
    }

    func unread(
        _ account: AccountID,
        conversation: ConversationID?,
        after: ChangeNumber,
        upTo: ChangeNumber,
        limit: Int
    ) throws -> [Item] {
        guard let conversation else {
            return try connection.rows(
                """
                SELECT \(Self.itemColumns) FROM item INDEXED BY item_unread
                WHERE account = ? AND unread = 1 AND created > ? AND created <= ? ORDER BY created LIMIT ?
                """,
                .integer(account.rawValue),
                .integer(after),
                .integer(upTo),
                .integer(Int64(limit)),
                map: item
            )
        }
        return try connection.rows(
            """
            SELECT \(Self.itemColumns) FROM item INDEXED BY item_unread
            WHERE account = ? AND unread = 1 AND created > ? AND created <= ? AND conversation_hash = ?
            ORDER BY created LIMIT ?
            """,
            .integer(account.rawValue),
            .integer(after),
            .integer(upTo),
            .integer(keyed(conversation.description)),
            .integer(Int64(limit)),
            map: item
        ).filter { $0.message?.conversation == conversation }
    }

    private static let contentColumns = "id, message, document, bonds, refs, holders, time"

    private func content(_ row: Query) throws -> StoredContent {
        let bonds = try row.withBlob(3, Bonds.init(record:))
        return StoredContent(
            id: ContentID(rawValue: row.integer(0)),
            message: MessageID(stored: row.text(1)),
            document: row.blob(2),
            blobs: bonds.blobs,
            accounts: bonds.accounts,
            references: Int(row.integer(4)),
            holders: Int(row.integer(5)),
            time: Timestamp(rawValue: row.integer(6))
        )
    }

    func content(_ id: ContentID) throws -> StoredContent? {
        try connection.first(
            "SELECT \(Self.contentColumns) FROM content WHERE id = ?",
            .integer(id.rawValue),
            map: content
        )
    }

    func documents(_ ids: [ContentID]) throws -> [ContentID: [UInt8]] {
        var documents: [ContentID: [UInt8]] = [:]
        documents.reserveCapacity(ids.count)
        var query = try connection.prepare("SELECT document FROM content WHERE id = ?")
        defer { query.end() }
        for id in ids {
            query.rebind(.integer(id.rawValue))
            if try query.next() { documents[id] = query.blob(0) }
        }
        return documents
    }

    func key(_ account: AccountID, _ message: MessageID) throws -> SubmissionKey? {
        try connection.first(
            literal:
                "SELECT digest, created, time FROM submission WHERE message_key = ? AND account = ? AND message = ?",
            .integer(keyed.indexKey(ItemKind.message.rawValue, message.description)),
            .integer(account.rawValue),
            .text(message.description)
        ) { SubmissionKey(digest: $0.blob(0), created: $0.integer(1), time: Timestamp(rawValue: $0.integer(2))) }
    }

    func contents(bearing message: MessageID, limit: Int) throws -> [StoredContent] {
        try connection.rows(
            "SELECT \(Self.contentColumns) FROM content WHERE message_key = ? AND message = ? ORDER BY id DESC LIMIT ?",
            .integer(keyed.indexKey(ItemKind.message.rawValue, message.description)),
            .text(message.description),
            .integer(Int64(limit)),
            map: content
        )
    }

    func search(_ account: AccountID, words: [String], before: ChangeNumber, limit: Int) throws -> [Item] {
        // Words are letters and digits in quotes: nothing of the query language gets through.
        var terms = words.flatMap(SearchWords.of).map { "\"\($0)\"" }
        guard !terms.isEmpty else { return [] }
        terms[terms.count - 1] += "*"
        var query = try connection.prepare(
            """
            SELECT i.account, i.created, i.changed, i.kind, i.object, i.state, c.id
            FROM search JOIN content c ON c.id = search.rowid
            JOIN item i INDEXED BY item_object
                ON i.account = ?1 AND i.object_key = c.message_key AND i.kind = 1 AND i.object = c.message
            WHERE search MATCH ?2 AND i.created < ?3 AND i.tombstone = 0 ORDER BY search.rowid DESC
            """
        )
        query.bind(.integer(account.rawValue))
        query.bind(.text((["\"\(Self.owner(account))\""] + terms).joined(separator: " AND ")))
        query.bind(.integer(before))
        defer { query.end() }
        var items: [Item] = []
        while items.count < limit, try query.next() {
            let item = try item(query)
            // Another content may bear the same message id: the item is of one of them only.
            if item.message?.content.rawValue == query.integer(6) { items.append(item) }
        }
        return items
    }

    /// The word that stands in the index for "this account has it".
    ///
    /// It begins with a character of private use, which no word of a text or of a query has.
    static func owner(_ account: AccountID) -> String { "\u{E000}\(account.rawValue)" }

    func unindexed(after: ContentID, limit: Int) throws -> [StoredContent] {
        try connection.rows(
            "SELECT \(Self.contentColumns) FROM content WHERE id > ? ORDER BY id LIMIT ?",
            .integer(after.rawValue),
            .integer(Int64(limit)),
            map: content
        )
    }

    func transient(after: (AccountID, ChangeNumber), limit: Int) throws -> [Item] {
        try connection.rows(
            """
            SELECT \(Self.itemColumns) FROM item WHERE transient = 1 AND (account, created) > (?, ?)
            ORDER BY account, created LIMIT ?
            """,
            .integer(after.0.rawValue),
            .integer(after.1),
            .integer(Int64(limit)),
            map: item
        )
    }

    func contents(storedBy time: Timestamp, after: ContentID, limit: Int) throws -> [StoredContent] {
        try connection.rows(
            """
            SELECT \(Self.contentColumns) FROM content INDEXED BY content_held
            WHERE holders > 0 AND time <= ? AND id > ? ORDER BY id LIMIT ?
            """,
            .integer(time.rawValue),
            .integer(after.rawValue),
            .integer(Int64(limit)),
            map: content
        )
    }

    func accountsWithTombstones(after: AccountID, limit: Int) throws -> [AccountID] {
        try connection.rows(
            """
            SELECT DISTINCT account FROM item INDEXED BY item_tombstone WHERE tombstone = 1 AND account > ?
            ORDER BY account LIMIT ?
            """,
            .integer(after.rawValue),
            .integer(Int64(limit))
        ) { AccountID(rawValue: $0.integer(0)) }
    }
}
