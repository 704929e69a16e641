public import NIOCore

/// Every bound that this library keeps, in one place; each has its own error.
public struct MSRPLimits: Sendable, Equatable {
    // MARK: Frames

    /// Octets of a frame before its body: the start line and all headers.
    public var maxHeadBytes = 16 * 1024
    /// Octets of one line of a head.
    public var maxLineBytes = 4096
    /// Headers of one frame.
    public var maxHeaders = 64
    /// URIs of one To-Path, From-Path or Use-Path.
    public var maxPathURIs = 16

    // MARK: Receiving

    /// Octets of one received message.
    ///
    /// 413 stops the sender of a larger one.
    public var maxMessageBytes: UInt64 = 4 * 1024 * 1024 * 1024
    /// Messages of one session that have begun and have not ended.
    public var maxIncompleteMessages = 64
    /// Separate pieces of one message that wait for what lies before them.
    public var maxGaps = 256
    /// Octets of one session that wait for what lies before them.
    public var maxOutOfOrderBytes = 4 * 1024 * 1024
    /// How long a message may be incomplete without anything being heard of it.
    public var incompleteTimeout: TimeAmount = .minutes(5)
    /// Ids of completed messages that are remembered, to recognise one that is sent again after a broken connection.
    public var maxRememberedMessages = 1024

    /// Complete messages of one session that wait for their owner's word (``Session/Acceptance/explicit``).
    public var maxUnsettledMessages = 1024

    // MARK: Sending

    /// Octets of a chunk while more than one message waits (RFC 4975 section 5.1: more must be interruptible).
    public var chunkBytes = 2048
    /// Octets of a chunk while one message alone is being sent.
    ///
    /// Above 2048 it has `*` as its range end.
    ///
    /// Every peer takes 2048. Peers and relays that hold a whole chunk before they handle it refuse larger ones; one
    /// that is known to stream is reached about four times as fast with 64 KiB.
    public var bulkChunkBytes = 2048
    /// Messages of one session that wait to be sent or to be answered.
    public var maxOutgoingMessages = 1024
    /// Octets sent and not yet answered; kept for resumption.
    ///
    /// Sending pauses at this many.
    public var maxUnansweredBytes = 2 * 1024 * 1024
    /// Chunks sent and not yet answered.
    ///
    /// Sending pauses at this many.
    public var maxUnansweredChunks = 1024
    /// Octets of one message that were supplied and not yet sent, above which a producer is asked to wait.
    public var maxBufferedBytes = 512 * 1024
    /// Delivered messages whose success report is still awaited; the oldest is forgotten first.
    public var maxAwaitedReports = 4096

    // MARK: Time

    /// How long a response may take, counted from the end of the request (RFC 4975 section 7.1.1).
    public var transactionTimeout: TimeAmount = .seconds(30)
    /// How long opening a connection may take.
    public var connectTimeout: TimeAmount = .seconds(20)
    /// How long a passive end waits for its peer to connect and bind.
    public var peerTimeout: TimeAmount = .seconds(60)
    /// How long a session whose connection broke can be resumed.
    public var resumeTimeout: TimeAmount = .seconds(60)
    /// Connections tried by the active end, the first one included, before it gives up.
    public var maxConnectAttempts = 5
    /// Waiting time before the second connection; doubled for each one after it.
    public var reconnectDelay: TimeAmount = .milliseconds(200)

    /// The default limits.
    public init() {}
}
