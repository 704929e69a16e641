import MessagingCore
import Store

extension Address {
    static func sample(_ name: String) -> Address { Address(stored: "sip:\(name)@example.org") }
}

extension Account {
    static func sample(_ id: Int64, _ names: String...) -> Account {
        Account(
            id: AccountID(rawValue: id),
            name: "Account \(id)",
            addresses: names.map(Address.sample),
            entitlement: Entitlement(canSend: id % 2 == 0, quotaBytes: 1000 + id),
            epoch: Epoch("epoch-\(id)"),
            balance: 100 * id
        )
    }
}

extension Device {
    static func sample(_ id: Int32) -> Device {
        Device(
            id: DeviceID(rawValue: id),
            kind: .tablet,
            label: "Tablet \(id)",
            capabilities: .everything,
            registered: Timestamp(rawValue: 5000),
            rulesRevision: 3,
            joinedAt: 7,
            epoch: Epoch("epoch-1")
        )
    }
}

extension SIPCredential {
    static func sample(_ user: String, device: Int32) -> SIPCredential {
        SIPCredential(
            user: user,
            identity: DeviceIdentity(account: .one, device: DeviceID(rawValue: device)),
            realm: "example.org",
            hashes: ["SHA-256": "hash of \(user)", "MD5": "other hash of \(user)"]
        )
    }
}

extension Item {
    /// A message whose change number is its number of creation unless said otherwise.
    static func message(
        _ account: Int64,
        _ created: ChangeNumber,
        changed: ChangeNumber? = nil,
        object: String? = nil,
        content: Int64? = nil,
        conversation: String = "talk",
        flags: MessageItem.Flags = .received,
        expires: Timestamp? = nil
    ) -> Item {
        Item(
            account: AccountID(rawValue: account),
            kind: .message,
            object: object ?? "message-\(created)",
            created: created,
            changed: changed ?? created,
            body: .message(
                MessageItem(
                    flags: flags,
                    content: ContentID(rawValue: content ?? created),
                    conversation: ConversationID(stored: conversation),
                    ownAddresses: [.sample("own-\(account)")],
                    decisions: PackedDecisions(
                        revision: 4,
                        entries: [
                            PackedDecisions.Entry(device: DeviceID(rawValue: 1), result: 2, reason: 17),
                            PackedDecisions.Entry(device: DeviceID(rawValue: .max), result: 0, reason: 255),
                        ]
                    ),
                    receivers: [
                        ReceiverState(
                            address: .sample("far"),
                            disposition: .failed,
                            since: Timestamp(rawValue: -1),
                            failure: .notFound
                        ),
                        ReceiverState(
                            address: .sample("near"),
                            disposition: .displayed,
                            since: Timestamp(rawValue: .max)
                        ),
                    ],
                    expires: expires
                )
            )
        )
    }

    static func document(_ account: Int64, _ created: ChangeNumber, _ kind: ItemKind, _ text: String) -> Item {
        Item(
            account: AccountID(rawValue: account),
            kind: kind,
            object: "\(kind)-\(created)",
            created: created,
            changed: created,
            body: .document([UInt8](text.utf8))
        )
    }

    func deleted(changed: ChangeNumber) -> Item {
        var item = self
        item.changed = changed
        item.body = .tombstone
        return item
    }
}

extension StoredContent {
    static func sample(
        _ id: Int64,
        message: String? = nil,
        blobs: [BlobHash] = [],
        accounts: [Int64] = [1],
        references: Int = 1,
        holders: Int = 1,
        time: Int64? = nil
    ) -> StoredContent {
        StoredContent(
            id: ContentID(rawValue: id),
            message: MessageID(stored: message ?? "message-\(id)"),
            document: [UInt8]("document \(id)".utf8),
            blobs: blobs,
            accounts: accounts.map(AccountID.init(rawValue:)),
            references: references,
            holders: holders,
            time: Timestamp(rawValue: time ?? id * 10)
        )
    }
}

extension OutboxEntry {
    static func sample(_ lane: String, _ number: Int) -> OutboxEntry {
        OutboxEntry(
            account: AccountID(rawValue: 1),
            message: MessageID(stored: "message-\(number)"),
            content: ContentID(rawValue: Int64(number)),
            lane: lane,
            task: task(number),
            expires: Timestamp(rawValue: 99),
            price: 7,
            reports: [.displayed, .delivered]
        )
    }

    private static func task(_ number: Int) -> Task {
        switch number % 3 {
        case 0: .message(receiver: .sample("far"))
        case 1: .report(to: .sample("far"), receiver: .sample("near"), .displayed)
        default:
            .session(
                SessionID(stored: "session-1"),
                from: .sample("near"),
                to: .sample("far"),
                number: Int64(number),
                line: [0, 255, 7]
            )
        }
    }
}

extension BlobHash {
    static func sample(_ number: Int) -> BlobHash {
        let digits = String(number, radix: 16)
        return BlobHash(stored: String(repeating: "0", count: 64 - digits.count) + digits)
    }
}

extension Upload {
    static func sample(_ id: String, leaseEnds: Int64, hash: BlobHash? = nil, name: String? = nil) -> Upload {
        Upload(
            id: id,
            account: AccountID(rawValue: 1),
            type: "image/png",
            name: name,
            bytes: 1 << 40,
            hash: hash,
            leaseEnds: Timestamp(rawValue: leaseEnds)
        )
    }
}

extension LedgerLine {
    static func sample(_ account: Int64, _ number: Int64) -> LedgerLine {
        LedgerLine(
            account: AccountID(rawValue: account),
            number: number,
            time: Timestamp(rawValue: number * 3),
            reason: number % 2 == 0 ? .refund : .message,
            amount: -number,
            balance: 1000 - number,
            message: number % 2 == 0 ? nil : MessageID(stored: "message-\(number)"),
            receiver: number % 2 == 0 ? nil : .sample("far"),
            note: number % 3 == 0 ? "note" : nil
        )
    }
}

extension AccountID {
    static let one = AccountID(rawValue: 1)
    static let two = AccountID(rawValue: 2)
}
