import Foundation
import MSRP
import NIOCore
import Testing

/// The example of the catalogue compiles and does what it says.
@Suite struct DocumentationExampleTests {
    private func example(
        local: MSRPURI,
        peer: MSRPURI,
        seed: UInt64,
        now: NIODeadline,
        exchange: (inout FrameOutput, inout Session) throws -> Void
    ) throws {
        var session = Session(.init(local: local, remotePath: [peer], role: .active, seed: seed))
        var output = FrameOutput(framing: .stream)

        // The session is bound by an empty SEND, once there is a connection.
        _ = session.lifecycle.start(now: now)
        _ = session.lifecycle.connected(ConnectionID(1), now: now)
        try session.bind(into: &output)
        try exchange(&output, &session)
        session.established()

        // A message, in chunks, as fast as the connection takes them.
        let id = session.sender.makeMessageID()
        try session.sender.start(
            MessageHeader(id: id, contentType: "text/plain", size: 5, wantsSuccessReport: true)
        )
        _ = try session.sender.supply(ByteBuffer(string: "hello"), to: id)
        while session.writeNext(now: now, into: &output) != nil {
            try exchange(&output, &session)
        }
    }

    @Test func itSendsAMessage() throws {
        var bob = Session.bound()
        var atBob = Driven()
        var atAlice = Driven()
        try self.example(local: .alice, peer: .bob, seed: 1, now: .uptimeNanoseconds(0)) { output, alice in
            var answers = FrameOutput(framing: .stream)
            for buffer in output.take() {
                try atBob.feed(Array(buffer.readableBytesView), to: &bob, now: .uptimeNanoseconds(0), into: &answers)
            }
            for buffer in answers.take() {
                try atAlice.feed(Array(buffer.readableBytesView), to: &alice, now: .uptimeNanoseconds(0), into: &output)
            }
        }
        #expect(atBob.completed.compactMap { atBob.contents[$0] } == [Array("hello".utf8)])
        #expect(atAlice.events == ["bound \(SessionLifecycle.Action.established(resumed: false))"])
        #expect(
            atAlice.answers == [
                .result(.init(id: atBob.completed[0], outcome: .sent)),
                .result(.init(id: atBob.completed[0], outcome: .delivered)),
            ]
        )
    }

    @Test func itIsTheOneInTheCatalogue() throws {
        let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        let page = try String(
            contentsOf: root.appendingPathComponent("Sources/MSRP/MSRP.docc/MSRP.md"),
            encoding: .utf8
        )
        let code = try #require(page.components(separatedBy: "```swift\n").last?.components(separatedBy: "\n```").first)
        let indented = code.split(separator: "\n", omittingEmptySubsequences: false)
            .map { $0.isEmpty ? "" : "        \($0)" }.joined(separator: "\n")
        #expect(try String(contentsOfFile: #filePath, encoding: .utf8).contains(indented))
    }
}
