import GRDB
public import MessagingCore
public import Store
import Synchronization

/// The embedded store: SQLite in WAL mode, one writer that commits what has queued up, readers that never wait for it.
///
/// Every acknowledged commit is on disk: `synchronous=FULL`.
public final class SQLiteStore: Store {
    /// Jobs taken into one transaction.
    public static let batchJobs = 1000
    /// Jobs that may wait; further ones are refused as busy.
    public static let queuedJobs = 50000
    public static let readers = 4
    /// Batches with savepoints after a job had to be undone: whoever makes jobs fail has them run twice now and then.
    static let carefulBatches = 64
    /// Small pages: a message touches the last page of a dozen trees, a few bytes each, and the log takes whole pages.
    static let pageBytes = 2048
    /// Pages in the log before they are copied to the database: 64 MiB. A page that many batches touch is copied once.
    static let checkpointPages = 65536

    private static let closed = StoreError(.closed, "the store is closed")

    struct Job: Sendable {
        let body: @Sendable (any WriteTransaction) throws -> Void
        let completion: @Sendable (Result<Void, any Error>) -> Void
    }

    private struct Queue {
        var jobs: [Job] = []
        var isDraining = false
        var isClosed = false
    }

    let pool: DatabasePool
    /// Under a key of the database's own, so that nobody can make two conversations fall together.
    private let keyed: SipHash
    private let caches = DocumentCaches()
    private let idleCheckpoint: IdleCheckpoint
    private let queue = Mutex(Queue())
    private let observation = BatchObservation()
    /// What the writer knows; touched only on GRDB's writer queue.
    private let writerState = WriterState()

    /// Opens or makes the database at a path.
    /// - Throws: ``StoreError`` `too-new` when a later version of the program has written it.
    public init(path: String) throws {
        var configuration = GRDB.Configuration()
        configuration.maximumReaderCount = Self.readers
        configuration.busyMode = .timeout(10)
        configuration.foreignKeysEnabled = false
        configuration.persistentReadOnlyConnections = true
        configuration.prepareDatabase { database in
            try database.execute(
                sql: """
                    PRAGMA page_size = \(Self.pageBytes); PRAGMA cache_size = -65536; PRAGMA temp_store = MEMORY;
                    PRAGMA mmap_size = 268435456
                    """
            )
        }
        do {
            pool = try DatabasePool(path: path, configuration: configuration)
            let migrator = Schema.migrator
            guard try !pool.read(migrator.hasBeenSuperseded) else {
                throw StoreError(.tooNew, "the database was written by a newer version of Continuo")
            }
            try migrator.migrate(pool)
            // GRDB sets NORMAL when it turns WAL on: then a power cut could take acknowledged commits.
            try pool.writeWithoutTransaction { database in
                try database.execute(
                    sql: "PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = \(Self.checkpointPages)"
                )
            }
            let key = try pool.read { database in
                try Connection(database: database).first("SELECT value FROM secret WHERE name = 'conversation'") {
                    $0.blob(0)
                }
            }
            guard let key, key.count == SipHash.keyBytes else {
                throw StoreError(.corrupt, "the database lacks the key of its conversations")
            }
            keyed = SipHash(key: key)
            idleCheckpoint = try IdleCheckpoint(path: path)
        } catch {
            throw StoreError(sqlite: error)
        }
    }

    /// Whether the database at a path is one of an older version, which opening it would bring up to date.
    /// - Throws: ``StoreError`` when it cannot be read.
    public static func isOlder(path: String) throws -> Bool {
        var configuration = GRDB.Configuration()
        configuration.readonly = true
        do {
            let database = try DatabaseQueue(path: path, configuration: configuration)
            let migrator = Schema.migrator
            return try database.read { database in
                let steps = try migrator.appliedIdentifiers(database)
                // One that is new yet holds nothing.
                return try !steps.isEmpty && !migrator.hasBeenSuperseded(database)
                    && !migrator.hasCompletedMigrations(database)
            }
        } catch {
            throw StoreError(sqlite: error)
        }
    }

    public func observeBatches(_ observer: @escaping @Sendable (BatchOutcome) -> Void) {
        observation.set(observer)
    }

    public func write(
        _ job: @escaping @Sendable (any WriteTransaction) throws -> Void,
        completion: @escaping @Sendable (Result<Void, any Error>) -> Void
    ) {
        enum Admission {
            case start, queued
            case refused(StoreError)
        }
        let admission = queue.withLock { queue -> Admission in
            guard !queue.isClosed else { return .refused(Self.closed) }
            guard queue.jobs.count < Self.queuedJobs else {
                return .refused(StoreError(.busy, "too many commands wait for the writer"))
            }
            queue.jobs.append(Job(body: job, completion: completion))
            guard !queue.isDraining else { return .queued }
            queue.isDraining = true
            return .start
        }
        switch admission {
        case .start: pool.asyncWriteWithoutTransaction { [self] database in drain(database) }
        case .queued: break
        case .refused(let error): completion(.failure(error))
        }
    }

    /// Commits batch after batch until nothing waits. Runs on GRDB's writer queue.
    private func drain(_ database: Database) {
        while true {
            let jobs = queue.withLock { queue -> [Job] in
                guard queue.jobs.count > Self.batchJobs else {
                    let all = queue.jobs
                    queue.jobs = []
                    if all.isEmpty { queue.isDraining = false }
                    return all
                }
                let some = Array(queue.jobs.prefix(Self.batchJobs))
                queue.jobs.removeFirst(Self.batchJobs)
                return some
            }
            guard !jobs.isEmpty else { return }
            commit(jobs, Connection(database: database, faults: Faults(), statements: writerState.statements))
        }
    }

    /// Runs the jobs in one transaction. A savepoint for each would copy every page it touches once more, and hardly any
    /// job fails after it has written: when one does, all is undone, and they run again with savepoints.
    private func commit(_ jobs: [Job], _ connection: Connection) {
        do {
            if writerState.careful == 0 {
                if let results = try attempt(jobs, connection, isCareful: false) { return done(jobs, results) }
                writerState.careful = Self.carefulBatches
                observation.tell(.undone)
            } else {
                writerState.careful -= 1
            }
            if let results = try attempt(jobs, connection, isCareful: true) { done(jobs, results) }
        } catch {
            undo(connection)
            let failure = StoreError(sqlite: error)
            for job in jobs { job.completion(.failure(failure)) }
            observation.tell(.failed)
        }
    }

    private func done(_ jobs: [Job], _ results: [Result<Void, any Error>]) {
        for (job, result) in zip(jobs, results) { job.completion(result) }
        observation.tell(.committed)
        idleCheckpoint.noteCommit()
    }

    private func undo(_ connection: Connection) {
        writerState.forget()
        try? connection.run("ROLLBACK")
    }

    /// - Returns: what became of each job, committed; nil when one failed that cannot be undone alone: nothing is done.
    /// - Throws: what fails the whole batch.
    private func attempt(
        _ jobs: [Job],
        _ connection: Connection,
        isCareful: Bool
    ) throws -> [Result<Void, any Error>]? {
        var results: [Result<Void, any Error>] = []
        results.reserveCapacity(jobs.count)
        try connection.run("BEGIN IMMEDIATE")
        let transaction = SQLiteTransaction(
            connection: connection,
            state: writerState,
            isCareful: isCareful,
            keyed: keyed,
            caches: caches
        )
        for job in jobs {
            if isCareful {
                results.append(try attemptAlone(job, transaction, connection))
                continue
            }
            let result = try run(job, transaction, connection)
            if case .failure = result, transaction.hasWritten {
                undo(connection)
                return nil
            }
            results.append(result)
        }
        try transaction.finish()
        try connection.run("COMMIT")
        return results
    }

    /// Throws only what fails the whole batch.
    private func run(
        _ job: Job,
        _ transaction: SQLiteTransaction,
        _ connection: Connection
    ) throws -> Result<Void, any Error> {
        do {
            transaction.begin()
            try job.body(transaction)
            if let failure = transaction.failure { throw failure }
            if let fault = connection.faults?.first { throw fault }
            return .success(())
        } catch {
            if let fault = connection.faults?.first { throw fault }
            return .failure(error)
        }
    }

    /// Runs one job in its savepoint. Throws only what fails the whole batch.
    private func attemptAlone(
        _ job: Job,
        _ transaction: SQLiteTransaction,
        _ connection: Connection
    ) throws -> Result<Void, any Error> {
        try connection.run("SAVEPOINT job")
        let result = try run(job, transaction, connection)
        if case .failure = result {
            writerState.jobFailed()
            try connection.run("ROLLBACK TO job")
        }
        try connection.run("RELEASE job")
        return result
    }

    public func read(
        _ body: @escaping @Sendable (any ReadView) -> Void,
        failed: @escaping @Sendable (any Error) -> Void
    ) {
        guard !queue.withLock({ $0.isClosed }) else { return failed(Self.closed) }
        pool.asyncRead { [self] result in
            switch result {
            case .success(let database):
                body(
                    SQLiteView(
                        connection: Connection(database: database),
                        keyed: keyed,
                        caches: caches
                    )
                )
            case .failure(let error): failed(queue.withLock { $0.isClosed } ? Self.closed : StoreError(sqlite: error))
            }
        }
    }

    public func close() throws {
        let wasClosed = queue.withLock { queue in
            defer { queue.isClosed = true }
            return queue.isClosed
        }
        guard !wasClosed else { return }
        try idleCheckpoint.close()
        // The writer queue is serial: when this gets its turn, what was queued is done.
        try pool.writeWithoutTransaction { database in
            drain(database)
            writerState.statements.removeAll()
            try database.execute(sql: "PRAGMA wal_checkpoint(TRUNCATE)")
        }
        try pool.close()
    }

    /// Copies the database to a new file while the server goes on.
    public func backup(to path: String) throws {
        do {
            let copy = try DatabaseQueue(path: path)
            try pool.backup(to: copy)
            try copy.close()
        } catch {
            throw StoreError(sqlite: error)
        }
    }

    /// Checks the database's structure.
    /// - Throws: ``StoreError`` `corrupt`.
    public func checkIntegrity() throws {
        let result = try pool.read { try String.fetchOne($0, sql: "PRAGMA integrity_check") }
        guard result == "ok" else { throw StoreError(.corrupt, result ?? "no answer") }
    }

    /// Gives every mailbox a new epoch: after a restore, devices may be ahead of it.
    public func renewEpochs(_ make: @escaping @Sendable () -> Epoch) async throws {
        try await write { transaction in
            var after = AccountID(rawValue: 0)
            while true {
                let accounts = try transaction.accounts(after: after, limit: 500)
                for var account in accounts {
                    account.epoch = make()
                    try transaction.apply(.account(account))
                    after = account.id
                }
                guard accounts.count == 500 else { return }
            }
        }
    }

    /// The writer's setting of `synchronous`: 2 is FULL.
    public func synchronousSetting() throws -> Int {
        try pool.writeWithoutTransaction { try Int.fetchOne($0, sql: "PRAGMA synchronous") ?? -1 }
    }
}

/// What the writer knows of the rows it wrote, to leave out what did not change.
///
/// `@unchecked Sendable`: touched only on GRDB's serial writer queue.
final class WriterState: @unchecked Sendable {
    static let capacity = 100_000
    var profiles: [AccountID: AccountProfile] = [:]
    var counters: [String: Counter] = [:]
    /// Accounts whose numbers the batch has changed and not written yet.
    var numbers: [AccountID: Account] = [:]
    /// The rows of sides of sessions.
    var sides: [Side: Int64] = [:]
    /// No item of an account has a number beyond this, neither of its making nor of its change.
    var highest: [AccountID: ChangeNumber] = [:]
    let statements = WriterStatements()
    /// Batches to come whose jobs get savepoints.
    var careful = 0

    struct Side: Hashable {
        var account: AccountID
        var session: SessionID
        var role: SessionRecord.Role
    }

    /// The last number that was given away, and whether the table says so.
    struct Counter {
        var last: Int64
        var isWritten: Bool
    }

    /// The rows of a job were undone.
    func jobFailed() {
        profiles.removeAll()
        sides.removeAll()
    }

    /// Everything was undone.
    func forget() {
        jobFailed()
        counters.removeAll()
        numbers.removeAll()
    }
}
