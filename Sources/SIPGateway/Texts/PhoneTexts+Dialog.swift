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

/// INVITE both ways, and what ends it.
extension PhoneTexts {
    // MARK: Our INVITE

    /// Rings the phone, with an offer of texts.
    func ring() {
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
        link = .none
        let transaction = stack.send(request, to: .flow(flow)) { [weak self] _, event in self?.rung(event) }
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
        startTimer(response)
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

    private func startTimer(_ response: SIPMessage) {
        // A phone that knows no session timers is asked after all the same.
        let said = (try? response.sessionExpires()) ?? nil
        let own = SessionExpires(seconds: context.limits.sessionTimerSeconds, refresher: .uac)
        timer.agreed(said ?? own, isRequester: true, now: .now())
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

    private func hangUp() {
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
        startTimer(response)
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

    // MARK: The phone's INVITE

    /// The phone's own request, with an offer of texts.
    /// - Returns: false when it cannot be taken, and nothing was done.
    func begin(_ transaction: ServerTransaction, _ dialog: Dialog) -> Bool {
        guard (try? description.open(Array(buffer: transaction.request.body))) != nil else { return false }
        link = .incoming(transaction)
        self.dialog = dialog
        context.textDialogs[dialog.id] = self
        return true
    }

    /// Asks for the session; 180 once something rings there.
    func request(_ wish: SessionRequest) {
        let identity = phone.identity
        Task { [service = context.service, self] in
            let result: Result<SessionDocument, any Error>
            do { result = .success(try await service.request(identity, wish)) } catch { result = .failure(error) }
            talks.post { self.requested(result) }
        }
    }

    private func requested(_ result: Result<SessionDocument, any Error>) {
        switch result {
        case .failure(let error):
            let refusal = error as? Refusal ?? Refusal(.internalError, "")
            refuse(refusal.code == .tooMany || refusal.code == .conflict ? 486 : refusal.sipStatus)
            control = TextControl()
        case .success(let document):
            if document.id != session { talks.move(self, to: document.id) }
            // Taken back meanwhile.
            if control.state == .leaving { talks.leave(document.id) }
            if case .incoming(let transaction) = link, document.state == .calling { ringing(transaction) }
            take(talks.documents[document.id] ?? document)
        }
        talks.settle(self)
    }

    private func ringing(_ transaction: ServerTransaction) {
        guard !transaction.isAnswered else { return }
        var response = transaction.makeResponse(180)
        response.copyRecordRoute(from: transaction.request)
        response.append(.contact, context.contact(transaction.flow))
        transaction.respond(response)
    }

    func answerPhone() {
        guard case .incoming(let transaction) = link else { return }
        guard let answer = try? description.answer().answer else {
            refuse(488)
            return perform(control.phoneLeft())
        }
        link = .standing
        dialog?.confirm()
        succeed(transaction, answer)
        connect()
    }

    func refuse(_ status: SIPStatus) {
        guard case .incoming(let transaction) = link else { return }
        link = .ended
        dialog?.terminate()
        var response = transaction.makeResponse(status)
        if status == 503 { response.append(.retryAfter, "5") }
        transaction.respond(response)
    }

    /// A 2xx, said again until its ACK comes.
    private func succeed(_ transaction: ServerTransaction, _ body: [UInt8]?) {
        let request = transaction.request
        var response = transaction.makeResponse(200)
        response.copyRecordRoute(from: request)
        response.append(.contact, "\(context.contact(transaction.flow));\(CPMService.session.tag)")
        response.append(.allow, UserAgent.methods.map(\.rawValue).joined(separator: ", "))
        response.append(.supported, "timer, replaces")
        let offer = try? SessionTimer.negotiate(
            request,
            minimum: SessionTimer.absoluteMinimum,
            preferred: context.limits.sessionTimerSeconds
        )
        if case .use(let value, let requiresTimer)? = offer {
            response.append(.sessionExpires, value.description)
            if requiresTimer { response.append(.require, "timer") }
            timer.agreed(value, isRequester: false, now: .now())
        }
        if let body { response.setBody(ByteBuffer(bytes: body), contentType: "application/sdp") }
        transaction.respond(response)
        guard request.method == .invite, let number = try? request.cSeq().number else { return }
        success = (SuccessRetransmission(sequence: number, now: .now()), transaction, response)
    }

    func acknowledged(_ request: SIPMessage) {
        guard let number = try? request.cSeq().number else { return }
        success?.machine.acknowledged(sequence: number)
        guard success?.machine.state == .acknowledged else { return }
        success = nil
        if description.isAnswerOwed {
            switch Result(catching: { try description.acknowledged(Array(buffer: request.body)) }) {
            case .success(true): connect()
            case .success(false): break
            case .failure: lose()
            }
        }
        arm()
    }

    /// The phone takes its request back.
    func cancelled(_ transaction: ServerTransaction) {
        transaction.respond(487)
        guard case .incoming(let own) = link, own === transaction else { return }
        link = .ended
        dialog?.terminate()
        perform(control.phoneLeft())
        talks.settle(self)
    }

    // MARK: Within the dialog

    func received(_ transaction: ServerTransaction) {
        switch (try? dialog?.received(request: transaction.request)) ?? .noDialog {
        case .noDialog:
            transaction.respond(481)
            return
        case .outOfOrder:
            transaction.respond(500)
            return
        case .accept: break
        }
        switch transaction.request.method {
        case .bye:
            transaction.respond(200)
            if case .incoming(let own) = link { own.respond(487) }
            link = .ended
            dialog?.terminate()
            hangUp()
            perform(control.phoneLeft())
        case .invite: changes(transaction)
        case .update where transaction.request.bodyLength == 0:
            try? dialog?.refreshTarget(from: transaction.request)
            succeed(transaction, nil)
        case .update: transaction.respond(488)
        default: transaction.respond(405)
        }
        arm()
    }

    /// What the phone changes is answered at once.
    private func changes(_ transaction: ServerTransaction) {
        guard case .standing = link else {
            transaction.respond(491)
            return
        }
        let body = Array(buffer: transaction.request.body)
        do {
            // The last 2xx has no ACK yet.
            guard success == nil else { throw DialogDescription.Problem.pending }
            let answer: [UInt8]
            var isMoved = false
            if body.isEmpty {
                answer = try description.invitedToOffer(.passive)
            } else {
                _ = try description.open(body)
                (answer, isMoved) = try description.answer()
            }
            try? dialog?.refreshTarget(from: transaction.request)
            succeed(transaction, answer)
            if isMoved { connect() }
            phone.resume()
        } catch DialogDescription.Problem.pending {
            guard !description.isOurs else {
                transaction.respond(491)
                return
            }
            var response = transaction.makeResponse(500)
            response.append(.retryAfter, "\(Int.random(in: 0...10))")
            transaction.respond(response)
        } catch {
            transaction.respond(488)
        }
    }
}
