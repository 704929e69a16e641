import ClientWire
import MessagingCore
import SessionCore
import Store
import Testing

@testable import MessagingService

@Suite("Faults: failing commits, a clock that steps back, restarts")
struct FaultTests {
    @Test("a commit that fails changes nothing, tells nobody, and the same message goes through afterwards")
    func failedCommit() async throws {
        let world = try await World.open()
        let service = world.service
        var settings = OperatorSettings()
        settings.tariff.perReceiver = 1
        _ = try await service.putOperatorSettings(settings)
        let bob = try await world.person("bob", balance: 100)
        let alice = try await world.person("alice")
        let device = world.connect(alice.devices[0])
        try await device.settle()
        let request = try world.request("at last", to: alice)
        let (before, hers) = (try await world.account(bob), try await world.account(alice))
        let frames = device.mirror.frames
        world.store.failJobs(.max)
        for _ in 0..<3 {
            await #expect(throws: Refusal(.storeFull, "")) { try await service.send(bob.who, request) }
        }
        #expect(try await world.account(bob) == before)
        #expect(try await world.account(alice) == hers)
        #expect(device.mirror.frames == frames)
        // Reads go on while nothing can be written.
        #expect(try await service.messages(alice.who, Listing(limit: 5)).items.isEmpty)
        world.store.failJobs(0)
        let answer = try await service.send(bob.who, request)
        #expect(!answer.repeated)
        #expect(answer.balance == 99)
        try await world.expectMirrored(device)
        world.store.failJobs(.max)
        await #expect(throws: Refusal(.storeFull, "")) {
            try await service.markRead(alice.who, ReadRequest(ids: [request.id]))
        }
        await #expect(throws: Refusal(.storeFull, "")) { try await service.revokeDevice(alice.id, alice.who.device) }
        world.store.failJobs(0)
        #expect(try await service.authenticate(token: alice.devices[0].token) == alice.who)
        #expect(try await service.markRead(alice.who, ReadRequest(ids: [request.id])).changed == 1)
        try await world.expectMirrored(device)
        try await world.expectSound()
    }

    @Test("who stays away after a restart has left, also when nothing could be written at first")
    func absent() async throws {
        var world = try await World.open()
        let (alice, _, id) = try await world.conversation()
        world = try await world.restarted()
        world.store.failJobs(1)
        let worker = Task { [service = world.service] in await service.runSessions() }
        defer { worker.cancel() }
        try await eventually("the grace runs") {
            try await world.store.read { try $0.sessions(dueBy: .distantFuture, limit: 1) }.first?.due != nil
        }
        world.clock.advance(milliseconds: 600_000)
        try await world.service.tickSessions()
        #expect(try await world.session(alice, id).end == .left)
    }

    @Test(
        "a session of which a side cannot be read holds up no other one's timers, and is let alone for a while",
        arguments: [SessionRecord.Role.allCases, [.owner], [.participant]]
    )
    func unreadableSession(roles: [SessionRecord.Role]) async throws {
        var world = try await World.open()
        let (alice, bob, carol) = (
            try await world.person("alice"), try await world.person("bob"), try await world.person("carol")
        )
        let damaged = try await world.ask(alice, bob).id
        world.clock.advance(milliseconds: 1)
        let sound = try await world.ask(alice, carol).id
        world = try await world.restarted()
        for role in roles {
            let account = role == .owner ? alice.id : bob.id
            try await world.store.write { transaction in
                var record = try #require(try transaction.session(account, damaged, role))
                record.state = Array("{}".utf8)
                try transaction.apply(.session(record))
            }
        }
        world.clock.advance(milliseconds: 600_000)
        try await world.service.tickSessions()
        #expect(try await world.session(carol, sound).end == .missed)
        let next = try await world.store.read { try $0.sessions(dueBy: .distantFuture, limit: 1) }.first?.due
        #expect(try #require(next) > world.clock.now)
    }

    @Test("a message of the outbox that cannot be read fails alone, and its sender is told and paid back")
    func unreadableMessage() async throws {
        let router = ScriptedRouter()
        let world = try await World.open(router: router)
        let bob = try await world.person("bob", balance: 50)
        let far = try Address("far@elsewhere.example")
        let (damaged, sound) = (try world.request("damaged", to: [far]), try world.request("sound", to: [far]))
        _ = try await world.service.send(bob.who, damaged)
        _ = try await world.service.send(bob.who, sound)
        try await world.store.write { transaction in
            var content = try #require(try transaction.contents(bearing: damaged.id, limit: 1).first)
            content.document = Array("{}".utf8)
            try transaction.apply(.content(content))
        }
        try await world.workOutbox()
        #expect(router.texts == ["sound"])
        #expect(try await world.item(bob, damaged.id)?.message?.receivers.first?.disposition == .failed)
        #expect(try await world.item(bob, sound.id)?.message?.receivers.first?.disposition == .pending)
        #expect(try await world.service.status().outbox == 0)
    }

    @Test("a delivery whose commit was lost is made up for when the device comes back")
    func lostDelivery() async throws {
        let world = try await World.open()
        let bob = try await world.person("bob")
        let alice = try await world.person("alice")
        let device = world.connect(alice.devices[0], acknowledges: false)
        try await eventually("open") { device.mirror.cursor?.level ?? 0 > 0 }
        device.acknowledge()
        let request = try world.request("hi", to: alice, reports: [.delivered])
        _ = try await world.service.send(bob.who, request)
        try await eventually("the message") { device.message(request.id) != nil }
        world.store.failJobs(.max)
        device.acknowledge()
        await device.disconnect()
        world.store.failJobs(0)
        #expect(try await world.item(bob, request.id)?.message?.receivers.first?.disposition == .pending)
        let back = device.reconnected(alice.devices[0])
        try await back.settle()
        #expect(back.mirror.contents.values.allSatisfy { $0 == 1 })
        try await eventually("delivered") {
            try await world.item(bob, request.id)?.message?.receivers.first?.disposition == .delivered
        }
        try await world.expectSound()
    }

    @Test("settings whose commit failed are not in force")
    func failedSettings() async throws {
        let world = try await World.open()
        var settings = OperatorSettings()
        settings.tariff.perReceiver = 7
        world.store.failJobs(1)
        let refused = settings
        await #expect(throws: Refusal(.storeFull, "")) { try await world.service.putOperatorSettings(refused) }
        #expect(try await world.service.operatorSettings() == OperatorSettings())
    }

    @Test("one failing command does not undo its neighbours, and a failing batch undoes them all")
    func neighbours() async throws {
        let world = try await World.open()
        let service = world.service
        let bob = try await world.person("bob")
        let alice = try await world.person("alice")
        let requests = try (0..<60).map { try world.request("number \($0)", to: alice) }
        let unknown = try world.newID()
        world.store.failJobs(5)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for request in requests {
                group.addTask {
                    // As a client does: again, with the same id, until it is accepted.
                    while true {
                        do {
                            _ = try await service.send(bob.who, request)
                            return
                        } catch let refusal as Refusal where refusal.code == .storeFull {}
                    }
                }
                group.addTask {
                    await #expect(throws: Refusal.self) {
                        try await service.markRead(alice.who, ReadRequest(ids: [unknown]))
                    }
                }
            }
            try await group.waitForAll()
        }
        let items = try await service.messages(alice.who, Listing(box: .inbox, limit: 100)).items
        #expect(Set(items.map(\.id)) == Set(requests.map(\.id.description)))
        #expect(items.count == 60)
        try await world.expectSound()
    }

    @Test("a clock that steps back loses and doubles nothing; leases and retries wait for it")
    func clockBack() async throws {
        let router = ScriptedRouter()
        let world = try await World.open(router: router)
        let service = world.service
        let bob = try await world.person("bob")
        let alice = try await world.person("alice")
        let device = world.connect(alice.devices[0])
        let far = try Address("far@elsewhere.example")
        let first = try world.request("before", to: [alice.address, far], reports: [.delivered])
        _ = try await service.send(bob.who, first)
        router.answer(.temporary)
        try await world.workOutbox()
        // The operator sees what waits, and until when.
        let lanes = try await service.outbox(limit: 10).lanes
        #expect(lanes.map(\.waiting) == [1])
        #expect(lanes.map(\.attempts) == [1])
        #expect(lanes.allSatisfy { $0.lane.contains("elsewhere.example") && $0.due > world.clock.now })
        world.clock.advance(milliseconds: -3 * 3_600_000)
        #expect(try await service.send(bob.who, first).repeated)
        let second = try world.request("after", to: alice, reports: [.delivered])
        _ = try await service.send(bob.who, second)
        _ = try await service.markRead(alice.who, ReadRequest(ids: [first.id]))
        try await service.sweep()
        router.answer(.delivered)
        try await world.workOutbox()
        #expect(router.tried == 1)
        world.clock.advance(milliseconds: 4 * 3_600_000)
        try await world.workOutbox()
        #expect(router.tried == 2)
        try await world.expectMirrored(device)
        let inbox = try await service.messages(alice.who, Listing(box: .inbox, limit: 10)).items
        #expect(inbox.map(\.id) == [second.id.description, first.id.description])
        try await world.expectSound()
    }

    @Test(
        "a message that the other side always puts off is passed over in the end, and told of; the next one goes"
    )
    func poison() async throws {
        let router = ScriptedRouter()
        router.answer(.temporary)
        let world = try await World.open(router: router)
        let service = world.service
        let bob = try await world.person("bob", balance: 50)
        let far = try Address("far@elsewhere.example")
        let first = try world.request("poison", to: [far])
        let second = try world.request("good", to: [far])
        _ = try await service.send(bob.who, first)
        _ = try await service.send(bob.who, second)
        for attempt in 1...MessagingService.messageAttempts {
            #expect(router.tried == attempt - 1)
            try await world.workOutbox()
            world.clock.advance(milliseconds: MessagingService.retryCapMilliseconds + 2000)
        }
        // Nothing overtakes it; once it is given up the next one is tried in the same round.
        #expect(router.texts.prefix(MessagingService.messageAttempts).allSatisfy { $0 == "poison" })
        #expect(router.texts.dropFirst(MessagingService.messageAttempts) == ["good"])
        router.answer(.delivered)
        try await world.workOutbox()
        #expect(router.texts.last == "good")
        let states = try await service.message(bob.who, first.id).receivers?.map(\.state)
        #expect(states == ["failed"])
        try await world.expectSound()
    }

    @Test("restarted in the middle: outbox, index, uploads, cursors and balances go on where they stood")
    func restart() async throws {
        let router = ScriptedRouter()
        router.answer(.temporary)
        var world = try await World.open(router: router)
        let bob = try await world.person("bob", balance: 50)
        let alice = try await world.person("alice")
        var device = world.connect(alice.devices[0])
        try await device.settle()
        var requests: [SendRequest] = []
        for round in 0..<4 {
            for number in 0..<10 {
                let far = try Address("far\(number)@elsewhere.example")
                let request = try world.request("round \(round) number \(number)", to: [alice.address, far])
                _ = try await world.service.send(bob.who, request)
                requests.append(request)
            }
            if round == 1 { try await world.service.indexNewContent() }
            try await world.workOutbox()
            await device.disconnect()
            world = try await world.restarted(router: router)
            let again = TestDevice(world: world, identity: device.identity, acknowledges: true)
            again.takeOver(device)
            again.connect(token: alice.devices[0].token, cursor: device.mirror.cursor)
            device = again
            #expect(device.mirror.resets.isEmpty)
            try await world.expectMirrored(device)
            for request in requests {
                #expect(try await world.service.send(bob.who, request).repeated)
            }
        }
        #expect(device.mirror.items.values.count { $0.kind == "message" } == 40)
        #expect(device.mirror.contents.values.allSatisfy { $0 == 1 })
        #expect(try await world.service.search(alice.who, "round", before: nil, limit: 100).items.count == 40)
        router.answer(.delivered)
        let tried = router.tried
        world.clock.advance(milliseconds: 3_600_000)
        try await world.workOutbox()
        #expect(router.tried == tried + 40)
        #expect(try await world.service.status().outbox == 0)
        #expect(try await world.account(bob).balance == 50)
        try await world.expectSound()
    }

    @Test("a closed store refuses as unavailable, and nothing waits for ever")
    func closed() async throws {
        let world = try await World.open()
        let bob = try await world.person("bob")
        let request = try world.request("too late", to: bob)
        try world.store.close()
        await #expect(throws: Refusal(.unavailable, "")) { try await world.service.send(bob.who, request) }
    }
}
