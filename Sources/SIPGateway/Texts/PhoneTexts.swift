import CPIM
import ClientWire
import Logging
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

/// The texts of one session on a phone that takes them over MSRP: the dialog with the phone on one side, the session on
/// the other.
///
/// What the phone is given goes through its one queue, as all else; this is the way that it goes by.
///
/// `@unchecked Sendable`: touched on the gateway's loop alone.
final class PhoneTexts: @unchecked Sendable {
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

    /// How a text gets to the phone now.
    enum Way {
        /// As MESSAGE.
        case message
        case path(PhoneTexts)
        /// The path is being made.
        case later
    }

    let context: GatewayContext
    let phone: Phone
    let talks: Talks
    var session: SessionID
    var control: TextControl
    var link = Link.none
    var dialogs: DialogSet?
    var dialog: Dialog?
    var description: DialogDescription
    var timer = SessionTimer()
    /// Our 2xx until its ACK comes, and what it answers.
    var success: PendingSuccess?
    var acknowledgements = SentAcknowledgements()
    /// The MSRP session, and whether it works.
    var path: MSRPSession?
    var isRunning = false
    /// Without a path until then the texts go as messages.
    var pathDue: NIODeadline?
    /// Paths since something went over one: a phone that takes them and nothing on them is offered no more.
    var fruitlessPaths = 0
    /// When another path is offered.
    var offerDue: NIODeadline?
    /// When the question whether the phone is there is asked, which could not be asked when it was due.
    var refreshDue: NIODeadline?
    /// A leg that is being handed over to the phone: it is ready when its path is there.
    var waitingLeg: Generation?
    var composing = ComposingSender<ContinuousClock.Instant>()
    private var alarm = Alarm()
    let tag = RandomText.token(12)

    init?(_ phone: Phone, _ talks: Talks, session: SessionID, state: TextControl.State) {
        let flow = phone.target(now: .now())?.flow
        guard let media = phone.context.texts, let flow,
            let description = media.description(at: phone.context.host(flow), isSecure: flow.transport.isSecure)
        else { return nil }
        context = phone.context
        self.phone = phone
        self.talks = talks
        self.session = session
        self.description = description
        control = TextControl(state: state)
    }

    /// Nothing is left of it, on either side.
    var isOver: Bool {
        switch (control.state, link) {
        case (.idle, .none), (.idle, .ended): true
        default: false
        }
    }

    var holdsDialog: Bool {
        switch link {
        case .incoming, .outgoing, .standing: true
        case .none, .cancelled, .ended: false
        }
    }

    /// Counts towards what a phone may have: one that it took back does until the session has ended too.
    var isUnderWay: Bool {
        switch control.state {
        case .declined, .inWords, .plain: holdsDialog
        case .idle, .placing, .taking, .ringing, .joining, .answering, .standing, .leaving: true
        }
    }

    /// Its INVITE is taken back, and the phone has not said yet what became of that: what is next comes in a dialog of its own.
    var isEnding: Bool { if case .cancelled = link { true } else { false } }

    var way: Way {
        if isEnding { return .later }
        return switch control.state {
        case .idle, .declined, .inWords, .plain: .message
        case .placing, .taking, .ringing, .joining, .answering: .later
        case .standing: description.isHeld ? .message : isRunning ? .path(self) : .later
        // Its call goes on, or what is said now is the last that it is told: nothing may wait behind it.
        case .leaving: .message
        }
    }

    /// Whether the phone's leg waits for the path.
    var isBringing: Bool {
        if isEnding { return true }
        return switch control.state {
        case .joining, .taking: true
        case .standing: !isRunning
        case .idle, .placing, .ringing, .answering, .leaving, .declined, .inWords, .plain: false
        }
    }

    /// Whether the phone is told in words what becomes of the conversation: it has no dialog that says so.
    var isInWords: Bool {
        switch control.state {
        case .inWords, .plain: true
        case .idle, .placing, .taking, .ringing, .joining, .answering, .standing, .leaving, .declined: false
        }
    }

    // MARK: What the session says

    func take(_ document: SessionDocument) {
        guard !isEnding else { return }
        perform(control.take(TextShare(document, on: phone.identity.device, rings: talks.asksOverMSRP(document))))
        settleLeg()
        arm()
    }

    /// The leg that was to come comes, or does not.
    func settleLeg() {
        guard let generation = waitingLeg, !isBringing else { return }
        waitingLeg = nil
        talks.step(session, LegStep(generation, .ready))
    }

    func perform(_ actions: [TextControl.Action]) {
        for action in actions { perform(action) }
    }

    private func perform(_ action: TextControl.Action) {
        let identity = phone.identity
        switch action {
        case .ring: ring()
        case .cancel(let reason): cancel(reason: reason)
        case .answerPhone: answerPhone()
        case .refusePhone(let status): refuse(status)
        case .bye(let reason): bye(reason: reason)
        case .accept:
            ask("accept", tries: Talks.answeringTries) { try await $0.accept(identity, $1, AcceptRequest()) }
        case .reject: ask("reject", tries: Talks.leavingTries) { try await $0.reject(identity, $1) }
        case .ignore: ask("ignore", tries: Talks.leavingTries) { try await $0.ignore(identity, $1) }
        case .askInWords: talks.askInWords(session)
        case .fail(let generation):
            waitingLeg = nil
            talks.step(session, LegStep(generation, .failed))
        case .leave:
            // With a call in the session the phone goes on in that.
            if talks.calls[session]?.holdsDialog != true { talks.leave(session) }
        }
    }

    /// A command in the session; refused, the phone is told.
    private func ask(
        _ name: String,
        tries: Int,
        _ body: @escaping @Sendable (MessagingService, SessionID) async throws -> SessionDocument
    ) {
        talks.command("a phone's \(name)", tries: tries) { [session] in
            _ = try await body($0, session)
        } refused: { [self] in
            perform(control.serverRefused())
            talks.settle(self)
        }
    }

    // MARK: Time

    /// Looks at the earliest of all deadlines.
    func arm() {
        let idle = composing.deadline.map { NIODeadline.now() + TimeAmount(ContinuousClock.now.duration(to: $0)) }
        let times = [success?.deadline, timer.deadline, pathDue, offerDue, refreshDue, idle]
        alarm.set(times, on: context.eventLoop) { [weak self] in self?.timeReached() }
    }

    private func timeReached() {
        alarm.rang()
        let now = NIODeadline.now()
        if success?.isLost(at: now) ?? false {
            success = nil
            lose()
        }
        if timer.deadline.map({ $0 <= now }) ?? false {
            switch timer.timeReached(now) {
            case .refresh: invite(keeping: true)
            case .end: lose()
            case .none: break
            }
        }
        if let pathDue, pathDue <= now {
            lose()
        } else if let offerDue, offerDue <= now {
            self.offerDue = nil
            invite(keeping: false)
        }
        if let refreshDue, refreshDue <= now {
            self.refreshDue = nil
            if case .standing = link { invite(keeping: true) }
        }
        if case .send(let document) = composing.timerFired(at: .now) { send(document) }
        talks.settle(self)
        arm()
    }

    /// There is no way to the phone by this dialog: what is said goes as MESSAGE from now on.
    func lose() {
        pathDue = nil
        offerDue = nil
        perform(control.pathFailed())
        settleLeg()
        phone.resume()
    }

    func stop() {
        path?.close()
        path = nil
        isRunning = false
        alarm.cancel()
    }
}
