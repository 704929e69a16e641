import ClientWire
import ContinuoClient
import Foundation
import MessagingCore
import Testing

/// What a provider that is away costs the one that writes to it.
@Suite("A provider that is away", .serialized)
struct AwayTests {
    /// What the server may hold more than before: a fraction of the backlog. (Pages of the database are kept up to a bound
    /// of their own, 64 MiB: long texts fill it once, whether they wait for anybody or not.)
    static let bound: Int64 = 32 << 20
    static let texts = 200
    static let receivers = 100
    static let files = 128
    static let fileBytes = 1 << 20

    @Test("20,000 entries and 128 MiB of files wait on the disk, not in memory; what is at home goes on")
    func backlog() async throws {
        let files = try ProviderTests.certificates(["a.example", "b.example"])
        defer { try? FileManager.default.removeItem(at: files) }
        let ports = [Int.random(in: 5000..<7000) * 2, Int.random(in: 7000..<9000) * 2]
        let home = try ProviderTests.installation("a.example", ports[0], other: "b.example", at: ports[1], files)
        try await home.start()
        try home.makeAccount("alice@a.example")
        try home.makeAccount("anna@a.example")
        try home.logIn("alice@a.example", device: "alice")
        try home.logIn("anna@a.example", device: "anna")
        let client = try ContinuoClient(
            server: ServerAddress(url: home.url),
            token: try TransferTests.token(home, "alice")
        )
        let crowd = try (0..<Self.receivers).map { try Address("bob\($0)@b.example") }
        func send(_ part: PartRequest, to receivers: [Address]) async throws {
            let request = SendRequest(id: try await client.newMessageID(), to: receivers, parts: [part])
            _ = try await client.send(request, attempts: 20)
        }
        func sendFile(_ number: Int) async throws {
            let file = home.folder.appendingPathComponent("file-\(number)")
            defer { try? FileManager.default.removeItem(at: file) }
            var bytes = Data(repeating: UInt8(truncatingIfNeeded: number), count: Self.fileBytes)
            bytes.append(Data("\(number)".utf8))
            try bytes.write(to: file)
            let upload = try await client.upload(file: file.path, type: "application/zip", name: "file")
            var part = PartRequest(text: "")
            (part.text, part.type, part.upload) = (nil, nil, upload.id)
            try await send(part, to: [crowd[number % crowd.count]])
        }
        // Caches and pools are filled before it counts.
        for number in 0..<20 { try await send(PartRequest(text: "warm \(number)"), to: crowd) }
        for number in 1000..<1008 { try await sendFile(number) }
        for _ in 0..<600 where !home.log.contains("a provider does not answer") {
            try await Task.sleep(for: .milliseconds(50))
        }
        #expect(home.log.contains("a provider does not answer"))
        let before = try Self.resident(home)
        for number in 0..<Self.texts { try await send(PartRequest(text: "message \(number)"), to: crowd) }
        for number in 0..<Self.files { try await sendFile(number) }
        // It looks at the queue again and again.
        try await Task.sleep(for: .seconds(3))
        let after = try Self.resident(home)
        #expect(after - before < Self.bound, "\(before >> 10) KiB before, \(after >> 10) KiB after")
        try home.succeed("send", "anna@a.example", "--text", "still here", "--device", "alice")
        #expect(try home.inbox("anna").map(\.texts) == [["still here"]])
        home.stop()
        home.expectSound()
    }

    /// The resident memory of its process, in bytes.
    private static func resident(_ home: Installation) throws -> Int64 {
        let process = try #require(home.server?.processIdentifier)
        let status = try String(contentsOfFile: "/proc/\(process)/status", encoding: .utf8)
        let line = try #require(status.split(separator: "\n").first { $0.hasPrefix("VmRSS:") })
        return try #require(Int64(line.filter(\.isNumber))) << 10
    }
}
