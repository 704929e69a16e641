public import NIOCore

/// Sending provisional responses reliably, one at a time (RFC 3262 section 3).
public struct ReliableProvisionalSender: Sendable, Hashable {
    /// Where the sender stands.
    public enum State: Sendable, Hashable {
        /// No reliable response is open; the number that the next one gets.
        case idle(next: UInt32)
        /// A response was sent and no PRACK came.
        case unacknowledged(number: UInt32, resend: Retransmission, timeout: NIODeadline)
        /// No PRACK came in time, or the INVITE is over.
        case finished
    }

    /// What the owner does next.
    public enum Action: Sendable, Hashable {
        /// Nothing.
        case none
        /// Send the response with this RSeq and `Require: 100rel`.
        case send(number: UInt32)
        /// Send the same response again.
        case resend
        /// Answer the PRACK with 200.
        case accept
        /// Answer the PRACK with 481.
        case reject
        /// The response must wait: another one is not acknowledged.
        case wait
        /// No PRACK came: answer the INVITE with a 5xx.
        case fail
    }

    /// Where the sender stands.
    public private(set) var state: State
    private let inviteNumber: UInt32
    private let timers: TransactionTimers

    /// Starts for an INVITE.
    ///
    /// - Parameters:
    ///   - inviteNumber: Its CSeq number.
    ///   - firstNumber: The first RSeq, drawn at random between 1 and 2**31-1; other values are brought into range.
    public init(inviteNumber: UInt32, firstNumber: UInt32, timers: TransactionTimers = TransactionTimers()) {
        self.inviteNumber = inviteNumber
        self.timers = timers
        self.state = .idle(next: max(1, firstNumber & 0x7FFF_FFFF))
    }

    init(state: State, inviteNumber: UInt32, timers: TransactionTimers) {
        self.state = state
        self.inviteNumber = inviteNumber
        self.timers = timers
    }

    /// When to call ``timeReached(_:)``, nil when no timer runs.
    public var deadline: NIODeadline? {
        if case .unacknowledged(_, let resend, let timeout) = self.state { min(resend.at, timeout) } else { nil }
    }

    /// The user wants to send a reliable provisional response.
    public mutating func send(now: NIODeadline) -> Action {
        switch self.state {
        case .idle(let number):
            self.state = .unacknowledged(
                number: number,
                resend: Retransmission(first: self.timers.t1, from: now),
                timeout: now + self.timers.transaction
            )
            return .send(number: number)
        case .unacknowledged: return .wait
        case .finished: return .none
        }
    }

    /// A PRACK arrived.
    public mutating func received(_ rack: RAck) -> Action {
        guard case .unacknowledged(let number, _, _) = self.state, rack.responseNumber == number,
            rack.number == self.inviteNumber, rack.method == .invite
        else { return .reject }
        self.state = .idle(next: number &+ 1)
        return .accept
    }

    /// Time passed.
    public mutating func timeReached(_ now: NIODeadline) -> Action {
        guard case .unacknowledged(let number, let resend, let timeout) = self.state else { return .none }
        if now >= timeout {
            self.state = .finished
            return .fail
        }
        guard now >= resend.at else { return .none }
        self.state = .unacknowledged(number: number, resend: resend.next(from: now, limit: nil), timeout: timeout)
        return .resend
    }

    /// Whether a 2xx to the INVITE has to wait: an unacknowledged response carried a description (RFC 3262 section 3).
    public var holdsSuccess: Bool {
        if case .unacknowledged = self.state { true } else { false }
    }

    /// A final response was sent to the INVITE.
    public mutating func finish() { self.state = .finished }
}

/// Receiving reliable provisional responses in order (RFC 3262 section 4).
///
/// One of these for each early dialog.
public struct ReliableProvisionalReceiver: Sendable, Hashable {
    /// What the owner does with the response.
    public enum Action: Sendable, Hashable {
        /// Send a PRACK with this value and use the response.
        case acknowledge(RAck)
        /// It is not reliable: use it, no PRACK.
        case unreliable
        /// It came before, or one before it is missing: drop it, no PRACK.
        case drop
    }

    /// The highest RSeq in order, nil before the first.
    public private(set) var last: UInt32?

    /// Starts for one early dialog.
    public init() {}

    /// A provisional response arrived.
    ///
    /// - Throws: What RSeq and CSeq throw.
    public mutating func received(_ response: SIPMessage) throws(SIPError) -> Action {
        guard response.status != 100, response.hasOption("100rel", in: .require),
            let number = try response.number(.rSeq)
        else { return .unreliable }
        let value = UInt32(number)
        if let last = self.last, value != last &+ 1 { return .drop }
        self.last = value
        let cSeq = try response.cSeq()
        return .acknowledge(RAck(responseNumber: value, number: cSeq.number, method: cSeq.method))
    }
}
