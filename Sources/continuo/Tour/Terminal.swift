import ClientWire
import ContinuoClient
import Foundation
import MessagingCore
import SessionCore

/// What a terminal printed with `--json`.
struct Heard: Decodable, Sendable {
    var event: String
    var item: ItemDocument?
    var text: String?
    var from: Address?
    var ordinal: Ordinal?
    var session: SessionDocument?
}

/// `continuo watch` or `continuo chat` of one device, as long as it runs.
struct Terminal: Sendable {
    let device: String
    private let companion: Companion

    init(_ command: [String], device: String, home: String) throws {
        self.device = device
        companion = try Companion(
            TourProvider.program,
            command + ["--json", "--device", device],
            environment: ["XDG_DATA_HOME": home],
            output: "\(home)/\(device)-\(UUID().uuidString.prefix(8)).log"
        )
    }

    var isRunning: Bool { companion.isRunning }

    var heard: [Heard] { companion.lines.compactMap { try? StrictJSON.decode(Heard.self, from: Data($0.utf8)) } }

    /// The texts of a conversation, in the order in which they were printed.
    var said: [String] { heard.filter { $0.event == "said" }.compactMap(\.text) }

    func type(_ line: String) throws { try companion.type(line) }

    /// Waits for something to be printed.
    @discardableResult
    func hear(
        _ event: String,
        _ what: String,
        isolation: isolated (any Actor)? = #isolation,
        where matches: (Heard) -> Bool = { _ in true }
    ) async throws -> Heard {
        try await eventually("\(device): \(what)") {
            guard companion.isRunning else { throw TourFailure("\(device) has ended: \(companion.text.suffix(300))") }
            return heard.first { $0.event == event && matches($0) }
        }
    }

    func end() { companion.end(SIGTERM) }
}
