import Foundation
import MSRP
import MSRPTransport
import NIOCore
import NIOSSL
import Testing

/// TLS and WebSockets.
@Suite(.timeLimit(.minutes(5))) struct SecureTests {
    /// A certificate for 127.0.0.1, made for this run; none without the openssl command.
    struct Certificate {
        let server: NIOSSLContext
        let client: NIOSSLContext
        let fingerprint: CertificateFingerprint

        static let isPossible = FileManager.default.isExecutableFile(atPath: "/usr/bin/openssl")

        init() throws {
            let folder = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString)
            try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
            defer { try? FileManager.default.removeItem(at: folder) }
            let key = folder.appendingPathComponent("key.pem").path
            let certificate = folder.appendingPathComponent("certificate.pem").path
            let process = Process()
            process.executableURL = URL(fileURLWithPath: "/usr/bin/openssl")
            process.arguments = [
                "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost",
                "-keyout", key, "-out", certificate,
            ]
            process.standardError = FileHandle.nullDevice
            try process.run()
            process.waitUntilExit()
            try #require(process.terminationStatus == 0)
            let chain = try NIOSSLCertificate.fromPEMFile(certificate)
            self.fingerprint = CertificateFingerprint(ofCertificate: try chain[0].toDERBytes())
            self.server = try NIOSSLContext(
                configuration: .makeServerConfiguration(
                    certificateChain: chain.map { .certificate($0) },
                    privateKey: .privateKey(try NIOSSLPrivateKey(file: key, format: .pem))
                )
            )
            var configuration = TLSConfiguration.makeClientConfiguration()
            configuration.trustRoots = .certificates(chain)
            self.client = try NIOSSLContext(configuration: configuration)
        }
    }

    @Test(
        .enabled(if: Certificate.isPossible, "the openssl command is not installed"),
        arguments: [MSRPListener.Kind.stream, .webSocket]
    )
    func messagesGoOverTLS(_ kind: MSRPListener.Kind) async throws {
        let certificate = try Certificate()
        var configuration = MSRPEndpoint.Configuration()
        configuration.clientTLS = certificate.client
        let pair = try await Pair.start(alice: configuration, kind: kind, tls: certificate.server)
        let ends = try pair.open(secure: true, transport: kind == .webSocket ? "ws" : "tcp")
        try await self.exchange(ends)
        try await pair.listener.close()
    }

    @Test func messagesGoOverAPlainWebSocket() async throws {
        let pair = try await Pair.start(kind: .webSocket)
        let ends = try pair.open(transport: "ws")
        try await self.exchange(ends)
        try await pair.listener.close()
    }

    private func exchange(_ ends: Pair.Ends) async throws {
        let large = ByteBuffer(repeating: UInt8(ascii: "-"), count: 300_000)
        async let atBob = receive(2, from: ends.bobEvents)
        async let atAlice = receive(1, from: ends.aliceEvents)
        try await ends.alice.send(ByteBuffer(string: "hello"), contentType: "text/plain", wantsSuccessReport: true)
        try await ends.alice.send(large, contentType: "text/plain", wantsSuccessReport: true)
        try await ends.bob.send(ByteBuffer(string: "hi"), contentType: "text/plain", wantsSuccessReport: true)
        #expect(await atBob.map(\.content) == [Array("hello".utf8), Array(large.readableBytesView)])
        #expect(await atAlice.map(\.content) == [Array("hi".utf8)])
        ends.alice.close()
        ends.bob.close()
    }

    @Test(.enabled(if: Certificate.isPossible, "the openssl command is not installed"))
    func anUnknownCertificateIsNotTrusted() async throws {
        let certificate = try Certificate()
        var configuration = MSRPEndpoint.Configuration()
        configuration.clientTLS = try NIOSSLContext(configuration: .makeClientConfiguration())
        let pair = try await Pair.start(alice: configuration, tls: certificate.server)
        let ends = try pair.open(secure: true) {
            $0.limits.reconnectDelay = .milliseconds(1)
            $0.limits.maxConnectAttempts = 2
        }
        #expect(await closeReason(ends.aliceEvents) == .connectFailed)
        ends.bob.close()
        try await pair.listener.close()
    }

    @Test(.enabled(if: Certificate.isPossible, "the openssl command is not installed"), arguments: [true, false])
    func aFingerprintFromSignallingDecides(_ isRight: Bool) async throws {
        let certificate = try Certificate()
        var configuration = MSRPEndpoint.Configuration()
        // Nobody has signed the certificate whom this end knows.
        configuration.clientTLS = try NIOSSLContext(configuration: .makeClientConfiguration())
        let pair = try await Pair.start(alice: configuration, tls: certificate.server)
        let text = isRight ? certificate.fingerprint.text : "SHA-256 00" + String(repeating: ":00", count: 31)
        let uris = try pair.uris(secure: true)
        let address = ConnectionAddress(
            host: "127.0.0.1",
            port: pair.port,
            isSecure: true,
            fingerprint: try CertificateFingerprint(parsing: text)
        )
        let bob = try pair.bob.makeSession(
            local: uris.bob,
            remotePath: [uris.alice],
            role: .passive,
            handler: SessionEvents()
        )
        bob.start()
        let events = SessionEvents()
        let alice = try pair.alice.makeSession(
            local: uris.alice,
            remotePath: [uris.bob],
            role: .active,
            address: address,
            handler: events
        ) { $0.limits.maxConnectAttempts = 1 }
        alice.start()
        if isRight {
            try await alice.send(ByteBuffer(string: "hello"), contentType: "text/plain", wantsSuccessReport: true)
            alice.close()
        } else {
            #expect(await closeReason(events) == .connectFailed)
        }
        bob.close()
        try await pair.listener.close()
    }

    @Test func aWebSocketOfAnotherProtocolIsRefused() async throws {
        let pair = try await Pair.start(kind: .webSocket)
        let socket = try RawSocket(port: pair.port)
        try socket.send(
            "GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                + "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
                + "Sec-WebSocket-Protocol: sip\r\n\r\n"
        )
        #expect(try await socket.frame() == nil)
        try await pair.listener.close()
    }
}
