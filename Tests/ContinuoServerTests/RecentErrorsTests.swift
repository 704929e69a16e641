import ClientWire
import Logging
import MessagingCore
import Synchronization
import Testing

@testable import ContinuoServer

@Suite("Warnings that the operator's page shows")
struct RecentErrorsTests {
    /// Counts what reaches the log itself.
    private struct Counting: LogHandler {
        static let lines = Mutex(0)

        var logLevel = Logger.Level.debug
        var metadata: Logger.Metadata = [:]
        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { metadata[key] }
            set { metadata[key] = newValue }
        }

        func log(event: LogEvent) { Self.lines.withLock { $0 += 1 } }
    }

    @Test("are the newest hundred, with their details; the log itself gets everything as before")
    func kept() {
        let errors = RecentErrors { Timestamp(rawValue: 5) }
        let logger = errors.listening(to: Logger(label: "test") { _ in Counting() })
        logger.info("of no concern")
        #expect(errors.all.isEmpty)
        for number in 1...RecentErrors.kept + 1 {
            logger.warning("number \(number)", metadata: ["place": "here"])
        }
        logger.error("the last")
        #expect(errors.all.count == RecentErrors.kept)
        #expect(errors.all.first?.message == "the last")
        #expect(errors.all.first?.level == "error")
        #expect(errors.all[1].details == ["place": "here"])
        #expect(errors.all.last?.message == "number 3")
        #expect(errors.all.allSatisfy { $0.time == Timestamp(rawValue: 5) })
        #expect(Counting.lines.withLock { $0 } == RecentErrors.kept + 3)
    }
}
