public import MessagingCore

/// A conversation request at the callee's server, which alone decides who answered it.
///
/// ```
///   alerting --accept--> accepted      --reject--> rejected
///            --cancel--> cancelled     --time----> missed
/// ```
/// The commit that leaves `alerting` makes the winner; everyone later is told who it was.
public enum Invitation: Hashable, Sendable, Codable {
    case alerting(until: Timestamp)
    /// The device that joins, and the one on which the person accepted: it may name another of the same user.
    case accepted(on: DeviceID, by: DeviceID)
    case rejected(by: DeviceID)
    case cancelled
    case missed

    /// What may happen to it.
    public enum Input: Hashable, Sendable {
        case accept(on: DeviceID, by: DeviceID)
        case reject(by: DeviceID)
        /// The owner's cancel arrived.
        case cancel
        case clock(Timestamp)
    }

    /// What follows.
    public enum Action: Hashable, Sendable {
        case none
        /// Tell the owner, and withdraw the alerts.
        case answer(InvitationAnswer)
        /// The person came too late: tell their device what became of it.
        case tooLate
    }

    /// Takes one input.
    public mutating func take(_ input: Input) -> Action {
        switch (self, input) {
        case (.alerting, .accept(let device, let by)):
            self = .accepted(on: device, by: by)
            return .answer(.accepted)
        case (.alerting, .reject(let by)):
            self = .rejected(by: by)
            return .answer(.rejected)
        case (.alerting, .cancel):
            self = .cancelled
            return .answer(.cancelled)
        case (.alerting(let until), .clock(let now)):
            guard now >= until else { return .none }
            self = .missed
            return .answer(.missed)
        // The same device's answer once more: its acknowledgement was lost.
        case (.accepted(let device, let by), .accept(let again, let from)) where device == again && by == from:
            return .none
        case (.rejected(let by), .reject(let from)) where by == from: return .none
        case (_, .accept), (_, .reject): return .tooLate
        // The answer is on its way, and stands.
        case (_, .cancel), (_, .clock): return .none
        }
    }

    /// When it must be looked at again.
    public var deadline: Timestamp? {
        guard case .alerting(let until) = self else { return nil }
        return until
    }
}

/// What the callee's server answers; sent once, and final.
public enum InvitationAnswer: Hashable, Sendable, Codable {
    case accepted
    case rejected
    /// The cancel came first (487 of RFC 3261, section 15.1.2).
    case cancelled
    case missed
}

/// A conversation request at the owner, for one invited user.
///
/// The caller's wish to cancel is only a wish until the callee's server has answered: an acceptance may have come first.
public enum Call: Hashable, Sendable, Codable {
    case calling(until: Timestamp)
    /// The callee's server was asked to withdraw its alerts, because the caller or the clock said so.
    case cancelling(SessionEnd)
    case joined
    case over(SessionEnd)

    /// What may happen to it.
    public enum Input: Hashable, Sendable {
        case answer(InvitationAnswer)
        case cancel
        case clock(Timestamp)
    }

    /// What the owner does next.
    public enum Action: Hashable, Sendable {
        case none
        case sendCancel
        /// The user takes part from now on.
        case admit
        /// The acceptance came before the cancel: the session opens and ends at once, and nothing is charged.
        case admitAndEnd(SessionEnd)
        /// The user does not take part.
        case drop(SessionEnd)
    }

    /// Takes one input.
    public mutating func take(_ input: Input) -> Action {
        switch (self, input) {
        case (.calling, .answer(.accepted)):
            self = .joined
            return .admit
        case (.cancelling(let end), .answer(.accepted)):
            self = .over(end)
            return .admitAndEnd(end)
        case (.calling, .answer(.rejected)), (.cancelling, .answer(.rejected)): return drop(.rejected)
        case (.calling, .answer(.missed)), (.cancelling, .answer(.missed)): return drop(.missed)
        case (.calling, .answer(.cancelled)): return drop(.cancelled)
        case (.cancelling(let end), .answer(.cancelled)): return drop(end)
        case (.calling, .cancel):
            self = .cancelling(.cancelled)
            return .sendCancel
        case (.calling(let until), .clock(let now)):
            guard now >= until else { return .none }
            self = .cancelling(.missed)
            return .sendCancel
        case (.cancelling, .cancel), (.cancelling, .clock), (.joined, _), (.over, _): return .none
        }
    }

    private mutating func drop(_ end: SessionEnd) -> Action {
        self = .over(end)
        return .drop(end)
    }

    /// When it must be looked at again.
    public var deadline: Timestamp? {
        guard case .calling(let until) = self else { return nil }
        return until
    }
}

/// Two users ask each other at the same time (one-to-one): the lower id stays, on both sides alike.
public enum CrossedRequests: Hashable, Sendable {
    /// Ours stays: the arriving one is refused with a reason, and never alerts.
    case keepOurs
    /// Theirs stays: ours is cancelled, and theirs is accepted on the device that called.
    case takeTheirs

    /// Decides in the commit that stores the arriving request.
    public init(ours: SessionID, arriving: SessionID) { self = ours < arriving ? .keepOurs : .takeTheirs }
}
