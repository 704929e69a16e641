import ClientWire
import Foundation
import NIOCore
import NIOPosix
import SIP
import Synchronization

/// A baresip that makes calls: headless, on the loopback interface, with a tone for a voice; what it hears it records.
final class BaresipPhone: Sendable {
    private let process: Int32
    private let log: String
    private let folder: URL
    private let channel: any Channel
    private let events: Mutex<String>

    private init(
        _ process: Int32,
        _ log: String,
        _ folder: URL,
        _ channel: any Channel,
        _ listener: Listener
    ) {
        self.process = process
        self.log = log
        self.folder = folder
        self.channel = channel
        events = Mutex("")
        listener.phone.withLock { $0 = self }
    }

    /// Starts it, and waits until it is registered.
    /// - Parameters:
    ///   - tone: what it says, in hertz.
    ///   - answers: whether it takes every call at once.
    static func start(
        _ account: PhoneAnswer,
        at provider: Provider,
        tone: Int,
        answers: Bool = false,
        transport: String = "udp",
        video: Bool = false
    ) async throws -> BaresipPhone {
        let folder = provider.folder.appendingPathComponent("baresip-\(account.user)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        let control = try await freePort()
        let videoModules = video ? "module vp8.so\nmodule fakevideo.so\n" : ""
        let videoSettings = video ? "video_source fakevideo,nil\nvideo_display fakevideo,nil\n" : ""
        let config = """
            sip_listen 127.0.0.1:0
            net_interface 127.0.0.1
            module_path /usr/lib/baresip/modules
            module stdio.so
            module g711.so
            module ausine.so
            module aubridge.so
            module sndfile.so
            \(videoModules)module_app account.so
            module_app menu.so
            module_app ctrl_tcp.so
            ctrl_tcp_listen 127.0.0.1:\(control)
            audio_source ausine,\(tone)
            audio_player aubridge,x
            audio_alert aubridge,y
            ausrc_channels 2
            ausrc_srate 48000
            \(videoSettings)snd_path \(folder.path)
            call_max_calls 4

            """
        try config.write(to: folder.appendingPathComponent("config"), atomically: true, encoding: .utf8)
        let kind = transport == "udp" ? provider.port(.udp) : provider.port(.tcp)
        let line =
            "<\(account.address);transport=\(transport)>;auth_user=\(account.user);auth_pass=\(account.password)"
            + ";outbound=\"sip:127.0.0.1:\(kind);transport=\(transport)\";regint=600"
            + ";answermode=\(answers ? "auto" : "manual")\n"
        try line.write(to: folder.appendingPathComponent("accounts"), atomically: true, encoding: .utf8)
        let log = folder.appendingPathComponent("log").path
        _ = FileManager.default.createFile(atPath: log, contents: nil)
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/baresip")
        process.arguments = ["-4", "-s", "-f", folder.path]
        process.standardInput = Pipe()
        process.standardOutput = FileHandle(forWritingAtPath: log)
        process.standardError = process.standardOutput
        try process.run()
        let listener = Listener()
        var channel: (any Channel)?
        for _ in 0..<200 where channel == nil {
            channel = try? await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
                .channelInitializer { $0.pipeline.addHandler(listener) }
                .connect(host: "127.0.0.1", port: control).get()
            if channel == nil { try await Task.sleep(for: .milliseconds(50)) }
        }
        guard let channel else {
            _ = kill(process.processIdentifier, SIGKILL)
            throw NotInTime()
        }
        let phone = BaresipPhone(process.processIdentifier, log, folder, channel, listener)
        guard
            try await eventually({
                phone.output.contains("200 OK (1 binding") || phone.output.contains("[1 binding]")
                    || phone.output.contains("SIP/2.0 200 OK")
            })
        else {
            phone.end()
            throw NotInTime()
        }
        return phone
    }

    private static func freePort() async throws -> Int {
        let server = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .bind(host: "127.0.0.1", port: 0).get()
        let port = server.localAddress?.port ?? 0
        try await server.close()
        return port
    }

    final class Listener: ChannelInboundHandler, Sendable {
        typealias InboundIn = ByteBuffer
        let phone = Mutex<BaresipPhone?>(nil)

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            let text = String(buffer: Self.unwrapInboundIn(data))
            phone.withLock { phone in phone?.events.withLock { $0 += text } }
        }
    }

    /// A command of its menu: `dial`, `accept`, `hangup`, `hold`, `resume`.
    func command(_ name: String, _ parameters: String = "") async throws {
        let text = "{\"command\":\"\(name)\",\"params\":\"\(parameters)\",\"token\":\"1\"}"
        try await channel.writeAndFlush(ByteBuffer(string: "\(text.utf8.count):\(text),")).get()
    }

    /// Everything that it printed, its SIP among it.
    var output: String { (try? String(contentsOfFile: log, encoding: .utf8)) ?? "" }

    /// How often an event of a type came, such as `CALL_INCOMING`, `CALL_ESTABLISHED`, `CALL_CLOSED`.
    func count(_ event: String) -> Int {
        events.withLock { $0.components(separatedBy: "\"type\":\"\(event)\"").count - 1 }
    }

    func sees(_ event: String, _ times: Int = 1) async throws -> Bool {
        try await eventually(within: 40) { self.count(event) >= times }
    }

    func end() {
        channel.close(promise: nil)
        _ = kill(process, SIGKILL)
    }

    // MARK: What it heard

    /// Recordings of what came, newest last.
    private var recordings: [URL] {
        let all = (try? FileManager.default.contentsOfDirectory(at: folder, includingPropertiesForKeys: nil)) ?? []
        return all.filter { $0.lastPathComponent.hasSuffix("dec.wav") }.sorted { $0.path < $1.path }
    }

    /// How many samples of a tone's strength are in the last stretch of what it heard: the share of the energy at that
    /// frequency, from 0 to 1, in the last `seconds`.
    func hears(_ frequency: Int, seconds: Double = 1) -> Double {
        recordings.map { Self.share(of: frequency, in: $0, seconds: seconds) }.max() ?? 0
    }

    /// What its recordings are like, for a test that failed.
    var recorded: String {
        recordings.map { file in
            let data = (try? Data(contentsOf: file)) ?? Data()
            let tones = stride(from: 200, through: 2000, by: 100).map { tone in
                "\(tone): \(String(format: "%.2f", Self.share(of: tone, in: file, seconds: 1)))"
            }
            return "\(file.lastPathComponent) \(data.count) \(data.prefix(48).map { String($0) }) \(tones)"
        }.joined(separator: "\n")
    }

    static func share(of frequency: Int, in file: URL, seconds: Double) -> Double {
        guard let data = try? Data(contentsOf: file), data.count > 1000 else { return 0 }
        let bytes = [UInt8](data)
        func number(_ at: Int, _ count: Int) -> Int {
            (0..<count).reduce(0) { $0 | Int(bytes[at + $1]) << (8 * $1) }
        }
        let (channels, rate) = (max(1, number(22, 2)), number(24, 4))
        var samples: [Double] = []
        var index = 44
        while index + 1 < bytes.count {
            samples.append(Double(Int16(truncatingIfNeeded: number(index, 2))))
            index += 2 * channels
        }
        samples = Array(samples.suffix(Int(Double(rate) * seconds)))
        guard samples.count > 400 else { return 0 }
        let total = samples.reduce(0) { $0 + $1 * $1 }
        guard total / Double(samples.count) > 100 else { return 0 }
        let step = 2 * Double.pi * Double(frequency) / Double(rate)
        var (real, imaginary) = (0.0, 0.0)
        for (index, sample) in samples.enumerated() {
            real += sample * cos(step * Double(index))
            imaginary += sample * sin(step * Double(index))
        }
        return 2 * (real * real + imaginary * imaginary) / (Double(samples.count) * total)
    }
}
