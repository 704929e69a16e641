import ClientWire
import MessagingCore
import Store
import Testing

@testable import MessagingService

@Suite("Rights, prices, quotas and the ledger")
struct ChargingTests {
    private func open(
        perReceiver: Int64 = 5,
        perBlock: Int64 = 2,
        router: any OutboundRouter = NoRoutes()
    ) async throws
        -> World
    {
        let world = try await World.open(router: router)
        var settings = OperatorSettings()
        settings.tariff = Tariff(perReceiver: perReceiver, perBlock: perBlock)
        _ = try await world.service.putOperatorSettings(settings)
        return world
    }

    @Test("no credit: nothing stored, sent, charged or remembered; with credit the same id goes through")
    func noCredit() async throws {
        let world = try await open()
        let bob = try await world.person("bob", balance: 9)
        let alice = try await world.person("alice")
        let carol = try await world.person("carol")
        let picture = try await world.upload(bob.who, [1, 2, 3])
        var request = try world.request("hi", to: alice, carol)
        request.parts.append(PartRequest(upload: picture))
        let (before, blobs) = (try await world.account(bob), try await world.storedBlobs())
        let refused = request
        await #expect(throws: Refusal(.noCredit, "")) { try await world.service.send(bob.who, refused) }
        #expect(try await world.account(bob) == before)
        #expect(try await world.account(alice).head == 1)
        #expect(try await world.item(bob, request.id) == nil)
        #expect(try await world.contents(bearing: request.id).isEmpty)
        #expect(try await world.storedBlobs() == blobs)
        #expect(try await world.service.status().outbox == 0)
        _ = try await world.service.credit(bob.id, CreditRequest(amount: 1, note: "a coin"))
        #expect(try await world.service.send(bob.who, request).balance == 0)
        try await world.expectSound()
    }

    @Test("the price by size and receivers, one line for each receiver, the balance in every line")
    func prices() async throws {
        let world = try await open()
        let bob = try await world.person("bob", balance: 100)
        let alice = try await world.person("alice")
        let carol = try await world.person("carol")
        // Two started blocks beyond the first: 5 + 2 * 2 for each receiver.
        let video = try await world.upload(bob.who, Array(repeating: 7, count: 3 * 65536), type: "video/mp4")
        let request = SendRequest(
            id: try world.newID(),
            to: [alice.address, carol.address],
            parts: [PartRequest(upload: video)]
        )
        #expect(try await world.service.send(bob.who, request).balance == 82)
        let lines = try await world.service.ledger(bob.id, before: nil, limit: 10).lines
        #expect(lines.map(\.amount) == [-9, -9, 100])
        #expect(lines.map(\.balance) == [82, 91, 100])
        #expect(lines.map(\.receiver) == [carol.address, alice.address, nil])
        #expect(lines.map(\.message) == [request.id, request.id, nil])
        try await world.expectSound()
    }

    @Test("a permanent failure is refunded once: at once for an unknown user, after the outbox for a domain")
    func refunds() async throws {
        let router = ScriptedRouter()
        let world = try await open(router: router)
        let bob = try await world.person("bob", balance: 100)
        let alice = try await world.person("alice")
        let request = try world.request(
            "hi",
            to: [alice.address, try Address("nobody@localhost"), try Address("far@elsewhere.example")]
        )
        #expect(try await world.service.send(bob.who, request).balance == 90)
        router.answer(.temporary)
        for _ in 0..<5 {
            try await world.workOutbox()
            world.clock.advance(milliseconds: 600_000)
        }
        #expect(router.tried == 5)
        #expect(try await world.account(bob).balance == 90)
        router.answer(.permanent(.notFound))
        try await world.workOutbox()
        try await world.workOutbox()
        #expect(router.tried == 6)
        #expect(try await world.account(bob).balance == 95)
        let reasons = try await world.ledger(bob).reversed().map { "\($0.reason) \($0.amount)" }
        #expect(
            reasons == ["credit 100", "message -5", "message -5", "refund 5", "message -5", "refund 5"]
        )
        let again = try await world.service.send(bob.who, request)
        #expect(again.repeated)
        #expect(again.receivers.map(\.state) == ["pending", "failed", "failed"])
        try await world.expectSound()
    }

    @Test(
        "another provider's receiver is charged once and handed over with the content, even if the sender deletes his"
    )
    func remote() async throws {
        let router = ScriptedRouter()
        let world = try await open(router: router)
        let bob = try await world.person("bob", balance: 100)
        let request = try world.request("far away", to: [try Address("far@elsewhere.example")])
        _ = try await world.service.send(bob.who, request)
        _ = try await world.service.delete(bob.who, DeleteRequest(ids: [request.id], scope: .everywhere))
        try await world.workOutbox()
        #expect(router.texts == ["far away"])
        #expect(try await world.account(bob).balance == 95)
        #expect(try await world.contents(bearing: request.id).isEmpty)
        // A later failure settles the ledger and changes nothing else.
        let second = try world.request("far too", to: [try Address("far@elsewhere.example")])
        _ = try await world.service.send(bob.who, second)
        _ = try await world.service.delete(bob.who, DeleteRequest(ids: [second.id], scope: .everywhere))
        router.answer(.permanent(.forbidden))
        let head = try await world.account(bob).head
        try await world.workOutbox()
        #expect(try await world.account(bob).balance == 95)
        #expect(try await world.account(bob).head == head)
        try await world.expectSound()
    }

    @Test("one receiver's full quota fails that receiver only, and is refunded")
    func receiverQuota() async throws {
        let world = try await open()
        let bob = try await world.person("bob", balance: 100)
        let alice = try await world.person("alice")
        let full = try await world.person("carol", entitlement: Entitlement(quotaBytes: 10))
        let request = try world.request("eleven byte", to: alice, full)
        let answer = try await world.service.send(bob.who, request)
        #expect(answer.receivers.map(\.state) == ["pending", "failed"])
        #expect(answer.receivers[1].reason == .quotaExceeded)
        #expect(answer.balance == 95)
        #expect(try await world.item(full, request.id) == nil)
        #expect(try await world.account(full).used == 0)
        let fits = try world.request("ten bytes.", to: full)
        #expect(try await world.service.send(bob.who, fits).receivers.map(\.state) == ["pending"])
        #expect(try await world.account(full).used == 10)
        // Deleting makes room.
        _ = try await world.service.delete(full.who, DeleteRequest(ids: [fits.id], scope: .everywhere))
        #expect(try await world.account(full).used == 0)
        try await world.expectSound()
    }

    @Test("the sender's rights: quota, size, leave to send, own addresses")
    func senderRights() async throws {
        let world = try await open(perReceiver: 0, perBlock: 0)
        let alice = try await world.person("alice")
        let bob = try await world.person(
            "bob",
            entitlement: Entitlement(maximumMessageBytes: 50, quotaBytes: 60)
        )
        let service = world.service
        _ = try await service.send(bob.who, try world.request(String(repeating: "x", count: 40), to: alice))
        let before = try await world.account(bob)
        await #expect(throws: Refusal(.quotaExceeded, "")) {
            try await service.send(bob.who, try world.request(String(repeating: "x", count: 21), to: alice))
        }
        await #expect(throws: Refusal(.tooLarge, "")) {
            try await service.send(bob.who, try world.request(String(repeating: "x", count: 51), to: alice))
        }
        var foreign = try world.request("hi", to: alice)
        foreign.from = alice.address
        let misnamed = foreign
        await #expect(throws: Refusal(.forbidden, "")) { try await service.send(bob.who, misnamed) }
        #expect(try await world.account(bob) == before)
        var change = AccountChange()
        change.entitlement = Entitlement(canSend: false)
        _ = try await service.changeAccount(bob.id, change)
        await #expect(throws: Refusal(.notEntitled, "")) {
            try await service.send(bob.who, try world.request("x", to: alice))
        }
        // Receiving and reading go on.
        let request = try world.request("still here?", to: bob)
        _ = try await service.send(alice.who, request)
        #expect(try await service.markRead(bob.who, ReadRequest(ids: [request.id])).changed == 1)
        try await world.expectSound()
    }

    @Test("concurrent senders of one account never overdraw it")
    func overdraft() async throws {
        let world = try await open()
        let bob = try await world.person("bob", devices: [.mobile, .computer], balance: 52)
        let alice = try await world.person("alice")
        let accepted = try await withThrowingTaskGroup(of: Bool.self) { group in
            for index in 0..<40 {
                let who = bob.devices[index % 2].identity
                let request = try world.request("number \(index)", to: alice)
                group.addTask {
                    do {
                        _ = try await world.service.send(who, request)
                        return true
                    } catch let refusal as Refusal where refusal.code == .noCredit { return false }
                }
            }
            return try await group.reduce(0) { $0 + ($1 ? 1 : 0) }
        }
        #expect(accepted == 10)
        #expect(try await world.account(bob).balance == 2)
        #expect(try await world.service.messages(alice.who, Listing(box: .inbox, limit: 100)).items.count == 10)
        try await world.expectSound()
    }

    @Test("credit by hand is booked with its note; amounts that overflow are refused")
    func credit() async throws {
        let world = try await open()
        let bob = try await world.person("bob", balance: 10)
        #expect(try await world.service.credit(bob.id, CreditRequest(amount: -4, note: "fee")).balance == 6)
        await #expect(throws: Refusal(.invalidRequest, "")) {
            try await world.service.credit(bob.id, CreditRequest(amount: .max))
        }
        // What is given back later still finds room.
        await #expect(throws: Refusal(.invalidRequest, "")) {
            try await world.service.credit(bob.id, CreditRequest(amount: Account.largestBalance - 5))
        }
        #expect(try await world.ledger(bob).map(\.note) == ["fee", "opening balance"])
        try await world.expectSound()
    }
}
