import Foundation
import Testing

/// Steps 16 to 33 of the requirement document, played by the real program: a server, and a terminal for each device.
@Suite("Conversations that move from device to device", .serialized)
struct ConversationStoryTests {
    private static func installation() async throws -> Installation {
        let home = try Installation()
        try await home.start()
        try home.makeAccount("alice@a.example")
        try home.makeAccount("bob@a.example")
        for (device, kind) in [("laptop", "computer"), ("mobile", "mobile"), ("phone", "fixed-phone")] {
            try home.logIn("alice@a.example", device: "alice-\(device)", kind: kind)
        }
        for (device, kind) in [("laptop", "computer"), ("mobile", "mobile"), ("pda", "pda")] {
            try home.logIn("bob@a.example", device: "bob-\(device)", kind: kind)
        }
        return home
    }

    @Test("asked, accepted on the PDA, moved to the mobile and back, left")
    func story() async throws {
        let home = try await Self.installation()
        // 20-23: every device of Bob's shows the request; his laptop is off.
        let mobile = try await home.chat("bob-mobile")
        let pda = try await home.chat("bob-pda")
        let alices = try await home.chat("alice-mobile")
        // 16-19: Alice asks on her laptop.
        let laptop = try await home.chat("alice-laptop", "bob@a.example", "--subject", "Lunch?", "--message", "Hello?")
        try await mobile.line("request") { ($0["session"] as? [String: Any])?["subject"] as? String == "Lunch?" }
        try await pda.line("request")

        // 24-25: accepted on the PDA, it is gone from the mobile, and never shows on a device that comes later.
        try pda.type("/accept")
        try await mobile.line("outcome") { $0["text"] as? String == "accepted" }
        try await laptop.line("open")
        let late = try await home.chat("bob-laptop")
        #expect(!late.events.contains { $0["event"] as? String == "request" })
        try mobile.type("/accept")
        try await mobile.line("problem")

        // 26: one order for both; the first text rode on the request.
        try pda.type("hello, Alice")
        try await laptop.said("hello, Alice")
        try laptop.type("moving")
        try await pda.said("moving")

        // 28-31 push: the mobile has the history, and the laptop's part ends.
        try laptop.type("/move mobile 2")
        try await alices.said("moving")
        #expect(alices.said.map(\.text) == ["hello, Alice", "moving"])
        try await laptop.line("note") { ($0["text"] as? String)?.hasPrefix("moved to") == true }
        try alices.type("from the mobile")
        try await pda.said("from the mobile")
        // What is said now is not the laptop's any more.
        #expect(laptop.said.last?.text == "moving")

        // 28-31 pull: the laptop finds it and brings it back.
        #expect(home.run(["sessions", "--device", "alice-laptop"]).text.contains("on alice-mobile: live"))
        try laptop.type("/here")
        try await laptop.said("from the mobile")
        try laptop.type("back")
        try await pda.said("back")
        try await laptop.said("back")
        #expect(laptop.said.map(\.ordinal) == Array(1...5))
        #expect(pda.said.map(\.text) == laptop.said.map(\.text))

        // Both devices at once; then Bob leaves, and it is over everywhere.
        try laptop.type("/add phone none")
        try pda.type("/who")
        try await pda.line("info") { ($0["text"] as? String)?.contains("alice@a.example can do") == true }
        try pda.type("/leave")
        try await laptop.line("over")
        #expect(home.run(["sessions", "--device", "alice-laptop"]).text.contains("no conversations"))
        for one in [mobile, pda, alices, laptop, late] { one.end() }
        home.stop()
        home.expectSound()
    }

    @Test("moved while both type and the server is killed: each text once, in one order, on every device")
    func underFire() async throws {
        let home = try await Self.installation()
        let pda = try await home.chat("bob-pda")
        let alices = try await home.chat("alice-mobile")
        let laptop = try await home.chat("alice-laptop", "bob@a.example")
        try await pda.line("request")
        try pda.type("/accept")
        try await laptop.line("open")
        let count = 60
        func type(_ who: String, _ chat: Watcher, _ numbers: Range<Int>) async throws {
            for number in numbers {
                try chat.type("\(who) \(number)")
                try await Task.sleep(for: .milliseconds(50))
            }
        }
        async let bobs: Void = type("bob", pda, 0..<count)
        async let early: Void = type("alice", laptop, 0..<count / 2)
        try laptop.type("/move mobile")
        try await alices.line("note")
        home.crash()
        try await home.start()
        _ = try await (bobs, early)
        try await type("alice", laptop, count / 2..<count)
        for who in ["alice", "bob"] { try await pda.said("\(who) \(count - 1)") }
        try await alices.said("bob \(count - 1)")
        try await alices.said("alice \(count - 1)")
        #expect(pda.said.map(\.ordinal) == Array(1...2 * count))
        #expect(pda.said.filter { $0.text.hasPrefix("bob") }.map(\.text) == (0..<count).map { "bob \($0)" })
        #expect(pda.said.filter { $0.text.hasPrefix("alice") }.map(\.text) == (0..<count).map { "alice \($0)" })
        #expect(alices.said.map(\.text) == pda.said.map(\.text))
        for one in [pda, alices, laptop] { one.end() }
        home.stop()
        home.expectSound()
    }
}
