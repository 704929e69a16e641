import ClientWire
import MessagingCore
import SessionCore
import Store
import Testing

@testable import MessagingService

@Suite("Media among several")
struct GroupMediaTests {
    /// Somebody whom Alice adds to the session, and who accepts with these media.
    private func join(
        _ world: World,
        _ alice: Person,
        _ id: SessionID,
        _ name: String,
        _ media: [MediumKind]? = nil
    ) async throws -> Person {
        let person = try await world.person(name, devices: [.computer])
        _ = try await world.service.invite(alice.who, id, person.address)
        _ = try await world.service.accept(person.who, id, AcceptRequest(media: media))
        return person
    }

    @Test("who is added while voice runs is told so, and is in it at once when that was accepted")
    func acceptedWithTheRequest() async throws {
        let world = try await World.open()
        let (alice, bob, id) = try await world.conversation()
        let voice = try await world.add(.audio, alice.who, id)
        _ = try await world.service.answer(bob.who, id, voice, MediaAnswer(accept: true))

        let carol = try await world.person("carol", devices: [.computer])
        _ = try await world.service.invite(bob.who, id, carol.address)
        #expect(try await world.session(carol, id).wanted == [.audio])
        let carols = try await world.service.accept(carol.who, id, AcceptRequest(media: [.audio]))
        let everybody = [alice.address, bob.address, carol.address]
        #expect(carols.media.map { $0.placements.map(\.user) } == [everybody])
        #expect(carols.media[0].placements.last?.device == carol.who.device)
        #expect(try await world.session(alice, id).media == carols.media)

        // Text only, and in the voice later; out of it, and the others go on.
        let dave = try await join(world, alice, id, "dave")
        let medium = try #require(carols.media.first?.id)
        #expect(try await world.session(dave, id).media == carols.media)
        _ = try await world.change(.join, medium, dave.who, id)
        #expect(try await world.session(bob, id).media[0].placements.map(\.user) == everybody + [dave.address])
        _ = try await world.change(.part, medium, carol.who, id)
        #expect(
            try await world.session(bob, id).media[0].placements.map(\.user) == [
                alice.address, bob.address, dave.address,
            ]
        )
        // Taken out, with the voice.
        _ = try await world.service.remove(alice.who, id, dave.address)
        #expect(try await world.session(dave, id).media == [])
        #expect(try await world.session(bob, id).media[0].placements.map(\.user) == [alice.address, bob.address])
        try await world.expectSound()
    }

    @Test("whoever was asked for voice together with others has it too when accepting later than they")
    func laterThanTheOthers() async throws {
        let world = try await World.open()
        let alice = try await world.person("alice", devices: [.computer])
        let bob = try await world.person("bob", devices: [.mobile])
        let carol = try await world.person("carol", devices: [.mobile])
        let id = try world.newSessionID()
        _ = try await world.service.request(
            alice.who,
            SessionRequest(id: id, to: [bob.address, carol.address], media: [.audio])
        )
        // Bob has not said yet whether he wants the voice: there is none to be in.
        _ = try await world.service.accept(bob.who, id, AcceptRequest())
        let carols = try await world.service.accept(carol.who, id, AcceptRequest(media: [.audio]))
        #expect(carols.media == [])
        let change = try #require(try await world.session(bob, id).pending.first?.id)
        _ = try await world.service.answer(bob.who, id, change, MediaAnswer(accept: true))
        let everybody = [alice.address, bob.address, carol.address]
        for person in [alice, bob, carol] {
            #expect(try await world.session(person, id).media.map { $0.placements.map(\.user) } == [everybody])
        }
        // Said once: out of it, nothing puts her in again.
        _ = try await world.change(.part, carols.media.first?.id ?? MediumID(rawValue: 1), carol.who, id)
        _ = try await world.change(.hold, MediumID(rawValue: 1), bob.who, id)
        #expect(try await world.session(carol, id).media[0].placements.map(\.user) == [alice.address, bob.address])
    }

    @Test("another provider's user who is added to a call is in it, leaves it to the others, and comes back")
    func acrossProviders() async throws {
        let providers = try await Providers()
        let (a, b) = (providers.worlds[0], providers.worlds[1])
        let alice = try await a.person("alice", devices: [.computer])
        let bob = try await a.person("bob", devices: [.computer])
        let carol = try await b.person("carol", devices: [.computer])
        let id = try await a.ask(alice, bob).id
        _ = try await a.service.accept(bob.who, id, AcceptRequest())
        let voice = try await a.add(.audio, alice.who, id)
        _ = try await a.service.answer(bob.who, id, voice, MediaAnswer(accept: true))
        _ = try await a.service.invite(alice.who, id, carol.address)
        try await providers.settle()
        #expect(try await b.session(carol, id).wanted == [.audio])
        _ = try await b.service.accept(carol.who, id, AcceptRequest(media: [.audio]))
        try await providers.settle()

        func users() async throws -> [[Address]] {
            let seen = [try await a.session(alice, id), try await a.session(bob, id), try await b.session(carol, id)]
            return seen.map { session in session.media.flatMap { $0.placements.map(\.user) } }
        }
        let everybody = [alice.address, bob.address, carol.address].sorted()
        #expect(try await users() == [everybody, everybody, everybody])
        let medium = try #require(try await b.session(carol, id).media.first?.id)
        _ = try await b.change(.part, medium, carol.who, id)
        try await providers.settle()
        #expect(try await users() == Array(repeating: [alice.address, bob.address], count: 3))
        _ = try await b.change(.join, medium, carol.who, id)
        try await providers.settle()
        #expect(try await users() == [everybody, everybody, everybody])
        #expect(try await b.session(carol, id).media[0].placements.last?.generation == Generation.first.next)
        try await providers.expectSound()
    }

    @Test("the fifth is told the bound, talks without voice, and takes the place of one who goes out of it")
    func atMostFour() async throws {
        let world = try await World.open()
        let (alice, bob, id) = try await world.conversation()
        let voice = try await world.add(.audio, alice.who, id)
        _ = try await world.service.answer(bob.who, id, voice, MediaAnswer(accept: true))
        _ = try await join(world, alice, id, "carol", [.audio])
        let dave = try await join(world, alice, id, "dave", [.audio])
        let erin = try await join(world, alice, id, "erin", [.audio])
        let medium = try #require(try await world.session(erin, id).media.first)
        #expect(medium.placements.count == SessionLimits.meshParticipants)
        #expect(!medium.placements.contains { $0.user == erin.address })
        #expect(try await world.say("text", erin.who, id).ordinal == 1)
        await #expect(throws: Refusal(.tooMany, "")) {
            _ = try await world.change(.join, medium.id, erin.who, id)
        }
        await #expect(throws: Refusal(.tooMany, "")) {
            _ = try await world.add(.video, alice.who, id)
        }
        _ = try await world.change(.part, medium.id, dave.who, id)
        _ = try await world.change(.join, medium.id, erin.who, id)
        #expect(try await world.session(alice, id).media[0].placements.last?.user == erin.address)
    }
}
