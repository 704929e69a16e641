import AppGateway
import ClientWire
import FoundationEssentials
import Logging
import MemoryStore
import MessagingCore
import MessagingService
import NIOCore
import NIOPosix
import ServiceLifecycle
import Store
import Synchronization

/// A whole server in the test's process: store, blobs, service and both listeners on ports of their own.
final class TestGateway: Sendable {
    static let operatorToken = "operator-token-of-the-tests"
    static let password = "correct horse"

    let service: MessagingService
    let store: MemoryStore
    let port: Int
    let operatorPort: Int
    let certificates: TLSCertificates?
    let folder: URL
    private let group: ServiceGroup
    private let running: Task<Void, any Error>

    /// Runs `body` with a server, and shuts it down.
    static func run(
        limits: GatewayLimits = GatewayLimits(),
        tls: TLSFiles? = nil,
        configuration: ServiceConfiguration = TestGateway.configuration(),
        _ body: (TestGateway) async throws -> Void
    ) async throws {
        let gateway = try await TestGateway(limits: limits, tls: tls, configuration: configuration)
        do {
            try await body(gateway)
        } catch {
            try? await gateway.stop()
            throw error
        }
        try await gateway.stop()
    }

    /// Cheap passwords: the tests are not about those.
    static func configuration() -> ServiceConfiguration {
        ServiceConfiguration(
            domains: ["a.example"],
            passwordCost: 4,
            sip: SIPAccess(realm: "a.example", servers: ["sip.a.example:5060;transport=tcp"], allowsMD5: false)
        )
    }

    private init(limits: GatewayLimits, tls: TLSFiles?, configuration: ServiceConfiguration) async throws {
        folder = FileManager.default.temporaryDirectory.appending(path: "gateway-\(UInt64.random(in: 0 ... .max))")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        var logger = Logger(label: "test")
        logger.logLevel = .critical
        store = TestStores.store()
        let service = try await MessagingService(
            store: store,
            blobs: try TestStores.blobs(folder),
            configuration: configuration,
            logger: logger
        )
        self.service = service
        certificates = try tls.map { try TLSCertificates($0, logger: logger) }
        let (ports, told) = AsyncStream.makeStream(of: (String, Int).self)
        let registry = PrometheusRegistry()
        let backups = Backups()
        let client = try AppGateway(
            service: service,
            address: ListenAddress(host: "127.0.0.1", port: 0),
            certificates: certificates,
            limits: limits,
            group: MultiThreadedEventLoopGroup.singleton,
            logger: logger,
            registry: registry,
            onListening: { told.yield(("client", $0.port ?? 0)) }
        )
        let operation = try OperatorGateway(
            service: service,
            address: ListenAddress(host: "127.0.0.1", port: 0),
            token: Self.operatorToken,
            hosts: ["admin.a.example"],
            limits: limits,
            group: MultiThreadedEventLoopGroup.singleton,
            logger: logger,
            registry: registry,
            backup: { path in backups.paths.withLock { $0.append(path) } },
            errors: {
                [
                    ErrorPage.Entry(
                        time: Timestamp(rawValue: 0),
                        level: "warning",
                        message: "a test",
                        details: ["a": "b"]
                    )
                ]
            },
            onListening: { told.yield(("operator", $0.port ?? 0)) }
        )
        let group = ServiceGroup(
            configuration: ServiceGroupConfiguration(services: [client, operation], logger: logger)
        )
        self.group = group
        running = Task { try await group.run() }
        var found: [String: Int] = [:]
        for await (name, port) in ports {
            found[name] = port
            if found.count == 2 { break }
        }
        port = found["client"] ?? 0
        operatorPort = found["operator"] ?? 0
        written = backups
    }

    /// Backups that were asked for.
    final class Backups: Sendable {
        let paths = Mutex<[String]>([])
    }

    let written: Backups

    func stop() async throws {
        await group.triggerGracefulShutdown()
        try await running.value
        try? FileManager.default.removeItem(at: folder)
    }

    // MARK: Users

    /// A user with an account and a device that has logged in.
    struct User: Sendable {
        var address: String
        var account: AccountID
        var token: String
        var device: DeviceID
    }

    @discardableResult
    func account(_ name: String, balance: Int64 = 1000, entitlement: Entitlement? = nil) async throws -> AccountDocument
    {
        try await service.createAccount(
            AccountRequest(
                name: name,
                addresses: [Address("\(name)@a.example")],
                password: Self.password,
                balance: balance,
                entitlement: entitlement
            )
        )
    }

    func user(_ name: String, balance: Int64 = 1000, entitlement: Entitlement? = nil) async throws -> User {
        try await account(name, balance: balance, entitlement: entitlement)
        return try await device(of: name)
    }

    /// Another device of a user who has an account.
    func device(of name: String, kind: DeviceKind = .computer) async throws -> User {
        let answer = try await service.login(
            LoginRequest(
                address: Address("\(name)@a.example"),
                password: Self.password,
                device: DeviceDescription(kind: kind, label: "test")
            )
        )
        return User(address: "\(name)@a.example", account: answer.account, token: answer.token, device: answer.device)
    }

    /// A connection of its own for one request.
    func request(
        _ method: String,
        _ path: String,
        _ user: User? = nil,
        json: String? = nil,
        body: [UInt8]? = nil,
        fields: [(String, String)] = []
    ) async throws -> Reply {
        let connection = try await RawConnection(port: port)
        let reply = try await connection.request(
            method,
            path,
            token: user?.token,
            json: json,
            body: body,
            fields: fields
        )
        await connection.close()
        return reply
    }

    /// A request to the operator's listener.
    func operate(
        _ method: String,
        _ path: String,
        json: String? = nil,
        token: String? = operatorToken
    ) async throws -> Reply {
        let connection = try await RawConnection(port: operatorPort)
        let reply = try await connection.request(method, path, token: token, json: json)
        await connection.close()
        return reply
    }

    /// Uploads bytes in one piece.
    func upload(
        _ user: User,
        _ bytes: [UInt8],
        type: String = "image/png",
        name: String = "cat.png"
    ) async throws -> UploadDocument {
        let started = try await request(
            "POST",
            "/v1/uploads",
            user,
            json: "{\"type\":\"\(type)\",\"name\":\"\(name)\",\"bytes\":\(bytes.count)}"
        )
        let upload = try started.json(UploadDocument.self)
        let reply = try await request(
            "PATCH",
            "/v1/uploads/\(upload.id)",
            user,
            body: bytes,
            fields: [("Upload-Offset", "0")]
        )
        return try reply.json(UploadDocument.self)
    }
}

/// A UUID of version 7 for a moment.
func messageID(at time: Timestamp = .wallClock()) -> String {
    let digits = String(time.rawValue, radix: 16)
    let stamp = String(repeating: "0", count: 12 - digits.count) + digits
    let random = (0..<4).map { _ in String(UInt16.random(in: .min ... .max) | 0x8000, radix: 16) }
    return "\(stamp.prefix(8))-\(stamp.suffix(4))-7\(random[0].suffix(3))-a\(random[1].suffix(3))-"
        + "\(random[1])\(random[2])\(random[3])"
}
