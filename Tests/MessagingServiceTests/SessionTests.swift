import ClientWire
import MessagingCore
import SessionCore
import Store
import Testing

@testable import MessagingService

@Suite("Live conversations")
struct SessionTests {
    @Test("a request rings on all devices; accepted on one it is withdrawn from the others; texts in one order")
    func requestAndTexts() async throws {
        let world = try await World.open()
        let alice = try await world.person("alice", devices: [.computer, .mobile])
        let bob = try await world.person("bob", devices: [.mobile, .pda, .computer])
        let asked = try await world.ask(alice, bob, subject: "Lunch?")
        #expect(asked.state == .calling)
        let ringing = try await world.session(bob, asked.id)
        #expect(ringing.state == .alerting)
        #expect(ringing.request?.alerting == bob.devices.map(\.identity.device))
        #expect(ringing.subject == "Lunch?")

        let pda = bob.devices[1].identity
        let accepted = try await world.service.accept(pda, asked.id, AcceptRequest())
        #expect(accepted.state == .open)
        #expect(accepted.request?.outcome == .accepted)
        #expect(accepted.request?.alerting == [])
        #expect(accepted.legs.map(\.device) == [pda.device])
        #expect(accepted.participants == [alice.address, bob.address])
        await #expect(throws: Refusal(.conflict, "")) {
            _ = try await world.service.accept(bob.devices[0].identity, asked.id, AcceptRequest())
        }
        // The same device's answer once more changes nothing.
        #expect(try await world.service.accept(pda, asked.id, AcceptRequest()).state == .open)

        for index in 0..<10 {
            let who = index.isMultiple(of: 2) ? pda : alice.who
            let answer = try await world.say("text \(index)", who, asked.id)
            #expect(answer.ordinal == Ordinal(index + 1))
        }
        let alices = try await world.texts(alice.who, asked.id)
        let bobs = try await world.texts(pda, asked.id)
        #expect(alices == (0..<10).map { "text \($0)" })
        #expect(bobs == alices)
        // Devices without a part in it get the texts without a sound.
        let item = try #require(try await world.lastItem(bob))
        #expect(item.message?.decisions[pda.device]?.silent == false)
        #expect(item.message?.decisions[bob.who.device]?.silent == true)
        try await world.expectSound()
    }

    @Test("a text sent again is the same text, in the same place")
    func repeatedText() async throws {
        let world = try await World.open()
        let (alice, bob, id) = try await world.conversation()
        let request = SendRequest(id: try world.newID(), session: id, parts: [PartRequest(text: "once")])
        let first = try await world.service.send(alice.who, request)
        let again = try await world.service.send(alice.who, request)
        #expect(first.ordinal == 1)
        #expect(again.repeated)
        #expect(again.ordinal == 1)
        #expect(try await world.texts(bob.who, id) == ["once"])
    }

    @Test("of devices that accept in the same instant exactly one wins, and the others are told")
    func acceptanceRace() async throws {
        let world = try await World.open()
        let alice = try await world.person("alice")
        let bob = try await world.person("bob", devices: [.mobile, .pda, .computer, .tablet])
        for _ in 0..<10 {
            let id = try await world.ask(alice, bob).id
            let wins = await withTaskGroup(of: Bool.self) { group in
                for device in bob.devices {
                    group.addTask { (try? await world.service.accept(device.identity, id, AcceptRequest())) != nil }
                }
                return await group.reduce(0) { $0 + ($1 ? 1 : 0) }
            }
            #expect(wins == 1)
            #expect(try await world.session(bob, id).legs.count == 1)
            _ = try await world.service.leave(alice.who, id)
            #expect(try await world.session(bob, id).state == .over)
        }
    }

    @Test("accepted for another device; rejected; taken back; ignored; missed")
    func otherEnds() async throws {
        let world = try await World.open()
        let alice = try await world.person("alice")
        let bob = try await world.person("bob", devices: [.mobile, .pda])
        let pda = bob.devices[1].identity

        let first = try await world.ask(alice, bob).id
        let named = try await world.service.accept(bob.who, first, AcceptRequest(device: pda.device))
        #expect(named.legs.map(\.device) == [pda.device])
        #expect(named.request?.by == bob.who.device)
        _ = try await world.service.leave(pda, first)
        #expect(try await world.session(alice, first).end == .left)

        let second = try await world.ask(alice, bob).id
        #expect(try await world.service.reject(pda, second).state == .over)
        #expect(try await world.session(alice, second).end == .rejected)

        let third = try await world.ask(alice, bob).id
        _ = try await world.service.leave(alice.who, third)
        #expect(try await world.session(alice, third).end == .cancelled)
        #expect(try await world.session(bob, third).request?.outcome == .cancelled)
        await #expect(throws: Refusal(.conflict, "")) {
            _ = try await world.service.accept(pda, third, AcceptRequest())
        }

        let fourth = try await world.ask(alice, bob).id
        let ignored = try await world.service.ignore(bob.who, fourth)
        #expect(ignored.request?.alerting == [pda.device])
        world.clock.advance(milliseconds: SessionLimits.alertingMilliseconds)
        try await world.service.tickSessions()
        #expect(try await world.session(bob, fourth).request?.outcome == .missed)
        #expect(try await world.session(alice, fourth).end == .missed)
    }

    @Test("who is asked by the very user they ask accepts that request")
    func crossing() async throws {
        let world = try await World.open()
        let alice = try await world.person("alice")
        let bob = try await world.person("bob")
        let first = try await world.ask(alice, bob)
        let second = try await world.ask(bob, alice)
        #expect(second.id == first.id)
        #expect(second.state == .open)
    }

    @Test("rules, do not disturb, blocking and missing rights")
    func whoRings() async throws {
        let world = try await World.open()
        let alice = try await world.person("alice")
        let bob = try await world.person("bob", devices: [.mobile, .computer])
        var book = RuleBook()
        var phones = Conditions()
        phones.deviceKinds = [.mobile]
        book.requests.rules = [Rule(name: "no calls on the phone", when: phones, then: Outcome(.nothing))]
        _ = try await world.service.putRules(bob.who, book)
        let asked = try await world.ask(alice, bob)
        #expect(try await world.session(bob, asked.id).request?.alerting == [bob.devices[1].identity.device])

        _ = try await world.service.putBlocked(bob.who, BlockedDocument(addresses: [alice.address]))
        let blocked = try await world.ask(alice, bob)
        #expect(blocked.end == .missed)
        #expect(try await world.session(bob, blocked.id).request?.alerting == [])

        let carol = try await world.person("carol", entitlement: Entitlement(canSend: false))
        await #expect(throws: Refusal(.notEntitled, "")) { _ = try await world.ask(carol, bob) }
        await #expect(throws: Refusal(.notFound, "")) {
            let request = SessionRequest(id: try world.newSessionID(), to: [try Address("nobody@localhost")])
            _ = try await world.service.request(alice.who, request)
        }
    }

    @Test("the first text rides on the request: the first of the session, or a deferred message when it was missed")
    func firstText() async throws {
        let world = try await World.open()
        let alice = try await world.person("alice")
        let bob = try await world.person("bob")
        let id = try await world.ask(alice, bob, text: "are you there?").id
        #expect(try await world.session(bob, id).text == "are you there?")
        _ = try await world.service.accept(bob.who, id, AcceptRequest())
        #expect(try await world.texts(bob.who, id) == ["are you there?"])
        #expect(try await world.say("yes", bob.who, id).ordinal == 2)
        _ = try await world.service.leave(bob.who, id)

        let missed = try await world.ask(alice, bob, text: "call me").id
        world.clock.advance(milliseconds: SessionLimits.alertingMilliseconds)
        try await world.service.tickSessions()
        #expect(try await world.session(alice, missed).end == .missed)
        let item = try #require(try await world.lastItem(bob))
        let document = try await world.service.message(bob.who, try MessageID(item.object))
        #expect(document.message?.kind == .deferred)
        #expect(document.message?.parts.first?.text == "call me")

        let rejected = try await world.ask(alice, bob, text: "never seen").id
        _ = try await world.service.reject(bob.who, rejected)
        #expect(try await world.lastItem(bob)?.object == item.object)
        try await world.expectSound()
    }

    @Test("after a restart the order goes on where it was, and who stays away has left after the grace")
    func restart() async throws {
        var world = try await World.open()
        let (alice, bob, id) = try await world.conversation()
        for index in 0..<5 { _ = try await world.say("\(index)", alice.who, id) }
        world = try await world.restarted()
        #expect(try await world.say("5", bob.who, id).ordinal == 6)
        #expect(try await world.texts(alice.who, id) == ["0", "1", "2", "3", "4", "5"])
        let worker = Task { [service = world.service] in await service.runSessions() }
        defer { worker.cancel() }
        try await eventually("the grace runs") {
            try await world.store.read { try $0.sessions(dueBy: .distantFuture, limit: 1) }.first?.due != nil
        }
        world.clock.advance(milliseconds: 600_000)
        try await world.service.tickSessions()
        #expect(try await world.session(alice, id).end == .left)
        world.clock.advance(days: 8)
        try await world.service.tickSessions()
        await #expect(throws: Refusal(.notFound, "")) { _ = try await world.session(alice, id) }
    }

    @Test("three users: one joins later, one is taken out, one leaves")
    func several() async throws {
        let world = try await World.open()
        let (alice, bob, id) = try await world.conversation()
        let carol = try await world.person("carol")
        _ = try await world.say("before", alice.who, id)
        _ = try await world.service.invite(bob.who, id, carol.address)
        _ = try await world.service.accept(carol.who, id, AcceptRequest())
        #expect(try await world.session(alice, id).participants == [alice.address, bob.address, carol.address])
        #expect(try await world.say("all", carol.who, id).ordinal == 2)
        #expect(try await world.texts(carol.who, id) == ["all"])
        await #expect(throws: Refusal(.forbidden, "")) {
            _ = try await world.service.remove(bob.who, id, carol.address)
        }
        _ = try await world.service.remove(alice.who, id, carol.address)
        #expect(try await world.session(carol, id).end == .removed)
        #expect(try await world.say("two", alice.who, id).ordinal == 3)
        #expect(try await world.texts(carol.who, id) == ["all"])
        _ = try await world.service.leave(alice.who, id)
        #expect(try await world.session(bob, id).state == .over)
    }

    @Test("what is asked for is charged, and given back when it does not come about")
    func charges() async throws {
        let world = try await World.open()
        _ = try await world.service.putOperatorSettings(
            OperatorSettings(tariff: Tariff(perReceiver: 1, perMedium: 100, perRequest: 10))
        )
        let alice = try await world.person("alice", devices: [.computer], balance: 122)
        let bob = try await world.person("bob", devices: [.computer])
        let refused = try await world.ask(alice, bob, text: "hello")
        #expect(try await world.account(alice).balance == 111)
        _ = try await world.service.reject(bob.who, refused.id)
        #expect(try await world.account(alice).balance == 122)

        let id = try await world.ask(alice, bob, text: "hello").id
        _ = try await world.service.accept(bob.who, id, AcceptRequest())
        #expect(try await world.account(alice).balance == 111)
        _ = try await world.say("one more", alice.who, id)
        #expect(try await world.account(alice).balance == 110)

        let voice = try await world.add(.audio, alice.who, id)
        #expect(try await world.account(alice).balance == 10)
        _ = try await world.service.answer(bob.who, id, voice, MediaAnswer(accept: false))
        #expect(try await world.account(alice).balance == 110)
        let again = try await world.add(.audio, alice.who, id)
        let answered = try await world.service.answer(bob.who, id, again, MediaAnswer(accept: true))
        #expect(answered.media.map(\.kind) == [.audio])
        #expect(answered == (try await world.session(bob, id)))
        #expect(try await world.account(alice).balance == 10)
        await #expect(throws: Refusal(.noCredit, "")) { _ = try await world.add(.video, alice.who, id) }
        #expect(try await world.session(alice, id).media.map(\.kind) == [.audio])
        _ = try await world.service.leave(alice.who, id)
        #expect(try await world.account(alice).balance == 10)
        try await world.expectSound()
    }
}
