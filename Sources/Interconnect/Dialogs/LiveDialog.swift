import CPIM
import Logging
import MSRP
import MSRPTransport
import MediaRelaying
import MessageSignalling
import MessagingCore
import MessagingService
import NIOCore
import SIP
import SIPTransport
import SessionCore
import Synchronization
import XMLBodies

/// A live conversation with a user of another provider, in SIP and MSRP: the shell of a ``PeerDialog``.
///
/// Inputs are taken in order, from any thread; what follows from each is carried out before what follows from the next.
final class LiveDialog: Sendable {
    /// Names a conversation from this side.
    struct Key: Hashable, Sendable {
        let session: SessionID
        /// The user of this provider, and the other one.
        let own: Address
        let other: Address
    }

    /// An offer of theirs that is being answered.
    struct Question {
        enum Place {
            /// In the 2xx to their INVITE.
            case response(PeerRequest, SessionTimer.Offer)
            /// In the ACK to their 2xx.
            case acknowledgement(OutgoingCall)
        }

        let place: Place
        /// It opens a dialog, so that texts take a path of its own.
        let isFirst: Bool

        var isInAcknowledgement: Bool { if case .acknowledgement = place { true } else { false } }
    }

    struct State {
        var machine: PeerDialog
        var description: DialogDescription
        var dialog: Dialog?
        var flow: Flow?
        /// Our INVITE, and theirs with its offer, while they have no final answer.
        var invite: OutgoingInvite?
        var invitation: (request: PeerRequest, offer: [UInt8])?
        /// Those within the dialog; theirs waits for what our user, or a device, has to say.
        var modification: OutgoingInvite?
        var isModificationUnwanted = false
        var question: Question?
        /// The texts' path, and whether it works.
        var session: MSRPSession?
        var isRunning = false
        /// What they send beside the texts.
        var files = FileLines()
        /// The one before, while its name is needed for the next.
        var leaving: MSRPSession?
        var waiters: [Int: CheckedContinuation<Void, Never>] = [:]
        var nextWaiter = 0
        /// Whom the other side has asked into it, while it is open how that comes out.
        var referral: PeerReferral?
        /// Waits for what becomes of a REFER of ours.
        var handingOn: FirstAnswer<SIPStatus>?
        /// The ways through the relay, for the devices that need it.
        var bridges: [Crossing: MediaBridge] = [:]
        /// Who wants to know who is in it.
        var watches: [WatchKey: Watch] = [:]
        var sessionTimer = SessionTimer()
        var composing = ComposingSender<ContinuousClock.Instant>()
        var timer: Task<Void, Never>?
        var last: Task<Void, Never>?

        var isOver: Bool { machine.phase == .over }

        /// The path that texts can go by now, and what the other end of it takes.
        var working: (session: MSRPSession, takes: ConversationPath)? {
            guard isRunning, !isOver, !description.isHeld, let session, let path = description.path else { return nil }
            return (session, path.other)
        }
    }

    let key: Key
    let conversation: ConversationID
    let peer: Peer
    let interconnect: Interconnect
    let running: Interconnect.Running
    /// By which the other side reaches this host.
    let address: String
    let state: Mutex<State>
    /// Whether this side is the focus of a conversation of several; read while the rest is held.
    let focus = Mutex(false)

    init(
        _ key: Key,
        _ role: PeerDialog.Role,
        _ conversation: ConversationID,
        _ peer: Peer,
        _ interconnect: Interconnect,
        _ running: Interconnect.Running,
        at address: String
    ) {
        self.key = key
        self.conversation = conversation
        self.peer = peer
        self.interconnect = interconnect
        self.running = running
        self.address = address
        let media = running.media
        let ends = DialogDescription.Ends {
            try media.conversation(at: address, setup: $0)
        } again: {
            media.conversation($0, setup: $1)
        }
        state = Mutex(
            State(
                machine: PeerDialog(
                    role,
                    of: key.own,
                    with: key.other,
                    name: RandomText.token(8),
                    hasRelay: running.relay != nil
                ),
                description: DialogDescription(ends, origin: media.origin(at: address))
            )
        )
    }

    var service: MessagingService { running.service }
    var isOver: Bool { state.withLock(\.isOver) }
    var isTheirs: Bool { state.withLock { $0.machine.role == .guest && !$0.isOver } }

    // MARK: Inputs

    /// Takes one input; what follows is done when the task has ended.
    @discardableResult
    func handle(_ input: PeerDialog.Input) -> Task<Void, Never> {
        let task = state.withLock { state in
            let actions = state.machine.take(input, now: .now(), clock: .wallClock())
            let last = state.last
            let task = Task { [self] in
                await last?.value
                for action in actions { await perform(action) }
                if isOver { end() } else { tellWatches() }
                closeCrossings(all: isOver)
            }
            state.last = task
            return task
        }
        schedule()
        return task
    }

    /// Looks at the time when something is due.
    func schedule() {
        state.withLock { state in
            state.timer?.cancel()
            state.timer = nil
            guard !state.isOver else { return }
            let now = NIODeadline.now()
            let composing = state.composing.deadline.map { ContinuousClock.now.duration(to: $0) }
            let pauses =
                ([state.machine.deadline, state.sessionTimer.deadline]
                + state.watches.values.map(\.machine.deadline)).compactMap { deadline in
                    deadline.map { Duration.nanoseconds(($0 - now).nanoseconds) }
                }
            guard let pause = (pauses + [composing].compactMap(\.self)).min() else { return }
            state.timer = Task { [weak self] in
                // A little later rather than a little too early.
                do { try await Task.sleep(for: max(.zero, pause) + .milliseconds(1)) } catch { return }
                self?.look()
            }
        }
    }

    private func look() {
        let (timer, status) = state.withLock { state in
            (state.sessionTimer.timeReached(.now()), state.composing.timerFired(at: .now))
        }
        if case .send(let document) = status { send(document) }
        switch timer {
        case .none: break
        case .refresh: renegotiate(.refresh)
        case .end: handle(.vanished)
        }
        // At once, not behind what is being done: else what is due would be due again and again meanwhile.
        tellWatches()
        handle(.clock)
    }

    // MARK: What follows

    private func perform(_ action: PeerDialog.Action) async {
        switch action {
        case .say(let line): await say(line)
        case .cancel:
            let isAnswered = interconnect.isTalking(key.own, key.other, beside: self)
            state.withLock(\.invite)?.cancel(reason: isAnswered ? .elsewhere : .takenBack)
        case .connect: connect()
        case .accept: accept()
        case .refuse(let status): state.withLock { $0.invitation.take() }?.request.respond(status)
        case .hangUp(let why): hangUp(why)
        case .offer: renegotiate(.path)
        case .media(let action): await perform(action)
        case .lose:
            do {
                try await service.lose(key.session, of: key.own, with: key.other)
            } catch {
                log("a lost conversation could not be ended", error)
            }
        }
    }

    /// Tells our side; when that takes it ill, there is nothing left to talk about.
    func say(_ line: SessionLine) async {
        // What the other side was told, and what is kept in its place, comes before what follows from it here.
        switch line {
        case .toOwner(.answered(.accepted)), .fromOwner(.media): await keep()
        case .request, .toOwner, .fromOwner: break
        }
        do {
            try await service.takeNext(line, of: key.session, from: key.other, to: key.own)
        } catch {
            log("a conversation with another provider's user ends", error)
            handle(.vanished)
        }
    }

    func log(_ text: Logger.Message, _ error: any Error) {
        let reason = (error as? Refusal)?.code.rawValue ?? "\(type(of: error))"
        interconnect.logger.warning(text, metadata: ["domain": "\(peer.domain)", "reason": "\(reason)"])
    }

    /// It is over: whoever waits is told, and nothing of it is kept.
    private func end() {
        dismissWatches()
        interconnect.forget(self)
        let (session, waiters, timer, dialog) = state.withLock { state in
            defer {
                state.waiters = [:]
                state.watches = [:]
                state.isRunning = false
                state.files.close()
            }
            return (
                state.session.take(), Array(state.waiters.values), state.timer.take(), state.dialog
            )
        }
        timer?.cancel()
        session?.close()
        state.withLock { $0.invitation.take() }?.request.respond(480)
        settleQuestion()
        state.withLock { $0.handingOn.take() }?.take(487)
        for waiter in waiters { waiter.resume() }
        if let dialog { running.stack.forget(callID: dialog.id.callID) }
    }

    /// Ends without a word: it came to nothing, or goes on after the next start.
    func abandon() {
        dismissWatches(.deactivated)
        state.withLock { $0.machine.abandon() }
        end()
    }

    /// The same, and somebody else answers their request.
    func withdraw() {
        state.withLock { $0.invitation = nil }
        abandon()
    }

    /// What is still to be answered comes to nothing.
    private func settleQuestion() {
        if let question = state.withLock({ $0.question.take() }) { refuse(question, 487) }
    }

    func refuse(_ question: Question, _ status: SIPStatus) {
        switch question.place {
        case .response(let request, _): request.respond(status)
        case .acknowledgement(let call):
            let offer = call.answer.descriptionOctets
            running.stack.acknowledge(call, DialogDescription.refusal(of: offer) ?? [])
        }
    }

    var dialogID: DialogID? { state.withLock { $0.dialog?.id } }

    func hangUp(_ why: Parting) {
        dismissWatches()
        // What accepted our INVITE is acknowledged before it ends (RFC 3261, section 13.2.2.4).
        if state.withLock({ $0.question?.isInAcknowledgement ?? false }) { settleQuestion() }
        let (bye, flow) = state.withLock { state in
            let bye = try? state.dialog?.makeRequest(.bye)
            state.dialog?.terminate()
            return (bye, state.flow)
        }
        guard var bye else { return }
        bye.append(.pAssertedIdentity, "<\(key.own)>")
        bye.append(.reason, why.reason)
        let request = bye
        Task { [running, peer] in
            guard let way = await running.stack.way(flow, to: peer) else { return }
            _ = await running.stack.send(request, on: way)
        }
    }
}
