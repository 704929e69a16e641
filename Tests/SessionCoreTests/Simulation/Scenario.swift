import MessagingCore

@testable import SessionCore

/// People who do everything at once, and what must hold when they are done.
struct Scenario {
    let world: World
    private var number = 0

    /// Two or three users with three devices each; the seed decides.
    init(seed: UInt64, sabotage: Sabotage? = nil, isTold: Bool = false) {
        var dice = Dice(seed: seed)
        let users = 2 + dice.below(2)
        world = World(seed: seed &+ 1, users: users, devicesEach: 3, sabotage: sabotage, isTold: isTold)
    }

    /// Runs it.
    /// - Returns: what did not hold.
    mutating func run(steps: Int = 120) -> [String] {
        for key in world.keys { world.connect(key) }
        start()
        // Both ask each other at once.
        if world.dice.chance(30) { start() }
        for step in 0..<steps {
            act()
            if step % 4 == 0 { world.pump() }
            world.run(until: world.milliseconds + 1 + Int64(world.dice.below(80)))
            // Now and then people do nothing, and deadlines pass.
            if world.dice.chance(2) { world.run(until: world.milliseconds + 25_000) }
        }
        calm()
        check()
        return world.violations
    }

    // MARK: What people do

    private mutating func id(_ kind: String) -> String {
        number += 1
        return "\(kind)\(number)"
    }

    private mutating func start() {
        guard let user = world.dice.pick(world.users), let caller = device(of: user) else { return }
        var others = Set(world.users).subtracting([user])
        if others.count > 1, world.dice.chance(50), let one = world.dice.pick(others.sorted()) { others = [one] }
        let text = world.dice.chance(30) ? MessageID(stored: id("text")) : nil
        world.say(caller, .start(SessionID(stored: id("session")), others, firstText: text))
    }

    private func device(of user: Address) -> DeviceKey? {
        world.dice.pick(world.keys.filter { $0.user == user })
    }

    private mutating func act() {
        guard let user = world.dice.pick(world.users), let key = device(of: user), let device = world.devices[key]
        else { return }
        if world.dice.chance(3) { return world.disconnect(key) }
        if device.connection == nil { return world.dice.chance(40) ? world.connect(key) : () }
        if world.dice.chance(2) { return start() }
        if world.dice.chance(3) { return cancel(key) }
        if let session = world.dice.pick(device.rings.sorted()), world.dice.chance(40) {
            return answer(key, session)
        }
        guard let session = world.dice.pick(device.live.keys.sorted()), let generation = device.live[session] else {
            return pull(key)
        }
        switch world.dice.below(20) {
        case 0..<10: write(key, session)
        case 10..<13: attach(key, session, generation)
        case 13..<17: changeMedia(key, session)
        case 17:
            if world.dice.chance(8) { return world.say(key, .leave(session)) }
            if let other = world.dice.pick(world.users), other != key.user { world.say(key, .invite(session, other)) }
        default: consent(key, session)
        }
    }

    /// The caller takes the request back.
    private mutating func cancel(_ key: DeviceKey) {
        let parts = world.servers[key.user]?.parts ?? [:]
        let calling = parts.keys.sorted().filter { if case .calling = parts[$0]?.phase { true } else { false } }
        if let session = world.dice.pick(calling) { world.say(key, .leave(session)) }
    }

    private mutating func answer(_ key: DeviceKey, _ session: SessionID) {
        switch world.dice.below(10) {
        case 0: world.say(key, .answer(session, accept: nil))
        case 1: world.say(key, .alert(session, .silence))
        case 2, 3: world.say(key, .answer(session, accept: device(of: key.user)?.device))
        default: world.say(key, .answer(session, accept: key.device))
        }
    }

    private mutating func write(_ key: DeviceKey, _ session: SessionID) {
        let text = MessageID(stored: id("text"))
        world.devices[key]?.outbox.append((session, text))
        world.devices[key]?.written.append(text)
        world.say(key, .text(session, text))
        // A retry that nobody needed.
        if world.dice.chance(10) { world.say(key, .text(session, text)) }
    }

    private mutating func attach(_ key: DeviceKey, _ session: SessionID, _ generation: Generation) {
        guard let target = device(of: key.user) else { return }
        world.say(
            key,
            .attach(session, target.device, replacing: world.dice.chance(70) ? generation : nil, history())
        )
    }

    /// A device without a leg brings the session here.
    private mutating func pull(_ key: DeviceKey) {
        guard let server = world.servers[key.user],
            let session = world.dice.pick(server.parts.keys.sorted().filter { server.parts[$0]?.phase == .present }),
            let leg = world.dice.pick(server.parts[session]?.legs.live ?? [])
        else { return }
        world.say(key, .attach(session, key.device, replacing: leg.generation, history()))
    }

    private func history() -> History {
        switch world.dice.below(3) {
        case 0: .none
        case 1: .last(world.dice.below(20))
        default: .all
        }
    }

    private mutating func changeMedia(_ key: DeviceKey, _ session: SessionID) {
        guard let part = world.servers[key.user]?.parts[session], let target = device(of: key.user) else { return }
        let change: MediaChange
        if let medium = world.dice.pick(part.media), world.dice.chance(70) {
            switch world.dice.below(8) {
            case 0: change = .hold(medium.id)
            case 1: change = .resume(medium.id)
            case 2: change = .remove(medium.id)
            case 3: change = .part(medium.id)
            case 4, 5: change = .join(medium.id, on: target.device)
            default: change = .move(medium.id, to: target.device)
            }
        } else {
            let kind: MediumKind = world.dice.chance(50) ? .audio : .video
            change = .add(kind, .both, source: nil, device: target.device)
        }
        let revision = world.dice.chance(90) ? part.revision : part.revision - 1
        let proposal = MediaProposal(id: MessageID(stored: id("change")), change: change, revision: revision)
        world.say(key, .propose(session, proposal))
    }

    private mutating func consent(_ key: DeviceKey, _ session: SessionID) {
        guard let part = world.servers[key.user]?.parts[session], let change = world.dice.pick(part.changes) else {
            return
        }
        if change.isMove {
            if change.by == key.user { world.say(key, .moved(session, change.proposal.id, world.dice.chance(80))) }
        } else if change.awaited.contains(key.user) {
            let device = world.dice.chance(75) ? device(of: key.user)?.device : nil
            world.say(key, .consent(session, change.proposal.id, on: device))
        }
    }

    // MARK: The end

    /// The network heals, everyone comes back, and all deadlines pass.
    private func calm() {
        world.isCalm = true
        for _ in 0..<24 {
            for key in world.keys { world.connect(key) }
            world.pump()
            world.run(until: world.milliseconds + 200)
            world.run(until: world.milliseconds + 200)
            world.run(until: world.milliseconds + 10_000)
        }
        if !world.isQuiet { world.violate("it does not come to rest: \(world.onItsWay.prefix(2))") }
        for (user, server) in world.servers {
            for (key, lane) in server.lanes where !lane.waiting.isEmpty {
                world.violate("\(user) still waits for \(key.to): \(lane.waiting.count)")
            }
            for (id, part) in server.parts where part.deadline != nil {
                world.violate("\(user) \(id): a deadline is left")
            }
            for (id, session) in server.hosted where session.deadline != nil {
                world.violate("\(user) \(id): a deadline is left at the owner")
            }
        }
    }

    private func check() {
        for user in world.users {
            guard let server = world.servers[user] else { continue }
            for session in server.hosted.values { check(session) }
            for part in server.parts.values { check(part, server) }
            checkTexts(server)
        }
        checkAgreement()
    }

    private func check(_ session: HostedSession) {
        if case .calling = session.phase { world.violate("\(session.id) still calls") }
        for seat in session.seats.values {
            if case .called(let call) = seat, call.deadline != nil { world.violate("\(session.id): a call is left") }
        }
    }

    private func check(_ part: Participation, _ server: SimServer) {
        let name = "\(part.user) \(part.session)"
        switch part.phase {
        case .alerting, .joining, .calling: world.violate("\(name) is left \(part.phase)")
        case .present:
            if part.legs.live.isEmpty { world.violate("\(name): nobody has the session") }
            if part.legs.legs.contains(where: \.isPending) { world.violate("\(name): a hand-over is left") }
        case .over: if !part.legs.isEmpty { world.violate("\(name): it is over, and a leg is left") }
        }
        if part.request?.ledger.rings == true { world.violate("\(name): an alert outlives its request") }
        if !part.pending.isEmpty { world.violate("\(name): texts wait for a place") }
        for (key, device) in world.devices where key.user == part.user {
            if device.rings.contains(part.session) { world.violate("\(name): device \(key.device.rawValue) rings") }
            for (generation, ordinals) in device.given[part.session] ?? [:] {
                checkLeg(part, generation, ordinals, server, "\(name) leg \(generation.rawValue)")
            }
        }
        // Own order: from the first ordinal, without a gap.
        let stored = (server.mailbox[part.session] ?? []).map(\.ordinal).filter { $0 >= part.first }
        if stored != Array(part.first..<part.first + Ordinal(stored.count)) {
            world.violate("\(name): order \(stored)")
        }
    }

    private func checkLeg(
        _ part: Participation,
        _ generation: Generation,
        _ ordinals: [Ordinal],
        _ server: SimServer,
        _ name: String
    ) {
        guard let start = server.starts[part.session]?[generation], let last = ordinals.last else { return }
        if ordinals != Array(start + 1...max(start + 1, last)) {
            world.violate("\(name) was given \(ordinals) after \(start)")
        }
        guard let leg = part.legs[generation] else { return }
        switch leg.state {
        case .live: if last != part.head { world.violate("\(name) lacks what came after \(last)") }
        case .draining(let fence, _, _): if last > fence { world.violate("\(name) was given \(last) after the fence") }
        case .preparing, .replaying: break
        }
    }

    /// Every text that a server took is in the session, or a message, or failed with its request; each once.
    private func checkTexts(_ server: SimServer) {
        var places: [MessageID: Int] = [:]
        for stored in server.mailbox.values.joined() where stored.from == server.user {
            places[stored.text, default: 0] += 1
        }
        for text in server.deferred + server.failed { places[text, default: 0] += 1 }
        for text in server.keys where places[text] != 1 {
            world.violate("\(server.user): \(text) has \(places[text] ?? 0) places")
        }
        for (key, device) in world.devices where key.user == server.user {
            for text in device.written where places[text] != 1 {
                world.violate("\(text) was written, and has \(places[text] ?? 0) places")
            }
        }
    }

    /// All that two sides both hold by ordinal is the same; the media too, at equal revision.
    private func checkAgreement() {
        var texts: [String: MessageID] = [:]
        var media: [String: [Medium]] = [:]
        for server in world.servers.values {
            for (session, stored) in server.mailbox {
                for line in stored {
                    let place = "\(session) \(line.ordinal)"
                    if texts[place, default: line.text] != line.text { world.violate("two texts at \(place)") }
                    texts[place] = line.text
                }
            }
            for part in server.parts.values where part.phase == .present {
                let place = "\(part.session) revision \(part.revision)"
                if media[place, default: part.media] != part.media { world.violate("two descriptions at \(place)") }
                media[place] = part.media
                checkDescription(part)
            }
        }
    }

    /// Everything has arrived: who takes part knows the media as the owner does.
    private func checkDescription(_ part: Participation) {
        for server in world.servers.values {
            guard let host = server.hosted[part.session], host.present.contains(part.user) else { continue }
            if part.revision != host.media.revision || part.media != host.media.media {
                world.violate("\(part.user) has \(part.session) at \(part.revision), not \(host.media.revision)")
            }
        }
    }
}
