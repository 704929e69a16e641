package import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL
import NIOWebSocket
import Synchronization

/// A WebSocket to the server (RFC 6455): text frames in and out, pings answered, silence noticed. Not for other packages.
package final class WebSocketLink: Sendable {
    /// Why the link ended.
    package struct Closed: Error, Sendable {
        /// The other side's close code; nil when the connection just broke.
        package var code: UInt16?
        package var reason: String
    }

    /// The server sends only so much ahead of acknowledgements; more than this is not our server.
    static let bufferedBytes = 64 << 20
    static let frameBytes = 16 << 20
    /// The server pings every 30 s: a link that is silent longer than this is dead.
    static let silence = TimeAmount.seconds(90)
    static let connectTimeout = TimeAmount.seconds(10)

    private struct State {
        var frames: [ByteBuffer] = []
        var bytes = 0
        var end: Closed?
        var waiter: CheckedContinuation<Void, Never>?
    }

    private let state = Mutex(State())
    private let channel: any Channel

    private init(channel: any Channel) { self.channel = channel }

    /// Connects and upgrades.
    /// - Throws: ``ClientError`` `unreachable` or `unexpected`.
    package static func open(_ server: ServerAddress, path: String) async throws -> WebSocketLink {
        let rest = server.url.drop { $0 != ":" }.dropFirst(3)
        let authority = rest.prefix { $0 != "/" }
        let place = Self.hostAndPort(String(authority), isSecure: server.isSecure)
        let tls = server.isSecure ? try NIOSSLContext(configuration: try server.tlsConfiguration()) : nil
        let upgraded = MultiThreadedEventLoopGroup.singleton.any().makePromise(of: WebSocketLink.self)
        let bootstrap = ClientBootstrap(group: upgraded.futureResult.eventLoop)
            .connectTimeout(connectTimeout)
            .channelOption(.socketOption(.tcp_nodelay), value: 1)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let pipeline = channel.pipeline.syncOperations
                    if let tls {
                        let isName = place.host.contains { $0.isLetter } && !place.host.contains(":")
                        try pipeline.addHandler(
                            NIOSSLClientHandler(context: tls, serverHostname: isName ? place.host : nil)
                        )
                    }
                    try Self.addUpgrade(pipeline, authority: String(authority), path: path, upgraded)
                }
            }
        do {
            let channel = try await bootstrap.connect(host: place.host, port: place.port).get()
            channel.closeFuture.whenComplete { _ in
                upgraded.fail(ClientError.unreachable("the server at \(server.url) takes no connection"))
            }
            // Whoever takes the connection and then says nothing is no server, either.
            let limit = channel.eventLoop.scheduleTask(in: connectTimeout) { channel.close(promise: nil) }
            defer { limit.cancel() }
            return try await withTaskCancellationHandler {
                try await upgraded.futureResult.get()
            } onCancel: {
                channel.close(promise: nil)
            }
        } catch let error as ClientError {
            throw error
        } catch {
            upgraded.fail(error)
            throw ClientError.unreachable("no server answers at \(server.url)")
        }
    }

    private static func hostAndPort(_ authority: String, isSecure: Bool) -> (host: String, port: Int) {
        let fallback = isSecure ? 443 : 80
        guard let colon = authority.lastIndex(of: ":"), !authority[colon...].contains("]") else {
            return (String(authority.filter { $0 != "[" && $0 != "]" }), fallback)
        }
        let host = authority[..<colon].filter { $0 != "[" && $0 != "]" }
        return (host, Int(authority[authority.index(after: colon)...]) ?? fallback)
    }

    private static func addUpgrade(
        _ pipeline: ChannelPipeline.SynchronousOperations,
        authority: String,
        path: String,
        _ upgraded: EventLoopPromise<WebSocketLink>
    ) throws {
        let upgrader = NIOWebSocketClientUpgrader(maxFrameSize: frameBytes) { channel, _ in
            channel.eventLoop.makeCompletedFuture {
                let link = WebSocketLink(channel: channel)
                try channel.pipeline.syncOperations.addHandlers([
                    IdleStateHandler(readTimeout: silence),
                    NIOWebSocketFrameAggregator(
                        minNonFinalFragmentSize: 0,
                        maxAccumulatedFrameCount: 4096,
                        maxAccumulatedFrameSize: frameBytes
                    ),
                    FrameHandler(link: link),
                ])
                upgraded.succeed(link)
            }
        }
        let request = UpgradeRequest(authority: authority, path: path, upgraded: upgraded)
        try pipeline.addHTTPClientHandlers(
            withClientUpgrade: (
                upgraders: [upgrader],
                completionHandler: { context in
                    context.pipeline.syncOperations.removeHandler(name: UpgradeRequest.name, promise: nil)
                }
            )
        )
        try pipeline.addHandler(request, name: UpgradeRequest.name)
    }

    // MARK: Frames

    /// Waits for text frames and returns all that have come.
    /// - Throws: ``Closed`` once the link has ended and everything was taken.
    package func frames() async throws -> [ByteBuffer] {
        while true {
            let (frames, end) = state.withLock { state in
                let frames = state.frames
                state.frames = []
                state.bytes = 0
                return (frames, state.end)
            }
            if !frames.isEmpty { return frames }
            if let end { throw end }
            await withTaskCancellationHandler {
                await withCheckedContinuation { continuation in
                    let isReady = state.withLock { state in
                        guard state.frames.isEmpty, state.end == nil else { return true }
                        state.waiter = continuation
                        return false
                    }
                    if isReady { continuation.resume() }
                }
            } onCancel: {
                close()
                ended(Closed(code: nil, reason: "cancelled"))
            }
        }
    }

    /// Sends a text frame.
    package func send(_ text: some Sequence<UInt8>) {
        let frame = WebSocketFrame(fin: true, opcode: .text, maskKey: .random(), data: ByteBuffer(bytes: text))
        channel.writeAndFlush(frame, promise: nil)
    }

    /// Closes with code 1000.
    package func close() {
        var data = ByteBuffer()
        data.write(webSocketErrorCode: .normalClosure)
        let frame = WebSocketFrame(fin: true, opcode: .connectionClose, maskKey: .random(), data: data)
        channel.writeAndFlush(frame).whenComplete { [channel] _ in channel.close(promise: nil) }
    }

    fileprivate func received(_ buffer: ByteBuffer) {
        let (waiter, isTooMuch) = state.withLock { state -> (CheckedContinuation<Void, Never>?, Bool) in
            state.frames.append(buffer)
            state.bytes += buffer.readableBytes
            let waiter = state.waiter
            state.waiter = nil
            return (waiter, state.bytes > Self.bufferedBytes)
        }
        waiter?.resume()
        if isTooMuch { channel.close(promise: nil) }
    }

    fileprivate func ended(_ end: Closed) {
        let waiter = state.withLock { state -> CheckedContinuation<Void, Never>? in
            if state.end == nil { state.end = end }
            let waiter = state.waiter
            state.waiter = nil
            return waiter
        }
        waiter?.resume()
    }
}

/// Hands frames to the link.
private final class FrameHandler: ChannelInboundHandler {
    typealias InboundIn = WebSocketFrame
    typealias OutboundOut = WebSocketFrame

    private let link: WebSocketLink

    init(link: WebSocketLink) { self.link = link }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let frame = unwrapInboundIn(data)
        switch frame.opcode {
        case .text: link.received(frame.unmaskedData)
        case .ping:
            let pong = WebSocketFrame(fin: true, opcode: .pong, maskKey: .random(), data: frame.unmaskedData)
            context.writeAndFlush(wrapOutboundOut(pong), promise: nil)
        case .connectionClose:
            var data = frame.unmaskedData
            let code = data.readWebSocketErrorCode().map { UInt16(webSocketErrorCode: $0) }
            link.ended(WebSocketLink.Closed(code: code, reason: String(buffer: data)))
            let answer = WebSocketFrame(fin: true, opcode: .connectionClose, maskKey: .random(), data: ByteBuffer())
            context.writeAndFlush(wrapOutboundOut(answer)).whenComplete { [channel = context.channel] _ in
                channel.close(promise: nil)
            }
        default: break
        }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if event is IdleStateHandler.IdleStateEvent { context.close(promise: nil) }
        context.fireUserInboundEventTriggered(event)
    }

    func channelInactive(context: ChannelHandlerContext) {
        link.ended(WebSocketLink.Closed(code: nil, reason: "the connection broke"))
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
}

/// Writes the upgrade request once connected; sees the answer only when it is a refusal.
private final class UpgradeRequest: ChannelInboundHandler, RemovableChannelHandler, Sendable {
    typealias InboundIn = HTTPClientResponsePart
    typealias OutboundOut = HTTPClientRequestPart

    static let name = "upgrade-request"
    private let authority: String
    private let path: String
    private let upgraded: EventLoopPromise<WebSocketLink>

    init(authority: String, path: String, upgraded: EventLoopPromise<WebSocketLink>) {
        self.authority = authority
        self.path = path
        self.upgraded = upgraded
    }

    func channelActive(context: ChannelHandlerContext) {
        let head = HTTPRequestHead(
            version: .http1_1,
            method: .GET,
            uri: path,
            headers: ["Host": authority, "Content-Length": "0"]
        )
        context.write(wrapOutboundOut(.head(head)), promise: nil)
        context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
        context.fireChannelActive()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        if case .head(let head) = unwrapInboundIn(data) {
            upgraded.fail(ClientError.unexpected("no WebSocket is offered there (\(head.status))"))
            context.close(promise: nil)
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        upgraded.fail(ClientError.unreachable("the connection cannot be made: \(error)"))
        context.close(promise: nil)
    }
}
