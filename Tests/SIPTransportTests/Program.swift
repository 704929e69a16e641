import Foundation
import SIP

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

    /// Ends a program that runs. A child of a pool thread starts with its signals blocked; only this one gets through.
    static func kill(_ process: Process) { _ = Foundation.kill(process.processIdentifier, SIGKILL) }
}
