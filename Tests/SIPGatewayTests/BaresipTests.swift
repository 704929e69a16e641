import ClientWire
import Foundation
import MessagingService
import PhonePrograms
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
    static let isInstalled = BaresipSettings.isInstalled

    private let process = Process()
    private let log: URL

    init(_ account: PhoneAnswer, port: Int, in folder: URL) throws {
        let settings = BaresipSettings(
            folder.appendingPathComponent("baresip"),
            account: BaresipSettings.account(
                "\(account.address)",
                user: account.user,
                password: account.password,
                port: port
            )
        )
        try settings.write()
        log = settings.log
        _ = FileManager.default.createFile(atPath: log.path, contents: nil)
        process.executableURL = URL(fileURLWithPath: BaresipSettings.program)
        process.arguments = settings.arguments
        process.standardInput = Pipe()
        process.standardOutput = FileHandle(forWritingAtPath: log.path)
        process.standardError = process.standardOutput
        try process.run()
    }

    var output: String { (try? String(contentsOf: log, encoding: .utf8)) ?? "" }

    func end() { _ = kill(process.processIdentifier, SIGKILL) }
}
