import ClientWire
import MediaSignalling
import MessagingCore
import NIOCore
import SDP
import SIP
import SIPTransport
import SessionCore
import Store

/// INVITE to the phone, the first one and those within the dialog.
extension PhoneCall {
    /// Rings the phone, without a description: what it answers is an offer (RFC 3261, section 13.2.1).
    func ring(_ kinds: [MediumKind]) {
        guard talks.hasRoom(beside: self), let session, let document = talks.documents[session],
            let (binding, flow) = phone.target(now: .now()), let stack = context.stack
        else {
            return perform(control.phoneRefused(480, media: exchange.lines.map(\.medium)))
        }
        var request = phone.invitation(to: document, binding, flow, tag: tag)
        // A call that two others of the same person are joined to takes the place of the one on this phone.
        if let old = context.joins[session].flatMap({ talks.calls[$0] })?.phoneDialog {
            request.append(.replaces, "\(old.callID);to-tag=\(old.localTag);from-tag=\(old.remoteTag)")
        }
        request.append(.contentLength, "0")
        dialogs = DialogSet(request: request)
        acknowledgements = SentAcknowledgements()
        link = .none
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
        talks.settle(self)
        arm()
    }

    private func refused(_ status: SIPStatus) {
        if case .standing = link { return }
        if case .ended = link { return }
        link = .ended
        perform(control.phoneRefused(status, media: exchange.lines.map(\.medium)))
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
        guard let description = Self.description(of: response), let dialog = dialogs?[id] else {
            end(id, response, reason: nil)
            link = .ended
            return perform(control.phoneRefused(488, media: exchange.lines.map(\.medium)))
        }
        self.dialog = dialog
        context.dialogs[dialog.id] = self
        link = .standing
        unacknowledged = (try? response.cSeq().number) ?? 1
        gate.finished(succeeded: true)
        context.agree(&timer, response)
        phone.learn(description)
        perform(control.phoneAnswered(description.kinds))
        perform(exchange.phoneOffered(description, isAdmitted: true, now: .now()))
    }

    /// - Returns: whether it is one that had its ACK before.
    private func acknowledgeAgain(_ response: SIPMessage, _ id: DialogID) -> Bool {
        guard let number = try? response.cSeq().number, let known = acknowledgements[id, number] else { return false }
        phone.sendStateless(known, target: (dialogs?[id] ?? dialog)?.remoteTarget)
        return true
    }

    /// A call that was answered too late, or at a second place: acknowledged, and ended.
    private func end(_ id: DialogID, _ response: SIPMessage, reason: String?) {
        guard !acknowledgeAgain(response, id), var dialog = dialogs?[id], let number = try? response.cSeq().number
        else { return }
        acknowledge(number, refusal(of: response), in: dialog)
        if var request = try? dialog.makeRequest(.bye) {
            if let reason { request.append(.reason, reason) }
            send(request, target: dialog.remoteTarget) { _ in }
        }
        dialogs?[id] = dialog
    }

    /// What an offer is answered that came too late.
    private func refusal(of response: SIPMessage) -> SessionDescription? {
        Self.description(of: response).map { offer in
            var refusal = MediaExchange(user: phone.address, address: exchange.address, number: 1)
            return refusal.refusing(offer)
        }
    }

    /// It rings no more. A CANCEL goes out after a provisional response and not before; the stack sees to that.
    func cancel(reason: String?) {
        if case .outgoing(let transaction) = link {
            link = .cancelled(reason: reason)
            transaction.cancel(reason: reason)
        } else {
            bye(reason: reason)
        }
    }

    // MARK: Within the dialog

    /// A change, or a question: with a description it offers, without one it asks for an offer.
    func invite(_ description: SessionDescription?) {
        // While our 2xx waits for its ACK: that brings it up again.
        guard success == nil else { return exchange.collided() }
        guard case .standing = link, let flow = phone.target(now: .now())?.flow, gate.beginInvite(),
            var request = try? dialog?.makeRequest(.invite)
        else { return collided() }
        phone.prepare(&request, on: flow)
        if let description { request.set(description) }
        let hasOffer = description != nil
        let number = (try? request.cSeq().number) ?? 0
        // It stays until the phone has answered, whatever becomes of the call: a 2xx needs its ACK.
        send(request) { event in
            self.changed(event, number, hasOffer: hasOffer)
            self.talks.settle(self)
            if self.holdsDialog { self.arm() }
        }
    }

    private func collided() {
        exchange.collided()
        let wait = ModificationGate.glareDelayMilliseconds(
            isCallIDOwner: dialog?.isInitiator ?? true,
            random: UInt64.random(in: 0...UInt64(UInt32.max))
        )
        blockedUntil = .now() + .milliseconds(Int64(wait))
    }

    private func changed(_ event: ClientTransaction.Event, _ number: UInt32, hasOffer: Bool) {
        if case .response(let response) = event, response.status?.isSuccess ?? false, let dialog {
            // Again: its ACK was lost.
            if acknowledgeAgain(response, dialog.id) { return }
            // It ended meanwhile.
            guard case .standing = link else {
                return acknowledge(number, hasOffer ? nil : refusal(of: response), in: dialog)
            }
        }
        guard case .standing = link else { return }
        guard case .response(let response) = event else {
            gate.finished(succeeded: false)
            return phoneIsGone()
        }
        guard let status = response.status, status.isFinal else { return }
        if status.isSuccess {
            guard unacknowledged != number else { return }
            gate.finished(succeeded: true)
            try? dialog?.refreshTarget(from: response)
            context.agree(&timer, response)
            guard let description = Self.description(of: response) else {
                acknowledge(number, nil)
                return perform(exchange.phoneRefused())
            }
            if hasOffer {
                acknowledge(number, nil)
                perform(exchange.phoneAnswered(description, now: .now()))
            } else {
                unacknowledged = number
                perform(exchange.phoneOffered(description, isAdmitted: true, now: .now()))
            }
            return
        }
        gate.finished(succeeded: false)
        switch status.rawValue {
        case 408, 481: phoneIsGone()
        case 491, 500: collided()
        default:
            if case .end = timer.refreshFailed(status, now: .now()) { return phoneIsGone() }
            perform(exchange.phoneRefused())
        }
    }

    /// RFC 4028: a question after the phone in the form of what holds already.
    func refresh() {
        guard exchange.phase == .idle else {
            // Something is under way, and its answer is as good.
            return
        }
        perform(exchange.refreshed())
    }

    func acknowledge(_ number: UInt32, _ description: SessionDescription?) {
        if let dialog { acknowledge(number, description, in: dialog) }
    }

    private func acknowledge(_ number: UInt32, _ description: SessionDescription?, in dialog: Dialog) {
        var request = dialog.makeAcknowledgement(inviteNumber: number)
        if let description { request.set(description) }
        acknowledgements.insert(request, in: dialog.id, number)
        phone.sendStateless(request, target: dialog.remoteTarget)
    }

    func bye(reason: String?) {
        switch link {
        case .none, .ended: return
        case .cancelled: return
        case .incoming: return refuse(refusal, reason: nil)
        case .outgoing: return cancel(reason: reason)
        case .standing: break
        }
        if let number = unacknowledged {
            unacknowledged = nil
            acknowledge(number, exchange.current())
        }
        link = .ended
        timer.stop()
        success = nil
        mediaDue = nil
        guard var request = try? dialog?.makeRequest(.bye) else { return }
        if let reason { request.append(.reason, reason) }
        dialog?.terminate()
        send(request) { _ in }
    }

    // MARK: Sending

    func send(
        _ request: SIPMessage,
        target: URI? = nil,
        _ onEvent: @escaping (ClientTransaction.Event) -> Void
    ) {
        phone.send(request, target: target ?? dialog?.remoteTarget, onEvent)
    }

    static func description(of message: SIPMessage) -> SessionDescription? {
        guard message.bodyLength > 0, (try? message.contentType()?.essence) == "application/sdp" else { return nil }
        return try? SessionDescription(parsing: Array(buffer: message.body), limits: .signalled)
    }
}

extension SIPMessage {
    /// Puts a description into the body.
    mutating func set(_ description: SessionDescription) {
        setBody(ByteBuffer(bytes: description.bytes), contentType: "application/sdp")
    }
}

extension SessionDescription {
    /// The media that it has, of those that a session knows.
    var kinds: [MediumKind] {
        var kinds: [MediumKind] = []
        for medium in media where !medium.isRejected {
            let kind: MediumKind? = medium.type == "audio" ? .audio : medium.type == "video" ? .video : nil
            if let kind, !kinds.contains(kind) { kinds.append(kind) }
        }
        return kinds
    }
}
