import ClientWire
import MessagingCore
import SessionCore
import Store
import Testing

@testable import MessagingService

@Suite("Conversations of two providers' users")
struct PeerSessionTests {
    /// Alice at the first provider, which owns what she asks for, and Bob at the second.
    private func pair(_ providers: Providers) async throws -> (alice: Person, bob: Person) {
        (
            try await providers.worlds[0].person("alice", devices: [.computer, .mobile]),
            try await providers.worlds[1].person("bob", devices: [.mobile, .pda, .computer])
        )
    }

    /// In a session, Bob on his PDA.
    private func conversation(_ providers: Providers) async throws -> (alice: Person, bob: Person, id: SessionID) {
        let (alice, bob) = try await pair(providers)
        let id = try await providers.worlds[0].ask(alice, bob).id
        try await providers.settle()
        _ = try await providers.worlds[1].service.accept(bob.devices[1].identity, id, AcceptRequest())
        try await providers.settle()
        #expect(try await providers.worlds[0].session(alice, id).state == .open)
        return (alice, bob, id)
    }

    @Test("requested, rung on all devices, accepted on one; texts in one order on both sides; left")
    func story() async throws {
        let providers = try await Providers()
        let (a, b) = (providers.worlds[0], providers.worlds[1])
        let (alice, bob) = try await pair(providers)
        let asked = try await a.ask(alice, bob, subject: "Lunch?", text: "Are you hungry?")
        #expect(asked.state == .calling)
        try await providers.settle()
        let ringing = try await b.session(bob, asked.id)
        #expect(ringing.state == .alerting)
        #expect(ringing.subject == "Lunch?")
        #expect(ringing.request?.alerting == bob.devices.map(\.identity.device))
        #expect(ringing.text == "Are you hungry?")

        let pda = bob.devices[1].identity
        let accepted = try await b.service.accept(pda, asked.id, AcceptRequest())
        #expect(accepted.request?.outcome == .accepted)
        #expect(accepted.request?.alerting == [])
        await #expect(throws: Refusal(.conflict, "")) {
            _ = try await b.service.accept(bob.who, asked.id, AcceptRequest())
        }
        try await providers.settle()
        #expect(try await a.session(alice, asked.id).state == .open)
        #expect(try await b.session(bob, asked.id).state == .open)
        #expect(try await b.session(bob, asked.id).participants == [alice.address, bob.address])

        for index in 0..<6 {
            if index.isMultiple(of: 2) {
                // A text of whoever is not the owner has its place only when the owner has given it one.
                let answer = try await b.say("text \(index)", pda, asked.id)
                #expect(answer.ordinal == nil)
                try await providers.settle()
            } else {
                _ = try await a.say("text \(index)", alice.who, asked.id)
                try await providers.settle()
            }
        }
        let expected = ["Are you hungry?"] + (0..<6).map { "text \($0)" }
        #expect(try await a.texts(alice.who, asked.id) == expected)
        #expect(try await b.texts(pda, asked.id) == expected)

        _ = try await b.service.leave(pda, asked.id)
        try await providers.settle()
        #expect(try await a.session(alice, asked.id).end == .left)
        #expect(try await b.session(bob, asked.id).state == .over)
        #expect(providers.network.refused == [])
        try await providers.expectSound()
    }

    @Test("rejected; taken back; missed; nobody there")
    func otherEnds() async throws {
        let providers = try await Providers()
        let (a, b) = (providers.worlds[0], providers.worlds[1])
        let (alice, bob) = try await pair(providers)

        let first = try await a.ask(alice, bob).id
        try await providers.settle()
        _ = try await b.service.reject(bob.who, first)
        try await providers.settle()
        #expect(try await a.session(alice, first).end == .rejected)

        let second = try await a.ask(alice, bob).id
        try await providers.settle()
        _ = try await a.service.leave(alice.who, second)
        try await providers.settle()
        #expect(try await a.session(alice, second).end == .cancelled)
        #expect(try await b.session(bob, second).request?.outcome == .cancelled)

        let third = try await a.ask(alice, bob).id
        try await providers.settle()
        providers.clock.advance(milliseconds: SessionLimits.alertingMilliseconds)
        for world in providers.worlds { try await world.service.tickSessions() }
        try await providers.settle()
        #expect(try await b.session(bob, third).request?.outcome == .missed)
        #expect(try await a.session(alice, third).end == .missed)

        // Taken back before the other side ever heard of it.
        providers.network.cut("b.example")
        let fourth = try await a.ask(alice, bob).id
        try await providers.work()
        _ = try await a.service.leave(alice.who, fourth)
        providers.network.cut("b.example", false)
        try await providers.settle()
        let over = try await b.session(bob, fourth)
        #expect(over.state == .over)
        #expect(over.request?.alerting == [])

        let nobody = Person(id: bob.id, addresses: [try Address("nobody@b.example")], devices: [])
        let fifth = try await a.ask(alice, nobody).id
        try await providers.settle()
        #expect(try await a.session(alice, fifth).state == .over)
        await #expect(throws: Refusal(.notFound, "")) {
            let nowhere = Person(id: bob.id, addresses: [try Address("bob@nowhere.example")], devices: [])
            _ = try await a.ask(alice, nowhere)
        }
        try await providers.expectSound()
    }

    @Test("who ask each other at once get one conversation, with the devices that asked")
    func crossing() async throws {
        for _ in 0..<4 {
            let providers = try await Providers()
            let (a, b) = (providers.worlds[0], providers.worlds[1])
            let (alice, bob) = try await pair(providers)
            let ours = try await a.ask(alice, bob).id
            let theirs = try await b.ask(bob, alice).id
            try await providers.settle()
            let open = try await [a.session(alice, ours), a.session(alice, theirs)].filter { $0.state == .open }
            #expect(open.count == 1)
            let id = try #require(open.first?.id)
            #expect(try await b.session(bob, id).state == .open)
            #expect(try await b.session(bob, id == ours ? theirs : ours).state == .over)
            #expect(try await a.session(alice, id).legs.map(\.device) == [alice.who.device])
            #expect(try await b.session(bob, id).legs.map(\.device) == [bob.who.device])
            try await providers.expectSound()
        }
    }

    @Test("a link that loses what is said and what is answered: nothing is lost, doubled or out of order")
    func losses() async throws {
        let providers = try await Providers(seed: 5)
        let (alice, bob, id) = try await conversation(providers)
        let (a, b) = (providers.worlds[0], providers.worlds[1])
        providers.network.lossPercent = 35
        for index in 0..<20 {
            _ = try await a.say("a\(index)", alice.who, id)
            _ = try await b.say("b\(index)", bob.devices[1].identity, id)
            try await providers.work()
            if index.isMultiple(of: 3) { providers.clock.advance(milliseconds: 1_500) }
        }
        try await providers.settle()
        let alices = try await a.texts(alice.who, id)
        let bobs = try await b.texts(bob.devices[1].identity, id)
        #expect(alices == bobs)
        #expect(alices.filter { $0.hasPrefix("a") } == (0..<20).map { "a\($0)" })
        #expect(alices.filter { $0.hasPrefix("b") } == (0..<20).map { "b\($0)" })
        #expect(providers.network.refused == [])
        try await providers.expectSound()
    }

    @Test("moved to another device on either side, with its history, while the others write")
    func handOver() async throws {
        let providers = try await Providers()
        let (alice, bob, id) = try await conversation(providers)
        let (a, b) = (providers.worlds[0], providers.worlds[1])
        let (pda, laptop) = (bob.devices[1].identity, bob.devices[2].identity)
        for index in 0..<10 { _ = try await a.say("\(index)", alice.who, id) }
        try await providers.settle()
        _ = try await b.service.attach(pda, id, LegRequest(device: laptop.device, from: pda.device, history: .all))
        // On its way while the leg moves.
        _ = try await b.say("10", pda, id)
        _ = try await a.say("11", alice.who, id)
        try await providers.settle()
        let texts = try await b.join(laptop, id)
        #expect(Set(texts) == Set((0...11).map { "\($0)" }))
        #expect(texts == (try await a.texts(alice.who, id)))
        try await providers.settle()

        let phone = alice.devices[1].identity
        _ = try await a.service.attach(alice.who, id, LegRequest(device: phone.device, from: alice.who.device))
        _ = try await b.say("12", laptop, id)
        try await providers.settle()
        _ = try await a.join(phone, id)
        #expect(try await a.session(alice, id).legs.contains { $0.device == phone.device && $0.state == .live })
        _ = try await a.say("13", phone, id)
        try await providers.settle()
        #expect(try await a.texts(phone, id).suffix(2) == ["12", "13"])
        #expect(try await b.texts(laptop, id) == (try await a.texts(phone, id)))
        try await providers.expectSound()
    }

    @Test("a medium is added, placed, moved and taken away across providers; its signals reach the chosen device")
    func media() async throws {
        let providers = try await Providers()
        let (alice, bob, id) = try await conversation(providers)
        let (a, b) = (providers.worlds[0], providers.worlds[1])
        let (pda, laptop) = (bob.devices[1].identity, bob.devices[2])
        let change = try await a.add(.video, alice.who, id)
        try await providers.settle()
        _ = try await b.service.answer(pda, id, change, MediaAnswer(accept: true, device: laptop.identity.device))
        try await providers.settle()
        for (world, person) in [(a, alice), (b, bob)] {
            let seen = try await world.session(person, id)
            #expect(seen.media.count == 1)
            let placements = try #require(seen.media.first).placements
            #expect(Set(placements.map(\.user)) == [alice.address, bob.address])
        }
        #expect(
            try await b.session(bob, id).media.first?.placements.first { $0.user == bob.address }?.device
                == laptop.identity.device
        )
        let medium = try #require(try await a.session(alice, id).media.first).id
        let move = try await b.change(.move, medium, pda, id, to: pda.device)
        try await providers.settle()
        _ = try await b.service.path(pda, id, move, PathReport(connected: true))
        try await providers.settle()
        let placement = try #require(
            try await a.session(alice, id).media.first?.placements.first { $0.user == bob.address }
        )
        #expect(placement.generation == Generation.first.next)

        #expect(try await a.service.counterparts(alice.who, id).users.first?.devices == nil)
        _ = try await b.service.putSettings(pda, AccountSettings(tellDevices: .devices))
        let shown = try await a.service.counterparts(alice.who, id).users
        #expect(shown.map(\.user) == [bob.address])
        #expect(shown.first?.devices?.count == 3)

        _ = try await a.change(.remove, medium, alice.who, id)
        try await providers.settle()
        #expect(try await b.session(bob, id).media == [])
        _ = try await a.service.leave(alice.who, id)
        try await providers.settle()
        #expect(try await a.service.counterparts(alice.who, id).users.allSatisfy { $0.devices == nil })
        try await providers.expectSound()
    }

    @Test("typing hints and signals go to the right device of the other provider's user, and to no other")
    func hints() async throws {
        let providers = try await Providers()
        let (alice, bob, id) = try await conversation(providers)
        let (a, b) = (providers.worlds[0], providers.worlds[1])
        let own = a.connect(alice.devices[0])
        let pda = b.connect(bob.devices[1])
        let laptop = b.connect(bob.devices[2])
        for device in [own, pda, laptop] { try await device.settle() }
        let voice = try await a.add(.audio, alice.who, id)
        try await providers.settle()
        let answer = MediaAnswer(accept: true, device: bob.devices[2].identity.device)
        _ = try await b.service.answer(bob.devices[1].identity, id, voice, answer)
        try await providers.settle()
        var typing = ClientFrame()
        typing.typing = TypingHint(session: id)
        own.send(typing)
        var signal = ClientFrame()
        signal.signal = MediaSignal(
            session: id,
            medium: MediumID(rawValue: 1),
            generation: .first,
            to: bob.address,
            toGeneration: .first,
            payload: .text("offer")
        )
        own.send(signal)
        signal.signal?.toGeneration = .first.next
        own.send(signal)
        try await eventually("the hints") { pda.mirror.hints.count == 1 && laptop.mirror.hints.count == 1 }
        // The one who writes is shown to write; what the laptop is to play is said to the laptop.
        #expect(pda.mirror.hints == ["typing sip:alice@a.example"])
        #expect(laptop.mirror.hints == ["signal sip:alice@a.example offer"])
        signal.signal?.toGeneration = .first
        signal.signal?.to = alice.address
        pda.send(signal)
        laptop.send(signal)
        try await eventually("the answer") { own.mirror.hints.count == 1 }
        #expect(own.mirror.hints == ["signal sip:bob@b.example offer"])
    }

    @Test("an owner and a participant's server that end and start again in the middle lose nothing")
    func restarts() async throws {
        let providers = try await Providers(seed: 9)
        let (alice, bob, id) = try await conversation(providers)
        providers.network.lossPercent = 30
        for index in 0..<12 {
            _ = try await providers.worlds[0].say("a\(index)", alice.who, id)
            _ = try await providers.worlds[1].say("b\(index)", bob.devices[1].identity, id)
            try await providers.work()
            if index == 3 || index == 8 { try await providers.restart(0) }
            if index == 5 || index == 8 { try await providers.restart(1) }
        }
        try await providers.settle()
        let alices = try await providers.worlds[0].texts(alice.who, id)
        let bobs = try await providers.worlds[1].texts(bob.devices[1].identity, id)
        #expect(alices == bobs)
        #expect(alices.filter { $0.hasPrefix("a") } == (0..<12).map { "a\($0)" })
        #expect(alices.filter { $0.hasPrefix("b") } == (0..<12).map { "b\($0)" })
        try await providers.expectSound()
    }

    @Test("a provider that stays away: the conversation ends, and its texts go as messages when it is back")
    func unreachable() async throws {
        let providers = try await Providers()
        let (alice, bob, id) = try await conversation(providers)
        let (a, b) = (providers.worlds[0], providers.worlds[1])
        providers.network.cut("b.example")
        _ = try await a.say("to the owner's side", alice.who, id)
        _ = try await b.say("to the other side", bob.devices[1].identity, id)
        for _ in 0..<40 {
            try await providers.work()
            providers.clock.advance(milliseconds: 10_000)
            for world in providers.worlds { try await world.service.tickSessions() }
        }
        let ends = [try await a.session(alice, id).end, try await b.session(bob, id).end]
        #expect(ends == [.unreachable, .unreachable])
        providers.network.cut("b.example", false)
        for _ in 0..<10 {
            providers.clock.advance(milliseconds: 300_000)
            try await providers.work()
        }
        try await providers.settle()
        #expect(try await lastText(b, bob, from: alice) == ["to the owner's side"])
        #expect(try await lastText(a, alice, from: bob) == ["to the other side"])
        try await providers.expectSound()
    }

    /// All texts that somebody has of somebody else.
    private func lastText(_ world: World, _ person: Person, from other: Person) async throws -> [String] {
        let page = try await world.service.messages(person.who, Listing(kinds: [.message], before: .max, limit: 100))
        return page.items.filter { $0.message?.from == other.address }.compactMap { $0.message?.parts.first?.text }
    }

    @Test("three users of two providers: one order for all; whoever leaves is gone for all; one is asked later")
    func threeUsers() async throws {
        let providers = try await Providers(seed: 3)
        let (alice, bob, id) = try await conversation(providers)
        let (a, b) = (providers.worlds[0], providers.worlds[1])
        let carol = try await b.person("carol", devices: [.computer])
        _ = try await a.service.invite(alice.who, id, carol.address)
        try await providers.settle()
        _ = try await b.service.accept(carol.who, id, AcceptRequest())
        try await providers.settle()
        providers.network.lossPercent = 20
        for index in 0..<10 {
            _ = try await a.say("a\(index)", alice.who, id)
            _ = try await b.say("b\(index)", bob.devices[1].identity, id)
            _ = try await b.say("c\(index)", carol.who, id)
            try await providers.work()
        }
        try await providers.settle()
        let alices = try await a.texts(alice.who, id)
        #expect(alices.count == 30)
        #expect(alices == (try await b.texts(bob.devices[1].identity, id)))
        #expect(alices == (try await b.texts(carol.who, id)))
        _ = try await b.service.leave(bob.devices[1].identity, id)
        try await providers.settle()
        #expect(try await a.session(alice, id).participants == [alice.address, carol.address])
        #expect(try await b.session(carol, id).participants == [alice.address, carol.address])
        #expect(try await b.session(bob, id).state == .over)
        _ = try await a.say("only for Carol", alice.who, id)
        try await providers.settle()
        #expect(try await b.texts(carol.who, id).last == "only for Carol")
        #expect(try await b.texts(bob.devices[1].identity, id).last != "only for Carol")
        try await providers.expectSound()
    }

    @Test("a picture in a conversation is shown on the other side; reports go back")
    func pictures() async throws {
        let providers = try await Providers()
        let (alice, bob, id) = try await conversation(providers)
        let (a, b) = (providers.worlds[0], providers.worlds[1])
        let picture = [UInt8](repeating: 7, count: 40_000)
        let upload = try await a.upload(alice.who, picture)
        var request = SendRequest(id: try a.newID(), session: id, parts: [PartRequest(upload: upload)])
        request.reports = [.delivered, .displayed]
        let sent = try await a.service.send(alice.who, request)
        try await providers.settle()
        let pda = bob.devices[1].identity
        guard case .blob(let hash, let bytes, let type, _) = try await b.service.part(pda, sent.id, 0) else {
            Issue.record("no picture")
            return
        }
        #expect(bytes == 40_000)
        #expect(type == "image/png")
        #expect(try await b.service.readBlob(hash, offset: 0, count: 40_000) == picture)
        _ = try await b.service.markRead(pda, ReadRequest(ids: [sent.id]))
        try await providers.settle()
        let receivers = try #require(try await a.item(alice, sent.id)?.message?.receivers)
        #expect(receivers.map(\.disposition) == [.displayed])
        try await providers.expectSound()
    }
}
