import Foundation
import Testing

/// A Kamailio in front of the users of b.example: TLS with certificates on both sides towards providers, TCP towards its
/// own. It stays in the way of calls, with a Record-Route for either side.
final class KamailioProxy {
    private static let program = "/usr/sbin/kamailio"
    static let isInstalled =
        FileManager.default.isExecutableFile(atPath: program)
        && ["/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu"].contains { folder in
            ["tls", "rr", "tm", "maxfwd", "textops"].allSatisfy {
                FileManager.default.fileExists(atPath: "\(folder)/kamailio/modules/\($0).so")
            }
        }

    /// Where other providers connect, and where its own users do.
    let door: Int
    let inside: Int
    private let process: Process
    private let folder: URL

    /// - Parameters:
    ///   - home: the port of a.example.
    ///   - telephone: where Bob is.
    ///   - writer: where Carol is, who writes.
    ///   - hasTexts: it says that conversations of its users have texts (CPM's sessions).
    init(home: Int, door: Int, telephone: Int, writer: Int, hasTexts: Bool = false) async throws {
        self.door = door
        inside = try freePort()
        folder = FileManager.default.temporaryDirectory.appendingPathComponent("proxy-\(UUID())")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        let own = try await Authority.shared.certificate("b.example")
        let sides = ["server", "client"].map { side in
            """
            [\(side):default]
            method = TLSv1.2+
            verify_certificate = yes
            require_certificate = yes
            private_key = \(own.key)
            certificate = \(own.certificate)

            """
        }
        let root = try await Authority.shared.root()
        let tls = sides.map { "\($0)ca_list = \(root)\n" }.joined(separator: "\n")
        let file = folder.appendingPathComponent("kamailio.cfg")
        try tls.write(to: folder.appendingPathComponent("tls.cfg"), atomically: true, encoding: .utf8)
        let text = Self.configuration(
            folder,
            home,
            [door, inside],
            telephone: telephone,
            writer: writer,
            contact: hasTexts
                ? "<sip:b.example>;+g.3gpp.icsi-ref=urn%3Aurn-7%3A3gpp-service.ims.icsi.oma.cpm.session"
                : "<sip:b.example>"
        )
        try text.write(to: file, atomically: true, encoding: .utf8)
        process = Process()
        process.executableURL = URL(fileURLWithPath: Self.program)
        process.arguments = ["-DD", "-E", "-m", "32", "-M", "8", "-f", file.path, "-w", folder.path, "-Y", folder.path]
        let log = folder.appendingPathComponent("log").path
        _ = FileManager.default.createFile(atPath: log, contents: nil)
        process.standardError = FileHandle(forWritingAtPath: log)
        process.standardOutput = process.standardError
        try process.run()
        let (process, inside) = (process, inside)
        _ = try await eventually("Kamailio listens") {
            guard process.isRunning else {
                throw NeverHappened(what: "Kamailio: \((try? String(contentsOfFile: log, encoding: .utf8)) ?? "")")
            }
            return try? RawSocket(port: UInt16(inside))
        }
    }

    var log: String {
        (try? String(contentsOf: folder.appendingPathComponent("log"), encoding: .utf8)) ?? ""
    }

    /// Ends it with its children, which share its process group.
    func stop() {
        kill(-process.processIdentifier, SIGKILL)
        process.waitUntilExit()
        try? FileManager.default.removeItem(at: folder)
    }

    deinit { kill(-process.processIdentifier, SIGKILL) }

    private static func configuration(
        _ folder: URL,
        _ home: Int,
        _ ports: [Int],
        telephone: Int,
        writer: Int,
        contact: String
    ) -> String {
        """
        #!KAMAILIO
        debug=1
        log_stderror=yes
        children=1
        tcp_children=2
        auto_aliases=no
        alias="b.example"
        enable_tls=yes
        tcp_connection_lifetime=300
        listen=tls:127.0.0.1:\(ports[0])
        listen=tcp:127.0.0.1:\(ports[1])
        loadmodule "tls.so"
        loadmodule "sl.so"
        loadmodule "tm.so"
        loadmodule "rr.so"
        loadmodule "pv.so"
        loadmodule "maxfwd.so"
        loadmodule "siputils.so"
        loadmodule "textops.so"
        modparam("tls", "config", "\(folder.path)/tls.cfg")
        modparam("rr", "enable_double_rr", 1)

        request_route {
            if (!mf_process_maxfwd_header("10")) {
                sl_send_reply("483", "Too Many Hops");
                exit;
            }
            if (is_method("CANCEL")) {
                if (t_check_trans()) { t_relay(); }
                exit;
            }
            if (has_totag()) {
                loose_route();
            } else if (is_method("OPTIONS")) {
                append_to_reply("Contact: \(contact)\\r\\n");
                sl_send_reply("200", "OK");
                exit;
            } else if (is_method("INVITE")) {
                record_route();
            }
            if ($rd == "a.example") {
                $du = "sip:127.0.0.1:\(home);transport=tls";
                if (!is_present_hf("P-Asserted-Identity")) {
                    append_hf("P-Asserted-Identity: <sip:$fU@b.example>\\r\\n");
                }
            } else if ($rd == "b.example" && $rU == "carol") {
                $du = "sip:127.0.0.1:\(writer);transport=tcp";
            } else if ($rd == "b.example") {
                $du = "sip:127.0.0.1:\(telephone);transport=tcp";
            }
            t_relay();
            exit;
        }
        """
    }
}
