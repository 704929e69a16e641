public import ClientWire
public import MessagingCore
public import SessionCore
public import Store

/// What a hand-over began.
public struct HandOver: Sendable {
    /// The session as it is with it.
    public var session: SessionDocument
    /// The changes that move media, each waiting for its path.
    public var moves: [MessageID: MediumID]
    /// Whether the leg is handed over too.
    public var hasLeg: Bool
}

/// Where an invitation into a session stands.
public enum InvitationState: Hashable, Sendable {
    case waiting
    case present
    case gone(SessionEnd)
}

extension MessagingService {
    /// Begins to move what one device has of a session onto another one of the same user, in one commit: the media that
    /// the target can do, and the leg with its last texts. Whatever the target cannot do stays, and the leg for it.
    ///
    /// - Parameters:
    ///   - kinds: the media that are meant.
    ///   - texts: how many of the texts that were said the target is given.
    /// - Throws: ``Refusal`` `not-found` without such a session or device; `conflict` when the session is not open, when
    ///   `source` has no part in it, and when that part is on its way to somewhere already; `unavailable` when the target
    ///   is not registered; `invalid-request` when it can do nothing of what there is.
    public func handOver(
        _ who: DeviceIdentity,
        _ id: SessionID,
        from source: DeviceID,
        to target: DeviceID,
        kinds: Set<MediumKind>,
        texts: Int
    ) async throws -> HandOver {
        try await perform { work in
            let turn = try SessionTurn(self, work, id, of: who.account)
            let (moves, hasLeg) = try turn.handOver(who, from: source, to: target, kinds, texts: texts)
            return HandOver(session: try self.document(work, who.account, id), moves: moves, hasLeg: hasLeg)
        }
    }

    /// Where the invitation of a user into a session stands; nil when the session's owner is elsewhere, or nobody asked.
    public func invitation(
        of address: Address,
        to id: SessionID,
        _ who: DeviceIdentity
    ) async throws -> InvitationState? {
        try await read { view in
            let part = try Self.part(view, who.account, id)
            guard let owner = try view.account(holding: part.details.creator) else { return nil }
            return try Self.invitation(view, of: address, to: id, at: owner)
        }
    }

    /// As the owner's side has it.
    static func invitation(
        _ view: any ReadView,
        of address: Address,
        to id: SessionID,
        at owner: AccountID
    ) throws -> InvitationState? {
        guard let record = try view.session(owner, id, .owner) else { return nil }
        return switch try Documents.decode(HostSide.self, record.state).machine.seats[address] {
        case .called: .waiting
        case .present: .present
        case .gone(let end): .gone(end)
        case nil: nil
        }
    }

    /// Hands a call on that another provider's user asked for, where that provider's server keeps no lanes: that user is asked to
    /// call somebody else, by REFER (RFC 5589, section 6). What comes of it is a call of that user's own.
    /// - Returns: the status of SIP that it came to; nil where others are asked into the conversation instead.
    /// - Throws: ``Refusal`` `not-found` when there is nobody of that address, or no way to one.
    public func handOn(_ who: DeviceIdentity, _ id: SessionID, to address: Address) async throws -> UInt16? {
        let users: (own: Address, other: Address)? = try await perform { work in
            _ = try self.mayBeAsked(work, address)
            guard let part = try work.part(who.account, id), part.machine.participants.count == 2,
                try work.account(holding: part.details.creator) == nil
            else { return nil }
            return (part.machine.user, part.details.creator)
        }
        guard let users else { return nil }
        return await router.handOn(id, of: users.own, with: users.other, to: address)
    }

    /// Whether addresses of this domain are this provider's.
    public func serves(_ domain: String) -> Bool { configuration.domains.contains(domain) }

    /// Whether there is a way to the users of another provider.
    public func reaches(_ domain: String) -> Bool { router.reaches(domain) }
}

extension SessionTurn {
    fileprivate func handOver(
        _ who: DeviceIdentity,
        from source: DeviceID,
        to target: DeviceID,
        _ kinds: Set<MediumKind>,
        texts: Int
    ) throws -> (moves: [MessageID: MediumID], hasLeg: Bool) {
        guard let part = try work.part(who.account, id)?.machine, part.phase == .present, source != target else {
            throw Refusal(.conflict, "this conversation is not open")
        }
        guard let device = try work.user(who.account).device(target) else {
            throw Refusal(.notFound, "no such device")
        }
        guard device.isRegistered(at: now) else { throw Refusal(.unavailable, "\(device.label) is not registered") }
        let held = part.media.filter { $0.placements[part.user]?.device == source }
        let leg = part.legs.live(source)
        guard leg != nil || !held.isEmpty else {
            throw Refusal(.conflict, "device \(source.rawValue) has no part in this conversation")
        }
        let wanted = held.filter { kinds.contains($0.kind) }
        let media = wanted.filter { (try? check($0.kind, on: target, who.account)) != nil }
        // Of media that were meant none would come.
        guard media.isEmpty == wanted.isEmpty, leg != nil || !media.isEmpty else {
            throw Refusal(.invalidRequest, "\(device.label) can do nothing of this")
        }
        var moves: [MessageID: MediumID] = [:]
        for medium in media {
            let change = MessageID(stored: hexadecimal(randomBytes(16)))
            var request = MediaRequest(id: change, revision: part.revision, change: .move, medium: medium.id)
            request.device = target
            try propose(request, who.account, who.device)
            moves[change] = medium.id
        }
        guard let leg, part.legs.live(target) == nil else { return (moves, false) }
        try change(who.account) { part in
            try part.machine.attach(target, replacing: leg.generation, history: .last(texts), now: now)
        }
        return (moves, true)
    }
}
