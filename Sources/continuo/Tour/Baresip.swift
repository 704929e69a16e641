import ClientWire
import Foundation
import PhonePrograms

/// A SIP phone that nobody here wrote: baresip, without a screen or a sound card. In a call it says a tone, and records
/// what it hears.
final class Baresip: Sendable {
    static let program = BaresipSettings.program

    /// What it says, in hertz.
    let tone: Int
    private let settings: BaresipSettings
    private let companion: Companion

    init(_ account: PhoneAnswer, port: Int, tone: Int, folder: String) throws {
        self.tone = tone
        settings = BaresipSettings(
            URL(fileURLWithPath: "\(folder)/baresip-\(tone)"),
            account: BaresipSettings.account(
                "\(account.address)",
                user: account.user,
                password: account.password,
                port: port,
                refresh: 10
            ),
            tone: tone
        )
        try settings.write()
        companion = try Companion(Self.program, settings.arguments, output: settings.log.path)
    }

    /// What it shows.
    var shows: String { companion.text }

    /// Types a command of its menu, such as `dial`, `accept`, `transfer`, `hangup`.
    func command(_ line: String) throws { try companion.type("/\(line)") }

    func end() { companion.end() }

    /// Whether most of the last half second that it heard is another phone's tone.
    func hears(_ other: Baresip) -> Bool { settings.hears(other.tone, seconds: 0.5) > 0.8 }
}
