import Synchronization

/// Work from other threads for one place, such as an event loop: what is added before it is taken shares one wake-up.
public final class WorkQueue: Sendable {
    private let waiting = Mutex<[@Sendable () -> Void]>([])

    /// An empty queue.
    public init() {}

    /// - Returns: whether the place has to be woken; it is awake, or about to be, otherwise.
    public func add(_ work: @escaping @Sendable () -> Void) -> Bool {
        waiting.withLock { waiting in
            waiting.append(work)
            return waiting.count == 1
        }
    }

    /// All that waits, in the order it came.
    public func takeAll() -> [@Sendable () -> Void] {
        waiting.withLock { waiting in
            let taken = waiting
            waiting = []
            return taken
        }
    }
}
