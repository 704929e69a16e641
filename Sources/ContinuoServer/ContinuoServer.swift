public import AppGateway
import BlobStore
import Interconnect
public import Logging
import MessagingCore
public import MessagingService
import NIOCore
import NIOPosix
public import SIP
import SIPGateway
import SQLiteStore
import ServiceLifecycle
import Store
import Synchronization
import UnixSignals

/// A whole server in one process: store, blobs, service and listeners, put together from a configuration.
public final class ContinuoServer: Sendable {
    /// Where it listens once it does.
    public struct Addresses: Sendable {
        public var client: Configuration.Endpoint
        public var operators: Configuration.Endpoint
        /// For other providers, if there are any.
        public var peers: Configuration.Endpoint?
        /// By transport.
        public var sip: [SIPTransportKind: Configuration.Endpoint] = [:]
    }

    /// How long whoever is in the middle of something, such as a download, may go on when the server is told to stop. Shorter
    /// than the ten seconds after which some supervisors kill.
    static let longestShutdown = Duration.seconds(8)

    public let configuration: Configuration
    public let service: MessagingService
    public let folder: DataFolder
    let store: SQLiteStore
    let blobs: BlobStore
    private let logger: Logger
    private let errors = RecentErrors()
    /// Two at once would take each other's folder for their own.
    let backupUnderWay = Atomic(false)
    private let interconnect: Interconnect?

    /// Opens the data folder and what is in it; listens to nobody yet.
    /// - Throws: ``DataFolderError``, or what the store found wrong.
    public init(_ configuration: Configuration, logger: Logger) async throws {
        self.configuration = configuration
        let problems = configuration.certificateProblems()
        guard problems.isEmpty else { throw ConfigurationError(source: "the configuration", problems: problems) }
        let logger = errors.listening(to: logger)
        self.logger = logger
        folder = try DataFolder(configuration.data)
        try folder.guardDatabase()
        if try SQLiteStore.isOlder(path: folder.database) {
            logger.notice("the database is brought up to date; when it is large this takes minutes")
        }
        store = try SQLiteStore(path: folder.database)
        blobs = try BlobStore(folder: folder.files)
        let interconnect = try configuration.interconnect.map { try Interconnect($0, logger: logger) }
        self.interconnect = interconnect
        service = try await MessagingService(
            store: store,
            blobs: blobs,
            configuration: configuration.service,
            logger: logger,
            router: interconnect ?? NoRoutes()
        )
    }

    /// Serves until SIGTERM or SIGINT (or until the task is cancelled), then closes the store.
    ///
    /// - Parameter pages: The web client that the client's door serves.
    public func run(
        pages: WebPages = WebPages(),
        onReady: @escaping @Sendable (Addresses) -> Void = { _ in }
    ) async throws {
        let group = MultiThreadedEventLoopGroup.singleton
        let registry = PrometheusRegistry()
        let certificates = try configuration.tls.map { files in
            try TLSCertificates(
                TLSFiles(certificateChain: files.certificate, privateKey: files.key),
                logger: logger
            )
        }
        let doors = OpenDoors(
            hasPeers: interconnect != nil,
            servesSIP: configuration.sip.isServed,
            onReady: onReady
        )
        let client = try AppGateway(
            service: service,
            address: ListenAddress(host: configuration.listen.host, port: configuration.listen.port),
            certificates: certificates,
            pages: pages,
            group: group,
            logger: logger,
            registry: registry,
            onListening: { doors.opened(client: $0) }
        )
        let operators = try OperatorGateway(
            service: service,
            address: ListenAddress(host: configuration.operatorListen.host, port: configuration.operatorListen.port),
            token: try folder.operatorToken(),
            hosts: configuration.operatorHosts,
            group: group,
            logger: logger,
            registry: registry,
            pages: pages.forOperators,
            backup: { [self] path in try await backup(to: path) },
            errors: { [errors] in errors.all },
            onListening: { doors.opened(operators: $0) }
        )
        var services: [ServerPart] = [
            ServerPart(key: "workers", service: Workers(service: service)),
            ServerPart(key: "operator.listen", address: "\(configuration.operatorListen)", service: operators),
            ServerPart(key: "client.listen", address: "\(configuration.listen)", service: client),
        ]
        var otherCertificates: [@Sendable () -> Void] = []
        if let phones = configuration.sipGateway {
            let gateway = SIPGateway(
                service: service,
                configuration: phones,
                group: group,
                logger: logger,
                onListening: { doors.opened(sip: $0) }
            )
            services.append(ServerPart(key: "sip", address: configuration.sip.listening, service: gateway))
            otherCertificates.append { gateway.reloadCertificates() }
        }
        if let interconnect { otherCertificates.append { interconnect.reloadCertificates() } }
        // Also without any: SIGHUP is a request to read files anew, never the end.
        let reloader = TLSReloader(certificates.map { [$0] } ?? [], others: otherCertificates)
        services.append(ServerPart(key: "certificates", service: reloader))
        if let interconnect {
            let peers = PeerDoor(interconnect: interconnect, service: service) { doors.opened(peers: $0) }
            let address = configuration.peering.listen.map {
                "\($0), message-port \(configuration.peering.messagePort)"
            }
            services.append(ServerPart(key: "interconnect.listen", address: address ?? "", service: peers))
        }
        var lifetime = ServiceGroupConfiguration(
            // By name: the lifecycle would print all that each of them holds.
            services: services.map { ServiceGroupConfiguration.ServiceConfiguration(service: $0, serviceName: $0.key) },
            gracefulShutdownSignals: [.sigterm, .sigint],
            logger: logger
        )
        lifetime.maximumGracefulShutdownDuration = Self.longestShutdown
        let lifecycle = ServiceGroup(configuration: lifetime)
        do {
            try await lifecycle.run()
        } catch {
            try? store.close()
            throw error
        }
        try store.close()
    }
}

/// Tells once all listeners listen.
private final class OpenDoors: Sendable {
    private struct State {
        var client: Configuration.Endpoint?
        var operators: Configuration.Endpoint?
        var peers: Configuration.Endpoint?
        var sip: [SIPTransportKind: Configuration.Endpoint]?
    }

    private let state: Mutex<State>
    private let hasPeers: Bool
    private let onReady: @Sendable (ContinuoServer.Addresses) -> Void

    init(hasPeers: Bool, servesSIP: Bool, onReady: @escaping @Sendable (ContinuoServer.Addresses) -> Void) {
        state = Mutex(State(sip: servesSIP ? nil : [:]))
        self.hasPeers = hasPeers
        self.onReady = onReady
    }

    func opened(client address: SocketAddress) { opened { $0.client = Self.endpoint(address) } }

    func opened(operators address: SocketAddress) { opened { $0.operators = Self.endpoint(address) } }

    func opened(peers address: SocketAddress) { opened { $0.peers = Self.endpoint(address) } }

    func opened(sip addresses: [SIPTransportKind: SocketAddress]) {
        opened { $0.sip = addresses.mapValues(Self.endpoint) }
    }

    private func opened(_ change: (inout State) -> Void) {
        let all = state.withLock { state -> ContinuoServer.Addresses? in
            change(&state)
            guard let client = state.client, let operators = state.operators, let sip = state.sip,
                !hasPeers || state.peers != nil
            else { return nil }
            return ContinuoServer.Addresses(client: client, operators: operators, peers: state.peers, sip: sip)
        }
        if let all { onReady(all) }
    }

    private static func endpoint(_ address: SocketAddress) -> Configuration.Endpoint {
        Configuration.Endpoint(host: address.ipAddress ?? "localhost", port: address.port ?? 0)
    }
}

/// Where other providers come in.
private struct PeerDoor: Service {
    let interconnect: Interconnect
    let service: MessagingService
    let onListening: @Sendable (SocketAddress) -> Void

    func run() async throws {
        onListening(try await interconnect.start(service))
        try? await gracefulShutdown()
        await interconnect.stop()
    }
}

/// What goes on beside requests: the outbox and housekeeping.
private struct Workers: Service {
    let service: MessagingService

    func run() async throws {
        await cancelWhenGracefulShutdown {
            await withTaskGroup(of: Void.self) { group in
                group.addTask { await service.runOutbox() }
                group.addTask { await service.runHousekeeping() }
                group.addTask { await service.runSessions() }
            }
        }
    }
}

extension Configuration {
    /// What the service is told.
    var service: ServiceConfiguration {
        ServiceConfiguration(
            domains: domains,
            publicURL: reachableURL,
            passwordCost: passwordCost,
            linkLifeMilliseconds: Int64(linkDays) * 86_400_000,
            window: WindowLimits(items: windowItems, bytes: windowBytes),
            sessionGraceMilliseconds: Int64(graceSeconds) * 1000,
            mediaRelays: MediaRelays(stun: stun, turn: turn, secret: turnSecret),
            sip: sipAccess
        )
    }
}
