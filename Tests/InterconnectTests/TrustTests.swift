import ClientWire
import Foundation
import Interconnect
import MessagingCore
import MessagingService
import NIOCore
import NIOPosix
import NIOSSL
import SIP
import SIPTransport
import Testing

/// Somebody who speaks SIP to a provider, with a certificate or without.
final class Caller: SIPStackHandler, @unchecked Sendable {
    private let loop = MultiThreadedEventLoopGroup.singleton.next()
    private var stack: SIPStack?
    private let port: Int

    init(_ port: Int, certificate: (certificate: String, key: String)?) async throws {
        self.port = port
        var tls = TLSConfiguration.makeClientConfiguration()
        tls.trustRoots = .file(try await Authority.shared.root())
        tls.certificateVerification = .noHostnameVerification
        if let certificate {
            tls.certificateChain = try NIOSSLCertificate.fromPEMFile(certificate.certificate).map { .certificate($0) }
            tls.privateKey = .privateKey(try NIOSSLPrivateKey(file: certificate.key, format: .pem))
        }
        let context = try NIOSSLContext(configuration: tls)
        let client = DNSClient(group: loop, configuration: .init(servers: []))
        try await loop.submit { [self] in
            var configuration = SIPStackConfiguration()
            configuration.clientTLS = context
            configuration.timers = TransactionTimers(t1: .milliseconds(50))
            stack = SIPStack(
                eventLoop: loop,
                configuration: configuration,
                resolver: DNSResolver(client: client),
                handler: self
            )
        }.get()
    }

    func received(_ transaction: ServerTransaction) { transaction.respond(501) }

    /// - Returns: the status of the answer; nil when there was none.
    func send(_ request: SIPMessage) async -> UInt16? {
        await withCheckedContinuation { continuation in
            loop.execute { [self] in
                guard let address = try? SocketAddress(ipAddress: "127.0.0.1", port: port) else {
                    return continuation.resume(returning: nil)
                }
                let place = Destination(transport: .tls, address: address)
                stack?.send(request, to: .destinations([place])) { _, event in
                    guard case .response(let response) = event else { return continuation.resume(returning: nil) }
                    continuation.resume(returning: response.status?.rawValue)
                }
            }
        }
    }

    func close() async {
        try? await loop.flatSubmit { [self] in stack?.close() ?? loop.makeSucceededVoidFuture() }.get()
    }

    /// A MESSAGE; what is asserted and what stands in CPIM may differ.
    static func message(
        from: String = "sip:bob@b.example",
        asserting: String? = "sip:bob@b.example",
        writing: String = "sip:bob@b.example",
        to: String = "sip:alice@a.example",
        type: String = "message/cpim",
        id: String = "one",
        body: String? = nil
    ) -> SIPMessage {
        var request = SIPMessage(method: .message, uri: to)
        request.append(.maxForwards, "70")
        request.append(.from, "<\(from)>;tag=\(RandomText.token(8))")
        request.append(.to, "<\(to)>")
        request.append(.callID, RandomText.token(20))
        request.append(.cSeq, "1 MESSAGE")
        if let asserting { request.append(.pAssertedIdentity, "<\(asserting)>") }
        let content =
            body
            ?? "From: <\(writing)>\r\nTo: <\(to)>\r\nNS: imdn <urn:ietf:params:imdn>\r\nimdn.Message-ID: \(id)\r\n\r\n"
            + "Content-Type: text/plain\r\n\r\nhello"
        request.setBody(ByteBuffer(string: content), contentType: type)
        return request
    }
}

@Suite("Whom a provider believes what")
struct TrustTests {
    @Test("a peer speaks for its own users, to users of this provider, and for nobody else")
    func identities() async throws {
        let a = try await Provider("a.example", peers: [peer("b.example", 1), peer("c.example", 1)])
        let alice = try await a.person("alice")
        let b = try await Caller(a.port, certificate: try await Authority.shared.certificate("b.example"))
        #expect(await b.send(Caller.message(id: "good")) == 200)
        #expect(await b.send(Caller.message(id: "good")) == 200, "the same again is the same")
        let spoofed: [(SIPMessage, UInt16, String)] = [
            (Caller.message(asserting: "sip:carol@c.example", id: "2"), 403, "asserted for another peer's user"),
            (Caller.message(asserting: "sip:alice@a.example", id: "3"), 403, "asserted for one of this provider's"),
            (Caller.message(writing: "sip:carol@c.example", id: "4"), 403, "CPIM From of another domain"),
            (Caller.message(writing: "sip:ben@b.example", id: "5"), 403, "CPIM From of another user"),
            (Caller.message(from: "sip:carol@c.example", asserting: nil, id: "6"), 403, "From of another domain"),
            (Caller.message(to: "sip:carol@c.example", id: "7"), 404, "no relay to others"),
            (Caller.message(to: "sip:nobody@a.example", id: "8"), 404, "no such user"),
            (Caller.message(type: "image/png", id: "9"), 415, "a type that nobody takes"),
            (Caller.message(body: "no message at all"), 400, "no CPIM"),
            (Caller.message(type: "application/vnd.continuo.session+json", body: "{"), 400, "no line"),
        ]
        for (message, status, what) in spoofed { #expect(await b.send(message) == status, Comment(rawValue: what)) }
        let plain = Caller.message(type: "text/plain", body: "just text")
        #expect(await b.send(plain) == 200)
        #expect(try await a.texts(alice) == ["hello", "just text"])
        await b.close()
        await a.stop()
    }

    @Test("whoever shows no certificate, an unknown one, or one that is over gets nowhere")
    func strangers() async throws {
        let a = try await Provider("a.example", peers: [peer("b.example", 1)])
        let alice = try await a.person("alice")
        let certificates: [(String, (certificate: String, key: String)?, UInt16?)] = [
            ("none", nil, nil),
            ("of a stranger's authority", try await Authority.stranger.certificate("b.example"), nil),
            ("over", try await Authority.shared.certificate("b.example", isExpired: true), nil),
            ("of a domain that is no peer", try await Authority.shared.certificate("d.example"), 403),
        ]
        for (what, certificate, status) in certificates {
            let caller = try await Caller(a.port, certificate: certificate)
            #expect(await caller.send(Caller.message()) == status, Comment(rawValue: what))
            await caller.close()
        }
        #expect(try await a.texts(alice).isEmpty)
        await a.stop()
    }

    @Test("a provider whose certificate is wrong or over is told nothing; what waits is not lost")
    func wrongServer() async throws {
        let (first, second) = (try freePort(), try freePort())
        let a = try await Provider("a.example", port: first, peers: [peer("b.example", second)])
        let alice = try await a.person("alice")
        let bobs = try Address("bob@b.example")
        for certificate in [
            try await Authority.shared.certificate("c.example"),
            try await Authority.shared.certificate("b.example", isExpired: true),
        ] {
            let wrong = try await Provider(
                "b.example",
                port: second,
                peers: [peer("a.example", first)],
                certificate: certificate
            )
            let bob = try await wrong.person("bob")
            let id = try await a.send("secret", from: alice, to: [bobs])
            _ = try await eventually("a finds no provider there") { a.interconnect.isAway("b.example") ? true : nil }
            #expect(try await wrong.texts(bob).isEmpty)
            #expect(try await a.states(id, alice) == ["pending"])
            await wrong.stop()
        }
        let b = try await Provider("b.example", port: second, peers: [peer("a.example", first)])
        let bob = try await b.person("bob")
        _ = try await eventually("both at last") { try await b.texts(bob).count == 2 ? true : nil }
        await a.stop()
        await b.stop()
    }

    @Test("a certificate that was renewed is shown once its files are read again; one that is broken is not")
    func renewed() async throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("continuo-\(UUID())")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let files = (certificate: folder.path + "/a.pem", key: folder.path + "/a.key")
        func place(_ number: Int) async throws {
            let made = try await Authority.shared.certificate("a.example", number: number)
            for (from, to) in [(made.certificate, files.certificate), (made.key, files.key)] {
                try Data(contentsOf: URL(fileURLWithPath: from)).write(to: URL(fileURLWithPath: to))
            }
        }
        try await place(1)
        let (own, other) = (try freePort(), try freePort())
        let a = try await Provider("a.example", port: own, peers: [peer("b.example", other)], certificate: files)
        let b = try await Provider("b.example", port: other, peers: [peer("a.example", own)])
        let (alice, bob) = (try await a.person("alice"), try await b.person("bob"))
        // Too long for one request: it goes by MSRP, whose certificates signalling names.
        let long = String(repeating: "Ein langer Text. ", count: 2000)
        _ = try await b.arrived(try await a.send(long, from: alice, to: [bob.address]), bob)
        let first = try Self.shown(own)
        #expect(!first.isEmpty && !a.interconnect.reloadCertificates())

        try Data("broken".utf8).write(to: URL(fileURLWithPath: files.key))
        #expect(!a.interconnect.reloadCertificates())
        #expect(try Self.shown(own) == first)
        try await place(2)
        #expect(a.interconnect.reloadCertificates())
        #expect(!a.interconnect.reloadCertificates())
        _ = try await eventually("the other certificate") { try Self.shown(own) == first ? nil : true }
        for (from, sender, to, receiver) in [(a, alice, b, bob), (b, bob, a, alice)] {
            _ = try await to.arrived(try await from.send(long, from: sender, to: [receiver.address]), receiver)
        }
        await a.stop()
        await b.stop()
    }

    /// What a port shows over TLS.
    private static func shown(_ port: Int) throws -> String {
        let program = Process()
        program.executableURL = URL(fileURLWithPath: "/bin/sh")
        let look = "openssl s_client -connect 127.0.0.1:\(port) </dev/null 2>/dev/null"
        program.arguments = ["-c", "\(look) | openssl x509 -noout -fingerprint -sha256 2>/dev/null"]
        let output = Pipe()
        program.standardOutput = output
        try program.run()
        let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        program.waitUntilExit()
        return text
    }
}
