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
        acknowledgements = SentAcknowledgements()
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
        case .acknowledgeAgain(let id): _ = acknowledgeAgain(response, id)
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
        acknowledge(response, in: dialog)
        context.agree(&timer, response)
        perform(control.phoneAnswered())
        connect()
    }

    private func acknowledge(_ response: SIPMessage, in dialog: Dialog) {
        guard let number = try? response.cSeq().number else { return }
        let request = dialog.makeAcknowledgement(inviteNumber: number)
        acknowledgements.insert(request, in: dialog.id, number)
        phone.sendStateless(request, target: dialog.remoteTarget)
    }

    /// - Returns: whether it is one that had its ACK before.
    private func acknowledgeAgain(_ response: SIPMessage, _ id: DialogID) -> Bool {
        guard let number = try? response.cSeq().number, let known = acknowledgements[id, number] else { return false }
        phone.sendStateless(known, target: (dialogs?[id] ?? dialog)?.remoteTarget)
        return true
    }

    /// One that was answered too late, at a second place, or with nothing of use: acknowledged, and ended.
    private func end(_ id: DialogID, _ response: SIPMessage, reason: String?) {
        guard !acknowledgeAgain(response, id), var dialog = dialogs?[id] else { return }
        acknowledge(response, in: dialog)
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
        refreshDue = nil
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
            if keeping { refreshDue = soon } else { offerDue = soon }
            return
        }
        guard var request = try? dialog?.makeRequest(.invite) else { return description.refused() }
        phone.prepare(&request, on: flow)
        request.setBody(ByteBuffer(bytes: offer), contentType: "application/sdp")
        // It stays until the phone has answered, whatever becomes of the dialog: a 2xx needs its ACK.
        phone.send(request, target: dialog?.remoteTarget) { event in
            self.changed(event, keeping: keeping)
            self.talks.settle(self)
            if self.holdsDialog { self.arm() }
        }
    }

    private func changed(_ event: ClientTransaction.Event, keeping: Bool) {
        if case .response(let response) = event, response.status?.isSuccess ?? false, let dialog {
            // Again: its ACK was lost.
            if acknowledgeAgain(response, dialog.id) { return }
            // It ended meanwhile.
            guard case .standing = link else { return acknowledge(response, in: dialog) }
        }
        guard case .standing = link else { return }
        guard case .response(let response) = event else {
            description.refused()
            return lose()
        }
        guard let status = response.status, status.isFinal else { return }
        guard status.isSuccess else { return refusedAnew(status, keeping: keeping) }
        try? dialog?.refreshTarget(from: response)
        if let dialog { acknowledge(response, in: dialog) }
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
