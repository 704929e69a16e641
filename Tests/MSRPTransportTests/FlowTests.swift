import Foundation
import MSRP
import MSRPTransport
import NIOCore
import NIOPosix
import Synchronization
import Testing

/// Back-pressure, memory, and connections that break.
@Suite(.serialized, .timeLimit(.minutes(5))) struct FlowTests {
    /// Content made as it is asked for; each octet says where it belongs.
    struct Generated: AsyncSequence, Sendable {
        struct AsyncIterator: AsyncIteratorProtocol {
            var left: Int
            let piece: ByteBuffer
            let produced: Counter

            mutating func next() async -> ByteBuffer? {
                guard self.left > 0 else { return nil }
                let size = Swift.min(self.left, self.piece.readableBytes)
                self.left -= size
                self.produced.add(size)
                return self.piece.getSlice(at: 0, length: size)
            }
        }

        let size: Int
        let produced = Counter()

        func makeAsyncIterator() -> AsyncIterator {
            // 251 is prime: no chunk boundary falls on the same place of the pattern twice in a row.
            let pattern = (0..<(251 * 256)).map { UInt8(truncatingIfNeeded: $0 % 251) }
            return AsyncIterator(left: self.size, piece: ByteBuffer(bytes: pattern), produced: self.produced)
        }
    }

    final class Counter: Sendable {
        private let count = Atomic<Int>(0)
        var value: Int { self.count.load(ordering: .relaxed) }
        func add(_ number: Int) { self.count.wrappingAdd(number, ordering: .relaxed) }
    }

    /// Resident memory of this process, in octets.
    static func residentBytes() throws -> Int {
        let statm = try String(contentsOfFile: "/proc/self/statm", encoding: .utf8)
        let pages = try #require(statm.split(separator: " ").dropFirst().first.flatMap { Int($0) })
        return pages * 4096
    }

    @Test func twoHundredMegabytesInFlatMemory() async throws {
        var configuration = MSRPEndpoint.Configuration()
        configuration.sessionLimits.bulkChunkBytes = 64 * 1024
        let pair = try await Pair.start(alice: configuration, bob: configuration)
        let ends = try pair.open()
        let size = 200 * 1024 * 1024
        let content = Generated(size: size)
        var outgoing = MSRPSession.Outgoing(contentType: "application/octet-stream", size: UInt64(size))
        outgoing.wantsSuccessReport = true
        let before = try Self.residentBytes()
        let message = outgoing
        async let sent: Void = ends.alice.send(message, content: content)
        var received = 0
        var isRight = true
        var peak = 0
        read: for await event in ends.bobEvents {
            switch event {
            case .content(_, let offset, let bytes):
                // The ends of each piece are enough to notice anything lost, doubled or moved; the octets between
                // them were copied together with them.
                let first = bytes.getInteger(at: bytes.readerIndex, as: UInt8.self)
                let last = bytes.getInteger(at: bytes.writerIndex - 1, as: UInt8.self)
                isRight = isRight && Int(offset) == received && first == UInt8(received % (251 * 256) % 251)
                received += bytes.readableBytes
                isRight = isRight && last == UInt8((received - 1) % (251 * 256) % 251)
                if received % (16 * 1024 * 1024) < bytes.readableBytes { peak = max(peak, try Self.residentBytes()) }
            case .completed: break read
            default: break
            }
        }
        try await sent
        #expect(received == size)
        #expect(isRight)
        #expect(peak - before < 64 * 1024 * 1024, "grew by \((peak - before) >> 20) MiB")
        ends.alice.close()
        ends.bob.close()
        try await pair.listener.close()
    }

    @Test func aSlowReaderStopsTheSender() async throws {
        let pair = try await Pair.start()
        let ends = try pair.open(maxUnreadBytes: 64 * 1024)
        let size = 48 * 1024 * 1024
        let content = Generated(size: size)
        async let sent: Void = ends.alice.send(
            .init(contentType: "application/octet-stream", size: UInt64(size)),
            content: content
        )
        // Nobody reads: the producer has to come to rest, far from its end.
        var last = -1
        var rounds = 0
        while last != content.produced.value || last <= 0 {
            last = content.produced.value
            rounds += 1
            try #require(rounds < 200)
            try await Task.sleep(for: .milliseconds(150))
        }
        // What lies between the two: buffers of the sockets, of the channel, the window, and the queue of the reader.
        #expect(last < 24 * 1024 * 1024, "\(last >> 20) MiB were taken")
        let arrived = await receive(1, from: ends.bobEvents)
        try await sent
        #expect(arrived.first?.content.count == size)
        ends.alice.close()
        ends.bob.close()
        try await pair.listener.close()
    }

    /// Passes octets on between two sides, and hangs up when told to.
    final class Breaker: Sendable {
        private let channels = Mutex<[any Channel]>([])
        private let server = Mutex<(any Channel)?>(nil)
        let passed = Counter()
        let connections = Counter()

        private final class Pass: ChannelInboundHandler, Sendable {
            typealias InboundIn = ByteBuffer
            let other: any Channel
            let passed: Counter
            init(other: any Channel, passed: Counter) {
                self.other = other
                self.passed = passed
            }
            func channelRead(context: ChannelHandlerContext, data: NIOAny) {
                let bytes = self.unwrapInboundIn(data)
                self.passed.add(bytes.readableBytes)
                self.other.writeAndFlush(bytes, promise: nil)
            }
            func channelInactive(context: ChannelHandlerContext) { self.other.close(promise: nil) }
        }

        func start(to port: UInt16) async throws -> UInt16 {
            let channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
                .childChannelOption(.autoRead, value: false)
                .childChannelInitializer { incoming in
                    ClientBootstrap(group: incoming.eventLoop)
                        .channelOption(.autoRead, value: false)
                        .connect(host: "127.0.0.1", port: Int(port))
                        .flatMap { outgoing in
                            self.channels.withLock { $0 += [incoming, outgoing] }
                            self.connections.add(1)
                            return incoming.pipeline.addHandler(Pass(other: outgoing, passed: self.passed))
                                .and(outgoing.pipeline.addHandler(Pass(other: incoming, passed: self.passed)))
                                .flatMap { _ in
                                    incoming.setOption(.autoRead, value: true)
                                        .and(outgoing.setOption(.autoRead, value: true)).map { _ in }
                                }
                        }
                }
                .bind(host: "127.0.0.1", port: 0).get()
            self.server.withLock { $0 = channel }
            return UInt16(try #require(channel.localAddress?.port))
        }

        func breakConnections() {
            for channel in self.channels.withLock({ channels in
                defer { channels = [] }
                return channels
            }) { channel.close(promise: nil) }
        }

        func stop() async throws {
            try await self.server.withLock { $0 }?.close()
        }
    }

    @Test func aBrokenConnectionIsResumedWithoutLossOrDoubles() async throws {
        let pair = try await Pair.start()
        let breaker = Breaker()
        let middle = try await breaker.start(to: pair.port)
        let uris = try pair.uris()
        let bobEvents = SessionEvents()
        let bob = try pair.bob.makeSession(
            local: uris.bob,
            remotePath: [uris.alice],
            role: .passive,
            handler: bobEvents
        )
        bob.start()
        let aliceEvents = SessionEvents()
        let alice = try pair.alice.makeSession(
            local: uris.alice,
            remotePath: [uris.bob],
            role: .active,
            address: .init(host: "127.0.0.1", port: middle, isSecure: false),
            handler: aliceEvents
        ) {
            $0.limits.reconnectDelay = .milliseconds(20)
            // The receiver finds the end of a connection only behind what it has not read yet, and this one is slow.
            $0.limits.maxConnectAttempts = 12
        }
        alice.start()
        let size = 6 * 1024 * 1024
        var outgoing = MSRPSession.Outgoing(contentType: "application/octet-stream", size: UInt64(size))
        outgoing.wantsSuccessReport = true
        let message = outgoing
        async let sent: Void = alice.send(message, content: Generated(size: size))
        async let small: Void = alice.send(ByteBuffer(string: "small"), contentType: "text/plain")
        var received = 0
        var isRight = true
        var breaks = 0
        var completed: [UInt64] = []
        var resumed = 0
        read: for await event in bobEvents {
            switch event {
            case .content(_, let offset, let bytes) where bytes.readableBytes != 5:
                isRight = isRight && Int(offset) == received
                for (index, byte) in bytes.readableBytesView.enumerated() {
                    isRight = isRight && byte == UInt8((received + index) % (251 * 256) % 251)
                }
                received += bytes.readableBytes
                if breaks < 5 && received >= (breaks + 1) * 1_000_000 {
                    breaks += 1
                    breaker.breakConnections()
                }
            case .closed: break read
            case .established(let again): resumed += again ? 1 : 0
            case .completed(_, let size):
                completed.append(size)
                if completed.count == 2 { break read }
            default: break
            }
        }
        try await sent
        try await small
        #expect(isRight)
        #expect(received == size)
        #expect(completed.sorted() == [5, UInt64(size)])
        #expect(breaks == 5)
        #expect(resumed == 5)
        #expect(breaker.connections.value >= 6)
        alice.close()
        bob.close()
        try await breaker.stop()
        try await pair.listener.close()
    }
}
