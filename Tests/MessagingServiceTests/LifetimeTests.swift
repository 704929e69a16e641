import ClientWire
import MessagingCore
import Store
import Testing

@testable import MessagingService

@Suite("How long things are kept: storing off, retention, expiry, tombstones")
struct LifetimeTests {
    private func released(_ world: World, _ person: Person, _ id: MessageID) async throws -> Bool? {
        try await world.item(person, id)?.message?.flags.contains(.released)
    }

    @Test("a phone's lease: kept at once, and when it comes again within a second, the last one at the next tick")
    func lease() async throws {
        let world = try await World.open()
        let alice = try await world.person("alice", devices: [.mobile])
        let phone = world.connect(alice.devices[0])
        try await phone.settle()
        await phone.tick()
        func kept(_ time: Timestamp) async throws -> Bool {
            let user = try await world.store.read { try $0.user(phone.identity.account) }
            return user?.device(phone.identity.device)?.leaseEnds == time
        }
        world.clock.advance(milliseconds: 5000)
        let first = world.clock.now.advanced(by: 100_000)
        await phone.renew(leaseEnds: first)
        try await eventually("the first lease") { try await kept(first) }
        world.clock.advance(milliseconds: 300)
        for seconds in [200, 300, 600] {
            await phone.renew(leaseEnds: world.clock.now.advanced(by: Int64(seconds) * 1000))
        }
        let last = world.clock.now.advanced(by: 600_000)
        // A write that follows is behind whatever the leases wrote.
        try await world.store.write { _ in }
        #expect(try await kept(first), "three REGISTERs within a second are no three commits")
        world.clock.advance(milliseconds: 1000)
        await phone.tick()
        try await eventually("the last lease") { try await kept(last) }
    }

    @Test("storing off: released once every device decided whole has it, also the one that comes late; they keep it")
    func storingOff() async throws {
        let world = try await World.open()
        let bob = try await world.person("bob")
        var entitlement = Entitlement()
        entitlement.storesReceived = false
        let alice = try await world.person("alice", devices: [.mobile, .computer], entitlement: entitlement)
        let mobile = world.connect(alice.devices[0])
        var request = try world.request("passing", to: alice)
        request.parts.append(PartRequest(upload: try await world.upload(bob.who, Array("pixels".utf8))))
        _ = try await world.service.send(bob.who, request)
        try await mobile.settle()
        await mobile.tick()
        try await world.service.sweep()
        #expect(try await released(world, alice, request.id) == false)

        let computer = world.connect(alice.devices[1])
        try await computer.settle()
        try await eventually("released") {
            // Its cursor is not kept before its deliveries are.
            await computer.tick()
            try await world.service.sweep()
            return try await released(world, alice, request.id) == true
        }
        #expect(try await world.account(alice).used == 0)
        for device in [mobile, computer] {
            try await device.settle()
            #expect(device.message(request.id)?.message?.parts.first?.text == "passing")
            #expect(device.message(request.id)?.released == true)
        }
        await #expect(throws: Refusal(.noLongerStored, "")) {
            try await world.service.fetch(alice.who, request.id)
        }
        await #expect(throws: Refusal(.noLongerStored, "")) { try await world.service.part(alice.who, request.id, 0) }
        // The sender stores his: the content is still there for him.
        #expect(try await world.service.message(bob.who, request.id).message?.parts.first?.text == "passing")
        // It can still be read and deleted.
        #expect(try await world.service.markRead(alice.who, ReadRequest(ids: [request.id])).changed == 1)
        try await world.expectSound()
        let delete = DeleteRequest(ids: [request.id], scope: .everywhere)
        #expect(try await world.service.delete(alice.who, delete).changed == 1)
        _ = try await world.service.delete(bob.who, delete)
        #expect(try await world.contents(bearing: request.id).isEmpty)
        try await world.expectSound()
    }

    @Test("storing off: a device that never comes does not hold the content beyond the message's expiry")
    func storingOffExpires() async throws {
        let world = try await World.open()
        let bob = try await world.person("bob")
        var entitlement = Entitlement()
        entitlement.storesReceived = false
        let alice = try await world.person("alice", entitlement: entitlement)
        var request = try world.request("passing", to: alice)
        request.expires = world.clock.now.advanced(by: 1000)
        _ = try await world.service.send(bob.who, request)
        try await world.service.sweep()
        #expect(try await released(world, alice, request.id) == false)
        world.clock.advance(milliseconds: 1001)
        try await world.service.sweep()
        #expect(try await released(world, alice, request.id) == true)
        try await world.expectSound()
    }

    @Test(
        "retention by age releases content, and makes tombstones only if the operator says so",
        arguments: [true, false]
    )
    func retention(alsoOnDevices: Bool) async throws {
        let world = try await World.open()
        var settings = OperatorSettings()
        settings.retentionDays = 10
        settings.retentionAlsoOnDevices = alsoOnDevices
        _ = try await world.service.putOperatorSettings(settings)
        let bob = try await world.person("bob")
        let alice = try await world.person("alice")
        let device = world.connect(alice.devices[0])
        try await device.settle()
        let old = try world.request("old words", to: alice)
        _ = try await world.service.send(bob.who, old)
        world.clock.advance(days: 9)
        let young = try world.request("young words", to: alice)
        _ = try await world.service.send(bob.who, young)
        world.clock.advance(days: 2)
        try await world.service.sweep()
        try await device.settle()
        #expect(try await released(world, alice, young.id) == false)
        if alsoOnDevices {
            #expect(device.message(old.id) == nil)
            #expect(try await world.contents(bearing: old.id).isEmpty)
        } else {
            #expect(device.message(old.id)?.message?.parts.first?.text == "old words")
            #expect(device.message(old.id)?.released == true)
            let content = try #require(try await world.contents(bearing: old.id).first)
            #expect(!String(decoding: content.document, as: UTF8.self).contains("old words"))
            #expect(content.holders == 0)
        }
        let found = try await world.service.search(alice.who, "words", before: nil, limit: 10).items
        #expect(found.map(\.id) == [young.id.description])
        try await world.expectSound()
    }

    @Test("an expired message is still there, but disturbs nobody; the outbox gives it up")
    func expiry() async throws {
        let router = ScriptedRouter()
        let world = try await World.open(router: router)
        let bob = try await world.person("bob")
        let alice = try await world.person("alice")
        let device = world.connect(alice.devices[0])
        try await device.settle()
        await device.disconnect()
        var request = try world.request("soon over", to: [alice.address, try Address("far@elsewhere.example")])
        request.expires = world.clock.now.advanced(by: 10_000)
        _ = try await world.service.send(bob.who, request)
        router.answer(.temporary)
        try await world.workOutbox()
        #expect(router.tried == 1)
        world.clock.advance(milliseconds: 20_000)
        router.answer(.delivered)
        try await world.workOutbox()
        #expect(router.tried == 1)
        let receivers = try #require(try await world.item(bob, request.id)?.message).receivers
        #expect(receivers.map(\.disposition) == [.pending, .failed])
        let back = device.reconnected(alice.devices[0])
        try await back.settle()
        #expect(back.message(request.id)?.message?.parts.first?.text == "soon over")
        #expect(back.message(request.id)?.silent == true)
        // One that expires before it is sent is refused.
        var late = try world.request("over", to: alice)
        late.expires = world.clock.now
        await #expect(throws: Refusal(.invalidMessage, "")) { try await world.service.send(bob.who, late) }
        try await world.expectSound()
    }

    @Test("a tombstone waits for every device that may come back, and goes when all have it")
    func tombstones() async throws {
        let world = try await World.open()
        let bob = try await world.person("bob")
        // The third never follows the stream: nothing waits for it.
        let alice = try await world.person("alice", devices: [.mobile, .computer, .pda])
        let devices = alice.devices.prefix(2).map { world.connect($0) }
        let request = try world.request("hi", to: alice)
        _ = try await world.service.send(bob.who, request)
        for device in devices { try await device.settle() }
        await devices[1].disconnect()
        _ = try await world.service.delete(alice.who, DeleteRequest(ids: [request.id], scope: .everywhere))
        try await devices[0].settle()
        await devices[0].tick()
        try await world.service.sweep()
        #expect(try await world.item(alice, request.id)?.isTombstone == true)
        let back = devices[1].reconnected(alice.devices[1])
        try await back.settle()
        #expect(back.message(request.id) == nil)
        await back.tick()
        try await eventually("trimmed") {
            try await world.service.sweep()
            return try await world.item(alice, request.id) == nil
        }
        let account = try await world.account(alice)
        #expect(account.trim > 0)
        #expect(account.trim <= account.head)
    }

    @Test("a device away for too long holds nothing back, and starts from a listing when it comes after all")
    func expiredDevice() async throws {
        let world = try await World.open()
        let bob = try await world.person("bob")
        let alice = try await world.person("alice", devices: [.mobile, .computer])
        let devices = alice.devices.map { world.connect($0) }
        let gone = try world.request("gone", to: alice)
        let kept = try world.request("kept", to: alice)
        _ = try await world.service.send(bob.who, gone)
        _ = try await world.service.send(bob.who, kept)
        for device in devices { try await device.settle() }
        await devices[1].disconnect()
        _ = try await world.service.delete(alice.who, DeleteRequest(ids: [gone.id], scope: .everywhere))
        try await devices[0].settle()
        world.clock.advance(milliseconds: Limits.deviceExpiryMilliseconds)
        await devices[0].tick()
        try await eventually("trimmed") {
            try await world.service.sweep()
            return try await world.item(alice, gone.id) == nil
        }
        let back = devices[1].reconnected(alice.devices[1])
        try await world.expectMirrored(back)
        #expect(back.mirror.resets == [.trimmed])
        #expect(back.message(gone.id) == nil)
        #expect(back.message(kept.id) != nil)
    }
}
