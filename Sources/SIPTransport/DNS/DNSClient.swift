public import NIOCore
import NIOPosix
import Synchronization

/// Asks DNS servers over UDP, and over TCP when an answer was cut (RFC 1035, RFC 5452, RFC 7766).
///
/// A query goes from a socket of its own with a random port and identifier, and only an answer from the server that was
/// asked, to the very question, counts. Answers are kept for as long as they say.
public final class DNSClient: Sendable {
    /// Where and how to ask.
    public struct Configuration: Sendable {
        /// The servers, tried in this order.
        public var servers: [SocketAddress]
        /// How long to wait for each server.
        public var timeout: TimeAmount
        /// How often to go through the servers.
        public var attempts: Int

        /// Describes the servers.
        public init(servers: [SocketAddress], timeout: TimeAmount = .seconds(2), attempts: Int = 2) {
            self.servers = servers
            self.timeout = timeout
            self.attempts = max(1, attempts)
        }

        /// The servers of a file in the form of `resolv.conf`.
        public static func parsing(resolverFile text: String) -> Configuration {
            let servers = text.split(whereSeparator: \.isNewline).compactMap { line -> SocketAddress? in
                let words = line.split(whereSeparator: { $0 == " " || $0 == "\t" })
                guard words.count >= 2, words[0] == "nameserver" else { return nil }
                return try? SocketAddress(ipAddress: String(words[1]), port: 53)
            }
            return Configuration(servers: Array(servers.prefix(3)))
        }
    }

    /// How many queries may wait at once.
    public static let maximumPending = 1024

    private let group: any EventLoopGroup
    private let configuration: Configuration
    private let state = Mutex(State())

    private struct State {
        var cache = DNSCache()
        var pending = 0
    }

    /// Makes a client.
    public init(group: any EventLoopGroup, configuration: Configuration) {
        self.group = group
        self.configuration = configuration
    }

    /// Asks for the records of a name; a name that does not exist has none.
    ///
    /// - Returns: A future that fails with a ``DNSError``.
    public func query(_ name: String, _ type: DNSRecordType, on loop: any EventLoop) -> EventLoopFuture<[DNSRecord]> {
        enum Step {
            case known([DNSRecord])
            case full
            case ask
        }
        let step = self.state.withLock { state -> Step in
            if let records = state.cache.records(name, type, now: .now()) { return .known(records) }
            guard state.pending < Self.maximumPending else { return .full }
            state.pending += 1
            return .ask
        }
        switch step {
        case .known(let records): return loop.makeSucceededFuture(records)
        case .full: return loop.makeFailedFuture(DNSError(.tooManyQueries, "too many queries wait"))
        case .ask: break
        }
        let rounds = Array(repeating: self.configuration.servers, count: self.configuration.attempts).flatMap { $0 }
        let answer = self.ask(name, type, rounds[...], on: loop)
        answer.whenComplete { result in
            self.state.withLock { state in
                state.pending -= 1
                if case .success(let records) = result { state.cache.keep(records, name, type, now: .now()) }
            }
        }
        return answer.map { $0.filter { !$0.isAuthority } }
    }

    private func ask(
        _ name: String,
        _ type: DNSRecordType,
        _ servers: ArraySlice<SocketAddress>,
        on loop: any EventLoop
    ) -> EventLoopFuture<[DNSRecord]> {
        guard let server = servers.first else {
            return loop.makeFailedFuture(DNSError(.timeout, "no DNS server answered"))
        }
        return self.askOne(name, type, server, on: loop).flatMapError { error in
            // A name that cannot be asked for stays so at every server.
            if (error as? DNSError)?.code == .badName { return loop.makeFailedFuture(error) }
            guard servers.count > 1 else { return loop.makeFailedFuture(error) }
            return self.ask(name, type, servers.dropFirst(), on: loop)
        }
    }

    private func askOne(
        _ name: String,
        _ type: DNSRecordType,
        _ server: SocketAddress,
        on loop: any EventLoop
    ) -> EventLoopFuture<[DNSRecord]> {
        let question = DNSQuestion(identifier: .random(in: 0...UInt16.max), name: name, type: type)
        return self.exchange(question, server, on: loop, overTCP: false).flatMap { message in
            guard message.isTruncated else { return loop.makeSucceededFuture(message) }
            return self.exchange(question, server, on: loop, overTCP: true)
        }.flatMapThrowing { message in
            guard message.responseCode == 0 || message.responseCode == 3 else {
                throw DNSError(.serverFailure, "the DNS server answered with code \(message.responseCode)")
            }
            // Of a name that does not exist, only how long that may be believed.
            return message.responseCode == 3 ? message.records.filter(\.isAuthority) : message.records
        }
    }

    private func exchange(
        _ question: DNSQuestion,
        _ server: SocketAddress,
        on loop: any EventLoop,
        overTCP: Bool
    ) -> EventLoopFuture<DNSMessage> {
        let promise = loop.makePromise(of: DNSMessage.self)
        let query: ByteBuffer
        do throws(DNSError) {
            query = try DNSMessage.query(identifier: question.identifier, name: question.name, type: question.type)
        } catch {
            return loop.makeFailedFuture(error)
        }
        let timeout = self.configuration.timeout
        let opened: EventLoopFuture<any Channel>
        if overTCP {
            opened = ClientBootstrap(group: loop).connectTimeout(timeout)
                .channelInitializer { channel in
                    channel.eventLoop.makeCompletedFuture {
                        try channel.pipeline.syncOperations.addHandler(
                            DNSStreamHandler(question: question, query: query, promise: promise)
                        )
                    }
                }.connect(to: server)
        } else {
            opened = DatagramBootstrap(group: loop)
                .channelInitializer { channel in
                    channel.eventLoop.makeCompletedFuture {
                        try channel.pipeline.syncOperations.addHandler(
                            DNSDatagramHandler(question: question, query: query, server: server, promise: promise)
                        )
                    }
                }.bind(to: DNSDatagramHandler.anyAddress(like: server))
        }
        let timer = loop.scheduleTask(in: timeout) { promise.fail(DNSError(.timeout, "a DNS server did not answer")) }
        opened.cascadeFailure(to: promise)
        promise.futureResult.whenComplete { _ in
            timer.cancel()
            opened.whenSuccess { $0.close(promise: nil) }
        }
        return promise.futureResult
    }
}

/// One question.
struct DNSQuestion: Sendable {
    let identifier: UInt16
    let name: String
    let type: DNSRecordType

    func isAnswered(by message: DNSMessage) -> Bool {
        message.identifier == self.identifier && message.questionType == self.type.rawValue
            && DNSMessage.labels(message.questionName).joined(separator: ".")
                == DNSMessage.labels(self.name.lowercased()).joined(separator: ".")
    }
}

private final class DNSDatagramHandler: ChannelInboundHandler {
    typealias InboundIn = AddressedEnvelope<ByteBuffer>
    typealias OutboundOut = AddressedEnvelope<ByteBuffer>

    private let question: DNSQuestion
    private let query: ByteBuffer
    private let server: SocketAddress
    private let promise: EventLoopPromise<DNSMessage>

    init(question: DNSQuestion, query: ByteBuffer, server: SocketAddress, promise: EventLoopPromise<DNSMessage>) {
        self.question = question
        self.query = query
        self.server = server
        self.promise = promise
    }

    static func anyAddress(like server: SocketAddress) -> SocketAddress {
        let text = server.protocol == .inet6 ? "::" : "0.0.0.0"
        // Both texts are addresses; the fallback is there only because the call may throw.
        return (try? SocketAddress(ipAddress: text, port: 0)) ?? server
    }

    func channelActive(context: ChannelHandlerContext) {
        let envelope = AddressedEnvelope(remoteAddress: self.server, data: self.query)
        context.writeAndFlush(self.wrapOutboundOut(envelope)).cascadeFailure(to: self.promise)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let envelope = self.unwrapInboundIn(data)
        // Anything that is not the answer is ignored: it may be forged, and the true one may still come.
        guard envelope.remoteAddress == self.server, let message = try? DNSMessage(parsing: envelope.data),
            self.question.isAnswered(by: message)
        else { return }
        self.promise.succeed(message)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { self.promise.fail(error) }
}

private final class DNSStreamHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let question: DNSQuestion
    private let query: ByteBuffer
    private let promise: EventLoopPromise<DNSMessage>
    private var received = ByteBuffer()

    init(question: DNSQuestion, query: ByteBuffer, promise: EventLoopPromise<DNSMessage>) {
        self.question = question
        self.query = query
        self.promise = promise
    }

    func channelActive(context: ChannelHandlerContext) {
        var framed = ByteBuffer(integer: UInt16(self.query.readableBytes))
        framed.writeImmutableBuffer(self.query)
        context.writeAndFlush(self.wrapOutboundOut(framed)).cascadeFailure(to: self.promise)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        self.received.writeImmutableBuffer(self.unwrapInboundIn(data))
        guard let length = self.received.getInteger(at: self.received.readerIndex, as: UInt16.self),
            let body = self.received.getSlice(at: self.received.readerIndex + 2, length: Int(length))
        else { return }
        do {
            let message = try DNSMessage(parsing: body)
            guard self.question.isAnswered(by: message), !message.isTruncated else {
                throw DNSError(.mismatch, "an answer to another question")
            }
            self.promise.succeed(message)
        } catch {
            self.promise.fail(error)
        }
        context.close(promise: nil)
    }

    func channelInactive(context: ChannelHandlerContext) {
        self.promise.fail(DNSError(.malformed, "the DNS server closed the connection"))
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        self.promise.fail(error)
        context.close(promise: nil)
    }
}
