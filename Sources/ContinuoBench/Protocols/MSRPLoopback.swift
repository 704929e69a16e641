import MSRP
import MSRPTransport
import NIOCore
import NIOPosix
import Synchronization

/// Transfers over loopback: MSRP, and as the floor the same octets over plain NIO channels.
enum MSRPLoopback {
    private static let totalBytes = 512 * 1024 * 1024
    private static let pieceBytes = 256 * 1024

    static func run(_ runs: Int) async throws -> [Figure] {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 2)
        var figures = [
            try await Self.measure("msrp.floor_tcp_copy_mb_per_second", runs) { try await Self.copy(group) }
        ]
        for (name, chunkBytes) in [("2k", 2048), ("64k", 64 * 1024), ("256k", 256 * 1024)] {
            figures.append(
                try await Self.measure("msrp.loopback_\(name)_chunks_mb_per_second", runs) {
                    try await Self.transfer(group, chunkBytes: chunkBytes)
                }
            )
        }
        try await group.shutdownGracefully()
        return figures
    }

    private static func measure(
        _ name: String,
        _ runs: Int,
        _ body: () async throws -> Void
    ) async throws -> Figure {
        try await Figure.measure(name, "MB/s", runs, { Double($1) / $0 / 1e6 }) {
            try await body()
            return Self.totalBytes
        }
    }

    // MARK: MSRP

    /// Counts what arrives, where it arrives.
    private final class Counting: MSRPSessionHandler {
        let received = Atomic<Int>(0)

        func session(_ session: MSRPSession, did event: MSRPSessionEvent) {
            if case .content(_, _, let bytes) = event {
                self.received.wrappingAdd(bytes.readableBytes, ordering: .relaxed)
            }
        }
    }

    /// The same piece over and over.
    private struct Repeated: AsyncSequence, Sendable {
        struct AsyncIterator: AsyncIteratorProtocol {
            let piece: ByteBuffer
            var left: Int

            mutating func next() async -> ByteBuffer? {
                guard self.left > 0 else { return nil }
                self.left -= self.piece.readableBytes
                return self.piece
            }
        }

        let piece: ByteBuffer
        let total: Int

        func makeAsyncIterator() -> AsyncIterator { AsyncIterator(piece: self.piece, left: self.total) }
    }

    private static func transfer(_ group: any EventLoopGroup, chunkBytes: Int) async throws {
        var configuration = MSRPEndpoint.Configuration()
        configuration.sessionLimits.bulkChunkBytes = chunkBytes
        configuration.sessionLimits.maxUnansweredBytes = 8 * 1024 * 1024
        configuration.sessionLimits.maxUnansweredChunks = 8192
        configuration.sessionLimits.maxBufferedBytes = 2 * 1024 * 1024
        configuration.limits.idleTimeout = .milliseconds(1)
        configuration.limits.readBytes = 256 * 1024
        let alice = MSRPEndpoint(group: group, configuration: configuration)
        let bob = MSRPEndpoint(group: group, configuration: configuration)
        let listener = try await bob.listen(host: "127.0.0.1", port: 0)
        let port = UInt16(listener.localAddress?.port ?? 0)
        let uris = (
            alice: try MSRPURI(secure: false, host: "a.invalid", port: 1, sessionID: MSRPEndpoint.makeSessionID()),
            bob: try MSRPURI(secure: false, host: "127.0.0.1", port: port, sessionID: MSRPEndpoint.makeSessionID())
        )
        let counting = Counting()
        let receiver = try bob.makeSession(
            local: uris.bob,
            remotePath: [uris.alice],
            role: .passive,
            handler: counting
        )
        receiver.start()
        let sender = try alice.makeSession(
            local: uris.alice,
            remotePath: [uris.bob],
            role: .active,
            handler: Counting()
        )
        sender.start()
        let piece = MSRPFigures.content(Self.pieceBytes)
        try await sender.send(
            .init(contentType: "application/octet-stream", size: UInt64(Self.totalBytes)),
            content: Repeated(piece: piece, total: Self.totalBytes)
        )
        precondition(counting.received.load(ordering: .relaxed) == Self.totalBytes, "content was lost")
        sender.close()
        receiver.close()
        try await listener.close()
    }

    // MARK: The floor

    /// Writes as long as the channel takes it.
    private final class Writer: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        typealias OutboundOut = ByteBuffer

        private let piece: ByteBuffer
        private var left: Int

        init(piece: ByteBuffer, total: Int) {
            self.piece = piece
            self.left = total
        }

        func channelActive(context: ChannelHandlerContext) { self.write(context) }

        func channelWritabilityChanged(context: ChannelHandlerContext) { self.write(context) }

        private func write(_ context: ChannelHandlerContext) {
            while self.left > 0, context.channel.isWritable {
                self.left -= self.piece.readableBytes
                context.writeAndFlush(self.wrapOutboundOut(self.piece), promise: nil)
            }
        }
    }

    private final class Reader: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer

        private var left: Int
        private let done: EventLoopPromise<Void>

        init(total: Int, done: EventLoopPromise<Void>) {
            self.left = total
            self.done = done
        }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            self.left -= self.unwrapInboundIn(data).readableBytes
            if self.left <= 0 { self.done.succeed() }
        }
    }

    private static func copy(_ group: any EventLoopGroup) async throws {
        let done = group.next().makePromise(of: Void.self)
        let server = try await ServerBootstrap(group: group)
            .childChannelOption(.recvAllocator, value: FixedSizeRecvByteBufferAllocator(capacity: 256 * 1024))
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(Reader(total: Self.totalBytes, done: done))
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        let piece = MSRPFigures.content(Self.pieceBytes)
        let client = try await ClientBootstrap(group: group)
            .channelOption(.writeBufferWaterMark, value: .init(low: 128 * 1024, high: 512 * 1024))
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(Writer(piece: piece, total: Self.totalBytes))
                }
            }
            .connect(host: "127.0.0.1", port: server.localAddress?.port ?? 0).get()
        try await done.futureResult.get()
        try await client.close()
        try await server.close()
    }
}
