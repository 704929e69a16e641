import ClientWire
import ContinuoClient
import Foundation
import MessagingCore
import Testing

/// What an operator and a device live through: backups, restores, certificates, long absence.
@Suite("Recovery", .serialized)
struct RecoveryTests {
    static func server(_ extra: String = "") async throws -> Installation {
        let home = try Installation()
        home.extraConfiguration = extra
        try await home.start()
        try home.makeAccount("alice@a.example")
        try home.makeAccount("bob@a.example")
        return home
    }

    @Test("restore from an older backup while a device is ahead: it notices the epoch and lists anew")
    func restore() async throws {
        let home = try await Self.server()
        try home.logIn("alice@a.example", device: "alice")
        try home.logIn("bob@a.example", device: "bob")
        let file = home.folder.path + "/note.bin"
        try Data((0..<100_000).map { _ in UInt8.random(in: 0...255) }).write(to: URL(fileURLWithPath: file))
        try home.succeed("send", "alice@a.example", "--text", "before", "--file", file, "--device", "bob")
        _ = try home.synchronise("alice")
        let backup = home.folder.path + "/backup"
        try home.operate("backup", backup)
        try home.succeed("send", "alice@a.example", "--text", "after", "--device", "bob")
        #expect(try home.synchronise("alice").contains { ($0["item"] as? [String: Any])?.texts == ["after"] })

        // A backup is not made over another one, and a database is never overwritten.
        #expect(home.run(["backup", backup, "--config", home.configuration]).status == 1)
        home.stop()
        #expect(home.run(["restore", backup, "--config", home.configuration]).status == 1)
        // What a crash leaves beside the database is not for another one.
        let (database, log) = (home.data + "/continuo.sqlite", home.data + "/continuo.sqlite-wal")
        try FileManager.default.moveItem(atPath: database, toPath: database + ".lost")
        try Data([1]).write(to: URL(fileURLWithPath: log))
        let refused = home.run(["restore", backup, "--config", home.configuration])
        #expect(refused.status == 1)
        #expect(refused.errors.contains("continuo.sqlite-wal"))
        try FileManager.default.moveItem(atPath: home.data, toPath: home.data + ".lost")
        try home.succeed("restore", backup, "--config", home.configuration)
        try await home.start()

        let events = try home.synchronise("alice")
        #expect(events.contains { $0["event"] as? String == "relisted" && $0["reason"] as? String == "other-epoch" })
        #expect(events.contains { $0["event"] as? String == "gone" })
        #expect(try home.inbox("alice").map(\.texts) == [["before"]])
        let id = try #require(try home.inbox("alice").first?.id)
        try home.succeed("fetch", id, "--save", home.folder.path + "/saved", "--device", "alice")
        #expect(
            FileManager.default.contents(atPath: home.folder.path + "/saved/note.bin")
                == FileManager.default.contents(atPath: file)
        )
        // Devices go on as before, and a server without certificates takes the signal for them as nothing.
        kill(try #require(home.server).processIdentifier, SIGHUP)
        try home.succeed("send", "alice@a.example", "--text", "again", "--device", "bob")
        #expect(try home.synchronise("alice").contains { ($0["item"] as? [String: Any])?.texts == ["again"] })
        home.stop()
        home.expectSound()
    }

    @Test("a damaged backup is not restored")
    func damaged() async throws {
        let home = try await Self.server()
        try home.logIn("bob@a.example", device: "bob")
        let file = home.folder.path + "/note.bin"
        try Data(repeating: 7, count: 5000).write(to: URL(fileURLWithPath: file))
        try home.succeed("send", "alice@a.example", "--file", file, "--device", "bob")
        let backup = home.folder.path + "/backup"
        try home.operate("backup", backup)
        home.stop()
        let files = try #require(FileManager.default.enumerator(atPath: backup + "/files/blobs"))
        for case let name as String in files where name.hasSuffix(where: { $0.count > 60 }) {
            try Data(repeating: 8, count: 5000).write(to: URL(fileURLWithPath: "\(backup)/files/blobs/\(name)"))
        }
        let restored = home.run(["restore", backup, "--data", home.folder.path + "/other"])
        #expect(restored.status == 1)
        #expect(restored.errors.contains("corrupt"))
        #expect(!FileManager.default.fileExists(atPath: home.folder.path + "/other/continuo.sqlite"))
        #expect(home.run(["restore", home.folder.path, "--data", home.folder.path + "/other"]).status == 1)
    }

    @Test("certificates reload without a restart")
    func certificates() async throws {
        let home = try Installation()
        let certificate = home.folder.path + "/certificate.pem"
        let key = home.folder.path + "/key.pem"
        try Self.makeCertificate(certificate, key, name: "first")
        home.scheme = "https"
        home.extraConfiguration = "  tls:\n    certificate: \(certificate)\n    key: \(key)"
        try await home.start()
        try home.makeAccount("alice@a.example")
        let first = home.folder.path + "/first.pem"
        try FileManager.default.copyItem(atPath: certificate, toPath: first)
        let login = ["login", "alice@a.example", "--server", home.url]
        let untrusted = home.run(login + ["--device", "none"])
        #expect(untrusted.status == 3)
        #expect(untrusted.errors.contains("not trusted"), "\(untrusted.errors)")
        try home.succeed(
            "login",
            "alice@a.example",
            "--server",
            home.url,
            "--device",
            "first",
            "--ca",
            first
        )
        let watcher = try home.watch("first")
        _ = try await watcher.event("up-to-date")

        try Self.makeCertificate(certificate, key, name: "second")
        let server = try #require(home.server)
        kill(server.processIdentifier, SIGHUP)
        var status: Int32 = -1
        for _ in 0..<100 where status != 0 {
            status = home.run(login + ["--device", "second", "--ca", certificate]).status
            if status != 0 { try await Task.sleep(for: .milliseconds(100)) }
        }
        #expect(status == 0)
        #expect(home.run(login + ["--device", "third", "--ca", first]).status == 3)
        // The connection made before lives on.
        #expect(watcher.isRunning)
        try home.succeed("send", "alice@a.example", "--text", "to myself", "--device", "second")
        _ = try await watcher.event("arrived") { $0.texts == ["to myself"] }
        watcher.end()
        home.stop()
    }

    @Test("the doors of phones show another certificate without a restart, for calls and for texts")
    func certificatesOfPhones() async throws {
        let home = try Installation()
        let (certificate, key) = (home.folder.path + "/phones.pem", home.folder.path + "/phones.key")
        try Self.makeCertificate(certificate, key, name: "first")
        let (calls, texts) = (Int.random(in: 5000..<7000) * 2, Int.random(in: 7000..<9000) * 2)
        home.extraConfiguration = """
            sip:
              tls:
                listen: 127.0.0.1:\(calls)
              msrps: 127.0.0.1:\(texts)
              certificate: \(certificate)
              key: \(key)
            """
        try await home.start()
        let first = try Self.fingerprint("-in \(certificate)")
        #expect(try Self.shown(calls) == first)
        #expect(try Self.shown(texts) == first)
        try Self.makeCertificate(certificate, key, name: "second")
        let second = try Self.fingerprint("-in \(certificate)")
        #expect(second != first)
        kill(try #require(home.server).processIdentifier, SIGHUP)
        for _ in 0..<100 {
            if try Self.shown(calls) == second, try Self.shown(texts) == second { break }
            try await Task.sleep(for: .milliseconds(100))
        }
        #expect(try Self.shown(calls) == second)
        #expect(try Self.shown(texts) == second)
        home.stop()
    }

    /// The fingerprint of the certificate that a port shows.
    private static func shown(_ port: Int) throws -> String {
        try fingerprint("", of: "openssl s_client -connect 127.0.0.1:\(port) </dev/null 2>/dev/null | ")
    }

    private static func fingerprint(_ options: String, of source: String = "") throws -> String {
        let shell = Process()
        shell.executableURL = URL(fileURLWithPath: "/bin/sh")
        shell.arguments = ["-c", "\(source)openssl x509 -noout -fingerprint -sha256 \(options) 2>/dev/null"]
        let output = Pipe()
        shell.standardOutput = output
        try shell.run()
        let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        shell.waitUntilExit()
        return text
    }

    static func makeCertificate(_ certificate: String, _ key: String, name: String) throws {
        let openssl = Process()
        openssl.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        openssl.arguments = [
            "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days",
            "2", "-subj", "/CN=\(name)", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out",
            certificate,
        ]
        openssl.standardError = FileHandle.nullDevice
        try openssl.run()
        openssl.waitUntilExit()
        try #require(openssl.terminationStatus == 0)
    }

    @Test("10,000 changes missed and then caught up")
    func longAbsence() async throws {
        let home = try await Self.server()
        try home.logIn("alice@a.example", device: "alice", kind: "mobile")
        _ = try home.synchronise("alice")
        let alice = try Address("alice@a.example")
        // Each device may send so many a second: the load comes from twenty.
        let clients = try (0..<20).map { lane in
            try home.logIn("bob@a.example", device: "bob-\(lane)")
            return try home.profile("bob-\(lane)").client()
        }
        try await withThrowingTaskGroup(of: Void.self) { group in
            for (lane, client) in clients.enumerated() {
                group.addTask {
                    for number in 0..<500 {
                        let part = PartRequest(text: "message \(number) of lane \(lane)")
                        let request = SendRequest(id: try await client.newMessageID(), to: [alice], parts: [part])
                        _ = try await client.send(request, attempts: 20)
                    }
                }
            }
            try await group.waitForAll()
        }
        let events = try home.synchronise("alice")
        let texts = events.compactMap { ($0["item"] as? [String: Any])?.texts.first }
        #expect(texts.count == 10000)
        #expect(Set(texts).count == 10000)
        // Nothing comes twice.
        #expect(try home.synchronise("alice").filter { $0["event"] as? String == "arrived" }.isEmpty)
        home.stop()
    }

    @Test("a device revoked in mid-connection is cut off, and stays out")
    func revoked() async throws {
        let home = try await Self.server()
        try home.logIn("alice@a.example", device: "phone", kind: "mobile")
        try home.logIn("alice@a.example", device: "laptop")
        let phone = try home.watch("phone")
        _ = try await phone.event("up-to-date")
        try home.succeed("devices", "revoke", "1", "--device", "laptop")
        for _ in 0..<100 where phone.isRunning { try await Task.sleep(for: .milliseconds(50)) }
        #expect(!phone.isRunning)
        let refused = home.run(["inbox", "--device", "phone"])
        #expect(refused.status == 1)
        #expect(refused.errors.contains("unauthenticated"))
        home.stop()
    }
}

extension String {
    /// Whether the last path component satisfies a condition.
    fileprivate func hasSuffix(where condition: (Substring) -> Bool) -> Bool {
        split(separator: "/").last.map(condition) ?? false
    }
}
