import Foundation
import NIOCore
import NIOPosix
import SIP
import SIPTransport

/// Requests over UDP on loopback: through the whole transport, and as the floor through a bare channel.
enum SIPDatagrams {
    private static let count = 40_000

    static func run(_ runs: Int) async throws -> [Figure] {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 2)
        let server = group.next()
        let client = group.next()
        let floor = try await DatagramBootstrap(group: server)
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
            // Each run leaves its transactions behind for 32 seconds.
            var configuration = SIPStackConfiguration()
            configuration.maximumTransactions = (runs + 1) * Self.count
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

    /// Keeps 64 requests in flight; the CPU time is that of the server's thread alone.
    private static func measure(
        _ runs: Int,
        _ address: SocketAddress,
        server: any EventLoop,
        client: any EventLoop
    ) async throws -> [(cpu: Double, rate: Double)] {
        var results: [(cpu: Double, rate: Double)] = []
        // The first one warms up.
        for run in 0...runs {
            let requests = Self.requests(run)
            let done = client.makePromise(of: Void.self)
            let cpu = try await server.submit { Self.threadTime() }.get()
            let start = ContinuousClock.now
            let channel = try await DatagramBootstrap(group: client)
                .channelInitializer { channel in
                    channel.eventLoop.makeCompletedFuture {
                        let load = Load(target: address, requests: requests, done: done)
                        try channel.pipeline.syncOperations.addHandler(load)
                    }
                }.bind(host: "127.0.0.1", port: 0).get()
            try await done.futureResult.get()
            let time = (ContinuousClock.now - start).seconds
            let spent = try await server.submit { Self.threadTime() }.get() - cpu
            if run > 0 { results.append((Double(spent) / Double(Self.count) / 1000, Double(Self.count) / time)) }
            try await channel.close()
        }
        return results
    }

    /// Requests with transactions of their own, made before the clock runs.
    private static func requests(_ run: Int) -> [ByteBuffer] {
        let text = String(buffer: SIPFigures.message)
        return (1...Self.count).map { number in
            let id = "\(run)x\(number)"
            return ByteBuffer(
                string: text.replacing("7c1a9d8e77fb1", with: id).replacing("4b1c77f0aa9911e0", with: id)
            )
        }
    }

    private static func threadTime() -> UInt64 {
        var time = timespec()
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
        return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
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

/// Keeps 64 requests in flight until all were answered.
private final class Load: ChannelInboundHandler {
    typealias InboundIn = AddressedEnvelope<ByteBuffer>
    typealias OutboundOut = AddressedEnvelope<ByteBuffer>

    private let target: SocketAddress
    private let requests: [ByteBuffer]
    private let done: EventLoopPromise<Void>
    private var sent = 0
    private var answered = 0

    init(target: SocketAddress, requests: [ByteBuffer], done: EventLoopPromise<Void>) {
        self.target = target
        self.requests = requests
        self.done = done
    }

    func channelActive(context: ChannelHandlerContext) {
        for _ in 0..<64 { self.send(context) }
        context.flush()
    }

    private func send(_ context: ChannelHandlerContext) {
        guard self.sent < self.requests.count else { return }
        let request = AddressedEnvelope(remoteAddress: self.target, data: self.requests[self.sent])
        self.sent += 1
        context.write(self.wrapOutboundOut(request), promise: nil)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        self.answered += 1
        if self.answered == self.requests.count { self.done.succeed() }
        self.send(context)
    }

    func channelReadComplete(context: ChannelHandlerContext) { context.flush() }
}
