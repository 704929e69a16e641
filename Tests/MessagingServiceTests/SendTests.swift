import ClientWire
import MessagingCore
import Store
import Testing

@testable import MessagingService

@Suite("Sending: one commit, every mailbox, every device")
struct SendTests {
    @Test("text and several parts reach each receiver's devices and the sender's other ones")
    func reaches() async throws {
        let world = try await World.open()
        let bob = try await world.person("bob", devices: [.computer, .mobile])
        let alice = try await world.person("alice", devices: [.mobile, .computer])
        let carol = try await world.person("carol")
        let devices = (bob.devices + alice.devices + carol.devices).map { world.connect($0) }
        for device in devices { try await device.settle() }

        let picture = try await world.upload(bob.who, Array("a picture".utf8))
        var request = try world.request("see this", to: alice, carol)
        request.subject = "Holidays"
        request.parts.append(PartRequest(upload: picture, name: "sea.png"))
        let answer = try await world.service.send(bob.who, request)
        #expect(!answer.repeated)
        #expect(answer.receivers.map(\.state) == ["pending", "pending"])
        #expect(answer.receivers.map(\.address) == [alice.address, carol.address])

        for device in devices { try await device.settle() }
        for device in devices.dropFirst() {
            let item = try #require(device.message(request.id))
            #expect(item.deliver == .whole)
            #expect(item.message?.subject == "Holidays")
            #expect(item.message?.from == bob.address)
            #expect(item.message?.parts.map(\.text) == ["see this", nil])
            #expect(item.message?.parts[1].name == "sea.png")
            #expect(item.message?.parts[1].bytes == 9)
            #expect(item.conversation == answer.conversation)
            #expect(device.mirror.contents[item.created] == 1)
        }
        // The sending device knows what it sent: it is told of the item, not sent the content.
        let own = try #require(devices[0].message(request.id))
        #expect(own.message == nil)
        #expect(own.boxes == ["sent"])
        #expect(devices[2].message(request.id)?.boxes == ["inbox"])
        #expect(devices[2].message(request.id)?.read == false)
        #expect(devices[2].message(request.id)?.addressed == [alice.address])
    }

    @Test("an unknown user fails at once with a report, the others get it")
    func unknownUser() async throws {
        let world = try await World.open()
        let bob = try await world.person("bob")
        let alice = try await world.person("alice")
        let request = try world.request("hi", to: [try Address("nobody@localhost"), alice.address])
        let answer = try await world.service.send(bob.who, request)
        #expect(answer.receivers.map(\.state) == ["failed", "pending"])
        #expect(answer.receivers[0].reason == .notFound)
        #expect(try await world.item(alice, request.id) != nil)
    }

    @Test("an unknown domain fails for good through the outbox, and the sender's devices are told")
    func unknownDomain() async throws {
        let world = try await World.open()
        let bob = try await world.person("bob")
        let device = world.connect(bob.devices[0])
        let request = try world.request("hi", to: [try Address("alice@elsewhere.example")])
        let answer = try await world.service.send(bob.who, request)
        #expect(answer.receivers.map(\.state) == ["pending"])
        #expect(try await world.service.status().outbox == 1)
        try await world.workOutbox()
        #expect(try await world.service.status().outbox == 0)
        try await device.settle()
        #expect(device.message(request.id)?.receivers?.map(\.state) == ["failed"])
        #expect(device.message(request.id)?.receivers?.first?.reason == .notFound)
    }

    @Test("forty receivers: sixteen in the sender's commit, the rest through the internal outbox, each exactly once")
    func manyReceivers() async throws {
        let world = try await World.open()
        let bob = try await world.person("bob")
        var people: [Person] = []
        for number in 0..<40 { people.append(try await world.person("friend\(number)", devices: [])) }
        let request = try world.request("to all of you", to: people.map(\.address), reports: [.displayed])
        _ = try await world.service.send(bob.who, request)
        #expect(try await world.service.status().outbox == 24)
        try await world.service.indexNewContent()
        try await world.workOutbox()
        for person in people {
            let item = try #require(try await world.item(person, request.id)?.message)
            #expect(item.ownAddresses == [person.address])
            #expect(item.flags.contains(.wantsDisplayed))
            #expect(try await world.account(person).head == 1)
        }
        let message = try #require(try await world.item(bob, request.id)?.message)
        let content = try #require(try await world.store.read { try $0.content(message.content) })
        #expect(content.references == 41)
        #expect(content.holders == 41)
        // Those who got it after it was indexed find it as well.
        let late = try await world.device(of: people[39], .mobile)
        #expect(try await world.service.search(late.identity, "all you", before: nil, limit: 10).items.count == 1)
    }

    @Test("deleting the sent message does not take it from those who wait in the outbox")
    func deletedWhileWaiting() async throws {
        let world = try await World.open()
        let bob = try await world.person("bob")
        var people: [Person] = []
        for number in 0..<18 { people.append(try await world.person("friend\(number)", devices: [])) }
        let request = try world.request("before it is gone", to: people.map(\.address))
        _ = try await world.service.send(bob.who, request)
        for person in people.prefix(16) {
            let device = try await world.device(of: person, .mobile)
            _ = try await world.service.delete(
                device.identity,
                DeleteRequest(ids: [request.id], scope: .everywhere)
            )
        }
        _ = try await world.service.delete(bob.who, DeleteRequest(ids: [request.id], scope: .everywhere))
        try await world.workOutbox()
        for person in people.suffix(2) {
            let device = try await world.device(of: person, .mobile)
            let item = try await world.service.message(device.identity, request.id)
            #expect(item.message?.parts.first?.text == "before it is gone")
            _ = try await world.service.delete(
                device.identity,
                DeleteRequest(ids: [request.id], scope: .everywhere)
            )
        }
        #expect(try await world.contents(bearing: request.id).isEmpty)
    }

    @Test("several addresses of one user are one item, one report for each address")
    func severalAddresses() async throws {
        let world = try await World.open()
        let bob = try await world.person("bob")
        let alice = try await world.person("alice", also: ["alice.work"])
        let request = try world.request("hi", to: alice.addresses, reports: [.displayed])
        _ = try await world.service.send(bob.who, request)
        #expect(try await world.item(alice, request.id)?.message?.ownAddresses == alice.addresses)
        let page = try await world.service.messages(alice.who, Listing(box: .inbox, limit: 10))
        #expect(page.items.count == 1)
        _ = try await world.service.markRead(alice.who, ReadRequest(ids: [request.id]))
        let receivers = try #require(try await world.item(bob, request.id)?.message).receivers
        #expect(receivers.map(\.disposition) == [.displayed, .displayed])
    }

    @Test("a message to oneself is one item in both boxes; its reports and reading leave the numbers dense")
    func toSelf() async throws {
        let world = try await World.open()
        let bob = try await world.person("bob", devices: [.computer, .mobile])
        let devices = bob.devices.map { world.connect($0) }
        let request = try world.request("remember", to: [bob.address], reports: [.delivered, .displayed])
        let answer = try await world.service.send(bob.who, request)
        #expect(answer.receivers.map(\.state) == ["pending"])
        for device in devices { try await device.settle() }
        #expect(devices[1].message(request.id)?.boxes == ["inbox", "sent"])
        _ = try await world.service.fetch(bob.devices[1].identity, request.id)
        _ = try await world.service.markRead(bob.who, ReadRequest(ids: [request.id]))
        for device in devices { try await device.settle() }
        for device in devices {
            #expect(device.message(request.id)?.read == true)
            #expect(device.message(request.id)?.receivers?.map(\.state) == ["displayed"])
        }
        try await world.expectSound()
    }

    @Test("fetching one's own message as a notification keeps the report that it causes")
    func fetchToSelf() async throws {
        let world = try await World.open()
        let bob = try await world.person("bob", devices: [.computer, .mobile])
        var book = RuleBook()
        book.incoming.otherwise = Outcome(.notification)
        book.sentCopies.otherwise = Outcome(.notification)
        _ = try await world.service.putRules(bob.who, book)
        let request = try world.request("remember", to: [bob.address], reports: [.delivered])
        _ = try await world.service.send(bob.who, request)
        _ = try await world.service.fetch(bob.devices[1].identity, request.id)
        let message = try #require(try await world.item(bob, request.id)?.message)
        #expect(message.receivers.map(\.disposition) == [.delivered])
        #expect(message.decisions[bob.devices[1].identity.device]?.because == .fetchedHere)
        try await world.expectSound()
    }

    @Test("reply and forward: the same conversation from both sides, forwarded parts without another upload")
    func replyAndForward() async throws {
        let world = try await World.open()
        let bob = try await world.person("bob")
        let alice = try await world.person("alice")
        let carol = try await world.person("carol")
        let picture = try await world.upload(bob.who, Array("pixels".utf8))
        var request = try world.request("look", to: alice)
        request.parts.append(PartRequest(upload: picture))
        let sent = try await world.service.send(bob.who, request)

        var reply = try world.request("nice", to: bob)
        reply.inReplyTo = request.id
        let replied = try await world.service.send(alice.who, reply)
        #expect(replied.conversation == sent.conversation)
        let seen = try await world.service.message(bob.who, reply.id)
        #expect(seen.message?.inReplyTo == request.id)

        var forward = SendRequest(
            id: try world.newID(),
            to: [carol.address],
            parts: [
                PartRequest(forward: PartRequest.Forward(message: request.id, part: 0)),
                PartRequest(forward: PartRequest.Forward(message: request.id, part: 1)),
            ]
        )
        _ = try await world.service.send(alice.who, forward)
        let got = try #require(try await world.service.message(carol.who, forward.id).message)
        #expect(got.from == alice.address)
        #expect(got.parts.map(\.text) == ["look", nil])
        let hash = try #require(got.parts[1].sha256)
        // Two messages hold it.
        #expect(try await world.blob(hash)?.references == 2)

        // A message that one does not have cannot be forwarded.
        forward = SendRequest(
            id: try world.newID(),
            to: [bob.address],
            parts: [PartRequest(forward: PartRequest.Forward(message: request.id, part: 0))]
        )
        await #expect(throws: Refusal(.notFound, "")) { try await world.service.send(carol.who, forward) }
    }

    @Test("conversations: given by the client, or the same from every side")
    func conversationIDs() async throws {
        let world = try await World.open()
        let bob = try await world.person("bob")
        let alice = try await world.person("alice")
        let carol = try await world.person("carol")
        var given = try world.request("hi", to: alice)
        given.conversation = try ConversationID("project-x")
        #expect(try await world.service.send(bob.who, given).conversation.description == "project-x")
        let group = try await world.service.send(bob.who, try world.request("hi", to: alice, carol))
        let back = try await world.service.send(carol.who, try world.request("hi", to: bob, alice))
        let pair = try await world.service.send(carol.who, try world.request("hi", to: bob))
        #expect(group.conversation == back.conversation)
        #expect(pair.conversation != group.conversation)
    }
}
