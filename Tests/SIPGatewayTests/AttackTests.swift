import ClientWire
import Foundation
import NIOCore
import NIOPosix
import NIOSSL
import SIP
import Testing

@testable import SIPGateway

/// What strangers and liars get, and what everybody else notices of it.
@Suite("SIP under attack", .serialized, .timeLimit(.minutes(4)))
struct AttackTests {
    @Test("A flood of wrong passwords: it is banned, memory stays bounded, others are served and soon")
    func flood() async throws {
        let provider = try await Provider.start {
            $0.failureEntries = 64
            $0.failuresOfSource = 1_000_000
        }
        let (alice, bob) = (try await provider.person("alice"), try await provider.person("bob"))
        let phone = try await TestPhone.make(try await provider.phone(of: alice), at: provider, .tcp)
        try await phone.register()
        let guesser = try await Guesser.connect(to: provider.addresses[.udp])
        // Every guess with another user name: more names than are remembered.
        let flood = Task { try await guesser.guess(300) }
        var slowest = Duration.zero
        for index in 0..<10 {
            let start = ContinuousClock.now
            try await provider.send("in the flood \(index)", from: bob, to: alice)
            #expect(try await phone.waits(for: index + 1))
            slowest = max(slowest, ContinuousClock.now - start)
        }
        let other = try await TestPhone.make(try await provider.phone(of: bob), at: provider, .udp)
        #expect(try await other.register().status == 200)
        let statuses = try await flood.value
        #expect(slowest < .seconds(20))
        #expect(statuses[401] == 600, "asked, and asked again: \(statuses)")
        // One name from one place: five are checked, the others refused unread.
        let one = try await guesser.guess(50, user: "somebody")
        #expect(one == [401: 50 + 5, 403: 45], "\(one)")
        for phone in [phone, other] { try await phone.close() }
        try await guesser.close()
        try await provider.stop()
    }

    @Test("One source of many wrong passwords is banned whatever names it tries; the connection of a phone stays")
    func sourceBan() async throws {
        let provider = try await Provider.start { $0.failuresOfSource = 20 }
        let (alice, bob) = (try await provider.person("alice"), try await provider.person("bob"))
        let phone = try await TestPhone.make(try await provider.phone(of: alice), at: provider, .tcp)
        try await phone.register()
        let guesser = try await Guesser.connect(to: provider.addresses[.udp])
        let statuses = try await guesser.guess(100)
        #expect(statuses == [401: 100 + 20, 403: 80], "\(statuses)")
        try await provider.send("still here", from: bob, to: alice)
        #expect(try await phone.waits(for: 1))
        #expect(try await phone.write("me too", to: "sip:bob@example.org").status == 202)
        try await guesser.close()
        try await phone.close()
        try await provider.stop()
    }

    @Test("Nobody is banned by datagrams with a forged source, and a challenge leaves nothing behind")
    func strangers() async throws {
        let provider = try await Provider.start()
        let alice = try await provider.person("alice")
        let guesser = try await Guesser.connect(to: provider.addresses[.udp])
        // Credentials for nonces that were never given to this source.
        let invented = try await guesser.guess(300, nonce: "0-invented-0123456789abcdef")
        #expect(invented == [401: 600], "\(invented)")
        let phone = try await TestPhone.make(try await provider.phone(of: alice), at: provider, .udp)
        #expect(try await phone.register().status == 200)
        try await guesser.close()
        try await phone.close()
        try await provider.stop()
    }

    @Test("Nobody speaks as somebody else: From, P-Asserted-Identity, P-Preferred-Identity, the CPIM envelope")
    func spoofing() async throws {
        let provider = try await Provider.start()
        let (alice, bob) = (try await provider.person("alice"), try await provider.person("bob"))
        _ = alice
        let mallory = try await provider.person("mallory")
        let phone = try await TestPhone.make(try await provider.phone(of: mallory), at: provider, .tcp)
        try await phone.register()
        let bobs = "sip:bob@example.org"
        #expect(try await phone.write("x", to: bobs) { $0.set(.from, "<sip:alice@example.org>;tag=1") }.status == 403)
        #expect(try await phone.write("x", to: bobs) { $0.set(.from, "<tel:+15551234567>;tag=1") }.status == 403)
        for header in [HeaderName.pAssertedIdentity, .pPreferredIdentity] {
            #expect(
                try await phone.write("mine", to: bobs) { $0.append(header, "<sip:alice@example.org>") }.status == 403
            )
        }
        let envelope =
            "From: <sip:alice@example.org>\r\nTo: <sip:bob@example.org>\r\n\r\nContent-Type: text/plain\r\n\r\nx"
        #expect(try await phone.write(envelope, to: bobs, type: "message/cpim").status == 403)
        #expect(try await provider.texts(bob) == [])
        // One's own, repeated, is no lie.
        let own = try await phone.write("mine", to: bobs) {
            $0.append(.pPreferredIdentity, "<sip:mallory@example.org>")
        }
        #expect(own.status == 202)
        try await phone.close()
        try await provider.stop()
    }

    @Test("Whatever stands in Replaces, Refer-To and Target-Dialog: refused, nothing moves, nobody else notices")
    func movesByGarbage() async throws {
        let house = try await Household.start()
        let (callID, own) = (try house.answer.callID(), Provider.address(of: house.hallAccount))
        let (to, from) = (try house.answer.to().tag ?? "", try house.answer.from().tag ?? "")
        let mallory = try await house.provider.person("mallory")
        let phone = try await TestPhone.make(try await house.provider.phone(of: mallory), at: house.provider, .tcp)
        try await phone.register()
        var random = SystemRandomNumberGenerator()
        let pieces = [
            callID, to, from, "\(house.session)", "continuo", "leg1", "device1", ";to-tag=", ";from-tag=",
            ";local-tag=",
            ";remote-tag=", ";early-only", "=", ";", ",", "\"", "<", ">", "%00", "%", "@", "leg-1", "leg99999999999",
            String(repeating: "a", count: 3000), "sip:", "sips:", "alice@example.org", ";gr", ";gr=",
            "urn:continuo:device:",
            "2147483648", "?Replaces=", "?Replaces=x%3Bto-tag%3D1", "\u{e9}", " ",
        ]
        for _ in 0..<150 {
            let value = (0..<Int.random(in: 0...7, using: &random)).compactMap { _ in pieces.randomElement() }.joined()
            let taken = try await phone.call("sip:bob@example.org") { $0.append(.replaces, value) }
            #expect((400..<700).contains(Int(taken.status?.rawValue ?? 0)), "\(value)")
            let named = try await phone.ask(.refer, to: "sip:bob@example.org", target: "sip:bob@example.org") {
                $0.append(.referTo, own)
                $0.append(.targetDialog, value)
            }
            #expect((400..<700).contains(Int(named.status?.rawValue ?? 0)), "\(value)")
            let aimed = try await phone.ask(.refer, to: "sip:bob@example.org", target: "sip:bob@example.org") {
                $0.append(.referTo, value)
                $0.append(.targetDialog, "\(callID);local-tag=\(from);remote-tag=\(to)")
            }
            #expect((400..<700).contains(Int(aimed.status?.rawValue ?? 0)), "\(value)")
        }
        // As somebody else, whose call it is.
        for method in [SIPMethod.invite, .refer, .subscribe] {
            let answer = try await phone.ask(method, to: "sip:bob@example.org", target: "sip:bob@example.org") {
                $0.set(.from, "<sip:alice@example.org>;tag=\(from)")
                $0.append(.replaces, "\(callID);to-tag=\(to);from-tag=\(from)")
                $0.append(.referTo, own)
                $0.append(.targetDialog, "\(callID);local-tag=\(from);remote-tag=\(to)")
                $0.append(.event, "dialog")
            }
            #expect(answer.status == 403, "\(method)")
        }
        // Nor by whoever knows the dialog and no password.
        let stranger = try await Guesser.connect(to: house.provider.addresses[.udp])
        #expect(Set(try await stranger.shapes(.refer, of: ["alice", "nobody"])).count == 1)
        try await stranger.close()
        #expect(try await house.isStill(on: house.deskAccount))
        #expect(try await house.bobs.received(.bye).isEmpty)
        #expect(try await house.take(try house.replaces()).status == 200)
        #expect(try await house.isOn(house.hallAccount))
        try await phone.close()
        try await house.stop()
    }

    @Test("Garbage ends the connection that it came on, and no other", arguments: [SIPTransportKind.tcp, .ws, .tls])
    func garbage(transport: SIPTransportKind) async throws {
        let files = transport == .tls ? try await SelfSigned.make() : nil
        let provider = try await Provider.start(
            transports: [.udp, .tcp, transport == .tcp ? .ws : transport],
            certificate: files
        )
        let (alice, bob) = (try await provider.person("alice"), try await provider.person("bob"))
        let phone = try await TestPhone.make(try await provider.phone(of: alice), at: provider, .tcp)
        try await phone.register()
        var pieces: [[UInt8]] = [
            Array("GET / HTTP/1.0\r\n\r\n".utf8),
            [UInt8](repeating: 0, count: 4096),
            (0..<8192).map { UInt8(truncatingIfNeeded: $0 &* 31) },
            Array(("REGISTER sip:example.org SIP/2.0\r\n" + String(repeating: "A: b\r\n", count: 20_000)).utf8),
            Array("MESSAGE sip:x SIP/2.0\r\nContent-Length: 99999999999\r\n\r\n".utf8),
        ]
        pieces += (0..<8).map { seed in
            (0..<2048).map { UInt8(truncatingIfNeeded: ($0 + seed) &* ($0 ^ seed) &* 7 + 128) }
        }
        for piece in pieces {
            let connection = try await Stranger.connect(port: provider.port(transport))
            connection.send(piece)
            // Whatever the door does with it, it keeps none of it for long.
            connection.send(Array(repeating: 65, count: 200_000))
            #expect(try await connection.isClosed(within: 40), "\(piece.prefix(40))")
        }
        try await provider.send("still here", from: bob, to: alice)
        #expect(try await phone.waits(for: 1))
        #expect(try await phone.write("me too", to: "sip:bob@example.org").status == 202)
        try await phone.close()
        try await provider.stop()
    }

    @Test("RFC 8996 section 5: TLS 1.1 is not taken", arguments: ["-tls1_1", "-tls1_2"])
    func oldTLS(version: String) async throws {
        let provider = try await Provider.start(transports: [.tls], certificate: try await SelfSigned.make())
        let ask =
            "/usr/bin/openssl s_client -connect 127.0.0.1:\(provider.port(.tls)) -cipher DEFAULT@SECLEVEL=0 \(version)"
        let asked = try await Program.run("/bin/sh", ["-c", ask + " </dev/null"])
        #expect((asked.status == 0) == (version == "-tls1_2"), "\(asked.output)")
        try await provider.stop()
    }

    @Test(
        "Scanners learn nothing: an extension that there is answers as one that there is not",
        .enabled(if: Scanner.python != nil, "sipvicious is not installed")
    )
    func scanners() async throws {
        let provider = try await Provider.start()
        let alice = try await provider.person("alice")
        let account = try await provider.phone(of: alice)
        let phone = try await TestPhone.make(account, at: provider, .tcp)
        try await phone.register()
        let names = ["alice", "nobody", account.user, "pffffffffffffffff", "1000"]
        for method in ["REGISTER", "INVITE", "OPTIONS", "MESSAGE"] {
            let output = try await Scanner.probe(names, method: method, port: provider.port(.udp), in: provider.folder)
            #expect(output.contains("found nothing"), "\(method): \(output)")
        }
        // And byte for byte, but for what is random.
        let guesser = try await Guesser.connect(to: provider.addresses[.udp])
        for method in [SIPMethod.register, .invite, .message, .subscribe, .options, .publish] {
            let answers = try await guesser.shapes(method, of: names)
            #expect(Set(answers).count == 1, "\(method): \(answers)")
        }
        try await guesser.close()
        try await phone.close()
        try await provider.stop()
    }
}
