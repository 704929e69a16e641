import Foundation
import Testing

/// Files to a provider that takes them as links: the other server's user is told of one, and anybody who has it fetches just
/// that file.
@Suite("Files as links", .serialized)
struct LinkTests {
    /// Fetches a URL with another program: the status, and what came.
    private static func fetch(
        _ url: String,
        _ options: String...,
        authority: String,
        in folder: URL
    ) throws -> (status: String, bytes: Data) {
        let path = folder.appendingPathComponent("fetched-\(UUID().uuidString)").path
        let program = Process()
        program.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        let wanted = ["--silent", "--cacert", authority, "--output", path, "--write-out", "%{http_code}"]
        program.arguments = ["curl"] + wanted + options + [url]
        let said = Pipe()
        program.standardOutput = said
        program.standardError = FileHandle.nullDevice
        try program.run()
        program.waitUntilExit()
        let status = String(decoding: said.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        return (status, FileManager.default.contents(atPath: path) ?? Data())
    }

    @Test(
        "large ones arrive as a link, small ones as themselves; the link is for that file alone, and ends with the message"
    )
    func links() async throws {
        let files = try ProviderTests.certificates(["a.example", "b.example"])
        defer { try? FileManager.default.removeItem(at: files) }
        let ports = [Int.random(in: 5000..<7000) * 2, Int.random(in: 7000..<9000) * 2]
        let a = try ProviderTests.installation("a.example", ports[0], other: "b.example", at: ports[1], files)
        let b = try ProviderTests.installation("b.example", ports[1], other: "a.example", at: ports[0], files)
        let (certificate, key) = (a.folder.path + "/client.pem", a.folder.path + "/client.key")
        try RecoveryTests.makeCertificate(certificate, key, name: "client")
        a.scheme = "https"
        a.extraConfiguration =
            "  tls:\n    certificate: \(certificate)\n    key: \(key)\n"
            + a.extraConfiguration.replacing("'}]", with: "', files: link, link-from: 100000}]")
        try await a.start()
        try await b.start()
        try a.makeAccount("alice@a.example")
        try b.makeAccount("bob@b.example")
        try a.succeed("login", "alice@a.example", "--server", a.url, "--device", "alice", "--ca", certificate)
        try b.logIn("bob@b.example", device: "bob")

        let (picture, small) = (a.folder.path + "/picture.png", a.folder.path + "/small.png")
        let bytes = Data((0..<3_000_000).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 >> 8) })
        try bytes.write(to: URL(fileURLWithPath: picture))
        try Data(repeating: 7, count: 20_000).write(to: URL(fileURLWithPath: small))
        try a.succeed("send", "bob@b.example", "--text", "see", "--file", picture, "--device", "alice")
        try a.succeed("send", "bob@b.example", "--file", small, "--device", "alice")
        var inbox: [[String: Any]] = []
        for _ in 0..<600 where inbox.count < 2 {
            inbox = try b.inbox("bob")
            if inbox.count < 2 { try await Task.sleep(for: .milliseconds(100)) }
        }
        let texts = try #require(inbox.last).texts
        #expect(texts.count == 2 && texts.first == "see")
        let link = try #require(texts.last?.split(separator: "\n"))
        #expect(link.first == "picture.png (3000000 bytes)")
        let url = String(try #require(link.last))
        #expect(url.hasPrefix("\(a.url)/f/"))
        let parts = try #require(inbox.first?.message?["parts"] as? [[String: Any]])
        #expect(parts.map { $0["bytes"] as? Int } == [20_000])

        // Whole, in pieces, and only as far as it goes.
        let whole = try Self.fetch(url, authority: certificate, in: a.folder)
        #expect(whole.status == "200" && whole.bytes == bytes)
        let piece = try Self.fetch(url, "--range", "1000000-1000999", authority: certificate, in: a.folder)
        #expect(piece.status == "206" && piece.bytes == bytes[1_000_000..<1_001_000])
        #expect(try Self.fetch(url, "--head", authority: certificate, in: a.folder).status == "200")
        #expect(try Self.fetch(url, "--range", "9000000-", authority: certificate, in: a.folder).status == "416")

        // Nothing else: no other part, nobody else's message, not the message itself.
        let token = url.split(separator: "/").last.map(String.init) ?? ""
        var fields = token.split(separator: ".", maxSplits: 4).map(String.init)
        try #require(fields.count == 5 && fields[2] == "1")
        for (index, value) in [(0, "2"), (1, "99999999999999"), (2, "0"), (3, "00"), (4, "x")] {
            let own = fields[index]
            fields[index] = value
            let forged = "\(a.url)/f/\(fields.joined(separator: "."))"
            #expect(try Self.fetch(forged, authority: certificate, in: a.folder).status == "403")
            fields[index] = own
        }
        fields.remove(at: 2)
        for path in ["/l/\(token)", "/l/\(fields.joined(separator: "."))", "/f/\(fields.joined(separator: "."))"] {
            #expect(try Self.fetch(a.url + path, authority: certificate, in: a.folder).status == "403")
        }

        // With the message it ends.
        let sent = try #require(try a.inbox("alice", "--sent").last?.id)
        try a.succeed("delete", sent, "--device", "alice")
        let gone = try Self.fetch(url, authority: certificate, in: a.folder)
        #expect(["404", "410"].contains(gone.status) && gone.bytes.count < 1000)
        a.stop()
        b.stop()
        a.expectSound()
        b.expectSound()
    }

    @Test("without HTTPS there are no links, and the configuration says so")
    func plain() throws {
        let files = try ProviderTests.certificates(["a.example"])
        defer { try? FileManager.default.removeItem(at: files) }
        let a = try ProviderTests.installation("a.example", 5061, other: "b.example", at: 5062, files)
        a.extraConfiguration = a.extraConfiguration.replacing("'}]", with: "', files: link}]")
        try a.writeConfiguration()
        let refused = a.run(["serve", "--config", a.configuration])
        #expect(refused.status != 0)
        #expect(refused.errors.contains("files as links need a server that is reached by HTTPS"), "\(refused.errors)")
    }
}
