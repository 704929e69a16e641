public import NIOCore

/// The client side of a request that is no INVITE (RFC 3261 section 17.1.2).
///
/// ```
///                   request sent
///                        |
///    E: resend       +------+  F, error
///        +---------->|trying|-------------------+
///        +-----------|      |-- 200-699 --+     |
///                    +------+             |     |
///                   1xx  |                |     |
///    E: resend    +----------+ F, error   |     |
///        +------->|proceeding|------------|---->|
///        +--------|          | 200-699    |     |
///                 +----------+----------->|     |
///                                         v     |
///                                 +---------+   |
///                                 |completed|   |
///                                 +---------+   |
///                                      | K      |
///                                      v        v
///                                   +--------------+
///                                   |  terminated  |
///                                   +--------------+
/// ```
public struct NonInviteClientTransaction: Sendable, Hashable {
    /// Where the transaction stands.
    public enum State: Sendable, Hashable {
        /// The request was sent and nothing came back (timers E and F).
        case trying(resend: Retransmission?, timeout: NIODeadline)
        /// A provisional response came (timers E and F).
        case proceeding(resend: Retransmission?, timeout: NIODeadline)
        /// A final response came (timer K).
        case completed(until: NIODeadline)
        /// The transaction is over.
        case terminated
    }

    /// What the owner does next.
    public enum Action: Sendable, Hashable {
        /// Nothing.
        case none
        /// Send the request again.
        case resend
        /// Hand the response to the transaction user.
        case deliver
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

    /// Starts with the request being sent at `now`.
    public init(now: NIODeadline, isReliable: Bool, timers: TransactionTimers = TransactionTimers()) {
        self.timers = timers
        self.isReliable = isReliable
        self.state = .trying(
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
        case .trying(let resend, let timeout), .proceeding(let resend, let timeout): earliest(resend?.at, timeout)
        case .completed(let until): until
        case .terminated: nil
        }
    }

    /// A response arrived.
    public mutating func received(_ response: ResponseClass, now: NIODeadline) -> Action {
        switch (self.state, response) {
        case (.trying(let resend, let timeout), .provisional):
            self.state = .proceeding(resend: resend, timeout: timeout)
            return .deliver
        case (.proceeding, .provisional):
            return .deliver
        case (.trying, .success), (.trying, .failure), (.proceeding, .success), (.proceeding, .failure):
            self.state = self.isReliable ? .terminated : .completed(until: now + self.timers.t4)
            return .deliver
        case (.completed, _), (.terminated, _):
            return .none
        }
    }

    /// Time passed; may be called early or often.
    public mutating func timeReached(_ now: NIODeadline) -> Action {
        switch self.state {
        case .trying(_, let timeout) where now >= timeout, .proceeding(_, let timeout) where now >= timeout:
            self.state = .terminated
            return .timedOut
        case .trying(let resend?, let timeout) where now >= resend.at:
            self.state = .trying(resend: resend.next(from: now, limit: self.timers.t2), timeout: timeout)
            return .resend
        case .proceeding(let resend?, let timeout) where now >= resend.at:
            self.state = .proceeding(resend: Retransmission(first: self.timers.t2, from: now), timeout: timeout)
            return .resend
        case .completed(let until) where now >= until:
            self.state = .terminated
            return .terminated
        case .trying, .proceeding, .completed, .terminated:
            return .none
        }
    }

    /// The transport could not send.
    public mutating func transportFailed() -> Action {
        switch self.state {
        case .trying, .proceeding:
            self.state = .terminated
            return .transportFailed
        case .completed, .terminated:
            return .none
        }
    }
}
