import Foundation
import FoundationNetworking
import Testing

/// Steps 1 to 15 of the requirement document, played by the real program: server, and devices of two people.
@Suite("Messages, from one person to every device of another", .serialized)
struct MessageStoryTests {
    /// Bob has a laptop, a mobile and a PDA; Alice a mobile, a fixed phone and a laptop, and rules.
    private static func installation() async throws -> Installation {
        let home = try Installation()
        try await home.start()
        try home.makeAccount("alice@a.example", "alice.work@a.example")
        try home.makeAccount("bob@a.example", balance: 100)
        try home.logIn("bob@a.example", device: "bob-laptop", label: "Bob's laptop")
        try home.logIn("bob@a.example", device: "bob-mobile", kind: "mobile")
        try home.logIn("bob@a.example", device: "bob-pda", kind: "pda")
        try home.logIn("alice@a.example", device: "alice-mobile", kind: "mobile")
        try home.logIn("alice@a.example", device: "alice-phone", kind: "fixed-phone")
        try home.logIn("alice@a.example", device: "alice-laptop", kind: "computer")
        let rules = """
            {"incoming":{"rules":[
            {"name":"business","when":{"to":["sip:alice.work@a.example"]},"unless":{"deviceKinds":["computer"]},
             "then":{"deliver":"nothing"}},
            {"name":"pictures","when":{"deviceKinds":["fixed-phone"],"media":["image/*"]},
             "then":{"deliver":"notification"}}]}}
            """
        let file = home.folder.path + "/rules.json"
        try rules.write(toFile: file, atomically: true, encoding: .utf8)
        try home.succeed("rules", "put", file, "--device", "alice-laptop")
        return home
    }

    /// A real picture: a PNG of one red dot.
    private static let picture =
        Data(
            base64Encoded:
                "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8DwHwAFBQIAX8jx0gAAAABJRU5ErkJggg=="
        ) ?? Data()

    @Test("a message with pictures: delivered by rule, reported, read and deleted everywhere")
    func story() async throws {
        let home = try await Self.installation()
        let picture = home.folder.path + "/harbour.png"
        try Self.picture.write(to: URL(fileURLWithPath: picture))

        // 7-10: Alice's mobile and laptop are watched; her fixed phone is off for now.
        let mobile = try home.watch("alice-mobile")
        let laptop = try home.watch("alice-laptop")
        _ = try await mobile.event("up-to-date")
        _ = try await laptop.event("up-to-date")

        // 1-4: Bob picks Alice from his contacts and sends text and pictures; the tariff charges him once.
        try home.operate("settings")
        try home.succeed("contacts", "add", "Alice", "alice@a.example", "--device", "bob-laptop")
        let sent = try home.succeed(
            "send",
            "alice@a.example",
            "--device",
            "bob-laptop",
            "--subject",
            "Harbour",
            "--text",
            "Look at this",
            "--file",
            picture,
            "--file",
            picture,
            "--json"
        )
        let id = try #require(sent.objects.first?.id)
        #expect(sent.objects.first?["repeated"] as? Bool == false)

        // The same client id again: the same answer, not a second message.
        let arrived = try await mobile.event("arrived") { $0.id == id }
        #expect(arrived["deliver"] as? String == "whole")
        #expect(arrived.texts == ["Look at this"])
        #expect((arrived.message?["parts"] as? [Any])?.count == 3)
        #expect(try await laptop.event("arrived") { $0.id == id }["deliver"] as? String == "whole")

        // 6: Bob's other devices have a copy of what he sent.
        let copy = try #require(try home.inbox("bob-mobile", "--sent").first)
        #expect(copy.id == id)
        #expect(copy["boxes"] as? [String] == ["sent"])

        // 8: the fixed phone gets a notification with a link, because of the pictures.
        let phone = try home.synchronise("alice-phone")
        let notice = try #require(phone.compactMap { $0["item"] as? [String: Any] }.first { $0.id == id })
        #expect(notice["deliver"] as? String == "notification")
        let link = try #require((notice["notice"] as? [String: Any])?["link"] as? String)
        let linked = try await URLSession.shared.data(from: try #require(URL(string: link))).0
        #expect(String(decoding: linked, as: UTF8.self).contains("Look at this"))

        // Why: the explanation names the rule and its condition.
        let why = try home.succeed("rules", "why", id, "--device", "alice-laptop", "--json").objects
        let phoneWhy = try #require(why.first { $0["kind"] as? String == "fixed-phone" })
        #expect((phoneWhy["because"] as? String)?.contains("rule 'pictures' matched") == true)

        // 12: Bob is told of the delivery, and then of the reading, on all his devices.
        let bob = try home.watch("bob-pda")
        #expect(try await bob.event("arrived") { $0.id == id }.states == ["delivered"])

        // 11: opened on the laptop, read on the mobile at once and on the phone when it comes back.
        #expect(
            try home.succeed("read", id, "--device", "alice-laptop", "--json").objects.last?["changed"] as? Int == 1
        )
        _ = try await mobile.event("changed") { $0.id == id && $0["read"] as? Bool == true }
        _ = try await bob.event("changed") { $0.id == id && $0.states == ["displayed"] }
        let phoneRead = try home.synchronise("alice-phone")
        #expect(phoneRead.contains { ($0["item"] as? [String: Any])?["read"] as? Bool == true })

        // 15: the parts are saved, byte for byte.
        let folder = home.folder.path + "/saved"
        try home.succeed("fetch", id, "--save", folder, "--device", "alice-laptop")
        #expect(FileManager.default.contents(atPath: folder + "/harbour.png") == Self.picture)

        // 14: deleted on the mobile only: the others have it, and the mobile can fetch it again.
        try home.succeed("delete", id, "--here", "--device", "alice-mobile")
        let lowered = try #require(try home.inbox("alice-mobile").first { $0.id == id })
        #expect(lowered["deliver"] as? String == "notification")
        #expect(lowered.message == nil)
        #expect(try home.inbox("alice-laptop").first { $0.id == id }?.texts == ["Look at this"])
        let fetched = try home.succeed("fetch", id, "--device", "alice-mobile", "--json").objects
        #expect(fetched.first?.texts == ["Look at this"])

        // 13: deleted everywhere: gone at once where there is a connection, first thing where there was none.
        try home.succeed("delete", id, "--device", "alice-laptop")
        _ = try await laptop.event("gone") { $0.id == id }
        let gone = try home.synchronise("alice-phone")
        #expect(gone.contains { $0["event"] as? String == "gone" && ($0["item"] as? [String: Any])?.id == id })
        #expect(try !home.inbox("alice-mobile").contains { $0.id == id })
        #expect(home.run(["fetch", id, "--device", "alice-mobile"]).status == 1)
        // Bob's copy is his.
        #expect(try home.inbox("bob-laptop", "--sent").contains { $0.id == id })

        mobile.end()
        laptop.end()
        bob.end()
        home.stop()
        home.expectSound()
    }

    @Test("business mail reaches the computer only; several receivers; repeats; search; reply and forward")
    func receivers() async throws {
        let home = try await Self.installation()
        try home.makeAccount("carol@a.example")
        try home.logIn("carol@a.example", device: "carol")
        let sent = try home.succeed(
            "send",
            "alice.work@a.example",
            "carol@a.example",
            "nobody@a.example",
            "x@elsewhere.example",
            "--device",
            "bob-laptop",
            "--text",
            "The contract is ready",
            "--json"
        )
        let answer = try #require(sent.objects.first)
        #expect(answer.states == ["pending", "pending", "failed", "pending"])
        let id = answer.id
        #expect(try home.inbox("alice-mobile").allSatisfy { $0["deliver"] as? String == "nothing" || $0.id != id })
        #expect(try home.inbox("alice-laptop").first?.texts == ["The contract is ready"])
        #expect(try home.inbox("carol").first?.texts == ["The contract is ready"])

        // The unknown domain fails for good, and says so.
        for _ in 0..<100 {
            if try home.inbox("bob-laptop", "--sent").first?.states.last == "failed" { break }
            try await Task.sleep(for: .milliseconds(100))
        }
        #expect(try home.inbox("bob-laptop", "--sent").first?.states.last == "failed")

        // The same id again is the same message; the same id with other words is refused.
        let again = home.run([
            "send", "alice.work@a.example", "carol@a.example", "nobody@a.example", "x@elsewhere.example", "--device",
            "bob-laptop", "--text", "The contract is ready", "--id", id, "--json",
        ])
        #expect(again.objects.first?["repeated"] as? Bool == true)
        let other = home.run(["send", "carol@a.example", "--device", "bob-laptop", "--text", "Other", "--id", id])
        #expect(other.status == 1)
        #expect(other.errors.contains("conflict"))
        #expect(try home.inbox("carol").count == 1)

        // Reply, forward, search.
        let reply = try home.succeed("send", "--reply", id, "--text", "Thank you", "--device", "carol", "--json")
        let replyID = try #require(reply.objects.first?.id)
        let received = try #require(try home.inbox("bob-laptop").first)
        #expect(received.id == replyID)
        #expect(received.message?["inReplyTo"] as? String == id)
        try home.succeed("send", "alice@a.example", "--forward", id, "--device", "carol")
        #expect(try home.inbox("alice-laptop").first?.texts == ["The contract is ready"])
        #expect(try home.succeed("search", "contract", "--device", "alice-laptop", "--json").objects.count == 2)
        #expect(try home.succeed("search", "contract nothing", "--device", "carol", "--json").objects.isEmpty)
        home.stop()
        home.expectSound()
    }

    @Test("no credit: refused, nothing stored, sent or charged; then charged once")
    func credit() async throws {
        let home = try await Self.installation()
        let settings = home.folder.path + "/settings.json"
        var document = try #require(try home.operate("settings").objects.first)
        document["tariff"] = ["perMedium": 0, "perRequest": 2, "perReceiver": 3, "perBlock": 0]
        try JSONSerialization.data(withJSONObject: document).write(to: URL(fileURLWithPath: settings))
        try home.operate("settings", "--put", settings)
        try home.logIn("alice@a.example", device: "alice-poor")
        let refused = home.run(["send", "bob@a.example", "--device", "alice-poor", "--text", "I owe you"])
        #expect(refused.status == 1)
        #expect(refused.errors.contains("no-credit"), "\(refused.errors)")
        #expect(try home.inbox("bob-laptop").isEmpty)
        #expect(try home.inbox("alice-poor", "--sent").isEmpty)
        let before = try home.succeed("me", "ledger", "--device", "alice-poor", "--json").objects
        #expect(before.allSatisfy { $0["reason"] as? String != "message" })

        let sent = try home.succeed("send", "alice@a.example", "--device", "bob-laptop", "--text", "Paid", "--json")
        #expect(sent.objects.first?["balance"] as? Int == 97)
        let ledger = try home.succeed("me", "ledger", "--device", "bob-laptop", "--json").objects
        let charged = ledger.filter { $0["message"] as? String == sent.objects.first?.id }
        #expect(charged.compactMap { $0["amount"] as? Int }.reduce(0, +) == -3)
        home.stop()
    }
}
