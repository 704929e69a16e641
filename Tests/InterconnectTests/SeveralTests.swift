import ClientWire
import Interconnect
import MessagingCore
import MessagingService
import SessionCore
import Testing

/// More than two, one of them at a provider of foreign make; and what such a provider insists on.
@Suite("Conversations of several in SIP and MSRP", .timeLimit(.minutes(4)))
struct SeveralTests {
    @Test("two of ours and one of theirs: everybody has everything, under the name of who said it")
    func several() async throws {
        let pair = try await RawPeerTests.Pair()
        let a = pair.a
        let anna = try await a.person("anna")
        let id = SessionID(stored: a.newID().description)
        let request = SessionRequest(id: id, to: [anna.address, RawPeerTests.bob])
        _ = try await a.service.request(pair.alice.who, request)
        let sip = try await pair.accept()
        let invite = try await sip.request("INVITE")
        try sip.respond(invite, "200 OK", body: sip.description(1))
        _ = try await sip.request("ACK")
        let talk = try await pair.foreign.accept()
        _ = try await a.session(anna, id, "ringing") { $0.state == .alerting }
        _ = try await a.service.accept(anna.who, id, AcceptRequest())
        _ = try await a.session(pair.alice, id, "all are in") { $0.participants.count == 3 }
        try await a.say("from anna", anna, id)
        let first = try await talk.message()
        #expect(first.contains("From: <sip:anna@a.example>\r\n"))
        #expect(first.hasSuffix("\r\nfrom anna"))
        let bobs = cpim("from bob", from: RawPeerTests.bob.description, to: "sip:alice@a.example", id: "bobs")
        #expect(try await talk.send(bobs, id: "send0001") == "200")
        for person in [pair.alice, anna] {
            _ = try await eventually("both texts") {
                try await a.said(person, id) == ["from anna", "from bob"] ? true : nil
            }
        }
        // They leave; the others go on.
        try sip.send("BYE", 1, within: invite)
        #expect(try await sip.answer(1).hasPrefix("SIP/2.0 200"))
        _ = try await a.session(pair.alice, id, "two are left") { $0.participants.count == 2 }
        #expect(try await a.session(pair.alice, id).state == .open)
        await pair.end()
    }

    @Test("they insist on a longer time between refreshes: asked once more with it")
    func longer() async throws {
        let pair = try await RawPeerTests.Pair()
        let id = try await pair.a.ask(pair.alice, RawPeerTests.bob)
        let sip = try await pair.accept()
        let first = try await sip.request("INVITE")
        #expect(first.header("Session-Expires") == "1800")
        try sip.respond(first, "422 Session Interval Too Small", ["Min-SE: 3600"])
        _ = try await sip.request("ACK")
        let second = try await sip.request("INVITE")
        #expect(second.header("CSeq") == "2 INVITE")
        #expect(second.header("Session-Expires") == "3600")
        #expect(second.header("Min-SE") == "3600")
        #expect(second.header("Call-ID") == first.header("Call-ID"))
        try sip.respond(
            second,
            "200 OK",
            ["Session-Expires: 3600;refresher=uas", "Require: timer"],
            body: sip.description(1)
        )
        _ = try await sip.request("ACK")
        _ = try await pair.foreign.accept()
        _ = try await pair.a.session(pair.alice, id, "open") { $0.state == .open }
        await pair.end()
    }
}
