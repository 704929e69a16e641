import Foundation
import Testing

/// The example programs, run as the pages of the libraries say; SIPp calls `sip-echo` in `SIPTransportTests`.
@Suite("Example programs", .timeLimit(.minutes(5)))
struct ExamplesTests {
    static let offer = """
        v=0
        o=alice 1 1 IN IP4 192.0.2.1
        s=-
        c=IN IP4 192.0.2.1
        t=0 0
        m=audio 49170 RTP/AVP 0
        m=message 7777 TCP/MSRP *
        a=accept-types:text/plain
        a=path:msrp://192.0.2.1:7777/iau39soe2843z;tcp
        a=setup:actpass

        """

    @Test("sdp-answer takes the messages and refuses the rest, and says what is wrong with an offer")
    func answer() async throws {
        let (status, text) = try await Program("sdp-answer", ["192.0.2.2", "8493"], input: Self.offer).result()
        #expect(status == 0)
        #expect(text.contains("m=audio 0 RTP/AVP 0\r\n"))
        #expect(text.contains("m=message 8493 TCP/MSRP *\r\n"))
        #expect(text.contains("a=path:msrp://192.0.2.2:8493/"))
        let broken = try await Program("sdp-answer", ["192.0.2.2", "8493"], input: "v=1\r\n").result()
        #expect(broken.status == 1)
        #expect(broken.text.isEmpty)
    }

    @Test("cpim-report prints the reports that were asked for")
    func report() async throws {
        let message = """
            From: <im:alice@example.com>\r
            To: <im:bob@example.com>\r
            NS: imdn <urn:ietf:params:imdn>\r
            imdn.Message-ID: 34jk324j\r
            DateTime: 2026-03-01T10:00:00Z\r
            imdn.Disposition-Notification: display\r
            \r
            Content-Type: text/plain\r
            \r
            Hello
            """
        let (status, text) = try await Program("cpim-report", ["im:bob@example.com"], input: message).result()
        #expect(status == 0)
        #expect(text.hasPrefix("im:alice@example.com: Hello\n\nto im:alice@example.com:\nFrom: <im:bob@example.com>"))
        #expect(text.contains("<display-notification>"))
        #expect(!text.contains("<delivery-notification>"))
    }

    @Test("msrp-file sends a file to itself")
    func file() async throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("msrp-file-\(UUID())")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let sent = folder.appendingPathComponent("sent")
        let received = folder.appendingPathComponent("received")
        let content = Data((0..<3_000_000).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 >> 8) })
        try content.write(to: sent)
        let receiver = try Program("msrp-file", ["receive", "--port", "0", "--output", received.path])
        defer { receiver.stop() }
        let path = try await receiver.line { $0.hasPrefix("msrp://") }
        let (status, text) = try await Program("msrp-file", ["send", path, sent.path]).result()
        #expect(status == 0)
        #expect(text.contains("sent 3000000 octets"))
        #expect(try Data(contentsOf: received) == content)
    }
}

/// One of the programs beside the tests, with its output in a file.
final class Program {
    private let process = Process()
    private let output: URL

    init(_ name: String, _ arguments: [String], input: String? = nil) throws {
        let id = UUID()
        self.output = FileManager.default.temporaryDirectory.appendingPathComponent("\(name)-\(id).out")
        _ = FileManager.default.createFile(atPath: self.output.path, contents: nil)
        let beside = URL(fileURLWithPath: CommandLine.arguments.first ?? "").deletingLastPathComponent()
        self.process.executableURL = beside.appendingPathComponent(name)
        self.process.arguments = arguments
        self.process.standardOutput = try FileHandle(forWritingTo: self.output)
        self.process.standardError = FileHandle.nullDevice
        self.process.standardInput = FileHandle.nullDevice
        if let input {
            let file = FileManager.default.temporaryDirectory.appendingPathComponent("\(name)-\(id).in")
            try Data(input.utf8).write(to: file)
            self.process.standardInput = try FileHandle(forReadingFrom: file)
            try FileManager.default.removeItem(at: file)
        }
        try self.process.run()
    }

    deinit { try? FileManager.default.removeItem(at: self.output) }

    private func text() throws -> String { try String(contentsOf: self.output, encoding: .utf8) }

    /// Waits for the end of the program.
    func result() async throws -> (status: Int32, text: String) {
        while self.process.isRunning { try await Task.sleep(for: .milliseconds(10)) }
        return (self.process.terminationStatus, try self.text())
    }

    /// Waits for a line of its output.
    func line(where matches: (String) -> Bool) async throws -> String {
        while self.process.isRunning {
            let lines = try self.text().split(separator: "\n", omittingEmptySubsequences: false).dropLast()
            if let line = lines.map(String.init).first(where: matches) { return line }
            try await Task.sleep(for: .milliseconds(10))
        }
        throw CocoaError(.executableLoad)
    }

    /// Ends it. A child of a pool thread starts with its signals blocked; only this one gets through.
    func stop() { _ = kill(self.process.processIdentifier, SIGKILL) }
}
