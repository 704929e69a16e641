public import MessagingCore

/// How much of what was said before a device gets when it joins a session.
public enum History: Hashable, Sendable, Codable {
    case none
    case last(Int)
    case all

    /// The ordinal after which the device is given texts.
    /// - Parameters:
    ///   - first: the participant's own first ordinal: nothing before it can be given.
    ///   - head: the last ordinal stored.
    func start(first: Ordinal, head: Ordinal) -> Ordinal {
        switch self {
        case .none: head
        case .last(let count): max(first - 1, head - Ordinal(max(0, count)))
        case .all: first - 1
        }
    }
}

/// One device's attachment to a session.
///
/// ```
///   preparing --ready--> replaying --close to the head--> live --replaced--> draining --closed--> (gone)
///       \_____________________\__failed, or time__> (gone: the old leg never noticed)
/// ```
public struct Leg: Hashable, Sendable, Codable {
    /// Where it stands.
    public enum State: Hashable, Sendable, Codable {
        /// The device was asked to join; nothing of the session is its own yet.
        case preparing(History, until: Timestamp)
        /// It is given what was said: it has everything up to its position.
        case replaying(position: Ordinal, until: Timestamp)
        /// Text and control are its own, from after the fence on.
        case live(fence: Ordinal)
        /// Another leg took over at the fence: no text after that is this one's. Without a time it stays for the media
        /// that are placed on it.
        case draining(fence: Ordinal, to: DeviceID, until: Timestamp?)
    }

    public let device: DeviceID
    public let generation: Generation
    /// The leg that this one is to replace; nil for one that is added.
    public let replaces: Generation?
    /// Its history begins after this ordinal; nil while that is open.
    public internal(set) var start: Ordinal?
    public internal(set) var state: State

    /// Whether texts and control are its own.
    public var isLive: Bool { if case .live = state { true } else { false } }
    /// Whether it is about to be: asked, or catching up.
    public var isPending: Bool {
        switch state {
        case .preparing, .replaying: true
        case .live, .draining: false
        }
    }

    /// When it must be looked at again.
    public var deadline: Timestamp? {
        switch state {
        case .preparing(_, let until), .replaying(_, let until): until
        case .draining(_, _, let until): until
        case .live: nil
        }
    }
}

/// All legs of one participant, and every hand-over among them.
///
/// Push and pull are the same: a leg is asked for on a target, replacing another or beside it.
public struct Legs: Hashable, Sendable, Codable {
    /// What became of a leg.
    public enum Action: Hashable, Sendable {
        case none
        /// The target is to be given texts after this ordinal.
        case replay(Generation, after: Ordinal)
        /// It went live at the fence; the leg that it replaced, if any, drains from there.
        case wentLive(Generation, fence: Ordinal, draining: Generation?)
        /// A hand-over came to nothing: the old leg goes on as if it had not been.
        case returned(Generation)
        /// A leg is gone.
        case closed(Generation)
    }

    public private(set) var legs: [Leg] = []
    private var next = Generation.first

    /// No leg yet.
    public init() {}

    /// The leg of a generation.
    public subscript(_ generation: Generation) -> Leg? { legs.first { $0.generation == generation } }

    public var live: [Leg] { legs.filter(\.isLive) }
    /// Whether any device is attached, or about to be.
    public var isEmpty: Bool { legs.isEmpty }

    /// The live leg of a device; what it says under any other generation is refused.
    public func live(_ device: DeviceID) -> Leg? { legs.first { $0.device == device && $0.isLive } }

    /// The first leg, of the device that called or accepted: live at once.
    public mutating func attach(_ device: DeviceID, at head: Ordinal) -> Generation {
        let generation = take()
        legs.append(Leg(device: device, generation: generation, replaces: nil, start: head, state: .live(fence: head)))
        return generation
    }

    /// Asks a device to join: in place of a leg, or beside all of them.
    /// - Throws: ``Refusal``: `conflict` when the device has a live leg or is asked already, when the leg to replace
    ///   is being handed over (naming to whom) or is not live; `too-many`.
    public mutating func prepare(
        _ target: DeviceID,
        replacing old: Generation?,
        history: History,
        now: Timestamp
    ) throws(Refusal) -> Generation {
        guard !legs.contains(where: { $0.device == target && ($0.isLive || $0.isPending) }) else {
            throw Refusal(.conflict, "device \(target.rawValue) takes part already")
        }
        if let old {
            guard self[old]?.isLive == true else {
                throw Refusal(.conflict, "the leg to hand over is not live any more")
            }
            if let pending = legs.first(where: { $0.replaces == old && $0.isPending }) {
                throw Refusal(.conflict, "it is being handed over to device \(pending.device.rawValue)")
            }
        }
        guard legs.count < SessionLimits.legs else {
            throw Refusal(.tooMany, "at most \(SessionLimits.legs) devices in a session")
        }
        let generation = take()
        let until = now.advanced(by: SessionLimits.handOverMilliseconds)
        legs.append(
            Leg(device: target, generation: generation, replaces: old, state: .preparing(history, until: until))
        )
        return generation
    }

    /// The target is ready: it is given its history, and then what is said meanwhile. The store is the buffer.
    public mutating func ready(
        _ generation: Generation,
        first: Ordinal,
        head: Ordinal,
        now: Timestamp
    ) -> [Action] {
        guard let index = index(generation), case .preparing(let history, _) = legs[index].state else { return [] }
        let start = history.start(first: first, head: head)
        legs[index].start = start
        legs[index].state = .replaying(
            position: start,
            until: now.advanced(by: SessionLimits.handOverMilliseconds)
        )
        return [.replay(generation, after: start)] + goLive(index, head: head, now: now)
    }

    /// The target has everything up to an ordinal. Close enough to the head it goes live, though both sides type on.
    public mutating func progress(
        _ generation: Generation,
        position: Ordinal,
        head: Ordinal,
        now: Timestamp
    ) -> [Action] {
        guard let index = index(generation), case .replaying(let before, let until) = legs[index].state else {
            return []
        }
        legs[index].state = .replaying(position: min(head, max(before, position)), until: until)
        return goLive(index, head: head, now: now)
    }

    private mutating func goLive(_ index: Int, head: Ordinal, now: Timestamp) -> [Action] {
        guard case .replaying(let position, _) = legs[index].state, head - position <= SessionLimits.ordinalsBehind
        else { return [] }
        let leg = legs[index]
        legs[index].state = .live(fence: head)
        var draining: Generation?
        // It may have gone meanwhile: with its device, or because it was ended.
        if let replaced = leg.replaces, let old = self.index(replaced), legs[old].isLive {
            legs[old].state = .draining(
                fence: head,
                to: leg.device,
                until: now.advanced(by: SessionLimits.drainMilliseconds)
            )
            draining = replaced
        }
        return [.wentLive(leg.generation, fence: head, draining: draining)]
    }

    /// The target cannot, or its person does not want to: nothing happened.
    public mutating func fail(_ generation: Generation) -> [Action] {
        guard let index = index(generation), legs[index].isPending else { return [] }
        legs.remove(at: index)
        return [.returned(generation)]
    }

    /// A draining leg says that it is done, or a live one leaves. While a medium is placed on it, it stays.
    public mutating func close(_ generation: Generation, holdsMedia: Bool) -> [Action] {
        guard let index = index(generation) else { return [] }
        switch legs[index].state {
        case .preparing, .replaying: return fail(generation)
        case .draining(let fence, let successor, _) where holdsMedia:
            legs[index].state = .draining(fence: fence, to: successor, until: nil)
            return []
        case .live where holdsMedia: return []
        case .live, .draining:
            legs.remove(at: index)
            return [.closed(generation)]
        }
    }

    /// The last medium left a leg: one that stayed for it alone closes.
    public mutating func mediaLeft(_ generation: Generation) -> [Action] {
        guard case .draining(_, _, nil) = self[generation]?.state else { return [] }
        return close(generation, holdsMedia: false)
    }

    /// A device is gone for good: revoked, or its registration ended.
    public mutating func drop(_ device: DeviceID) -> [Action] {
        let gone = legs.filter { $0.device == device }
        legs.removeAll { $0.device == device }
        return gone.map { $0.isPending ? .returned($0.generation) : .closed($0.generation) }
    }

    /// What ran out of time: targets return, draining legs close unless a medium is still on its way from them.
    public mutating func clock(_ now: Timestamp, holdsMedia: (Generation) -> Bool) -> [Action] {
        var actions: [Action] = []
        for leg in legs {
            guard let deadline = leg.deadline, now >= deadline else { continue }
            switch leg.state {
            case .preparing, .replaying: actions += fail(leg.generation)
            case .draining: actions += close(leg.generation, holdsMedia: holdsMedia(leg.generation))
            case .live: break
            }
        }
        return actions
    }

    /// All legs end with the session. Generations go on: who joins again outranks who was there before.
    mutating func end() { legs = [] }

    /// When a leg must be looked at again.
    public var deadline: Timestamp? { legs.compactMap(\.deadline).min() }

    /// Whether a leg is given a text: live ones after their fence, those catching up after their position.
    public func isGiven(_ ordinal: Ordinal, _ leg: Leg) -> Bool {
        switch leg.state {
        case .preparing: false
        case .replaying(let position, _): ordinal > position
        case .live: true
        case .draining(let fence, _, _): ordinal <= fence
        }
    }

    private mutating func take() -> Generation {
        defer { next = next.next }
        return next
    }

    private func index(_ generation: Generation) -> Int? { legs.firstIndex { $0.generation == generation } }
}
