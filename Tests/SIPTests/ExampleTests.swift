import Foundation
import NIOCore
import SIP
import Testing

/// The examples of the documentation, so that they stay true.
@Suite("Examples of the documentation")
struct ExampleTests {
    @Test("Reading a request and answering it")
    func messages() throws {
        let request = try SIPMessage(
            """
            OPTIONS sip:bob@biloxi.example SIP/2.0\r
            Via: SIP/2.0/UDP pc33.atlanta.example;branch=z9hG4bK776\r
            Max-Forwards: 70\r
            From: <sip:alice@atlanta.example>;tag=1928\r
            To: <sip:bob@biloxi.example>\r
            Call-ID: a84b4c76e66710\r
            CSeq: 63104 OPTIONS\r
            Content-Length: 0\r
            \r\n
            """
        )
        try request.validate()
        let caller = try request.from().uri.sip?.user

        var response = SIPMessage(200, to: request, toTag: "8321234356")
        response.append(.allow, "INVITE, ACK, CANCEL, OPTIONS, BYE")
        let bytes = response.serialized()

        #expect(caller == "alice")
        let start = "SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP pc33.atlanta.example;branch=z9hG4bK776\r\n"
        #expect(String(buffer: bytes).hasPrefix(start))
        #expect(try response.to().tag == "8321234356")
    }

    @Test("A machine under a clock of one's own")
    func machine() {
        let now = NIODeadline.uptimeNanoseconds(0)
        var transaction = NonInviteClientTransaction(now: now, isReliable: false)
        let action = transaction.timeReached(now + .milliseconds(500))
        let deadline = transaction.deadline
        #expect(action == .resend)
        #expect(deadline == now + .milliseconds(1500))
    }

    @Test("They are the ones in the catalogue")
    func same() throws {
        let tests = URL(filePath: #filePath)
        let root = tests.deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        let page = try String(contentsOf: root.appending(path: "Sources/SIP/SIP.docc/SIP.md"), encoding: .utf8)
        let source = try String(contentsOf: tests, encoding: .utf8)
        let examples = page.components(separatedBy: "```swift\n").dropFirst().compactMap {
            $0.components(separatedBy: "\n```").first
        }
        #expect(examples.count == 2)
        for line in examples.flatMap({ $0.split(separator: "\n") }) {
            let code = line.components(separatedBy: "  //")[0].trimmingCharacters(in: .whitespaces)
            #expect(source.contains(code), "\(code)")
        }
    }
}
