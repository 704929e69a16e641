import HTTPTypes
import Hummingbird
import HummingbirdCore
import Logging
import NIOCore
import ServiceLifecycle

/// One port with its own routes.
struct Listener: Service {
    let name: String
    let address: ListenAddress
    let certificates: TLSCertificates?
    let limits: GatewayLimits
    let group: any EventLoopGroup
    let logger: Logger
    let responder: GatewayResponder
    let socketPath: String?
    let makeSocket: GatewayChannel.SocketFactory?
    let onListening: @Sendable (SocketAddress) -> Void

    /// What every answer says unless it says otherwise.
    static func fields(isSecure: Bool) -> HTTPFields {
        var fields: HTTPFields = [
            .cacheControl: "no-store",
            .xContentTypeOptions: "nosniff",
            .referrerPolicy: "no-referrer",
        ]
        if isSecure { fields[.strictTransportSecurity] = "max-age=31536000" }
        return fields
    }

    func run() async throws {
        let loops = ConnectionLoops(group, limits: limits)
        let application = Application(
            responder: responder,
            server: HTTPServerBuilder { [certificates, limits, socketPath, makeSocket] responder in
                GatewayChannel(
                    responder: responder,
                    loops: loops,
                    limits: limits,
                    certificates: certificates,
                    socketPath: socketPath,
                    makeSocket: makeSocket
                )
            },
            configuration: ApplicationConfiguration(
                address: .hostname(address.host, port: address.port),
                backlog: limits.backlog,
                availableConnectionsDelegate: .maximum(limits.connections, logger: logger)
            ),
            onServerRunning: { [onListening] channel in
                if let bound = channel.localAddress { onListening(bound) }
            },
            eventLoopGroupProvider: .shared(group),
            logger: logger
        )
        try await application.run()
    }
}
