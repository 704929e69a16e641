import MessagingCore

@testable import SessionCore

/// One user's server: the machines, the lanes between servers, the mailbox and the keys. Each method is one commit.
struct SimServer {
    struct Stored: Hashable {
        var ordinal: Ordinal
        var text: MessageID
        var from: Address
    }

    let user: Address
    let devices: [DeviceID]
    var hosted: [SessionID: HostedSession] = [:]
    var parts: [SessionID: Participation] = [:]
    var lanes: [LaneKey: LaneSender<Line>] = [:]
    var received: [LaneKey: LaneReceiver] = [:]
    var mailbox: [SessionID: [Stored]] = [:]
    /// Texts that devices were told are taken, and what became of those that found no place in their session.
    var keys: Set<MessageID> = []
    var deferred: [MessageID] = []
    var failed: [MessageID] = []
    var acceptances: [SessionID: Int] = [:]
    /// Up to where each leg was sent texts on this connection.
    var sent: [SessionID: [Generation: Ordinal]] = [:]
    /// After which ordinal each leg was to be given texts.
    var starts: [SessionID: [Generation: Ordinal]] = [:]
    /// Legs that were told on this connection that they drain.
    var told: [SessionID: Set<Generation>] = [:]
    /// Which device held a medium under a generation.
    var placed: [String: DeviceID] = [:]

    init(user: Address, devices: [DeviceID]) {
        self.user = user
        self.devices = devices
    }

    // MARK: Other servers

    mutating func receive(_ key: LaneKey, _ number: Int64, _ line: Line, _ world: World) {
        var receiver = received[key] ?? LaneReceiver()
        var verdict = receiver.take(number)
        if verdict == .duplicate, world.sabotage == .duplicatesTaken { verdict = .next }
        if verdict == .gap, world.sabotage == .gapsTaken {
            while verdict == .gap {
                verdict = receiver.take(receiver.taken + 1) == .next ? .gap : .next
                if receiver.taken + 1 == number { verdict = receiver.take(number) }
            }
        }
        received[key] = receiver
        world.post(.laneAcknowledgement(key, receiver.taken))
        guard verdict == .next else { return }
        switch line {
        case .request: invited(key, world)
        case .toOwner(let message): toOwner(message, from: key.from, key.session, world)
        case .fromOwner(let message): fromOwner(message, key.session, world)
        }
    }

    private mutating func put(_ session: SessionID, to: Address, toOwner: Bool, _ line: Line, _ world: World) {
        let key = LaneKey(session: session, from: user, to: to, isToOwner: toOwner)
        var lane = lanes[key] ?? LaneSender()
        let entry = lane.put(line)
        lanes[key] = lane
        world.post(.lane(key, entry.number, line))
    }

    private mutating func invited(_ key: LaneKey, _ world: World) {
        if let (ours, device) = outstanding(to: key.from) {
            ask(key.session, [], world)
            switch CrossedRequests(ours: ours, arriving: key.session) {
            case .keepOurs:
                change(key.session, world) { part throws(Refusal) in try part.answer(.cancel, now: world.now) }
            case .takeTheirs:
                change(ours, world) { $0.leave() }
                change(key.session, world) { part throws(Refusal) in
                    try part.answer(.accept(on: device, by: device), now: world.now)
                }
            }
            return
        }
        ask(key.session, devices, world)
        for device in devices { world.tell(DeviceKey(user: user, device: device), .alert(key.session)) }
    }

    private mutating func ask(_ session: SessionID, _ alerting: [DeviceID], _ world: World) {
        guard parts[session] == nil else {
            acceptances[session] = 0
            parts[session]?.askAgain(alerting: alerting, now: world.now)
            return
        }
        parts[session] = Participation(invitedTo: session, user: user, alerting: alerting, now: world.now)
    }

    /// An own request to this user alone that nobody has answered, and the device that called.
    private func outstanding(to other: Address) -> (SessionID, DeviceID)? {
        for (id, session) in hosted.sorted(by: { $0.key < $1.key }) where session.called == [other] {
            if session.phase == .calling, session.seats.count == 2, case .calling(let device) = parts[id]?.phase {
                return (id, device)
            }
        }
        return nil
    }

    // MARK: As the owner

    mutating func toOwner(_ message: ToOwner, from sender: Address, _ session: SessionID, _ world: World) {
        guard var session = hosted[session] else { return }
        let before = session.media
        let called = session.called
        let sent = session.take(message, from: sender, now: world.now)
        hosted[session.id] = session
        check(before, session, message, world)
        for address in session.called where !called.contains(address) {
            put(session.id, to: address, toOwner: false, .request, world)
        }
        spread(session.id, sent, world)
    }

    private mutating func spread(_ session: SessionID, _ sent: [HostedSession.Sent], _ world: World) {
        for line in sent {
            if line.to == user {
                fromOwner(line.message, session, world)
            } else {
                put(session, to: line.to, toOwner: false, .fromOwner(line.message), world)
            }
        }
    }

    private mutating func check(
        _ before: MediaDescription,
        _ session: HostedSession,
        _ message: ToOwner,
        _ world: World
    ) {
        let after = session.media
        if case .consent(_, nil) = message, before.revision != after.revision {
            world.violate("a rejected change moved the revision")
        }
        for medium in after.media {
            for (address, placement) in medium.placements {
                let key = "\(session.id) \(medium.id) \(address) \(placement.generation)"
                if let known = placed[key], known != placement.device {
                    world.violate("two devices hold \(key)")
                }
                placed[key] = placement.device
            }
        }
    }

    // MARK: As a participant

    private mutating func fromOwner(_ message: FromOwner, _ session: SessionID, _ world: World) {
        guard var part = parts[session] else { return }
        let effects = part.take(message, now: world.now)
        world.note("\(user) \(session) \(message)")
        parts[session] = part
        follow(effects, session, world)
    }

    mutating func follow(_ effects: [Participation.Effect], _ session: SessionID, _ world: World) {
        for effect in effects {
            switch effect {
            case .send(let message):
                if message == .answered(.accepted) {
                    acceptances[session, default: 0] += 1
                    if acceptances[session, default: 0] > 1 { world.violate("\(user) accepted twice") }
                }
                if hosted[session] != nil {
                    toOwner(message, from: user, session, world)
                } else if let owner = received.keys.first(where: { $0.session == session && !$0.isToOwner })?.from {
                    put(session, to: owner, toOwner: true, .toOwner(message), world)
                }
            case .store(let ordinal, let text, let from):
                mailbox[session, default: []].append(Stored(ordinal: ordinal, text: text, from: from))
            case .deferText(let text): deferred.append(text)
            case .failText(let text): failed.append(text)
            case .prepare(let device, let generation):
                world.tell(DeviceKey(user: user, device: device), .prepare(session, generation))
            case .replay(_, let generation, let after):
                starts[session, default: [:]][generation] = after
                sent[session, default: [:]][generation] = after
            case .live(let device, let generation):
                if starts[session]?[generation] == nil {
                    let first = (parts[session]?.head ?? 0)
                    starts[session, default: [:]][generation] = first
                    sent[session, default: [:]][generation] = first
                }
                world.tell(DeviceKey(user: user, device: device), .live(session, generation))
            case .closed(let device, let generation):
                if parts[session]?.phase == .present, parts[session]?.legs.live.isEmpty == true {
                    world.violate("\(user): a leg closed, and no other is live")
                }
                world.tell(DeviceKey(user: user, device: device), .closed(session, generation))
            case .changed: showRequest(session, world)
            }
        }
        feed(session, world)
    }

    private func showRequest(_ session: SessionID, _ world: World) {
        guard let ledger = parts[session]?.request?.ledger, world.sabotage != .withdrawalForgotten else { return }
        for (device, alert) in ledger.alerts.sorted(by: { $0.key < $1.key }) where alert == .withdrawing {
            world.tell(DeviceKey(user: user, device: device), .withdrawal(session))
        }
    }

    /// Sends each leg the texts that are its own and that it was not sent on this connection.
    private mutating func feed(_ session: SessionID, _ world: World) {
        guard let part = parts[session] else { return }
        for leg in part.legs.legs {
            let key = DeviceKey(user: user, device: leg.device)
            guard world.devices[key]?.connection != nil, var position = sent[session]?[leg.generation] else { continue }
            if world.sabotage == .replayTooLate, case .replaying = leg.state,
                position == starts[session]?[leg.generation]
            {
                position += 1
            }
            for stored in mailbox[session] ?? [] where stored.ordinal > position {
                guard part.legs.isGiven(stored.ordinal, leg) || world.sabotage == .fenceIgnored else { continue }
                world.tell(key, .text(session, leg.generation, stored.ordinal, stored.text))
                position = stored.ordinal
            }
            sent[session, default: [:]][leg.generation] = position
            if case .draining = leg.state, told[session, default: []].insert(leg.generation).inserted {
                world.tell(key, .draining(session, leg.generation))
            }
        }
    }

    // MARK: Devices

    /// A device connected: it hears where everything stands, and gets texts from where it is.
    mutating func welcome(_ device: DeviceID, has positions: [SessionID: [Generation: Ordinal]], _ world: World) {
        let key = DeviceKey(user: user, device: device)
        for session in parts.keys.sorted() {
            guard let part = parts[session] else { continue }
            switch part.request?.ledger.alerts[device] {
            case .issued, .shown: world.tell(key, .alert(session))
            case .withdrawing: showRequest(session, world)
            case .silenced, .withdrawn, nil: break
            }
            for leg in part.legs.legs where leg.device == device {
                told[session]?.remove(leg.generation)
                switch leg.state {
                case .preparing: world.tell(key, .prepare(session, leg.generation))
                case .replaying, .draining: break
                case .live: world.tell(key, .live(session, leg.generation))
                }
                if let start = starts[session]?[leg.generation] {
                    sent[session, default: [:]][leg.generation] = max(
                        start,
                        positions[session]?[leg.generation] ?? start
                    )
                }
            }
            feed(session, world)
        }
    }

    mutating func hear(_ says: DeviceSays, from device: DeviceID, _ world: World) {
        switch says {
        case .start(let id, let invited, let text): start(id, invited, text, device, world)
        case .answer(let id, let accept):
            if world.sabotage == .acceptedTwice, accept != nil, parts[id]?.request != nil, parts[id]?.isOver == false,
                parts[id]?.phase != .alerting
            {
                follow([.send(.answered(.accepted))], id, world)
            }
            change(id, world) { part throws(Refusal) in
                let input = accept.map { Invitation.Input.accept(on: $0, by: device) } ?? .reject(by: device)
                return try part.answer(input, now: world.now)
            }
        case .alert(let id, let input): parts[id]?.alert(input, from: device)
        case .text(let id, let text):
            if world.sabotage != .retriesNotKnown, keys.contains(text) {
                world.tell(DeviceKey(user: user, device: device), .taken(text))
                return
            }
            let isTaken = change(id, world) { part throws(Refusal) in try part.send(text) }
            // The session is not there for it: the client sends it as a message instead.
            if !isTaken, !keys.contains(text) { deferred.append(text) }
            keys.insert(text)
            world.tell(DeviceKey(user: user, device: device), .taken(text))
        case .attach(let id, let target, let old, let history):
            change(id, world) { part throws(Refusal) in
                try part.attach(target, replacing: old, history: history, now: world.now)
            }
        case .ready(let id, let generation, let able):
            change(id, world) { able ? $0.ready(generation, now: world.now) : $0.fail(generation) }
        case .has(let id, let generation, let ordinal):
            change(id, world) { $0.progress(generation, position: ordinal, now: world.now) }
        case .close(let id, let generation): change(id, world) { $0.close(generation) }
        case .propose(let id, let proposal):
            change(id, world) { part throws(Refusal) in try part.propose(proposal, from: device) }
        case .consent(let id, let change, let device):
            self.change(id, world) { part throws(Refusal) in try part.consent(change, on: device) }
        case .moved(let id, let change, let isConnected):
            self.change(id, world) { $0.moved(change, isConnected) }
        case .leave(let id): change(id, world) { $0.leave() }
        case .invite(let id, let address):
            change(id, world) { part throws(Refusal) in try part.invite(address) }
        }
    }

    private mutating func start(
        _ id: SessionID,
        _ invited: Set<Address>,
        _ text: MessageID?,
        _ device: DeviceID,
        _ world: World
    ) {
        guard parts[id] == nil,
            let session = try? HostedSession(
                id: id,
                creator: user,
                invited: invited,
                firstText: text,
                now: world.now
            )
        else { return }
        if let text { keys.insert(text) }
        hosted[id] = session
        parts[id] = Participation(calling: id, user: user, on: device, firstText: text)
        for address in session.called { put(id, to: address, toOwner: false, .request, world) }
    }

    @discardableResult
    private mutating func change(
        _ id: SessionID,
        _ world: World,
        _ body: (inout Participation) throws(Refusal) -> [Participation.Effect]
    ) -> Bool {
        guard var part = parts[id] else { return false }
        do throws(Refusal) {
            let effects = try body(&part)
            parts[id] = part
            follow(effects, id, world)
            return true
        } catch {
            return false
        }
    }

    // MARK: Time

    mutating func clock(_ world: World) {
        for id in hosted.keys.sorted() {
            guard var session = hosted[id], let deadline = session.deadline, deadline <= world.now else { continue }
            let sent = session.clock(world.now)
            hosted[id] = session
            spread(id, sent, world)
        }
        for id in parts.keys.sorted() {
            guard let deadline = parts[id]?.deadline, deadline <= world.now else { continue }
            change(id, world) { $0.clock(world.now) }
        }
    }
}
