import Foundation
import MessagingCore
import NIOCore
import SIP
import SIPTransport
import SessionCore
import Synchronization
import Testing

@testable import Interconnect

/// What is kept of calls of ours so that a 2xx that comes again is acknowledged again.
@Suite("ACKs that may have to be said again", .timeLimit(.minutes(4)))
struct AcknowledgementTests {
    @Test(
        "what acknowledged a call that another one has taken the place of is not kept; the number of those is bounded"
    )
    func acknowledgements() async throws {
        let pair = try await RawPeerTests.Pair()
        let (id, _, invite, talk) = try await pair.open()
        let stack = try #require(pair.a.interconnect.running?.stack)
        let first = try await stack.loop.submit { stack.calls.value.count }.get()
        #expect(first == 1)
        let (sip, tunnel) = try await pair.connect()
        let headers = [
            "P-Asserted-Identity: <\(RawPeerTests.bob)>", "Contribution-ID: \(id)",
            "Conversation-ID: \(invite.header("Conversation-ID") ?? "")",
        ]
        let body = sip.description(1, setup: "actpass", session: "again")
        let alice = pair.alice.address.description
        try sip.send("INVITE", from: RawPeerTests.bob.description, to: alice, call: "again", headers, body: body)
        let answer = try await sip.answer(1)
        #expect(answer.hasPrefix("SIP/2.0 200"))
        try sip.acknowledge(answer)
        let left = try await stack.loop.submit { stack.calls.value.count }.get()
        #expect(left == 0)
        _ = talk

        let live = try #require(pair.a.interconnect.dialogs(of: id).first)
        let known = live.state.withLock { $0.flow }
        let flow = try #require(known)
        var kept = Acknowledgements(maximum: 2)
        let ack = SIPMessage(method: .ack, uri: "sip:bob@b.example")
        let (one, two, three) = (
            kept.keep(ack, flow, callID: "1"), kept.keep(ack, flow, callID: "2"), kept.keep(ack, flow, callID: "3")
        )
        #expect(one != nil && two != nil && three == nil && kept.count == 2)
        let newer = kept.keep(ack, flow, callID: "1")
        kept.forget("1", one)
        #expect(kept["1"] != nil)
        kept.forget("1", newer)
        #expect(kept["1"] == nil && kept.count == 1)
        await tunnel.close()
        await pair.end()
    }
}
