import MessagingCore
import MessagingService
import NIOCore
import SDP
import SIP
import SIPTransport
import SessionCore
import Synchronization

/// Agreeing anew on an open conversation: re-INVITE both ways.
extension LiveDialog {
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
