import MessageSignalling
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
    /// What a re-INVITE of ours is for.
    enum Purpose {
        /// Another path for texts.
        case path
        /// To make sure that the other side is there (RFC 4028).
        case refresh
        /// News of voice and video.
        case media
    }

    /// A re-INVITE of theirs: answered completely or not at all (RFC 6141), and at once unless a medium in it waits for our
    /// user or for a device.
    func invited(again request: PeerRequest) {
        guard accept(request) else { return }
        let offer = request.message.descriptionOctets
        do {
            let timer = try Self.timer(request.message)
            if case .tooSmall(let minimum) = timer {
                return request.respond(422, headers: [(.minSE, "\(minimum)")])
            }
            try state.withLock { state in
                guard case .open = state.machine.phase else { throw DialogDescription.Problem.pending }
                try state.dialog?.refreshTarget(from: request.message)
            }
            guard offer.isEmpty else {
                return try ask(request, timer, offer, isFirst: false)
            }
            let ours = try state.withLock { state in
                let files = state.files
                var media = state.machine.media
                defer { state.machine.media = media }
                return try state.description.invitedToOffer { offer in
                    media.offer(in: &offer)
                    files.offer(in: &offer)
                }
            }
            answered(request, ours, timer)
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
        let taken: (isMoved: Bool?, isNew: Bool, remote: [SDP.MediaDescription])? = state.withLock { state in
            guard state.description.isAnswerOwed else { return nil }
            let isNew = state.description.path == nil
            let isMoved = try? state.description.acknowledged(body)
            return (isMoved, isNew, state.description.remote)
        }
        guard let taken else { return }
        guard let isMoved = taken.isMoved else {
            // What was agreed before still holds, if there is any.
            _ = handle(taken.isNew ? .vanished : .media(.refused(488, delay: .zero)))
            return
        }
        if isMoved { connect() }
        handle(.media(.answered(taken.remote)))
        Task { await keep() }
    }

    /// A re-INVITE of ours.
    func renegotiate(_ purpose: Purpose) {
        let isOwner = state.withLock { $0.machine.role == .host }
        let made: (SIPMessage, Dialog, Flow?)? = state.withLock { state in
            let canConnect = state.description.path?.other.fingerprint != nil
            let files = state.files
            var media = state.machine.media
            guard var dialog = state.dialog, !state.isOver,
                let offer = try? state.description.invite(
                    canConnect ? .active : .activePassive,
                    keeping: purpose != .path,
                    beside: { offer in
                        media.offer(in: &offer)
                        files.offer(in: &offer)
                    }
                ), var request = try? dialog.makeRequest(.invite)
            else { return nil }
            state.machine.media = media
            state.dialog = dialog
            state.isModificationUnwanted = false
            describe(&request)
            request.append(.pAssertedIdentity, "<\(key.own)>")
            request.append(.sessionExpires, "\(InterconnectLimits.sessionSeconds);refresher=uac")
            request.setBody(ByteBuffer(bytes: offer), contentType: "application/sdp")
            return (request, dialog, state.flow)
        }
        guard let (request, dialog, flow) = made else { return putOff(purpose, isOwner) }
        Task { [running, peer] in
            guard let way = await running.stack.way(flow, to: peer) else {
                guard isCurrent(dialog) else { return outdated(purpose, isOwner) }
                state.withLock { $0.description.refused() }
                return refused(503, purpose, isOwner)
            }
            let invite = running.stack.call(
                request,
                on: way,
                within: dialog,
                patience: InterconnectLimits.answerTime
            ) { [self] event in
                if case .provisional = event { return }
                guard isCurrent(dialog) else { return outdated(purpose, isOwner) }
                state.withLock { $0.modification = nil }
                switch event {
                case .provisional: break
                case .accepted(let call): agreed(call, purpose, isOwner)
                case .refused(let response):
                    state.withLock { $0.description.refused() }
                    refused(response.status ?? 500, purpose, isOwner)
                case .unanswered:
                    state.withLock { $0.description.refused() }
                    refused(503, purpose, isOwner)
                }
            }
            let isUnwanted = state.withLock { state in
                guard state.dialog?.id == dialog.id else { return true }
                state.modification = invite
                return state.isModificationUnwanted
            }
            if isUnwanted { invite.cancel(reason: .takenBack) }
        }
    }

    private func agreed(_ call: OutgoingCall, _ purpose: Purpose, _ isOwner: Bool) {
        let (isMoved, remote) = state.withLock { state in
            try? state.dialog?.refreshTarget(from: call.answer)
            state.flow = call.flow
            state.sessionTimer.agreed(try? call.answer.sessionExpires(), isRequester: true, now: .now())
            let isMoved = try? state.description.accepted(call.answer.descriptionOctets)
            return (isMoved, state.description.remote)
        }
        schedule()
        guard let isMoved else { return refused(488, purpose, isOwner) }
        if isMoved || purpose == .path { connect() }
        letGo()
        handle(.media(.answered(remote)))
        Task { await keep() }
    }

    private func isCurrent(_ dialog: Dialog) -> Bool { state.withLock { $0.dialog?.id == dialog.id } }

    /// What comes of a dialog that theirs has taken the place of says nothing of this one; but whoever waits for a path to be
    /// offered waits no longer.
    private func outdated(_ purpose: Purpose, _ isOwner: Bool) {
        if purpose == .path { again(.path, 491, Self.glareDelay(isOwner)) }
    }

    /// It could not begin: another one, ours or theirs, is under way, or there is no dialog. That one goes on as it is.
    private func putOff(_ purpose: Purpose, _ isOwner: Bool) {
        let delay = Self.glareDelay(isOwner)
        guard purpose == .media else { return again(purpose, 491, delay) }
        handle(.media(.notBegun(delay: delay)))
    }

    private static func glareDelay(_ isOwner: Bool) -> TimeAmount {
        let random = UInt64.random(in: 0 ... .max)
        return .milliseconds(Int64(ModificationGate.glareDelayMilliseconds(isCallIDOwner: isOwner, random: random)))
    }

    private func refused(_ status: SIPStatus, _ purpose: Purpose, _ isOwner: Bool) {
        let delay: TimeAmount = status == 491 ? Self.glareDelay(isOwner) : .seconds(5)
        handle(.media(.refused(status, delay: delay)))
        again(purpose, status, delay)
    }

    /// A new path is offered again after a while; a refresh follows the session timer.
    private func again(_ purpose: Purpose, _ status: SIPStatus, _ delay: TimeAmount) {
        if purpose == .refresh {
            if state.withLock({ $0.sessionTimer.refreshFailed(status, now: .now()) }) == .end { handle(.vanished) }
            return schedule()
        }
        handle(.offerRefused(status, delay: delay))
    }
}
