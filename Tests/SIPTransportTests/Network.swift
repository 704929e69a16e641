import NIOCore
import NIOPosix
import SIP

/// A datagram relay that loses the first datagrams of each direction and sends the others several times.
final class LossyRelay: @unchecked Sendable {
    let address: SocketAddress
    private let channel: any Channel

    private init(channel: any Channel, address: SocketAddress) {
        self.channel = channel
        self.address = address
    }

    static func start(to target: SocketAddress, dropFirst: Int, copies: Int) async throws -> LossyRelay {
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        let channel = try await DatagramBootstrap(group: loop)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(
                        Handler(target: target, dropFirst: dropFirst, copies: copies)
                    )
                }
            }.bind(host: "127.0.0.1", port: 0).get()
        guard let address = channel.localAddress else { throw SIPError(.notAllowed, "no address") }
        return LossyRelay(channel: channel, address: address)
    }

    func close() async throws { try await self.channel.close() }

    private final class Handler: ChannelInboundHandler {
        typealias InboundIn = AddressedEnvelope<ByteBuffer>
        typealias OutboundOut = AddressedEnvelope<ByteBuffer>

        private let target: SocketAddress
        private let copies: Int
        private var toDrop: [Bool: Int]
        private var client: SocketAddress?

        init(target: SocketAddress, dropFirst: Int, copies: Int) {
            self.target = target
            self.copies = copies
            self.toDrop = [true: dropFirst, false: dropFirst]
        }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            let envelope = self.unwrapInboundIn(data)
            let isAnswer = envelope.remoteAddress == self.target
            if !isAnswer { self.client = envelope.remoteAddress }
            if let left = self.toDrop[isAnswer], left > 0 {
                self.toDrop[isAnswer] = left - 1
                return
            }
            guard let to = isAnswer ? self.client : self.target else { return }
            for _ in 0..<self.copies {
                context.write(
                    self.wrapOutboundOut(AddressedEnvelope(remoteAddress: to, data: envelope.data)),
                    promise: nil
                )
            }
            context.flush()
        }
    }
}

/// A TCP peer that sends and reads plain text.
final class RawPeer: @unchecked Sendable {
    private let channel: any Channel
    private let handler: Handler

    private init(channel: any Channel, handler: Handler) {
        self.channel = channel
        self.handler = handler
    }

    static func connect(_ address: SocketAddress) async throws -> RawPeer {
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        let handler = Handler()
        let channel = try await ClientBootstrap(group: loop)
            .channelOption(.socketOption(.tcp_nodelay), value: 1)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture { try channel.pipeline.syncOperations.addHandler(handler) }
            }.connect(to: address).get()
        return RawPeer(channel: channel, handler: handler)
    }

    func send(_ text: String) async throws { try await self.channel.writeAndFlush(ByteBuffer(string: text)) }

    /// Waits for text up to and including a mark, and takes it.
    func read(until mark: String) async throws -> String {
        for _ in 0..<500 {
            let taken = try await self.channel.eventLoop.submit { self.handler.take(until: mark) }.get()
            if let taken { return taken }
            try await Task.sleep(for: .milliseconds(10))
        }
        throw SIPError(.truncatedBody, "the text did not come")
    }

    func waitForEnd() async throws { try await self.channel.closeFuture.get() }

    func close() async throws { try await self.channel.close() }

    private final class Handler: ChannelInboundHandler, @unchecked Sendable {
        typealias InboundIn = ByteBuffer
        private var received = ""

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            self.received += String(buffer: self.unwrapInboundIn(data))
        }

        func take(until mark: String) -> String? {
            let bytes = Array(self.received.utf8)
            let wanted = Array(mark.utf8)
            guard bytes.count >= wanted.count else { return nil }
            for index in 0...(bytes.count - wanted.count) where Array(bytes[index..<(index + wanted.count)]) == wanted {
                let end = index + wanted.count
                self.received = String(decoding: bytes[end...], as: UTF8.self)
                return String(decoding: bytes[..<end], as: UTF8.self)
            }
            return nil
        }
    }
}
