import ClientWire
import FoundationEssentials
import Glibc
import Logging
import NIOCore
import NIOSSL
import Testing

@testable import AppGateway

/// TLS on the client listener, and certificates that change while it runs.
@Suite("TLS")
struct TLSTests {
    /// Writes a fresh certificate and key with the `openssl` program.
    private func certificate(_ name: String, in folder: URL) throws -> TLSFiles {
        let files = TLSFiles(
            certificateChain: folder.appending(path: "cert.pem").path,
            privateKey: folder.appending(path: "key.pem").path
        )
        var child: pid_t = 0
        let arguments = [
            "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
            "-keyout", files.privateKey, "-out", files.certificateChain, "-days", "2", "-subj", "/CN=\(name)",
            "-addext", "subjectAltName=DNS:localhost",
        ]
        var words = arguments.map { strdup($0) }
        defer { for word in words { free(word) } }
        words.append(nil)
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0)
        try #require(posix_spawnp(&child, "openssl", &actions, nil, words, environ) == 0, "openssl is needed")
        var status: Int32 = 0
        waitpid(child, &status, 0)
        try #require(status == 0)
        return files
    }

    private func folder() throws -> URL {
        let folder = FileManager.default.temporaryDirectory.appending(path: "tls-\(UInt64.random(in: 0 ... .max))")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        return folder
    }

    private func client(trusting files: TLSFiles) throws -> NIOSSLContext {
        var configuration = TLSConfiguration.makeClientConfiguration()
        configuration.trustRoots = .certificates(try NIOSSLCertificate.fromPEMFile(files.certificateChain))
        return try NIOSSLContext(configuration: configuration)
    }

    @Test("new connections get the new certificate; old ones go on; a broken file changes nothing")
    func reload() async throws {
        let folder = try folder()
        defer { try? FileManager.default.removeItem(at: folder) }
        let files = try certificate("first", in: folder)
        let first = try client(trusting: files)
        try await TestGateway.run(tls: files) { gateway in
            let old = try await RawConnection(port: gateway.port, tls: first)
            let reply = try await old.request("GET", "/v1/time")
            #expect(reply.status == 200 && reply.fields["strict-transport-security"] != nil)
            #expect(gateway.certificates?.reload() == false)

            _ = try certificate("second", in: folder)
            #expect(gateway.certificates?.reload() == true)
            let second = try client(trusting: files)
            let new = try await RawConnection(port: gateway.port, tls: second)
            #expect(try await new.request("GET", "/v1/time").status == 200)
            #expect(try await old.request("GET", "/v1/time").status == 200)
            let distrusting = try await RawConnection(port: gateway.port, tls: first)
            #expect(try await distrusting.closes())

            try Data("no certificate".utf8).write(to: URL(filePath: files.certificateChain))
            #expect(gateway.certificates?.reload() == false)
            let still = try await RawConnection(port: gateway.port, tls: second)
            #expect(try await still.request("GET", "/v1/time").status == 200)

            // Plain bytes on the TLS port end without harm.
            let plain = try await RawConnection(port: gateway.port)
            try await plain.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            #expect(try await plain.closes())
            for connection in [old, new, still] { await connection.close() }
        }
    }

    @Test("the watcher notices changed files, and SIGHUP")
    func watcher() async throws {
        let folder = try folder()
        defer { try? FileManager.default.removeItem(at: folder) }
        let files = try certificate("one", in: folder)
        let certificates = try TLSCertificates(
            files,
            logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })
        )
        func differs(from context: NIOSSLContext) async throws -> Bool {
            for _ in 0..<3000 {
                if certificates.context !== context { return true }
                try await Task.sleep(for: .milliseconds(10))
            }
            return false
        }
        let polling = Task { try await TLSReloader([certificates], interval: .milliseconds(50)).run() }
        var context = certificates.context
        _ = try certificate("two", in: folder)
        #expect(try await differs(from: context))
        polling.cancel()
        _ = await polling.result

        let signalled = Task { try await TLSReloader([certificates], interval: .seconds(3600)).run() }
        try await Task.sleep(for: .milliseconds(300))
        context = certificates.context
        _ = try certificate("three", in: folder)
        kill(getpid(), SIGHUP)
        #expect(try await differs(from: context))
        signalled.cancel()
        _ = await signalled.result
    }

    @Test("a socket over TLS; a handshake that does not come to its end is cut off")
    func socketAndSilence() async throws {
        let folder = try folder()
        defer { try? FileManager.default.removeItem(at: folder) }
        let files = try certificate("first", in: folder)
        let context = try client(trusting: files)
        var limits = GatewayLimits()
        limits.tickMilliseconds = 20
        limits.headMilliseconds = 5000
        try await TestGateway.run(limits: limits, tls: files) { gateway in
            let silent = try await RawConnection(port: gateway.port)
            let partial = try await RawConnection(port: gateway.port)
            try await partial.send([0x16, 0x03, 0x01, 0x02, 0x00, 0x01])
            let alice = try await gateway.user("alice")
            let socket = try await TestSocket(port: gateway.port, tls: context)
            try await socket.hello(alice.token)
            #expect(try await socket.document { $0.welcome != nil }.welcome?.device == alice.device)
            for connection in [silent, partial] { #expect(try await connection.closes()) }
            #expect(!socket.connection.isClosed)
            try await socket.connection.send(TestSocket.frame(3, []))
            #expect(try await socket.closeCode() == 1002)
            #expect(try await socket.connection.closes())
        }
    }
}
