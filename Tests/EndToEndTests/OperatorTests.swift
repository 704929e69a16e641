import ContinuoClient
import Foundation
import Testing

/// What somebody meets who runs the server: starting, being refused, backups that fail, stopping.
@Suite("Running a server", .serialized)
struct OperatorTests {
    /// Runs `serve` until it ends by itself.
    private static func serve(_ home: Installation) throws -> Installation.Output {
        try home.writeConfiguration()
        return home.run(["serve", "--config", home.configuration])
    }

    @Test("an address that is taken is named with its key, and so is a file that is no certificate")
    func doors() async throws {
        let home = try await RecoveryTests.server()
        let second = try Installation()
        second.extraConfiguration = "sip:\n  udp:\n    listen: 127.0.0.1:\(home.port + 1)\n  tcp:\n"
        second.extraConfiguration += "    listen: 127.0.0.1:\(home.port + 1)"
        let taken = try Self.serve(second)
        #expect(taken.status == 1)
        #expect(taken.errors.contains("tcp.listen 127.0.0.1:\(home.port + 1)"), "\(taken.errors)")
        #expect(taken.errors.contains("another program listens there"))

        let (certificate, key) = (second.folder.path + "/c.pem", second.folder.path + "/k.pem")
        try RecoveryTests.makeCertificate(certificate, key, name: "one")
        try Data("no key".utf8).write(to: URL(fileURLWithPath: key))
        second.extraConfiguration = "  tls:\n    certificate: \(certificate)\n    key: \(key)"
        let unreadable = try Self.serve(second)
        #expect(unreadable.status == 1)
        #expect(unreadable.errors.contains("client.tls: \(key) holds no private key that can be read"))
        try RecoveryTests.makeCertificate(second.folder.path + "/other.pem", key, name: "other")
        let mixed = try Self.serve(second)
        #expect(mixed.status == 1)
        #expect(mixed.errors.contains("is not that of the first certificate"), "\(mixed.errors)")
        #expect(second.run(["doctor", "--config", second.configuration]).text.contains("BAD   client.tls"))
        home.stop()
    }

    @Test("who guesses the operator's token is held off, and the operator is not")
    func guesses() async throws {
        let home = try await RecoveryTests.server()
        let wrong = home.folder.path + "/wrong"
        try Data("wrong".utf8).write(to: URL(fileURLWithPath: wrong))
        var said = Set<String>()
        for _ in 0..<15 {
            let guess = home.run(["status", "--config", home.configuration, "--token-file", wrong])
            #expect(guess.status == 1)
            said.insert(guess.errors.contains("rate-limited") ? "held off" : "refused")
        }
        #expect(said == ["refused", "held off"])
        try home.operate("status")
        home.stop()
    }

    @Test("a backup that fails leaves nothing, says why, and can be made again in the same place")
    func backup() async throws {
        let home = try await RecoveryTests.server()
        try home.logIn("bob@a.example", device: "bob")
        let file = home.folder.path + "/note.bin"
        try Data(repeating: 7, count: 5000).write(to: URL(fileURLWithPath: file))
        try home.succeed("send", "alice@a.example", "--file", file, "--device", "bob")
        let blobs = home.data + "/files/blobs"
        try FileManager.default.moveItem(atPath: blobs, toPath: blobs + ".away")
        let backup = home.folder.path + "/backup"
        let failed = home.run(["backup", backup, "--config", home.configuration])
        #expect(failed.status == 1)
        #expect(!failed.errors.contains("no server answers"))
        #expect(!FileManager.default.fileExists(atPath: backup))
        try FileManager.default.moveItem(atPath: blobs + ".away", toPath: blobs)
        try home.operate("backup", backup)
        home.stop()
    }

    @Test("told to stop, it does not wait for whoever downloads slowly")
    func stops() async throws {
        let home = try await RecoveryTests.server()
        try home.logIn("bob@a.example", device: "bob")
        let file = home.folder.path + "/large.bin"
        try Data(repeating: 7, count: 40_000_000).write(to: URL(fileURLWithPath: file))
        try home.succeed("send", "bob@a.example", "--file", file, "--device", "bob")
        let id = try #require(try home.inbox("bob").first?.id)
        let path = "\(home.url)/v1/messages/\(id)/parts/0"
        let download = Process()
        download.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        let token = try #require(try home.profile("bob").client().token)
        let slow = ["--silent", "--limit-rate", "1000", "--output", home.folder.path + "/got"]
        download.arguments = ["curl", "-H", "Authorization: Bearer \(token)"] + slow + [path]
        try download.run()
        defer {
            kill(download.processIdentifier, SIGKILL)
            download.waitUntilExit()
        }
        _ = try await Self.eventually { FileManager.default.fileExists(atPath: home.folder.path + "/got") }
        let start = ContinuousClock.now
        home.stop()
        // It would take hours.
        #expect(ContinuousClock.now - start < .seconds(25))
        home.expectSound()
    }

    private static func eventually(_ condition: () throws -> Bool) async throws -> Bool {
        for _ in 0..<200 {
            if try condition() { return true }
            try await Task.sleep(for: .milliseconds(50))
        }
        return false
    }

    @Test("numbers of the command line that make no sense are refused, each in words")
    func numbers() throws {
        let home = try Installation()
        let wrong = [
            ["watch", "--seconds", "1e300"], ["watch", "--seconds", "nan"], ["bench", "sessions", "--runs", "0"],
            ["bench", "messages", "--seconds", "-1"],
        ]
        for arguments in wrong {
            let output = home.run(arguments)
            #expect(output.status == 2, "\(arguments): \(output.errors)")
        }
    }
}
