public import NIOCore

/// The notifier's side of one subscription (RFC 6665 section 4.2.2).
public struct NotifierMachine: Sendable, Hashable {
    /// Where the subscription stands.
    public enum State: Sendable, Hashable {
        /// The user has to decide whether the subscriber may watch.
        case pending(expires: NIODeadline)
        /// The subscriber watches.
        case active(expires: NIODeadline)
        /// It is over.
        case terminated
    }

    /// What the owner does next.
    public enum Action: Sendable, Hashable {
        /// Nothing.
        case none
        /// Send NOTIFY with this Subscription-State; with the full state unless it is pending.
        case notify(SubscriptionState)
        /// Answer SUBSCRIBE with 481: the subscription is over.
        case reject
    }

    /// Where the subscription stands.
    public private(set) var state: State

    /// Starts with a SUBSCRIBE that was answered with 2xx.
    ///
    /// - Parameters:
    ///   - expires: The seconds granted; 0 fetches the state once.
    ///   - isAuthorised: Whether the subscriber may watch already.
    /// - Returns: The machine; call ``firstNotification(now:)`` for the NOTIFY that must follow every SUBSCRIBE.
    public init(expires: UInt32, isAuthorised: Bool, now: NIODeadline) {
        let end = now + .seconds(Int64(expires))
        self.state = expires == 0 ? .terminated : isAuthorised ? .active(expires: end) : .pending(expires: end)
    }

    init(state: State) { self.state = state }

    /// When to call ``timeReached(_:)``, nil when no timer runs.
    public var deadline: NIODeadline? {
        switch self.state {
        case .pending(let expires), .active(let expires): expires
        case .terminated: nil
        }
    }

    /// The NOTIFY that follows a SUBSCRIBE at once.
    public func firstNotification(now: NIODeadline) -> Action { .notify(self.subscriptionState(now)) }

    /// SUBSCRIBE arrived in the dialog and was granted so many seconds; 0 ends the subscription.
    public mutating func refreshed(expires: UInt32, now: NIODeadline) -> Action {
        let end = now + .seconds(Int64(expires))
        if expires == 0, self.state != .terminated {
            self.state = .terminated
            return .notify(self.subscriptionState(now))
        }
        switch self.state {
        case .terminated: return .reject
        case .pending: self.state = .pending(expires: end)
        case .active: self.state = .active(expires: end)
        }
        return .notify(self.subscriptionState(now))
    }

    /// The user decided.
    public mutating func decided(isAuthorised: Bool, now: NIODeadline) -> Action {
        guard case .pending(let expires) = self.state else { return .none }
        guard isAuthorised else { return self.end(.rejected) }
        self.state = .active(expires: expires)
        return .notify(self.subscriptionState(now))
    }

    /// What is watched changed.
    public func changed(now: NIODeadline) -> Action {
        guard case .active = self.state else { return .none }
        return .notify(self.subscriptionState(now))
    }

    /// A NOTIFY failed: with 481 or without an answer the subscription is gone, and no NOTIFY follows
    /// (RFC 6665 section 4.2.2).
    public mutating func notifyFailed(_ status: SIPStatus) -> Action {
        if [404, 405, 408, 410, 416, 480, 481, 482, 483, 484, 485, 489, 501, 604].contains(status.rawValue) {
            self.state = .terminated
        }
        return .none
    }

    /// We end the subscription.
    public mutating func end(_ reason: SubscriptionState.Reason, retryAfter: UInt32? = nil) -> Action {
        guard self.state != .terminated else { return .none }
        self.state = .terminated
        return .notify(SubscriptionState(.terminated, reason: reason, retryAfter: retryAfter))
    }

    /// Time passed.
    public mutating func timeReached(_ now: NIODeadline) -> Action {
        guard let deadline = self.deadline, now >= deadline else { return .none }
        return self.end(.timeout)
    }

    private func subscriptionState(_ now: NIODeadline) -> SubscriptionState {
        switch self.state {
        case .pending(let expires): SubscriptionState(.pending, expires: Self.seconds(now, expires))
        case .active(let expires): SubscriptionState(.active, expires: Self.seconds(now, expires))
        case .terminated: SubscriptionState(.terminated, reason: .timeout)
        }
    }

    private static func seconds(_ now: NIODeadline, _ end: NIODeadline) -> UInt32 {
        end > now ? UInt32(clamping: ((end - now).nanoseconds + 999_999_999) / 1_000_000_000) : 0
    }
}
