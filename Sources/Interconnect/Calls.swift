import MessageSignalling
import NIOCore
import SIP
import SIPTransport
import Synchronization

/// A call that a peer has accepted; its requests travel where its INVITE did.
struct OutgoingCall: Sendable {
    let answer: SIPMessage
    let flow: Flow
    let dialog: Dialog
    /// The ACK, if it has to bring the answer to what the 2xx offers (RFC 3261, section 13.2.1): see
    /// ``PeerStack/acknowledge(_:_:)``.
    var acknowledgement: SIPMessage?
}

/// What becomes of an INVITE of ours, in order.
enum InviteEvent: Sendable {
    case provisional
    /// Acknowledged already, if our INVITE had an offer. Comes once, and so does what follows.
    case accepted(OutgoingCall)
    case refused(SIPMessage)
    case unanswered
}

/// What became of an INVITE.
enum InviteOutcome: Sendable {
    case accepted(OutgoingCall)
    case refused(SIPMessage)
    case unanswered
}

/// An INVITE of ours that is under way.
final class OutgoingInvite: Sendable {
    private let transaction: NIOLoopBoundBox<ClientTransaction?>
    private let loop: any EventLoop

    fileprivate init(loop: any EventLoop) {
        self.loop = loop
        transaction = NIOLoopBoundBox.makeBoxSendingValue(nil, eventLoop: loop)
    }

    fileprivate func begin(_ transaction: ClientTransaction) { self.transaction.value = transaction }

    /// Why it is taken back, for the other side's devices (RFC 3326).
    enum Reason: String {
        /// The conversation came about by a request of theirs.
        case elsewhere = "SIP;cause=200;text=\"Call completed elsewhere\""
        /// Our user, or the clock, wants it no more.
        case takenBack = "SIP;cause=487;text=\"Request Terminated\""
    }

    /// Takes it back as soon as that is allowed (RFC 3261, section 9.1).
    func cancel(reason: Reason) { loop.execute { [self] in transaction.value?.cancel(reason: reason.rawValue) } }

    fileprivate func end() { transaction.value = nil }
}

/// A 2xx that is repeated until its ACK comes.
struct AcceptedCall {
    let transaction: ServerTransaction
    let response: SIPMessage
    var machine: SuccessRetransmission
}

/// What acknowledged the 2xx to INVITEs of ours, by Call-ID, for as long as a 2xx may come again.
struct Acknowledgements {
    /// 64*T1 from the 2xx on (RFC 3261, section 13.2.2.4): whoever sent it gives up then.
    static let time = TransactionTimers().transaction

    private struct Kept {
        let request: SIPMessage
        let flow: Flow
        let number: UInt64
    }

    private var kept: [String: Kept] = [:]
    private var last: UInt64 = 0
    private let maximum: Int

    /// - Parameter maximum: what comes beyond is not kept: a 2xx that is repeated then goes unanswered.
    init(maximum: Int = InterconnectLimits.acknowledgements) { self.maximum = maximum }

    var count: Int { kept.count }

    subscript(callID: String) -> (request: SIPMessage, flow: Flow)? {
        kept[callID].map { ($0.request, $0.flow) }
    }

    /// Keeps one, in place of what the call had before.
    /// - Returns: names it; nil when there are too many.
    mutating func keep(_ request: SIPMessage, _ flow: Flow, callID: String) -> UInt64? {
        guard kept[callID] != nil || kept.count < maximum else { return nil }
        last += 1
        kept[callID] = Kept(request: request, flow: flow, number: last)
        return last
    }

    /// - Parameter number: forgets no other; nil for whichever there is.
    mutating func forget(_ callID: String, _ number: UInt64? = nil) {
        guard number == nil || kept[callID]?.number == number else { return }
        kept[callID] = nil
    }
}

extension PeerStack {
    /// Invites, acknowledges what comes, and waits for the final answer.
    func invite(_ request: SIPMessage, to peer: Peer) async -> InviteOutcome {
        guard let places = try? await places(of: peer) else { return .unanswered }
        let first = FirstAnswer<InviteOutcome>()
        return await first.wait(orElse: .unanswered) { [self] in
            call(request, on: .destinations(places), patience: InterconnectLimits.answerTime) { event in
                switch event {
                case .provisional: break
                case .accepted(let call): first.take(.accepted(call))
                case .refused(let response): first.take(.refused(response))
                case .unanswered: first.take(.unanswered)
                }
            }
        }
    }

    /// Invites.
    /// - Parameters:
    ///   - dialog: the one that the INVITE is made in; nil for one that makes its own.
    ///   - patience: after how long without a final answer it is taken back.
    ///   - onEvent: called on the event loop; after anything but `provisional` nothing comes any more.
    @discardableResult
    func call(
        _ request: SIPMessage,
        on way: SIPStack.Target,
        within dialog: Dialog? = nil,
        patience: TimeAmount,
        onEvent: @escaping @Sendable (InviteEvent) -> Void
    ) -> OutgoingInvite {
        let invite = OutgoingInvite(loop: loop)
        loop.execute { [self] in
            guard let stack = stack.value else { return onEvent(.unanswered) }
            let patient = Patience()
            let answers = Answers(request, dialog)
            let transaction = stack.send(request, to: way) { [self] transaction, event in
                guard let news = news(event, transaction, answers, stack) else { return }
                if case .provisional = news { return onEvent(news) }
                patient.end()
                invite.end()
                onEvent(news)
            }
            guard !patient.isOver else { return }
            invite.begin(transaction)
            patient.begin(loop, patience) { transaction.cancel(reason: OutgoingInvite.Reason.takenBack.rawValue) }
        }
        return invite
    }

    /// What an event means for whoever invited; nil when it is nothing new.
    private func news(
        _ event: ClientTransaction.Event,
        _ transaction: ClientTransaction,
        _ answers: Answers,
        _ stack: SIPStack
    ) -> InviteEvent? {
        guard case .response(let response) = event else { return answers.isOver ? nil : answers.end(.unanswered) }
        guard let status = response.status, let flow = transaction.flow else { return nil }
        if status.isProvisional { return answers.isOver ? nil : .provisional }
        guard status.isSuccess else { return answers.isOver ? nil : answers.end(.refused(response)) }
        guard let number = try? transaction.request.cSeq().number, let dialog = try? answers.dialog(for: response)
        else { return answers.isOver ? nil : answers.end(.unanswered) }
        var acknowledgement = dialog.makeAcknowledgement(inviteNumber: number)
        let isOther = answers.isOther(dialog)
        if answers.owesAnswer, !isOther {
            acknowledgeAgain(dialog.id.callID)
            guard !answers.isOver else { return nil }
            answers.answered = dialog.id
            let call = OutgoingCall(answer: response, flow: flow, dialog: dialog, acknowledgement: acknowledgement)
            return answers.end(.accepted(call))
        }
        if answers.owesAnswer, let refusal = DialogDescription.refusal(of: response.descriptionOctets) {
            acknowledgement.setBody(ByteBuffer(bytes: refusal), contentType: "application/sdp")
        }
        stack.sendStateless(acknowledgement, to: .flow(flow))
        if isOther {
            // A fork: somebody else has answered before.
            var late = dialog
            if let bye = try? late.makeRequest(.bye) { stack.send(bye, to: .flow(flow)) { _, _ in } }
            return nil
        }
        keep(acknowledgement, flow, callID: dialog.id.callID)
        guard !answers.isOver else { return nil }
        answers.answered = dialog.id
        return answers.end(.accepted(OutgoingCall(answer: response, flow: flow, dialog: dialog)))
    }

    /// Hangs up.
    /// - Returns: the answer to BYE.
    func end(_ call: OutgoingCall) async -> SIPMessage? {
        var dialog = call.dialog
        guard let bye = try? dialog.makeRequest(.bye) else { return nil }
        let callID = dialog.id.callID
        forget(callID: callID)
        return await send(bye, on: .flow(call.flow))
    }

    /// Acknowledges a call with the answer to what its 2xx offers; from anywhere, before anything else in its dialog.
    func acknowledge(_ call: OutgoingCall, _ answer: [UInt8]) {
        guard var acknowledgement = call.acknowledgement else { return }
        acknowledgement.setBody(ByteBuffer(bytes: answer), contentType: "application/sdp")
        let complete = acknowledgement
        loop.execute { [self] in
            keep(complete, call.flow, callID: call.dialog.id.callID)
            stack.value?.sendStateless(complete, to: .flow(call.flow))
        }
    }

    /// Nothing of this call is acknowledged any more.
    func forget(callID: String) { loop.execute { [self] in calls.value.forget(callID) } }

    /// A 2xx that comes again gets this, for as long as it may come (RFC 3261, section 13.2.2.4), whatever becomes of the call.
    private func keep(_ acknowledgement: SIPMessage, _ flow: Flow, callID: String) {
        guard let number = calls.value.keep(acknowledgement, flow, callID: callID) else { return }
        loop.assumeIsolated().scheduleTask(in: Acknowledgements.time) { [weak self] in
            self?.calls.value.forget(callID, number)
        }
    }

    private func acknowledgeAgain(_ callID: String) {
        guard let (acknowledgement, flow) = calls.value[callID] else { return }
        stack.value?.sendStateless(acknowledgement, to: .flow(flow))
    }

    /// A 2xx came again: its ACK was lost.
    func received(stray response: SIPMessage, on flow: Flow) {
        guard response.status?.isSuccess ?? false, let callID = try? response.callID() else { return }
        acknowledgeAgain(callID)
    }

    // MARK: Calls of peers

    /// Accepts an INVITE; the answer is repeated until it is acknowledged (RFC 3261, section 13.3.1.4).
    func accept(_ transaction: ServerTransaction, _ response: SIPMessage) {
        guard transaction.respond(response), let number = try? transaction.request.cSeq().number,
            let id = try? Self.dialogID(transaction.request, transaction.localTag)
        else { return }
        accepted.value[id] = AcceptedCall(
            transaction: transaction,
            response: response,
            machine: SuccessRetransmission(sequence: number, now: .now())
        )
        waitForAcknowledgement(id)
    }

    private func waitForAcknowledgement(_ id: DialogID) {
        guard let deadline = accepted.value[id]?.machine.deadline else { return }
        loop.assumeIsolated().scheduleTask(deadline: deadline) { [weak self] in
            guard let self, var call = accepted.value[id] else { return }
            let action = call.machine.timeReached(.now())
            accepted.value[id] = call
            switch action {
            case .none: break
            case .resend: call.transaction.respond(call.response)
            // A large message's session ends by itself: whoever never acknowledges connects to nothing either.
            case .end:
                accepted.value[id] = nil
                _ = notice(.unacknowledged(id))
            }
            waitForAcknowledgement(id)
        }
    }

    func received(acknowledgement: SIPMessage, for transaction: ServerTransaction?, on flow: Flow) {
        guard let id = try? acknowledgement.dialogIDAtServer(), let number = try? acknowledgement.cSeq().number else {
            return
        }
        accepted.value[id]?.machine.acknowledged(sequence: number)
        guard case .acknowledged? = accepted.value[id]?.machine.state else { return }
        accepted.value[id] = nil
        _ = notice(.acknowledged(id, acknowledgement.descriptionOctets))
    }
}

/// The first of several answers, for one task that waits for it; the rest is passed over.
final class FirstAnswer<Value: Sendable>: Sendable {
    private enum State {
        case idle
        case waiting(CheckedContinuation<Value, Never>)
        case answered(Value)
    }

    private let state = Mutex(State.idle)

    func take(_ value: Value) {
        let waiter: CheckedContinuation<Value, Never>? = state.withLock { state in
            switch state {
            case .idle: state = .answered(value)
            case .waiting(let continuation):
                state = .answered(value)
                return continuation
            case .answered: break
            }
            return nil
        }
        waiter?.resume(returning: value)
    }

    /// Begins, and waits; `otherwise` is the answer once the task is cancelled.
    func wait(orElse otherwise: Value, _ begin: @Sendable () -> Void) async -> Value {
        begin()
        return await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let known: Value? = state.withLock { state in
                    if case .answered(let value) = state { return value }
                    state = .waiting(continuation)
                    return nil
                }
                if let known { continuation.resume(returning: known) }
            }
        } onCancel: {
            take(otherwise)
        }
    }
}

/// The answers to one INVITE; on one event loop.
private final class Answers {
    private let request: SIPMessage
    private let known: Dialog?
    private(set) var isOver = false
    var answered: DialogID?

    /// Whether whatever accepts it makes the offer.
    var owesAnswer: Bool { request.body.readableBytes == 0 }

    init(_ request: SIPMessage, _ known: Dialog?) {
        self.request = request
        self.known = known
    }

    func end(_ event: InviteEvent) -> InviteEvent {
        isOver = true
        return event
    }

    /// The dialog that a 2xx belongs to.
    func dialog(for response: SIPMessage) throws -> Dialog? {
        guard var dialog = known else { return try Dialog(client: request, response: response) }
        try dialog.refreshTarget(from: response)
        return dialog
    }

    func isOther(_ dialog: Dialog) -> Bool { answered.map { $0 != dialog.id } ?? isOver }
}

/// Ends what takes too long; on one event loop.
private final class Patience {
    private var timer: Scheduled<Void>?
    private(set) var isOver = false

    func begin(_ loop: any EventLoop, _ time: TimeAmount, _ act: @escaping () -> Void) {
        guard !isOver else { return }
        timer = loop.assumeIsolated().scheduleTask(in: time, act)
    }

    func end() {
        isOver = true
        timer?.cancel()
    }
}
