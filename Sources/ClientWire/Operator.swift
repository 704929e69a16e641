public import MessagingCore

/// The operator's own settings, above every user's rules.
public struct OperatorSettings: Hashable, Sendable, Codable {
    public var policy: OperatorPolicy
    public var tariff: Tariff
    /// Received and sent content is released after so many days; nil keeps it.
    public var retentionDays: Int?
    /// Retention also deletes on devices (a tombstone), not only in the store.
    public var retentionAlsoOnDevices: Bool
    /// What a new account gets.
    public var entitlement: Entitlement
    public var initialBalance: Int64

    /// The settings of a new installation.
    public init(
        policy: OperatorPolicy = OperatorPolicy(),
        tariff: Tariff = Tariff(),
        retentionDays: Int? = nil,
        retentionAlsoOnDevices: Bool = false,
        entitlement: Entitlement = Entitlement(),
        initialBalance: Int64 = 0
    ) {
        self.policy = policy
        self.tariff = tariff
        self.retentionDays = retentionDays
        self.retentionAlsoOnDevices = retentionAlsoOnDevices
        self.entitlement = entitlement
        self.initialBalance = initialBalance
    }
}

/// `POST /operator/accounts`.
public struct AccountRequest: Hashable, Sendable, Codable {
    public var name: String
    public var addresses: [Address]
    public var password: String
    /// Absent: the operator's default.
    public var balance: Int64?
    public var entitlement: Entitlement?

    /// A new account.
    public init(
        name: String,
        addresses: [Address],
        password: String,
        balance: Int64? = nil,
        entitlement: Entitlement? = nil
    ) {
        self.name = name
        self.addresses = addresses
        self.password = password
        self.balance = balance
        self.entitlement = entitlement
    }
}

/// `PATCH /operator/accounts/{id}`: what is absent stays.
public struct AccountChange: Hashable, Sendable, Codable {
    public var name: String?
    public var addresses: [Address]?
    public var suspended: Bool?
    public var entitlement: Entitlement?
    public var password: String?

    /// No change yet.
    public init() {}
}

/// `POST /operator/accounts/{id}/credit`.
public struct CreditRequest: Hashable, Sendable, Codable {
    /// Negative takes credit away.
    public var amount: Int64
    public var note: String?

    /// A movement by hand.
    public init(amount: Int64, note: String? = nil) {
        self.amount = amount
        self.note = note
    }
}

/// `GET /operator/accounts`.
public struct AccountPage: Hashable, Sendable, Codable {
    public var accounts: [AccountDocument]
    public var next: AccountID?

    /// A page as read.
    public init(accounts: [AccountDocument], next: AccountID?) {
        self.accounts = accounts
        self.next = next
    }
}

/// `GET /operator/trace/{message}`: what happened to a message, mailbox by mailbox and device by device.
public struct TraceDocument: Hashable, Sendable, Codable {
    /// One mailbox that has, or had, the message.
    public struct Mailbox: Hashable, Sendable, Codable {
        public var account: AccountID
        public var name: String
        public var created: ChangeNumber
        public var changed: ChangeNumber
        /// `sent`, `received`, `read`, `delivered`, `released`, `deleted`.
        public var flags: [String]
        public var receivers: [ReceiverDocument]
        public var devices: [Share]

        /// A mailbox as traced.
        public init(
            account: AccountID,
            name: String,
            created: ChangeNumber,
            changed: ChangeNumber,
            flags: [String],
            receivers: [ReceiverDocument],
            devices: [Share]
        ) {
            self.account = account
            self.name = name
            self.created = created
            self.changed = changed
            self.flags = flags
            self.receivers = receivers
            self.devices = devices
        }
    }

    /// One device's share, and whether its acknowledgement covers it.
    public struct Share: Hashable, Sendable, Codable {
        public var decision: ExplanationDocument.Entry
        public var acknowledged: Bool

        /// A device as traced.
        public init(decision: ExplanationDocument.Entry, acknowledged: Bool) {
            self.decision = decision
            self.acknowledged = acknowledged
        }
    }

    public var message: MessageID
    public var mailboxes: [Mailbox]
    public var ledger: [LedgerDocument]

    /// A trace as read.
    public init(message: MessageID, mailboxes: [Mailbox], ledger: [LedgerDocument]) {
        self.message = message
        self.mailboxes = mailboxes
        self.ledger = ledger
    }
}

/// `GET /operator/status`: live figures.
public struct StatusDocument: Hashable, Sendable, Codable {
    public var version: String
    public var started: Timestamp
    public var connections: Int
    public var messages: Int64
    public var commits: Int64
    public var outbox: Int
    /// How many commands took up to `microseconds` from asking to commit, since the start: each count is of its own
    /// bucket, the last one is without a bound.
    public var latency: [LatencyBucket]

    /// Figures as of now.
    public init(
        version: String,
        started: Timestamp,
        connections: Int,
        messages: Int64,
        commits: Int64,
        outbox: Int,
        latency: [LatencyBucket]
    ) {
        self.version = version
        self.started = started
        self.connections = connections
        self.messages = messages
        self.commits = commits
        self.outbox = outbox
        self.latency = latency
    }
}

/// Commands that took up to a time.
public struct LatencyBucket: Hashable, Sendable, Codable {
    /// Absent: longer than all others.
    public var microseconds: Int64?
    public var count: Int64

    /// A bucket with its count.
    public init(microseconds: Int64?, count: Int64) {
        self.microseconds = microseconds
        self.count = count
    }
}

/// `GET /operator/outbox`: what waits for other domains, and for receivers beyond a commit's limit.
public struct OutboxDocument: Hashable, Sendable, Codable {
    /// Work that is done in order.
    public struct Lane: Hashable, Sendable, Codable {
        public var lane: String
        /// Entries that wait; counting stops at ``OutboxDocument/countedEntries``.
        public var waiting: Int
        /// How often the oldest one was tried.
        public var attempts: Int
        /// When it is tried next.
        public var due: Timestamp

        /// A lane as read.
        public init(lane: String, waiting: Int, attempts: Int, due: Timestamp) {
            self.lane = lane
            self.waiting = waiting
            self.attempts = attempts
            self.due = due
        }
    }

    public static let countedEntries = 100

    public var lanes: [Lane]

    /// Lanes in the order of their oldest entries.
    public init(lanes: [Lane]) { self.lanes = lanes }
}

/// `GET /operator/errors`: what the server warned of lately, newest first.
public struct ErrorPage: Hashable, Sendable, Codable {
    /// One line of the log.
    public struct Entry: Hashable, Sendable, Codable {
        public var time: Timestamp
        /// `warning`, `error` or `critical`.
        public var level: String
        public var message: String
        public var details: [String: String]

        /// A line as logged.
        public init(time: Timestamp, level: String, message: String, details: [String: String]) {
            self.time = time
            self.level = level
            self.message = message
            self.details = details
        }
    }

    public var errors: [Entry]

    /// Lines, newest first.
    public init(errors: [Entry]) { self.errors = errors }
}
