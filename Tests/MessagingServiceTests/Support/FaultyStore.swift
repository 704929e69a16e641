import MessagingCore
import Store
import Synchronization

/// A real store, some of whose batches fail as on a full disk: their jobs have run, and none of it stays.
///
/// To make a batch of its own, it holds what is written back until the store is idle, runs the unlucky jobs as one that
/// is undone, and lets the rest go on.
final class FaultyStore: Store {
    private struct Job: Sendable {
        let body: @Sendable (any WriteTransaction) throws -> Void
        let completion: @Sendable (Result<Void, any Error>) -> Void
    }

    private enum Phase {
        case passing
        /// The unlucky jobs run, or have run and their batch ends next; what comes meanwhile waits.
        case failing(haveRun: Bool)
    }

    private struct State {
        var phase = Phase.passing
        /// Jobs that are still to fail.
        var unlucky = 0
        /// Jobs in the store that have not ended.
        var underWay = 0
        var held: [Job] = []
        var observer: (@Sendable (BatchOutcome) -> Void)?

        /// What need not wait any more.
        mutating func released() -> [Job] {
            guard case .passing = phase, unlucky == 0 else { return [] }
            defer { held = [] }
            return held
        }
    }

    private static let failure = StoreError(.full, "the disk is full")

    private let store: any Store
    private let state = Mutex(State())

    init(_ store: any Store) { self.store = store }

    /// The next so many jobs fail together with their batch.
    func failJobs(_ count: Int) {
        let released = state.withLock { state in
            state.unlucky = count
            return state.released()
        }
        for job in released { write(job.body, completion: job.completion) }
    }

    func write(
        _ job: @escaping @Sendable (any WriteTransaction) throws -> Void,
        completion: @escaping @Sendable (Result<Void, any Error>) -> Void
    ) {
        let passes = state.withLock { state in
            if case .passing = state.phase, state.unlucky == 0 {
                state.underWay += 1
                return true
            }
            state.held.append(Job(body: job, completion: completion))
            return false
        }
        guard passes else { return failIfIdle() }
        store.write(job) { [self] result in
            state.withLock { $0.underWay -= 1 }
            completion(result)
        }
    }

    /// Runs the unlucky jobs once nothing else is in the store.
    private func failIfIdle() {
        let unlucky = state.withLock { state -> [Job] in
            guard case .passing = state.phase, state.unlucky > 0, state.underWay == 0 else { return [] }
            let jobs = Array(state.held.prefix(state.unlucky))
            if !jobs.isEmpty { state.phase = .failing(haveRun: false) }
            state.held.removeFirst(jobs.count)
            state.unlucky -= jobs.count
            return jobs
        }
        guard !unlucky.isEmpty else { return }
        store.write(
            { transaction in
                for job in unlucky { try? job.body(transaction) }
                throw Self.failure
            },
            completion: { [self] _ in
                state.withLock { $0.phase = .failing(haveRun: true) }
                for job in unlucky { job.completion(.failure(Self.failure)) }
            }
        )
    }

    private func batchEnded(_ outcome: BatchOutcome) {
        let (observer, isFailure, released) = state.withLock { state in
            guard case .failing(haveRun: true) = state.phase else { return (state.observer, false, [Job]()) }
            state.phase = .passing
            return (state.observer, true, state.released())
        }
        observer?(isFailure ? .failed : outcome)
        for job in released { write(job.body, completion: job.completion) }
        failIfIdle()
    }

    func read(_ body: @escaping @Sendable (any ReadView) -> Void, failed: @escaping @Sendable (any Error) -> Void) {
        store.read(body, failed: failed)
    }

    func observeBatches(_ observer: @escaping @Sendable (BatchOutcome) -> Void) {
        state.withLock { $0.observer = observer }
        store.observeBatches { [self] in batchEnded($0) }
    }

    func close() throws { try store.close() }
}
