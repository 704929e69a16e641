import Foundation
import GRDB
import MessagingCore
import Store

/// The tables, by numbered steps; a step that was released never changes.
enum Schema {
    static var migrator: DatabaseMigrator {
        var migrator = DatabaseMigrator()
        migrator.registerMigration("1") { database in try database.execute(sql: version1) }
        migrator.registerMigration("2") { database in try database.execute(sql: version2) }
        migrator.registerMigration("3-sip") { database in try database.execute(sql: sipCredentials) }
        migrator.registerMigration("4-keys") { database in try rekey(database) }
        return migrator
    }

    /// The index is given words that are divided and folded already: its tokeniser knows nothing of Unicode, so that it
    /// divides them no further.
    ///
    /// Mailboxes are clustered by account and number, so that a page of a listing is one walk. A batch touches one page
    /// of such a tree for each account, and the log takes every page that was touched: so what is looked up by a
    /// message's id stands in the order of ids, where the messages of a batch share pages, and only items that changed
    /// after they were made have an entry under their change.
    private static let version1 = """
        CREATE TABLE account(
            id INTEGER PRIMARY KEY,
            head INTEGER NOT NULL, trim INTEGER NOT NULL, balance INTEGER NOT NULL, used INTEGER NOT NULL,
            last_device INTEGER NOT NULL, ledger_lines INTEGER NOT NULL,
            profile BLOB NOT NULL, preferences BLOB, credential TEXT);
        CREATE TABLE address(address TEXT PRIMARY KEY, account INTEGER NOT NULL) WITHOUT ROWID;
        CREATE INDEX address_account ON address(account);
        CREATE TABLE device(
            account INTEGER NOT NULL, id INTEGER NOT NULL, description BLOB NOT NULL,
            lease_ends INTEGER NOT NULL, last_seen INTEGER NOT NULL,
            epoch TEXT NOT NULL, number INTEGER NOT NULL, level INTEGER NOT NULL,
            PRIMARY KEY(account, id)) WITHOUT ROWID;
        CREATE TABLE token(hash BLOB PRIMARY KEY, account INTEGER NOT NULL, device INTEGER NOT NULL) WITHOUT ROWID;
        CREATE INDEX token_device ON token(account, device);
        CREATE TABLE rules(
            account INTEGER NOT NULL, revision INTEGER NOT NULL, book BLOB NOT NULL,
            PRIMARY KEY(account, revision)) WITHOUT ROWID;

        CREATE TABLE item(
            account INTEGER NOT NULL, created INTEGER NOT NULL, changed INTEGER NOT NULL,
            kind INTEGER NOT NULL, object TEXT NOT NULL, object_key INTEGER NOT NULL,
            conversation_hash INTEGER, unread INTEGER NOT NULL, tombstone INTEGER NOT NULL,
            transient INTEGER NOT NULL, state BLOB NOT NULL,
            PRIMARY KEY(account, created)) WITHOUT ROWID;
        CREATE UNIQUE INDEX item_changed ON item(account, changed) WHERE changed <> created;
        CREATE INDEX item_object ON item(object_key, account);
        CREATE INDEX item_conversation ON item(account, conversation_hash, created)
            WHERE conversation_hash IS NOT NULL;
        CREATE INDEX item_unread ON item(account, created) WHERE unread = 1;
        CREATE INDEX item_tombstone ON item(account, changed) WHERE tombstone = 1;
        CREATE INDEX item_transient ON item(account, created) WHERE transient = 1;
        CREATE INDEX item_other ON item(account, kind, created) WHERE kind <> 1;

        CREATE TABLE content(
            id INTEGER PRIMARY KEY, message TEXT NOT NULL, message_key INTEGER NOT NULL,
            document BLOB NOT NULL, bonds BLOB NOT NULL,
            refs INTEGER NOT NULL, holders INTEGER NOT NULL, time INTEGER NOT NULL);
        CREATE INDEX content_message ON content(message_key);
        CREATE INDEX content_held ON content(time) WHERE holders > 0;
        CREATE TABLE submission(
            message_key INTEGER NOT NULL, account INTEGER NOT NULL, message TEXT NOT NULL, digest BLOB NOT NULL,
            created INTEGER NOT NULL, time INTEGER NOT NULL,
            PRIMARY KEY(message_key, account, message)) WITHOUT ROWID;
        CREATE INDEX submission_time ON submission(time);
        CREATE TABLE ledger(
            account INTEGER NOT NULL, number INTEGER NOT NULL, time INTEGER NOT NULL, reason TEXT NOT NULL,
            amount INTEGER NOT NULL, balance INTEGER NOT NULL, message TEXT, receiver TEXT, note TEXT,
            PRIMARY KEY(account, number)) WITHOUT ROWID;
        CREATE TABLE outbox(
            id INTEGER PRIMARY KEY AUTOINCREMENT, lane TEXT NOT NULL, due INTEGER NOT NULL, attempts INTEGER NOT NULL,
            record BLOB NOT NULL);
        CREATE INDEX outbox_lane ON outbox(lane, id);
        CREATE TABLE claim(
            lane TEXT PRIMARY KEY, node TEXT NOT NULL, fence INTEGER NOT NULL, until INTEGER NOT NULL) WITHOUT ROWID;
        CREATE TABLE setting(name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
        CREATE TABLE upload(
            id TEXT PRIMARY KEY, account INTEGER NOT NULL, type TEXT NOT NULL, name TEXT, bytes INTEGER NOT NULL,
            hash TEXT, lease_ends INTEGER NOT NULL) WITHOUT ROWID;
        CREATE INDEX upload_lease ON upload(lease_ends);
        CREATE INDEX upload_account ON upload(account);
        CREATE TABLE blob(
            hash TEXT PRIMARY KEY, bytes INTEGER NOT NULL, refs INTEGER NOT NULL, dying INTEGER) WITHOUT ROWID;
        CREATE INDEX blob_dying ON blob(dying) WHERE dying IS NOT NULL;
        CREATE TABLE secret(name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
        INSERT INTO secret VALUES('conversation', randomblob(16));
        CREATE TABLE counter(name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
        INSERT INTO counter VALUES('account', 0), ('content', 0);
        CREATE VIRTUAL TABLE search USING fts5(
            words, content='', detail=none, tokenize='ascii');
        """

    /// Live conversations. A text costs one small row: it names its side by number.
    private static let version2 = """
        CREATE TABLE session(
            number INTEGER PRIMARY KEY, account INTEGER NOT NULL, id TEXT NOT NULL, role INTEGER NOT NULL,
            state BLOB NOT NULL, due INTEGER, over INTEGER NOT NULL,
            UNIQUE(account, id, role));
        CREATE INDEX session_live ON session(account, id) WHERE role = 2 AND over = 0;
        CREATE INDEX session_due ON session(due, account, id, role) WHERE due IS NOT NULL;
        CREATE TABLE session_text(
            session INTEGER NOT NULL, ordinal INTEGER NOT NULL, created INTEGER NOT NULL,
            PRIMARY KEY(session, ordinal)) WITHOUT ROWID;
        """

    /// What SIP phones prove themselves with.
    private static let sipCredentials = """
        CREATE TABLE sip_credential(
            user TEXT PRIMARY KEY, account INTEGER NOT NULL, device INTEGER NOT NULL, record BLOB NOT NULL,
            UNIQUE(account, device)) WITHOUT ROWID;
        """

    /// Index keys that nobody can make fall together take the place of those that said the first 64 bits of an id.
    private static func rekey(_ database: Database) throws {
        let key = try Data.fetchOne(database, sql: "SELECT value FROM secret WHERE name = 'conversation'")
        guard let key, key.count == SipHash.keyBytes else {
            throw StoreError(.corrupt, "the database lacks the key of its conversations")
        }
        let hash = SipHash(key: Array(key))
        let function = DatabaseFunction("index_key", argumentCount: 2, pure: true) { values in
            guard let kind = UInt8.fromDatabaseValue(values[0]), let text = String.fromDatabaseValue(values[1]) else {
                return nil
            }
            return hash.indexKey(kind, text)
        }
        database.add(function: function)
        defer { database.remove(function: function) }
        let message = ItemKind.message.rawValue
        try database.execute(
            sql: """
                UPDATE item SET object_key = index_key(kind, object);
                UPDATE content SET message_key = index_key(\(message), message);
                UPDATE submission SET message_key = index_key(\(message), message);
                """
        )
    }
}
