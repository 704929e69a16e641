import Foundation
import MSRP
import MSRPTransport
import NIOCore
import Testing

/// Two endpoints, each behind a relay that someone else has written (RFC 4976).
@Suite(
    .serialized,
    .timeLimit(.minutes(5)),
    .enabled(if: Kamailio.isInstalled, "Kamailio with its msrp, auth, pv and htable modules is not installed")
) struct KamailioRelayTests {
    private func relay(
        _ endpoint: MSRPEndpoint,
        _ kamailio: Kamailio,
        local: MSRPURI,
        password: String = Kamailio.password
    ) async throws -> MSRPRelay {
        try await endpoint.connectRelay(
            MSRPURI(parsing: "msrp://127.0.0.1:\(kamailio.port);tcp"),
            local: local,
            credentials: .init(username: "alice", password: password),
            // Less than the relay wants: it says 423 and what it wants.
            expires: 60
        )
    }

    @Test func messagesGoThroughTheRelayBothWays() async throws {
        let kamailio = try await Kamailio.start()
        defer { kamailio.stop() }
        let pair = try await Pair.start()
        let alice = try pair.uris().alice
        let bob = try pair.uris().alice
        let aliceRelay = try await self.relay(pair.alice, kamailio, local: alice)
        let bobRelay = try await self.relay(pair.bob, kamailio, local: bob)
        #expect(aliceRelay.usePath.count == 1)
        #expect(aliceRelay.usePath.first?.sessionID != nil)

        let bobEvents = SessionEvents()
        let bobSession = try pair.bob.makeSession(
            local: bob,
            remotePath: aliceRelay.usePath + [alice],
            role: .passive,
            relay: bobRelay,
            handler: bobEvents
        )
        bobSession.start()
        let aliceEvents = SessionEvents()
        let aliceSession = try pair.alice.makeSession(
            local: alice,
            remotePath: bobRelay.usePath + [bob],
            role: .active,
            relay: aliceRelay,
            handler: aliceEvents
        )
        aliceSession.start()

        var content = ByteBuffer()
        for index in 0..<10_000 { content.writeInteger(UInt32(truncatingIfNeeded: index &* 2_654_435_761)) }
        async let atBob = receive(2, from: bobEvents)
        try await aliceSession.send(ByteBuffer(string: "hello"), contentType: "text/plain", wantsSuccessReport: true)
        try await aliceSession.send(content, contentType: "image/png", wantsSuccessReport: true)
        #expect(await atBob.map(\.content) == [Array("hello".utf8), Array(content.readableBytesView)])
        async let atAlice = receive(1, from: aliceEvents)
        try await bobSession.send(content, contentType: "image/png", wantsSuccessReport: true)
        #expect(await atAlice.map(\.content) == [Array(content.readableBytesView)])

        aliceSession.close()
        bobSession.close()
        aliceRelay.close()
        bobRelay.close()
        try await pair.listener.close()
    }

    @Test func theWrongPasswordDoesNotGetIn() async throws {
        let kamailio = try await Kamailio.start()
        defer { kamailio.stop() }
        let pair = try await Pair.start()
        let local = try pair.uris().alice
        await #expect(throws: MSRPError(.notAuthorized, "")) {
            _ = try await self.relay(pair.alice, kamailio, local: local, password: "wrong")
        }
        try await pair.listener.close()
    }
}

/// A Kamailio of our own, on loopback, with an MSRP relay and nothing else.
final class Kamailio {
    static let password = "correct horse"
    private static let program = "/usr/sbin/kamailio"
    static let isInstalled =
        FileManager.default.isExecutableFile(atPath: Kamailio.program)
        && ["/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu"].contains {
            FileManager.default.fileExists(atPath: $0 + "/kamailio/modules/msrp.so")
        }

    let port: UInt16
    private let process: Process
    private let folder: URL

    private init(port: UInt16, process: Process, folder: URL) {
        self.port = port
        self.process = process
        self.folder = folder
    }

    static func start() async throws -> Kamailio {
        let port = try RawListener.quietPort()
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("msrp-relay-\(port)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        let file = folder.appendingPathComponent("kamailio.cfg")
        try Self.configuration(port: port).write(to: file, atomically: true, encoding: .utf8)
        let process = Process()
        process.executableURL = URL(fileURLWithPath: Self.program)
        process.arguments = ["-DD", "-E", "-m", "16", "-M", "4", "-f", file.path, "-w", folder.path, "-Y", folder.path]
        let log = folder.appendingPathComponent("log").path
        _ = FileManager.default.createFile(atPath: log, contents: nil)
        let handle = FileHandle(forWritingAtPath: log)
        process.standardError = handle
        process.standardOutput = handle
        try process.run()
        let kamailio = Kamailio(port: port, process: process, folder: folder)
        for _ in 0..<500 {
            if (try? RawSocket(port: port)) != nil { return kamailio }
            guard process.isRunning else { break }
            try await Task.sleep(for: .milliseconds(20))
        }
        Issue.record("Kamailio did not start: \(try String(contentsOfFile: log, encoding: .utf8))")
        kamailio.stop()
        throw RawSocket.Silence()
    }

    /// Ends it with its children, which share its process group.
    ///
    /// It inherits the blocked signals of the thread that started it, so asking it to end would not reach it.
    func stop() {
        kill(-self.process.processIdentifier, SIGKILL)
        self.process.waitUntilExit()
        try? FileManager.default.removeItem(at: self.folder)
    }

    private static func configuration(port: UInt16) -> String {
        """
        #!KAMAILIO
        debug=1
        log_stderror=yes
        children=2
        tcp_children=2
        auto_aliases=no
        tcp_accept_no_cl=yes
        tcp_connection_lifetime=120
        listen=tcp:127.0.0.1:\(port)
        loadmodule "sl.so"
        loadmodule "kex.so"
        loadmodule "pv.so"
        loadmodule "auth.so"
        loadmodule "cfgutils.so"
        loadmodule "htable.so"
        loadmodule "textops.so"
        loadmodule "msrp.so"
        modparam("auth", "qop", "auth")
        modparam("htable", "htable", "msrp=>size=8;autoexpire=3600;")

        request_route { exit; }
        reply_route { drop; }

        event_route[msrp:frame-in] {
            msrp_reply_flags("1");
            if (msrp_is_reply()) {
                msrp_relay();
            } else if ($msrp(method) == "AUTH") {
                if ($msrp(nexthops) > 0) {
                    msrp_relay();
                    exit;
                }
                if (!pv_www_authenticate("relay.example", "\(Self.password)", "0", "$msrp(method)")) {
                    if (auth_get_www_authenticate("relay.example", "1", "$var(challenge)")) {
                        msrp_reply("401", "Unauthorized", "$var(challenge)");
                    } else {
                        msrp_reply("500", "Server Error");
                    }
                    exit;
                }
                $var(expires) = (int) $hdr(Expires);
                if ($var(expires) < 300) {
                    msrp_reply("423", "Interval Out-of-Bounds", "Min-Expires: 300\\r\\n");
                    exit;
                }
                $var(id) = "s" + $RANDOM + "x" + $RANDOM;
                $sht(msrp=>$var(id)::address) = $msrp(srcaddr);
                $sht(msrp=>$var(id)::socket) = $msrp(srcsock);
                msrp_reply("200", "OK",
                    "Use-Path: msrp://127.0.0.1:\(port)/$var(id);tcp\\r\\nExpires: $var(expires)\\r\\n");
            } else if ($msrp(method) == "SEND" || $msrp(method) == "REPORT") {
                if ($msrp(nexthops) > 1) {
                    if ($msrp(method) != "REPORT") { msrp_reply("200", "OK"); }
                    msrp_relay();
                    exit;
                }
                $var(id) = $msrp(sessid);
                if ($sht(msrp=>$var(id)::address) == $null) {
                    if ($msrp(method) != "REPORT") { msrp_reply("481", "Session-does-not-exist"); }
                    exit;
                }
                if ($msrp(method) != "REPORT") { msrp_reply("200", "OK"); }
                msrp_relay_flags("1");
                msrp_set_dst("$sht(msrp=>$var(id)::address)", "$sht(msrp=>$var(id)::socket)");
                msrp_relay();
            } else {
                msrp_reply("501", "Request-method-not-understood");
            }
        }
        """
    }
}
