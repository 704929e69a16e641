import ClientWire
import Foundation
import MediaSignalling
import MessagingCore
import MessagingService
import SDP
import SessionCore
import Testing

/// Our user asks for voice first: the other side makes the offer, and our device's answer is in the ACK.
@Suite("Calls of ours with SIP spoken word by word", .timeLimit(.minutes(4)))
struct RawCallTests {
    typealias Pair = RawPeerTests.Pair
    static let bob = RawPeerTests.bob
    static let own = "m=audio 40000 RTP/AVP 0\r\nc=IN IP4 192.0.2.10\r\na=mid:x\r\na=sendrecv\r\n"
    static let head = "v=0\r\no=- 7 1 IN IP4 198.51.100.7\r\ns=-\r\nt=0 0\r\n"

    /// Their next request, whatever it is.
    static func next(_ sip: RawSIP) async throws -> String {
        try #require(try await sip.socket.message(), "the connection was closed")
    }

    @Test("voice: no offer in the INVITE; the ACK waits for the device; what was not asked for is refused in its place")
    func voice() async throws {
        let pair = try await Pair()
        let mobile = MediaDevice(pair.alice, at: pair.a)
        let id = try await pair.a.ask(pair.alice, Self.bob, subject: "Lunch?", media: [.audio])
        let sip = try await pair.accept()
        let invite = try await sip.request("INVITE")
        #expect(invite.header("Content-Length") == "0" && invite.header("Content-Type") == nil)
        #expect(invite.header("Subject") == "Lunch?")
        try sip.respond(invite, "180 Ringing")
        let offer = Self.head + MediaTests.phone + MediaTests.camera
        try sip.respond(invite, "200 OK", body: offer)
        // Said again before the ACK, as the standard has it.
        try sip.respond(invite, "200 OK", body: offer)
        let heard = try await mobile.takes(Self.own)
        #expect(heard.connection?.address == "198.51.100.7")
        let first = try await Self.next(sip)
        #expect(first.hasPrefix("ACK "))
        let lines = try MediaTests.lines(first)
        #expect(lines.map(\.type) == ["audio", "video"])
        #expect(lines.map(\.isRejected) == [false, true])
        #expect(lines[0].connection?.address == "192.0.2.10")
        let open = try await pair.a.session(pair.alice, id, "voice") { $0.media.count == 1 && $0.pending.isEmpty }
        #expect(open.state == .open)
        // Once more after it: the same ACK again.
        try sip.respond(invite, "200 OK", body: offer)
        let again = try await Self.next(sip)
        #expect(again.hasPrefix("ACK "))
        #expect(try MediaTests.lines(again) == lines)
        // Texts go apart.
        try await pair.a.say("I can hear you", pair.alice, id)
        let message = try await Self.next(sip)
        #expect(message.hasPrefix("MESSAGE ") && message.contains("I can hear you"))
        try sip.respond(message, "200 OK")

        try sip.send("BYE", 1, within: invite)
        #expect(try await sip.answer(1).hasPrefix("SIP/2.0 200"))
        #expect(try await pair.a.session(pair.alice, id, "over") { $0.state == .over }.end == .left)
        await mobile.close()
        await pair.end()
    }

    @Test(
        "a peer whose conversations have texts is offered these first: not acceptable, it is asked again without an offer",
        arguments: [488, 606]
    )
    func fallback(status: Int) async throws {
        let pair = try await Pair(keepsLanes: nil)
        let mobile = MediaDevice(pair.alice, at: pair.a)
        let id = try await pair.a.ask(pair.alice, Self.bob, media: [.audio])
        let sip = try await pair.accept()
        let tag = "+g.3gpp.icsi-ref=\"urn%3Aurn-7%3A3gpp-service.ims.icsi.oma.cpm.session\""
        try sip.respond(try await sip.request("OPTIONS"), "200 OK", ["Contact: <sip:b.example>;\(tag)"])
        let first = try await sip.request("INVITE")
        #expect(try MediaTests.lines(first).map(\.type) == ["message"])
        try sip.respond(first, "\(status) Not Acceptable")
        let second = try await sip.request("INVITE")
        #expect(second.header("CSeq") == "2 INVITE")
        #expect(second.header("Content-Length") == "0")
        #expect(second.header("Contribution-ID") == id.description)
        try sip.respond(second, "200 OK", body: Self.head + MediaTests.phone)
        try await mobile.takes(Self.own)
        let acknowledgement = try await sip.request("ACK")
        #expect(acknowledgement.header("CSeq") == "2 ACK")
        #expect(try MediaTests.lines(acknowledgement).map(\.isRejected) == [false])
        _ = try await pair.a.session(pair.alice, id, "voice") { $0.media.count == 1 && $0.pending.isEmpty }
        _ = try await pair.a.service.leave(pair.alice.who, id)
        _ = try await sip.request("BYE")
        await mobile.close()
        await pair.end()
    }

    @Test("two telephones accept at once: the second is told at once that nothing is taken, and hangs up")
    func forked() async throws {
        let pair = try await Pair()
        let mobile = MediaDevice(pair.alice, at: pair.a)
        let id = try await pair.a.ask(pair.alice, Self.bob, media: [.audio])
        let sip = try await pair.accept()
        let invite = try await sip.request("INVITE")
        try sip.respond(invite, "200 OK", body: Self.head + MediaTests.phone)
        let signal = try await mobile.pressed()
        // From another one: its tag is its own.
        let to = try #require(invite.header("To"))
        let forked = invite.replacing("To: \(to)", with: "To: \(to);tag=other")
        try sip.respond(forked, "200 OK", body: Self.head + MediaTests.phone)
        let refusal = try await sip.request("ACK")
        #expect(refusal.header("To")?.hasSuffix(";tag=other") == true)
        #expect(try MediaTests.lines(refusal).map(\.isRejected) == [true])
        let bye = try await Self.next(sip)
        #expect(bye.hasPrefix("BYE ") && bye.header("To")?.hasSuffix(";tag=other") == true)
        try sip.respond(bye, "200 OK")
        // The first one goes on.
        let answer = try SessionDescription(parsing: Array((Self.head + Self.own).utf8))
        mobile.say(.description(.answer, answer, names: [:]), to: signal)
        let acknowledgement = try await sip.request("ACK")
        #expect(acknowledgement.header("To")?.hasSuffix(";tag=raw") == true)
        #expect(try MediaTests.lines(acknowledgement).map(\.isRejected) == [false])
        _ = try await pair.a.session(pair.alice, id, "voice") { $0.media.count == 1 && $0.pending.isEmpty }
        await mobile.close()
        await pair.end()
    }

    @Test("without a wish for voice a refusal stands")
    func refused() async throws {
        let pair = try await Pair()
        let id = try await pair.a.ask(pair.alice, Self.bob)
        let sip = try await pair.accept()
        try sip.respond(try await sip.request("INVITE"), "488 Not Acceptable Here")
        #expect(try await pair.a.session(pair.alice, id, "over") { $0.state == .over }.end == .missed)
        await pair.end()
    }

    @Test(
        "the device cannot, our user leaves, or nothing can be taken: an ACK that takes nothing, then BYE",
        arguments: ["cannot", "leaves", "video", "garbage"]
    )
    func nothing(why: String) async throws {
        let pair = try await Pair()
        let mobile = MediaDevice(pair.alice, at: pair.a)
        let id = try await pair.a.ask(pair.alice, Self.bob, media: [.audio])
        let sip = try await pair.accept()
        let invite = try await sip.request("INVITE")
        let offers = ["video": Self.head + MediaTests.camera, "garbage": "v=0\r\n"]
        try sip.respond(invite, "200 OK", body: offers[why] ?? Self.head + MediaTests.phone)
        if why == "cannot" {
            mobile.say(.refused("no microphone"), to: try await mobile.pressed())
        } else if why == "leaves" {
            _ = try await mobile.pressed()
            _ = try await pair.a.service.leave(pair.alice.who, id)
        }
        let acknowledgement = try await Self.next(sip)
        #expect(acknowledgement.hasPrefix("ACK "))
        if why != "garbage" {
            #expect(try MediaTests.lines(acknowledgement).allSatisfy(\.isRejected))
        }
        #expect(try await Self.next(sip).hasPrefix("BYE "))
        let over = try await pair.a.session(pair.alice, id, "over") { $0.state == .over }
        #expect(over.media.isEmpty)
        await mobile.close()
        await pair.end()
    }

    @Test("whoever offers texts as well has both: texts flow, and voice is in the same answer")
    func both() async throws {
        let pair = try await Pair()
        let mobile = MediaDevice(pair.alice, at: pair.a)
        let id = try await pair.a.ask(pair.alice, Self.bob, media: [.audio, .video])
        let sip = try await pair.accept()
        let invite = try await sip.request("INVITE")
        try sip.respond(invite, "200 OK", body: sip.description(1) + MediaTests.phone)
        try await mobile.takes(Self.own)
        let acknowledgement = try await sip.request("ACK")
        let lines = try MediaTests.lines(acknowledgement)
        #expect(lines.map(\.type) == ["message", "audio"])
        #expect(lines.map(\.isRejected) == [false, false])
        let talk = try await pair.foreign.accept()
        try await pair.a.say("hello", pair.alice, id)
        #expect(try await talk.message().hasSuffix("\r\nhello"))
        // What they did not offer of it is offered by us.
        let camera = "m=video 40002 RTP/AVP 96\r\nc=IN IP4 192.0.2.10\r\na=mid:x\r\na=rtpmap:96 VP8/90000\r\n"
        try await mobile.offers(camera)
        let next = try await sip.request("INVITE")
        #expect(try MediaTests.lines(next).map(\.type) == ["message", "audio", "video"])
        try sip.respond(next, "200 OK", body: sip.description(2) + MediaTests.phone + MediaTests.camera)
        _ = try await pair.a.session(pair.alice, id, "both") { $0.media.count == 2 && $0.pending.isEmpty }
        await mobile.close()
        await pair.end()
    }
}
