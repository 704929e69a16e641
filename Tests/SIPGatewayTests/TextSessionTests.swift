import CPIM
import ClientWire
import MSRP
import MessagingCore
import MessagingService
import NIOCore
import NIOSSL
import SDP
import SIP
import SessionCore
import Store
import Testing
import XMLBodies

@testable import SIPGateway

/// Alice with a phone that takes conversations over MSRP, and Bob with a laptop.
struct Chat {
    let provider: Provider
    let (alice, bob): (Person, Person)
    let account: PhoneAnswer
    let phone: TestPhone
    let texts: TextEnd

    static func start(
        _ transport: SIPTransportKind = .tcp,
        _ adjust: (inout SIPGatewayLimits) -> Void = { _ in }
    ) async throws -> Chat {
        let files = transport.isSecure ? try await SelfSigned.make() : nil
        let provider = try await Provider.start(
            transports: files == nil ? [.udp, .tcp, .ws] : [.tcp, .tls],
            certificate: files
        ) {
            adjust(&$0)
        }
        let (alice, bob) = (try await provider.person("alice"), try await provider.person("bob"))
        let account = try await provider.phone(of: alice)
        let tls = try files.map { files in
            var configuration = TLSConfiguration.makeClientConfiguration()
            configuration.trustRoots = .file(files.chain)
            configuration.certificateVerification = .noHostnameVerification
            return try NIOSSLContext(configuration: configuration)
        }
        let phone = try await TestPhone.make(account, at: provider, transport, tls: tls)
        let texts = try await phone.registerWithTexts()
        #expect(
            try await eventually {
                guard let status = try await provider.status(of: account, alice) else { return false }
                return status.device.capabilities.features.contains("msrp") && status.isRegistered
                    && status.isConnected
            }
        )
        return Chat(provider: provider, alice: alice, bob: bob, account: account, phone: phone, texts: texts)
    }

    func stop() async throws {
        try await phone.close()
        try await provider.stop()
    }

    func document(_ id: SessionID) async throws -> SessionDocument {
        try await provider.service.session(alice.identity, id)
    }

    func isOnPhone(_ id: SessionID) async throws -> Bool {
        try await eventually { try await provider.leg(of: account, alice, id)?.state == .live }
    }

    func hears(_ expected: [String]) async throws -> Bool { try await eventually { texts.texts == expected } }
}

@Suite("Conversations over MSRP", .timeLimit(.minutes(3)))
struct TextSessionTests {
    @Test("Asked by INVITE with an offer of texts, the phone's 200 accepts; texts, reports and typing go both ways")
    func asked() async throws {
        let chat = try await Chat.start()
        let (provider, alice, bob) = (chat.provider, chat.alice, chat.bob)
        try await chat.phone.rings(true)
        let id = try await provider.ask(bob, alice, subject: "Lunch?", text: "Pizza?")
        #expect(try await eventually { try await chat.phone.received(.invite).count == 1 })
        let invite = try #require(try await chat.phone.received(.invite).first)
        let offer = try #require(PhoneCall.description(of: invite)?.media.first)
        #expect(offer.type == "message" && offer.proto == "TCP/MSRP")
        #expect(offer.setup == .passive)
        #expect(try MSRPAttributes(of: offer).accepts("message/cpim"))
        #expect(try invite.from().uri.description == "sip:bob@example.org")
        #expect(invite.text(.subject) == "Lunch?")
        #expect(invite.text("Contribution-ID") == id.description)
        #expect(invite.text("Conversation-ID") != nil)
        #expect(try await chat.document(id).state == .alerting)
        try await chat.phone.rings(false)
        #expect(try await chat.isOnPhone(id))
        #expect(try await chat.hears(["Pizza?"]))
        // It is answered when it is stored, and not before.
        let first = provider.newID().description
        try await chat.texts.say(
            "Gladly",
            from: "sip:alice@example.org",
            to: "sip:bob@example.org",
            id: first,
            reports: true
        )
        #expect(try await provider.said(bob, id) == ["Pizza?", "Gladly"])
        // Said again it is the same.
        try await chat.texts.say(
            "Gladly",
            from: "sip:alice@example.org",
            to: "sip:bob@example.org",
            id: first,
            reports: true
        )
        for number in 1...10 { try await provider.say("text \(number)", bob, id) }
        #expect(try await chat.hears(["Pizza?"] + (1...10).map { "text \($0)" }))
        #expect(try await provider.said(bob, id) == ["Pizza?", "Gladly"] + (1...10).map { "text \($0)" })
        #expect(chat.texts.heard.allSatisfy { $0.dateTime != nil })
        // Shown on the phone is read everywhere.
        let shown = try #require(
            chat.texts.heard.first { String(decoding: $0.content.body, as: UTF8.self) == "text 3" }
        )
        try await chat.texts.shows(shown, from: "sip:alice@example.org")
        #expect(
            try await eventually {
                try await provider.inbox(alice).first { $0.message?.parts.first?.text == "text 3" }?.read ?? false
            }
        )
        // What was said on the phone was read over there: it is told in the conversation.
        _ = try await provider.service.markRead(bob.identity, ReadRequest(ids: [MessageID(first)]))
        #expect(try await eventually { chat.texts.heard.contains(where: \.isNotification) })
        // Somebody types.
        provider.service.typingOnPhone(bob.identity, in: id)
        #expect(try await eventually { chat.texts.composing == 1 })
        try await chat.texts.types()
        _ = try await provider.service.leave(bob.identity, id)
        #expect(try await eventually { try await chat.phone.received(.bye).count == 1 })
        #expect(try await chat.phone.received().isEmpty, "no MESSAGE was needed")
        try await chat.stop()
    }

    @Test("Answered elsewhere or taken back the phone rings no more and is told why; declined there, it is for all")
    func elsewhere() async throws {
        let chat = try await Chat.start()
        let (provider, alice, bob) = (chat.provider, chat.alice, chat.bob)
        try await chat.phone.rings(true)
        let first = try await provider.ask(bob, alice)
        #expect(try await eventually { try await chat.phone.received(.invite).count == 1 })
        _ = try await provider.service.accept(alice.identity, first, AcceptRequest())
        #expect(try await eventually { try await chat.phone.received(.cancel).count == 1 })
        let cancel = try #require(try await chat.phone.received(.cancel).first)
        #expect(cancel.text(.reason)?.contains("cause=200") ?? false)
        _ = try await provider.service.leave(bob.identity, first)
        let second = try await provider.ask(bob, alice)
        #expect(try await eventually { try await chat.phone.received(.invite).count == 2 })
        _ = try await provider.service.leave(bob.identity, second)
        #expect(try await eventually { try await chat.phone.received(.cancel).count == 2 })
        try await chat.phone.answer([603])
        let third = try await provider.ask(bob, alice)
        #expect(try await eventually { try await chat.document(third).end == .rejected })
        try await chat.stop()
    }

    @Test("Taken at the last moment, when another device was faster: the phone's dialog ends, with that reason")
    func late() async throws {
        let chat = try await Chat.start()
        try await chat.phone.rings(true)
        try await chat.phone.takesCancelledCalls()
        let id = try await chat.provider.ask(chat.bob, chat.alice)
        #expect(try await eventually { try await chat.phone.received(.invite).count == 1 })
        _ = try await chat.provider.service.accept(chat.alice.identity, id, AcceptRequest())
        #expect(try await eventually { try await chat.phone.received(.bye).count == 1 })
        let bye = try #require(try await chat.phone.received(.bye).first)
        #expect(bye.text(.reason)?.contains("cause=200") ?? false)
        #expect(try await chat.document(id).legs.map(\.device) == [chat.alice.identity.device])
        try await chat.stop()
    }

    @Test("Moved to the phone the conversation comes with all that was said, both sides; moved away its dialog ends")
    func handOver() async throws {
        let chat = try await Chat.start()
        let (provider, alice, bob) = (chat.provider, chat.alice, chat.bob)
        try await chat.phone.rings(true)
        let id = try await provider.ask(bob, alice)
        _ = try await provider.service.accept(alice.identity, id, AcceptRequest())
        #expect(try await eventually { try await chat.phone.received(.cancel).count == 1 })
        try await chat.phone.rings(false)
        var expected: [String] = []
        for number in 1...60 {
            try await provider.say("text \(number)", number % 3 == 0 ? alice : bob, id)
            expected.append("text \(number)")
        }
        // Both sides go on typing while it moves.
        async let typing: Void = {
            for number in 61...100 { try await provider.say("text \(number)", number % 3 == 0 ? alice : bob, id) }
        }()
        _ = try await provider.service.attach(
            alice.identity,
            id,
            LegRequest(device: chat.account.device.id, from: alice.identity.device, history: .all)
        )
        try await typing
        expected += (61...100).map { "text \($0)" }
        #expect(try await chat.isOnPhone(id))
        try await provider.say("the last", bob, id)
        #expect(try await chat.hears(expected + ["the last"]), "\(chat.texts.texts)")
        let own = chat.texts.heard.filter { $0.from?.uri == "sip:alice@example.org" }
        #expect(own.count == 33)
        try await chat.texts.say("here now", from: "sip:alice@example.org", to: "sip:bob@example.org")
        let last = try await provider.service.texts(bob.identity, id, after: 101, limit: 10).texts
        #expect(last.map { $0.message?.parts.first?.text } == ["here now"])
        _ = try await provider.service.attach(alice.identity, id, LegRequest(from: chat.account.device.id))
        let back = try #require(try await chat.document(id).legs.last { $0.device == alice.identity.device })
        _ = try await provider.service.step(alice.identity, id, LegStep(back.generation, .ready))
        let head = Ordinal(102)
        _ = try await provider.service.step(alice.identity, id, LegStep(back.generation, .progress, position: head))
        #expect(try await eventually { try await chat.phone.received(.bye).count == 1 })
        #expect(try await eventually { try await provider.leg(of: chat.account, alice, id) == nil })
        #expect(try await chat.document(id).state == .open)
        try await provider.say("not there", bob, id)
        try await provider.send("a mark", from: bob, to: alice)
        #expect(try await chat.phone.waits(for: 1))
        #expect(chat.texts.texts.last == "the last")
        #expect(try await chat.phone.texts() == ["a mark"])
        try await chat.stop()
    }

    @Test("The phone asks by INVITE: 200 once the other side has accepted, and its BYE ends the conversation")
    func asks() async throws {
        let chat = try await Chat.start()
        let (provider, bob) = (chat.provider, chat.bob)
        async let answering = chat.phone.ask("sip:bob@example.org")
        var asked: SessionDocument?
        #expect(
            try await eventually {
                asked = try await provider.service.sessions(bob.identity).sessions.first
                return asked?.state == .alerting
            }
        )
        let id = try #require(asked?.id)
        _ = try await provider.service.accept(bob.identity, id, AcceptRequest())
        let answer = try await answering
        #expect(answer.status == 200)
        #expect(try await eventually { chat.texts.paths == 1 })
        try await chat.texts.say("hello", from: "sip:alice@example.org", to: "sip:bob@example.org")
        try await provider.say("hello yourself", bob, id)
        #expect(try await chat.hears(["hello yourself"]))
        #expect(try await provider.said(bob, id) == ["hello", "hello yourself"])
        #expect(try await chat.phone.within(answer, .bye).status == 200)
        #expect(try await eventually { try await chat.document(id).state == .over })
        // Nobody to ask, and nobody who wants.
        #expect(try await chat.phone.ask("sip:nobody@example.org").status == 404)
        async let declined = chat.phone.ask("sip:bob@example.org")
        #expect(try await eventually { try await provider.service.sessions(bob.identity).sessions.count == 1 })
        let second = try #require(try await provider.service.sessions(bob.identity).sessions.first?.id)
        _ = try await provider.service.reject(bob.identity, second)
        #expect(try await declined.status == 603)
        try await chat.stop()
    }

    @Test(
        "A connection that breaks is followed by another, by either side's re-INVITE: nothing is lost, ids show what came twice"
    )
    func broken() async throws {
        let chat = try await Chat.start()
        let (provider, alice, bob) = (chat.provider, chat.alice, chat.bob)
        let id = try await provider.ask(bob, alice)
        #expect(try await chat.isOnPhone(id))
        try await provider.say("one", bob, id)
        #expect(try await chat.hears(["one"]))
        // It has the text, and the server does not know that.
        chat.texts.settles(false)
        try await provider.say("two", bob, id)
        #expect(try await chat.hears(["one", "two"]))
        try await provider.say("three", bob, id)
        chat.texts.settles(true)
        chat.texts.cut()
        #expect(try await eventually { try await chat.phone.received(.invite).count == 2 })
        #expect(try await eventually { chat.texts.ids.count == 3 }, "\(chat.texts.texts)")
        #expect(chat.texts.texts == ["one", "two", "two", "three"])
        #expect(chat.texts.paths == 2)
        try await chat.texts.say("still here", from: "sip:alice@example.org", to: "sip:bob@example.org")
        #expect(try await provider.said(bob, id) == ["one", "two", "three", "still here"])
        #expect(try await chat.document(id).state == .open)
        #expect(try await chat.phone.received().isEmpty)
        try await chat.stop()
    }

    @Test("A text that the phone was given and had not taken when it went comes again when it is back")
    func returned() async throws {
        let chat = try await Chat.start()
        let (provider, alice, bob) = (chat.provider, chat.alice, chat.bob)
        let id = try await provider.ask(bob, alice)
        #expect(try await chat.isOnPhone(id))
        try await provider.say("one", bob, id)
        #expect(try await chat.hears(["one"]))
        chat.texts.settles(false)
        try await provider.say("two", bob, id)
        #expect(try await chat.hears(["one", "two"]))
        #expect(try await chat.phone.register(expires: 0).status == 200)
        chat.texts.settles(true)
        #expect(try await chat.phone.register().status == 200)
        try await provider.say("three", bob, id)
        // By its path or by MESSAGE, whichever there is by then.
        #expect(
            try await eventually {
                try await chat.texts.texts.count + chat.phone.received().count >= 4
            },
            "\(chat.texts.texts)"
        )
        let said = try await chat.texts.texts + chat.phone.received().map { String(buffer: $0.body) }
        #expect(said.count { $0.contains("two") } == 2, "\(said)")
        #expect(said.count { $0.contains("one") } == 1)
        #expect(said.count { $0.contains("three") } == 1)
        try await chat.stop()
    }

    @Test("A phone that takes paths and nothing on them is offered a few, and has its texts as messages then")
    func fruitless() async throws {
        let chat = try await Chat.start { $0.textPatienceSeconds = 1 }
        let id = try await chat.provider.ask(chat.bob, chat.alice)
        #expect(try await chat.isOnPhone(id))
        chat.texts.answers(.noSuchSession)
        try await chat.provider.say("one", chat.bob, id)
        #expect(try await eventually { try await chat.phone.received().count == 1 })
        #expect(chat.texts.paths <= SIPGatewayLimits().fruitlessPaths + 1)
        #expect(try await chat.document(id).state == .open)
        try await chat.stop()
    }

    @Test("The phone that asked offers another path itself")
    func renewed() async throws {
        let chat = try await Chat.start { $0.textPatienceSeconds = 15 }
        let (provider, bob) = (chat.provider, chat.bob)
        async let answering = chat.phone.ask("sip:bob@example.org")
        #expect(try await eventually { try await provider.service.sessions(bob.identity).sessions.count == 1 })
        let id = try #require(try await provider.service.sessions(bob.identity).sessions.first?.id)
        _ = try await provider.service.accept(bob.identity, id, AcceptRequest())
        let answer = try await answering
        #expect(try await eventually { chat.texts.paths == 1 })
        chat.texts.cut()
        try await provider.say("said meanwhile", bob, id)
        // Both may have offered at once (RFC 3261, section 14.1): then the phone offers again.
        var status = try await chat.phone.ask("", within: answer).status
        if status == 491 {
            try await Task.sleep(for: .seconds(3))
            status = try await chat.phone.ask("", within: answer).status
        }
        #expect(status == 200)
        #expect(try await chat.hears(["said meanwhile"]))
        #expect(chat.texts.paths >= 2)
        // With MSRP refused in the dialog what there is stays.
        let refused = try await chat.phone.within(answer, .invite) {
            $0.setBody(ByteBuffer(string: TestPhone.offer(40000)), contentType: "application/sdp")
        }
        #expect(refused.status == 488)
        try await provider.say("and after", bob, id)
        #expect(try await chat.hears(["said meanwhile", "and after"]))
        try await chat.stop()
    }

    @Test("A phone that cannot what it said, or does not connect, has the texts as MESSAGE")
    func plain() async throws {
        let chat = try await Chat.start { $0.textPathSeconds = 1 }
        let (provider, alice, bob) = (chat.provider, chat.alice, chat.bob)
        try await chat.phone.rings(true)
        let id = try await provider.ask(bob, alice)
        #expect(try await eventually { try await chat.phone.received(.invite).count == 1 })
        _ = try await provider.service.accept(alice.identity, id, AcceptRequest())
        #expect(try await eventually { try await chat.phone.received(.cancel).count == 1 })
        try await provider.say("before", bob, id)
        try await chat.phone.answer([488])
        _ = try await provider.service.attach(
            alice.identity,
            id,
            LegRequest(device: chat.account.device.id, history: .all)
        )
        #expect(try await chat.isOnPhone(id))
        try await provider.say("as a message", bob, id)
        #expect(try await eventually { try await chat.phone.received().count == 2 })
        #expect(try await chat.phone.texts().last?.contains("as a message") ?? false)
        #expect(chat.texts.heard.isEmpty)
        try await chat.stop()
    }

    @Test("What is no text of the phone's user is refused in MSRP, and the conversation goes on")
    func refused() async throws {
        let chat = try await Chat.start { $0.textBytes = 4096 }
        let id = try await chat.provider.ask(chat.bob, chat.alice)
        #expect(try await chat.isOnPhone(id))
        #expect(try await eventually { chat.texts.paths == 1 })
        func status(_ body: () async throws -> Void) async throws -> MSRPStatus? {
            do { try await body() } catch let error as MSRPError { return error.status }
            return nil
        }
        let own = "sip:alice@example.org"
        #expect(
            try await status { try await chat.texts.say("I am", from: "sip:bob@example.org", to: own) } == .forbidden
        )
        #expect(try await status { try await chat.texts.send(Array("garbage".utf8), "message/cpim") } == .badRequest)
        #expect(
            try await status {
                try await chat.texts.say(String(repeating: "x", count: 5000), from: own, to: "sip:bob@example.org")
            } == .stopSending
        )
        #expect(
            try await status { try await chat.texts.send(Array("<x/>".utf8), "application/im-iscomposing+xml") }
                == .badRequest
        )
        try await chat.texts.say("fine", from: own, to: "sip:bob@example.org")
        #expect(try await chat.provider.said(chat.bob, id) == ["fine"])
        try await chat.stop()
    }

    @Test("By INVITE with Replaces the phone takes a conversation from the laptop, with what was said")
    func pulled() async throws {
        let chat = try await Chat.start()
        let (provider, alice, bob) = (chat.provider, chat.alice, chat.bob)
        try await chat.phone.rings(true)
        let id = try await provider.ask(bob, alice)
        _ = try await provider.service.accept(alice.identity, id, AcceptRequest())
        #expect(try await eventually { try await chat.phone.received(.cancel).count == 1 })
        try await chat.phone.rings(false)
        for number in 1...3 { try await provider.say("text \(number)", bob, id) }
        let leg = try #require(try await chat.document(id).legs.first)
        let name = SessionDialogID(id, .leg(leg.generation)).dialog
        let offer = try chat.texts.offer()
        let answer = try await chat.phone.call("sip:bob@example.org", offer: offer) { request in
            request.append(.replaces, "\(name.callID);to-tag=\(name.localTag);from-tag=\(name.remoteTag)")
        }
        #expect(answer.status == 200)
        try chat.texts.expect(answer)
        chat.texts.connect()
        #expect(try await chat.isOnPhone(id))
        #expect(try await chat.hears(["text 1", "text 2", "text 3"]))
        try await chat.stop()
    }

    @Test(
        "A call brings no dialog of texts before something is said; then both stand, and hanging up ends the call alone"
    )
    func besideCall() async throws {
        let chat = try await Chat.start()
        let (provider, alice, bob) = (chat.provider, chat.alice, chat.bob)
        try await chat.phone.register(parameters: ";+g.oma.sip-im;audio")
        let bobs = try await TestPhone.make(try await provider.phone(of: bob), at: provider, .tcp)
        try await bobs.hears(at: 42000)
        try await bobs.register()
        try await provider.isAble(alice, bob)
        let answer = try await chat.phone.call("sip:bob@example.org")
        #expect(answer.status == 200)
        let id = try #require(try await provider.service.sessions(alice.identity).sessions.first?.id)
        #expect(try await chat.isOnPhone(id))
        #expect(try await chat.phone.received(.invite).isEmpty)
        try await provider.service.sessions(bob.identity).sessions.first.map { #expect($0.state == .open) }
        #expect(try await bobs.write("do you hear me?", to: "sip:alice@example.org").status == 202)
        #expect(try await chat.hears(["do you hear me?"]))
        #expect(try await chat.phone.within(answer, .bye).status == 200)
        #expect(try await eventually { try await chat.document(id).media.isEmpty })
        #expect(try await chat.document(id).state == .open)
        #expect(try await bobs.write("it is quiet now", to: "sip:alice@example.org").status == 202)
        #expect(try await chat.hears(["do you hear me?", "it is quiet now"]))
        try await bobs.close()
        try await chat.stop()
    }
}

@Suite("The dialog of texts, decided")
struct TextControlTests {
    private static func share(
        asked: Bool = false,
        leg: (Int32, Bool)? = nil,
        _ state: SessionDocument.State = .open,
        elsewhere: CallShare.Elsewhere? = nil
    ) throws -> TextShare {
        var document = SessionDocument(
            id: try SessionID("018f0000-0000-7000-8000-000000000001"),
            creator: try Address("bob@example.org"),
            user: try Address("alice@example.org"),
            conversation: try ConversationID("c"),
            started: Timestamp(rawValue: 0),
            state: state
        )
        var share = TextShare(document, on: DeviceID(rawValue: 2), rings: true)
        document.legs = []
        share.isAsked = asked
        share.leg = leg.map { TextShare.Leg(generation: Generation(rawValue: $0.0), isLive: $0.1) }
        share.elsewhere = elsewhere
        return share
    }

    @Test("Asked it rings once; taken it accepts, and ends with the leg")
    func life() throws {
        var control = TextControl()
        #expect(control.take(try Self.share(asked: true, .alerting)) == [.ring])
        #expect(control.take(try Self.share(asked: true, .alerting)).isEmpty)
        #expect(control.state == .ringing)
        #expect(control.phoneAnswered() == [.accept])
        #expect(control.state == .answering)
        #expect(control.take(try Self.share(leg: (1, true))).isEmpty)
        #expect(control.state == .standing)
        #expect(control.take(try Self.share()) == [.bye(reason: nil)])
        #expect(control.state == .idle)
    }

    @Test("Answered elsewhere it is cancelled with that reason, or ended when the server was told too late")
    func lost() throws {
        var control = TextControl(state: .ringing)
        let reason = CallShare.Elsewhere.answered.reason
        #expect(control.take(try Self.share(elsewhere: .answered)) == [.cancel(reason: reason)])
        control = TextControl(state: .answering)
        #expect(control.serverRefused() == [.bye(reason: reason)])
        #expect(control.state == .idle)
        #expect(control.serverRefused().isEmpty)
    }

    @Test(
        "What a refusal means depends on who says it, and what it was for",
        arguments: [486, 480, 603, 600, 488, 415, 606]
    )
    func refused(code: Int) throws {
        let status = try #require(SIPStatus(rawValue: UInt16(code)))
        let isOfAbility = [488, 415, 606].contains(code)
        var control = TextControl(state: .ringing)
        #expect(
            control.phoneRefused(status) == [
                isOfAbility ? .askInWords : [600, 603].contains(code) ? .reject : .ignore
            ]
        )
        #expect(control.state == (isOfAbility ? .inWords : .declined))
        #expect(control.take(try Self.share(asked: true, .alerting)).isEmpty)
        control = TextControl(state: .joining(Generation(rawValue: 3)))
        #expect(control.phoneRefused(status) == (isOfAbility ? [] : [.fail(Generation(rawValue: 3))]))
        #expect(control.state == .plain)
        #expect(control.take(try Self.share(leg: (3, true))).isEmpty)
        #expect(control.take(try Self.share()).isEmpty)
        #expect(control.state == .idle)
    }

    @Test("Asked in words it is in as messages once it has answered, and out of it when another device was faster")
    func inWords() throws {
        var control = TextControl(state: .inWords)
        #expect(control.take(try Self.share(asked: true, .alerting)).isEmpty)
        control.phoneReturned()
        #expect(control.phoneAnswered().isEmpty && control.phoneLeft().isEmpty && control.pathFailed().isEmpty)
        // Its acceptance is on its way to another provider.
        #expect(control.take(try Self.share(.joining)).isEmpty)
        #expect(control.state == .inWords)
        #expect(control.take(try Self.share(leg: (1, true))).isEmpty)
        #expect(control.state == .plain)
        control = TextControl(state: .inWords)
        #expect(control.take(try Self.share(elsewhere: .answered)).isEmpty)
        #expect(control.state == .idle)
        control = TextControl(state: .inWords)
        #expect(control.take(try Self.share(leg: (1, true), .over)).isEmpty)
        #expect(control.state == .idle)
    }

    @Test("The phone's own request waits for its leg, and ends with the session")
    func placing() throws {
        var control = TextControl(state: .placing)
        #expect(control.take(try Self.share(.calling)).isEmpty)
        #expect(control.take(try Self.share(leg: (1, true))) == [.answerPhone])
        #expect(control.phoneLeft() == [.leave])
        #expect(control.take(try Self.share(leg: (1, true))).isEmpty)
        #expect(control.take(try Self.share(.over)).isEmpty)
        #expect(control.state == .idle)
        control = TextControl(state: .placing)
        #expect(control.take(try Self.share(.over)) == [.refusePhone(480)])
        control = TextControl(state: .taking)
        #expect(control.take(try Self.share(leg: (2, false))) == [.answerPhone])
        #expect(control.state == .standing)
    }

    @Test("Without a path it is ended and goes on as messages, until the phone is there anew")
    func pathless() throws {
        var control = TextControl(state: .standing)
        #expect(control.pathFailed() == [.bye(reason: nil)])
        #expect(control.state == .plain)
        #expect(control.take(try Self.share(leg: (1, true))).isEmpty)
        control.phoneReturned()
        #expect(control.take(try Self.share(leg: (1, true))) == [.ring])
        #expect(control.state == .joining(Generation(rawValue: 1)))
        #expect(control.take(try Self.share()) == [.cancel(reason: nil)])
    }
}
