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
    func dialogID() throws -> DialogID { try PeerStack.dialogID(message, localTag) }

    /// The dialog that it makes when it is accepted.
    func dialog() throws -> Dialog { try Dialog(server: message, localTag: localTag, state: .confirmed) }

    /// The connection that it came on.
    var flow: Flow {
        get async throws { try await stack.loop.submit { [transaction] in transaction.value.flow }.get() }
    }

    /// Whether it still waits for its answer: a CANCEL may have come.
    var isOpen: Bool {
        get async { (try? await stack.loop.submit { [transaction] in !transaction.value.isAnswered }.get()) ?? false }
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
            // Whatever proxies stay in the way of a call are in its dialog on both sides (RFC 3261, section 12.1.1).
            if message.method?.createsDialog ?? false, status.rawValue < 300 { response.copyRecordRoute(from: message) }
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

/// What happens to a call of a peer beside its requests.
enum PeerNotice: Sendable {
    /// The peer does not want its INVITE answered any more.
    case cancelled(DialogID)
    /// The ACK to a 2xx came, with what is in it.
    case acknowledged(DialogID, [UInt8])
    /// It never came.
    case unacknowledged(DialogID)
}

/// SIP over TLS with peers: requests out, requests in, on one event loop.
final class PeerStack: SIPStackHandler, Sendable {
    let stack: NIOLoopBoundBox<SIPStack?>
    let loop: any EventLoop
    /// Calls made, with what acknowledged them.
    let calls: NIOLoopBoundBox<Acknowledgements>
    /// Calls taken, until they are acknowledged.
    let accepted: NIOLoopBoundBox<[DialogID: AcceptedCall]>
    private let peers: PeerTable
    private let resolver: any SIPTransport.Resolver
    private let take: @Sendable (PeerRequest) -> Void
    let notice: @Sendable (PeerNotice) -> Bool

    /// - Parameters:
    ///   - notice: hears of what is no request, on the event loop; answers whether it was for anybody.
    ///   - take: gets the requests of peers; each must be answered.
    init(
        _ configuration: InterconnectConfiguration,
        certificates: PeerCertificates,
        resolver: any SIPTransport.Resolver,
        loop: any EventLoop,
        notice: @escaping @Sendable (PeerNotice) -> Bool = { _ in false },
        take: @escaping @Sendable (PeerRequest) -> Void
    ) async throws {
        self.loop = loop
        self.notice = notice
        peers = PeerTable(configuration.peers)
        self.resolver = resolver
        self.take = take
        stack = NIOLoopBoundBox.makeBoxSendingValue(nil, eventLoop: loop)
        calls = NIOLoopBoundBox.makeBoxSendingValue(Acknowledgements(), eventLoop: loop)
        accepted = NIOLoopBoundBox.makeBoxSendingValue([:], eventLoop: loop)
        try await loop.submit { [self] in
            var settings = SIPStackConfiguration()
            settings.limits.bodyBytes = InterconnectLimits.incomingPagerBytes
            settings.serverTLS = certificates.server
            settings.clientTLS = certificates.client
            settings.sentByHost = configuration.name
            settings.probeAfter = InterconnectLimits.probeAfter
            settings.maximumConnections = InterconnectLimits.connections
            settings.maximumConnectionsPerAddress = InterconnectLimits.connectionsPerAddress
            settings.maximumTransactions = InterconnectLimits.transactions
            stack.value = SIPStack(eventLoop: loop, configuration: settings, resolver: resolver, handler: self)
        }.get()
    }

    /// Shows other certificates from now on.
    func use(_ certificates: PeerCertificates) {
        loop.execute { [self] in stack.value?.use(serverTLS: certificates.server, clientTLS: certificates.client) }
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
        guard let places = try? await places(of: peer) else { return nil }
        return await send(request, on: .destinations(places))
    }

    /// - Returns: the final answer; nil when there is none, or the task is cancelled before.
    func send(_ request: SIPMessage, on way: SIPStack.Target) async -> SIPMessage? {
        let first = FirstAnswer<SIPMessage?>()
        return await first.wait(orElse: nil) { [self] in
            loop.execute { [self] in
                guard let stack = stack.value else { return first.take(nil) }
                stack.send(request, to: way) { transaction, event in
                    switch event {
                    case .response(let response):
                        guard (response.status?.rawValue ?? 0) >= 200 else { return }
                        first.take(response)
                    case .timedOut:
                        // A connection that nobody answers on is as good as closed.
                        if let flow = transaction.flow { stack.close(flow) }
                        first.take(nil)
                    case .transportFailed: first.take(nil)
                    }
                }
            }
        }
    }

    /// Sends a request within a dialog, in order with others that go on the same connection; from anywhere.
    /// - Parameter onAnswer: hears of the final answer; nil when there is none.
    func post(
        _ request: SIPMessage,
        on flow: Flow?,
        to peer: Peer,
        onAnswer: @escaping @Sendable (SIPMessage?) -> Void
    ) {
        loop.execute { [self] in
            guard let stack = stack.value, let flow, stack.isOpen(flow) else {
                Task { onAnswer(await send(request, to: peer)) }
                return
            }
            stack.send(request, to: .flow(flow)) { _, event in
                guard case .response(let response) = event else { return onAnswer(nil) }
                if response.status?.isFinal ?? false { onAnswer(response) }
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

    /// How a request within a dialog travels: as its INVITE did, or to where the peer is now.
    func way(_ flow: Flow?, to peer: Peer) async -> SIPStack.Target? {
        if let flow, (try? await loop.submit { [self] in stack.value?.isOpen(flow) ?? false }.get()) == true {
            return .flow(flow)
        }
        guard let places = try? await places(of: peer), !places.isEmpty else { return nil }
        return .destinations(places)
    }

    // MARK: What comes in

    static func dialogID(_ request: SIPMessage, _ localTag: String) throws -> DialogID {
        DialogID(
            callID: try request.callID(),
            localTag: try request.to().tag ?? localTag,
            remoteTag: try request.from().tag ?? ""
        )
    }

    func cancelled(_ transaction: ServerTransaction, by cancel: SIPMessage) {
        guard let id = try? Self.dialogID(transaction.request, transaction.localTag), notice(.cancelled(id)) else {
            transaction.respond(487)
            return
        }
    }

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
