import ClientWire
import Foundation

/// A SIP phone that nobody here wrote: baresip, without a screen or a sound card. In a call it says a tone, and records
/// what it hears.
final class Baresip: Sendable {
    static let program = "/usr/bin/baresip"

    /// What it says, in hertz.
    let tone: Int
    private let companion: Companion
    private let home: String

    init(_ account: PhoneAnswer, port: Int, tone: Int, folder: String) throws {
        self.tone = tone
        home = folder + "/baresip-\(tone)"
        try FileManager.default.createDirectory(atPath: home, withIntermediateDirectories: true)
        let modules = """
            sip_listen 127.0.0.1:0
            net_interface 127.0.0.1
            module_path /usr/lib/baresip/modules
            module stdio.so
            module g711.so
            module ausine.so
            module aubridge.so
            module sndfile.so
            module_app account.so
            module_app menu.so
            audio_source ausine,\(tone)
            audio_player aubridge,x
            audio_alert aubridge,y
            ausrc_channels 2
            ausrc_srate 48000
            snd_path \(home)

            """
        try modules.write(toFile: home + "/config", atomically: true, encoding: .utf8)
        let line =
            "<\(account.address);transport=udp>;auth_user=\(account.user);auth_pass=\(account.password)"
            + ";outbound=\"sip:127.0.0.1:\(port);transport=udp\";regint=10\n"
        try line.write(toFile: home + "/accounts", atomically: true, encoding: .utf8)
        companion = try Companion(Self.program, ["-4", "-f", home], output: home + "/log")
    }

    /// What it shows.
    var shows: String { companion.text }

    /// Types a command of its menu, such as `dial`, `accept`, `transfer`, `hangup`.
    func command(_ line: String) throws { try companion.type("/\(line)") }

    func end() { companion.end() }

    /// Whether most of the last half second that it heard is another phone's tone.
    func hears(_ other: Baresip) -> Bool {
        let files = (try? FileManager.default.contentsOfDirectory(atPath: home)) ?? []
        return files.filter { $0.hasSuffix("dec.wav") }.contains { file in
            Recording(path: "\(home)/\(file)")?.share(of: other.tone) ?? 0 > 0.8
        }
    }
}

/// The end of a file of 16-bit samples that is still being written.
private struct Recording {
    private static let headerBytes = 44
    private static let seconds = 0.5
    private let samples: [Double]
    private let rate: Double

    init?(path: String) {
        guard let data = FileManager.default.contents(atPath: path), data.count > Self.headerBytes else { return nil }
        let bytes = [UInt8](data)
        func number(_ at: Int, _ count: Int) -> Int {
            (0..<count).reduce(0) { $0 | Int(bytes[at + $1]) << (8 * $1) }
        }
        let channels = max(1, number(22, 2))
        rate = Double(number(24, 4))
        let all = stride(from: Self.headerBytes, to: bytes.count - 1, by: 2 * channels).map { at in
            Double(Int16(truncatingIfNeeded: number(at, 2)))
        }
        samples = Array(all.suffix(Int(rate * Self.seconds)))
        guard samples.count > 400 else { return nil }
    }

    /// The share of the energy that is at one frequency, from 0 to 1; 0 for silence.
    func share(of frequency: Int) -> Double {
        let total = samples.reduce(0) { $0 + $1 * $1 }
        guard total / Double(samples.count) > 100 else { return 0 }
        let step = 2 * Double.pi * Double(frequency) / rate
        var (real, imaginary) = (0.0, 0.0)
        for (index, sample) in samples.enumerated() {
            real += sample * cos(step * Double(index))
            imaginary += sample * sin(step * Double(index))
        }
        return 2 * (real * real + imaginary * imaginary) / (Double(samples.count) * total)
    }
}
