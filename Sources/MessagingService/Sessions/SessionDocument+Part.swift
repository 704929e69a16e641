import ClientWire
import MessagingCore
import SessionCore

extension SessionDocument {
    /// What a user's devices see of that user's part.
    init(_ part: PartSide) {
        let machine = part.machine
        let details = part.details
        self.init(
            id: machine.session,
            creator: details.creator,
            user: machine.user,
            conversation: details.conversation,
            started: details.started,
            state: State(machine.phase)
        )
        subject = details.subject
        if case .over(let end) = machine.phase { self.end = end }
        participants = machine.participants
        invited = details.invited
        wanted = details.wanted
        switch machine.phase {
        case .calling, .alerting, .joining: text = details.firstText?.parts.first?.text
        case .present: break
        case .over(let end): text = end == .missed ? details.firstText?.parts.first?.text : nil
        }
        request = machine.request.map(Request.init)
        legs = machine.legs.legs.map(Leg.init)
        revision = machine.revision
        media = machine.media.map(Medium.init)
        pending = machine.changes.map(Pending.init)
    }
}

extension SessionDocument.State {
    init(_ phase: Participation.Phase) {
        switch phase {
        case .calling: self = .calling
        case .alerting: self = .alerting
        case .joining: self = .joining
        case .present: self = .open
        case .over: self = .over
        }
    }
}

extension SessionDocument.Request {
    init(_ request: Participation.Request) {
        let alerts = request.ledger.alerts
        switch request.invitation {
        case .alerting(let until):
            self.init(outcome: .waiting, alerting: alerts.filter { $0.value.rings }.keys.sorted())
            self.until = until
        case .accepted(let device, let by):
            self.init(outcome: .accepted)
            self.device = device
            self.by = by
        case .rejected(let by):
            self.init(outcome: .rejected)
            self.by = by
        case .cancelled: self.init(outcome: .cancelled)
        case .missed: self.init(outcome: .missed)
        }
    }
}

extension SessionDocument.Leg {
    init(_ leg: SessionCore.Leg) {
        switch leg.state {
        case .preparing: self.init(device: leg.device, generation: leg.generation, state: .preparing)
        case .replaying(let position, _):
            self.init(device: leg.device, generation: leg.generation, state: .replaying)
            self.position = position
        case .live(let fence):
            self.init(device: leg.device, generation: leg.generation, state: .live)
            self.fence = fence
        case .draining(let fence, let successor, _):
            self.init(device: leg.device, generation: leg.generation, state: .draining)
            self.fence = fence
            to = successor
        }
        start = leg.start
        replaces = leg.replaces
    }
}

extension SessionDocument.Medium {
    init(_ medium: SessionCore.Medium) {
        self.init(
            id: medium.id,
            kind: medium.kind,
            held: medium.held.sorted(),
            placements: medium.placements.sorted { $0.key < $1.key }.map { address, placement in
                SessionDocument.Placement(user: address, generation: placement.generation, device: placement.device)
            }
        )
        if case .from(let sender) = medium.direction { self.sender = sender }
        owner = medium.owner
        playback = medium.playback
    }
}

extension SessionDocument.Pending {
    init(_ change: PendingChange) {
        let name: MediaRequest.Change =
            switch change.proposal.change {
            case .add: .add
            case .hold: .hold
            case .resume: .resume
            case .direct: .direct
            case .move: .move
            case .join: .join
            case .part: .part
            case .remove: .remove
            }
        self.init(
            id: change.proposal.id,
            by: change.by,
            change: name,
            medium: change.medium,
            awaited: change.awaited.sorted()
        )
        until = change.until
        switch change.proposal.change {
        case .add(let kind, let direction, _, let device):
            self.kind = kind
            if case .from(let sender) = direction { self.sender = sender }
            self.device = device
        case .move(_, let device), .join(_, let device): self.device = device
        case .hold, .resume, .direct, .part, .remove: break
        }
    }
}
