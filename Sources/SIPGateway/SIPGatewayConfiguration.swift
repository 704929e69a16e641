public import SIP

/// Where SIP phones come in, and what they must prove.
public struct SIPGatewayConfiguration: Sendable {
    /// One address to listen on.
    public struct Door: Sendable, Hashable {
        public var transport: SIPTransportKind
        public var host: String
        public var port: Int
        /// The digest algorithms offered there, strongest first; some phones give up when two are (RFC 8760).
        public var algorithms: [DigestAlgorithm]

        /// An address with its policy; SHA-256 alone unless told.
        public init(_ transport: SIPTransportKind, host: String, port: Int, algorithms: [DigestAlgorithm] = [.sha256]) {
            self.transport = transport
            self.host = host
            self.port = port
            self.algorithms = algorithms
        }
    }

    /// PEM files of the certificate chain and its key, for TLS and secure WebSockets.
    public struct Certificate: Sendable, Hashable {
        public var chain: String
        public var key: String

        /// Paths of the two files.
        public init(chain: String, key: String) {
            self.chain = chain
            self.key = key
        }
    }

    /// At most one for each transport.
    public var doors: [Door]
    /// The realm of the digest (RFC 3261, section 22.1).
    public var realm: String
    public var certificate: Certificate?
    /// The name or address by which phones reach this host, where it is another one than they are seen to reach: a
    /// translated one. It is told in Via, Contact and the paths of MSRP.
    public var publicHost: String?
    /// Where a media relay takes its orders (rtpengine's `ng` protocol over UDP), for calls between phones and browsers;
    /// without one these are refused.
    public var relay: (host: String, port: Int)?
    /// Where phones that can bring the texts of live conversations (MSRP, RFC 4975), and those whose signalling is
    /// protected; without one these texts go as MESSAGE.
    public var texts: (host: String, port: Int)?
    public var secureTexts: (host: String, port: Int)?
    public var limits: SIPGatewayLimits

    /// A gateway with these doors.
    public init(
        doors: [Door],
        realm: String,
        certificate: Certificate? = nil,
        limits: SIPGatewayLimits = SIPGatewayLimits()
    ) {
        self.doors = doors
        self.realm = realm
        self.certificate = certificate
        self.limits = limits
    }
}

/// Every bound of the gateway; the unit is the last word of each name.
public struct SIPGatewayLimits: Sendable, Hashable {
    /// Shorter registrations are refused with 423.
    public var leaseMinimumSeconds: UInt32 = 60
    /// Longer ones are cut: after a restart the server hears from every phone within this time.
    public var leaseMaximumSeconds: UInt32 = 600
    /// A datagram phone behind a NAT must come again before its mapping goes.
    public var leaseBehindNATSeconds: UInt32 = 120
    /// Phones that are registered at one time.
    public var phones = 50_000
    /// Connections of phones: beside one for each, those that a phone has left and that are not known to be gone.
    public var connections: Int { phones + phones / 4 }
    /// How long a connection may be there on which nobody proves who it is.
    public var unprovenSeconds: Int64 = 32
    /// Flows of one phone (RFC 5626).
    public var bindingsPerPhone = 4
    /// Messages and reports of one phone that wait for their commit.
    public var messagesInHand = 16
    /// Credentials that are being looked up.
    public var lookupsInHand = 1024
    /// How long what was read of a registered phone counts: its password, and the addresses of its account.
    public var recordSeconds: Int64 = 30
    /// Changes read ahead for one phone, and their bytes.
    public var windowItems = 64
    public var windowBytes = 256 << 10
    /// What a compressed body may become.
    public var inflatedBytes = 64 << 10
    /// Unread messages that a phone gets when it was away for too long to be told what changed.
    public var resetMessages = 50
    public var subscriptionsPerPhone = 6
    public var subscriptionMaximumSeconds: UInt32 = 3600
    /// What a phone watches is told at most so often (RFC 3680, section 4.11; RFC 4235, section 3.11).
    public var eventPauseSeconds: Int64 = 1
    /// What changes without a word, such as a registration that ran out, is looked at so often while it is watched.
    public var eventPollSeconds: Int64 = 5
    /// The first wait after a phone did not take a message; it doubles up to the longest.
    public var retryFirstSeconds: Int64 = 5
    public var retryLongestSeconds: Int64 = 300
    /// Up to how many steps words and reports wait behind what a phone does not take; messages come again.
    public var waitingSteps = 256
    /// How long after the store could not be read for a phone it is tried again, up to twice as long.
    public var reopenSeconds: Int64 = 5
    /// How long a nonce is good.
    public var nonceSeconds: Int64 = 300
    /// Wrong passwords of one source for one user name within the time, and of one source for any.
    public var failuresOfUser = 5
    public var failuresOfSource = 50
    public var failureWindowSeconds: Int64 = 300
    /// How long a source is refused then.
    public var banSeconds: Int64 = 300
    /// Sources that are remembered.
    public var failureEntries = 20_000
    /// What a phone that has a live conversation handed over to it gets of what was said before.
    public var historyTexts = 5
    /// The same for a phone that takes conversations over MSRP, which may ask for all of it.
    public var replayTexts = 200
    /// Sessions of MSRP of all phones, and connections.
    public var textSessions = 50_000
    /// Dialogs of texts that a phone may begin while others stand.
    public var textsPerPhone = 16
    /// One message of a phone over MSRP, with its envelope.
    public var textBytes = 72 << 10
    /// Messages of one session that are on their way in at one time.
    public var textsInHand = 8
    /// How long a conversation over MSRP may be without its connection.
    public var textPathSeconds: Int64 = 20
    /// Connections over which nothing went, one after another, before the texts go as messages.
    public var fruitlessPaths = 4
    /// Before a new one is offered, a phone has this long to come back by itself.
    public var textPatienceSeconds: Int64 = 2
    /// How long a text that accepts a conversation waits for another provider's word.
    public var joinSeconds: Int64 = 10
    /// Calls of one phone at one time.
    public var callsPerPhone = 4
    /// Conversations that one phone is taking over at one time, until the server's word on each.
    public var takeOversPerPhone = 4
    /// How long media may take to come once a phone took a call.
    public var mediaSeconds: Int64 = 20
    /// How long the calls of a phone go on that lost its connection.
    public var callsAwaySeconds: Int64 = 32
    /// How long a phone's REFER waits for the own device, which has this long to take over, and for another user.
    public var moveSeconds: Int64 = 25
    public var transferSeconds: Int64 = 70
    /// How long a phone bears that others are in its medium: who hands a call on leaves it only when the next one is in.
    public var crowdedSeconds: Int64 = 5
    /// Ended dialogs that are remembered, of all phones.
    public var dialogsRemembered = 1024
    /// Calls are asked after in half this time (RFC 4028).
    public var sessionTimerSeconds: UInt32 = 1800
    /// What other devices said of media that the phone has not heard of yet.
    public var earlySignals = 8
    /// Reports remembered so that none is said twice.
    public var reportsRemembered = 256
    /// Messages of one phone remembered so that none is said twice while its stream lasts.
    public var messagesRemembered = 256

    /// The defaults.
    public init() {}
}
