import BlobStore
import ClientWire
import Foundation
import Logging
import MessagingCore
import MessagingService
import NIOCore
import NIOPosix
import SIP
import SQLiteStore
import SessionCore
import Store
import Synchronization

@testable import SIPGateway

/// A service over a real database with its gateway on real sockets of the loopback interface.
final class Provider: Sendable {
    static let password = "correct horse"

    let folder: URL
    let store: SQLiteStore
    /// The store as the service has it.
    let faulty: FaultyStore
    let service: MessagingService
    let addresses: [SIPTransportKind: SocketAddress]
    private let running: Task<Void, any Error>

    private init(
        _ folder: URL,
        _ store: SQLiteStore,
        _ faulty: FaultyStore,
        _ service: MessagingService,
        _ addresses: [SIPTransportKind: SocketAddress],
        _ running: Task<Void, any Error>
    ) {
        self.folder = folder
        self.store = store
        self.faulty = faulty
        self.service = service
        self.addresses = addresses
        self.running = running
    }

    deinit { try? FileManager.default.removeItem(at: folder) }

    /// - Parameter folder: that of an earlier provider, whose users it takes over.
    static func start(
        in folder: URL? = nil,
        algorithms: [DigestAlgorithm] = [.sha256],
        transports: [SIPTransportKind] = [.udp, .tcp, .ws],
        certificate: SIPGatewayConfiguration.Certificate? = nil,
        host: String = "127.0.0.1",
        publicHost: String? = nil,
        _ adjust: (inout SIPGatewayLimits) -> Void = { _ in }
    ) async throws -> Provider {
        let folder =
            folder ?? FileManager.default.temporaryDirectory.appendingPathComponent("continuo-sip-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        let store = try SQLiteStore(path: folder.path + "/continuo.sqlite")
        let faulty = FaultyStore(store)
        var logger = Logger(label: "test")
        logger.logLevel = .critical
        let service = try await MessagingService(
            store: faulty,
            blobs: try BlobStore(folder: folder.path + "/files"),
            configuration: ServiceConfiguration(
                domains: ["example.org"],
                passwordCost: 4,
                sip: SIPAccess(realm: "example.org", servers: ["here"], allowsMD5: algorithms.contains(.md5))
            ),
            logger: logger
        )
        var limits = SIPGatewayLimits()
        adjust(&limits)
        var configuration = SIPGatewayConfiguration(
            doors: transports.map {
                SIPGatewayConfiguration.Door($0, host: host, port: 0, algorithms: algorithms)
            },
            realm: "example.org",
            certificate: certificate,
            limits: limits
        )
        configuration.publicHost = publicHost
        configuration.texts = ("127.0.0.1", 0)
        if certificate != nil { configuration.secureTexts = ("127.0.0.1", 0) }
        let listening = Signalled<[SIPTransportKind: SocketAddress]>()
        let settings = configuration
        let gateway = SIPGateway(
            service: service,
            configuration: settings,
            group: MultiThreadedEventLoopGroup.singleton,
            logger: logger,
            onListening: { listening.set($0) }
        )
        let running = Task { try await gateway.run() }
        return Provider(folder, store, faulty, service, try await listening.value(), running)
    }

    /// Closes everything; the folder stays for ``start(in:)`` as long as this value lives.
    func stop() async throws {
        running.cancel()
        _ = await running.result
        try store.close()
    }

    /// Whoever writes waits from now on; it can still be read.
    func holdCommits() async throws -> HeldCommits {
        let held = HeldCommits()
        let isHeld = Signalled<Bool>()
        store.write { _ in
            isHeld.set(true)
            held.wait()
        } completion: { _ in
        }
        _ = try await isHeld.value()
        return held
    }

    func port(_ transport: SIPTransportKind) -> Int { addresses[transport]?.port ?? 0 }

    // MARK: People

    /// Makes `NAME@example.org` with a device of the ordinary sort.
    func person(_ name: String, balance: Int64 = 1000, entitlement: Entitlement? = nil) async throws -> Person {
        let address = try Address("\(name)@example.org")
        let account = try await service.createAccount(
            AccountRequest(
                name: name,
                addresses: [address],
                password: Self.password,
                balance: balance,
                entitlement: entitlement
            )
        )
        let login = try await service.login(
            LoginRequest(
                address: address,
                password: Self.password,
                device: DeviceDescription(kind: .computer, label: "laptop")
            )
        )
        return Person(
            address: address,
            identity: DeviceIdentity(account: account.id, device: login.device),
            token: login.token
        )
    }

    func phone(of person: Person, cpim: Bool? = nil) async throws -> PhoneAnswer {
        try await service.addPhone(person.identity, PhoneRequest(label: "phone", cpim: cpim))
    }

    /// Sends a text from somebody's ordinary device.
    @discardableResult
    func send(
        _ text: String,
        from sender: Person,
        to receiver: Person,
        subject: String? = nil,
        reports: [Report] = []
    ) async throws -> MessageID {
        let request = SendRequest(
            id: newID(),
            to: [receiver.address],
            subject: subject,
            parts: [PartRequest(text: text)],
            reports: reports
        )
        return try await service.send(sender.identity, request).id
    }

    func newID() -> MessageID {
        let milliseconds = String(service.now.rawValue, radix: 16)
        let time = String(repeating: "0", count: 12 - milliseconds.count) + milliseconds
        func random(_ digits: Int) -> String {
            (0..<digits).map { _ in String(Int.random(in: 0..<16), radix: 16) }.joined()
        }
        return MessageID(stored: "\(time.prefix(8))-\(time.suffix(4))-7\(random(3))-8\(random(3))-\(random(12))")
    }

    /// The inbox of somebody's ordinary device, oldest first.
    func inbox(_ person: Person) async throws -> [ItemDocument] {
        try await service.messages(person.identity, Listing(box: .inbox, limit: 100)).items.reversed()
    }

    func texts(_ person: Person) async throws -> [String] {
        try await inbox(person).map { $0.message?.parts.first?.text ?? "-" }
    }

    /// Until when the phone's registration holds, as it is stored.
    func leaseEnd(of phone: PhoneAnswer, _ person: Person) async throws -> Timestamp? {
        try await store.read { try $0.user(person.identity.account)?.device(phone.device.id)?.leaseEnds }
    }

    func status(of phone: PhoneAnswer, _ person: Person) async throws -> DeviceStatus? {
        try await service.devices(person.identity.account, asking: nil).devices
            .first { $0.device.id == phone.device.id }
    }
}

/// A database whose writer is busy until it is let go.
final class HeldCommits: Sendable {
    private let isOver = DispatchSemaphore(value: 0)

    fileprivate func wait() { isOver.wait() }

    func end() { isOver.signal() }
}

struct Person: Sendable {
    var address: Address
    var identity: DeviceIdentity
    var token: String
}

/// A value that somebody waits for.
final class Signalled<Value: Sendable>: Sendable {
    private let stored = Mutex<Value?>(nil)

    func set(_ value: Value) { stored.withLock { $0 = value } }

    func value() async throws -> Value {
        for _ in 0..<1000 {
            if let value = stored.withLock({ $0 }) { return value }
            try await Task.sleep(for: .milliseconds(10))
        }
        throw NotInTime()
    }
}

struct NotInTime: Error {}

/// Waits until something is so, for as long as a busy machine may take.
func eventually(
    within seconds: Int = 20,
    _ condition: () async throws -> Bool
) async throws -> Bool {
    let end = ContinuousClock.now + .seconds(seconds)
    while ContinuousClock.now < end {
        if try await condition() { return true }
        try await Task.sleep(for: .milliseconds(20))
    }
    return try await condition()
}

// MARK: - Live conversations of ordinary devices

extension Provider {
    /// Asks for a conversation from somebody's ordinary device.
    func ask(
        _ sender: Person,
        _ receiver: Person,
        subject: String? = nil,
        text: String? = nil,
        media: [MediumKind]? = nil
    ) async throws -> SessionID {
        let id = try SessionID(newID().description)
        let request = SessionRequest(id: id, to: [receiver.address], subject: subject, text: text, media: media)
        _ = try await service.request(sender.identity, request)
        return id
    }

    func say(_ text: String, _ person: Person, _ session: SessionID) async throws {
        var request = SendRequest(id: newID(), to: [], parts: [PartRequest(text: text)])
        request.session = session
        _ = try await service.send(person.identity, request)
    }

    /// All that was said, in order.
    func said(_ person: Person, _ session: SessionID) async throws -> [String] {
        try await service.texts(person.identity, session, after: 0, limit: 100).texts
            .map { $0.message?.parts.first?.text ?? "-" }
    }

    func leg(of phone: PhoneAnswer, _ person: Person, _ session: SessionID) async throws -> SessionDocument.Leg? {
        try await service.session(person.identity, session).legs.first { $0.device == phone.device.id }
    }
}
