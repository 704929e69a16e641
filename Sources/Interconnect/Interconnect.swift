import FoundationEssentials
public import Logging
import MediaRelaying
import MessagingCore
public import MessagingService
public import NIOCore
import NIOPosix
import SIP
import SIPTransport
import Synchronization

/// The ways to other providers: SIP over TLS, with certificates on both sides.
///
/// Messages and reports travel as `message/cpim` (RFC 3862) in MESSAGE (RFC 3428); what is said of live conversations
/// travels beside them. The service keeps the queue and the order; this only tries, and tells how it went.
public final class Interconnect: OutboundRouter {
    let configuration: InterconnectConfiguration
    let peers: PeerTable
    let logger: Logger
    private let certificates: Mutex<PeerCertificates>
    private let state = Mutex(State())

    /// What there is between start and stop.
    struct Running: Sendable {
        let service: MessagingService
        let stack: PeerStack
        let media: MessageMedia
        /// Between browsers here and telephones there; nil if there is none.
        let relay: MediaRelay?
        /// Where requests within a call are to go.
        let contact: String
    }

    private struct State {
        var running: Running?
        var transfers: [DialogID: (transfer: Transfer, domain: String)] = [:]
        var dialogs: [LiveDialog.Key: LiveDialog] = [:]
        var dialogNames: [DialogID: LiveDialog] = [:]
        /// How peers carry conversations, and until when that is believed.
        var kinds: [String: (kind: PeerKind, until: ContinuousClock.Instant)] = [:]
        var health: [String: PeerHealth] = [:]
        var probes: [String: Task<Void, Never>] = [:]
        var requestsInHand = Shares(total: InterconnectLimits.requestsInHand)
    }

    /// Reads certificates; listens to nobody yet.
    /// - Throws: what is wrong with the files.
    public init(_ configuration: InterconnectConfiguration, logger: Logger) throws {
        self.configuration = configuration
        self.logger = logger
        peers = PeerTable(configuration.peers)
        certificates = Mutex(try PeerCertificates(configuration))
    }

    /// Listens, and lets the service have what comes.
    /// - Returns: where it listens.
    public func start(_ service: MessagingService) async throws -> SocketAddress {
        try await service.dropCutOffFiles()
        let certificates = certificates.withLock { $0 }
        let group = MultiThreadedEventLoopGroup.singleton
        let resolver = try Self.resolver(configuration)
        let stack = try await PeerStack(
            configuration,
            certificates: certificates,
            resolver: resolver,
            loop: group.next(),
            notice: { [weak self] notice in self?.heard(notice) ?? false }
        ) { [weak self] request in self?.take(request) }
        let media = try await MessageMedia(configuration, certificates)
        let relay = try await openRelay(on: group.next())
        let address = try await stack.listen(host: configuration.host, port: configuration.port)
        let contact = "<sip:\(configuration.name):\(address.port ?? configuration.port);transport=tls>"
        let running = Running(service: service, stack: stack, media: media, relay: relay, contact: contact)
        let resumed = try await resumed(running)
        // What came before this was asked to come again.
        state.withLock { $0.running = running }
        for live in resumed { live.schedule() }
        return address
    }

    private func openRelay(on loop: any EventLoop) async throws -> MediaRelay? {
        guard let place = configuration.relay else { return nil }
        let address = try SocketAddress.makeAddressResolvingHost(place.host, port: place.port)
        let relay = MediaRelay(eventLoop: loop, address: address, logger: logger)
        try await relay.open().get()
        return relay
    }

    /// Conversations that were open when this ended last.
    private func resumed(_ running: Running) async throws -> [LiveDialog] {
        try await running.service.keptConversations().compactMap { kept in
            guard let domain = kept.other.domain, let peer = peers[domain],
                let live = LiveDialog(kept, peer, self, running), begin(live)
            else { return nil }
            if let id = live.dialogID { name(live, id) }
            return live
        }
    }

    /// Reads the certificate, its key and the authorities again if the files changed; connections in being keep theirs.
    ///
    /// Files that cannot be used leave the old ones in force, and are reported.
    /// - Returns: whether others are in force.
    @discardableResult
    public func reloadCertificates() -> Bool {
        do {
            let before = certificates.withLock { $0.contents }
            guard try PeerCertificates.read(configuration) != before else { return false }
            let fresh = try PeerCertificates(configuration)
            try running?.media.use(fresh)
            running?.stack.use(fresh)
            certificates.withLock { $0 = fresh }
            logger.notice(
                "certificates for other providers reloaded",
                metadata: ["file": "\(configuration.certificate)"]
            )
            return true
        } catch {
            logger.error(
                "certificates for other providers could not be reloaded; the old ones stay",
                metadata: ["file": "\(configuration.certificate)", "error": "\(error)"]
            )
            return false
        }
    }

    /// Closes all connections; what waits stays in the outbox.
    public func stop() async {
        let (running, probes, dialogs) = state.withLock { state in
            defer {
                state.running = nil
                state.probes = [:]
                state.dialogs = [:]
                state.dialogNames = [:]
            }
            return (state.running, Array(state.probes.values), Array(state.dialogs.values))
        }
        for probe in probes { probe.cancel() }
        for live in dialogs { live.abandon() }
        await running?.relay?.end()
        await running?.stack.close()
        await running?.media.close()
    }

    var running: Running? { state.withLock { $0.running } }

    /// Keeps a transfer of a peer's until its call ends.
    /// - Returns: false when there are too many, or when half of what may be is that peer's.
    func begin(_ transfer: Transfer, call: DialogID, from domain: String) -> Bool {
        state.withLock { state in
            let own = state.transfers.values.count { $0.domain == domain }
            guard state.transfers.count < InterconnectLimits.transfers,
                own < Shares.ofOne(InterconnectLimits.transfers)
            else { return false }
            state.transfers[call] = (transfer, domain)
            return true
        }
    }

    /// Forgets it.
    @discardableResult
    func endTransfer(call: DialogID) -> Transfer? {
        state.withLock { $0.transfers.removeValue(forKey: call)?.transfer }
    }

    func transfer(call: DialogID) -> Transfer? { state.withLock { $0.transfers[call]?.transfer } }

    /// Ends what there is of a file's transfer, since it begins anew.
    func endTransfers(of message: MessageID, to receiver: Address) async {
        let earlier = state.withLock { $0.transfers.values.map(\.transfer).filter { $0.isFor(message, receiver) } }
        for transfer in earlier {
            transfer.close()
            await transfer.ended()
        }
    }

    // MARK: Live conversations

    /// Keeps a conversation until its end.
    /// - Returns: false when there are too many, when half of what may be is with that peer, or it is there.
    func begin(_ live: LiveDialog) -> Bool {
        state.withLock { state in
            let own = state.dialogs.values.count { $0.peer.domain == live.peer.domain }
            guard state.dialogs.count < InterconnectLimits.dialogs, own < Shares.ofOne(InterconnectLimits.dialogs),
                state.dialogs[live.key] == nil
            else { return false }
            state.dialogs[live.key] = live
            return true
        }
    }

    /// Live conversations in SIP and MSRP.
    public var liveDialogs: Int { state.withLock { $0.dialogs.count } }

    func dialog(_ key: LiveDialog.Key) -> LiveDialog? { state.withLock { $0.dialogs[key] } }

    func dialog(_ id: DialogID) -> LiveDialog? { state.withLock { $0.dialogNames[id] } }

    /// Those of one session, each with a user of another provider.
    func dialogs(of session: SessionID) -> [LiveDialog] {
        state.withLock { $0.dialogs.values.filter { $0.key.session == session } }
    }

    /// The one between two users; any if there are several.
    func dialog(between own: Address, _ other: Address) -> LiveDialog? {
        state.withLock { $0.dialogs.values.first { $0.key.own == own && $0.key.other == other } }
    }

    /// Whether two users talk, or are about to, in a conversation that the other one asked for.
    func isTalking(_ own: Address, _ other: Address, beside live: LiveDialog) -> Bool {
        let all = state.withLock { Array($0.dialogs.values) }
        return all.contains { $0 !== live && $0.key.own == own && $0.key.other == other && $0.isTheirs }
    }

    /// Tells how SIP calls a conversation.
    func name(_ live: LiveDialog, _ id: DialogID) { state.withLock { $0.dialogNames[id] = live } }

    /// Tells that it is called otherwise from now on.
    func rename(_ live: LiveDialog, from old: DialogID?, to id: DialogID) {
        state.withLock { state in
            if let old { state.dialogNames[old] = nil }
            state.dialogNames[id] = live
        }
    }

    func forget(_ live: LiveDialog) {
        state.withLock { state in
            if state.dialogs[live.key] === live { state.dialogs[live.key] = nil }
            for (id, named) in state.dialogNames where named === live { state.dialogNames[id] = nil }
        }
    }

    /// How a peer carries conversations, if that was found out not long ago.
    func kind(of peer: Peer) -> PeerKind? {
        state.withLock { state in
            guard let known = state.kinds[peer.domain], known.until > .now else { return nil }
            return known.kind
        }
    }

    func remember(_ peer: Peer, _ kind: PeerKind) {
        let until = ContinuousClock.now.advanced(by: InterconnectLimits.peerKindTime)
        state.withLock { $0.kinds[peer.domain] = (kind, until) }
    }

    static func resolver(_ configuration: InterconnectConfiguration) throws -> DNSResolver {
        let servers = try nameServers(configuration)
        return DNSResolver(client: DNSClient(group: MultiThreadedEventLoopGroup.singleton, configuration: servers))
    }

    private static func nameServers(_ configuration: InterconnectConfiguration) throws -> DNSClient.Configuration {
        guard configuration.nameServers.isEmpty else {
            return DNSClient.Configuration(
                servers: try configuration.nameServers.map { text in
                    let pieces = text.split(separator: ":", maxSplits: 1).map(String.init)
                    return try SocketAddress(ipAddress: pieces[0], port: pieces.count > 1 ? Int(pieces[1]) ?? 53 : 53)
                }
            )
        }
        return DNSClient.Configuration.parsing(
            resolverFile: String(
                decoding: FileManager.default.contents(atPath: "/etc/resolv.conf") ?? Data(),
                as: UTF8.self
            )
        )
    }

    // MARK: Who is there

    public func reaches(_ domain: String) -> Bool { peers[domain] != nil }

    public func isAway(_ domain: String) -> Bool {
        state.withLock { state in
            guard let health = state.health[domain.lowercased()] else { return false }
            return health != .up
        }
    }

    /// Sends a request, and learns from the answer whether the peer is there.
    func exchange(_ request: SIPMessage, with peer: Peer) async -> SIPMessage? {
        guard let stack = running?.stack else { return nil }
        let response = await stack.send(request, to: peer)
        if response != nil {
            heard(peer.domain)
        } else if !Task.isCancelled {
            missed(peer)
        }
        return response
    }

    /// Whatever comes from a peer shows that it is there.
    func heard(_ domain: String) {
        let service: MessagingService? = state.withLock { state in
            guard state.health[domain]?.heard() ?? false else { return nil }
            state.probes.removeValue(forKey: domain)?.cancel()
            return state.running?.service
        }
        guard let service else { return }
        logger.notice("a provider is back", metadata: ["domain": "\(domain)"])
        Task { try? await service.isBack(domain) }
    }

    func missed(_ peer: Peer) {
        let isNews = state.withLock { state in
            // It may be another server that comes back.
            state.kinds[peer.domain] = nil
            guard state.running != nil, state.health[peer.domain, default: .up].missed() else { return false }
            state.probes[peer.domain] = Task { [weak self] in await self?.probe(peer) }
            return true
        }
        if isNews { logger.warning("a provider does not answer", metadata: ["domain": "\(peer.domain)"]) }
    }

    /// Asks from time to time, until somebody answers.
    private func probe(_ peer: Peer) async {
        while !Task.isCancelled {
            let pause = state.withLock { $0.health[peer.domain]?.pauseMilliseconds }
            guard let pause else { return }
            do {
                // Not all at once: those that lost the same peer do not come back in step.
                try await Task.sleep(for: .milliseconds(pause * 3 / 4 + Int64.random(in: 0...pause / 2)))
            } catch {
                return
            }
            let question = Requests.options(to: peer, from: configuration.domains.first ?? "")
            if await exchange(question, with: peer) != nil { return }
        }
    }

    // MARK: What comes in

    private func take(_ request: PeerRequest) {
        let domain = request.domains.min() ?? ""
        let running: Running? = state.withLock { state in
            guard let running = state.running, state.requestsInHand.take(domain) else { return nil }
            return running
        }
        guard let running else { return request.respond(503, headers: [(.retryAfter, "5")]) }
        for domain in request.domains { heard(domain) }
        Task {
            await Answering(running: running, interconnect: self).answer(request)
            state.withLock { $0.requestsInHand.giveBack(domain) }
        }
    }
}
