import NIOCore

/// Deadlines in buckets of a few milliseconds, so that hundreds of thousands of transactions cost one scheduled task.
struct TimerWheel<Target> {
    static var tick: TimeAmount { .milliseconds(10) }

    private var buckets: [UInt64: [Target]] = [:]
    private(set) var count = 0

    private static func bucket(_ deadline: NIODeadline) -> UInt64 {
        deadline.uptimeNanoseconds / UInt64(self.tick.nanoseconds) + 1
    }

    /// Adds a target to be looked at once the deadline has passed.
    mutating func add(_ target: Target, at deadline: NIODeadline) {
        self.buckets[Self.bucket(deadline), default: []].append(target)
        self.count += 1
    }

    /// Takes the targets whose deadline has passed, at `now`, since `from`.
    mutating func due(from: NIODeadline, now: NIODeadline) -> [Target] {
        var due: [Target] = []
        let end = now.uptimeNanoseconds / UInt64(Self.tick.nanoseconds)
        let start = from.uptimeNanoseconds / UInt64(Self.tick.nanoseconds)
        guard end >= start else { return [] }
        if end - start > UInt64(self.buckets.count) + 64 {
            for key in self.buckets.keys.filter({ $0 <= end }).sorted() {
                due += self.buckets.removeValue(forKey: key) ?? []
            }
        } else {
            for key in start...end { due += self.buckets.removeValue(forKey: key) ?? [] }
        }
        self.count -= due.count
        return due
    }
}
