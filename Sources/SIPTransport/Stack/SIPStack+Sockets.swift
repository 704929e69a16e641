public import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL
import NIOWebSocket
public import SIP

extension SIPStack {
    /// The longest datagram.
    private static let datagramBytes = 65_535
    /// How many datagrams are read at once.
    private static let datagramBatch = 8

    /// Opens a socket that peers send to.
    ///
    /// - Parameter reusePort: Whether other sockets may have the same port, so that the kernel spreads peers over them.
    /// - Returns: The address it got; fails when the socket cannot be bound, or when TLS is not configured.
    public func listen(
        _ transport: SIPTransportKind,
        host: String,
        port: Int,
        reusePort: Bool = false
    ) -> EventLoopFuture<SocketAddress> {
        self.eventLoop.preconditionInEventLoop()
        guard !transport.isSecure || self.configuration.serverTLS != nil else {
            return self.eventLoop.makeFailedFuture(SIPError(.notAllowed, "no TLS certificate for this listener"))
        }
        let number = self.makeNumber()
        let bound =
            transport == .udp
            ? self.bindDatagram(number, host, port, reusePort) : self.bindStream(transport, host, port, reusePort)
        return bound.assumeIsolated().flatMapThrowing { channel in
            guard let address = channel.localAddress else { throw SIPError(.notAllowed, "the socket has no address") }
            self.listeners[number] = Listener(transport: transport, channel: channel, address: address)
            return address
        }.nonisolated()
    }

    private static let reusePortOption = ChannelOptions.Types.SocketOption(
        level: .socket,
        name: .init(rawValue: SO_REUSEPORT)
    )

    private func bindDatagram(
        _ number: UInt64,
        _ host: String,
        _ port: Int,
        _ reusePort: Bool
    ) -> EventLoopFuture<any Channel> {
        var bootstrap = DatagramBootstrap(group: self.eventLoop)
            .channelOption(.datagramVectorReadMessageCount, value: Self.datagramBatch)
            .channelOption(
                .recvAllocator,
                value: FixedSizeRecvByteBufferAllocator(capacity: Self.datagramBytes * Self.datagramBatch)
            )
            .channelInitializer { channel in
                channel.eventLoop.makeSucceededVoidFuture()
            }
        if reusePort { bootstrap = bootstrap.channelOption(Self.reusePortOption, value: 1) }
        return bootstrap.bind(host: host, port: port).assumeIsolated().flatMapThrowing { channel -> any Channel in
            guard let local = channel.localAddress else { throw SIPError(.notAllowed, "the socket has no address") }
            // On all addresses: each datagram comes with the one that it was sent to.
            if local.isWildcard { try channel.syncOptions?.setOption(.receivePacketInfo, value: true) }
            try channel.pipeline.syncOperations.addHandler(DatagramHandler(stack: self, number: number, local: local))
            return channel
        }.nonisolated()
    }

    private func bindStream(
        _ transport: SIPTransportKind,
        _ host: String,
        _ port: Int,
        _ reusePort: Bool
    ) -> EventLoopFuture<any Channel> {
        var bootstrap = ServerBootstrap(group: self.eventLoop)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelOption(.socketOption(.tcp_nodelay), value: 1)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture { try self.accept(channel, transport) }
            }
        if reusePort { bootstrap = bootstrap.serverChannelOption(Self.reusePortOption, value: 1) }
        return bootstrap.bind(host: host, port: port)
    }

    /// Sets up a connection that a peer opened, unless there are too many: each counts from now on, whether its TLS or its
    /// WebSocket is ever ready or not.
    private func accept(_ channel: any Channel, _ transport: SIPTransportKind) throws {
        let source = channel.remoteAddress?.ipAddress ?? ""
        guard !self.isClosed, self.acceptedConnections < self.configuration.maximumConnections,
            self.acceptedPerAddress[source, default: 0] < self.configuration.maximumConnectionsPerAddress
        else { throw SIPError(.notAllowed, "too many connections") }
        self.acceptedConnections += 1
        self.acceptedPerAddress[source, default: 0] += 1
        channel.closeFuture.assumeIsolated().whenComplete { _ in
            self.acceptedConnections -= 1
            let left = self.acceptedPerAddress[source, default: 1] - 1
            self.acceptedPerAddress[source] = left > 0 ? left : nil
        }
        try self.configuration.probe(channel)
        if transport.isSecure, let context = self.configuration.serverTLS {
            try channel.pipeline.syncOperations.addHandler(NIOSSLServerHandler(context: context))
        }
        guard transport == .ws || transport == .wss else {
            let connection = try self.add(channel, transport, .stream, destination: nil)
            try channel.pipeline.syncOperations.addHandler(StreamHandler(stack: self, connection: connection))
            return
        }
        try self.addWebSocketServer(channel, transport)
    }

    private func addWebSocketServer(_ channel: any Channel, _ transport: SIPTransportKind) throws {
        let upgrader = NIOWebSocketServerUpgrader(
            maxFrameSize: self.configuration.limits.headBytes + self.configuration.limits.bodyBytes,
            shouldUpgrade: { channel, head in
                // RFC 7118 section 4.1: the client asks for `sip`, and the server must say it back.
                let asked = head.headers[canonicalForm: "Sec-WebSocket-Protocol"].contains { $0.lowercased() == "sip" }
                let headers: HTTPHeaders? = asked ? ["Sec-WebSocket-Protocol": "sip"] : nil
                return channel.eventLoop.makeSucceededFuture(headers)
            },
            upgradePipelineHandler: { channel, _ in
                channel.eventLoop.makeCompletedFuture {
                    let pipeline = channel.pipeline.syncOperations
                    _ = pipeline.removeHandler(try pipeline.handler(type: NoUpgradeHandler.self))
                    let connection = try self.add(channel, transport, .webSocket(isClient: false), destination: nil)
                    try channel.pipeline.syncOperations.addHandler(
                        WebSocketMessageHandler(stack: self, connection: connection, isClient: false)
                    )
                }
            }
        )
        try channel.pipeline.syncOperations.configureHTTPServerPipeline(
            withServerUpgrade: (upgraders: [upgrader], completionHandler: { _ in })
        )
        try channel.pipeline.syncOperations.addHandler(NoUpgradeHandler(timeout: self.configuration.messageTimeout))
    }

    private func add(
        _ channel: any Channel,
        _ transport: SIPTransportKind,
        _ framing: Connection.Framing,
        destination: Destination?
    ) throws -> Connection {
        guard let local = channel.localAddress, let remote = channel.remoteAddress else {
            throw SIPError(.notAllowed, "a connection without addresses")
        }
        let flow = Flow(number: self.makeNumber(), transport: transport, local: local, remote: remote)
        let connection = Connection(
            flow: flow,
            channel: channel,
            framing: framing,
            destination: destination,
            configuration: self.configuration
        )
        self.connections[flow.number] = connection
        if let destination { self.connectionsByDestination[destination] = flow.number }
        return connection
    }

    /// A connection is gone: its transactions fail, and its user hears of it.
    func closed(_ connection: Connection) {
        let flow = connection.flow
        guard self.connections.removeValue(forKey: flow.number) != nil else { return }
        connection.stop()
        if let destination = connection.destination, self.connectionsByDestination[destination] == flow.number {
            self.connectionsByDestination[destination] = nil
        }
        for (destination, number) in self.aliases where number == flow.number { self.aliases[destination] = nil }
        for transaction in self.clients.values where transaction.flow?.number == flow.number {
            self.transportFailed(transaction)
        }
        self.handler?.closed(flow)
    }
}

extension SIPStack {
    /// Opens a connection, or finds the one that is open already, and returns its flow.
    ///
    /// - Returns: A future that fails when the connection cannot be made, or for UDP when there is no UDP socket.
    public func flow(to destination: Destination) -> EventLoopFuture<Flow> {
        self.eventLoop.preconditionInEventLoop()
        if destination.transport == .udp {
            let family = destination.address.protocol
            let found = self.listeners.first { $0.value.transport == .udp && $0.value.address.protocol == family }
            guard let (number, listener) = found else {
                return self.eventLoop.makeFailedFuture(SIPError(.notAllowed, "no UDP socket of that address family"))
            }
            let flow = Flow(number: number, transport: .udp, local: listener.address, remote: destination.address)
            return self.eventLoop.makeSucceededFuture(flow)
        }
        return self.connection(to: destination).assumeIsolated().flatMapThrowing { number in
            guard let connection = self.connections[number] else {
                throw SIPError(.notAllowed, "the connection was closed at once")
            }
            return connection.flow
        }.nonisolated()
    }

    /// Keeps a flow alive from our side (RFC 5626 section 4.4), with pings, or for datagrams with STUN: at the interval,
    /// for datagrams up to a fifth earlier. When the answers stop a connection is closed, and the handler hears of it.
    public func keepAlive(_ flow: Flow, every interval: TimeAmount) {
        guard flow.transport != .udp else { return self.startAsking(flow, every: interval) }
        self.connections[flow.number]?.startPinging(every: interval)
    }

    func connection(to destination: Destination) -> EventLoopFuture<UInt64> {
        if let number = self.connectionsByDestination[destination] ?? self.aliases[self.withoutName(destination)],
            self.connections[number] != nil
        {
            return self.eventLoop.makeSucceededFuture(number)
        }
        if let pending = self.connecting[destination] { return pending }
        // Those that others open have a limit of their own: they cannot keep us from opening ours.
        guard !self.isClosed,
            self.connectionsByDestination.count + self.connecting.count < self.configuration.maximumConnections
        else {
            return self.eventLoop.makeFailedFuture(SIPError(.notAllowed, "too many connections"))
        }
        guard !destination.transport.isSecure || self.configuration.clientTLS != nil else {
            return self.eventLoop.makeFailedFuture(SIPError(.notAllowed, "TLS is not configured"))
        }
        let ready = self.eventLoop.makePromise(of: UInt64.self)
        self.connecting[destination] = ready.futureResult
        let channel = ClientBootstrap(group: self.eventLoop)
            .connectTimeout(self.configuration.connectTimeout)
            .channelOption(.socketOption(.tcp_nodelay), value: 1)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try self.configuration.probe(channel)
                    try self.prepare(channel, destination)
                }
            }
            .connect(to: destination.address)
        channel.assumeIsolated().whenComplete { result in
            switch result {
            case .success(let channel): self.finish(channel, destination, ready)
            case .failure(let error): ready.fail(error)
            }
        }
        let timer = self.eventLoop.scheduleTask(in: self.configuration.connectTimeout) {
            ready.fail(SIPError(.notAllowed, "the connection was not ready in time"))
        }
        ready.futureResult.assumeIsolated().whenComplete { result in
            timer.cancel()
            self.connecting[destination] = nil
            if case .failure = result { channel.whenSuccess { $0.close(promise: nil) } }
        }
        return ready.futureResult
    }

    private func withoutName(_ destination: Destination) -> Destination {
        var copy = destination
        copy.serverName = nil
        return copy
    }

    private func prepare(_ channel: any Channel, _ destination: Destination) throws {
        guard destination.transport.isSecure, let context = self.configuration.clientTLS else { return }
        let handler = try NIOSSLClientHandler(context: context, serverHostname: destination.serverName)
        try channel.pipeline.syncOperations.addHandler(handler)
    }

    private func finish(_ channel: any Channel, _ destination: Destination, _ ready: EventLoopPromise<UInt64>) {
        do {
            if destination.transport == .ws || destination.transport == .wss {
                try self.addWebSocketClient(channel, destination, ready)
                return
            }
            let connection = try self.add(channel, destination.transport, .stream, destination: destination)
            try channel.pipeline.syncOperations.addHandler(StreamHandler(stack: self, connection: connection))
            ready.succeed(connection.flow.number)
        } catch {
            ready.fail(error)
        }
    }

    private func addWebSocketClient(
        _ channel: any Channel,
        _ destination: Destination,
        _ ready: EventLoopPromise<UInt64>
    ) throws {
        let upgrader = NIOWebSocketClientUpgrader(
            maxFrameSize: self.configuration.limits.headBytes + self.configuration.limits.bodyBytes,
            upgradePipelineHandler: { channel, head in
                channel.eventLoop.makeCompletedFuture {
                    guard head.headers[canonicalForm: "Sec-WebSocket-Protocol"].map({ $0.lowercased() }) == ["sip"]
                    else {
                        throw SIPError(.notAllowed, "the server does not speak SIP over WebSocket")
                    }
                    let pipeline = channel.pipeline.syncOperations
                    _ = pipeline.removeHandler(try pipeline.handler(type: UpgradeFailureHandler.self))
                    let connection = try self.add(
                        channel,
                        destination.transport,
                        .webSocket(isClient: true),
                        destination: destination
                    )
                    try channel.pipeline.syncOperations.addHandler(
                        WebSocketMessageHandler(stack: self, connection: connection, isClient: true)
                    )
                    ready.succeed(connection.flow.number)
                }
            }
        )
        try channel.pipeline.syncOperations.addHTTPClientHandlers(
            withClientUpgrade: (upgraders: [upgrader], completionHandler: { _ in })
        )
        try channel.pipeline.syncOperations.addHandler(UpgradeFailureHandler(ready: ready))
        let host = destination.serverName ?? destination.address.ipAddress ?? "localhost"
        var head = HTTPRequestHead(version: .http1_1, method: .GET, uri: "/")
        head.headers.add(name: "Host", value: "\(host):\(destination.address.port ?? 80)")
        head.headers.add(name: "Sec-WebSocket-Protocol", value: "sip")
        head.headers.add(name: "Content-Length", value: "0")
        channel.write(HTTPClientRequestPart.head(head), promise: nil)
        channel.writeAndFlush(HTTPClientRequestPart.end(nil), promise: nil)
    }

    /// Sends bytes on a flow; a flow that is gone swallows them, and its transactions hear of that.
    func write(_ bytes: ByteBuffer, on flow: Flow) {
        guard flow.transport == .udp else {
            self.connections[flow.number]?.send(bytes)
            return
        }
        guard let listener = self.listeners[flow.number] else { return }
        self.write(AddressedEnvelope(remoteAddress: flow.remote, data: bytes), to: listener, number: flow.number)
    }

    /// What is sent while the socket is read goes out in one batch behind it.
    func write(_ envelope: AddressedEnvelope<ByteBuffer>, to listener: Listener, number: UInt64) {
        // A datagram that the kernel has no room for is lost like any other; retransmission makes good for it.
        if self.readingNumber == number {
            listener.channel.write(envelope, promise: nil)
        } else {
            listener.channel.writeAndFlush(envelope, promise: nil)
        }
    }
}

/// Refuses HTTP requests that do not turn into a WebSocket.
private final class NoUpgradeHandler: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = HTTPServerResponsePart

    private let timeout: TimeAmount
    private var timer: Scheduled<Void>?

    init(timeout: TimeAmount) { self.timeout = timeout }

    func handlerAdded(context: ChannelHandlerContext) {
        let channel = context.channel
        self.timer = context.eventLoop.scheduleTask(in: self.timeout) { channel.close(promise: nil) }
    }

    func handlerRemoved(context: ChannelHandlerContext) { self.timer?.cancel() }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard case .head = self.unwrapInboundIn(data) else { return }
        let headers: HTTPHeaders = ["Connection": "close", "Content-Length": "0", "Sec-WebSocket-Protocol": "sip"]
        let head = HTTPResponseHead(version: .http1_1, status: .badRequest, headers: headers)
        context.write(self.wrapOutboundOut(.head(head)), promise: nil)
        let channel = context.channel
        context.writeAndFlush(self.wrapOutboundOut(.end(nil))).whenComplete { _ in channel.close(promise: nil) }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
}

/// Fails a connection whose server answers with anything but a WebSocket.
private final class UpgradeFailureHandler: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPClientResponsePart

    private let ready: EventLoopPromise<UInt64>

    init(ready: EventLoopPromise<UInt64>) { self.ready = ready }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        self.ready.fail(SIPError(.notAllowed, "the server refused the WebSocket"))
        context.close(promise: nil)
    }

    func channelInactive(context: ChannelHandlerContext) {
        self.ready.fail(SIPError(.notAllowed, "the connection closed before it was a WebSocket"))
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        self.ready.fail(error)
        context.close(promise: nil)
    }
}
