import MessagingCore
import SessionCore

/// What a conversation has of its media: as its owner here tells it, or kept here in the place of an owner elsewhere.
enum MediaBoard: Sendable, Hashable, Codable {
    case told(Revision, [Medium], [PendingChange])
    case kept(MediaDescription)

    var revision: Revision {
        switch self {
        case .told(let revision, _, _): revision
        case .kept(let description): description.revision
        }
    }

    var media: [Medium] {
        switch self {
        case .told(_, let media, _): media
        case .kept(let description): description.media
        }
    }

    var pending: [PendingChange] {
        switch self {
        case .told(_, _, let pending): pending
        case .kept(let description): description.pending
        }
    }

    /// What an owner here says of it.
    mutating func hear(_ message: FromOwner) {
        guard case .told(let revision, let media, var pending) = self else { return }
        switch message {
        case .media(let next, let media, let pending):
            if next >= revision { self = .told(next, media, pending) }
        case .asked(let change):
            if !pending.contains(where: { $0.proposal.id == change.proposal.id }) { pending.append(change) }
            self = .told(revision, media, pending)
        case .settled(let id, _):
            pending.removeAll { $0.proposal.id == id }
            self = .told(revision, media, pending)
        case .cancelled, .admitted, .participants, .text, .refused, .ended: break
        }
    }

    /// What a participant says to the owner whose place this takes.
    /// - Throws: ``Refusal`` to a proposal.
    mutating func take(
        _ message: ToOwner,
        by speaker: Address,
        others: Set<Address>,
        now: Timestamp
    ) throws(Refusal) -> [MediaDescription.Action] {
        guard case .kept(var description) = self else { return [] }
        var actions: [MediaDescription.Action] = []
        switch message {
        case .propose(let proposal): actions = try description.propose(proposal, by: speaker, others: others, now: now)
        case .consent(let id, let device?): actions = description.accept(id, by: speaker, on: device)
        case .consent(let id, nil): actions = description.reject(id, by: speaker)
        case .prepare(let id, let device): actions = description.prepare(id, by: speaker, on: device)
        case .connected(let id): actions = description.connected(id, by: speaker, now: now)
        case .withdraw(let id, let outcome): actions = description.withdraw(id, by: speaker, outcome, now: now)
        case .mediumFailed(let id): actions = description.fail(id, by: speaker, now: now)
        // There are two.
        case .narrow, .answered, .text, .invite, .remove, .play, .leave: break
        }
        self = .kept(description)
        return actions
    }

    /// What ran out of time.
    mutating func clock(_ now: Timestamp) -> [MediaDescription.Action] {
        guard case .kept(var description) = self else { return [] }
        let actions = description.clock(now)
        self = .kept(description)
        return actions
    }

    /// When something kept here has to be looked at.
    var deadline: Timestamp? {
        if case .kept(let description) = self { description.deadline } else { nil }
    }
}
