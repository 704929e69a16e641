public import MSRP
public import NIOCore
public import NIOSSL
import Synchronization

/// Where sessions live: it opens and accepts connections, and knows which session a request is for.
public final class MSRPEndpoint: Sendable {
    /// What an endpoint is set up with.
    public struct Configuration: Sendable {
        /// The bounds of the transport.
        public var limits = TransportLimits()
        /// The bounds on frames and sessions.
        public var sessionLimits = MSRPLimits()
        /// What connections that we open use for TLS; needed for `msrps`.
        ///
        /// Where signalling names the fingerprint of a certificate, that is what counts, and the host name must not be
        /// verified beside it (`CertificateVerification.noHostnameVerification`).
        public var clientTLS: NIOSSLContext?
        /// Whether sessions to the same place share a connection (RFC 4975 section 5.4).
        public var sharesConnections = true

        /// The default configuration.
        public init() {}
    }

    private struct State {
        var sessions: [String: MSRPSession] = [:]
        var connections: [ConnectionAddress: EventLoopFuture<MSRPConnection>] = [:]
    }

    /// What connections run on.
    public let group: any EventLoopGroup
    let configuration: Configuration
    private let tls: Mutex<NIOSSLContext?>
    private let state = Mutex(State())
    private let nextConnection = Atomic<UInt64>(1)

    var limits: TransportLimits { self.configuration.limits }
    var frameLimits: MSRPLimits { self.configuration.sessionLimits }

    /// Makes an endpoint without sessions.
    public init(group: any EventLoopGroup, configuration: Configuration = .init()) {
        self.group = group
        self.configuration = configuration
        self.tls = Mutex(configuration.clientTLS)
    }

    /// What connections that are opened use.
    var clientTLS: NIOSSLContext? { self.tls.withLock { $0 } }

    /// Shows another certificate on connections that are opened from now on; those that are there keep theirs.
    public func use(clientTLS: NIOSSLContext) { self.tls.withLock { $0 = clientTLS } }

    /// Sessions that are not over.
    public var sessionCount: Int { self.state.withLock { $0.sessions.count } }

    /// A session id that nobody can guess, for a URI of ours.
    public static func makeSessionID() -> String {
        var generator = SystemRandomNumberGenerator()
        return MSRPURI.makeSessionID(using: &generator)
    }

    /// Makes a session; call ``MSRPSession/start()`` to begin.
    ///
    /// - Parameters:
    ///   - local: the URI of this end, with a session id.
    ///   - remotePath: the value of the peer's `a=path`, the next hop first.
    ///   - role: which end connects. Behind a relay both ends have connections already, and the active one speaks first.
    ///   - address: where to connect to when it is not where the path says (``MSRP/CEMA``).
    ///   - relay: our own relay, if we have one.
    ///   - configure: changes the rest of the configuration.
    /// - Throws: ``MSRP/MSRPError``: ``MSRP/MSRPError/Code/tooManySessions``, or ``MSRP/MSRPError/Code/malformedURI``
    ///   when a URI says too little or the session id is in use.
    public func makeSession(
        local: MSRPURI,
        remotePath: [MSRPURI],
        role: ConnectionRole,
        address: ConnectionAddress? = nil,
        relay: MSRPRelay? = nil,
        handler: any MSRPSessionHandler,
        configure: (inout Session.Configuration) -> Void = { _ in }
    ) throws(MSRPError) -> MSRPSession {
        guard let name = local.sessionID else { throw MSRPError(.malformedURI, "our URI needs a session id") }
        guard let first = remotePath.first, let last = remotePath.last, last.sessionID != nil else {
            throw MSRPError(.malformedURI, "the peer's URI needs a session id")
        }
        var path = remotePath
        if let relay { path = relay.usePath.reversed() + remotePath }
        var configuration = Session.Configuration(
            local: local,
            remotePath: path,
            role: role,
            seed: .random(in: .min ... .max)
        )
        configuration.limits = self.configuration.sessionLimits
        configure(&configuration)
        let session = MSRPSession(
            endpoint: self,
            configuration: configuration,
            address: relay == nil ? address ?? ConnectionAddress(first) : nil,
            relay: relay,
            handler: handler,
            on: relay?.eventLoop ?? self.group.next()
        )
        let problem: MSRPError? = self.state.withLock { state in
            guard state.sessions.count < self.limits.maxSessions else {
                return MSRPError(.tooManySessions, "more than \(self.limits.maxSessions)")
            }
            guard state.sessions[name] == nil else { return MSRPError(.malformedURI, "the session id is in use") }
            state.sessions[name] = session
            return nil
        }
        if let problem { throw problem }
        return session
    }

    func session(named name: String) -> MSRPSession? { self.state.withLock { $0.sessions[name] } }

    func forget(_ session: MSRPSession) {
        guard let name = session.local.sessionID else { return }
        self.state.withLock { state in
            if state.sessions[name] === session { state.sessions[name] = nil }
        }
    }

    func makeConnectionID() -> ConnectionID {
        ConnectionID(self.nextConnection.wrappingAdd(1, ordering: .relaxed).oldValue)
    }

    /// Opens a connection, or hands out one that there is.
    func connect(to address: ConnectionAddress, on loop: any EventLoop) -> EventLoopFuture<MSRPConnection> {
        guard self.configuration.sharesConnections else { return self.open(address, on: loop) }
        let promise = loop.makePromise(of: MSRPConnection.self)
        let known = self.state.withLock { state in
            if let known = state.connections[address] { return known as EventLoopFuture<MSRPConnection>? }
            state.connections[address] = promise.futureResult
            return nil
        }
        if let known {
            promise.completeWith(known)
        } else {
            promise.futureResult.whenFailure { _ in self.forget(address, promise.futureResult) }
            self.open(address, on: loop).cascade(to: promise)
        }
        return promise.futureResult
    }

    private func forget(_ address: ConnectionAddress, _ future: EventLoopFuture<MSRPConnection>) {
        self.state.withLock { state in
            if state.connections[address] === future { state.connections[address] = nil }
        }
    }

    func forget(_ connection: MSRPConnection) {
        guard connection.isOutgoing, let address = connection.address else { return }
        self.state.withLock { state in state.connections[address] = nil }
    }
}
