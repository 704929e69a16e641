public import NIOCore
public import NIOSSL
public import SIP

/// A connection, or for datagrams a socket and a peer: what requests and responses of one peer travel on
/// (RFC 5626 section 3).
public struct Flow: Sendable, Hashable, CustomStringConvertible {
    /// The number of the connection or socket, never used again within a stack.
    public let number: UInt64
    /// The transport.
    public let transport: SIPTransportKind
    /// Our address; of a datagram socket on all addresses, the one that the peer reached.
    public let local: SocketAddress
    /// The peer's address.
    public let remote: SocketAddress

    /// A flow is its connection or socket and its peer; by which of several addresses a datagram reached us makes no other.
    public static func == (left: Flow, right: Flow) -> Bool {
        left.number == right.number && left.remote == right.remote
    }

    /// Hashes number and peer.
    public func hash(into hasher: inout Hasher) {
        hasher.combine(self.number)
        hasher.combine(self.remote)
    }

    /// Transport, number and peer.
    public var description: String { "\(self.transport.rawValue)#\(self.number) \(self.remote)" }
}

/// The settings and limits of a stack.
public struct SIPStackConfiguration: Sendable {
    /// The limits of messages.
    public var limits = SIPLimits()
    /// The timers of transactions.
    public var timers = TransactionTimers()
    /// The host that goes into Via; nil takes the local address of the socket.
    public var sentByHost: String?
    /// The path MTU, nil when it is not known (RFC 3261 section 18.1.1).
    public var pathMTU: Int?
    /// TLS for connections that peers open.
    public var serverTLS: NIOSSLContext?
    /// TLS for connections that we open.
    public var clientTLS: NIOSSLContext?
    /// How long to wait for a connection.
    public var connectTimeout: TimeAmount = .seconds(10)
    /// How long a connection may be silent before it is closed.
    public var idleTimeout: TimeAmount = .minutes(60)
    /// After how much silence the system asks whether the other end is there (TCP keep-alive), on all connections, since firewalls
    /// forget those that are silent; nil for never. Unlike ``SIPStack/keepAlive(_:every:)`` it asks nothing of the other stack.
    public var probeAfter: TimeAmount?
    /// How long a message may take to arrive once it has begun; the first one of a peer's connection begins with it.
    public var messageTimeout: TimeAmount = .seconds(32)
    /// How long a connection that a peer opened stays that nobody asks to ``SIPStack/keep(_:)``; nil for as long as any.
    public var unprovenTimeout: TimeAmount?
    /// How long to wait for the answer to a ping (RFC 5626 section 4.4.1).
    public var pongTimeout: TimeAmount = .seconds(10)
    /// How long to wait for the first answer to a STUN request on a flow of datagrams; 7 are sent, each after twice the
    /// time (RFC 5389 section 7.2.1).
    public var stunTimeout: TimeAmount = .milliseconds(500)
    /// How many connections others may open, and how many are opened to others.
    public var maximumConnections = 10_000
    /// How many connections one address may open.
    public var maximumConnectionsPerAddress = 1000
    /// How many transactions may be live; a request beyond is answered 503 without one.
    public var maximumTransactions = 200_000
    /// How many of these requests of others may have: a quarter is left for our own.
    var maximumServerTransactions: Int { self.maximumTransactions - self.maximumTransactions / 4 }
    /// How many bytes may wait to be sent on one connection before it is closed.
    public var maximumPendingBytes = 4 << 20
    /// Whether a request that arrives on a second way gets a 482 (RFC 3261 section 8.2.2.2); a proxy leaves that to its
    /// users.
    public var refusesMergedRequests = true
    /// After how long an INVITE without any response gets a 100 (RFC 3261 section 17.2.1).
    public var tryingDelay: TimeAmount = .milliseconds(200)
    /// Whether a peer's `alias` lets its connection be used for requests to its sent-by (RFC 5923).
    ///
    /// Only connections with a verified client certificate count.
    public var acceptsAliases = false

    /// The default settings.
    public init() {}
}

/// What a stack tells its user.
///
/// All calls come on the event loop of the stack.
public protocol SIPStackHandler: AnyObject {
    /// What to answer to a request, other than ACK and CANCEL, without a transaction (RFC 3261 section 8.2.7): strangers
    /// cost no memory then. Nil makes one. A request that comes again is asked about again.
    func answerWithoutTransaction(_ request: SIPMessage, on flow: Flow) -> SIPMessage?
    /// A request arrived that is neither ACK nor CANCEL. Answer it with ``ServerTransaction/respond(_:)``, now or later.
    func received(_ transaction: ServerTransaction)
    /// An ACK for a 2xx arrived, or one that belongs to nothing.
    func received(acknowledgement: SIPMessage, for transaction: ServerTransaction?, on flow: Flow)
    /// A CANCEL arrived for an INVITE without final response. Answer the INVITE with 487; the CANCEL is answered.
    func cancelled(_ transaction: ServerTransaction, by cancel: SIPMessage)
    /// A response arrived that belongs to no transaction, such as a 2xx to an INVITE that came again.
    func received(stray response: SIPMessage, on flow: Flow)
    /// The ACK to a failure response never came, or a response could not be sent.
    func failed(_ transaction: ServerTransaction)
    /// A connection was closed, by whomever; or a flow of datagrams with keep-alives broke.
    func closed(_ flow: Flow)
}

extension SIPStackHandler {
    /// Every request gets a transaction.
    public func answerWithoutTransaction(_ request: SIPMessage, on flow: Flow) -> SIPMessage? { nil }
    /// Does nothing.
    public func received(acknowledgement: SIPMessage, for transaction: ServerTransaction?, on flow: Flow) {}
    /// Answers the INVITE with 487.
    public func cancelled(_ transaction: ServerTransaction, by cancel: SIPMessage) {
        transaction.respond(487)
    }
    /// Does nothing.
    public func received(stray response: SIPMessage, on flow: Flow) {}
    /// Does nothing.
    public func failed(_ transaction: ServerTransaction) {}
    /// Does nothing.
    public func closed(_ flow: Flow) {}
}
