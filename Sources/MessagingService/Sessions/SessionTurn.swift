import ClientWire
import MessagingCore
import SessionCore
import Store
import Synchronization

/// One command about a session: carries what its machines say to each other until nothing is left to say, all in one
/// commit, and then writes what the users' devices see.
///
/// Used on the writer's thread, within one command.
final class SessionTurn {
    private enum Line {
        case toOwner(ToOwner, from: Address)
        case fromOwner(FromOwner, to: Address)
    }

    let service: MessagingService
    let work: Work
    let id: SessionID
    private(set) var details: SessionDetails
    private var queue: [Line] = []
    private var next = 0
    private var shown: Set<AccountID> = []
    /// Texts of this commit, by message id, until they are stored.
    var outgoing: [MessageID: Submission] = [:]
    /// Texts that came from another server, until they are stored.
    var arriving: [MessageID: PeerText] = [:]
    /// Where the texts of this commit came to be in each mailbox.
    var placed: [MessageID: PlacedText] = [:]

    /// A text as stored in this commit.
    struct PlacedText {
        /// What its sender is told; nil when that is somebody else's server's business.
        var answer: SendAnswer?
        var created: [AccountID: ChangeNumber]
        var content: ContentID?
        /// What its sender wants to know of it.
        var reports: [Report] = []
    }

    init(_ service: MessagingService, _ work: Work, _ id: SessionID, _ details: SessionDetails) {
        self.service = service
        self.work = work
        self.id = id
        self.details = details
    }

    /// A turn for a session that a user has a part in.
    /// - Throws: ``Refusal`` `not-found`.
    convenience init(_ service: MessagingService, _ work: Work, _ id: SessionID, of account: AccountID) throws {
        guard let part = try work.part(account, id) else { throw Refusal(.notFound, "no such conversation") }
        self.init(service, work, id, part.details)
    }

    var now: Timestamp { work.now }

    // MARK: What machines say

    /// A change to one user's part, and everything that follows.
    func change(_ account: AccountID, _ body: (inout PartSide) throws -> [Participation.Effect]) throws {
        guard var part = try work.part(account, id) else { throw Refusal(.notFound, "no such conversation") }
        let effects = try body(&part)
        try work.put(part, account)
        try follow(effects, account, part.machine.user)
        try run()
    }

    /// A change at the owner, and everything that follows.
    func changeHost(_ body: (inout HostSide) throws -> [HostedSession.Sent]) throws {
        guard let account = try work.account(holding: details.creator), var host = try work.host(account, id) else {
            return
        }
        let before = host.machine.seats
        let sent = try body(&host)
        try refund(&host, before, account)
        try work.put(host, account)
        for line in sent { queue.append(.fromOwner(line.message, to: line.to)) }
        for address in host.machine.called where before[address] != host.machine.seats[address] {
            try ask(address)
        }
    }

    /// Until nobody has anything more to say.
    func run() throws {
        while next < queue.count {
            let line = queue[next]
            next += 1
            switch line {
            case .toOwner(let message, let sender):
                if try isHostedHere {
                    try changeHost { host in host.machine.take(message, from: sender, now: work.now) }
                } else {
                    try tellOwner(message, from: sender)
                }
            case .fromOwner(let message, let receiver):
                if try work.account(holding: receiver) != nil {
                    try take(message, receiver)
                } else {
                    try tell(receiver, message)
                }
            }
        }
        queue.removeAll(keepingCapacity: true)
        next = 0
        try show()
    }

    /// Takes what an owner elsewhere says to a user of this provider.
    func hear(_ message: FromOwner, _ receiver: Address) throws {
        queue.append(.fromOwner(message, to: receiver))
        try run()
    }

    private func take(_ message: FromOwner, _ receiver: Address) throws {
        guard let account = try work.account(holding: receiver), var part = try work.part(account, id) else { return }
        var effects = part.machine.take(message, now: now)
        effects += welcome(message, &part)
        effects += try joinWelcome(message, &part, account)
        try work.put(part, account)
        try settle(message, account)
        try follow(effects, account, receiver)
        if case .admitted = message, receiver == details.creator { try proposeWanted(account) }
    }

    private func follow(_ effects: [Participation.Effect], _ account: AccountID, _ user: Address) throws {
        for effect in effects {
            switch effect {
            case .send(let message): queue.append(.toOwner(message, from: user))
            case .store(let ordinal, let text, _): try store(ordinal, text, account)
            case .deferText(let text): try sendApart(text, account)
            case .failText(let text): try giveBack(text, account)
            case .changed, .prepare, .live, .closed: shown.insert(account)
            case .replay: break
            }
        }
    }

    /// Writes what devices see of the session, once for each user.
    private func show() throws {
        for account in shown.sorted() {
            service.talking.withLock { _ = $0.insert(account) }
            guard let part = try work.part(account, id) else { continue }
            if part.machine.isOver { try giveBackAll(account) }
            var user = try work.user(account)
            try work.putDocument(&user, .session, id.description, SessionDocument(part))
            work.put(user)
        }
        shown.removeAll()
    }

    /// Something of a part changed that no effect tells.
    func showAgain(_ account: AccountID) { shown.insert(account) }

    // MARK: Requests

    /// Asks a user: the devices that the rules admit ring.
    func ask(_ address: Address) throws {
        guard let account = try work.account(holding: address) else { return try request(address) }
        try alert(account, address)
    }

    /// Rings the devices of a user of this provider, unless nobody is to notice.
    /// - Parameter isSilent: no device rings, and the request waits for what is done about it in the same commit.
    func alert(_ account: AccountID, _ address: Address, lane: PeerLane = PeerLane(), isSilent: Bool = false) throws {
        let user = try work.user(account)
        let details = try detailsNow()
        let devices = isSilent ? [] : service.devicesToAlert(user, details, to: address, now: now)
        var part: PartSide
        if let known = try work.part(account, id) {
            part = known
            part.details.wanted = details.wanted
            part.machine.askAgain(alerting: devices, now: now)
        } else {
            part = PartSide(
                machine: Participation(invitedTo: id, user: address, alerting: devices, now: now),
                details: details
            )
        }
        part.lane = lane
        var effects: [Participation.Effect] = [.changed]
        // Nobody would notice: the caller need not wait.
        if devices.isEmpty, !isSilent { effects += try part.machine.answer(.clock(.distantFuture), now: now) }
        try work.put(part, account)
        try follow(effects, account, address)
    }

    /// What a user is told who is asked now: once the session is open, it is the media that run which are wanted.
    func detailsNow() throws -> SessionDetails {
        guard let owner = try work.account(holding: details.creator), let host = try work.host(owner, id),
            host.machine.phase == .open
        else { return details }
        var now = details
        now.wanted = MediumKind.allCases.filter { kind in host.machine.media.media.contains { $0.kind == kind } }
        return now
    }

    /// What was wanted with the request is proposed once somebody is there.
    private func proposeWanted(_ account: AccountID) throws {
        guard let device = details.device else { return }
        for kind in details.wanted where kind != .text {
            guard let part = try work.part(account, id), part.machine.control(of: device) != nil else { return }
            var request = MediaRequest(
                id: MessageID(stored: "\(id)-\(kind.rawValue)"),
                revision: part.machine.revision,
                change: .add
            )
            request.kind = kind
            do {
                try propose(request, account, device)
            } catch is Refusal {
                // Without credit, or with a device that cannot: the conversation goes on without it.
                continue
            }
        }
    }

    /// Media that were accepted together with the request are accepted when they are proposed.
    private func welcome(_ message: FromOwner, _ part: inout PartSide) -> [Participation.Effect] {
        guard case .asked(let change) = message, case .add(let kind, _, _, _) = change.proposal.change,
            change.by == details.creator, let index = part.welcome.firstIndex(of: kind), let device = part.welcomeDevice
        else { return [] }
        part.welcome.remove(at: index)
        return (try? part.machine.consent(change.proposal.id, on: device)) ?? []
    }

    /// Media that ran before the user came, and were accepted together with the request.
    private func joinWelcome(
        _ message: FromOwner,
        _ part: inout PartSide,
        _ account: AccountID
    ) throws -> [Participation.Effect] {
        guard case .media = message, let device = part.welcomeDevice, !part.welcome.isEmpty else { return [] }
        var effects: [Participation.Effect] = []
        for medium in part.machine.media where part.welcome.contains(medium.kind) {
            let isOffered = part.machine.changes.contains {
                $0.medium == medium.id && $0.awaited.contains(part.machine.user)
            }
            guard medium.placements[part.machine.user] == nil, !isOffered else { continue }
            part.welcome.removeAll { $0 == medium.kind }
            do {
                try check(medium.kind, on: device, account)
                let join = MediaProposal(
                    id: MessageID(stored: "\(id)-join-\(medium.id.rawValue)"),
                    change: .join(medium.id, on: device),
                    revision: part.machine.revision
                )
                effects += try part.machine.propose(join, from: device)
            } catch is Refusal {
                // The conversation goes on without it; the person may take part later.
                continue
            }
        }
        return effects
    }
}
