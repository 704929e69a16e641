public import NIOCore

/// The subscriber's side of one subscription (RFC 6665 section 4.1.2).
///
/// ```
///                  SUBSCRIBE sent
///                        |
///   failure, N     +-----------+  NOTIFY pending   +-------+
///     +------------|notify wait|------------------>|pending|
///     |            +-----------+                   +-------+
///     |                  | NOTIFY active               |
///     |                  v                             |
///     |              +------+     NOTIFY active        |
///     |              |active|<-------------------------+
///     |              +------+                          |
///     v                  | NOTIFY terminated, time out |
///  +--------------------------------------------------------+
///  |                      terminated                        |
///  +--------------------------------------------------------+
/// ```
public struct SubscriberMachine: Sendable, Hashable {
    /// Where the subscription stands.
    public enum State: Sendable, Hashable {
        /// SUBSCRIBE was sent; the first NOTIFY has not come (timer N).
        case notifyWait(until: NIODeadline)
        /// The notifier has not decided.
        case pending(Lease)
        /// The subscription is there.
        case active(Lease)
        /// It is over.
        case terminated
    }

    /// When to refresh and when it all ends.
    public struct Lease: Sendable, Hashable {
        /// When to send SUBSCRIBE again; nil while a refresh is on its way.
        public var refresh: NIODeadline?
        /// When the subscription runs out.
        public var expires: NIODeadline
    }

    /// What the owner does next.
    public enum Action: Sendable, Hashable {
        /// Nothing.
        case none
        /// Send SUBSCRIBE in the dialog.
        case refresh
        /// Use the body of the NOTIFY (and answer it with 200).
        case useNotification
        /// Use the body; the subscription is over, and may be made anew after that time, or never.
        case ended(retry: Retry)
        /// Answer the NOTIFY with 481: the subscription is over.
        case reject
    }

    /// Whether and when to subscribe again.
    public enum Retry: Sendable, Hashable {
        /// Never.
        case never
        /// After so many seconds.
        case after(seconds: UInt32)
    }

    /// Where the subscription stands.
    public private(set) var state: State
    private let timers: TransactionTimers

    /// Starts when SUBSCRIBE is sent.
    public init(now: NIODeadline, timers: TransactionTimers = TransactionTimers()) {
        self.timers = timers
        self.state = .notifyWait(until: now + timers.transaction)
    }

    init(state: State, timers: TransactionTimers) {
        self.state = state
        self.timers = timers
    }

    /// When to call ``timeReached(_:)``, nil when no timer runs.
    public var deadline: NIODeadline? {
        switch self.state {
        case .notifyWait(let until): until
        case .pending(let lease), .active(let lease): earliest(lease.refresh, lease.expires)
        case .terminated: nil
        }
    }

    /// A final response to a SUBSCRIBE arrived.
    ///
    /// - Parameter expires: Expires of a 2xx.
    public mutating func received(_ status: SIPStatus, expires: UInt32?, now: NIODeadline) -> Action {
        switch self.state {
        case .notifyWait:
            guard status.isFinal, !status.isSuccess else { return .none }
            self.state = .terminated
            return .ended(retry: .never)
        case .pending(let lease), .active(let lease):
            if status.isSuccess {
                self.renew(Self.lease(expires, now) ?? lease)
                return .none
            }
            // A refresh that fails leaves the subscription until it runs out, unless the notifier has lost it.
            guard status.isFinal,
                [404, 405, 410, 416, 480, 481, 482, 483, 484, 485, 489, 501, 604].contains(status.rawValue)
            else { return .none }
            self.state = .terminated
            return .ended(retry: status == 481 ? .after(seconds: 0) : .never)
        case .terminated:
            return .none
        }
    }

    /// A NOTIFY arrived.
    public mutating func notified(_ value: SubscriptionState, now: NIODeadline) -> Action {
        let old: Lease?
        switch self.state {
        case .terminated: return .reject
        case .notifyWait: old = nil
        case .pending(let lease), .active(let lease): old = lease
        }
        // The notifier's count of the time counts (RFC 6665 section 4.1.2.4).
        let lease = Self.lease(value.expires, now) ?? old ?? Lease(refresh: nil, expires: now + self.timers.transaction)
        switch value.value {
        case .terminated:
            self.state = .terminated
            return .ended(retry: Self.retry(value))
        case .pending:
            self.state = .pending(lease)
        case .active, nil:
            self.state = .active(lease)
        }
        return .useNotification
    }

    /// Time passed.
    public mutating func timeReached(_ now: NIODeadline) -> Action {
        switch self.state {
        case .notifyWait(let until) where now >= until:
            self.state = .terminated
            return .ended(retry: .after(seconds: 0))
        case .pending(let lease) where now >= lease.expires, .active(let lease) where now >= lease.expires:
            self.state = .terminated
            return .ended(retry: .after(seconds: 0))
        case .pending(let lease), .active(let lease):
            guard let refresh = lease.refresh, now >= refresh else { return .none }
            self.renew(Lease(refresh: nil, expires: lease.expires))
            return .refresh
        case .notifyWait, .terminated:
            return .none
        }
    }

    private mutating func renew(_ lease: Lease) {
        switch self.state {
        case .pending: self.state = .pending(lease)
        case .active: self.state = .active(lease)
        case .notifyWait, .terminated: break
        }
    }

    private static func lease(_ expires: UInt32?, _ now: NIODeadline) -> Lease? {
        guard let expires, expires > 0 else { return nil }
        let whole = TimeAmount.seconds(Int64(expires))
        // Well before the end, but not so early that a short subscription does nothing but refresh.
        let margin = min(.seconds(60), whole.divided(by: 5))
        return Lease(refresh: now + whole - margin, expires: now + whole)
    }

    private static func retry(_ value: SubscriptionState) -> Retry {
        switch value.reason {
        case .rejected, .noresource, .invariant: .never
        case .deactivated, .timeout: .after(seconds: 0)
        case .probation, .giveup: .after(seconds: value.retryAfter ?? 60)
        case nil: .after(seconds: value.retryAfter ?? 0)
        }
    }
}
