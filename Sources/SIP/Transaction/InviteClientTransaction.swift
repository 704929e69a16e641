public import NIOCore

/// The client side of an INVITE (RFC 3261 section 17.1.1 as corrected by RFC 6026 section 8.4).
///
/// ```
///             INVITE sent
///                  |
///  A: resend   +-------+  B, error
///     +------->|calling|-------------------------------+
///     +--------|       |---- 2xx ---------------+      |
///              +-------+                        |      |
///             1xx |   | 300-699: ACK            |      |
///          +----------+------+                  |      |
///          |proceeding|---- 2xx ----------------|      |
///          +----------+      |                  v      |
///       300-699: ACK |       |            +--------+   |
///              +---------+<--+            |accepted|   |
///              |completed|                +--------+   |
///              +---------+                     | M     |
///                   | D, error                 |       |
///                   v                          v       v
///              +-------------------------------------------+
///              |                terminated                 |
///              +-------------------------------------------+
/// ```
public struct InviteClientTransaction: Sendable, Hashable {
    /// Where the transaction stands.
    public enum State: Sendable, Hashable {
        /// The INVITE was sent and nothing came back (timers A and B).
        case calling(resend: Retransmission?, timeout: NIODeadline)
        /// A provisional response came.
        case proceeding
        /// A 300 to 699 came and was acknowledged (timer D).
        case completed(until: NIODeadline)
        /// A 2xx came; more of them may come from forks (timer M).
        case accepted(until: NIODeadline)
        /// The transaction is over.
        case terminated
    }

    /// What the owner does next.
    public enum Action: Sendable, Hashable {
        /// Nothing.
        case none
        /// Send the INVITE again.
        case resend
        /// Hand the response to the transaction user.
        case deliver
        /// Hand the response to the transaction user and send an ACK for it.
        case deliverAndAcknowledge
        /// Send the ACK again; the user has seen this response.
        case acknowledge
        /// Tell the user that nobody answered (as a 408).
        case timedOut
        /// Tell the user that the transport failed (as a 503).
        case transportFailed
        /// The transaction ended quietly; forget it.
        case terminated
    }

    /// Where the transaction stands.
    public private(set) var state: State
    private let timers: TransactionTimers
    private let isReliable: Bool

    /// Starts with the INVITE being sent at `now`.
    public init(now: NIODeadline, isReliable: Bool, timers: TransactionTimers = TransactionTimers()) {
        self.timers = timers
        self.isReliable = isReliable
        self.state = .calling(
            resend: isReliable ? nil : Retransmission(first: timers.t1, from: now),
            timeout: now + timers.transaction
        )
    }

    init(state: State, isReliable: Bool, timers: TransactionTimers) {
        self.state = state
        self.isReliable = isReliable
        self.timers = timers
    }

    /// When to call ``timeReached(_:)`` at the latest, nil when no timer runs.
    public var deadline: NIODeadline? {
        switch self.state {
        case .calling(let resend, let timeout): earliest(resend?.at, timeout)
        case .completed(let until), .accepted(let until): until
        case .proceeding, .terminated: nil
        }
    }

    /// A response arrived.
    public mutating func received(_ response: ResponseClass, now: NIODeadline) -> Action {
        switch (self.state, response) {
        case (.calling, .provisional), (.proceeding, .provisional):
            self.state = .proceeding
            return .deliver
        case (.calling, .success), (.proceeding, .success):
            self.state = .accepted(until: now + self.timers.transaction)
            return .deliver
        case (.calling, .failure), (.proceeding, .failure):
            self.state = self.isReliable ? .terminated : .completed(until: now + self.timers.timerD)
            return .deliverAndAcknowledge
        case (.accepted, .success):
            return .deliver
        case (.completed, .failure):
            return .acknowledge
        case (.accepted, .provisional), (.accepted, .failure), (.completed, .provisional), (.completed, .success),
            (.terminated, _):
            return .none
        }
    }

    /// Time passed; may be called early or often.
    public mutating func timeReached(_ now: NIODeadline) -> Action {
        switch self.state {
        case .calling(_, let timeout) where now >= timeout:
            self.state = .terminated
            return .timedOut
        case .calling(let resend?, let timeout) where now >= resend.at:
            self.state = .calling(resend: resend.next(from: now, limit: nil), timeout: timeout)
            return .resend
        case .completed(let until) where now >= until, .accepted(let until) where now >= until:
            self.state = .terminated
            return .terminated
        case .calling, .proceeding, .completed, .accepted, .terminated:
            return .none
        }
    }

    /// The transport could not send.
    public mutating func transportFailed() -> Action {
        switch self.state {
        case .calling, .proceeding, .completed:
            self.state = .terminated
            return .transportFailed
        case .accepted, .terminated:
            // The ACK to a 2xx is not of this transaction (RFC 6026 section 8.4).
            return .none
        }
    }

    /// The owner gives up waiting, for a proxy's timer C or after a CANCEL that nobody answered.
    public mutating func abandon() -> Action {
        switch self.state {
        case .calling, .proceeding:
            self.state = .terminated
            return .timedOut
        case .completed, .accepted, .terminated:
            return .none
        }
    }
}
