import ClientWire
public import Logging
public import MessagingCore
public import Store
import Synchronization

/// Everything a provider does for its users, behind one value: commands in, committed effects out.
///
/// Commands run in the store's writer: load, decide, write, commit; only then are they answered and devices woken.
/// What is kept in memory (users, who is connected) is a copy of committed state or a hint, never truth.
public final class MessagingService: Sendable {
    let store: any Store
    let blobs: any BlobFiles
    let logger: Logger
    let clock: @Sendable () -> Timestamp
    let configuration: ServiceConfiguration
    let users: UserCache
    let hub: Hub
    let links: LinkSigner
    let passwords: PasswordHasher
    let figures = Figures()
    let tokens = TokenCache()
    let files = BlockingLanes(label: "blobs", width: 4, limit: 4096)
    /// Some seconds of work: whoever has to wait longer is told so at once.
    let hashing = BlockingLanes(label: "passwords", width: 1, limit: 64)
    /// Requests for conversations, by who asks: a user of this provider, or a domain and whom it asks.
    let sessionRequests: RateLimiter<String>
    let policy: Mutex<OperatorSettings>
    let started: Timestamp
    let router: any OutboundRouter
    let uploadsInHand = UploadLocks()
    let claimsSwept = Mutex(Timestamp(rawValue: 0))
    let outboxSignal = Signal()
    /// Lanes that stand still for something that cannot be read, told of already.
    let stuckLanes = Mutex<Set<String>>([])
    let sessionAlarm = SessionAlarm()
    /// Accounts that may be in a conversation: only for them does it matter who connects.
    let talking = Mutex<Set<AccountID>>([])
    /// How many want no blob to be buried.
    let keepers = Keepers()

    /// Opens the service over a store; reads the operator's settings, makes the link key on first use, and mends what a
    /// crash left of uploads.
    public init(
        store: any Store,
        blobs: any BlobFiles,
        configuration: ServiceConfiguration = ServiceConfiguration(),
        logger: Logger,
        router: any OutboundRouter = NoRoutes(),
        clock: @escaping @Sendable () -> Timestamp = Timestamp.wallClock
    ) async throws {
        self.store = store
        self.blobs = blobs
        self.logger = logger
        self.clock = clock
        self.router = router
        self.configuration = configuration
        passwords = PasswordHasher(cost: configuration.passwordCost)
        sessionRequests = RateLimiter(configuration.sessionRequests, capacity: configuration.cachedUsers)
        users = UserCache(capacity: configuration.cachedUsers)
        hub = Hub()
        started = clock()
        let users = users
        let hub = hub
        store.observeBatches { outcome in
            let changes = users.batchEnded(outcome)
            hub.batchEnded(changes)
        }
        let key = try await Self.linkKey(store)
        links = LinkSigner(key: key, base: configuration.publicURL)
        let stored = try await store.read { try $0.setting(Self.settingsName) }
        policy = Mutex(try Self.decodeSettings(stored))
        try await recoverFiles()
    }

    /// The operator's settings in force.
    var settingsInForce: OperatorSettings { policy.withLock { $0 } }

    static let settingsName = "operator"

    private static func decodeSettings(_ bytes: [UInt8]?) throws -> OperatorSettings {
        guard let bytes else { return OperatorSettings() }
        return try Documents.decode(OperatorSettings.self, bytes)
    }

    private static func linkKey(_ store: any Store) async throws -> [UInt8] {
        let name = "link-key"
        if let key = try await store.read({ try $0.setting(name) }) { return key }
        return try await store.write { transaction in
            if let key = try transaction.setting(name) { return key }
            let key = randomBytes(32)
            try transaction.apply(.setting(name, key))
            return key
        }
    }
}

/// What an operator can set about the service when starting it.
public struct ServiceConfiguration: Sendable {
    /// Domains whose addresses are this provider's own.
    public var domains: [String]
    /// Where devices reach this server; notification links begin with it.
    public var publicURL: String
    /// log2 of scrypt's N (RFC 7914): 15 takes 32 MiB and about 70 ms.
    public var passwordCost: Int
    /// Users kept in memory by the writer.
    public var cachedUsers: Int
    /// How long a notification's link is good.
    public var linkLifeMilliseconds: Int64
    public var window: WindowLimits
    /// How long a user may be away from a conversation with every device before it counts as leaving.
    public var sessionGraceMilliseconds: Int64
    /// How often one user, or a peer of one user, may ask for a conversation: each is kept for a week.
    public var sessionRequests: Rate
    /// What devices may use to reach each other.
    public var mediaRelays: MediaRelays
    /// Lanes to one other provider that are worked at once.
    public var lanesInHand: Int
    /// How SIP phones prove themselves; nil when none are served.
    public var sip: SIPAccess?
    /// Names this process when it claims lanes.
    public var node: String

    /// A configuration for one machine.
    public init(
        domains: [String] = ["localhost"],
        publicURL: String = "http://127.0.0.1:8080",
        passwordCost: Int = 15,
        cachedUsers: Int = 100_000,
        linkLifeMilliseconds: Int64 = 7 * 86_400_000,
        window: WindowLimits = WindowLimits(),
        sessionGraceMilliseconds: Int64 = 120_000,
        sessionRequests: Rate = Rate(burst: 120, perSecond: 2),
        mediaRelays: MediaRelays = MediaRelays(),
        lanesInHand: Int = 8,
        sip: SIPAccess? = nil,
        node: String = "single"
    ) {
        self.domains = domains
        self.publicURL = publicURL
        self.passwordCost = passwordCost
        self.cachedUsers = cachedUsers
        self.linkLifeMilliseconds = linkLifeMilliseconds
        self.window = window
        self.sessionGraceMilliseconds = sessionGraceMilliseconds
        self.sessionRequests = sessionRequests
        self.mediaRelays = mediaRelays
        self.lanesInHand = lanesInHand
        self.sip = sip
        self.node = node
    }
}

/// How far a device may be sent ahead of what it has acknowledged.
public struct WindowLimits: Sendable, Hashable {
    public var items: Int
    public var bytes: Int

    /// A window; 1,024 changes or 1 MiB unless told.
    public init(items: Int = 1024, bytes: Int = 1 << 20) {
        self.items = items
        self.bytes = bytes
    }
}

/// Counters that the operator sees.
final class Figures: Sendable {
    let messages = Atomic<Int64>(0)
    let commits = Atomic<Int64>(0)
    /// Commands by how long they took from asking to commit: each bucket twice as long as the one before.
    private let latency = Mutex([Int64](repeating: 0, count: latencyBuckets))

    /// From 128 microseconds to 8 seconds, and what takes longer.
    private static let latencyBuckets = 18
    private static let firstBucketMicroseconds: Int64 = 128

    func committed(microseconds: Int64) {
        commits.add(1, ordering: .relaxed)
        var bucket = 0
        while bucket < Self.latencyBuckets - 1, microseconds > Self.firstBucketMicroseconds << Int64(bucket) {
            bucket += 1
        }
        latency.withLock { $0[bucket] += 1 }
    }

    var latencies: [LatencyBucket] {
        latency.withLock { $0 }.enumerated().map { index, count in
            LatencyBucket(
                microseconds: index < Self.latencyBuckets - 1 ? Self.firstBucketMicroseconds << Int64(index) : nil,
                count: count
            )
        }
    }
}

/// Counts those who copy blobs.
final class Keepers: Sendable {
    private let count = Atomic<Int>(0)

    var isKeeping: Bool { count.load(ordering: .acquiring) > 0 }

    func enter() { count.add(1, ordering: .acquiringAndReleasing) }

    func leave() { count.subtract(1, ordering: .acquiringAndReleasing) }
}
