import Dispatch
import Glibc
import MessagingCore
import SQLiteStore
import Store

/// Writes numbered jobs into a SQLite store until it is killed, and a line with its number for each that is
/// acknowledged: `store-crash-writer PATH FIRST`.
@main
struct CrashWriter {
    /// Jobs under way at once, so that batches form.
    private static let window = 64

    static func main() throws {
        let arguments = CommandLine.arguments
        guard arguments.count == 3, let first = Int64(arguments[2]) else { exit(2) }
        let store = try SQLiteStore(path: arguments[1])
        let room = DispatchSemaphore(value: window)
        var number = first
        while true {
            room.wait()
            write(number, to: store, room)
            number += 1
        }
    }

    private static func write(_ number: Int64, to store: SQLiteStore, _ room: DispatchSemaphore) {
        store.write { transaction in
            let item = Item(
                account: AccountID(rawValue: 1),
                kind: .file,
                object: "\(number)",
                created: number,
                changed: number,
                body: .document([UInt8](repeating: UInt8(truncatingIfNeeded: number), count: 500))
            )
            let entry = OutboxEntry(
                account: AccountID(rawValue: 1),
                message: MessageID(stored: "\(number)"),
                content: ContentID(rawValue: number),
                lane: "lane",
                task: .message(receiver: Address(stored: "sip:far@example.org")),
                expires: Timestamp(rawValue: 1)
            )
            try transaction.apply(.item(item))
            try transaction.apply(.enqueue(entry, due: Timestamp(rawValue: number)))
        } completion: { result in
            if case .success = result {
                let line = [UInt8]("\(number)\n".utf8)
                // A line is far below the size up to which a pipe takes all or nothing.
                guard Glibc.write(STDOUT_FILENO, line, line.count) == line.count else { exit(0) }
            }
            room.signal()
        }
    }
}
