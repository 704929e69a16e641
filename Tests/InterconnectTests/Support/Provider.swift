import BlobStore
import ClientWire
import Foundation
import Interconnect
import Logging
import MessagingCore
import MessagingService
import NIOCore
import SQLiteStore
import Store
import Synchronization
import Testing

/// Certificates of an authority, made with the `openssl` program once for a run of the tests.
actor Authority {
    static let shared = Authority(name: "authority")
    static let stranger = Authority(name: "stranger")

    private let name: String
    private let folder = FileManager.default.temporaryDirectory.appendingPathComponent("continuo-peers-\(UUID())")
    private var hasRoot = false
    private var made: [String: (certificate: String, key: String)] = [:]

    private init(name: String) { self.name = name }

    /// The file with the authority's own certificate.
    func root() throws -> String {
        let path = folder.appendingPathComponent("root.pem").path
        guard !hasRoot else { return path }
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        try openssl([
            "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
            "-subj", "/CN=\(name)", "-keyout", file("root.key"), "-out", path,
        ])
        hasRoot = true
        return path
    }

    /// A certificate for a domain; one that is over already, or another one, if asked for.
    func certificate(
        _ domain: String,
        isExpired: Bool = false,
        number: Int = 1
    ) throws -> (certificate: String, key: String) {
        let label = "\(domain)\(isExpired ? "-expired" : "")\(number > 1 ? "-\(number)" : "")"
        if let known = made[label] { return known }
        let root = try root()
        let (certificate, key, request) = (file("\(label).pem"), file("\(label).key"), file("\(label).csr"))
        try openssl([
            "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", "/CN=\(domain)",
            "-keyout", key, "-out", request,
        ])
        let extensions = file("\(label).ext")
        try "subjectAltName=DNS:\(domain)".write(toFile: extensions, atomically: true, encoding: .utf8)
        try openssl([
            "x509", "-req", "-in", request, "-CA", root, "-CAkey", file("root.key"), "-CAcreateserial",
            "-days", isExpired ? "-1" : "2", "-extfile", extensions, "-out", certificate,
        ])
        made[label] = (certificate, key)
        return (certificate, key)
    }

    private func file(_ name: String) -> String { folder.appendingPathComponent(name).path }

    private func openssl(_ arguments: [String]) throws {
        let program = Process()
        program.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        program.arguments = ["openssl"] + arguments
        program.standardError = FileHandle.nullDevice
        program.standardOutput = FileHandle.nullDevice
        try program.run()
        program.waitUntilExit()
        try #require(program.terminationStatus == 0, "openssl \(arguments.first ?? "") failed")
    }
}

/// A provider with a database, files, an outbox at work, and a way to others.
final class Provider: Sendable {
    let domain: String
    let service: MessagingService
    let interconnect: Interconnect
    let port: Int
    let store: SQLiteStore
    private let folder: String
    private let work: Task<Void, Never>

    init(
        _ domain: String,
        host: String = "127.0.0.1",
        port: Int = 0,
        messages: (host: String?, port: Int) = (nil, 0),
        peers: [Peer] = [],
        folder: String? = nil,
        certificate: (certificate: String, key: String)? = nil,
        sip: SIPAccess? = nil
    ) async throws {
        self.domain = domain
        self.folder =
            folder ?? FileManager.default.temporaryDirectory.appendingPathComponent("continuo-\(UUID())").path
        try FileManager.default.createDirectory(atPath: self.folder, withIntermediateDirectories: true)
        var logger = Logger(label: domain)
        logger.logLevel = .critical
        let own = try await Authority.shared.certificate(domain)
        let files = certificate ?? own
        interconnect = try Interconnect(
            InterconnectConfiguration(
                domains: [domain],
                host: host,
                port: port,
                messagePort: messages.port,
                messageHost: messages.host,
                certificate: files.certificate,
                key: files.key,
                authorities: try await Authority.shared.root(),
                peers: peers
            ),
            logger: logger
        )
        store = try SQLiteStore(path: self.folder + "/continuo.sqlite")
        let service = try await MessagingService(
            store: store,
            blobs: try BlobStore(folder: self.folder + "/files"),
            configuration: ServiceConfiguration(domains: [domain], passwordCost: 4, sip: sip),
            logger: logger,
            router: interconnect
        )
        self.service = service
        self.port = try await interconnect.start(service).port ?? 0
        work = Task {
            await withTaskGroup(of: Void.self) { group in
                group.addTask { await service.runOutbox() }
                group.addTask { await service.runSessions() }
            }
        }
    }

    /// Stops it; its folder can be opened again.
    @discardableResult
    func stop() async -> String {
        work.cancel()
        await work.value
        await interconnect.stop()
        try? store.close()
        return folder
    }

    func person(_ name: String, quota: Int64 = 5 << 30) async throws -> Person {
        let address = try Address("\(name)@\(domain)")
        _ = try await service.createAccount(
            AccountRequest(
                name: name,
                addresses: [address],
                password: "correct horse",
                entitlement: Entitlement(quotaBytes: quota)
            )
        )
        return try await device("mobile", of: address)
    }

    /// One more device of a person.
    func device(_ label: String, of address: Address) async throws -> Person {
        let capabilities = Capabilities(
            accepts: Capabilities.everything.accepts,
            features: ["text", "audio", "video"]
        )
        let answer = try await service.login(
            LoginRequest(
                address: address,
                password: "correct horse",
                device: DeviceDescription(kind: .mobile, label: label, capabilities: capabilities)
            )
        )
        return Person(
            address: address,
            who: DeviceIdentity(account: answer.account, device: answer.device),
            token: answer.token
        )
    }
}

extension Provider {
    /// Uploads of a person that wait to be used.
    func waitingUploads(_ person: Person) async throws -> Int {
        try await store.read { try $0.uploads(of: person.who.account, limit: 100).count }
    }
}

struct Person: Sendable {
    var address: Address
    var who: DeviceIdentity
    var token = ""
}

/// The next port for a test: below those that the system gives to connections, and not the same for two tests.
private let nextPort = Atomic<Int>(20_000 + Int(getpid()) % 1000 * 10)

/// A port that is free now.
func freePort() throws -> Int {
    for _ in 0..<1000 {
        let port = nextPort.wrappingAdd(1, ordering: .relaxed).oldValue
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(descriptor) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = UInt16(port).bigEndian
        address.sin_addr.s_addr = inet_addr("127.0.0.1")
        let isFree = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { generic in
                bind(descriptor, generic, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
            }
        }
        if isFree { return port }
    }
    throw NeverHappened(what: "a free port")
}

/// Two providers that know each other.
func pair() async throws -> (a: Provider, b: Provider) {
    let (first, second) = (try freePort(), try freePort())
    return (
        try await Provider("a.example", port: first, peers: [peer("b.example", second)]),
        try await Provider("b.example", port: second, peers: [peer("a.example", first)])
    )
}

func peer(_ domain: String, _ port: Int, host: String = "127.0.0.1") -> Peer {
    Peer(domain: domain, route: Peer.Route(host: host, port: port))
}

/// Waits until something is there.
func eventually<T>(
    _ what: String,
    seconds: Double = 60,
    _ place: SourceLocation = #_sourceLocation,
    _ look: () async throws -> T?
) async throws -> T {
    let deadline = ContinuousClock.now.advanced(by: .seconds(seconds))
    while ContinuousClock.now < deadline {
        if let found = try await look() { return found }
        try await Task.sleep(for: .milliseconds(5))
    }
    throw NeverHappened(what: what)
}

struct NeverHappened: Error, CustomStringConvertible {
    var what: String
    var description: String { "did not happen: \(what)" }
}
