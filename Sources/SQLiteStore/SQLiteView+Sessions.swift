import MessagingCore
import Store

extension SQLiteView {
    private static let sessionColumns = "account, id, role, state, due, over"

    private func session(_ row: Query) throws -> SessionRecord {
        guard let role = UInt8(exactly: row.integer(2)).flatMap(SessionRecord.Role.init(rawValue:)) else {
            throw RecordReader.corrupt
        }
        return SessionRecord(
            account: AccountID(rawValue: row.integer(0)),
            session: SessionID(stored: row.text(1)),
            role: role,
            state: row.blob(3),
            due: row.optionalInteger(4).map(Timestamp.init(rawValue:)),
            isOver: row.integer(5) != 0
        )
    }

    func session(_ account: AccountID, _ session: SessionID, _ role: SessionRecord.Role) throws -> SessionRecord? {
        try connection.first(
            "SELECT \(Self.sessionColumns) FROM session WHERE account = ? AND id = ? AND role = ?",
            .integer(account.rawValue),
            .text(session.description),
            .integer(Int64(role.rawValue)),
            map: self.session
        )
    }

    func sessions(of account: AccountID, limit: Int) throws -> [SessionRecord] {
        try connection.rows(
            """
            SELECT \(Self.sessionColumns) FROM session INDEXED BY session_live
            WHERE account = ? AND role = 2 AND over = 0 ORDER BY id LIMIT ?
            """,
            .integer(account.rawValue),
            .integer(Int64(limit)),
            map: session
        )
    }

    func openSessions(after: (AccountID, SessionID)?, limit: Int) throws -> [SessionRecord] {
        try connection.rows(
            """
            SELECT \(Self.sessionColumns) FROM session INDEXED BY session_live
            WHERE (account, id) > (?, ?) AND role = 2 AND over = 0 ORDER BY account, id LIMIT ?
            """,
            .integer(after?.0.rawValue ?? 0),
            .text(after?.1.description ?? ""),
            .integer(Int64(limit)),
            map: session
        )
    }

    func sessions(dueBy time: Timestamp, limit: Int) throws -> [SessionRecord] {
        try connection.rows(
            """
            SELECT \(Self.sessionColumns) FROM session INDEXED BY session_due
            WHERE due IS NOT NULL AND due <= ? ORDER BY due, account, id, role LIMIT ?
            """,
            .integer(time.rawValue),
            .integer(Int64(limit)),
            map: session
        )
    }

    func texts(_ account: AccountID, _ session: SessionID, after: Ordinal, limit: Int) throws -> [SessionText] {
        try connection.rows(
            """
            SELECT ordinal, created FROM session_text
            WHERE session = (SELECT number FROM session WHERE account = ? AND id = ? AND role = 2) AND ordinal > ?
            ORDER BY ordinal LIMIT ?
            """,
            .integer(account.rawValue),
            .text(session.description),
            .integer(after),
            .integer(Int64(limit))
        ) { SessionText(ordinal: $0.integer(0), created: $0.integer(1)) }
    }

    func lastText(_ account: AccountID, _ session: SessionID) throws -> SessionText? {
        try connection.first(
            """
            SELECT ordinal, created FROM session_text
            WHERE session = (SELECT number FROM session WHERE account = ? AND id = ? AND role = 2)
            ORDER BY ordinal DESC LIMIT 1
            """,
            .integer(account.rawValue),
            .text(session.description)
        ) { SessionText(ordinal: $0.integer(0), created: $0.integer(1)) }
    }
}
