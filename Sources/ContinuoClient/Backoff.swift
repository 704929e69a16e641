/// How long to wait before trying again: doubling up to a limit, with jitter so that devices do not come back at once.
public struct Backoff: Sendable, Equatable {
    public var first: Duration
    public var limit: Duration
    private var failures = 0

    /// Waits that begin around `first` and never exceed `limit`.
    public init(first: Duration = .milliseconds(250), limit: Duration = .seconds(30)) {
        self.first = first
        self.limit = limit
    }

    /// The next wait: between half of and the whole of the doubled time.
    /// - Parameter random: from 0 up to 1.
    public mutating func next(random: Double) -> Duration {
        let factor = Double(1 << min(failures, 20))
        failures += 1
        let whole = min(first * factor, limit)
        return whole * (0.5 + 0.5 * min(max(random, 0), 1))
    }

    /// Something worked: the next failure waits shortly again.
    public mutating func reset() { failures = 0 }
}
