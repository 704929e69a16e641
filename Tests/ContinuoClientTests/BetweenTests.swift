import ClientWire
import Foundation
import MessagingCore
import NIOCore
import NIOPosix
import Testing

@testable import ContinuoClient

/// What stands between a client and its server, and is not the server.
@Suite("Somebody between client and server")
struct BetweenTests {
    /// Answers every request with the same octets, or with nothing.
    private final class Stranger: ChannelInboundHandler, Sendable {
        typealias InboundIn = ByteBuffer
        let answer: String

        init(_ answer: String) { self.answer = answer }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            guard !answer.isEmpty else { return }
            context.writeAndFlush(NIOAny(ByteBuffer(string: answer)), promise: nil)
            context.close(promise: nil)
        }

        static func start(_ answer: String) async throws -> any Channel {
            try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
                .childChannelInitializer { $0.pipeline.addHandler(Stranger(answer)) }
                .bind(host: "127.0.0.1", port: 0).get()
        }

        static func page(_ status: String) -> String {
            "HTTP/1.1 \(status)\r\nContent-Type: text/html\r\nContent-Length: 4\r\nConnection: close\r\n\r\n<p/>"
        }
    }

    private static func address(_ channel: any Channel) -> ServerAddress {
        ServerAddress(url: "http://127.0.0.1:\(channel.localAddress?.port ?? 0)")
    }

    @Test(
        "a page of a proxy refuses nothing: what waits goes on waiting",
        arguments: ["502 Bad Gateway", "504 Gateway Timeout", "429 Too Many Requests", "200 OK", "404 Not Found"]
    )
    func proxy(status: String) async throws {
        let stranger = try await Stranger.start(Stranger.page(status))
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("queue-\(UUID())")
        defer { try? FileManager.default.removeItem(at: folder) }
        let queue = try SendQueue(folder: folder.path)
        let id = MessageID.unique(at: Timestamp(rawValue: 1_790_000_000_000))
        try queue.add(SendRequest(id: id, to: [try Address("a@a.example")], parts: [PartRequest(text: "x")]))
        let client = try ContinuoClient(server: Self.address(stranger), token: "t")
        let error = await #expect(throws: ClientError.self) {
            try await queue.flush(client, attempts: 1) { Issue.record("told of \($0)") }
        }
        #expect(error?.isTemporary == !["200 OK", "404 Not Found"].contains(status))
        #expect(try queue.waiting().map(\.id) == [id])
        try await stranger.close()
    }

    @Test("whoever takes a connection and says nothing holds nobody who gives up", .timeLimit(.minutes(1)))
    func silence() async throws {
        let stranger = try await Stranger.start("")
        let address = Self.address(stranger)
        let opening = Task { try await WebSocketLink.open(address, path: "/v1/stream") }
        try await Task.sleep(for: .milliseconds(100))
        opening.cancel()
        await #expect(throws: (any Error).self) { try await opening.value }
        try await stranger.close()
    }
}
