import ClientWire
import MessagingCore
import Store
import Synchronization
import Testing

@testable import MessagingService

/// What was acknowledged to senders, and what was deleted by whom.
private final class Journal: Sendable {
    struct Entries {
        var accepted: [(request: SendRequest, sender: AccountID)] = []
        var deleted: Set<String> = []
    }

    private let stored = Mutex(Entries())

    var entries: Entries { stored.withLock { $0 } }

    func accepted(_ request: SendRequest, by sender: AccountID) {
        stored.withLock { $0.accepted.append((request, sender)) }
    }

    func deletes(_ id: String, _ account: AccountID) {
        stored.withLock { _ = $0.deleted.insert("\(account.rawValue) \(id)") }
    }
}

@Suite("Everything at once")
struct StressTests {
    @Test(
        "many senders, readers, deleters and unruly devices, failing commits: afterwards all invariants hold",
        .timeLimit(.minutes(5)),
        arguments: [1, 2, 3] as [UInt64]
    )
    func storm(seed: UInt64) async throws {
        let world = try await World.open(window: WindowLimits(items: 20, bytes: 50_000))
        var settings = OperatorSettings()
        settings.tariff.perReceiver = 1
        _ = try await world.service.putOperatorSettings(settings)
        var people: [Person] = []
        for number in 0..<6 {
            people.append(
                try await world.person("user\(number)", devices: [.mobile, .computer], balance: 100_000)
            )
        }
        var computer = Conditions()
        computer.deviceKinds = [.computer]
        var book = RuleBook()
        book.incoming.rules = [Rule(name: "only a notice", when: computer, then: Outcome(.notification))]
        _ = try await world.service.putRules(people[0].who, book)
        book.incoming.rules[0].then = Outcome(.nothing)
        _ = try await world.service.putRules(people[1].who, book)

        let journal = Journal()
        let everybody = people
        let devices = try await withThrowingTaskGroup(of: [TestDevice].self) { group in
            for index in everybody.indices {
                group.addTask {
                    try await live(world, everybody, index, Dice(state: seed &* 1000 &+ UInt64(index)), journal)
                }
            }
            group.addTask {
                for round in 0..<20 {
                    try await Task.sleep(for: .milliseconds(20))
                    if round.isMultiple(of: 4) { world.store.failJobs(2) }
                    do {
                        try await world.service.sweep()
                        try await world.service.workOutbox()
                    } catch let refusal as Refusal where refusal.code == .storeFull {}
                }
                return []
            }
            return try await group.reduce(into: []) { $0 += $1 }
        }
        world.store.failJobs(0)
        try await world.workOutbox()
        try await quiet(world, devices)
        try await check(world, everybody, journal.entries)
        for device in devices { try await world.expectMirrored(device) }
        try await world.expectSound()
    }

    /// Waits until nothing moves any more. Listings deliver too, what a failed commit had left to them.
    private func quiet(_ world: World, _ devices: [TestDevice]) async throws {
        var heads: [ChangeNumber] = []
        while true {
            for device in devices {
                try await device.settle()
                var before: ChangeNumber?
                repeat {
                    let listing = Listing(before: before ?? .max, limit: Limits.pageItems)
                    before = try await world.service.messages(device.identity, listing).next
                } while before != nil
            }
            try await world.service.sweep()
            let now = try await world.store.read { view in
                try view.accounts(after: AccountID(rawValue: 0), limit: 100).map(\.head)
            }
            if now == heads { return }
            heads = now
        }
    }

    /// One user's life: two devices that send, read, delete, fetch, stall and go away.
    private func live(
        _ world: World,
        _ people: [Person],
        _ index: Int,
        _ dice: Dice,
        _ journal: Journal
    ) async throws -> [TestDevice] {
        var dice = dice
        let me = people[index]
        var devices = me.devices.map { world.connect($0) }
        for _ in 0..<80 {
            let which = Int.random(in: 0..<2, using: &dice)
            let who = me.devices[which].identity
            let known = devices[which].mirror.items.values.filter { $0.kind == "message" }.map(\.id).sorted()
            do {
                switch Int.random(in: 0..<12, using: &dice) {
                case 0...4:
                    let count = Int.random(in: 1...3, using: &dice)
                    let receivers = people.shuffled(using: &dice).prefix(count).map(\.address)
                    let request = try world.request("from \(index)", to: receivers, reports: [.delivered, .displayed])
                    _ = try await sendUntilAccepted(world, who, request)
                    journal.accepted(request, by: me.id)
                    if count == 2 { _ = try await sendUntilAccepted(world, who, request) }
                case 5, 6:
                    guard let id = known.randomElement(using: &dice) else { continue }
                    _ = try await world.service.markRead(who, ReadRequest(ids: [MessageID(stored: id)]))
                case 7:
                    guard let id = known.randomElement(using: &dice) else { continue }
                    let delete = DeleteRequest(ids: [MessageID(stored: id)], scope: .everywhere)
                    journal.deletes(id, me.id)
                    _ = try await world.service.delete(who, delete)
                case 8:
                    guard let id = known.randomElement(using: &dice) else { continue }
                    _ = try await devices[which].command { $0.fetch = MessageID(stored: id) }
                case 9:
                    await devices[which].take(false)
                    try await Task.sleep(for: .milliseconds(5))
                    await devices[which].take(true)
                case 10:
                    await devices[which].disconnect()
                    devices[which] = devices[which].reconnected(me.devices[which])
                default:
                    let page = try await world.service.conversations(who, before: nil, limit: 1)
                    guard let conversation = page.conversations.first?.conversation else { continue }
                    _ = try await world.service.markRead(who, ReadRequest(conversation: conversation, upTo: .max))
                }
            } catch let refusal as Refusal where [.storeFull, .notFound].contains(refusal.code) {
                // The store failed just then, or the other device was faster.
            }
        }
        return devices
    }

    private func sendUntilAccepted(
        _ world: World,
        _ who: DeviceIdentity,
        _ request: SendRequest
    ) async throws -> SendAnswer {
        while true {
            do { return try await world.service.send(who, request) } catch let refusal as Refusal
                where refusal.code == .storeFull
            {}
        }
    }

    /// Each acknowledged message is exactly once with its sender and each receiver, unless they deleted it; each was
    /// charged once for each receiver.
    private func check(_ world: World, _ people: [Person], _ journal: Journal.Entries) async throws {
        #expect(journal.accepted.count > 100)
        let accounts = Dictionary(uniqueKeysWithValues: people.map { ($0.address, $0.id) })
        var expected: [AccountID: Set<String>] = [:]
        var charged: [AccountID: Int] = [:]
        for (request, sender) in journal.accepted {
            for account in Set(request.to.compactMap { accounts[$0] } + [sender]) {
                let id = request.id.description
                if !journal.deleted.contains("\(account.rawValue) \(id)") { expected[account, default: []].insert(id) }
            }
            charged[sender, default: 0] += request.to.count
        }
        for person in people {
            let items = try await world.store.read {
                try $0.changes(person.id, after: 0, limit: 100_000).filter { $0.kind == .message && !$0.isTombstone }
            }
            let present = Set(items.map(\.object))
            #expect(present.count == items.count)
            #expect(present.isSuperset(of: expected[person.id] ?? []))
            // A deletion that failed left its message: nothing else may be there.
            let unexpected = present.subtracting(expected[person.id] ?? []).filter {
                !journal.deleted.contains("\(person.id.rawValue) \($0)")
            }
            #expect(unexpected.isEmpty)
            #expect(try await world.ledger(person).count { $0.reason == .message } == charged[person.id] ?? 0)
        }
    }
}
