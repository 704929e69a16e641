import CPIM
import ClientWire
import MessagingCore
import MessagingService
import SIP
import SessionCore
import Store
import Synchronization
import Testing
import XMLBodies

@testable import SIPGateway

/// What several tasks of a test have seen.
private final class Seen<Value: Sendable>: Sendable {
    private let stored: Mutex<Value>

    init(_ value: Value) { stored = Mutex(value) }

    var value: Value { stored.withLock { $0 } }

    func change(_ body: (inout Value) -> Void) { stored.withLock { body(&$0) } }
}

/// What a phone can have under way, and what it is told when that is too much.
@Suite("Bounds of what one phone begins", .timeLimit(.minutes(3)))
struct PhoneBoundTests {
    @Test("A report is answered once what it says is stored; more of them than a phone may have in hand are refused")
    func reports() async throws {
        let provider = try await Provider.start { $0.messagesInHand = 2 }
        let (alice, bob) = (try await provider.person("alice"), try await provider.person("bob"))
        let phone = try await TestPhone.make(try await provider.phone(of: alice), at: provider, .tcp)
        try await phone.register()
        var ids: [MessageID] = []
        for number in 1...6 { ids.append(try await provider.send("text \(number)", from: bob, to: alice)) }
        #expect(try await phone.waits(for: 6))
        let held = try await provider.holdCommits()
        let statuses = Seen<[SIPStatus]>([])
        try await withThrowingTaskGroup(of: Void.self) { group in
            for id in ids {
                group.addTask {
                    let report = IMDNDocument(
                        messageID: "\(id)",
                        dateTime: "2026-11-30T12:00:00Z",
                        recipientURI: "sip:alice@example.org",
                        originalRecipientURI: "sip:alice@example.org",
                        notification: .display(.displayed)
                    )
                    let text = String(decoding: report.bytes, as: UTF8.self)
                    let answer = try await phone.write(text, to: "sip:bob@example.org", type: "message/imdn+xml")
                    statuses.change { $0.append(answer.status ?? 0) }
                }
            }
            #expect(try await eventually { statuses.value == [503, 503, 503, 503] })
            held.end()
            try await group.waitForAll()
        }
        #expect(statuses.value.filter { $0 == 200 }.count == 2)
        #expect(try await provider.inbox(alice).filter { $0.read ?? false }.count == 2)
        try await phone.close()
        try await provider.stop()
    }

    @Test("A report on several messages marks them all, also where one of them is gone")
    func gone() async throws {
        let provider = try await Provider.start()
        let (alice, bob) = (try await provider.person("alice"), try await provider.person("bob"))
        let ids = [
            try await provider.send("one", from: bob, to: alice), provider.newID(),
            try await provider.send("two", from: bob, to: alice),
        ]
        try await provider.service.markShown(alice.identity, ids)
        try await provider.service.markShown(alice.identity, [])
        #expect(try await provider.inbox(alice).map(\.read) == [true, true])
        try await provider.stop()
    }

    @Test("What was shown over MSRP is answered once it is stored")
    func shown() async throws {
        let chat = try await Chat.start()
        let id = try await chat.provider.ask(chat.bob, chat.alice)
        #expect(try await chat.isOnPhone(id))
        try await chat.provider.say("one", chat.bob, id)
        #expect(try await chat.hears(["one"]))
        let text = try #require(chat.texts.heard.first)
        let held = try await chat.provider.holdCommits()
        let isDone = Seen(false)
        async let showing: Void = {
            try await chat.texts.shows(text, from: "sip:alice@example.org")
            isDone.change { $0 = true }
        }()
        try await Task.sleep(for: .milliseconds(700))
        #expect(!isDone.value)
        held.end()
        try await showing
        #expect(try await chat.provider.inbox(chat.alice).last?.read ?? false)
        try await chat.stop()
    }
}
