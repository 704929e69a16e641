import Synchronization

/// Who is told after each batch of a store.
///
/// The closure stands in a structure: a bare one in a generic box comes back wrapped once more from every access, and a
/// store that is never restarted would call through all the wrappings of its life.
public final class BatchObservation: Sendable {
    private struct Observer {
        var call: @Sendable (BatchOutcome) -> Void
    }

    private let observer = Mutex<Observer?>(nil)

    /// Tells nobody yet.
    public init() {}

    /// Sets whom to tell.
    public func set(_ observer: @escaping @Sendable (BatchOutcome) -> Void) {
        self.observer.withLock { $0 = Observer(call: observer) }
    }

    /// Tells of a batch.
    public func tell(_ outcome: BatchOutcome) {
        let observer = observer.withLock { $0 }
        observer?.call(outcome)
    }
}
