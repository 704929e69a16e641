public import NIOCore

/// Keeps a flow of datagrams open through NATs, and tells when it broke (RFC 5626 section 4.4.2).
///
/// ```
///              time                     answers to all 7 missing, or another address
///   +-------+  send   +-----+  ---------------------------------------> +------+
///   |resting|-------->|asked|                                           |broken|
///   |       |<--------|     |--+ time: send again                       +------+
///   +-------+  answer +-----+<-+
/// ```
public struct STUNKeepAlive: Sendable, Hashable {
    /// Where it stands.
    public enum State: Sendable, Hashable {
        /// Nothing is asked until then.
        case resting(until: NIODeadline)
        /// So many requests with this identifier were sent, and the next step is due then.
        case asked(STUNMessage.Identifier, sent: Int, until: NIODeadline)
        /// The flow is of no use any more.
        case broken
    }

    /// What the owner does next.
    public enum Action: Sendable, Hashable {
        /// Nothing.
        case none
        /// Send a request with this identifier.
        case send(STUNMessage.Identifier)
        /// Give the flow up.
        case broken
    }

    /// How often a request is sent (RFC 5389 section 7.2.1, Rc).
    public static let attempts = 7

    /// Where it stands.
    public private(set) var state: State
    /// Where the server saw us first; when it sees us elsewhere the NAT has forgotten the flow.
    public private(set) var mapped: SocketAddress?
    private let interval: TimeAmount
    private let timeout: TimeAmount

    /// Starts to ask at once.
    ///
    /// - Parameters:
    ///   - interval: The longest time between an answer and the next question.
    ///   - timeout: The time before a request is sent again, which doubles each time (RTO).
    public init(interval: TimeAmount, timeout: TimeAmount = .milliseconds(500), now: NIODeadline) {
        self.interval = interval
        self.timeout = timeout
        self.state = .resting(until: now)
    }

    /// When to call ``timeReached(_:identifier:)`` at the latest.
    public var deadline: NIODeadline? {
        switch self.state {
        case .resting(let until), .asked(_, _, let until): until
        case .broken: nil
        }
    }

    /// Time passed; may be called early or often.
    ///
    /// - Parameter identifier: A fresh random identifier.
    public mutating func timeReached(_ now: NIODeadline, identifier: STUNMessage.Identifier) -> Action {
        switch self.state {
        case .resting(let until) where now >= until:
            self.state = .asked(identifier, sent: 1, until: now + self.timeout)
            return .send(identifier)
        case .asked(let asked, let sent, let until) where now >= until:
            guard sent < Self.attempts else { return self.give() }
            // The last one is waited for 16 times as long as the first (RFC 5389 section 7.2.1, Rm).
            let wait = sent + 1 == Self.attempts ? self.timeout * 16 : self.timeout * (1 << sent)
            self.state = .asked(asked, sent: sent + 1, until: now + wait)
            return .send(asked)
        case .resting, .asked, .broken:
            return .none
        }
    }

    /// A message arrived from the server.
    ///
    /// - Parameter random: A random number, by which the next question comes up to a fifth earlier.
    public mutating func received(_ message: STUNMessage, now: NIODeadline, random: UInt64) -> Action {
        guard case .asked(let asked, _, _) = self.state else { return .none }
        switch message {
        case .success(asked, let mapped):
            if let known = self.mapped, let mapped, known != mapped { return self.give() }
            self.mapped = self.mapped ?? mapped
            let earlier = self.interval.nanoseconds / 5 * Int64(random % 1024) / 1024
            self.state = .resting(until: now + self.interval - .nanoseconds(earlier))
            return .none
        case .failure(asked, _, _):
            return self.give()
        case .request, .success, .failure:
            return .none
        }
    }

    private mutating func give() -> Action {
        self.state = .broken
        return .broken
    }
}
