/// What kinds of things a mailbox holds; all share its one number.
public enum ItemKind: UInt8, Sendable, Hashable, CaseIterable, Codable {
    case message = 1
    case device = 2
    case contact = 3
    case contactList = 4
    case rules = 5
    case availability = 6
    case settings = 7
    case blocked = 8
    case file = 9
    case account = 10
    case session = 11
}

/// One object of a mailbox with the number of its making and of its last change.
public struct Item: Hashable, Sendable {
    /// What it holds; a tombstone holds nothing.
    public enum Body: Hashable, Sendable {
        case message(MessageItem)
        /// The document that devices get, in the client contract's JSON.
        case document([UInt8])
        case tombstone
    }

    public var account: AccountID
    public var kind: ItemKind
    /// The object's own id: message id, device number, contact id ...
    public var object: String
    public var created: ChangeNumber
    public var changed: ChangeNumber
    public var body: Body

    /// An item with its numbers.
    public init(
        account: AccountID,
        kind: ItemKind,
        object: String,
        created: ChangeNumber,
        changed: ChangeNumber,
        body: Body
    ) {
        self.account = account
        self.kind = kind
        self.object = object
        self.created = created
        self.changed = changed
        self.body = body
    }

    /// Whether only the fact of its deletion is left.
    public var isTombstone: Bool { body == .tombstone }

    /// The message state, if it is a live message.
    public var message: MessageItem? {
        guard case .message(let message) = body else { return nil }
        return message
    }
}

/// A user's own state of one message; content lies in the ``Envelope`` it names.
public struct MessageItem: Hashable, Sendable {
    /// Facts that only ever become true.
    public struct Flags: OptionSet, Hashable, Sendable {
        public let rawValue: UInt32

        /// Wraps stored bits.
        public init(rawValue: UInt32) { self.rawValue = rawValue }

        /// It is in the inbox.
        public static let received = Flags(rawValue: 1)
        /// It is in the sentbox.
        public static let sent = Flags(rawValue: 1 << 1)
        public static let read = Flags(rawValue: 1 << 2)
        /// The sender asked for a delivery report, and the receiver's settings allow it.
        public static let wantsDelivered = Flags(rawValue: 1 << 3)
        /// The sender asked for a read report, and the receiver's settings allow it.
        public static let wantsDisplayed = Flags(rawValue: 1 << 4)
        public static let delivered = Flags(rawValue: 1 << 5)
        /// The provider no longer holds the content.
        public static let released = Flags(rawValue: 1 << 6)
        /// The content is to be released once every device has it: storing is off for this account.
        public static let transient = Flags(rawValue: 1 << 7)
    }

    public var flags: Flags
    public var content: ContentID
    public var conversation: ConversationID
    /// Own addresses that were written to; empty for a sent message.
    public var ownAddresses: [Address]
    public var decisions: PackedDecisions
    /// The sender's view of each receiver; empty for a received message.
    public var receivers: [ReceiverState]
    public var expires: Timestamp?

    /// A message as it enters a mailbox.
    public init(
        flags: Flags,
        content: ContentID,
        conversation: ConversationID,
        ownAddresses: [Address] = [],
        decisions: PackedDecisions,
        receivers: [ReceiverState] = [],
        expires: Timestamp? = nil
    ) {
        self.flags = flags
        self.content = content
        self.conversation = conversation
        self.ownAddresses = ownAddresses
        self.decisions = decisions
        self.receivers = receivers
        self.expires = expires
    }

    /// In the inbox and not read.
    public var isUnread: Bool { flags.contains(.received) && !flags.contains(.read) }
}

/// The decisions for the devices a user had at commit, and those that departed from the rules later.
public struct PackedDecisions: Hashable, Sendable {
    /// One device's decision in two bytes beside its number.
    public struct Entry: Hashable, Sendable {
        public var device: DeviceID
        /// Bits 0 and 1: how much; bit 2: silent.
        public var result: UInt8
        /// The reason: below 16 a fixed one, else 16 + the rule's index.
        public var reason: UInt8

        /// An entry read back from the store.
        public init(device: DeviceID, result: UInt8, reason: UInt8) {
            self.device = device
            self.result = result
            self.reason = reason
        }
    }

    /// The revision of the rules that decided.
    public var revision: Int32
    public var entries: [Entry]

    /// Entries as stored, or none yet.
    public init(revision: Int32, entries: [Entry] = []) {
        self.revision = revision
        self.entries = entries
    }

    /// The decision packed for a device; nil when it is to be computed from the rules at its registration.
    public subscript(device: DeviceID) -> Decision? {
        get { entries.first { $0.device == device }.flatMap(\.decision) }
        set {
            entries.removeAll { $0.device == device }
            if let newValue { entries.append(Entry(device, newValue)) }
        }
    }
}

extension PackedDecisions.Entry {
    private static let fixed: [Because] = [
        .operatorProhibits, .blockedSender, .otherwise, .cannotShow, .deviceSizeLimit, .operatorMedia,
        .operatorSizeLimit, .sentFromHere, .deletedHere, .fetchedHere, .takesPart,
    ]
    private static let firstRule: UInt8 = 16

    init(_ device: DeviceID, _ decision: Decision) {
        self.device = device
        result = decision.deliver.rawValue | (decision.silent ? 4 : 0)
        if case .rule(let index) = decision.because {
            reason = Self.firstRule + UInt8(clamping: index)
        } else {
            reason = UInt8(clamping: Self.fixed.firstIndex(of: decision.because) ?? 2)
        }
    }

    var decision: Decision? {
        guard let deliver = Deliver(rawValue: result & 3) else { return nil }
        let because: Because
        if reason >= Self.firstRule {
            because = .rule(index: Int(reason - Self.firstRule))
        } else {
            guard Int(reason) < Self.fixed.count else { return nil }
            because = Self.fixed[Int(reason)]
        }
        return Decision(deliver, silent: result & 4 != 0, because: because)
    }
}
