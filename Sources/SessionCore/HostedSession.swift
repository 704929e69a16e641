public import MessagingCore

/// What a participant's server says to the owner, in order and each once.
public enum ToOwner: Hashable, Sendable, Codable {
    case answered(InvitationAnswer)
    case text(MessageID)
    case propose(MediaProposal)
    /// An answer to a proposal; without a device it is no.
    case consent(MessageID, on: DeviceID?)
    /// The device that is to have what was proposed, before its user has agreed: where consent and description are one
    /// (RFC 3264), both ends are needed to ask at all.
    case prepare(MessageID, on: DeviceID)
    /// The path of a move runs.
    case connected(MessageID)
    /// The path of a move could not be made, or the proposer took a proposal back.
    case withdraw(MessageID, ChangeOutcome)
    /// An accepted medium never ran.
    case mediumFailed(MediumID)
    /// The sender can have a medium with one other only, and has it with this one: whoever else is in it goes out of it.
    case narrow(MediumID, with: Address)
    case invite(Address)
    /// Whoever asked for the session takes another user out of it.
    case remove(Address)
    /// Plays, pauses or seeks a stored video, for all.
    case play(MediumID, Playback.Wish)
    case leave
}

/// What the owner says to a participant's server, in order and each once.
public enum FromOwner: Hashable, Sendable, Codable {
    /// The caller or the clock wants the request back.
    case cancelled
    /// The user takes part from this ordinal on.
    case admitted(first: Ordinal, [Address])
    case participants([Address])
    case text(Ordinal, MessageID, from: Address)
    /// A text or a proposal that the owner did not take.
    case refused(MessageID, Refusal.Code)
    case asked(PendingChange)
    case settled(MessageID, ChangeOutcome)
    case media(Revision, [Medium], pending: [PendingChange])
    case ended(SessionEnd)
}

/// A session at its owner, the server of the user who asked for it: it orders texts, admits participants, and keeps the
/// media that all agree on.
///
/// ```
///   calling --somebody accepts--> open --left, or one remains--> over
///      \--all refuse, cancel------------------------------------> over
/// ```
public struct HostedSession: Hashable, Sendable, Codable {
    /// Where it stands.
    public enum Phase: Hashable, Sendable, Codable {
        case calling
        case open
        case over(SessionEnd)
    }

    /// One user's place.
    public enum Seat: Hashable, Sendable, Codable {
        case called(Call)
        case present(first: Ordinal)
        case gone(SessionEnd)
    }

    /// Something to say to a participant's server.
    public struct Sent: Hashable, Sendable {
        public var to: Address
        public var message: FromOwner
    }

    public let id: SessionID
    public let creator: Address
    public private(set) var phase = Phase.calling
    public private(set) var seats: [Address: Seat]
    /// The last ordinal given.
    public private(set) var head: Ordinal = 0
    public private(set) var media = MediaDescription()
    /// The text that rides on the request: the first one, if anybody accepts.
    private var firstText: MessageID?

    /// A session as asked for: everybody who is invited is to be called.
    /// - Throws: ``Refusal``: `too-many`, `invalid-request`.
    public init(
        id: SessionID,
        creator: Address,
        invited: Set<Address>,
        firstText: MessageID? = nil,
        now: Timestamp
    ) throws(Refusal) {
        guard !invited.isEmpty, !invited.contains(creator) else {
            throw Refusal(.invalidRequest, "a conversation is asked of somebody else")
        }
        guard invited.count < SessionLimits.participants else {
            throw Refusal(.tooMany, "at most \(SessionLimits.participants) users in a session")
        }
        self.id = id
        self.creator = creator
        self.firstText = firstText
        let call = Call.calling(until: now.advanced(by: SessionLimits.callingMilliseconds))
        seats = Dictionary(uniqueKeysWithValues: invited.map { ($0, .called(call)) })
        seats[creator] = .present(first: 1)
    }

    /// Takes up the order where the stored texts leave off: a text alone writes no state.
    public mutating func resume(at stored: Ordinal) { head = max(head, stored) }

    /// Who takes part, in order.
    public var present: [Address] {
        seats.filter { if case .present = $0.value { true } else { false } }.keys.sorted()
    }

    // MARK: What comes from participants

    /// Takes what a participant's server says.
    public mutating func take(_ message: ToOwner, from sender: Address, now: Timestamp) -> [Sent] {
        if case .over(let end) = phase { return late(message, sender, end) }
        switch (seats[sender], message) {
        case (.called, .answered(let answer)): return call(sender, .answer(answer), now)
        case (.present, .text(let id)) where phase == .open: return order(id, sender)
        case (.present, .invite(let address)): return invite(address, now)
        case (.present, .remove(let address)) where sender == creator && address != creator:
            return remove(address, now)
        case (.present, .play(let id, let wish)): return changeMedia { $0.play(id, wish, now: now) }
        case (.present, .leave): return leave(sender, now)
        case (.present, .propose(let proposal)) where phase == .open:
            do throws(Refusal) {
                let others = Set(present).subtracting([sender])
                let actions = try media.propose(proposal, by: sender, others: others, now: now)
                return spread(actions)
            } catch {
                return [Sent(to: sender, message: .refused(proposal.id, error.code)), description(to: sender)]
            }
        case (.present, .consent(let id, let device)):
            return changeMedia { media in
                device.map { media.accept(id, by: sender, on: $0) } ?? media.reject(id, by: sender)
            }
        case (.present, .prepare(let id, let device)): return changeMedia { $0.prepare(id, by: sender, on: device) }
        case (.present, .connected(let id)): return changeMedia { $0.connected(id, by: sender, now: now) }
        case (.present, .withdraw(let id, let outcome)):
            return changeMedia { $0.withdraw(id, by: sender, outcome, now: now) }
        case (.present, .mediumFailed(let id)): return changeMedia { $0.fail(id, by: sender, now: now) }
        case (.present, .narrow(let id, let other)):
            return changeMedia { $0.narrow(id, by: sender, with: other, now: now) }
        // It was given up while its server was away, and does not know.
        case (.gone(let end), .answered(.accepted)): return [Sent(to: sender, message: .ended(end))]
        case (.gone(let end), .text(let id)):
            return [Sent(to: sender, message: .refused(id, .conflict)), Sent(to: sender, message: .ended(end))]
        case (_, .text(let id)): return [Sent(to: sender, message: .refused(id, .conflict))]
        case (_, .propose(let proposal)): return [Sent(to: sender, message: .refused(proposal.id, .conflict))]
        case (_, .answered), (_, .consent), (_, .prepare), (_, .connected), (_, .withdraw), (_, .mediumFailed),
            (_, .narrow), (_, .invite), (_, .remove), (_, .play), (_, .leave):
            return []
        }
    }

    /// It is over: a text that comes now has no place in it, and an acceptance opens nothing.
    private mutating func late(_ message: ToOwner, _ sender: Address, _ end: SessionEnd) -> [Sent] {
        switch message {
        case .text(let id): [Sent(to: sender, message: .refused(id, .conflict))]
        case .propose(let proposal): [Sent(to: sender, message: .refused(proposal.id, .conflict))]
        case .answered(.accepted): [Sent(to: sender, message: .ended(end))]
        case .answered, .consent, .prepare, .connected, .withdraw, .mediumFailed, .narrow, .invite, .remove, .play,
            .leave:
            []
        }
    }

    private mutating func order(_ id: MessageID, _ sender: Address) -> [Sent] {
        head += 1
        return present.map { Sent(to: $0, message: .text(head, id, from: sender)) }
    }

    // MARK: Who takes part

    /// Asks another user to join; the shell carries the request itself.
    private mutating func invite(_ address: Address, _ now: Timestamp) -> [Sent] {
        switch seats[address] {
        case .called, .present: return []
        case nil, .gone: break
        }
        guard seats.count < SessionLimits.participants else { return [] }
        seats[address] = .called(.calling(until: now.advanced(by: SessionLimits.callingMilliseconds)))
        return []
    }

    /// The users whose servers are to be sent the request.
    public var called: [Address] {
        seats.filter { if case .called(.calling) = $0.value { true } else { false } }.keys.sorted()
    }

    private mutating func call(_ address: Address, _ input: Call.Input, _ now: Timestamp) -> [Sent] {
        guard case .called(var call) = seats[address] else { return [] }
        let action = call.take(input)
        seats[address] = .called(call)
        switch action {
        case .none: return []
        case .sendCancel: return [Sent(to: address, message: .cancelled)]
        case .admit: return admit(address)
        case .admitAndEnd(let end):
            seats[address] = .gone(end)
            return [Sent(to: address, message: .ended(end))] + endIfAlone(end)
        case .drop(let end):
            seats[address] = .gone(end)
            // The server that answered a cancel with it knows; what it answered by itself it knows as well.
            return endIfAlone(end)
        }
    }

    private mutating func admit(_ address: Address) -> [Sent] {
        let first = head + 1
        seats[address] = .present(first: first)
        let all = present
        var sent = [Sent(to: address, message: .admitted(first: first, all))]
        for other in all where other != address {
            if phase == .calling, other == creator {
                sent.append(Sent(to: creator, message: .admitted(first: 1, all)))
            } else {
                sent.append(Sent(to: other, message: .participants(all)))
            }
        }
        // Also when nothing is there: who was here before may hold an old description.
        sent.append(description(to: address))
        phase = .open
        if let text = firstText {
            firstText = nil
            sent += order(text, creator)
        }
        return sent
    }

    private mutating func leave(_ address: Address, _ now: Timestamp) -> [Sent] {
        if phase == .calling { return cancel(now) }
        return part(address, .left, now)
    }

    /// Takes a user out who is in, or whose devices still ring.
    private mutating func remove(_ address: Address, _ now: Timestamp) -> [Sent] {
        switch seats[address] {
        case .called: call(address, .cancel, now)
        case .present: part(address, .removed, now)
        case .gone, nil: []
        }
    }

    /// A participant's server was away for longer than the grace: the session goes on without that user.
    public mutating func lost(_ address: Address, now: Timestamp) -> [Sent] {
        if case .over = phase { return [] }
        switch seats[address] {
        case .called: return call(address, .answer(.missed), now)
        case .present where address != creator: return part(address, .unreachable, now)
        case .present, .gone, nil: return []
        }
    }

    private mutating func part(_ address: Address, _ end: SessionEnd, _ now: Timestamp) -> [Sent] {
        seats[address] = .gone(end)
        var sent = [Sent(to: address, message: .ended(end))]
        let remaining = present
        guard remaining.count > 1 else { return sent + self.end(end == .unreachable ? end : .left) }
        sent += remaining.map { Sent(to: $0, message: .participants(remaining)) }
        return sent + changeMedia { $0.leave(address, now: now) }
    }

    /// The caller does not want any more: every server that was asked has to answer first.
    private mutating func cancel(_ now: Timestamp) -> [Sent] {
        seats.keys.sorted().flatMap { call($0, .cancel, now) }
    }

    /// With nobody to talk to, and nobody who might still join, it is over.
    private mutating func endIfAlone(_ end: SessionEnd) -> [Sent] {
        let awaited = seats.values.contains { if case .called = $0 { true } else { false } }
        guard present.count < 2, !awaited else { return [] }
        return self.end(phase == .open ? .left : end)
    }

    private mutating func end(_ end: SessionEnd) -> [Sent] {
        var sent: [Sent] = []
        for address in seats.keys.sorted() {
            switch seats[address] {
            case .present: sent.append(Sent(to: address, message: .ended(end)))
            case .called(.calling): sent.append(Sent(to: address, message: .cancelled))
            case .called: break
            case .gone, nil: continue
            }
            seats[address] = .gone(end)
        }
        phase = .over(end)
        return sent
    }

    // MARK: Media

    /// Changes the description first, and then tells everybody what it is.
    private mutating func changeMedia(_ change: (inout MediaDescription) -> [MediaDescription.Action]) -> [Sent] {
        let actions = change(&media)
        return spread(actions)
    }

    private func spread(_ actions: [MediaDescription.Action]) -> [Sent] {
        actions.flatMap { action in
            switch action {
            case .publish: present.map(description)
            case .ask(let users, let change): users.sorted().map { Sent(to: $0, message: .asked(change)) }
            case .settle(let id, let outcome): present.map { Sent(to: $0, message: .settled(id, outcome)) }
            }
        }
    }

    private func description(to address: Address) -> Sent {
        Sent(to: address, message: .media(media.revision, media.media, pending: media.pending))
    }

    // MARK: Time

    /// What ran out of time.
    public mutating func clock(_ now: Timestamp) -> [Sent] {
        if case .over = phase { return [] }
        return seats.keys.sorted().flatMap { call($0, .clock(now), now) } + changeMedia { $0.clock(now) }
    }

    /// When it must be looked at again.
    public var deadline: Timestamp? {
        if case .over = phase { return nil }
        let calls = seats.values.compactMap { seat in
            if case .called(let call) = seat { call.deadline } else { nil }
        }
        return (calls + [media.deadline].compactMap(\.self)).min()
    }
}
