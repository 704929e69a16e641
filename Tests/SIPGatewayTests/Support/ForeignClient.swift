import ClientWire
import Foundation
import PhonePrograms

/// A phone that nobody here wrote: a library that a script in `Clients/` drives by lines of JSON.
final class ForeignClient {
    enum Kind: String {
        case linphone
        case pjsip
    }

    /// One thing that happened to it.
    struct Event: Decodable {
        var event: String
        var state: String?
        var text: String?
        var sender: String?
        var status: Int?
        var package: String?
        var body: String?
    }

    private let running: Running

    static let hasLinphone =
        Program.find("python3") != nil
        && ["/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib"].contains {
            FileManager.default.fileExists(atPath: $0 + "/liblinphone.so.10")
        }

    /// The Python that has PJSIP, nil when there is none.
    static let pjsipPython = python(with: "pjsua2")

    /// The Python of the tests, if it has a package.
    static func python(with package: String) -> String? {
        let root = Program.tests.deletingLastPathComponent().deletingLastPathComponent()
        let folder = root.appendingPathComponent(".build/web-tests")
        let packages = folder.path + "/lib"
        let versions = (try? FileManager.default.contentsOfDirectory(atPath: packages)) ?? []
        let hasPackage = versions.contains {
            FileManager.default.fileExists(atPath: "\(packages)/\($0)/site-packages/\(package)")
        }
        return hasPackage ? folder.path + "/bin/python" : nil
    }

    init(_ kind: Kind, _ account: PhoneAnswer, transport: String, port: Int) throws {
        let python = kind == .pjsip ? Self.pjsipPython : Program.find("python3")
        running = try Running(
            python ?? "python3",
            [
                "-B", Program.tests.appendingPathComponent("Clients/\(kind.rawValue).py").path,
                "\(account.address)", account.user, account.password, account.realm, "\(port)", transport,
            ]
        )
    }

    func end() { running.end() }

    var output: String { running.output }

    var events: [Event] {
        running.output.split(separator: "\n").filter { $0.hasPrefix("{") }.compactMap {
            try? JSONDecoder().decode(Event.self, from: Data($0.utf8))
        }
    }

    /// Waits until something of the sort happened.
    func waits(_ event: String, _ matches: @escaping (Event) -> Bool = { _ in true }) async throws -> Bool {
        try await eventually(within: 40) { self.events.contains { $0.event == event && matches($0) } }
    }

    func send(_ text: String, to address: String) { tell(["do": "send", "to": address, "text": text]) }

    func type(to address: String) { tell(["do": "type", "to": address]) }

    func read(_ text: String) { tell(["do": "read", "text": text]) }

    func watch(_ package: String) { tell(["do": "watch", "package": package]) }

    /// Calls, naming a dialog that this takes the place of.
    func call(_ address: String, replaces: String? = nil) {
        var command = ["do": "call", "to": address]
        command["replaces"] = replaces
        tell(command)
    }

    /// Hands the last call on.
    func refer(to address: String) { tell(["do": "refer", "to": address]) }

    /// The share of a tone in the last second of what its last call heard.
    func hears(_ frequency: Int) -> Double {
        guard let path = events.last(where: { $0.event == "recording" })?.text else { return 0 }
        return Recording(URL(fileURLWithPath: path)).share(of: frequency, seconds: 1)
    }

    private func tell(_ command: [String: String]) {
        guard let data = try? JSONEncoder().encode(command) else { return }
        running.write(String(decoding: data, as: UTF8.self))
    }
}
