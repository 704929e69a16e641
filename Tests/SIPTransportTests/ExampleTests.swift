import Foundation
import NIOCore
import NIOPosix
import SIP
import SIPTransport
import Testing

@Suite("Example of the documentation")
struct ExampleTests {
    final class Echo: SIPStackHandler {
        func received(_ transaction: ServerTransaction) {
            transaction.respond(200)
        }
    }

    @Test("It answers")
    func answers() async throws {
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        let made = try await loop.flatSubmit {
            let resolver = DNSResolver(client: DNSClient(group: loop, configuration: .init(servers: [])))
            let stack = SIPStack(eventLoop: loop, resolver: resolver, handler: Echo())
            return stack.listen(.udp, host: "127.0.0.1", port: 0).map { (NIOLoopBound(stack, eventLoop: loop), $0) }
        }.get()
        let client = try await Node.make()
        _ = try await client.listen(.udp)
        let target = SIPStack.Target.destinations([Destination(transport: .udp, address: made.1)])
        let answer = try await client.send(Requests.make(.options), to: target)
        #expect(answer.final.response?.status == 200)
        try await client.close()
        try await loop.flatSubmit { made.0.value.close() }.get()
    }

    @Test("It is the one in the catalogue and in the page of the library")
    func same() throws {
        let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        let example = """
            final class Echo: SIPStackHandler {
                func received(_ transaction: ServerTransaction) {
                    transaction.respond(200)
                }
            }

            let stack = SIPStack(eventLoop: loop, resolver: resolver, handler: Echo())
            let address = try await loop.flatSubmit { stack.listen(.udp, host: "127.0.0.1", port: 0) }.get()
            """
        for page in ["Sources/SIPTransport/SIPTransport.docc/SIPTransport.md", "docs/libraries/sip.md"] {
            #expect(try String(contentsOf: root.appending(path: page), encoding: .utf8).contains(example), "\(page)")
        }
    }
}
