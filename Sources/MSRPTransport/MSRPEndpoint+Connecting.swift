import MSRP
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL
import NIOWebSocket

extension MSRPEndpoint {
    /// Opens a connection; the future completes once frames can be exchanged on it.
    func open(_ address: ConnectionAddress, on loop: any EventLoop) -> EventLoopFuture<MSRPConnection> {
        guard !address.isSecure || self.clientTLS != nil else {
            return loop.makeFailedFuture(MSRPError(.connectFailed, "msrps needs a TLS configuration"))
        }
        let ready = loop.makePromise(of: MSRPConnection.self)
        let bootstrap = ClientBootstrap(group: loop)
            .connectTimeout(self.frameLimits.connectTimeout)
            .channelOption(.socketOption(.tcp_nodelay), value: 1)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture { try self.initialize(channel, address, ready) }
            }
        self.applyOptions(to: bootstrap)
            .connect(host: address.host, port: Int(address.port))
            .whenComplete { result in
                switch result {
                case .failure(let error):
                    loop.execute { ready.fail(error) }
                case .success(let channel):
                    // A peer that accepts and then says nothing must not be waited for.
                    let timeout = loop.scheduleTask(in: self.limits.handshakeTimeout) {
                        channel.close(promise: nil)
                        ready.fail(MSRPError(.connectFailed, "TLS or WebSocket did not come up in time"))
                    }
                    ready.futureResult.whenComplete { _ in timeout.cancel() }
                }
            }
        return ready.futureResult
    }

    private func initialize(
        _ channel: any Channel,
        _ address: ConnectionAddress,
        _ ready: EventLoopPromise<MSRPConnection>
    ) throws {
        if address.isSecure, let context = self.clientTLS {
            let isAddress = (try? SocketAddress(ipAddress: address.host, port: 0)) != nil
            let name = isAddress ? nil : address.host
            let handler =
                if let fingerprint = address.fingerprint {
                    try NIOSSLClientHandler(context: context, serverHostname: name) { chain, promise in
                        promise.completeWith(Self.matches(chain, fingerprint))
                    }
                } else {
                    try NIOSSLClientHandler(context: context, serverHostname: name)
                }
            try channel.pipeline.syncOperations.addHandler(handler)
        }
        let connection = MSRPConnection(
            id: self.makeConnectionID(),
            endpoint: self,
            loop: channel.eventLoop,
            address: address,
            framing: address.isWebSocket ? .message : .stream,
            readiness: address.isWebSocket ? .now : address.isSecure ? .afterHandshake : .whenActive,
            ready: ready
        )
        guard address.isWebSocket else { return try channel.pipeline.syncOperations.addHandler(connection) }
        try self.addWebSocketClient(to: channel, address, connection)
    }

    /// Whether the certificate that came is the one that signalling has named.
    private static func matches(
        _ chain: [NIOSSLCertificate],
        _ fingerprint: CertificateFingerprint
    ) -> Result<NIOSSLVerificationResult, any Error> {
        Result {
            guard let leaf = chain.first else { return .failed }
            let found = CertificateFingerprint(ofCertificate: try leaf.toDERBytes())
            return found == fingerprint ? .certificateVerified : .failed
        }
    }

    private func addWebSocketClient(
        to channel: any Channel,
        _ address: ConnectionAddress,
        _ connection: MSRPConnection
    ) throws {
        let maxBytes = self.limits.maxWebSocketMessageBytes
        let upgrader = NIOWebSocketClientUpgrader(maxFrameSize: maxBytes) { channel, response in
            channel.eventLoop.makeCompletedFuture {
                guard response.headers[canonicalForm: "sec-websocket-protocol"].contains(where: Self.isSubprotocol)
                else { throw MSRPError(.connectFailed, "the server does not speak MSRP on this WebSocket") }
                try Self.addWebSocket(to: channel, isClient: true, maxBytes: maxBytes, connection)
            }
        }
        let request = WebSocketRequest(host: "\(address.host):\(address.port)")
        try channel.pipeline.syncOperations.addHTTPClientHandlers(
            leftOverBytesStrategy: .forwardBytes,
            withClientUpgrade: (
                upgraders: [upgrader],
                completionHandler: { context in
                    context.pipeline.removeHandler(name: WebSocketRequest.name, promise: nil)
                }
            )
        )
        try channel.pipeline.syncOperations.addHandler(request, name: WebSocketRequest.name)
    }

    static func isSubprotocol(_ name: some StringProtocol) -> Bool {
        name.lowercased() == WebSocketFraming.subprotocol
    }

    static func addWebSocket(
        to channel: any Channel,
        isClient: Bool,
        maxBytes: Int,
        _ connection: MSRPConnection
    ) throws {
        try channel.pipeline.syncOperations.addHandlers([
            NIOWebSocketFrameAggregator(
                minNonFinalFragmentSize: 0,
                maxAccumulatedFrameCount: 64,
                maxAccumulatedFrameSize: maxBytes
            ),
            WebSocketBridge(isClient: isClient),
            connection,
        ])
    }
}

/// Asks for the upgrade of a connection to a WebSocket that speaks MSRP (RFC 7977 section 4.1).
private final class WebSocketRequest: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPClientResponsePart
    typealias OutboundOut = HTTPClientRequestPart

    static let name = "msrp-websocket-request"

    private let host: String

    init(host: String) { self.host = host }

    func channelActive(context: ChannelHandlerContext) {
        var head = HTTPRequestHead(version: .http1_1, method: .GET, uri: "/")
        head.headers.add(name: "Host", value: self.host)
        head.headers.add(name: "Sec-WebSocket-Protocol", value: WebSocketFraming.subprotocol)
        context.write(self.wrapOutboundOut(.head(head)), promise: nil)
        context.writeAndFlush(self.wrapOutboundOut(.end(nil)), promise: nil)
        context.fireChannelActive()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        // Any answer that gets here is no upgrade.
        context.close(promise: nil)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
}
