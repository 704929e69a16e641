public import MessagingCore

/// Bounds that every store keeps.
public enum StoreLimits {
    /// Revisions of an account's rules that are kept, the newest ones, beside those that a device names.
    public static let ruleRevisions = 64
}

/// What can be read in one consistent view of the store.
///
/// Every list is bounded by the caller's limit. Nothing here waits for the writer. A row that cannot be understood is
/// ``StoreError`` `corrupt`, for the reads that need it alone.
public protocol ReadView: AccountReads, MailboxReads, BlobReads, QueueReads, SessionReads {}

/// Accounts, devices, credentials and the operator's settings.
public protocol AccountReads {
    /// The account with its devices, in order of number, and its preferences; nil when there is none.
    func user(_ id: AccountID) throws -> UserState?
    /// Who has this address.
    func account(holding address: Address) throws -> AccountID?
    /// Accounts in order of number, after `after`.
    func accounts(after: AccountID, limit: Int) throws -> [Account]
    func credential(_ account: AccountID) throws -> Credential?
    /// Who a device token belongs to.
    func identity(_ token: TokenHash) throws -> DeviceIdentity?
    /// What a SIP phone of this user name proves itself with.
    func sipCredential(user: String) throws -> SIPCredential?
    /// A past revision of the user's rules, for explaining decisions; the newest ``StoreLimits/ruleRevisions`` are
    /// kept, and those that a device named whenever rules were written.
    func rules(_ account: AccountID, revision: Int32) throws -> RuleBook?
    /// Ledger lines, newest first, with numbers below `before`.
    func ledger(_ account: AccountID, before: Int64, limit: Int) throws -> [LedgerLine]
    /// A named document of the operator's.
    func setting(_ name: String) throws -> [UInt8]?
}

/// Items and their content.
public protocol MailboxReads {
    func item(_ account: AccountID, kind: ItemKind, object: String) throws -> Item?
    func item(_ account: AccountID, created: ChangeNumber) throws -> Item?
    /// Items, tombstones included, with `changed` above `after`, in order of `changed`.
    func changes(_ account: AccountID, after: ChangeNumber, limit: Int) throws -> [Item]
    /// Like `changes`, only of items created at or below `createdUpTo`.
    func changes(
        _ account: AccountID,
        after: ChangeNumber,
        createdUpTo: ChangeNumber,
        limit: Int
    ) throws -> [Item]
    /// Live items, newest first by `created`.
    func list(_ account: AccountID, _ listing: Listing) throws -> [Item]
    /// How many live items of a kind there are. Each is looked at: for kinds that have a limit.
    func count(_ account: AccountID, _ kind: ItemKind) throws -> Int
    /// Conversations by their newest live message, newest first, those whose newest is below `before`.
    func conversations(_ account: AccountID, before: ChangeNumber, limit: Int) throws -> [ConversationSummary]
    /// Unread, live, received messages: all of them, or of one conversation; in order of `created`, above `after`, up
    /// to and including `upTo`.
    func unread(
        _ account: AccountID,
        conversation: ConversationID?,
        after: ChangeNumber,
        upTo: ChangeNumber,
        limit: Int
    ) throws -> [Item]
    func content(_ id: ContentID) throws -> StoredContent?
    /// Several documents at once; those that are missing are left out.
    func documents(_ ids: [ContentID]) throws -> [ContentID: [UInt8]]
    func key(_ account: AccountID, _ message: MessageID) throws -> SubmissionKey?
    /// Contents that bear a message id, for tracing, newest first.
    func contents(bearing message: MessageID, limit: Int) throws -> [StoredContent]
    /// Live messages whose indexed text holds every word, newest content first, with `created` below `before`.
    ///
    /// Case and diacritics do not count. A word is divided where it holds anything but letters and digits; the last
    /// one may be the beginning of a word of the text. Without any word nothing is found. A mailbox numbers its
    /// messages in the order of their contents, so that the newest content first is the highest `created` first.
    func search(_ account: AccountID, words: [String], before: ChangeNumber, limit: Int) throws -> [Item]
    /// Contents above `after` in order of number: what the index lacks, when it was filled in that order up to `after`.
    func unindexed(after: ContentID, limit: Int) throws -> [StoredContent]
    /// Live messages to be released once all devices have them, in order of account and `created`, above `after`.
    func transient(after: (AccountID, ChangeNumber), limit: Int) throws -> [Item]
    /// Contents stored at or before `time` that some item still holds, in order of number, above `after`.
    func contents(storedBy time: Timestamp, after: ContentID, limit: Int) throws -> [StoredContent]
    /// Accounts that have tombstones, in order of number, after `after`.
    func accountsWithTombstones(after: AccountID, limit: Int) throws -> [AccountID]
}

/// Blobs and uploads.
public protocol BlobReads {
    func blob(_ hash: BlobHash) throws -> BlobRecord?
    func upload(_ id: String) throws -> Upload?
    /// The account's uploads, complete or not, in order of id.
    func uploads(of account: AccountID, limit: Int) throws -> [Upload]
    /// Uploads whose lease ended at or before `time`, the longest ago first.
    func uploads(leaseEndedBy time: Timestamp, limit: Int) throws -> [Upload]
    /// Blobs that have been dying since `since` or longer, the longest first.
    func dyingBlobs(since: Timestamp, limit: Int) throws -> [BlobRecord]
    /// All rows in order of hash, for checking against the files.
    func blobs(after: BlobHash, limit: Int) throws -> [BlobRecord]
}

/// The outbox.
public protocol QueueReads {
    /// Lanes whose oldest entry is due, in the order of those entries: a later entry never overtakes.
    func dueLanes(at now: Timestamp, limit: Int) throws -> [String]
    /// The same within a group: lanes named `group|...`, and the one named `group`.
    func dueLanes(in group: String, at now: Timestamp, limit: Int) throws -> [String]
    /// The groups of lanes that have entries, in order of name: what stands before the first `|`, or all of the name.
    func laneGroups() throws -> [String]
    /// The oldest entries of a lane, in the order they were entered.
    func entries(lane: String, limit: Int) throws -> [QueuedEntry]
    /// When the next lane falls due with its oldest entry; nil when the outbox is empty.
    func nextDue() throws -> Timestamp?
    func outboxCount() throws -> Int
}

/// One change of the store's contents.
///
/// What names an account, a device, a blob or an entry that is not there changes nothing, unless it says that it
/// inserts.
public enum Change: Sendable {
    /// Inserts or replaces; addresses are kept in step. One that another account holds is ``StoreError`` `conflict`.
    case account(Account)
    case preferences(AccountID, Preferences)
    case credential(AccountID, Credential)
    /// Inserts or replaces by number.
    case device(AccountID, Device)
    /// Only the position, the lease and when it was last seen.
    case deviceProgress(AccountID, Device)
    /// Removes the device, its tokens and its SIP credential.
    case removeDevice(AccountID, DeviceID)
    case token(TokenHash, DeviceIdentity)
    /// Inserts or replaces by user name; a device has at most one, so that its earlier one goes.
    case sipCredential(SIPCredential)
    /// Inserts or replaces by (account, created); an item's kind and object stay what they were at first. Two items of
    /// an account with one `changed` are ``StoreError`` `conflict`.
    case item(Item)
    /// Inserts or replaces by id; message and time stay what they were at first. Blob references are the caller's to
    /// keep.
    case content(StoredContent)
    case removeContent(ContentID)
    case key(AccountID, MessageID, SubmissionKey)
    /// Forgets keys older than this.
    case removeKeys(before: Timestamp)
    /// Forgets claims whose lease ended before this, on lanes that hold nothing. A later claim's fence begins anew: what
    /// was under way has to be over by then.
    case removeClaims(before: Timestamp)
    /// Inserts; a number that is there is ``StoreError`` `conflict`.
    case ledger(LedgerLine)
    /// Inserts or replaces by name.
    case setting(String, [UInt8])
    /// Enters behind all of its lane, under a number that was never given before.
    case enqueue(OutboxEntry, due: Timestamp)
    case postpone(entry: Int64, attempts: Int, due: Timestamp)
    case dequeue(entry: Int64)
    /// Drops tombstones changed at or below the number; the account's `trim` is the caller's to write.
    case trim(AccountID, upTo: ChangeNumber)
    /// Inserts or replaces by id.
    case upload(Upload)
    case removeUpload(String)
    /// Makes the row if there is none; revives a dying one.
    case blob(BlobHash, bytes: Int64)
    /// Adds to the number of references; at zero the blob is dying from that time on, above it no more.
    case refer(BlobHash, by: Int, at: Timestamp)
    case removeBlob(BlobHash)
    /// Enters a content's words into the search index; it must not be there already.
    case index(ContentID, accounts: [AccountID], text: String)
    /// Takes them out again; `text` and `accounts` as they were entered.
    case unindex(ContentID, accounts: [AccountID], text: String)
    /// Inserts or replaces by account, session and role.
    case session(SessionRecord)
    /// Removes one side; a participant's texts go with it, their items stay.
    case removeSession(AccountID, SessionID, SessionRecord.Role)
    /// Inserts into the user's part, which must be there; an ordinal that is there is ``StoreError`` `conflict`.
    case sessionText(AccountID, SessionID, SessionText)
}

/// The writer's view inside a transaction: reads see the changes made so far.
public protocol WriteTransaction: ReadView {
    /// Makes a change. One that throws fails the job: even if the job catches the error, it is undone and fails with it.
    func apply(_ change: Change) throws
    /// A number above all that were given before.
    func nextAccountID() throws -> AccountID
    /// A number above all that were given before.
    func nextContentID() throws -> ContentID
    /// Takes or renews a lane; nil while another node's lease holds. The fence rises with every new holder.
    func claim(lane: String, node: String, now: Timestamp, leaseMilliseconds: Int64) throws -> Claim?
    /// Whether the claim's holder is still the newest one.
    func holds(_ claim: Claim) throws -> Bool
}

/// What a batch of the writer came to.
public enum BatchOutcome: Sendable {
    case committed
    case failed
    /// Nothing of it counts; its jobs run once more.
    case undone
}

/// The store: one writer that commits what has queued up as one transaction, and readers that never wait for it.
///
/// Jobs run in the order of submission, each as if in a savepoint of its own: one that throws is undone alone. A job
/// may run more than once before it is told how it went; what it leaves outside of the transaction is the last run's.
/// `completion` is called on the writer's thread after the COMMIT (or the job's or the batch's failure), in the order
/// of submission; then the batch observer. A job that is not taken (``StoreError`` `busy` or `closed`) is told so at
/// once, on the caller's thread. What was acknowledged outlives the process and the machine.
public protocol Store: Sendable {
    func write(
        _ job: @escaping @Sendable (any WriteTransaction) throws -> Void,
        completion: @escaping @Sendable (Result<Void, any Error>) -> Void
    )
    /// Runs on a reader's thread, in a snapshot.
    func read(_ body: @escaping @Sendable (any ReadView) -> Void, failed: @escaping @Sendable (any Error) -> Void)
    /// Called on the writer's thread after each batch; set once, before the first write.
    func observeBatches(_ observer: @escaping @Sendable (BatchOutcome) -> Void)
    /// Finishes what is queued and closes; what comes later is refused as `closed`. Closing again does nothing.
    func close() throws
}

extension Store {
    /// Runs a job and waits for its commit.
    public func write<T: Sendable>(_ job: @escaping @Sendable (any WriteTransaction) throws -> T) async throws -> T {
        let box = ResultBox<T>()
        return try await withCheckedThrowingContinuation { continuation in
            write({ transaction in box.value = try job(transaction) }) { result in
                continuation.resume(with: result.flatMap { box.result })
            }
        }
    }

    /// Reads in a snapshot.
    public func read<T: Sendable>(_ body: @escaping @Sendable (any ReadView) throws -> T) async throws -> T {
        try await withCheckedThrowingContinuation { continuation in
            read({ view in continuation.resume(with: Result { try body(view) }) }) { error in
                continuation.resume(throwing: error)
            }
        }
    }
}
