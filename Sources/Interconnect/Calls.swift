import NIOCore
import SIP
import SIPTransport

/// A call that a peer has accepted; its requests travel where its INVITE did.
struct OutgoingCall: Sendable {
    let answer: SIPMessage
    fileprivate let flow: Flow
    fileprivate var dialog: Dialog
    fileprivate let acknowledgement: SIPMessage
}

/// What became of an INVITE.
enum InviteOutcome: Sendable {
    case accepted(OutgoingCall)
    case refused(SIPMessage)
    case unanswered
}

/// A 2xx that is repeated until its ACK comes.
struct AcceptedCall {
    let transaction: ServerTransaction
    let response: SIPMessage
    var machine: SuccessRetransmission
}

extension PeerStack {
    /// Invites, and acknowledges the answer.
    func invite(_ request: SIPMessage, to peer: Peer) async -> InviteOutcome {
        guard let places = try? await places(of: peer) else { return .unanswered }
        return await withCheckedContinuation { continuation in
            loop.execute { [self] in
                guard let stack = stack.value else { return continuation.resume(returning: .unanswered) }
                let patience = Patience()
                let transaction = stack.send(request, to: .destinations(places)) { [self] transaction, event in
                    switch event {
                    case .response(let response):
                        guard (response.status?.rawValue ?? 0) >= 200 else { return }
                        patience.end()
                        continuation.resume(returning: outcome(response, transaction, stack))
                    case .timedOut, .transportFailed:
                        patience.end()
                        continuation.resume(returning: .unanswered)
                    }
                }
                patience.begin(loop, InterconnectLimits.answerTime) { transaction.cancel() }
            }
        }
    }

    private func outcome(_ response: SIPMessage, _ transaction: ClientTransaction, _ stack: SIPStack) -> InviteOutcome {
        guard response.status?.isSuccess ?? false else { return .refused(response) }
        guard let flow = transaction.flow, let dialog = try? Dialog(client: transaction.request, response: response),
            let number = try? transaction.request.cSeq().number
        else { return .unanswered }
        let acknowledgement = dialog.makeAcknowledgement(inviteNumber: number)
        stack.sendStateless(acknowledgement, to: .flow(flow))
        calls.value[dialog.id.callID] = (acknowledgement, flow)
        return .accepted(
            OutgoingCall(answer: response, flow: flow, dialog: dialog, acknowledgement: acknowledgement)
        )
    }

    /// Hangs up.
    /// - Returns: the answer to BYE.
    func end(_ call: OutgoingCall) async -> SIPMessage? {
        var dialog = call.dialog
        guard var bye = try? dialog.makeRequest(.bye) else { return nil }
        bye.append(.maxForwards, "70")
        let (request, callID) = (bye, dialog.id.callID)
        return await withCheckedContinuation { continuation in
            loop.execute { [self] in
                calls.value[callID] = nil
                guard let stack = stack.value else { return continuation.resume(returning: nil) }
                stack.send(request, to: .flow(call.flow)) { _, event in
                    guard case .response(let response) = event else { return continuation.resume(returning: nil) }
                    if (response.status?.rawValue ?? 0) >= 200 { continuation.resume(returning: response) }
                }
            }
        }
    }

    /// A 2xx came again: its ACK was lost.
    func received(stray response: SIPMessage, on flow: Flow) {
        guard response.status?.isSuccess ?? false, let callID = try? response.callID(),
            let (acknowledgement, flow) = calls.value[callID]
        else { return }
        stack.value?.sendStateless(acknowledgement, to: .flow(flow))
    }

    // MARK: Calls of peers

    /// Accepts an INVITE; the answer is repeated until it is acknowledged (RFC 3261, section 13.3.1.4).
    func accept(_ transaction: ServerTransaction, _ response: SIPMessage) {
        guard transaction.respond(response), let number = try? transaction.request.cSeq().number,
            let dialog = try? Dialog(server: transaction.request, localTag: transaction.localTag, state: .confirmed)
        else { return }
        accepted.value[dialog.id] = AcceptedCall(
            transaction: transaction,
            response: response,
            machine: SuccessRetransmission(sequence: number, now: .now())
        )
        waitForAcknowledgement(dialog.id)
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
            // Whoever never acknowledges connects to nothing either: the session ends by itself.
            case .end: accepted.value[id] = nil
            }
            waitForAcknowledgement(id)
        }
    }

    func received(acknowledgement: SIPMessage, for transaction: ServerTransaction?, on flow: Flow) {
        guard let id = try? acknowledgement.dialogIDAtServer(), let number = try? acknowledgement.cSeq().number else {
            return
        }
        accepted.value[id]?.machine.acknowledged(sequence: number)
        if case .acknowledged? = accepted.value[id]?.machine.state { accepted.value[id] = nil }
    }
}

/// Ends what takes too long; on one event loop.
private final class Patience {
    private var timer: Scheduled<Void>?
    private var isOver = false

    func begin(_ loop: any EventLoop, _ time: TimeAmount, _ act: @escaping () -> Void) {
        guard !isOver else { return }
        timer = loop.assumeIsolated().scheduleTask(in: time, act)
    }

    func end() {
        isOver = true
        timer?.cancel()
    }
}
