import CPIM
import Foundation
import Testing
import XMLBodies

@Suite("Example of the documentation")
struct DocumentationExampleTests {
    func example(_ received: [UInt8], outbox: ([UInt8], String?) -> Void) throws {
        func send(_ bytes: [UInt8], to uri: String?) { outbox(bytes, uri) }
        let message = try CPIMMessage(parsing: received)
        var reporter = DispositionReporter(DispositionRequest(message))
        for notification in reporter.handle(.displayed) {
            let report = try IMDNReport.message(
                notification,
                on: message,
                from: CPIMAddress(uri: "im:bob@example.com"),
                messageID: "Kx8ahQ2f",
                dateTime: Timestamp("2026-03-01T10:00:00Z")
            )
            send(report.bytes, to: IMDNReport.nextHop(of: report))
        }
    }

    @Test("it reports delivery and display to the sender")
    func runs() throws {
        var sent: [(CPIMMessage, String?)] = []
        try self.example(IMDNTests.original().bytes) { bytes, uri in
            if let message = try? CPIMMessage(parsing: bytes) { sent.append((message, uri)) }
        }
        #expect(sent.map(\.1) == ["im:alice@example.com", "im:alice@example.com"])
        let notifications = try sent.flatMap { try IMDNReport.notifications(in: $0.0) }.map(\.notification)
        #expect(notifications == [.delivery(.delivered), .display(.displayed)])
    }

    @Test("it is the one in the catalogue")
    func same() throws {
        let tests = URL(filePath: #filePath)
        let root = tests.deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        let page = try String(contentsOf: root.appending(path: "Sources/CPIM/CPIM.docc/CPIM.md"), encoding: .utf8)
        let code = try #require(page.split(separator: "```swift\n").last?.split(separator: "\n```").first)
        let indented = code.split(separator: "\n", omittingEmptySubsequences: false)
            .map { $0.isEmpty ? "" : "        \($0)" }.joined(separator: "\n")
        #expect(try String(contentsOf: tests, encoding: .utf8).contains(indented))
    }
}
