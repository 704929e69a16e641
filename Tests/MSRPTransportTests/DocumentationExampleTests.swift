import Foundation
import MSRP
import MSRPTransport
import NIOCore
import NIOPosix
import Testing

/// The example of the catalogue compiles and does what it says.
@Suite(.timeLimit(.minutes(5))) struct DocumentationExampleTests {
    private func example(local: MSRPURI, remotePath: [MSRPURI], port: Int) async throws -> ByteBuffer {
        var received = ByteBuffer()
        let endpoint = MSRPEndpoint(group: MultiThreadedEventLoopGroup.singleton)
        let events = SessionEvents()
        let session = try endpoint.makeSession(
            local: local,
            remotePath: remotePath,
            role: .passive,
            handler: events
        )
        session.start()
        let listener = try await endpoint.listen(host: "127.0.0.1", port: port)
        for await event in events {
            switch event {
            case .content(_, _, let bytes): received.writeImmutableBuffer(bytes)
            case .completed: session.close()
            default: break
            }
        }
        try await listener.close()
        return received
    }

    @Test func itReceivesAMessage() async throws {
        let port = try RawListener.quietPort()
        let local = try MSRPURI(secure: false, host: "127.0.0.1", port: port, sessionID: MSRPEndpoint.makeSessionID())
        let remote = try MSRPURI(secure: false, host: "a.invalid", port: 1, sessionID: MSRPEndpoint.makeSessionID())
        let sender = try MSRPEndpoint(group: MultiThreadedEventLoopGroup.singleton).makeSession(
            local: remote,
            remotePath: [local],
            role: .active,
            handler: SessionEvents()
        )
        async let received = self.example(local: local, remotePath: [remote], port: Int(port))
        sender.start()
        try await sender.send(ByteBuffer(string: "hello"), contentType: "text/plain")
        #expect(try await received == ByteBuffer(string: "hello"))
        sender.close()
    }

    @Test func itIsTheOneInTheCatalogue() throws {
        let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        let path = root.appendingPathComponent("Sources/MSRPTransport/MSRPTransport.docc/MSRPTransport.md")
        let page = try String(contentsOf: path, encoding: .utf8)
        let code = try #require(page.components(separatedBy: "```swift\n").last?.components(separatedBy: "\n```").first)
        let indented = code.split(separator: "\n", omittingEmptySubsequences: false)
            .map { $0.isEmpty ? "" : "        \($0)" }.joined(separator: "\n")
        #expect(try String(contentsOfFile: #filePath, encoding: .utf8).contains(indented))
    }
}
