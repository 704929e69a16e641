import ClientWire
import Foundation
import NIOCore
import NIOPosix
import PhonePrograms
import SIP
import Synchronization

/// A baresip that makes calls: headless, on the loopback interface, with a tone for a voice; what it hears it records.
final class BaresipPhone: Sendable {
    private let process: Int32
    private let settings: BaresipSettings
    private let channel: any Channel
    private let events: Mutex<String>

    private init(
        _ process: Int32,
        _ settings: BaresipSettings,
        _ channel: any Channel,
        _ listener: Listener
    ) {
        self.process = process
        self.settings = settings
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
        let control = try await freePort()
        var settings = BaresipSettings(
            provider.folder.appendingPathComponent("baresip-\(account.user)"),
            account: BaresipSettings.account(
                "\(account.address)",
                user: account.user,
                password: account.password,
                port: provider.port(transport == "udp" ? .udp : .tcp),
                transport: transport,
                answers: answers
            ),
            tone: tone,
            control: control
        )
        settings.showsSIP = true
        settings.hasVideo = video
        try settings.write()
        _ = FileManager.default.createFile(atPath: settings.log.path, contents: nil)
        let process = Process()
        process.executableURL = URL(fileURLWithPath: BaresipSettings.program)
        process.arguments = settings.arguments
        process.standardInput = Pipe()
        process.standardOutput = FileHandle(forWritingAtPath: settings.log.path)
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
        let phone = BaresipPhone(process.processIdentifier, settings, channel, listener)
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
    var output: String { (try? String(contentsOf: settings.log, encoding: .utf8)) ?? "" }

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

    /// How much of the last stretch of what it heard is at a frequency, from 0 to 1.
    func hears(_ frequency: Int, seconds: Double = 1) -> Double { settings.hears(frequency, seconds: seconds) }

    /// What its recordings are like, for a test that failed.
    var recorded: String {
        settings.recordings.map { recording in
            let tones = stride(from: 200, through: 2000, by: 100).map { tone in
                "\(tone): \(String(format: "%.2f", recording.share(of: tone, seconds: 1)))"
            }
            return "\(recording.file.lastPathComponent) \(tones)"
        }.joined(separator: "\n")
    }
}
