import ClientWire
import MessageSignalling
import MessagingCore
import MessagingService
import NIOCore
import SDP
import SIP
import SIPTransport
import SessionCore
import Store

/// Calls of the phone, one for each session that it has media in, or rings for.
extension Talks {
    /// The session's news for the call in it; where the phone is to ring, one begins.
    func call(_ document: SessionDocument) {
        admit(document)
        if let call = calls[document.id] {
            call.take(document)
            return settle(call)
        }
        guard CallShare(document, on: identity.device, can: phone.abilities, rings: rings).ring != nil else { return }
        let call = PhoneCall(phone, self, session: document.id, user: document.user, state: .idle)
        calls[document.id] = call
        call.take(document)
        settle(call)
    }

    /// Whether the rules let the phone ring for a proposed medium.
    func rings(_ change: MessageID) -> Bool { admitted[change] ?? false }

    private func admit(_ document: SessionDocument) {
        guard document.state == .open else { return }
        for change in document.pending where change.awaited.contains(document.user) && admitted[change.id] == nil {
            if admitted.count >= Self.proposalsRemembered { admitted = [:] }
            admitted[change.id] = false
            Task { [service = context.service, identity, self] in
                guard (try? await service.mayRing(identity, document.id)) ?? false else { return }
                self.post {
                    self.admitted[change.id] = true
                    if let now = self.documents[document.id] { self.call(now) }
                }
            }
        }
    }

    private static let proposalsRemembered = 256

    /// Something for the other end of a medium of the phone. News of the medium may still be on its way.
    func take(_ signal: MediaSignal) {
        early.removeAll { $0 == signal }
        if calls[signal.session]?.take(signal) ?? false { return }
        early.append(signal)
        if early.count > context.limits.earlySignals { early.removeFirst() }
    }

    func hasRoom(beside call: PhoneCall) -> Bool {
        calls.values.count { $0 !== call && $0.holdsDialog } < context.limits.callsPerPhone
    }

    /// Whether the phone may begin another call.
    var mayBegin: Bool { calls.values.count(where: \.isUnderWay) < context.limits.callsPerPhone }

    var holdsCalls: Bool {
        calls.values.contains(where: \.holdsDialog) || chats.values.contains(where: \.holdsDialog) || !referrals.isEmpty
    }

    /// Lets go of a call that is over.
    func settle(_ call: PhoneCall) {
        if !call.holdsDialog, let id = call.dialog?.id, context.dialogs[id] === call {
            context.dialogs[id] = nil
            context.endedDialogs.insert(id, of: identity.account)
        }
        call.settleLeg()
        guard call.isOver else { return }
        call.stop()
        guard let session = call.session, calls[session] === call else { return }
        calls[session] = nil
        if documents[session]?.hasLeg(identity.device) ?? false { quiet.insert(session) }
        // The phone hung up its texts while it had the call: with that the leg has nothing left.
        if let chat = chats[session], chat.control.state == .leaving { leave(session) }
        // What is asked of the phone anew while it had not answered for what was taken back.
        if call.wasCancelled, let document = documents[session] { self.call(document) }
    }

    /// The phone calls somebody, or says something in a call.
    func received(_ transaction: ServerTransaction) {
        let request = transaction.request
        if let id = try? request.dialogIDAtServer() {
            if let chat = context.textDialogs[id], chat.phone === phone {
                chat.received(transaction)
                return settle(chat)
            }
            guard let call = context.dialogs[id], call.phone === phone else {
                transaction.respond(481)
                return
            }
            call.received(transaction)
            return settle(call)
        }
        switch request.method {
        case .invite where request.contains(.replaces): takeOver(transaction)
        case .invite: place(transaction)
        case .refer: refer(transaction)
        default: transaction.respond(481)
        }
    }

    private func place(_ transaction: ServerTransaction) {
        let request = transaction.request
        guard let own = (try? request.from().uri.description).flatMap({ try? Address($0) }) else {
            transaction.respond(400)
            return
        }
        guard let to = request.uriText.flatMap({ try? Address($0) }) else {
            transaction.respond(404)
            return
        }
        let offered = PhoneCall.description(of: request)
        if let offered, offered.kinds.isEmpty, offersTexts(offered, on: transaction.flow) {
            return placeTexts(transaction, from: own, to: to)
        }
        guard let offer = offered, !offer.kinds.isEmpty else {
            transaction.respond(transaction.makeResponse(488, reason: "An offer of audio, video or texts is needed"))
            return
        }
        guard let dialog = try? Dialog(server: request, localTag: transaction.localTag, state: .early),
            let session = try? SessionID(TimedID.make(now: context.service.now))
        else {
            transaction.respond(400)
            return
        }
        guard mayBegin else {
            transaction.respond(486)
            return
        }
        let call = PhoneCall(phone, self, session: session, user: own, state: .placing(offer.kinds))
        call.begin(transaction, dialog, offer)
        calls[session] = call
        // Its texts come by a dialog of their own, as soon as there is a conversation.
        if offersTexts(offer, on: transaction.flow) { saying.insert(session) }
        var wish = SessionRequest(id: session, to: [to], subject: request.text(.subject), media: offer.kinds)
        wish.from = own
        call.request(wish, learning: phone.learnt(offer))
    }

    /// Whether a description has texts over MSRP, of the sort that goes with such signalling.
    func offersTexts(_ description: SessionDescription, on flow: Flow) -> Bool {
        let isSecure = flow.transport.isSecure
        return context.texts?.serves(isSecure: isSecure) ?? false
            && DialogDescription.hasTexts(description, TextMedia.reach(isSecure: isSecure))
    }

    /// The session that the phone's call is in: another one than it asked for, when both called at once.
    func move(_ call: PhoneCall, to session: SessionID) {
        if let old = call.session, calls[old] === call {
            calls[old] = nil
            if saying.remove(old) != nil { saying.insert(session) }
        }
        // The phone rang for it: it need not any more.
        replaceCall(session)
        call.session = session
        calls[session] = call
    }

    /// Ends the dialog that a session's call has with the phone, for another one.
    func replaceCall(_ session: SessionID) {
        guard let old = calls.removeValue(forKey: session) else { return }
        // What the phone says to it is no word on the session any more.
        old.control = CallControl()
        old.cancel(reason: nil)
        settle(old)
    }

    /// About once a second: calls of a phone that is away do not go on for ever.
    func tick(now: NIODeadline) {
        for referral in referrals.values { referral.tick(now: now) }
        guard phone.record.bindings.isEmpty, !calls.isEmpty || !chats.isEmpty else {
            awaySince = nil
            return
        }
        let since = awaySince ?? now
        awaySince = since
        if now - since > .seconds(context.limits.callsAwaySeconds) {
            for call in calls.values { call.phoneIsGone() }
            for chat in chats.values {
                chat.lose()
                settle(chat)
            }
        }
    }

    /// The server shuts down: phones are told, as far as they can be.
    func end() {
        for call in calls.values { call.bye(reason: nil) }
        for chat in chats.values { chat.bye(reason: nil) }
    }
}
