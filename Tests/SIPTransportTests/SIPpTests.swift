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
    .timeLimit(.minutes(3))
)
struct SIPpTests {
    @Test(
        "Register with digest, call with re-INVITE and a late one, cancel",
        arguments: ["u1", "t1"],
        ["register", "call", "cancel"]
    )
    func scenario(transport: String, name: String) async throws {
        // CANCEL needs a phone that rings for a while; the others want to be quick.
        let echo = try SIPp.startEcho(ringing: name == "cancel" ? 3000 : 20)
        defer { kill(echo.process.processIdentifier, SIGKILL) }
        let output = try SIPp.run(name, transport: transport, port: echo.port, calls: name == "cancel" ? 3 : 20)
        #expect(output.status == 0, "\(output.text)")
    }

    @Test("Calls go through although datagrams are lost, doubled and overtake each other")
    func badNetwork() async throws {
        let echo = try SIPp.startEcho(ringing: 20)
        defer { kill(echo.process.processIdentifier, SIGKILL) }
        let relay = try await UnrulyRelay.start(
            to: try SocketAddress(ipAddress: "127.0.0.1", port: echo.port),
            seed: 11
        )
        let output = try SIPp.run("call", transport: "u1", port: relay.address.port ?? 0, calls: 10, timeout: 60)
        #expect(output.status == 0, "\(output.text)")
        #expect(relay.lost > 5)
        try await relay.close()
    }

    @Test("tshark finds no fault in what the echo sends", .enabled(if: SIPp.tshark != nil))
    func capture() async throws {
        let echo = try SIPp.startEcho(ringing: 20)
        defer { kill(echo.process.processIdentifier, SIGKILL) }
        let tap = try await Tap.start(to: try SocketAddress(ipAddress: "127.0.0.1", port: echo.port))
        for name in ["register", "call"] {
            let output = try SIPp.run(name, transport: "u1", port: tap.address.port ?? 0, calls: 2)
            #expect(output.status == 0, "\(output.text)")
        }
        try await tap.close()
        let file = FileManager.default.temporaryDirectory.appendingPathComponent("sip-\(UUID()).pcap")
        defer { try? FileManager.default.removeItem(at: file) }
        try Data(tap.pcap()).write(to: file)
        let frames = try SIPp.decode(file, filter: "sip")
        #expect(frames == tap.count, "every datagram is SIP")
        #expect(frames > 20, "\(tap.startLines)")
        #expect(try SIPp.decode(file, filter: "_ws.malformed || _ws.expert.severity >= 0x600000") == 0)
    }
}

/// The outside programs.
enum SIPp {
    static let path = Self.find("sipp")
    static let tshark = Self.find("tshark")

    static func find(_ name: String) -> String? {
        ["/usr/bin/", "/usr/local/bin/", "/usr/sbin/"].map { $0 + name }.first {
            FileManager.default.isExecutableFile(atPath: $0)
        }
    }

    /// The echo example beside the test bundle.
    static let echo: URL? = {
        let folder = URL(fileURLWithPath: CommandLine.arguments.first ?? "").deletingLastPathComponent()
        let build = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().appendingPathComponent(".build/debug")
        return [folder, build].map { $0.appendingPathComponent("sip-echo") }
            .first { FileManager.default.isExecutableFile(atPath: $0.path) }
    }()

    static func startEcho(ringing: Int) throws -> (process: Process, port: Int) {
        let process = Process()
        process.executableURL = Self.echo
        process.arguments = ["127.0.0.1", "0", "\(ringing)"]
        let pipe = Pipe()
        process.standardOutput = pipe
        try process.run()
        var text = ""
        while !text.contains("\n") {
            let data = pipe.fileHandleForReading.availableData
            guard !data.isEmpty else { throw SIPError(.notAllowed, "the echo did not start") }
            text += String(decoding: data, as: UTF8.self)
        }
        let digits = text.split(separator: ":").last?.prefix { $0.isNumber } ?? ""
        guard let port = Int(digits) else { throw SIPError(.notAllowed, "no port in \(text)") }
        return (process, port)
    }

    static func run(
        _ name: String,
        transport: String,
        port: Int,
        calls: Int,
        timeout: Int = 20
    ) throws -> (status: Int32, text: String) {
        let scenario = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent(
            "Scenarios/\(name).xml"
        )
        let log = FileManager.default.temporaryDirectory.appendingPathComponent("sipp-\(UUID()).log")
        defer { try? FileManager.default.removeItem(at: log) }
        let process = Process()
        process.executableURL = Self.path.map { URL(fileURLWithPath: $0) }
        process.arguments = [
            "127.0.0.1:\(port)", "-sf", scenario.path, "-i", "127.0.0.1", "-t", transport, "-m", "\(calls)", "-l", "5",
            "-nostdin",
            "-timeout", "\(timeout)", "-timeout_error", "-trace_err", "-error_file", log.path,
        ]
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        try process.run()
        process.waitUntilExit()
        return (process.terminationStatus, (try? String(contentsOf: log, encoding: .utf8)) ?? "")
    }

    static func decode(_ file: URL, filter: String) throws -> Int {
        let process = Process()
        process.executableURL = Self.tshark.map { URL(fileURLWithPath: $0) }
        process.arguments = [
            "-r", file.path, "-d", "udp.port==5060,sip", "-Y", filter, "-T", "fields", "-e", "frame.number",
        ]
        let pipe = Pipe()
        process.standardOutput = pipe
        process.standardError = FileHandle.nullDevice
        try process.run()
        let data = pipe.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        return String(decoding: data, as: UTF8.self).split(separator: "\n").count
    }
}
