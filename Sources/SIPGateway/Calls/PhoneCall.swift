import ClientWire
import Logging
import MediaRelaying
import MediaSignalling
import MessagingCore
import MessagingService
import NIOCore
import SDP
import SIP
import SIPTransport
import SessionCore
import Store

/// A phone's call in one session: the dialog with the phone on one side, the session on the other.
///
/// `@unchecked Sendable`: touched on the gateway's loop alone.
final class PhoneCall: @unchecked Sendable {
    /// The dialog with the phone, as far as it is.
    enum Link {
        case none
        /// The phone's INVITE waits for its answer.
        case incoming(ServerTransaction)
        /// Our INVITE waits for its answer.
        case outgoing(ClientTransaction)
        /// Our INVITE is cancelled: an answer that comes all the same is ended with this reason.
        case cancelled(reason: String?)
        case standing
        case ended
    }

    let context: GatewayContext
    let phone: Phone
    let talks: Talks
    /// Nil until the session of a phone's own call is made.
    var session: SessionID?
    var control: CallControl
    var exchange: MediaExchange
    /// The ways through the relay, to devices that need it.
    var bridges: [MediaLine.Peer: MediaBridge] = [:]
    var link = Link.none
    var dialogs: DialogSet?
    var dialog: Dialog?
    var gate = ModificationGate()
    var timer = SessionTimer()
    /// Our 2xx until its ACK comes, and what it answers.
    var success: PendingSuccess?
    /// That 2xx has an offer, and the ACK is to bring the answer.
    var owesAnswer = false
    /// The phone's 2xx with an offer that waits for its ACK: the number of our INVITE.
    var unacknowledged: UInt32?
    var acknowledgements = SentAcknowledgements()
    var blockedUntil: NIODeadline?
    var mediaDue: NIODeadline?
    /// Until when others may be in its media.
    var crowdedUntil: NIODeadline?
    /// The phone's INVITE with Replaces waits for the server's word. Taken back meanwhile, nothing that changes concerns it.
    var isTaking = false
    /// Something was to be done while its INVITE, which was taken back, had no answer yet.
    private(set) var wasCancelled = false
    /// A leg that is being handed over to the phone together with media: it is ready when they are there.
    var waitingLeg: Generation?
    /// What the phone's INVITE is answered when nothing comes of it.
    var refusal = SIPStatus(480)
    /// How many REFERs it sent in the dialog.
    var refers = 0
    private var alarm = Alarm()
    let tag = RandomText.token(12)

    init(_ phone: Phone, _ talks: Talks, session: SessionID?, user: Address, state: CallControl.State) {
        context = phone.context
        self.phone = phone
        self.talks = talks
        self.session = session
        control = CallControl(state: state)
        let address = context.address(phone.target(now: .now())?.flow)
        exchange = MediaExchange(user: user, address: address, number: UInt64.random(in: 1...UInt64(Int32.max)))
    }

    /// Nothing is left of it, on either side.
    var isOver: Bool {
        switch (control.state, link) {
        case (.idle, .none), (.idle, .ended), (.declined, .ended): true
        default: false
        }
    }

    /// The dialog as the phone has it, once it stands.
    var phoneDialog: DialogID? {
        guard case .standing = link, let id = dialog?.id else { return nil }
        return id.swapped
    }

    var holdsDialog: Bool {
        switch link {
        case .incoming, .outgoing, .standing: true
        case .none, .cancelled, .ended: false
        }
    }

    /// Counts towards what a phone may begin: one that it took back, or ended, does until the session's word of it.
    var isUnderWay: Bool {
        switch control.state {
        case .idle, .declined: holdsDialog
        case .placing, .taking, .ringing, .answering, .standing, .leaving: true
        }
    }

    // MARK: What the session says

    func take(_ document: SessionDocument) {
        if isTaking, control.state == .leaving { return }
        // The answer to an INVITE that was taken back would be taken for that to the next one: that comes in a call anew.
        if case .cancelled = link {
            wasCancelled = true
            return
        }
        let share = CallShare(document, on: phone.identity.device, can: phone.abilities, rings: talks.rings)
        perform(control.take(share))
        if share.crowded.isEmpty { crowdedUntil = nil }
        switch control.state {
        // With others in its media for a moment everything stays as it is.
        case .standing where !share.crowded.isEmpty: break
        case .placing, .taking, .ringing, .answering, .standing: perform(exchange.set(share.lines, now: .now()))
        case .idle, .leaving, .declined: break
        }
        settleLeg()
        closeBridges()
        arm()
    }

    /// - Returns: whether it concerns a medium of this call.
    func take(_ signal: MediaSignal) -> Bool {
        guard let line = exchange.lines.first(where: { $0.isAddressed(by: signal) }) else { return false }
        guard let payload = MediaPayload(signal.payload) else { return true }
        hear(payload, line)
        arm()
        return true
    }

    /// Whether media are on their way to the phone.
    var awaitsMedia: Bool {
        switch control.state {
        case .taking, .ringing(.move): true
        case .standing: exchange.lines.contains { $0.move != nil }
        case .idle, .placing, .ringing, .answering, .leaving, .declined: false
        }
    }

    /// The leg that was to come with the media comes, or does not.
    func settleLeg() {
        guard let generation = waitingLeg, let session, !awaitsMedia else { return }
        waitingLeg = nil
        let isHere = control.state == .standing
        talks.step(session, LegStep(generation, isHere ? .ready : .failed))
    }

    // MARK: What follows

    func perform(_ actions: [CallControl.Action]) {
        for action in actions { perform(action) }
    }

    private func perform(_ action: CallControl.Action) {
        let identity = phone.identity
        switch action {
        case .ring(let kinds): ring(kinds)
        case .cancel(let reason): cancel(reason: reason)
        case .answerPhone: break  // The exchange does, as soon as it has something to say.
        case .refusePhone(let status, let reason): refuse(status, reason: reason)
        case .bye(let reason): bye(reason: reason)
        case .accept(let kinds):
            mediaDue = .now() + .seconds(context.limits.mediaSeconds)
            askToAnswer("accept") { try await $0.accept(identity, $1, AcceptRequest(media: kinds)) }
        case .reject: ask("reject") { try await $0.reject(identity, $1) }
        case .ignore: ask("ignore") { try await $0.ignore(identity, $1) }
        case .consent(let id, let accepts):
            if accepts { mediaDue = .now() + .seconds(context.limits.mediaSeconds) }
            askToAnswer("consent") { try await $0.answer(identity, $1, id, MediaAnswer(accept: accepts)) }
        case .path(let ids, let isConnected):
            for id in ids { ask("path") { try await $0.path(identity, $1, id, PathReport(connected: isConnected)) } }
        case .fail(let media):
            if case .incoming = link { refusal = 488 }
            for medium in media { ask("medium") { try await $0.mediumFailed(identity, $1, medium) } }
        case .awaitMedia: mediaDue = mediaDue ?? .now() + .seconds(context.limits.mediaSeconds)
        case .crowded: crowdedUntil = crowdedUntil ?? .now() + .seconds(context.limits.crowdedSeconds)
        case .leave: leave()
        }
    }

    func perform(_ actions: [MediaExchange.Action]) {
        for action in actions {
            switch action {
            case .fetch: invite(nil)
            case .offer(let description): invite(description)
            case .answer(let description): answer(description)
            case .signal(let line, let payload): send(payload, line)
            case .agreed(let line):
                if let move = line.move { perform([CallControl.Action.path([move], true)]) }
            case .failed(let medium):
                failed(medium)
            }
        }
    }

    /// What was being moved stays where it was; of the other end's move that end is told.
    private func failed(_ medium: MediumID) {
        if case .incoming = link { refusal = 488 }
        guard let line = exchange.lines.first(where: { $0.medium == medium }) else { return }
        if let move = line.move {
            perform([CallControl.Action.path([move], false)])
        } else if line.isTheirMove {
            say(line, .refused("The device at the other end does not take it"))
        } else {
            perform([CallControl.Action.fail([medium])])
        }
    }

    /// Tells another device, past the relay.
    func say(_ line: MediaLine, _ payload: MediaPayload) {
        guard let session else { return }
        let signal = MediaSignal(
            session: session,
            medium: line.medium,
            generation: line.own,
            to: line.peer.user,
            toGeneration: line.theirs,
            payload: payload.value
        )
        context.service.signalFromPhone(phone.identity, signal)
    }

    /// A command in the session. What it says of the session is heard at once.
    private func ask(
        _ name: String,
        _ body: @escaping @Sendable (MessagingService, SessionID) async throws -> SessionDocument
    ) {
        guard let session else { return }
        talks.command("a phone's \(name)", tries: Talks.leavingTries) { _ = try await body($0, session) }
    }

    /// The same of what the phone waits for: refused, it is told.
    private func askToAnswer(
        _ name: String,
        _ body: @escaping @Sendable (MessagingService, SessionID) async throws -> SessionDocument
    ) {
        guard let session else { return }
        talks.command("a phone's \(name)", tries: Talks.answeringTries) {
            _ = try await body($0, session)
        } refused: { [self] in
            perform(control.serverRefused())
            talks.settle(self)
        }
    }

    /// The phone is out of it. With other devices of its user in the session only its own part ends; so it does while the
    /// phone has its texts.
    private func leave() {
        guard let session else { return }
        talks.leave(session, keepsLeg: talks.chats[session]?.holdsDialog ?? false)
    }

    // MARK: Time

    /// Looks at the earliest of all deadlines.
    func arm() {
        let times = [
            success?.deadline, timer.deadline, exchange.deadline, blockedUntil, mediaDue, crowdedUntil,
        ]
        alarm.set(times, on: context.eventLoop) { [weak self] in self?.timeReached() }
    }

    private func timeReached() {
        alarm.rang()
        let now = NIODeadline.now()
        if success?.isLost(at: now) ?? false {
            success = nil
            phoneIsGone()
        }
        if timer.deadline.map({ $0 <= now }) ?? false {
            switch timer.timeReached(now) {
            case .refresh: refresh()
            case .end: phoneIsGone()
            case .none: break
            }
        }
        if let blockedUntil, blockedUntil <= now {
            self.blockedUntil = nil
            perform(exchange.unblocked(now))
        }
        if let mediaDue, mediaDue <= now {
            self.mediaDue = nil
            perform(control.timeReached())
        }
        if let crowdedUntil, crowdedUntil <= now {
            self.crowdedUntil = nil
            stayAlone()
        }
        if exchange.deadline.map({ $0 <= now }) ?? false { perform(exchange.timeReached(now)) }
        talks.settle(self)
        arm()
    }

    /// Others are in its media, and stay: what it has with one of them goes on without whoever came later, who is told; of
    /// the rest it is no part.
    private func stayAlone() {
        guard let document = session.flatMap({ talks.documents[$0] }) else { return }
        let share = CallShare(document, on: phone.identity.device, can: phone.abilities, rings: talks.rings)
        for medium in document.media where share.crowded.contains(medium.id) {
            let peer = exchange.lines.first { $0.medium == medium.id && $0.move == nil }?.peer.user
            guard let peer, medium.placements.contains(where: { $0.user == peer }) else {
                perform([CallControl.Action.fail([medium.id])])
                continue
            }
            let own = medium.placements.first { $0.user == document.user }
            for placed in medium.placements where ![document.user, peer].contains(placed.user) {
                let signal = MediaSignal(
                    session: document.id,
                    medium: medium.id,
                    generation: own?.generation ?? .first,
                    to: placed.user,
                    toGeneration: placed.generation,
                    payload: MediaPayload.refused(MediaPayload.amongTwo).value
                )
                context.service.signalFromPhone(phone.identity, signal)
            }
            ask("crowd") { [identity = phone.identity] in try await $0.narrow(identity, $1, medium.id, with: peer) }
        }
    }

    /// The phone does not answer any more.
    func phoneIsGone() {
        bye(reason: nil)
        perform(control.phoneLeft())
        talks.settle(self)
    }

    func stop() {
        closeBridges(all: true)
        alarm.cancel()
    }
}
