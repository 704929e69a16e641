import Foundation
import MessagingCore
import Testing

/// Two servers of the real program, which know each other by certificates alone.
@Suite("Two providers", .serialized)
struct ProviderTests {
    /// A server for a domain, and where others reach it.
    static func installation(
        _ domain: String,
        _ port: Int,
        other: String,
        at otherPort: Int,
        _ files: URL
    ) throws
        -> Installation
    {
        let home = try Installation()
        home.domain = domain
        home.extraConfiguration = """
            interconnect:
              listen: 127.0.0.1:\(port)
              message-port: 0
              certificate: \(files.path)/\(domain).pem
              key: \(files.path)/\(domain).key
              authorities: \(files.path)/root.pem
              peers: [{domain: \(other), route: '127.0.0.1:\(otherPort)'}]
            """
        return home
    }

    /// An authority, and a certificate of it for each domain.
    static func certificates(_ domains: [String]) throws -> URL {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("continuo-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        let curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
        try openssl(
            ["req", "-x509", "-days", "2", "-subj", "/CN=authority", "-keyout", "root.key", "-out", "root.pem"] + curve,
            in: folder
        )
        for domain in domains {
            try openssl(
                ["req", "-subj", "/CN=\(domain)", "-keyout", "\(domain).key", "-out", "\(domain).csr"] + curve,
                in: folder
            )
            let names = folder.appendingPathComponent("names")
            try "subjectAltName=DNS:\(domain)".write(to: names, atomically: true, encoding: .utf8)
            try openssl(
                [
                    "x509", "-req", "-in", "\(domain).csr", "-CA", "root.pem", "-CAkey", "root.key", "-CAcreateserial",
                    "-days", "2", "-extfile", "names", "-out", "\(domain).pem",
                ],
                in: folder
            )
        }
        return folder
    }

    private static func openssl(_ arguments: [String], in folder: URL) throws {
        let program = Process()
        program.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        program.arguments = ["openssl"] + arguments
        program.currentDirectoryURL = folder
        program.standardError = FileHandle.nullDevice
        program.standardOutput = FileHandle.nullDevice
        try program.run()
        program.waitUntilExit()
        try #require(program.terminationStatus == 0)
    }

    @Test("messages with files go to the other server; both are killed in the middle, and all arrive once, in order")
    func killed() async throws {
        let files = try Self.certificates(["a.example", "b.example"])
        defer { try? FileManager.default.removeItem(at: files) }
        let ports = [Int.random(in: 5000..<7000) * 2, Int.random(in: 7000..<9000) * 2]
        let a = try Self.installation("a.example", ports[0], other: "b.example", at: ports[1], files)
        let b = try Self.installation("b.example", ports[1], other: "a.example", at: ports[0], files)
        try await a.start()
        try await b.start()
        try a.makeAccount("alice@a.example")
        try b.makeAccount("bob@b.example")
        try a.logIn("alice@a.example", device: "alice")
        try b.logIn("bob@b.example", device: "bob")

        let picture = a.folder.path + "/picture.png"
        try Data((0..<3_000_000).map { UInt8(truncatingIfNeeded: $0 &* 31) }).write(to: URL(fileURLWithPath: picture))
        try a.succeed("send", "bob@b.example", "--text", "see", "--file", picture, "--device", "alice")
        for number in 0..<60 {
            try a.succeed("send", "bob@b.example", "--text", "message \(number)", "--device", "alice")
            switch number {
            case 10:
                b.crash()
            case 25:
                try await b.start()
            case 40:
                a.crash()
                try await a.start()
            default: break
            }
        }
        var texts: [[String]] = []
        for _ in 0..<600 {
            texts = try b.inbox("bob").map(\.texts).reversed()
            if texts.count >= 61 { break }
            try await Task.sleep(for: .milliseconds(100))
        }
        // A large one is told of until it is fetched.
        #expect(texts == [[]] + (0..<60).map { ["message \($0)"] })
        let first = try #require(try b.inbox("bob").last?.id)
        try b.succeed("fetch", first, "--save", b.folder.path + "/saved", "--device", "bob")
        #expect(
            FileManager.default.contents(atPath: b.folder.path + "/saved/picture.png")
                == FileManager.default.contents(atPath: picture)
        )
        // And back.
        try b.succeed("send", "alice@a.example", "--text", "nice", "--device", "bob")
        var back: [[String]] = []
        for _ in 0..<300 where back.isEmpty {
            back = try a.inbox("alice").map(\.texts)
            if back.isEmpty { try await Task.sleep(for: .milliseconds(100)) }
        }
        #expect(back == [["nice"]])
        a.stop()
        b.stop()
        a.expectSound()
        b.expectSound()
    }
}
