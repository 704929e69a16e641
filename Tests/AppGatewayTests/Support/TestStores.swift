import Crypto
import Dispatch
import FoundationEssentials
import Glibc
import MessagingCore
import MessagingService
import Store
import Synchronization

enum TestStores {
    static func store() -> StandInStore { StandInStore() }

    static func blobs(_ folder: URL) throws -> any BlobFiles { StandInBlobs(folder: folder) }
}

/// The contents of the stand-in; a job works on a copy, which replaces the original when it succeeds.
final class StandInView: WriteTransaction, @unchecked Sendable {
    var accounts: [AccountID: Account] = [:]
    var preferences: [AccountID: Preferences] = [:]
    var credentials: [AccountID: Credential] = [:]
    var devices: [AccountID: [DeviceID: Device]] = [:]
    var tokens: [TokenHash: DeviceIdentity] = [:]
    var items: [AccountID: [ChangeNumber: Item]] = [:]
    var stored: [ContentID: StoredContent] = [:]
    var keys: [AccountID: [MessageID: SubmissionKey]] = [:]
    var lines: [AccountID: [LedgerLine]] = [:]
    var settings: [String: [UInt8]] = [:]
    var uploadsByID: [String: Upload] = [:]
    var blobRows: [BlobHash: BlobRecord] = [:]
    var queue: [QueuedEntry] = []
    var pastRules: [AccountID: [Int32: RuleBook]] = [:]
    var lastAccount: Int64 = 0
    var lastContent: Int64 = 0
    var lastEntry: Int64 = 0

    init() {}

    init(copying other: StandInView) {
        accounts = other.accounts
        preferences = other.preferences
        credentials = other.credentials
        devices = other.devices
        tokens = other.tokens
        items = other.items
        stored = other.stored
        keys = other.keys
        lines = other.lines
        settings = other.settings
        uploadsByID = other.uploadsByID
        blobRows = other.blobRows
        queue = other.queue
        pastRules = other.pastRules
        lastAccount = other.lastAccount
        lastContent = other.lastContent
        lastEntry = other.lastEntry
    }

    func user(_ id: AccountID) -> UserState? {
        accounts[id].map {
            UserState(
                account: $0,
                devices: (devices[id] ?? [:]).values.sorted { $0.id < $1.id },
                preferences: preferences[id] ?? Preferences()
            )
        }
    }

    func account(holding address: Address) -> AccountID? {
        accounts.values.first { $0.addresses.contains(address) }?.id
    }

    func accounts(after: AccountID, limit: Int) -> [Account] {
        Array(accounts.values.filter { $0.id > after }.sorted { $0.id < $1.id }.prefix(limit))
    }

    func credential(_ account: AccountID) -> Credential? { credentials[account] }
    func identity(_ token: TokenHash) -> DeviceIdentity? { tokens[token] }
    func rules(_ account: AccountID, revision: Int32) -> RuleBook? { pastRules[account]?[revision] }

    func ledger(_ account: AccountID, before: Int64, limit: Int) -> [LedgerLine] {
        Array((lines[account] ?? []).reversed().filter { $0.number < before }.prefix(limit))
    }

    func setting(_ name: String) -> [UInt8]? { settings[name] }

    private func all(_ account: AccountID) -> [Item] {
        (items[account] ?? [:]).values.sorted { $0.created < $1.created }
    }

    func item(_ account: AccountID, kind: ItemKind, object: String) -> Item? {
        all(account).first { $0.kind == kind && $0.object == object }
    }

    func item(_ account: AccountID, created: ChangeNumber) -> Item? { items[account]?[created] }

    func changes(_ account: AccountID, after: ChangeNumber, limit: Int) -> [Item] {
        changes(account, after: after, createdUpTo: .max, limit: limit)
    }

    func changes(_ account: AccountID, after: ChangeNumber, createdUpTo: ChangeNumber, limit: Int) -> [Item] {
        Array(
            all(account).filter { $0.changed > after && $0.created <= createdUpTo }
                .sorted { $0.changed < $1.changed }.prefix(limit)
        )
    }

    func list(_ account: AccountID, _ listing: Listing) -> [Item] {
        let found = all(account).reversed().filter { item in
            guard !item.isTombstone, listing.kinds.contains(item.kind), item.created < listing.before else {
                return false
            }
            guard let message = item.message else { return true }
            if let box = listing.box, !message.flags.contains(box == .inbox ? .received : .sent) { return false }
            if let conversation = listing.conversation, conversation != message.conversation { return false }
            return !listing.unreadOnly || (message.flags.contains(.received) && !message.flags.contains(.read))
        }
        return Array(found.prefix(listing.limit))
    }

    func conversations(_ account: AccountID, before: ChangeNumber, limit: Int) -> [ConversationSummary] {
        let messages = all(account).compactMap { item in item.message.map { (item.created, $0) } }
        let summaries = Dictionary(grouping: messages) { $0.1.conversation }.map { conversation, entries in
            ConversationSummary(
                conversation: conversation,
                newest: entries.map(\.0).max() ?? 0,
                messages: entries.count,
                unread: entries.filter { $0.1.flags.contains(.received) && !$0.1.flags.contains(.read) }.count
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
            return message.flags.contains(.received) && !message.flags.contains(.read)
                && (conversation == nil || conversation == message.conversation)
        }
        return Array(found.prefix(limit))
    }

    func content(_ id: ContentID) -> StoredContent? { stored[id] }

    func documents(_ ids: [ContentID]) -> [ContentID: [UInt8]] {
        Dictionary(ids.compactMap { id in stored[id].map { (id, $0.document) } }) { first, _ in first }
    }

    func key(_ account: AccountID, _ message: MessageID) -> SubmissionKey? { keys[account]?[message] }

    func contents(bearing message: MessageID, limit: Int) -> [StoredContent] {
        Array(stored.values.filter { $0.message == message }.prefix(limit))
    }

    // The stand-in has no index: the service looks through what is not indexed.
    func search(_ account: AccountID, words: [String], before: ChangeNumber, limit: Int) -> [Item] { [] }
    func unindexed(after: ContentID, limit: Int) -> [StoredContent] { [] }
    func expired(by time: Timestamp, limit: Int) -> [Item] { [] }
    func transient(after: (AccountID, ChangeNumber), limit: Int) -> [Item] { [] }
    func contents(storedBy time: Timestamp, after: ContentID, limit: Int) -> [StoredContent] { [] }
    func accountsWithTombstones(after: AccountID, limit: Int) -> [AccountID] { [] }

    func blob(_ hash: BlobHash) -> BlobRecord? { blobRows[hash] }
    func upload(_ id: String) -> Upload? { uploadsByID[id] }
    func uploads(leaseEndedBy time: Timestamp, limit: Int) -> [Upload] { [] }
    func dyingBlobs(since: Timestamp, limit: Int) -> [BlobRecord] { [] }
    func blobs(after: BlobHash, limit: Int) -> [BlobRecord] { [] }
    func dueLanes(at now: Timestamp, limit: Int) -> [String] { [] }
    func entries(lane: String, limit: Int) -> [QueuedEntry] { queue.filter { $0.entry.lane == lane } }
    func nextDue() -> Timestamp? { queue.map(\.due).min() }
    func outboxCount() -> Int { queue.count }

    func nextAccountID() -> AccountID {
        lastAccount += 1
        return AccountID(rawValue: lastAccount)
    }

    func nextContentID() -> ContentID {
        lastContent += 1
        return ContentID(rawValue: lastContent)
    }

    func claim(lane: String, node: String, now: Timestamp, leaseMilliseconds: Int64) -> Claim? { nil }
    func holds(_ claim: Claim) -> Bool { false }

    func apply(_ change: Change) {
        switch change {
        case .account(let account): accounts[account.id] = account
        case .preferences(let id, let value):
            preferences[id] = value
            pastRules[id, default: [:]][value.rules.revision] = value.rules
        case .credential(let id, let value): credentials[id] = value
        case .device(let id, let device), .deviceProgress(let id, let device):
            devices[id, default: [:]][device.id] = device
        case .removeDevice(let id, let device):
            devices[id]?[device] = nil
            tokens = tokens.filter { $0.value != DeviceIdentity(account: id, device: device) }
        case .token(let hash, let identity): tokens[hash] = identity
        case .item(let item): items[item.account, default: [:]][item.created] = item
        case .content(let content): stored[content.id] = content
        case .removeContent(let id): stored[id] = nil
        case .key(let id, let message, let key): keys[id, default: [:]][message] = key
        case .ledger(let line): lines[line.account, default: []].append(line)
        case .setting(let name, let value): settings[name] = value
        case .enqueue(let entry, let due):
            lastEntry += 1
            queue.append(QueuedEntry(id: lastEntry, entry: entry, attempts: 0, due: due))
        case .dequeue(let id): queue.removeAll { $0.id == id }
        case .upload(let upload): uploadsByID[upload.id] = upload
        case .removeUpload(let id): uploadsByID[id] = nil
        case .blob(let hash, let bytes):
            if blobRows[hash] == nil {
                blobRows[hash] = BlobRecord(hash: hash, bytes: bytes, references: 0, dyingSince: nil)
            }
        case .refer(let hash, let by, _): blobRows[hash]?.references += by
        case .removeKeys, .postpone, .trim, .removeBlob, .index, .unindex: break
        }
    }
}

/// A store of the tests: everything in one value, one writer queue, no durability.
final class StandInStore: Store {
    /// While it is set, every write fails as on a full disk.
    let isFull = Atomic(false)
    private let state = Mutex(StandInView())
    private let queue = DispatchQueue(label: "stand-in")
    private let observer = Mutex<(@Sendable (BatchOutcome) -> Void)?>(nil)

    func write(
        _ job: @escaping @Sendable (any WriteTransaction) throws -> Void,
        completion: @escaping @Sendable (Result<Void, any Error>) -> Void
    ) {
        queue.async { [self] in
            guard !isFull.load(ordering: .relaxed) else { return completion(.failure(StoreError(.full, "full"))) }
            let transaction = StandInView(copying: state.withLock { $0 })
            let result = Result { try job(transaction) }
            if case .success = result { state.withLock { $0 = transaction } }
            completion(result)
            observer.withLock { $0 }?(.committed)
        }
    }

    func read(_ body: @escaping @Sendable (any ReadView) -> Void, failed: @escaping @Sendable (any Error) -> Void) {
        let snapshot = state.withLock { $0 }
        DispatchQueue.global().async { body(snapshot) }
    }

    func observeBatches(_ observer: @escaping @Sendable (BatchOutcome) -> Void) {
        self.observer.withLock { $0 = observer }
    }

    func close() {}
}

/// Blobs as plain files of a folder.
struct StandInBlobs: BlobFiles {
    let folder: URL

    private func file(_ name: String) -> String { folder.appending(path: name).path }

    private func withFile<T>(
        _ name: String,
        _ mode: String,
        _ body: (UnsafeMutablePointer<FILE>) throws -> T
    ) throws -> T {
        guard let file = fopen(file(name), mode) else { throw Refusal(.internalError, "no file") }
        defer { fclose(file) }
        return try body(file)
    }

    func size(ofUpload id: String) throws -> Int64 {
        guard try exists("up-" + id) else { return 0 }
        return try withFile("up-" + id, "rb") { file in
            fseek(file, 0, SEEK_END)
            return Int64(ftell(file))
        }
    }

    func append(toUpload id: String, at offset: Int64, _ bytes: [UInt8]) throws -> Int64 {
        try withFile("up-" + id, "ab") { file in
            guard fwrite(bytes, 1, bytes.count, file) == bytes.count else { throw Refusal(.storeFull, "full") }
        }
        return offset + Int64(bytes.count)
    }

    func synchronise(upload id: String) {}

    func finish(upload id: String) throws -> BlobHash {
        var hash = SHA256()
        try withFile("up-" + id, "rb") { file in
            var piece = [UInt8](repeating: 0, count: 1 << 16)
            while true {
                let count = fread(&piece, 1, piece.count, file)
                if count == 0 { break }
                hash.update(data: piece[..<count])
            }
        }
        let name = hash.finalize().map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
        rename(file("up-" + id), file(name))
        return BlobHash(stored: name)
    }

    func discard(upload id: String) { unlink(file("up-" + id)) }

    func read(_ hash: BlobHash, offset: Int64, count: Int) throws -> [UInt8] {
        try withFile(hash.description, "rb") { file in
            fseek(file, Int(offset), SEEK_SET)
            var piece = [UInt8](repeating: 0, count: count)
            let read = fread(&piece, 1, count, file)
            return Array(piece.prefix(read))
        }
    }

    func unlink(_ hash: BlobHash) { unlink(file(hash.description)) }

    func exists(_ hash: BlobHash) throws -> Bool { try exists(hash.description) }

    private func exists(_ name: String) throws -> Bool { access(file(name), F_OK) == 0 }

    private func unlink(_ path: String) { Glibc.unlink(path) }
}
