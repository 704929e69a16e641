import Dispatch
import Store
import Synchronization

/// Holds a store's thread at a place inside a job or a read until the check lets it go on.
final class Gate: Sendable {
    private static let patienceSeconds = 30

    private let entered: AsyncStream<Void>
    private let enter: AsyncStream<Void>.Continuation
    private let release = DispatchSemaphore(value: 0)

    init() { (entered, enter) = AsyncStream.makeStream(of: Void.self) }

    /// Called on the store's thread: says that it is here, and waits.
    func pass() throws {
        enter.yield()
        guard release.wait(timeout: .now() + .seconds(Self.patienceSeconds)) == .success else {
            throw Violation("nobody opened the gate within \(Self.patienceSeconds) s")
        }
    }

    /// Waits until the store's thread has come to the gate.
    func reached() async {
        for await _ in entered { return }
    }

    func open() { release.signal() }
}

/// What happened, in the order in which it did.
final class Journal<Event: Sendable & Equatable>: Sendable {
    private let events = Mutex<[Event]>([])

    func note(_ event: Event) { events.withLock { $0.append(event) } }
    var all: [Event] { events.withLock { $0 } }
}

extension Store {
    /// Submits a job and returns at once; `done` is told its result.
    func submit(
        _ job: @escaping @Sendable (any WriteTransaction) throws -> Void,
        done: @escaping @Sendable (Result<Void, any Error>) -> Void = { _ in }
    ) {
        write(job, completion: done)
    }

    /// Waits for all that was submitted so far.
    func drain() async throws { try await write { _ in } }
}
