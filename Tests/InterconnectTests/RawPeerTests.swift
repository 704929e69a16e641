import ClientWire
import Foundation
import Interconnect
import MessagingCore
import MessagingService
import SessionCore
import Testing

/// Conversations where the other side does what few programs can be made to do.
@Suite("Live conversations with SIP and MSRP spoken word by word", .timeLimit(.minutes(4)))
struct RawPeerTests {
    static let bob = Address(stored: "sip:bob@b.example")

    /// A provider of ours, and one whose every word the test says.
    struct Pair {
        let phone: RawListener
        let foreign: Foreign
        var a: Provider
        var alice: Person

        init(keepsLanes: Bool? = false, files: FileWay = .messages) async throws {
            phone = try RawListener()
            foreign = try await Foreign(phone: phone)
            a = try await Provider("a.example", peers: [Self.peer(foreign, keepsLanes, files)])
            alice = try await a.person("alice")
        }

        static func peer(_ foreign: Foreign, _ keepsLanes: Bool?, _ files: FileWay = .messages) -> Peer {
            let route = Peer.Route(host: "127.0.0.1", port: foreign.door.port)
            return Peer(domain: foreign.domain, route: route, keepsLanes: keepsLanes, files: files)
        }

        func accept() async throws -> RawSIP { RawSIP(socket: try await phone.accept(), foreign: foreign) }

        /// A connection of theirs to us.
        func connect() async throws -> (RawSIP, Tunnel) {
            let files = try await Authority.shared.certificate(foreign.domain)
            let tunnel = try await Tunnel.outward(files, to: a.port, name: "a.example")
            return (RawSIP(socket: try RawSocket(port: UInt16(tunnel.port)), foreign: foreign), tunnel)
        }

        /// A conversation that is open.
        func open() async throws -> (id: SessionID, sip: RawSIP, invite: String, talk: MSRPTalk) {
            let id = try await a.ask(alice, bob)
            let sip = try await accept()
            let invite = try await sip.request("INVITE")
            try sip.respond(invite, "180 Ringing")
            try sip.respond(invite, "200 OK", body: sip.description(1))
            _ = try await sip.request("ACK")
            let talk = try await foreign.accept()
            _ = try await a.session(alice, id, "open") { $0.state == .open }
            return (id, sip, invite, talk)
        }

        func end() async {
            await a.stop()
            await foreign.close()
        }
    }

    @Test("a peer is asked what it takes, once, and is called as it says")
    func asked() async throws {
        let pair = try await Pair(keepsLanes: nil)
        let id = try await pair.a.ask(pair.alice, Self.bob)
        let sip = try await pair.accept()
        let question = try await sip.request("OPTIONS")
        try sip.respond(
            question,
            "200 OK",
            ["Accept: message/cpim, application/sdp", "Allow: INVITE, ACK, BYE, CANCEL"]
        )
        let invite = try await sip.request("INVITE")
        #expect(invite.header("Contribution-ID") == id.description)
        try sip.respond(invite, "486 Busy Here")
        _ = try await sip.request("ACK")
        #expect(try await pair.a.session(pair.alice, id, "over") { $0.state == .over }.end == .rejected)
        // The next one is called at once.
        _ = try await pair.a.ask(pair.alice, Self.bob)
        let next = try #require(try await sip.socket.message())
        #expect(next.hasPrefix("INVITE "))
        try sip.respond(next, "603 Decline")
        await pair.end()
    }

    @Test("a peer that cannot say just now what it takes is asked again: nothing is lost, and nothing is remembered")
    func askedTooEarly() async throws {
        let pair = try await Pair(keepsLanes: nil)
        let id = try await pair.a.ask(pair.alice, Self.bob)
        let sip = try await pair.accept()
        try sip.respond(try await sip.request("OPTIONS"), "503 Service Unavailable", ["Retry-After: 1"])
        try sip.respond(try await sip.request("OPTIONS"), "200 OK", ["Accept: application/sdp"])
        let invite = try await sip.request("INVITE")
        #expect(invite.header("Contribution-ID") == id.description)
        try sip.respond(invite, "486 Busy Here")
        _ = try await sip.request("ACK")
        #expect(try await pair.a.session(pair.alice, id, "over") { $0.state == .over }.end == .rejected)
        await pair.end()
    }

    @Test("the path breaks: both offer another at once, one comes of it, and what was said meanwhile is there once")
    func glare() async throws {
        let pair = try await Pair()
        let (id, sip, invite, talk) = try await pair.open()
        try await pair.a.say("before", pair.alice, id)
        #expect(try await talk.message().hasSuffix("\r\nbefore"))
        pair.foreign.media.cut()
        // The connection may be taken up again; this session is not known any more.
        let lost = try await pair.foreign.listener.accept()
        let bind = try #require(try await lost.frame())
        try MSRPTalk(socket: lost, local: talk.local, remote: talk.remote).answer(bind, "481 No Such Session")
        try await pair.a.say("meanwhile", pair.alice, id)
        let first = try await sip.request("INVITE")
        #expect(first.header("CSeq") == "2 INVITE")
        #expect(first.header("To")?.hasSuffix(";tag=raw") == true)
        #expect(first.contains("a=setup:active"))
        #expect(first.header("Call-ID") == invite.header("Call-ID"))
        try sip.send("INVITE", 1, within: invite, body: sip.description(2, setup: "actpass", session: "other"))
        let refusal = try await sip.answer(1)
        #expect(refusal.hasPrefix("SIP/2.0 491"))
        try sip.respond(first, "491 Request Pending")
        _ = try await sip.request("ACK")
        let second = try await sip.request("INVITE")
        #expect(second.header("CSeq") == "3 INVITE")
        try sip.respond(second, "200 OK", body: sip.description(2, session: "second"))
        _ = try await sip.request("ACK")
        let again = try await pair.foreign.accept()
        #expect(again.local.contains("/second;"))
        var next = try await again.message()
        // The answer to it may have been on the wire that was cut: then it comes again, under its id.
        if next.hasSuffix("\r\nbefore") { next = try await again.message() }
        #expect(next.hasSuffix("\r\nmeanwhile"))
        try await pair.a.say("after", pair.alice, id)
        #expect(try await again.message().hasSuffix("\r\nafter"))
        #expect(try await pair.a.said(pair.alice, id) == ["before", "meanwhile", "after"])
        await pair.end()
    }

    @Test("a re-INVITE without an offer is answered with ours, and the answer in its ACK is taken")
    func withoutOffer() async throws {
        let pair = try await Pair()
        let (id, sip, invite, talk) = try await pair.open()
        try sip.send("INVITE", 1, within: invite)
        let answer = try await sip.answer(1)
        #expect(answer.hasPrefix("SIP/2.0 200"))
        #expect(answer.contains("m=message "))
        #expect(answer.contains("a=setup:actpass"))
        // While that waits, no other is taken.
        try sip.send("INVITE", 2, within: invite, body: sip.description(2))
        #expect(try await sip.answer(2).hasPrefix("SIP/2.0 500"))
        try sip.send("ACK", 1, within: invite, body: sip.description(2, session: "moved"))
        let moved = try await pair.foreign.accept()
        #expect(moved.local.contains("/moved;"))
        try await pair.a.say("here", pair.alice, id)
        #expect(try await moved.message().hasSuffix("\r\nhere"))
        _ = talk
        await pair.end()
    }

    @Test("after a restart of ours the conversation goes on: the same dialog, a new path, nothing lost or doubled")
    func restart() async throws {
        var pair = try await Pair()
        let (id, _, invite, talk) = try await pair.open()
        try await pair.a.say("one", pair.alice, id)
        #expect(try await talk.message().hasSuffix("\r\none"))
        let two = cpim("two", from: Self.bob.description, to: pair.alice.address.description, id: "two")
        #expect(try await talk.send(two, id: "send0001") == "200")
        let folder = await pair.a.stop()
        pair.a = try await Provider("a.example", peers: [Pair.peer(pair.foreign, false)], folder: folder)
        let sip = try await pair.accept()
        let again = try await sip.request("INVITE")
        #expect(again.header("Call-ID") == invite.header("Call-ID"))
        #expect(again.header("From") == invite.header("From"))
        let number = again.header("CSeq")?.split(separator: " ").first.flatMap { Int($0) } ?? 0
        #expect(number > 1)
        #expect(Self.version(again) > Self.version(invite))
        #expect(Self.origin(again) == Self.origin(invite))
        try sip.respond(again, "200 OK", body: sip.description(2, session: "second"))
        _ = try await sip.request("ACK")
        let next = try await pair.foreign.accept()
        // They are not sure whether it was taken.
        #expect(try await next.send(two, id: "send0002") == "200")
        try await pair.a.say("three", pair.alice, id)
        _ = try await eventually("our text is there") { try await next.message().hasSuffix("\r\nthree") ? true : nil }
        #expect(try await pair.a.said(pair.alice, id) == ["one", "two", "three"])
        try sip.send("BYE", 1, within: invite)
        #expect(try await sip.answer(1).hasPrefix("SIP/2.0 200"))
        #expect(try await pair.a.session(pair.alice, id, "over") { $0.state == .over }.end == .left)
        await pair.end()
    }

    private static func origin(_ message: String) -> String? {
        message.components(separatedBy: "\r\n").first { $0.hasPrefix("o=") }?.split(separator: " ").dropFirst().first
            .map(String.init)
    }

    private static func version(_ message: String) -> Int64 {
        message.components(separatedBy: "\r\n").first { $0.hasPrefix("o=") }?.split(separator: " ").dropFirst(2).first
            .flatMap { Int64($0) } ?? 0
    }

    @Test("the other side has forgotten the conversation: it ends here, and what was said last goes as a message")
    func forgotten() async throws {
        var pair = try await Pair()
        let (id, _, _, _) = try await pair.open()
        let folder = await pair.a.stop()
        pair.a = try await Provider("a.example", peers: [Pair.peer(pair.foreign, false)], folder: folder)
        let sip = try await pair.accept()
        let again = try await sip.request("INVITE")
        try await pair.a.say("are you there?", pair.alice, id)
        try sip.respond(again, "481 Call/Transaction Does Not Exist")
        _ = try await sip.request("ACK")
        #expect(try await pair.a.session(pair.alice, id, "over") { $0.state == .over }.end == .unreachable)
        let message = try await sip.request("MESSAGE")
        #expect(message.hasSuffix("\r\nare you there?"))
        try sip.respond(message, "200 OK")
        await pair.end()
    }

    @Test("a file that they keep is a text with its link; one of ours that their path does not take goes beside it")
    func files() async throws {
        let pair = try await Pair()
        let (id, sip, _, talk) = try await pair.open()
        let link = Self.file("https://files.b.example/f/1")
        #expect(try await talk.send(link, id: "send0001") == "200")
        #expect(try await talk.send(Self.file("http://127.0.0.1/admin"), id: "send0002") == "400")
        #expect(try await talk.send(Self.file("file:///etc/passwd"), id: "send0003") == "400")
        _ = try await eventually("the link") {
            try await pair.a.said(pair.alice, id) == ["beach.jpg (82931 bytes)\nhttps://files.b.example/f/1"]
                ? true : nil
        }
        // The report that it has arrived.
        #expect(try await talk.message().contains("<delivered/>"))
        let upload = try await pair.a.upload(pair.alice, bytes: 90_000, seed: 4)
        let message = pair.a.newID()
        let parts = [PartRequest(upload: upload)]
        _ = try await pair.a.service.send(pair.alice.who, SendRequest(id: message, session: id, parts: parts))
        let invite = try await sip.request("INVITE")
        #expect(invite.header("Accept-Contact")?.contains("oma.cpm.largemsg") == true)
        #expect(invite.contains("a=sendonly"))
        try sip.respond(invite, "403 Forbidden")
        _ = try await sip.request("ACK")
        try await pair.a.becomes(message, pair.alice, ["failed"])
        // The conversation goes on.
        try await pair.a.say("after", pair.alice, id)
        _ = try await eventually("our text is there") { try await talk.message().hasSuffix("\r\nafter") ? true : nil }
        await pair.end()
    }

    private static func file(_ url: String) -> String {
        cpim(
            "<?xml version=\"1.0\"?><file xmlns=\"urn:gsma:params:xml:ns:rcs:rcs:fthttp\"><file-info type=\"file\">"
                + "<file-size>82931</file-size><file-name>beach.jpg</file-name><content-type>image/jpeg</content-type>"
                + "<data url=\"\(url)\" until=\"2030-04-01T00:00:00Z\"/></file-info></file>",
            from: bob.description,
            to: "sip:alice@a.example",
            id: "file-\(url.count)",
            type: "application/vnd.gsma.rcs-ft-http+xml"
        )
    }

    @Test("they have lost the dialog and ask again: the same conversation goes on, and nobody is alerted")
    func askedAgain() async throws {
        let pair = try await Pair()
        let (id, _, invite, talk) = try await pair.open()
        let (sip, tunnel) = try await pair.connect()
        try sip.send(
            "INVITE",
            from: Self.bob.description,
            to: pair.alice.address.description,
            call: "again",
            [
                "P-Asserted-Identity: <\(Self.bob)>", "Contribution-ID: \(id)",
                "Conversation-ID: \(invite.header("Conversation-ID") ?? "")",
            ],
            body: sip.description(1, setup: "actpass", session: "again")
        )
        let answer = try await sip.answer(1)
        #expect(answer.hasPrefix("SIP/2.0 200"))
        let next = try await pair.foreign.accept()
        try await pair.a.say("still here", pair.alice, id)
        #expect(try await next.message().hasSuffix("\r\nstill here"))
        #expect(try await pair.a.session(pair.alice, id).state == .open)
        _ = talk
        await tunnel.close()
        await pair.end()
    }

    @Test("who claims to be somebody else, or asks for nobody, is refused; a session timer that is too short is told")
    func refused() async throws {
        let pair = try await Pair()
        let (sip, tunnel) = try await pair.connect()
        let body = sip.description(1, setup: "actpass")
        let alice = pair.alice.address.description
        let cases: [(from: String, asserted: String, to: String, status: String)] = [
            (Self.bob.description, "sip:carol@c.example", alice, "403"),
            (Self.bob.description, "sip:anna@a.example", alice, "403"),
            ("sip:anna@a.example", "sip:anna@a.example", alice, "403"),
            (Self.bob.description, Self.bob.description, "sip:nobody@a.example", "404"),
            (Self.bob.description, Self.bob.description, "sip:alice@c.example", "404"),
        ]
        for (index, one) in cases.enumerated() {
            try sip.send(
                "INVITE",
                from: one.from,
                to: one.to,
                call: "refused\(index)",
                ["P-Asserted-Identity: <\(one.asserted)>", "Contribution-ID: refused\(index)"],
                body: body
            )
            #expect(try await sip.answer(1).hasPrefix("SIP/2.0 \(one.status)"), "\(one)")
        }
        let headers = ["P-Asserted-Identity: <\(Self.bob)>", "Supported: timer", "Session-Expires: 60"]
        try sip.send("INVITE", from: Self.bob.description, to: alice, call: "short", headers, body: body)
        let short = try await sip.answer(1)
        #expect(short.hasPrefix("SIP/2.0 422"))
        #expect(short.header("Min-SE") == "90")
        // Requests in dialogs that are nobody's.
        try sip.send("BYE", from: Self.bob.description, to: "\(alice)", call: "nobodys")
        #expect(try await sip.answer(1).hasPrefix("SIP/2.0 481"))
        #expect(pair.a.interconnect.liveDialogs == 0)
        await tunnel.close()
        await pair.end()
    }
}
