import ClientWire
import Logging
import MessagingCore
import MessagingService
import Synchronization

/// The newest warnings and errors of the log, for the operator's page; the log itself goes where it always did.
final class RecentErrors: Sendable {
    /// Older ones are in the log alone.
    static let kept = 100

    private let entries = Mutex<[ErrorPage.Entry]>([])
    private let clock: @Sendable () -> Timestamp

    init(clock: @escaping @Sendable () -> Timestamp = Timestamp.wallClock) { self.clock = clock }

    /// Newest first.
    var all: [ErrorPage.Entry] { entries.withLock { $0.reversed() } }

    func note(_ level: Logger.Level, _ message: Logger.Message, _ metadata: Logger.Metadata) {
        let entry = ErrorPage.Entry(
            time: clock(),
            level: level.rawValue,
            message: message.description,
            details: metadata.mapValues(\.description)
        )
        entries.withLock { entries in
            if entries.count == Self.kept { entries.removeFirst() }
            entries.append(entry)
        }
    }

    /// A logger that writes as before, and notes what is a warning or worse.
    func listening(to logger: Logger) -> Logger {
        var listening = Logger(label: logger.label) { _ in
            Handler(errors: self, next: logger.handler)
        }
        listening.logLevel = logger.logLevel
        return listening
    }

    private struct Handler: LogHandler {
        let errors: RecentErrors
        var next: any LogHandler

        var logLevel: Logger.Level {
            get { next.logLevel }
            set { next.logLevel = newValue }
        }

        var metadata: Logger.Metadata {
            get { next.metadata }
            set { next.metadata = newValue }
        }

        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { next[metadataKey: key] }
            set { next[metadataKey: key] = newValue }
        }

        func log(event: LogEvent) {
            if event.level >= .warning {
                errors.note(event.level, event.message, metadata.merging(event.metadata ?? [:]) { $1 })
            }
            next.log(event: event)
        }
    }
}
