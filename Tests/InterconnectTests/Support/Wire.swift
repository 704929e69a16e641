import NIOCore
import NIOPosix
import Synchronization

/// A stretch of the network that breaks: a port at 127.0.0.1, carried to the same port at another address of this host.
final class Wire: Sendable {
    private let channel: any Channel
    private let breaks: Breaks

    private init(_ channel: any Channel, _ breaks: Breaks) {
        self.channel = channel
        self.breaks = breaks
    }

    /// - Parameter amounts: each connection in turn is cut when so many octets have gone; those after them hold.
    static func start(on port: Int, to host: String, cuttingAfter amounts: [Int]) async throws -> Wire {
        let breaks = Breaks(amounts)
        let channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelInitializer { channel in
                ClientBootstrap(group: channel.eventLoop).connect(host: host, port: port).flatMapThrowing { other in
                    let limit = breaks.next()
                    try channel.pipeline.syncOperations.addHandler(Strand(to: other, limit: limit, breaks))
                    try other.pipeline.syncOperations.addHandler(Strand(to: channel, limit: nil, breaks))
                }
            }
            .bind(host: "127.0.0.1", port: port).get()
        return Wire(channel, breaks)
    }

    /// How often it broke.
    var cuts: Int { breaks.cuts }

    func close() async { try? await channel.close() }
}

private final class Breaks: Sendable {
    private let state: Mutex<(amounts: ArraySlice<Int>, cuts: Int)>

    init(_ amounts: [Int]) { state = Mutex((amounts[...], 0)) }

    func next() -> Int? { state.withLock { $0.amounts.popFirst() } }

    func happened() { state.withLock { $0.cuts += 1 } }

    var cuts: Int { state.withLock { $0.cuts } }
}

private final class Strand: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let other: any Channel
    private let limit: Int?
    private let breaks: Breaks
    private var count = 0

    init(to other: any Channel, limit: Int?, _ breaks: Breaks) {
        self.other = other
        self.limit = limit
        self.breaks = breaks
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let bytes = unwrapInboundIn(data)
        count += bytes.readableBytes
        if let limit, count > limit {
            breaks.happened()
            count = .min
            other.close(promise: nil)
            return context.close(promise: nil)
        }
        other.writeAndFlush(bytes, promise: nil)
    }

    func channelInactive(context: ChannelHandlerContext) { other.close(promise: nil) }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
}
