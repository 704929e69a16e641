import BlobStore
import ClientWire
import FoundationEssentials
import Logging
import MessagingCore
import SQLiteStore
import Store
import Synchronization
import Testing

@testable import MessagingService

/// A clock that goes where the test says, back as well.
final class SteeredClock: Sendable {
    private let time = Mutex(Timestamp(rawValue: 1_790_000_000_000))

    var now: Timestamp { time.withLock { $0 } }

    func advance(milliseconds: Int64) { time.withLock { $0 = $0.advanced(by: milliseconds) } }

    func advance(days: Int64) { advance(milliseconds: days * 86_400_000) }
}

/// A temporary folder that goes with its last owner.
final class TemporaryFolder: Sendable {
    let path: String

    init() throws {
        let url = FileManager.default.temporaryDirectory.appendingPathComponent("continuo-service-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
        path = url.path
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }
}

/// A service over a real database and real files, with a clock of the test's own.
final class World: Sendable {
    static let password = "correct horse"

    let domain: String
    /// Where the ids of the test's clients come from.
    let random: @Sendable (Int) -> [UInt8]
    let folder: TemporaryFolder
    let clock: SteeredClock
    let store: FaultyStore
    let blobs: BlobStore
    let service: MessagingService

    private init(
        domain: String,
        random: @escaping @Sendable (Int) -> [UInt8],
        folder: TemporaryFolder,
        clock: SteeredClock,
        window: WindowLimits,
        router: any OutboundRouter
    ) async throws {
        self.domain = domain
        self.random = random
        self.folder = folder
        self.clock = clock
        store = FaultyStore(try SQLiteStore(path: folder.path + "/continuo.sqlite"))
        blobs = try BlobStore(folder: folder.path + "/files")
        var logger = Logger(label: "test")
        logger.logLevel = .critical
        service = try await MessagingService(
            store: store,
            blobs: blobs,
            // The least that scrypt takes: these tests are not about its cost.
            configuration: ServiceConfiguration(domains: [domain], passwordCost: 4, window: window, lanesInHand: 1),
            logger: logger,
            router: router,
            clock: { clock.now }
        )
    }

    static func open(
        domain: String = "localhost",
        random: @escaping @Sendable (Int) -> [UInt8] = { randomBytes($0) },
        clock: SteeredClock = SteeredClock(),
        window: WindowLimits = WindowLimits(),
        router: any OutboundRouter = NoRoutes()
    ) async throws -> World {
        try await World(
            domain: domain,
            random: random,
            folder: try TemporaryFolder(),
            clock: clock,
            window: window,
            router: router
        )
    }

    /// Closes this service and opens another one over the same files, as a restore does if it renews the epochs.
    func restarted(router: any OutboundRouter = NoRoutes(), renewingEpochs: Bool = false) async throws -> World {
        try store.close()
        if renewingEpochs {
            let restored = try SQLiteStore(path: folder.path + "/continuo.sqlite")
            try await restored.renewEpochs(Epoch.fresh)
            try restored.close()
        }
        return try await World(
            domain: domain,
            random: random,
            folder: folder,
            clock: clock,
            window: WindowLimits(),
            router: router
        )
    }

    deinit { try? store.close() }

    // MARK: People

    /// Makes an account `NAME` at the domain, and a device of each kind.
    func person(
        _ name: String,
        also others: [String] = [],
        devices kinds: [DeviceKind] = [.mobile],
        balance: Int64 = 0,
        entitlement: Entitlement? = nil
    ) async throws -> Person {
        let addresses = try ([name] + others).map { try Address("\($0)@\(domain)") }
        let account = try await service.createAccount(
            AccountRequest(
                name: name,
                addresses: addresses,
                password: Self.password,
                balance: balance,
                entitlement: entitlement
            )
        )
        var person = Person(id: account.id, addresses: addresses, devices: [])
        for kind in kinds { person.devices.append(try await device(of: person, kind)) }
        return person
    }

    func device(
        of person: Person,
        _ kind: DeviceKind,
        capabilities: Capabilities? = nil
    ) async throws -> Person.Device {
        let answer = try await service.login(
            LoginRequest(
                address: person.address,
                password: Self.password,
                device: DeviceDescription(
                    kind: kind,
                    label: "\(kind.rawValue)",
                    capabilities: capabilities
                        ?? Capabilities(
                            accepts: Capabilities.everything.accepts,
                            features: ["text", "audio", "video"]
                        )
                )
            )
        )
        return Person.Device(
            identity: DeviceIdentity(account: answer.account, device: answer.device),
            token: answer.token
        )
    }

    // MARK: Messages

    /// A UUID of version 7 (RFC 9562, section 5.7) made at a time of this world's clock.
    func newID(at time: Timestamp? = nil) throws -> MessageID {
        let milliseconds = hexadecimal(
            (0..<6).reversed().map { UInt8(truncatingIfNeeded: (time ?? clock.now).rawValue >> ($0 * 8)) }
        )
        let random = hexadecimal(random(9))
        return try MessageID(
            "\(milliseconds.prefix(8))-\(milliseconds.suffix(4))-7\(random.prefix(3))"
                + "-8\(random.dropFirst(3).prefix(3))-\(random.suffix(12))"
        )
    }

    func request(_ text: String = "hello", to receivers: Person..., reports: [Report]? = nil) throws -> SendRequest {
        try request(text, to: receivers.map(\.address), reports: reports)
    }

    func request(_ text: String = "hello", to addresses: [Address], reports: [Report]? = nil) throws -> SendRequest {
        SendRequest(id: try newID(), to: addresses, parts: [PartRequest(text: text)], reports: reports)
    }

    /// Uploads bytes whole and returns the handle.
    func upload(_ who: DeviceIdentity, _ bytes: [UInt8], type: String = "image/png") async throws -> String {
        let upload = try await service.startUpload(
            who,
            UploadRequest(type: type, name: "picture.png", bytes: Int64(bytes.count))
        )
        _ = try await service.appendUpload(who, upload.id, offset: 0, bytes)
        let done = try await service.finishPiece(who, upload.id)
        #expect(done.complete)
        return upload.id
    }

    // MARK: Looking in

    func item(_ person: Person, _ id: MessageID) async throws -> Item? {
        try await store.read { try $0.item(person.id, kind: .message, object: id.description) }
    }

    func account(_ person: Person) async throws -> Account {
        try #require(try await store.read { try $0.user(person.id) }).account
    }

    func ledger(_ person: Person) async throws -> [LedgerLine] {
        try await store.read { try $0.ledger(person.id, before: .max, limit: 100_000) }
    }

    func contents(bearing id: MessageID) async throws -> [StoredContent] {
        try await store.read { try $0.contents(bearing: id, limit: 10) }
    }

    func blob(_ hash: BlobHash) async throws -> BlobRecord? { try await store.read { try $0.blob(hash) } }

    /// Works the outbox until nothing is due.
    func workOutbox() async throws { while try await service.workOutbox() {} }

    /// Connects a device.
    func connect(_ device: Person.Device, cursor: Cursor? = nil, acknowledges: Bool = true) -> TestDevice {
        let connection = TestDevice(world: self, identity: device.identity, acknowledges: acknowledges)
        connection.connect(token: device.token, cursor: cursor)
        return connection
    }
}

/// An account of the tests with its devices.
struct Person: Sendable {
    struct Device: Sendable {
        var identity: DeviceIdentity
        var token: String
    }

    var id: AccountID
    var addresses: [Address]
    var devices: [Device]

    var address: Address { addresses[0] }
    /// The first device.
    var who: DeviceIdentity { devices[0].identity }
}

/// Waits until something holds, looking again and again; the test fails when it does not in time.
func eventually(
    _ what: String,
    seconds: Double = 30,
    _ place: SourceLocation = #_sourceLocation,
    _ condition: () async throws -> Bool
) async throws {
    let deadline = ContinuousClock.now.advanced(by: .seconds(seconds))
    while ContinuousClock.now < deadline {
        if try await condition() { return }
        try await Task.sleep(for: .milliseconds(2))
    }
    Issue.record("did not happen: \(what)", sourceLocation: place)
}
