import ClientWire
import ContinuoClient
import Interconnect
import MessagingCore
import MessagingService
import Store
import Testing

extension Provider {
    func newID() -> MessageID { .unique(at: Timestamp.wallClock()) }

    @discardableResult
    func send(
        _ text: String,
        from sender: Person,
        to receivers: [Address],
        subject: String? = nil,
        reports: [Report]? = nil
    ) async throws -> MessageID {
        let id = newID()
        _ = try await service.send(
            sender.who,
            SendRequest(id: id, to: receivers, subject: subject, parts: [PartRequest(text: text)], reports: reports)
        )
        return id
    }

    /// A message in somebody's mailbox, once it is there.
    func arrived(
        _ id: MessageID,
        _ person: Person,
        seconds: Double = 60,
        _ place: SourceLocation = #_sourceLocation
    ) async throws -> ItemDocument {
        try await eventually("\(id) at \(person.address)", seconds: seconds, place) {
            try? await service.message(person.who, id)
        }
    }

    /// What became of a message at its receivers.
    func states(_ id: MessageID, _ sender: Person) async throws -> [String] {
        try await service.message(sender.who, id).receivers?.map(\.state) ?? []
    }

    func becomes(
        _ id: MessageID,
        _ sender: Person,
        _ wanted: [String],
        _ place: SourceLocation = #_sourceLocation
    ) async throws {
        _ = try await eventually("\(wanted) for \(id)", place) {
            try await states(id, sender) == wanted ? true : nil
        }
    }

    func texts(_ person: Person) async throws -> [String] {
        try await service.messages(person.who, Listing(limit: 500)).items
            .sorted { $0.created < $1.created }
            .flatMap { $0.message?.parts.compactMap(\.text) ?? [] }
    }
}

@Suite("Messages between providers")
struct PagerTests {
    @Test("a message goes to the other provider, and what became of it comes back")
    func thereAndBack() async throws {
        let (a, b) = try await pair()
        let (alice, bob) = (try await a.person("alice"), try await b.person("bob"))
        let id = try await a.send(
            "Grüße \\ aus [Köln]\nund Ende",
            from: alice,
            to: [bob.address],
            subject: "Über: alles",
            reports: [.delivered, .displayed]
        )
        let item = try await b.arrived(id, bob)
        let message = try #require(item.message)
        #expect(message.parts.map(\.text) == ["Grüße \\ aus [Köln]\nund Ende"])
        #expect(message.subject == "Über: alles")
        #expect(message.from == alice.address)
        #expect(message.to == [bob.address])
        let sent = try #require(try await a.service.message(alice.who, id).message)
        #expect(message.conversation == sent.conversation)
        #expect(message.date == sent.date)
        #expect(message.kind == sent.kind)
        _ = try await b.service.markRead(bob.who, ReadRequest(ids: [id]))
        try await a.becomes(id, alice, ["displayed"])
        await a.stop()
        await b.stop()
    }

    @Test("several receivers at two providers are one message in one conversation")
    func several() async throws {
        let (a, b) = try await pair()
        let (alice, anna) = (try await a.person("alice"), try await a.person("anna"))
        let (bob, ben) = (try await b.person("bob"), try await b.person("ben"))
        let id = try await a.send("to all", from: alice, to: [bob.address, anna.address, ben.address])
        let sent = try #require(try await a.service.message(alice.who, id).message)
        for (provider, person) in [(b, bob), (a, anna), (b, ben)] {
            let message = try #require(try await provider.arrived(id, person).message)
            #expect(Set(message.to) == [bob.address, anna.address, ben.address])
            #expect(message.conversation == sent.conversation)
        }
        await a.stop()
        await b.stop()
    }

    @Test("nobody of that name: the sender is told, and not charged")
    func nobody() async throws {
        let (a, b) = try await pair()
        let alice = try await a.person("alice")
        let id = try await a.send("anybody?", from: alice, to: [try Address("nobody@b.example")])
        try await a.becomes(id, alice, ["failed"])
        #expect(try await a.service.message(alice.who, id).receivers?.first?.reason == .notFound)
        let other = try await a.send("anybody?", from: alice, to: [try Address("bob@c.example")])
        try await a.becomes(other, alice, ["failed"])
        await a.stop()
        await b.stop()
    }

    @Test("what waited while the other provider was away arrives once, in order, when it is back")
    func away() async throws {
        let (first, second) = (try freePort(), try freePort())
        let a = try await Provider("a.example", port: first, peers: [peer("b.example", second)])
        let alice = try await a.person("alice")
        var b = try await Provider("b.example", port: second, peers: [peer("a.example", first)])
        let bob = try await b.person("bob")
        let early = try await a.send("0", from: alice, to: [bob.address])
        _ = try await b.arrived(early, bob)
        let folder = await b.stop()
        var last = early
        for number in 1...40 { last = try await a.send("\(number)", from: alice, to: [bob.address]) }
        _ = try await eventually("a knows that b is away") { a.interconnect.isAway("b.example") ? true : nil }
        b = try await Provider("b.example", port: second, peers: [peer("a.example", first)], folder: folder)
        _ = try await b.arrived(last, bob)
        #expect(try await b.texts(bob) == (0...40).map(String.init))
        await a.stop()
        await b.stop()
    }

    @Test("whoever comes from the other side wakes what waits for it")
    func woken() async throws {
        let (first, second) = (try freePort(), try freePort())
        let a = try await Provider("a.example", port: first, peers: [peer("b.example", second)])
        let alice = try await a.person("alice")
        let bobs = try Address("bob@b.example")
        for _ in 0..<3 { try await a.send("are you there?", from: alice, to: [bobs]) }
        // Long enough for the pauses to have grown.
        _ = try await eventually("a knows that b is away") { a.interconnect.isAway("b.example") ? true : nil }
        try await Task.sleep(for: .seconds(8))
        let b = try await Provider("b.example", port: second, peers: [peer("a.example", first)])
        let bob = try await b.person("bob")
        let hello = try await b.send("here I am", from: bob, to: [alice.address])
        _ = try await a.arrived(hello, alice)
        _ = try await eventually("all that waited", seconds: 6) {
            try await b.texts(bob).filter { $0 == "are you there?" }.count == 3 ? true : nil
        }
        await a.stop()
        await b.stop()
    }
}
