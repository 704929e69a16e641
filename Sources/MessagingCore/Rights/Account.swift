/// What an operator lets an account do.
public struct Entitlement: Hashable, Sendable, Codable {
    public var canSend: Bool
    public var maximumMessageBytes: Int64
    /// Full size of everything the account refers to.
    public var quotaBytes: Int64
    public var storesReceived: Bool
    public var storesSent: Bool

    /// The entitlement of a new account.
    public init(
        canSend: Bool = true,
        maximumMessageBytes: Int64 = 512 << 20,
        quotaBytes: Int64 = 5 << 30,
        storesReceived: Bool = true,
        storesSent: Bool = true
    ) {
        self.canSend = canSend
        self.maximumMessageBytes = maximumMessageBytes
        self.quotaBytes = quotaBytes
        self.storesReceived = storesReceived
        self.storesSent = storesSent
    }
}

/// What somebody shows of the own devices to those in the same conversation.
public enum TellDevices: String, Hashable, Sendable, Codable, CaseIterable {
    case nothing
    /// What they can do, all together.
    case capabilities
    /// Each by name and kind.
    case devices
}

/// The user's own switches; telling senders and synchronising devices are different wishes.
public struct AccountSettings: Hashable, Sendable, Codable {
    public var tellDelivered: Bool
    public var tellDisplayed: Bool
    /// A blocked sender is told so (true), or not (false).
    public var refuseBlocked: Bool
    /// What those one talks to may see of one's devices.
    public var tellDevices: TellDevices
    /// Conversations whose messages arrive silently.
    public var muted: [ConversationID]

    /// Reports allowed, blocked senders not told, nothing muted.
    public init(
        tellDelivered: Bool = true,
        tellDisplayed: Bool = true,
        refuseBlocked: Bool = false,
        tellDevices: TellDevices = .capabilities,
        muted: [ConversationID] = []
    ) {
        self.tellDelivered = tellDelivered
        self.tellDisplayed = tellDisplayed
        self.refuseBlocked = refuseBlocked
        self.tellDevices = tellDevices
        self.muted = muted
    }

    public init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: CodingKeys.self)
        tellDelivered = try values.decode(Bool.self, forKey: .tellDelivered)
        tellDisplayed = try values.decode(Bool.self, forKey: .tellDisplayed)
        refuseBlocked = try values.decode(Bool.self, forKey: .refuseBlocked)
        muted = try values.decode([ConversationID].self, forKey: .muted)
        // Settings of before conversations do not say.
        tellDevices = try values.decodeIfPresent(TellDevices.self, forKey: .tellDevices) ?? .capabilities
    }
}

/// One person's account: who they are, what they may do, and where their mailbox stands.
public struct Account: Hashable, Sendable {
    public var id: AccountID
    public var name: String
    /// The first is the principal one.
    public var addresses: [Address]
    public var suspended: Bool
    public var entitlement: Entitlement
    public var settings: AccountSettings
    public var epoch: Epoch
    /// The last number given out in the mailbox.
    public var head: ChangeNumber
    /// Numbers at or below it may have lost their tombstones.
    public var trim: ChangeNumber
    /// Credit in the operator's integer units.
    public var balance: Int64
    /// Bytes that count towards the quota.
    public var used: Int64
    public var lastDevice: Int32
    public var ledgerLines: Int64

    /// An account with an empty mailbox.
    public init(
        id: AccountID,
        name: String,
        addresses: [Address],
        entitlement: Entitlement = Entitlement(),
        epoch: Epoch,
        balance: Int64
    ) {
        self.id = id
        self.name = name
        self.addresses = addresses
        suspended = false
        self.entitlement = entitlement
        settings = AccountSettings()
        self.epoch = epoch
        head = 0
        trim = 0
        self.balance = balance
        used = 0
        lastDevice = 0
        ledgerLines = 0
    }

    /// Whether so many more bytes stay within the quota; a client may announce any number.
    public func hasRoom(for bytes: Int64) -> Bool {
        let (sum, overflow) = used.addingReportingOverflow(bytes)
        return !overflow && sum <= entitlement.quotaBytes
    }

    /// The next number of the mailbox; every change to an item takes one.
    public mutating func nextNumber() -> ChangeNumber {
        head += 1
        return head
    }

    /// The number for a newly registered device.
    public mutating func nextDevice() -> DeviceID {
        lastDevice += 1
        return DeviceID(rawValue: lastDevice)
    }
}

/// Everything of a user that decisions need: the account, its devices and its preferences.
public struct UserState: Sendable {
    public var account: Account
    public var devices: [Device]
    public var preferences: Preferences

    /// A user as loaded from the store.
    public init(account: Account, devices: [Device] = [], preferences: Preferences = Preferences()) {
        self.account = account
        self.devices = devices
        self.preferences = preferences
    }

    /// The device of that number, if it is still this user's.
    public func device(_ id: DeviceID) -> Device? { devices.first { $0.id == id } }

    /// Decides for every device the user has now.
    public func decisions(
        _ facts: MessageFacts,
        _ direction: Direction,
        policy: OperatorPolicy,
        now: Timestamp,
        sentFrom: DeviceID? = nil
    ) -> PackedDecisions {
        var packed = PackedDecisions(revision: preferences.rules.revision)
        packed.entries.reserveCapacity(devices.count)
        for device in devices {
            let decision =
                device.id == sentFrom
                ? Decision(.whole, silent: true, because: .sentFromHere)
                : decide(facts, direction, device: device, preferences: preferences, policy: policy, now: now)
            packed.entries.append(PackedDecisions.Entry(device.id, decision))
        }
        return packed
    }
}
