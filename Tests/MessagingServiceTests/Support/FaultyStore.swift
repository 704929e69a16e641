import MessagingCore
import Store
import Synchronization

/// A real store whose jobs are refused when the test says so; that whole batches fail is proved of the store itself.
final class FaultyStore: Store {
    private let store: any Store
    private let failing = Mutex(0)

    init(_ store: any Store) { self.store = store }

    /// The next so many jobs are refused, as by a full disk.
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
                if fails { throw StoreError(.full, "the disk is full") }
                try job(transaction)
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
