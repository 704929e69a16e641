import MessagingCore
import MessagingService
import NIOCore
import SDP
import SIP
import SIPTransport
import SessionCore
import Synchronization

/// Asking, being asked, and agreeing anew.
extension LiveDialog {
    /// Asks the other side.
    /// - Returns: `delivered` once anybody over there has answered anything: from then on what becomes of it is known here.
    func call(_ details: SessionDetails) async -> OutboundResult {
        guard let way = await running.stack.way(nil, to: peer),
            let offer = try? state.withLock({ try $0.description.invite(.activePassive, keeping: false) })
        else {
            interconnect.missed(peer)
            handle(.unanswered)
            return .temporary
        }
        let request = invitation(details, offer)
        return await withCheckedContinuation { continuation in
            let first = First(continuation)
            let invite = running.stack.call(request, on: way, patience: InterconnectLimits.callTime) { [self] event in
                switch event {
                case .provisional: handle(.provisional)
                case .accepted(let call): accepted(call)
                case .refused(let response): handle(.refused(response.status ?? 500))
                case .unanswered:
                    handle(.unanswered)
                    return first.resume(.temporary)
                }
                interconnect.heard(peer.domain)
                first.resume(.delivered)
            }
            state.withLock { $0.invite = invite }
        }
    }

    private func invitation(_ details: SessionDetails, _ offer: [UInt8]) -> SIPMessage {
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
        request.setBody(ByteBuffer(bytes: offer), contentType: "application/sdp")
        return request
    }

    /// What stands in every INVITE and in the answers to theirs.
    private func describe(_ message: inout SIPMessage) {
        message.append(.contact, "\(running.contact);\(Requests.Service.session.tag)")
        message.append(.allow, Answering.methods)
        message.append(.supported, "timer")
    }

    private func accepted(_ call: OutgoingCall) {
        let isUsable = state.withLock { state in
            state.invite = nil
            state.dialog = call.dialog
            state.flow = call.flow
            state.sessionTimer.agreed(try? call.answer.sessionExpires(), isRequester: true, now: .now())
            return (try? state.description.accepted(Array(call.answer.body.readableBytesView))) != nil
        }
        interconnect.name(self, call.dialog.id)
        if isUsable {
            _ = handle(.accepted)
            return
        }
        // Texts cannot flow: they go as messages.
        hangUp()
        handle(.refused(488))
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

    /// Answers it: our user has accepted.
    func accept() async {
        let (invitation, answer) = state.withLock { state in
            let invitation = state.invitation.take()
            let answer = invitation.flatMap { try? state.description.invited($0.offer).answer }
            return (invitation, answer)
        }
        guard let invitation else { return }
        guard let answer, let timer = try? Self.timer(invitation.request.message) else {
            invitation.request.respond(488)
            handle(.vanished)
            return
        }
        let connects = state.withLock { $0.description.path?.other.connects ?? false }
        // Whoever is connected to has to be there when the answer arrives; whoever connects must not come before it.
        if !connects { connect() }
        answered(invitation.request, answer, timer)
        if connects { connect() }
    }

    /// Takes a request for what is open: their server has lost its dialog, and nobody is alerted (nor told).
    /// - Returns: false when it is not open.
    func adopt(_ request: PeerRequest, _ offer: [UInt8]) async throws -> Bool {
        let (dialog, timer) = (try request.dialog(), try Self.timer(request.message))
        let flow = try await request.flow
        let taken: (answer: [UInt8], old: DialogID?)? = try state.withLock { state in
            guard case .open = state.machine.phase else { return nil }
            var description = state.description.renewed
            let answer = try description.invited(offer).answer
            let old = state.dialog?.id
            (state.description, state.dialog, state.flow) = (description, dialog, flow)
            return (answer, old)
        }
        guard let (answer, old) = taken else { return false }
        interconnect.rename(self, from: old, to: dialog.id)
        let connects = state.withLock { $0.description.path?.other.connects ?? false }
        if !connects { connect() }
        answered(request, answer, timer)
        if connects { connect() }
        await keep()
        return true
    }

    /// Sends a 2xx.
    private func answered(_ request: PeerRequest, _ body: [UInt8], _ timer: SessionTimer.Offer) {
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
    func cancelled() { handle(.cancelled) }

    /// BYE came: it is answered once our side knows.
    func hungUp(_ request: PeerRequest) {
        guard accept(request) else { return }
        let isOpen = state.withLock { state in
            state.dialog?.terminate()
            return !state.isOver
        }
        guard isOpen else { return request.respond(200) }
        let task = handle(.hungUp)
        Task {
            await task.value
            request.respond(200)
        }
    }

    /// Whether a request within the dialog is in order; else it is answered.
    private func accept(_ request: PeerRequest) -> Bool {
        switch state.withLock({ try? $0.dialog?.received(request: request.message) }) {
        case .accept?: return true
        case .outOfOrder?: request.respond(500)
        case .noDialog?, nil: request.respond(481)
        }
        return false
    }

    // MARK: Agreeing anew

    /// A re-INVITE of theirs: answered at once, completely or not at all (RFC 6141).
    func invited(again request: PeerRequest) {
        guard accept(request) else { return }
        let offer = Array(request.message.body.readableBytesView)
        do {
            let timer = try Self.timer(request.message)
            if case .tooSmall(let minimum) = timer {
                return request.respond(422, headers: [(.minSE, "\(minimum)")])
            }
            let (answer, isMoved) = try state.withLock { state in
                guard case .open = state.machine.phase else { throw DialogDescription.Problem.pending }
                let result =
                    try offer.isEmpty
                    ? (state.description.invitedToOffer(), false) : state.description.invited(offer)
                try state.dialog?.refreshTarget(from: request.message)
                return result
            }
            let connects = state.withLock { $0.description.path?.other.connects ?? false }
            if isMoved, !connects { connect() }
            answered(request, answer, timer)
            if isMoved, connects { connect() }
            letGo()
            Task { await keep() }
        } catch DialogDescription.Problem.pending {
            let isOurs = state.withLock { $0.description.isOurs }
            request.respond(isOurs ? 491 : 500, headers: isOurs ? [] : [(.retryAfter, "\(Int.random(in: 0...10))")])
        } catch {
            request.respond(488)
        }
    }

    /// The ACK to a 2xx came; an answer may be in it.
    func acknowledged(_ body: [UInt8]) {
        guard !body.isEmpty else { return }
        do {
            if try state.withLock({ try $0.description.acknowledged(body) }) { connect() }
        } catch {
            // What was agreed before still holds.
            return
        }
    }

    /// A re-INVITE of ours: for a new path, or to make sure that the other side is there (RFC 4028).
    func renegotiate(isRefresh: Bool) {
        let isOwner = state.withLock { $0.machine.role == .host }
        let made: (SIPMessage, Dialog, Flow?)? = state.withLock { state in
            let canConnect = state.description.path?.other.fingerprint != nil
            guard var dialog = state.dialog, !state.isOver,
                let offer = try? state.description.invite(canConnect ? .active : .activePassive, keeping: isRefresh),
                var request = try? dialog.makeRequest(.invite)
            else { return nil }
            state.dialog = dialog
            describe(&request)
            request.append(.pAssertedIdentity, "<\(key.own)>")
            request.append(.sessionExpires, "\(InterconnectLimits.sessionSeconds);refresher=uac")
            request.setBody(ByteBuffer(bytes: offer), contentType: "application/sdp")
            return (request, dialog, state.flow)
        }
        guard let (request, dialog, flow) = made else { return refused(491, isRefresh, isOwner) }
        Task { [running, peer] in
            guard let way = await running.stack.way(flow, to: peer) else {
                state.withLock { $0.description.refused() }
                return refused(503, isRefresh, isOwner)
            }
            running.stack.call(request, on: way, within: dialog, patience: InterconnectLimits.answerTime) {
                [self] event in
                switch event {
                case .provisional: break
                case .accepted(let call): agreed(call, isRefresh, isOwner)
                case .refused(let response):
                    state.withLock { $0.description.refused() }
                    refused(response.status ?? 500, isRefresh, isOwner)
                case .unanswered:
                    state.withLock { $0.description.refused() }
                    refused(503, isRefresh, isOwner)
                }
            }
        }
    }

    private func agreed(_ call: OutgoingCall, _ isRefresh: Bool, _ isOwner: Bool) {
        let isMoved = state.withLock { state in
            try? state.dialog?.refreshTarget(from: call.answer)
            state.flow = call.flow
            state.sessionTimer.agreed(try? call.answer.sessionExpires(), isRequester: true, now: .now())
            return try? state.description.accepted(Array(call.answer.body.readableBytesView))
        }
        schedule()
        guard let isMoved else { return refused(488, isRefresh, isOwner) }
        if isMoved || !isRefresh { connect() }
        letGo()
        Task { await keep() }
    }

    /// A new path is offered again after a while; a refresh follows the session timer.
    private func refused(_ status: SIPStatus, _ isRefresh: Bool, _ isOwner: Bool) {
        let random = UInt64.random(in: 0 ... .max)
        if isRefresh {
            if state.withLock({ $0.sessionTimer.refreshFailed(status, now: .now()) }) == .end { handle(.vanished) }
            return schedule()
        }
        let glare = ModificationGate.glareDelayMilliseconds(isCallIDOwner: isOwner, random: random)
        handle(.offerRefused(status, delay: status == 491 ? .milliseconds(Int64(glare)) : .seconds(5)))
    }
}

/// Somebody who waits for the first of several answers.
private final class First: Sendable {
    private let waiting: Mutex<CheckedContinuation<OutboundResult, Never>?>

    init(_ continuation: CheckedContinuation<OutboundResult, Never>) { waiting = Mutex(continuation) }

    func resume(_ result: OutboundResult) { waiting.withLock { $0.take() }?.resume(returning: result) }
}
