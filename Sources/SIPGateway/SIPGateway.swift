public import Logging
import MediaRelaying
public import MessagingService
public import NIOCore
import NIOSSL
public import SIP
import SIPTransport
public import ServiceLifecycle
import Synchronization

/// The door for SIP phones: registrar, and MESSAGE in both directions, over UDP, TCP, TLS and WebSockets.
///
/// A phone is a device of its account like any other: its REGISTER opens the device's stream, and each message of it is
/// acknowledged when the phone took it.
public final class SIPGateway: Service, Sendable {
    private let service: MessagingService
    private let configuration: SIPGatewayConfiguration
    private let group: any EventLoopGroup
    private let logger: Logger
    private let onListening: @Sendable ([SIPTransportKind: SocketAddress]) -> Void
    private let running = Mutex<Running?>(nil)

    /// A gateway that listens once it is run.
    ///
    /// - Parameter onListening: told the addresses that the doors got.
    public init(
        service: MessagingService,
        configuration: SIPGatewayConfiguration,
        group: any EventLoopGroup,
        logger: Logger,
        onListening: @escaping @Sendable ([SIPTransportKind: SocketAddress]) -> Void = { _ in }
    ) {
        self.service = service
        self.configuration = configuration
        self.group = group
        self.logger = logger
        self.onListening = onListening
    }

    /// Serves until it is told to shut down.
    /// - Throws: what opening a door found wrong.
    public func run() async throws {
        let running = try Running(service, configuration, logger, group)
        self.running.withLock { $0 = running }
        defer { self.running.withLock { $0 = nil } }
        do {
            let addresses = try await running.listen()
            for (kind, address) in addresses.sorted(by: { $0.key.rawValue < $1.key.rawValue }) {
                logger.info("SIP phones are served", metadata: ["at": "\(kind.rawValue) \(address)"])
            }
            onListening(addresses)
            try? await gracefulShutdown()
        } catch {
            await running.stop()
            throw error
        }
        await running.stop()
    }
}

extension SIPGateway {
    /// Reads the doors' certificate and its key again if the files changed. Files that cannot be used leave the old ones in force,
    /// and are reported.
    public func reloadCertificates() { running.withLock { $0 }?.reloadCertificates() }
}

/// A gateway while it runs.
///
/// `@unchecked Sendable`: what it holds is touched on its loop alone.
private final class Running: @unchecked Sendable {
    private let eventLoop: any EventLoop
    private let context: GatewayContext
    private let agent: UserAgent
    private let stack: SIPStack
    private var ticking: RepeatedTask?
    private let group: any EventLoopGroup
    /// What proves who serves, where something does.
    private let certificates: Mutex<PhoneCertificates?>

    init(
        _ service: MessagingService,
        _ configuration: SIPGatewayConfiguration,
        _ logger: Logger,
        _ group: any EventLoopGroup
    ) throws {
        let eventLoop = group.next()
        self.eventLoop = eventLoop
        context = GatewayContext(service: service, configuration: configuration, logger: logger, eventLoop: eventLoop)
        agent = UserAgent(context)
        self.group = group
        var settings = SIPStackConfiguration()
        // Nothing forks towards us, and what comes again by another way gets the same answer.
        settings.refusesMergedRequests = false
        settings.sentByHost = configuration.publicHost.map { Host.bracketed($0) }
        settings.maximumConnections = configuration.limits.connections
        settings.unprovenTimeout = .seconds(configuration.limits.unprovenSeconds)
        let shown = try configuration.certificate.map(PhoneCertificates.init)
        settings.serverTLS = shown?.context
        certificates = Mutex(shown)
        // Whatever is sent goes over the flow of a registration: names are never looked up.
        let resolver = DNSResolver(client: DNSClient(group: eventLoop, configuration: .init(servers: [])))
        stack = SIPStack(eventLoop: eventLoop, configuration: settings, resolver: resolver, handler: agent)
        context.stack = stack
    }

    func listen() async throws -> [SIPTransportKind: SocketAddress] {
        if let place = context.configuration.relay {
            let address = try SocketAddress.makeAddressResolvingHost(place.host, port: place.port)
            try await eventLoop.flatSubmit { [self] in
                let relay = MediaRelay(eventLoop: eventLoop, address: address, logger: context.logger)
                context.relay = relay
                return relay.open()
            }.get()
        }
        if context.configuration.texts != nil || context.configuration.secureTexts != nil {
            let texts = try await TextMedia(context.configuration, certificates.withLock { $0 }, on: group)
            try await eventLoop.submit { [self] in context.texts = texts }.get()
        }
        var addresses: [SIPTransportKind: SocketAddress] = [:]
        for door in context.configuration.doors {
            addresses[door.transport] = try await eventLoop.flatSubmit { [stack] in
                stack.listen(door.transport, host: door.host, port: door.port)
            }.get()
        }
        try await eventLoop.submit { [self] in
            ticking = eventLoop.scheduleRepeatedTask(initialDelay: .seconds(1), delay: .seconds(1)) { [weak agent] _ in
                agent?.tick()
            }
        }.get()
        return addresses
    }

    /// Reads the files again if they changed; connections in being keep what they were shown.
    func reloadCertificates() {
        guard let files = context.configuration.certificate else { return }
        do {
            guard try PhoneCertificates.read(files) != certificates.withLock({ $0?.contents }) else { return }
            let fresh = try PhoneCertificates(files)
            eventLoop.execute { [self] in
                stack.use(serverTLS: fresh.context, clientTLS: nil)
                context.texts?.use(fresh)
            }
            certificates.withLock { $0 = fresh }
            context.logger.notice("certificates for phones reloaded", metadata: ["file": "\(files.chain)"])
        } catch {
            context.logger.error(
                "certificates for phones could not be reloaded; the old ones stay",
                metadata: ["file": "\(files.chain)", "error": "\(error)"]
            )
        }
    }

    func stop() async {
        let texts = try? await eventLoop.submit { [self] in context.texts }.get()
        let closed = eventLoop.flatSubmit { [self] in
            ticking?.cancel()
            agent.stop()
            context.relay?.close()
            context.stack = nil
            return stack.close()
        }
        try? await closed.get()
        await (texts ?? nil)?.close()
    }
}
