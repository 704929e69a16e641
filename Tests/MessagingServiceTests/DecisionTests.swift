import ClientWire
import MessagingCore
import Store
import Testing

@testable import MessagingService

@Suite("What each device gets, and why")
struct DecisionTests {
    /// Alice has a mobile and a computer, and a business address whose messages go to the computer only.
    private func business(_ world: World) async throws -> Person {
        let alice = try await world.person("alice", also: ["alice.work"], devices: [.mobile, .computer])
        var when = Conditions()
        when.to = [alice.addresses[1]]
        var computer = Conditions()
        computer.deviceKinds = [.computer]
        var book = RuleBook()
        book.incoming.rules = [Rule(name: "business", when: when, unless: computer, then: Outcome(.nothing))]
        _ = try await world.service.putRules(alice.who, book)
        return alice
    }

    @Test("the user's rules by address and kind of device, explained with the facts that matched")
    func rules() async throws {
        let world = try await World.open()
        let bob = try await world.person("bob")
        let alice = try await business(world)
        let devices = alice.devices.map { world.connect($0) }
        for device in devices { try await device.settle() }
        let toWork = try world.request("offer", to: [alice.addresses[1]])
        let toHome = try world.request("dinner", to: alice)
        _ = try await world.service.send(bob.who, toWork)
        _ = try await world.service.send(bob.who, toHome)
        for device in devices { try await device.settle() }

        #expect(devices[0].message(toWork.id) == nil)
        #expect(devices[1].message(toWork.id)?.message?.parts.first?.text == "offer")
        #expect(devices[0].message(toHome.id)?.message?.parts.first?.text == "dinner")
        let why = try await world.service.explain(alice.who, toWork.id).devices
        #expect(why.map(\.deliver) == [.nothing, .whole])
        #expect(
            why[0].because == "rule 'business' matched: to=sip:alice.work@localhost, device kind is not computer"
        )
        #expect(why[1].because == "no rule matched: the default holds")
        // What was decided nothing can still be listed, as a notice.
        let listed = try await world.service.messages(alice.who, Listing(box: .inbox, limit: 10)).items
        #expect(listed.map(\.id) == [toHome.id.description, toWork.id.description])
        #expect(listed[1].message == nil)
        #expect(listed[1].notice?.from == bob.address)
    }

    @Test("reading up to here on the mobile does not read what only the computer got")
    func readsOnlyWhatItWasSent() async throws {
        let world = try await World.open()
        let bob = try await world.person("bob")
        let alice = try await business(world)
        var toWork = try world.request("offer", to: [alice.addresses[1]])
        toWork.conversation = try ConversationID("all")
        var toHome = try world.request("dinner", to: alice)
        toHome.conversation = try ConversationID("all")
        _ = try await world.service.send(bob.who, toWork)
        _ = try await world.service.send(bob.who, toHome)
        let request = ReadRequest(conversation: try ConversationID("all"), upTo: .max)
        #expect(try await world.service.markRead(alice.who, request).changed == 1)
        #expect(try await world.item(alice, toWork.id)?.message?.isUnread == true)
        #expect(try await world.item(alice, toHome.id)?.message?.isUnread == false)
        #expect(try await world.service.markRead(alice.devices[1].identity, request).changed == 1)
        #expect(try await world.item(alice, toWork.id)?.message?.isUnread == false)
    }

    @Test("reading up to here leaves what the device has as a notification only, until it is opened")
    func notificationsStayUnread() async throws {
        let world = try await World.open()
        let bob = try await world.person("bob")
        let alice = try await world.person("alice")
        var book = RuleBook()
        book.incoming.otherwise = Outcome(.notification)
        _ = try await world.service.putRules(alice.who, book)
        let request = try world.request("long story", to: alice)
        let answer = try await world.service.send(bob.who, request)
        let upTo = ReadRequest(conversation: answer.conversation, upTo: .max)
        #expect(try await world.service.markRead(alice.who, upTo).changed == 0)
        _ = try await world.service.fetch(alice.who, request.id)
        #expect(try await world.service.markRead(alice.who, upTo).changed == 1)
    }

    @Test("operator's settings stand above the rules, device capabilities below them")
    func operatorAndCapabilities() async throws {
        let world = try await World.open()
        let bob = try await world.person("bob")
        let alice = try await world.person("alice", devices: [.computer])
        let phone = try await world.device(
            of: alice,
            .fixedPhone,
            capabilities: Capabilities(accepts: [try MediaPattern("text/*")], maximumMessageBytes: 20)
        )
        let service = world.service
        func why(_ request: SendRequest) async throws -> [String] {
            _ = try await service.send(bob.who, request)
            return try await service.explain(alice.who, request.id).devices.map { "\($0.deliver): \($0.because)" }
        }
        var picture = try world.request("hi", to: alice)
        picture.parts.append(PartRequest(upload: try await world.upload(bob.who, Array(repeating: 1, count: 10))))
        #expect(
            try await why(picture) == [
                "whole: no rule matched: the default holds", "notification: the device cannot show image/png",
            ]
        )
        let long = try world.request("much more than twenty bytes", to: alice)
        #expect(
            try await why(long)[1] == "notification: the message is larger than the device takes (20 bytes)"
        )
        var settings = OperatorSettings()
        settings.policy.wholeUpToBytes = 5
        settings.policy.notificationOnlyMedia = [try MediaPattern("video/*")]
        _ = try await service.putOperatorSettings(settings)
        let middle = try world.request("six by", to: alice)
        #expect(
            try await why(middle)[0] == "notification: the operator sends messages of this size as a notification"
        )
        let video = SendRequest(
            id: try world.newID(),
            to: [alice.address],
            parts: [PartRequest(upload: try await world.upload(bob.who, [1, 2], type: "video/mp4"))]
        )
        #expect(try await why(video)[0] == "notification: the operator sends such media as a notification")
        settings.policy.prohibitedDomains = ["localhost"]
        _ = try await service.putOperatorSettings(settings)
        let prohibited = try world.request("no", to: alice)
        #expect(try await why(prohibited)[0] == "nothing: the operator does not allow it")
        // A phone that is sent a notification can fetch the whole message by its link, and by name.
        let connection = world.connect(phone)
        try await connection.settle()
        #expect(connection.message(picture.id)?.notice?.types == ["text/plain", "image/png"])
        let link = try #require(connection.message(picture.id)?.notice?.link)
        let token = try #require(link.split(separator: "/").last.map(String.init))
        #expect(try await service.openLink(token).id == picture.id)
    }

    @Test("a blocked sender: silently nothing, or refused if the user wants it so")
    func blocked() async throws {
        let world = try await World.open()
        let bob = try await world.person("bob")
        let alice = try await world.person("alice")
        _ = try await world.service.putBlocked(alice.who, BlockedDocument(addresses: [bob.address]))
        let silent = try world.request("hello?", to: alice, reports: [.delivered])
        #expect(try await world.service.send(bob.who, silent).receivers.map(\.state) == ["pending"])
        #expect(
            try await world.service.explain(alice.who, silent.id).devices.map(\.because) == ["the sender is blocked"]
        )
        let device = world.connect(alice.devices[0])
        try await device.settle()
        #expect(device.message(silent.id) == nil)
        #expect(try await world.item(alice, silent.id)?.message?.flags.contains(.delivered) == false)
        var settings = AccountSettings()
        settings.refuseBlocked = true
        _ = try await world.service.putSettings(alice.who, settings)
        let refused = try world.request("hello?", to: alice)
        let answer = try await world.service.send(bob.who, refused)
        #expect(answer.receivers.map(\.reason) == [.forbidden])
        #expect(try await world.item(alice, refused.id) == nil)
    }

    @Test("rules by contact list and by availability, of the person and of the device")
    func listsAndAvailability() async throws {
        let world = try await World.open()
        let bob = try await world.person("bob")
        let carol = try await world.person("carol")
        let alice = try await world.person("alice")
        let service = world.service
        var friends = Conditions()
        friends.fromLists = ["friends"]
        var busy = Conditions()
        busy.availability = [.busy]
        var away = Conditions()
        away.deviceAvailability = [.doNotDisturb]
        var book = RuleBook()
        book.incoming.rules = [
            Rule(name: "friends", when: friends, then: Outcome(.whole)),
            Rule(name: "busy", when: busy, then: Outcome(.notification, silent: true)),
            Rule(name: "away", when: away, then: Outcome(.nothing)),
        ]
        _ = try await service.putRules(alice.who, book)
        let bobsCard = Contact(id: try world.newID(), name: "Bob", addresses: [bob.address], lists: ["friends"])
        let other = Contact(id: try world.newID(), name: "Bob again", addresses: [bob.address], lists: ["friends"])
        _ = try await service.putContact(alice.who, bobsCard)
        _ = try await service.putContact(alice.who, other)
        // Each list by itself has room for more.
        let many = try (0..<32).map { try Address("\($0)\(String(repeating: "x", count: 200))@far.example") }
        let lists = (0..<100).map { "list \($0)" }
        let tooMuch = Contact(id: try world.newID(), name: "Everybody", addresses: many, lists: Array(lists.prefix(99)))
        await #expect(throws: Refusal(.tooMany, "")) { try await service.putContact(alice.who, tooMuch) }
        #expect(
            try await service.contacts(alice.who, before: nil, limit: 9).contacts.map(\.name) == ["Bob again", "Bob"]
        )
        _ = try await service.putAvailability(
            alice.who,
            Availability(.busy, until: world.clock.now.advanced(by: 60_000))
        )
        func decision(from person: Person) async throws -> ExplanationDocument.Entry {
            let request = try world.request("hi", to: alice)
            _ = try await service.send(person.who, request)
            return try #require(try await service.explain(alice.who, request.id).devices.first)
        }
        #expect(try await decision(from: bob).because == "rule 'friends' matched: from=sip:bob@localhost")
        let fromCarol = try await decision(from: carol)
        #expect(fromCarol.deliver == .notification)
        #expect(fromCarol.silent)
        // Another card still names him: he stays on the list.
        try await service.deleteContact(alice.who, other.id)
        #expect(try await decision(from: bob).deliver == .whole)
        try await service.deleteContact(alice.who, bobsCard.id)
        #expect(try await decision(from: bob).because == "rule 'busy' matched: by availability")
        world.clock.advance(milliseconds: 61_000)
        #expect(try await decision(from: carol).because == "no rule matched: the default holds")
        var change = DeviceChange()
        change.availability = Availability(.doNotDisturb)
        _ = try await service.changeDevice(alice.who, alice.who.device, change)
        #expect(try await decision(from: carol).deliver == .nothing)
    }

    @Test("a device that registers later is decided by the rules at its registration, whatever they are afterwards")
    func laterDevice() async throws {
        let world = try await World.open()
        let bob = try await world.person("bob")
        let alice = try await world.person("alice")
        let request = try world.request("early", to: alice)
        _ = try await world.service.send(bob.who, request)
        let late = try await world.device(of: alice, .tablet)
        var book = RuleBook()
        book.incoming.otherwise = Outcome(.nothing)
        _ = try await world.service.putRules(alice.who, book)
        let device = world.connect(late)
        try await device.settle()
        #expect(device.message(request.id)?.message?.parts.first?.text == "early")
        let why = try await world.service.explain(alice.who, request.id).devices
        #expect(why.map(\.deliver) == [.whole, .whole])
        #expect(why[1].because == "no rule matched: the default holds (by the rules at the device's registration)")
    }

    @Test("sent copies by their own rules; reports only to the devices that want them")
    func sentCopiesAndReports() async throws {
        let world = try await World.open()
        let bob = try await world.person("bob", devices: [.computer, .mobile, .pda])
        let alice = try await world.person("alice")
        var mobile = Conditions()
        mobile.deviceKinds = [.mobile]
        var pda = Conditions()
        pda.deviceKinds = [.pda]
        var book = RuleBook()
        book.sentCopies.rules = [Rule(name: "not on the mobile", when: mobile, then: Outcome(.nothing))]
        book.reports.rules = [Rule(name: "not on the pda", when: pda, then: Outcome(.nothing))]
        _ = try await world.service.putRules(bob.who, book)
        let devices = bob.devices.map { world.connect($0) }
        for device in devices { try await device.settle() }
        let request = try world.request("hi", to: alice, reports: [.delivered, .displayed])
        _ = try await world.service.send(bob.who, request)
        let receiver = world.connect(alice.devices[0])
        try await receiver.settle()
        try await eventually("a delivery report") {
            try await world.item(bob, request.id)?.message?.receivers.first?.disposition == .delivered
        }
        for device in devices { try await device.settle() }
        #expect(devices[0].message(request.id)?.receivers?.map(\.state) == ["delivered"])
        #expect(devices[1].message(request.id) == nil)
        #expect(devices[2].message(request.id)?.message != nil)
        #expect(devices[2].message(request.id)?.receivers == nil)
    }
}
