import ClientWire
import ContinuoClient
import Foundation
import MessagingCore
import NIOCore
import NIOPosix
import Synchronization
import Testing

/// Forwards connections to the server, and cuts each after so many bytes.
private final class CuttingProxy: Sendable {
    private let listener: any Channel
    private let cuts = Atomic(0)

    var port: Int { listener.localAddress?.port ?? 0 }
    /// Connections cut so far.
    var count: Int { cuts.load(ordering: .relaxed) }

    init(to port: Int, after limit: Int) async throws {
        let group = MultiThreadedEventLoopGroup.singleton
        let counter = Counter()
        listener = try await ServerBootstrap(group: group)
            .childChannelInitializer { inbound in
                ClientBootstrap(group: inbound.eventLoop)
                    .connect(host: "127.0.0.1", port: port)
                    .flatMap { outbound in
                        let budget = Budget(limit: limit, counter: counter)
                        return inbound.eventLoop.makeCompletedFuture {
                            try inbound.pipeline.syncOperations.addHandler(Glue(to: outbound, budget: budget))
                            try outbound.pipeline.syncOperations.addHandler(Glue(to: inbound, budget: budget))
                        }
                    }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        counter.onCut = { [weak self] in self?.cuts.add(1, ordering: .relaxed) }
    }

    func close() async throws { try await listener.close() }

    final class Counter: @unchecked Sendable {
        var onCut: @Sendable () -> Void = {}
    }

    final class Budget: @unchecked Sendable {
        var left: Int
        let counter: Counter

        init(limit: Int, counter: Counter) {
            left = limit
            self.counter = counter
        }
    }

    final class Glue: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer

        let other: any Channel
        let budget: Budget

        init(to other: any Channel, budget: Budget) {
            self.other = other
            self.budget = budget
        }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            let buffer = unwrapInboundIn(data)
            budget.left -= buffer.readableBytes
            guard budget.left > 0 else {
                budget.counter.onCut()
                context.close(promise: nil)
                other.close(promise: nil)
                return
            }
            other.writeAndFlush(buffer, promise: nil)
        }

        func channelInactive(context: ChannelHandlerContext) { other.close(promise: nil) }

        func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
    }
}

@Suite("Transfers over a bad network", .serialized)
struct TransferTests {
    @Test("an upload and a download go on after every cut, and the bytes are the same")
    func cut() async throws {
        let home = try await RecoveryTests.server()
        try home.logIn("bob@a.example", device: "bob")
        try home.logIn("alice@a.example", device: "alice")
        let bytes = Data((0..<12_000_000).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 >> 8) })
        let path = home.folder.path + "/film.mp4"
        try bytes.write(to: URL(fileURLWithPath: path))
        let proxy = try await CuttingProxy(to: home.port, after: 3_000_000)
        let bad = ServerAddress(url: "http://127.0.0.1:\(proxy.port)")

        let bobToken = try Self.token(home, "bob")
        let bob = try ContinuoClient(server: bad, token: bobToken)
        let upload = try await bob.upload(file: path, type: "video/mp4", name: "film.mp4")
        #expect(upload.complete)
        let cutsOfUpload = proxy.count
        #expect(cutsOfUpload >= 3)

        var part = PartRequest(text: "")
        part.text = nil
        part.type = nil
        part.upload = upload.id
        let request = SendRequest(id: try await bob.newMessageID(), to: [try Address("alice@a.example")], parts: [part])
        _ = try await bob.send(request, attempts: 10)

        let alice = try ContinuoClient(server: bad, token: try Self.token(home, "alice"))
        let target = home.folder.path + "/received.mp4"
        try await alice.downloadPart(request.id, 0, to: target, sha256: upload.sha256)
        #expect(FileManager.default.contents(atPath: target) == bytes)
        #expect(!FileManager.default.fileExists(atPath: target + ".part"))
        #expect(proxy.count > cutsOfUpload)
        try await proxy.close()
        home.stop()
        home.expectSound()
    }

    @Test("a session comes back after a restart of the server; nothing is lost or told twice")
    func restart() async throws {
        let home = try await RecoveryTests.server()
        try home.logIn("alice@a.example", device: "alice")
        try home.logIn("bob@a.example", device: "bob")
        let watcher = try home.watch("alice")
        _ = try await watcher.event("up-to-date")
        try home.succeed("send", "alice@a.example", "--text", "one", "--device", "bob")
        _ = try await watcher.event("arrived") { $0.texts == ["one"] }
        home.crash()
        _ = try await watcher.event("disconnected")
        // Sent while nobody answers: kept, and sent once by the next command that reaches the server.
        #expect(home.run(["send", "alice@a.example", "--text", "two", "--device", "bob"]).status == 3)
        try await home.start()
        #expect(try home.succeed("send", "--device", "bob", "--json").objects.count == 1)
        _ = try await watcher.event("arrived") { $0.texts == ["two"] }
        #expect(
            watcher.events.filter { $0["event"] as? String == "arrived" }.map {
                ($0["item"] as? [String: Any])?.texts ?? []
            }
            .filter { !$0.isEmpty } == [["one"], ["two"]]
        )
        watcher.end()
        home.stop()
    }

    static func token(_ home: Installation, _ device: String) throws -> String {
        let path = home.folder.path + "/continuo/devices/\(device)/token"
        return try String(contentsOfFile: path, encoding: .utf8).trimmingCharacters(in: .whitespacesAndNewlines)
    }
}
