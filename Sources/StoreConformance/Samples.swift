import MessagingCore
import Store

/// Values to store.
enum Sample {
    static let now = Timestamp(rawValue: 1_790_000_000_000)

    static func address(_ text: String) throws -> Address { try Address(text) }

    static func account(_ number: Int64, _ addresses: [String]? = nil) throws -> Account {
        var account = Account(
            id: AccountID(rawValue: number),
            name: "name \(number)",
            addresses: try (addresses ?? ["user\(number)@a.example"]).map { try Address($0) },
            epoch: Epoch("epoch-\(number)"),
            balance: number * 10
        )
        account.head = number * 100
        account.used = number * 1000
        return account
    }

    static func device(_ number: Int32, epoch: Epoch) -> Device {
        Device(
            id: DeviceID(rawValue: number),
            kind: .mobile,
            label: "device \(number)",
            capabilities: .everything,
            registered: now,
            rulesRevision: 0,
            joinedAt: 3,
            epoch: epoch
        )
    }

    static func message(
        _ account: Int64,
        _ created: ChangeNumber,
        changed: ChangeNumber? = nil,
        flags: MessageItem.Flags = [.received],
        conversation: String = "c-1",
        content: Int64? = nil
    ) -> Item {
        Item(
            account: AccountID(rawValue: account),
            kind: .message,
            object: "m-\(created)",
            created: created,
            changed: changed ?? created,
            body: .message(
                MessageItem(
                    flags: flags,
                    content: ContentID(rawValue: content ?? created),
                    conversation: ConversationID(stored: conversation),
                    decisions: PackedDecisions(revision: 0)
                )
            )
        )
    }

    static func document(_ account: Int64, _ kind: ItemKind, _ object: String, _ created: ChangeNumber) -> Item {
        Item(
            account: AccountID(rawValue: account),
            kind: kind,
            object: object,
            created: created,
            changed: created,
            body: .document(Array("{\"id\":\"\(object)\"}".utf8))
        )
    }

    static func tombstone(_ item: Item, changed: ChangeNumber) -> Item {
        var item = item
        item.changed = changed
        item.body = .tombstone
        return item
    }

    static func content(
        _ number: Int64,
        message: String? = nil,
        accounts: [Int64] = [1],
        blobs: [BlobHash] = [],
        holders: Int = 1,
        time: Timestamp = now
    ) -> StoredContent {
        StoredContent(
            id: ContentID(rawValue: number),
            message: MessageID(stored: message ?? "m-\(number)"),
            document: Array("{\"n\":\(number)}".utf8),
            blobs: blobs,
            accounts: accounts.map { AccountID(rawValue: $0) },
            references: 1,
            holders: holders,
            time: time
        )
    }

    static func hash(_ digit: Character) -> BlobHash { BlobHash(stored: String(repeating: digit, count: 64)) }

    static func line(_ account: Int64, _ number: Int64) throws -> LedgerLine {
        LedgerLine(
            account: AccountID(rawValue: account),
            number: number,
            time: now,
            reason: number % 2 == 0 ? .message : .credit,
            amount: -number,
            balance: 100 - number,
            message: number % 2 == 0 ? MessageID(stored: "m-\(number)") : nil,
            receiver: number % 2 == 0 ? try Address("r@b.example") : nil,
            note: number % 2 == 0 ? nil : "by hand"
        )
    }

    static func entry(_ lane: String, _ message: String) throws -> OutboxEntry {
        OutboxEntry(
            account: AccountID(rawValue: 1),
            message: MessageID(stored: message),
            content: ContentID(rawValue: 7),
            lane: lane,
            task: .message(receiver: try Address("r@b.example")),
            expires: now.advanced(by: 1000),
            price: 3,
            reports: [.delivered]
        )
    }
}

extension Store {
    /// Applies changes in one job.
    func put(_ changes: Change...) async throws {
        try await write { transaction in
            for change in changes { try transaction.apply(change) }
        }
    }
}

let first = AccountID(rawValue: 1)
let second = AccountID(rawValue: 2)
