import NIOCore
import NIOSSL
import NIOWebSocket
import SIP

/// An open connection of a stack.
///
/// Belongs to the event loop of its stack.
final class Connection {
    /// How messages are cut.
    enum Framing {
        case stream
        case webSocket(isClient: Bool)
    }

    let flow: Flow
    let channel: any Channel
    let framing: Framing
    /// What it was opened for, nil when the peer opened it.
    let destination: Destination?
    /// Ends it unless it is kept.
    private var unprovenTimer: Scheduled<Void>?
    private let maximumPendingBytes: Int
    private let pongTimeout: TimeAmount
    private var pongTimer: Scheduled<Void>?
    private var pingTimer: RepeatingTimer?

    init(
        flow: Flow,
        channel: any Channel,
        framing: Framing,
        destination: Destination?,
        configuration: SIPStackConfiguration
    ) {
        self.flow = flow
        self.channel = channel
        self.framing = framing
        self.destination = destination
        self.maximumPendingBytes = configuration.maximumPendingBytes
        self.pongTimeout = configuration.pongTimeout
        guard destination == nil, let timeout = configuration.unprovenTimeout else { return }
        self.unprovenTimer = channel.eventLoop.scheduleTask(in: timeout) { channel.close(mode: .all, promise: nil) }
    }

    /// It stays for as long as it is used.
    func keep() {
        self.unprovenTimer?.cancel()
        self.unprovenTimer = nil
    }

    var peerCertificate: NIOSSLCertificate? {
        (try? self.channel.pipeline.syncOperations.handler(type: NIOSSLHandler.self))?.peerCertificate
    }

    /// Sends one message.
    ///
    /// A peer that does not read for too long loses its connection.
    func send(_ bytes: ByteBuffer) {
        let pending = (try? self.channel.syncOptions?.getOption(.bufferedWritableBytes)) ?? 0
        guard pending + bytes.readableBytes <= self.maximumPendingBytes else {
            self.channel.close(mode: .all, promise: nil)
            return
        }
        switch self.framing {
        case .stream:
            self.channel.writeAndFlush(bytes, promise: nil)
        case .webSocket(let isClient):
            let frame = WebSocketFrame(
                fin: true,
                opcode: .text,
                maskKey: isClient ? WebSocketMaskingKey.random() : nil,
                data: bytes
            )
            self.channel.writeAndFlush(frame, promise: nil)
        }
    }

    /// Sends CRLF CRLF and closes the connection when no CRLF comes back in time (RFC 5626 section 4.4.1).
    func ping() {
        guard self.pongTimer == nil else { return }
        switch self.framing {
        case .stream:
            self.channel.writeAndFlush(ByteBuffer(string: "\r\n\r\n"), promise: nil)
        case .webSocket(let isClient):
            let key = isClient ? WebSocketMaskingKey.random() : nil
            self.channel.writeAndFlush(
                WebSocketFrame(fin: true, opcode: .ping, maskKey: key, data: ByteBuffer()),
                promise: nil
            )
        }
        let channel = self.channel
        self.pongTimer = self.channel.eventLoop.scheduleTask(in: self.pongTimeout) {
            channel.close(mode: .all, promise: nil)
        }
    }

    func receivedPong() {
        self.pongTimer?.cancel()
        self.pongTimer = nil
    }

    func startPinging(every interval: TimeAmount) {
        self.pingTimer?.cancel()
        self.pingTimer = RepeatingTimer(self.channel.eventLoop, every: interval) { [weak self] in self?.ping() }
    }

    func stop() {
        self.keep()
        self.pongTimer?.cancel()
        self.pingTimer?.cancel()
    }
}

/// Closes a connection that is silent for too long, or whose peer takes too long over one message.
struct ConnectionClock {
    private let idleTimeout: TimeAmount
    private let messageTimeout: TimeAmount
    private var lastRead = NIODeadline.now()
    private var messageStart: NIODeadline?

    /// - Parameter isAccepted: Whether the peer opened the connection: whoever does has something to say, and TLS is set
    ///   up until then.
    init(_ configuration: SIPStackConfiguration, isAccepted: Bool) {
        self.idleTimeout = configuration.idleTimeout
        self.messageTimeout = configuration.messageTimeout
        self.messageStart = isAccepted ? self.lastRead : nil
    }

    /// How often to look.
    var interval: TimeAmount { min(.seconds(5), min(self.idleTimeout, self.messageTimeout)) }

    mutating func read(isInMessage: Bool) {
        self.lastRead = .now()
        self.messageStart = isInMessage ? self.messageStart ?? self.lastRead : nil
    }

    var isExpired: Bool {
        let now = NIODeadline.now()
        if let start = self.messageStart, start + self.messageTimeout <= now { return true }
        return self.lastRead + self.idleTimeout <= now
    }
}

/// Reads messages from a TCP or TLS connection.
final class StreamHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let stack: SIPStack
    private let connection: Connection
    private var framer: StreamFramer
    private var clock: ConnectionClock
    private var clockTask: RepeatingTimer?

    init(stack: SIPStack, connection: Connection) {
        self.stack = stack
        self.connection = connection
        self.framer = StreamFramer(
            side: connection.destination == nil ? .server : .client,
            limits: stack.configuration.limits
        )
        self.clock = ConnectionClock(stack.configuration, isAccepted: connection.destination == nil)
    }

    func handlerAdded(context: ChannelHandlerContext) {
        self.clockTask = RepeatingTimer(context.eventLoop, every: self.clock.interval) { [weak self] in
            guard let self, self.clock.isExpired else { return }
            self.connection.channel.close(promise: nil)
        }
    }

    func handlerRemoved(context: ChannelHandlerContext) { self.clockTask?.cancel() }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        self.framer.append(self.unwrapInboundIn(data))
        while let event = self.framer.next() {
            switch event {
            case .message(let message):
                self.stack.received(.message(message), on: self.connection.flow)
            case .ping:
                context.writeAndFlush(self.wrapOutboundOut(ByteBuffer(string: "\r\n")), promise: nil)
            case .pong:
                self.connection.receivedPong()
            case .failed(let error, let request):
                self.stack.received(.broken(error, request: request), on: self.connection.flow)
                context.close(promise: nil)
                return
            }
        }
        self.clock.read(isInMessage: self.framer.isInMessage)
    }

    /// A peer that does not take our bytes may not send us more.
    func channelWritabilityChanged(context: ChannelHandlerContext) {
        _ = context.channel.setOption(.autoRead, value: context.channel.isWritable)
        context.fireChannelWritabilityChanged()
    }

    func channelInactive(context: ChannelHandlerContext) {
        self.clockTask?.cancel()
        self.stack.closed(self.connection)
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
}

/// Reads messages from a WebSocket: one message in each, over one or more frames (RFC 7118 section 5).
final class WebSocketMessageHandler: ChannelInboundHandler {
    typealias InboundIn = WebSocketFrame
    typealias OutboundOut = WebSocketFrame

    private let stack: SIPStack
    private let connection: Connection
    private let isClient: Bool
    private let maximumBytes: Int
    private var partial: ByteBuffer?
    private var clock: ConnectionClock
    private var clockTask: RepeatingTimer?

    init(stack: SIPStack, connection: Connection, isClient: Bool) {
        self.stack = stack
        self.connection = connection
        self.isClient = isClient
        self.maximumBytes = stack.configuration.limits.headBytes + stack.configuration.limits.bodyBytes
        self.clock = ConnectionClock(stack.configuration, isAccepted: !isClient)
    }

    func handlerAdded(context: ChannelHandlerContext) {
        self.clockTask = RepeatingTimer(context.eventLoop, every: self.clock.interval) { [weak self] in
            guard let self, self.clock.isExpired else { return }
            self.connection.channel.close(promise: nil)
        }
    }

    func handlerRemoved(context: ChannelHandlerContext) { self.clockTask?.cancel() }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let frame = self.unwrapInboundIn(data)
        let payload = frame.unmaskedData
        switch frame.opcode {
        case .text, .binary:
            guard self.partial == nil else { return self.close(context, .protocolError) }
            self.take(context, payload, isLast: frame.fin)
        case .continuation:
            guard self.partial != nil else { return self.close(context, .protocolError) }
            self.take(context, payload, isLast: frame.fin)
        case .ping:
            self.write(context, .pong, payload)
        case .pong:
            self.connection.receivedPong()
        case .connectionClose:
            self.close(context, .normalClosure)
            return
        default:
            return self.close(context, .protocolError)
        }
        self.clock.read(isInMessage: self.partial != nil)
    }

    private func take(_ context: ChannelHandlerContext, _ payload: ByteBuffer, isLast: Bool) {
        var message = self.partial ?? ByteBuffer()
        guard message.readableBytes + payload.readableBytes <= self.maximumBytes else {
            return self.close(context, .messageTooLarge)
        }
        message.writeImmutableBuffer(payload)
        guard isLast else {
            self.partial = message
            return
        }
        self.partial = nil
        if message.readableBytesView.allSatisfy({ $0 == 0x0D || $0 == 0x0A }) {
            // RFC 7118 section 6 allows the keep-alives of RFC 5626 too.
            if message.readableBytes == 4 { self.write(context, .text, ByteBuffer(string: "\r\n")) }
            if message.readableBytes == 2 { self.connection.receivedPong() }
            return
        }
        self.stack.received(SIPMessage.read(message, limits: self.stack.configuration.limits), on: self.connection.flow)
    }

    private func write(_ context: ChannelHandlerContext, _ opcode: WebSocketOpcode, _ data: ByteBuffer) {
        let key = self.isClient ? WebSocketMaskingKey.random() : nil
        context.writeAndFlush(
            self.wrapOutboundOut(WebSocketFrame(fin: true, opcode: opcode, maskKey: key, data: data)),
            promise: nil
        )
    }

    private func close(_ context: ChannelHandlerContext, _ code: WebSocketErrorCode) {
        var data = ByteBuffer()
        data.write(webSocketErrorCode: code)
        self.write(context, .connectionClose, data)
        context.close(promise: nil)
    }

    /// A peer that does not take our bytes may not send us more.
    func channelWritabilityChanged(context: ChannelHandlerContext) {
        _ = context.channel.setOption(.autoRead, value: context.channel.isWritable)
        context.fireChannelWritabilityChanged()
    }

    func channelInactive(context: ChannelHandlerContext) {
        self.clockTask?.cancel()
        self.stack.closed(self.connection)
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
}

/// Reads messages from a datagram socket.
final class DatagramHandler: ChannelInboundHandler {
    typealias InboundIn = AddressedEnvelope<ByteBuffer>

    private let stack: SIPStack
    private let number: UInt64
    private let local: SocketAddress

    init(stack: SIPStack, number: UInt64, local: SocketAddress) {
        self.stack = stack
        self.number = number
        self.local = local
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let envelope = self.unwrapInboundIn(data)
        let source = envelope.data
        // Empty lines and single bytes keep a NAT open.
        guard source.readableBytes > 4, let first = source.getInteger(at: source.readerIndex, as: UInt8.self) else {
            return
        }
        let reached = envelope.metadata?.packetInfo?.destinationAddress.at(port: self.local.port)
        let flow = Flow(
            number: self.number,
            transport: .udp,
            local: reached ?? self.local,
            remote: envelope.remoteAddress
        )
        // STUN starts with a byte below any letter.
        guard first > 3 else { return self.stack.received(stun: source, on: flow) }
        // A copy, so that the large buffer of the socket can be used again, with room for the note of its source.
        var bytes = ByteBufferAllocator().buffer(capacity: source.readableBytes + 96)
        bytes.writeImmutableBuffer(source)
        self.stack.readingNumber = self.number
        self.stack.received(SIPMessage.read(bytes, limits: self.stack.configuration.limits), on: flow)
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        self.stack.readingNumber = nil
        context.flush()
        context.fireChannelReadComplete()
    }

    /// An ICMP error on an unconnected socket says nothing about other peers.
    func errorCaught(context: ChannelHandlerContext, error: any Error) {}
}
