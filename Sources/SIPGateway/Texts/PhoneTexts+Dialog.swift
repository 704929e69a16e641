import ClientWire
import MSRPTransport
import MessageSignalling
import MessagingCore
import MessagingService
import NIOCore
import SDP
import SIP
import SIPTransport
import SessionCore
import Store

/// INVITE to the phone, the first one and those within the dialog, and what ends it.
extension PhoneTexts {
    // MARK: Our INVITE

    /// Rings the phone, with an offer of texts.
    func ring() {
        link = .none
        description.renew()
        guard let document = talks.documents[session], let (binding, flow) = phone.target(now: .now()),
            let stack = context.stack,
            let offer = (try? description.invite(.passive, keeping: false)) ?? nil
        else { return refused(480) }
        var request = phone.invitation(to: document, binding, flow, tag: tag)
        CPMService.session.mark(&request)
        request.append(CPMService.conversation, document.conversation.description)
        request.append(CPMService.contribution, session.description)
        request.setBody(ByteBuffer(bytes: offer), contentType: "application/sdp")
        dialogs = DialogSet(request: request)
        acknowledgement = nil
        // It stays until the phone has said what becomes of it, also when another one has taken its place.
        let transaction = stack.send(request, to: .flow(flow)) { _, event in self.rung(event) }
        // It may have failed at once.
        if case .none = link { link = .outgoing(transaction) }
    }

    private func rung(_ event: ClientTransaction.Event) {
        switch event {
        case .response(let response): rung(response)
        case .timedOut: refused(408)
        case .transportFailed: refused(480)
        }
        settleLeg()
        talks.settle(self)
        arm()
    }

    private func refused(_ status: SIPStatus) {
        switch link {
        case .standing, .ended: return
        case .none, .incoming, .outgoing, .cancelled: break
        }
        link = .ended
        perform(control.phoneRefused(status))
        phone.resume()
    }

    private func rung(_ response: SIPMessage) {
        guard let status = response.status, let action = try? dialogs?.received(response) else { return }
        switch action {
        case .none, .early, .progress, .tooManyDialogs: break
        case .failed: refused(status)
        case .answered(let id): answered(response, id)
        case .acknowledgeAgain:
            if let acknowledgement { phone.sendStateless(acknowledgement, target: dialog?.remoteTarget) }
        case .acknowledgeAndEnd(let id): end(id, response, reason: CallShare.Elsewhere.answered.reason)
        }
    }

    private func answered(_ response: SIPMessage, _ id: DialogID) {
        if case .cancelled(let reason) = link {
            // The CANCEL and the answer crossed.
            link = .ended
            return end(id, response, reason: reason)
        }
        guard let dialog = dialogs?[id], (try? description.accepted(Array(buffer: response.body))) != nil else {
            end(id, response, reason: nil)
            return refused(488)
        }
        self.dialog = dialog
        context.textDialogs[dialog.id] = self
        link = .standing
        acknowledge(response)
        context.agree(&timer, response)
        perform(control.phoneAnswered())
        connect()
    }

    private func acknowledge(_ response: SIPMessage) {
        guard let dialog, let number = try? response.cSeq().number else { return }
        let request = dialog.makeAcknowledgement(inviteNumber: number)
        acknowledgement = request
        phone.sendStateless(request, target: dialog.remoteTarget)
    }

    /// One that was answered too late, at a second place, or with nothing of use: acknowledged, and ended.
    private func end(_ id: DialogID, _ response: SIPMessage, reason: String?) {
        guard var dialog = dialogs?[id], let number = try? response.cSeq().number else { return }
        let acknowledgement = dialog.makeAcknowledgement(inviteNumber: number)
        self.acknowledgement = acknowledgement
        phone.sendStateless(acknowledgement, target: dialog.remoteTarget)
        if var request = try? dialog.makeRequest(.bye) {
            if let reason { request.append(.reason, reason) }
            phone.send(request, target: dialog.remoteTarget) { _ in }
        }
        dialogs?[id] = dialog
    }

    /// It rings no more.
    func cancel(reason: String?) {
        if case .outgoing(let transaction) = link {
            link = .cancelled(reason: reason)
            transaction.cancel(reason: reason)
        } else {
            bye(reason: reason)
        }
    }

    func bye(reason: String?) {
        switch link {
        case .none, .ended, .cancelled: return
        case .incoming: return refuse(480)
        case .outgoing: return cancel(reason: reason)
        case .standing: break
        }
        link = .ended
        hangUp()
        guard var request = try? dialog?.makeRequest(.bye) else { return }
        if let reason { request.append(.reason, reason) }
        let target = dialog?.remoteTarget
        dialog?.terminate()
        phone.send(request, target: target) { _ in }
    }

    func hangUp() {
        timer.stop()
        success = nil
        pathDue = nil
        offerDue = nil
        path?.close()
        path = nil
        isRunning = false
    }

    // MARK: Agreeing anew

    /// Another path, or only the question whether the phone is there.
    func invite(keeping: Bool) {
        let soon = NIODeadline.now() + .seconds(context.limits.textPatienceSeconds)
        // What is under way comes first.
        guard success == nil, case .standing = link, let flow = phone.target(now: .now())?.flow,
            let offer = (try? description.invite(.passive, keeping: keeping)) ?? nil
        else {
            offerDue = keeping ? offerDue : soon
            return
        }
        guard var request = try? dialog?.makeRequest(.invite) else { return description.refused() }
        phone.prepare(&request, on: flow)
        request.setBody(ByteBuffer(bytes: offer), contentType: "application/sdp")
        let number = try? request.cSeq().number
        phone.send(request, target: dialog?.remoteTarget) { [weak self] event in
            guard let self else { return }
            self.changed(event, number, keeping: keeping)
            self.talks.settle(self)
            self.arm()
        }
    }

    private func changed(_ event: ClientTransaction.Event, _ number: UInt32?, keeping: Bool) {
        guard case .standing = link else { return }
        guard case .response(let response) = event else {
            description.refused()
            return lose()
        }
        guard let status = response.status, status.isFinal else { return }
        guard status.isSuccess else { return refusedAnew(status, keeping: keeping) }
        // Again: its ACK was lost.
        if let acknowledgement, (try? acknowledgement.cSeq().number) == number {
            return phone.sendStateless(acknowledgement, target: dialog?.remoteTarget)
        }
        try? dialog?.refreshTarget(from: response)
        acknowledge(response)
        context.agree(&timer, response)
        guard let isMoved = try? description.accepted(Array(buffer: response.body)) else { return lose() }
        if isMoved { connect() }
    }

    private func refusedAnew(_ status: SIPStatus, keeping: Bool) {
        description.refused()
        if status == 481 || status == 408 { return lose() }
        if keeping, case .end = timer.refreshFailed(status, now: .now()) { return lose() }
        guard !keeping else { return }
        let glare = ModificationGate.glareDelayMilliseconds(
            isCallIDOwner: dialog?.isInitiator ?? true,
            random: UInt64.random(in: 0...UInt64(UInt32.max))
        )
        offerDue = .now() + (status == 491 ? .milliseconds(Int64(glare)) : .seconds(5))
    }
}
