import Dispatch
public import Store
import Synchronization

/// Where an in-memory store keeps what is committed: it outlives the store, as a disk outlives a process.
public final class MemoryDisk: Sendable {
    private struct Contents {
        var rows = MemoryRows()
        /// Counts the stores that were opened: what an earlier one still commits no longer gets through.
        var generation = 0
    }

    private let contents = Mutex(Contents())

    /// A disk with nothing on it.
    public init() {}

    func mount() -> Int {
        contents.withLock { contents in
            contents.generation += 1
            return contents.generation
        }
    }

    /// Cuts off whoever writes, as the end of its process would.
    public func unmount() { _ = mount() }

    func rows() -> MemoryRows { contents.withLock { $0.rows } }

    func commit(_ rows: MemoryRows, generation: Int) -> Bool {
        contents.withLock { contents in
            guard contents.generation == generation else { return false }
            contents.rows = rows
            return true
        }
    }
}

/// The reference: a store as plain values, for tests and for comparison; durable as long as its disk.
public final class MemoryStore: Store {
    /// Jobs taken into one transaction.
    public static let batchJobs = 1000
    /// Jobs that may wait; further ones are refused as busy.
    public static let queuedJobs = 50000

    private struct Job: Sendable {
        let body: @Sendable (any WriteTransaction) throws -> Void
        let completion: @Sendable (Result<Void, any Error>) -> Void
    }

    private struct Queue {
        var jobs: [Job] = []
        var isClosed = false
    }

    private let disk: MemoryDisk
    private let generation: Int
    private let queue = Mutex(Queue())
    private let refusal = Mutex<StoreError?>(nil)
    private let observation = BatchObservation()
    private let writer = DispatchQueue(label: "memory-store.writer")
    private let readers = DispatchQueue(label: "memory-store.readers", attributes: .concurrent)

    /// Opens what is on a disk.
    public init(disk: MemoryDisk = MemoryDisk()) {
        self.disk = disk
        generation = disk.mount()
    }

    /// Refuses every batch from now on with an error, as a disk that is full does; nil ends that.
    public func refuseWrites(_ error: StoreError?) { refusal.withLock { $0 = error } }

    public func observeBatches(_ observer: @escaping @Sendable (BatchOutcome) -> Void) {
        observation.set(observer)
    }

    public func write(
        _ job: @escaping @Sendable (any WriteTransaction) throws -> Void,
        completion: @escaping @Sendable (Result<Void, any Error>) -> Void
    ) {
        let refusal = queue.withLock { queue -> StoreError? in
            guard !queue.isClosed else { return StoreError(.closed, "the store is closed") }
            guard queue.jobs.count < Self.queuedJobs else {
                return StoreError(.busy, "too many commands wait for the writer")
            }
            queue.jobs.append(Job(body: job, completion: completion))
            return nil
        }
        if let refusal { return completion(.failure(refusal)) }
        writer.async { [self] in commitBatch() }
    }

    /// Commits what has queued up; nothing, when an earlier turn has taken this turn's job along.
    private func commitBatch() {
        let jobs = queue.withLock { queue in
            let jobs = Array(queue.jobs.prefix(Self.batchJobs))
            queue.jobs.removeFirst(jobs.count)
            return jobs
        }
        guard !jobs.isEmpty else { return }
        var rows = disk.rows()
        let results = jobs.map { job -> Result<Void, any Error> in
            let transaction = MemoryTransaction(rows)
            let result = Result { try job.body(transaction) }.flatMap { transaction.outcome }
            if case .success = result { rows = transaction.rows }
            return result
        }
        if let failure = refusal.withLock({ $0 }) { return fail(jobs, failure) }
        guard disk.commit(rows, generation: generation) else {
            return fail(jobs, StoreError(.closed, "another store was opened over the same disk"))
        }
        for (job, result) in zip(jobs, results) { job.completion(result) }
        observation.tell(.committed)
    }

    private func fail(_ jobs: [Job], _ error: StoreError) {
        for job in jobs { job.completion(.failure(error)) }
        observation.tell(.failed)
    }

    public func read(
        _ body: @escaping @Sendable (any ReadView) -> Void,
        failed: @escaping @Sendable (any Error) -> Void
    ) {
        readers.async { [self] in
            guard !queue.withLock({ $0.isClosed }) else {
                return failed(StoreError(.closed, "the store is closed"))
            }
            body(MemoryView(disk.rows()))
        }
    }

    public func close() {
        queue.withLock { $0.isClosed = true }
        // The writer's queue is serial: when this gets its turn, what was queued is done.
        writer.sync {}
        readers.sync(flags: .barrier) {}
    }
}
