import Synchronization

/// Carries a job's value from the writer's thread to whoever waits.
final class ResultBox<T: Sendable>: Sendable {
    private let stored = Mutex<T?>(nil)

    var value: T? {
        get { stored.withLock { $0 } }
        set { stored.withLock { $0 = newValue } }
    }

    var result: Result<T, any Error> {
        guard let value else { return .failure(StoreError(.internalInconsistency, "a job ended without a value")) }
        return .success(value)
    }
}

/// What can go wrong in a store; equal by code alone.
public struct StoreError: Error, Hashable, Sendable, CustomStringConvertible {
    /// A stable, open set of codes.
    public struct Code: RawRepresentable, Hashable, Sendable {
        public let rawValue: String

        /// Wraps a code's text.
        public init(rawValue: String) { self.rawValue = rawValue }

        /// The disk or the database is full: writes are refused, reads go on.
        public static let full = Code(rawValue: "full")
        /// The queue before the writer is at its limit.
        public static let busy = Code(rawValue: "busy")
        public static let closed = Code(rawValue: "closed")
        /// A change contradicts what is stored: an address that another account holds, a number given before.
        public static let conflict = Code(rawValue: "conflict")
        /// The batch could not be committed.
        public static let commitFailed = Code(rawValue: "commit-failed")
        /// What was read cannot be understood.
        public static let corrupt = Code(rawValue: "corrupt")
        /// The database is of a newer version than this program.
        public static let tooNew = Code(rawValue: "too-new")
        /// A file that should be there is not.
        public static let missing = Code(rawValue: "missing")
        /// The file system refused for another reason than space.
        public static let fileFailed = Code(rawValue: "file-failed")
        public static let internalInconsistency = Code(rawValue: "internal-inconsistency")
    }

    public let code: Code
    public let reason: String

    /// An error with its code and a sentence.
    public init(_ code: Code, _ reason: String) {
        self.code = code
        self.reason = reason
    }

    public static func == (lhs: Self, rhs: Self) -> Bool { lhs.code == rhs.code }

    public func hash(into hasher: inout Hasher) { hasher.combine(code) }

    public var description: String { "\(code.rawValue): \(reason)" }
}
