import MessagingCore
import Store

/// Reads by looking through everything: plainly right, and slow, as befits a reference.
final class MemoryView: WriteTransaction, @unchecked Sendable {
    // A reader's view never changes; a writer's is touched by the writer's thread alone.
    var contents: Contents

    init(_ contents: Contents) { self.contents = contents }

    func apply(_ change: Change) { contents.apply(change) }

    func nextAccountID() -> AccountID {
        contents.lastAccount += 1
        return AccountID(rawValue: contents.lastAccount)
    }

    func nextContentID() -> ContentID {
        contents.lastContent += 1
        return ContentID(rawValue: contents.lastContent)
    }

    func claim(lane: String, node: String, now: Timestamp, leaseMilliseconds: Int64) -> Claim? {
        let current = contents.leases[lane]
        if let current, current.node != node, current.until > now { return nil }
        let fence = (current?.fence ?? 0) + (current?.node == node ? 0 : 1)
        let until = now.advanced(by: leaseMilliseconds)
        contents.leases[lane] = Contents.Lease(node: node, fence: fence, until: until)
        return Claim(lane: lane, fence: fence, until: until)
    }

    func holds(_ claim: Claim) -> Bool { contents.leases[claim.lane]?.fence == claim.fence }

    // MARK: Accounts

    func user(_ id: AccountID) -> UserState? {
        contents.accounts[id].map { account in
            UserState(
                account: account,
                devices: (contents.devices[id] ?? [:]).values.sorted { $0.id < $1.id },
                preferences: contents.preferences[id] ?? Preferences()
            )
        }
    }

    func account(holding address: Address) -> AccountID? { contents.holders[address] }

    func accounts(after: AccountID, limit: Int) -> [Account] {
        Array(contents.accounts.values.filter { $0.id > after }.sorted { $0.id < $1.id }.prefix(limit))
    }

    func credential(_ account: AccountID) -> Credential? { contents.credentials[account] }

    func identity(_ token: TokenHash) -> DeviceIdentity? { contents.tokens[token] }

    func rules(_ account: AccountID, revision: Int32) -> RuleBook? { contents.pastRules[account]?[revision] }

    func ledger(_ account: AccountID, before: Int64, limit: Int) -> [LedgerLine] {
        let lines = (contents.ledgers[account] ?? []).filter { $0.number < before }
        return Array(lines.sorted { $0.number > $1.number }.prefix(limit))
    }

    func setting(_ name: String) -> [UInt8]? { contents.settings[name] }

    // MARK: Mailbox

    private func all(_ account: AccountID) -> [Item] {
        (contents.items[account] ?? [:]).values.sorted { $0.created < $1.created }
    }

    func item(_ account: AccountID, kind: ItemKind, object: String) -> Item? {
        all(account).first { $0.kind == kind && $0.object == object }
    }

    func item(_ account: AccountID, created: ChangeNumber) -> Item? { contents.items[account]?[created] }

    func changes(_ account: AccountID, after: ChangeNumber, limit: Int) -> [Item] {
        changes(account, after: after, createdUpTo: .max, limit: limit)
    }

    func changes(_ account: AccountID, after: ChangeNumber, createdUpTo: ChangeNumber, limit: Int) -> [Item] {
        let changed = all(account).filter { $0.changed > after && $0.created <= createdUpTo }
        return Array(changed.sorted { $0.changed < $1.changed }.prefix(limit))
    }

    func list(_ account: AccountID, _ listing: Listing) -> [Item] {
        let found = all(account).reversed().filter { item in
            guard !item.isTombstone, listing.kinds.contains(item.kind), item.created < listing.before else {
                return false
            }
            guard let message = item.message else {
                return listing.box == nil && listing.conversation == nil && !listing.unreadOnly
            }
            if let box = listing.box, !message.flags.contains(box == .inbox ? .received : .sent) { return false }
            if let conversation = listing.conversation, conversation != message.conversation { return false }
            return !listing.unreadOnly || message.isUnread
        }
        return Array(found.prefix(listing.limit))
    }

    func conversations(_ account: AccountID, before: ChangeNumber, limit: Int) -> [ConversationSummary] {
        let messages = all(account).compactMap { item in item.message.map { (item.created, $0) } }
        let summaries = Dictionary(grouping: messages) { $0.1.conversation }
            .map { conversation, entries in
                ConversationSummary(
                    conversation: conversation,
                    newest: entries.map(\.0).max() ?? 0,
                    messages: entries.count,
                    unread: entries.count { $0.1.isUnread }
                )
            }
        return Array(summaries.filter { $0.newest < before }.sorted { $0.newest > $1.newest }.prefix(limit))
    }

    func unread(
        _ account: AccountID,
        conversation: ConversationID?,
        after: ChangeNumber,
        upTo: ChangeNumber,
        limit: Int
    ) -> [Item] {
        let found = all(account).filter { item in
            guard let message = item.message, item.created > after, item.created <= upTo else { return false }
            return message.isUnread && (conversation == nil || conversation == message.conversation)
        }
        return Array(found.prefix(limit))
    }

    func content(_ id: ContentID) -> StoredContent? { contents.stored[id] }

    func documents(_ ids: [ContentID]) -> [ContentID: [UInt8]] {
        Dictionary(ids.compactMap { id in contents.stored[id].map { (id, $0.document) } }) { first, _ in first }
    }

    func key(_ account: AccountID, _ message: MessageID) -> SubmissionKey? { contents.keys[account]?[message] }

    func contents(bearing message: MessageID, limit: Int) -> [StoredContent] {
        Array(byNumber.reversed().filter { $0.message == message }.prefix(limit))
    }

    private var byNumber: [StoredContent] { contents.stored.values.sorted { $0.id.rawValue < $1.id.rawValue } }

    func search(_ account: AccountID, words wanted: [String], before: ChangeNumber, limit: Int) -> [Item] {
        let terms = wanted.flatMap { words(of: $0) }
        guard let last = terms.last else { return [] }
        let found = all(account).reversed().filter { item in
            guard let message = item.message, item.created < before, let entry = contents.index[message.content],
                entry.accounts.contains(account)
            else { return false }
            return terms.dropLast().allSatisfy(entry.words.contains)
                && entry.words.contains { $0.hasPrefix(last) }
        }
        return Array(found.prefix(limit))
    }

    func unindexed(after: ContentID, limit: Int) -> [StoredContent] {
        Array(byNumber.filter { $0.id.rawValue > after.rawValue }.prefix(limit))
    }

    func transient(after: (AccountID, ChangeNumber), limit: Int) -> [Item] {
        let found = contents.items.keys.sorted().flatMap { all($0) }
            .filter { item in
                item.message?.flags.contains(.transient) == true && (item.account, item.created) > after
            }
        return Array(found.prefix(limit))
    }

    func contents(storedBy time: Timestamp, after: ContentID, limit: Int) -> [StoredContent] {
        let found = byNumber.filter { $0.holders > 0 && $0.time <= time && $0.id.rawValue > after.rawValue }
        return Array(found.prefix(limit))
    }

    func accountsWithTombstones(after: AccountID, limit: Int) -> [AccountID] {
        let found = contents.items.filter { $0.key > after && $0.value.values.contains(where: \.isTombstone) }
        return Array(found.keys.sorted().prefix(limit))
    }

    // MARK: Blobs and queue

    func blob(_ hash: BlobHash) -> BlobRecord? { contents.blobs[hash] }

    func upload(_ id: String) -> Upload? { contents.uploads[id] }

    func uploads(of account: AccountID, limit: Int) -> [Upload] {
        Array(contents.uploads.values.filter { $0.account == account }.prefix(limit))
    }

    func uploads(leaseEndedBy time: Timestamp, limit: Int) -> [Upload] {
        Array(contents.uploads.values.filter { $0.leaseEnds <= time }.sorted { $0.id < $1.id }.prefix(limit))
    }

    func dyingBlobs(since time: Timestamp, limit: Int) -> [BlobRecord] {
        Array(
            contents.blobs.values.filter { $0.dyingSince.map { $0 <= time } ?? false }
                .sorted { $0.hash.description < $1.hash.description }.prefix(limit)
        )
    }

    func blobs(after: BlobHash, limit: Int) -> [BlobRecord] {
        Array(
            contents.blobs.values.filter { $0.hash.description > after.description }
                .sorted { $0.hash.description < $1.hash.description }.prefix(limit)
        )
    }

    func dueLanes(at now: Timestamp, limit: Int) -> [String] {
        var seen: Set<String> = []
        let heads = contents.queue.filter { seen.insert($0.entry.lane).inserted }
        return Array(heads.filter { $0.due <= now }.map(\.entry.lane).prefix(limit))
    }

    func entries(lane: String, limit: Int) -> [QueuedEntry] {
        Array(contents.queue.filter { $0.entry.lane == lane }.prefix(limit))
    }

    func nextDue() -> Timestamp? { contents.queue.map(\.due).min() }

    func outboxCount() -> Int { contents.queue.count }
}
