import Foundation

/// Kamailio as a process of its own, with passwords and registrations in memory: it relays to whoever is registered, and
/// stores (msilo) what is for somebody who is not.
final class KamailioUnderTest {
    private static let program = "/usr/sbin/kamailio"
    private static let libraries = ["/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu"]
    static let realm = "bench.example"
    static let password = "correct-horse-battery-staple"

    /// Where its modules are; nil when it is not installed.
    static var modules: String? {
        guard FileManager.default.isExecutableFile(atPath: program) else { return nil }
        return libraries.map { $0 + "/kamailio/modules" }.first {
            FileManager.default.fileExists(atPath: $0 + "/registrar.so")
        }
    }

    /// Whether there is what it stores with.
    static var stores: Bool {
        modules.map { FileManager.default.fileExists(atPath: $0 + "/db_sqlite.so") } ?? false
    }

    let port: Int
    private let process = Process()
    private let folder: URL

    /// Starts it; it is ready when phones get answers.
    init() throws {
        guard let modules = Self.modules else {
            throw ServerUnderTest.Failure(description: "Kamailio is not installed")
        }
        port = Int.random(in: 10000..<20000)
        folder = FileManager.default.temporaryDirectory.appendingPathComponent("kamailio-bench-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        let file = folder.appendingPathComponent("kamailio.cfg")
        try configuration(modules).write(to: file, atomically: true, encoding: .utf8)
        if Self.stores { try makeDatabase() }
        process.executableURL = URL(fileURLWithPath: Self.program)
        // Transactions stay for five seconds: with less shared memory it runs out, and some requests are never answered.
        process.arguments = [
            "-DD", "-E", "-m", "1024", "-M", "16", "-f", file.path, "-w", folder.path, "-Y", folder.path,
        ]
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        try process.run()
    }

    /// Of all its processes.
    var cpuSeconds: Double { ProcessTime.ofFamily(process.processIdentifier) }

    /// Ends it with its children, which share its process group.
    func stop() {
        kill(-process.processIdentifier, SIGKILL)
        process.waitUntilExit()
        try? FileManager.default.removeItem(at: folder)
    }

    private var database: String { folder.appendingPathComponent("silo.sqlite").path }

    private func makeDatabase() throws {
        let sqlite = Process()
        sqlite.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        let tables = """
            CREATE TABLE version (table_name TEXT NOT NULL, table_version INTEGER NOT NULL);
            INSERT INTO version VALUES ('silo', 8);
            CREATE TABLE silo (id INTEGER PRIMARY KEY, src_addr TEXT, dst_addr TEXT, username TEXT, domain TEXT,
            inc_time INTEGER, exp_time INTEGER, snd_time INTEGER, ctype TEXT, body BLOB, extra_hdrs TEXT, callid TEXT,
            status INTEGER);
            CREATE INDEX silo_account ON silo (username, domain);
            """
        sqlite.arguments = ["sqlite3", database, tables]
        try sqlite.run()
        sqlite.waitUntilExit()
    }

    private func configuration(_ modules: String) -> String {
        let storing = """
            loadmodule "db_sqlite.so"
            loadmodule "msilo.so"
            modparam("msilo", "db_url", "sqlite:///\(database)")
            """
        let absent = Self.stores ? #"if (m_store("$ru")) { sl_send_reply("202", "Accepted"); exit; }"# : ""
        return """
            #!KAMAILIO
            debug=0
            log_stderror=yes
            # One: two that store at once find SQLite locked, and say 404.
            children=1
            auto_aliases=no
            listen=udp:127.0.0.1:\(port)
            mpath="\(modules)"
            loadmodule "tm.so"
            loadmodule "sl.so"
            loadmodule "pv.so"
            loadmodule "usrloc.so"
            loadmodule "registrar.so"
            loadmodule "auth.so"
            modparam("usrloc", "db_mode", 0)
            modparam("registrar", "append_branches", 1)
            modparam("registrar", "max_contacts", 8)
            modparam("auth", "algorithm", "SHA-256")
            modparam("auth", "qop", "auth")
            modparam("auth", "nonce_expire", 300)
            \(Self.stores ? storing : "")

            request_route {
                if (method == "REGISTER") {
                    if (!pv_www_authenticate("\(Self.realm)", "\(Self.password)", "0")) {
                        www_challenge("\(Self.realm)", "1");
                        exit;
                    }
                    save("location");
                    exit;
                }
                if (method == "MESSAGE") {
                    if (lookup("location")) { t_relay(); exit; }
                    \(absent)
                }
                sl_send_reply("404", "Not Found");
            }
            """
    }
}
