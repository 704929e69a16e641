import MessagingCore
import Store

/// Random changes over a few names, so that they meet.
struct Script {
    static let accounts: Int64 = 4
    static let items: Int64 = 16
    static let names = 5

    private var state: UInt64
    /// The highest number of change given in each account.
    private var heads: [Int64: ChangeNumber] = [:]

    init(seed: UInt64) { state = seed }

    static func address(_ number: Int) -> Address { Address(stored: "sip:name-\(number)@example.org") }
    static func token(_ number: Int) -> TokenHash { TokenHash(bytes: [UInt8(number), 0]) }
    static func hash(_ number: Int) -> BlobHash { BlobHash(stored: "hash-\(number)") }
    static func conversation(_ number: Int) -> ConversationID { ConversationID(stored: "talk-\(number)") }

    private static func owners(_ content: Int64) -> [AccountID] {
        (1...accounts).filter { $0 % 3 != content % 3 }.map(AccountID.init(rawValue:))
    }

    /// Enters words for every content there may be.
    @Sendable static func index(_ transaction: any WriteTransaction) throws {
        for number in 1...items {
            let text = number % 2 == 0 ? "A red boat" : "Reddish boats, red"
            try transaction.apply(.index(ContentID(rawValue: number), accounts: owners(number), text: text))
        }
    }

    /// A number from 0 up to, and not including, `bound`: splitmix64.
    mutating func below(_ bound: Int) -> Int {
        state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = state
        mixed = (mixed ^ mixed >> 30) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ mixed >> 27) &* 0x94d0_49bb_1331_11eb
        return Int((mixed ^ mixed >> 31) % UInt64(bound))
    }

    private mutating func account() -> AccountID { AccountID(rawValue: Int64(below(Int(Self.accounts))) + 1) }
    private mutating func time() -> Timestamp { Timestamp(rawValue: Int64(below(40))) }

    mutating func change() -> Change {
        switch below(11) {
        case 0, 1: accountChange()
        case 2, 3, 4, 5: mailboxChange()
        case 6: contentChange()
        case 7: outboxChange()
        case 8: sessionChange()
        default: blobChange()
        }
    }

    static func session(_ number: Int) -> SessionID { SessionID(stored: "session-\(number)") }

    private mutating func sessionChange() -> Change {
        let (id, session) = (account(), Self.session(below(3)))
        let role: SessionRecord.Role = below(2) == 0 ? .owner : .participant
        switch below(8) {
        case 0: return .removeSession(id, session, role)
        case 1, 2, 3:
            return .sessionText(
                id,
                session,
                SessionText(ordinal: Ordinal(below(6)), created: ChangeNumber(below(20)))
            )
        default:
            return .session(
                SessionRecord(
                    account: id,
                    session: session,
                    role: role,
                    state: [UInt8(below(250))],
                    due: below(2) == 0 ? time() : nil,
                    isOver: below(3) == 0
                )
            )
        }
    }

    private mutating func accountChange() -> Change {
        let id = account()
        switch below(9) {
        case 0, 1:
            var account = Account(
                id: id,
                name: "name-\(below(3))",
                addresses: Set((0..<below(3)).map { _ in Self.address(below(Self.names)) }).sorted(),
                epoch: Epoch("epoch"),
                balance: Int64(below(100))
            )
            account.head = Int64(below(100))
            account.suspended = below(2) == 0
            return .account(account)
        case 2:
            var preferences = Preferences()
            preferences.rules.revision = Int32(below(4))
            return .preferences(id, preferences)
        case 3: return .credential(id, Credential(encoded: "\(below(9))"))
        case 4: return .device(id, device())
        case 5: return .deviceProgress(id, device())
        case 6: return .removeDevice(id, DeviceID(rawValue: Int32(below(3)) + 1))
        case 7:
            let device = DeviceID(rawValue: Int32(below(3)) + 1)
            return .token(Self.token(below(Self.names)), DeviceIdentity(account: id, device: device))
        default:
            return .ledger(
                LedgerLine(
                    account: id,
                    number: Int64(below(30)),
                    time: time(),
                    reason: .credit,
                    amount: 1,
                    balance: Int64(below(9)),
                    note: below(2) == 0 ? nil : "note"
                )
            )
        }
    }

    private mutating func device() -> Device {
        var device = Device(
            id: DeviceID(rawValue: Int32(below(3)) + 1),
            kind: .mobile,
            label: "label-\(below(3))",
            capabilities: .everything,
            registered: Timestamp(rawValue: 1),
            rulesRevision: Int32(below(4)),
            joinedAt: Int64(below(9)),
            epoch: Epoch("epoch-\(below(2))")
        )
        device.lastSeen = time()
        device.cursor.number = Int64(below(50))
        return device
    }

    private mutating func mailboxChange() -> Change {
        let id = account()
        switch below(12) {
        case 0: return .trim(id, upTo: Int64(below(60)))
        case 1:
            let key = SubmissionKey(digest: [UInt8(below(9))], created: Int64(below(9)), time: time())
            return .key(id, MessageID(stored: "message-\(below(Int(Self.items)) + 1)"), key)
        case 2: return .removeKeys(before: time())
        default: return .item(item(id))
        }
    }

    /// An item whose number says its kind, as a stored one keeps its own; some numbers of change meet.
    private mutating func item(_ account: AccountID) -> Item {
        let created = Int64(below(Int(Self.items))) + 1
        let head = heads[account.rawValue, default: Self.items] + 1
        let changed = below(12) == 0 ? Int64(below(40)) + 1 : head
        heads[account.rawValue] = head
        let kind: ItemKind =
            switch created % 8 {
            case 0: .contact
            case 1: .file
            default: .message
            }
        let body: Item.Body
        if below(5) == 0 {
            body = .tombstone
        } else if kind == .message {
            body = .message(
                MessageItem(
                    flags: MessageItem.Flags(rawValue: UInt32(below(256))),
                    content: ContentID(rawValue: created),
                    conversation: Self.conversation(below(3)),
                    decisions: PackedDecisions(revision: Int32(below(3)))
                )
            )
        } else {
            body = .document([UInt8(below(256))])
        }
        return Item(
            account: account,
            kind: kind,
            object: "message-\(created)",
            created: created,
            changed: changed,
            body: body
        )
    }

    private mutating func contentChange() -> Change {
        let number = Int64(below(Int(Self.items))) + 1
        let id = ContentID(rawValue: number)
        switch below(5) {
        case 0: return .removeContent(id)
        default:
            return .content(
                StoredContent(
                    id: id,
                    message: MessageID(stored: "message-\(number)"),
                    document: [UInt8(below(256))],
                    blobs: (0..<below(3)).map { _ in Self.hash(below(Self.names)) },
                    accounts: Self.owners(number),
                    references: below(3),
                    holders: below(2),
                    time: Timestamp(rawValue: number * 5)
                )
            )
        }
    }

    private mutating func outboxChange() -> Change {
        switch below(5) {
        case 0: return .postpone(entry: Int64(below(60)) + 1, attempts: below(9), due: time())
        case 1: return .dequeue(entry: Int64(below(60)) + 1)
        default:
            let entry = OutboxEntry(
                account: account(),
                message: MessageID(stored: "m-\(below(99))"),
                content: ContentID(rawValue: Int64(below(9))),
                lane: "lane-\(below(Self.names))",
                task: below(2) == 0
                    ? .message(receiver: Self.address(0))
                    : .report(to: Self.address(0), receiver: Self.address(1), .delivered),
                expires: time()
            )
            return .enqueue(entry, due: time())
        }
    }

    private mutating func blobChange() -> Change {
        let hash = Self.hash(below(Self.names))
        switch below(8) {
        case 0: return .removeBlob(hash)
        case 1: return .blob(hash, bytes: Int64(below(99)))
        case 2, 3: return .refer(hash, by: below(2) == 0 ? 1 : -1, at: time())
        case 4: return .setting("setting-\(below(Self.names))", [UInt8(below(256))])
        case 5: return .removeUpload("upload-\(below(Self.names))")
        default:
            return .upload(
                Upload(
                    id: "upload-\(below(Self.names))",
                    account: account(),
                    type: "a/b",
                    name: below(2) == 0 ? nil : "n",
                    bytes: Int64(below(99)),
                    hash: below(2) == 0 ? nil : hash,
                    leaseEnds: time()
                )
            )
        }
    }
}
