import ClientWire
import Interconnect
import MessagingCore
import MessagingService
import SessionCore
import Testing

extension Provider {
    func session(_ person: Person, _ id: SessionID) async throws -> SessionDocument {
        try await service.session(person.who, id)
    }

    /// A session, once it is as wanted.
    func session(
        _ person: Person,
        _ id: SessionID,
        _ what: String,
        _ place: SourceLocation = #_sourceLocation,
        until isWanted: (SessionDocument) -> Bool
    ) async throws -> SessionDocument {
        try await eventually("\(what) at \(person.address)", place) {
            guard let found = try? await session(person, id), isWanted(found) else { return nil }
            return found
        }
    }

    func say(_ text: String, _ person: Person, _ id: SessionID) async throws {
        _ = try await service.send(
            person.who,
            SendRequest(id: newID(), session: id, parts: [PartRequest(text: text)])
        )
    }

    func said(_ person: Person, _ id: SessionID) async throws -> [String] {
        try await service.texts(person.who, id, after: 0, limit: 200).texts.map { $0.message?.parts.first?.text ?? "?" }
    }
}

@Suite("Live conversations between providers")
struct SessionTests {
    @Test("asked, accepted, talked in both directions in one order, left")
    func story() async throws {
        let (a, b) = try await pair()
        let (alice, bob) = (try await a.person("alice"), try await b.person("bob"))
        let id = SessionID(stored: a.newID().description)
        _ = try await a.service.request(
            alice.who,
            SessionRequest(id: id, to: [bob.address], subject: "Lunch?", text: "Are you hungry?")
        )
        let ringing = try await b.session(bob, id, "ringing") { $0.state == .alerting }
        #expect(ringing.subject == "Lunch?")
        #expect(ringing.text == "Are you hungry?")
        _ = try await b.service.accept(bob.who, id, AcceptRequest())
        _ = try await a.session(alice, id, "open") { $0.state == .open }
        _ = try await b.session(bob, id, "open") { $0.state == .open }

        // Both at once: each sees what both have said, in the same order.
        async let first: Void = {
            for index in 0..<30 { try await a.say("a\(index)", alice, id) }
        }()
        async let second: Void = {
            for index in 0..<30 { try await b.say("b\(index)", bob, id) }
        }()
        _ = try await (first, second)
        let all = try await eventually("all texts at both") {
            let (one, other) = (try await a.said(alice, id), try await b.said(bob, id))
            return one.count == 61 && other.count == 61 ? (one, other) : nil
        }
        #expect(all.0 == all.1)
        #expect(all.0.filter { $0.hasPrefix("a") } == (0..<30).map { "a\($0)" })
        #expect(all.0.filter { $0.hasPrefix("b") } == (0..<30).map { "b\($0)" })

        // A text with a file goes to the other provider with its file.
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
        // So does one whose author is the owner's user; and it keeps its place.
        let other = try await a.upload(alice, bytes: 90_000, seed: 5)
        _ = try await a.service.send(
            alice.who,
            SendRequest(id: a.newID(), session: id, parts: [PartRequest(upload: other)])
        )
        let received = try await eventually("the file at Bob's") {
            try await b.service.texts(bob.who, id, after: 0, limit: 200).texts.last?.message
                .flatMap { $0.from == alice.address ? $0 : nil }
        }
        #expect(
            try await b.bytes(try #require(received.parts.first)) == Provider.content(bytes: 90_000, at: 0, seed: 5)
        )

        // What the other side shows of its devices.
        let counterparts = try await a.service.counterparts(alice.who, id).users
        #expect(counterparts.map(\.user) == [bob.address])
        #expect(counterparts.first?.features == ["audio", "text", "video"])

        _ = try await b.service.leave(bob.who, id)
        #expect(try await a.session(alice, id, "over") { $0.state == .over }.end == .left)
        await a.stop()
        await b.stop()
    }

    @Test("a stored video stays with its owner; the other side gets it piece by piece through its own provider")
    func storedVideo() async throws {
        let (a, b) = try await pair()
        let (alice, bob) = (try await a.person("alice"), try await b.person("bob"))
        let id = SessionID(stored: a.newID().description)
        _ = try await a.service.request(alice.who, SessionRequest(id: id, to: [bob.address]))
        _ = try await b.session(bob, id, "ringing") { $0.state == .alerting }
        _ = try await b.service.accept(bob.who, id, AcceptRequest())
        let open = try await b.session(bob, id, "open") { $0.state == .open }
        let upload = try await b.upload(bob, bytes: 200_000, seed: 6, type: "video/webm")
        let file = try await b.service.putFile(bob.who, FileRequest(upload: upload, name: "sydney.webm"))
        var request = MediaRequest(id: b.newID(), revision: open.revision, change: .add)
        request.kind = .storedVideo
        request.source = file.id
        _ = try await b.service.propose(bob.who, id, request)
        let asked = try await a.session(alice, id, "the proposal") { !$0.pending.isEmpty }
        _ = try await a.service.answer(alice.who, id, try #require(asked.pending.first?.id), MediaAnswer(accept: true))
        let both = try await a.session(alice, id, "the medium") { $0.media.first?.placements.count == 2 }
        let medium = try #require(both.media.first?.id)

        guard case .peer(let shown) = try await a.service.content(alice.who, id, medium) else {
            Issue.record("not with the other provider")
            return
        }
        #expect(shown.bytes == 200_000 && shown.sha256 == file.sha256 && shown.name == "sydney.webm")
        var bytes: [UInt8] = []
        while bytes.count < 200_000 {
            bytes += try await a.service.readPeerFile(shown, offset: Int64(bytes.count), count: 200_000 - bytes.count)
        }
        #expect(bytes == Provider.content(bytes: 200_000, at: 0, seed: 6))
        #expect(
            try await a.service.readPeerFile(shown, offset: 150_001, count: 7)
                == Provider.content(bytes: 7, at: 150_001, seed: 6)
        )
        // Nobody else of that provider gets it, nor another medium, nor what lies outside.
        let carol = try await a.person("carol")
        var place = shown.place
        place.asker = carol.address
        await #expect(throws: Refusal.self) { try await b.service.shownFile(place) }
        await #expect(throws: Refusal.self) { try await a.service.content(carol.who, id, medium) }
        await #expect(throws: Refusal.self) { try await a.service.readPeerFile(shown, offset: 200_000, count: 1) }
        await #expect(throws: Refusal.self) {
            try await a.service.content(alice.who, id, MediumID(rawValue: medium.rawValue + 1))
        }
        // Once Bob has deleted it, it is gone for her too.
        try await b.service.deleteFile(bob.who, file.id)
        await #expect(throws: Refusal.self) { try await a.service.content(alice.who, id, medium) }
        await a.stop()
        await b.stop()
    }

    @Test("a medium is added and its signalling goes between the two devices")
    func media() async throws {
        let (a, b) = try await pair()
        let (alice, bob) = (try await a.person("alice"), try await b.person("bob"))
        let id = SessionID(stored: a.newID().description)
        _ = try await a.service.request(alice.who, SessionRequest(id: id, to: [bob.address]))
        _ = try await b.session(bob, id, "ringing") { $0.state == .alerting }
        _ = try await b.service.accept(bob.who, id, AcceptRequest())
        let open = try await a.session(alice, id, "open") { $0.state == .open }
        var request = MediaRequest(id: a.newID(), revision: open.revision, change: .add)
        request.kind = .audio
        _ = try await a.service.propose(alice.who, id, request)
        let asked = try await b.session(bob, id, "the proposal") { !$0.pending.isEmpty }
        _ = try await b.service.answer(bob.who, id, try #require(asked.pending.first?.id), MediaAnswer(accept: true))
        let both = try await a.session(alice, id, "the medium") { $0.media.first?.placements.count == 2 }
        #expect(both.media.first?.kind == .audio)
        let same = try await b.session(bob, id, "the medium") { $0.media.first?.placements.count == 2 }
        #expect(same.revision == both.revision)
        await a.stop()
        await b.stop()
    }

    @Test("what is said while the other provider is away arrives when it is back, in order")
    func away() async throws {
        let (first, second) = (try freePort(), try freePort())
        let a = try await Provider("a.example", port: first, peers: [peer("b.example", second)])
        var b = try await Provider("b.example", port: second, peers: [peer("a.example", first)])
        let (alice, bob) = (try await a.person("alice"), try await b.person("bob"))
        let id = SessionID(stored: a.newID().description)
        _ = try await a.service.request(alice.who, SessionRequest(id: id, to: [bob.address]))
        _ = try await b.session(bob, id, "ringing") { $0.state == .alerting }
        _ = try await b.service.accept(bob.who, id, AcceptRequest())
        _ = try await a.session(alice, id, "open") { $0.state == .open }
        _ = try await b.session(bob, id, "open") { $0.state == .open }
        let folder = await b.stop()
        for index in 0..<20 { try await a.say("\(index)", alice, id) }
        _ = try await eventually("a knows that b is away") { a.interconnect.isAway("b.example") ? true : nil }
        b = try await Provider("b.example", port: second, peers: [peer("a.example", first)], folder: folder)
        for index in 0..<20 { try await b.say("b\(index)", bob, id) }
        _ = try await eventually("all texts at both") {
            let (one, other) = (try await a.said(alice, id), try await b.said(bob, id))
            return one.count == 40 && other.count == 40 ? true : nil
        }
        #expect(try await a.said(alice, id) == (try await b.said(bob, id)))
        #expect(try await a.said(alice, id).filter { !$0.hasPrefix("b") } == (0..<20).map(String.init))
        await a.stop()
        await b.stop()
    }
}
