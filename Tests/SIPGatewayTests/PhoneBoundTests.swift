import CPIM
import ClientWire
import MessagingCore
import MessagingService
import SIP
import SQLiteStore
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

    @Test("A phone hangs up while the store takes nothing for seconds: its leaving is tried again, and the call ends")
    func leaving() async throws {
        let house = try await Household.start()
        let held = try await house.provider.holdCommits()
        // As many commands as may wait for the writer.
        let isFull = Seen(false)
        while !isFull.value {
            house.provider.store.write { _ in
            } completion: { result in
                if case .failure = result { isFull.change { $0 = true } }
            }
        }
        let refusal = await #expect(throws: Refusal.self) {
            try await house.provider.service.leave(house.bob.identity, house.session)
        }
        #expect(refusal?.code == .unavailable)
        #expect(try await house.desk.within(house.answer, .bye).status == 200)
        // Long enough for what is tried once.
        try await Task.sleep(for: .seconds(2))
        #expect(try await house.bobs.received(.bye).isEmpty)
        held.end()
        #expect(try await eventually { try await house.bobs.received(.bye).count == 1 })
        let isOver = try await house.provider.service.session(house.bob.identity, house.session).state == .over
        #expect(isOver)
        try await house.stop()
    }

    @Test(
        "Calls that are taken back at once, without end: what is still to be undone counts, and then the phone is busy"
    )
    func calls() async throws {
        let provider = try await Provider.start()
        let (alice, bob) = (try await provider.person("alice"), try await provider.person("bob"))
        let phone = try await TestPhone.make(try await provider.phone(of: alice), at: provider, .tcp)
        try await phone.register()
        try await provider.isAble(alice)
        let held = try await provider.holdCommits()
        var statuses: [SIPStatus?] = []
        for _ in 1...7 { statuses.append(try await phone.callBriefly("sip:bob@example.org")) }
        #expect(statuses == [487, 487, 487, 487, 486, 486, 486])
        held.end()
        #expect(try await eventually { try await phone.callBriefly("sip:bob@example.org") == 487 })
        #expect(try await eventually { try await provider.service.sessions(bob.identity).sessions.isEmpty })
        try await phone.close()
        try await provider.stop()
    }

    @Test("Conversations that are taken over and let go at once, without end: one at a time for each, and then busy")
    func takeOvers() async throws {
        let chat = try await Chat.start()
        let provider = chat.provider
        try await chat.phone.rings(true)
        var names: [DialogID] = []
        var sessions: [SessionID] = []
        for number in 1...5 {
            let other = try await provider.person("other\(number)")
            let id = try await provider.ask(other, chat.alice)
            _ = try await provider.service.accept(chat.alice.identity, id, AcceptRequest())
            #expect(try await eventually { try await chat.phone.received(.cancel).count == number })
            let leg = try #require(try await chat.document(id).legs.first)
            names.append(SessionDialogID(id, .leg(leg.generation)).dialog)
            sessions.append(id)
        }
        let held = try await provider.holdCommits()
        func take(_ name: DialogID) async throws -> SIPStatus? {
            try await chat.phone.callBriefly("sip:bob@example.org", offer: try chat.texts.offer()) { request in
                request.append(.replaces, "\(name.callID);to-tag=\(name.localTag);from-tag=\(name.remoteTag)")
            }
        }
        var statuses: [SIPStatus?] = []
        for _ in 1...3 { statuses.append(try await take(names[0])) }
        for name in names[1...] { statuses.append(try await take(name)) }
        #expect(statuses == [487, 491, 491, 487, 487, 487, 486])
        held.end()
        // Where they were they are.
        for id in sessions {
            #expect(
                try await eventually {
                    let document = try await chat.document(id)
                    return document.state == .open && document.legs.map(\.device) == [chat.alice.identity.device]
                }
            )
        }
        try await chat.stop()
    }
}
