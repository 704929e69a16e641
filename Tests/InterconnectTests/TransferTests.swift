import ClientWire
import Foundation
import MediaSignalling
import MessagingCore
import MessagingService
import SDP
import SessionCore
import Testing

/// A call that is handed on: whoever has it asks somebody else into it, and leaves.
@Suite("Calls that are handed on between providers", .timeLimit(.minutes(4)))
struct TransferTests {
    typealias Pair = RawPeerTests.Pair
    static let bob = RawPeerTests.bob

    /// A line of one of our devices.
    static func line(at host: String) -> String {
        "m=audio 40000 RTP/AVP 0\r\nc=IN IP4 \(host)\r\na=mid:x\r\na=sendrecv\r\n"
    }

    /// Alice has voice with Bob's telephone.
    private static func voice(
        _ pair: Pair,
        _ mobile: MediaDevice
    ) async throws -> (id: SessionID, sip: RawSIP, invite: String) {
        let id = try await pair.a.ask(pair.alice, Self.bob, media: [.audio])
        let sip = try await pair.accept()
        let invite = try await sip.request("INVITE")
        try sip.respond(invite, "200 OK", body: RawCallTests.head + MediaTests.phone)
        try await mobile.takes(RawCallTests.own)
        _ = try await sip.request("ACK")
        _ = try await pair.a.session(pair.alice, id, "voice") { Self.isOn([pair.alice.address, Self.bob], $0) }
        return (id, sip, invite)
    }

    /// Alice asks somebody else in, who takes part in the voice.
    private static func join(_ other: Person, _ id: SessionID, _ pair: Pair) async throws {
        _ = try await pair.a.service.invite(pair.alice.who, id, other.address)
        _ = try await pair.a.session(other, id, "ringing") { $0.state == .alerting }
        _ = try await pair.a.service.accept(other.who, id, AcceptRequest(media: [.audio]))
    }

    static func isOn(_ users: [Address], _ document: SessionDocument) -> Bool {
        document.media.count == 1 && document.pending.isEmpty
            && Set(document.media[0].placements.map(\.user)) == Set(users)
    }

    @Test(
        "to a telephone of another provider: its offer waits until whoever handed the call on is gone, and is answered by the other",
        arguments: ["by the caller", "by the called"]
    )
    func outward(who: String) async throws {
        let pair = try await Pair()
        let anna = try await pair.a.person("anna")
        let (caller, called) = who == "by the caller" ? (pair.alice, anna) : (anna, pair.alice)
        let id = try await pair.a.ask(caller, called.address, media: [.audio])
        _ = try await pair.a.session(called, id, "ringing") { $0.state == .alerting }
        _ = try await pair.a.service.accept(called.who, id, AcceptRequest(media: [.audio]))
        _ = try await pair.a.session(anna, id, "voice") { Self.isOn([pair.alice.address, anna.address], $0) }
        let device = MediaDevice(anna, at: pair.a)

        _ = try await pair.a.service.invite(pair.alice.who, id, Self.bob)
        let sip = try await pair.accept()
        let invite = try await sip.request("INVITE")
        #expect(invite.header("Content-Length") == "0")
        try sip.respond(invite, "180 Ringing")
        try sip.respond(invite, "200 OK", body: RawCallTests.head + MediaTests.phone)
        _ = try await pair.a.session(pair.alice, id, "three have it") { $0.media.first?.placements.count == 3 }
        _ = try await pair.a.service.leave(pair.alice.who, id)
        let heard = try await device.takes(Self.line(at: "192.0.2.77"))
        #expect(heard.connection?.address == "198.51.100.7")
        let acknowledgement = try await sip.request("ACK")
        let lines = try MediaTests.lines(acknowledgement)
        #expect(lines.map(\.isRejected) == [false])
        #expect(lines.first?.connection?.address == "192.0.2.77")
        let open = try await pair.a.session(anna, id, "two have it") { Self.isOn([anna.address, Self.bob], $0) }
        #expect(open.state == .open && Set(open.participants) == [anna.address, Self.bob])

        // Held there, and it is over there as any other.
        let held = RawCallTests.head + MediaTests.phone.replacing("a=sendrecv", with: "a=sendonly")
        try sip.send("INVITE", 1, within: invite, body: held)
        let answer = try await sip.answer(1)
        #expect(answer.hasPrefix("SIP/2.0 200"))
        #expect(try MediaTests.lines(answer).first?.connection?.address == "192.0.2.77")
        try sip.send("ACK", 1, within: invite)
        _ = try await pair.a.session(anna, id, "held") { $0.media.first?.held == [Self.bob] }
        try sip.send("BYE", 2, within: invite)
        #expect(try await sip.answer(2).hasPrefix("SIP/2.0 200"))
        #expect(try await pair.a.session(anna, id, "over") { $0.state == .over }.end == .left)
        await device.close()
        await pair.end()
    }

    @Test("a call with a telephone of another provider goes on with another user of ours: the same line, from there")
    func inward() async throws {
        let pair = try await Pair()
        let mobile = MediaDevice(pair.alice, at: pair.a)
        let anna = try await pair.a.person("anna")
        let device = MediaDevice(anna, at: pair.a)
        let (id, sip, _) = try await Self.voice(pair, mobile)

        try await Self.join(anna, id, pair)
        _ = try await pair.a.session(pair.alice, id, "three have it") { $0.media.first?.placements.count == 3 }
        _ = try await pair.a.service.leave(pair.alice.who, id)
        try await device.offers(Self.line(at: "192.0.2.77"))
        // It becomes a conversation of three for a moment, of which its server says so.
        var moved = try await sip.request("INVITE")
        if try MediaTests.lines(moved).first?.connection?.address != "192.0.2.77" {
            try sip.respond(moved, "200 OK", body: RawCallTests.head + MediaTests.phone)
            moved = try await sip.request("INVITE")
        }
        #expect(try MediaTests.lines(moved).map { $0.connection?.address } == ["192.0.2.77"])
        try sip.respond(moved, "200 OK", body: RawCallTests.head + MediaTests.phone)
        #expect(try await device.answer().connection?.address == "198.51.100.7")
        _ = try await pair.a.session(anna, id, "two have it") { Self.isOn([anna.address, Self.bob], $0) }
        _ = try await pair.a.service.leave(anna.who, id)
        _ = try await sip.request("BYE")
        await mobile.close()
        await device.close()
        await pair.end()
    }

    /// Waits until somebody's device is told that a medium is among two.
    static func isTold(_ device: MediaDevice) async throws {
        _ = try await device.hears("that it is among two") { payload in
            payload == .refused(MediaPayload.amongTwo) ? true : nil
        }
    }

    @Test(
        "a third one comes to voice with a telephone of another provider, and nobody leaves: told why not, and voice goes on"
    )
    func visitor() async throws {
        let pair = try await Pair()
        let mobile = MediaDevice(pair.alice, at: pair.a)
        let anna = try await pair.a.person("anna")
        let device = MediaDevice(anna, at: pair.a)
        let (id, sip, invite) = try await Self.voice(pair, mobile)

        try await Self.join(anna, id, pair)
        // It becomes a conversation of three, of which its server says so.
        let focus = try await sip.request("INVITE")
        #expect(focus.header("Contact")?.contains(";isfocus") == true)
        try sip.respond(focus, "200 OK", body: RawCallTests.head + MediaTests.phone)
        _ = try await sip.request("ACK")
        try await Self.isTold(device)
        let open = try await pair.a.session(anna, id, "two have it") {
            Self.isOn([pair.alice.address, Self.bob], $0)
        }
        #expect(open.state == .open && open.participants.count == 3)
        // Nothing more was said there, and it can be held as before.
        let held = RawCallTests.head + MediaTests.phone.replacing("a=sendrecv", with: "a=sendonly")
        try sip.send("INVITE", 1, within: invite, body: held)
        #expect(try await sip.answer(1).hasPrefix("SIP/2.0 200"))
        try sip.send("ACK", 1, within: invite)
        _ = try await pair.a.session(pair.alice, id, "held") { $0.media.first?.held == [Self.bob] }
        _ = try await pair.a.service.leave(anna.who, id)
        _ = try await pair.a.session(pair.alice, id, "two are in") { $0.participants.count == 2 }
        _ = try await pair.a.service.leave(pair.alice.who, id)
        let bye = try await sip.request("BYE")
        #expect(bye.header("Reason")?.hasPrefix("Q.850;cause=16") == true)
        await mobile.close()
        await device.close()
        await pair.end()
    }

    @Test("a third one who only comes in addition gets no part of it after a while, and the call of two goes on")
    func crowd() async throws {
        let pair = try await Pair()
        let mobile = MediaDevice(pair.alice, at: pair.a)
        let anna = try await pair.a.person("anna")
        let id = try await pair.a.ask(pair.alice, anna.address, media: [.audio])
        _ = try await pair.a.session(anna, id, "ringing") { $0.state == .alerting }
        _ = try await pair.a.service.accept(anna.who, id, AcceptRequest(media: [.audio]))
        _ = try await pair.a.session(anna, id, "voice") { Self.isOn([pair.alice.address, anna.address], $0) }
        _ = try await pair.a.service.invite(pair.alice.who, id, Self.bob)
        let sip = try await pair.accept()
        let invite = try await sip.request("INVITE")
        try sip.respond(invite, "200 OK", body: RawCallTests.head + MediaTests.phone)
        let acknowledgement = try await sip.request("ACK")
        #expect(try MediaTests.lines(acknowledgement).map(\.isRejected) == [true])
        let bye = try await sip.request("BYE")
        #expect(bye.header("Reason")?.hasPrefix("SIP;cause=488") == true)
        try sip.respond(bye, "200 OK")
        let left = try await pair.a.session(anna, id, "two have it") { $0.participants.count == 2 }
        #expect(left.state == .open && Self.isOn([pair.alice.address, anna.address], left))
        try await Self.isTold(mobile)
        await mobile.close()
        await pair.end()
    }

    // MARK: REFER by the other provider's user

    /// The next NOTIFY's status; it is answered.
    static func progress(_ sip: RawSIP) async throws -> (status: String, message: String) {
        let message = try await sip.request("NOTIFY")
        try sip.respond(message, "200 OK")
        #expect(message.header("Event") == "refer" || message.header("Event")?.hasPrefix("refer;id=") == true)
        #expect(message.header("Content-Type") == "message/sipfrag;version=2.0")
        let body = try #require(message.components(separatedBy: "\r\n\r\n").last)
        return (String(body.prefix(11)), message)
    }

    @Test("whoever takes part asks others into it by REFER: of our provider, of theirs; what became of it is told")
    func referred() async throws {
        let pair = try await Pair()
        let (id, sip, invite, talk) = try await pair.open()
        #expect(invite.header("Allow")?.contains("REFER") == true)
        let (anna, dora) = (try await pair.a.person("anna"), try await pair.a.person("dora"))
        // She does not want to.
        try sip.send("REFER", 1, within: invite, ["Refer-To: <\(dora.address)>"])
        #expect(try await sip.answer(1, "REFER").hasPrefix("SIP/2.0 202"))
        let first = try await Self.progress(sip)
        #expect(first.status == "SIP/2.0 100")
        #expect(first.message.header("Subscription-State")?.hasPrefix("active;expires=") == true)
        #expect(first.message.header("Call-ID") == invite.header("Call-ID"))
        // One at a time.
        try sip.send("REFER", 2, within: invite, ["Refer-To: <\(anna.address)>"])
        #expect(try await sip.answer(2, "REFER").hasPrefix("SIP/2.0 491"))
        _ = try await pair.a.session(dora, id, "ringing") { $0.state == .alerting }
        _ = try await pair.a.service.leave(dora.who, id)
        let last = try await Self.progress(sip)
        #expect(last.status == "SIP/2.0 603")
        #expect(last.message.header("Subscription-State") == "terminated;reason=noresource")

        try sip.send("REFER", 3, within: invite, ["Refer-To: <\(anna.address)>"])
        #expect(try await sip.answer(3, "REFER").hasPrefix("SIP/2.0 202"))
        #expect(try await Self.progress(sip).status == "SIP/2.0 100")
        _ = try await pair.a.session(anna, id, "ringing") { $0.state == .alerting }
        _ = try await pair.a.service.accept(anna.who, id, AcceptRequest())
        // It is a conference now: the re-INVITE that says so and the NOTIFY come in either order.
        var (again, told) = ("", "")
        while again.isEmpty || told.isEmpty {
            let message = try #require(try await sip.socket.message(), "the connection was closed")
            if message.hasPrefix("INVITE ") {
                again = message
                try sip.respond(message, "200 OK", body: sip.description(1))
            } else if message.hasPrefix("NOTIFY ") {
                told = message
                try sip.respond(message, "200 OK")
            }
        }
        #expect(again.header("Contact")?.contains(";isfocus") == true)
        #expect(told.contains("\r\n\r\nSIP/2.0 200"))

        // Somebody of their own provider, by a REFER to the conversation itself, without news of it.
        let focus = String(again.header("Contact")?.split(separator: ">").first?.dropFirst() ?? "")
        let headers = ["Refer-To: <sip:carol@b.example>", "Refer-Sub: false"]
        try sip.send("REFER", from: "sip:mallory@b.example", to: focus, call: "stranger", headers)
        #expect(try await sip.answer(1, "REFER").hasPrefix("SIP/2.0 404"))
        try sip.send("REFER", from: Self.bob.description, to: focus, call: "apart", headers)
        let answer = try await sip.answer(1, "REFER")
        #expect(answer.hasPrefix("SIP/2.0 202") && answer.header("Refer-Sub") == "false")
        let carols = try await sip.request("INVITE")
        #expect(carols.header("To")?.contains("sip:carol@b.example") == true)
        #expect(carols.header("Contribution-ID") == id.description)
        try sip.respond(carols, "200 OK", body: sip.description(1, session: "carol"))
        _ = try await pair.foreign.accept()
        _ = try await pair.a.session(pair.alice, id, "four are in") { $0.participants.count == 4 }
        _ = talk
        await pair.end()
    }

    @Test("what cannot be meant, and who may not, is refused at once, and nobody rings")
    func refusals() async throws {
        let pair = try await Pair()
        let (id, sip, invite, talk) = try await pair.open()
        let cases = [
            ("<sip:nobody@a.example>", "404"), ("<sip:bob@elsewhere.example>", "404"),
            ("<\(pair.alice.address)>", "482"), ("<sip:carol@b.example;method=BYE>", "603"),
            ("<tel:+15551234567>", "416"),
            ("<sip:carol@b.example?Replaces=1%3Bto-tag%3D2%3Bfrom-tag%3D3>", "603"), ("<", "400"),
        ]
        for (index, (target, status)) in cases.enumerated() {
            try sip.send("REFER", index + 1, within: invite, ["Refer-To: \(target)"])
            let answer = try await sip.answer(index + 1, "REFER")
            #expect(answer.hasPrefix("SIP/2.0 \(status)"), "\(target): \(answer.prefix(40))")
        }
        try sip.send("REFER", 20, within: invite)
        #expect(try await sip.answer(20, "REFER").hasPrefix("SIP/2.0 400"))
        #expect(try await pair.a.session(pair.alice, id).participants.count == 2)
        _ = talk
        await pair.end()
    }

    @Test("their telephone hands its call on, and hangs up at once: the call waits for whoever is asked")
    func handedOn() async throws {
        let pair = try await Pair()
        let mobile = MediaDevice(pair.alice, at: pair.a)
        let (id, sip, invite) = try await Self.voice(pair, mobile)
        try sip.send("REFER", 1, within: invite, ["Refer-To: <sip:carol@b.example>"])
        #expect(try await sip.answer(1, "REFER").hasPrefix("SIP/2.0 202"))
        try sip.send("BYE", 2, within: invite)
        let carols = try await sip.request("INVITE")
        #expect(carols.header("To")?.contains("sip:carol@b.example") == true)
        let there = MediaTests.phone.replacing("198.51.100.7", with: "198.51.100.9")
        try sip.respond(carols, "200 OK", body: RawCallTests.head + there)
        let heard = try await mobile.takes(RawCallTests.own)
        #expect(heard.connection?.address == "198.51.100.9")
        let acknowledgement = try await sip.request("ACK")
        #expect(acknowledgement.header("Call-ID") == carols.header("Call-ID"))
        #expect(try MediaTests.lines(acknowledgement).map(\.isRejected) == [false])
        let carol = Address(stored: "sip:carol@b.example")
        _ = try await pair.a.session(pair.alice, id, "two have it") {
            Self.isOn([pair.alice.address, carol], $0) && $0.participants.count == 2
        }
        await mobile.close()
        await pair.end()
    }

    // MARK: REFER of ours

    /// A call of theirs, with voice.
    static func theirs(_ pair: Pair) async throws -> (id: SessionID, sip: RawSIP, answer: String, mobile: MediaDevice) {
        let mobile = MediaDevice(pair.alice, at: pair.a)
        let (sip, _) = try await pair.connect()
        let id = SessionID(stored: "theirs-\(pair.a.newID())")
        try sip.send(
            "INVITE",
            from: bob.description,
            to: pair.alice.address.description,
            call: "theirs",
            ["P-Asserted-Identity: <\(bob)>", "Contribution-ID: \(id)"],
            body: RawCallTests.head + MediaTests.phone
        )
        _ = try await pair.a.session(pair.alice, id, "ringing") { $0.state == .alerting }
        _ = try await pair.a.service.accept(pair.alice.who, id, AcceptRequest(media: [.audio]))
        try await mobile.takes(RawCallTests.own)
        let answer = try await sip.answer(1)
        try sip.acknowledge(answer)
        _ = try await pair.a.session(pair.alice, id, "voice") { isOn([pair.alice.address, bob], $0) }
        return (id, sip, answer, mobile)
    }

    static func notify(_ sip: RawSIP, _ number: Int, _ answer: String, _ state: String, _ fragment: String) throws {
        let headers = ["Event: refer", "Subscription-State: \(state)", "Content-Type: message/sipfrag;version=2.0"]
        try sip.send("NOTIFY", number, after: answer, headers, body: fragment)
    }

    @Test(
        "a call that they made is handed on by their server: what its NOTIFYs say is how it came out",
        arguments: ["SIP/2.0 200 OK", "SIP/2.0 603 Decline", ""]
    )
    func byThem(fragment: String) async throws {
        let pair = try await Pair()
        let (a, alice) = (pair.a, pair.alice)
        let (id, sip, answer, mobile) = try await Self.theirs(pair)
        let anna = try await pair.a.person("anna")
        async let outcome = a.service.handOn(alice.who, id, to: anna.address)
        let refer = try await sip.request("REFER")
        #expect(refer.header("Refer-To") == "<\(anna.address)>")
        #expect(refer.header("Referred-By") == "<\(pair.alice.address)>")
        #expect(refer.header("Call-ID") == "theirs")
        try sip.respond(refer, "202 Accepted")
        try Self.notify(sip, 2, answer, "active;expires=60", "SIP/2.0 100 Trying")
        #expect(try await sip.answer(2, "NOTIFY").hasPrefix("SIP/2.0 200"))
        let other = try await pair.a.service.handOn(pair.alice.who, id, to: anna.address)
        #expect(other == 491)
        try Self.notify(sip, 3, answer, "terminated;reason=noresource", fragment)
        #expect(try await sip.answer(3, "NOTIFY").hasPrefix("SIP/2.0 200"))
        let status = try await outcome
        #expect(status == (fragment.isEmpty ? 480 : fragment.contains("200") ? 200 : 603))
        // Of no REFER.
        try Self.notify(sip, 4, answer, "terminated;reason=noresource", fragment)
        #expect(try await sip.answer(4, "NOTIFY").hasPrefix("SIP/2.0 481"))
        #expect(try await pair.a.session(pair.alice, id).state == .open)
        await mobile.close()
        await pair.end()
    }

    @Test(
        "RFC 3261, section 12.2.2: a NOTIFY that is numbered lower than what came before is answered 500, and tells nothing"
    )
    func lowerNumber() async throws {
        let pair = try await Pair()
        let (a, alice) = (pair.a, pair.alice)
        let (id, sip, answer, mobile) = try await Self.theirs(pair)
        let anna = try await pair.a.person("anna")
        async let outcome = a.service.handOn(alice.who, id, to: anna.address)
        try sip.respond(try await sip.request("REFER"), "202 Accepted")
        try Self.notify(sip, 5, answer, "active;expires=60", "SIP/2.0 100 Trying")
        #expect(try await sip.answer(5, "NOTIFY").hasPrefix("SIP/2.0 200"))
        try Self.notify(sip, 4, answer, "terminated;reason=noresource", "SIP/2.0 603 Decline")
        #expect(try await sip.answer(4, "NOTIFY").hasPrefix("SIP/2.0 500"))
        try Self.notify(sip, 6, answer, "terminated;reason=noresource", "SIP/2.0 200 OK")
        #expect(try await sip.answer(6, "NOTIFY").hasPrefix("SIP/2.0 200"))
        #expect(try await outcome == 200)
        await mobile.close()
        await pair.end()
    }

    @Test("nobody is asked into a conversation that they began, and whoever wants to is told why")
    func askedIn() async throws {
        let pair = try await Pair()
        let (id, sip, answer, mobile) = try await Self.theirs(pair)
        let anna = try await pair.a.person("anna")
        let before = try await pair.a.session(pair.alice, id)
        do {
            _ = try await pair.a.service.invite(pair.alice.who, id, anna.address)
            Issue.record("it is taken, and nothing comes of it")
        } catch let refusal as Refusal {
            #expect(refusal.code == .conflict && refusal.detail.contains("b.example"))
        }
        #expect(try await pair.a.session(pair.alice, id) == before)
        #expect(try await pair.a.service.sessions(anna.who).sessions.isEmpty)
        try sip.send("BYE", 2, after: answer)
        #expect(try await sip.answer(2, "BYE").hasPrefix("SIP/2.0 200"))
        await mobile.close()
        await pair.end()
    }

    @Test("they will not: the call stays; whom there is no way to is not asked for")
    func notByThem() async throws {
        let pair = try await Pair()
        let (a, alice) = (pair.a, pair.alice)
        let (id, sip, answer, mobile) = try await Self.theirs(pair)
        await #expect(throws: Refusal.self) {
            try await pair.a.service.handOn(pair.alice.who, id, to: Address(stored: "sip:x@elsewhere.example"))
        }
        let carol = Address(stored: "sip:carol@b.example")
        async let outcome = a.service.handOn(alice.who, id, to: carol)
        let refer = try await sip.request("REFER")
        try sip.respond(refer, "405 Method Not Allowed")
        #expect(try await outcome == 405)
        async let second = a.service.handOn(alice.who, id, to: carol)
        _ = try await sip.request("REFER")
        try sip.send("BYE", 2, after: answer)
        #expect(try await second == 487)
        await mobile.close()
        await pair.end()
    }
}
