public import NIOCore

/// Keeps a session alive with refreshes, and ends it when they stop (RFC 4028).
public struct SessionTimer: Sendable, Hashable {
    /// Where the timer stands.
    public enum State: Sendable, Hashable {
        /// The peer does not want a session timer, or none was negotiated yet.
        case off
        /// We refresh at this time; the session ends at the other.
        case refreshing(at: NIODeadline, expires: NIODeadline)
        /// We sent a refresh and wait for its answer.
        case refreshSent(expires: NIODeadline)
        /// The peer refreshes; without a refresh we send BYE at this time.
        case waiting(until: NIODeadline)
        /// The session ended.
        case expired
    }

    /// What the owner does next.
    public enum Action: Sendable, Hashable {
        /// Nothing.
        case none
        /// Send a refresh: an UPDATE without a description, or a re-INVITE.
        case refresh
        /// Send BYE: the session is not alive any more.
        case end
    }

    /// The lowest session interval that RFC 4028 allows, in seconds.
    public static let absoluteMinimum: UInt32 = 90

    /// Where the timer stands.
    public private(set) var state: State

    /// Starts without a timer.
    public init() { self.state = .off }

    init(state: State) { self.state = state }

    /// When to call ``timeReached(_:)``, nil when no timer runs.
    public var deadline: NIODeadline? {
        switch self.state {
        case .refreshing(let at, _): at
        case .refreshSent(let expires): expires
        case .waiting(let until): until
        case .off, .expired: nil
        }
    }

    /// A 2xx to an INVITE or UPDATE was sent or received with these values; each such answer starts the interval anew.
    ///
    /// - Parameters:
    ///   - value: Session-Expires of the 2xx, nil when it has none, which ends the timer.
    ///   - isRequester: Whether we sent the request.
    public mutating func agreed(_ value: SessionExpires?, isRequester: Bool, now: NIODeadline) {
        guard let value, value.seconds > 0 else {
            self.state = .off
            return
        }
        // Nobody may ask for less (section 5): what an answer says all the same would have us refresh without a pause.
        let interval = TimeAmount.seconds(Int64(max(value.seconds, isRequester ? Self.absoluteMinimum : 1)))
        let refreshes = (value.refresher ?? .uas) == (isRequester ? .uac : .uas)
        if refreshes {
            self.state = .refreshing(at: now + interval.divided(by: 2), expires: now + interval)
        } else {
            // Before the end by a third of the interval, at most 32 seconds (RFC 4028 section 10).
            self.state = .waiting(until: now + interval - min(.seconds(32), interval.divided(by: 3)))
        }
    }

    /// A refresh failed.
    ///
    /// A 408 or 481 ends the session; anything else is tried again halfway to the end.
    public mutating func refreshFailed(_ status: SIPStatus, now: NIODeadline) -> Action {
        guard case .refreshSent(let expires) = self.state else { return .none }
        guard status != 408, status != 481, now < expires else {
            self.state = .expired
            return .end
        }
        self.state = .refreshing(at: now + (expires - now).divided(by: 2), expires: expires)
        return .none
    }

    /// Time passed.
    public mutating func timeReached(_ now: NIODeadline) -> Action {
        switch self.state {
        case .refreshing(let at, let expires) where now >= at:
            self.state = .refreshSent(expires: expires)
            return .refresh
        case .refreshSent(let expires) where now >= expires, .waiting(let expires) where now >= expires:
            self.state = .expired
            return .end
        case .off, .refreshing, .refreshSent, .waiting, .expired:
            return .none
        }
    }

    /// The session ended otherwise.
    public mutating func stop() { self.state = .off }
}

extension SessionTimer {
    /// What a UAS answers as far as session timers go (RFC 4028 section 9).
    public enum Offer: Sendable, Hashable {
        /// Answer 422 with this Min-SE.
        case tooSmall(minimum: UInt32)
        /// Put this Session-Expires into the 2xx, and `Require: timer` when the peer refreshes.
        case use(SessionExpires, requireTimer: Bool)
        /// No session timer.
        case none
    }

    /// Decides on the session timer of an INVITE or UPDATE that arrived.
    ///
    /// - Parameters:
    ///   - minimum: The lowest interval that we take, in seconds; never below ``absoluteMinimum``.
    ///   - preferred: The interval that we ask for when the peer names none, nil for no timer.
    /// - Throws: What Session-Expires and Min-SE throw.
    public static func negotiate(
        _ request: SIPMessage,
        minimum: UInt32,
        preferred: UInt32?
    ) throws(SIPError) -> Offer {
        let minimum = max(minimum, self.absoluteMinimum)
        let isSupported = request.hasOption("timer", in: .supported) || request.hasOption("timer", in: .require)
        let floor = max(try request.minimumSessionExpires() ?? 0, minimum)
        guard let wanted = try request.sessionExpires() else {
            guard let preferred else { return .none }
            return .use(SessionExpires(seconds: max(preferred, floor), refresher: .uas), requireTimer: false)
        }
        if wanted.seconds < minimum {
            // A 422 to someone who does not understand session timers would end the call; a proxy added the header.
            guard isSupported else {
                return .use(SessionExpires(seconds: floor, refresher: .uas), requireTimer: false)
            }
            return .tooSmall(minimum: minimum)
        }
        guard isSupported else {
            return .use(SessionExpires(seconds: wanted.seconds, refresher: .uas), requireTimer: false)
        }
        let refresher = wanted.refresher ?? .uac
        return .use(SessionExpires(seconds: wanted.seconds, refresher: refresher), requireTimer: refresher == .uac)
    }
}
