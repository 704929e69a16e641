import MessagingCore
import Store
import Synchronization

/// A real store whose batches fail when the test says so.
final class FaultyStore: Store {
    private let store: any Store
    private let failing = Mutex(0)

    init(_ store: any Store) { self.store = store }

    /// The next so many jobs are run and then fail their whole batch, as a full disk does.
    func failJobs(_ count: Int) { failing.withLock { $0 = count } }

    private func takesFailure() -> Bool {
        failing.withLock { count in
            guard count > 0 else { return false }
            count -= 1
            return true
        }
    }

    func write(
        _ job: @escaping @Sendable (any WriteTransaction) throws -> Void,
        completion: @escaping @Sendable (Result<Void, any Error>) -> Void
    ) {
        let fails = takesFailure()
        store.write(
            { transaction in
                try job(transaction)
                if fails { throw StoreError(.full, "the disk is full") }
            },
            completion: completion
        )
    }

    func read(_ body: @escaping @Sendable (any ReadView) -> Void, failed: @escaping @Sendable (any Error) -> Void) {
        store.read(body, failed: failed)
    }

    func observeBatches(_ observer: @escaping @Sendable (BatchOutcome) -> Void) { store.observeBatches(observer) }

    func close() throws { try store.close() }
}
