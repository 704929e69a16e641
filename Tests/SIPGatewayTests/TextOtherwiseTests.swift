import ClientWire
import Logging
import MessagingCore
import MessagingService
import NIOCore
import NIOPosix
import SIP
import SessionCore
import Store
import Testing

@testable import SIPGateway

/// Phones that take conversations over MSRP, where something does not go as they said it would.
@Suite("Conversations over MSRP that go otherwise", .timeLimit(.minutes(3)))
struct TextOtherwiseTests {
    @Test(
        "A phone that cannot what it said when it is asked is asked in words, and its answer accepts",
        arguments: [488, 415, 606] as [SIPStatus]
    )
    func words(status: SIPStatus) async throws {
        let chat = try await Chat.start()
        let (provider, alice, bob) = (chat.provider, chat.alice, chat.bob)
        try await chat.phone.answer([status])
        let id = try await provider.ask(bob, alice, subject: "Lunch?", text: "Pizza?")
        let asked = "bob@example.org asks for a conversation: Lunch? Answer to accept.\nPizza?"
        #expect(try await eventually { try await chat.phone.words() == [asked] })
        #expect(try await chat.document(id).request?.alerting.contains(chat.account.device.id) ?? false)
        #expect(try await chat.phone.write("Gladly", to: "sip:bob@example.org").status == 202)
        #expect(try await chat.isOnPhone(id))
        #expect(try await provider.said(bob, id) == ["Pizza?", "Gladly"])
        try await provider.say("At noon", bob, id)
        #expect(try await eventually { try await chat.phone.words() == [asked, "Pizza?", "At noon"] })
        _ = try await provider.service.leave(bob.identity, id)
        let end = "The conversation with bob@example.org is over."
        #expect(try await eventually { try await chat.phone.words().last == end })
        #expect(try await chat.phone.received(.invite).count == 1)
        #expect(chat.texts.heard.isEmpty)
        // The next one rings again; taken back, it is an ordinary message that is written then.
        try await chat.phone.answer([status])
        let second = try await provider.ask(bob, alice)
        #expect(try await eventually { try await chat.phone.received(.invite).count == 2 })
        #expect(try await eventually { try await chat.phone.words().count == 5 })
        _ = try await provider.service.leave(bob.identity, second)
        #expect(try await eventually { try await chat.document(second).state == .over })
        #expect(try await chat.phone.write("Yes?", to: "sip:bob@example.org").status == 202)
        #expect(try await provider.inbox(bob).last?.message?.session == nil)
        try await chat.stop()
    }

    @Test("Over TLS the phone meets the certificate that its description names, and texts go both ways")
    func overTLS() async throws {
        let chat = try await Chat.start(.tls)
        let (provider, alice, bob) = (chat.provider, chat.alice, chat.bob)
        let id = try await provider.ask(bob, alice)
        #expect(try await chat.isOnPhone(id))
        let invite = try #require(try await chat.phone.received(.invite).first)
        let offer = String(buffer: invite.body)
        #expect(offer.contains(" TCP/TLS/MSRP *") && offer.contains("a=path:msrps://"))
        #expect(offer.contains("a=fingerprint:"))
        #expect(try await eventually { chat.texts.paths == 1 })
        try await provider.say("protected", bob, id)
        #expect(try await chat.hears(["protected"]))
        try await chat.texts.say("both ways", from: "sip:alice@example.org", to: "sip:bob@example.org")
        #expect(try await provider.said(bob, id) == ["protected", "both ways"])
        chat.texts.cut()
        #expect(try await eventually { chat.texts.paths == 2 })
        try await provider.say("and again", bob, id)
        #expect(try await chat.hears(["protected", "and again"]))
        #expect(try await chat.phone.words().isEmpty, "no MESSAGE was needed")
        try await chat.stop()
    }

    @Test(
        "A phone that hangs up while the server is slow gets what it had not taken, and what waits behind that, at once"
    )
    func hungUp() async throws {
        let chat = try await Chat.start { $0.retryFirstSeconds = 1 }
        let (provider, alice, bob) = (chat.provider, chat.alice, chat.bob)
        let id = try await provider.ask(bob, alice)
        #expect(try await chat.isOnPhone(id))
        chat.texts.settles(false)
        try await provider.say("one", bob, id)
        #expect(try await chat.hears(["one"]))
        try await provider.send("apart", from: bob, to: alice)
        let invite = try #require(try await chat.phone.received(.invite).first)
        let held = try await provider.holdCommits()
        #expect(try await chat.phone.reply(invite, .bye).status == 200)
        #expect(try await eventually { try await chat.phone.words() == ["one", "apart"] })
        held.end()
        #expect(try await eventually { try await chat.document(id).state == .over })
        try await chat.stop()
    }

    @Test(
        "Brought to the phone before it has said what became of an INVITE that was taken back: asked anew behind that"
    )
    func takenBack() async throws {
        let chat = try await Chat.start()
        let (provider, alice, bob) = (chat.provider, chat.alice, chat.bob)
        try await chat.phone.rings(true)
        try await chat.phone.keepsCancelled(true)
        let id = try await provider.ask(bob, alice)
        #expect(try await eventually { try await chat.phone.received(.invite).count == 1 })
        _ = try await provider.service.accept(alice.identity, id, AcceptRequest())
        #expect(try await eventually { try await chat.phone.received(.cancel).count == 1 })
        try await chat.phone.rings(false)
        _ = try await provider.service.attach(
            alice.identity,
            id,
            LegRequest(device: chat.account.device.id, from: alice.identity.device)
        )
        try await provider.say("still here?", bob, id)
        #expect(try await chat.phone.received(.invite).count == 1)
        try await chat.phone.keepsCancelled(false)
        #expect(try await chat.isOnPhone(id))
        #expect(try await chat.hears(["still here?"]))
        #expect(try await chat.phone.received(.invite).count == 2)
        try await chat.stop()
    }

    @Test("A history that is on its way keeps its phone until it has been read, whatever becomes of the phone")
    func gone() async throws {
        let provider = try await Provider.start()
        let (alice, bob) = (try await provider.person("alice"), try await provider.person("bob"))
        let account = try await provider.phone(of: alice)
        let id = try await provider.ask(bob, alice)
        _ = try await provider.service.accept(alice.identity, id, AcceptRequest())
        for number in 1...3 { try await provider.say("text \(number)", bob, id) }
        let record = try await withCheckedThrowingContinuation { continuation in
            provider.service.phone(user: account.user) { continuation.resume(with: $0) }
        }
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        let phone = try #require(record)
        let trace = try await loop.submit {
            let context = GatewayContext(
                service: provider.service,
                configuration: SIPGatewayConfiguration(doors: [], realm: "example.org"),
                logger: .init(label: "test"),
                eventLoop: loop
            )
            let phone = Phone(
                context,
                phone,
                addressOfRecord: SIPURI(host: "example.org"),
                address: alice.address,
                directory: PhoneDirectory(registered: { _ in nil }, dialog: { _, _ in nil })
            )
            phone.talks.replay(id, .first, 0, nil)
            return Trace(phone)
        }.get()
        // Nobody else holds it; that the process goes on is what is seen here.
        #expect(try await eventually { trace.isGone })
        try await provider.stop()
    }

    private final class Trace: @unchecked Sendable {
        private weak var phone: Phone?
        var isGone: Bool { phone == nil }
        init(_ phone: Phone) { self.phone = phone }
    }
}
