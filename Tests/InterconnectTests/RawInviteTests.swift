import ClientWire
import Foundation
import Interconnect
import MessagingCore
import MessagingService
import SDP
import SessionCore
import Testing

/// How calls begin, and are taken back, where the other side's every word is the test's.
@Suite("Calls with SIP spoken word by word", .timeLimit(.minutes(4)))
struct RawInviteTests {
    typealias Pair = RawPeerTests.Pair
    static let bob = RawPeerTests.bob

    /// They ask.
    static func ask(
        _ pair: Pair,
        _ sip: RawSIP,
        _ id: SessionID,
        _ headers: [String] = [],
        body: String
    ) throws {
        try sip.send(
            "INVITE",
            from: bob.description,
            to: pair.alice.address.description,
            call: id.description,
            [
                "P-Asserted-Identity: <\(bob)>", "Contribution-ID: \(id)",
                "Conversation-ID: 8f6d1a9e-6f2b-4a38-9c11-52a1f6f0a001",
            ] + headers,
            body: body
        )
    }

    @Test(
        "RFC 5621, section 3: a description beside other parts of a body is read, when they ask and when they agree anew"
    )
    func multipart() async throws {
        let pair = try await Pair()
        let (sip, tunnel) = try await pair.connect()
        let id = SessionID(stored: "parts-\(pair.a.newID())")
        let beside = { (description: String) in
            "--edge\r\nContent-Type: image/png\r\nContent-Disposition: icon\r\n\r\nno icon\r\n"
                + "--edge\r\nContent-Type: application/sdp\r\n\r\n\(description)\r\n--edge--\r\n"
        }
        let headers = ["Content-Type: multipart/mixed; boundary=edge"]
        try Self.ask(pair, sip, id, headers, body: beside(sip.description(1)))
        _ = try await pair.a.session(pair.alice, id, "ringing") { $0.state == .alerting }
        _ = try await pair.a.service.accept(pair.alice.who, id, AcceptRequest())
        let answer = try await sip.answer(1)
        #expect(answer.hasPrefix("SIP/2.0 200"))
        try sip.acknowledge(answer)
        let talk = try await pair.foreign.accept()
        try await pair.a.say("hello", pair.alice, id)
        #expect(try await talk.message().hasSuffix("\r\nhello"))
        try sip.send("INVITE", 2, after: answer, headers, body: beside(sip.description(2)))
        let again = try await sip.answer(2, "INVITE")
        #expect(again.hasPrefix("SIP/2.0 200"))
        try sip.acknowledge(again)
        // What holds no description says nothing.
        try sip.send("INVITE", 3, after: answer, headers, body: "--edge\r\n\r\nnothing\r\n--edge--\r\n")
        #expect(try await sip.answer(3, "INVITE").hasPrefix("SIP/2.0 488"))
        await tunnel.close()
        await pair.end()
    }

    @Test("they ask without an offer: ours goes into the 200, and texts flow once their answer has come with the ACK")
    func withoutOffer() async throws {
        let pair = try await Pair()
        let (sip, tunnel) = try await pair.connect()
        let id = SessionID(stored: "late-\(pair.a.newID())")
        try Self.ask(pair, sip, id, body: "")
        _ = try await pair.a.session(pair.alice, id, "ringing") { $0.state == .alerting }
        _ = try await pair.a.service.accept(pair.alice.who, id, AcceptRequest())
        let answer = try await sip.answer(1)
        #expect(answer.hasPrefix("SIP/2.0 200"))
        let line = try #require(try MediaTests.lines(answer).first)
        #expect(line.type == "message" && line.setup == .active)
        try sip.acknowledge(answer, body: sip.description(1))
        let talk = try await pair.foreign.accept()
        try await pair.a.say("hello", pair.alice, id)
        #expect(try await talk.message().hasSuffix("\r\nhello"))
        let hi = cpim("hi", from: Self.bob.description, to: pair.alice.address.description, id: "hi")
        #expect(try await talk.send(hi, id: "send0001") == "200")
        _ = try await eventually("both texts") {
            Set(try await pair.a.said(pair.alice, id)) == ["hello", "hi"] ? true : nil
        }
        await tunnel.close()
        await pair.end()
    }

    @Test("an answer that never comes, or that no text can flow on, ends such a call", arguments: ["", "v=0\r\n"])
    func withoutAnswer(body: String) async throws {
        let pair = try await Pair()
        let (sip, tunnel) = try await pair.connect()
        let id = SessionID(stored: "never-\(pair.a.newID())")
        try Self.ask(pair, sip, id, body: "")
        _ = try await pair.a.session(pair.alice, id, "ringing") { $0.state == .alerting }
        _ = try await pair.a.service.accept(pair.alice.who, id, AcceptRequest())
        let answer = try await sip.answer(1)
        try sip.acknowledge(answer, body: body)
        _ = try await sip.request("BYE")
        _ = try await pair.a.session(pair.alice, id, "over") { $0.state == .over }
        await tunnel.close()
        await pair.end()
    }

    @Test(
        "taken back by our user: the CANCEL says that the request is terminated, and whatever ends it then, it was taken back",
        arguments: [
            "487 Request Terminated", "480 Temporarily Unavailable", "486 Busy Here", "500 Error", "603 Decline",
        ]
    )
    func takenBack(final: String) async throws {
        let pair = try await Pair()
        let id = try await pair.a.ask(pair.alice, Self.bob)
        let sip = try await pair.accept()
        let invite = try await sip.request("INVITE")
        try sip.respond(invite, "180 Ringing")
        _ = try await pair.a.service.leave(pair.alice.who, id)
        let cancel = try await sip.request("CANCEL")
        #expect(cancel.header("Reason") == "SIP;cause=487;text=\"Request Terminated\"")
        try sip.respond(cancel, "200 OK")
        try sip.respond(invite, final)
        _ = try await sip.request("ACK")
        #expect(try await pair.a.session(pair.alice, id, "over") { $0.state == .over }.end == .cancelled)
        await pair.end()
    }

    @Test("taken back while they insist on a longer time between refreshes: it is not asked once more")
    func takenBackLonger() async throws {
        let pair = try await Pair()
        let id = try await pair.a.ask(pair.alice, Self.bob)
        let sip = try await pair.accept()
        let invite = try await sip.request("INVITE")
        try sip.respond(invite, "180 Ringing")
        _ = try await pair.a.service.leave(pair.alice.who, id)
        let cancel = try await sip.request("CANCEL")
        try sip.respond(cancel, "200 OK")
        try sip.respond(invite, "422 Session Interval Too Small", ["Min-SE: 3600"])
        _ = try await sip.request("ACK")
        _ = try await pair.a.session(pair.alice, id, "over") { $0.state == .over }
        // What comes next is the next request.
        let second = try await pair.a.ask(pair.alice, Self.bob)
        let next = try await sip.request("INVITE")
        #expect(next.header("Contribution-ID") == second.description)
        #expect(next.header("Call-ID") != invite.header("Call-ID"))
        await pair.end()
    }

    @Test("both ask, and theirs is the one: the CANCEL of ours says that the call was completed elsewhere")
    func elsewhere() async throws {
        let pair = try await Pair()
        let ours = try await pair.a.ask(pair.alice, Self.bob)
        let sip = try await pair.accept()
        let invite = try await sip.request("INVITE")
        try sip.respond(invite, "180 Ringing")
        let (other, tunnel) = try await pair.connect()
        // The lower name stays.
        let theirs = SessionID(stored: "0000-\(pair.a.newID())")
        try Self.ask(pair, other, theirs, body: other.description(1, setup: "actpass"))
        let cancel = try await sip.request("CANCEL")
        #expect(cancel.header("Reason") == "SIP;cause=200;text=\"Call completed elsewhere\"")
        try sip.respond(cancel, "200 OK")
        try sip.respond(invite, "487 Request Terminated")
        #expect(try await other.answer(1).hasPrefix("SIP/2.0 200"))
        _ = try await pair.a.session(pair.alice, theirs, "theirs is open") { $0.state == .open }
        _ = try await pair.a.session(pair.alice, ours, "ours is over") { $0.state == .over }
        await tunnel.close()
        await pair.end()
    }
}
