/// How often something may happen.
public struct Rate: Sendable, Hashable {
    /// So often at once.
    public var burst: Double
    /// And so often in the long run.
    public var perSecond: Double

    /// A rate; `perSecond` is above 0.
    public init(burst: Double, perSecond: Double) {
        self.burst = burst
        self.perSecond = perSecond
    }
}

/// One counter of a rate: it fills with time and each event takes one token.
package struct TokenBucket: Hashable, Sendable {
    private var tokens: Double
    private var filled: Int64

    /// A full bucket; times are milliseconds of a clock that never goes back.
    package init(_ rate: Rate, now: Int64) {
        tokens = rate.burst
        filled = now
    }

    /// Takes a token.
    /// - Returns: nil when there was one, else the milliseconds until there is.
    package mutating func take(_ rate: Rate, now: Int64) -> Int64? {
        refill(rate, now: now)
        guard tokens >= 1 else { return Int64(((1 - tokens) / rate.perSecond * 1000).rounded(.up)) }
        tokens -= 1
        return nil
    }

    /// Gives a token back: the event did not count after all.
    package mutating func giveBack(_ rate: Rate) { tokens = min(rate.burst, tokens + 1) }

    private mutating func refill(_ rate: Rate, now: Int64) {
        guard now > filled else { return }
        tokens = min(rate.burst, tokens + Double(now - filled) / 1000 * rate.perSecond)
        filled = now
    }
}
