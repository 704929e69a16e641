import MessagingCore
import Store

extension SQLiteTransaction {
    func write(_ account: Account) throws {
        let profile = AccountProfile(account)
        if isWritten(profile, of: account.id) { return try writeNumbers(account) }
        try connection.run(
            """
            INSERT INTO account(id, head, trim, balance, used, last_device, ledger_lines, profile)
            VALUES(?, ?, ?, ?, ?, ?, ?, ?)
            ON CONFLICT(id) DO UPDATE SET head = excluded.head, trim = excluded.trim, balance = excluded.balance,
                used = excluded.used, last_device = excluded.last_device, ledger_lines = excluded.ledger_lines,
                profile = excluded.profile
            """,
            .integer(account.id.rawValue),
            .integer(account.head),
            .integer(account.trim),
            .integer(account.balance),
            .integer(account.used),
            .integer(Int64(account.lastDevice)),
            .integer(account.ledgerLines),
            .blob(try RowDocument.encode(profile))
        )
        try connection.run("DELETE FROM address WHERE account = ?", .integer(account.id.rawValue))
        for address in account.addresses {
            try connection.run(
                "INSERT INTO address VALUES(?, ?)",
                .text(address.description),
                .integer(account.id.rawValue)
            )
        }
        noteWritten(profile, of: account.id)
    }

    func update(_ account: Account) throws {
        try connection.run(
            """
            UPDATE account SET head = ?, trim = ?, balance = ?, used = ?, last_device = ?, ledger_lines = ?
            WHERE id = ?
            """,
            .integer(account.head),
            .integer(account.trim),
            .integer(account.balance),
            .integer(account.used),
            .integer(Int64(account.lastDevice)),
            .integer(account.ledgerLines),
            .integer(account.id.rawValue)
        )
    }

    func write(_ preferences: Preferences, of account: AccountID) throws {
        guard let devices = try user(account)?.devices else { return }
        let revision = Int64(preferences.rules.revision)
        try connection.run(
            "UPDATE account SET preferences = ? WHERE id = ?",
            .blob(try RowDocument.encode(preferences)),
            .integer(account.rawValue)
        )
        try connection.run(
            "INSERT OR REPLACE INTO rules VALUES(?, ?, ?)",
            .integer(account.rawValue),
            .integer(revision),
            .blob(try RowDocument.encode(preferences.rules))
        )
        let named = Set(devices.map { Int64($0.rulesRevision) })
        let stale = try connection.rows(
            "SELECT revision FROM rules WHERE account = ? AND revision <= ?",
            .integer(account.rawValue),
            .integer(revision - Int64(StoreLimits.ruleRevisions))
        ) { $0.integer(0) }
        for old in stale where !named.contains(old) {
            try connection.run(
                "DELETE FROM rules WHERE account = ? AND revision = ?",
                .integer(account.rawValue),
                .integer(old)
            )
        }
    }

    func write(_ device: Device, of account: AccountID) throws {
        try connection.run(
            "INSERT OR REPLACE INTO device VALUES(?, ?, ?, ?, ?, ?, ?, ?)",
            .integer(account.rawValue),
            .integer(Int64(device.id.rawValue)),
            .blob(try RowDocument.encode(DeviceProfile(device))),
            .integer(device.leaseEnds.rawValue),
            .integer(device.lastSeen.rawValue),
            .text(device.cursor.epoch.description),
            .integer(device.cursor.number),
            .integer(device.cursor.level)
        )
    }

    func writeProgress(_ device: Device, of account: AccountID) throws {
        try connection.run(
            """
            UPDATE device SET lease_ends = ?, last_seen = ?, epoch = ?, number = ?, level = ?
            WHERE account = ? AND id = ?
            """,
            .integer(device.leaseEnds.rawValue),
            .integer(device.lastSeen.rawValue),
            .text(device.cursor.epoch.description),
            .integer(device.cursor.number),
            .integer(device.cursor.level),
            .integer(account.rawValue),
            .integer(Int64(device.id.rawValue))
        )
    }

    func write(_ item: Item) throws {
        let message = item.message
        guard try !isTaken(item) else { throw StoreError(.conflict, "two items at one number") }
        try connection.run(
            """
            INSERT INTO item VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
            ON CONFLICT(account, created) DO UPDATE SET changed = excluded.changed,
                conversation_hash = excluded.conversation_hash, unread = excluded.unread,
                tombstone = excluded.tombstone, transient = excluded.transient, state = excluded.state
            """,
            .integer(item.account.rawValue),
            .integer(item.created),
            .integer(item.changed),
            .integer(Int64(item.kind.rawValue)),
            .text(item.object),
            .integer(keyed.indexKey(item.kind.rawValue, item.object)),
            .optional(message.map { keyed($0.conversation.description) }),
            .flag(message?.isUnread ?? false),
            .flag(item.isTombstone),
            .flag(message?.flags.contains(.transient) ?? false),
            .blob(item.body.record)
        )
    }

    /// Whether another item is at the number of an item's change.
    ///
    /// Only items that changed are in an index by number; those that are as they were made are found by their key. The index
    /// refuses the same number twice, so that what is left is one of each. Beyond the highest number there is nothing: most
    /// items are new and need not be looked for.
    private func isTaken(_ item: Item) throws -> Bool {
        let highest = try highestNumber(of: item.account)
        if item.changed > highest {
            noteHighest(item.changed, of: item.account)
            return false
        }
        let (account, number) = (Value.integer(item.account.rawValue), Value.integer(item.changed))
        let isNew = item.changed == item.created
        let other =
            isNew
            ? try connection.first(
                literal: "SELECT 1 FROM item WHERE account = ? AND changed = ? AND changed <> created",
                account,
                number
            ) { _ in true }
            : try connection.first(
                literal: "SELECT 1 FROM item WHERE account = ? AND created = ? AND changed = created",
                account,
                number
            ) { _ in true }
        return other ?? false
    }

    private func highestNumber(of account: AccountID) throws -> ChangeNumber {
        if let known = knownHighest(of: account) { return known }
        let highest = try connection.first(
            literal: """
                SELECT max(
                    ifnull((SELECT max(created) FROM item WHERE account = ?1), 0),
                    ifnull((SELECT max(changed) FROM item WHERE account = ?1 AND changed <> created), 0))
                """,
            .integer(account.rawValue)
        ) { $0.integer(0) }
        noteHighest(highest ?? 0, of: account)
        return highest ?? 0
    }

    func write(_ content: StoredContent) throws {
        try connection.run(
            """
            INSERT INTO content VALUES(?, ?, ?, ?, ?, ?, ?, ?)
            ON CONFLICT(id) DO UPDATE SET document = excluded.document, bonds = excluded.bonds, refs = excluded.refs,
                holders = excluded.holders
            """,
            .integer(content.id.rawValue),
            .text(content.message.description),
            .integer(keyed.indexKey(ItemKind.message.rawValue, content.message.description)),
            .blob(content.document),
            .blob(Bonds(blobs: content.blobs, accounts: content.accounts).record),
            .integer(Int64(content.references)),
            .integer(Int64(content.holders)),
            .integer(content.time.rawValue)
        )
    }

    func write(_ line: LedgerLine) throws {
        try connection.run(
            "INSERT INTO ledger VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?)",
            .integer(line.account.rawValue),
            .integer(line.number),
            .integer(line.time.rawValue),
            .text(line.reason.rawValue),
            .integer(line.amount),
            .integer(line.balance),
            .optional(line.message?.description),
            .optional(line.receiver?.description),
            .optional(line.note)
        )
    }
}
