import FoundationEssentials
public import MessagingCore
public import SessionCore
import Store

/// What the service has to know of a session beside its machines; the same on all sides.
public struct SessionDetails: Hashable, Sendable, Codable {
    public var creator: Address
    /// The device that asked: wanted media are proposed from there. Only its own server knows.
    var device: DeviceID?
    public var invited: [Address]
    public var conversation: ConversationID
    public var subject: String?
    public var started: Timestamp
    public var wanted: [MediumKind]
    /// The text that rides on the request.
    public var firstText: Envelope?
}

extension SessionDetails {
    /// A request of another provider's user.
    public init(
        creator: Address,
        invited: [Address],
        conversation: ConversationID,
        subject: String?,
        started: Timestamp,
        wanted: [MediumKind] = []
    ) {
        self.init(
            creator: creator,
            device: nil,
            invited: invited,
            conversation: conversation,
            subject: subject,
            started: started,
            wanted: wanted,
            firstText: nil
        )
    }
}

/// Both directions between the two servers of one user's part, where they are two.
struct PeerLane: Hashable, Sendable, Codable {
    /// The last number that was put on the lane there.
    var sent: Int64 = 0
    var receiver = LaneReceiver()
    /// What the way to a server without lanes needs to go on after a restart.
    var dialog: String?
}

/// An own text that waits for its place from an owner elsewhere.
struct PendingText: Hashable, Sendable, Codable {
    var content: ContentID
    var device: DeviceID?
    var reports: [Report]
    var digest: [UInt8]
}

/// What the owner keeps of a session.
struct HostSide: Hashable, Sendable, Codable {
    var machine: HostedSession
    var details: SessionDetails
    /// What the creator paid for asking each user, as long as it may have to be given back.
    var prices: [Address: Int64] = [:]
    /// The lanes to those who are other providers' users.
    var lanes: [Address: PeerLane] = [:]
    var closed: Timestamp?

    var isOver: Bool { if case .over = machine.phase { true } else { false } }
}

/// What a user's own server keeps of that user's part.
struct PartSide: Hashable, Sendable, Codable {
    var machine: Participation
    var details: SessionDetails
    /// What was paid for changes of the media, and for a text on the request, as long as it may have to be given back.
    var prices: [MessageID: Int64] = [:]
    /// Media that were accepted together with the request, and the device for them.
    var welcome: [MediumKind] = []
    var welcomeDevice: DeviceID?
    /// The lane to an owner elsewhere.
    var lane = PeerLane()
    /// Own texts without a place yet, where the owner is elsewhere.
    var texts: [MessageID: PendingText] = [:]
    var closed: Timestamp?
}

/// Names one side of a session.
struct SessionKey: Hashable, Sendable {
    var account: AccountID
    var session: SessionID
    var role: SessionRecord.Role
}

/// One side of a session, as the writer holds it; in a box of its own, since tables of it are large and copied often.
indirect enum SessionSide: Hashable, Sendable {
    case host(HostSide)
    case part(PartSide)

    /// How long what is over can still be asked for: longer than any device is offline with something to say in it.
    static let keptMilliseconds: Int64 = 7 * 86_400_000

    /// Reads a side back; the order goes on where its texts leave off.
    init(_ record: SessionRecord, last: Ordinal) throws {
        switch record.role {
        case .owner:
            var side = try Documents.decode(HostSide.self, record.state)
            side.machine.resume(at: last)
            self = .host(side)
        case .participant:
            var side = try Documents.decode(PartSide.self, record.state)
            side.machine.resume(at: last)
            self = .part(side)
        }
    }

    var isOver: Bool {
        switch self {
        case .host(let side): side.isOver
        case .part(let side): side.machine.isOver
        }
    }

    private var closed: Timestamp? {
        get {
            switch self {
            case .host(let side): side.closed
            case .part(let side): side.closed
            }
        }
        set {
            switch self {
            case .host(var side):
                side.closed = newValue
                self = .host(side)
            case .part(var side):
                side.closed = newValue
                self = .part(side)
            }
        }
    }

    /// When it must be looked at again.
    var due: Timestamp? {
        if let closed { return closed.advanced(by: Self.keptMilliseconds) }
        switch self {
        case .host(let side): return side.machine.deadline
        case .part(let side): return side.machine.deadline
        }
    }

    /// Notes the time of its end.
    mutating func note(_ now: Timestamp) {
        if !isOver {
            closed = nil
        } else if closed == nil {
            closed = now
        }
    }

    /// Whether a stored state says all that this one says, its texts aside: those have rows of their own.
    func isKept(by stored: SessionSide) -> Bool {
        switch (self, stored) {
        case (.host(let now), .host(var old)):
            old.machine.resume(at: now.machine.head)
            // The creator has the rows by which the order is found again; without them the state has to say it.
            return now == old && now.machine.present.contains(now.machine.creator)
        case (.part(let now), .part(var old)):
            old.machine.resume(at: now.machine.head)
            return now == old
        case (.host, .part), (.part, .host): return false
        }
    }

    func record(_ key: SessionKey) throws -> SessionRecord {
        let state =
            switch self {
            case .host(let side): try Documents.encode(side)
            case .part(let side): try Documents.encode(side)
            }
        return SessionRecord(
            account: key.account,
            session: key.session,
            role: key.role,
            state: state,
            due: due,
            isOver: isOver
        )
    }
}

extension Work {
    /// A side as of this moment of the transaction; nil when there is none.
    func side(_ key: SessionKey) throws -> SessionSide? {
        if let side = sides[key] { return side }
        let side: SessionSide
        if let known = cache.sessions[key] {
            side = known
        } else {
            guard let record = try transaction.session(key.account, key.session, key.role) else { return nil }
            let last = try transaction.lastText(key.account, key.session)?.ordinal ?? 0
            side = try SessionSide(record, last: last)
            cache.sessions.remember(key, side)
        }
        sides[key] = side
        storedSides[key] = side
        return side
    }

    func host(_ account: AccountID, _ session: SessionID) throws -> HostSide? {
        let side = try side(SessionKey(account: account, session: session, role: .owner))
        guard case .host(let host) = side else { return nil }
        return host
    }

    func part(_ account: AccountID, _ session: SessionID) throws -> PartSide? {
        let side = try side(SessionKey(account: account, session: session, role: .participant))
        guard case .part(let part) = side else { return nil }
        return part
    }

    /// Takes a side's new state; written once when the command ends, a new one at once: texts hang on it.
    func put(_ side: SessionSide, _ key: SessionKey) throws {
        var side = side
        side.note(now)
        sides[key] = side
        guard storedSides[key] == nil else { return }
        try transaction.apply(.session(try side.record(key)))
        storedSides[key] = side
    }

    func put(_ host: HostSide, _ account: AccountID) throws {
        try put(.host(host), SessionKey(account: account, session: host.machine.id, role: .owner))
    }

    func put(_ part: PartSide, _ account: AccountID) throws {
        try put(.part(part), SessionKey(account: account, session: part.machine.session, role: .participant))
    }

    /// Drops a side that nobody will ask for any more.
    func removeSide(_ key: SessionKey) throws {
        try transaction.apply(.removeSession(key.account, key.session, key.role))
        sides[key] = nil
        storedSides[key] = nil
        cache.sessions.stageRemoval(key)
    }

    /// Writes what changed, and hands it to the cache's overlay.
    func finishSides() throws {
        for (key, side) in sides {
            let isKept = storedSides[key].map { side.isKept(by: $0) } ?? false
            if !isKept { try transaction.apply(.session(try side.record(key))) }
            cache.sessions.stage(key, side)
            if let due = side.due { earliestDue = min(earliestDue ?? due, due) }
        }
    }
}
