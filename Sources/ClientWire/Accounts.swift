public import MessagingCore

/// What a client says of the device it runs on.
public struct DeviceDescription: Hashable, Sendable, Codable {
    public var kind: DeviceKind
    public var label: String
    /// Absent: takes everything.
    public var capabilities: Capabilities?

    /// A device as it introduces itself.
    public init(kind: DeviceKind, label: String, capabilities: Capabilities? = nil) {
        self.kind = kind
        self.label = label
        self.capabilities = capabilities
    }
}

/// `POST /v1/login`: an address and a password make a new device with its own token.
public struct LoginRequest: Hashable, Sendable, Codable {
    public var address: Address
    public var password: String
    public var device: DeviceDescription

    /// Credentials, and the device to register.
    public init(address: Address, password: String, device: DeviceDescription) {
        self.address = address
        self.password = password
        self.device = device
    }
}

/// The token is shown once; the server keeps only its hash.
public struct LoginAnswer: Hashable, Sendable, Codable {
    public var token: String
    public var account: AccountID
    public var device: DeviceID
    public var addresses: [Address]
    public var now: Timestamp

    /// An answer to a login.
    public init(token: String, account: AccountID, device: DeviceID, addresses: [Address], now: Timestamp) {
        self.token = token
        self.account = account
        self.device = device
        self.addresses = addresses
        self.now = now
    }
}

/// A device as its owner sees it (R16); also the `value` of a `device` item.
public struct DeviceDocument: Hashable, Sendable, Codable {
    public var id: DeviceID
    public var kind: DeviceKind
    public var label: String
    public var capabilities: Capabilities
    public var availability: Availability
    public var synchronises: Bool
    public var registered: Timestamp

    /// The contract's form of a device; what changes with every connection is in ``DeviceStatus``.
    public init(_ device: Device) {
        id = device.id
        kind = device.kind
        label = device.label
        capabilities = device.capabilities
        availability = device.availability
        synchronises = device.synchronises
        registered = device.registered
    }
}

/// A device with what changes all the time (`GET /v1/devices`).
public struct DeviceStatus: Hashable, Sendable, Codable {
    public var device: DeviceDocument
    /// Its registration holds.
    public var isRegistered: Bool
    /// It has a socket open.
    public var isConnected: Bool
    public var lastSeen: Timestamp
    /// This is the device that asks.
    public var isThis: Bool

    /// A device's state now.
    public init(_ device: Device, isRegistered: Bool, isConnected: Bool, isThis: Bool) {
        self.device = DeviceDocument(device)
        self.isRegistered = isRegistered
        self.isConnected = isConnected
        lastSeen = device.lastSeen
        self.isThis = isThis
    }
}

/// `PATCH /v1/devices/{id}`: what is absent stays.
public struct DeviceChange: Hashable, Sendable, Codable {
    public var label: String?
    public var kind: DeviceKind?
    public var capabilities: Capabilities?
    public var availability: Availability?
    public var synchronises: Bool?

    /// No change yet.
    public init() {}
}

/// `POST /v1/phones`: a SIP phone becomes a device of the account.
public struct PhoneRequest: Hashable, Sendable, Codable {
    public var label: String
    /// Absent: a fixed phone.
    public var kind: DeviceKind?
    /// Whether it takes `message/cpim` (RFC 3862); absent: found out from what it says.
    public var cpim: Bool?

    /// A phone as its owner calls it.
    public init(label: String, kind: DeviceKind? = nil, cpim: Bool? = nil) {
        self.label = label
        self.kind = kind
        self.cpim = cpim
    }
}

/// What to enter into the phone; the password is shown once, the server keeps only its hash.
public struct PhoneAnswer: Hashable, Sendable, Codable {
    public var device: DeviceDocument
    /// The address that the phone registers as.
    public var address: Address
    /// The user name of the digest (RFC 3261, section 22).
    public var user: String
    public var password: String
    public var realm: String
    /// Where it may connect, each as `host:port;transport=...`.
    public var servers: [String]

    /// Credentials as made.
    public init(
        device: DeviceDocument,
        address: Address,
        user: String,
        password: String,
        realm: String,
        servers: [String]
    ) {
        self.device = device
        self.address = address
        self.user = user
        self.password = password
        self.realm = realm
        self.servers = servers
    }
}

/// `GET /v1/account`; also the `value` of the `account` item, without balance and usage.
public struct AccountDocument: Hashable, Sendable, Codable {
    public var id: AccountID
    public var name: String
    public var addresses: [Address]
    public var balance: Int64
    public var usedBytes: Int64
    public var quotaBytes: Int64
    public var maximumMessageBytes: Int64
    public var canSend: Bool
    public var suspended: Bool
    public var storesReceived: Bool
    public var storesSent: Bool

    /// The contract's form of an account.
    public init(_ account: Account) {
        id = account.id
        name = account.name
        addresses = account.addresses
        balance = account.balance
        usedBytes = account.used
        quotaBytes = account.entitlement.quotaBytes
        maximumMessageBytes = account.entitlement.maximumMessageBytes
        canSend = account.entitlement.canSend
        suspended = account.suspended
        storesReceived = account.entitlement.storesReceived
        storesSent = account.entitlement.storesSent
    }
}

/// `PUT /v1/account/password`.
public struct PasswordChange: Hashable, Sendable, Codable {
    public var old: String
    public var new: String

    /// The old password proves the person; other devices keep their tokens.
    public init(old: String, new: String) {
        self.old = old
        self.new = new
    }
}

/// One line of the ledger.
public struct LedgerDocument: Hashable, Sendable, Codable {
    public var number: Int64
    public var time: Timestamp
    public var reason: LedgerLine.Reason
    public var amount: Int64
    public var balance: Int64
    public var message: MessageID?
    public var receiver: Address?
    public var note: String?

    /// The contract's form of a line.
    public init(_ line: LedgerLine) {
        number = line.number
        time = line.time
        reason = line.reason
        amount = line.amount
        balance = line.balance
        message = line.message
        receiver = line.receiver
        note = line.note
    }
}

/// A page of the ledger, newest first.
public struct LedgerPage: Hashable, Sendable, Codable {
    public var lines: [LedgerDocument]
    public var next: Int64?

    /// A page as read.
    public init(lines: [LedgerDocument], next: Int64?) {
        self.lines = lines
        self.next = next
    }
}

/// A person in the contact list; the `value` of a `contact` item.
public struct Contact: Hashable, Sendable, Codable {
    /// Chosen by the client; the same alphabet as a message id.
    public var id: MessageID
    public var name: String
    public var addresses: [Address]
    /// Names of the lists it is on; rules can speak of them.
    public var lists: [String]
    public var note: String?

    /// A contact.
    public init(id: MessageID, name: String, addresses: [Address], lists: [String] = [], note: String? = nil) {
        self.id = id
        self.name = name
        self.addresses = addresses
        self.lists = lists
        self.note = note
    }
}

/// `GET /v1/contacts`.
public struct ContactPage: Hashable, Sendable, Codable {
    public var contacts: [Contact]
    public var next: ChangeNumber?

    /// A page as read.
    public init(contacts: [Contact], next: ChangeNumber?) {
        self.contacts = contacts
        self.next = next
    }
}

/// `GET` and `PUT /v1/blocked`; also the `value` of the `blocked` item.
public struct BlockedDocument: Hashable, Sendable, Codable {
    public var addresses: [Address]

    /// The blocked senders.
    public init(addresses: [Address]) { self.addresses = addresses }
}

/// `POST /v1/rules/dry-run`: what each device would get, by the rules given or those in force.
public struct DryRunRequest: Hashable, Sendable, Codable {
    public var from: Address
    /// Own addresses written to; the principal one if absent.
    public var to: [Address]?
    public var kind: MessageKind?
    public var mediaTypes: [String]?
    public var bytes: Int64?
    /// Rules to try before they are put; absent: those in force.
    public var rules: RuleBook?
    /// The moment to decide for; absent: now.
    public var at: Timestamp?

    /// A message that might come.
    public init(from: Address) { self.from = from }
}

/// A file of the personal area; the `value` of a `file` item.
public struct FileDocument: Hashable, Sendable, Codable {
    public var id: String
    public var name: String
    public var type: String
    public var bytes: Int64
    public var sha256: BlobHash
    public var stored: Timestamp

    /// A stored file.
    public init(id: String, name: String, type: String, bytes: Int64, sha256: BlobHash, stored: Timestamp) {
        self.id = id
        self.name = name
        self.type = type
        self.bytes = bytes
        self.sha256 = sha256
        self.stored = stored
    }
}

/// `GET /v1/files`.
public struct FilePage: Hashable, Sendable, Codable {
    public var files: [FileDocument]
    public var next: ChangeNumber?

    /// A page as read.
    public init(files: [FileDocument], next: ChangeNumber?) {
        self.files = files
        self.next = next
    }
}

/// `POST /v1/files`: a complete upload becomes a file.
public struct FileRequest: Hashable, Sendable, Codable {
    public var upload: String
    public var name: String?

    /// Names the upload.
    public init(upload: String, name: String? = nil) {
        self.upload = upload
        self.name = name
    }
}

/// `POST /v1/uploads`: announces an upload.
public struct UploadRequest: Hashable, Sendable, Codable {
    public var type: String
    public var name: String?
    public var bytes: Int64

    /// What is going to come.
    public init(type: String, name: String? = nil, bytes: Int64) {
        self.type = type
        self.name = name
        self.bytes = bytes
    }
}

/// An upload's state: send the rest from `offset` with `PATCH /v1/uploads/{id}`.
public struct UploadDocument: Hashable, Sendable, Codable {
    public var id: String
    public var bytes: Int64
    public var offset: Int64
    public var complete: Bool
    public var sha256: BlobHash?
    public var leaseEnds: Timestamp

    /// A state as found.
    public init(
        id: String,
        bytes: Int64,
        offset: Int64,
        complete: Bool,
        sha256: BlobHash?,
        leaseEnds: Timestamp
    ) {
        self.id = id
        self.bytes = bytes
        self.offset = offset
        self.complete = complete
        self.sha256 = sha256
        self.leaseEnds = leaseEnds
    }
}

/// `GET /v1/devices`.
public struct DeviceList: Hashable, Sendable, Codable {
    public var devices: [DeviceStatus]

    /// All devices of the account.
    public init(devices: [DeviceStatus]) { self.devices = devices }
}
