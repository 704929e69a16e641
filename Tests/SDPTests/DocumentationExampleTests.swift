import Foundation
import SDP
import Testing

@Suite("Example of the documentation")
struct DocumentationExampleTests {
    static let received = """
        v=0
        o=alice 2890844557 2890844559 IN IP4 alicepc.example.com
        s=-
        c=IN IP4 alicepc.example.com
        t=0 0
        m=message 7777 TCP/MSRP *
        a=accept-types:text/plain
        a=path:msrp://alicepc.example.com:7777/iau39soe2843z;tcp
        a=setup:actpass
        m=audio 49170 RTP/AVP 0
        """

    func example(_ received: String, print: (String) -> Void) throws {
        let offer = try SessionDescription(parsing: Array(received.utf8))
        var exchange = OfferAnswerExchange()
        guard case .answer = try exchange.receiveOffer(offer) else { return }

        let here = MSRPAttributes(
            path: ["msrp://bob.example.com:8493/si438dsaodes;tcp"],
            acceptTypes: ["message/cpim"],
            setup: .active
        )
        let answer = try SessionDescription(
            answering: offer,
            origin: Origin(sessionID: "1", sessionVersion: "1", addressType: "IP4", address: "192.0.2.2"),
            connection: Connection(addressType: "IP4", address: "192.0.2.2"),
            decisions: offer.media.map { $0.isMSRP ? MediaAcceptance(port: 8493, attributes: here.attributes) : nil }
        )
        let agreement = try exchange.sendAnswer(answer)
        print(agreement.local.text)
    }

    @Test("it prints the answer")
    func runs() throws {
        var printed: [String] = []
        try self.example(Self.received) { printed.append($0) }
        let expected = """
            v=0
            o=- 1 1 IN IP4 192.0.2.2
            s=-
            c=IN IP4 192.0.2.2
            t=0 0
            m=message 8493 TCP/MSRP *
            a=accept-types:message/cpim
            a=path:msrp://bob.example.com:8493/si438dsaodes;tcp
            a=setup:active
            a=sendrecv
            m=audio 0 RTP/AVP 0

            """
        #expect(printed == [expected.replacing("\n", with: "\r\n")])
    }

    @Test("it is the one in the catalogue")
    func same() throws {
        let tests = URL(filePath: #filePath)
        let root = tests.deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        let page = try String(contentsOf: root.appending(path: "Sources/SDP/SDP.docc/SDP.md"), encoding: .utf8)
        let code = try #require(page.split(separator: "```swift\n").last?.split(separator: "\n```").first)
        let indented = code.split(separator: "\n", omittingEmptySubsequences: false)
            .map { $0.isEmpty ? "" : "        \($0)" }.joined(separator: "\n")
        #expect(try String(contentsOf: tests, encoding: .utf8).contains(indented))
    }
}
