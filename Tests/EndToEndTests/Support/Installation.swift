import ClientWire
import ContinuoClient
import Foundation
import MessagingCore
import Testing

/// A server of the real program in a folder of its own, and the program's other commands beside it.
final class Installation: @unchecked Sendable {
    struct Failure: Error, CustomStringConvertible {
        let description: String
    }

    struct Output {
        let status: Int32
        let text: String
        let errors: String

        var lines: [String] { text.split(separator: "\n").map(String.init) }

        /// Each line as a JSON object.
        var objects: [[String: Any]] {
            lines.compactMap { try? JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any] }
        }
    }

    static let password = "correct-horse-battery-staple"

    let folder: URL
    let port: Int
    private(set) var server: Process?
    var extraConfiguration = ""
    var scheme = "http"
    var domain = "a.example"

    var url: String { "\(scheme)://127.0.0.1:\(port)" }
    var data: String { folder.path + "/data" }
    var configuration: String { folder.path + "/continuo.yaml" }

    init() throws {
        folder = FileManager.default.temporaryDirectory.appendingPathComponent("continuo-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        port = Self.freePort()
    }

    deinit {
        if let server, server.isRunning {
            kill(server.processIdentifier, SIGKILL)
            server.waitUntilExit()
        }
        try? FileManager.default.removeItem(at: folder)
    }

    /// The program that this build made, beside the tests.
    static let program: String = {
        let own = (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? ""
        return URL(fileURLWithPath: own).deletingLastPathComponent().appendingPathComponent("continuo").path
    }()

    /// An even port, so that the next one is free for the operator's interface too, most likely.
    private static func freePort() -> Int { Int.random(in: 10000..<16000) * 2 }

    func writeConfiguration() throws {
        let yaml = """
            data: \(data)
            domains: [\(domain)]
            client:
              listen: 127.0.0.1:\(port)
            \(extraConfiguration)
            operator:
              listen: 127.0.0.1:\(port + 1)
            passwords:
              cost: 10
            log:
              level: notice
            """
        try yaml.write(toFile: configuration, atomically: true, encoding: .utf8)
    }

    /// Starts the server and waits until it is ready.
    func start() async throws {
        try writeConfiguration()
        let process = Process()
        process.executableURL = URL(fileURLWithPath: Self.program)
        process.arguments = ["serve", "--config", configuration]
        let log = folder.path + "/server.log"
        if !FileManager.default.fileExists(atPath: log) {
            _ = FileManager.default.createFile(atPath: log, contents: nil)
        }
        let handle = try #require(FileHandle(forWritingAtPath: log))
        _ = try handle.seekToEnd()
        process.standardError = handle
        try process.run()
        server = process
        for _ in 0..<600 {
            guard process.isRunning else { break }
            if run(["status", "--config", configuration]).status == 0 { return }
            try await Task.sleep(for: .milliseconds(50))
        }
        throw Failure(description: "the server did not start: \(self.log)")
    }

    var log: String { (try? String(contentsOfFile: folder.path + "/server.log", encoding: .utf8)) ?? "" }

    /// Tells the server to stop, and waits.
    func stop() {
        guard let server else { return }
        kill(server.processIdentifier, SIGTERM)
        server.waitUntilExit()
        self.server = nil
    }

    /// Ends the server as a power cut would end it.
    func crash() {
        guard let server else { return }
        kill(server.processIdentifier, SIGKILL)
        server.waitUntilExit()
        self.server = nil
    }

    /// Runs a command to its end.
    @discardableResult
    func run(_ arguments: [String], input: String? = nil) -> Output {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: Self.program)
        process.arguments = arguments
        var environment = ProcessInfo.processInfo.environment
        environment["XDG_DATA_HOME"] = folder.path
        environment["CONTINUO_PASSWORD"] = Self.password
        process.environment = environment
        process.currentDirectoryURL = folder
        let name = folder.path + "/run-\(UUID().uuidString)"
        _ = FileManager.default.createFile(atPath: name + ".out", contents: nil)
        _ = FileManager.default.createFile(atPath: name + ".err", contents: nil)
        process.standardOutput = FileHandle(forWritingAtPath: name + ".out")
        process.standardError = FileHandle(forWritingAtPath: name + ".err")
        process.standardInput = FileHandle.nullDevice
        do {
            try process.run()
        } catch {
            return Output(status: -1, text: "", errors: "\(error)")
        }
        process.waitUntilExit()
        defer { for ending in [".out", ".err"] { try? FileManager.default.removeItem(atPath: name + ending) } }
        return Output(
            status: process.terminationStatus,
            text: (try? String(contentsOfFile: name + ".out", encoding: .utf8)) ?? "",
            errors: (try? String(contentsOfFile: name + ".err", encoding: .utf8)) ?? ""
        )
    }

    /// Runs a command that has to succeed.
    @discardableResult
    func succeed(_ arguments: String...) throws -> Output {
        let output = run(arguments)
        guard output.status == 0 else {
            throw Failure(description: "\(arguments.joined(separator: " ")): \(output.status) \(output.errors)")
        }
        return output
    }

    /// Runs an operator's command that has to succeed.
    @discardableResult
    func operate(_ arguments: String...) throws -> Output {
        let output = run(arguments + ["--config", configuration])
        guard output.status == 0 else {
            throw Failure(description: "\(arguments.joined(separator: " ")): \(output.status) \(output.errors)")
        }
        return output
    }

    func makeAccount(_ addresses: String..., balance: Int = 0) throws {
        let output = run(["account", "create", "--balance", "\(balance)", "--config", configuration] + addresses)
        guard output.status == 0 else { throw Failure(description: output.errors) }
    }

    func logIn(_ address: String, device: String, label: String? = nil, kind: String = "computer") throws {
        try succeed(
            "login",
            address,
            "--server",
            url,
            "--device",
            device,
            "--label",
            label ?? device,
            "--kind",
            kind
        )
    }

    func profile(_ device: String) throws -> DeviceProfile {
        try DeviceProfile(name: device, in: folder.path + "/continuo/devices")
    }

    /// The messages that a device lists, newest first.
    func inbox(_ device: String, _ options: String...) throws -> [[String: Any]] {
        let output = run(["inbox", "--json", "--limit", "100", "--device", device] + options)
        guard output.status == 0 else { throw Failure(description: output.errors) }
        return output.objects
    }

    /// What a device's own copy holds after it has synchronised: `watch --once`, event by event.
    func synchronise(_ device: String) throws -> [[String: Any]] {
        try succeed("watch", "--once", "--json", "--device", device).objects
    }

    /// Runs `continuo watch` beside the test.
    func watch(_ device: String) throws -> Watcher { try Watcher(self, device, ["watch"]) }

    /// Runs `continuo chat` beside the test, once it is in step with its mailbox.
    func chat(_ device: String, _ arguments: String...) async throws -> Watcher {
        let chat = try Watcher(self, device, ["chat"] + arguments)
        _ = try await chat.line("ready")
        return chat
    }

    /// `doctor` finds nothing wrong with the stopped server's data.
    func expectSound() {
        let doctor = run(["doctor", "--config", configuration, "--json"])
        #expect(doctor.status == 0, "\(doctor.text)")
    }
}

/// A device that the real program runs until it is let go.
final class Watcher: @unchecked Sendable {
    private let process = Process()
    private let path: String
    private let input = Pipe()

    init(_ installation: Installation, _ device: String, _ command: [String]) throws {
        path = installation.folder.path + "/watch-\(UUID().uuidString)"
        _ = FileManager.default.createFile(atPath: path, contents: nil)
        process.executableURL = URL(fileURLWithPath: Installation.program)
        process.arguments = command + ["--json", "--device", device]
        process.standardInput = input
        var environment = ProcessInfo.processInfo.environment
        environment["XDG_DATA_HOME"] = installation.folder.path
        process.environment = environment
        process.standardOutput = FileHandle(forWritingAtPath: path)
        process.standardError = FileHandle.nullDevice
        try process.run()
    }

    deinit { end() }

    func end() {
        guard process.isRunning else { return }
        kill(process.processIdentifier, SIGKILL)
        process.waitUntilExit()
    }

    var isRunning: Bool { process.isRunning }

    /// Types a line.
    func type(_ line: String) throws { try input.fileHandleForWriting.write(contentsOf: Data((line + "\n").utf8)) }

    var events: [[String: Any]] {
        let text = (try? String(contentsOfFile: path, encoding: .utf8)) ?? ""
        return text.split(separator: "\n").compactMap {
            try? JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any]
        }
    }

    /// Waits for an event about an item.
    func event(
        _ name: String,
        where matches: ([String: Any]) -> Bool = { _ in true },
        timeout: Duration = .seconds(20)
    ) async throws -> [String: Any] {
        let line = try await line(name, where: { matches($0["item"] as? [String: Any] ?? [:]) }, timeout: timeout)
        return line["item"] as? [String: Any] ?? [:]
    }

    /// Waits for an event as it was printed.
    @discardableResult
    func line(
        _ name: String,
        where matches: ([String: Any]) -> Bool = { _ in true },
        timeout: Duration = .seconds(20)
    ) async throws -> [String: Any] {
        let end = ContinuousClock.now + timeout
        while ContinuousClock.now < end {
            for event in events where event["event"] as? String == name {
                if matches(event) { return event }
            }
            try await Task.sleep(for: .milliseconds(50))
        }
        throw Installation.Failure(description: "no event '\(name)' came; there were \(events)")
    }
}

extension Watcher {
    /// The texts that a chat has printed, with their ordinals.
    var said: [(ordinal: Int, text: String)] {
        events.filter { $0["event"] as? String == "said" }.map { event in
            (event["ordinal"] as? Int ?? 0, event["text"] as? String ?? "")
        }
    }

    /// Waits until a chat has printed a text.
    func said(_ text: String) async throws { try await line("said") { $0["text"] as? String == text } }
}

extension [String: Any] {
    var id: String { self["id"] as? String ?? "" }
    var message: [String: Any]? { self["message"] as? [String: Any] }

    /// The texts of a message's parts.
    var texts: [String] {
        (message?["parts"] as? [[String: Any]] ?? []).compactMap { $0["text"] as? String }
    }

    /// How each receiver stands.
    var states: [String] { (self["receivers"] as? [[String: Any]] ?? []).compactMap { $0["state"] as? String } }
}
