import ClientWire
import MessagingCore
import MessagingService
import SIP
import SIPGateway
import SessionCore
import Store
import Testing
import XMLBodies

/// Phones, and a store, that cannot for a while.
@Suite("What goes on while something cannot", .timeLimit(.minutes(5)))
struct PatienceTests {
    @Test(
        "A phone that takes no messages rings all the same, and gets them once it takes them, in order, none lost or twice",
        arguments: [480, 503] as [UInt16]
    )
    func busy(status: UInt16) async throws {
        let provider = try await Provider.start {
            $0.retryFirstSeconds = 1
            $0.retryLongestSeconds = 1
            $0.windowItems = 8
        }
        let (alice, bob) = (try await provider.person("alice"), try await provider.person("bob"))
        let phone = try await TestPhone.make(try await provider.phone(of: alice), at: provider, .tcp)
        try await phone.register()
        try await provider.isAble(alice)
        try await phone.answersMessages(SIPStatus(integerLiteral: status))
        try await phone.rings(true)
        let sent = (1...30).map { "text \($0)" }
        for text in sent { try await provider.send(text, from: bob, to: alice, reports: [.delivered]) }
        let id = try await provider.ask(bob, alice, media: [.audio])
        #expect(try await eventually { try await phone.received(.invite).count == 1 })
        _ = try await provider.service.leave(bob.identity, id)
        #expect(try await eventually { try await phone.received(.cancel).count == 1 })
        #expect(Set(try await phone.texts()) == ["text 1"])
        try await phone.answersMessages(200)
        #expect(try await eventually { try await phone.texts().last == "text 30" })
        try await provider.send("at last", from: bob, to: alice)
        #expect(try await eventually { try await phone.texts().last == "at last" })
        let texts = try await phone.texts().drop { $0 == "text 1" }
        #expect(Array(texts) == sent.dropFirst() + ["at last"])
        try await phone.close()
        try await provider.stop()
    }

    @Test("A store that cannot be read for a moment costs a phone that is registered nothing, nor what it watches")
    func unreadable() async throws {
        let provider = try await Provider.start { $0.reopenSeconds = 1 }
        let (alice, bob) = (try await provider.person("alice"), try await provider.person("bob"))
        let phone = try await TestPhone.make(try await provider.phone(of: alice), at: provider)
        try await phone.register()
        try await provider.send("before", from: bob, to: alice)
        #expect(try await phone.waits(for: 1))
        #expect(try await phone.watch("message-summary").status == 200)
        func unread() async throws -> UInt32? {
            let last = try await phone.received(.notify).last
            return try last.flatMap { try MessageSummary(parsing: $0.body).counts["text-message"]?.new }
        }
        #expect(try await eventually { try await unread() == 1 })
        provider.faulty.cannotRead(true)
        // One that cannot be pushed from memory: the stream reads it.
        try await provider.send(String(repeating: "long ", count: 400), from: bob, to: alice, subject: "Novel")
        #expect(try await eventually { provider.faulty.failures > 0 })
        provider.faulty.cannotRead(false)
        #expect(try await phone.waits(for: 2))
        try await provider.send("after", from: bob, to: alice)
        #expect(try await phone.waits(for: 3))
        #expect(try await phone.texts().last == "after")
        #expect(try await eventually { try await unread() == 3 })
        try await phone.close()
        try await provider.stop()
    }

    @Test(
        "A phone that declines while nothing can be stored has declined, by a call and by texts",
        arguments: [false, true]
    )
    func declined(inTexts: Bool) async throws {
        let provider = try await Provider.start()
        let (alice, bob) = (try await provider.person("alice"), try await provider.person("bob"))
        let phone = try await TestPhone.make(try await provider.phone(of: alice), at: provider, .tcp)
        if inTexts { _ = try await phone.registerWithTexts() } else { try await phone.register() }
        try await provider.isAble(alice, to: inTexts ? "msrp" : "audio")
        try await phone.rings(true)
        let id = try await provider.ask(bob, alice, media: inTexts ? nil : [.audio])
        #expect(try await eventually { try await phone.received(.invite).count == 1 })
        provider.faulty.cannotWrite(true)
        let before = provider.faulty.failures
        try await phone.refuses(603)
        #expect(try await eventually { provider.faulty.failures > before })
        try await Task.sleep(for: .milliseconds(100))
        provider.faulty.cannotWrite(false)
        #expect(try await eventually { try await provider.service.session(bob.identity, id).state == .over })
        #expect(try await provider.service.session(bob.identity, id).end == .rejected)
        try await phone.close()
        try await provider.stop()
    }

    @Test("A phone that takes a call while nothing can be stored has it a moment later")
    func taken() async throws {
        let provider = try await Provider.start()
        let (alice, bob) = (try await provider.person("alice"), try await provider.person("bob"))
        let account = try await provider.phone(of: alice)
        let phone = try await TestPhone.make(account, at: provider, .tcp)
        try await phone.register()
        try await provider.isAble(alice)
        try await phone.rings(true)
        let id = try await provider.ask(bob, alice, media: [.audio])
        #expect(try await eventually { try await phone.received(.invite).count == 1 })
        provider.faulty.cannotWrite(true)
        let before = provider.faulty.failures
        try await phone.rings(false)
        #expect(try await eventually { provider.faulty.failures > before })
        try await Task.sleep(for: .milliseconds(100))
        provider.faulty.cannotWrite(false)
        #expect(try await eventually { try await provider.leg(of: account, alice, id)?.state == .live })
        #expect(try await phone.received(.bye).isEmpty)
        try await phone.close()
        try await provider.stop()
    }
}
