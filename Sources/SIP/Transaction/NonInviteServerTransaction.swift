public import NIOCore

/// The server side of a request that is no INVITE (RFC 3261 section 17.2.2).
///
/// ```
///              request received
///                     |
///                 +------+
///                 |trying|-- 200-699 --------+
///                 +------+                   |
///                  1xx |                     |
///   request, 1xx +----------+                |
///        +------>|proceeding|-- 200-699 ---->|
///        +-------|          |                v
///                +----------+          +---------+  request: resend
///                  | error             |completed|<-+
///                  |                   +---------+--+
///                  v                       | J, error
///               +-----------------------------+
///               |         terminated          |
///               +-----------------------------+
/// ```
public struct NonInviteServerTransaction: Sendable, Hashable {
    /// Where the transaction stands.
    public enum State: Sendable, Hashable {
        /// No response was sent.
        case trying
        /// A provisional response was sent.
        case proceeding
        /// A final response was sent (timer J).
        case completed(until: NIODeadline)
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

    /// Starts with a request that just arrived.
    public init(isReliable: Bool, timers: TransactionTimers = TransactionTimers()) {
        self.timers = timers
        self.isReliable = isReliable
        self.state = .trying
    }

    init(state: State, isReliable: Bool, timers: TransactionTimers) {
        self.state = state
        self.isReliable = isReliable
        self.timers = timers
    }

    /// When to call ``timeReached(_:)`` at the latest, nil when no timer runs.
    public var deadline: NIODeadline? {
        if case .completed(let until) = self.state { until } else { nil }
    }

    /// The request arrived again.
    public mutating func receivedRequest() -> Action {
        switch self.state {
        case .trying, .terminated: .none
        case .proceeding, .completed: .resend
        }
    }

    /// The user sends a response.
    ///
    /// On a reliable transport a final response ends the transaction at once, and the action is still
    /// ``Action/send``: look at ``state``.
    public mutating func send(_ response: ResponseClass, now: NIODeadline) -> Action {
        switch (self.state, response) {
        case (.trying, .provisional), (.proceeding, .provisional):
            self.state = .proceeding
            return .send
        case (.trying, .success), (.trying, .failure), (.proceeding, .success), (.proceeding, .failure):
            self.state = self.isReliable ? .terminated : .completed(until: now + self.timers.transaction)
            return .send
        case (.completed, _), (.terminated, _):
            return .refused
        }
    }

    /// Time passed; may be called early or often.
    public mutating func timeReached(_ now: NIODeadline) -> Action {
        switch self.state {
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
        case .proceeding, .completed:
            self.state = .terminated
            return .transportFailed
        case .trying, .terminated:
            return .none
        }
    }
}
