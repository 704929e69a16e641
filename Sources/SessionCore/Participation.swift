public import MessagingCore

/// One user's part in a session, at that user's own server: which devices ring, which are attached, where each medium
/// is. Switching and adding devices never need the other side.
///
/// ```
///   alerting --accept--> joining --admitted--> present --ended--> over
///       \--answered otherwise-------------------------------------> over
///   calling ----------------------admitted--> present
/// ```
public struct Participation: Hashable, Sendable, Codable {
    /// Where the user stands.
    public enum Phase: Hashable, Sendable, Codable {
        /// The user asked for the session, on this device.
        case calling(DeviceID)
        case alerting
        /// The user accepted, on this device; the owner has not confirmed.
        case joining(DeviceID)
        case present
        case over(SessionEnd)
    }

    /// The request as it came, and what became of it.
    public struct Request: Hashable, Sendable, Codable {
        public internal(set) var invitation: Invitation
        public internal(set) var ledger: AlertLedger
    }

    /// What follows from an input; the shell carries it out in the same commit.
    public enum Effect: Hashable, Sendable {
        case send(ToOwner)
        /// The text takes its place in the mailbox, and goes to the legs.
        case store(Ordinal, MessageID, from: Address)
        /// An own text that found no place in the session goes as an ordinary message, charged once.
        case deferText(MessageID)
        /// An own text goes nowhere: refunded.
        case failText(MessageID)
        /// A device is asked to join, under this generation.
        case prepare(DeviceID, Generation)
        /// A device is to be given texts after an ordinal.
        case replay(DeviceID, Generation, after: Ordinal)
        /// A device's leg is live, or is not any more.
        case live(DeviceID, Generation)
        case closed(DeviceID, Generation)
        /// What the user's devices see of the session has changed.
        case changed
    }

    public let session: SessionID
    public let user: Address
    public private(set) var phase: Phase
    /// How the request went here; nil for the caller.
    public private(set) var request: Request?
    public private(set) var legs = Legs()
    public private(set) var participants: [Address] = []
    /// The user's first ordinal, and the last one stored.
    public private(set) var first: Ordinal = 1
    public private(set) var head: Ordinal = 0
    /// Own texts without an ordinal yet, in order.
    public private(set) var pending: [MessageID] = []
    /// The text that rides on the request; it fails with it.
    private var firstText: MessageID?
    public private(set) var revision: Revision = 0
    public private(set) var media: [Medium] = []
    public private(set) var changes: [PendingChange] = []
    /// No leg is connected since; at this time the user has left.
    private var graceEnds: Timestamp?

    /// The caller's part.
    public init(calling session: SessionID, user: Address, on device: DeviceID, firstText: MessageID?) {
        self.session = session
        self.user = user
        self.firstText = firstText
        phase = .calling(device)
    }

    /// A callee's part: these devices ring.
    public init(
        invitedTo session: SessionID,
        user: Address,
        alerting devices: some Sequence<DeviceID>,
        now: Timestamp
    ) {
        self.session = session
        self.user = user
        phase = .alerting
        alert(devices, now: now)
    }

    private mutating func alert(_ devices: some Sequence<DeviceID>, now: Timestamp) {
        let until = now.advanced(by: SessionLimits.alertingMilliseconds)
        request = Request(invitation: .alerting(until: until), ledger: AlertLedger(devices))
    }

    /// Somebody asks a user who left, or did not want to come, once more.
    public mutating func askAgain(alerting devices: some Sequence<DeviceID>, now: Timestamp) {
        guard isOver else { return }
        phase = .alerting
        alert(devices, now: now)
    }

    /// Takes up the order where the stored texts leave off: a text alone writes no state.
    public mutating func resume(at stored: Ordinal) { head = max(head, stored) }

    public var isOver: Bool { if case .over = phase { true } else { false } }

    // MARK: The request

    /// The person answers on a device.
    /// - Throws: ``Refusal`` `conflict`: it was answered elsewhere, or is over.
    public mutating func answer(_ input: Invitation.Input, now: Timestamp) throws(Refusal) -> [Effect] {
        guard var request else { throw Refusal(.conflict, "nobody asked you: you did") }
        let action = request.invitation.take(input)
        switch action {
        case .none:
            return []
        case .tooLate:
            throw Refusal(.conflict, "too late: \(request.invitation.outcome)")
        case .answer(let answer):
            _ = request.ledger.withdraw()
            self.request = request
            switch request.invitation {
            case .accepted(let device, _): phase = .joining(device)
            case .rejected: phase = .over(.rejected)
            case .cancelled: phase = .over(.cancelled)
            case .missed: phase = .over(.missed)
            case .alerting: break
            }
            return [.send(.answered(answer)), .changed]
        }
    }

    /// A device has the alert, silences it, or has its withdrawal.
    public mutating func alert(_ input: Alert.Input, from device: DeviceID) {
        request?.ledger.take(input, from: device)
    }

    // MARK: Texts

    /// A text of the user: taken from any device, for the ids make it unique.
    /// - Throws: ``Refusal``: `conflict` when the user is not in the session, `rate-limited`.
    public mutating func send(_ text: MessageID) throws(Refusal) -> [Effect] {
        guard phase == .present else { throw Refusal(.conflict, "you are not in this session") }
        guard pending.count < SessionLimits.pendingTexts else {
            throw Refusal(.rateLimited, "too many texts wait for their place in the session")
        }
        pending.append(text)
        return [.send(.text(text))]
    }

    // MARK: Legs

    /// Asks one of the user's devices to join: in place of a leg, or beside all.
    /// - Throws: ``Refusal`` as ``Legs/prepare(_:replacing:history:now:)``.
    public mutating func attach(
        _ device: DeviceID,
        replacing old: Generation?,
        history: History,
        now: Timestamp
    ) throws(Refusal) -> [Effect] {
        guard phase == .present else { throw Refusal(.conflict, "you are not in this session") }
        let generation = try legs.prepare(device, replacing: old, history: history, now: now)
        return [.prepare(device, generation), .changed]
    }

    /// The target is ready.
    public mutating func ready(_ generation: Generation, now: Timestamp) -> [Effect] {
        follow { $0.legs.ready(generation, first: $0.first, head: $0.head, now: now) }
    }

    /// A target has everything up to an ordinal.
    public mutating func progress(_ generation: Generation, position: Ordinal, now: Timestamp) -> [Effect] {
        follow { $0.legs.progress(generation, position: position, head: $0.head, now: now) }
    }

    /// A target cannot.
    public mutating func fail(_ generation: Generation) -> [Effect] { follow { $0.legs.fail(generation) } }

    /// An old leg is done, or a device takes itself out.
    public mutating func close(_ generation: Generation) -> [Effect] {
        follow { $0.legs.close(generation, holdsMedia: $0.holdsMedia(generation)) }
    }

    /// A device of the user is gone for good. Its media go with it, and with the last leg the user.
    public mutating func drop(_ device: DeviceID) -> [Effect] {
        let held = media.filter { $0.placements[user]?.device == device }
        let effects = follow { $0.legs.drop(device) } + held.map { .send(.mediumFailed($0.id)) }
        guard phase == .present, legs.isEmpty else { return effects }
        return effects + leave()
    }

    /// Whether a medium, or the move of one, needs a leg to stay.
    private func holdsMedia(_ generation: Generation) -> Bool {
        guard let leg = legs[generation] else { return false }
        return media.contains { $0.placements[user]?.device == leg.device }
    }

    /// The generation under which a device may control the session now; nil when it may not.
    public func control(of device: DeviceID) -> Generation? {
        phase == .present ? legs.live(device)?.generation : nil
    }

    // MARK: Media

    /// A device proposes a change.
    /// - Throws: ``Refusal`` `conflict` when the device has no live leg, and not the medium either, and does not take it.
    public mutating func propose(_ proposal: MediaProposal, from device: DeviceID) throws(Refusal) -> [Effect] {
        guard control(of: device) != nil || concerns(device, proposal.change) else {
            throw Refusal(.conflict, "this device is not in the session")
        }
        return [.send(.propose(proposal))]
    }

    /// A device that has a medium and no leg, such as a phone beside a computer, may put it on hold all the same and hand
    /// it on; and any device may take a medium, as it may take a leg.
    private func concerns(_ device: DeviceID, _ change: MediaChange) -> Bool {
        guard phase == .present else { return false }
        switch change {
        case .hold(let id), .resume(let id): return holder(of: id) == device
        case .move(let id, let target): return holder(of: id).map { $0 == device || target == device } ?? false
        case .add, .direct, .join, .part, .remove: return false
        }
    }

    /// The user's device that a medium is placed on.
    private func holder(of id: MediumID) -> DeviceID? {
        media.first { $0.id == id }?.placements[user]?.device
    }

    /// The person agrees, naming a device, or does not.
    /// - Throws: ``Refusal``: `not-found` when nothing of that name waits for this user.
    public mutating func consent(_ id: MessageID, on device: DeviceID?) throws(Refusal) -> [Effect] {
        guard let index = changes.firstIndex(where: { $0.proposal.id == id && $0.awaited.contains(user) }) else {
            throw Refusal(.notFound, "no such change waits for your answer")
        }
        // Once: the owner's word on it comes later.
        changes[index].awaited.remove(user)
        return [.send(.consent(id, on: device)), .changed]
    }

    /// The path of an own move runs, or could not be made.
    public func moved(_ id: MessageID, _ isConnected: Bool) -> [Effect] {
        guard phase == .present, changes.contains(where: { $0.proposal.id == id && $0.by == user }) else { return [] }
        return [.send(isConnected ? .connected(id) : .withdraw(id, .failed))]
    }

    /// A device could not make a medium run that is placed on it.
    /// - Throws: ``Refusal`` `conflict` when the medium is not placed there.
    public func mediumFailed(_ id: MediumID, on device: DeviceID) throws(Refusal) -> [Effect] {
        guard phase == .present, media.contains(where: { $0.id == id && $0.placements[user]?.device == device }) else {
            throw Refusal(.conflict, "this medium is not on this device")
        }
        return [.send(.mediumFailed(id))]
    }

    /// A device can have a medium with one other user only, and has it with this one: whoever else is in it goes out of it.
    /// - Throws: ``Refusal`` `conflict` when the medium is not placed there.
    public func narrow(_ id: MediumID, on device: DeviceID, with other: Address) throws(Refusal) -> [Effect] {
        guard phase == .present, media.contains(where: { $0.id == id && $0.placements[user]?.device == device }) else {
            throw Refusal(.conflict, "this medium is not on this device")
        }
        return [.send(.narrow(id, with: other))]
    }

    /// The user plays, pauses or seeks a stored video, for all.
    /// - Throws: ``Refusal`` `not-found` when there is no such video.
    public func play(_ id: MediumID, _ wish: Playback.Wish) throws(Refusal) -> [Effect] {
        guard phase == .present, media.contains(where: { $0.id == id && $0.kind == .storedVideo }) else {
            throw Refusal(.notFound, "there is no such video in the session")
        }
        return [.send(.play(id, wish))]
    }

    // MARK: Others

    /// The user takes another one out.
    /// - Throws: ``Refusal`` `conflict` when the user is not in the session.
    public func remove(_ address: Address) throws(Refusal) -> [Effect] {
        guard phase == .present else { throw Refusal(.conflict, "you are not in this session") }
        return [.send(.remove(address))]
    }

    /// The user asks another one to join.
    /// - Throws: ``Refusal`` `conflict` when the user is not in the session.
    public func invite(_ address: Address) throws(Refusal) -> [Effect] {
        guard phase == .present else { throw Refusal(.conflict, "you are not in this session") }
        return [.send(.invite(address))]
    }

    // MARK: From the owner

    /// Takes what the owner says.
    public mutating func take(_ message: FromOwner, now: Timestamp) -> [Effect] {
        switch (phase, message) {
        case (.alerting, .cancelled): return (try? answer(.cancel, now: now)) ?? []
        case (.joining(let device), .admitted(let first, let all)),
            (.calling(let device), .admitted(let first, let all)):
            phase = .present
            firstText = nil
            self.first = first
            head = first - 1
            participants = all
            let generation = legs.attach(device, at: head)
            return [.live(device, generation), .changed]
        case (.present, .participants(let all)):
            participants = all
            return [.changed]
        case (.present, .text(let ordinal, let id, let sender)):
            // The lane brings each once and in order; anything else is not taken.
            guard ordinal == head + 1 else { return [] }
            head = ordinal
            if sender == user { pending.removeAll { $0 == id } }
            return [.store(ordinal, id, from: sender)]
        case (_, .refused(let id, _)) where pending.contains(id):
            pending.removeAll { $0 == id }
            // It has no place in the session: it goes as a message.
            return [.deferText(id)]
        case (.present, .media(let revision, let media, let pending)):
            guard revision >= self.revision else { return [] }
            let before = Set(self.media.compactMap { $0.placements[user]?.device })
            self.revision = revision
            self.media = media
            changes = pending
            let after = Set(media.compactMap { $0.placements[user]?.device })
            return [.changed] + release(before.subtracting(after))
        case (.present, .asked(let change)):
            guard changes.count < SessionLimits.changes,
                !changes.contains(where: { $0.proposal.id == change.proposal.id })
            else { return [] }
            changes.append(change)
            return [.changed]
        case (.present, .settled(let id, _)):
            changes.removeAll { $0.proposal.id == id }
            return [.changed]
        case (.over, .ended): return []
        case (_, .ended(let end)): return over(end)
        // What crossed an end or an answer on its way.
        case (_, .cancelled), (_, .admitted), (_, .participants), (_, .text), (_, .refused), (_, .media), (_, .asked),
            (_, .settled):
            return []
        }
    }

    /// The owner's server was away for longer than the grace.
    public mutating func ownerLost() -> [Effect] { isOver ? [] : over(.unreachable) }

    // MARK: Ends

    /// The user leaves, or takes back the own request.
    public mutating func leave() -> [Effect] {
        switch phase {
        case .calling, .present: [.send(.leave)]
        case .alerting, .joining, .over: []
        }
    }

    private mutating func over(_ end: SessionEnd) -> [Effect] {
        phase = .over(end)
        var effects: [Effect] = legs.legs.map { .closed($0.device, $0.generation) }
        legs.end()
        revision = 0
        media = []
        changes = []
        graceEnds = nil
        _ = request?.ledger.withdraw()
        if let text = firstText { effects.append(end == .missed ? .deferText(text) : .failText(text)) }
        firstText = nil
        effects += pending.map { .deferText($0) }
        pending = []
        return effects + [.changed]
    }

    /// Whether any device with a leg is connected: without one the user is not thrown out at once.
    public mutating func attended(_ isAttended: Bool, graceMilliseconds: Int64, now: Timestamp) {
        guard phase == .present, !isAttended else {
            graceEnds = nil
            return
        }
        graceEnds = graceEnds ?? now.advanced(by: graceMilliseconds)
    }

    // MARK: Time

    /// What ran out of time.
    public mutating func clock(_ now: Timestamp) -> [Effect] {
        if phase == .alerting { return (try? answer(.clock(now), now: now)) ?? [] }
        var effects = follow { part in
            var legs = part.legs
            let actions = legs.clock(now) { part.holdsMedia($0) }
            part.legs = legs
            return actions
        }
        if let graceEnds, now >= graceEnds {
            self.graceEnds = nil
            effects += leave()
        }
        return effects
    }

    /// When it must be looked at again.
    public var deadline: Timestamp? {
        [request?.invitation.deadline, legs.deadline, graceEnds].compactMap(\.self).min()
    }

    // MARK: Following the legs

    /// Media left these devices: legs that stayed for them alone close.
    private mutating func release(_ devices: Set<DeviceID>) -> [Effect] {
        let generations = legs.legs.filter { devices.contains($0.device) }.map(\.generation)
        return generations.flatMap { generation in follow { $0.legs.mediaLeft(generation) } }
    }

    private mutating func follow(_ body: (inout Self) -> [Legs.Action]) -> [Effect] {
        let devices = Dictionary(uniqueKeysWithValues: legs.legs.map { ($0.generation, $0.device) })
        let actions = body(&self)
        var effects: [Effect] = []
        for action in actions {
            switch action {
            case .none: continue
            case .replay(let generation, let after):
                if let device = devices[generation] { effects.append(.replay(device, generation, after: after)) }
            case .wentLive(let generation, _, _):
                if let device = devices[generation] { effects.append(.live(device, generation)) }
            case .returned(let generation), .closed(let generation):
                if let device = devices[generation] { effects.append(.closed(device, generation)) }
            }
        }
        return effects.isEmpty ? [] : effects + [.changed]
    }
}

extension Invitation {
    /// What became of it, for a person.
    var outcome: String {
        switch self {
        case .alerting: "it still waits"
        case .accepted(let device, _): "it was accepted on device \(device.rawValue)"
        case .rejected(let device): "it was rejected on device \(device.rawValue)"
        case .cancelled: "the caller took it back"
        case .missed: "nobody answered in time"
        }
    }
}
