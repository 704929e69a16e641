import MessagingCore
import Store

/// Reads of one state.
class MemoryView: ReadView {
    final var rows: MemoryRows

    init(_ rows: MemoryRows) { self.rows = rows }

    // MARK: Accounts

    func user(_ id: AccountID) -> UserState? {
        rows.accounts[id].map { account in
            UserState(
                account: account,
                devices: (rows.devices[id] ?? [:]).values.sorted { $0.id < $1.id },
                preferences: rows.preferences[id] ?? Preferences()
            )
        }
    }

    func account(holding address: Address) -> AccountID? { rows.holders[address] }

    func accounts(after: AccountID, limit: Int) -> [Account] {
        page(rows.accounts.values.filter { $0.id > after }.sorted { $0.id < $1.id }, limit)
    }

    func credential(_ account: AccountID) -> Credential? { rows.credentials[account] }

    func identity(_ token: TokenHash) -> DeviceIdentity? { rows.tokens[token] }

    func sipCredential(user: String) -> SIPCredential? { rows.sipCredentials[user] }

    func rules(_ account: AccountID, revision: Int32) -> RuleBook? { rows.rules[account]?[revision] }

    func ledger(_ account: AccountID, before: Int64, limit: Int) -> [LedgerLine] {
        let lines = (rows.ledger[account] ?? [:]).values.filter { $0.number < before }
        return page(lines.sorted { $0.number > $1.number }, limit)
    }

    func setting(_ name: String) -> [UInt8]? { rows.settings[name] }

    // MARK: Sessions

    func session(_ account: AccountID, _ session: SessionID, _ role: SessionRecord.Role) -> SessionRecord? {
        rows.sessions[SessionKey(account: account, session: session, role: role)]
    }

    func sessions(of account: AccountID, limit: Int) -> [SessionRecord] {
        let live = rows.sessions.filter { $0.key.account == account && $0.key.role == .participant && !$0.value.isOver }
        return page(live.sorted { $0.key < $1.key }.map(\.value), limit)
    }

    func openSessions(after: (AccountID, SessionID)?, limit: Int) -> [SessionRecord] {
        let open = rows.sessions.filter { key, record in
            guard key.role == .participant, !record.isOver else { return false }
            return after.map { (key.account, key.session) > $0 } ?? true
        }
        return page(open.sorted { $0.key < $1.key }.map(\.value), limit)
    }

    func sessions(dueBy time: Timestamp, limit: Int) -> [SessionRecord] {
        let due = rows.sessions.compactMap { key, record in record.due.map { (due: $0, key: key, record: record) } }
        let ordered = due.filter { $0.due <= time }.sorted { ($0.due, $0.key) < ($1.due, $1.key) }
        return page(ordered.map(\.record), limit)
    }

    func texts(_ account: AccountID, _ session: SessionID, after: Ordinal, limit: Int) -> [SessionText] {
        let key = SessionKey(account: account, session: session, role: .participant)
        let texts = (rows.texts[key] ?? [:]).filter { $0.key > after }.sorted { $0.key < $1.key }
        return page(texts.map { SessionText(ordinal: $0.key, created: $0.value) }, limit)
    }

    func lastText(_ account: AccountID, _ session: SessionID) -> SessionText? {
        let key = SessionKey(account: account, session: session, role: .participant)
        return rows.texts[key]?.max { $0.key < $1.key }.map { SessionText(ordinal: $0.key, created: $0.value) }
    }

    // MARK: Blobs

    func blob(_ hash: BlobHash) -> BlobRecord? { rows.blobs[hash] }

    func upload(_ id: String) -> Upload? { rows.uploads[id] }

    func uploads(of account: AccountID, limit: Int) -> [Upload] {
        page(rows.uploads.values.filter { $0.account == account }.sorted { $0.id < $1.id }, limit)
    }

    func uploads(leaseEndedBy time: Timestamp, limit: Int) -> [Upload] {
        let ended = rows.uploads.values.filter { $0.leaseEnds <= time }
        return page(ended.sorted { ($0.leaseEnds, $0.id) < ($1.leaseEnds, $1.id) }, limit)
    }

    func dyingBlobs(since: Timestamp, limit: Int) -> [BlobRecord] {
        let dying = rows.blobs.values.compactMap { blob in blob.dyingSince.map { (since: $0, blob: blob) } }
        let ordered = dying.filter { $0.since <= since }.sorted {
            ($0.since, $0.blob.hash.description) < ($1.since, $1.blob.hash.description)
        }
        return page(ordered.map(\.blob), limit)
    }

    func blobs(after: BlobHash, limit: Int) -> [BlobRecord] {
        let later = rows.blobs.values.filter { $0.hash.description > after.description }
        return page(later.sorted { $0.hash.description < $1.hash.description }, limit)
    }

    // MARK: Outbox

    func dueLanes(at now: Timestamp, limit: Int) -> [String] {
        page(oldest.filter { $0.due <= now }.map(\.entry.lane), limit)
    }

    func dueLanes(in group: String, at now: Timestamp, limit: Int) -> [String] {
        page(oldest.filter { $0.due <= now && Self.group($0.entry.lane) == group }.map(\.entry.lane), limit)
    }

    func laneGroups() -> [String] {
        Set(rows.outbox.values.map { Self.group($0.entry.lane) }).sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
    }

    private static func group(_ lane: String) -> String { String(lane.prefix { $0 != "|" }) }

    func entries(lane: String, limit: Int) -> [QueuedEntry] {
        page(rows.outbox.values.filter { $0.entry.lane == lane }.sorted { $0.id < $1.id }, limit)
    }

    func nextDue() -> Timestamp? { oldest.map(\.due).min() }

    func outboxCount() -> Int { rows.outbox.count }

    /// The oldest entry of every lane, in order of entry.
    private var oldest: [QueuedEntry] {
        Dictionary(grouping: rows.outbox.values, by: \.entry.lane).values
            .compactMap { lane in lane.min { $0.id < $1.id } }
            .sorted { $0.id < $1.id }
    }

    func page<T>(_ all: [T], _ limit: Int) -> [T] { Array(all.prefix(max(0, limit))) }
}
