public import NIOCore
import NIOPosix
public import NIOSSL
public import SIP

/// Sockets, connections and transactions of SIP on one event loop.
///
/// Everything a stack does happens on its event loop, and all of its methods must be called there; that is why it is
/// safe to pass a reference around although nothing in it is locked. To use several loops, run a stack on each.
///
/// ```swift
/// let stack = SIPStack(eventLoop: loop, resolver: resolver, handler: userAgent)
/// try await loop.flatSubmit { stack.listen(.udp, host: "127.0.0.1", port: 5060) }.get()
/// ```
public final class SIPStack: @unchecked Sendable {
    /// The event loop.
    public let eventLoop: any EventLoop
    /// Settings and limits.
    public private(set) var configuration: SIPStackConfiguration
    let resolver: any Resolver
    var handler: (any SIPStackHandler)?

    var listeners: [UInt64: Listener] = [:]
    var connections: [UInt64: Connection] = [:]
    var connecting: [Destination: EventLoopFuture<UInt64>] = [:]
    var connectionsByDestination: [Destination: UInt64] = [:]
    /// Connections that others opened, from the moment they did.
    var acceptedConnections = 0
    var acceptedPerAddress: [String: Int] = [:]
    var aliases: [Destination: UInt64] = [:]
    var nextNumber: UInt64 = 1

    var servers = ServerTable()
    var clients: [ClientTransactionKey: ClientTransaction] = [:]
    var keepAlives: [Flow: DatagramKeepAlive] = [:]
    var wheel = TimerWheel<TimerTarget>()
    var wheelTask: Scheduled<Void>?
    /// Turns of the wheel that are to come: one, or none while nothing waits.
    private(set) var scheduledTurns = 0
    var wheelTime = NIODeadline.now()
    var isClosed = false
    /// The datagram socket that is being read, which flushes once it has read everything.
    var readingNumber: UInt64?

    /// What a timer is for.
    enum TimerTarget {
        case server(ServerRecord)
        case client(ClientTransaction)
    }

    /// A socket that peers send to.
    struct Listener {
        let transport: SIPTransportKind
        let channel: any Channel
        let address: SocketAddress
    }

    /// Makes a stack without sockets.
    ///
    /// - Parameter handler: Held until ``close()``.
    public init(
        eventLoop: any EventLoop,
        configuration: SIPStackConfiguration = SIPStackConfiguration(),
        resolver: any Resolver,
        handler: any SIPStackHandler
    ) {
        self.eventLoop = eventLoop
        self.configuration = configuration
        self.resolver = resolver
        self.handler = handler
    }

    /// The number of live transactions.
    public var transactionCount: Int { self.servers.count + self.clients.count }

    /// The number of open connections.
    public var connectionCount: Int { self.connections.count }

    /// The transports that can be used for requests.
    public var transports: [SIPTransportKind] {
        var kinds: [SIPTransportKind] = self.configuration.clientTLS == nil ? [] : [.tls]
        kinds.append(.tcp)
        if self.listeners.values.contains(where: { $0.transport == .udp }) { kinds.append(.udp) }
        return kinds + [.ws] + (self.configuration.clientTLS == nil ? [] : [.wss])
    }

    /// Closes all sockets; live transactions end without a word.
    public func close() -> EventLoopFuture<Void> {
        self.eventLoop.preconditionInEventLoop()
        self.isClosed = true
        self.handler = nil
        self.wheelTask?.cancel()
        self.wheelTask = nil
        self.scheduledTurns = 0
        for flow in self.keepAlives.keys { self.stopAsking(flow) }
        self.servers.removeAll()
        self.clients = [:]
        let channels = self.listeners.values.map(\.channel) + self.connections.values.map(\.channel)
        return EventLoopFuture.andAllComplete(channels.map { $0.close() }, on: self.eventLoop)
    }

    func makeNumber() -> UInt64 {
        defer { self.nextNumber += 1 }
        return self.nextNumber
    }

    /// Shows other certificates on connections from now on; those that are there keep theirs. Called on the event loop.
    ///
    /// - Parameters:
    ///   - server: for connections that are accepted; the listeners stay as they are.
    ///   - client: for connections that are opened.
    public func use(serverTLS server: NIOSSLContext?, clientTLS client: NIOSSLContext?) {
        self.eventLoop.assertInEventLoop()
        self.configuration.serverTLS = server
        self.configuration.clientTLS = client
    }

    /// The certificate that the peer of a TLS connection showed, nil when there is none.
    ///
    /// It was verified if the TLS context asks for that.
    public func peerCertificate(_ flow: Flow) -> NIOSSLCertificate? { self.connections[flow.number]?.peerCertificate }

    /// Whether a flow can be used: its connection is open, or it is a datagram socket.
    public func isOpen(_ flow: Flow) -> Bool {
        flow.transport == .udp ? self.listeners[flow.number] != nil : self.connections[flow.number] != nil
    }

    /// Somebody has proved who it is on this flow: its connection stays for as long as it is used.
    public func keep(_ flow: Flow) { self.connections[flow.number]?.keep() }

    /// Closes the connection of a flow; for datagrams, ends its keep-alives.
    public func close(_ flow: Flow) {
        self.stopAsking(flow)
        self.connections[flow.number]?.channel.close(promise: nil)
    }
}

extension SIPStack {
    func schedule(_ transaction: ServerRecord) {
        guard let deadline = transaction.deadline else { return }
        if let scheduled = transaction.scheduled, scheduled <= deadline { return }
        transaction.scheduled = deadline
        self.add(.server(transaction), at: deadline)
    }

    func schedule(_ transaction: ClientTransaction) {
        guard let deadline = transaction.deadline else { return }
        if let scheduled = transaction.scheduled, scheduled <= deadline { return }
        transaction.scheduled = deadline
        self.add(.client(transaction), at: deadline)
    }

    private func add(_ target: TimerTarget, at deadline: NIODeadline) {
        guard !self.isClosed else { return }
        if self.wheel.count == 0 { self.wheelTime = .now() }
        self.wheel.add(target, at: max(deadline, self.wheelTime))
        self.scheduleWheel()
    }

    /// One turn is scheduled at a time: what a timer does may have scheduled the next one already.
    private func scheduleWheel() {
        guard self.wheelTask == nil, self.wheel.count > 0, !self.isClosed else { return }
        let tick = TimerWheel<TimerTarget>.tick
        self.scheduledTurns += 1
        self.wheelTask = self.eventLoop.assumeIsolated().scheduleTask(in: tick) { self.turnWheel() }
    }

    private func turnWheel() {
        self.scheduledTurns -= 1
        self.wheelTask = nil
        let now = NIODeadline.now()
        let due = self.wheel.due(from: self.wheelTime, now: now)
        self.wheelTime = now
        for target in due {
            switch target {
            case .server(let transaction):
                transaction.scheduled = nil
                self.timeReached(transaction, now)
            case .client(let transaction):
                transaction.scheduled = nil
                self.timeReached(transaction, now)
            }
        }
        self.scheduleWheel()
    }
}
