import Foundation
import Synchronization

/// What the tour did not see.
struct TourFailure: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) { self.description = description }
}

/// How long something that has to come may take: much on a busy machine, little when it is meant not to come.
enum Patience {
    private static let seconds = Atomic(60)

    static func set(seconds new: Int) { seconds.store(new, ordering: .relaxed) }

    static var now: Duration { .seconds(seconds.load(ordering: .relaxed)) }
}

/// Asks until there is an answer.
/// - Throws: ``TourFailure`` that says what never came.
func eventually<Answer: Sendable>(
    _ what: String,
    isolation: isolated (any Actor)? = #isolation,
    _ ask: () async throws -> Answer?
) async throws -> Answer {
    let end = ContinuousClock.now + Patience.now
    while true {
        if let answer = try await ask() { return answer }
        guard ContinuousClock.now < end else { throw TourFailure("never: \(what)") }
        try await Task.sleep(for: .milliseconds(50))
    }
}

/// A program beside the tour; what it prints goes into a file.
final class Companion: @unchecked Sendable {
    private let process = Process()
    private let input = Pipe()
    private let output: String

    /// All that run, so that none outlives the tour.
    private static let running = Mutex<[Int32]>([])

    init(_ program: String, _ arguments: [String], environment: [String: String] = [:], output: String) throws {
        self.output = output
        if !FileManager.default.fileExists(atPath: output) {
            _ = FileManager.default.createFile(atPath: output, contents: nil)
        }
        guard let file = FileHandle(forWritingAtPath: output) else {
            throw TourFailure("\(output) cannot be written")
        }
        try file.seekToEnd()
        process.executableURL = URL(fileURLWithPath: program)
        process.arguments = arguments
        process.environment = ProcessInfo.processInfo.environment.merging(environment) { _, own in own }
        process.standardInput = input
        process.standardOutput = file
        process.standardError = file
        try process.run()
        Self.running.withLock { $0.append(process.processIdentifier) }
    }

    var isRunning: Bool { process.isRunning }

    var text: String { (try? String(contentsOfFile: output, encoding: .utf8)) ?? "" }

    var lines: [String] { text.split(separator: "\n").map(String.init) }

    /// Types a line.
    func type(_ line: String) throws {
        guard process.isRunning else { throw TourFailure("a program has ended: \(text.suffix(300))") }
        try input.fileHandleForWriting.write(contentsOf: Data((line + "\n").utf8))
    }

    func end(_ signal: Int32 = SIGKILL) {
        if process.isRunning { kill(process.processIdentifier, signal) }
        process.waitUntilExit()
        Self.running.withLock { $0.removeAll { $0 == process.processIdentifier } }
    }

    /// Waits for a program that ends by itself.
    func wait() async -> Int32 {
        while process.isRunning { try? await Task.sleep(for: .milliseconds(15)) }
        Self.running.withLock { $0.removeAll { $0 == process.processIdentifier } }
        return process.terminationStatus
    }

    /// Ends whatever runs still; for when the tour itself is ended.
    static func endAll() {
        for one in running.withLock({ $0 }) { kill(one, SIGKILL) }
    }
}
