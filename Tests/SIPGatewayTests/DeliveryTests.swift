import CPIM
import ClientWire
import MessagingCore
import MessagingService
import NIOCore
import SIP
import SIPGateway
import Testing
import XMLBodies

/// What phones get of the mailbox, over real sockets.
@Suite("Messages to phones", .timeLimit(.minutes(5)))
struct DeliveryTests {
    @Test(
        "What waited comes right after REGISTER, in order, before anything newer",
        arguments: [
            SIPTransportKind.udp, .tcp, .ws,
        ]
    )
    func waiting(transport: SIPTransportKind) async throws {
        let provider = try await Provider.start()
        let (alice, bob) = (try await provider.person("alice"), try await provider.person("bob"))
        let account = try await provider.phone(of: alice)
        try await provider.send("one", from: bob, to: alice)
        try await provider.send("two", from: bob, to: alice, subject: "about")
        let phone = try await TestPhone.make(account, at: provider, transport)
        #expect(try await phone.register().status == 200)
        for number in 3...6 { try await provider.send("message \(number)", from: bob, to: alice) }
        #expect(try await phone.waits(for: 6))
        #expect(
            try await phone.texts() == ["one", "about\ntwo", "message 3", "message 4", "message 5", "message 6"]
        )
        let first = try #require(try await phone.received().first)
        #expect(try first.from().uri.description == "sip:bob@example.org")
        #expect(first.text(.date)?.hasSuffix("GMT") == true)
        #expect(try await provider.status(of: account, alice)?.isConnected == true)
        try await phone.close()
        try await provider.stop()
    }

    @Test("What a phone took it does not get again, after a restart of either side; what came meanwhile it gets once")
    func restart() async throws {
        var provider = try await Provider.start()
        let (alice, bob) = (try await provider.person("alice"), try await provider.person("bob"))
        let account = try await provider.phone(of: alice)
        var phone = try await TestPhone.make(account, at: provider)
        try await phone.register()
        let one = try await provider.send("one", from: bob, to: alice, reports: [.delivered])
        #expect(try await phone.waits(for: 1))
        // What the phone has answered counts once it is committed; cut before that, it would come again.
        func counts(_ id: MessageID, _ provider: Provider) async throws -> Bool {
            try await eventually {
                try await provider.service.message(bob.identity, id).receivers?.first?.state == "delivered"
            }
        }
        #expect(try await counts(one, provider))
        try await phone.close()
        // Out of the house: nobody answers there any more.
        try await provider.stop()
        provider = try await Provider.start(in: provider.folder)
        try await provider.send("two", from: bob, to: alice)
        phone = try await TestPhone.make(account, at: provider, .tcp)
        try await phone.register()
        let three = try await provider.send("three", from: bob, to: alice, reports: [.delivered])
        #expect(try await phone.waits(for: 2))
        #expect(try await phone.texts() == ["two", "three"])
        #expect(try await counts(three, provider))
        try await phone.close()
        phone = try await TestPhone.make(account, at: provider)
        try await phone.register()
        try await provider.send("four", from: bob, to: alice)
        #expect(try await phone.waits(for: 1))
        #expect(try await phone.texts() == ["four"])
        try await phone.close()
        try await provider.stop()
    }

    @Test("Read or deleted elsewhere, a message that waits is not sent")
    func withdrawn() async throws {
        let provider = try await Provider.start()
        let (alice, bob) = (try await provider.person("alice"), try await provider.person("bob"))
        let account = try await provider.phone(of: alice)
        let read = try await provider.send("read", from: bob, to: alice)
        let deleted = try await provider.send("deleted", from: bob, to: alice)
        try await provider.send("kept", from: bob, to: alice)
        _ = try await provider.service.markRead(alice.identity, ReadRequest(ids: [read]))
        _ = try await provider.service.delete(alice.identity, DeleteRequest(ids: [deleted], scope: .everywhere))
        let phone = try await TestPhone.make(account, at: provider)
        try await phone.register()
        try await provider.send("last", from: bob, to: alice)
        #expect(try await phone.waits(for: 2))
        #expect(try await phone.texts() == ["kept", "last"])
        try await phone.close()
        try await provider.stop()
    }

    @Test("What a phone cannot show is a notice with a link; its rules hold too")
    func notices() async throws {
        let provider = try await Provider.start()
        let (alice, bob) = (try await provider.person("alice"), try await provider.person("bob"))
        let account = try await provider.phone(of: alice)
        let phone = try await TestPhone.make(account, at: provider)
        try await phone.register()
        let long = String(repeating: "long ", count: 400)
        let id = try await provider.send(long, from: bob, to: alice, subject: "Novel")
        #expect(try await phone.waits(for: 1))
        let text = try #require(try await phone.texts().first)
        #expect(text.hasPrefix("Novel (text/plain, 2 KiB): http://"))
        let token = try #require(text.split(separator: "/").last.map(String.init))
        #expect(try await provider.service.openLink(token).id == id)
        try await phone.close()
        try await provider.stop()
    }

    @Test("A phone that is busy gets it later, once; what no form helps is passed over")
    func retries() async throws {
        let provider = try await Provider.start { $0.retryFirstSeconds = 1 }
        let (alice, bob) = (try await provider.person("alice"), try await provider.person("bob"))
        let account = try await provider.phone(of: alice)
        let phone = try await TestPhone.make(account, at: provider)
        try await phone.register()
        try await phone.answer([480, 503, 200, 403, 403])
        try await provider.send("patience", from: bob, to: alice)
        try await provider.send("never", from: bob, to: alice)
        try await provider.send("after", from: bob, to: alice)
        let isDone = try await phone.waits(for: 6)
        let texts = try await phone.texts()
        try #require(isDone, "\(texts)")
        #expect(texts.prefix(4) == ["patience", "patience", "patience", "never"])
        #expect(texts[4].contains("http://"))
        #expect(texts[5] == "after")
        let calls = try await phone.received().prefix(3).map { try $0.callID() }
        #expect(Set(calls).count == 1)
        let numbers = try await phone.received().prefix(3).map { try $0.cSeq().number }
        #expect(numbers[0] < numbers[1] && numbers[1] < numbers[2])
        try await phone.close()
        try await provider.stop()
    }

    @Test("CPIM for a phone that takes it, plain for one that says it does not after all")
    func cpim() async throws {
        let provider = try await Provider.start()
        let (alice, bob) = (try await provider.person("alice"), try await provider.person("bob"))
        let account = try await provider.phone(of: alice, cpim: true)
        let phone = try await TestPhone.make(account, at: provider, .tcp)
        try await phone.register()
        let id = try await provider.send("hello", from: bob, to: alice)
        #expect(try await phone.waits(for: 1))
        let request = try #require(try await phone.received().first)
        #expect(request.text(.contentType) == "message/cpim")
        let message = try CPIMMessage(parsing: Array(buffer: request.body))
        #expect(DispositionRequest(message)?.messageID == id.description)
        #expect(DispositionRequest(message)?.wants(.display) == true)
        #expect(String(decoding: message.content.body, as: UTF8.self) == "hello")
        try await phone.answer([415])
        try await provider.send("again", from: bob, to: alice)
        #expect(try await phone.waits(for: 3))
        #expect(try await phone.received()[2].text(.contentType) == "text/plain;charset=UTF-8")
        #expect(try await phone.texts()[2] == "again")
        #expect(
            try await eventually {
                try await provider.status(of: account, alice)?.device.capabilities.features.contains("cpim") == false
            }
        )
        try await phone.close()
        try await provider.stop()
    }

    @Test("The sender learns that a phone took it, and that its user saw it: from a compressed report")
    func reports() async throws {
        let provider = try await Provider.start()
        let (alice, bob) = (try await provider.person("alice"), try await provider.person("bob"))
        let account = try await provider.phone(of: alice, cpim: true)
        let phone = try await TestPhone.make(account, at: provider, .tcp)
        try await phone.register()
        let id = try await provider.send("seen?", from: bob, to: alice, reports: [.delivered, .displayed])
        #expect(try await phone.waits(for: 1))
        func state() async throws -> String? {
            try await provider.service.message(bob.identity, id).receivers?.first?.state
        }
        #expect(try await eventually { try await state() == "delivered" })
        let original = try CPIMMessage(parsing: Array(buffer: try await phone.received()[0].body))
        let report = try IMDNReport.message(
            .display(.displayed),
            on: original,
            from: CPIMAddress(uri: "sip:alice@example.org"),
            messageID: "report1",
            dateTime: CPIM.Timestamp(unixSeconds: 1_790_000_000)
        )
        let compressed = Inflate.storedZlib(report.bytes)
        let answer = try await phone.write("", to: "sip:bob@example.org") { request in
            request.setBody(ByteBuffer(bytes: compressed), contentType: "message/cpim")
            request.append(.contentEncoding, "deflate")
        }
        #expect(answer.status == 200)
        #expect(try await eventually { try await state() == "displayed" })
        #expect(try await provider.inbox(alice).first?.read == true)
        try await phone.close()
        try await provider.stop()
    }

    @Test("A phone that knows no CPIM reports on a message by its Call-ID")
    func plainReport() async throws {
        let provider = try await Provider.start()
        let (alice, bob) = (try await provider.person("alice"), try await provider.person("bob"))
        let phone = try await TestPhone.make(try await provider.phone(of: alice), at: provider)
        try await phone.register()
        try await provider.send("seen?", from: bob, to: alice)
        #expect(try await phone.waits(for: 1))
        let callID = try await phone.received()[0].callID()
        let xml = """
            <?xml version="1.0" encoding="UTF-8"?>
            <imdn xmlns="urn:ietf:params:xml:ns:imdn"><message-id>\(callID)</message-id>\
            <datetime>2026-11-24T02:00:00Z</datetime><display-notification><status><displayed/></status>\
            </display-notification></imdn>
            """
        #expect(try await phone.write(xml, to: "sip:bob@example.org", type: "message/imdn+xml").status == 200)
        #expect(try await eventually { try await provider.inbox(alice).first?.read == true })
        try await phone.close()
        try await provider.stop()
    }
}
