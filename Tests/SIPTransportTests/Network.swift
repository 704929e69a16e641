import NIOCore
import NIOPosix
import NIOSSL
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

    static func connect(_ address: SocketAddress, tls: NIOSSLContext? = nil) async throws -> RawPeer {
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        let handler = Handler()
        let channel = try await ClientBootstrap(group: loop)
            .channelOption(.socketOption(.tcp_nodelay), value: 1)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    if let tls {
                        try channel.pipeline.syncOperations.addHandler(
                            NIOSSLClientHandler(context: tls, serverHostname: nil)
                        )
                    }
                    try channel.pipeline.syncOperations.addHandler(handler)
                }
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

/// Passes datagrams between one client and one server, and lets a subclass meddle.
///
/// Runs on one event loop.
class Relay: ChannelInboundHandler, @unchecked Sendable {
    typealias InboundIn = AddressedEnvelope<ByteBuffer>
    typealias OutboundOut = AddressedEnvelope<ByteBuffer>

    let target: SocketAddress
    private(set) var client: SocketAddress?
    private var channel: (any Channel)?

    required init(target: SocketAddress) { self.target = target }

    func bind() async throws {
        let channel = try await DatagramBootstrap(group: MultiThreadedEventLoopGroup.singleton.next())
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture { try channel.pipeline.syncOperations.addHandler(self) }
            }.bind(host: "127.0.0.1", port: 0).get()
        self.channel = channel
    }

    var address: SocketAddress { self.channel?.localAddress ?? self.target }

    func close() async throws { try await self.channel?.close() }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let envelope = self.unwrapInboundIn(data)
        let isAnswer = envelope.remoteAddress == self.target
        if !isAnswer { self.client = envelope.remoteAddress }
        guard let to = isAnswer ? self.client : self.target, let channel = self.channel else { return }
        self.pass(envelope.data, isAnswer: isAnswer) { bytes in
            channel.writeAndFlush(AddressedEnvelope(remoteAddress: to, data: bytes), promise: nil)
        }
    }

    func pass(_ bytes: ByteBuffer, isAnswer: Bool, send: @escaping @Sendable (ByteBuffer) -> Void) { send(bytes) }
}

/// Loses, doubles and delays datagrams by a seeded generator.
final class UnrulyRelay: Relay, @unchecked Sendable {
    private var state: UInt64 = 0
    private(set) var lost = 0

    static func start(to target: SocketAddress, seed: UInt64) async throws -> UnrulyRelay {
        let relay = UnrulyRelay(target: target)
        relay.state = seed
        try await relay.bind()
        return relay
    }

    private func draw(_ bound: UInt64) -> UInt64 {
        self.state = self.state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return (self.state >> 33) % bound
    }

    override func pass(_ bytes: ByteBuffer, isAnswer: Bool, send: @escaping @Sendable (ByteBuffer) -> Void) {
        switch self.draw(10) {
        case 0, 1: self.lost += 1
        case 2:
            send(bytes)
            send(bytes)
        // SIPp takes answers in their order only, so the server's side of the network keeps it.
        case 3 where !isAnswer, 4 where !isAnswer:
            let loop = MultiThreadedEventLoopGroup.singleton.next()
            loop.scheduleTask(in: .milliseconds(Int64(self.draw(60)))) { send(bytes) }
        default: send(bytes)
        }
    }
}

/// Keeps what passes, as a capture file with made-up addresses.
final class Tap: Relay, @unchecked Sendable {
    private var packets: [(bytes: [UInt8], isAnswer: Bool)] = []

    static func start(to target: SocketAddress) async throws -> Tap {
        let tap = Tap(target: target)
        try await tap.bind()
        return tap
    }

    var count: Int { self.packets.count }

    var startLines: [String] {
        self.packets.map { String(decoding: $0.bytes.prefix { $0 != 13 }, as: UTF8.self) }
    }

    override func pass(_ bytes: ByteBuffer, isAnswer: Bool, send: @escaping @Sendable (ByteBuffer) -> Void) {
        self.packets.append((Array(bytes.readableBytesView), isAnswer))
        send(bytes)
    }

    /// A capture of raw IPv4 packets (link type 101).
    func pcap() -> [UInt8] {
        var file = ByteBuffer()
        file.writeInteger(UInt32(0xA1B2_C3D4), endianness: .little)
        file.writeInteger(UInt16(2), endianness: .little)
        file.writeInteger(UInt16(4), endianness: .little)
        file.writeInteger(UInt64(0), endianness: .little)
        file.writeInteger(UInt32(65_535), endianness: .little)
        file.writeInteger(UInt32(101), endianness: .little)
        for (index, packet) in self.packets.enumerated() {
            let length = 28 + packet.bytes.count
            file.writeInteger(UInt32(index), endianness: .little)
            file.writeInteger(UInt32(0), endianness: .little)
            file.writeInteger(UInt32(length), endianness: .little)
            file.writeInteger(UInt32(length), endianness: .little)
            file.writeBytes([0x45, 0, UInt8(length >> 8), UInt8(length & 255), 0, 0, 0, 0, 64, 17, 0, 0])
            let client: [UInt8] = [192, 0, 2, 1]
            let server: [UInt8] = [192, 0, 2, 2]
            file.writeBytes(packet.isAnswer ? server + client : client + server)
            file.writeInteger(UInt16(packet.isAnswer ? 5060 : 5062))
            file.writeInteger(UInt16(packet.isAnswer ? 5062 : 5060))
            file.writeInteger(UInt16(length - 20))
            file.writeInteger(UInt16(0))
            file.writeBytes(packet.bytes)
        }
        return Array(file.readableBytesView)
    }
}
