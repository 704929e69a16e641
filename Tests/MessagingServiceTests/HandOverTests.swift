import ClientWire
import MessagingCore
import SessionCore
import Store
import Testing

@testable import MessagingService

@Suite("Conversations that move")
struct HandOverTests {
    @Test("moved to the phone with its history: the old leg closes after the new one is live")
    func push() async throws {
        let world = try await World.open()
        let (alice, bob, id) = try await world.conversation()
        let phone = alice.devices[1].identity
        for index in 0..<30 { _ = try await world.say("\(index)", index.isMultiple(of: 2) ? alice.who : bob.who, id) }
        let asked = try await world.service.attach(
            alice.who,
            id,
            LegRequest(device: phone.device, from: alice.who.device, history: .last, count: 25)
        )
        #expect(asked.legs.map(\.state) == [.live, .preparing])
        await #expect(throws: Refusal(.conflict, "")) {
            _ = try await world.service.attach(alice.who, id, LegRequest(device: phone.device, from: alice.who.device))
        }
        // The old leg goes on meanwhile.
        _ = try await world.say("30", alice.who, id)
        let texts = try await world.join(phone, id)
        #expect(texts == (6...30).map { "\($0)" })
        let moved = try await world.session(alice, id)
        #expect(moved.legs.map(\.state) == [.draining, .live])
        #expect(moved.legs[0].to == phone.device)
        #expect(moved.legs[0].fence == 31)
        // What the old device still sends is the user's own; it controls nothing any more.
        _ = try await world.say("31", alice.who, id)
        await #expect(throws: Refusal(.conflict, "")) { _ = try await world.add(.audio, alice.who, id) }
        let closed = try await world.service.step(alice.who, id, LegStep(moved.legs[0].generation, .closed))
        #expect(closed.legs.map(\.device) == [phone.device])
        await #expect(throws: Refusal(.conflict, "")) {
            _ = try await world.service.step(alice.who, id, LegStep(moved.legs[0].generation, .closed))
        }
        #expect(try await world.session(bob, id).legs.map(\.device) == [bob.who.device])
        try await world.expectSound()
    }

    @Test("as one: the media that the target can do and the leg, by any own device that takes it or holds it")
    func asOne() async throws {
        let world = try await World.open()
        let (alice, bob, id) = try await world.conversation()
        let phone = alice.devices[1].identity
        let voice = try await world.add(.audio, alice.who, id)
        _ = try await world.service.answer(bob.who, id, voice, MediaAnswer(accept: true))
        // Taken from the other end of the wire: the phone has no leg yet.
        let taken = try await world.service.handOver(
            phone,
            id,
            from: alice.who.device,
            to: phone.device,
            kinds: [.audio, .video],
            texts: 3
        )
        #expect(taken.hasLeg)
        #expect(taken.moves.values.map(\.rawValue) == [1])
        #expect(taken.session.legs.map(\.state) == [.live, .preparing])
        #expect(taken.session.pending.map(\.device) == [phone.device])
        // Once: it is on its way.
        await #expect(throws: Refusal(.conflict, "")) {
            _ = try await world.service.handOver(
                phone,
                id,
                from: alice.who.device,
                to: phone.device,
                kinds: [.audio],
                texts: 3
            )
        }
        #expect(try await world.session(alice, id).pending.count == 1)
        for move in taken.moves.keys {
            _ = try await world.service.path(phone, id, move, PathReport(connected: true))
        }
        let half = try await world.session(alice, id)
        #expect(half.media.first?.placements.first { $0.user == alice.address }?.device == phone.device)
        _ = try await world.join(phone, id)
        #expect(try await world.session(alice, id).legs.map(\.state) == [.draining, .live])

        // What cannot be leaves nothing behind.
        let refused: [(DeviceID, DeviceID, Set<MediumKind>, Refusal.Code)] = [
            (phone.device, DeviceID(rawValue: 99), [.audio], .notFound),
            (phone.device, phone.device, [.audio], .conflict),
            (DeviceID(rawValue: 99), alice.who.device, [.audio], .conflict),
        ]
        for (source, target, kinds, code) in refused {
            await #expect(throws: Refusal(code, "")) {
                _ = try await world.service.handOver(phone, id, from: source, to: target, kinds: kinds, texts: 0)
            }
        }
        let deaf = try await world.device(
            of: alice,
            .pda,
            capabilities: Capabilities(accepts: Capabilities.everything.accepts, features: ["text"])
        )
        await #expect(throws: Refusal(.invalidRequest, "")) {
            _ = try await world.service.handOver(
                phone,
                id,
                from: phone.device,
                to: deaf.identity.device,
                kinds: [.audio],
                texts: 0
            )
        }
        #expect(try await world.session(alice, id).pending == [])
        #expect(try await world.session(alice, id).legs.allSatisfy { $0.state != .preparing })
        #expect(try await world.service.invitation(of: bob.address, to: id, alice.who) == .present)
        #expect(try await world.service.invitation(of: bob.address, to: id, bob.who) == .present)
        #expect(try await world.service.invitation(of: Address("nobody@localhost"), to: id, alice.who) == nil)
        try await world.expectSound()
    }

    @Test("a device is added beside the others; a target that never gets ready changes nothing")
    func add() async throws {
        let world = try await World.open()
        let (alice, _, id) = try await world.conversation()
        let phone = alice.devices[1].identity
        _ = try await world.service.attach(phone, id, LegRequest(history: LegRequest.History.none))
        world.clock.advance(milliseconds: SessionLimits.handOverMilliseconds)
        try await world.service.tickSessions()
        #expect(try await world.session(alice, id).legs.map(\.device) == [alice.who.device])
        _ = try await world.say("before", alice.who, id)
        _ = try await world.service.attach(phone, id, LegRequest(history: LegRequest.History.none))
        #expect(try await world.join(phone, id) == [])
        #expect(try await world.session(alice, id).legs.map(\.state) == [.live, .live])
        let text = try await world.say("both", alice.who, id)
        let item = try #require(try await world.item(alice, text.id))
        #expect(item.message?.decisions[phone.device]?.deliver == .whole)
    }

    @Test("texts that were deleted everywhere have no place in a page, and it says how far it goes all the same")
    func deleted() async throws {
        let world = try await World.open()
        let (alice, bob, id) = try await world.conversation()
        for index in 0..<12 { _ = try await world.say("\(index)", bob.who, id) }
        let page = try await world.service.texts(alice.who, id, after: 0, limit: 200)
        #expect(page.upTo == 12)
        let deleted = page.texts.suffix(10).map { MessageID(stored: $0.id) }
        _ = try await world.service.delete(alice.who, DeleteRequest(ids: deleted, scope: .everywhere))
        let rest = try await world.service.texts(alice.who, id, after: 2, limit: 4)
        #expect(rest.texts.isEmpty && rest.upTo == 6 && rest.head == 12)
        // Whoever joins comes to its end.
        let phone = alice.devices[1].identity
        _ = try await world.service.attach(phone, id, LegRequest(from: alice.who.device))
        #expect(try await world.join(phone, id) == ["0", "1"])
        try await world.expectSound()
    }

    @Test("what the rules kept from a device it gets whole once it takes part")
    func raised() async throws {
        let world = try await World.open()
        let (alice, bob, id) = try await world.conversation()
        var book = RuleBook()
        var phones = Conditions()
        phones.deviceKinds = [.mobile]
        book.incoming.rules = [Rule(name: "quiet phone", when: phones, then: Outcome(.nothing))]
        _ = try await world.service.putRules(alice.who, book)
        let phone = alice.devices[1].identity
        for index in 0..<3 { _ = try await world.say("\(index)", bob.who, id) }
        #expect(try await world.texts(phone, id) == ["?", "?", "?"])
        _ = try await world.service.attach(phone, id, LegRequest(from: alice.who.device))
        #expect(try await world.join(phone, id) == ["0", "1", "2"])
        try await world.expectSound()
    }

    @Test("a hand-over while both sides type: every ordinal once, on every device, in the same order")
    func typing() async throws {
        let world = try await World.open()
        let (alice, bob, id) = try await world.conversation()
        let phone = alice.devices[1].identity
        let receiver = world.connect(alice.devices[1])
        try await receiver.settle()
        async let alices: Void = {
            for index in 0..<100 { _ = try await world.say("a\(index)", alice.who, id) }
        }()
        async let bobs: Void = {
            for index in 0..<100 { _ = try await world.say("b\(index)", bob.who, id) }
        }()
        _ = try await world.service.attach(alice.who, id, LegRequest(device: phone.device, from: alice.who.device))
        _ = try await world.join(phone, id)
        _ = try await (alices, bobs)
        let all = try await world.texts(phone, id)
        #expect(all.count == 200)
        #expect(all.filter { $0.hasPrefix("a") } == (0..<100).map { "a\($0)" })
        #expect(all.filter { $0.hasPrefix("b") } == (0..<100).map { "b\($0)" })
        #expect(try await world.texts(bob.who, id) == all)
        try await receiver.settle()
        let mirrored = receiver.mirror.items.values.compactMap { $0.message?.session?.ordinal }.sorted()
        #expect(mirrored == Array(1...200))
        try await world.expectSound()
    }

    @Test("typing hints and signals reach the right leg only, and are not stored")
    func hints() async throws {
        let world = try await World.open()
        let (alice, bob, id) = try await world.conversation()
        let computer = world.connect(bob.devices[0])
        let phone = world.connect(bob.devices[1])
        let own = world.connect(alice.devices[0])
        try await computer.settle()
        try await phone.settle()
        try await own.settle()
        let voice = try await world.add(.audio, alice.who, id)
        _ = try await world.service.answer(bob.who, id, voice, MediaAnswer(accept: true))
        try await computer.settle()
        let heads = try await world.account(bob).head
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
        // An older or later generation's is dropped.
        signal.signal?.toGeneration = .first.next
        own.send(signal)
        try await eventually("the hints") { computer.mirror.hints.count == 2 }
        // Nothing orders what is not stored.
        #expect(computer.mirror.hints.sorted() == ["signal sip:alice@localhost offer", "typing sip:alice@localhost"])
        // A device without the medium says nothing for it.
        var foreign = signal
        foreign.signal?.toGeneration = .first
        foreign.signal?.to = alice.address
        phone.send(foreign)
        computer.send(foreign)
        try await eventually("the answer") { own.mirror.hints.count == 1 }
        #expect(own.mirror.hints == ["signal sip:bob@localhost offer"])
        #expect(phone.mirror.hints == [])
        #expect(try await world.account(bob).head == heads)
    }
}

@Suite("Media of conversations")
struct SessionMediaTests {
    @Test("added, accepted on a chosen device, held, moved, removed; a rejection leaves no trace")
    func story() async throws {
        let world = try await World.open()
        let (alice, bob, id) = try await world.conversation()
        let phone = bob.devices[1].identity
        let voice = try await world.add(.audio, alice.who, id)
        #expect(try await world.session(bob, id).pending.map(\.kind) == [.audio])
        // Proposed again, it is the same proposal.
        var again = MediaRequest(id: voice, revision: 0, change: .add)
        again.kind = .audio
        _ = try await world.service.propose(alice.who, id, again)
        #expect(try await world.session(bob, id).pending.count == 1)
        _ = try await world.service.answer(bob.who, id, voice, MediaAnswer(accept: true, device: phone.device))
        let audio = try #require(try await world.session(alice, id).media.first)
        #expect(audio.placements.map(\.device) == [alice.who.device, phone.device])
        #expect(try await world.session(bob, id).media == [audio])

        let video = try await world.add(.video, bob.who, id)
        let before = try await world.session(alice, id)
        _ = try await world.service.answer(alice.who, id, video, MediaAnswer(accept: false))
        let after = try await world.session(alice, id)
        #expect(after.revision == before.revision)
        #expect(after.media == before.media)
        #expect(after.pending == [])

        _ = try await world.change(.hold, audio.id, bob.who, id)
        #expect(try await world.session(alice, id).media.first?.held == [bob.address])
        _ = try await world.change(.resume, audio.id, bob.who, id)
        let move = try await world.change(.move, audio.id, bob.who, id, to: bob.who.device)
        #expect(try await world.session(bob, id).media.first?.placements.last?.device == phone.device)
        _ = try await world.service.path(bob.who, id, move, PathReport(connected: true))
        let placed = try #require(try await world.session(bob, id).media.first?.placements.last)
        #expect(placed.device == bob.who.device)
        #expect(placed.generation == .first.next)

        var stale = MediaRequest(id: try world.newID(), revision: 0, change: .remove, medium: audio.id)
        await #expect(throws: Refusal(.stale, "")) { _ = try await world.service.propose(alice.who, id, stale) }
        stale.revision = try await world.session(alice, id).revision
        _ = try await world.service.propose(alice.who, id, stale)
        #expect(try await world.session(bob, id).media == [])
    }

    @Test("both propose the same at once: the first stays, the second accepts it")
    func bothAtOnce() async throws {
        let world = try await World.open()
        let (alice, bob, id) = try await world.conversation()
        _ = try await world.add(.audio, alice.who, id)
        _ = try await world.add(.audio, bob.who, id)
        #expect(try await world.session(alice, id).media.map(\.kind) == [.audio])
        #expect(try await world.session(alice, id).pending == [])
    }

    @Test("media wanted with the request start with its acceptance")
    func wanted() async throws {
        let world = try await World.open()
        let alice = try await world.person("alice", devices: [.computer])
        let bob = try await world.person("bob", devices: [.mobile])
        let id = try world.newSessionID()
        _ = try await world.service.request(
            alice.who,
            SessionRequest(id: id, to: [bob.address], media: [.audio, .video])
        )
        #expect(try await world.session(bob, id).wanted == [.audio, .video])
        let open = try await world.service.accept(bob.who, id, AcceptRequest(media: [.audio]))
        #expect(open.media.map(\.kind) == [.audio])
        #expect(open.pending.map(\.kind) == [.video])
    }

    @Test("a device is not given what it cannot do, and another one's privacy is kept")
    func devices() async throws {
        let world = try await World.open()
        let (alice, bob, id) = try await world.conversation()
        let deaf = try await world.device(
            of: alice,
            .pda,
            capabilities: Capabilities(accepts: Capabilities.everything.accepts, features: ["text"])
        )
        let voice = try await world.add(.audio, bob.who, id)
        await #expect(throws: Refusal(.conflict, "")) {
            _ = try await world.service.answer(
                alice.who,
                id,
                voice,
                MediaAnswer(accept: true, device: deaf.identity.device)
            )
        }
        _ = try await world.service.answer(alice.who, id, voice, MediaAnswer(accept: true))

        func seen() async throws -> CounterpartDocument? {
            try await world.service.counterparts(bob.who, id).users.first
        }
        #expect(try await seen()?.features == ["audio", "text", "video"])
        #expect(try await seen()?.devices == nil)
        _ = try await world.service.putSettings(alice.who, AccountSettings(tellDevices: .devices))
        #expect(try await seen()?.devices?.map(\.label) == ["computer", "mobile", "pda"])
        #expect(try await seen()?.devices?.first?.media == [MediumID(rawValue: 1)])
        _ = try await world.service.putSettings(alice.who, AccountSettings(tellDevices: .nothing))
        #expect(try await seen() == CounterpartDocument(user: alice.address))

        // Whoever has left sees nothing any more, however long the conversation is kept.
        _ = try await world.service.putSettings(alice.who, AccountSettings(tellDevices: .devices))
        #expect(try await seen()?.devices?.count == 3)
        _ = try await world.service.leave(bob.who, id)
        #expect(try await seen()?.devices == nil)
        #expect(try await seen()?.features ?? [] == [])
    }

    @Test("a stored video plays from the proposer's personal area, and all are told where it stands")
    func storedVideo() async throws {
        let world = try await World.open()
        let (alice, bob, id) = try await world.conversation()
        let upload = try await world.upload(bob.who, Array("moving".utf8), type: "video/webm")
        let file = try await world.service.putFile(bob.who, FileRequest(upload: upload, name: "holiday.webm"))
        let proposed = try await world.add(.storedVideo, bob.who, id, source: file.id)
        _ = try await world.service.answer(alice.who, id, proposed, MediaAnswer(accept: true))
        let video = try #require(try await world.session(alice, id).media.first)
        #expect(video.owner == bob.address)
        let content = try await world.service.content(alice.who, id, video.id)
        guard case .blob(_, let bytes, let type, _) = content else {
            Issue.record("not a file")
            return
        }
        #expect(bytes == 6)
        #expect(type == "video/webm")
        _ = try await world.service.play(alice.who, id, video.id, PlayRequest(isPlaying: true, position: 2000))
        let playback = try #require(try await world.session(bob, id).media.first?.playback)
        #expect(playback.state.position == 2000)
        #expect(playback.at == world.clock.now)
        let stranger = try await world.person("carol")
        await #expect(throws: Refusal(.notFound, "")) {
            _ = try await world.service.content(stranger.who, id, video.id)
        }
        await #expect(throws: Refusal(.notFound, "")) {
            _ = try await world.add(.storedVideo, alice.who, id, source: "nothing")
        }
    }
}
