import MediaSignalling
import MessagingCore
import MessagingService
import NIOCore
import SDP
import SIP
import SessionCore

/// The voice and video of a conversation with a user whose provider keeps no lanes: the session's media on one side, the
/// `m=` lines of its dialog on the other.
///
/// There the question for a medium and its description are one (RFC 3264). So what our user proposes is prepared: our
/// device offers, our re-INVITE asks, and their answer is the consent. What they propose is asked of our user while their
/// INVITE waits, for a time; a later yes is an offer of ours. Pure; times are passed in.
struct PeerMedia: Sendable, Hashable {
    struct Moment: Sendable, Hashable {
        var now: NIODeadline
        /// For what others are told.
        var clock: Timestamp
    }

    /// Whose INVITE is open in the dialog.
    enum Phase: Sendable, Hashable {
        case idle
        /// One of ours is wanted, or open.
        case due
        case ours
        /// Theirs, or their offer to ours, until its answer is complete, and until it is sent.
        case theirs
        case answering
        case blocked(until: NIODeadline)
    }

    enum Input: Sendable, Hashable {
        /// One of our devices says something of a medium.
        case signal(MediumID, MediaLine.End, MediaPayload)
        /// They offer these media, each self-contained; `isFirst` while the conversation begins.
        case offered([SDP.MediaDescription], isFirst: Bool)
        /// They accept our INVITE and offer these media, of which our user has asked for these kinds.
        case accepted([SDP.MediaDescription], wanted: [MediumKind])
        /// Their INVITE is answered; or it came to nothing.
        case settled
        case withdrawn
        /// How our INVITE came out.
        case answered([SDP.MediaDescription])
        case refused(SIPStatus, delay: TimeAmount)
        /// An INVITE of ours could not begin.
        case notBegun(delay: TimeAmount)
        case clock
    }

    enum Action: Sendable, Hashable {
        case say(SessionLine)
        /// To that device, of this medium; `from` is the generation of the other end.
        case signal(MediumID, MediaLine.End, from: Generation, MediaPayload)
        /// An INVITE of ours, which takes what ``PeerMedia/offer(in:)`` says.
        case invite
        case cancelInvite
        /// The answer to theirs is complete.
        case answer
    }

    static let sayAgain = TimeAmount.seconds(2)
    /// How long a medium may have three users before whoever came last goes out of it: a call that is handed on has for a
    /// moment.
    static let crowdTime = TimeAmount.seconds(5)
    /// How long their INVITE waits for our user: shorter than a conversation may be without a path for its texts. The
    /// first one waits only for what was accepted with the conversation.
    static let askTime = TimeAmount.seconds(30)
    static let firstAskTime = TimeAmount.seconds(5)
    /// How long our user's device has for the answer to what they offer when they accept. They wait for the ACK for 64*T1,
    /// which are 32 s (RFC 3261, section 13.3.1.4), and hang up.
    static let acknowledgementTime = TimeAmount.seconds(25)
    /// How long a device may take to answer an offer, and to make one: a phone rings first.
    static let pressTime = TimeAmount.seconds(10)
    static let summonTime = TimeAmount.seconds(50)
    /// Lines beside the texts that are taken from the other side at a time.
    static let linesMaximum = 16

    let own: Address
    let other: Address
    /// Makes the names of changes that the other side proposes.
    let name: String
    private(set) var board: MediaBoard
    var lines: [MediaLine] = []
    var phase = Phase.idle
    private(set) var last: Int32 = 0
    /// Who is in the session, as its owner here tells.
    private var participants: [Address] = []
    /// Until when media may have more users than two.
    private var crowded: [MediumID: NIODeadline] = [:]
    /// Media that failed, and changes that were taken back, until the session has heard of it.
    private var given: Set<MediumID> = []
    private var withdrawn: Set<MessageID> = []
    private var boardDue: NIODeadline?
    /// What they offered when they accepted, until our side proposes it: our user has asked for it already.
    var unclaimed: [Unclaimed] = []
    /// Until when the answer to that has to be complete.
    var answerBy: NIODeadline?
    /// Whether a browser's offer can be made a telephone's: then one that is refused is made again like that, once.
    let hasRelay: Bool
    var isProtectionRefused = false

    struct Unclaimed: Sendable, Hashable {
        let kind: MediumKind
        let slot: Int
        let theirs: SDP.MediaDescription
    }

    init(own: Address, other: Address, name: String, board: MediaBoard, hasRelay: Bool = false) {
        self.own = own
        self.other = other
        self.name = name
        self.board = board
        self.hasRelay = hasRelay
    }

    /// What was kept of it before a restart.
    mutating func take(up kept: Kept) {
        board = kept.board
        last = kept.last
    }

    // MARK: What our side says

    /// As the owner of the session, to the other side.
    mutating func hear(_ message: FromOwner, _ at: Moment) -> [Action] {
        board.hear(message)
        switch message {
        // What runs already is said next.
        case .admitted(_, let all): participants = all
        case .participants(let all):
            participants = all
            // Nobody will ask for what was offered: media are among two. The ACK need not wait for it.
            if participants.count > 2 { unclaimed = [] }
        case .settled(let id, let outcome): settled(id, outcome)
        // The state that it is proposed on is on its way.
        case .refused(let id, .stale): return proceed(at, again(id, at))
        case .refused(let id, _): settled(id, .rejected)
        case .media where participants.count > 2: return proceed(at, join(at))
        case .cancelled, .text, .asked, .media, .ended: break
        }
        return proceed(at)
    }

    /// They accept a call that others have already: what they offer has a part in what runs there. Nobody will ask for the
    /// rest: media are among two, and the ACK need not wait.
    private mutating func join(_ at: Moment) -> [Action] {
        defer { unclaimed = [] }
        guard let answerBy else { return [] }
        return unclaimed.flatMap { claimed -> [Action] in
            let medium = board.media.first { $0.kind == claimed.kind && $0.placements[other] == nil }
            guard let medium, lines.count < Self.linesMaximum else { return [] }
            let until = min(answerBy, at.now + Self.crowdTime)
            var line = MediaLine(number: next(), kind: claimed.kind, stage: .asking(claimed.theirs, until: until))
            line.slot = claimed.slot
            line.joining = medium.id
            lines.append(line)
            return join(lines.count - 1, medium.id, at)
        }
    }

    private mutating func join(_ index: Int, _ medium: MediumID, _ at: Moment) -> [Action] {
        let id = MessageID(stored: "\(name)-\(next().rawValue)")
        lines[index].proposal = id
        return propose(.join(medium, on: lines[index].number), at, id: id)
    }

    /// As a participant, to the owner whose place this takes.
    mutating func hear(_ message: ToOwner, _ at: Moment) -> [Action] {
        proceed(at, apply(message, by: own, at))
    }

    // MARK: What the other side says

    /// In the session, as the user at the other end.
    mutating func tell(_ message: ToOwner, _ at: Moment) -> [Action] {
        switch board {
        case .told: [.say(.toOwner(message))]
        case .kept: apply(message, by: other, at)
        }
    }

    private mutating func apply(_ message: ToOwner, by speaker: Address, _ at: Moment) -> [Action] {
        do throws(Refusal) {
            if speaker == own, case .propose(let proposal) = message, case .add(let kind, _, _, _) = proposal.change {
                // Files and shown videos are messages and links where no lane leads.
                guard Self.carries(kind) else { throw Refusal(.invalidRequest, "not with this provider") }
            }
            let others = Set([speaker == own ? other : own])
            return spread(try board.take(message, by: speaker, others: others, now: at.clock))
        } catch {
            guard case .propose(let proposal) = message else { return [] }
            if speaker == own { return [.say(.fromOwner(.refused(proposal.id, error.code))), .say(published)] }
            settled(proposal.id, .rejected)
            return []
        }
    }

    private mutating func spread(_ actions: [SessionCore.MediaDescription.Action]) -> [Action] {
        actions.compactMap { action in
            switch action {
            case .publish: return .say(published)
            case .ask(let users, let change): return users.contains(own) ? .say(.fromOwner(.asked(change))) : nil
            case .settle(let id, let outcome):
                settled(id, outcome)
                return .say(.fromOwner(.settled(id, outcome)))
            }
        }
    }

    /// A proposal of the other side's came too early.
    private mutating func again(_ id: MessageID, _ at: Moment) -> [Action] {
        guard let index = lines.firstIndex(where: { $0.proposal == id || $0.holding == id }) else { return [] }
        if lines[index].holding == id {
            lines[index].holding = nil
            return []
        }
        guard case .asking(let theirs, _) = lines[index].stage else {
            lines.remove(at: index)
            return []
        }
        if let medium = lines[index].joining { return join(index, medium, at) }
        return propose(index, theirs, at)
    }

    private var published: SessionLine { .fromOwner(.media(board.revision, board.media, pending: board.pending)) }

    static func carries(_ kind: MediumKind) -> Bool { kind == .audio || kind == .video }

    // MARK: Going on

    func medium(of line: MediaLine) -> Medium? {
        board.media.first { $0.id == line.medium && $0.placements[other]?.device == line.number }
    }

    mutating func proceed(_ at: Moment, _ actions: [Action] = []) -> [Action] {
        var all = actions
        // What follows from what is said in the place of an owner is known at once.
        for _ in 0..<8 {
            let more = reconcile(at)
            guard !more.isEmpty else { break }
            all += more
        }
        boardDue = board.deadline.map { at.now + .milliseconds(max(0, $0.milliseconds(since: at.clock))) }
        return all + advance()
    }

    /// Does what the session has of its media, and what is pending.
    private mutating func reconcile(_ at: Moment) -> [Action] {
        var actions = settleBoard(at)
        let media = board.media.filter { Self.carries($0.kind) && $0.placements[other] != nil }
        given.formIntersection(media.map(\.id))
        crowded = crowded.filter { id, _ in media.contains { $0.id == id && $0.placements.count > 2 } }
        for medium in media where !given.contains(medium.id) {
            guard let number = medium.placements[other]?.device else { continue }
            let index = lines.firstIndex { $0.number == number } ?? add(MediaLine(number, medium))
            lines[index].medium = medium.id
            // Among several each needs a connection with each, and a dialog has one.
            if medium.placements.count > 2 {
                actions += crowd(index, medium, at)
                continue
            }
            guard let end = end(of: medium) else {
                actions += fail(index, "this provider has media with one other user only", at)
                continue
            }
            actions += aim(index, medium, at: end, at)
            actions += hold(index, medium, at)
        }
        for index in lines.indices.reversed() where isOrphan(lines[index]) { actions += drop(index) }
        return actions
    }

    /// A medium has more users than two. After a while whoever came to what runs here goes out of it, and it runs on; is it
    /// this one who came, then this one's part ends. Those that it concerns are told.
    private mutating func crowd(_ index: Int, _ medium: Medium, _ at: Moment) -> [Action] {
        guard let due = crowded[medium.id], due <= at.now else {
            crowded[medium.id] = crowded[medium.id] ?? at.now + Self.crowdTime
            return []
        }
        let partner = lines[index].agreed.map { $0.end.user ?? own }
        guard let partner, medium.placements[partner] != nil else {
            return fail(index, MediaPayload.amongTwo, at)
        }
        // If nothing comes of it, it is said again.
        crowded[medium.id] = at.now + Self.crowdTime
        return tellCrowd(medium, beside: [other, partner]) + tell(.narrow(medium.id, with: partner), at)
    }

    /// Devices of users who are in a medium are told that it is among two.
    func tellCrowd(_ medium: Medium, beside: Set<Address>) -> [Action] {
        guard let there = medium.placements[other] else { return [] }
        return medium.placements.filter { !beside.contains($0.key) }.sorted { $0.key < $1.key }.map { user, placed in
            let end = MediaLine.End(
                device: placed.device,
                generation: placed.generation,
                user: user == own ? nil : user
            )
            return .signal(medium.id, end, from: there.generation, .refused(MediaPayload.amongTwo))
        }
    }

    private mutating func add(_ line: MediaLine) -> Int {
        last = max(last, line.number.rawValue)
        lines.append(line)
        return lines.count - 1
    }

    /// What waits in the session for the other side, or was asked for it and cannot be had any more.
    private mutating func settleBoard(_ at: Moment) -> [Action] {
        var actions: [Action] = []
        withdrawn.formIntersection(board.pending.map(\.proposal.id))
        for change in board.pending where !withdrawn.contains(change.proposal.id) {
            guard case .add(let kind, _, _, _) = change.proposal.change else { continue }
            let id = change.proposal.id
            if change.awaited.contains(other) {
                guard !lines.contains(where: { $0.proposal == id }) else { continue }
                guard Self.carries(kind), participants.count <= 2, lines.count < Self.linesMaximum else {
                    withdrawn.insert(id)
                    unclaimed.removeAll { $0.kind == kind }
                    actions += tell(.consent(id, on: nil), at)
                    continue
                }
                var line = MediaLine(number: next(), kind: kind, stage: .asked)
                if let answerBy, let index = unclaimed.firstIndex(where: { $0.kind == kind }) {
                    let claimed = unclaimed.remove(at: index)
                    line.stage = .asking(claimed.theirs, until: answerBy)
                    line.slot = claimed.slot
                }
                line.proposal = id
                lines.append(line)
                actions += tell(.prepare(id, on: line.number), at)
            } else if change.by == other, !lines.contains(where: { $0.proposal == id }) {
                withdrawn.insert(id)
                actions += tell(.withdraw(id, .expired), at)
            }
        }
        return actions
    }

    mutating func next() -> DeviceID {
        last += 1
        return DeviceID(rawValue: last)
    }

    /// A change that the other side wants.
    mutating func propose(_ change: MediaChange, _ at: Moment, id: MessageID? = nil) -> [Action] {
        let id = id ?? MessageID(stored: "\(name)-\(next().rawValue)")
        return tell(.propose(MediaProposal(id: id, change: change, revision: board.revision)), at)
    }

    /// The user at this end: who the dialog is with, or whom that user has handed the call on to.
    var partner: Address {
        participants.count == 2 && !participants.contains(own) ? participants.first { $0 != other } ?? own : own
    }

    /// The user at this end of a medium.
    func partner(in medium: Medium) -> Address {
        medium.placements[own] == nil ? medium.placements.keys.first { $0 != other } ?? own : own
    }

    /// The device at this end that a medium is on.
    func place(of medium: Medium) -> MediaLine.End? {
        let user = partner(in: medium)
        return medium.placements[user].map { placed in
            MediaLine.End(device: placed.device, generation: placed.generation, user: user == own ? nil : user)
        }
    }

    /// The same, or the device that it is being moved to.
    private func end(of medium: Medium) -> MediaLine.End? {
        guard var end = place(of: medium) else { return nil }
        let user = partner(in: medium)
        for change in board.pending where change.by == user && change.medium == medium.id && change.until != nil {
            guard case .move(_, let device) = change.proposal.change else { continue }
            (end.device, end.generation) = (device, end.generation.next)
            break
        }
        return end
    }

    private func isOrphan(_ line: MediaLine) -> Bool {
        line.medium != nil && line.stage != .closing && medium(of: line) == nil
    }

    private mutating func settled(_ id: MessageID, _ outcome: ChangeOutcome) {
        for index in lines.indices.reversed() {
            if lines[index].holding == id, outcome != .done, let medium = medium(of: lines[index]) {
                // Refused for good: it is not said again.
                lines[index].isHeldThere = medium.held.contains(other)
            }
            guard lines[index].proposal == id else { continue }
            if outcome == .done || outcome == .superseded {
                lines[index].proposal = nil
            } else if lines[index].medium == nil {
                lines.remove(at: index)
            }
        }
    }

    /// A medium cannot be: it ends, and the session goes on.
    mutating func end(_ index: Int, _ at: Moment) -> [Action] {
        let line = lines[index]
        if !line.isConsented, let id = line.proposal,
            board.pending.contains(where: { $0.proposal.id == id && $0.awaited.contains(other) })
        {
            withdrawn.insert(id)
            lines[index].proposal = nil
            if let medium = line.medium { given.insert(medium) }
            return tell(.consent(id, on: nil), at)
        }
        guard let medium = line.medium, given.insert(medium).inserted else { return [] }
        return tell(.mediumFailed(medium), at)
    }

    /// What ran out of time at the board.
    mutating func boardClock(_ at: Moment) -> [Action] {
        guard let boardDue, boardDue <= at.now else { return [] }
        return spread(board.clock(at.clock))
    }

    /// Whether nothing is left of it: a call without texts is over then.
    var isOver: Bool {
        phase != .theirs && phase != .answering
            && lines.allSatisfy { $0.stage == .closing } && !board.media.contains { $0.placements[other] != nil }
    }

    var deadline: NIODeadline? {
        var times =
            lines.compactMap(\.deadline) + crowded.values
            + [boardDue, unclaimed.isEmpty ? nil : answerBy].compactMap(\.self)
        if case .blocked(let until) = phase { times.append(until) }
        return times.min()
    }
}

extension MediaLine {
    /// One that is in the session already.
    init(_ number: DeviceID, _ medium: Medium) {
        self.init(number: number, kind: medium.kind, stage: .running)
        self.medium = medium.id
    }
}
