import Foundation
import NIOCore
import NIOPosix
import SIP
import SIPTransport
import Testing

/// SIPp plays callers against the echo example, which runs as a process of its own.
@Suite(
    "SIPp against the echo example",
    .enabled(if: SIPp.path != nil && SIPp.echo != nil),
    .serialized,
    .timeLimit(.minutes(5))
)
struct SIPpTests {
    @Test(
        "Register with digest, call with re-INVITE and a late one, cancel",
        arguments: ["u1", "t1"],
        ["register", "call", "cancel"]
    )
    func scenario(transport: String, name: String) async throws {
        // CANCEL needs a phone that rings for a while; the others want to be quick.
        let echo = try await SIPp.startEcho(ringing: name == "cancel" ? 3000 : 20)
        defer { Program.kill(echo.process) }
        let output = try await SIPp.run(name, transport: transport, port: echo.port, calls: name == "cancel" ? 3 : 20)
        #expect(output.status == 0, "\(output.text)")
    }

    @Test("Calls go through although datagrams are lost, doubled and overtake each other", arguments: 1...6)
    func badNetwork(seed: Int) async throws {
        let echo = try await SIPp.startEcho(ringing: 20)
        defer { Program.kill(echo.process) }
        let relay = try await UnrulyRelay.start(
            to: try SocketAddress(ipAddress: "127.0.0.1", port: echo.port),
            seed: UInt64(seed)
        )
        let output = try await SIPp.run("call", transport: "u1", port: relay.address.port ?? 0, calls: 10, timeout: 60)
        #expect(output.status == 0, "\(output.text)")
        #expect(relay.lost > 5)
        try await relay.close()
    }

    @Test("tshark finds no fault in what the echo sends", .enabled(if: SIPp.tshark != nil))
    func capture() async throws {
        let echo = try await SIPp.startEcho(ringing: 20)
        defer { Program.kill(echo.process) }
        let tap = try await Tap.start(to: try SocketAddress(ipAddress: "127.0.0.1", port: echo.port))
        for name in ["register", "call"] {
            let output = try await SIPp.run(name, transport: "u1", port: tap.address.port ?? 0, calls: 2)
            #expect(output.status == 0, "\(output.text)")
        }
        try await tap.close()
        let file = FileManager.default.temporaryDirectory.appendingPathComponent("sip-\(UUID()).pcap")
        defer { try? FileManager.default.removeItem(at: file) }
        try Data(tap.pcap()).write(to: file)
        let frames = try await SIPp.decode(file, filter: "sip")
        #expect(frames == tap.count, "every datagram is SIP")
        #expect(frames > 20, "\(tap.startLines)")
        #expect(try await SIPp.decode(file, filter: "_ws.malformed || _ws.expert.severity >= 0x600000") == 0)
    }
}

/// The outside programs.
enum SIPp {
    static let path = Program.find("sipp")
    static let tshark = Program.find("tshark")

    /// The echo example beside the test bundle.
    static let echo: URL? = {
        let folder = URL(fileURLWithPath: CommandLine.arguments.first ?? "").deletingLastPathComponent()
        let build = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().appendingPathComponent(".build/debug")
        return [folder, build].map { $0.appendingPathComponent("sip-echo") }
            .first { FileManager.default.isExecutableFile(atPath: $0.path) }
    }()

    /// Starts the echo on a free port, which it prints.
    static func startEcho(ringing: Int) async throws -> (process: Process, port: Int) {
        let file = FileManager.default.temporaryDirectory.appendingPathComponent("echo-\(UUID()).out")
        _ = FileManager.default.createFile(atPath: file.path, contents: nil)
        defer { try? FileManager.default.removeItem(at: file) }
        let process = Process()
        process.executableURL = Self.echo
        process.arguments = ["127.0.0.1", "0", "\(ringing)"]
        process.standardOutput = try FileHandle(forWritingTo: file)
        try process.run()
        for _ in 0..<500 where process.isRunning {
            let text = (try? String(contentsOf: file, encoding: .utf8)) ?? ""
            if text.hasSuffix("\n"), let port = Int(text.split(separator: ":").last?.prefix { $0.isNumber } ?? "") {
                return (process, port)
            }
            try await Task.sleep(for: .milliseconds(20))
        }
        throw SIPError(.notAllowed, "the echo did not start")
    }

    static func run(
        _ name: String,
        transport: String,
        port: Int,
        calls: Int,
        timeout: Int = 20
    ) async throws -> (status: Int32, text: String) {
        try await Self.play(
            name,
            ["127.0.0.1:\(port)", "-t", transport, "-m", "\(calls)", "-l", "5", "-timeout", "\(timeout)"]
        )
    }

    /// Plays one call of a scenario whose first step is to receive.
    static func answer(_ name: String, port: Int) async throws -> (status: Int32, text: String) {
        try await Self.play(name, ["-p", "\(port)", "-t", "u1", "-m", "1", "-timeout", "20"])
    }

    private static func play(_ name: String, _ arguments: [String]) async throws -> (status: Int32, text: String) {
        let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        let scenario = folder.appendingPathComponent("Scenarios/\(name).xml")
        let log = FileManager.default.temporaryDirectory.appendingPathComponent("sipp-\(UUID()).log")
        defer { try? FileManager.default.removeItem(at: log) }
        let common = [
            "-sf", scenario.path, "-i", "127.0.0.1", "-nostdin", "-timeout_error", "-trace_err", "-error_file",
        ]
        let result = try await Program.run(Self.path ?? "sipp", arguments + common + [log.path])
        return (result.status, (try? String(contentsOf: log, encoding: .utf8)) ?? "")
    }

    /// How many frames of a capture pass a filter of tshark.
    static func decode(_ file: URL, filter: String) async throws -> Int {
        let arguments = [
            "-r", file.path, "-d", "udp.port==5060,sip", "-Y", filter, "-T", "fields", "-e", "frame.number",
        ]
        return try await Program.run(Self.tshark ?? "tshark", arguments).output.split(separator: "\n").count
    }
}
