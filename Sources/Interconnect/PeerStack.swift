import NIOCore
import NIOPosix
import SIP
import SIPTransport

/// A request of a peer, with the domains that its certificate lets it speak for.
struct PeerRequest: Sendable {
    let message: SIPMessage
    let domains: Set<String>
    /// The address of this host that it came to.
    let address: String
    private let transaction: NIOLoopBound<ServerTransaction>
    private let localTag: String
    private let stack: PeerStack

    fileprivate init(_ transaction: ServerTransaction, domains: Set<String>, stack: PeerStack, loop: any EventLoop) {
        message = transaction.request
        self.domains = domains
        self.stack = stack
        localTag = transaction.localTag
        address = transaction.flow.local.ipAddress ?? "127.0.0.1"
        self.transaction = NIOLoopBound(transaction, eventLoop: loop)
    }

    /// The call that it makes when it is accepted; nobody else can name it.
    func dialogID() throws -> DialogID {
        DialogID(callID: try message.callID(), localTag: localTag, remoteTag: try message.from().tag ?? "")
    }

    /// Answers it; from anywhere.
    func respond(
        _ status: SIPStatus,
        headers: [(HeaderName, String)] = [],
        body: (bytes: [UInt8], type: String)? = nil
    ) {
        let (transaction, stack) = (transaction, stack)
        stack.loop.execute {
            var response = transaction.value.makeResponse(status)
            for (name, value) in headers { response.append(name, value) }
            if let body { response.setBody(ByteBuffer(bytes: body.bytes), contentType: body.type) }
            if message.method == .invite, status.isSuccess {
                stack.accept(transaction.value, response)
            } else {
                transaction.value.respond(response)
            }
        }
    }
}

/// SIP over TLS with peers: requests out, requests in, on one event loop.
final class PeerStack: SIPStackHandler, Sendable {
    let stack: NIOLoopBoundBox<SIPStack?>
    let loop: any EventLoop
    /// Calls made, with what acknowledges them.
    let calls: NIOLoopBoundBox<[String: (SIPMessage, Flow)]>
    /// Calls taken, until they are acknowledged.
    let accepted: NIOLoopBoundBox<[DialogID: AcceptedCall]>
    private let peers: PeerTable
    private let resolver: any SIPTransport.Resolver
    private let take: @Sendable (PeerRequest) -> Void

    /// - Parameter take: gets the requests of peers; each must be answered.
    init(
        _ configuration: InterconnectConfiguration,
        certificates: PeerCertificates,
        resolver: any SIPTransport.Resolver,
        loop: any EventLoop,
        take: @escaping @Sendable (PeerRequest) -> Void
    ) async throws {
        self.loop = loop
        peers = PeerTable(configuration.peers)
        self.resolver = resolver
        self.take = take
        stack = NIOLoopBoundBox.makeBoxSendingValue(nil, eventLoop: loop)
        calls = NIOLoopBoundBox.makeBoxSendingValue([:], eventLoop: loop)
        accepted = NIOLoopBoundBox.makeBoxSendingValue([:], eventLoop: loop)
        try await loop.submit { [self] in
            var settings = SIPStackConfiguration()
            settings.limits.bodyBytes = InterconnectLimits.incomingPagerBytes
            settings.serverTLS = certificates.server
            settings.clientTLS = certificates.client
            settings.sentByHost = configuration.name
            settings.maximumConnections = InterconnectLimits.connections
            settings.maximumTransactions = InterconnectLimits.transactions
            stack.value = SIPStack(eventLoop: loop, configuration: settings, resolver: resolver, handler: self)
        }.get()
    }

    /// - Returns: where it listens.
    func listen(host: String, port: Int) async throws -> SocketAddress {
        try await loop.flatSubmit { [self] in
            stack.value?.listen(.tls, host: host, port: port) ?? loop.makeFailedFuture(ChannelError.ioOnClosedChannel)
        }.get()
    }

    func close() async {
        try? await loop.flatSubmit { [self] in
            defer { stack.value = nil }
            return stack.value?.close() ?? loop.makeSucceededVoidFuture()
        }.get()
    }

    /// Sends a request to a peer, to each of its places until one answers.
    /// - Returns: the final answer; nil when there is none.
    func send(_ request: SIPMessage, to peer: Peer) async -> SIPMessage? {
        let places: [Destination]
        do {
            places = try await self.places(of: peer)
        } catch {
            return nil
        }
        return await withCheckedContinuation { continuation in
            loop.execute { [self] in
                guard let stack = stack.value else { return continuation.resume(returning: nil) }
                stack.send(request, to: .destinations(places)) { transaction, event in
                    switch event {
                    case .response(let response):
                        guard (response.status?.rawValue ?? 0) >= 200 else { return }
                        continuation.resume(returning: response)
                    case .timedOut:
                        // A connection that nobody answers on is as good as closed.
                        if let flow = transaction.flow { stack.close(flow) }
                        continuation.resume(returning: nil)
                    case .transportFailed: continuation.resume(returning: nil)
                    }
                }
            }
        }
    }

    /// Where a peer is; its certificate must be for its domain, wherever that is (RFC 5922, section 4).
    func places(of peer: Peer) async throws -> [Destination] {
        let host = peer.route?.host ?? peer.domain
        let uri = SIPURI(
            host: host.contains(":") ? "[\(host)]" : host,
            port: peer.route.flatMap { UInt16(exactly: $0.port) },
            isSecure: true
        )
        let found = try await loop.flatSubmit { [self] in resolver.resolve(uri, supported: [.tls], on: loop) }.get()
        return found.map { place in
            var named = place
            named.serverName = peer.serverName
            return named
        }
    }

    // MARK: What comes in

    func received(_ transaction: ServerTransaction) {
        guard let stack = stack.value, let certificate = stack.peerCertificate(transaction.flow) else {
            transaction.respond(403)
            return
        }
        let domains = peers.domains(of: PeerCertificates.identities(of: certificate))
        guard !domains.isEmpty else {
            transaction.respond(403)
            return
        }
        take(PeerRequest(transaction, domains: domains, stack: self, loop: loop))
    }
}
