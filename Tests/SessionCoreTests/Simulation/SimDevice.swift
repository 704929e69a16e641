import MessagingCore

@testable import SessionCore

/// A device as it knows itself: what rings, its legs, what it was given on each, and what it has still to send.
struct SimDevice {
    let key: DeviceKey
    var connection: Int?
    var connections = 0
    var rings: Set<SessionID> = []
    var unacknowledgedWithdrawals: Set<SessionID> = []
    var live: [SessionID: Generation] = [:]
    /// Up to where it has the texts of each leg.
    var positions: [SessionID: [Generation: Ordinal]] = [:]
    /// Everything that came on a leg, in order.
    var given: [SessionID: [Generation: [Ordinal]]] = [:]
    /// Texts that no server has acknowledged.
    var outbox: [(SessionID, MessageID)] = []
    var written: [MessageID] = []

    init(key: DeviceKey) { self.key = key }

    mutating func hear(_ says: ServerSays, _ world: World) {
        switch says {
        case .alert(let session):
            rings.insert(session)
            world.say(key, .alert(session, .shown))
        case .withdrawal(let session):
            rings.remove(session)
            unacknowledgedWithdrawals.insert(session)
            world.say(key, .alert(session, .acknowledged))
        case .prepare(let session, let generation):
            // Some cannot, and some never answer.
            guard world.isCalm || !world.dice.chance(10) else { return }
            world.say(key, .ready(session, generation, able: world.isCalm || !world.dice.chance(10)))
        case .live(let session, let generation): live[session] = generation
        case .draining(let session, let generation):
            if live[session] == generation { live[session] = nil }
            if world.isCalm || world.dice.chance(70) { world.say(key, .close(session, generation)) }
        case .closed(let session, let generation):
            if live[session] == generation { live[session] = nil }
        case .text(let session, let generation, let ordinal, _):
            if let last = given[session]?[generation]?.last, ordinal <= last { return }
            given[session, default: [:]][generation, default: []].append(ordinal)
            positions[session, default: [:]][generation] = ordinal
            world.say(key, .has(session, generation, ordinal))
        case .taken(let text): outbox.removeAll { $0.1 == text }
        }
    }
}
