import CPIM
import ClientWire
import MessagingCore
import MessagingService
import NIOCore
import SIP
import SIPGateway
import Testing
import XMLBodies

/// What phones write, over real sockets.
@Suite("Messages from phones", .timeLimit(.minutes(5)))
struct WritingTests {
    @Test("A plain text arrives, over datagrams and connections; the same request again makes no second message")
    func plain() async throws {
        let provider = try await Provider.start()
        let (alice, bob) = (try await provider.person("alice"), try await provider.person("bob"))
        for transport in [SIPTransportKind.udp, .tcp, .ws] {
            let phone = try await TestPhone.make(try await provider.phone(of: alice), at: provider, transport)
            try await phone.register()
            let text = "by \(transport)"
            for _ in 1...2 {
                let answer = try await phone.write(text, to: "sip:bob@example.org") { request in
                    request.set(.callID, "one-call-\(transport)")
                    request.set(.cSeq, "77 MESSAGE")
                }
                #expect(answer.status == 202)
            }
            try await phone.close()
        }
        #expect(try await provider.texts(bob) == ["by udp", "by tcp", "by ws"])
        #expect(try await provider.inbox(bob).first?.message?.from == alice.address)
        try await provider.stop()
    }

    @Test("A CPIM message keeps its id, and its reports come back to the phone that asked, once each")
    func cpim() async throws {
        let provider = try await Provider.start()
        let (alice, bob) = (try await provider.person("alice"), try await provider.person("bob"))
        let phone = try await TestPhone.make(try await provider.phone(of: alice), at: provider, .tcp)
        try await phone.register()
        let body = Self.message("Kx7=u2@phone", "Hello", from: "sip:alice@example.org")
        #expect(try await phone.write(body, to: "sip:bob@example.org", type: "message/cpim").status == 202)
        #expect(try await phone.write(body, to: "sip:bob@example.org", type: "message/cpim").status == 202)
        #expect(try await provider.texts(bob) == ["Hello"])
        let item = try #require(try await provider.inbox(bob).first)
        #expect(item.id == "Kx7=u2@phone")
        // Listing it was its delivery; now it is read.
        _ = try await provider.service.markRead(bob.identity, ReadRequest(ids: [try MessageID(item.id)]))
        #expect(try await eventually { try await Self.reports(phone).contains(.display(.displayed)) })
        try await Task.sleep(for: .milliseconds(300))
        let reports = try await Self.reports(phone)
        #expect(reports.filter { $0 == .display(.displayed) }.count == 1)
        #expect(reports.filter { $0 == .delivery(.delivered) }.count <= 1)
        try await phone.close()
        try await provider.stop()
    }

    @Test("Refusals have a status that says why")
    func refusals() async throws {
        let provider = try await Provider.start { $0.inflatedBytes = 4096 }
        let alice = try await provider.person("alice")
        _ = try await provider.person("bob")
        let phone = try await TestPhone.make(try await provider.phone(of: alice), at: provider)
        try await phone.register()
        let bob = "sip:bob@example.org"
        #expect(try await phone.write("x", to: "sip:nobody@example.org").status == 404)
        #expect(try await phone.write("x", to: "not-sip:bob").status == 416)
        let other = try await phone.write("x", to: bob) { $0.set(.from, "<sip:bob@example.org>;tag=1") }
        #expect(other.status == 403)
        let spoofed = Self.message("m1", "x", from: "sip:bob@example.org")
        #expect(try await phone.write(spoofed, to: bob, type: "message/cpim").status == 403)
        #expect(try await phone.write("x", to: bob, type: "image/png").status == 415)
        #expect(try await phone.write("x", to: bob, type: "text/plain;charset=iso-8859-1").status == 415)
        #expect(try await phone.write("no CPIM at all", to: bob, type: "message/cpim").status == 400)
        #expect(try await phone.write("<imdn/>", to: bob, type: "message/imdn+xml").status == 400)
        let bomb = Inflate.storedZlib([UInt8](repeating: 0x20, count: 8000))
        let answer = try await phone.write("", to: bob) { request in
            request.setBody(ByteBuffer(bytes: bomb), contentType: "text/plain")
            request.append(.contentEncoding, "deflate")
        }
        #expect(answer.status == 413)
        try await phone.close()
        let talker = try await TestPhone.make(try await provider.phone(of: alice), at: provider, .tcp)
        try await talker.register()
        #expect(try await talker.write(String(repeating: "x", count: 70_000), to: bob).status == 413)
        try await talker.close()
        try await provider.stop()
    }

    @Test("Whoever has no credit, or no right to send, is told so")
    func rights() async throws {
        let provider = try await Provider.start()
        var settings = try await provider.service.operatorSettings()
        settings.tariff.perReceiver = 10
        _ = try await provider.service.putOperatorSettings(settings)
        _ = try await provider.person("bob")
        let poor = try await provider.person("poor", balance: 5)
        var entitlement = Entitlement()
        entitlement.canSend = false
        let mute = try await provider.person("mute", entitlement: entitlement)
        for (person, status) in [(poor, SIPStatus(integerLiteral: 402)), (mute, 403)] {
            let phone = try await TestPhone.make(try await provider.phone(of: person), at: provider)
            try await phone.register()
            #expect(try await phone.write("x", to: "sip:bob@example.org").status == status)
            try await phone.close()
        }
        try await provider.stop()
    }

    static func message(_ id: String, _ text: String, from: String) -> String {
        """
        From: <\(from)>\r
        To: <sip:bob@example.org>\r
        DateTime: 2026-11-24T02:00:00Z\r
        NS: imdn <urn:ietf:params:imdn>\r
        imdn.Message-ID: \(id)\r
        imdn.Disposition-Notification: positive-delivery, negative-delivery, display\r
        \r
        Content-Type: text/plain;charset=UTF-8\r
        \r
        \(text)
        """
    }

    static func reports(_ phone: TestPhone) async throws -> [IMDNDocument.Notification] {
        try await phone.received().compactMap { request in
            guard request.text(.contentType) == "message/cpim" else { return nil }
            let message = try CPIMMessage(parsing: Array(buffer: request.body))
            return try IMDNReport.notifications(in: message).first?.notification
        }
    }
}
