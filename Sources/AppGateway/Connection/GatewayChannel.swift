import HummingbirdCore
import Logging
import NIOCore
import NIOHTTP1
import NIOHTTPTypes
import NIOHTTPTypesHTTP1
import NIOSSL
import NIOWebSocket

/// What one accepted connection is made of: HTTP/1.1, and on one path a socket, with TLS below when it is configured.
///
/// A socket's connection leaves structured concurrency with the upgrade: it belongs to its handler alone, so that an
/// idle device costs no task.
struct GatewayChannel: HTTPChannelHandler {
    /// What the first request made of the connection.
    enum Use: Sendable {
        case http(NIOAsyncChannel<HTTPRequestPart, HTTPResponsePart>)
        case socket
    }

    struct Value: ServerChildChannelValue {
        let use: EventLoopFuture<Use>
        let channel: any Channel
    }

    /// Makes the handler that owns a socket once the upgrade is done.
    typealias SocketFactory = @Sendable (ConnectionLoop) -> SocketHandler

    let responder: Responder
    let loops: ConnectionLoops
    let limits: GatewayLimits
    let certificates: TLSCertificates?
    let socketPath: String?
    let makeSocket: SocketFactory?

    func setup(channel: any Channel, logger: Logger) -> EventLoopFuture<Value> {
        channel.eventLoop.makeCompletedFuture {
            let pipeline = channel.pipeline.syncOperations
            if let certificates {
                try pipeline.addHandler(NIOSSLServerHandler(context: certificates.context))
            }
            var decoding = NIOHTTPDecoderLimitConfiguration()
            decoding.maxHeaderFieldSize = limits.headerFieldBytes
            decoding.maxHeaderListSize = limits.headerListBytes
            decoding.maxHeaderFieldCount = limits.headerFields
            let encoder = HTTPResponseEncoder()
            let decoder = ByteToMessageHandler(
                HTTPRequestDecoder(leftOverBytesStrategy: .forwardBytes, limitConfiguration: decoding)
            )
            let pipelining = HTTPServerPipelineHandler()
            let warden = HTTPGuard(
                loop: loops[channel.eventLoop],
                limits: limits,
                socketPath: makeSocket == nil ? nil : socketPath
            )
            let upgrade = NIOTypedHTTPServerUpgradeHandler<Use>(
                httpEncoder: encoder,
                extraHTTPHandlers: [decoder, pipelining, warden],
                upgradeConfiguration: NIOTypedHTTPServerUpgradeConfiguration(
                    upgraders: makeSocket.map { [upgrader($0)] } ?? [],
                    notUpgradingCompletionHandler: { channel in
                        channel.eventLoop.makeCompletedFuture { .http(try makeHTTP(channel)) }
                    }
                )
            )
            try pipeline.addHandlers([encoder, decoder, pipelining, warden, upgrade])
            return Value(use: upgrade.upgradeResultFuture, channel: channel)
        }
    }

    private func makeHTTP(_ channel: any Channel) throws -> NIOAsyncChannel<HTTPRequestPart, HTTPResponsePart> {
        try channel.pipeline.syncOperations.addHandler(HTTP1ToHTTPServerCodec(secure: certificates != nil))
        return try NIOAsyncChannel(
            wrappingChannelSynchronously: channel,
            configuration: NIOAsyncChannel.Configuration(isOutboundHalfClosureEnabled: true)
        )
    }

    private func upgrader(_ makeSocket: @escaping SocketFactory) -> NIOTypedWebSocketServerUpgrader<Use> {
        NIOTypedWebSocketServerUpgrader(
            maxFrameSize: limits.frameBytes,
            enableAutomaticErrorHandling: false,
            shouldUpgrade: { channel, _ in channel.eventLoop.makeSucceededFuture(HTTPHeaders()) },
            upgradePipelineHandler: { channel, _ in
                channel.eventLoop.makeCompletedFuture {
                    let aggregator = NIOWebSocketFrameAggregator(
                        minNonFinalFragmentSize: 0,
                        maxAccumulatedFrameCount: limits.fragmentsPerMessage,
                        maxAccumulatedFrameSize: limits.frameBytes
                    )
                    try channel.pipeline.syncOperations.addHandler(SocketFrameCheck())
                    try channel.pipeline.syncOperations.addHandler(aggregator)
                    try channel.pipeline.syncOperations.addHandler(makeSocket(loops[channel.eventLoop]))
                    return .socket
                }
            }
        )
    }

    func handle(value: Value, logger: Logger) async {
        guard let use = try? await value.use.get() else {
            value.channel.close(promise: nil)
            return
        }
        if case .http(let channel) = use { await handleHTTP(asyncChannel: channel, logger: logger) }
    }
}
