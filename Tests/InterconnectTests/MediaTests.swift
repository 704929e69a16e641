import ClientWire
import Foundation
import Interconnect
import MediaSignalling
import MessagingCore
import MessagingService
import SDP
import SessionCore
import Store
import Testing

/// Voice and video with a provider of foreign make, whose SIP is spoken word by word.
@Suite("Voice and video with a provider of foreign make", .timeLimit(.minutes(4)))
struct MediaTests {
    typealias Pair = RawPeerTests.Pair

    static let phone = "m=audio 30000 RTP/AVP 0\r\nc=IN IP4 198.51.100.7\r\na=sendrecv\r\n"
    static let camera = "m=video 30002 RTP/AVP 96\r\nc=IN IP4 198.51.100.8\r\na=rtpmap:96 VP8/90000\r\na=sendrecv\r\n"

    /// What a browser at the other end answers.
    static func answer(_ kind: String, _ host: String, _ name: String) -> String {
        MediaDevice.line(kind, at: host, name, setup: "active").replacing("a=mid:x\r\n", with: "")
    }

    /// The lines of a message's description, each standing for itself.
    static func lines(_ message: String) throws -> [SDP.MediaDescription] {
        let body = try #require(message.range(of: "\r\n\r\n")).upperBound
        return try SessionDescription(parsing: Array(message[body...].utf8)).withSelfContainedMedia.media
    }

    static func propose(_ kind: MediumKind, _ pair: Pair, _ id: SessionID, on device: DeviceID? = nil) async throws {
        let document = try await pair.a.session(pair.alice, id)
        var request = MediaRequest(id: pair.a.newID(), revision: document.revision, change: .add)
        request.kind = kind
        request.device = device
        _ = try await pair.a.service.propose(pair.alice.who, id, request)
    }

    static func change(
        _ change: MediaRequest.Change,
        _ medium: MediumID,
        _ pair: Pair,
        _ id: SessionID,
        device: DeviceID? = nil
    ) async throws {
        let document = try await pair.a.session(pair.alice, id)
        var request = MediaRequest(id: pair.a.newID(), revision: document.revision, change: change, medium: medium)
        request.device = device
        _ = try await pair.a.service.propose(pair.alice.who, id, request)
    }

    @Test(
        "ours: two media on two devices, each with its own address and keys; held, moved, removed, its slot used again"
    )
    func ours() async throws {
        let pair = try await Pair()
        let mobile = MediaDevice(pair.alice, at: pair.a)
        let laptop = MediaDevice(try await pair.a.device("laptop", of: pair.alice.address), at: pair.a)
        let (id, sip, _, talk) = try await pair.open()

        // Voice on the mobile: nobody has agreed to it until the other side answers.
        try await Self.propose(.audio, pair, id)
        try await mobile.offers(MediaDevice.line("audio", at: "192.0.2.10", "A1"))
        let first = try await sip.request("INVITE")
        var lines = try Self.lines(first)
        #expect(lines.map(\.type) == ["message", "audio"])
        #expect(lines[1].connection?.address == "192.0.2.10")
        #expect(lines[1].attribute("ice-ufrag") == "userA1")
        #expect(lines[1].setup == .activePassive)
        #expect(lines[1].mediaID == nil && !first.contains("a=group"))
        let waiting = try await pair.a.session(pair.alice, id)
        #expect(waiting.pending.first?.awaited == [RawPeerTests.bob])
        try sip.respond(first, "180 Ringing")
        let text = sip.description(2)
        try sip.respond(first, "200 OK", body: text + Self.answer("audio", "198.51.100.7", "B1"))
        _ = try await sip.request("ACK")
        let heard = try await mobile.answer()
        #expect(heard.mediaID == "x")
        #expect(heard.attribute("ice-ufrag") == "userB1")
        #expect(heard.connection?.address == "198.51.100.7")
        let voice = try await pair.a.session(pair.alice, id, "voice") { $0.media.count == 1 && $0.pending.isEmpty }
        let audio = try #require(voice.media.first?.id)

        // Video on the laptop, beside it.
        try await Self.propose(.video, pair, id, on: laptop.person.who.device)
        try await laptop.offers(MediaDevice.line("video", at: "192.0.2.20", "A2"))
        let second = try await sip.request("INVITE")
        lines = try Self.lines(second)
        #expect(lines.map(\.type) == ["message", "audio", "video"])
        #expect(lines.dropFirst().map { $0.connection?.address } == ["192.0.2.10", "192.0.2.20"])
        #expect(lines.dropFirst().map { $0.attribute("ice-ufrag") } == ["userA1", "userA2"])
        #expect(Set(lines.dropFirst().map { $0.fingerprints.first?.text }).count == 2)
        let both = Self.answer("audio", "198.51.100.7", "B1") + Self.answer("video", "198.51.100.8", "B2")
        try sip.respond(second, "200 OK", body: sip.description(3) + both)
        _ = try await sip.request("ACK")
        #expect(try await laptop.answer().attribute("ice-ufrag") == "userB2")
        let full = try await pair.a.session(pair.alice, id, "video") { $0.media.count == 2 && $0.pending.isEmpty }
        #expect(Set(full.media.flatMap(\.placements).filter { $0.user == RawPeerTests.bob }.map(\.device)).count == 2)
        let video = try #require(full.media.last?.id)

        // Held, and resumed.
        try await Self.change(.hold, audio, pair, id)
        let hold = try await sip.request("INVITE")
        lines = try Self.lines(hold)
        #expect(lines.dropFirst().map(\.statedDirection) == [.sendOnly, .sendReceive])
        let held = both.replacing("a=sendrecv", with: "a=recvonly", maxReplacements: 1)
        try sip.respond(hold, "200 OK", body: sip.description(4) + held)
        try await Self.change(.resume, audio, pair, id)
        let resume = try await sip.request("INVITE")
        #expect(try Self.lines(resume)[1].statedDirection == .sendReceive)
        try sip.respond(resume, "200 OK", body: sip.description(5) + both)

        // Voice goes to the laptop: the same line, from there.
        try await Self.change(.move, audio, pair, id, device: laptop.person.who.device)
        let move = try await pair.a.session(pair.alice, id, "the move") { $0.pending.first?.change == .move }
        try await laptop.offers(MediaDevice.line("audio", at: "192.0.2.20", "A3"))
        let moved = try await sip.request("INVITE")
        lines = try Self.lines(moved)
        #expect(lines.dropFirst().map { $0.connection?.address } == ["192.0.2.20", "192.0.2.20"])
        #expect(lines.dropFirst().map { $0.attribute("ice-ufrag") } == ["userA3", "userA2"])
        try sip.respond(moved, "200 OK", body: sip.description(6) + both)
        #expect(try await laptop.answer().attribute("ice-ufrag") == "userB1")
        let change = try #require(move.pending.first?.id)
        _ = try await pair.a.service.path(laptop.person.who, id, change, PathReport(connected: true))
        _ = try await pair.a.session(pair.alice, id, "moved") { document in
            document.media.first?.placements.contains {
                $0.device == laptop.person.who.device && $0.generation.rawValue == 2
            }
                ?? false
        }

        // Voice is taken away; its slot stays, with port 0, and is used again.
        try await Self.change(.remove, audio, pair, id)
        let removal = try await sip.request("INVITE")
        lines = try Self.lines(removal)
        #expect(lines.map(\.type) == ["message", "audio", "video"])
        #expect(lines.map(\.isRejected) == [false, true, false])
        let gone = "m=audio 0 UDP/TLS/RTP/SAVPF 111\r\n" + Self.answer("video", "198.51.100.8", "B2")
        try sip.respond(removal, "200 OK", body: sip.description(7) + gone)
        try await Self.propose(.audio, pair, id)
        try await mobile.offers(MediaDevice.line("audio", at: "192.0.2.10", "A4"))
        let again = try await sip.request("INVITE")
        lines = try Self.lines(again)
        #expect(lines.map(\.type) == ["message", "audio", "video"])
        #expect(lines[1].attribute("ice-ufrag") == "userA4")
        // They take no more voice: it fails for us, and video goes on.
        try sip.respond(again, "200 OK", body: sip.description(8) + gone)
        let (_, reason) = try await mobile.hears("why") { payload in
            if case .refused(let reason) = payload { reason } else { nil }
        }
        #expect(reason.contains("does not take it"))
        let left = try await pair.a.session(pair.alice, id, "without voice") {
            $0.media.count == 1 && $0.pending.isEmpty
        }
        #expect(left.media.first?.id == video)
        try await pair.a.say("still here", pair.alice, id)
        _ = try await eventually("the text") { try await talk.message().hasSuffix("\r\nstill here") ? true : nil }
        _ = text
        await mobile.close()
        await laptop.close()
        _ = talk
        await pair.end()
    }

    @Test("ours, refused: 488 ends the medium with a reason and leaves the conversation; taken back, it is cancelled")
    func refused() async throws {
        let pair = try await Pair()
        let mobile = MediaDevice(pair.alice, at: pair.a)
        let (id, sip, _, talk) = try await pair.open()
        try await Self.propose(.audio, pair, id)
        try await mobile.offers(MediaDevice.line("audio", at: "192.0.2.10", "A1"))
        let first = try await sip.request("INVITE")
        try sip.respond(first, "488 Not Acceptable Here")
        _ = try await sip.request("ACK")
        _ = try await mobile.hears("why") { if case .refused = $0 { true } else { nil } }
        let after = try await pair.a.session(pair.alice, id, "refused") { $0.media.isEmpty && $0.pending.isEmpty }
        #expect(after.state == .open)

        try await Self.propose(.audio, pair, id)
        try await mobile.offers(MediaDevice.line("audio", at: "192.0.2.10", "A2"))
        let second = try await sip.request("INVITE")
        // The line that never was takes no slot.
        #expect(try Self.lines(second).count == 2)
        try sip.respond(second, "180 Ringing")
        let medium = try #require(
            try await pair.a.session(pair.alice, id, "prepared") { !$0.media.isEmpty }.media.first
        )
        try await Self.change(.remove, medium.id, pair, id)
        let cancel = try await sip.request("CANCEL")
        try sip.respond(cancel, "200 OK")
        try sip.respond(second, "487 Request Terminated")
        _ = try await sip.request("ACK")
        _ = try await pair.a.session(pair.alice, id, "taken back") { $0.media.isEmpty && $0.pending.isEmpty }
        await mobile.close()
        _ = talk
        await pair.end()
    }

    @Test("theirs: asked of our user while their INVITE waits, answered by the device, held, moved there, and removed")
    func theirs() async throws {
        let pair = try await Pair()
        let mobile = MediaDevice(pair.alice, at: pair.a)
        let (id, sip, invite, talk) = try await pair.open()
        try sip.send("INVITE", 1, within: invite, body: sip.description(2, setup: "actpass") + Self.phone)
        let asked = try await pair.a.session(pair.alice, id, "the question") { !$0.pending.isEmpty }
        #expect(asked.pending.first?.by == RawPeerTests.bob)
        #expect(asked.pending.first?.kind == .audio)
        // While it waits, ours would collide, and another of theirs is not taken.
        try sip.send("INVITE", 2, within: invite, body: sip.description(3, setup: "actpass"))
        #expect(try await sip.answer(2).hasPrefix("SIP/2.0 500"))
        let change = try #require(asked.pending.first?.id)
        _ = try await pair.a.service.answer(pair.alice.who, id, change, MediaAnswer(accept: true))
        let own = "m=audio 40000 RTP/AVP 0\r\nc=IN IP4 192.0.2.10\r\na=mid:x\r\na=sendrecv\r\n"
        let offered = try await mobile.takes(own)
        #expect(offered.connection?.address == "198.51.100.7")
        var answer = try Self.lines(try await sip.answer(1))
        #expect(answer.map(\.type) == ["message", "audio"])
        #expect(answer[1].connection?.address == "192.0.2.10")
        #expect(answer[1].port == 40000)
        try sip.send("ACK", 1, within: invite)
        let talking = try await pair.a.session(pair.alice, id, "voice") { $0.media.count == 1 && $0.pending.isEmpty }
        let medium = try #require(talking.media.first)

        // They put it on hold: the devices hear of it in the session, and nothing is negotiated.
        let held = Self.phone.replacing("a=sendrecv", with: "a=sendonly")
        try sip.send("INVITE", 3, within: invite, body: sip.description(3, setup: "actpass") + held)
        answer = try Self.lines(try await sip.answer(3))
        #expect(answer[1].statedDirection == .receiveOnly)
        try sip.send("ACK", 3, within: invite)
        _ = try await pair.a.session(pair.alice, id, "held") { $0.media.first?.held == [RawPeerTests.bob] }
        // They go on, from somewhere else.
        let elsewhere = Self.phone.replacing("198.51.100.7", with: "198.51.100.9")
        try sip.send("INVITE", 4, within: invite, body: sip.description(4, setup: "actpass") + elsewhere)
        #expect(try await mobile.takes(own).connection?.address == "198.51.100.9")
        answer = try Self.lines(try await sip.answer(4))
        #expect(answer[1].statedDirection == .sendReceive)
        try sip.send("ACK", 4, within: invite)
        _ = try await pair.a.session(pair.alice, id, "resumed") { $0.media.first?.held == [] }

        // Video in addition, which our user does not want.
        try sip.send("INVITE", 5, within: invite, body: sip.description(5, setup: "actpass") + elsewhere + Self.camera)
        let more = try await pair.a.session(pair.alice, id, "another question") { !$0.pending.isEmpty }
        let second = try #require(more.pending.first?.id)
        _ = try await pair.a.service.answer(pair.alice.who, id, second, MediaAnswer(accept: false))
        answer = try Self.lines(try await sip.answer(5))
        #expect(answer.map(\.isRejected) == [false, false, true])
        try sip.send("ACK", 5, within: invite)
        #expect(try await pair.a.session(pair.alice, id).media.map(\.id) == [medium.id])

        // They take it back before anybody has answered.
        try sip.send("INVITE", 6, within: invite, body: sip.description(6, setup: "actpass") + elsewhere + Self.camera)
        _ = try await pair.a.session(pair.alice, id, "a third question") { !$0.pending.isEmpty }
        try sip.cancel(6, within: invite)
        #expect(try await sip.answer(6, "INVITE").hasPrefix("SIP/2.0 487"))
        _ = try await pair.a.session(pair.alice, id, "nothing is asked any more") { $0.pending.isEmpty }

        // They hang voice up, and the conversation stays.
        let gone = "m=audio 0 RTP/AVP 0\r\nm=video 0 RTP/AVP 96\r\n"
        try sip.send("INVITE", 7, within: invite, body: sip.description(7, setup: "actpass") + gone)
        answer = try Self.lines(try await sip.answer(7))
        #expect(answer.map(\.isRejected) == [false, true, true])
        try sip.send("ACK", 7, within: invite)
        let after = try await pair.a.session(pair.alice, id, "without voice") { $0.media.isEmpty }
        #expect(after.state == .open)
        _ = talk
        await mobile.close()
        await pair.end()
    }

    @Test(
        "a call of theirs with voice and video: what is accepted with it is in the 200, the rest is refused in its place"
    )
    func first() async throws {
        let pair = try await Pair()
        let mobile = MediaDevice(pair.alice, at: pair.a)
        let (sip, tunnel) = try await pair.connect()
        let id = SessionID(stored: "theirs-\(pair.a.newID())")
        let body = sip.description(1, setup: "actpass") + Self.phone + Self.camera
        try RawInviteTests.ask(pair, sip, id, body: body)
        let ringing = try await pair.a.session(pair.alice, id, "ringing") { $0.state == .alerting }
        #expect(ringing.wanted == [.audio, .video])
        _ = try await pair.a.service.accept(pair.alice.who, id, AcceptRequest(media: [.audio]))
        try await mobile.takes("m=audio 40000 RTP/AVP 0\r\nc=IN IP4 192.0.2.10\r\na=mid:x\r\na=sendrecv\r\n")
        let answer = try await sip.answer(1)
        var lines = try Self.lines(answer)
        #expect(lines.map(\.type) == ["message", "audio", "video"])
        #expect(lines.map(\.isRejected) == [false, false, true])
        #expect(lines[1].connection?.address == "192.0.2.10")
        try sip.acknowledge(answer)
        let talk = try await pair.foreign.accept()
        let open = try await pair.a.session(pair.alice, id, "voice") { $0.media.count == 1 }

        // Our user agrees to the video after all: an offer of ours, in its place.
        let late = try await pair.a.session(pair.alice, id, "the question") { !$0.pending.isEmpty }
        let change = try #require(late.pending.first?.id)
        _ = try await pair.a.service.answer(pair.alice.who, id, change, MediaAnswer(accept: true))
        let line = MediaDevice.line("video", at: "192.0.2.11", "A1").replacing("UDP/TLS/RTP/SAVPF", with: "RTP/AVP")
        try await mobile.offers(line)
        let again = try await sip.request("INVITE")
        lines = try Self.lines(again)
        #expect(lines.map(\.type) == ["message", "audio", "video"])
        #expect(lines[2].connection?.address == "192.0.2.11")
        try sip.respond(again, "200 OK", body: sip.description(2) + Self.phone + Self.camera)
        #expect(try await mobile.answer().connection?.address == "198.51.100.8")
        _ = try await pair.a.session(pair.alice, id, "video") { $0.media.count == 2 && $0.pending.isEmpty }

        // Ours in a conversation of theirs is removed; theirs goes with the conversation.
        try await Self.change(.remove, try #require(open.media.first?.id), pair, id)
        let removal = try await sip.request("INVITE")
        #expect(try Self.lines(removal).map(\.isRejected) == [false, true, false])
        let rest = "m=audio 0 RTP/AVP 0\r\n" + Self.camera
        try sip.respond(removal, "200 OK", body: sip.description(3) + rest)
        try await pair.a.say("hi", pair.alice, id)
        _ = try await eventually("our text") { try await talk.message().hasSuffix("\r\nhi") ? true : nil }
        try sip.send("BYE", 2, after: answer)
        #expect(try await sip.answer(2).hasPrefix("SIP/2.0 200"))
        let over = try await pair.a.session(pair.alice, id, "over") { $0.state == .over }
        #expect(over.media.isEmpty)
        await mobile.close()
        await tunnel.close()
        await pair.end()
    }

    @Test("both change something at once: 491, and ours comes again")
    func glare() async throws {
        let pair = try await Pair()
        let mobile = MediaDevice(pair.alice, at: pair.a)
        let (id, sip, invite, talk) = try await pair.open()
        try await Self.propose(.audio, pair, id)
        try await mobile.offers(MediaDevice.line("audio", at: "192.0.2.10", "A1"))
        let first = try await sip.request("INVITE")
        try sip.send("INVITE", 1, within: invite, body: sip.description(2, setup: "actpass") + Self.camera)
        #expect(try await sip.answer(1).hasPrefix("SIP/2.0 491"))
        try sip.respond(first, "491 Request Pending")
        _ = try await sip.request("ACK")
        let second = try await sip.request("INVITE")
        #expect(try Self.lines(second)[1].attribute("ice-ufrag") == "userA1")
        try sip.respond(second, "200 OK", body: sip.description(2) + Self.answer("audio", "198.51.100.7", "B1"))
        #expect(try await mobile.answer().attribute("ice-ufrag") == "userB1")
        _ = try await pair.a.session(pair.alice, id, "voice") { $0.media.count == 1 && $0.pending.isEmpty }
        await mobile.close()
        _ = talk
        await pair.end()
    }

    @Test("a restart of ours: the lines stay as they are, and what changes afterwards is said in its slot")
    func restart() async throws {
        var pair = try await Pair()
        var mobile = MediaDevice(pair.alice, at: pair.a)
        let (id, sip, _, talk) = try await pair.open()
        try await Self.propose(.audio, pair, id)
        try await mobile.offers(MediaDevice.line("audio", at: "192.0.2.10", "A1"))
        let first = try await sip.request("INVITE")
        let answer = Self.answer("audio", "198.51.100.7", "B1")
        try sip.respond(first, "200 OK", body: sip.description(2) + answer)
        _ = try await mobile.answer()
        let voice = try await pair.a.session(pair.alice, id, "voice") { $0.media.count == 1 && $0.pending.isEmpty }
        // Nothing of it waits any more once both have been told, and it is kept.
        _ = try await eventually("it is kept") {
            try await pair.a.service.keptConversations().first?.dialog.contains("userB1") == true ? true : nil
        }
        await mobile.close()
        let folder = await pair.a.stop()
        pair.a = try await Provider("a.example", peers: [Pair.peer(pair.foreign, false)], folder: folder)
        mobile = MediaDevice(pair.alice, at: pair.a)
        let next = try await pair.accept()
        let again = try await next.request("INVITE")
        let lines = try Self.lines(again)
        #expect(lines.map(\.type) == ["message", "audio"])
        #expect(lines[1].attribute("ice-ufrag") == "userA1")
        try next.respond(again, "200 OK", body: next.description(3, session: "again") + answer)
        let path = try await pair.foreign.accept()
        // The connection of the page is lost with it: the device begins anew.
        let medium = try #require(voice.media.first)
        let place = try #require(medium.placements.first { $0.user == RawPeerTests.bob })
        var signal = MediaSignal(
            session: id,
            medium: medium.id,
            generation: place.generation,
            to: pair.alice.address,
            toGeneration: .first,
            payload: MediaPayload.ask.value
        )
        signal.from = RawPeerTests.bob
        mobile.say(.ask, to: signal)
        try await mobile.offers(MediaDevice.line("audio", at: "192.0.2.10", "A2"))
        let anew = try await next.request("INVITE")
        #expect(try Self.lines(anew)[1].attribute("ice-ufrag") == "userA2")
        try next.respond(anew, "200 OK", body: next.description(4, session: "again") + answer)
        _ = try await mobile.answer()
        try await Self.change(.remove, medium.id, pair, id)
        let removal = try await next.request("INVITE")
        #expect(try Self.lines(removal).map(\.isRejected) == [false, true])
        _ = path
        await mobile.close()
        _ = talk
        await pair.end()
    }

    @Test(
        "what is no description, or drops a line, is refused and changes nothing; more lines than there may be are not taken"
    )
    func hostile() async throws {
        let pair = try await Pair()
        let (id, sip, invite, talk) = try await pair.open()
        let text = sip.description(2, setup: "actpass")
        let many = String(repeating: Self.phone, count: 80)
        let cases = ["garbage", "v=0\r\n", Self.phone, text + many, text + "m=audio x RTP/AVP 0\r\n"]
        for (index, body) in cases.enumerated() {
            try sip.send("INVITE", index + 1, within: invite, body: body)
            #expect(try await sip.answer(index + 1).hasPrefix("SIP/2.0 488"), "\(index)")
        }
        // Lines of unknown kinds are refused in their places, and those beyond the limit as well.
        let other = "m=audio 0 RTP/AVP 0\r\nm=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\n"
        let body = text + other + String(repeating: Self.phone, count: 30)
        try sip.send("INVITE", 9, within: invite, body: body)
        let asked = try await pair.a.session(pair.alice, id, "questions") { !$0.pending.isEmpty }
        #expect(asked.pending.count <= 16)
        let all = try await pair.a.session(pair.alice, id, "all") { $0.pending.count >= 16 }
        for change in all.pending {
            _ = try await pair.a.service.answer(pair.alice.who, id, change.id, MediaAnswer(accept: false))
        }
        let lines = try Self.lines(try await sip.answer(9))
        #expect(lines.count == 33)
        #expect(lines.filter { !$0.isRejected }.map(\.type) == ["message"])
        try sip.send("ACK", 9, within: invite)
        // A line once there is not dropped.
        try sip.send("INVITE", 10, within: invite, body: text)
        #expect(try await sip.answer(10).hasPrefix("SIP/2.0 488"))
        try await pair.a.say("still here", pair.alice, id)
        _ = try await eventually("the text") { try await talk.message().hasSuffix("\r\nstill here") ? true : nil }
        _ = talk
        await pair.end()
    }
}
