import NIOCore
public import SIP

/// A request that arrived, and the way back for its responses.
///
/// Belongs to the event loop of its stack.
public final class ServerTransaction {
    enum Machine {
        case invite(InviteServerTransaction)
        case nonInvite(NonInviteServerTransaction)

        var deadline: NIODeadline? {
            switch self {
            case .invite(let machine): machine.deadline
            case .nonInvite(let machine): machine.deadline
            }
        }

        var isTerminated: Bool {
            switch self {
            case .invite(let machine): machine.state == .terminated
            case .nonInvite(let machine): machine.state == .terminated
            }
        }
    }

    /// The request, with the source noted in its Via.
    public let request: SIPMessage
    /// Where it came from.
    public let flow: Flow
    /// The tag that goes into To of the responses when the request has none.
    public let localTag: String
    /// The user's own text for the transaction, such as the id of a call.
    public var note: String?
    let key: ServerTransactionKey
    let mergeIdentity: MergeIdentity?
    let route: ResponseRoute
    var machine: Machine
    var lastResponse: ByteBuffer?
    var scheduled: NIODeadline?
    /// When an INVITE gets a 100 unless it had a response before.
    var tryingDeadline: NIODeadline?
    private unowned let stack: SIPStack

    init(
        stack: SIPStack,
        request: SIPMessage,
        via: Via,
        flow: Flow,
        key: ServerTransactionKey,
        mergeIdentity: MergeIdentity?,
        timers: TransactionTimers
    ) {
        self.stack = stack
        self.request = request
        self.flow = flow
        self.key = key
        self.mergeIdentity = mergeIdentity
        self.route = ResponseRoute(via: via)
        self.localTag = RandomText.token(12)
        self.machine =
            request.method == .invite
            ? .invite(InviteServerTransaction(isReliable: flow.transport.isReliable, timers: timers))
            : .nonInvite(NonInviteServerTransaction(isReliable: flow.transport.isReliable, timers: timers))
    }

    /// The earliest of the deadlines of the machine and of the 100.
    var deadline: NIODeadline? {
        guard let trying = self.tryingDeadline else { return self.machine.deadline }
        return min(trying, self.machine.deadline ?? trying)
    }

    /// Whether a final response was sent.
    public var isAnswered: Bool {
        switch self.machine {
        case .invite(let machine): if case .proceeding = machine.state { false } else { true }
        case .nonInvite(let machine): machine.state != .trying && machine.state != .proceeding
        }
    }

    /// Makes a response with our To tag.
    public func makeResponse(_ status: SIPStatus, reason: String? = nil) -> SIPMessage {
        SIPMessage(status, to: self.request, toTag: self.localTag, reason: reason)
    }

    /// Sends a response; one that the transaction does not allow any more is dropped.
    ///
    /// - Returns: Whether it was sent.
    @discardableResult
    public func respond(_ response: SIPMessage) -> Bool { self.stack.respond(self, response) }

    /// Sends a response without a body.
    ///
    /// - Returns: Whether it was sent.
    @discardableResult
    public func respond(_ status: SIPStatus) -> Bool { self.respond(self.makeResponse(status)) }
}
