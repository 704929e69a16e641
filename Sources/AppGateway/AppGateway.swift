public import ClientWire
import HTTPTypes
import Hummingbird
public import Logging
public import MessagingCore
public import MessagingService
import Metrics
public import NIOCore
public import ServiceLifecycle
import Store

/// Where a listener listens.
public struct ListenAddress: Sendable, Hashable {
    public var host: String
    /// 0 takes any free port.
    public var port: Int

    /// An address to listen on.
    public init(host: String, port: Int) {
        self.host = host
        self.port = port
    }
}

/// The door for browsers, apps and the command line: HTTP and WebSocket on one port.
///
/// It decodes strictly, calls the service, and encodes; it decides nothing.
public struct AppGateway: Service {
    private let listener: Listener

    /// A gateway that listens once it runs.
    ///
    /// - Parameters:
    ///   - certificates: TLS for every connection; nil for plain HTTP (behind a proxy, or on loopback).
    ///   - pages: The web client; nil for none.
    ///   - group: The event loops that connections live on.
    ///   - clock: What `/v1/time` tells; the service's own clock.
    ///   - onListening: Told the address in use once connections are taken.
    public init(
        service: MessagingService,
        address: ListenAddress,
        certificates: TLSCertificates? = nil,
        pages: WebPages? = nil,
        limits: GatewayLimits = GatewayLimits(),
        group: any EventLoopGroup,
        logger: Logger,
        registry: PrometheusRegistry,
        clock: @escaping @Sendable () -> Timestamp = Timestamp.wallClock,
        onListening: @escaping @Sendable (SocketAddress) -> Void = { _ in }
    ) throws {
        let metrics = GatewayMetrics(listener: "client", factory: registry)
        let routes = ClientRoutes(service: service, limits: limits, clock: clock).all
        let document = try OpenAPIDocument.make(
            title: "Continuo",
            description: "Messages that follow a person from device to device.",
            routes: routes + [OpenAPIDocument.route(serving: "{}")],
            socketPath: Self.socketPath
        )
        listener = Listener(
            name: "client",
            address: address,
            certificates: certificates,
            limits: limits,
            group: group,
            logger: logger,
            responder: GatewayResponder(
                table: RouteTable(routes + [OpenAPIDocument.route(serving: document)]),
                limits: limits,
                metrics: metrics,
                doorkeeper: DeviceDoorkeeper(
                    service: service,
                    requests: RateLimiter(limits.requestsOfDevice, capacity: limits.rateEntries)
                ),
                pages: pages,
                fields: Listener.fields(isSecure: certificates != nil),
                logger: logger
            ),
            socketPath: Self.socketPath,
            makeSocket: { loop in
                SocketHandler(loop: loop, limits: limits, metrics: metrics) { link, inbox in
                    service.openSession(link: link, inbox: inbox)
                }
            },
            onListening: onListening
        )
    }

    static let socketPath = "/v1/socket"

    /// Serves until the server shuts down; sockets are closed with code 1001 then.
    public func run() async throws { try await listener.run() }
}

/// The operator's door, on loopback unless told: accounts, settings, tracing, health and metrics.
public struct OperatorGateway: Service {
    /// Writes a backup to a path of the server's machine; returns once it is complete.
    public typealias Backup = @Sendable (_ path: String) async throws -> Void
    /// What was warned of lately, newest first.
    public typealias RecentErrors = @Sendable () -> [ErrorPage.Entry]

    private let listener: Listener

    /// A gateway that listens once it runs.
    ///
    /// - Parameters:
    ///   - token: What the operator proves themselves with.
    ///   - pages: The operator's page; nil for none.
    ///   - hosts: Names beside `localhost`, `127.0.0.1` and `[::1]` under which the listener may be asked.
    public init(
        service: MessagingService,
        address: ListenAddress,
        token: String,
        hosts: [String] = [],
        certificates: TLSCertificates? = nil,
        limits: GatewayLimits = GatewayLimits(),
        group: any EventLoopGroup,
        logger: Logger,
        registry: PrometheusRegistry,
        pages: WebPages? = nil,
        backup: @escaping Backup,
        errors: @escaping RecentErrors,
        onListening: @escaping @Sendable (SocketAddress) -> Void = { _ in }
    ) throws {
        let routes = OperatorRoutes(service: service, registry: registry, backup: backup, errors: errors).all
        let document = try OpenAPIDocument.make(
            title: "Continuo, for operators",
            description: "Accounts, settings, tracing, health and metrics.",
            routes: routes + [OpenAPIDocument.route(serving: "{}")],
            socketPath: nil
        )
        listener = Listener(
            name: "operator",
            address: address,
            certificates: certificates,
            limits: limits,
            group: group,
            logger: logger,
            responder: GatewayResponder(
                table: RouteTable(routes + [OpenAPIDocument.route(serving: document)]),
                limits: limits,
                metrics: GatewayMetrics(listener: "operator", factory: registry),
                doorkeeper: OperatorDoorkeeper(token: token, hosts: hosts, limits: limits),
                pages: pages,
                fields: Listener.fields(isSecure: certificates != nil),
                logger: logger
            ),
            socketPath: nil,
            makeSocket: nil,
            onListening: onListening
        )
    }

    /// Serves until the server shuts down.
    public func run() async throws { try await listener.run() }
}
