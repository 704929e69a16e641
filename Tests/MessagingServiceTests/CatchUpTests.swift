import ClientWire
import MessagingCore
import Store
import Testing

@testable import MessagingService

@Suite("How devices catch up, and how slow ones are kept from harming")
struct CatchUpTests {
    private func sendMany(
        _ world: World,
        from person: Person,
        to receiver: Person,
        _ count: Int
    ) async throws -> [MessageID] {
        let requests = try (0..<count).map { try world.request("number \($0)", to: receiver) }
        try await withThrowingTaskGroup(of: Void.self) { group in
            for request in requests { group.addTask { _ = try await world.service.send(person.who, request) } }
            try await group.waitForAll()
        }
        return requests.map(\.id)
    }

    @Test("a device that comes back goes on from its cursor: nothing twice, nothing missing")
    func resumes() async throws {
        let world = try await World.open()
        let bob = try await world.person("bob", devices: [])
        let alice = try await world.person("alice")
        let sender = try await world.device(of: bob, .mobile)
        let bobby = Person(id: bob.id, addresses: bob.addresses, devices: [sender])
        var device = world.connect(alice.devices[0])
        for round in 0..<5 {
            _ = try await sendMany(world, from: bobby, to: alice, 5)
            if round.isMultiple(of: 2) { try await device.settle() }
            await device.disconnect()
            _ = try await sendMany(world, from: bobby, to: alice, 5)
            device = device.reconnected(alice.devices[0])
            try await world.expectMirrored(device)
        }
        #expect(device.mirror.items.values.count { $0.kind == "message" } == 50)
        #expect(device.mirror.resets.isEmpty)
    }

    @Test("another epoch or a number beyond the head: a reset with its reason, and the listing holds")
    func resets() async throws {
        let world = try await World.open()
        let bob = try await world.person("bob")
        let alice = try await world.person("alice")
        _ = try await sendMany(world, from: bob, to: alice, 450)
        let epoch = try await world.account(alice).epoch
        let head = try await world.account(alice).head
        for (cursor, reason) in [
            (Cursor(epoch: Epoch("0011"), number: 3, level: 3), CatchUp.ResetReason.otherEpoch),
            (Cursor(epoch: epoch, number: head + 1, level: head), .beyondHead),
            (Cursor(epoch: epoch, number: 3, level: 4), .beyondHead),
            (Cursor(epoch: epoch, number: -3, level: -4), .beyondHead),
        ] {
            let device = world.connect(alice.devices[0], cursor: cursor)
            try await world.expectMirrored(device)
            #expect(Set(device.mirror.resets) == [reason])
            #expect(device.mirror.resets.count == 2)
        }
    }

    @Test("after a restore the epochs are new: devices start from a listing, and tombstones are still trimmed soundly")
    func restored() async throws {
        var world = try await World.open()
        let bob = try await world.person("bob")
        let alice = try await world.person("alice")
        let old = try await sendMany(world, from: bob, to: alice, 10)
        let device = world.connect(alice.devices[0])
        try await device.settle()
        await device.disconnect()
        let cursor = device.mirror.cursor
        // The backup is older than what the device has seen.
        try await world.store.write { transaction in
            var user = try #require(try transaction.user(alice.id))
            user.devices[0].cursor.number += 1000
            user.devices[0].cursor.level += 1000
            try transaction.apply(.deviceProgress(alice.id, user.devices[0]))
        }
        world = try await world.restarted(renewingEpochs: true)
        _ = try await world.service.delete(alice.who, DeleteRequest(ids: [old[0]], scope: .everywhere))
        try await world.service.sweep()
        let account = try await world.account(alice)
        #expect(account.trim <= account.head)
        let back = world.connect(alice.devices[0], cursor: cursor)
        try await world.expectMirrored(back)
        #expect(back.mirror.resets == [.otherEpoch])
        await back.disconnect()
        let again = back.reconnected(alice.devices[0])
        try await again.settle()
        #expect(again.mirror.resets.isEmpty)
    }

    @Test("10,000 changes missed and then caught up, with the window kept", .timeLimit(.minutes(5)))
    func tenThousand() async throws {
        let window = WindowLimits(items: 300, bytes: 1 << 20)
        let world = try await World.open(window: window)
        let bob = try await world.person("bob")
        let alice = try await world.person("alice", devices: [.mobile, .computer])
        let known = try await sendMany(world, from: bob, to: alice, 1000)
        let first = world.connect(alice.devices[0])
        try await world.expectMirrored(first)
        await first.disconnect()
        let before = try await world.account(alice).head
        let missed = try await sendMany(world, from: bob, to: alice, 8000)
        let computer = alice.devices[1].identity
        for part in [Array(known.prefix(500)), Array(missed.prefix(500))] {
            _ = try await world.service.markRead(computer, ReadRequest(ids: part))
        }
        for part in [Array(known.suffix(500)), Array(missed.suffix(500))] {
            _ = try await world.service.delete(computer, DeleteRequest(ids: part, scope: .everywhere))
        }
        #expect(try await world.account(alice).head == before + 10_000)

        let back = first.reconnected(alice.devices[0], acknowledges: false)
        var most = 0
        try await eventually("caught up") {
            most = max(most, back.unacknowledged)
            if back.unacknowledged > 0 { back.acknowledge() }
            return back.mirror.cursor?.level == before + 10_000
        }
        back.acknowledge(onwards: true)
        #expect(most > 0)
        // One page more than the window at the most: what is read is not thrown away.
        #expect(most < window.items + PageReader.pageItems)
        #expect(back.mirror.digests.reduce(0) { $0 + $1.gone.count } == 500)
        #expect(back.mirror.digests.reduce(0) { $0 + $1.read.count } == 500)
        #expect(back.mirror.resets.isEmpty)
        // Nothing came twice.
        #expect(back.mirror.contents.values.allSatisfy { $0 == 1 })
        try await world.expectMirrored(back)
        try await world.expectSound()
    }

    @Test("a device that does not acknowledge is sent no more than its window, and delays nobody")
    func slowDevice() async throws {
        let world = try await World.open(window: WindowLimits(items: 16, bytes: 1 << 20))
        let bob = try await world.person("bob")
        let alice = try await world.person("alice", devices: [.mobile, .computer])
        let slow = world.connect(alice.devices[0], acknowledges: false)
        let quick = world.connect(alice.devices[1])
        for device in [slow, quick] { try await eventually("open") { device.mirror.cursor?.level ?? 0 > 0 } }
        slow.acknowledge()
        try await quick.settle()
        for _ in 0..<10 {
            _ = try await sendMany(world, from: bob, to: alice, 60)
            try await world.expectMirrored(quick)
        }
        #expect(slow.unacknowledged <= 16 + PageReader.pageItems)
        slow.acknowledge(onwards: true)
        try await world.expectMirrored(slow)
    }

    @Test("nothing is written to a link that takes no bytes; afterwards the device gets all of it")
    func stuckLink() async throws {
        let world = try await World.open()
        let bob = try await world.person("bob")
        let alice = try await world.person("alice", devices: [.mobile, .computer])
        let stuck = world.connect(alice.devices[0])
        let quick = world.connect(alice.devices[1])
        for device in [stuck, quick] { try await device.settle() }
        await stuck.take(false)
        let frames = stuck.mirror.frames
        _ = try await sendMany(world, from: bob, to: alice, 300)
        try await world.expectMirrored(quick)
        #expect(stuck.mirror.frames == frames)
        await stuck.take(true)
        try await world.expectMirrored(stuck)
        #expect(stuck.mirror.contents.values.allSatisfy { $0 == 1 })
    }

    @Test("a revoked device is told in mid-connection, its token is void, its siblings stay")
    func revoked() async throws {
        let world = try await World.open()
        let alice = try await world.person("alice", devices: [.mobile, .computer])
        let lost = world.connect(alice.devices[0])
        let kept = world.connect(alice.devices[1])
        for device in [lost, kept] { try await device.settle() }
        try await world.service.revokeDevice(alice.id, alice.who.device)
        await #expect(throws: Refusal(.unauthenticated, "")) {
            try await world.service.authenticate(token: alice.devices[0].token)
        }
        try await eventually("closed") { lost.mirror.closed == CloseCode.unauthenticated }
        let again = world.connect(alice.devices[0])
        try await eventually("refused") { again.mirror.closed == CloseCode.unauthenticated }
        #expect(again.mirror.frames == 0)
        try await kept.settle()
        #expect(kept.mirror.closed == nil)
        #expect(kept.mirror.items.values.count { $0.kind == "device" } == 1)
        await #expect(throws: Refusal(.unauthenticated, "")) {
            try await world.service.send(alice.who, try world.request("from the lost one", to: alice))
        }
        await #expect(throws: Refusal(.notFound, "")) {
            try await world.service.revokeDevice(alice.id, alice.who.device)
        }
    }

    @Test("the lease: held while connected, over when it was not renewed")
    func lease() async throws {
        let world = try await World.open()
        let alice = try await world.person("alice", devices: [.mobile, .computer])
        func registered() async throws -> [Bool] {
            try await world.service.devices(alice.id, asking: nil).devices.map(\.isRegistered)
        }
        let device = world.connect(alice.devices[0])
        try await device.settle()
        for _ in 0..<5 {
            world.clock.advance(milliseconds: Limits.leaseMilliseconds / 2)
            await device.tick()
        }
        try await eventually("one lease holds, the other is over") { try await registered() == [true, false] }
        try await world.service.renewLease(alice.devices[1].identity)
        #expect(try await registered() == [true, true])
        await device.disconnect()
        world.clock.advance(milliseconds: Limits.leaseMilliseconds)
        #expect(try await registered() == [false, false])
    }

    @Test("a second connection of the same device takes over from the first")
    func replaced() async throws {
        let world = try await World.open()
        let alice = try await world.person("alice")
        let first = world.connect(alice.devices[0])
        try await first.settle()
        let second = world.connect(alice.devices[0])
        try await second.settle()
        try await eventually("replaced") { first.mirror.closed == CloseCode.replaced }
        #expect(try await world.service.status().connections == 1)
        await second.disconnect()
        #expect(try await world.service.status().connections == 0)
    }

    @Test("frames that break the contract end the connection")
    func hostileFrames() async throws {
        let world = try await World.open()
        let alice = try await world.person("alice")
        for bytes in ["", "{", "[]", "{\"ack\":1}", "{\"hello\":{}}", "{\"unknown\":1}", "{\"hello\":null}"] {
            let device = TestDevice(world: world, identity: alice.who, acknowledges: true)
            device.open()
            device.send(raw: Array(bytes.utf8))
            try await eventually("closed for \(bytes)") { device.mirror.closed == CloseCode.badFrame }
        }
        for bytes in ["{\"ack\":99999}", "{\"ack\":-1}", "{\"ack\":0,\"level\":99999}", "{\"fetch\":\"x\"}"] {
            let device = world.connect(alice.devices[0])
            try await device.settle()
            device.send(raw: Array(bytes.utf8))
            try await eventually("closed for \(bytes)") { device.mirror.closed == CloseCode.badFrame }
        }
        let device = world.connect(alice.devices[0])
        try await device.settle()
        #expect(try await device.command { _ in }.problem?.code == .invalidRequest)
        #expect(device.mirror.closed == nil)
    }
}
