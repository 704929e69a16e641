import ClientWire
import FoundationEssentials
import MessagingCore
import NIOCore
import NIOHTTP1

/// Holds an HTTP connection to its deadlines, answers what is no HTTP, and lets only real socket upgrades through.
///
/// It stands between the pipelining handler and the upgrade handler. The upgrade handler forgets the head of a request
/// whose upgrade it refuses, so an upgrade that is not ours must not reach it.
final class HTTPGuard: ChannelDuplexHandler, RemovableChannelHandler, LoopMember {
    typealias InboundIn = HTTPServerRequestPart
    typealias InboundOut = HTTPServerRequestPart
    typealias OutboundIn = HTTPServerResponsePart
    typealias OutboundOut = HTTPServerResponsePart

    private let loop: ConnectionLoop
    /// Where sockets are opened; nil for a listener without them.
    private let socketPath: String?
    private let pieceBytes: Int64
    private var connection: HTTPConnection
    private var isFirstRequest = true
    private var isUpgrading = false
    private var context: ChannelHandlerContext?

    init(loop: ConnectionLoop, limits: GatewayLimits, socketPath: String?) {
        self.loop = loop
        self.socketPath = socketPath
        pieceBytes = limits.uploadPieceBytes
        connection = HTTPConnection(limits.deadlines, now: ConnectionLoop.now())
    }

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        loop.join(self)
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.context = nil
        loop.leave(self)
    }

    func tick(now: Int64) {
        guard let context, connection.tick(now: now) == .close else { return }
        context.fireErrorCaught(HTTPParserError.closedConnection)
        context.close(promise: nil)
    }

    // MARK: Requests

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head): self.head(context: context, head)
        case .body(let body): if connection.body(bytes: body.readableBytes) == .pass { context.fireChannelRead(data) }
        case .end: if connection.end() == .pass { context.fireChannelRead(data) }
        }
    }

    private func head(context: ChannelHandlerContext, _ head: HTTPRequestHead) {
        var head = head
        let isFirst = isFirstRequest
        isFirstRequest = false
        // The decoder reads nothing after a request that wanted an upgrade: refused, it is the connection's last.
        var keepsAlive = head.isKeepAlive
        if head.headers.contains(name: "upgrade") {
            if isFirst, opensSocket(head) {
                isUpgrading = true
            } else {
                head.headers.remove(name: "upgrade")
                keepsAlive = false
            }
        }
        guard head.version != .http1_1 || head.headers[canonicalForm: "host"].count == 1 else {
            return malformed(context: context, .invalidHeaderToken)
        }
        let action = connection.head(
            expectsContinue: expectsContinue(head),
            keepsAlive: keepsAlive,
            now: ConnectionLoop.now()
        )
        switch action {
        case .pass: context.fireChannelRead(wrapInboundOut(.head(head)))
        case .passAfterContinue:
            let answer = HTTPResponseHead(version: .http1_1, status: .continue)
            context.writeAndFlush(wrapOutboundOut(.head(answer)), promise: nil)
            context.fireChannelRead(wrapInboundOut(.head(head)))
        case .drop: break
        }
    }

    /// A complete opening handshake for our path (RFC 6455, section 4.2.1).
    private func opensSocket(_ head: HTTPRequestHead) -> Bool {
        guard let socketPath, head.method == .GET, head.version == .http1_1,
            head.uri == socketPath || head.uri.hasPrefix(socketPath + "?")
        else { return false }
        let key = head.headers[canonicalForm: "sec-websocket-key"]
        return head.headers[canonicalForm: "upgrade"].map { $0.lowercased() } == ["websocket"]
            && head.headers[canonicalForm: "connection"].contains { $0.lowercased() == "upgrade" }
            && head.headers[canonicalForm: "sec-websocket-version"] == ["13"]
            && key.count == 1 && key.first?.utf8.count == 24
    }

    /// The client waits for leave to send a body; a body that is too large anyway gets its refusal instead.
    private func expectsContinue(_ head: HTTPRequestHead) -> Bool {
        guard head.version == .http1_1,
            head.headers[canonicalForm: "expect"].contains(where: { $0.lowercased() == "100-continue" })
        else { return false }
        return head.headers.first(name: "content-length").flatMap { Int64($0) }.map { $0 <= pieceBytes } ?? true
    }

    // MARK: Answers

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        if isUpgrading { return context.write(data, promise: promise) }
        switch unwrapOutboundIn(data) {
        case .head(var head):
            switch connection.answerHead() {
            case .write: context.write(data, promise: promise)
            case .writeClosing:
                head.headers.replaceOrAdd(name: "connection", value: "close")
                context.write(wrapOutboundOut(.head(head)), promise: promise)
            case .drop: promise?.fail(ChannelError.outputClosed)
            }
        case .body:
            switch connection.answerBody() {
            case .pass: context.write(data, promise: promise)
            case .drop: promise?.fail(ChannelError.outputClosed)
            }
        case .end:
            switch connection.answerEnd(now: ConnectionLoop.now()) {
            case .write: context.write(data, promise: promise)
            case .writeAndLinger:
                context.writeAndFlush(data, promise: promise)
                linger(context: context)
            case .drop: promise?.fail(ChannelError.outputClosed)
            }
        }
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        connection.writability(context.channel.isWritable, now: ConnectionLoop.now())
        context.fireChannelWritabilityChanged()
    }

    /// Closes our side; what still comes is read and dropped until the client closes or the time is up.
    private func linger(context: ChannelHandlerContext) {
        context.close(mode: .output, promise: nil)
        context.read()
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        if connection.isLingering { context.read() }
        context.fireChannelReadComplete()
    }

    func close(context: ChannelHandlerContext, mode: CloseMode, promise: EventLoopPromise<Void>?) {
        // Our side is closed already; the rest waits for the client, or for the deadline.
        if connection.isLingering {
            promise?.succeed()
            return
        }
        if mode == .all { connection.closed() }
        context.close(mode: mode, promise: promise)
    }

    // MARK: Errors

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        guard let error = error as? HTTPParserError else {
            connection.closed()
            return context.close(promise: nil)
        }
        malformed(context: context, error)
    }

    private func malformed(context: ChannelHandlerContext, _ error: HTTPParserError) {
        let action = connection.malformed(now: ConnectionLoop.now())
        // First of all: whoever reads the body must not take what came for the whole of it.
        if action != .ignore { context.fireErrorCaught(error) }
        switch action {
        case .answerAndLinger:
            let answer = MalformedAnswer(error)
            context.write(wrapOutboundOut(.head(answer.head)), promise: nil)
            context.write(wrapOutboundOut(.body(.byteBuffer(answer.body))), promise: nil)
            context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
            linger(context: context)
        case .close: context.close(promise: nil)
        case .ignore: break
        }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if connection.isLingering, let event = event as? ChannelEvent, event == .inputClosed {
            connection.closed()
            context.close(promise: nil)
            return
        }
        context.fireUserInboundEventTriggered(event)
    }
}

/// The answer to bytes that are no HTTP request.
private struct MalformedAnswer {
    let head: HTTPResponseHead
    let body: ByteBuffer

    init(_ error: HTTPParserError) {
        let isTooLarge = error == .headerOverflow
        let refusal =
            isTooLarge
            ? Refusal(.tooLarge, "the request's head is too large") : Refusal(.invalidRequest, "not an HTTP request")
        let status: HTTPResponseStatus = isTooLarge ? .requestHeaderFieldsTooLarge : .badRequest
        let problem = Problem(refusal, status: Int(status.code), title: refusal.code.title)
        body = ByteBuffer(bytes: (try? StrictJSON.encode(problem)) ?? Data())
        head = HTTPResponseHead(
            version: .http1_1,
            status: status,
            headers: [
                "content-type": "application/problem+json", "content-length": "\(body.readableBytes)",
                "cache-control": "no-store", "connection": "close",
            ]
        )
    }
}
