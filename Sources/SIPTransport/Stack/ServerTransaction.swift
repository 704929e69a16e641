import NIOCore
public import SIP

/// A request that arrived, and the way back for its responses.
///
/// Belongs to the event loop of its stack.
public final class ServerTransaction {
    /// The request, with the source noted in its Via.
    public let request: SIPMessage
    /// The tag that goes into To of the responses when the request has none.
    public let localTag: String
    /// The user's own text for the transaction, such as the id of a call.
    public var note: String?
    let record: ServerRecord
    /// What is answered after the stack was let go leads nowhere.
    private weak var stack: SIPStack?

    init(stack: SIPStack, request: SIPMessage, record: ServerRecord) {
        self.stack = stack
        self.request = request
        self.record = record
        self.localTag = RandomText.token(12)
    }

    /// Where it came from.
    public var flow: Flow { self.record.flow }

    /// Whether a final response was sent.
    public var isAnswered: Bool { self.record.isAnswered }

    /// Makes a response with our To tag.
    public func makeResponse(_ status: SIPStatus, reason: String? = nil) -> SIPMessage {
        SIPMessage(status, to: self.request, toTag: self.localTag, reason: reason)
    }

    /// Sends a response; one that the transaction does not allow any more is dropped.
    ///
    /// - Returns: Whether it was sent.
    @discardableResult
    public func respond(_ response: SIPMessage) -> Bool { self.stack?.respond(self.record, response) ?? false }

    /// Sends a response without a body.
    ///
    /// - Returns: Whether it was sent.
    @discardableResult
    public func respond(_ status: SIPStatus) -> Bool { self.respond(self.makeResponse(status)) }
}

/// What a stack keeps of a transaction.
///
/// Once a request other than INVITE is answered, its last response is all that may be needed of it, for the 32 seconds in
/// which it may come again: so the request itself is let go.
final class ServerRecord {
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

    let flow: Flow
    let key: ServerTransactionKey
    let identity: RequestIdentity
    /// The next transaction of the same identity in the stack's table.
    var next: ServerRecord?
    let returnAddress: SocketAddress
    /// What the user has in hand, as long as the stack has something to tell about it.
    var transaction: ServerTransaction?
    var machine: Machine
    var lastResponse: ByteBuffer?
    var scheduled: NIODeadline?
    /// When an INVITE gets a 100 unless it had a response before.
    var tryingDeadline: NIODeadline?

    init(
        isInvite: Bool,
        via: Via,
        flow: Flow,
        key: ServerTransactionKey,
        identity: RequestIdentity,
        timers: TransactionTimers
    ) {
        self.flow = flow
        self.key = key
        self.identity = identity
        self.returnAddress = Self.returnAddress(via, flow)
        let isReliable = flow.transport.isReliable
        self.machine =
            isInvite
            ? .invite(InviteServerTransaction(isReliable: isReliable, timers: timers))
            : .nonInvite(NonInviteServerTransaction(isReliable: isReliable, timers: timers))
    }

    /// Where responses go (RFC 3261 section 18.2.2, RFC 3581 section 4): to where the request came from, and there to the
    /// port that it came from when it asks for that, else to the one of its sent-by.
    ///
    /// What the sender says about its own address does not count, nor does its `maddr`, so that nobody can have answers
    /// sent to others.
    static func returnAddress(_ via: Via, _ flow: Flow) -> SocketAddress {
        if flow.transport == .udp, via.asksForPort { return flow.remote }
        return flow.remote.at(port: Int(via.sentBy.port ?? flow.transport.defaultPort))
    }

    /// The earliest of the deadlines of the machine and of the 100.
    var deadline: NIODeadline? {
        guard let trying = self.tryingDeadline else { return self.machine.deadline }
        return min(trying, self.machine.deadline ?? trying)
    }

    /// Whether a final response was sent.
    var isAnswered: Bool {
        switch self.machine {
        case .invite(let machine): if case .proceeding = machine.state { false } else { true }
        case .nonInvite(let machine): machine.state != .trying && machine.state != .proceeding
        }
    }

    /// Lets the request go when nothing will be said about it any more.
    func releaseIfDone() {
        if case .nonInvite = self.machine, self.isAnswered { self.transaction = nil }
        if self.machine.isTerminated { self.transaction = nil }
    }
}
