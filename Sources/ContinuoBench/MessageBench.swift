import Foundation
import NIOCore

/// Measures the ordinary server from outside: throughput, idle connections, catching up.
public struct MessageBench: Sendable {
    let executable: String
    let plan: BenchPlan
    let progress: @Sendable (String) -> Void

    /// A benchmark of one executable; `progress` is told what is going on.
    public init(executable: String, plan: BenchPlan, progress: @escaping @Sendable (String) -> Void) {
        self.executable = executable
        self.plan = plan
        self.progress = progress
    }

    /// A measurement that can be asked for alone.
    public enum Part: String, Sendable, CaseIterable {
        case w1
        case reports
        case tls
        case idle
        case catchup
    }

    /// Runs the parts; the names of figures are stable.
    public func run(_ parts: Set<Part> = Set(Part.allCases)) async throws -> [Figure] {
        var figures: [Figure] = []
        if parts.contains(.w1) {
            figures += try await repeated { try await throughput("w1", tls: false, reports: false) }
        }
        if parts.contains(.reports) {
            figures += try await repeated { try await throughput("w1.reports", tls: false, reports: true) }
        }
        if parts.contains(.tls) {
            figures += try await repeated { try await throughput("w1.tls", tls: true, reports: false) }
        }
        if parts.contains(.idle) {
            figures += try await repeated { try await idle("idle.kib_per_connection", tls: false) }
            figures += try await repeated { try await idle("idle.tls_kib_per_connection", tls: true) }
        }
        if parts.contains(.catchup) { figures += try await catchUp() }
        return figures
    }

    private func repeated(_ body: () async throws -> [Figure]) async throws -> [Figure] {
        var runs: [[Figure]] = []
        for _ in 0..<plan.runs { runs.append(try await body()) }
        return Figure.merge(runs)
    }

    // MARK: W1

    /// Pairs of users write to each other; every message is in both mailboxes, on 3 devices and 2 copies.
    private func throughput(_ name: String, tls: Bool, reports: Bool) async throws -> [Figure] {
        progress("\(name): starting a server, making \(plan.pairs * 2) users")
        let server = try await ServerUnderTest(executable: executable, tls: tls)
        defer { server.stop() }
        let load = try Workload(server)
        let users = try await load.makeUsers(plan.pairs * 2, devices: plan.devicesPerUser, prefix: "u")
        var senders: [LoadDevice] = []
        var devices: [LoadDevice] = []
        for (index, user) in users.enumerated() {
            let maker = MessageMaker(receivers: [users[index ^ 1].address], textBytes: plan.textBytes, reports: reports)
            for (place, token) in user.tokens.enumerated() {
                let device = try await load.connect(token)
                devices.append(device)
                guard place == 0 else { continue }
                senders.append(device)
                let share = plan.inFlight / 2
                try await load.onLoop {
                    device.inFlight = share
                    device.maker = maker
                }
            }
        }
        let sending = senders
        let counters = load.counters
        progress("\(name): storing \(plan.stored) messages")
        let stored = plan.stored
        try await load.onLoop {
            counters.goal = stored
            for device in sending { device.start() }
        }
        while try await load.onLoop({ counters.answered < stored }) { try await Task.sleep(for: .milliseconds(200)) }
        // Housekeeping indexes what is new every five seconds.
        try await load.settle(quiet: .seconds(7))

        progress("\(name): measuring for \(Int(plan.seconds)) s")
        try await load.onLoop {
            counters.reset()
            counters.measures = true
            counters.goal = .max
        }
        let cpu = server.cpuSeconds
        let written = server.bytesWritten
        let kept = server.bytesKept
        let start = ContinuousClock.now
        try await load.onLoop { for device in sending { device.start() } }
        try await Task.sleep(for: .seconds(plan.seconds))
        let messages = try await load.onLoop { () -> Int in
            counters.goal = 0
            return counters.answered
        }
        let seconds = (ContinuousClock.now - start) / .seconds(1)
        try await load.settle(quiet: .seconds(7))
        let (answered, delivered, refused, latencies) = try await load.onLoop {
            (counters.answered, counters.delivered, counters.refused, counters.latencies.sorted())
        }
        let copies = plan.devicesPerUser * 2 - 1
        guard refused == 0, answered > 0, delivered >= answered * copies else {
            throw ServerUnderTest.Failure(
                description: "\(answered) messages came to \(delivered) devices, \(refused) were refused"
            )
        }
        let count = Double(answered)
        let figures = [
            Figure("\(name).server_cpu_ms_per_message", "ms", [(server.cpuSeconds - cpu) * 1000 / count]),
            Figure("\(name).messages_per_second", "1/s", [Double(messages) / seconds]),
            Figure("\(name).p50_ms", "ms", [latencies[latencies.count / 2]]),
            Figure("\(name).p99_ms", "ms", [latencies[latencies.count * 99 / 100]]),
            Figure("\(name).bytes_written_per_message", "B", [Double(server.bytesWritten - written) / count]),
            Figure("\(name).bytes_kept_per_message", "B", [Double(server.bytesKept - kept) / count]),
            Figure("\(name).resident_mib", "MiB", [Double(server.residentKiB) / 1024]),
        ]
        try await load.onLoop { [devices] in for device in devices { device.close() } }
        return figures
    }

    // MARK: Idle

    /// What a connected device that says nothing costs in memory.
    private func idle(_ name: String, tls: Bool) async throws -> [Figure] {
        progress("\(name): connecting \(plan.idleConnections) devices")
        let server = try await ServerUnderTest(executable: executable, tls: tls)
        defer { server.stop() }
        let load = try Workload(server)
        let warm = try await load.makeUsers(70, devices: 3, prefix: "w")
        let users = try await load.makeUsers(plan.idleConnections / 3, devices: 3, prefix: "i")
        var devices: [LoadDevice] = []
        for token in warm.flatMap(\.tokens) { devices.append(try await load.connect(token)) }
        try await Task.sleep(for: .seconds(2))
        let before = server.residentKiB
        for token in users.flatMap(\.tokens) { devices.append(try await load.connect(token)) }
        try await Task.sleep(for: .seconds(2))
        let each = Double(server.residentKiB - before) / Double(users.count * 3)
        try await load.onLoop { [devices] in for device in devices { device.close() } }
        return [Figure(name, "KiB", [each])]
    }

    // MARK: Catching up

    /// Devices that come back, one after the other: each is a run. No more than the server delivers to in the commit
    /// that takes the message: later deliveries would still be under way.
    private static let catchUpRuns = 9

    /// What it takes to bring a device up to date that missed messages.
    private func catchUp() async throws -> [Figure] {
        progress("catchup\(plan.missed): storing what is missed")
        let server = try await ServerUnderTest(executable: executable, tls: false)
        defer { server.stop() }
        let load = try Workload(server)
        let receivers = try await load.makeUsers(Self.catchUpRuns, devices: 1, prefix: "r")
        let sender = try await load.makeUsers(1, devices: 1, prefix: "s")[0]
        var cursors: [String] = []
        for user in receivers {
            let device = try await load.connect(user.tokens[0])
            try await load.settle(quiet: .milliseconds(100))
            cursors.append(
                try await load.onLoop {
                    "{\"epoch\":\"\(device.epoch)\",\"number\":\(device.position),\"level\":\(device.position)}"
                }
            )
            try await load.onLoop { device.close() }
        }
        let writer = try await load.connect(sender.tokens[0])
        let maker = MessageMaker(receivers: receivers.map(\.address), textBytes: plan.textBytes, reports: false)
        let counters = load.counters
        let missed = plan.missed
        try await load.onLoop {
            counters.reset()
            counters.goal = missed
            writer.inFlight = 4
            writer.maker = maker
            writer.start()
        }
        while try await load.onLoop({ counters.answered < missed }) { try await Task.sleep(for: .milliseconds(100)) }
        try await load.settle(quiet: .seconds(7))
        progress("catchup\(plan.missed): catching up")
        var cpu: [Double] = []
        var wall: [Double] = []
        for (user, cursor) in zip(receivers, cursors) {
            let before = server.exactCPUSeconds
            let start = ContinuousClock.now
            let device = try await load.connect(user.tokens[0], cursor: cursor)
            try await device.caughtUp.futureResult.get()
            wall.append((ContinuousClock.now - start) / .milliseconds(1))
            // The last acknowledgement is on its way.
            try await Task.sleep(for: .milliseconds(200))
            cpu.append((server.exactCPUSeconds - before) * 1000)
            let received = try await load.onLoop { device.received }
            guard received >= missed else {
                throw ServerUnderTest.Failure(description: "\(received) of \(missed) messages were caught up")
            }
            try await load.onLoop { device.close() }
            try await Task.sleep(for: .milliseconds(100))
        }
        return [
            Figure("catchup\(plan.missed).server_cpu_ms", "ms", cpu),
            Figure("catchup\(plan.missed).ms", "ms", wall),
        ]
    }
}
