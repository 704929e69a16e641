public import NIOCore

/// The timer values of RFC 3261 section 17 and RFC 6026.
public struct TransactionTimers: Sendable, Hashable {
    /// The estimate of a round trip.
    public var t1: TimeAmount
    /// The longest interval between retransmissions.
    public var t2: TimeAmount
    /// How long a message may stay in the network.
    public var t4: TimeAmount
    /// How long a proxy waits for a final response to an INVITE that is being answered (timer C, over 3 minutes).
    public var timerC: TimeAmount

    /// Makes timer values; the defaults are those of RFC 3261.
    public init(
        t1: TimeAmount = .milliseconds(500),
        t2: TimeAmount = .seconds(4),
        t4: TimeAmount = .seconds(5),
        timerC: TimeAmount = .seconds(181)
    ) {
        self.t1 = t1
        self.t2 = t2
        self.t4 = t4
        self.timerC = timerC
    }

    /// 64 times T1: the life of a transaction without an answer (timers B, F, H, J, L, M).
    public var transaction: TimeAmount { self.t1 * 64 }
    /// How long a client keeps a failed INVITE to absorb retransmissions on an unreliable transport (timer D).
    public var timerD: TimeAmount { max(.seconds(32), self.transaction) }
}

/// A retransmission schedule: the next time and the interval behind it.
public struct Retransmission: Sendable, Hashable {
    /// When to send again.
    public var at: NIODeadline
    /// The interval that led to ``at``.
    public var interval: TimeAmount

    init(first interval: TimeAmount, from now: NIODeadline) {
        self.interval = interval
        self.at = now + interval
    }

    func next(from now: NIODeadline, limit: TimeAmount?) -> Retransmission {
        let doubled = self.interval * 2
        return Retransmission(first: limit.map { min(doubled, $0) } ?? doubled, from: now)
    }
}

extension TimeAmount {
    func divided(by divisor: Int64) -> TimeAmount { .nanoseconds(self.nanoseconds / divisor) }
}

/// The earlier of two deadlines of which either may be missing.
func earliest(_ left: NIODeadline?, _ right: NIODeadline?) -> NIODeadline? {
    guard let left else { return right }
    guard let right else { return left }
    return min(left, right)
}

/// A response as far as transactions tell responses apart.
public enum ResponseClass: Sendable, Hashable, CaseIterable {
    /// 1xx.
    case provisional
    /// 2xx.
    case success
    /// 3xx to 6xx.
    case failure

    /// The class of a status.
    public init(_ status: SIPStatus) {
        self = status.isProvisional ? .provisional : status.isSuccess ? .success : .failure
    }
}
