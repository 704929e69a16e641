import MessagingCore
import Store

/// Reads on one connection, in one snapshot.
class SQLiteView: ReadView {
    let connection: Connection
    let keyed: SipHash
    private let caches: DocumentCaches

    init(connection: Connection, keyed: SipHash, caches: DocumentCaches) {
        self.connection = connection
        self.caches = caches
        self.keyed = keyed
    }

    private static let accountColumns =
        "id, head, trim, balance, used, last_device, ledger_lines, profile"

    private func account(_ row: Query) throws -> Account {
        let profile = try caches.accounts.decode(row.blob(7))
        var account = Account(
            id: AccountID(rawValue: row.integer(0)),
            name: profile.name,
            addresses: profile.addresses,
            entitlement: profile.entitlement,
            epoch: profile.epoch,
            balance: row.integer(3)
        )
        account.suspended = profile.suspended
        account.settings = profile.settings
        account.head = row.integer(1)
        account.trim = row.integer(2)
        account.used = row.integer(4)
        account.lastDevice = Int32(truncatingIfNeeded: row.integer(5))
        account.ledgerLines = row.integer(6)
        return account
    }

    func user(_ id: AccountID) throws -> UserState? {
        let found = try connection.first(
            "SELECT \(Self.accountColumns), preferences FROM account WHERE id = ?",
            .integer(id.rawValue)
        ) { row in
            let preferences =
                row.isNull(8) ? Preferences() : try caches.preferences.decode(row.blob(8))
            return (try account(row), preferences)
        }
        guard let (account, preferences) = found else { return nil }
        return UserState(account: account, devices: try devices(id), preferences: preferences)
    }

    private func devices(_ account: AccountID) throws -> [Device] {
        try connection.rows(
            "SELECT id, description, lease_ends, last_seen, epoch, number, level FROM device WHERE account = ?",
            .integer(account.rawValue)
        ) { row in
            let profile = try caches.devices.decode(row.blob(1))
            var device = Device(
                id: DeviceID(rawValue: Int32(truncatingIfNeeded: row.integer(0))),
                kind: profile.kind,
                label: profile.label,
                capabilities: profile.capabilities,
                registered: profile.registered,
                rulesRevision: profile.rulesRevision,
                joinedAt: profile.joinedAt,
                epoch: Epoch(row.text(4))
            )
            device.availability = profile.availability
            device.synchronises = profile.synchronises
            device.leaseEnds = Timestamp(rawValue: row.integer(2))
            device.lastSeen = Timestamp(rawValue: row.integer(3))
            device.cursor = Cursor(epoch: Epoch(row.text(4)), number: row.integer(5), level: row.integer(6))
            return device
        }
    }

    func account(holding address: Address) throws -> AccountID? {
        try connection.first("SELECT account FROM address WHERE address = ?", .text(address.description)) {
            AccountID(rawValue: $0.integer(0))
        }
    }

    func accounts(after: AccountID, limit: Int) throws -> [Account] {
        try connection.rows(
            "SELECT \(Self.accountColumns) FROM account WHERE id > ? ORDER BY id LIMIT ?",
            .integer(after.rawValue),
            .integer(Int64(limit)),
            map: account
        )
    }

    func credential(_ account: AccountID) throws -> Credential? {
        try connection.first("SELECT credential FROM account WHERE id = ?", .integer(account.rawValue)) {
            $0.optionalText(0).map(Credential.init(encoded:))
        }.flatMap(\.self)
    }

    func identity(_ token: TokenHash) throws -> DeviceIdentity? {
        try connection.first("SELECT account, device FROM token WHERE hash = ?", .blob(token.bytes)) { row in
            DeviceIdentity(
                account: AccountID(rawValue: row.integer(0)),
                device: DeviceID(rawValue: Int32(truncatingIfNeeded: row.integer(1)))
            )
        }
    }

    func sipCredential(user: String) throws -> SIPCredential? {
        try connection.first("SELECT record FROM sip_credential WHERE user = ?", .text(user)) {
            try RowDocument.decode(SIPCredential.self, $0.blob(0))
        }
    }

    func rules(_ account: AccountID, revision: Int32) throws -> RuleBook? {
        try connection.first(
            "SELECT book FROM rules WHERE account = ? AND revision = ?",
            .integer(account.rawValue),
            .integer(Int64(revision))
        ) { try RowDocument.decode(RuleBook.self, $0.blob(0)) }
    }

    func ledger(_ account: AccountID, before: Int64, limit: Int) throws -> [LedgerLine] {
        try connection.rows(
            """
            SELECT number, time, reason, amount, balance, message, receiver, note FROM ledger
            WHERE account = ? AND number < ? ORDER BY number DESC LIMIT ?
            """,
            .integer(account.rawValue),
            .integer(before),
            .integer(Int64(limit))
        ) { row in
            guard let reason = LedgerLine.Reason(rawValue: row.text(2)) else { throw RecordReader.corrupt }
            return LedgerLine(
                account: account,
                number: row.integer(0),
                time: Timestamp(rawValue: row.integer(1)),
                reason: reason,
                amount: row.integer(3),
                balance: row.integer(4),
                message: row.optionalText(5).map(MessageID.init(stored:)),
                receiver: row.optionalText(6).map(Address.init(stored:)),
                note: row.optionalText(7)
            )
        }
    }

    func setting(_ name: String) throws -> [UInt8]? {
        try connection.first("SELECT value FROM setting WHERE name = ?", .text(name)) { $0.blob(0) }
    }
}
