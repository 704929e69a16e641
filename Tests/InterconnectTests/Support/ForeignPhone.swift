import Foundation
import NIOCore
import NIOPosix
import PhonePrograms
import Synchronization
import Testing

/// A baresip at another provider: headless, with a tone for a voice; what it hears it records.
final class ForeignPhone: Sendable {
    static let isInstalled = BaresipSettings.isInstalled

    private let process: Int32
    private let settings: BaresipSettings
    private let channel: any Channel
    private let listener: Listener

    private final class Listener: ChannelInboundHandler, Sendable {
        typealias InboundIn = ByteBuffer
        let events = Mutex("")

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            let text = String(buffer: Self.unwrapInboundIn(data))
            events.withLock { $0 += text }
        }
    }

    /// - Parameters:
    ///   - proxy: where it sends its calls, by TCP.
    ///   - port: where it listens.
    ///   - tone: what it says, in hertz.
    convenience init(_ address: String, through proxy: Int, port: Int = 0, tone: Int) async throws {
        let account = "<\(address);transport=tcp>;outbound=\"sip:127.0.0.1:\(proxy);transport=tcp\";regint=0"
        try await self.init(account: account, port: port, tone: tone)
    }

    /// One with any account.
    init(account: String, port: Int = 0, tone: Int) async throws {
        let control = try freePort()
        var settings = BaresipSettings(
            FileManager.default.temporaryDirectory.appendingPathComponent("foreign-phone-\(UUID())"),
            account: account,
            tone: tone,
            control: control
        )
        settings.port = port
        try settings.write()
        self.settings = settings
        let program = Process()
        program.executableURL = URL(fileURLWithPath: BaresipSettings.program)
        program.arguments = settings.arguments
        program.standardInput = Pipe()
        _ = FileManager.default.createFile(atPath: settings.log.path, contents: nil)
        program.standardOutput = FileHandle(forWritingAtPath: settings.log.path)
        program.standardError = program.standardOutput
        try program.run()
        process = program.processIdentifier
        let listener = Listener()
        self.listener = listener
        channel = try await eventually("baresip listens") {
            try? await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
                .channelInitializer { $0.pipeline.addHandler(listener) }
                .connect(host: "127.0.0.1", port: control).get()
        }
    }

    /// A command of its menu: `dial`, `accept`, `hangup`, `hold`, `resume`.
    func command(_ name: String, _ parameters: String = "") async throws {
        let text = "{\"command\":\"\(name)\",\"params\":\"\(parameters)\",\"token\":\"1\"}"
        try await channel.writeAndFlush(ByteBuffer(string: "\(text.utf8.count):\(text),")).get()
    }

    /// Waits for an event, such as `CALL_ESTABLISHED` and `CALL_CLOSED`.
    func sees(_ event: String, _ place: SourceLocation = #_sourceLocation) async throws {
        _ = try await eventually("\(event) at baresip", place) { count(event) > 0 ? true : nil }
    }

    /// The events that it has told of, and how often one of them.
    var told: String { listener.events.withLock { $0 } }
    func count(_ event: String) -> Int { told.ranges(of: "\"type\":\"\(event)\"").count }

    func end() {
        channel.close(promise: nil)
        _ = kill(process, SIGKILL)
    }

    // Also when a test fails: it would play its tone for ever.
    deinit { _ = kill(process, SIGKILL) }

    /// Waits until nearly all that it heard in the last second is at a frequency. It looks now and then: to listen costs more
    /// than to wait.
    func hears(_ frequency: Int, _ place: SourceLocation = #_sourceLocation) async throws {
        _ = try await eventually("\(frequency) Hz at baresip", place) {
            if settings.hears(frequency) > 0.8 { return true }
            try await Task.sleep(for: .milliseconds(200))
            return nil as Bool?
        }
    }
}

/// The media of a device of ours: RTP with G.711 on a socket of its own.
final class VoiceSocket: ChannelInboundHandler, Sendable {
    typealias InboundIn = AddressedEnvelope<ByteBuffer>

    /// Packets of PCMU that came, and who sent the last one.
    private let heard = Mutex((packets: 0, other: nil as SocketAddress?))
    private let channel = Mutex<(any Channel)?>(nil)

    func open() async throws -> Int {
        let bound = try await DatagramBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .channelInitializer { $0.pipeline.addHandler(self) }
            .bind(host: "127.0.0.1", port: 0).get()
        channel.withLock { $0 = bound }
        return bound.localAddress?.port ?? 0
    }

    var packets: Int { heard.withLock { $0.packets } }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let envelope = Self.unwrapInboundIn(data)
        // RTP of version 2 with PCMU and 20 ms in it (RFC 3550, RFC 3551).
        let bytes = Array(envelope.data.readableBytesView)
        guard bytes.count == 172, bytes[0] >> 6 == 2, bytes[1] & 0x7F == 0 else { return }
        heard.withLock { $0 = ($0.packets + 1, envelope.remoteAddress) }
    }

    /// Says a tone to whoever is heard, until the task is cancelled.
    func says(_ frequency: Int) async {
        var (number, time) = (UInt16(1), UInt32(0))
        while !Task.isCancelled {
            if let other = heard.withLock({ $0.other }), let channel = channel.withLock({ $0 }) {
                var packet = ByteBuffer()
                packet.writeBytes([0x80, 0x00])
                packet.writeInteger(number)
                packet.writeInteger(time)
                packet.writeInteger(UInt32(0x1234_5678))
                for index in 0..<160 {
                    let angle = 2 * Double.pi * Double(frequency) * Double(Int(time) + index) / 8000
                    packet.writeInteger(Self.muLaw(Int(8000 * sin(angle))))
                }
                channel.writeAndFlush(AddressedEnvelope(remoteAddress: other, data: packet), promise: nil)
                number &+= 1
                time &+= 160
            }
            try? await Task.sleep(for: .milliseconds(20))
        }
    }

    /// A sample as G.711 has it.
    private static func muLaw(_ sample: Int) -> UInt8 {
        let magnitude = min(abs(sample), 32_635) + 132
        let exponent = max(0, Int(log2(Double(magnitude))) - 7)
        let mantissa = magnitude >> (exponent + 3) & 0x0F
        return ~UInt8((sample < 0 ? 0x80 : 0) | exponent << 4 | mantissa)
    }

    func close() async throws { try await channel.withLock { $0 }?.close() }
}
