/// What there is to know about a message when deciding for a device.
public struct MessageFacts: Sendable {
    public var from: Address
    /// The user's own addresses that were written to.
    public var ownAddresses: [Address]
    public var kind: MessageKind
    public var mediaTypes: [String]
    public var bytes: Int64
    public var date: Timestamp

    /// Facts of an envelope as one receiver sees it.
    public init(_ envelope: Envelope, ownAddresses: [Address]) {
        from = envelope.from
        self.ownAddresses = ownAddresses
        kind = envelope.kind
        mediaTypes = envelope.parts.map(\.type)
        bytes = envelope.bytes
        date = envelope.date
    }

    /// Facts of a report: only conditions on devices, hours and availability can match it.
    public static let report = MessageFacts()

    private init() {
        from = Address(stored: "")
        ownAddresses = []
        kind = .immediate
        mediaTypes = []
        bytes = 0
        date = Timestamp(rawValue: 0)
    }
}

/// The user's side of a decision.
public struct Preferences: Hashable, Sendable, Codable {
    public var rules: RuleBook
    public var availability: Availability
    public var blocked: Set<Address>
    /// Members of the user's contact lists, by list name.
    public var lists: [String: Set<Address>]

    /// The preferences of a user who never set any.
    public init(
        rules: RuleBook = RuleBook(),
        availability: Availability = Availability(.available),
        blocked: Set<Address> = [],
        lists: [String: Set<Address>] = [:]
    ) {
        self.rules = rules
        self.availability = availability
        self.blocked = blocked
        self.lists = lists
    }

    /// What the addresses of all lists take.
    public var listedBytes: Int {
        lists.values.reduce(0) { $1.reduce($0) { $0 + $1.description.utf8.count } }
    }
}

/// The operator's side of a decision.
public struct OperatorPolicy: Hashable, Sendable, Codable {
    /// Senders' domains that nothing is taken from.
    public var prohibitedDomains: [String]
    /// Media types that no device is sent whole.
    public var notificationOnlyMedia: [MediaPattern]
    /// Above this many bytes a message goes as a notification; nil for no bound.
    public var wholeUpToBytes: Int64?
    /// Whether sent copies go to the sender's other devices.
    public var sentCopies: Bool

    /// The policy of a new installation: everything allowed, whole messages up to 1 MiB.
    public init(
        prohibitedDomains: [String] = [],
        notificationOnlyMedia: [MediaPattern] = [],
        wholeUpToBytes: Int64? = 1 << 20,
        sentCopies: Bool = true
    ) {
        self.prohibitedDomains = prohibitedDomains
        self.notificationOnlyMedia = notificationOnlyMedia
        self.wholeUpToBytes = wholeUpToBytes
        self.sentCopies = sentCopies
    }
}

/// Why a decision came out as it did.
public enum Because: Hashable, Sendable {
    case operatorProhibits
    case blockedSender
    case rule(index: Int)
    case otherwise
    case cannotShow
    case deviceSizeLimit
    case operatorMedia
    case operatorSizeLimit
    case sentFromHere
    case deletedHere
    case fetchedHere
    /// The device takes part in the conversation that the text belongs to.
    case takesPart
}

/// What a device gets, and why.
public struct Decision: Hashable, Sendable {
    public var deliver: Deliver
    public var silent: Bool
    public var because: Because

    /// A decision with its reason.
    public init(_ deliver: Deliver, silent: Bool = false, because: Because) {
        self.deliver = deliver
        self.silent = silent
        self.because = because
    }
}

/// Which list of rules speaks.
public enum Direction: Sendable {
    case incoming
    case sentCopy
}

/// What one device gets for one message: pure, first match wins (design: "Deciding what a device gets").
///
/// Order: operator prohibitions and blocked senders; the user's rules; the user's default; what the device cannot take;
/// the operator's limits.
public func decide(
    _ facts: MessageFacts,
    _ direction: Direction,
    device: Device,
    preferences: Preferences,
    policy: OperatorPolicy,
    now: Timestamp
) -> Decision {
    if direction == .incoming {
        if !policy.prohibitedDomains.isEmpty, let domain = facts.from.domain,
            policy.prohibitedDomains.contains(domain)
        {
            return Decision(.nothing, because: .operatorProhibits)
        }
        if preferences.blocked.contains(facts.from) { return Decision(.nothing, because: .blockedSender) }
    } else if !policy.sentCopies {
        return Decision(.nothing, because: .operatorProhibits)
    }
    let list = direction == .incoming ? preferences.rules.incoming : preferences.rules.sentCopies
    let (outcome, rule) = list.outcome(facts, device, preferences, now)
    var decision = Decision(
        outcome.deliver,
        silent: outcome.silent,
        because: rule.map { .rule(index: $0) } ?? .otherwise
    )
    guard decision.deliver == .whole else { return decision }
    if !facts.mediaTypes.allSatisfy(device.capabilities.accept) {
        decision.deliver = .notification
        decision.because = .cannotShow
    } else if let limit = device.capabilities.maximumMessageBytes, facts.bytes > limit {
        decision.deliver = .notification
        decision.because = .deviceSizeLimit
    } else if policy.notificationOnlyMedia.contains(where: { facts.mediaTypes.contains(where: $0.matches) }) {
        decision.deliver = .notification
        decision.because = .operatorMedia
    } else if let limit = policy.wholeUpToBytes, facts.bytes > limit {
        decision.deliver = .notification
        decision.because = .operatorSizeLimit
    }
    return decision
}

extension RuleList {
    /// The result of the first rule that matches, with its place; the default has none.
    public func outcome(
        _ facts: MessageFacts,
        _ device: Device,
        _ preferences: Preferences,
        _ now: Timestamp
    ) -> (Outcome, rule: Int?) {
        for (index, rule) in rules.enumerated() {
            guard rule.when.hold(facts, device, preferences, now),
                !(rule.unless?.hold(facts, device, preferences, now) ?? false)
            else { continue }
            return (rule.then, index)
        }
        return (otherwise, nil)
    }
}

extension Conditions {
    /// Whether every condition that is given holds.
    func hold(_ facts: MessageFacts, _ device: Device, _ preferences: Preferences, _ now: Timestamp) -> Bool {
        if let to, !facts.ownAddresses.contains(where: to.contains) { return false }
        if let from, !from.contains(facts.from) { return false }
        if let fromDomains, !fromDomains.contains(where: { $0 == facts.from.domain }) { return false }
        if let fromLists, !fromLists.contains(where: { preferences.lists[$0]?.contains(facts.from) ?? false }) {
            return false
        }
        if let devices, !devices.contains(device.id) { return false }
        if let deviceKinds, !deviceKinds.contains(device.kind) { return false }
        if let messageKinds, !messageKinds.contains(facts.kind) { return false }
        if let media, !media.contains(where: { facts.mediaTypes.contains(where: $0.matches) }) { return false }
        if let atLeastBytes, facts.bytes < atLeastBytes { return false }
        if let belowBytes, facts.bytes >= belowBytes { return false }
        if let hours, !hours.contains(now) { return false }
        if let availability, !availability.contains(preferences.availability.state(at: now)) { return false }
        if let deviceAvailability, !deviceAvailability.contains(device.availability.state(at: now)) { return false }
        return true
    }
}
