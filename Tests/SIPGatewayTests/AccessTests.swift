import ClientWire
import Foundation
import MessagingCore
import MessagingService
import NIOCore
import SIP
import Store
import Testing

@testable import SIPGateway

/// Who gets in, who does not, and what others notice of that.
@Suite("SIP access", .timeLimit(.minutes(5)))
struct AccessTests {
    @Test(
        "Each listener offers its algorithms; each of them lets the right password in and the wrong one not",
        arguments: [
            [DigestAlgorithm.sha256], [.md5], [.sha256, .md5],
        ]
    )
    func digest(algorithms: [DigestAlgorithm]) async throws {
        let provider = try await Provider.start(algorithms: algorithms)
        let alice = try await provider.person("alice")
        let account = try await provider.phone(of: alice)
        let phone = try await TestPhone.make(account, at: provider)
        let challenge = try await phone.ask(.register, to: "sip:example.org", target: "x@y", proves: false) { _ in }
        #expect(challenge.status == 401)
        #expect(challenge.challenges(.wwwAuthenticate).map { $0.parameters["algorithm"] } == algorithms.map(\.rawValue))
        #expect(try await phone.register().status == 200)
        let wrong = try await TestPhone.make(account, at: provider, password: "wrong")
        #expect(try await wrong.register().status == 401)
        for phone in [phone, wrong] { try await phone.close() }
        try await provider.stop()
    }

    @Test("A hash that the operator did not allow when the password was made does not come into being")
    func noMD5() async throws {
        let provider = try await Provider.start(algorithms: [.sha256])
        let alice = try await provider.person("alice")
        let account = try await provider.phone(of: alice)
        let kept = try #require(try await provider.store.read { try $0.sipCredential(user: account.user) })
        #expect(kept.hashes.keys.sorted() == ["SHA-256"])
        #expect(!kept.hashes.values.contains(account.password))
        try await provider.stop()
    }

    @Test("Unknown users get what wrong passwords get")
    func uniform() async throws {
        let provider = try await Provider.start()
        let account = try await provider.phone(of: try await provider.person("alice"))
        let unknown = try await TestPhone.make(account, at: provider, user: "nobody")
        let wrong = try await TestPhone.make(account, at: provider, password: "wrong")
        func answer(_ phone: TestPhone) async throws -> [String] {
            let response = try await phone.register()
            return ["\(response.status?.rawValue ?? 0)"] + response.headerFields.map(\.name)
                + response.challenges(.wwwAuthenticate).map { "\($0.parameters["stale"] ?? "-")" }
        }
        for _ in 1...7 {
            let (left, right) = (try await answer(unknown), try await answer(wrong))
            #expect(left == right)
        }
        for phone in [unknown, wrong] { try await phone.close() }
        try await provider.stop()
    }

    @Test("Wrong passwords are bounded and banned for a while; the others of that source go on")
    func ban() async throws {
        let provider = try await Provider.start {
            $0.failuresOfUser = 3
            $0.banSeconds = 15
        }
        let alice = try await provider.person("alice")
        let (good, bad) = (try await provider.phone(of: alice), try await provider.phone(of: alice))
        let guesser = try await TestPhone.make(bad, at: provider, password: "guess")
        var statuses: [SIPStatus?] = []
        for _ in 1...5 { statuses.append(try await guesser.register().status) }
        #expect(statuses == [401, 401, 401, 403, 403])
        let refusal = try await guesser.register()
        #expect(refusal.text(.retryAfter) != nil)
        // The right password does not help either before the ban is over; another phone does not notice.
        let owner = try await TestPhone.make(bad, at: provider)
        #expect(try await owner.register().status == 403)
        let other = try await TestPhone.make(good, at: provider)
        #expect(try await other.register().status == 200)
        #expect(try await eventually(within: 60) { try await owner.register().status == 200 })
        for phone in [guesser, owner, other] { try await phone.close() }
        try await provider.stop()
    }

    @Test("A phone may be only its own addresses")
    func addresses() async throws {
        let provider = try await Provider.start()
        let alice = try await provider.person("alice")
        _ = try await provider.person("bob")
        let phone = try await TestPhone.make(try await provider.phone(of: alice), at: provider)
        let answer = try await phone.register { request in
            request.set(.to, "<sip:bob@example.org>")
            request.set(.from, "<sip:bob@example.org>;tag=1")
        }
        #expect(answer.status == 403)
        let mixed = try await phone.register { $0.set(.from, "<sip:bob@example.org>;tag=1") }
        #expect(mixed.status == 403)
        try await phone.close()
        try await provider.stop()
    }

    @Test("Who takes an old address back keeps the new one, and another's leaving takes nobody's place")
    func oldAddress() async throws {
        let provider = try await Provider.start()
        let (alice, bob) = (try await provider.person("alice"), try await provider.person("bob"))
        let phone = try await TestPhone.make(try await provider.phone(of: alice), at: provider, .tcp)
        try await phone.register()
        let old = "<sip:phone@192.0.2.1:5060>"
        #expect(try await phone.register(expires: 0) { $0.set(.contact, old) }.status == 200)
        try await provider.send("still there", from: bob, to: alice)
        #expect(try await phone.waits(for: 1))
        // The same of instances.
        try await phone.register(parameters: ";+sip.instance=\"<urn:uuid:1>\"")
        let other = old + ";+sip.instance=\"<urn:uuid:2>\""
        #expect(try await phone.register(expires: 0) { $0.set(.contact, other) }.status == 200)
        try await provider.send("and there", from: bob, to: alice)
        #expect(try await phone.waits(for: 2))
        // Another one that stays does take its place.
        let answer = try await phone.register { $0.set(.contact, other) }
        #expect(try answer.contacts().addresses.count == 1)
        try await phone.close()
        try await provider.stop()
    }

    @Test("A registration is the device's lease; leaving ends it, revoking ends all")
    func lease() async throws {
        let provider = try await Provider.start()
        let (alice, bob) = (try await provider.person("alice"), try await provider.person("bob"))
        let account = try await provider.phone(of: alice)
        #expect(try await provider.status(of: account, alice)?.isRegistered == false)
        let phone = try await TestPhone.make(account, at: provider)
        try await phone.register(parameters: ";audio;+sip.instance=\"<urn:uuid:1>\";mobility=\"mobile\"")
        #expect(
            try await eventually {
                let status = try await provider.status(of: account, alice)
                return status?.isRegistered == true && status?.isConnected == true && status?.device.kind == .mobile
                    && status?.device.capabilities.features == ["sip", "audio"]
            }
        )
        try await phone.register(expires: 0, parameters: ";+sip.instance=\"<urn:uuid:1>\"")
        #expect(
            try await eventually {
                let status = try await provider.status(of: account, alice)
                return status?.isRegistered == false && status?.isConnected == false
            }
        )
        try await provider.send("while it was out", from: bob, to: alice)
        try await phone.register()
        #expect(try await phone.waits(for: 1))
        try await provider.service.revokeDevice(alice.identity.account, account.device.id)
        try await provider.send("after", from: bob, to: alice)
        #expect(try await phone.register().status == 401)
        #expect(try await phone.write("x", to: "sip:bob@example.org").status == 401)
        #expect(try await phone.texts() == ["while it was out"])
        try await phone.close()
        try await provider.stop()
    }

    @Test("A phone that comes again and again within a moment: the last of its leases is the one that is kept")
    func lastLease() async throws {
        let provider = try await Provider.start()
        let alice = try await provider.person("alice")
        let account = try await provider.phone(of: alice)
        let phone = try await TestPhone.make(account, at: provider)
        try await phone.register(expires: 100)
        #expect(try await eventually { try await provider.status(of: account, alice)?.isRegistered == true })
        for _ in 0..<3 {
            for seconds in [100, 100, 100, 600] {
                #expect(try await phone.register(expires: seconds).status == 200)
            }
            let end = provider.service.now.advanced(by: 500_000)
            #expect(try await eventually { try await provider.leaseEnd(of: account, alice).map { end < $0 } ?? false })
        }
        try await phone.close()
        try await provider.stop()
    }

    @Test("Outbound, GRUU and the bounds of a registration")
    func registrar() async throws {
        let provider = try await Provider.start { $0.leaseMaximumSeconds = 100 }
        let alice = try await provider.person("alice")
        let phone = try await TestPhone.make(try await provider.phone(of: alice), at: provider, .tcp)
        let instance = ";+sip.instance=\"<urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6>\";reg-id=1"
        let answer = try await phone.register(parameters: instance) {
            $0.append(.supported, "path, gruu, outbound")
        }
        #expect(answer.status == 200)
        #expect(answer.text(.require) == "outbound")
        #expect(answer.text(.flowTimer) != nil)
        let contact = try #require(try answer.contacts().addresses.first)
        #expect(contact.parameters["expires"].flatMap { Int($0) }.map { $0 <= 100 } == true)
        #expect(contact.parameters["pub-gruu"]?.hasPrefix("sip:alice@example.org;gr=urn") == true)
        #expect(contact.parameters["temp-gruu"] != nil)
        let short = try await phone.register(expires: 5, parameters: instance)
        #expect(short.status == 423)
        #expect(short.text(.minExpires) == "60")
        try await phone.close()
        try await provider.stop()
    }

    @Test("A connection of one phone needs no proof twice; a datagram does, and so does what came through a proxy")
    func connections() async throws {
        let provider = try await Provider.start()
        let alice = try await provider.person("alice")
        _ = try await provider.person("bob")
        let body = ByteBuffer(string: "x")
        for (transport, expected) in [(SIPTransportKind.tcp, SIPStatus(integerLiteral: 202)), (.udp, 401)] {
            let phone = try await TestPhone.make(try await provider.phone(of: alice), at: provider, transport)
            try await phone.register()
            let bob = "sip:bob@example.org"
            let answer = try await phone.ask(.message, to: bob, target: bob, proves: false) {
                $0.setBody(body, contentType: "text/plain")
            }
            #expect(answer.status == expected)
            let proxied = try await phone.ask(.message, to: bob, target: bob, proves: false) {
                $0.append(.via, "SIP/2.0/TCP 192.0.2.1:5060;branch=z9hG4bKbehind")
                $0.setBody(body, contentType: "text/plain")
            }
            #expect(proxied.status == 401)
            try await phone.close()
        }
        try await provider.stop()
    }

    @Test("Strangers are challenged, whatever they ask for and whomever they name")
    func methods() async throws {
        let provider = try await Provider.start()
        let alice = try await provider.person("alice")
        let phone = try await TestPhone.make(try await provider.phone(of: alice), at: provider)
        let options = try await phone.ask(.options, to: "sip:example.org", target: "sip:example.org") { _ in }
        #expect(options.status == 200)
        #expect(options.text(.allow) == UserAgent.methods.map(\.rawValue).joined(separator: ", "))
        for user in ["alice", "nobody", "1000"] {
            let target = "sip:\(user)@example.org"
            for method in [SIPMethod.subscribe, .message, .publish, .invite] {
                #expect(try await phone.ask(method, to: target, target: target, proves: false) { _ in }.status == 401)
            }
        }
        try await phone.close()
        try await provider.stop()
    }

    @Test("The lamp of a desk phone: lit by what waits, out when it was read elsewhere")
    func lamp() async throws {
        let provider = try await Provider.start()
        let (alice, bob) = (try await provider.person("alice"), try await provider.person("bob"))
        let phone = try await TestPhone.make(try await provider.phone(of: alice), at: provider, .tcp)
        try await phone.register()
        let address = "sip:alice@example.org"
        let answer = try await phone.ask(.subscribe, to: address, target: address) { request in
            request.append(.event, "message-summary")
            request.append(.expires, "600")
        }
        #expect(answer.status == 200)
        #expect(answer.text(.expires) == "600")
        func summaries() async throws -> [MessageSummary] {
            try await phone.received(.notify).map { try MessageSummary(parsing: $0.body) }
        }
        #expect(try await eventually { try await summaries().last?.isWaiting == false })
        let id = try await provider.send("look", from: bob, to: alice)
        #expect(try await eventually { try await summaries().last?.counts["text-message"]?.new == 1 })
        _ = try await provider.service.markRead(alice.identity, ReadRequest(ids: [id]))
        #expect(try await eventually { try await summaries().last?.isWaiting == false })
        let notify = try #require(try await phone.received(.notify).last)
        #expect(notify.text(.subscriptionState)?.hasPrefix("active;expires=") == true)
        #expect(notify.text(.event) == "message-summary")
        try await phone.close()
        try await provider.stop()
    }
}
