public import MessagingCore

/// The media of a session at its owner: the description, its revision, and what is pending.
///
/// A modification is `proposed -> accepted(device) | rejected | expired | superseded`. At most one is pending for a
/// medium; several media may have one each. A rejected one leaves no trace: the revision does not move.
public struct MediaDescription: Hashable, Sendable, Codable {
    /// What the owner tells the participants.
    public enum Action: Hashable, Sendable {
        /// All sides get the new description.
        case publish
        /// These users are asked.
        case ask(Set<Address>, PendingChange)
        /// All sides are told what became of a proposal.
        case settle(MessageID, ChangeOutcome)
    }

    public private(set) var revision: Revision = 0
    public private(set) var media: [Medium] = []
    public private(set) var pending: [PendingChange] = []
    private var lastNumber: Int32 = 0

    /// No media yet.
    public init() {}

    public subscript(_ id: MediumID) -> Medium? { media.first { $0.id == id } }

    /// Takes a proposal of a participant.
    /// - Parameters:
    ///   - others: the participants to be asked.
    /// - Throws: ``Refusal``: `stale` when the description has moved on, `conflict` when the medium has a change
    ///   pending, `not-found`, `too-many`, `invalid-request`.
    public mutating func propose(
        _ proposal: MediaProposal,
        by proposer: Address,
        others: Set<Address>,
        now: Timestamp
    ) throws(Refusal) -> [Action] {
        if pending.contains(where: { $0.proposal.id == proposal.id && $0.by == proposer }) { return [] }
        guard proposal.revision == revision else {
            throw Refusal(.stale, "the media have changed: they are at revision \(revision)")
        }
        guard let id = proposal.change.medium else {
            guard case .add(let kind, let direction, let source, let device) = proposal.change else { return [] }
            return try add(kind, direction, source, device, proposal, by: proposer, others: others, now: now)
        }
        guard let index = media.firstIndex(where: { $0.id == id }) else {
            throw Refusal(.notFound, "there is no such medium in the session")
        }
        switch proposal.change {
        case .add: return []
        case .hold: return change(index, proposal) { $0.held.insert(proposer).inserted }
        case .resume: return change(index, proposal) { $0.held.remove(proposer) != nil }
        case .direct(_, let direction):
            return change(index, proposal) { medium in
                defer { medium.direction = direction }
                return medium.direction != direction
            }
        case .remove:
            let superseded = supersede(id)
            media.remove(at: index)
            revision += 1
            return superseded + [.settle(proposal.id, .done), .publish]
        case .join(_, let device): return try join(index, device, proposal, by: proposer)
        case .part:
            guard media[index].placements[proposer] != nil else {
                throw Refusal(.conflict, "you have no part in this medium")
            }
            revision += 1
            return takeOut(proposer, of: index, now) + [.settle(proposal.id, .done), .publish]
        case .move:
            guard media[index].placements[proposer] != nil else {
                throw Refusal(.conflict, "you have no part in this medium")
            }
            guard !pending.contains(where: { $0.medium == id && $0.by == proposer }) else {
                throw Refusal(.conflict, "you are moving this medium already")
            }
            // Of two moves at once the second negotiates with the first one's new device.
            let waits = pending.contains { $0.medium == id && $0.isMove }
            pending.append(
                PendingChange(
                    proposal: proposal,
                    by: proposer,
                    medium: id,
                    awaited: [],
                    until: waits ? nil : now.advanced(by: SessionLimits.handOverMilliseconds)
                )
            )
            return [.publish]
        }
    }

    /// Somebody who came later, or did not want it at first: the others have agreed to the medium already.
    private mutating func join(
        _ index: Int,
        _ device: DeviceID,
        _ proposal: MediaProposal,
        by proposer: Address
    ) throws(Refusal) -> [Action] {
        let medium = media[index]
        guard medium.placements[proposer] == nil else {
            throw Refusal(.conflict, "you have this medium already")
        }
        let asked = pending.firstIndex { $0.medium == medium.id && !$0.awaited.isEmpty }
        // It was offered to them: they take it.
        if let asked, pending[asked].awaited.contains(proposer) {
            return [.settle(proposal.id, .superseded)] + accept(asked, by: proposer, on: device)
        }
        // Who was asked and has not answered has a place in it.
        let taken = medium.placements.count + (asked.map { pending[$0].awaited.count } ?? 0)
        guard taken < SessionLimits.meshParticipants else { throw Self.tooManyUsers }
        let generation = medium.left?[proposer]?.next ?? .first
        media[index].placements[proposer] = Placement(device: device, generation: generation)
        revision += 1
        return [.settle(proposal.id, .done), .publish]
    }

    private static let tooManyUsers =
        Refusal(.tooMany, "media run among at most \(SessionLimits.meshParticipants) users")

    /// One user's part in a medium ends; the medium too, when only one other is left in it.
    private mutating func takeOut(_ address: Address, of index: Int, _ now: Timestamp) -> [Action] {
        let id = media[index].id
        var actions: [Action] = []
        for change in pending where change.medium == id && change.by == address && change.isMove {
            actions += withdraw(change.proposal.id, by: address, .superseded, now: now)
        }
        if let old = media[index].placements.removeValue(forKey: address) {
            media[index].left = (media[index].left ?? [:]).merging([address: old.generation]) { $1 }
        }
        media[index].held.remove(address)
        guard media[index].placements.count < 2 else { return actions }
        actions += supersede(id)
        media.remove(at: index)
        return actions
    }

    private mutating func add(
        _ kind: MediumKind,
        _ direction: MediumDirection,
        _ source: String?,
        _ device: DeviceID,
        _ proposal: MediaProposal,
        by proposer: Address,
        others: Set<Address>,
        now: Timestamp
    ) throws(Refusal) -> [Action] {
        guard kind != .text else { throw Refusal(.invalidRequest, "text is part of every session") }
        guard (source != nil) == (kind == .file || kind == .storedVideo) else {
            throw Refusal(.invalidRequest, "a file and a stored video name their source, other media do not")
        }
        // Both want the same at once: the first one stays, the second is its acceptance.
        if source == nil, let index = pending.firstIndex(where: { $0.adds(kind) && $0.awaited.contains(proposer) }) {
            return [.settle(proposal.id, .superseded)] + accept(index, by: proposer, on: device)
        }
        guard media.count + pending.count < SessionLimits.media else {
            throw Refusal(.tooMany, "at most \(SessionLimits.media) media in a session")
        }
        guard others.count < SessionLimits.meshParticipants else { throw Self.tooManyUsers }
        lastNumber += 1
        let change = PendingChange(
            proposal: proposal,
            by: proposer,
            medium: MediumID(rawValue: lastNumber),
            awaited: others,
            until: now.advanced(by: SessionLimits.consentMilliseconds)
        )
        pending.append(change)
        return [.ask(others, change)]
    }

    /// A change that needs no consent; it outranks what is pending for the medium.
    private mutating func change(
        _ index: Int,
        _ proposal: MediaProposal,
        _ body: (inout Medium) -> Bool
    ) -> [Action] {
        guard body(&media[index]) else { return [.settle(proposal.id, .done)] }
        revision += 1
        return [.settle(proposal.id, .done), .publish]
    }

    private mutating func supersede(_ id: MediumID) -> [Action] {
        let gone = pending.filter { $0.medium == id }
        pending.removeAll { $0.medium == id }
        return gone.map { .settle($0.proposal.id, .superseded) }
    }

    /// A participant agrees, and says on which device.
    public mutating func accept(_ id: MessageID, by address: Address, on device: DeviceID) -> [Action] {
        guard let index = pending.firstIndex(where: { $0.proposal.id == id && $0.awaited.contains(address) }) else {
            return []
        }
        return accept(index, by: address, on: device)
    }

    /// A participant's device is known, and nobody has agreed yet: the medium has its places, and the proposal waits on.
    public mutating func prepare(_ id: MessageID, by address: Address, on device: DeviceID) -> [Action] {
        guard let index = pending.firstIndex(where: { $0.proposal.id == id && $0.awaited.contains(address) }),
            self[pending[index].medium]?.placements[address] == nil
        else { return [] }
        return place(index, address, on: device) ? [.publish] : []
    }

    private mutating func accept(_ index: Int, by address: Address, on device: DeviceID) -> [Action] {
        let prepared = self[pending[index].medium]?.placements[address]
        guard prepared?.device == device || place(index, address, on: device) else { return [] }
        pending[index].awaited.remove(address)
        return settleIfAnswered(index) + [.publish]
    }

    private mutating func place(_ index: Int, _ address: Address, on device: DeviceID) -> Bool {
        guard case .add(let kind, let direction, let source, let own) = pending[index].proposal.change else {
            return false
        }
        let change = pending[index]
        let placement = Placement(device: device, generation: .first)
        if let medium = media.firstIndex(where: { $0.id == change.medium }) {
            media[medium].placements[address] = placement
        } else {
            media.append(
                Medium(
                    id: change.medium,
                    kind: kind,
                    direction: direction,
                    source: source,
                    owner: source.map { _ in change.by },
                    placements: [change.by: Placement(device: own, generation: .first), address: placement]
                )
            )
        }
        revision += 1
        return true
    }

    /// Plays, pauses or seeks, for all: the last one to arrive counts. It is no change to the description.
    public mutating func play(_ id: MediumID, _ wish: Playback.Wish, now: Timestamp) -> [Action] {
        guard let index = media.firstIndex(where: { $0.id == id && $0.kind == .storedVideo }), wish.position >= 0,
            Playback.rates.contains(wish.rate)
        else { return [] }
        let revision = (media[index].playback?.revision ?? 0) + 1
        media[index].playback = Playback(state: wish, at: now, revision: revision)
        return [.publish]
    }

    /// A participant does not want it.
    public mutating func reject(_ id: MessageID, by address: Address) -> [Action] {
        guard let index = pending.firstIndex(where: { $0.proposal.id == id && $0.awaited.contains(address) }) else {
            return []
        }
        pending[index].awaited.remove(address)
        let withdrawn = unprepare(address, pending[index].medium)
        return settleIfAnswered(index) + withdrawn
    }

    /// What was prepared for somebody who has not agreed in the end.
    private mutating func unprepare(_ address: Address, _ id: MediumID) -> [Action] {
        guard let index = media.firstIndex(where: { $0.id == id }),
            let old = media[index].placements.removeValue(forKey: address)
        else { return [] }
        media[index].left = (media[index].left ?? [:]).merging([address: old.generation]) { $1 }
        if media[index].placements.count < 2 { media.remove(at: index) }
        revision += 1
        return [.publish]
    }

    private mutating func settleIfAnswered(_ index: Int) -> [Action] {
        guard pending[index].awaited.isEmpty else { return [] }
        let change = pending.remove(at: index)
        return [.settle(change.proposal.id, self[change.medium] == nil ? .rejected : .done)]
    }

    /// The path to the new device runs: the medium is placed there under the next generation.
    public mutating func connected(_ id: MessageID, by address: Address, now: Timestamp) -> [Action] {
        guard let index = pending.firstIndex(where: { $0.proposal.id == id && $0.by == address }),
            pending[index].until != nil, case .move(let id, let device) = pending[index].proposal.change,
            let medium = media.firstIndex(where: { $0.id == id }), let old = media[medium].placements[address]
        else { return [] }
        let change = pending.remove(at: index)
        media[medium].placements[address] = Placement(device: device, generation: old.generation.next)
        revision += 1
        startNextMove(of: id, now)
        return [.settle(change.proposal.id, .done), .publish]
    }

    /// The path could not be made, or the proposer takes it back: everything stays as it was.
    public mutating func withdraw(
        _ id: MessageID,
        by address: Address,
        _ outcome: ChangeOutcome,
        now: Timestamp
    ) -> [Action] {
        guard let index = pending.firstIndex(where: { $0.proposal.id == id && $0.by == address }) else { return [] }
        let change = pending.remove(at: index)
        let withdrawn = change.awaited.sorted().flatMap { unprepare($0, change.medium) }
        return [.settle(change.proposal.id, outcome)] + withdrawn + afterMove(change, now)
    }

    private mutating func afterMove(_ change: PendingChange, _ now: Timestamp) -> [Action] {
        change.isMove && startNextMove(of: change.medium, now) ? [.publish] : []
    }

    @discardableResult
    private mutating func startNextMove(of id: MediumID, _ now: Timestamp) -> Bool {
        guard let index = pending.firstIndex(where: { $0.medium == id && $0.isMove }), pending[index].until == nil
        else { return false }
        pending[index].until = now.advanced(by: SessionLimits.handOverMilliseconds)
        return true
    }

    /// A device could not make an accepted medium run in time, or is gone: the medium ends and the session stays. Among
    /// several it ends for that device's user alone.
    public mutating func fail(_ id: MediumID, by address: Address, now: Timestamp) -> [Action] {
        guard let index = media.firstIndex(where: { $0.id == id && $0.placements[address] != nil }) else { return [] }
        revision += 1
        return takeOut(address, of: index, now) + [.publish]
    }

    /// A participant can have a medium with one other only, and has it with that one: whoever else is in it goes out of it.
    public mutating func narrow(
        _ id: MediumID,
        by address: Address,
        with other: Address,
        now: Timestamp
    ) -> [Action] {
        guard let index = media.firstIndex(where: { $0.id == id }), address != other else { return [] }
        let users = Set(media[index].placements.keys)
        guard users.count > 2, users.isSuperset(of: [address, other]) else { return [] }
        revision += 1
        return users.subtracting([address, other]).sorted().flatMap { takeOut($0, of: index, now) } + [.publish]
    }

    /// A participant is gone: with its placements, proposals and answers.
    public mutating func leave(_ address: Address, now: Timestamp) -> [Action] {
        var actions: [Action] = []
        for change in pending where change.by == address {
            actions += withdraw(change.proposal.id, by: address, .superseded, now: now)
        }
        var changed = false
        for index in media.indices.reversed() where media[index].placements[address] != nil {
            changed = true
            actions += takeOut(address, of: index, now)
        }
        for index in pending.indices.reversed() where pending[index].awaited.remove(address) != nil {
            actions += settleIfAnswered(index)
        }
        if changed {
            revision += 1
            actions.append(.publish)
        }
        return actions
    }

    /// What nobody answered in time is expired; a path that was not made in time has failed.
    public mutating func clock(_ now: Timestamp) -> [Action] {
        var actions: [Action] = []
        for change in pending {
            guard let until = change.until, now >= until else { continue }
            pending.removeAll { $0.proposal.id == change.proposal.id && $0.by == change.by }
            let withdrawn = change.awaited.sorted().flatMap { unprepare($0, change.medium) }
            let outcome: ChangeOutcome =
                switch change.proposal.change {
                case .move: .failed
                case .add: self[change.medium] == nil ? .expired : .done
                case .hold, .resume, .direct, .join, .part, .remove: .expired
                }
            actions.append(.settle(change.proposal.id, outcome))
            actions += withdrawn + afterMove(change, now)
        }
        return actions
    }

    /// When something pending must be looked at again.
    public var deadline: Timestamp? { pending.compactMap(\.until).min() }

    /// Whether signalling from this placement may act: an older generation's is dropped.
    public func mayAct(_ address: Address, _ device: DeviceID, _ generation: Generation, on id: MediumID) -> Bool {
        self[id]?.placements[address] == Placement(device: device, generation: generation)
    }
}

extension PendingChange {
    /// Whether somebody places a medium on another device.
    public var isMove: Bool { if case .move = proposal.change { true } else { false } }

    fileprivate func adds(_ kind: MediumKind) -> Bool {
        if case .add(kind, _, nil, _) = proposal.change { true } else { false }
    }
}
