import NIOCore
import NIOPosix
import NIOSSL
import Synchronization

/// A TCP connection of a test: bytes out, bytes in, with time limits.
final class RawConnection: Sendable {
    struct TimedOut: Error {}
    struct Ended: Error {}

    private struct State {
        var bytes: [UInt8] = []
        var total = 0
        var isClosed = false
    }

    /// Collects what arrives.
    private final class Collector: ChannelInboundHandler, Sendable {
        typealias InboundIn = ByteBuffer
        let state = Mutex(State())

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            let buffer = unwrapInboundIn(data)
            state.withLock { state in
                state.bytes.append(contentsOf: buffer.readableBytesView)
                state.total += buffer.readableBytes
            }
        }

        func channelInactive(context: ChannelHandlerContext) {
            state.withLock { $0.isClosed = true }
            context.fireChannelInactive()
        }

        func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
    }

    let channel: any Channel
    private let collector: Collector

    /// Connects to a port of the loopback interface.
    init(port: Int, tls: NIOSSLContext? = nil, receiveBuffer: Int? = nil) async throws {
        let collector = Collector()
        var bootstrap = ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .channelOption(.allowRemoteHalfClosure, value: false)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    if let tls {
                        try channel.pipeline.syncOperations.addHandler(
                            NIOSSLClientHandler(context: tls, serverHostname: "localhost")
                        )
                    }
                    try channel.pipeline.syncOperations.addHandler(collector)
                }
            }
        if let receiveBuffer {
            bootstrap = bootstrap.channelOption(.socketOption(.so_rcvbuf), value: receiveBuffer)
        }
        self.collector = collector
        channel = try await bootstrap.connect(host: "127.0.0.1", port: port).get()
    }

    func send(_ bytes: some Sequence<UInt8> & Sendable) async throws {
        try await channel.writeAndFlush(ByteBuffer(bytes: bytes))
    }

    func send(_ text: String) async throws { try await send(Array(text.utf8)) }

    /// Stops or starts taking what the server writes.
    func setReading(_ isReading: Bool) async throws {
        try await channel.setOption(.autoRead, value: isReading).get()
        if isReading { channel.read() }
    }

    func close() async { try? await channel.close() }

    /// How many bytes ever arrived.
    var received: Int { collector.state.withLock { $0.total } }

    var isClosed: Bool { collector.state.withLock { $0.isClosed } }

    /// Everything that arrived and was not taken.
    func takeAll() -> [UInt8] {
        collector.state.withLock { state in
            defer { state.bytes = [] }
            return state.bytes
        }
    }

    /// Waits until `parse` makes something of the bytes that arrived; it says how many it used.
    func take<T>(
        within seconds: Double = 60,
        _ parse: ([UInt8]) throws -> (T, used: Int)?
    ) async throws -> T {
        let deadline = ContinuousClock.now + .seconds(seconds)
        while true {
            let (bytes, isClosed) = collector.state.withLock { ($0.bytes, $0.isClosed) }
            if let (value, used) = try parse(bytes) {
                collector.state.withLock { $0.bytes.removeFirst(used) }
                return value
            }
            if isClosed { throw Ended() }
            if ContinuousClock.now > deadline { throw TimedOut() }
            try await Task.sleep(for: .milliseconds(2))
        }
    }

    /// Waits until the server has closed the connection.
    /// - Returns: whether it did in time.
    func closes(within seconds: Double = 60) async throws -> Bool {
        let deadline = ContinuousClock.now + .seconds(seconds)
        while !isClosed {
            if ContinuousClock.now > deadline { return false }
            try await Task.sleep(for: .milliseconds(5))
        }
        return true
    }
}
