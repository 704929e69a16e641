public import Store

/// What a store has to keep, as checks that anyone who writes one can run.
///
/// Run every one of ``checks`` on storage of its own:
///
///     for check in StoreConformance.checks {
///         try await check.run(StoreConformance.Storage { try MyStore(path: freshPath) })
///     }
public enum StoreConformance {
    /// One piece of storage, which can be opened again: what was acknowledged must still be there.
    public struct Storage: Sendable {
        let open: @Sendable () throws -> any Store

        /// Storage that `open` opens; called again on the same storage to reopen it after a crash.
        public init(open: @escaping @Sendable () throws -> any Store) { self.open = open }
    }

    /// One property, with its name.
    public struct Check: Sendable, CustomStringConvertible {
        public let name: String
        private let body: @Sendable (Storage) async throws -> Void

        init(_ name: String, _ body: @escaping @Sendable (Storage) async throws -> Void) {
            self.name = name
            self.body = body
        }

        /// Runs the check on fresh storage.
        /// - Throws: ``ConformanceFailure``, or what the store threw.
        public func run(_ storage: Storage) async throws { try await body(storage) }

        public var description: String { name }
    }

    /// Every property of the protocol.
    public static var checks: [Check] { accounts + mailbox + search + blobs + queue + transactions }
}

/// A property that does not hold.
public struct ConformanceFailure: Error, CustomStringConvertible {
    public let description: String
}

/// Fails with the place when a condition does not hold.
func expect(_ condition: Bool, _ what: String, line: Int = #line, file: String = #fileID) throws {
    guard condition else { throw ConformanceFailure(description: "\(what) (\(file):\(line))") }
}

/// Fails when two values differ.
func expect<T: Equatable>(_ value: T, is wanted: T, line: Int = #line, file: String = #fileID) throws {
    guard value == wanted else {
        throw ConformanceFailure(description: "got \(value) instead of \(wanted) (\(file):\(line))")
    }
}
