import Foundation
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL
import NIOWebSocket
import Synchronization

/// One connected device of the load: acknowledges what it is sent, and keeps messages in flight if it sends.
///
/// Bound to its event loop. It looks for the few fields it needs instead of decoding frames, so that the load costs
/// less than the server it measures.
final class LoadDevice: ChannelInboundHandler, @unchecked Sendable {
    typealias InboundIn = WebSocketFrame
    typealias OutboundOut = WebSocketFrame

    /// What a run counts; shared by the devices of one loop.
    final class Counters: @unchecked Sendable {
        var answered = 0
        var refused = 0
        var delivered = 0
        var latencies: [Double] = []
        var measures = false
        var started = 0
        /// No message is started beyond so many.
        var goal = 0

        func reset() {
            answered = 0
            refused = 0
            delivered = 0
            started = 0
            latencies = []
        }
    }

    let token: String
    let cursor: String?
    let counters: Counters
    /// Makes messages; nil for a device that only receives.
    var maker: MessageMaker?
    var inFlight = 4
    private var ref = 0
    private var sentAt: [Int: UInt64] = [:]
    private var context: ChannelHandlerContext?
    private var isUnflushed = false
    private(set) var received = 0
    /// Is shown every frame of changes, as it came.
    var observer: (@Sendable (String) -> Void)?
    let welcomed: EventLoopPromise<Void>
    /// Succeeds when a `level` mark at or above the head arrives.
    let caughtUp: EventLoopPromise<Void>
    private var head: Int64?
    private(set) var position: Int64 = 0
    private(set) var epoch = ""

    init(token: String, cursor: String? = nil, counters: Counters, loop: any EventLoop) {
        self.token = token
        self.cursor = cursor
        self.counters = counters
        welcomed = loop.makePromise()
        caughtUp = loop.makePromise()
    }

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        let cursor = cursor.map { ",\"cursor\":\($0)" } ?? ""
        write("{\"hello\":{\"token\":\"\(token)\"\(cursor)}}")
        context.flush()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let frame = unwrapInboundIn(data)
        switch frame.opcode {
        case .text: text(frame.unmaskedData)
        case .ping:
            let pong = WebSocketFrame(fin: true, opcode: .pong, maskKey: .random(), data: frame.unmaskedData)
            context.writeAndFlush(wrapOutboundOut(pong), promise: nil)
        case .connectionClose:
            var data = frame.unmaskedData
            let code = data.readWebSocketErrorCode()
            let failure = ServerUnderTest.Failure(
                description: "the server closed: \(String(describing: code)) \(String(buffer: data))"
            )
            welcomed.fail(failure)
            caughtUp.fail(failure)
        default: break
        }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        if isUnflushed {
            isUnflushed = false
            context.flush()
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        self.context = nil
        let failure = ServerUnderTest.Failure(description: "the connection ended")
        welcomed.fail(failure)
        caughtUp.fail(failure)
    }

    private func text(_ buffer: ByteBuffer) {
        let view = buffer.readableBytesView
        guard view.count > 4 else { return }
        switch view[view.startIndex + 2] {
        case UInt8(ascii: "c"):
            guard let upTo = number(after: "\"upTo\":", in: view) else { return }
            let items = Self.items(in: buffer)
            observer?(String(buffer: buffer))
            counters.delivered += items
            received += items
            position = upTo
            let level = number(after: "\"level\":", in: view)
            write(level.map { "{\"ack\":\(upTo),\"level\":\($0)}" } ?? "{\"ack\":\(upTo)}")
            if let head, let level, level >= head { caughtUp.succeed() }
        case UInt8(ascii: "w"):
            head = first("\"head\":", in: String(buffer: buffer))
            epoch = Self.text("\"epoch\":\"", in: String(buffer: buffer)) ?? ""
            welcomed.succeed()
        case UInt8(ascii: "s"), UInt8(ascii: "r"), UInt8(ascii: "p"):
            answer(String(buffer: buffer))
        default: break
        }
    }

    private func answer(_ text: String) {
        guard !text.hasPrefix("{\"reset\"") else {
            if text.hasSuffix("\"last\":true}}"), let asOf = first("\"asOf\":", in: text) {
                position = asOf
                write("{\"ack\":\(asOf)}")
            }
            return
        }
        guard let ref = first("\"ref\":", in: text), let start = sentAt.removeValue(forKey: Int(ref)) else { return }
        if text.contains("\"problem\"") { counters.refused += 1 } else { counters.answered += 1 }
        if counters.measures {
            counters.latencies.append(Double(DispatchTime.now().uptimeNanoseconds - start) / 1e6)
        }
        sendNext()
    }

    /// Sends one message, whatever the counters' goal; called on the loop.
    func sendOne() {
        guard let maker else { return }
        ref += 1
        sentAt[ref] = DispatchTime.now().uptimeNanoseconds
        write("{\"ref\":\(ref),\"send\":\(maker.body())}")
        context?.flush()
    }

    /// Starts sending; called on the loop.
    func start() {
        for _ in 0..<inFlight { sendNext() }
        context?.flush()
    }

    /// Sends one message more if the counters' goal allows it and not too many wait for an answer; called on the loop.
    func sendOneMore() {
        guard sentAt.count < inFlight else { return }
        sendNext()
        context?.flush()
    }

    private func sendNext() {
        guard let maker, counters.started < counters.goal else { return }
        counters.started += 1
        ref += 1
        let body = maker.body()
        sentAt[ref] = DispatchTime.now().uptimeNanoseconds
        write("{\"ref\":\(ref),\"send\":\(body)}")
    }

    private func write(_ text: String) {
        guard let context else { return }
        isUnflushed = true
        let frame = WebSocketFrame(
            fin: true,
            opcode: .text,
            maskKey: .random(),
            data: context.channel.allocator.buffer(string: text)
        )
        context.write(wrapOutboundOut(frame), promise: nil)
    }

    func close() { context?.close(promise: nil) }

    /// How many items a frame of changes carries.
    private static func items(in buffer: ByteBuffer) -> Int {
        let mark: StaticString = "{\"changed\":"
        return buffer.withUnsafeReadableBytes { bytes in
            guard let base = bytes.baseAddress else { return 0 }
            var count = 0
            var position = 0
            while let found = memchr(base + position, CInt(mark.utf8Start.pointee), bytes.count - position) {
                let start = base.distance(to: UnsafeRawPointer(found))
                let matches =
                    bytes.count - start >= mark.utf8CodeUnitCount
                    && memcmp(found, mark.utf8Start, mark.utf8CodeUnitCount) == 0
                if matches { count += 1 }
                position = start + 1
            }
            return count
        }
    }

    /// The number after the last occurrence of a key near the frame's end.
    private func number(after key: StaticString, in view: ByteBufferView) -> Int64? {
        let length = key.utf8CodeUnitCount
        var index = view.endIndex - length
        let lowest = max(view.startIndex, view.endIndex - 80)
        while index >= lowest {
            let matches = key.withUTF8Buffer { key in
                for offset in 0..<length where view[index + offset] != key[offset] { return false }
                return true
            }
            if matches {
                var value: Int64 = 0
                var position = index + length
                while position < view.endIndex, (48...57).contains(view[position]) {
                    value = value * 10 + Int64(view[position] - 48)
                    position += 1
                }
                return value
            }
            index -= 1
        }
        return nil
    }

    private func first(_ key: String, in text: String) -> Int64? {
        guard let range = text.range(of: key) else { return nil }
        return Int64(text[range.upperBound...].prefix { $0.isNumber })
    }

    private static func text(_ key: String, in text: String) -> String? {
        guard let range = text.range(of: key) else { return nil }
        return String(text[range.upperBound...].prefix { $0 != "\"" })
    }
}

extension LoadDevice {
    /// Connects a device and waits for its welcome.
    static func connect(
        port: Int,
        tls: NIOSSLContext?,
        loop: any EventLoop,
        token: String,
        cursor: String? = nil,
        counters: Counters
    ) async throws -> LoadDevice {
        let device = LoadDevice(token: token, cursor: cursor, counters: counters, loop: loop)
        let bootstrap = ClientBootstrap(group: loop)
            .channelOption(.socketOption(.tcp_nodelay), value: 1)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    if let tls {
                        try channel.pipeline.syncOperations.addHandler(
                            NIOSSLClientHandler(context: tls, serverHostname: nil)
                        )
                    }
                    let upgrader = NIOWebSocketClientUpgrader(
                        maxFrameSize: 1 << 20,
                        upgradePipelineHandler: { channel, _ in
                            channel.eventLoop.makeCompletedFuture {
                                try channel.pipeline.syncOperations.addHandler(device)
                            }
                        }
                    )
                    let request = UpgradeRequest(port: port)
                    let removable = RemovableRequest(request)
                    try channel.pipeline.syncOperations.addHTTPClientHandlers(
                        withClientUpgrade: (
                            upgraders: [upgrader],
                            completionHandler: { context in
                                context.pipeline.syncOperations.removeHandler(removable, promise: nil)
                            }
                        )
                    )
                    try channel.pipeline.syncOperations.addHandler(removable)
                }
            }
        _ = try await bootstrap.connect(host: "127.0.0.1", port: port).get()
        try await device.welcomed.futureResult.get()
        return device
    }
}

private struct UpgradeRequest: Sendable {
    let port: Int
}

/// Writes the upgrade request and then leaves the pipeline.
private final class RemovableRequest: ChannelInboundHandler, RemovableChannelHandler, Sendable {
    typealias InboundIn = HTTPClientResponsePart
    typealias OutboundOut = HTTPClientRequestPart

    private let request: UpgradeRequest

    init(_ request: UpgradeRequest) { self.request = request }

    func channelActive(context: ChannelHandlerContext) {
        let head = HTTPRequestHead(
            version: .http1_1,
            method: .GET,
            uri: "/v1/socket",
            headers: ["Host": "127.0.0.1:\(request.port)", "Content-Length": "0"]
        )
        context.write(wrapOutboundOut(.head(head)), promise: nil)
        context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
        context.fireChannelActive()
    }
}
