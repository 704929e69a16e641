import MessagingCore
import Store

extension SQLiteTransaction {
    func applyToSessions(_ change: Change) throws {
        switch change {
        case .session(let record):
            try connection.run(
                """
                INSERT INTO session(account, id, role, state, due, over) VALUES(?, ?, ?, ?, ?, ?)
                ON CONFLICT(account, id, role) DO UPDATE SET
                    state = excluded.state, due = excluded.due, over = excluded.over
                """,
                .integer(record.account.rawValue),
                .text(record.session.description),
                .integer(Int64(record.role.rawValue)),
                .blob(record.state),
                .optional(record.due?.rawValue),
                .flag(record.isOver)
            )
        case .removeSession(let account, let session, let role):
            guard let number = try number(account, session, role) else { return }
            if role == .participant {
                try connection.run("DELETE FROM session_text WHERE session = ?", .integer(number))
            }
            try connection.run("DELETE FROM session WHERE number = ?", .integer(number))
            forgetNumber(WriterState.Side(account: account, session: session, role: role))
        case .sessionText(let account, let session, let text):
            guard let number = try number(account, session, .participant) else {
                throw StoreError(.missing, "a text of a session that is not there")
            }
            try connection.run(
                "INSERT INTO session_text VALUES(?, ?, ?)",
                .integer(number),
                .integer(text.ordinal),
                .integer(text.created)
            )
        default: break
        }
    }

    private func number(_ account: AccountID, _ session: SessionID, _ role: SessionRecord.Role) throws -> Int64? {
        let side = WriterState.Side(account: account, session: session, role: role)
        if let known = knownNumber(side) { return known }
        let number = try connection.first(
            literal: "SELECT number FROM session WHERE account = ? AND id = ? AND role = ?",
            .integer(account.rawValue),
            .text(session.description),
            .integer(Int64(role.rawValue))
        ) { $0.integer(0) }
        if let number { noteNumber(number, side) }
        return number
    }
}
