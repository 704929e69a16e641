import NIOCore

/// How this provider is connected to others.
public struct InterconnectConfiguration: Sendable {
    /// Domains whose users are this provider's own.
    public var domains: [String]
    /// Where other providers reach this one by SIP over TLS.
    public var host: String
    public var port: Int
    /// The port for MSRP over TLS; one that is free if 0.
    public var messagePort: Int
    /// The host that stands in MSRP paths; the address by which the peer reached this one if nil.
    public var messageHost: String?
    /// The name that others reach this host by; the first domain if empty. It stands in Via and in MSRP paths.
    public var name: String
    /// PEM files: this provider's certificate chain, its key, and the authorities that peers' certificates come from.
    public var certificate: String
    public var key: String
    public var authorities: String
    /// Whom it exchanges messages with; nobody else gets further than the handshake.
    public var peers: [Peer]
    /// Where a media relay takes its orders (rtpengine's `ng` protocol over UDP), for media between browsers here and
    /// telephones there; without one these end.
    public var relay: (host: String, port: Int)?
    /// Name servers to ask for peers without a route, as `address:port`; those of the system if empty.
    public var nameServers: [String]

    /// A connection with these peers.
    public init(
        domains: [String],
        host: String = "0.0.0.0",
        port: Int = 5061,
        messagePort: Int = 2855,
        messageHost: String? = nil,
        name: String = "",
        certificate: String,
        key: String,
        authorities: String,
        peers: [Peer],
        nameServers: [String] = []
    ) {
        self.domains = domains
        self.host = host
        self.port = port
        self.messagePort = messagePort
        self.messageHost = messageHost
        self.name = name.isEmpty ? domains.first ?? host : name
        self.certificate = certificate
        self.key = key
        self.authorities = authorities
        self.peers = peers
        self.nameServers = nameServers
    }
}

/// What exchanges with peers take at most. Of what all of them share one peer has half (``Shares``).
enum InterconnectLimits {
    /// Larger messages go over MSRP (RFC 3428, section 8: 1,300 octets where the way is not known to bear more).
    static let pagerBytes = 1300
    /// What is taken as one MESSAGE from others, who may know the way to bear more.
    static let incomingPagerBytes = 65_536
    /// Octets of a shown file in one answer: what else is on the connection waits no longer than for these.
    static let shownBytes = 65_536
    /// Requests of all peers that are being worked on; what comes beyond is asked to come later.
    static let requestsInHand = 2048
    static let connections = 1024
    static let connectionsPerAddress = 64
    /// Silence on a connection after which the system asks whether the other end is there.
    static let probeAfter = TimeAmount.seconds(60)
    /// Large messages and files under way at once.
    static let transfers = 512
    /// Files under way in lines of one conversation.
    static let filesInConversation = 4
    /// Live conversations with users whose providers keep no lanes.
    static let dialogs = 2048
    /// Calls whose ACK is kept for when a 2xx comes again: all that may be, and those that have just ended.
    static let acknowledgements = 4096
    /// Subscriptions to one conversation by one of its users.
    static let watches = 4
    /// How long somebody who was asked into a conversation by REFER has to come, and how often that is looked at.
    static let referralTime = Duration.seconds(70)
    static let referralPause = Duration.milliseconds(500)
    /// How long an INVITE may go without an answer.
    static let answerTime = TimeAmount.seconds(60)
    /// The same for a conversation: longer than the owner waits for the answer.
    static let callTime = TimeAmount.seconds(180)
    /// How long a text waits for its path before it goes back into its lane: other lanes of the peer wait beside it.
    static let pathTime = Duration.seconds(5)
    /// How long a report within a conversation may take before it goes another way.
    static let reportTime = Duration.seconds(5)
    /// How often both ends of a conversation make sure of each other, and the shortest time that is agreed to (RFC 4028).
    static let sessionSeconds: UInt32 = 1800
    static let shortestSessionSeconds: UInt32 = 90
    /// What is agreed to if the other side insists.
    static let longestSessionSeconds: UInt32 = 86_400
    /// How long it is known of a peer how it carries conversations.
    static let peerKindTime = Duration.seconds(3600)
    /// Characters of a subject in a header.
    static let subjectCharacters = 200
    /// How long a transfer may take.
    static let transferTime = Duration.seconds(3600)
    /// How long it is known after its end how a transfer went.
    static let farewell = Duration.seconds(32)
    static let transactions = 20_000
    /// How long an answer to a question about the other side's devices is waited for.
    static let questionMilliseconds: Int64 = 5000
}
