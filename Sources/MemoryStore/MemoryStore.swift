import Dispatch
import MessagingCore
public import Store
import Synchronization

/// What a ``MemoryStore`` has committed: it outlives the store, as a disk outlives a process.
public final class MemoryDisk: Sendable {
    fileprivate let committed = Mutex(Contents())

    /// An empty disk.
    public init() {}
}

/// The reference store: simple enough to be seen right, for tests and for comparing other stores with.
///
/// Batches, savepoints, order of completions and snapshots are as the protocol says; only durability ends with the
/// process. To simulate a crash, let a store go and make another one on the same disk.
public final class MemoryStore: Store {
    /// Jobs that may wait; further ones are refused as busy.
    public static let queuedJobs = 50000

    private struct Job: Sendable {
        let body: @Sendable (any WriteTransaction) throws -> Void
        let completion: @Sendable (Result<Void, any Error>) -> Void
    }

    private struct Pending {
        var jobs: [Job] = []
        var isDraining = false
        var isClosed = false
    }

    private let disk: MemoryDisk
    private let pending = Mutex(Pending())
    private let writer = DispatchQueue(label: "memory-store.writer")
    private let readers = DispatchQueue(label: "memory-store.readers", attributes: .concurrent)
    private let observer = Mutex<(@Sendable (BatchOutcome) -> Void)?>(nil)
    private let refusal = Mutex<StoreError?>(nil)

    /// A store over what a disk holds.
    public init(disk: MemoryDisk = MemoryDisk()) { self.disk = disk }

    /// While set, every batch fails with this error: a full disk, say. Reads go on.
    public func refuseWrites(_ error: StoreError?) { refusal.withLock { $0 = error } }

    public func observeBatches(_ observer: @escaping @Sendable (BatchOutcome) -> Void) {
        self.observer.withLock { $0 = observer }
    }

    public func write(
        _ job: @escaping @Sendable (any WriteTransaction) throws -> Void,
        completion: @escaping @Sendable (Result<Void, any Error>) -> Void
    ) {
        let error = pending.withLock { pending -> StoreError? in
            guard !pending.isClosed else { return StoreError(.closed, "the store is closed") }
            guard pending.jobs.count < Self.queuedJobs else { return StoreError(.busy, "too many commands wait") }
            pending.jobs.append(Job(body: job, completion: completion))
            if !pending.isDraining {
                pending.isDraining = true
                writer.async { [self] in drain() }
            }
            return nil
        }
        if let error { completion(.failure(error)) }
    }

    private func drain() {
        while true {
            let jobs = pending.withLock { pending -> [Job] in
                let jobs = pending.jobs
                pending.jobs = []
                if jobs.isEmpty { pending.isDraining = false }
                return jobs
            }
            guard !jobs.isEmpty else { return }
            commit(jobs)
        }
    }

    private func commit(_ jobs: [Job]) {
        let transaction = MemoryView(disk.committed.withLock { $0 })
        let results = jobs.map { job -> Result<Void, any Error> in
            let savepoint = transaction.contents
            do {
                try job.body(transaction)
                return .success(())
            } catch {
                transaction.contents = savepoint
                return .failure(error)
            }
        }
        if let error = refusal.withLock({ $0 }) {
            for job in jobs { job.completion(.failure(error)) }
            observer.withLock { $0 }?(.failed)
            return
        }
        disk.committed.withLock { $0 = transaction.contents }
        for (job, result) in zip(jobs, results) { job.completion(result) }
        observer.withLock { $0 }?(.committed)
    }

    public func read(
        _ body: @escaping @Sendable (any ReadView) -> Void,
        failed: @escaping @Sendable (any Error) -> Void
    ) {
        guard !pending.withLock({ $0.isClosed }) else { return failed(StoreError(.closed, "the store is closed")) }
        let snapshot = disk.committed.withLock { $0 }
        readers.async { body(MemoryView(snapshot)) }
    }

    public func close() {
        pending.withLock { $0.isClosed = true }
        writer.sync { drain() }
    }
}
