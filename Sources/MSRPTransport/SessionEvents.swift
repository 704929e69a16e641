import MSRP
import NIOCore
import Synchronization

/// The events of a session as a sequence, for whoever reads them in a task.
///
/// A reader that is slow slows the peer down: when more than `maxUnreadBytes` wait, nothing more is read from the
/// connection until half of it has gone. Give it to one session, and read it once.
public final class SessionEvents: MSRPSessionHandler, AsyncSequence {
    private struct State {
        var unreadBytes = 0
        var session: MSRPSession?
        var isPaused = false
    }

    /// What each event counts for besides its content: many small ones are a load too.
    private static let eventBytes = 256

    private let maxUnreadBytes: Int
    private let state = Mutex(State())
    private let stream: AsyncStream<MSRPSessionEvent>
    private let continuation: AsyncStream<MSRPSessionEvent>.Continuation

    /// Makes a sequence for one session.
    public init(maxUnreadBytes: Int = TransportLimits().maxUnreadEventBytes) {
        self.maxUnreadBytes = maxUnreadBytes
        (self.stream, self.continuation) = AsyncStream.makeStream()
    }

    /// Takes an event of the session.
    public func session(_ session: MSRPSession, did event: MSRPSessionEvent) {
        let pauses = self.state.withLock { state in
            state.unreadBytes += Self.weight(of: event)
            guard state.unreadBytes > self.maxUnreadBytes, !state.isPaused else { return false }
            state.isPaused = true
            state.session = session
            return true
        }
        self.continuation.yield(event)
        if case .closed = event { self.continuation.finish() }
        if pauses { session.setReading(false) }
    }

    private func wasRead(_ event: MSRPSessionEvent) {
        let resumed: MSRPSession? = self.state.withLock { state in
            state.unreadBytes -= Self.weight(of: event)
            guard state.isPaused, state.unreadBytes <= self.maxUnreadBytes / 2 else { return nil }
            state.isPaused = false
            return state.session.take()
        }
        resumed?.setReading(true)
    }

    private static func weight(of event: MSRPSessionEvent) -> Int {
        if case .content(_, _, let bytes) = event { bytes.readableBytes + self.eventBytes } else { self.eventBytes }
    }

    /// Reads the events.
    public struct AsyncIterator: AsyncIteratorProtocol {
        var base: AsyncStream<MSRPSessionEvent>.AsyncIterator
        let owner: SessionEvents

        /// The next event; none after the session was closed.
        public mutating func next() async -> MSRPSessionEvent? {
            guard let event = await self.base.next() else { return nil }
            self.owner.wasRead(event)
            return event
        }
    }

    /// Begins to read.
    public func makeAsyncIterator() -> AsyncIterator {
        AsyncIterator(base: self.stream.makeAsyncIterator(), owner: self)
    }
}
