import ClientWire
import MessagingCore
import Store
import Testing

@testable import MessagingService

@Suite("Accounts, devices, rules and the operator's commands")
struct AccountTests {
    @Test("log-in: the same refusal for an unknown address and a wrong password; a bound on devices")
    func login() async throws {
        let world = try await World.open()
        let service = world.service
        let alice = try await world.person("alice", also: ["alice.work"])
        let description = DeviceDescription(kind: .mobile, label: "phone")
        var refusals: Set<String> = []
        for (address, password) in [
            (alice.address, "wrong password"), (try Address("nobody@localhost"), World.password),
            (try Address("alice@elsewhere.example"), World.password),
        ] {
            do {
                _ = try await service.login(LoginRequest(address: address, password: password, device: description))
                Issue.record("a log-in that should be refused")
            } catch { refusals.insert("\(error)") }
        }
        #expect(refusals == ["unauthenticated: address or password is wrong"])
        let second = try await service.login(
            LoginRequest(address: alice.addresses[1], password: World.password, device: description)
        )
        #expect(second.account == alice.id)
        #expect(try await service.authenticate(token: second.token).device == second.device)
        for token in ["", "ct_", second.token + "0", String(second.token.dropLast())] {
            await #expect(throws: Refusal(.unauthenticated, "")) { try await service.authenticate(token: token) }
        }
        for label in ["", "a\nb", String(repeating: "x", count: 81)] {
            await #expect(throws: Refusal(.invalidRequest, "")) {
                try await service.login(
                    LoginRequest(
                        address: alice.address,
                        password: World.password,
                        device: DeviceDescription(kind: .mobile, label: label)
                    )
                )
            }
        }
        for _ in 2..<Limits.devicesPerAccount { _ = try await world.device(of: alice, .other) }
        await #expect(throws: Refusal(.tooMany, "")) { try await world.device(of: alice, .other) }
        try await service.logout(alice.who)
        _ = try await world.device(of: alice, .other)
    }

    @Test("a password is changed by knowing the old one, by one of two at once; tokens stay, old passwords do not")
    func passwords() async throws {
        let world = try await World.open()
        let service = world.service
        let alice = try await world.person("alice")
        await #expect(throws: Refusal(.unauthenticated, "")) {
            try await service.changePassword(
                alice.who,
                PasswordChange(old: "wrong password", new: "longer than before")
            )
        }
        await #expect(throws: Refusal(.invalidRequest, "")) {
            try await service.changePassword(alice.who, PasswordChange(old: World.password, new: "short"))
        }
        let changed = await withTaskGroup(of: Bool.self) { group in
            for number in 0..<4 {
                group.addTask {
                    let change = PasswordChange(old: World.password, new: "new password \(number)")
                    return (try? await service.changePassword(alice.who, change)) != nil
                }
            }
            return await group.reduce(0) { $0 + ($1 ? 1 : 0) }
        }
        #expect(changed == 1)
        #expect(try await service.authenticate(token: alice.devices[0].token) == alice.who)
        await #expect(throws: Refusal(.unauthenticated, "")) { try await world.device(of: alice, .other) }
        var force = AccountChange()
        force.password = World.password
        _ = try await service.changeAccount(alice.id, force)
        _ = try await world.device(of: alice, .other)
    }

    @Test("a suspended account is out at once, by socket and by token, gets nothing, and comes back whole")
    func suspended() async throws {
        let world = try await World.open()
        let service = world.service
        let bob = try await world.person("bob")
        let alice = try await world.person("alice")
        let device = world.connect(alice.devices[0])
        try await device.settle()
        let before = try world.request("before", to: alice)
        _ = try await service.send(bob.who, before)
        var change = AccountChange()
        change.suspended = true
        #expect(try await service.changeAccount(alice.id, change).suspended)
        try await eventually("closed") { device.mirror.closed == CloseCode.suspended }
        await #expect(throws: Refusal(.notEntitled, "")) {
            try await service.authenticate(token: alice.devices[0].token)
        }
        await #expect(throws: Refusal(.notEntitled, "")) { try await world.device(of: alice, .other) }
        let again = world.connect(alice.devices[0])
        try await eventually("refused") { again.mirror.closed == CloseCode.suspended }
        let during = try world.request("during", to: alice)
        #expect(try await service.send(bob.who, during).receivers.map(\.state) == ["failed"])
        change.suspended = false
        _ = try await service.changeAccount(alice.id, change)
        #expect(try await service.authenticate(token: alice.devices[0].token) == alice.who)
        let back = world.connect(alice.devices[0])
        try await world.expectMirrored(back)
        #expect(back.message(before.id) != nil)
        #expect(back.message(during.id) == nil)
    }

    @Test("a store that cannot be read makes no token void: the device is to come again, and forgets nothing")
    func unreadable() async throws {
        let world = try await World.open()
        let alice = try await world.person("alice")
        world.service.tokens.forget(alice.id, nil)
        try world.store.close()
        let device = world.connect(alice.devices[0])
        try await eventually("closed") { device.mirror.closed != nil }
        #expect(device.mirror.closed == CloseCode.goingAway)
    }

    @Test("devices: renamed, changed in kind and capability, told to the others; another's cannot be touched")
    func devices() async throws {
        let world = try await World.open()
        let service = world.service
        let bob = try await world.person("bob")
        let alice = try await world.person("alice", devices: [.mobile, .computer])
        let other = world.connect(alice.devices[1])
        try await other.settle()
        var change = DeviceChange()
        change.label = "old phone"
        change.kind = .fixedPhone
        change.capabilities = Capabilities(accepts: [try MediaPattern("text/plain")])
        let document = try await service.changeDevice(alice.who, alice.who.device, change)
        #expect(document.label == "old phone")
        try await other.settle()
        let told = other.mirror.items.values.first { $0.id == "\(alice.who.device.rawValue)" && $0.kind == "device" }
        guard case .object(let value) = told?.value else {
            Issue.record("no device was told")
            return
        }
        #expect(value["label"] == .text("old phone"))
        let list = try await service.devices(alice.id, asking: alice.who.device).devices
        #expect(list.map(\.device.kind) == [.fixedPhone, .computer])
        #expect(list.map(\.isConnected) == [false, true])
        #expect(list.map(\.isThis) == [true, false])
        await #expect(throws: Refusal(.notFound, "")) {
            try await service.changeDevice(bob.who, DeviceID(rawValue: 77), DeviceChange())
        }
        // What was decided stays; what comes is decided anew.
        let picture = try await world.upload(bob.who, [1])
        let request = SendRequest(id: try world.newID(), to: [alice.address], parts: [PartRequest(upload: picture)])
        _ = try await service.send(bob.who, request)
        #expect(try await service.explain(alice.who, request.id).devices.map(\.deliver) == [.notification, .whole])
    }

    @Test("rules: put at the revision that was read, checked, tried before they are put, and not retroactive")
    func rules() async throws {
        let world = try await World.open()
        let service = world.service
        let bob = try await world.person("bob")
        let alice = try await world.person("alice", devices: [.mobile, .computer])
        var book = try await service.rules(alice.who)
        #expect(book.revision == 0)
        var mobile = Conditions()
        mobile.deviceKinds = [.mobile]
        book.incoming.rules = [Rule(name: "quiet", when: mobile, then: Outcome(.notification, silent: true))]
        var trial = DryRunRequest(from: bob.address)
        trial.rules = book
        #expect(try await service.dryRun(alice.who, trial).devices.map(\.deliver) == [.notification, .whole])
        #expect(
            try await service.dryRun(alice.who, DryRunRequest(from: bob.address)).devices.map(\.deliver) == [
                .whole, .whole,
            ]
        )
        let early = try world.request("early", to: alice)
        _ = try await service.send(bob.who, early)
        let put = try await service.putRules(alice.who, book)
        #expect(put.revision == 1)
        let late = try world.request("late", to: alice)
        _ = try await service.send(bob.who, late)
        let why = try await service.explain(alice.who, late.id).devices
        #expect(
            why.map(\.because) == [
                "rule 'quiet' matched: device kind is mobile", "no rule matched: the default holds",
            ]
        )
        let stale = book
        await #expect(throws: Refusal(.conflict, "")) { try await service.putRules(alice.who, stale) }
        book = put
        book.incoming.rules = []
        _ = try await service.putRules(alice.who, book)
        // The explanation of a past message speaks of the rules of its time.
        #expect(try await service.explain(alice.who, late.id).devices == why)
        #expect(try await service.explain(alice.who, early.id).devices.map(\.deliver) == [.whole, .whole])
        var bad = try await service.rules(alice.who)
        bad.incoming.rules = Array(repeating: Rule(name: "x", when: mobile, then: Outcome(.whole)), count: 2)
        let doubled = bad
        await #expect(throws: Refusal(.invalidRules, "")) { try await service.putRules(alice.who, doubled) }
    }

    @Test("the operator: accounts, addresses that move, settings that are kept, and the trace of a message")
    func operatorCommands() async throws {
        let world = try await World.open()
        let bob = try await world.person("bob", balance: 10)
        let alice = try await world.person("alice", also: ["helpdesk"], devices: [.mobile, .computer])
        func create(_ address: String) async throws {
            let service = world.service
            let request = AccountRequest(name: "x", addresses: [try Address(address)], password: World.password)
            _ = try await service.createAccount(request)
        }
        await #expect(throws: Refusal(.conflict, "")) { try await create("helpdesk@localhost") }
        await #expect(throws: Refusal(.invalidRequest, "")) { try await create("x@elsewhere.example") }
        _ = try await world.service.send(bob.who, try world.request("to the desk", to: [alice.addresses[1]]))
        // The address goes to somebody else: the next message does as well.
        var change = AccountChange()
        change.addresses = [alice.address]
        _ = try await world.service.changeAccount(alice.id, change)
        change.addresses = bob.addresses + [alice.addresses[1]]
        _ = try await world.service.changeAccount(bob.id, change)
        let moved = try world.request("to the new desk", to: [alice.addresses[1]])
        _ = try await world.service.send(alice.who, moved)
        #expect(try await world.item(bob, moved.id)?.message?.flags.contains(.received) == true)
        #expect(try await world.service.findAccount("helpdesk@localhost").id == bob.id)
        #expect(try await world.service.findAccount("\(alice.id.rawValue)").name == "alice")
        let page = try await world.service.accounts(after: nil, limit: 1)
        #expect(page.accounts.map(\.name) == ["bob"])
        #expect(try await world.service.accounts(after: page.next, limit: 5).accounts.map(\.name) == ["alice"])

        var settings = OperatorSettings()
        settings.tariff.perReceiver = 4
        _ = try await world.service.putOperatorSettings(settings)
        let device = world.connect(alice.devices[0])
        try await device.settle()
        let request = try world.request("trace me", to: alice, reports: [.delivered])
        _ = try await world.service.send(bob.who, request)
        try await device.settle()
        try await eventually("the acknowledgement is kept") {
            await device.tick()
            return try await world.service.trace(request.id).mailboxes.last?.devices.first?.acknowledged == true
        }
        _ = try await world.service.delete(bob.who, DeleteRequest(ids: [request.id], scope: .everywhere))
        let trace = try await world.service.trace(request.id)
        #expect(trace.mailboxes.map(\.name) == ["bob", "alice"])
        #expect(trace.mailboxes.map(\.flags) == [["deleted"], ["received", "delivered"]])
        #expect(trace.mailboxes[1].devices.map(\.acknowledged) == [true, false])
        #expect(trace.ledger.map(\.amount) == [-4])
        await #expect(throws: Refusal(.notFound, "")) { try await world.service.trace(try world.newID()) }
        let restarted = try await world.restarted()
        #expect(try await restarted.service.operatorSettings() == settings)
    }
}
