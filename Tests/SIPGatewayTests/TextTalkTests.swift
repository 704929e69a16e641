import ClientWire
import MessagingCore
import MessagingService
import SIP
import SessionCore
import Store
import Testing

@testable import SIPGateway

/// Live conversations in texts on phones without MSRP, over real sockets.
@Suite("Conversations in texts on phones", .timeLimit(.minutes(3)))
struct PhoneConversationTests {
    @Test("A phone is told who asks; its answer accepts, texts go both ways, and it is told the end once")
    func asked() async throws {
        let provider = try await Provider.start()
        let (alice, bob) = (try await provider.person("alice"), try await provider.person("bob"))
        let account = try await provider.phone(of: alice)
        let phone = try await TestPhone.make(account, at: provider)
        try await phone.register()
        try await provider.isAble(alice)
        let id = try await provider.ask(bob, alice, subject: "Lunch?", text: "Pizza?")
        #expect(try await phone.waits(for: 1))
        #expect(
            try await phone.texts() == ["bob@example.org asks for a conversation: Lunch? Answer to accept.\nPizza?"]
        )
        #expect(try await phone.received()[0].from().uri.description == "sip:bob@example.org")
        let callID = "answer-to-bob"
        for _ in 1...2 {
            let answer = try await phone.write("Gladly", to: "sip:bob@example.org") { request in
                request.set(.callID, callID)
                request.set(.cSeq, "7 MESSAGE")
            }
            #expect(answer.status == 202)
        }
        let session = try await provider.service.session(bob.identity, id)
        #expect(session.state == .open)
        #expect(try await provider.service.session(alice.identity, id).legs.map(\.device) == [account.device.id])
        #expect(try await provider.said(bob, id) == ["Pizza?", "Gladly"])
        try await provider.say("At noon", bob, id)
        // The text that rode on the request is its first: the phone has it as such too.
        #expect(try await phone.waits(for: 3))
        #expect(try await phone.texts().suffix(2) == ["Pizza?", "At noon"])
        #expect(try await phone.write("Good", to: "sip:bob@example.org").status == 202)
        #expect(try await provider.said(bob, id) == ["Pizza?", "Gladly", "At noon", "Good"])
        _ = try await provider.service.leave(bob.identity, id)
        #expect(try await phone.waits(for: 4))
        #expect(try await phone.texts().last == "The conversation with bob@example.org is over.")
        #expect(try await phone.write("One more thing", to: "sip:bob@example.org").status == 202)
        #expect(try await provider.inbox(bob).last?.message?.session == nil)
        #expect(try await provider.texts(bob).last == "One more thing")
        try await provider.send("later", from: bob, to: alice)
        #expect(try await phone.waits(for: 5))
        #expect(try await phone.received().count == 5)
        try await phone.close()
        try await provider.stop()
    }

    @Test("What was answered elsewhere or taken back is no more: an answer then is an ordinary message")
    func withdrawn() async throws {
        let provider = try await Provider.start()
        let (alice, bob) = (try await provider.person("alice"), try await provider.person("bob"))
        let phone = try await TestPhone.make(try await provider.phone(of: alice), at: provider, .tcp)
        try await phone.register()
        try await provider.isAble(alice)
        let first = try await provider.ask(bob, alice)
        #expect(try await phone.waits(for: 1))
        _ = try await provider.service.accept(alice.identity, first, AcceptRequest())
        #expect(try await phone.write("Yes", to: "sip:bob@example.org").status == 202)
        #expect(try await provider.said(bob, first).isEmpty)
        #expect(try await provider.inbox(bob).map { $0.message?.session == nil } == [true])
        _ = try await provider.service.leave(alice.identity, first)
        let second = try await provider.ask(bob, alice)
        #expect(try await phone.waits(for: 2))
        _ = try await provider.service.leave(bob.identity, second)
        #expect(try await phone.write("Yes?", to: "sip:bob@example.org").status == 202)
        #expect(try await provider.inbox(bob).map { $0.message?.session == nil } == [true, true])
        #expect(try await provider.service.session(alice.identity, second).end == .cancelled)
        try await phone.close()
        try await provider.stop()
    }

    @Test("Handed over to a phone, a conversation comes with its last few texts, and goes on there")
    func handOver() async throws {
        let provider = try await Provider.start()
        let (alice, bob) = (try await provider.person("alice"), try await provider.person("bob"))
        let account = try await provider.phone(of: alice)
        let phone = try await TestPhone.make(account, at: provider)
        try await phone.register()
        try await provider.isAble(alice)
        let id = try await provider.ask(bob, alice)
        #expect(try await phone.waits(for: 1))
        _ = try await provider.service.accept(alice.identity, id, AcceptRequest())
        for number in 1...12 { try await provider.say("text \(number)", bob, id) }
        _ = try await provider.service.attach(
            alice.identity,
            id,
            LegRequest(device: account.device.id, from: alice.identity.device)
        )
        #expect(
            try await eventually {
                try await provider.leg(of: account, alice, id)?.state == .live
            }
        )
        try await provider.say("text 13", bob, id)
        #expect(try await phone.waits(for: 7))
        let texts = try await phone.texts().dropFirst()
        #expect(texts == ["text 8", "text 9", "text 10", "text 11", "text 12", "text 13"])
        #expect(try await phone.write("here now", to: "sip:bob@example.org").status == 202)
        #expect(try await provider.said(bob, id).last == "here now")
        // Back to the computer: the phone is told once, and its leg does not linger.
        _ = try await provider.service.attach(alice.identity, id, LegRequest(from: account.device.id))
        let back = try #require(
            try await provider.service.session(alice.identity, id).legs.last { $0.device == alice.identity.device }
        )
        _ = try await provider.service.step(alice.identity, id, LegStep(back.generation, .ready))
        _ = try await provider.service.step(alice.identity, id, LegStep(back.generation, .progress, position: 14))
        #expect(try await phone.waits(for: 8))
        #expect(
            try await phone.texts().last == "The conversation with bob@example.org goes on on another device."
        )
        #expect(try await eventually { try await provider.leg(of: account, alice, id) == nil })
        try await phone.close()
        try await provider.stop()
    }
}

/// What is decided, without a phone.
@Suite("What a phone is told of a conversation")
struct TextTalkTests {
    let device = DeviceID(rawValue: 2)

    @Test("It is asked once, however often the request changes, and not again when another device silenced it")
    func once() throws {
        var talk = TextTalk()
        let document = try Self.document(.alerting, alerting: [1, 2])
        let first = talk.take(document, on: device, asksInWords: true, isSilent: false)
        #expect(first == [.tell(PhoneWord(asking: document))])
        #expect(talk.state == .asked)
        let again = talk.take(
            try Self.document(.alerting, alerting: [2]),
            on: device,
            asksInWords: true,
            isSilent: false
        )
        #expect(again.isEmpty)
        let over = talk.take(try Self.document(.over, alerting: []), on: device, asksInWords: true, isSilent: false)
        #expect(over == [.withdraw(.asks(document.id))])
        #expect(talk.state == .aside)
    }

    @Test("A phone that rings for it is not told in words")
    func rings() throws {
        var talk = TextTalk()
        let document = try Self.document(.alerting, alerting: [2])
        #expect(talk.take(document, on: device, asksInWords: false, isSilent: false).isEmpty)
        #expect(talk.state == .aside)
    }

    @Test(
        "A leg's way onto the phone",
        arguments: [
            (TextTalk.State.aside, SessionDocument.Leg.State.preparing, TextTalk.State.joining(3, hasHistory: false)),
            (.joining(3, hasHistory: false), .preparing, .joining(3, hasHistory: false)),
            (.joining(2, hasHistory: true), .preparing, .joining(3, hasHistory: false)),
            (.joining(3, hasHistory: false), .replaying, .joining(3, hasHistory: true)),
            (.joining(3, hasHistory: true), .replaying, .joining(3, hasHistory: true)),
            (.joining(3, hasHistory: false), .live, .inside(3)),
            (.joining(3, hasHistory: true), .live, .inside(3)),
            (.asked, .live, .inside(3)),
        ]
    )
    func legs(_ before: TextTalk.State, _ leg: SessionDocument.Leg.State, _ after: TextTalk.State) throws {
        var talk = TextTalk(state: before)
        let actions = talk.take(
            try Self.document(.open, leg: leg),
            on: device,
            asksInWords: true,
            isSilent: false
        )
        #expect(talk.state == after)
        let isExpected: [TextTalk.Action] =
            switch (before, leg) {
            case (.asked, _): [.withdraw(.asks(Self.id))]
            case (.joining(3, false), .replaying): [.replay(3, after: 4, upTo: nil)]
            case (.joining(3, false), .live): [.replay(3, after: 4, upTo: 9)]
            case (.aside, .preparing), (.joining(2, _), .preparing): [.ready(3)]
            default: []
            }
        #expect(actions == isExpected)
    }

    @Test("Where an answer belongs")
    func places() throws {
        let bob = try Address("bob@example.org")
        let asked = try Self.document(.alerting, alerting: [2])
        #expect(ReplyPlace([asked], to: bob, on: device) { _ in true } == .accepts(Self.id))
        #expect(ReplyPlace([asked], to: bob, on: device) { _ in false } == .apart)
        #expect(ReplyPlace([asked], to: bob, on: 1) { _ in true } == .apart)
        #expect(ReplyPlace([asked], to: try Address("carol@example.org"), on: device) { _ in true } == .apart)
        let open = try Self.document(.open, leg: .live)
        #expect(ReplyPlace([open], to: bob, on: device) { _ in true } == .within(Self.id))
        #expect(ReplyPlace([open], to: bob, on: 1) { _ in true } == .apart)
        #expect(ReplyPlace([try Self.document(.open, leg: .draining)], to: bob, on: device) { _ in true } == .apart)
    }

    static let id = SessionID(stored: "018f0000-0000-7000-8000-000000000001")

    static func document(
        _ state: SessionDocument.State,
        alerting: [DeviceID] = [],
        leg: SessionDocument.Leg.State? = nil
    ) throws -> SessionDocument {
        let (alice, bob) = (try Address("alice@example.org"), try Address("bob@example.org"))
        var document = SessionDocument(
            id: id,
            creator: bob,
            user: alice,
            conversation: ConversationID(stored: "c"),
            started: Timestamp(rawValue: 0),
            state: state
        )
        document.invited = [alice]
        document.participants = state == .open ? [alice, bob] : []
        document.request = SessionDocument.Request(
            outcome: state == .alerting ? .waiting : .accepted,
            alerting: alerting
        )
        if let leg {
            var line = SessionDocument.Leg(device: 2, generation: 3, state: leg)
            line.start = 4
            line.fence = leg == .live ? 9 : nil
            line.position = leg == .replaying ? 4 : nil
            document.legs = [line]
        }
        return document
    }
}

extension DeviceID: ExpressibleByIntegerLiteral {
    package init(integerLiteral value: Int32) { self.init(rawValue: value) }
}

extension Generation: ExpressibleByIntegerLiteral {
    package init(integerLiteral value: Int32) { self.init(rawValue: value) }
}
