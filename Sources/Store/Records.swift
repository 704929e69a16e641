public import MessagingCore

/// A message's content as stored: once for the provider, shared by all items that name it.
public struct StoredContent: Hashable, Sendable {
    public var id: ContentID
    public var message: MessageID
    /// The envelope as the client contract's JSON, encoded once.
    public var document: [UInt8]
    /// Blobs that the parts refer to, one entry for each reference.
    public var blobs: [BlobHash]
    /// Every account that was ever given an item of it: for tracing and for the search index.
    public var accounts: [AccountID]
    /// Live items that name it; at zero the row goes.
    public var references: Int
    /// Live items that have not released it; at zero parts and blobs go, the envelope stays.
    public var holders: Int
    public var time: Timestamp

    /// Content with its first references.
    public init(
        id: ContentID,
        message: MessageID,
        document: [UInt8],
        blobs: [BlobHash],
        accounts: [AccountID],
        references: Int,
        holders: Int,
        time: Timestamp
    ) {
        self.id = id
        self.message = message
        self.document = document
        self.blobs = blobs
        self.accounts = accounts
        self.references = references
        self.holders = holders
        self.time = time
    }
}

/// What a message id was first used for, kept for ``Limits/keyHorizonMilliseconds``.
public struct SubmissionKey: Hashable, Sendable {
    /// SHA-256 of the request, where another digest under the same id is a conflict; of the sender's address, for what came
    /// from another provider.
    public var digest: [UInt8]
    /// The number of the account's item.
    public var created: ChangeNumber
    public var time: Timestamp

    /// A key as committed with its message.
    public init(digest: [UInt8], created: ChangeNumber, time: Timestamp) {
        self.digest = digest
        self.created = created
        self.time = time
    }
}

/// A password as kept: a scrypt hash with its parameters, opaque to the store.
public struct Credential: Hashable, Sendable {
    public var encoded: String

    /// Wraps an encoded hash.
    public init(encoded: String) { self.encoded = encoded }
}

/// SHA-256 of a device's token; the token itself is never stored.
public struct TokenHash: Hashable, Sendable {
    /// 32 bytes.
    public var bytes: [UInt8]

    /// Wraps a hash.
    public init(bytes: [UInt8]) { self.bytes = bytes }
}

/// Who a token belongs to.
public struct DeviceIdentity: Hashable, Sendable {
    public var account: AccountID
    public var device: DeviceID

    /// A device of an account.
    public init(account: AccountID, device: DeviceID) {
        self.account = account
        self.device = device
    }
}

/// What a SIP phone proves itself with (RFC 3261, section 22.4): one for each such device, never the account's password.
///
/// Of the password itself only H(user:realm:password) is kept, by digest algorithm.
public struct SIPCredential: Hashable, Sendable, Codable {
    /// The user name of the digest; unique within the provider.
    public var user: String
    public var account: AccountID
    public var device: DeviceID
    public var realm: String
    /// Hexadecimal, by the algorithm's name (RFC 7616, section 6.1): what is missing here cannot be used.
    public var hashes: [String: String]

    /// A credential of one device.
    public init(user: String, identity: DeviceIdentity, realm: String, hashes: [String: String]) {
        self.user = user
        account = identity.account
        device = identity.device
        self.realm = realm
        self.hashes = hashes
    }

    /// The device that it is of.
    public var identity: DeviceIdentity { DeviceIdentity(account: account, device: device) }
}

/// An upload in progress or complete: a handle for one account, never a reference by hash.
public struct Upload: Hashable, Sendable {
    public var id: String
    public var account: AccountID
    public var type: String
    public var name: String?
    /// What the client announced; the upload is complete when so many bytes are there.
    public var bytes: Int64
    /// Set when complete.
    public var hash: BlobHash?
    /// The handle is good until then; each piece renews it.
    public var leaseEnds: Timestamp

    /// An upload as announced.
    public init(
        id: String,
        account: AccountID,
        type: String,
        name: String?,
        bytes: Int64,
        hash: BlobHash? = nil,
        leaseEnds: Timestamp
    ) {
        self.id = id
        self.account = account
        self.type = type
        self.name = name
        self.bytes = bytes
        self.hash = hash
        self.leaseEnds = leaseEnds
    }
}

/// A blob's row: the file lies in the blob store under its hash.
public struct BlobRecord: Hashable, Sendable {
    public var hash: BlobHash
    public var bytes: Int64
    /// Uploads, contents and files that refer to it.
    public var references: Int
    /// Since when it is dying: nothing refers to it, and after a grace the file is unlinked.
    public var dyingSince: Timestamp?

    /// A row as stored.
    public init(hash: BlobHash, bytes: Int64, references: Int, dyingSince: Timestamp?) {
        self.hash = hash
        self.bytes = bytes
        self.references = references
        self.dyingSince = dyingSince
    }
}

/// An outbox entry with its place in the queue.
public struct QueuedEntry: Hashable, Sendable {
    public var id: Int64
    public var entry: OutboxEntry
    public var attempts: Int
    /// Not to be tried before.
    public var due: Timestamp

    /// An entry as stored.
    public init(id: Int64, entry: OutboxEntry, attempts: Int, due: Timestamp) {
        self.id = id
        self.entry = entry
        self.attempts = attempts
        self.due = due
    }
}

/// A lease on a lane: one worker at a time; the fence rises with every new holder.
public struct Claim: Hashable, Sendable {
    public var lane: String
    public var fence: Int64
    public var until: Timestamp

    /// A claim as granted.
    public init(lane: String, fence: Int64, until: Timestamp) {
        self.lane = lane
        self.fence = fence
        self.until = until
    }
}

/// Which items of a mailbox to list, newest first.
public struct Listing: Hashable, Sendable {
    /// The two views of messages.
    public enum Box: String, Sendable, CaseIterable {
        case inbox
        case sent
    }

    public var kinds: [ItemKind]
    /// Only messages of this view.
    public var box: Box?
    public var conversation: ConversationID?
    public var unreadOnly: Bool
    /// Only items created before this number.
    public var before: ChangeNumber
    public var limit: Int

    /// A page of live items.
    public init(
        kinds: [ItemKind] = ItemKind.allCases,
        box: Box? = nil,
        conversation: ConversationID? = nil,
        unreadOnly: Bool = false,
        before: ChangeNumber = .max,
        limit: Int
    ) {
        self.kinds = kinds
        self.box = box
        self.conversation = conversation
        self.unreadOnly = unreadOnly
        self.before = before
        self.limit = limit
    }
}

/// One conversation of a mailbox, as a list shows it.
public struct ConversationSummary: Hashable, Sendable {
    public var conversation: ConversationID
    /// The newest live message.
    public var newest: ChangeNumber
    public var messages: Int
    public var unread: Int

    /// A summary as read.
    public init(conversation: ConversationID, newest: ChangeNumber, messages: Int, unread: Int) {
        self.conversation = conversation
        self.newest = newest
        self.messages = messages
        self.unread = unread
    }
}
