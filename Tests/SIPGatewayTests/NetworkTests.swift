import ClientWire
import Foundation
import NIOCore
import NIOPosix
import SIP
import Testing

/// Programs that nobody here wrote, on the way to our door and before it.
@Suite("SIP with SIPp, Kamailio and tshark", .serialized, .timeLimit(.minutes(3)))
struct NetworkTests {
    // MARK: SIPp

    @Test(
        "SIPp registers and writes with digest; what comes again, late or out of order changes nothing",
        .enabled(if: SIPp.path != nil, "SIPp is not installed"),
        arguments: ["u1", "t1"]
    )
    func sipp(transport: String) async throws {
        let provider = try await Provider.start(algorithms: [.md5])
        let (alice, bob) = (try await provider.person("alice"), try await provider.person("bob"))
        let account = try await provider.phone(of: alice)
        let port = provider.port(transport == "u1" ? .udp : .tcp)
        let registered = try await SIPp.run("register", account, uri: "example.org", transport, port: port)
        #expect(registered.status == 0, "\(registered.log)")
        // Over TCP SIPp's connection is gone as it ends, perhaps before the stream of its device is open.
        if transport == "u1" {
            #expect(try await eventually { try await provider.status(of: account, alice)?.isRegistered == true })
        }
        let wrote = try await SIPp.run("message", account, uri: "bob@example.org", transport, port: port)
        #expect(wrote.status == 0, "\(wrote.log)")
        #expect(try await provider.texts(bob) == ["from SIPp"])
        try await provider.stop()
    }

    @Test("SIPp with a wrong password is asked again", .enabled(if: SIPp.path != nil, "SIPp is not installed"))
    func wrongPassword() async throws {
        let provider = try await Provider.start(algorithms: [.md5])
        let alice = try await provider.person("alice")
        var account = try await provider.phone(of: alice)
        account.password = "wrong"
        let port = provider.port(.udp)
        let guessed = try await SIPp.run("guess", account, uri: "example.org", "u1", port: port, calls: 3)
        #expect(guessed.status == 0, "\(guessed.log)")
        #expect(try await provider.status(of: account, alice)?.isRegistered == false)
        try await provider.stop()
    }

    @Test(
        "What is no SIP, or not quite, is refused, and what comes after it is served",
        .enabled(if: SIPp.path != nil, "SIPp is not installed")
    )
    func malformed() async throws {
        let provider = try await Provider.start(algorithms: [.md5])
        let account = try await provider.phone(of: try await provider.person("alice"))
        let port = provider.port(.udp)
        let result = try await SIPp.run("malformed", account, uri: "example.org", "u1", port: port, calls: 5)
        #expect(result.status == 0, "\(result.log)")
        try await provider.stop()
    }

    // MARK: Kamailio

    @Test(
        "A phone behind Kamailio: its Path is remembered, and messages come by it",
        .enabled(if: EdgeProxy.isInstalled, "Kamailio is not installed")
    )
    func behindProxy() async throws {
        let provider = try await Provider.start()
        let (alice, bob) = (try await provider.person("alice"), try await provider.person("bob"))
        let proxy = try await EdgeProxy.start(to: provider.port(.udp), in: provider.folder)
        defer { proxy.end() }
        let account = try await provider.phone(of: alice)
        let phone = try await TestPhone.make(account, at: provider, .udp, through: proxy.port)
        try await provider.send("this waited", from: bob, to: alice)
        let answer = try await phone.register { $0.append(.supported, "path") }
        #expect(answer.status == 200)
        #expect(answer.text(.path)?.contains("127.0.0.1:\(proxy.port)") == true)
        #expect(try await phone.waits(for: 1), "\(proxy.output)")
        try await provider.send("this is new", from: bob, to: alice)
        #expect(try await phone.waits(for: 2))
        #expect(try await phone.texts() == ["this waited", "this is new"])
        let first = try #require(try await phone.received().first)
        #expect(try first.vias().count == 2, "by the proxy")
        #expect(first.text(.route) == nil)

        #expect(try await phone.write("from behind", to: "sip:bob@example.org").status == 202)
        #expect(try await provider.texts(bob) == ["from behind"])
        // Another phone behind the same proxy is another phone, and proves itself.
        let second = try await TestPhone.make(try await provider.phone(of: bob), at: provider, through: proxy.port)
        try await second.register { $0.append(.supported, "path") }
        #expect(
            try await second.write("who?", to: "sip:bob@example.org") { $0.set(.from, "<\(account.address)>;tag=1") }
                .status == 403
        )
        #expect(try await phone.write("to the other", to: "sip:bob@example.org").status == 202)
        #expect(try await second.waits(for: 1))
        #expect(try await second.texts() == ["to the other"])
        for phone in [phone, second] { try await phone.close() }
        try await provider.stop()
    }

    // MARK: tshark

    @Test(
        "tshark decodes all that goes through the doors without a mark",
        .enabled(if: Capture.isPossible, "tshark is not installed, or may not capture")
    )
    func capture() async throws {
        let provider = try await Provider.start()
        let (alice, bob) = (try await provider.person("alice"), try await provider.person("bob"))
        let ports = [SIPTransportKind.udp, .tcp].map(provider.port)
        let capture = try await Capture.start(udp: ports[0], tcp: ports[1], in: provider.folder)
        for transport in [SIPTransportKind.udp, .tcp] {
            let account = try await provider.phone(of: alice, cpim: transport == .tcp)
            let phone = try await TestPhone.make(account, at: provider, transport)
            try await phone.register(parameters: ";+sip.instance=\"<urn:uuid:\(transport.rawValue)>\"") {
                $0.append(.supported, "path, gruu, outbound")
            }
            for package in ["reg", "dialog", "message-summary"] {
                #expect(try await phone.watch(package).status == 200)
            }
            try await provider.send("to be captured", from: bob, to: alice, subject: "Ünïcode", reports: [])
            #expect(try await phone.waits(for: 1))
            #expect(try await eventually { try await phone.received(.notify).count >= 3 })
            #expect(try await phone.write("back", to: "sip:bob@example.org").status == 202)
            #expect(try await phone.write("nobody", to: "sip:nobody@example.org").status == 404)
            try await phone.register(expires: 0)
            try await phone.close()
        }
        #expect(try await eventually { try await capture.count("sip.Method == \"REGISTER\"") >= 6 })
        try await capture.stop()
        #expect(try await capture.count("sip") > 40)
        #expect(try await capture.count("(udp || tcp.len > 0) && !sip") == 0, "every frame is SIP")
        let marked = "_ws.malformed || (_ws.expert.severity >= 0x600000 && (sip || xml))"
        let marks = try await capture.marks(marked)
        #expect(marks.isEmpty, "\(marks)")
        try await provider.stop()
    }
}

/// SIPp with the scenarios beside these tests.
enum SIPp {
    static let path = Program.find("sipp")

    /// - Parameter uri: what the digest is for, without its scheme: SIPp does not take it from the request.
    static func run(
        _ name: String,
        _ account: PhoneAnswer,
        uri: String,
        _ transport: String,
        port: Int,
        calls: Int = 1,
        from own: Int? = nil
    ) async throws -> (status: Int32, log: String) {
        let scenario = Program.tests.appendingPathComponent("Scenarios/\(name).xml")
        let log = FileManager.default.temporaryDirectory.appendingPathComponent("sipp-\(UUID()).log")
        defer { try? FileManager.default.removeItem(at: log) }
        let result = try await Program.run(
            path ?? "sipp",
            [
                "127.0.0.1:\(port)", "-t", transport, "-m", "\(calls)", "-l", "1", "-timeout", "20", "-sf",
                scenario.path,
                "-i", "127.0.0.1", "-nostdin", "-timeout_error", "-au", account.user, "-ap", account.password,
                "-auth_uri", uri, "-trace_err", "-error_file", log.path,
            ] + (own.map { ["-p", "\($0)"] } ?? [])
        )
        return (result.status, (try? String(contentsOf: log, encoding: .utf8)) ?? "")
    }
}

/// Kamailio as the proxy that phones are told to use, before a registrar that is elsewhere.
final class EdgeProxy {
    static let isInstalled =
        Program.find("kamailio") != nil
        && ["/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu"].contains {
            FileManager.default.fileExists(atPath: $0 + "/kamailio/modules/path.so")
        }

    let port: Int
    private let running: Running

    private init(port: Int, running: Running) {
        self.port = port
        self.running = running
    }

    var output: String { running.output }

    static func start(to registrar: Int, in folder: URL) async throws -> EdgeProxy {
        let socket = try await DatagramBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .bind(host: "127.0.0.1", port: 0).get()
        let port = socket.localAddress?.port ?? 0
        try await socket.close()
        let file = folder.appendingPathComponent("kamailio.cfg")
        let configuration = """
            #!KAMAILIO
            debug=0
            log_stderror=yes
            children=1
            auto_aliases=no
            listen=udp:127.0.0.1:\(port)
            loadmodule "tm.so"
            loadmodule "sl.so"
            loadmodule "pv.so"
            loadmodule "rr.so"
            loadmodule "maxfwd.so"
            loadmodule "path.so"

            request_route {
                if (!mf_process_maxfwd_header("10")) { sl_send_reply("483", "Too Many Hops"); exit; }
                if (method == "OPTIONS" && uri == myself) { sl_send_reply("200", "OK"); exit; }
                if (src_port == \(registrar)) { loose_route(); t_relay(); exit; }
                if (method == "REGISTER") { add_path(); }
                $du = "sip:127.0.0.1:\(registrar)";
                t_relay();
            }
            """
        try configuration.write(to: file, atomically: true, encoding: .utf8)
        let running = try Running(
            Program.find("kamailio") ?? "kamailio",
            ["-DD", "-E", "-m", "16", "-M", "4", "-f", file.path, "-w", folder.path, "-Y", folder.path]
        )
        return EdgeProxy(port: port, running: running)
    }

    func end() { running.end() }
}

/// What tshark sees on the loopback interface, at the ports of a provider.
final class Capture {
    static let isPossible = Program.find("tshark") != nil && Program.find("python3") != nil && getuid() == 0

    private let running: Running
    private let file: URL
    private let decoding: [String]

    private init(_ running: Running, _ file: URL, _ decoding: [String]) {
        self.running = running
        self.file = file
        self.decoding = decoding
    }

    static func start(udp: Int, tcp: Int, in folder: URL) async throws -> Capture {
        let file = folder.appendingPathComponent("capture.pcapng")
        // A child of a pool thread starts with its signals blocked, and has to be told to end.
        let unblocked = """
            import os, signal, sys
            signal.pthread_sigmask(signal.SIG_SETMASK, [])
            os.execvp(sys.argv[1], sys.argv[1:])
            """
        let running = try Running(
            Program.find("python3") ?? "python3",
            [
                "-c", unblocked, Program.find("tshark") ?? "tshark", "-i", "lo", "-q", "-f",
                "udp port \(udp) or tcp port \(tcp)", "-w", file.path,
            ]
        )
        // The file is there once it listens.
        guard
            try await eventually({
                running.output.contains("Capturing on") && FileManager.default.fileExists(atPath: file.path)
            })
        else { throw NotInTime() }
        return Capture(running, file, ["-d", "udp.port==\(udp),sip", "-d", "tcp.port==\(tcp),sip"])
    }

    func stop() async throws { try await running.interrupt() }

    /// How many frames pass a filter.
    func count(_ filter: String) async throws -> Int {
        try await decode(filter, ["-T", "fields", "-e", "frame.number"]).split(separator: "\n").count
    }

    /// What it has to say about the frames that pass a filter.
    func marks(_ filter: String) async throws -> String {
        try await decode(filter, ["-T", "fields", "-e", "_ws.expert.message", "-e", "_ws.col.Info"])
    }

    private func decode(_ filter: String, _ output: [String]) async throws -> String {
        try await Program.run(
            Program.find("tshark") ?? "tshark",
            ["-r", file.path] + decoding + ["-Y", filter] + output
        ).output
    }
}
