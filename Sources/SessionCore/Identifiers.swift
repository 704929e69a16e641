public import MessagingCore

/// The state of the media description; each change that the owner takes adds one.
public typealias Revision = Int64

/// Which attachment of a participant acts: a later one outranks all before it.
///
/// Given to legs and to placements of media, so that what an earlier device still says can do no harm.
public struct Generation: RawRepresentable, Hashable, Comparable, Sendable, Codable {
    public var rawValue: Int32

    /// Wraps a generation read back from the store.
    public init(rawValue: Int32) { self.rawValue = rawValue }

    public static let first = Generation(rawValue: 1)

    /// The one after it; the last there can be stays what it is.
    public var next: Generation { Generation(rawValue: rawValue < .max ? rawValue + 1 : rawValue) }

    public static func < (lhs: Self, rhs: Self) -> Bool { lhs.rawValue < rhs.rawValue }
}

/// The number of a medium within its session; never given out twice.
public struct MediumID: RawRepresentable, Hashable, Comparable, Sendable, Codable {
    public var rawValue: Int32

    /// Wraps a number given by the owner.
    public init(rawValue: Int32) { self.rawValue = rawValue }

    public static func < (lhs: Self, rhs: Self) -> Bool { lhs.rawValue < rhs.rawValue }
}

/// Why a session, or a user's part in it, is over.
public enum SessionEnd: String, Hashable, Sendable, Codable, CaseIterable {
    /// Somebody ended it, or left it.
    case left
    /// Who asked for the session took the user out of it.
    case removed
    case rejected
    case cancelled
    /// Nobody answered in time.
    case missed
    /// The owner's server was away for longer than the grace.
    case unreachable
}

/// Bounds of sessions.
public enum SessionLimits {
    /// How long a request alerts.
    public static let alertingMilliseconds: Int64 = 60_000
    /// How long the owner waits for a user's answer: longer than that user's devices ring, so that it is the user's own
    /// server that says "missed".
    public static let callingMilliseconds: Int64 = 65_000
    /// How long a target may take to get ready, and to catch up.
    public static let handOverMilliseconds: Int64 = 20_000
    /// How long an old leg may take to close.
    public static let drainMilliseconds: Int64 = 20_000
    /// How long a proposed change waits for an answer.
    public static let consentMilliseconds: Int64 = 60_000
    /// A target this close to the head goes live.
    public static let ordinalsBehind: Ordinal = 8
    public static let participants = 32
    /// Conversations of one user at a time.
    public static let sessionsPerUser = 64
    /// Media among several users are a mesh: every device sends to every other.
    public static let meshParticipants = 4
    public static let media = 16
    /// Changes of one session that wait: a medium that is added, and a move behind another one of each.
    public static let changes = 64
    public static let legs = 32
    /// Texts of one user that wait for their ordinal.
    public static let pendingTexts = 1000
}
