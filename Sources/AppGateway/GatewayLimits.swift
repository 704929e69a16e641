public import MessagingService

/// Every bound of the gateway, in one place; the unit is the last word of each name.
///
/// The values are those of a provider's server; tests and unusual installations change single ones.
public struct GatewayLimits: Sendable {
    // MARK: Requests

    /// A JSON body is refused above this before anything is decoded.
    public var jsonBodyBytes = 256 << 10
    /// One `PATCH` of an upload; a larger file is sent in several.
    public var uploadPieceBytes: Int64 = 16 << 20
    /// What is handed to the blob store at once.
    public var uploadChunkBytes = 256 << 10
    /// What is read from the blob store at once.
    public var downloadChunkBytes = 128 << 10
    /// Path and query together.
    public var targetBytes = 4096
    public var headerFieldBytes = 8 << 10
    public var headerListBytes = 32 << 10
    public var headerFields = 64

    // MARK: Connections

    public var connections = 60000
    /// Connections that wait to be accepted, for storms after a restart.
    public var backlog = 4096
    /// From the connection, or the last answer, to the end of the next request's head.
    public var headMilliseconds: Int64 = 30000
    /// A body may take so long, and longer by one second for each ``bodyBytesPerSecond`` that came.
    public var bodyMilliseconds: Int64 = 30000
    public var bodyBytesPerSecond: Int64 = 4096
    /// A client that takes none of its answer for so long is cut off.
    public var stallMilliseconds: Int64 = 60000
    /// How long a request that was answered early is read on, so that its answer is not lost.
    public var lingerMilliseconds: Int64 = 2000
    /// How often deadlines are looked at.
    public var tickMilliseconds: Int64 = 1000

    // MARK: Rates

    /// Log-ins that fail, from one address of the network (one /64 of IPv6).
    public var loginsOfPeer = Rate(burst: 60, perSecond: 1)
    /// Log-ins that fail, to one account's address.
    public var loginsOfAddress = Rate(burst: 10, perSecond: 0.1)
    public var requestsOfDevice = Rate(burst: 1000, perSecond: 200)
    /// Requests with a wrong operator token, from one address of the network.
    public var operatorFailures = Rate(burst: 10, perSecond: 0.2)
    /// Entries of each rate's table; older ones are forgotten.
    public var rateEntries = 1 << 16

    // MARK: Sockets

    /// A frame, or a message put together from its fragments.
    public var frameBytes = 256 << 10
    public var fragmentsPerMessage = 512
    /// Beyond this many unsent bytes a socket is closed as too slow.
    public var pendingWriteBytes = 4 << 20
    public var helloMilliseconds: Int64 = 10000
    public var pingMilliseconds: Int64 = 30000
    public var missedPongs = 2
    /// How long the other side has to answer a close.
    public var closeMilliseconds: Int64 = 5000
    /// Frames taken in one tick; what comes beyond waits in the network.
    public var framesPerTick = 2000

    /// The limits of a provider's server.
    public init() {}
}
