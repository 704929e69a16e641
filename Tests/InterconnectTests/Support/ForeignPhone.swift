import Foundation
import NIOCore
import NIOPosix
import Synchronization
import Testing

/// A baresip at another provider: headless, with a tone for a voice; what it hears it records.
final class ForeignPhone: Sendable {
    static let isInstalled = FileManager.default.isExecutableFile(atPath: "/usr/bin/baresip")

    private let process: Int32
    private let folder: URL
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
    ///   - tone: what it says, in hertz.
    init(_ address: String, through proxy: Int, tone: Int) async throws {
        folder = FileManager.default.temporaryDirectory.appendingPathComponent("foreign-phone-\(UUID())")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        let control = try freePort()
        let config = """
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
            module_app ctrl_tcp.so
            ctrl_tcp_listen 127.0.0.1:\(control)
            audio_source ausine,\(tone)
            audio_player aubridge,x
            audio_alert aubridge,y
            ausrc_channels 2
            ausrc_srate 48000
            snd_path \(folder.path)

            """
        try config.write(to: folder.appendingPathComponent("config"), atomically: true, encoding: .utf8)
        let account = "<\(address);transport=tcp>;outbound=\"sip:127.0.0.1:\(proxy);transport=tcp\";regint=0\n"
        try account.write(to: folder.appendingPathComponent("accounts"), atomically: true, encoding: .utf8)
        let program = Process()
        program.executableURL = URL(fileURLWithPath: "/usr/bin/baresip")
        program.arguments = ["-4", "-s", "-f", folder.path]
        program.standardInput = Pipe()
        let log = folder.appendingPathComponent("log").path
        _ = FileManager.default.createFile(atPath: log, contents: nil)
        program.standardOutput = FileHandle(forWritingAtPath: log)
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

    /// A command of its menu: `dial`, `hangup`, `hold`, `resume`.
    func command(_ name: String, _ parameters: String = "") async throws {
        let text = "{\"command\":\"\(name)\",\"params\":\"\(parameters)\",\"token\":\"1\"}"
        try await channel.writeAndFlush(ByteBuffer(string: "\(text.utf8.count):\(text),")).get()
    }

    /// Waits for an event, such as `CALL_ESTABLISHED` and `CALL_CLOSED`.
    func sees(_ event: String, _ place: SourceLocation = #_sourceLocation) async throws {
        _ = try await eventually("\(event) at baresip", place) {
            listener.events.withLock { $0.contains("\"type\":\"\(event)\"") } ? true : nil
        }
    }

    func end() {
        channel.close(promise: nil)
        _ = kill(process, SIGKILL)
    }

    // Also when a test fails: it would play its tone for ever.
    deinit { _ = kill(process, SIGKILL) }

    /// How much of what it heard in the last second is at a frequency, from 0 to 1.
    func hears(_ frequency: Int) -> Double {
        let all = (try? FileManager.default.contentsOfDirectory(at: folder, includingPropertiesForKeys: nil)) ?? []
        let files = all.filter { $0.lastPathComponent.hasSuffix("dec.wav") }
        return files.compactMap { try? Data(contentsOf: $0) }.map { share(of: frequency, in: [UInt8]($0)) }.max() ?? 0
    }

    private func share(of frequency: Int, in bytes: [UInt8]) -> Double {
        guard bytes.count > 1000 else { return 0 }
        func number(_ at: Int, _ count: Int) -> Int { (0..<count).reduce(0) { $0 | Int(bytes[at + $1]) << (8 * $1) } }
        let (channels, rate) = (max(1, number(22, 2)), number(24, 4))
        let all = stride(from: 44, to: bytes.count - 1, by: 2 * channels).map { at in
            Double(Int16(truncatingIfNeeded: number(at, 2)))
        }
        return share(of: frequency, in: all.suffix(rate), rate: rate)
    }

    private func share(of frequency: Int, in samples: ArraySlice<Double>, rate: Int) -> Double {
        let total = samples.reduce(0) { $0 + $1 * $1 }
        guard samples.count > 400, total / Double(samples.count) > 100 else { return 0 }
        let step = 2 * Double.pi * Double(frequency) / Double(rate)
        var (real, imaginary) = (0.0, 0.0)
        for (index, sample) in samples.enumerated() {
            real += sample * cos(step * Double(index))
            imaginary += sample * sin(step * Double(index))
        }
        return 2 * (real * real + imaginary * imaginary) / (Double(samples.count) * total)
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
