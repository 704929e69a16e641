import ClientWire
import Foundation
import MessagingCore
import NIOCore
import SessionCore
import Synchronization

/// Measures live conversations on the ordinary server, from outside.
public struct SessionBench: Sendable {
    let executable: String
    let runs: Int
    let seconds: Double
    let progress: @Sendable (String) -> Void

    /// A benchmark of one executable; `progress` is told what is going on.
    public init(executable: String, runs: Int, seconds: Double, progress: @escaping @Sendable (String) -> Void) {
        self.executable = executable
        self.runs = runs
        self.seconds = seconds
        self.progress = progress
    }

    static let sessions = 32
    static let textsInFlight = 4
    static let textBytes = 64
    static let setUps = 300
    static let handOvers = 100
    static let history = 100
    static let withdrawals = 200
    /// Who asks for them in turn: one user may ask so often only.
    static let askers = 4
    static let manyPairs = 1000
    /// So many that what the allocator had left is a small part of what they take.
    static let sessionsOfPair = 5
    /// Messages of 1 KiB that fill SQLite's bounded cache of pages before memory is measured.
    static let filling = 40_000

    /// What can be measured by itself.
    public enum Part: String, CaseIterable, Sendable {
        case texts
        case setups
        case moves
        case memory
    }

    /// Runs the parts named; the names of figures are stable.
    public func run(_ parts: Set<Part>) async throws -> [Figure] {
        var all: [[Figure]] = []
        for _ in 0..<runs {
            var figures: [Figure] = []
            if parts.contains(.texts) { figures += try await texts() }
            if parts.contains(.setups) { figures += try await setUp() }
            if parts.contains(.moves) { figures += try await moving() }
            if parts.contains(.memory) { figures += try await memory() }
            all.append(figures)
        }
        return Figure.merge(all)
    }

    // MARK: Texts

    /// Both sides of every session say something all the time.
    private func texts() async throws -> [Figure] {
        progress("session.texts: \(Self.sessions) sessions, \(Int(seconds)) s")
        let server = try await ServerUnderTest(executable: executable, tls: false)
        defer { server.stop() }
        let load = try Workload(server)
        let users = try await load.makeUsers(Self.sessions * 2, devices: 1, prefix: "t")
        var devices: [LoadDevice] = []
        for user in users { devices.append(try await load.connect(user.tokens[0])) }
        for index in stride(from: 0, to: users.count, by: 2) {
            let session = try await open(server.clientPort, users[index], users[index + 1])
            let maker = MessageMaker(receivers: [], textBytes: Self.textBytes, reports: false, session: session)
            try await load.onLoop { [devices] in
                for device in devices[index...index + 1] {
                    device.maker = maker
                    device.inFlight = Self.textsInFlight
                }
            }
        }
        let counters = load.counters
        let sending = devices
        // A first second for caches and files to come to their sizes.
        try await load.onLoop {
            counters.goal = .max
            for device in sending { device.start() }
        }
        try await Task.sleep(for: .seconds(1))
        try await load.onLoop {
            counters.reset()
            counters.measures = true
        }
        let cpu = server.cpuSeconds
        let start = ContinuousClock.now
        try await Task.sleep(for: .seconds(seconds))
        let texts = try await load.onLoop { () -> Int in
            counters.goal = 0
            return counters.answered
        }
        let spent = server.cpuSeconds - cpu
        let elapsed = (ContinuousClock.now - start) / .seconds(1)
        try await load.settle(quiet: .seconds(1))
        let (answered, refused) = try await load.onLoop { (counters.answered, counters.refused) }
        guard refused == 0, answered > 0 else {
            throw ServerUnderTest.Failure(description: "\(answered) texts were taken, \(refused) refused")
        }
        try await load.onLoop { [devices] in for device in devices { device.close() } }
        return [
            Figure("session.cpu_ms_per_text", "ms", [spent * 1000 / Double(texts)]),
            Figure("session.texts_per_second", "1/s", [Double(texts) / elapsed]),
        ]
    }

    // MARK: Setting up

    /// Asked, accepted and ended again, several at a time.
    private func setUp() async throws -> [Figure] {
        progress("session.setups: \(Self.setUps) sessions")
        let server = try await ServerUnderTest(executable: executable, tls: false)
        defer { server.stop() }
        let load = try Workload(server)
        let users = try await load.makeUsers(32, devices: 3, prefix: "s")
        let port = server.clientPort
        let start = ContinuousClock.now
        try await withThrowingTaskGroup(of: Void.self) { group in
            for pair in 0..<users.count / 2 {
                group.addTask {
                    for _ in 0..<Self.setUps / (users.count / 2) {
                        let id = try await open(port, users[2 * pair], users[2 * pair + 1])
                        _ = try await api(port, users[2 * pair].tokens[0]).post(id, "leave", [String: String]())
                    }
                }
            }
            try await group.waitForAll()
        }
        let elapsed = (ContinuousClock.now - start) / .seconds(1)
        return [Figure("session.setups_per_second", "1/s", [Double(Self.setUps) / elapsed])]
    }

    /// - Returns: the id of a session between two users, on their first devices.
    func open(_ port: Int, _ caller: Workload.User, _ callee: Workload.User) async throws -> String {
        let id = MessageMaker.newID()
        let request = SessionRequest(id: SessionID(stored: id), to: [try Address(callee.address)])
        _ = try await api(port, caller.tokens[0])
            .http.call("POST", "/v1/sessions", request, as: SessionDocument.self)
        let answer = try await api(port, callee.tokens[0]).post(id, "accept", AcceptRequest())
        guard answer.state == .open else { throw ServerUnderTest.Failure(description: "a session did not open") }
        return id
    }

    func api(_ port: Int, _ token: String) -> SessionAPI {
        SessionAPI(http: HTTP(base: "http://127.0.0.1:\(port)", token: token))
    }

    // MARK: Moving

    /// Hand-overs while both sides type 20 times a second, withdrawals of alerts, and a commit beside them.
    private func moving() async throws -> [Figure] {
        progress("handover: \(Self.handOvers) moves; withdraw: \(Self.withdrawals) requests")
        let server = try await ServerUnderTest(executable: executable, tls: false)
        defer { server.stop() }
        let load = try Workload(server)
        let alice = try await load.makeUsers(1, devices: 2, prefix: "a")[0]
        let bob = try await load.makeUsers(1, devices: 3, prefix: "b")[0]
        var alices: [LoadDevice] = []
        for token in alice.tokens { alices.append(try await load.connect(token)) }
        let bobs = try await load.connect(bob.tokens[0])
        let session = try await open(server.clientPort, alice, bob)
        let maker = MessageMaker(receivers: [], textBytes: Self.textBytes, reports: false, session: session)
        let typing = alices
        let counters = load.counters
        try await load.onLoop {
            for device in typing + [bobs] { device.maker = maker }
            counters.measures = true
        }
        for _ in 0..<Self.history { try await load.onLoop { bobs.sendOne() } }
        try await load.settle(quiet: .milliseconds(200))
        try await load.onLoop { counters.reset() }

        let loop = load.loop
        let typists = Task {
            while !Task.isCancelled {
                try await loop.submit { bobs.sendOne() }.get()
                try await Task.sleep(for: .milliseconds(25))
                try await loop.submit { typing[0].sendOne() }.get()
                try await Task.sleep(for: .milliseconds(25))
            }
        }
        var moves: [Double] = []
        for move in 0..<Self.handOvers {
            let target = (move + 1) % 2
            let mover = Mover(
                own: api(server.clientPort, alice.tokens[target]),
                other: api(server.clientPort, alice.tokens[move % 2]),
                session: session,
                device: DeviceID(rawValue: Int32(target + 1)),
                from: DeviceID(rawValue: Int32(move % 2 + 1))
            )
            moves.append(try await mover.move(alices[target], load))
        }
        typists.cancel()
        _ = try? await typists.value
        let commits = try await load.onLoop { counters.latencies.sorted() }
        let askers = try await load.makeUsers(Self.askers, devices: 1, prefix: "c")
        let withdrawals = try await withdrawals(load, callers: askers, callee: bob)
        try await load.onLoop { for device in typing + [bobs] { device.close() } }
        return [
            Figure("handover.p50_ms", "ms", [percentile(moves, 50)]),
            Figure("handover.p99_ms", "ms", [percentile(moves, 99)]),
            Figure("withdraw.p99_ms", "ms", [percentile(withdrawals, 99)]),
            Figure("commit.p99_ms", "ms", [percentile(commits, 99)]),
        ]
    }

    private func percentile(_ values: [Double], _ percent: Int) -> Double {
        let sorted = values.sorted()
        return sorted.isEmpty ? 0 : sorted[min(sorted.count - 1, sorted.count * percent / 100)]
    }

    /// From the acceptance on one device until another one has the withdrawal.
    private func withdrawals(
        _ load: Workload,
        callers: [Workload.User],
        callee: Workload.User
    ) async throws -> [Double] {
        let port = load.server.clientPort
        let other = try await load.connect(callee.tokens[2])
        let told = Wait()
        try await load.onLoop {
            other.observer = { frame in if frame.contains("\"outcome\":\"accepted\"") { told.happened() } }
        }
        var times: [Double] = []
        for number in 0..<Self.withdrawals {
            let id = MessageMaker.newID()
            let request = SessionRequest(id: SessionID(stored: id), to: [try Address(callee.address)])
            let caller = api(port, callers[number % callers.count].tokens[0])
            _ = try await caller.http.call("POST", "/v1/sessions", request, as: SessionDocument.self)
            let start = ContinuousClock.now
            async let withdrawn: Void = told.wait()
            _ = try await api(port, callee.tokens[1]).post(id, "accept", AcceptRequest())
            await withdrawn
            times.append((told.time - start) / .milliseconds(1))
            _ = try await caller.post(id, "leave", [String: String]())
        }
        try await load.onLoop { other.close() }
        return times
    }

    // MARK: Memory

    /// What a session of two connected devices costs beyond their connections.
    private func memory() async throws -> [Figure] {
        let sessions = Self.manyPairs * Self.sessionsOfPair
        progress("session.kib: \(sessions) sessions")
        let server = try await ServerUnderTest(executable: executable, tls: false)
        defer { server.stop() }
        let load = try Workload(server)
        let users = try await load.makeUsers(Self.manyPairs * 2, devices: 1, prefix: "m")
        let warm = try await load.makeUsers(400, devices: 1, prefix: "w")
        // Enough before, that what is measured is not how the allocator and the caches come to their sizes.
        var devices: [LoadDevice] = []
        for user in users + warm { devices.append(try await load.connect(user.tokens[0])) }
        for index in stride(from: 0, to: warm.count, by: 2) {
            _ = try await open(server.clientPort, warm[index], warm[index + 1])
        }
        // What is stored of a session goes through a cache of pages that is full in any server that has run for a while: its
        // growth is not what a session costs.
        let writers = Array(devices.suffix(warm.count))
        let counters = load.counters
        try await load.onLoop {
            counters.goal = Self.filling
            for (index, device) in writers.enumerated() {
                device.maker = MessageMaker(receivers: [warm[index ^ 1].address], textBytes: 1024, reports: false)
                device.inFlight = 2
                device.start()
            }
        }
        while try await load.onLoop({ counters.answered < Self.filling }) {
            try await Task.sleep(for: .milliseconds(200))
        }
        try await load.settle(quiet: .seconds(7))
        let before = server.ownKiB
        for _ in 0..<Self.sessionsOfPair {
            for index in stride(from: 0, to: users.count, by: 2) {
                _ = try await open(server.clientPort, users[index], users[index + 1])
            }
        }
        try await load.settle()
        let each = Double(server.ownKiB - before) / Double(sessions)
        try await load.onLoop { [devices] in for device in devices { device.close() } }
        return [Figure("session.kib", "KiB", [each])]
    }
}

/// The few calls about sessions that a run makes.
struct SessionAPI: Sendable {
    let http: HTTP

    func post(_ session: String, _ what: String, _ body: some Encodable) async throws -> SessionDocument {
        try await http.call("POST", "/v1/sessions/\(session)/\(what)", body, as: SessionDocument.self)
    }

    func texts(_ session: String, after: Ordinal) async throws -> SessionTexts {
        try await http.get("/v1/sessions/\(session)/texts?after=\(after)&limit=200", as: SessionTexts.self)
    }
}

/// Takes a conversation from one device to another, as the devices' clients do it.
private struct Mover: Sendable {
    let own: SessionAPI
    let other: SessionAPI
    let session: String
    let device: DeviceID
    let from: DeviceID

    /// - Returns: milliseconds from the request until the target has the first text that came after it was live.
    func move(_ target: LoadDevice, _ load: Workload) async throws -> Double {
        let asked = Wait()
        let arrivals = Arrivals()
        try await load.onLoop {
            target.observer = { frame in
                if frame.contains("\"state\":\"preparing\"") { asked.happened() }
                arrivals.take(frame)
            }
        }
        let start = ContinuousClock.now
        async let isAsked: Void = asked.wait()
        let request = LegRequest(device: device, from: from, history: .last, count: SessionBench.history)
        var document = try await own.post(session, "legs", request)
        await isAsked
        guard let generation = document.legs.last(where: { $0.device == device })?.generation else {
            throw ServerUnderTest.Failure(description: "the device was not asked to join")
        }
        document = try await own.post(session, "leg", LegStep(generation, .ready))
        var position: Ordinal?
        while let leg = document.legs.first(where: { $0.generation == generation }), leg.state != .live {
            let page = try await own.texts(session, after: position ?? leg.start ?? 0)
            position = page.texts.last?.message?.session?.ordinal ?? position
            document = try await own.post(session, "leg", LegStep(generation, .progress, position: position))
        }
        guard let leg = document.legs.first(where: { $0.generation == generation }), let fence = leg.fence else {
            throw ServerUnderTest.Failure(description: "the hand-over came to nothing")
        }
        let time = (try await arrivals.first(after: fence) - start) / .milliseconds(1)
        if let old = document.legs.first(where: { $0.state == .draining }) {
            _ = try await other.post(session, "leg", LegStep(old.generation, .closed))
        }
        return time
    }
}

/// When each text of a session came to a device.
private final class Arrivals: Sendable {
    private let times = Mutex<[(ordinal: Ordinal, time: ContinuousClock.Instant)]>([])

    func take(_ frame: String) {
        let now = ContinuousClock.now
        var rest = frame[...]
        while let range = rest.range(of: "\"ordinal\":") {
            rest = rest[range.upperBound...]
            guard let ordinal = Ordinal(rest.prefix { $0.isNumber }) else { continue }
            times.withLock { $0.append((ordinal, now)) }
        }
    }

    /// The arrival of the first text above an ordinal, as soon as there is one.
    func first(after ordinal: Ordinal) async throws -> ContinuousClock.Instant {
        while true {
            if let found = times.withLock({ $0.first { $0.ordinal > ordinal } }) { return found.time }
            try await Task.sleep(for: .milliseconds(1))
        }
    }
}

/// Something that is waited for, again and again.
final class Wait: Sendable {
    private struct State {
        var time: ContinuousClock.Instant?
        var waiter: CheckedContinuation<Void, Never>?
    }

    private let state = Mutex(State())
    private let last = Mutex(ContinuousClock.now)

    /// When it happened last.
    var time: ContinuousClock.Instant { last.withLock { $0 } }

    func happened() {
        let waiter = state.withLock { state -> CheckedContinuation<Void, Never>? in
            guard state.time == nil else { return nil }
            let now = ContinuousClock.now
            last.withLock { $0 = now }
            defer { state.waiter = nil }
            if state.waiter == nil { state.time = now }
            return state.waiter
        }
        waiter?.resume()
    }

    func wait() async {
        await withCheckedContinuation { continuation in
            let isOver = state.withLock { state in
                if state.time != nil {
                    state.time = nil
                    return true
                }
                state.waiter = continuation
                return false
            }
            if isOver { continuation.resume() }
        }
    }
}
