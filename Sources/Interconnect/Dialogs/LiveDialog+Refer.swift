import MessageSignalling
import MessagingCore
import MessagingService
import NIOCore
import SIP
import SIPTransport
import SessionCore
import Synchronization

/// REFER by the user at the other end (RFC 3515): somebody is asked into the conversation, by its owner's server. That hands
/// a call on as well (RFC 5589, section 6): whoever referred hangs up when the other is there.
extension LiveDialog {
    /// Takes a REFER within the call's dialog, or one to the conversation's own address (RFC 4579, section 5.5).
    func refer(_ request: PeerRequest) async throws {
        let refer = try Refer(request.message)
        let isWithin = try request.message.to().tag != nil
        if isWithin, !accept(request) { return }
        guard refer.method == .invite, refer.replaces == nil else { return request.respond(603) }
        guard case .sip(let uri) = refer.targetURI else { return request.respond(416) }
        guard let user = try? Address(uri.description) else { return request.respond(404) }
        // Who asked for the conversation elsewhere is the one to ask others into it.
        guard state.withLock({ $0.machine.role == .host }) else { return request.respond(403) }
        let referral = PeerReferral(
            user: user,
            event: isWithin ? refer.event : EventKey(package: refer.event.package),
            wantsNews: refer.wantsSubscription,
            dialog: isWithin ? nil : try request.dialog(),
            flow: try await request.flow,
            due: .now + InterconnectLimits.referralTime
        )
        let isFree = state.withLock { state in
            guard state.referral == nil, !state.isOver, case .open = state.machine.phase else { return false }
            state.referral = referral
            return true
        }
        guard isFree else { return request.respond(isOver ? 481 : 491) }
        do {
            try await service.invite(user, to: key.session, of: key.own, by: key.other)
        } catch {
            state.withLock { $0.referral = nil }
            throw error
        }
        let following = Task { await follow(referral) }
        state.withLock { $0.referral?.following = following }
        let noNews: [(HeaderName, String)] = referral.wantsNews ? [] : [(.referSub, "false")]
        request.respond(202, headers: [(.contact, contact)] + noNews)
        tell(100)
    }

    /// Until it is known whether that user came.
    private func follow(_ referral: PeerReferral) async {
        var outcome: SIPStatus?
        while outcome == nil {
            try? await Task.sleep(for: InterconnectLimits.referralPause)
            guard !isOver else { break }
            let state = try? await service.invitation(of: referral.user, to: key.session, of: key.own)
            outcome = PeerReferral.outcome(state, hasMedia: hasMedia(referral.user), isDue: referral.due <= .now)
        }
        tell(outcome ?? 487)
        state.withLock { $0.referral = nil }
    }

    private func hasMedia(_ user: Address) -> Bool {
        let media = state.withLock { $0.machine.media.board.media.filter { $0.placements[key.other] != nil } }
        return media.isEmpty || media.contains { $0.placements[user] != nil }
    }

    /// A status line in `message/sipfrag` (RFC 3420); a final one ends the subscription.
    private func tell(_ status: SIPStatus) {
        let contact = contact
        let news: (SIPMessage, Flow?)? = state.withLock { state in
            guard var referral = state.referral, referral.wantsNews else { return nil }
            let made =
                referral.dialog == nil
                ? try? state.dialog?.makeRequest(.notify) : try? referral.dialog?.makeRequest(.notify)
            state.referral = referral
            guard var request = made else { return nil }
            let left = max(1, ContinuousClock.now.duration(to: referral.due).components.seconds)
            request.append(.event, referral.event.text)
            request.append(
                .subscriptionState,
                status.isFinal ? "terminated;reason=noresource" : "active;expires=\(left)"
            )
            request.append(.contact, contact)
            request.setBody(Refer.fragment(status), contentType: "message/sipfrag;version=2.0")
            return (request, referral.flow)
        }
        guard let (request, flow) = news else { return }
        running.stack.post(request, on: flow, to: peer) { _ in }
    }
}

extension Answering {
    /// A user of a peer asks somebody into a conversation.
    func refer(_ request: PeerRequest) async throws {
        let sender = try Requests.sender(of: request.message, domains: request.domains)
        if try request.message.to().tag != nil {
            guard let id = try request.message.dialogIDAtServer(), let live = interconnect.dialog(id),
                live.key.other == sender
            else { return request.respond(481) }
            return try await live.refer(request)
        }
        guard let name = try request.message.requestURI().sip?.user, let session = try? SessionID(name),
            let live = interconnect.dialog(of: session, with: sender)
        else { return request.respond(404) }
        try await live.refer(request)
    }
}
