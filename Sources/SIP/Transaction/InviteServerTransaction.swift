public import NIOCore

/// The server side of an INVITE (RFC 3261 section 17.2.1 as corrected by RFC 6026 section 8.5).
///
/// ```
///                    INVITE received
///                          |
///     INVITE, 1xx    +----------+
///        +---------->|proceeding|---- 2xx -----------+
///        +-----------|          |                    |
///                    +----------+                    v
///                300-699 |                      +--------+
///     INVITE, G    +---------+                  |accepted|<--+ INVITE, ACK, 2xx
///        +-------->|completed|                  +--------+---+
///        +---------|         |-- H, error --+        | L
///                  +---------+              |        |
///                ACK |                      |        |
///              +---------+                  |        |
///              |confirmed|                  |        |
///              +---------+                  |        |
///                  | I                      v        v
///              +------------------------------------------+
///              |                terminated                |
///              +------------------------------------------+
/// ```
public struct InviteServerTransaction: Sendable, Hashable {
    /// Where the transaction stands.
    public enum State: Sendable, Hashable {
        /// No final response was sent; whether a provisional one was.
        case proceeding(hasResponse: Bool)
        /// A 300 to 699 was sent (timers G and H).
        case completed(resend: Retransmission?, timeout: NIODeadline)
        /// The ACK came (timer I).
        case confirmed(until: NIODeadline)
        /// A 2xx was sent (timer L).
        case accepted(until: NIODeadline)
        /// The transaction is over.
        case terminated
    }

    /// What the owner does next.
    public enum Action: Sendable, Hashable {
        /// Nothing.
        case none
        /// Send the response that the user gave.
        case send
        /// Send the last response again.
        case resend
        /// Hand the ACK to the user: it belongs to a 2xx.
        case deliverAcknowledgement
        /// Tell the user that the ACK never came.
        case timedOut
        /// Tell the user that the transport failed.
        case transportFailed
        /// The transaction ended quietly; forget it.
        case terminated
        /// The user may not send this response any more.
        case refused
    }

    /// Where the transaction stands.
    public private(set) var state: State
    private let timers: TransactionTimers
    private let isReliable: Bool

    /// Starts with an INVITE that just arrived.
    public init(isReliable: Bool, timers: TransactionTimers = TransactionTimers()) {
        self.timers = timers
        self.isReliable = isReliable
        self.state = .proceeding(hasResponse: false)
    }

    init(state: State, isReliable: Bool, timers: TransactionTimers) {
        self.state = state
        self.isReliable = isReliable
        self.timers = timers
    }

    /// When to call ``timeReached(_:)`` at the latest, nil when no timer runs.
    public var deadline: NIODeadline? {
        switch self.state {
        case .completed(let resend, let timeout): earliest(resend?.at, timeout)
        case .confirmed(let until), .accepted(let until): until
        case .proceeding, .terminated: nil
        }
    }

    /// The INVITE arrived again.
    public mutating func receivedInvite() -> Action {
        switch self.state {
        case .proceeding(let hasResponse): hasResponse ? .resend : .none
        case .completed: .resend
        case .confirmed, .accepted, .terminated: .none
        }
    }

    /// An ACK arrived that matches the INVITE.
    public mutating func receivedAcknowledgement(now: NIODeadline) -> Action {
        switch self.state {
        case .completed:
            self.state = self.isReliable ? .terminated : .confirmed(until: now + self.timers.t4)
            return self.isReliable ? .terminated : .none
        case .accepted:
            return .deliverAcknowledgement
        case .proceeding, .confirmed, .terminated:
            return .none
        }
    }

    /// The user sends a response.
    public mutating func send(_ response: ResponseClass, now: NIODeadline) -> Action {
        switch (self.state, response) {
        case (.proceeding, .provisional):
            self.state = .proceeding(hasResponse: true)
            return .send
        case (.proceeding, .success):
            self.state = .accepted(until: now + self.timers.transaction)
            return .send
        case (.proceeding, .failure):
            self.state = .completed(
                resend: self.isReliable ? nil : Retransmission(first: self.timers.t1, from: now),
                timeout: now + self.timers.transaction
            )
            return .send
        case (.accepted, .success):
            // The user repeats its 2xx until the ACK comes (RFC 3261 section 13.3.1.4); a proxy passes on those of forks.
            return .send
        case (.accepted, _), (.completed, _), (.confirmed, _), (.terminated, _):
            return .refused
        }
    }

    /// Time passed; may be called early or often.
    public mutating func timeReached(_ now: NIODeadline) -> Action {
        switch self.state {
        case .completed(_, let timeout) where now >= timeout:
            self.state = .terminated
            return .timedOut
        case .completed(let resend?, let timeout) where now >= resend.at:
            self.state = .completed(resend: resend.next(from: now, limit: self.timers.t2), timeout: timeout)
            return .resend
        case .confirmed(let until) where now >= until, .accepted(let until) where now >= until:
            self.state = .terminated
            return .terminated
        case .proceeding, .completed, .confirmed, .accepted, .terminated:
            return .none
        }
    }

    /// The transport could not send.
    public mutating func transportFailed() -> Action {
        switch self.state {
        case .completed:
            self.state = .terminated
            return .transportFailed
        case .proceeding, .accepted:
            // A 1xx or 2xx may be sent again by the user (RFC 6026 section 8.8).
            return .transportFailed
        case .confirmed, .terminated:
            return .none
        }
    }
}
