import ClientWire
import MessagingCore
import MessagingService
import NIOCore
import SIP
import SIPTransport
import SessionCore
import Store

/// A REFER of a phone that is being followed, and the subscription that came with it (RFC 3515, section 2.4.4).
///
/// Belongs to the gateway's loop.
final class PhoneReferral: @unchecked Sendable {
    let context: GatewayContext
    let call: PhoneCall
    let session: SessionID
    private let talks: Talks
    private let event: EventKey
    private var wantsNews: Bool
    /// Its own dialog, when the REFER was sent outside of the call's.
    private var dialog: Dialog?
    private let flow: Flow
    private var referral: Referral?
    private let due: NIODeadline
    private var isAsking = false
    private var isOver = false
    /// The phone's other call, which is joined with this one.
    private var joined: SessionID?

    init(
        _ call: PhoneCall,
        _ session: SessionID,
        event: EventKey,
        wantsNews: Bool,
        dialog: Dialog?,
        flow: Flow,
        seconds: Int64
    ) {
        context = call.context
        talks = call.talks
        self.call = call
        self.session = session
        self.event = event
        self.wantsNews = wantsNews
        self.dialog = dialog
        self.flow = flow
        due = .now() + .seconds(seconds)
    }

    /// The phone is told that something is under way.
    func begin() { notify(100) }

    /// Whoever is at the other end of that session's call is asked into this one, on the phone that it is on in its place.
    func join(_ other: SessionID) {
        joined = other
        context.joins[session] = other
    }

    /// The server took it.
    func follow(_ goal: Referral.Goal, _ document: SessionDocument) {
        guard !isOver else { return }
        referral = Referral(goal)
        take(document)
    }

    func take(_ document: SessionDocument) {
        if let outcome = referral?.take(document) { finish(outcome) }
    }

    func tick(now: NIODeadline) {
        guard !isOver else { return }
        if due <= now {
            withdraw()
            return finish(referral?.timedOut ?? .failed(480))
        }
        guard let address = referral?.user, !isAsking else { return }
        isAsking = true
        let identity = talks.identity
        Task { [service = context.service, inbox = context.inbox, session, self] in
            let state = try? await service.invitation(of: address, to: session, identity)
            inbox.post {
                self.isAsking = false
                if case .gone(let end) = state, let outcome = self.referral?.take(end) { self.finish(outcome) }
            }
        }
    }

    /// Whoever would take it now comes too late.
    private func withdraw() {
        guard case .device(_, let moves)? = referral?.goal else { return }
        talks.command("a hand-over that took too long") { [identity = talks.identity, session] service in
            for move in moves.keys {
                _ = try await service.path(identity, session, move, PathReport(connected: false))
            }
        }
    }

    /// - Parameter leaves: whether the phone's user leaves when it is done; nil where the goal says so.
    func finish(_ outcome: Referral.Outcome, leaves: Bool? = nil) {
        guard !isOver else { return }
        isOver = true
        notify(outcome.status)
        talks.referrals[session] = nil
        context.joins[session] = nil
        let hasHungUp = call.control.state == .leaving
        switch (outcome, leaves ?? (referral?.user != nil)) {
        case (.done, true):
            talks.command("a transfer", tries: Talks.leavingTries) { [identity = talks.identity, session] service in
                _ = try await service.leave(identity, session)
            }
            if let joined { talks.leave(joined) }
        case (.done, false): break
        case (.failed, _):
            // It waited for this.
            if hasHungUp { call.perform([CallControl.Action.leave]) }
        }
        talks.settle(call)
    }

    /// A status line in `message/sipfrag` (RFC 3420); a final one ends the subscription.
    private func notify(_ status: SIPStatus) {
        guard wantsNews, var request = request() else { return }
        let left = max(1, (due - .now()).nanoseconds / 1_000_000_000)
        request.append(.event, event.text)
        request.append(
            .subscriptionState,
            status.isFinal ? "terminated;reason=noresource" : "active;expires=\(left)"
        )
        request.append(.contact, context.contact(flow))
        request.setBody(Refer.fragment(status), contentType: "message/sipfrag;version=2.0")
        call.send(request, target: dialog?.remoteTarget) { [weak self] event in
            guard let status = event.finalStatus, !status.isSuccess else { return }
            self?.wantsNews = false
        }
    }

    private func request() -> SIPMessage? {
        if dialog != nil { return try? dialog?.makeRequest(.notify) }
        return try? call.dialog?.makeRequest(.notify)
    }
}
