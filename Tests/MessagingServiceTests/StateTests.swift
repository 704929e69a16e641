import ClientWire
import MessagingCore
import Store
import Testing

@testable import MessagingService

@Suite("Reading, reports, deleting, on all devices or on one")
struct StateTests {
    @Test("read on one device is read on all, those off-line by the digest before any content")
    func readEverywhere() async throws {
        let world = try await World.open()
        let bob = try await world.person("bob")
        let alice = try await world.person("alice", devices: [.mobile, .computer, .fixedPhone])
        let devices = alice.devices.map { world.connect($0) }
        let request = try world.request("hi", to: alice)
        _ = try await world.service.send(bob.who, request)
        for device in devices { try await device.settle() }
        await devices[2].disconnect()
        let answer = try await devices[0].command { $0.read = ReadRequest(ids: [request.id]) }
        #expect(answer.done?.changed == 1)
        #expect(try await devices[0].command { $0.read = ReadRequest(ids: [request.id]) }.done?.changed == 0)
        let later = try world.request("more", to: alice)
        _ = try await world.service.send(bob.who, later)
        for device in devices.prefix(2) {
            try await device.settle()
            #expect(device.message(request.id)?.read == true)
        }
        let back = devices[2].reconnected(alice.devices[2])
        try await back.settle()
        #expect(back.message(request.id)?.read == true)
        #expect(back.mirror.log.prefix(3) == ["welcome", "digest", "changes"])
        #expect(back.mirror.digests.last?.read == [try #require(back.message(request.id)).created])
        #expect(back.mirror.unread == 1)
    }

    @Test("reports: delivered at the first acknowledgement, displayed at the first reading, once each")
    func reports() async throws {
        let world = try await World.open()
        let bob = try await world.person("bob", devices: [.computer, .mobile])
        let alice = try await world.person("alice", devices: [.mobile, .computer])
        let sender = world.connect(bob.devices[1])
        try await sender.settle()
        let slow = world.connect(alice.devices[0], acknowledges: false)
        let request = try world.request("hi", to: alice, reports: [.delivered, .displayed])
        _ = try await world.service.send(bob.who, request)
        try await eventually("the message on the mobile") { slow.message(request.id) != nil }
        try await sender.settle()
        // It was sent, not yet acknowledged.
        #expect(sender.message(request.id)?.receivers?.map(\.state) == ["pending"])
        slow.acknowledge(onwards: true)
        try await eventually("delivered") { sender.message(request.id)?.receivers?.map(\.state) == ["delivered"] }
        let head = try await world.account(bob).head
        let second = world.connect(alice.devices[1])
        try await second.settle()
        #expect(try await world.account(bob).head == head)
        for device in alice.devices {
            _ = try await world.service.markRead(device.identity, ReadRequest(ids: [request.id]))
        }
        try await eventually("displayed") { sender.message(request.id)?.receivers?.map(\.state) == ["displayed"] }
        #expect(try await world.account(bob).head == head + 1)
    }

    @Test(
        "reading before any delivery is one step to displayed; reports that nobody asked for, or Alice forbids, are none"
    )
    func reportsByWish() async throws {
        let world = try await World.open()
        let bob = try await world.person("bob")
        let alice = try await world.person("alice")
        let both = try world.request("a", to: alice, reports: [.delivered, .displayed])
        let none = try world.request("b", to: alice)
        _ = try await world.service.send(bob.who, both)
        _ = try await world.service.send(bob.who, none)
        var settings = AccountSettings()
        settings.tellDisplayed = false
        _ = try await world.service.putSettings(alice.who, settings)
        let forbidden = try world.request("c", to: alice, reports: [.delivered, .displayed])
        _ = try await world.service.send(bob.who, forbidden)
        let head = try await world.account(bob).head
        _ = try await world.service.markRead(
            alice.who,
            ReadRequest(ids: [both.id, none.id, forbidden.id])
        )
        func state(_ id: MessageID) async throws -> Disposition? {
            try await world.item(bob, id)?.message?.receivers.first?.disposition
        }
        #expect(try await state(both.id) == .displayed)
        #expect(try await state(none.id) == .pending)
        #expect(try await state(forbidden.id) == .delivered)
        #expect(try await world.account(bob).head == head + 2)
    }

    @Test("a listing or a fetch delivers as an acknowledgement does, once")
    func listingDelivers() async throws {
        let world = try await World.open()
        let bob = try await world.person("bob")
        let alice = try await world.person("alice")
        for look in 0..<4 {
            let request = try world.request("look \(look)", to: alice, reports: [.delivered])
            _ = try await world.service.send(bob.who, request)
            switch look {
            case 0: _ = try await world.service.messages(alice.who, Listing(box: .inbox, limit: 10))
            case 1: _ = try await world.service.search(alice.who, "look", before: nil, limit: 10)
            case 2: _ = try await world.service.fetch(alice.who, request.id)
            default: _ = try await world.service.conversations(alice.who, before: nil, limit: 10)
            }
            try await eventually("delivered by look \(look)") {
                try await world.item(bob, request.id)?.message?.receivers.first?.disposition == .delivered
            }
        }
        try await world.expectSound()
    }

    @Test("delete everywhere: gone from every kind of device and the store; the other side keeps its own")
    func deleteEverywhere() async throws {
        let world = try await World.open()
        let bob = try await world.person("bob")
        let kinds: [DeviceKind] = [.mobile, .fixedPhone, .computer, .pda]
        let alice = try await world.person("alice", devices: kinds)
        let devices = alice.devices.map { world.connect($0) }
        var request = try world.request("secret", to: alice)
        request.parts.append(PartRequest(upload: try await world.upload(bob.who, Array("secret".utf8))))
        _ = try await world.service.send(bob.who, request)
        for device in devices { try await device.settle() }
        await devices[3].disconnect()
        let answer = try await devices[0].command {
            $0.delete = DeleteRequest(ids: [request.id], scope: .everywhere)
        }
        #expect(answer.done?.changed == 1)
        let next = try world.request("next", to: alice)
        _ = try await world.service.send(bob.who, next)
        for device in devices.prefix(3) {
            try await device.settle()
            #expect(device.message(request.id) == nil)
        }
        let back = devices[3].reconnected(alice.devices[3])
        try await back.settle()
        #expect(back.message(request.id) == nil)
        #expect(back.message(next.id) != nil)
        // Before anything else.
        #expect(back.mirror.log[1] == "digest")
        #expect(back.mirror.digests[0].gone.count == 1)
        await #expect(throws: Refusal(.notFound, "")) { try await world.service.message(alice.who, request.id) }
        #expect(
            try await world.service.messages(alice.who, Listing(limit: 10)).items.map(\.id) == [next.id.description]
        )
        let kept = try await world.service.message(bob.who, request.id)
        #expect(kept.message?.parts.count == 2)
        try await world.expectSound()
        // Once the sender lets go as well, nothing is left of it.
        _ = try await world.service.delete(bob.who, DeleteRequest(ids: [request.id], scope: .everywhere))
        #expect(try await world.contents(bearing: request.id).isEmpty)
        try await world.expectSound()
    }

    @Test("delete here keeps the notification; the others keep all; the same client fetches it again")
    func deleteHere() async throws {
        let world = try await World.open()
        let bob = try await world.person("bob")
        let alice = try await world.person("alice", devices: [.mobile, .computer])
        let devices = alice.devices.map { world.connect($0) }
        let request = try world.request("long", to: alice)
        _ = try await world.service.send(bob.who, request)
        for device in devices { try await device.settle() }
        let head = try await world.account(alice).head
        let here = DeleteRequest(ids: [request.id], scope: .here)
        #expect(try await devices[0].command { $0.delete = here }.done?.changed == 1)
        #expect(try await devices[0].command { $0.delete = here }.done?.changed == 0)
        #expect(try await world.account(alice).head == head)
        let onMobile = try await world.service.message(alice.who, request.id)
        #expect(onMobile.deliver == .notification)
        #expect(onMobile.message == nil)
        #expect(onMobile.notice?.from == bob.address)
        let onComputer = try await world.service.message(alice.devices[1].identity, request.id)
        #expect(onComputer.message?.parts.first?.text == "long")
        // A new start of that device gets the notification, not the message.
        let fresh = world.connect(alice.devices[0])
        try await fresh.settle()
        #expect(fresh.message(request.id)?.message == nil)
        #expect(fresh.message(request.id)?.notice != nil)
        let fetched = try await fresh.command { $0.fetch = request.id }
        #expect(fetched.item?.message?.parts.first?.text == "long")
        #expect(try await world.service.message(alice.who, request.id).deliver == .whole)
        #expect(try await world.account(alice).head == head)
        try await world.expectSound()
    }

    @Test("deleting and reading the same message at once, in either order", arguments: [true, false])
    func deleteAndRead(deletesFirst: Bool) async throws {
        let world = try await World.open()
        let bob = try await world.person("bob")
        let alice = try await world.person("alice", devices: [.mobile, .computer])
        let devices = alice.devices.map { world.connect($0) }
        for device in devices { try await device.settle() }
        for _ in 0..<20 {
            let request = try world.request("hi", to: alice, reports: [.displayed])
            _ = try await world.service.send(bob.who, request)
            for device in devices { try await device.settle() }
            async let deleted = devices[deletesFirst ? 0 : 1].command {
                $0.delete = DeleteRequest(ids: [request.id], scope: .everywhere)
            }
            async let read = devices[deletesFirst ? 1 : 0].command { $0.read = ReadRequest(ids: [request.id]) }
            let (deletion, reading) = try await (deleted, read)
            #expect(deletion.done?.changed == 1)
            // The reading came first, or it finds nothing; either way the message is gone.
            #expect(reading.done?.changed == 1 || reading.problem?.code == .notFound)
            for device in devices {
                try await device.settle()
                #expect(device.message(request.id) == nil)
            }
            let told = try await world.item(bob, request.id)?.message?.receivers.first?.disposition
            #expect(told == (reading.done?.changed == 1 ? .displayed : .pending))
        }
        try await world.expectSound()
    }

    @Test("a device whose synchronising is off hears no reads or deletions of others, but all reports")
    func notSynchronising() async throws {
        let world = try await World.open()
        let bob = try await world.person("bob", devices: [.computer, .mobile])
        let alice = try await world.person("alice")
        var change = DeviceChange()
        change.synchronises = false
        _ = try await world.service.changeDevice(bob.who, bob.devices[1].identity.device, change)
        let device = world.connect(bob.devices[1])
        try await device.settle()
        let toBob = try world.request("one", to: bob)
        let second = try world.request("two", to: bob)
        let toAlice = try world.request("three", to: alice, reports: [.displayed])
        _ = try await world.service.send(alice.who, toBob)
        _ = try await world.service.send(alice.who, second)
        _ = try await world.service.send(bob.who, toAlice)
        try await device.settle()
        _ = try await world.service.markRead(bob.who, ReadRequest(ids: [toBob.id]))
        _ = try await world.service.delete(bob.who, DeleteRequest(ids: [second.id], scope: .everywhere))
        _ = try await world.service.markRead(alice.who, ReadRequest(ids: [toAlice.id]))
        try await device.settle()
        #expect(device.message(toBob.id)?.read == false)
        #expect(device.message(second.id) != nil)
        #expect(device.message(toAlice.id)?.receivers?.map(\.state) == ["displayed"])
        await device.disconnect()
        _ = try await world.service.delete(bob.who, DeleteRequest(ids: [toBob.id], scope: .everywhere))
        let back = device.reconnected(bob.devices[1])
        try await back.settle()
        #expect(back.message(toBob.id) != nil)
    }
}
