import Foundation
import MessagingCore
import SQLiteStore
import Store
import Testing

@Suite("A process that is killed while it writes")
struct CrashTests {
    private static let rounds = 12

    /// The program that this build made, beside the tests.
    private static let program: String = {
        let own = (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? ""
        let name = "store-crash-writer"
        let beside = URL(fileURLWithPath: own).deletingLastPathComponent().appendingPathComponent(name)
        if FileManager.default.isExecutableFile(atPath: beside.path) { return beside.path }
        // The runner of the tests is not among the build's products: those lie beside the bundle that it is given.
        let bundle = CommandLine.arguments.first { $0.hasSuffix(".xctest") } ?? ""
        return URL(fileURLWithPath: bundle).deletingLastPathComponent().appendingPathComponent(name).path
    }()

    /// Numbers that a writer acknowledged before it was killed, some time after its first acknowledgement.
    private func acknowledgedUntilKilled(path: String, first: Int64, after milliseconds: Int) throws -> [Int64] {
        let process = Process()
        let pipe = Pipe()
        process.executableURL = URL(fileURLWithPath: Self.program)
        process.arguments = [path, "\(first)"]
        process.standardOutput = pipe
        try process.run()
        let output = pipe.fileHandleForReading
        var bytes = output.availableData
        let victim = process.processIdentifier
        DispatchQueue.global().asyncAfter(deadline: .now() + .milliseconds(milliseconds)) { kill(victim, SIGKILL) }
        bytes.append(output.readDataToEndOfFile())
        process.waitUntilExit()
        #expect(process.terminationReason == .uncaughtSignal, "the writer ended by itself")
        return String(decoding: bytes, as: UTF8.self).split(separator: "\n").compactMap { Int64($0) }
    }

    @Test("keeps every acknowledged write exactly once, and no write in part")
    func killed() async throws {
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        let path = folder.path("crash.sqlite")
        var next: Int64 = 1
        var acknowledged: Set<Int64> = []
        for _ in 0..<Self.rounds {
            let seen = try acknowledgedUntilKilled(path: path, first: next, after: .random(in: 0...150))
            #expect(!seen.isEmpty)
            #expect(seen == Array(next..<next + Int64(seen.count)), "acknowledged in order, each once")
            acknowledged.formUnion(seen)

            let store = try SQLiteStore(path: path)
            try store.checkIntegrity()
            let (items, entries) = try await store.read { view in
                (
                    try view.changes(AccountID(rawValue: 1), after: 0, limit: .max),
                    try view.entries(lane: "lane", limit: .max)
                )
            }
            try store.close()
            let stored = items.map(\.created)
            #expect(stored == Array(1...Int64(stored.count)), "a gap: a later write outlived an earlier one")
            #expect(Set(stored).isSuperset(of: acknowledged), "an acknowledged write is lost")
            #expect(entries.map(\.entry.message.description) == stored.map(String.init), "a write in part, or twice")
            #expect(
                items.allSatisfy { item in
                    let byte = UInt8(truncatingIfNeeded: item.created)
                    return item.body == .document([UInt8](repeating: byte, count: 500))
                }
            )
            next = Int64(stored.count) + 1
        }
    }
}
