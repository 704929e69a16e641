import ClientWire
import ContinuoClient
import Foundation
import MessagingCore
import Synchronization
import Testing

/// The server is killed at random instants under load: what it acknowledged is there exactly once, on both sides.
@Suite("kill -9 under load", .serialized)
struct CrashTests {
    /// Rounds of the ordinary test; `make soak` asks for hundreds.
    static let rounds = ProcessInfo.processInfo.environment["CONTINUO_SOAK_ROUNDS"].flatMap { Int($0) } ?? 5

    /// What one sender knows: ids it has an answer for.
    final class Acknowledged: Sendable {
        private let stored = Mutex<[String: Int]>([:])

        func add(_ id: MessageID) { stored.withLock { $0[id.description, default: 0] += 1 } }

        var ids: Set<String> { stored.withLock { Set($0.keys) } }
    }

    /// Sends messages one after the other, some with a file, repeating each until it is answered.
    static func send(
        as client: ContinuoClient,
        to receiver: Address,
        file: String,
        into acknowledged: Acknowledged,
        until end: ContinuousClock.Instant
    ) async throws {
        var count = 0
        while ContinuousClock.now < end {
            count += 1
            var parts = [PartRequest(text: "message \(count) to \(receiver)")]
            if count % 7 == 0 {
                let upload = try await Self.repeated {
                    try await client.upload(file: file, type: "application/octet-stream", name: "random.bin")
                }
                var part = PartRequest(text: "")
                part.text = nil
                part.type = nil
                part.upload = upload.id
                parts.append(part)
            }
            let request = SendRequest(
                id: try await Self.repeated { try await client.newMessageID() },
                to: [receiver],
                parts: parts,
                reports: [.delivered]
            )
            _ = try await client.send(
                request,
                attempts: 200,
                backoff: Backoff(first: .milliseconds(20), limit: .milliseconds(200))
            )
            acknowledged.add(request.id)
        }
    }

    /// Does something again while no server answers, for as long as a restart may take on a busy machine.
    static func repeated<T: Sendable>(_ body: () async throws -> T) async throws -> T {
        let end = ContinuousClock.now + .seconds(60)
        while true {
            do {
                return try await body()
            } catch let error as ClientError where error.isTemporary && ContinuousClock.now < end {
                try await Task.sleep(for: .milliseconds(50))
            }
        }
    }

    /// All messages of one box, page by page: id and how often it is there.
    static func all(_ client: ContinuoClient, box: String) async throws -> [String: Int] {
        var counts: [String: Int] = [:]
        var before: ChangeNumber?
        repeat {
            let page = try await client.messages(box: box, before: before, limit: 100)
            for item in page.items { counts[item.id, default: 0] += 1 }
            before = page.next
        } while before != nil
        return counts
    }

    static func ledger(_ client: ContinuoClient) async throws -> [String: Int64] {
        var sums: [String: Int64] = [:]
        var before: Int64?
        repeat {
            let page = try await client.ledger(before: before, limit: 100)
            for line in page.lines where line.reason == .message {
                sums[line.message?.description ?? "", default: 0] += line.amount
            }
            before = page.next
        } while before != nil
        return sums
    }

    @Test("every acknowledged message is there exactly once on both sides, and charged once")
    func killed() async throws {
        let home = try Installation()
        try await home.start()
        let settings = home.folder.path + "/settings.json"
        var document = try #require(try home.operate("settings").objects.first)
        document["tariff"] = ["perMedium": 0, "perRequest": 0, "perReceiver": 1, "perBlock": 0]
        try JSONSerialization.data(withJSONObject: document).write(to: URL(fileURLWithPath: settings))
        try home.operate("settings", "--put", settings)
        let names = ["ann", "ben", "cat", "dan"]
        for name in names {
            try home.makeAccount("\(name)@a.example", balance: 1_000_000)
            try home.logIn("\(name)@a.example", device: name)
        }
        let file = home.folder.path + "/random.bin"
        try Data((0..<200_000).map { _ in UInt8.random(in: 0...255) }).write(to: URL(fileURLWithPath: file))
        let clients = try names.map { try home.profile($0).client() }
        let acknowledged = names.map { _ in Acknowledged() }

        for _ in 0..<Self.rounds {
            let end = ContinuousClock.now + .milliseconds(1500)
            try await withThrowingTaskGroup(of: Void.self) { group in
                for (index, client) in clients.enumerated() {
                    let receiver = try Address("\(names[(index + 1) % names.count])@a.example")
                    let mine = acknowledged[index]
                    group.addTask {
                        try await Self.send(as: client, to: receiver, file: file, into: mine, until: end)
                    }
                }
                try await Task.sleep(for: .milliseconds(Int.random(in: 100...1400)))
                home.crash()
                try await home.start()
                try await group.waitForAll()
            }
        }

        for (index, client) in clients.enumerated() {
            let mine = acknowledged[index].ids
            // How many, hangs on the machine; none would prove nothing.
            #expect(!mine.isEmpty)
            let sent = try await Self.all(client, box: "sent")
            #expect(sent.values.allSatisfy { $0 == 1 })
            #expect(Set(sent.keys) == mine)
            let received = try await Self.all(clients[(index + 1) % names.count], box: "inbox")
            #expect(received.values.allSatisfy { $0 == 1 })
            #expect(Set(received.keys) == mine)
            let ledger = try await Self.ledger(client)
            #expect(Set(ledger.keys) == mine)
            #expect(ledger.values.allSatisfy { $0 == -1 })
            let balance = try await client.account().balance
            #expect(balance == 1_000_000 - Int64(mine.count))
        }
        home.crash()
        try await home.start()
        home.stop()
        home.expectSound()
    }
}
