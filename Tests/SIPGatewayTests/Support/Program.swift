import Foundation
import Synchronization

/// Outside programs, waited for without blocking a thread of the pool.
enum Program {
    /// Runs a program to its end.
    ///
    /// - Returns: Its status and what it wrote to its standard output.
    static func run(_ path: String, _ arguments: [String]) async throws -> (status: Int32, output: String) {
        let file = FileManager.default.temporaryDirectory.appendingPathComponent("program-\(UUID()).out")
        _ = FileManager.default.createFile(atPath: file.path, contents: nil)
        defer { try? FileManager.default.removeItem(at: file) }
        let process = Process()
        process.executableURL = URL(fileURLWithPath: path)
        process.arguments = arguments
        process.standardInput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        process.standardOutput = try FileHandle(forWritingTo: file)
        let status = try await withCheckedThrowingContinuation { (done: CheckedContinuation<Int32, any Error>) in
            process.terminationHandler = { done.resume(returning: $0.terminationStatus) }
            do {
                try process.run()
            } catch {
                done.resume(throwing: error)
            }
        }
        return (status, (try? String(contentsOf: file, encoding: .utf8)) ?? "")
    }

    /// Where a program is installed, nil when it is not.
    static func find(_ name: String) -> String? {
        ["/usr/bin/", "/usr/local/bin/", "/usr/sbin/", "/usr/local/sbin/"].map { $0 + name }
            .first { FileManager.default.isExecutableFile(atPath: $0) }
    }

    /// The folder of these tests' sources.
    static let tests = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
}

/// A process of a test, with what it wrote; ended when it is let go.
final class Running {
    private let process = Process()
    private let input = Pipe()
    private let log: URL

    init(_ path: String, _ arguments: [String], in folder: URL? = nil) throws {
        log = FileManager.default.temporaryDirectory.appendingPathComponent("running-\(UUID()).log")
        _ = FileManager.default.createFile(atPath: log.path, contents: nil)
        process.executableURL = URL(fileURLWithPath: path)
        process.arguments = arguments
        process.currentDirectoryURL = folder
        process.standardInput = input
        process.standardOutput = FileHandle(forWritingAtPath: log.path)
        process.standardError = process.standardOutput
        try process.run()
    }

    deinit { try? FileManager.default.removeItem(at: log) }

    var output: String { (try? String(contentsOf: log, encoding: .utf8)) ?? "" }

    func write(_ line: String) { try? input.fileHandleForWriting.write(contentsOf: Data((line + "\n").utf8)) }

    /// Ends it with its children, which share its process group. A child of a pool thread starts with its signals
    /// blocked; only this one gets through.
    func end() {
        guard process.isRunning else { return }
        kill(-process.processIdentifier, SIGKILL)
        process.waitUntilExit()
    }

    /// Asks it to end, which writes what is left.
    func interrupt() async throws {
        kill(process.processIdentifier, SIGINT)
        _ = try await eventually { !self.process.isRunning }
        end()
    }
}
