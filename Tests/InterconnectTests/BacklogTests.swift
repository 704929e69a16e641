import Foundation
import Interconnect
import MessagingCore
import MessagingService
import Testing

/// What waits for a provider that is away lies on the disk.
@Suite("A backlog for a provider that is away", .timeLimit(.minutes(8)))
struct BacklogTests {
    /// Octets of this process that are in memory.
    private static var resident: Int {
        let fields = (try? String(contentsOfFile: "/proc/self/statm", encoding: .utf8))?.split(separator: " ") ?? []
        return (fields.count > 1 ? Int(fields[1]) ?? 0 : 0) * Int(getpagesize())
    }

    @Test(
        "a hundred and fifty megabytes wait, memory does not grow by them, and another provider has its messages at once"
    )
    func backlog() async throws {
        let (dead, alive) = (try freePort(), try freePort())
        let a = try await Provider("a.example", peers: [peer("b.example", dead), peer("c.example", alive)])
        let c = try await Provider("c.example", port: alive, peers: [peer("a.example", a.port)])
        let (alice, carol) = (try await a.person("alice"), try await c.person("carol"))
        let text = String(repeating: "wait for it ", count: 5000)
        func fill(_ count: Int) async throws {
            for index in 0..<count {
                try await a.send(text, from: alice, to: [try Address("bob\(index % 50)@b.example")], reports: [])
            }
        }
        try await fill(100)
        _ = try await eventually("b is known to be away") { a.interconnect.isAway("b.example") ? true : nil }
        let before = Self.resident
        for step in 0..<4 {
            try await fill(300)
            print("STEP", step, (Self.resident - before) >> 20)
        }
        let grown = Self.resident - before
        let waiting = 1200 * text.utf8.count
        #expect(grown < waiting / 2, "\(grown) octets for \(waiting) that wait")
        let hello = try await a.send("hello", from: alice, to: [carol.address])
        _ = try await c.arrived(hello, carol)
        #expect(a.interconnect.isAway("b.example"))
        print("a backlog of \(waiting >> 20) MiB: memory grew by \(grown >> 20) MiB")
        await a.stop()
        await c.stop()
    }
}
