import MessagingCore

@testable import SessionCore

/// Random numbers that a seed repeats (SplitMix64).
struct Dice {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
        return mixed ^ (mixed >> 31)
    }

    mutating func below(_ bound: Int) -> Int { Int(next() % UInt64(bound)) }
    mutating func chance(_ percent: Int) -> Bool { below(100) < percent }
    mutating func pick<T>(_ values: [T]) -> T? { values.isEmpty ? nil : values[below(values.count)] }
}

/// A mistake made on purpose, to see that the checks find it.
enum Sabotage: CaseIterable {
    case duplicatesTaken
    case gapsTaken
    case crashLosesLanes
    case withdrawalForgotten
    case replayTooLate
    case fenceIgnored
    case retriesNotKnown
    case acceptedTwice
}

/// What is on its way.
enum Event {
    case lane(LaneKey, Int64, Line)
    case laneAcknowledgement(LaneKey, Int64)
    case toServer(DeviceKey, connection: Int, DeviceSays)
    case toDevice(DeviceKey, connection: Int, ServerSays)
}

struct LaneKey: Hashable, Comparable {
    var session: SessionID
    var from: Address
    var to: Address
    /// A user's server talks to itself as owner and as participant: not through a lane.
    var isToOwner: Bool

    static func < (lhs: Self, rhs: Self) -> Bool {
        if lhs.session != rhs.session { return lhs.session < rhs.session }
        if lhs.from != rhs.from { return lhs.from < rhs.from }
        if lhs.to != rhs.to { return lhs.to < rhs.to }
        return !lhs.isToOwner && rhs.isToOwner
    }
}

enum Line: Hashable, Codable {
    case request
    case toOwner(ToOwner)
    case fromOwner(FromOwner)
}

struct DeviceKey: Hashable, Comparable {
    var user: Address
    var device: DeviceID

    static func < (lhs: Self, rhs: Self) -> Bool {
        lhs.user == rhs.user ? lhs.device < rhs.device : lhs.user < rhs.user
    }
}

enum DeviceSays: Hashable {
    case start(SessionID, Set<Address>, firstText: MessageID?)
    case answer(SessionID, accept: DeviceID?)
    case alert(SessionID, Alert.Input)
    case text(SessionID, MessageID)
    case attach(SessionID, DeviceID, replacing: Generation?, History)
    case ready(SessionID, Generation, able: Bool)
    case has(SessionID, Generation, Ordinal)
    case close(SessionID, Generation)
    case propose(SessionID, MediaProposal)
    case consent(SessionID, MessageID, on: DeviceID?)
    case moved(SessionID, MessageID, Bool)
    case leave(SessionID)
    case invite(SessionID, Address)
}

enum ServerSays: Hashable {
    case alert(SessionID)
    case withdrawal(SessionID)
    case prepare(SessionID, Generation)
    case live(SessionID, Generation)
    case draining(SessionID, Generation)
    case closed(SessionID, Generation)
    case text(SessionID, Generation, Ordinal, MessageID)
    case taken(MessageID)
}

/// Users with their servers and devices on a network that loses, repeats, delays and reorders, while servers crash.
///
/// Everything follows from the seed. A server's state is what its commits left; what was on its way is lost with it.
final class World {
    var dice: Dice
    let sabotage: Sabotage?
    private(set) var milliseconds: Int64 = 0
    private var due: [Int64: [Event]] = [:]
    var servers: [Address: SimServer] = [:]
    var devices: [DeviceKey: SimDevice] = [:]
    /// Who takes part, in order: nobody comes or goes.
    let users: [Address]
    let keys: [DeviceKey]
    var isCalm = false
    /// What must never happen, and did.
    private(set) var violations: [String] = []
    /// What happened, when somebody wants to read it: telling it takes longer than playing it.
    private(set) var journal: [String]?

    var now: Timestamp { Timestamp(rawValue: 1_770_000_000_000 + milliseconds) }

    init(seed: UInt64, users: Int, devicesEach: Int, sabotage: Sabotage? = nil, isTold: Bool = false) {
        dice = Dice(seed: seed)
        self.sabotage = sabotage
        journal = isTold ? [] : nil
        let ids = (1...devicesEach).map { DeviceID(rawValue: Int32($0)) }
        self.users = (0..<users).map { Address(stored: "sip:u\($0)@p\($0).example") }
        keys = self.users.flatMap { user in ids.map { DeviceKey(user: user, device: $0) } }
        for user in self.users { servers[user] = SimServer(user: user, devices: ids) }
        for key in keys { devices[key] = SimDevice(key: key) }
    }

    func violate(_ what: String) { violations.append("\(milliseconds) ms: \(what)") }

    func note(_ line: @autoclosure () -> String) { journal?.append("\(milliseconds) \(line())") }

    /// Puts something on its way.
    func post(_ event: Event) {
        var copies = 1
        switch event {
        case .lane, .laneAcknowledgement:
            if !isCalm, dice.chance(15) { return }
            if !isCalm, dice.chance(10) { copies = 2 }
            for _ in 0..<copies { due[milliseconds + 1 + Int64(dice.below(60)), default: []].append(event) }
        // A connection keeps its order; it is cut as a whole.
        case .toServer, .toDevice: due[milliseconds + 5, default: []].append(event)
        }
    }

    /// Lets time pass, and what is due happen.
    func run(until end: Int64) {
        while let next = due.keys.min(), next <= end {
            milliseconds = max(milliseconds, next)
            for event in due.removeValue(forKey: next) ?? [] { handle(event) }
        }
        milliseconds = max(milliseconds, end)
        for user in users { with(user) { $0.clock($1) } }
    }

    var isQuiet: Bool { due.isEmpty }
    /// What is still on its way, for a person.
    var onItsWay: [String] { due.sorted { $0.key < $1.key }.flatMap { $0.value.map { "\($0)" } } }

    private func handle(_ event: Event) {
        switch event {
        case .lane(let key, let number, let line):
            let server = key.to
            // The crash comes before the commit: the line is not taken, and comes again.
            if !isCalm, dice.chance(1) { return crash(server) }
            with(server) { $0.receive(key, number, line, $1) }
            if !isCalm, dice.chance(1) { crash(server) }
        case .laneAcknowledgement(let key, let number): servers[key.from]?.lanes[key]?.acknowledge(number)
        case .toServer(let key, let connection, let says):
            guard devices[key]?.connection == connection else { return }
            if !isCalm, dice.chance(1) { return crash(key.user) }
            with(key.user) { $0.hear(says, from: key.device, $1) }
            if !isCalm, dice.chance(1) { crash(key.user) }
        case .toDevice(let key, let connection, let says):
            guard var device = devices[key], device.connection == connection else { return }
            device.hear(says, self)
            devices[key] = device
        }
    }

    func with(_ user: Address, _ body: (inout SimServer, World) -> Void) {
        guard var server = servers[user] else { return }
        body(&server, self)
        servers[user] = server
    }

    /// What was not committed is gone, and so are the connections.
    private func crash(_ user: Address) {
        note("crash \(user)")
        if sabotage == .crashLosesLanes { servers[user]?.lanes.removeAll() }
        for key in keys where key.user == user { disconnect(key) }
    }

    func disconnect(_ key: DeviceKey) { devices[key]?.connection = nil }

    func connect(_ key: DeviceKey) {
        guard var device = devices[key], device.connection == nil else { return }
        device.connections += 1
        device.connection = device.connections
        devices[key] = device
        with(key.user) { $0.welcome(key.device, has: device.positions, $1) }
        for (session, text) in device.outbox { say(key, .text(session, text)) }
        for session in device.unacknowledgedWithdrawals { say(key, .alert(session, .acknowledged)) }
    }

    func say(_ key: DeviceKey, _ says: DeviceSays) {
        guard let connection = devices[key]?.connection else { return }
        post(.toServer(key, connection: connection, says))
    }

    func tell(_ key: DeviceKey, _ says: ServerSays) {
        guard let connection = devices[key]?.connection else { return }
        post(.toDevice(key, connection: connection, says))
    }

    /// Sends again what no other server has acknowledged.
    func pump() {
        for user in users {
            guard let server = servers[user] else { continue }
            for key in server.lanes.keys.sorted() {
                for entry in server.lanes[key]?.waiting ?? [] { post(.lane(key, entry.number, entry.payload)) }
            }
        }
    }
}
