public import NIOCore

/// Which end opens the connection (RFC 4975 section 5.4, RFC 6135).
public enum ConnectionRole: Sendable, Hashable, CaseIterable {
    /// This end connects, and binds the session with its first SEND.
    case active
    /// This end waits to be connected to.
    case passive
}

/// Names a connection of the caller's.
public struct ConnectionID: Sendable, Hashable {
    /// Any number; the caller's business.
    public let rawValue: UInt64

    /// Makes a name.
    public init(_ rawValue: UInt64) { self.rawValue = rawValue }
}

/// The life of a session: unbound, bound to one connection, broken and bound again, closed.
///
/// ```
///   active:   idle -> connecting -> binding -> established
///                      ^      |        |            |
///                      |      v        v            v   (refused, or broken)
///                      +---- waiting (back-off) <---+
///   passive:  idle -> awaiting peer ---------> established -> broken -> (bound again) established
///   any:      -> closed
/// ```
///
/// An active end sends an empty SEND as soon as it is connected and holds its messages back until that is answered: a
/// peer that does not know the session says so before any content is lost on it.
public struct SessionLifecycle: Sendable {
    private enum State {
        case idle
        case connecting(attempt: Int, deadline: NIODeadline, isResuming: Bool)
        case binding(ConnectionID, attempt: Int, deadline: NIODeadline, isResuming: Bool)
        case waiting(attempt: Int, until: NIODeadline, isResuming: Bool)
        case awaitingPeer(deadline: NIODeadline)
        case established(ConnectionID)
        case broken(deadline: NIODeadline)
        case closed(MSRPError)
    }

    /// The names of the states.
    public enum Phase: Sendable, Hashable, CaseIterable {
        /// Nothing was done yet.
        case idle
        /// The active end opens a connection.
        case connecting
        /// The active end waits for the answer to its first SEND.
        case binding
        /// The active end waits before it tries again.
        case waiting
        /// The passive end waits for its peer.
        case awaitingPeer
        /// Messages can flow.
        case established
        /// The passive end waits for its peer to come back.
        case broken
        /// It is over.
        case closed
    }

    /// What to do next; the machine performs no I/O.
    public enum Action: Sendable, Hashable {
        /// Open a connection.
        case connect
        /// Nothing but waiting, until ``SessionLifecycle/nextDeadline``.
        case wait
        /// Send an empty SEND on the connection.
        case bind
        /// Messages can flow; `resumed` when the session had a connection before.
        case established(resumed: Bool)
        /// Answer the request of the peer with the status.
        case refuse(MSRPStatus)
        /// The session is over because of the error; let go of its connection.
        case close(MSRPError.Code)
        /// Nothing has changed.
        case ignore
    }

    /// Which end opens the connection.
    public let role: ConnectionRole
    private let limits: MSRPLimits
    private var state = State.idle

    /// Makes a session that has not begun.
    public init(role: ConnectionRole, limits: MSRPLimits = .init()) {
        self.role = role
        self.limits = limits
    }

    /// Where the session is.
    public var phase: Phase {
        switch self.state {
        case .idle: .idle
        case .connecting: .connecting
        case .binding: .binding
        case .waiting: .waiting
        case .awaitingPeer: .awaitingPeer
        case .established: .established
        case .broken: .broken
        case .closed: .closed
        }
    }

    /// The connection that the session is bound, or being bound, to.
    public var connection: ConnectionID? {
        switch self.state {
        case .binding(let connection, _, _, _), .established(let connection): connection
        case .idle, .connecting, .waiting, .awaitingPeer, .broken, .closed: nil
        }
    }

    /// Why the session is over.
    public var closeReason: MSRPError? {
        if case .closed(let error) = self.state { error } else { nil }
    }

    /// When ``timerFired(now:)`` is due.
    public var nextDeadline: NIODeadline? {
        switch self.state {
        case .connecting(_, let deadline, _), .binding(_, _, let deadline, _), .awaitingPeer(let deadline),
            .broken(let deadline):
            deadline
        case .waiting(_, let until, _): until
        case .idle, .established, .closed: nil
        }
    }

    /// Begins.
    public mutating func start(now: NIODeadline) -> Action {
        guard case .idle = self.state else { return .ignore }
        switch self.role {
        case .active:
            self.state = .connecting(attempt: 1, deadline: now + self.limits.connectTimeout, isResuming: false)
            return .connect
        case .passive:
            self.state = .awaitingPeer(deadline: now + self.limits.peerTimeout)
            return .wait
        }
    }

    /// Hears that the connection that was asked for is open.
    public mutating func connected(_ connection: ConnectionID, now: NIODeadline) -> Action {
        guard case .connecting(let attempt, _, let isResuming) = self.state else { return .ignore }
        self.state = .binding(
            connection,
            attempt: attempt,
            deadline: now + self.limits.transactionTimeout,
            isResuming: isResuming
        )
        return .bind
    }

    /// Hears that the connection that was asked for cannot be opened.
    public mutating func connectFailed(now: NIODeadline) -> Action {
        guard case .connecting(let attempt, _, let isResuming) = self.state else { return .ignore }
        return self.retry(after: attempt, isResuming: isResuming, now: now)
    }

    /// Hears the answer to the first SEND.
    ///
    /// When it is ``Action/wait``, the session lets go of the connection, which is otherwise well.
    public mutating func bindAnswered(_ status: MSRPStatus, now: NIODeadline) -> Action {
        guard case .binding(let connection, let attempt, _, let isResuming) = self.state else { return .ignore }
        // The peer has not noticed yet that the connection before this one is gone.
        if isResuming, status == .alreadyBound { return self.retry(after: attempt, isResuming: true, now: now) }
        guard status.isSuccess else { return self.close(.init(.refused, "the peer answered \(status.rawValue)")) }
        self.state = .established(connection)
        return .established(resumed: isResuming)
    }

    /// Hears a request for this session on a connection.
    ///
    /// The connection that a passive session first hears of is the one that it is bound to; on any other one the
    /// request is refused with 506 (RFC 4975 section 7.3).
    public mutating func requestReceived(on connection: ConnectionID) -> Action {
        switch self.state {
        case .awaitingPeer:
            self.state = .established(connection)
            return .established(resumed: false)
        case .broken:
            self.state = .established(connection)
            return .established(resumed: true)
        case .established(let bound), .binding(let bound, _, _, _):
            return bound == connection ? .ignore : .refuse(.alreadyBound)
        case .idle, .connecting, .waiting, .closed:
            return .refuse(.noSuchSession)
        }
    }

    /// Hears that a connection is gone.
    public mutating func connectionLost(_ connection: ConnectionID, now: NIODeadline) -> Action {
        switch self.state {
        case .binding(let bound, let attempt, _, let isResuming) where bound == connection:
            return self.retry(after: attempt, isResuming: isResuming, now: now)
        case .established(let bound) where bound == connection:
            switch self.role {
            case .active:
                // Not at once: a peer that accepts and hangs up would be called in a tight loop.
                self.state = .waiting(attempt: 0, until: now + self.limits.reconnectDelay, isResuming: true)
                return .wait
            case .passive:
                self.state = .broken(deadline: now + self.limits.resumeTimeout)
                return .wait
            }
        case .idle, .connecting, .binding, .waiting, .awaitingPeer, .established, .broken, .closed:
            return .ignore
        }
    }

    /// Hears that a deadline may have passed.
    public mutating func timerFired(now: NIODeadline) -> Action {
        guard let deadline = self.nextDeadline, deadline <= now else { return .ignore }
        switch self.state {
        case .connecting(let attempt, _, let isResuming):
            return self.retry(after: attempt, isResuming: isResuming, now: now)
        case .waiting(let attempt, _, let isResuming):
            self.state = .connecting(
                attempt: attempt + 1,
                deadline: now + self.limits.connectTimeout,
                isResuming: isResuming
            )
            return .connect
        case .binding:
            return self.close(.init(.transactionTimeout, "the first SEND was not answered"))
        case .awaitingPeer: return self.close(.init(.peerTimeout, "the peer did not connect"))
        case .broken: return self.close(.init(.peerTimeout, "the peer did not come back"))
        case .idle, .established, .closed: return .ignore
        }
    }

    /// Ends the session.
    public mutating func close(_ error: MSRPError) -> Action {
        if case .closed = self.state { return .ignore }
        self.state = .closed(error)
        return .close(error.code)
    }

    private mutating func retry(after attempt: Int, isResuming: Bool, now: NIODeadline) -> Action {
        guard attempt < self.limits.maxConnectAttempts else {
            return self.close(.init(.connectFailed, "\(attempt) connections failed"))
        }
        // The delay doubles; 2^10 times the first one is where it stays.
        let delay = self.limits.reconnectDelay * (1 << min(attempt - 1, 10))
        self.state = .waiting(attempt: attempt, until: now + delay, isResuming: isResuming)
        return .wait
    }
}
