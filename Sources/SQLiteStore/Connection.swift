import GRDB
import GRDBSQLite
import Store

/// Statements on one SQLite connection: cached by GRDB, bound and stepped without boxing values.
struct Connection {
    let database: Database
    /// Where what breaks the whole transaction is noted; nil for readers.
    var faults: Faults?
    /// The writer's statements; nil for readers.
    var statements: WriterStatements?

    /// A prepared statement, reset and ready to bind.
    func prepare(_ sql: String) throws -> Query {
        try prepare { try database.cachedStatement(sql: sql) }
    }

    /// The same of a text that stands in the program: the writer finds it by its place.
    func prepare(literal sql: StaticString) throws -> Query {
        try prepare { try statements?.statement(sql, database) ?? database.cachedStatement(sql: "\(sql)") }
    }

    private func prepare(_ statement: () throws -> Statement) throws -> Query {
        do {
            let handle = try statement().sqliteStatement
            sqlite3_reset(handle)
            sqlite3_clear_bindings(handle)
            return Query(handle: handle, connection: database.sqliteConnection, faults: faults)
        } catch {
            if let code = (error as? DatabaseError)?.extendedResultCode.rawValue {
                faults?.note(code, StoreError(sqlite: error))
            }
            throw StoreError(sqlite: error)
        }
    }

    /// Runs a statement that returns nothing.
    func run(_ sql: StaticString, _ values: Value...) throws {
        var query = try prepare(literal: sql)
        for value in values { query.bind(value) }
        while try query.next() {}
    }

    /// The rows of a statement.
    func rows<T>(_ sql: String, _ values: Value..., map: (Query) throws -> T) throws -> [T] {
        var query = try prepare(sql)
        for value in values { query.bind(value) }
        // Also when a row cannot be read: a statement under way would keep the connection from its next transaction.
        defer { query.end() }
        var rows: [T] = []
        while try query.next() { rows.append(try map(query)) }
        return rows
    }

    /// The first row of a statement whose text stands in the program.
    func first<T>(literal sql: StaticString, _ values: Value..., map: (Query) throws -> T) throws -> T? {
        var query = try prepare(literal: sql)
        for value in values { query.bind(value) }
        guard try query.next() else { return nil }
        defer { query.end() }
        return try map(query)
    }

    /// The first row of a statement.
    func first<T>(_ sql: String, _ values: Value..., map: (Query) throws -> T) throws -> T? {
        var query = try prepare(sql)
        for value in values { query.bind(value) }
        guard try query.next() else { return nil }
        defer { query.end() }
        return try map(query)
    }
}

/// The writer's prepared statements by the place of their text: the cache of the connection hashes the whole text each time.
///
/// Touched only on GRDB's writer queue.
final class WriterStatements {
    private var statements: [UnsafePointer<UInt8>: Statement] = [:]

    func statement(_ sql: StaticString, _ database: Database) throws -> Statement {
        guard sql.hasPointerRepresentation else { return try database.cachedStatement(sql: "\(sql)") }
        if let known = statements[sql.utf8Start] { return known }
        let statement = try database.makeStatement(sql: "\(sql)")
        statements[sql.utf8Start] = statement
        return statement
    }

    /// Before the connection closes: it stays open as long as statements do.
    func removeAll() { statements.removeAll() }
}

/// What went wrong in a transaction that is everybody's trouble, not one job's.
///
/// After it SQLite may have rolled the transaction back by itself: nothing of the batch may be taken as done.
final class Faults {
    private(set) var first: StoreError?

    private static let codes: Set<Int32> = [
        SQLITE_FULL, SQLITE_IOERR, SQLITE_CORRUPT, SQLITE_NOTADB, SQLITE_NOMEM, SQLITE_READONLY, SQLITE_CANTOPEN,
        SQLITE_INTERRUPT,
    ]

    func note(_ code: Int32, _ error: StoreError) {
        if first == nil, Self.codes.contains(code & 0xff) { first = error }
    }
}

/// A value to bind.
enum Value {
    case null
    case integer(Int64)
    case text(String)
    case blob([UInt8])

    static func optional(_ value: Int64?) -> Value { value.map { .integer($0) } ?? .null }
    static func optional(_ value: String?) -> Value { value.map { .text($0) } ?? .null }
    static func flag(_ value: Bool) -> Value { .integer(value ? 1 : 0) }
}

/// A statement under way: values are bound in order, columns read by index.
struct Query {
    private let handle: OpaquePointer?
    private let connection: OpaquePointer?
    private let faults: Faults?
    private var bound: Int32 = 0

    /// Stands for the bytes of an empty text: without an address SQLite would take it for NULL.
    private static let empty: [CChar] = [0]
    /// SQLite copies what is bound: the Swift value may go before the statement is stepped.
    private static let transient = unsafeBitCast(-1, to: sqlite3_destructor_type.self)

    init(handle: OpaquePointer?, connection: OpaquePointer?, faults: Faults?) {
        self.handle = handle
        self.connection = connection
        self.faults = faults
    }

    mutating func bind(_ value: Value) {
        bound += 1
        switch value {
        case .null: sqlite3_bind_null(handle, bound)
        case .integer(let integer): sqlite3_bind_int64(handle, bound, integer)
        case .text(var text):
            text.withUTF8 { bytes in
                _ = bytes.withMemoryRebound(to: CChar.self) {
                    $0.isEmpty
                        ? sqlite3_bind_text(handle, bound, Self.empty, 0, Self.transient)
                        : sqlite3_bind_text64(
                            handle,
                            bound,
                            $0.baseAddress,
                            UInt64($0.count),
                            Self.transient,
                            UInt8(SQLITE_UTF8)
                        )
                }
            }
        case .blob(let bytes):
            _ = bytes.withUnsafeBytes { raw in
                raw.isEmpty
                    ? sqlite3_bind_zeroblob(handle, bound, 0)
                    : sqlite3_bind_blob64(handle, bound, raw.baseAddress, UInt64(raw.count), Self.transient)
            }
        }
    }

    /// Steps to the next row; false at the end, when the statement is reset.
    func next() throws -> Bool {
        switch sqlite3_step(handle) {
        case SQLITE_ROW: return true
        case SQLITE_DONE:
            sqlite3_reset(handle)
            return false
        case let code:
            let message = connection.map { String(cString: sqlite3_errmsg($0)) } ?? ""
            sqlite3_reset(handle)
            let error = StoreError(code: code, message)
            faults?.note(code, error)
            throw error
        }
    }

    func end() { sqlite3_reset(handle) }

    /// Starts again with another value in the only place.
    mutating func rebind(_ value: Value) {
        end()
        bound = 0
        bind(value)
    }

    func isNull(_ column: Int32) -> Bool { sqlite3_column_type(handle, column) == SQLITE_NULL }
    func integer(_ column: Int32) -> Int64 { sqlite3_column_int64(handle, column) }
    func optionalInteger(_ column: Int32) -> Int64? { isNull(column) ? nil : integer(column) }

    func text(_ column: Int32) -> String {
        let count = Int(sqlite3_column_bytes(handle, column))
        guard let bytes = sqlite3_column_text(handle, column) else { return "" }
        return String(decoding: UnsafeBufferPointer(start: bytes, count: count), as: UTF8.self)
    }

    func optionalText(_ column: Int32) -> String? { isNull(column) ? nil : text(column) }

    func blob(_ column: Int32) -> [UInt8] { withBlob(column) { Array($0) } }

    /// The bytes where they stand: they are gone with the row.
    func withBlob<T>(_ column: Int32, _ body: (UnsafeRawBufferPointer) throws -> T) rethrows -> T {
        // In this order: asking for the bytes may convert the value, which changes their count.
        let bytes = sqlite3_column_blob(handle, column)
        return try body(UnsafeRawBufferPointer(start: bytes, count: Int(sqlite3_column_bytes(handle, column))))
    }
}

extension StoreError {
    /// SQLite's result code as the store's own error; the message never holds bound values.
    init(code: Int32, _ message: String) {
        switch code & 0xff {
        case SQLITE_FULL: self.init(.full, "the database or its disk is full")
        case SQLITE_CORRUPT, SQLITE_NOTADB: self.init(.corrupt, message)
        case SQLITE_BUSY, SQLITE_LOCKED: self.init(.busy, message)
        case SQLITE_CONSTRAINT: self.init(.conflict, message)
        case SQLITE_IOERR: self.init(.full, "the disk does not take what is written: \(message)")
        default: self.init(.commitFailed, "SQLite \(code): \(message)")
        }
    }

    /// GRDB's error as the store's own.
    init(sqlite error: any Error) {
        if let error = error as? StoreError {
            self = error
        } else if let error = error as? DatabaseError {
            self.init(code: error.extendedResultCode.rawValue, error.message ?? "")
        } else {
            self.init(.commitFailed, "\(type(of: error))")
        }
    }
}
