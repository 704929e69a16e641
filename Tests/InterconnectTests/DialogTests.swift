import ClientWire
import Interconnect
import MessagingCore
import MessagingService
import SessionCore
import Store
import Testing

/// Two providers that speak to each other as they would to anybody else's: INVITE and MSRP.
func strangers() async throws -> (a: Provider, b: Provider) {
    let (first, second) = (try freePort(), try freePort())
    return (
        try await Provider("a.example", port: first, peers: [stranger("b.example", second)]),
        try await Provider("b.example", port: second, peers: [stranger("a.example", first)])
    )
}

func stranger(_ domain: String, _ port: Int) -> Peer {
    Peer(domain: domain, route: Peer.Route(host: "127.0.0.1", port: port), keepsLanes: false)
}

extension Provider {
    /// Asks for a conversation.
    func ask(
        _ person: Person,
        _ other: Address,
        text: String? = nil,
        subject: String? = nil,
        media: [MediumKind]? = nil
    ) async throws -> SessionID {
        let id = SessionID(stored: newID().description)
        _ = try await service.request(
            person.who,
            SessionRequest(id: id, to: [other], subject: subject, text: text, media: media)
        )
        return id
    }
}

@Suite("Live conversations in SIP and MSRP")
struct DialogTests {
    @Test("asked, accepted, talked in both directions, reported, left")
    func story() async throws {
        let (a, b) = try await strangers()
        let (alice, bob) = (try await a.person("alice"), try await b.person("bob"))
        let id = try await a.ask(alice, bob.address, text: "Are you hungry?", subject: "Lunch?")
        let ringing = try await b.session(bob, id, "ringing") { $0.state == .alerting }
        #expect(ringing.subject == "Lunch?")
        _ = try await b.service.accept(bob.who, id, AcceptRequest())
        _ = try await a.session(alice, id, "open") { $0.state == .open }
        _ = try await b.session(bob, id, "open") { $0.state == .open }

        async let first: Void = {
            for index in 0..<20 { try await a.say("a\(index)", alice, id) }
        }()
        async let second: Void = {
            for index in 0..<20 { try await b.say("b\(index)", bob, id) }
        }()
        _ = try await (first, second)
        let all = try await eventually("all texts at both") {
            let (one, other) = (try await a.said(alice, id), try await b.said(bob, id))
            return one.count == 41 && other.count == 41 ? (one, other) : nil
        }
        for said in [all.0, all.1] {
            #expect(said.filter { $0.hasPrefix("a") } == (0..<20).map { "a\($0)" })
            #expect(said.filter { $0.hasPrefix("b") } == (0..<20).map { "b\($0)" })
            #expect(said.filter { $0.hasPrefix("A") } == ["Are you hungry?"])
        }
        let sent = try #require(try await a.service.texts(alice.who, id, after: 0, limit: 1).texts.first?.message?.id)
        try await a.becomes(sent, alice, ["delivered"])
        _ = try await b.service.markRead(bob.who, ReadRequest(ids: [sent]))
        try await a.becomes(sent, alice, ["displayed"])

        let upload = try await b.upload(bob, bytes: 300_000, seed: 4)
        _ = try await b.service.send(
            bob.who,
            SendRequest(id: b.newID(), session: id, parts: [PartRequest(text: "see"), PartRequest(upload: upload)])
        )
        let shown = try await eventually("the file at Alice's") {
            try await a.service.texts(alice.who, id, after: 0, limit: 200).texts.last?.message
                .flatMap { $0.parts.count == 2 ? $0 : nil }
        }
        #expect(try await a.bytes(shown.parts[1]) == Provider.content(bytes: 300_000, at: 0, seed: 4))

        _ = try await b.service.leave(bob.who, id)
        #expect(try await a.session(alice, id, "over") { $0.state == .over }.end == .left)
        #expect(try await b.session(bob, id, "over") { $0.state == .over }.end == .left)
        _ = try await eventually("nothing is kept") {
            a.interconnect.liveDialogs + b.interconnect.liveDialogs == 0 ? true : nil
        }
        await a.stop()
        await b.stop()
    }

    @Test("who asked leaves: the other side's part ends too")
    func callerLeaves() async throws {
        let (a, b) = try await strangers()
        let (alice, bob) = (try await a.person("alice"), try await b.person("bob"))
        let id = try await a.ask(alice, bob.address)
        _ = try await b.session(bob, id, "ringing") { $0.state == .alerting }
        _ = try await b.service.accept(bob.who, id, AcceptRequest())
        _ = try await a.session(alice, id, "open") { $0.state == .open }
        _ = try await a.service.leave(alice.who, id)
        _ = try await b.session(bob, id, "over") { $0.state == .over }
        await a.stop()
        await b.stop()
    }

    @Test("rejected: the caller is told, and the text on the request goes nowhere")
    func rejected() async throws {
        let (a, b) = try await strangers()
        let (alice, bob) = (try await a.person("alice"), try await b.person("bob"))
        let id = try await a.ask(alice, bob.address, text: "Please?")
        _ = try await b.session(bob, id, "ringing") { $0.state == .alerting }
        _ = try await b.service.reject(bob.who, id)
        #expect(try await a.session(alice, id, "over") { $0.state == .over }.end == .rejected)
        #expect(try await b.texts(bob).isEmpty)
        await a.stop()
        await b.stop()
    }

    @Test("taken back while it rings: the alerts vanish")
    func cancelled() async throws {
        let (a, b) = try await strangers()
        let (alice, bob) = (try await a.person("alice"), try await b.person("bob"))
        let id = try await a.ask(alice, bob.address)
        _ = try await b.session(bob, id, "ringing") { $0.state == .alerting }
        _ = try await a.service.leave(alice.who, id)
        #expect(try await a.session(alice, id, "over") { $0.state == .over }.end == .cancelled)
        #expect(try await b.session(bob, id, "over") { $0.state == .over }.end == .cancelled)
        await a.stop()
        await b.stop()
    }

    @Test("nobody is there to answer: missed, and the text on the request becomes a message")
    func missed() async throws {
        let (a, b) = try await strangers()
        let (alice, bob) = (try await a.person("alice"), try await b.person("bob"))
        var change = DeviceChange()
        change.availability = Availability(.doNotDisturb)
        _ = try await b.service.changeDevice(bob.who, bob.who.device, change)
        let id = try await a.ask(alice, bob.address, text: "Call me")
        #expect(try await a.session(alice, id, "over") { $0.state == .over }.end == .missed)
        _ = try await eventually("the text as a message") { try await b.texts(bob) == ["Call me"] ? true : nil }
        await a.stop()
        await b.stop()
    }

    @Test("nobody of that name")
    func nobody() async throws {
        let (a, b) = try await strangers()
        let alice = try await a.person("alice")
        let id = try await a.ask(alice, try Address("nobody@b.example"))
        _ = try await a.session(alice, id, "over") { $0.state == .over }
        await a.stop()
        await b.stop()
    }

    @Test("both ask each other at once: one conversation comes of it")
    func crossing() async throws {
        let (a, b) = try await strangers()
        let (alice, bob) = (try await a.person("alice"), try await b.person("bob"))
        async let first = a.ask(alice, bob.address)
        async let second = b.ask(bob, alice.address)
        let ids = try await [first, second]
        let open = try await eventually("one is open on both sides") {
            for id in ids {
                let (one, other) = (try? await a.session(alice, id), try? await b.session(bob, id))
                // Where one came first, the other side's request may still be answered by hand.
                if one?.state == .alerting { _ = try? await a.service.accept(alice.who, id, AcceptRequest()) }
                if other?.state == .alerting { _ = try? await b.service.accept(bob.who, id, AcceptRequest()) }
                if one?.state == .open, other?.state == .open { return id }
            }
            return nil as SessionID?
        }
        try await a.say("one", alice, open)
        _ = try await eventually("it carries texts") { try await b.said(bob, open) == ["one"] ? true : nil }
        for id in ids where id != open {
            _ = try await a.session(alice, id, "the other one is over") { $0.state == .over }
        }
        await a.stop()
        await b.stop()
    }
}
