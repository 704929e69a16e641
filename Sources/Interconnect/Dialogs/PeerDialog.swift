import MessagingCore
import MessagingService
import NIOCore
import SDP
import SIP
import SessionCore

/// A live conversation with a user whose provider keeps no lanes: what lines of this side become in SIP and MSRP, and what
/// comes from there becomes in lines.
///
/// ```
///   calling --2xx--------> open --BYE, or a line that ends it--> over
///   calling --2xx with an offer, of which nothing is taken-----> over
///   ringing --accepted---> open --no path for too long---------> over
///   calling --refused, unanswered------------------------------> over
///   ringing --answered otherwise-------------------------------> over
/// ```
///
/// Pure; times are passed in.
struct PeerDialog: Sendable, Hashable {
    /// Whose part this plays.
    enum Role: String, Sendable, Hashable, Codable {
        /// A user of this provider asked, whose owner's side is here: this is the other user's server.
        case host
        /// The other provider's user asked: this is the owner.
        case guest
    }

    enum Phase: Sendable, Hashable {
        /// Our INVITE has no final answer; `isWanted` until our side takes it back.
        case calling(isWanted: Bool, isHeard: Bool)
        /// Their INVITE waits for our user's answer; `isWithdrawn` once they sent CANCEL.
        case ringing(isWithdrawn: Bool)
        case open(Path)
        case over
    }

    /// The MSRP session that texts flow on.
    enum Path: Sendable, Hashable {
        case connecting(until: NIODeadline)
        case running
        /// There is none: a call has voice or video alone, and texts go as messages.
        case absent
        /// A new one is offered at `repair`, or under negotiation if that is nil.
        case lost(repair: NIODeadline?, until: NIODeadline)
    }

    enum Input: Sendable, Hashable {
        /// What our side says.
        case line(SessionLine)
        /// A 1xx, a 2xx, a refusal, nothing at all: to our INVITE.
        case provisional
        case accepted
        case refused(SIPStatus)
        case unanswered
        /// A 2xx to our INVITE that makes the offer; these of our user's wishes can be had of it.
        case offered([SDP.MediaDescription], wanted: [MediumKind])
        /// Nothing of that offer was taken.
        case fruitless
        /// CANCEL and BYE of the other side; a BYE may say that something went wrong.
        case cancelled
        case hungUp(isFailure: Bool)
        /// The ACK to our 2xx never came, or the session timer ran out.
        case vanished
        /// The MSRP session; `connects` is whether it is this side that connects.
        case connected
        case disconnected(connects: Bool)
        /// How our offer of a new path ended; `delay` is how long to wait before the next.
        case offerRefused(SIPStatus, delay: TimeAmount)
        /// The call has no texts.
        case withoutTexts
        case media(PeerMedia.Input)
        case clock
    }

    enum Action: Sendable, Hashable {
        case say(SessionLine)
        /// CANCEL, once that may be sent.
        case cancel
        /// Connects as the answer to our INVITE has it.
        case connect
        /// Answers the other side's INVITE, and connects as the answer has it.
        case accept
        case refuse(SIPStatus)
        case hangUp(Parting)
        /// A re-INVITE for a new path.
        case offer
        /// Our side is told that the other one is gone.
        case lose
        case media(PeerMedia.Action)
    }

    /// How long a conversation may be without a path for its texts.
    static let grace = TimeAmount.seconds(60)
    /// Who waits for the other side to connect gives it so long before offering a new path: else both offer at once.
    static let patience = TimeAmount.seconds(2)

    let role: Role
    /// Both users, in order.
    private let users: [Address]
    private(set) var phase: Phase
    /// Voice and video, while it is open.
    var media: PeerMedia
    /// Who is in the conversation, as its owner here has told.
    private(set) var participants: [Address] = []

    /// - Parameters:
    ///   - name: makes the names of changes that the other side proposes.
    ///   - hasRelay: whether a browser's offer can be made a telephone's.
    init(_ role: Role, of own: Address, with other: Address, name: String, hasRelay: Bool = false) {
        self.role = role
        users = [own, other].sorted()
        phase = role == .host ? .calling(isWanted: true, isHeard: false) : .ringing(isWithdrawn: false)
        let board = role == .host ? MediaBoard.told(0, [], []) : .kept(MediaDescription())
        media = PeerMedia(own: own, other: other, name: name, board: board, hasRelay: hasRelay)
    }

    /// One that was open before a restart: its path is gone.
    init(
        resuming role: Role,
        of own: Address,
        with other: Address,
        name: String,
        hasRelay: Bool = false,
        hasTexts: Bool,
        now: NIODeadline
    ) {
        self.init(role, of: own, with: other, name: name, hasRelay: hasRelay)
        phase = .open(hasTexts ? .lost(repair: now, until: now + Self.grace) : .absent)
    }

    /// Takes one input.
    mutating func take(_ input: Input, now: NIODeadline, clock: Timestamp) -> [Action] {
        let at = PeerMedia.Moment(now: now, clock: clock)
        switch phase {
        case .calling(let isWanted, let isHeard): return calling(input, isWanted, isHeard, at)
        case .ringing(let isWithdrawn): return ringing(input, isWithdrawn, now)
        case .open(let path):
            let actions = open(input, path, at)
            guard case .open(.absent) = phase, media.isOver else { return actions }
            phase = .over
            return actions.filter { $0 != .media(.invite) } + [.hangUp(.left), .say(farewell)]
        case .over: return []
        }
    }

    /// What the other side's user may know of a conversation of several.
    var conference: ConferenceState { ConferenceState(users: participants, media: media.board.media) }

    /// Takes up who was in it before a restart.
    mutating func resume(with participants: [Address]) { self.participants = participants }

    /// It comes to nothing before anybody heard of it.
    mutating func abandon() { phase = .over }

    /// When ``Input/clock`` is due.
    var deadline: NIODeadline? {
        switch phase {
        case .open(.connecting(let until)), .open(.lost(nil, let until)):
            [until, media.deadline].compactMap(\.self).min()
        case .open(.lost(let repair?, let until)): [repair, until, media.deadline].compactMap(\.self).min()
        case .open(.running), .open(.absent): media.deadline
        case .calling, .ringing, .over: nil
        }
    }

    private mutating func calling(
        _ input: Input,
        _ isWanted: Bool,
        _ isHeard: Bool,
        _ at: PeerMedia.Moment
    ) -> [Action] {
        switch input {
        case .provisional:
            phase = .calling(isWanted: isWanted, isHeard: true)
            return []
        case .accepted:
            phase = .open(.connecting(until: at.now + Self.grace))
            // Taken back too late: the owner ends it at once, and no medium starts.
            return [.say(.toOwner(.answered(.accepted)))] + (isWanted ? [.connect] : [])
        case .offered(let offer, let wanted):
            phase = .open(.connecting(until: at.now + Self.grace))
            let next = isWanted ? media.take(.accepted(offer, wanted: wanted), at) : []
            return [.say(.toOwner(.answered(.accepted)))] + next.map(Action.media)
        case .refused(let status):
            phase = .over
            // Behind our CANCEL it is how that came out, whatever the other side says of it.
            return [.say(.toOwner(.answered(isWanted ? Self.answer(status) : .cancelled)))]
        case .unanswered:
            phase = .over
            // Without any answer the request stays in its lane, and is made again.
            return isHeard || !isWanted ? [.say(.toOwner(.answered(isWanted ? .missed : .cancelled)))] : []
        case .line(.fromOwner(.cancelled)), .line(.fromOwner(.ended)):
            guard isWanted else { return [] }
            phase = .calling(isWanted: false, isHeard: isHeard)
            return [.cancel]
        case .line, .cancelled, .hungUp, .vanished, .connected, .disconnected, .offerRefused,
            .withoutTexts, .fruitless, .media, .clock:
            return []
        }
    }

    /// How our side hears that the other one ends it.
    private var farewell: SessionLine { role == .host ? .toOwner(.leave) : .fromOwner(.ended(.left)) }

    /// What a refusal of an INVITE means: somebody said no, or nobody could.
    static func answer(_ status: SIPStatus) -> InvitationAnswer {
        switch status.rawValue {
        case 403, 433, 486, 600, 603, 607, 608: .rejected
        case 487: .cancelled
        default: .missed
        }
    }

    private mutating func ringing(_ input: Input, _ isWithdrawn: Bool, _ now: NIODeadline) -> [Action] {
        switch input {
        case .cancelled:
            guard !isWithdrawn else { return [] }
            phase = .ringing(isWithdrawn: true)
            return [.say(.fromOwner(.cancelled))]
        case .line(.toOwner(.answered(.accepted))):
            phase = .open(.connecting(until: now + Self.grace))
            return [.say(.fromOwner(.admitted(first: 1, users))), .accept]
        case .line(.toOwner(.answered(let answer))):
            phase = .over
            switch answer {
            case .accepted: return []
            case .rejected: return [.refuse(603)]
            case .missed: return [.refuse(480)]
            // Not the other side's wish: two requests crossed, and ours stays.
            case .cancelled: return [.refuse(isWithdrawn ? 487 : 486)]
            }
        case .line(.toOwner(.leave)):
            phase = .over
            return [.refuse(isWithdrawn ? 487 : 480)]
        case .line, .provisional, .accepted, .refused, .unanswered, .hungUp, .vanished, .connected, .disconnected,
            .offerRefused, .withoutTexts, .offered, .fruitless, .media, .clock:
            return []
        }
    }

    private mutating func open(_ input: Input, _ path: Path, _ at: PeerMedia.Moment) -> [Action] {
        let now = at.now
        switch input {
        case .line(let line): return open(line, at)
        case .media(let input): return media.take(input, at).map(Action.media)
        case .hungUp(let isFailure):
            phase = .over
            return [isFailure ? .lose : .say(farewell)]
        case .vanished: return lose()
        case .fruitless:
            phase = .over
            return [.hangUp(.notAcceptable), .say(farewell)]
        case .connected:
            phase = .open(.running)
            return []
        case .withoutTexts:
            phase = .open(.absent)
            return []
        case .disconnected(let connects):
            let until =
                switch path {
                case .connecting(let until), .lost(_, let until): until
                case .running: now + Self.grace
                case .absent: now
                }
            if path == .absent { return [] }
            if case .lost(nil, _) = path { return [] }
            phase = .open(.lost(repair: connects ? now : now + Self.patience, until: until))
            return clock(now)
        case .offerRefused(let status, let delay):
            if status == 481 || status == 408 { return lose() }
            guard case .lost(nil, let until) = path else { return [] }
            phase = .open(.lost(repair: now + delay, until: until))
            return []
        case .clock:
            let actions = clock(now)
            return phase == .over ? actions : actions + media.take(.clock, at).map(Action.media)
        case .provisional, .accepted, .offered, .refused, .unanswered, .cancelled: return []
        }
    }

    private mutating func open(_ line: SessionLine, _ at: PeerMedia.Moment) -> [Action] {
        switch line {
        case .fromOwner(.ended(let end)):
            phase = .over
            return [.hangUp(Parting(end))]
        case .fromOwner(.cancelled):
            phase = .over
            return [.hangUp(.takenBack)]
        case .toOwner(.leave):
            phase = .over
            return [.hangUp(.left), .say(.fromOwner(.ended(.left)))]
        case .fromOwner(.admitted(_, let all)), .fromOwner(.participants(let all)):
            participants = all
            guard case .fromOwner(let message) = line else { return [] }
            return media.hear(message, at).map(Action.media)
        case .fromOwner(let message): return media.hear(message, at).map(Action.media)
        case .toOwner(let message): return media.hear(message, at).map(Action.media)
        case .request: return []
        }
    }

    private mutating func clock(_ now: NIODeadline) -> [Action] {
        switch phase {
        case .open(.connecting(let until)) where now >= until, .open(.lost(_, let until)) where now >= until:
            return lose()
        case .open(.lost(let repair?, let until)) where now >= repair:
            phase = .open(.lost(repair: nil, until: until))
            return [.offer]
        case .calling, .ringing, .open, .over: return []
        }
    }

    private mutating func lose() -> [Action] {
        phase = .over
        return [.hangUp(.lost), .lose]
    }
}
