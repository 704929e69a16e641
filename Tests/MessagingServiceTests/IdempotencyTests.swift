import ClientWire
import MessagingCore
import Store
import Testing

@testable import MessagingService

@Suite("The same id is the same message, for as long as it can be told")
struct IdempotencyTests {
    private func charging(_ world: World, _ price: Int64 = 3) async throws {
        var settings = OperatorSettings()
        settings.tariff.perReceiver = price
        _ = try await world.service.putOperatorSettings(settings)
    }

    @Test("the same request again: the same answer, one message, one ledger line, one charge")
    func again() async throws {
        let world = try await World.open()
        try await charging(world)
        let bob = try await world.person("bob", devices: [.computer, .mobile], balance: 100)
        let alice = try await world.person("alice")
        let request = try world.request("once", to: alice)
        let first = try await world.service.send(bob.who, request)
        let second = try await world.service.send(bob.who, request)
        // Another device of the same user repeats it as well: an offline queue can be shared.
        let third = try await world.service.send(bob.devices[1].identity, request)
        var expected = first
        expected.repeated = true
        #expect(second == expected)
        #expect(third == expected)
        #expect(first.balance == 97)
        #expect(try await world.account(alice).head == 2)
        #expect(try await world.ledger(bob).filter { $0.reason == .message }.count == 1)
        try await world.expectSound()
    }

    @Test("many at once: one is accepted, all get its answer")
    func atOnce() async throws {
        let world = try await World.open()
        try await charging(world)
        let bob = try await world.person("bob", balance: 100)
        let alice = try await world.person("alice")
        let request = try world.request("once", to: alice)
        let answers = try await withThrowingTaskGroup(of: SendAnswer.self) { group in
            for _ in 0..<20 { group.addTask { try await world.service.send(bob.who, request) } }
            return try await group.reduce(into: []) { $0.append($1) }
        }
        #expect(answers.count { !$0.repeated } == 1)
        #expect(Set(answers.map(\.created)).count == 1)
        #expect(try await world.account(bob).balance == 97)
        try await world.expectSound()
    }

    @Test("what another provider sends again after the user deleted it, and all trace of the item went, stays deleted")
    func deletedAndSentAgain() async throws {
        let world = try await World.open()
        let alice = try await world.person("alice")
        let carol = try await world.person("carol")
        let bob = try Address("bob@elsewhere.example")
        let envelope = Envelope(
            id: try world.newID(),
            from: bob,
            to: [alice.address, carol.address],
            date: world.clock.now,
            conversation: ConversationID(stored: "theirs"),
            parts: [Part(type: "text/plain", text: "once")]
        )
        let text = PeerText(envelope: envelope, reports: [])
        #expect(try await world.service.receive(text, for: [alice.address]).isEmpty)
        let device = world.connect(alice.devices[0])
        try await world.expectMirrored(device)
        _ = try await world.service.delete(alice.who, DeleteRequest(ids: [envelope.id], scope: .everywhere))
        try await world.expectMirrored(device)
        try await world.service.sweep()
        #expect(try await world.item(alice, envelope.id) == nil)

        // The answer was lost: it is the same, and so is the mailbox. Who did not have it yet gets it.
        #expect(try await world.service.receive(text, for: [alice.address, carol.address]).isEmpty)
        #expect(try await world.item(alice, envelope.id) == nil)
        #expect(try await world.item(carol, envelope.id) != nil)
        // Another sender's message of that id is another message.
        var other = text
        other.envelope.from = try Address("mallory@elsewhere.example")
        #expect(try await world.service.receive(other, for: [alice.address]).isEmpty)
        #expect(try await world.item(alice, envelope.id) != nil)
        try await world.expectSound()
    }

    @Test("the same id with anything else is a conflict and changes nothing")
    func conflict() async throws {
        let world = try await World.open()
        try await charging(world)
        let bob = try await world.person("bob", balance: 100)
        let alice = try await world.person("alice")
        let carol = try await world.person("carol")
        let request = try world.request("once", to: alice)
        _ = try await world.service.send(bob.who, request)
        let before = try await world.account(bob)
        var others: [SendRequest] = []
        func other(_ change: (inout SendRequest) throws -> Void) rethrows {
            var copy = request
            try change(&copy)
            others.append(copy)
        }
        other { $0.parts[0].text = "twice" }
        other { $0.to = [carol.address] }
        other { $0.to = [alice.address, carol.address] }
        other { $0.subject = "once" }
        other { $0.reports = [.displayed] }
        other { $0.kind = .deferred }
        other { $0.parts[0].type = "text/html" }
        other { $0.parts.append(PartRequest(text: "")) }
        other { $0.expires = Timestamp(rawValue: 1_900_000_000_000) }
        try other { $0.conversation = try ConversationID("other") }
        for other in others {
            await #expect(throws: Refusal(.conflict, "")) { try await world.service.send(bob.who, other) }
        }
        #expect(try await world.account(bob) == before)
        try await world.expectSound()
    }

    @Test("an id that is too old is stale, one from the future or without an age is refused")
    func ages() async throws {
        let world = try await World.open()
        let bob = try await world.person("bob")
        let alice = try await world.person("alice")
        func send(_ id: MessageID) async throws {
            _ = try await world.service.send(
                bob.who,
                SendRequest(id: id, to: [alice.address], parts: [PartRequest(text: "x")])
            )
        }
        let now = world.clock.now
        let old = try world.newID(at: now.advanced(by: -Limits.keyHorizonMilliseconds))
        await #expect(throws: Refusal(.stale, "")) { try await send(old) }
        let future = try world.newID(at: now.advanced(by: Limits.clockSkewMilliseconds + 1))
        await #expect(throws: Refusal(.invalidID, "")) { try await send(future) }
        await #expect(throws: Refusal(.invalidID, "")) { try await send(try MessageID("my-message-1")) }
        try await send(try world.newID(at: now.advanced(by: -Limits.keyHorizonMilliseconds + 1)))
    }

    @Test("beyond the horizon the old answer as long as the message is there, else stale; never a second message")
    func beyondTheHorizon() async throws {
        let world = try await World.open()
        try await charging(world)
        let bob = try await world.person("bob", balance: 100)
        let alice = try await world.person("alice")
        let kept = try world.request("kept", to: alice)
        let deleted = try world.request("deleted", to: alice)
        let first = try await world.service.send(bob.who, kept)
        _ = try await world.service.send(bob.who, deleted)
        _ = try await world.service.delete(bob.who, DeleteRequest(ids: [deleted.id], scope: .everywhere))
        world.clock.advance(days: 62)
        try await world.service.sweep()
        #expect(try await world.store.read { try $0.key(bob.id, kept.id) } == nil)
        let again = try await world.service.send(bob.who, kept)
        #expect(again.repeated)
        #expect(again.created == first.created)
        await #expect(throws: Refusal(.stale, "")) { try await world.service.send(bob.who, deleted) }
        #expect(try await world.account(bob).balance == 94)
    }

    @Test("within the horizon a deleted message is not sent again, even when its tombstone is gone")
    func deletedIsNotNew() async throws {
        let world = try await World.open()
        let bob = try await world.person("bob")
        let alice = try await world.person("alice")
        let request = try world.request("once", to: alice)
        let first = try await world.service.send(bob.who, request)
        _ = try await world.service.delete(bob.who, DeleteRequest(ids: [request.id], scope: .everywhere))
        for person in [bob, alice] {
            let device = world.connect(person.devices[0])
            try await device.settle()
            await device.disconnect()
        }
        try await eventually("the tombstone is trimmed") {
            try await world.service.sweep()
            return try await world.item(bob, request.id) == nil
        }
        let again = try await world.service.send(bob.who, request)
        #expect(again.repeated)
        #expect(again.conversation == first.conversation)
        #expect(try await world.item(bob, request.id) == nil)
        #expect(try await world.account(alice).head == 2)
    }

    @Test("another's message is not found, exactly like one that does not exist")
    func foreign() async throws {
        let world = try await World.open()
        let bob = try await world.person("bob")
        let alice = try await world.person("alice")
        let eve = try await world.person("eve")
        let request = try world.request("private", to: alice)
        _ = try await world.service.send(bob.who, request)
        let service = world.service
        for id in [request.id, try world.newID()] {
            func refusal(_ body: () async throws -> Void) async -> String {
                do {
                    try await body()
                    return "none"
                } catch { return "\(error)" }
            }
            let refusals = [
                await refusal { _ = try await service.message(eve.who, id) },
                await refusal { _ = try await service.fetch(eve.who, id) },
                await refusal { _ = try await service.part(eve.who, id, 0) },
                await refusal { _ = try await service.explain(eve.who, id) },
                await refusal { _ = try await service.markRead(eve.who, ReadRequest(ids: [id])) },
                await refusal { _ = try await service.delete(eve.who, DeleteRequest(ids: [id], scope: .everywhere)) },
                await refusal { _ = try await service.delete(eve.who, DeleteRequest(ids: [id], scope: .here)) },
            ]
            #expect(Set(refusals) == ["not-found: no such message"])
        }
        // Nor does taking its id harm anybody: it is a message of her own.
        let same = SendRequest(id: request.id, to: [bob.address], parts: [PartRequest(text: "mine")])
        let answer = try await service.send(eve.who, same)
        #expect(answer.receivers.map(\.state) == ["failed"])
        let kept = try await service.message(bob.who, request.id)
        #expect(kept.message?.parts.first?.text == "private")
        try await world.expectSound()
    }

    @Test("a command with one foreign id among good ones changes nothing")
    func allOrNothing() async throws {
        let world = try await World.open()
        let bob = try await world.person("bob")
        let alice = try await world.person("alice")
        let request = try world.request("hi", to: alice)
        _ = try await world.service.send(bob.who, request)
        let ids = [request.id, try world.newID()]
        await #expect(throws: Refusal(.notFound, "")) {
            try await world.service.markRead(alice.who, ReadRequest(ids: ids))
        }
        await #expect(throws: Refusal(.notFound, "")) {
            try await world.service.delete(alice.who, DeleteRequest(ids: ids, scope: .everywhere))
        }
        #expect(try await world.item(alice, request.id)?.message?.isUnread == true)
        #expect(try await world.account(alice).head == 2)
        let many = (0...Limits.itemsPerCommand).map { MessageID(stored: "m\($0)") }
        await #expect(throws: Refusal(.tooMany, "")) {
            try await world.service.markRead(alice.who, ReadRequest(ids: many))
        }
    }
}
