import MessagingCore
import Store

/// Everything that is stored, as one value.
struct MemoryRows: Sendable {
    struct Mailbox: Sendable {
        var items: [ChangeNumber: Item] = [:]
        /// Which item has a number of change.
        var changed: [ChangeNumber: ChangeNumber] = [:]
    }

    struct Lease: Sendable {
        var node: String
        var fence: Int64
        var until: Timestamp
    }

    struct KeyID: Hashable, Sendable {
        var account: AccountID
        var message: MessageID
    }

    var accounts: [AccountID: Account] = [:]
    var holders: [Address: AccountID] = [:]
    var preferences: [AccountID: Preferences] = [:]
    var rules: [AccountID: [Int32: RuleBook]] = [:]
    var credentials: [AccountID: Credential] = [:]
    var devices: [AccountID: [DeviceID: Device]] = [:]
    var tokens: [TokenHash: DeviceIdentity] = [:]
    var sipCredentials: [String: SIPCredential] = [:]
    var mailboxes: [AccountID: Mailbox] = [:]
    var contents: [ContentID: StoredContent] = [:]
    var index: [ContentID: IndexedText] = [:]
    var keys: [KeyID: SubmissionKey] = [:]
    var ledger: [AccountID: [Int64: LedgerLine]] = [:]
    var settings: [String: [UInt8]] = [:]
    var outbox: [Int64: QueuedEntry] = [:]
    var leases: [String: Lease] = [:]
    var uploads: [String: Upload] = [:]
    var blobs: [BlobHash: BlobRecord] = [:]
    var sessions: [SessionKey: SessionRecord] = [:]
    var texts: [SessionKey: [Ordinal: ChangeNumber]] = [:]
    var lastAccount: Int64 = 0
    var lastContent: Int64 = 0
    var lastEntry: Int64 = 0
}

/// One side of a session.
struct SessionKey: Hashable, Comparable, Sendable {
    var account: AccountID
    var session: SessionID
    var role: SessionRecord.Role

    static func < (lhs: Self, rhs: Self) -> Bool {
        (lhs.account, lhs.session, lhs.role.rawValue) < (rhs.account, rhs.session, rhs.role.rawValue)
    }
}

/// The words of a content and whose they are.
struct IndexedText: Sendable {
    private let accounts: Set<AccountID>
    private let words: Set<String>

    init(accounts: [AccountID], text: String) {
        self.accounts = Set(accounts)
        words = Set(SearchWords.of(text))
    }

    /// Whether the account has it, every word stands in it, and the last one at least begins a word of it.
    func matches(_ account: AccountID, _ sought: [String]) -> Bool {
        guard accounts.contains(account), let last = sought.last else { return false }
        return sought.dropLast().allSatisfy(words.contains) && words.contains { $0.hasPrefix(last) }
    }
}
