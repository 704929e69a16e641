import ClientWire
import MessagingCore
import MessagingService
import Store
import Testing

@Suite("Sending")
struct SendTests {
    @Test("one message to two receivers, in each mailbox once; the same again is the same; other content is a conflict")
    func idempotent() async throws {
        let provider = try await Provider()
        let service = provider.service
        _ = try await provider.account("bob@a.example")
        _ = try await provider.account("alice@a.example")
        _ = try await provider.account("carol@a.example")
        let bob = try await provider.device("bob@a.example")
        let alice = try await provider.device("alice@a.example")
        let carol = try await provider.device("carol@a.example")
        let request = try provider.text("hello", to: "alice@a.example", "carol@a.example")
        let answer = try await service.send(bob, request)
        #expect(!answer.repeated)
        var again = try await service.send(bob, request)
        #expect(again.repeated)
        again.repeated = false
        #expect(again == answer)
        for receiver in [alice, carol] {
            let inbox = try await provider.inbox(receiver)
            #expect(inbox.map(\.texts) == [["hello"]])
            #expect(inbox.first?.id == request.id.description)
        }
        var other = request
        other.parts = [PartRequest(text: "something else")]
        await #expect(throws: Refusal(.conflict, "")) { try await service.send(bob, other) }
        #expect(
            try await service.ledger(bob.account, before: nil, limit: 100).lines.filter { $0.reason == .message }.count
                == 2
        )
    }

    @Test("an id that is too old or from the future is stale; a foreign one cannot be told from none")
    func stale() async throws {
        let provider = try await Provider()
        let service = provider.service
        _ = try await provider.account("bob@a.example")
        _ = try await provider.account("alice@a.example")
        _ = try await provider.account("eve@a.example")
        let bob = try await provider.device("bob@a.example")
        let eve = try await provider.device("eve@a.example")
        let old = try provider.text("old", to: "alice@a.example")
        provider.clock.turn(by: Limits.keyHorizonMilliseconds + 1)
        await #expect(throws: Refusal(.stale, "")) { try await service.send(bob, old) }
        let future = try provider.text("future", to: "alice@a.example")
        provider.clock.turn(by: -Limits.clockSkewMilliseconds - 1)
        await #expect(throws: Refusal(.invalidID, "")) { try await service.send(bob, future) }
        let request = try provider.text("mine", to: "alice@a.example")
        _ = try await service.send(bob, request)
        for id in [request.id, MessageID(stored: "unknown")] {
            await #expect(throws: Refusal(.notFound, "")) { try await service.message(eve, id) }
            await #expect(throws: Refusal(.notFound, "")) { try await service.fetch(eve, id) }
            await #expect(throws: Refusal(.notFound, "")) { try await service.part(eve, id, 0) }
        }
    }

    @Test("no credit: nothing is stored, sent or charged; a failure that is for good is paid back")
    func credit() async throws {
        let provider = try await Provider()
        let service = provider.service
        _ = try await service.putOperatorSettings(OperatorSettings(tariff: Tariff(perReceiver: 4)))
        let account = try await provider.account("bob@a.example", balance: 9)
        _ = try await provider.account("alice@a.example")
        let bob = try await provider.device("bob@a.example")
        let alice = try await provider.device("alice@a.example")
        await #expect(throws: Refusal(.noCredit, "")) {
            try await service.send(bob, try provider.text("x", to: "alice@a.example", "c@b.example", "d@b.example"))
        }
        #expect(try await provider.inbox(alice).isEmpty)
        #expect(try await provider.sent(bob).isEmpty)
        #expect(try await service.account(bob).balance == 9)
        let answer = try await service.send(bob, try provider.text("x", to: "alice@a.example", "c@b.example"))
        #expect(answer.balance == 1)
        while try await service.workOutbox() {}
        #expect(try await service.account(bob).balance == 5)
        #expect(try await provider.sent(bob).first?.states == ["pending", "failed"])
        let lines = try await service.ledger(account, before: nil, limit: 100).lines
        #expect(lines.filter { $0.message == answer.id }.map(\.amount).reduce(0, +) == -4)
        #expect(lines.map(\.number) == Array((1...Int64(lines.count)).reversed()))
    }

    @Test("a full quota: the sender's refuses the message, one receiver's fails for them alone")
    func quota() async throws {
        let provider = try await Provider()
        let service = provider.service
        _ = try await provider.account("bob@a.example")
        _ = try await provider.account("alice@a.example")
        _ = try await provider.account("full@a.example", entitlement: Entitlement(quotaBytes: 10))
        let bob = try await provider.device("bob@a.example")
        let full = try await provider.device("full@a.example")
        let answer = try await service.send(
            bob,
            try provider.text("more than ten bytes", to: "alice@a.example", "full@a.example")
        )
        #expect(answer.receivers.map(\.state) == ["pending", "failed"])
        #expect(answer.receivers.last?.reason == .quotaExceeded)
        #expect(try await provider.inbox(full).isEmpty)
        await #expect(throws: Refusal(.quotaExceeded, "")) {
            try await service.send(full, try provider.text("more than ten bytes", to: "alice@a.example"))
        }
        #expect(try await provider.sent(full).isEmpty)
    }

    @Test("blocked senders, sending to oneself, unknown receivers")
    func receivers() async throws {
        let provider = try await Provider()
        let service = provider.service
        _ = try await provider.account("bob@a.example")
        _ = try await provider.account("alice@a.example")
        let bob = try await provider.device("bob@a.example")
        let alice = try await provider.device("alice@a.example")
        _ = try await service.putBlocked(alice, BlockedDocument(addresses: [try Address("bob@a.example")]))
        _ = try await service.send(bob, try provider.text("let me in", to: "alice@a.example"))
        let blocked = try #require(try await provider.inbox(alice).first)
        #expect(blocked.deliver == .nothing)
        #expect(blocked.message == nil)
        _ = try await service.send(bob, try provider.text("note", to: "bob@a.example"))
        let own = try await provider.inbox(bob)
        #expect(own.map(\.texts) == [["note"]])
        #expect(own.first?.boxes == ["inbox", "sent"])
        let answer = try await service.send(bob, try provider.text("hello?", to: "nobody@a.example"))
        #expect(answer.receivers.first?.state == "failed")
        #expect(answer.receivers.first?.reason == .notFound)
    }

    @Test("a batch that cannot be committed is refused and leaves nothing; a clock that steps back does no harm")
    func clockBack() async throws {
        let provider = try await Provider()
        let service = provider.service
        _ = try await provider.account("bob@a.example")
        _ = try await provider.account("alice@a.example")
        let bob = try await provider.device("bob@a.example")
        let alice = try await provider.device("alice@a.example")
        _ = try await service.send(bob, try provider.text("one", to: "alice@a.example"))
        provider.clock.turn(by: -3_600_000)
        _ = try await service.send(bob, try provider.text("two", to: "alice@a.example"))
        try await service.sweep()
        #expect(try await provider.inbox(alice).map(\.texts) == [["two"], ["one"]])
    }

    @Test("many senders at once: every acknowledged message once in each mailbox, numbers dense, charged one to one")
    func stress() async throws {
        let provider = try await Provider()
        let service = provider.service
        let names = (0..<6).map { "user\($0)@a.example" }
        var devices: [DeviceIdentity] = []
        for name in names {
            _ = try await provider.account(name, balance: 100_000)
            devices.append(try await provider.device(name))
        }
        _ = try await service.putOperatorSettings(OperatorSettings(tariff: Tariff(perReceiver: 1)))
        let people = devices
        let sent = try await withThrowingTaskGroup(of: [MessageID].self) { group in
            for (index, device) in people.enumerated() {
                group.addTask {
                    var ids: [MessageID] = []
                    for number in 0..<40 {
                        let receivers = [names[(index + 1) % 6], names[(index + 2) % 6]]
                        let request = SendRequest(
                            id: provider.clock.newID(),
                            to: try receivers.map { try Address($0) },
                            parts: [PartRequest(text: "message \(number)")],
                            reports: [.delivered, .displayed]
                        )
                        ids.append(try await service.send(device, request).id)
                        if number % 3 == 0 { _ = try await service.send(device, request) }
                        if number % 5 == 0 {
                            _ = try await service.markRead(device, ReadRequest(ids: ids))
                            _ = try await service.delete(device, DeleteRequest(ids: [ids[0]], scope: .here))
                        }
                    }
                    return ids
                }
            }
            var all: [[MessageID]] = []
            for try await ids in group { all.append(ids) }
            return Set(all.flatMap(\.self))
        }
        #expect(sent.count == 240)
        for device in devices {
            let items = try await provider.store.read { try $0.changes(device.account, after: 0, limit: 10000) }
            let account = try #require(try await provider.store.read { try $0.user(device.account) }?.account)
            #expect(Set(items.map(\.created)).count == items.count)
            #expect(items.last?.changed == account.head)
            let messages = items.filter { $0.kind == .message }
            #expect(Set(messages.map(\.object)).count == messages.count)
            #expect(messages.count { $0.message?.flags.contains(.received) == true } == 80)
            #expect(messages.count { $0.message?.flags.contains(.sent) == true } == 40)
            #expect(account.balance == 100_000 - 80)
            let lines = try await provider.store.read { try $0.ledger(device.account, before: .max, limit: 1000) }
            #expect(lines.count { $0.reason == .message } == 80)
        }
    }
}
