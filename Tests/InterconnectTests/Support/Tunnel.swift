import NIOCore
import NIOPosix
import NIOSSL
import Synchronization

/// TLS on one side, plain TCP on the other, for programs that speak no TLS: the same octets, and a copy of them for a
/// capture file.
final class Tunnel: Sendable {
    private let channel: any Channel
    private let links: Links
    let capture: Capture

    private init(_ channel: any Channel, _ links: Links, _ capture: Capture) {
        self.channel = channel
        self.links = links
        self.capture = capture
    }

    var port: Int { channel.localAddress?.port ?? 0 }

    /// Takes TLS connections with these certificates, and carries each on to a port.
    /// - Parameter proxy: the port by which calls that came in come back, as by a proxy that stays in their way
    ///   (Record-Route).
    static func inward(
        _ files: (certificate: String, key: String),
        to port: Int,
        capturing kind: Capture.Kind = .sip,
        proxy: Int? = nil
    ) async throws -> Tunnel {
        let context = try await context(files, isServer: true)
        return try await start(kind, proxy: { _ in proxy }) { channel in
            try channel.pipeline.syncOperations.addHandler(NIOSSLServerHandler(context: context))
        } onward: { loop in
            ClientBootstrap(group: loop).connect(host: "127.0.0.1", port: port)
        }
    }

    /// Carries plain connections on to a port as they are: only to have what goes through.
    static func plain(to port: Int) async throws -> Tunnel {
        try await start(.sip, proxy: { _ in nil }) { _ in
        } onward: { loop in
            ClientBootstrap(group: loop).connect(host: "127.0.0.1", port: port)
        }
    }

    /// Takes plain connections, and carries each on to a port in TLS with these certificates.
    /// - Parameter isProxy: it stays in the way of calls, as a proxy does for telephones that cannot reach the other side
    ///   themselves (Record-Route).
    static func outward(
        _ files: (certificate: String, key: String),
        to port: Int,
        name: String,
        isProxy: Bool = false
    ) async throws -> Tunnel {
        let context = try await context(files, isServer: false)
        return try await start(.sip, proxy: { isProxy ? $0.localAddress?.port : nil }) { _ in
        } onward: { loop in
            ClientBootstrap(group: loop).channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(
                        NIOSSLClientHandler(context: context, serverHostname: name)
                    )
                }
            }.connect(host: "127.0.0.1", port: port)
        }
    }

    private static func context(
        _ files: (certificate: String, key: String),
        isServer: Bool
    ) async throws -> NIOSSLContext {
        let chain = try NIOSSLCertificate.fromPEMFile(files.certificate).map { NIOSSLCertificateSource.certificate($0) }
        let key = NIOSSLPrivateKeySource.privateKey(try NIOSSLPrivateKey(file: files.key, format: .pem))
        var settings =
            isServer
            ? TLSConfiguration.makeServerConfiguration(certificateChain: chain, privateKey: key)
            : TLSConfiguration.makeClientConfiguration()
        settings.certificateChain = chain
        settings.privateKey = key
        settings.trustRoots = .file(try await Authority.shared.root())
        settings.certificateVerification = .noHostnameVerification
        return try NIOSSLContext(configuration: settings)
    }

    private static func start(
        _ kind: Capture.Kind,
        proxy: @escaping @Sendable (any Channel) -> Int?,
        secure: @escaping @Sendable (any Channel) throws -> Void,
        onward: @escaping @Sendable (any EventLoop) -> EventLoopFuture<any Channel>
    ) async throws -> Tunnel {
        let capture = Capture(kind)
        let links = Links()
        let group = MultiThreadedEventLoopGroup.singleton
        let channel = try await ServerBootstrap(group: group)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture { try secure(channel) }.flatMap {
                    onward(channel.eventLoop).flatMapThrowing { other in
                        links.add(channel, other)
                        let (first, second) = (
                            Glue(
                                to: other,
                                capture,
                                isFromClient: true,
                                proxy: proxy(channel)
                            ),
                            Glue(to: channel, capture, isFromClient: false)
                        )
                        try channel.pipeline.syncOperations.addHandler(first)
                        try other.pipeline.syncOperations.addHandler(second)
                    }
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        return Tunnel(channel, links, capture)
    }

    /// Cuts what is open; new connections go through.
    func cut() { links.close() }

    func close() async {
        try? await channel.close()
        cut()
    }
}

private final class Links: Sendable {
    private let channels = Mutex<[any Channel]>([])

    func add(_ one: any Channel, _ other: any Channel) { channels.withLock { $0 += [one, other] } }

    func close() {
        for channel in channels.withLock({ channels in
            defer { channels = [] }
            return channels
        }) { channel.close(promise: nil) }
    }
}

private final class Glue: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let other: any Channel
    private let capture: Capture
    private let isFromClient: Bool

    /// The port that stands in calls as that of a proxy.
    private let proxy: Int?

    init(to other: any Channel, _ capture: Capture, isFromClient: Bool, proxy: Int? = nil) {
        self.proxy = proxy
        self.other = other
        self.capture = capture
        self.isFromClient = isFromClient
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var bytes = unwrapInboundIn(data)
        if let proxy, case let text = String(buffer: bytes), text.hasPrefix("INVITE "),
            let line = text.firstIndex(of: "\r\n")
        {
            let route = "\r\nRecord-Route: <sip:127.0.0.1:\(proxy);transport=tcp;lr>"
            bytes = ByteBuffer(string: text[..<line] + route + text[line...])
        }
        capture.add(bytes, isFromClient: isFromClient)
        other.writeAndFlush(bytes, promise: nil)
    }

    func channelInactive(context: ChannelHandlerContext) { other.close(promise: nil) }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
}

/// What went through a tunnel, as a capture file (raw IPv4, link type 101), a segment for each message.
final class Capture: Sendable {
    enum Kind: Sendable {
        case sip
        case msrp
    }

    private struct State {
        var bytes: [UInt8]
        var count = 0
        var pending: [Bool: [UInt8]] = [:]
        var sent: [Bool: UInt32] = [false: 1, true: 1]
    }

    /// An IPv4 packet holds no more.
    private static let longest = 65_000

    private let kind: Kind
    private let state: Mutex<State>

    init(_ kind: Kind) {
        self.kind = kind
        var file = ByteBuffer()
        file.writeInteger(UInt32(0xA1B2_C3D4))
        file.writeMultipleIntegers(UInt16(2), UInt16(4), UInt64(0), UInt32(65_535), UInt32(101))
        state = Mutex(State(bytes: Array(file.readableBytesView)))
    }

    /// The file so far, and how many segments are in it.
    var file: (bytes: [UInt8], count: Int) { state.withLock { ($0.bytes, $0.count) } }

    /// Takes what went one way.
    func add(_ buffer: ByteBuffer, isFromClient: Bool) {
        state.withLock { state in
            state.pending[isFromClient, default: []] += Array(buffer.readableBytesView)
            // What is no message is no matter for a decoder.
            guard state.pending[isFromClient, default: []].count <= Self.longest else {
                state.pending[isFromClient] = []
                return
            }
            while let message = take(&state.pending[isFromClient, default: []]) {
                write(message, isFromClient, &state)
            }
        }
    }

    /// A whole message: a decoder of single segments reads no more than one from each.
    private func take(_ bytes: inout [UInt8]) -> [UInt8]? {
        let text = String(decoding: bytes, as: UTF8.self)
        var end: Int?
        switch kind {
        case .sip:
            while bytes.starts(with: [13, 10]) { bytes.removeFirst(2) }
            guard let head = text.firstRange(of: "\r\n\r\n") else { return nil }
            let length =
                text[..<head.lowerBound].split(separator: "\r\n").first { $0.lowercased().hasPrefix("content-length") }
                .flatMap { Int($0.split(separator: ":").last?.filter(\.isNumber) ?? "") } ?? 0
            end = text[..<head.upperBound].utf8.count + length
        case .msrp:
            let words = text.split(separator: " ", maxSplits: 2)
            guard words.count > 2 else { return nil }
            for flag in ["$", "+", "#"] {
                if let found = text.firstRange(of: "-------\(words[1])\(flag)\r\n") {
                    end = text[..<found.upperBound].utf8.count
                }
            }
        }
        guard let end, bytes.count >= end else { return nil }
        defer { bytes.removeFirst(end) }
        return Array(bytes[..<end])
    }

    private func write(_ payload: [UInt8], _ isFromClient: Bool, _ state: inout State) {
        state.count += 1
        let length = 40 + payload.count
        var packet = ByteBuffer()
        packet.writeMultipleIntegers(UInt32(state.count), UInt32(0), UInt32(length), UInt32(length))
        packet.writeBytes([0x45, 0, UInt8(length >> 8), UInt8(length & 255), 0, 0, 0, 0, 64, 6, 0, 0])
        let (client, server): ([UInt8], [UInt8]) = ([192, 0, 2, 1], [192, 0, 2, 2])
        packet.writeBytes(isFromClient ? client + server : server + client)
        let port: UInt16 = kind == .sip ? 5060 : 2855
        packet.writeInteger(isFromClient ? 40_000 : port)
        packet.writeInteger(isFromClient ? port : 40_000)
        packet.writeMultipleIntegers(state.sent[isFromClient] ?? 1, state.sent[!isFromClient] ?? 1)
        // Header of 20 octets; PSH and ACK; window; no checksum; not urgent.
        packet.writeMultipleIntegers(UInt8(0x50), UInt8(0x18), UInt16(65_535), UInt16(0), UInt16(0))
        packet.writeBytes(payload)
        state.sent[isFromClient, default: 1] += UInt32(payload.count)
        state.bytes += Array(packet.readableBytesView)
    }
}
