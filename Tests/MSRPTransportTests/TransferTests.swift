import MSRP
import MSRPTransport
import NIOCore
import NIOPosix
import Testing

@Suite(.timeLimit(.minutes(5))) struct TransferTests {
    @Test func messagesGoBothWays() async throws {
        let pair = try await Pair.start()
        let ends = try pair.open()
        async let atBob = receive(2, from: ends.bobEvents)
        async let atAlice = receive(1, from: ends.aliceEvents)
        try await ends.alice.send(ByteBuffer(string: "hello"), contentType: "text/plain", wantsSuccessReport: true)
        try await ends.alice.send(ByteBuffer(), contentType: "text/plain", wantsSuccessReport: true)
        try await ends.bob.send(ByteBuffer(string: "hi"), contentType: "text/plain")
        #expect(await atBob.map(\.content) == [Array("hello".utf8), []])
        #expect(await atAlice.map(\.content) == [Array("hi".utf8)])
        ends.alice.close()
        #expect(await closeReason(ends.aliceEvents) == .sessionClosed)
        ends.bob.close()
        try await pair.listener.close()
    }

    @Test func aLargeMessageArrivesWhole() async throws {
        let pair = try await Pair.start()
        let ends = try pair.open()
        var content = ByteBuffer()
        for index in 0..<300_000 { content.writeInteger(UInt32(truncatingIfNeeded: index &* 2_654_435_761)) }
        async let atBob = receive(1, from: ends.bobEvents)
        try await ends.alice.send(content, contentType: "application/octet-stream", wantsSuccessReport: true)
        #expect(await atBob.first?.content == Array(content.readableBytesView))
        ends.alice.close()
        ends.bob.close()
        try await pair.listener.close()
    }

    @Test func manySessionsShareConnectionAndListener() async throws {
        let pair = try await Pair.start()
        let all = try (0..<20).map { _ in try pair.open() }
        try await withThrowingTaskGroup(of: Void.self) { group in
            for (index, ends) in all.enumerated() {
                group.addTask {
                    async let atBob = receive(5, from: ends.bobEvents)
                    for turn in 0..<5 {
                        try await ends.alice.send(
                            ByteBuffer(string: "\(index)/\(turn)"),
                            contentType: "text/plain",
                            wantsSuccessReport: true
                        )
                    }
                    #expect(
                        await atBob.map { String(decoding: $0.content, as: UTF8.self) }
                            == (0..<5).map { "\(index)/\($0)" }
                    )
                }
            }
            try await group.waitForAll()
        }
        #expect(pair.listener.openConnections == 1)
        for ends in all {
            ends.alice.close()
            ends.bob.close()
        }
        try await pair.listener.close()
    }
}
