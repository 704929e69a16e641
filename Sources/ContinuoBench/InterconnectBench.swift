import ClientWire
import Foundation
import MessagingCore
import NIOCore
import NIOPosix
import SIP

/// Measures the SIP side of the ordinary server and the way between two of them, from outside.
public struct InterconnectBench: Sendable {
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

    /// A measurement that can be asked for alone.
    public enum Part: String, Sendable, CaseIterable {
        case phones
        case kamailio
        case servers
    }

    static let pairs = 16
    static let phonesPerUser = 3
    /// Messages of each pair that are not everywhere yet.
    static let inFlight = 4
    static let textBytes = 200
    /// A SIP server remembers each REGISTER over UDP for 32 s: more than these would come to its limit.
    static let registers = 40_000

    /// Runs everything; the names of figures are stable.
    public func run(_ parts: Set<Part> = Set(Part.allCases)) async throws -> [Figure] {
        var all: [[Figure]] = []
        for _ in 0..<runs {
            var figures: [Figure] = []
            if parts.contains(.phones) { figures += try await phones() }
            if parts.contains(.kamailio), KamailioUnderTest.modules != nil { figures += try await kamailio() }
            if parts.contains(.servers) { figures += try await servers() }
            all.append(figures)
        }
        return Figure.merge(all)
    }

    // MARK: Phones

    /// A server with doors for phones, and how each of its two transports does.
    private func phones() async throws -> [Figure] {
        var figures: [Figure] = []
        for (transport, name) in [(SIPTransportKind.udp, "sip.fork3"), (.tcp, "sip.fork3_tcp")] {
            progress("\(name): \(Self.pairs) users with \(Self.phonesPerUser) phones, \(Int(seconds)) s")
            let (server, port) = try await phoneServer()
            defer { server.stop() }
            let load = try Workload(server)
            let accounts = try await makePhones(load)
            let fork = try await Fork.make(accounts, transport, port: port, domain: server.domain)
            let measured = try await fork.run(seconds: seconds) { server.cpuSeconds }
            figures += [
                Figure("\(name)_cpu_ms_per_message", "ms", [measured.cpuMilliseconds]),
                Figure("\(name)_messages_per_second", "1/s", [measured.perSecond]),
            ]
            try await fork.close()
        }
        for (isFresh, name) in [(false, "sip.register"), (true, "sip.register_challenged")] {
            progress("\(name): \(Self.registers) times")
            let (server, port) = try await phoneServer()
            defer { server.stop() }
            let accounts = try await makePhones(try Workload(server))
            let fork = try await Fork.make(accounts, .udp, port: port, domain: server.domain)
            let measured = try await fork.registers(Self.registers, isFresh: isFresh) { server.cpuSeconds }
            figures += [
                Figure("\(name)_cpu_ms", "ms", [measured.cpuMilliseconds]),
                Figure("\(name)s_per_second", "1/s", [measured.perSecond]),
            ]
            try await fork.close()
        }
        return figures
    }

    private func phoneServer() async throws -> (server: ServerUnderTest, port: Int) {
        let port = Int.random(in: 10000..<20000)
        let doors = """
            sip:
              udp:
                listen: 127.0.0.1:\(port)
              tcp:
                listen: 127.0.0.1:\(port)

            """
        return (try await ServerUnderTest(executable: executable, tls: false, more: doors), port)
    }

    /// Pairs of a user with one phone, who writes, and one with several, who receives. They have no other devices.
    private func makePhones(_ load: Workload) async throws -> [Fork.Accounts] {
        var accounts: [Fork.Accounts] = []
        let senders = try await load.makeUsers(Self.pairs, devices: 1, prefix: "s")
        let receivers = try await load.makeUsers(Self.pairs, devices: 1, prefix: "r")
        for (sender, receiver) in zip(senders, receivers) {
            accounts.append(
                Fork.Accounts(
                    sender: try await phones(1, of: sender, load)[0],
                    receivers: try await phones(Self.phonesPerUser, of: receiver, load)
                )
            )
        }
        return accounts
    }

    private func phones(_ count: Int, of user: Workload.User, _ load: Workload) async throws -> [LoadPhone.Account] {
        let own = HTTP(base: "http://127.0.0.1:\(load.server.clientPort)", token: user.tokens[0])
        var accounts: [LoadPhone.Account] = []
        for number in 0..<count {
            let request = PhoneRequest(label: "phone \(number)")
            let answer = try await own.call("POST", "/v1/phones", request, as: PhoneAnswer.self)
            accounts.append(
                LoadPhone.Account(
                    address: answer.address.description,
                    user: answer.user,
                    password: answer.password
                )
            )
        }
        try await own.delete("/v1/devices/1")
        return accounts
    }

    // MARK: Kamailio

    /// The same load on Kamailio, which relays without storing or deciding, and asks only REGISTER for a password.
    private func kamailio() async throws -> [Figure] {
        progress("kamailio: the same load")
        let server = try KamailioUnderTest()
        defer { server.stop() }
        let domain = KamailioUnderTest.realm
        func account(_ name: String, _ address: String) -> LoadPhone.Account {
            LoadPhone.Account(address: "sip:\(address)@\(domain)", user: name, password: KamailioUnderTest.password)
        }
        let accounts = (0..<Self.pairs).map { pair in
            Fork.Accounts(
                sender: account("s\(pair)", "s\(pair)"),
                receivers: (0..<Self.phonesPerUser).map { account("r\(pair)x\($0)", "r\(pair)") }
            )
        }
        let fork = try await Fork.make(accounts, .udp, port: server.port, domain: domain)
        let relayed = try await fork.run(seconds: seconds) { server.cpuSeconds }
        let kept = try await fork.registers(Self.registers, isFresh: false) { server.cpuSeconds }
        let challenged = try await fork.registers(Self.registers, isFresh: true) { server.cpuSeconds }
        var figures = [
            Figure("kamailio.fork3_cpu_ms_per_message", "ms", [relayed.cpuMilliseconds]),
            Figure("kamailio.fork3_messages_per_second", "1/s", [relayed.perSecond]),
            Figure("kamailio.register_cpu_ms", "ms", [kept.cpuMilliseconds]),
            Figure("kamailio.register_challenged_cpu_ms", "ms", [challenged.cpuMilliseconds]),
        ]
        if KamailioUnderTest.stores {
            let stored = try await fork.run(seconds: seconds, to: { "sip:absent\($0)@\(domain)" }) { server.cpuSeconds }
            figures.append(Figure("kamailio.store1_cpu_ms_per_message", "ms", [stored.cpuMilliseconds]))
        }
        try await fork.close()
        return figures
    }

    // MARK: Two servers

    /// Users of one provider write to those of another; each message is durable on both sides and on a device there.
    private func servers() async throws -> [Figure] {
        progress("interconnect: two servers, \(Self.pairs) users write, \(Int(seconds)) s")
        let certificates = try PeerCertificates(["a.example", "b.example"])
        defer { certificates.remove() }
        let ports = [Int.random(in: 10000..<15000), Int.random(in: 15000..<20000)]
        func start(_ index: Int) async throws -> ServerUnderTest {
            let (own, other) = (certificates.domains[index], certificates.domains[1 - index])
            let peering = """
                interconnect:
                  listen: 127.0.0.1:\(ports[index])
                  message-port: 0
                  certificate: \(certificates.path("\(own).pem"))
                  key: \(certificates.path("\(own).key"))
                  authorities: \(certificates.path("authority.pem"))
                  peers: [{domain: \(other), route: '127.0.0.1:\(ports[1 - index])'}]

                """
            return try await ServerUnderTest(executable: executable, tls: false, domain: own, more: peering)
        }
        let near = try await start(0)
        defer { near.stop() }
        let far = try await start(1)
        defer { far.stop() }
        let (writing, reading) = (try Workload(near), try Workload(far))
        let senders = try await writing.makeUsers(Self.pairs, devices: 1, prefix: "s")
        let receivers = try await reading.makeUsers(Self.pairs, devices: 1, prefix: "r")
        var devices: [LoadDevice] = []
        var sending: [LoadDevice] = []
        for (sender, receiver) in zip(senders, receivers) {
            let device = try await writing.connect(sender.tokens[0])
            let maker = MessageMaker(receivers: [receiver.address], textBytes: Self.textBytes, reports: false)
            try await writing.onLoop {
                device.maker = maker
                device.inFlight = Self.inFlight
            }
            sending.append(device)
            devices.append(try await reading.connect(receiver.tokens[0]))
        }
        let window = Self.pairs * Self.inFlight
        try await carry(sending, from: writing, to: reading, window: window, seconds: 1)
        let before = (near.cpuSeconds, far.cpuSeconds)
        let start = ContinuousClock.now
        let count = try await carry(sending, from: writing, to: reading, window: window, seconds: seconds)
        let elapsed = (ContinuousClock.now - start) / .seconds(1)
        let each = ((near.cpuSeconds - before.0) * 1000 / count, (far.cpuSeconds - before.1) * 1000 / count)
        try await writing.onLoop { [sending] in for device in sending { device.close() } }
        try await reading.onLoop { [devices] in for device in devices { device.close() } }
        return [
            Figure("interconnect.messages_per_second", "1/s", [count / elapsed]),
            Figure("interconnect.cpu_ms_per_message", "ms", [each.0 + each.1]),
            Figure("interconnect.sending_cpu_ms_per_message", "ms", [each.0]),
            Figure("interconnect.receiving_cpu_ms_per_message", "ms", [each.1]),
        ]
    }

    /// Writes for so long, with no more on their way than the window, and waits until all is there.
    @discardableResult
    private func carry(
        _ sending: [LoadDevice],
        from writing: Workload,
        to reading: Workload,
        window: Int,
        seconds: Double
    ) async throws -> Double {
        let (sent, arrived) = (writing.counters, reading.counters)
        try await writing.onLoop { sent.reset() }
        try await reading.onLoop { arrived.reset() }
        let end = ContinuousClock.now + .seconds(seconds)
        while ContinuousClock.now < end {
            let there = try await reading.onLoop { arrived.delivered }
            try await writing.onLoop {
                sent.goal = there + window
                for device in sending.shuffled() where sent.started < sent.goal { device.sendOneMore() }
            }
            try await Task.sleep(for: .milliseconds(1))
        }
        let count = try await writing.onLoop { () -> Int in
            sent.goal = 0
            return sent.started
        }
        let patience = ContinuousClock.now + .seconds(60)
        while try await reading.onLoop({ arrived.delivered }) < count {
            guard ContinuousClock.now < patience, try await writing.onLoop({ sent.refused }) == 0 else {
                throw ServerUnderTest.Failure(description: "not all of \(count) messages came to the other provider")
            }
            try await Task.sleep(for: .milliseconds(2))
        }
        return Double(count)
    }
}

/// An authority and a certificate of each domain, in files of a folder.
private struct PeerCertificates {
    let domains: [String]
    private let folder: URL

    init(_ domains: [String]) throws {
        self.domains = domains
        folder = FileManager.default.temporaryDirectory.appendingPathComponent("continuo-bench-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        let curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
        try openssl(
            ["req", "-x509"] + curve
                + [
                    "-days", "2", "-subj", "/CN=authority", "-keyout", path("authority.key"), "-out",
                    path("authority.pem"),
                ]
        )
        for domain in domains {
            let (request, extensions) = (path("\(domain).csr"), path("\(domain).ext"))
            try openssl(
                ["req"] + curve + ["-subj", "/CN=\(domain)", "-keyout", path("\(domain).key"), "-out", request]
            )
            try "subjectAltName=DNS:\(domain)".write(toFile: extensions, atomically: true, encoding: .utf8)
            try openssl([
                "x509", "-req", "-in", request, "-CA", path("authority.pem"), "-CAkey", path("authority.key"),
                "-CAcreateserial", "-days", "2", "-extfile", extensions, "-out", path("\(domain).pem"),
            ])
        }
    }

    func path(_ name: String) -> String { folder.appendingPathComponent(name).path }

    func remove() { try? FileManager.default.removeItem(at: folder) }

    private func openssl(_ arguments: [String]) throws {
        let program = Process()
        program.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        program.arguments = ["openssl"] + arguments
        program.standardError = FileHandle.nullDevice
        program.standardOutput = FileHandle.nullDevice
        try program.run()
        program.waitUntilExit()
        guard program.terminationStatus == 0 else {
            throw ServerUnderTest.Failure(description: "openssl \(arguments.first ?? "") failed")
        }
    }
}
