import Foundation
import NIOCore
import NIOPosix
import SIP
import SIPTransport

/// Requests over UDP on loopback: through the whole transport, and as the floor through a bare channel.
///
/// What is measured is a server that has been running for a while: transactions end as fast as they begin, because the
/// time for which they stay is cut so that about 100,000 are live, as in a server of 3,000 requests a second with the 32 s of
/// the RFC, and several lifetimes pass before the first run.
enum SIPDatagrams {
    private static let count = 100_000
    private static let lifetime = TimeAmount.milliseconds(1280)
    private static let warmUps = 3

    static func run(_ runs: Int) async throws -> [Figure] {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 2)
        let server = group.next()
        let client = group.next()
        let floor = try await Self.datagrams(server)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let answer = SIPMessage(200, to: try SIPMessage(parsing: SIPFigures.message), toTag: "abcdefgh")
                    try channel.pipeline.syncOperations.addHandler(Constant(answer: answer.serialized()))
                }
            }.bind(host: "127.0.0.1", port: 0).get()
        guard let bare = floor.localAddress else { throw ChannelError.unknownLocalAddress }
        let kernel = try await Self.measure(runs, bare, server: server, client: client)
        try await floor.close()

        let handler = Answering()
        let stack = try await server.submit {
            var configuration = SIPStackConfiguration()
            configuration.timers.t1 = .nanoseconds(Self.lifetime.nanoseconds / 64)
            let resolver = DNSResolver(client: DNSClient(group: server, configuration: .init(servers: [])))
            return SIPStack(eventLoop: server, configuration: configuration, resolver: resolver, handler: handler)
        }.get()
        let address = try await server.flatSubmit { stack.listen(.udp, host: "127.0.0.1", port: 0) }.get()
        let whole = try await Self.measure(runs, address, server: server, client: client)
        try await server.flatSubmit { stack.close() }.get()
        try await group.shutdownGracefully()
        return [
            Figure("sip.udp_cpu_us_per_request", "us", whole.map(\.cpu)),
            Figure("sip.udp_requests_per_second", "1/s", whole.map(\.rate)),
            Figure("sip.floor_udp_cpu_us_per_datagram", "us", kernel.map(\.cpu)),
            Figure("sip.floor_udp_datagrams_per_second", "1/s", kernel.map(\.rate)),
        ]
    }

    /// Sockets that read several datagrams at once, as the stack does.
    private static func datagrams(_ loop: any EventLoop) -> DatagramBootstrap {
        DatagramBootstrap(group: loop)
            .channelOption(.datagramVectorReadMessageCount, value: 8)
            .channelOption(.recvAllocator, value: FixedSizeRecvByteBufferAllocator(capacity: 8 * 65_535))
    }

    /// Keeps 64 requests in flight; the CPU time is that of the server's thread alone.
    private static func measure(
        _ runs: Int,
        _ address: SocketAddress,
        server: any EventLoop,
        client: any EventLoop
    ) async throws -> [(cpu: Double, rate: Double)] {
        let template = RequestTemplate()
        var results: [(cpu: Double, rate: Double)] = []
        for run in 0..<(Self.warmUps + runs) {
            let done = client.makePromise(of: Void.self)
            let cpu = try await server.submit { Self.threadTime() }.get()
            let start = ContinuousClock.now
            let channel = try await Self.datagrams(client)
                .channelInitializer { channel in
                    channel.eventLoop.makeCompletedFuture {
                        let first = run * Self.count
                        let load = Load(address, template, first..<(first + Self.count), done)
                        try channel.pipeline.syncOperations.addHandler(load)
                    }
                }.bind(host: "127.0.0.1", port: 0).get()
            try await done.futureResult.get()
            let time = (ContinuousClock.now - start).seconds
            let spent = try await server.submit { Self.threadTime() }.get() - cpu
            if run >= Self.warmUps {
                results.append((Double(spent) / Double(Self.count) / 1000, Double(Self.count) / time))
            }
            try await channel.close()
        }
        return results
    }

    private static func threadTime() -> UInt64 {
        var time = timespec()
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
        return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
    }
}

/// Requests that differ in their branch and Call-ID only.
private struct RequestTemplate: Sendable {
    private let bytes = SIPFigures.message
    private let places: [Int]

    init() {
        let text = Array(self.bytes.readableBytesView)
        self.places = ["7c1a9d8e77fb1", "4b1c77f0aa9911e0"].compactMap { id in
            text.indices.first { text[$0...].starts(with: id.utf8) }
        }
        precondition(self.places.count == 2, "the ids of the message are gone")
    }

    func request(_ number: Int) -> ByteBuffer {
        var request = self.bytes
        for place in self.places {
            var rest = number
            for digit in 0..<8 {
                request.setInteger(UInt8(0x30 + rest % 10), at: place + digit)
                rest /= 10
            }
        }
        return request
    }
}

/// Answers every request.
private final class Answering: SIPStackHandler, Sendable {
    func received(_ transaction: ServerTransaction) { transaction.respond(200) }
}

/// Answers every datagram with the same bytes.
private final class Constant: ChannelInboundHandler {
    typealias InboundIn = AddressedEnvelope<ByteBuffer>
    typealias OutboundOut = AddressedEnvelope<ByteBuffer>

    private let answer: ByteBuffer

    init(answer: ByteBuffer) { self.answer = answer }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let remote = self.unwrapInboundIn(data).remoteAddress
        context.write(
            self.wrapOutboundOut(AddressedEnvelope(remoteAddress: remote, data: self.answer)),
            promise: nil
        )
    }

    func channelReadComplete(context: ChannelHandlerContext) { context.flush() }
}

/// Keeps 64 requests in flight until all were answered with 200.
private final class Load: ChannelInboundHandler {
    typealias InboundIn = AddressedEnvelope<ByteBuffer>
    typealias OutboundOut = AddressedEnvelope<ByteBuffer>

    private let target: SocketAddress
    private let template: RequestTemplate
    private var unsent: Range<Int>
    private var unanswered: Int
    private let done: EventLoopPromise<Void>

    init(
        _ target: SocketAddress,
        _ template: RequestTemplate,
        _ numbers: Range<Int>,
        _ done: EventLoopPromise<Void>
    ) {
        self.target = target
        self.template = template
        self.unsent = numbers
        self.unanswered = numbers.count
        self.done = done
    }

    func channelActive(context: ChannelHandlerContext) {
        for _ in 0..<64 { self.send(context) }
        context.flush()
    }

    private func send(_ context: ChannelHandlerContext) {
        guard let number = self.unsent.popFirst() else { return }
        let request = AddressedEnvelope(remoteAddress: self.target, data: self.template.request(number))
        context.write(self.wrapOutboundOut(request), promise: nil)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let answer = self.unwrapInboundIn(data).data
        // The status stands behind "SIP/2.0 ".
        precondition(answer.getInteger(at: answer.readerIndex + 8, as: UInt8.self) == 0x32, "a request was refused")
        self.unanswered -= 1
        if self.unanswered == 0 { self.done.succeed() }
        self.send(context)
    }

    func channelReadComplete(context: ChannelHandlerContext) { context.flush() }
}
