import Foundation
import NIOCore
import NIOPosix
import SIP
import SIPTransport

/// Prints one JSON object a line: `name`, `unit`, `median`, `runs`.
@main
enum SIPBench {
    static func main() async throws {
        let runs = 9
        Self.report("sip.parse_us", Self.measure(runs, count: 200_000, Self.parse))
        Self.report("sip.forward_us", Self.measure(runs, count: 50_000, Self.forward))
        Self.report("sip.message_200_us", Self.measure(runs, count: 50_000, Self.answer))
        let results = try await Self.datagrams(runs: 3, count: 40_000)
        Self.report("sip.udp_cpu_us_per_request", results.map(\.cpu))
        Self.report("sip.udp_requests_per_second", results.map(\.rate), unit: "1/s")
    }

    static let message: ByteBuffer = {
        var request = SIPMessage(method: .message, uri: "sip:alice@home.example")
        request.append(.via, "SIP/2.0/UDP bob-pc.example:5060;branch=z9hG4bK7c1a9d8e77fb1;rport")
        request.append(.via, "SIP/2.0/UDP 192.0.2.4:5060;branch=z9hG4bK19283747c1a9d8;received=192.0.2.4")
        request.append(.maxForwards, "70")
        request.append(.from, "\"Bob Example\" <sip:bob@home.example>;tag=5a1f77e9")
        request.append(.to, "<sip:alice@home.example>")
        request.append(.callID, "4b1c77f0aa9911e0@bob-pc.example")
        request.append(.cSeq, "1 MESSAGE")
        request.append(.conversationID, "8f6d1a9e-6f2b-4a38-9c11-52a1f6f0a001")
        request.append(.contributionID, "3c0e77c2-0a7e-4c5e-9d0e-2d36b1a0b002")
        request.append(.pPreferredIdentity, "<sip:bob@home.example>")
        request.append(.pPreferredService, "urn:urn-7:3gpp-service.ims.icsi.oma.cpm.msg")
        request.append(.acceptContact, "*;+g.3gpp.icsi-ref=\"urn%3Aurn-7%3A3gpp-service.ims.icsi.oma.cpm.msg\"")
        request.append(.userAgent, "bench")
        request.setBody(ByteBuffer(string: String(repeating: "x", count: 450)), contentType: "message/cpim")
        return request.serialized()
    }()

    /// Header offsets and what routing needs: the method, the Request-URI text, and the places of its header fields.
    static func parse() -> Int {
        guard case .message(let message) = SIPMessage.read(Self.message) else { return 0 }
        return message.fieldCount + (message.contains(.route) ? 1 : 0) + (message.method == .message ? 1 : 0)
    }

    static func forward() -> Int {
        guard case .message(let message) = SIPMessage.read(Self.message) else { return 0 }
        let proxy = ProxyCore(sentBy: HostPort(host: "p.example"), ownAddresses: [], secret: "s")
        let how = ProxyCore.Forward(transport: "UDP", sentBy: HostPort(host: "p.example"), unique: "u")
        return (try? proxy.forward(message, how))?.serialized().readableBytes ?? 0
    }

    /// A request through its server transaction to the printed 200.
    static func answer() -> Int {
        guard case .message(let message) = SIPMessage.read(Self.message), let via = try? message.topVia(),
            let key = try? ServerTransactionKey(message, via: via, method: .message)
        else { return 0 }
        var transaction = NonInviteServerTransaction(isReliable: false)
        let response = SIPMessage(200, to: message, toTag: "abcdefgh")
        guard transaction.send(.success, now: .uptimeNanoseconds(0)) == .send else { return 0 }
        return response.serialized().readableBytes + (key == key ? 1 : 0)
    }

    static func measure(_ runs: Int, count: Int, _ body: () -> Int) -> [Double] {
        (0..<runs).map { _ in
            var sum = 0
            let start = DispatchTime.now().uptimeNanoseconds
            for _ in 0..<count { sum &+= body() }
            let end = DispatchTime.now().uptimeNanoseconds
            precondition(sum > count, "the work was not done")
            return Double(end - start) / Double(count) / 1000
        }
    }

    static func report(_ name: String, _ values: [Double], unit: String = "us") {
        let median = values.sorted()[values.count / 2]
        print("{\"name\":\"\(name)\",\"unit\":\"\(unit)\",\"median\":\(median),\"runs\":\(values.count)}")
    }
}

/// Answers every request.
private final class Answering: SIPStackHandler {
    func received(_ transaction: ServerTransaction) { transaction.respond(200) }
}

extension SIPBench {
    /// Sends requests over loopback with 64 in flight, and measures the CPU time of the server's thread.
    static func datagrams(runs: Int, count: Int) async throws -> [(cpu: Double, rate: Double)] {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 2)
        let loop = group.next()
        let other = group.next()
        let stack = try await loop.submit {
            let resolver = DNSResolver(client: DNSClient(group: loop, configuration: .init(servers: [])))
            return SIPStack(eventLoop: loop, resolver: resolver, handler: Answering())
        }.get()
        let address = try await loop.flatSubmit { stack.listen(.udp, host: "127.0.0.1", port: 0) }.get()
        var results: [(cpu: Double, rate: Double)] = []
        for run in 0..<runs {
            let done = other.makePromise(of: Void.self)
            let channel = try await DatagramBootstrap(group: other)
                .channelInitializer { channel in
                    channel.eventLoop.makeCompletedFuture {
                        let load = Load(target: address, count: count, run: run, done: done)
                        try channel.pipeline.syncOperations.addHandler(load)
                    }
                }.bind(host: "127.0.0.1", port: 0).get()
            let cpu = try await loop.submit { Self.threadTime() }.get()
            let start = DispatchTime.now().uptimeNanoseconds
            try await done.futureResult.get()
            let end = DispatchTime.now().uptimeNanoseconds
            let spent = try await loop.submit { Self.threadTime() }.get() - cpu
            results.append((Double(spent) / Double(count) / 1000, Double(count) * 1e9 / Double(end - start)))
            try await channel.close()
        }
        _ = try await loop.flatSubmit { stack.close() }.get()
        try await group.shutdownGracefully()
        return results
    }

    static func threadTime() -> UInt64 {
        var time = timespec()
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
        return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
    }
}

/// Keeps 64 requests in flight until enough were answered.
private final class Load: ChannelInboundHandler {
    typealias InboundIn = AddressedEnvelope<ByteBuffer>
    typealias OutboundOut = AddressedEnvelope<ByteBuffer>

    private let target: SocketAddress
    private let count: Int
    private let run: Int
    private let done: EventLoopPromise<Void>
    private var sent = 0
    private var answered = 0

    init(target: SocketAddress, count: Int, run: Int, done: EventLoopPromise<Void>) {
        self.target = target
        self.count = count
        self.run = run
        self.done = done
    }

    func channelActive(context: ChannelHandlerContext) {
        for _ in 0..<64 { self.send(context) }
        context.flush()
    }

    private func send(_ context: ChannelHandlerContext) {
        guard self.sent < self.count else { return }
        self.sent += 1
        let id = "\(self.run)x\(self.sent)"
        let text = String(buffer: SIPBench.message).replacing("7c1a9d8e77fb1", with: id).replacing(
            "4b1c77f0aa9911e0",
            with: id
        )
        context.write(
            self.wrapOutboundOut(AddressedEnvelope(remoteAddress: self.target, data: ByteBuffer(string: text))),
            promise: nil
        )
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        self.answered += 1
        if self.answered == self.count { self.done.succeed() }
        self.send(context)
    }

    func channelReadComplete(context: ChannelHandlerContext) { context.flush() }
}
