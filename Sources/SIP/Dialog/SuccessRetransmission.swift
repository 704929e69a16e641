public import NIOCore

/// Repeats a 2xx to an INVITE until its ACK comes (RFC 3261 section 13.3.1.4), on every transport, since a hop further
/// on may be a datagram.
public struct SuccessRetransmission: Sendable, Hashable {
    /// Where things stand.
    public enum State: Sendable, Hashable {
        /// No ACK came.
        case waiting(resend: Retransmission, timeout: NIODeadline)
        /// The ACK came.
        case acknowledged
        /// The ACK never came.
        case failed
    }

    /// What the owner does next.
    public enum Action: Sendable, Hashable {
        /// Nothing.
        case none
        /// Send the same 2xx again.
        case resend
        /// Send BYE: the call was not set up (RFC 3261 section 14.2).
        case end
    }

    /// Where things stand.
    public private(set) var state: State
    private let sequence: UInt32
    private let timers: TransactionTimers

    /// Starts when the 2xx is sent to the INVITE with the given CSeq number.
    public init(sequence: UInt32, now: NIODeadline, timers: TransactionTimers = TransactionTimers()) {
        self.sequence = sequence
        self.timers = timers
        self.state = .waiting(
            resend: Retransmission(first: timers.t1, from: now),
            timeout: now + timers.transaction
        )
    }

    /// When to call ``timeReached(_:)``, nil when no timer runs.
    public var deadline: NIODeadline? {
        if case .waiting(let resend, let timeout) = self.state { min(resend.at, timeout) } else { nil }
    }

    /// An ACK with the given CSeq number arrived in the dialog.
    ///
    /// The ACK of an earlier INVITE, late or repeated, changes nothing: were it taken, a lost 2xx would never be sent
    /// again, since the INVITE's retransmissions end at the transaction.
    public mutating func acknowledged(sequence: UInt32) {
        if case .waiting = self.state, sequence == self.sequence { self.state = .acknowledged }
    }

    /// Time passed.
    public mutating func timeReached(_ now: NIODeadline) -> Action {
        guard case .waiting(let resend, let timeout) = self.state else { return .none }
        if now >= timeout {
            self.state = .failed
            return .end
        }
        guard now >= resend.at else { return .none }
        self.state = .waiting(resend: resend.next(from: now, limit: self.timers.t2), timeout: timeout)
        return .resend
    }
}
