public import MessagingCore

/// What a medium carries.
public enum MediumKind: String, Hashable, Sendable, Codable, CaseIterable {
    case text
    case audio
    case video
    case file
    /// A video from the proposer's personal area, played in step on all sides.
    case storedVideo = "stored-video"
}

/// Who sends, seen from the session: everybody, or one participant.
public enum MediumDirection: Hashable, Sendable, Codable {
    case both
    case from(Address)
}

/// Where a participant has a medium: one device, under a generation of its own.
public struct Placement: Hashable, Sendable, Codable {
    public var device: DeviceID
    public var generation: Generation

    /// A placement.
    public init(device: DeviceID, generation: Generation) {
        self.device = device
        self.generation = generation
    }
}

/// One medium of a session, as all sides agree on it. Text itself is no medium here: it always runs, on every leg.
public struct Medium: Hashable, Sendable, Codable {
    public let id: MediumID
    public let kind: MediumKind
    public var direction: MediumDirection
    /// The file of the personal area that a stored video or a file is; nil for the others.
    public let source: String?
    /// Whose personal area that is in; nil without a source.
    public let owner: Address?
    /// Where a stored video stands, the same for all; nil for the others.
    public var playback: Playback?
    /// Who has it on hold; while anybody has, nothing flows.
    public var held: Set<Address> = []
    /// One device for each participant that takes part in it.
    public var placements: [Address: Placement]
    /// The last generation of those who took part once: who joins again outranks it.
    var left: [Address: Generation]?

    /// Whether it flows.
    public var flows: Bool { held.isEmpty && placements.count > 1 }
}

/// Where a stored video stands: at `position` at the time `at`, going on from there if it plays.
public struct Playback: Hashable, Sendable, Codable {
    /// What somebody wants of it; the owner says from when on.
    public struct Wish: Hashable, Sendable, Codable {
        public var isPlaying: Bool
        /// Milliseconds from the beginning.
        public var position: Int64
        /// Thousandths of the natural speed.
        public var rate: Int32

        /// A wish.
        public init(isPlaying: Bool, position: Int64, rate: Int32 = 1000) {
            self.isPlaying = isPlaying
            self.position = position
            self.rate = rate
        }
    }

    /// From an eighth of the natural speed to eight times it.
    public static let rates: ClosedRange<Int32> = 125...8000

    public var state: Wish
    /// On the owner's clock.
    public var at: Timestamp
    /// Each change adds one: of two the later one counts, on all sides.
    public var revision: Int64

    /// Where it stands at a time on the owner's clock, in milliseconds; not bounded by the video's length.
    public func position(at now: Timestamp) -> Int64 {
        guard state.isPlaying else { return state.position }
        return state.position + max(0, now.milliseconds(since: at)) * Int64(state.rate) / 1000
    }
}

/// What somebody wants changed. Adding needs the other side's consent; the rest does not.
public enum MediaChange: Hashable, Sendable, Codable {
    /// `device`: where the proposer has it.
    case add(MediumKind, MediumDirection, source: String?, device: DeviceID)
    case hold(MediumID)
    case resume(MediumID)
    case direct(MediumID, MediumDirection)
    /// To another device of one's own; the old path runs until the new one is connected.
    case move(MediumID, to: DeviceID)
    /// Takes part in what the others have already, on a device of one's own.
    case join(MediumID, on: DeviceID)
    /// Takes part no longer; it goes on among the others, while there are two.
    case part(MediumID)
    case remove(MediumID)

    /// The medium that is changed; nil when one is added.
    public var medium: MediumID? {
        switch self {
        case .add: nil
        case .hold(let id), .resume(let id), .direct(let id, _), .move(let id, _), .join(let id, _), .part(let id),
            .remove(let id):
            id
        }
    }
}

/// A change as proposed, under an id that the proposing device chose: repeated, it is the same.
public struct MediaProposal: Hashable, Sendable, Codable {
    public var id: MessageID
    public var change: MediaChange
    /// The state of the description that the proposer saw.
    public var revision: Revision

    /// A proposal.
    public init(id: MessageID, change: MediaChange, revision: Revision) {
        self.id = id
        self.change = change
        self.revision = revision
    }
}

/// A proposal that waits for consent, or a move that waits for its path.
public struct PendingChange: Hashable, Sendable, Codable {
    public let proposal: MediaProposal
    public let by: Address
    /// The medium as it will be; an added one has its number already.
    public let medium: MediumID
    /// Who has not answered yet; empty for a move.
    public internal(set) var awaited: Set<Address>
    /// When it is given up; nil for a move behind another one of the same medium, which waits for its turn.
    public internal(set) var until: Timestamp?
}

/// What became of a proposal.
public enum ChangeOutcome: Hashable, Sendable, Codable {
    case done
    case rejected
    case expired
    /// Something else was decided for the medium meanwhile.
    case superseded
    /// The path to the new device could not be made: everything stays.
    case failed
}
