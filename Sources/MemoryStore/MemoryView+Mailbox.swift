import MessagingCore
import Store

extension MemoryView {
    private func items(_ account: AccountID) -> some Collection<Item> {
        (rows.mailboxes[account] ?? MemoryRows.Mailbox()).items.values
    }

    func item(_ account: AccountID, kind: ItemKind, object: String) -> Item? {
        items(account).first { $0.kind == kind && $0.object == object }
    }

    func item(_ account: AccountID, created: ChangeNumber) -> Item? { rows.mailboxes[account]?.items[created] }

    func changes(_ account: AccountID, after: ChangeNumber, limit: Int) -> [Item] {
        changes(account, after: after, createdUpTo: .max, limit: limit)
    }

    func changes(
        _ account: AccountID,
        after: ChangeNumber,
        createdUpTo: ChangeNumber,
        limit: Int
    ) -> [Item] {
        let changed = items(account).filter { $0.changed > after && $0.created <= createdUpTo }
        return page(changed.sorted { $0.changed < $1.changed }, limit)
    }

    func list(_ account: AccountID, _ listing: Listing) -> [Item] {
        let listed = items(account).filter { item in
            guard !item.isTombstone, item.created < listing.before, listing.kinds.contains(item.kind) else {
                return false
            }
            if let conversation = listing.conversation, item.message?.conversation != conversation { return false }
            if listing.unreadOnly, item.message?.isUnread != true { return false }
            switch listing.box {
            case nil: return true
            case .inbox: return item.message?.flags.contains(.received) ?? false
            case .sent: return item.message?.flags.contains(.sent) ?? false
            }
        }
        return page(listed.sorted { $0.created > $1.created }, listing.limit)
    }

    func count(_ account: AccountID, _ kind: ItemKind) -> Int {
        items(account).count { !$0.isTombstone && $0.kind == kind }
    }

    func conversations(_ account: AccountID, before: ChangeNumber, limit: Int) -> [ConversationSummary] {
        let messages = items(account).compactMap { item in item.message.map { (item.created, $0) } }
        let summaries = Dictionary(grouping: messages, by: \.1.conversation).map { conversation, messages in
            ConversationSummary(
                conversation: conversation,
                newest: messages.map(\.0).max() ?? 0,
                messages: messages.count,
                unread: messages.count { $0.1.isUnread }
            )
        }
        return page(summaries.filter { $0.newest < before }.sorted { $0.newest > $1.newest }, limit)
    }

    func unread(
        _ account: AccountID,
        conversation: ConversationID?,
        after: ChangeNumber,
        upTo: ChangeNumber,
        limit: Int
    ) -> [Item] {
        let unread = items(account).filter { item in
            guard let message = item.message, message.isUnread else { return false }
            return item.created > after && item.created <= upTo
                && (conversation == nil || message.conversation == conversation)
        }
        return page(unread.sorted { $0.created < $1.created }, limit)
    }

    func content(_ id: ContentID) -> StoredContent? { rows.contents[id] }

    func documents(_ ids: [ContentID]) -> [ContentID: [UInt8]] {
        Dictionary(ids.compactMap { id in rows.contents[id].map { (id, $0.document) } }) { first, _ in first }
    }

    func key(_ account: AccountID, _ message: MessageID) -> SubmissionKey? {
        rows.keys[MemoryRows.KeyID(account: account, message: message)]
    }

    func contents(bearing message: MessageID, limit: Int) -> [StoredContent] {
        page(contents { $0.message == message }.reversed(), limit)
    }

    func search(_ account: AccountID, words: [String], before: ChangeNumber, limit: Int) -> [Item] {
        let sought = words.flatMap(SearchWords.of)
        let found = items(account).filter { item in
            guard item.created < before, let content = item.message?.content else { return false }
            return rows.contents[content] != nil && rows.index[content]?.matches(account, sought) == true
        }
        return page(found.sorted { ($0.message?.content.rawValue ?? 0) > ($1.message?.content.rawValue ?? 0) }, limit)
    }

    func unindexed(after: ContentID, limit: Int) -> [StoredContent] {
        page(contents { $0.id.rawValue > after.rawValue }, limit)
    }

    func transient(after: (AccountID, ChangeNumber), limit: Int) -> [Item] {
        let waiting = rows.mailboxes.values.flatMap(\.items.values).filter { item in
            item.message?.flags.contains(.transient) == true && (item.account, item.created) > after
        }
        return page(waiting.sorted { ($0.account, $0.created) < ($1.account, $1.created) }, limit)
    }

    func contents(storedBy time: Timestamp, after: ContentID, limit: Int) -> [StoredContent] {
        page(contents { $0.holders > 0 && $0.time <= time && $0.id.rawValue > after.rawValue }, limit)
    }

    func accountsWithTombstones(after: AccountID, limit: Int) -> [AccountID] {
        let owners = rows.mailboxes.filter { account, mailbox in
            account > after && mailbox.items.values.contains { $0.isTombstone }
        }
        return page(owners.keys.sorted(), limit)
    }

    /// Contents in order of number.
    private func contents(_ isWanted: (StoredContent) -> Bool) -> [StoredContent] {
        rows.contents.values.filter(isWanted).sorted { $0.id.rawValue < $1.id.rawValue }
    }
}
