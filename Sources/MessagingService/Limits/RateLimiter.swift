import Synchronization

/// A rate for each key, in bounded memory.
///
/// Two generations: when the younger is full the older is dropped, so that a flood of keys costs no search and an
/// active key is never forgotten before `capacity` others were seen.
package final class RateLimiter<Key: Hashable & Sendable>: Sendable {
    private struct Tables {
        var young: [Key: TokenBucket] = [:]
        var old: [Key: TokenBucket] = [:]
    }

    package let rate: Rate
    private let capacity: Int
    private let tables = Mutex(Tables())

    package init(_ rate: Rate, capacity: Int) {
        self.rate = rate
        self.capacity = capacity
    }

    /// Counts an event.
    /// - Returns: nil when it may happen, else the milliseconds to wait.
    package func take(_ key: Key, now: Int64) -> Int64? {
        tables.withLock { tables in
            var bucket = tables.young[key] ?? tables.old[key] ?? TokenBucket(rate, now: now)
            let wait = bucket.take(rate, now: now)
            store(bucket, key, &tables)
            return wait
        }
    }

    /// Takes the last event of the key back.
    package func giveBack(_ key: Key) {
        tables.withLock { tables in
            guard var bucket = tables.young[key] ?? tables.old[key] else { return }
            bucket.giveBack(rate)
            store(bucket, key, &tables)
        }
    }

    /// Keys remembered now; at most twice the capacity.
    package var count: Int { tables.withLock { $0.young.count + $0.old.count } }

    private func store(_ bucket: TokenBucket, _ key: Key, _ tables: inout Tables) {
        if tables.young[key] == nil, tables.young.count >= capacity {
            tables.old = tables.young
            tables.young = [:]
        }
        tables.young[key] = bucket
    }
}
