import ClientWire
import Foundation
import MessagingService
import SIP
import Testing

/// A phone that nobody here wrote.
@Suite("baresip", .enabled(if: Baresip.isInstalled), .timeLimit(.minutes(5)))
struct BaresipTests {
    @Test("It registers with MD5, shows what waited and then what comes, once each")
    func receives() async throws {
        let provider = try await Provider.start(algorithms: [.md5])
        let (alice, bob) = (try await provider.person("alice"), try await provider.person("bob"))
        let account = try await provider.phone(of: alice)
        try await provider.send("this waited", from: bob, to: alice)
        let baresip = try Baresip(account, port: provider.port(.udp), in: provider.folder)
        defer { baresip.end() }
        #expect(try await eventually { baresip.output.contains("sip:bob@example.org: \"this waited\"") })
        try await provider.send("this is new", from: bob, to: alice)
        #expect(try await eventually { baresip.output.contains("sip:bob@example.org: \"this is new\"") })
        #expect(try await provider.status(of: account, alice)?.isConnected == true)
        #expect(baresip.output.components(separatedBy: "\"this waited\"").count == 2)
        try await provider.stop()
    }
}

/// A baresip of its own, headless, on the loopback interface.
final class Baresip {
    static let isInstalled = FileManager.default.isExecutableFile(atPath: "/usr/bin/baresip")

    private let process = Process()
    private let log: String

    init(_ account: PhoneAnswer, port: Int, in folder: URL) throws {
        let home = folder.appendingPathComponent("baresip")
        try FileManager.default.createDirectory(at: home, withIntermediateDirectories: true)
        let modules = """
            sip_listen 127.0.0.1:0
            net_interface 127.0.0.1
            module_path /usr/lib/baresip/modules
            module stdio.so
            module_app account.so
            module_app menu.so

            """
        try modules.write(to: home.appendingPathComponent("config"), atomically: true, encoding: .utf8)
        let line =
            "<\(account.address);transport=udp>;auth_user=\(account.user);auth_pass=\(account.password)"
            + ";outbound=\"sip:127.0.0.1:\(port);transport=udp\";regint=600\n"
        try line.write(to: home.appendingPathComponent("accounts"), atomically: true, encoding: .utf8)
        log = home.appendingPathComponent("log").path
        _ = FileManager.default.createFile(atPath: log, contents: nil)
        process.executableURL = URL(fileURLWithPath: "/usr/bin/baresip")
        process.arguments = ["-4", "-f", home.path]
        process.standardInput = Pipe()
        process.standardOutput = FileHandle(forWritingAtPath: log)
        process.standardError = process.standardOutput
        try process.run()
    }

    var output: String { (try? String(contentsOfFile: log, encoding: .utf8)) ?? "" }

    func end() { _ = kill(process.processIdentifier, SIGKILL) }
}
