import ClientWire
import MessagingService
import NIOCore
import NIOWebSocket

/// Owns one device's socket on its event loop: whole text frames to the session, frames of the session to the wire.
///
/// `@unchecked Sendable`: after its making it is touched on its event loop alone, which the session promises too.
final class SocketHandler: ChannelDuplexHandler, DeviceLink, LoopMember, LoopWriter, @unchecked Sendable {
    typealias InboundIn = WebSocketFrame
    typealias OutboundIn = WebSocketFrame
    typealias OutboundOut = WebSocketFrame

    /// Opens the session that talks through this link.
    typealias Opening = @Sendable (any DeviceLink, any Inbox) -> DeviceSession

    private let loop: ConnectionLoop
    private let limits: GatewayLimits
    private let metrics: GatewayMetrics
    private let open: Opening
    private var liveness: SocketLiveness
    private var session: DeviceSession?
    private var context: ChannelHandlerContext?
    private var isDirty = false
    private var framesInTick = 0
    private var isReadHeld = false

    init(loop: ConnectionLoop, limits: GatewayLimits, metrics: GatewayMetrics, open: @escaping Opening) {
        self.loop = loop
        self.limits = limits
        self.metrics = metrics
        self.open = open
        liveness = SocketLiveness(limits.socketDeadlines, now: ConnectionLoop.now())
    }

    // MARK: Life

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        session = open(self, loop)
        loop.join(self)
        metrics.socketOpened()
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        end()
        self.context = nil
    }

    func channelInactive(context: ChannelHandlerContext) {
        end()
        context.fireChannelInactive()
    }

    private func end() {
        liveness.gone()
        guard let session else { return }
        self.session = nil
        loop.leave(self)
        metrics.socketClosed()
        session.closed()
    }

    func tick(now: Int64) {
        framesInTick = 0
        switch liveness.tick(now: now) {
        case .nothing: break
        case .ping: send(.ping, ByteBuffer())
        case .close(.noHello): close(code: CloseCode.badFrame, reason: "no hello in time")
        case .close(.noPong): close(code: CloseCode.tooSlow, reason: "no answer to pings")
        case .close(.tooSlow): close(code: CloseCode.tooSlow, reason: "nothing was taken for too long")
        case .drop: context?.close(promise: nil)
        }
        session?.tick()
        readAgain()
    }

    // MARK: From the network

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let frame = unwrapInboundIn(data)
        framesInTick += 1
        loop.turn {
            switch frame.opcode {
            case .text:
                guard liveness.message(now: ConnectionLoop.now()) else { return }
                session?.receive(Array(buffer: frame.unmaskedData))
            case .binary: close(code: CloseCode.badFrame, reason: "text frames only")
            case .ping: if liveness.control(now: ConnectionLoop.now()) { send(.pong, frame.unmaskedData) }
            case .pong: _ = liveness.control(now: ConnectionLoop.now())
            case .connectionClose: peerCloses(frame.unmaskedData)
            default: close(code: Self.protocolError, reason: "an unknown kind of frame")
            }
        }
    }

    private func peerCloses(_ data: ByteBuffer) {
        switch liveness.peerCloses() {
        case .answer:
            // The same code comes back (RFC 6455, section 5.5.1), without the other side's words.
            var data = data
            let code = data.readSlice(length: min(2, data.readableBytes)) ?? ByteBuffer()
            send(.connectionClose, code)
            context?.flush()
            context?.close(promise: nil)
        case .drop: context?.close(promise: nil)
        case .nothing: break
        }
    }

    /// What comes after a broken frame cannot be read, not even the answer to our close: we close our side at once.
    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        switch error {
        case NIOWebSocketError.invalidFrameLength, NIOWebSocketFrameAggregator.Error.accumulatedFrameSizeIsTooLarge,
            NIOWebSocketFrameAggregator.Error.tooManyFragments:
            close(code: Self.messageTooBig, reason: "at most \(limits.frameBytes) bytes in a message")
        case is NIOWebSocketError, is NIOWebSocketFrameAggregator.Error, is SocketFrameCheck.Violation:
            close(code: Self.protocolError, reason: "not a proper frame")
        default: return context.close(promise: nil)
        }
        context.flush()
        context.close(mode: .output, promise: nil)
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        switch event {
        case is ChannelShouldQuiesceEvent: close(code: CloseCode.goingAway, reason: "the server shuts down")
        case ChannelEvent.inputClosed: context.close(promise: nil)
        default: context.fireUserInboundEventTriggered(event)
        }
    }

    // MARK: Back-pressure

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        let isWritable = context.channel.isWritable
        liveness.writability(isWritable, now: ConnectionLoop.now())
        loop.turn { session?.writabilityChanged() }
        if isWritable { readAgain() }
        context.fireChannelWritabilityChanged()
    }

    /// Commands are not taken from a device that does not take its answers, nor faster than frames are allowed.
    func read(context: ChannelHandlerContext) {
        guard context.channel.isWritable, framesInTick < limits.framesPerTick else {
            isReadHeld = true
            return
        }
        context.read()
    }

    private func readAgain() {
        guard isReadHeld, let context, context.channel.isWritable else { return }
        isReadHeld = false
        context.read()
    }

    // MARK: From the session

    var isWritable: Bool { liveness.isOpen && context?.channel.isWritable == true }

    func write(_ frame: [UInt8]) {
        guard liveness.isOpen, let context else { return }
        metrics.frameWritten()
        let frame = WebSocketFrame(fin: true, opcode: .text, data: ByteBuffer(bytes: frame))
        context.write(wrapOutboundOut(frame), promise: nil)
        guard !context.channel.isWritable, pendingBytes(context) > limits.pendingWriteBytes else { return }
        close(code: CloseCode.tooSlow, reason: "too much waits to be taken")
        // The close frame waits behind all that: do not wait for it.
        context.close(promise: nil)
    }

    private func pendingBytes(_ context: ChannelHandlerContext) -> Int {
        (try? context.channel.syncOptions?.getOption(.bufferedWritableBytes)) ?? 0
    }

    func flush() {
        guard !isDirty else { return }
        isDirty = true
        loop.flushLater(self)
    }

    func flushNow() {
        isDirty = false
        context?.flush()
    }

    func close(code: UInt16, reason: String) {
        guard liveness.close(now: ConnectionLoop.now()) == .sayIt else { return }
        var data = ByteBuffer()
        data.writeInteger(code)
        data.writeString(String(decoding: reason.utf8.prefix(Self.reasonBytes), as: UTF8.self))
        send(.connectionClose, data)
        session?.closed()
    }

    private func send(_ opcode: WebSocketOpcode, _ data: ByteBuffer) {
        guard let context else { return }
        context.write(wrapOutboundOut(WebSocketFrame(fin: true, opcode: opcode, data: data)), promise: nil)
        flush()
    }

    /// Codes of RFC 6455, section 7.4.1.
    private static let protocolError: UInt16 = 1002
    private static let messageTooBig: UInt16 = 1009
    /// A control frame has 125 bytes, two of them the code.
    private static let reasonBytes = 120
}
