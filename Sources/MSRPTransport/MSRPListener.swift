import MSRP
public import NIOCore
import NIOHTTP1
import NIOPosix
public import NIOSSL
import NIOWebSocket
import Synchronization

/// Accepts connections for the sessions of an endpoint; one listener serves them all.
public final class MSRPListener: Sendable {
    /// What is spoken on accepted connections.
    public enum Kind: Sendable {
        /// MSRP on TCP, or on TLS.
        case stream
        /// MSRP on WebSockets (RFC 7977).
        case webSocket
    }

    private let channel: any Channel
    private let accepted = Mutex<(all: Int, perAddress: [String: Int])>((0, [:]))

    private let tls: Mutex<NIOSSLContext?>

    fileprivate init(channel: any Channel, tls: NIOSSLContext?) {
        self.channel = channel
        self.tls = Mutex(tls)
    }

    fileprivate var context: NIOSSLContext? { self.tls.withLock { $0 } }

    /// Shows another certificate on connections that are accepted from now on; those that are there keep theirs.
    public func use(tls: NIOSSLContext) { self.tls.withLock { $0 = tls } }

    /// The address that is listened on.
    public var localAddress: SocketAddress? { self.channel.localAddress }

    /// Connections that are open.
    public var openConnections: Int { self.accepted.withLock { $0.all } }

    /// Counts a connection from an address, until it closes, if there is room for it.
    func takes(_ channel: any Channel, _ limits: TransportLimits) -> Bool {
        let source = channel.remoteAddress?.ipAddress ?? ""
        let hasRoom = self.accepted.withLock { accepted in
            guard accepted.all < limits.maxConnections,
                accepted.perAddress[source, default: 0] < limits.maxConnectionsPerAddress
            else { return false }
            accepted.all += 1
            accepted.perAddress[source, default: 0] += 1
            return true
        }
        guard hasRoom else { return false }
        channel.closeFuture.whenComplete { _ in
            self.accepted.withLock { accepted in
                accepted.all -= 1
                let left = accepted.perAddress[source, default: 1] - 1
                accepted.perAddress[source] = left > 0 ? left : nil
            }
        }
        return true
    }

    /// Stops listening.
    ///
    /// Connections that are there stay.
    public func close() async throws { try await self.channel.close() }
}

extension MSRPEndpoint {
    /// Listens for connections.
    ///
    /// - Parameters:
    ///   - tls: what TLS uses; none for plain TCP.
    ///   - kind: what is spoken.
    /// - Throws: what the system says about the address.
    public func listen(
        host: String,
        port: Int,
        tls: NIOSSLContext? = nil,
        kind: MSRPListener.Kind = .stream
    ) async throws -> MSRPListener {
        let holder = ListenerHolder()
        let bootstrap = ServerBootstrap(group: self.group)
            .serverChannelOption(.backlog, value: 1024)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelOption(.socketOption(.tcp_nodelay), value: 1)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    guard let listener = holder.listener else {
                        throw MSRPError(.connectFailed, "not listening yet")
                    }
                    try self.accept(channel, listener, kind)
                }
            }
        let channel = try await self.applyChildOptions(to: bootstrap).bind(host: host, port: port).get()
        let listener = MSRPListener(channel: channel, tls: tls)
        holder.listener = listener
        return listener
    }

    private func accept(
        _ channel: any Channel,
        _ listener: MSRPListener,
        _ kind: MSRPListener.Kind
    ) throws {
        guard listener.takes(channel, self.limits) else { throw MSRPError(.connectFailed, "too many connections") }
        if let tls = listener.context {
            try channel.pipeline.syncOperations.addHandler(NIOSSLServerHandler(context: tls))
        }
        let connection = MSRPConnection(
            id: self.makeConnectionID(),
            endpoint: self,
            loop: channel.eventLoop,
            address: nil,
            framing: kind == .webSocket ? .message : .stream,
            readiness: .now,
            ready: nil
        )
        switch kind {
        case .stream: try channel.pipeline.syncOperations.addHandler(connection)
        case .webSocket: try self.addWebSocketServer(to: channel, connection)
        }
    }

    private func addWebSocketServer(to channel: any Channel, _ connection: MSRPConnection) throws {
        let maxBytes = self.limits.maxWebSocketMessageBytes
        // Whoever does not ask for the upgrade in time is not waited for.
        let timeout = channel.eventLoop.scheduleTask(in: self.limits.handshakeTimeout) { channel.close(promise: nil) }
        channel.closeFuture.whenComplete { _ in timeout.cancel() }
        let upgrader = NIOWebSocketServerUpgrader(
            maxFrameSize: maxBytes,
            shouldUpgrade: { channel, head in
                let offered = head.headers[canonicalForm: "sec-websocket-protocol"]
                guard offered.contains(where: Self.isSubprotocol) else {
                    return channel.eventLoop.makeSucceededFuture(nil)
                }
                let headers = HTTPHeaders([("Sec-WebSocket-Protocol", WebSocketFraming.subprotocol)])
                return channel.eventLoop.makeSucceededFuture(headers)
            },
            upgradePipelineHandler: { channel, _ in
                timeout.cancel()
                return channel.eventLoop.makeCompletedFuture {
                    try Self.addWebSocket(to: channel, isClient: false, maxBytes: maxBytes, connection)
                }
            }
        )
        try channel.pipeline.syncOperations.configureHTTPServerPipeline(
            withPipeliningAssistance: false,
            withServerUpgrade: (
                upgraders: [upgrader],
                completionHandler: { context in
                    context.pipeline.removeHandler(name: PlainRequestRefuser.name, promise: nil)
                }
            )
        )
        try channel.pipeline.syncOperations.addHandler(PlainRequestRefuser(), name: PlainRequestRefuser.name)
    }
}

/// Lets the initializer of accepted connections reach the listener, which is there only once the bind is done.
private final class ListenerHolder: Sendable {
    private let held = Mutex<MSRPListener?>(nil)

    var listener: MSRPListener? {
        get { self.held.withLock { $0 } }
        set { self.held.withLock { $0 = newValue } }
    }
}

/// Answers HTTP requests that ask for no WebSocket, or for one that speaks something else.
private final class PlainRequestRefuser: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = HTTPServerResponsePart

    static let name = "msrp-plain-request-refuser"

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard case .end = self.unwrapInboundIn(data) else { return }
        var head = HTTPResponseHead(version: .http1_1, status: .upgradeRequired)
        head.headers = ["Upgrade": "websocket", "Connection": "close", "Content-Length": "0"]
        context.write(self.wrapOutboundOut(.head(head)), promise: nil)
        let context = NIOLoopBound(context, eventLoop: context.eventLoop)
        context.value.writeAndFlush(self.wrapOutboundOut(.end(nil))).whenComplete { _ in
            context.value.close(promise: nil)
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
}
