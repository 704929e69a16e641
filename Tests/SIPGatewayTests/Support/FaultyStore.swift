import Store
import Synchronization

/// A real store that cannot be read, or not be written, for a while.
final class FaultyStore: Store {
    private struct State {
        var cannotRead = false
        var cannotWrite = false
        var failures = 0
    }

    private static let failure = StoreError(.full, "the disk is full")

    private let store: any Store
    private let state = Mutex(State())

    init(_ store: any Store) { self.store = store }

    func cannotRead(_ cannot: Bool) { state.withLock { $0.cannotRead = cannot } }

    func cannotWrite(_ cannot: Bool) { state.withLock { $0.cannotWrite = cannot } }

    /// How many reads and writes came to nothing.
    var failures: Int { state.withLock { $0.failures } }

    private func fails(_ what: KeyPath<State, Bool>) -> Bool {
        state.withLock { state in
            if state[keyPath: what] { state.failures += 1 }
            return state[keyPath: what]
        }
    }

    func write(
        _ job: @escaping @Sendable (any WriteTransaction) throws -> Void,
        completion: @escaping @Sendable (Result<Void, any Error>) -> Void
    ) {
        if fails(\.cannotWrite) { return completion(.failure(Self.failure)) }
        store.write(job, completion: completion)
    }

    func read(_ body: @escaping @Sendable (any ReadView) -> Void, failed: @escaping @Sendable (any Error) -> Void) {
        if fails(\.cannotRead) { return failed(Self.failure) }
        store.read(body, failed: failed)
    }

    func observeBatches(_ observer: @escaping @Sendable (BatchOutcome) -> Void) { store.observeBatches(observer) }

    func close() throws { try store.close() }
}
