public import MessagingCore

/// One side of a live conversation as stored: what the owner knows of it, or one user's part in it.
public struct SessionRecord: Hashable, Sendable {
    /// Whose knowledge it is. The owner's own user has both.
    public enum Role: UInt8, Sendable, CaseIterable {
        case owner = 1
        case participant = 2
    }

    public var account: AccountID
    public var session: SessionID
    public var role: Role
    /// The machine's state, opaque to the store.
    public var state: [UInt8]
    /// When it must be looked at again; nil when nothing waits.
    public var due: Timestamp?
    public var isOver: Bool

    /// A side as committed.
    public init(
        account: AccountID,
        session: SessionID,
        role: Role,
        state: [UInt8],
        due: Timestamp?,
        isOver: Bool = false
    ) {
        self.account = account
        self.session = session
        self.role = role
        self.state = state
        self.due = due
        self.isOver = isOver
    }
}

/// A text's place in its session, and the item that it is in one user's mailbox.
public struct SessionText: Hashable, Sendable {
    public var ordinal: Ordinal
    public var created: ChangeNumber

    /// A text as stored.
    public init(ordinal: Ordinal, created: ChangeNumber) {
        self.ordinal = ordinal
        self.created = created
    }
}

/// Live conversations.
public protocol SessionReads {
    func session(_ account: AccountID, _ session: SessionID, _ role: SessionRecord.Role) throws -> SessionRecord?
    /// The account's parts in sessions that are not over, in order of session.
    func sessions(of account: AccountID, limit: Int) throws -> [SessionRecord]
    /// Users' parts in sessions that are not over, in order of account and session, above `after`.
    func openSessions(after: (AccountID, SessionID)?, limit: Int) throws -> [SessionRecord]
    /// Sides that are due at or before `time`, the longest ago first; then in order of account, session and role.
    func sessions(dueBy time: Timestamp, limit: Int) throws -> [SessionRecord]
    /// Texts of a user's part with ordinals above `after`, in order.
    func texts(_ account: AccountID, _ session: SessionID, after: Ordinal, limit: Int) throws -> [SessionText]
    /// The text with the highest ordinal that the user has.
    func lastText(_ account: AccountID, _ session: SessionID) throws -> SessionText?
}
