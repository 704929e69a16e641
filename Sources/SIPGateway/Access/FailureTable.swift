/// Counts failures by key within a window, and bans a key that had too many for a while.
///
/// The number of keys is bounded: when it is reached, those that have run out go, then the one that was first.
struct FailureTable<Key: Hashable & Sendable>: Sendable {
    private struct Entry {
        var count: Int
        /// When the count begins anew, or the ban ends.
        var until: Int64
        var isBanned: Bool
    }

    private let allowed: Int
    private let windowMilliseconds: Int64
    private let banMilliseconds: Int64
    private let capacity: Int
    private var entries: [Key: Entry] = [:]

    init(allowed: Int, windowMilliseconds: Int64, banMilliseconds: Int64, capacity: Int) {
        self.allowed = max(1, allowed)
        self.windowMilliseconds = windowMilliseconds
        self.banMilliseconds = banMilliseconds
        self.capacity = max(1, capacity)
    }

    var count: Int { entries.count }

    /// Milliseconds until the key is heard again; nil when it is not banned.
    func ban(of key: Key, now: Int64) -> Int64? {
        guard let entry = entries[key], entry.isBanned, entry.until > now else { return nil }
        return entry.until - now
    }

    /// Notes a failure.
    /// - Returns: whether it led to a ban.
    mutating func failed(_ key: Key, now: Int64) -> Bool {
        makeRoom(for: key, now: now)
        var entry = entries[key] ?? Entry(count: 0, until: now + windowMilliseconds, isBanned: false)
        if entry.until <= now { entry = Entry(count: 0, until: now + windowMilliseconds, isBanned: false) }
        entry.count += 1
        let isNew = entry.count >= allowed && !entry.isBanned
        if isNew { entry = Entry(count: entry.count, until: now + banMilliseconds, isBanned: true) }
        entries[key] = entry
        return isNew
    }

    /// The key proved itself: what it got wrong before does not count, unless it is banned.
    mutating func succeeded(_ key: Key) {
        if entries[key]?.isBanned == false { entries[key] = nil }
    }

    private mutating func makeRoom(for key: Key, now: Int64) {
        guard entries[key] == nil, entries.count >= capacity else { return }
        entries = entries.filter { $0.value.until > now }
        guard entries.count >= capacity, let first = entries.min(by: { $0.value.until < $1.value.until }) else {
            return
        }
        entries[first.key] = nil
    }
}
