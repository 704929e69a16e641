import MessagingCore
import Store

extension SQLiteView {
    private func blob(_ row: Query) -> BlobRecord {
        BlobRecord(
            hash: BlobHash(stored: row.text(0)),
            bytes: row.integer(1),
            references: Int(row.integer(2)),
            dyingSince: row.optionalInteger(3).map(Timestamp.init(rawValue:))
        )
    }

    func blob(_ hash: BlobHash) throws -> BlobRecord? {
        try connection.first(
            "SELECT hash, bytes, refs, dying FROM blob WHERE hash = ?",
            .text(hash.description),
            map: blob
        )
    }

    func dyingBlobs(since: Timestamp, limit: Int) throws -> [BlobRecord] {
        try connection.rows(
            "SELECT hash, bytes, refs, dying FROM blob WHERE dying IS NOT NULL AND dying <= ? ORDER BY dying, hash LIMIT ?",
            .integer(since.rawValue),
            .integer(Int64(limit)),
            map: blob
        )
    }

    func blobs(after: BlobHash, limit: Int) throws -> [BlobRecord] {
        try connection.rows(
            "SELECT hash, bytes, refs, dying FROM blob WHERE hash > ? ORDER BY hash LIMIT ?",
            .text(after.description),
            .integer(Int64(limit)),
            map: blob
        )
    }

    private static let uploadColumns = "id, account, type, name, bytes, hash, lease_ends"

    private func upload(_ row: Query) -> Upload {
        Upload(
            id: row.text(0),
            account: AccountID(rawValue: row.integer(1)),
            type: row.text(2),
            name: row.optionalText(3),
            bytes: row.integer(4),
            hash: row.optionalText(5).map(BlobHash.init(stored:)),
            leaseEnds: Timestamp(rawValue: row.integer(6))
        )
    }

    func upload(_ id: String) throws -> Upload? {
        try connection.first("SELECT \(Self.uploadColumns) FROM upload WHERE id = ?", .text(id), map: upload)
    }

    func uploads(of account: AccountID, limit: Int) throws -> [Upload] {
        try connection.rows(
            "SELECT \(Self.uploadColumns) FROM upload WHERE account = ? ORDER BY id LIMIT ?",
            .integer(account.rawValue),
            .integer(Int64(limit)),
            map: upload
        )
    }

    func uploads(leaseEndedBy time: Timestamp, limit: Int) throws -> [Upload] {
        try connection.rows(
            "SELECT \(Self.uploadColumns) FROM upload WHERE lease_ends <= ? ORDER BY lease_ends, id LIMIT ?",
            .integer(time.rawValue),
            .integer(Int64(limit)),
            map: upload
        )
    }

    /// The oldest entry of every lane: one index probe for each lane, however long it is.
    private static let oldest = """
        WITH RECURSIVE lanes(name) AS (
            SELECT min(lane) FROM outbox
            UNION ALL
            SELECT (SELECT min(lane) FROM outbox WHERE lane > name) FROM lanes WHERE name IS NOT NULL),
        oldest AS (
            SELECT o.id, o.lane, o.due
            FROM lanes JOIN outbox o ON o.id = (SELECT min(id) FROM outbox WHERE lane = name))
        """

    func dueLanes(at now: Timestamp, limit: Int) throws -> [String] {
        try connection.rows(
            "\(Self.oldest) SELECT lane FROM oldest WHERE due <= ? ORDER BY id LIMIT ?",
            .integer(now.rawValue),
            .integer(Int64(limit))
        ) { $0.text(0) }
    }

    func dueLanes(in group: String, at now: Timestamp, limit: Int) throws -> [String] {
        try connection.rows(
            """
            WITH RECURSIVE lanes(name) AS (
                VALUES(?1)
                UNION ALL
                SELECT (
                    SELECT min(lane) FROM outbox
                    WHERE lane > CASE WHEN name = ?1 THEN ?1 || '|' ELSE name END AND lane <= ?1 || \(Self.lastLane))
                FROM lanes WHERE name IS NOT NULL)
            SELECT o.lane
            FROM lanes JOIN outbox o ON o.id = (SELECT min(id) FROM outbox WHERE lane = name)
            WHERE o.due <= ?2 ORDER BY o.id LIMIT ?3
            """,
            .text(group),
            .integer(now.rawValue),
            .integer(Int64(limit))
        ) { $0.text(0) }
    }

    /// No name of a lane in a group is behind this one.
    private static let lastLane = "'|' || char(1114111)"

    /// One index probe for each group, however many lanes it has.
    func laneGroups() throws -> [String] {
        let groups = try connection.rows(
            """
            WITH RECURSIVE firsts(lane) AS (
                SELECT min(lane) FROM outbox
                UNION ALL
                SELECT (
                    SELECT min(o.lane) FROM outbox o
                    WHERE o.lane > CASE instr(f.lane, '|')
                        WHEN 0 THEN f.lane ELSE substr(f.lane, 1, instr(f.lane, '|') - 1) || \(Self.lastLane) END)
                FROM firsts f WHERE f.lane IS NOT NULL)
            SELECT DISTINCT CASE instr(lane, '|') WHEN 0 THEN lane ELSE substr(lane, 1, instr(lane, '|') - 1) END
            FROM firsts WHERE lane IS NOT NULL
            """
        ) { $0.text(0) }
        return groups.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
    }

    func entries(lane: String, limit: Int) throws -> [QueuedEntry] {
        try connection.rows(
            "SELECT id, due, attempts, record FROM outbox WHERE lane = ? ORDER BY id LIMIT ?",
            .text(lane),
            .integer(Int64(limit))
        ) { row in
            QueuedEntry(
                id: row.integer(0),
                entry: try row.withBlob(3) { try OutboxEntry(record: $0, lane: lane) },
                attempts: Int(row.integer(2)),
                due: Timestamp(rawValue: row.integer(1))
            )
        }
    }

    func nextDue() throws -> Timestamp? {
        try connection.first("\(Self.oldest) SELECT min(due) FROM oldest") { $0.optionalInteger(0) }
            .flatMap(\.self).map(Timestamp.init(rawValue:))
    }

    func outboxCount() throws -> Int {
        try connection.first("SELECT count(*) FROM outbox") { Int($0.integer(0)) } ?? 0
    }
}
