import NIOCore
public import SIP

/// A request that was sent, and its responses.
///
/// Belongs to the event loop of its stack.
public final class ClientTransaction {
    /// What happens to a request.
    public enum Event: Sendable {
        /// A response arrived.
        case response(SIPMessage)
        /// Nobody answered; counts as 408.
        case timedOut
        /// It could not be sent anywhere; counts as 503.
        case transportFailed
    }

    enum Machine {
        case connecting
        case invite(InviteClientTransaction)
        case nonInvite(NonInviteClientTransaction)
        case finished

        var deadline: NIODeadline? {
            switch self {
            case .invite(let machine): machine.deadline
            case .nonInvite(let machine): machine.deadline
            case .connecting, .finished: nil
            }
        }

        var isTerminated: Bool {
            switch self {
            case .invite(let machine): machine.state == .terminated
            case .nonInvite(let machine): machine.state == .terminated
            case .connecting: false
            case .finished: true
            }
        }
    }

    /// The request as it was sent last: with our Via, which changes when another destination is tried.
    public internal(set) var request: SIPMessage
    /// What it travels on, nil until it was sent.
    public internal(set) var flow: Flow?
    var machine: Machine = .connecting
    var key: ClientTransactionKey?
    var cancelMachine: CancelMachine?
    var cancelReason: String?
    var serialized = ByteBuffer()
    var acknowledgement: ByteBuffer?
    var remaining: ArraySlice<Destination> = []
    var hasResponse = false
    var scheduled: NIODeadline?
    let original: SIPMessage
    let onEvent: (ClientTransaction, Event) -> Void
    private weak var stack: SIPStack?

    init(stack: SIPStack, request: SIPMessage, onEvent: @escaping (ClientTransaction, Event) -> Void) {
        self.stack = stack
        self.request = request
        self.original = request
        self.onEvent = onEvent
    }

    /// Cancels an INVITE as soon as the rules allow it (RFC 3261 section 9.1).
    ///
    /// - Parameter reason: A value for Reason (RFC 3326).
    public func cancel(reason: String? = nil) { self.stack?.cancel(self, reason: reason) }

    /// The earliest of the deadlines of the transaction and of a CANCEL.
    var deadline: NIODeadline? {
        guard let own = self.machine.deadline else { return self.cancelMachine?.deadline }
        guard let other = self.cancelMachine?.deadline else { return own }
        return min(own, other)
    }
}
