public import ClientWire
public import MessagingCore
import SessionCore
import Store

/// What the servers of other providers' users say about sessions. Whoever calls has made sure that the peer may speak
/// for the sender's domain.
extension MessagingService {
    /// Takes one line, or finds that it was taken before.
    /// - Parameter files: those that the parts of its text name, taken in before.
    /// - Returns: false when it was taken before.
    /// - Throws: ``Refusal`` `not-found` when nobody here knows of the session, `unavailable` when lines before it are
    ///   missing, `forbidden`, `invalid-message`.
    @discardableResult
    public func take(_ parcel: SessionParcel, with files: [IncomingFile] = []) async throws -> Bool {
        try admit(parcel)
        return try await perform { work in try self.take(work, parcel, files) }
    }

    /// - Throws: ``Refusal`` as ``SessionParcel/validate()``; `rate-limited` when a domain asks a user too often.
    func admit(_ parcel: SessionParcel) throws(Refusal) {
        try parcel.validate()
        if case .request = parcel.line { try admit(requestBy: "\(parcel.from.domain ?? "tel")>\(parcel.to)") }
    }

    func take(_ work: Work, _ parcel: SessionParcel, _ files: [IncomingFile]) throws -> Bool {
        guard try resolve(work, parcel.from) == .remote else {
            throw Refusal(.forbidden, "another provider may not speak for this one's users")
        }
        guard let account = try work.account(holding: parcel.to) else {
            throw Refusal(.notFound, "\(parcel.to): no such user")
        }
        let isNew =
            switch parcel.line {
            case .request(let details): try take(work, parcel, details, account)
            case .fromOwner(let message): try take(work, parcel, message, account)
            case .toOwner(let message): try take(work, parcel, message, account)
            }
        try Self.drop(files, work)
        return isNew
    }

    /// Judges a line's number.
    /// - Returns: false when it was taken before.
    private func isNew(_ parcel: SessionParcel, _ lane: inout PeerLane) throws(Refusal) -> Bool {
        if parcel.line.isFinal { lane.receiver.skip(to: parcel.number) }
        switch lane.receiver.take(parcel.number) {
        case .next: return true
        case .duplicate: return false
        case .gap: throw Refusal(.unavailable, "lines before number \(parcel.number) are missing")
        }
    }

    private func take(
        _ work: Work,
        _ parcel: SessionParcel,
        _ details: SessionDetails,
        _ account: AccountID
    ) throws -> Bool {
        let turn = SessionTurn(self, work, parcel.session, details)
        if var part = try work.part(account, parcel.session) {
            guard part.details.creator == parcel.from else { throw Refusal(.conflict, "another owner's session") }
            guard try isNew(parcel, &part.lane) else { return false }
            try work.put(part, account)
            try turn.alert(account, parcel.to, lane: part.lane)
        } else {
            guard
                try work.transaction.sessions(of: account, limit: SessionLimits.sessionsPerUser).count
                    < SessionLimits.sessionsPerUser
            else { throw Refusal(.tooMany, "too many conversations at a time") }
            var lane = PeerLane()
            lane.receiver.skip(to: parcel.number)
            _ = lane.receiver.take(parcel.number)
            if let (ours, device) = try outstanding(work, from: account, to: parcel.from), details.invited.count == 1 {
                try cross(turn, account, parcel.to, lane, ours, device)
            } else {
                try turn.alert(account, parcel.to, lane: lane)
            }
        }
        try turn.run()
        return true
    }

    /// An own request to this user alone that nobody has answered, and the device that called.
    private func outstanding(
        _ work: Work,
        from account: AccountID,
        to other: Address
    ) throws -> (SessionTurn, DeviceID)? {
        for record in try work.transaction.sessions(of: account, limit: SessionLimits.sessionsPerUser) {
            guard let host = try work.host(account, record.session), host.machine.phase == .calling,
                host.machine.seats.count == 2, host.machine.called == [other],
                case .calling(let device) = try work.part(account, record.session)?.machine.phase
            else { continue }
            return (SessionTurn(self, work, record.session, host.details), device)
        }
        return nil
    }

    /// Both ask each other: one request stays, and the other one's device is in it.
    private func cross(
        _ turn: SessionTurn,
        _ account: AccountID,
        _ user: Address,
        _ lane: PeerLane,
        _ ours: SessionTurn,
        _ device: DeviceID
    ) throws {
        try turn.alert(account, user, lane: lane, isSilent: true)
        switch CrossedRequests(ours: ours.id, arriving: turn.id) {
        case .keepOurs: try turn.change(account) { try $0.machine.answer(.cancel, now: turn.now) }
        case .takeTheirs:
            try ours.change(account) { $0.machine.leave() }
            try turn.change(account) { try $0.machine.answer(.accept(on: device, by: device), now: turn.now) }
        }
    }

    private func take(
        _ work: Work,
        _ parcel: SessionParcel,
        _ message: FromOwner,
        _ account: AccountID
    ) throws -> Bool {
        guard var part = try work.part(account, parcel.session), part.details.creator == parcel.from else {
            throw Refusal(.notFound, "no such session")
        }
        if let text = parcel.text { try check(work, text.envelope, part) }
        guard try isNew(parcel, &part.lane) else { return false }
        try work.put(part, account)
        let turn = SessionTurn(self, work, parcel.session, part.details)
        turn.expect(parcel.text)
        try turn.hear(message, parcel.to)
        return true
    }

    /// The owner of a session speaks for who is in it, and in the name of this provider's users only what they wrote.
    private func check(_ work: Work, _ text: Envelope, _ part: PartSide) throws {
        guard part.machine.phase != .present || part.machine.participants.contains(text.from) else {
            throw Refusal(.forbidden, "\(text.from) is not in the session")
        }
        switch try resolve(work, text.from) {
        case .remote: return
        case .local(let account): if try work.transaction.key(account, text.id) != nil { return }
        case .unknown: break
        }
        throw Refusal(.forbidden, "another provider may not speak for this one's users")
    }

    private func take(_ work: Work, _ parcel: SessionParcel, _ message: ToOwner, _ account: AccountID) throws -> Bool {
        guard var host = try work.host(account, parcel.session), host.details.creator == parcel.to,
            host.machine.seats[parcel.from] != nil
        else { throw Refusal(.notFound, "no such session") }
        guard try isNew(parcel, &host.lanes[parcel.from, default: PeerLane()]) else { return false }
        try work.put(host, account)
        let turn = SessionTurn(self, work, parcel.session, host.details)
        turn.expect(parcel.text)
        try turn.changeHost { $0.machine.take(message, from: parcel.from, now: work.now) }
        try turn.run()
        return true
    }

    // MARK: A peer that stays away

    /// A line cannot be brought to the other server: what the lane still holds is given up, and the side is told.
    ///
    /// Texts that were on it go as ordinary messages; whoever sent them paid for them already.
    func giveUp(_ work: Work, _ queued: QueuedEntry) throws {
        guard case .session(let id, let from, let to, _, _) = queued.entry.task else { return }
        for waiting in try work.transaction.entries(lane: queued.entry.lane, limit: Self.entriesGivenUp) {
            if case .session(_, _, _, _, let line) = waiting.entry.task {
                let line = try Documents.decode(SessionLine.self, line)
                if case .fromOwner = line, waiting.entry.content != .none { try sendApart(work, waiting.entry, to) }
            }
            try done(work, waiting)
        }
        try lose(work, id, queued.entry.account, from: from, to: to)
    }

    /// The side of a user of this provider hears that the other side will not be heard of again.
    func lose(_ work: Work, _ id: SessionID, _ account: AccountID, from: Address, to: Address) throws {
        if let host = try work.host(account, id), host.details.creator == from {
            let turn = SessionTurn(self, work, id, host.details)
            try turn.changeHost { $0.machine.lost(to, now: work.now) }
            try turn.run()
        } else if let part = try work.part(account, id), !part.machine.isOver {
            let turn = SessionTurn(self, work, id, part.details)
            try turn.tellOwner(.leave, from: from)
            try turn.change(account) { $0.machine.ownerLost() }
        }
    }

    /// More lines than a side may have waiting.
    private static let entriesGivenUp = 10_000

    /// An own user's text that is not stored at the other side becomes a message to that user.
    private func sendApart(_ work: Work, _ entry: OutboxEntry, _ receiver: Address) throws {
        guard let content = try work.transaction.content(entry.content) else { return }
        let envelope = try Documents.decode(Envelope.self, content.document)
        guard let sender = try work.account(holding: envelope.from) else { return }
        try hold(work, entry.content)
        let message = OutboxEntry(
            account: sender,
            message: envelope.id,
            content: entry.content,
            lane: "\(receiver.domain ?? "tel")|\(envelope.conversation)",
            task: .message(receiver: receiver),
            expires: work.now.advanced(by: Limits.outboxExpiryMilliseconds),
            reports: entry.reports
        )
        try work.transaction.apply(.enqueue(message, due: work.now))
        work.hasQueued = true
    }

    // MARK: Hints

    /// Passes on what another provider's user does, to the legs that it is for.
    public func take(_ hint: PeerHint) {
        switch hint {
        case .typing(let session, let from, let to): typing(session, from: from, to: to)
        case .signal(let signal): if let from = signal.from { self.signal(signal, from: from) }
        }
    }

    /// What a user of this provider lets somebody in a session with them see of the devices.
    /// - Throws: ``Refusal`` `not-found` when that somebody is not in the session.
    public func counterpart(
        _ address: Address,
        in session: SessionID,
        for asker: Address
    ) async throws -> CounterpartDocument {
        let now = clock()
        return try await read { view in
            guard let account = try view.account(holding: address), let user = try view.user(account),
                let part = try view.session(account, session, .participant),
                case let machine = try Documents.decode(PartSide.self, part.state).machine,
                machine.phase == .present, machine.participants.contains(asker)
            else { throw Refusal(.notFound, "no such session") }
            return Self.counterpart(address, user, machine.media, now)
        }
    }
}
