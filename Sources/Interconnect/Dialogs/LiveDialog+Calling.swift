import MessageSignalling
import MessagingCore
import MessagingService
import NIOCore
import SDP
import SIP
import SIPTransport
import SessionCore
import Synchronization

/// Asking, being asked, and hanging up.
extension LiveDialog {
    /// Asks the other side.
    /// - Returns: `delivered` once anybody over there has answered anything: from then on what becomes of it is known here.
    func call(_ details: SessionDetails) async -> OutboundResult {
        let wanted = PeerMedia.kinds(of: details.wanted)
        if details.invited.count > 1 { focus.withLock { $0 = true } }
        // A plain telephone takes no offer of texts, and nobody here can offer voice before there is a conversation.
        let isCall = !wanted.isEmpty && !(interconnect.kind(of: peer)?.hasTexts ?? false)
        guard let way = await running.stack.way(nil, to: peer), let request = invitation(details, isCall: isCall) else {
            interconnect.missed(peer)
            handle(.unanswered)
            return .temporary
        }
        let first = FirstAnswer<OutboundResult>()
        return await first.wait(orElse: .temporary) { call(request, wanted, on: way, first) }
    }

    private func call(
        _ request: SIPMessage,
        _ wanted: [MediumKind],
        on way: SIPStack.Target,
        _ first: FirstAnswer<OutboundResult>
    ) {
        let invite = running.stack.call(request, on: way, patience: InterconnectLimits.callTime) { [self] event in
            switch event {
            case .provisional: handle(.provisional)
            case .accepted(let call): call.acknowledgement == nil ? accepted(call) : offered(call, wanted)
            case .refused(let response):
                if let next = next(request, wanted, response) { return call(next, wanted, on: way, first) }
                handle(.refused(response.status ?? 500))
            case .unanswered:
                handle(.unanswered)
                interconnect.missed(peer)
                return first.take(.temporary)
            }
            interconnect.heard(peer.domain)
            first.take(.delivered)
        }
        state.withLock { $0.invite = invite }
    }

    /// What is tried after a refusal; nil when it stands.
    private func next(_ request: SIPMessage, _ wanted: [MediumKind], _ response: SIPMessage) -> SIPMessage? {
        let isStillWanted = state.withLock { state in
            if case .calling(let isWanted, _) = state.machine.phase { isWanted } else { false }
        }
        guard isStillWanted else { return nil }
        if let longer = Self.longer(request, response) { return longer }
        guard !wanted.isEmpty, let bare = Self.bare(request, response) else { return nil }
        let isOpen = state.withLock { state in
            state.description.refused()
            return state.description.inviteToOffer()
        }
        return isOpen ? bare : nil
    }

    /// The same request without an offer, where that of texts was not acceptable; nil when it was refused for anything else.
    static func bare(_ request: SIPMessage, _ response: SIPMessage) -> SIPMessage? {
        guard let status = response.status, [415, 488, 606].contains(status.rawValue), request.body.readableBytes > 0,
            let number = try? request.cSeq().number
        else { return nil }
        var bare = request
        bare.removeBody()
        bare.set(.cSeq, "\(number + 1) INVITE")
        return bare
    }

    /// The same request with the time between refreshes that the other side insists on (RFC 4028, section 7.3); nil when it
    /// was refused for anything else.
    static func longer(_ request: SIPMessage, _ response: SIPMessage) -> SIPMessage? {
        guard response.status == 422, let minimum = try? response.minimumSessionExpires(),
            minimum > InterconnectLimits.sessionSeconds, minimum <= InterconnectLimits.longestSessionSeconds,
            request.text(.minSE) == nil, let number = try? request.cSeq().number
        else { return nil }
        var longer = request
        longer.set(.sessionExpires, "\(minimum)")
        longer.set(.minSE, "\(minimum)")
        longer.set(.cSeq, "\(number + 1) INVITE")
        return longer
    }

    /// - Parameter isCall: it is for voice or video: whoever accepts makes the offer.
    /// - Returns: nil when nothing can be offered.
    private func invitation(_ details: SessionDetails, isCall: Bool) -> SIPMessage? {
        let offer: [UInt8]? = state.withLock { state in
            guard !isCall else { return state.description.inviteToOffer() ? [] : nil }
            return try? state.description.invite(.activePassive, keeping: false)
        }
        guard let offer else { return nil }
        var request = Requests.make(.invite, from: key.own, to: key.other)
        describe(&request)
        Requests.mark(&request, as: .session)
        request.append(Requests.conversation, details.conversation.description)
        request.append(Requests.contribution, key.session.description)
        if let answered = details.firstText?.inReplyTo { request.append(Requests.inReplyTo, answered.description) }
        // Something to show where the request alerts; the text itself comes when it is accepted.
        if let subject = details.subject ?? details.firstText?.parts.first?.text {
            let line = subject.split(whereSeparator: \.isNewline).joined(separator: " ")
            request.append(.subject, String(line.prefix(InterconnectLimits.subjectCharacters)))
        }
        request.append(.sessionExpires, "\(InterconnectLimits.sessionSeconds)")
        if !offer.isEmpty { request.setBody(ByteBuffer(bytes: offer), contentType: "application/sdp") }
        return request
    }

    /// What stands in every INVITE and in the answers to theirs.
    func describe(_ message: inout SIPMessage) {
        message.append(.contact, contact)
        message.append(.allow, Answering.methods)
        message.append(.supported, "timer")
    }

    private func accepted(_ call: OutgoingCall) {
        let isUsable = state.withLock { state in
            state.invite = nil
            state.dialog = call.dialog
            state.flow = call.flow
            state.sessionTimer.agreed(try? call.answer.sessionExpires(), isRequester: true, now: .now())
            return (try? state.description.accepted(call.answer.descriptionOctets)) != nil
        }
        interconnect.name(self, call.dialog.id)
        if isUsable {
            let isWanted = state.withLock { state in
                if case .calling(let isWanted, _) = state.machine.phase { isWanted } else { false }
            }
            _ = handle(.accepted)
            // Whoever is connected to has to be there: the other side may come before anything is committed here.
            let waits = state.withLock { $0.description.path?.other.connects == false }
            if isWanted, waits { connect() }
            return
        }
        // Texts cannot flow: they go as messages.
        hangUp(.notAcceptable)
        handle(.refused(488))
    }

    /// They have accepted, and make the offer: our user's device answers what was wanted of it, in the ACK.
    private func offered(_ call: OutgoingCall, _ wanted: [MediumKind]) {
        let media: [SDP.MediaDescription]? = state.withLock { state in
            state.invite = nil
            state.dialog = call.dialog
            state.flow = call.flow
            state.sessionTimer.agreed(try? call.answer.sessionExpires(), isRequester: true, now: .now())
            state.question = Question(place: .acknowledgement(call), isFirst: true)
            return try? state.description.open(call.answer.descriptionOctets, isAnswer: true)
        }
        interconnect.name(self, call.dialog.id)
        guard let media else {
            hangUp(.notAcceptable)
            _ = handle(.refused(488))
            return
        }
        handle(.offered(media, wanted: wanted))
    }

    // MARK: Their request

    /// Takes a request of theirs whose devices are to be alerted.
    func ring(_ request: PeerRequest, _ offer: [UInt8]) async throws {
        let dialog = try request.dialog()
        let flow = try await request.flow
        state.withLock { state in
            state.invitation = (request, offer)
            state.dialog = dialog
            state.flow = flow
        }
    }

    /// Our user has accepted: it is answered once it is clear what becomes of its media.
    func accept() {
        guard let (request, offer) = state.withLock({ $0.invitation.take() }) else { return }
        do {
            let timer = try Self.timer(request.message)
            guard offer.isEmpty else { return try ask(request, timer, offer, isFirst: true) }
            // Their answer comes with the ACK. This side connects: it could not be there any sooner.
            let ours = try state.withLock { try $0.description.invitedToOffer(.active) }
            answered(request, ours, timer)
        } catch {
            request.respond(488)
            handle(.vanished)
        }
    }

    /// Takes a request for what is open: their server has lost its dialog, and nobody is alerted (nor told).
    /// - Returns: false when it is not open.
    func adopt(_ request: PeerRequest, _ offer: [UInt8]) async throws -> Bool {
        let (dialog, timer) = (try request.dialog(), try Self.timer(request.message))
        let flow = try await request.flow
        let taken:
            (media: [SDP.MediaDescription], old: DialogID?, question: Question?, modification: OutgoingInvite?)? =
                try state.withLock { state in
                    guard case .open = state.machine.phase else { return nil }
                    var description = state.description.renewed
                    let media = try description.open(offer)
                    let old = state.dialog?.id
                    (state.description, state.dialog, state.flow) = (description, dialog, flow)
                    state.machine.media.begin()
                    let question = state.question
                    state.question = Question(place: .response(request, timer), isFirst: true)
                    // The old path's other end is gone: texts wait for the new one.
                    state.isRunning = false
                    return (media, old, question, state.modification.take())
                }
        guard let taken else { return false }
        taken.modification?.cancel(reason: .takenBack)
        if let question = taken.question { refuse(question, 487) }
        // Their server does not know that dialog any more: nothing in it comes again.
        if let old = taken.old { running.stack.forget(callID: old.callID) }
        interconnect.rename(self, from: taken.old, to: dialog.id)
        await handle(.media(.offered(taken.media, isFirst: true))).value
        return true
    }

    /// Sends a 2xx.
    func answered(_ request: PeerRequest, _ body: [UInt8], _ timer: SessionTimer.Offer) {
        var response = SIPMessage(status: 200)
        describe(&response)
        var headers: [(HeaderName, String)] = [.contact, .allow, .supported].compactMap { name in
            response.text(name).map { (name, $0) }
        }
        var expires: SessionExpires?
        if case .use(let value, let isRequired) = timer {
            expires = value
            headers.append((.sessionExpires, value.description))
            if isRequired { headers.append((.require, "timer")) }
        }
        state.withLock { $0.sessionTimer.agreed(expires, isRequester: false, now: .now()) }
        request.respond(200, headers: headers, body: (body, "application/sdp"))
        schedule()
    }

    /// - Throws: what is wrong with the header fields.
    static func timer(_ request: SIPMessage) throws -> SessionTimer.Offer {
        try SessionTimer.negotiate(request, minimum: InterconnectLimits.shortestSessionSeconds, preferred: nil)
    }

    /// CANCEL came.
    func cancelled() {
        let question = state.withLock { state in
            guard let question = state.question, !question.isFirst else { return nil as Question? }
            state.question = nil
            state.description.withdraw()
            return question
        }
        guard let question else {
            _ = handle(.cancelled)
            return
        }
        refuse(question, 487)
        handle(.media(.withdrawn))
    }

    /// BYE came: it is answered once our side knows.
    func hungUp(_ request: PeerRequest) {
        guard accept(request) else { return }
        dismissWatches()
        let isOpen = state.withLock { state in
            state.dialog?.terminate()
            return !state.isOver
        }
        guard isOpen else { return request.respond(200) }
        let isFailure = Parting.isFailure(request.message)
        if let following = state.withLock({ $0.referral?.following }) {
            // Whoever hands a call on may hang up at once: what is said at this end waits for the one who is to come.
            request.respond(200)
            Task {
                await following.value
                handle(.hungUp(isFailure: isFailure))
            }
            return
        }
        let task = handle(.hungUp(isFailure: isFailure))
        Task {
            await task.value
            request.respond(200)
        }
    }

    /// Whether a request within the dialog is in order; else it is answered.
    func accept(_ request: PeerRequest) -> Bool {
        switch state.withLock({ try? $0.dialog?.received(request: request.message) }) {
        case .accept?: return true
        case .outOfOrder?: request.respond(500)
        case .noDialog?, nil: request.respond(481)
        }
        return false
    }
}
