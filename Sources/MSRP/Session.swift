public import NIOCore

/// One MSRP session as a value: its life, what it sends, what it receives, and what it answers.
///
/// It does no I/O. The caller passes in what arrives and what time it is, puts on the connection what is added to a
/// ``FrameOutput``, and acts on what is returned.
public struct Session: Sendable {
    /// When a message that is complete is answered.
    public enum Acceptance: Sendable, Hashable {
        /// At once.
        case automatic
        /// When the owner has called ``Session/settle(_:_:into:)``, for instance because it is stored by then: neither
        /// the answer to the last chunk nor a success report goes out before that.
        case explicit
    }

    /// What a session is set up with.
    public struct Configuration: Sendable {
        /// The URI of this end: what the peer writes into To-Path.
        public var local: MSRPURI
        /// The way to the peer: the value of its `a=path`, after our own relays, the next hop first.
        public var remotePath: [MSRPURI]
        /// Which end connects.
        public var role: ConnectionRole
        /// The bounds.
        public var limits = MSRPLimits()
        /// What this end takes; anything else is refused with 415.
        public var acceptTypes = AcceptTypes.all
        /// When messages are answered.
        public var acceptance = Acceptance.automatic
        /// Whether requests must come from the last URI of ``remotePath``.
        public var checksPeer = true
        /// Where the ids that this end makes up start.
        public var seed: UInt64

        /// Makes a configuration.
        public init(local: MSRPURI, remotePath: [MSRPURI], role: ConnectionRole, seed: UInt64) {
            self.local = local
            self.remotePath = remotePath
            self.role = role
            self.seed = seed
        }
    }

    /// A message that has begun to arrive.
    public struct Incoming: Sendable, Hashable {
        /// The id that its sender gave it.
        public var id: MessageID
        /// The type of its content.
        public var contentType: String
        /// Its size, if the sender says so.
        ///
        /// Nothing is sure before the message is complete.
        public var announcedSize: UInt64?
    }

    /// What a head means.
    public enum OnHead: Sendable, Hashable {
        /// Nothing to do.
        case nothing
        /// A message begins.
        case began(Incoming)
        /// Something has become of a message that we sent.
        case answer(MessageSender.OnAnswer)
        /// The first SEND was answered.
        case bound(SessionLifecycle.Action)
    }

    /// What the end of a frame means.
    public enum OnEnd: Sendable, Hashable {
        /// Nothing to do.
        case nothing
        /// A message is complete. With ``Acceptance/explicit`` it has to be settled.
        case completed(MessageID, size: UInt64)
        /// A message will not become complete: its sender has given it up, or it made no sense.
        case aborted(MessageID)
    }

    /// What has become due.
    public struct OnTimer: Sendable, Hashable {
        /// What to do about the connection.
        public var lifecycle: SessionLifecycle.Action
        /// Messages that were not answered in time.
        public var results: [MessageSender.Result]
        /// Messages of which nothing was heard for too long.
        public var abandoned: [MessageID]
    }

    /// What has to be known to answer a chunk.
    struct Answering: Sendable {
        var id: TransactionID
        var failureReport: FailureReport
        var wantsSuccessReport: Bool
        var replyPaths: PathLines
        var reportPaths: PathLines
    }

    /// Answers that wait for the owner, of one complete message.
    struct Unsettled: Sendable {
        /// More than these of repeated last chunks are not answered one by one.
        static let maxAnswers = 8
        var size: UInt64
        var answers: [Answering]
    }

    /// The frame that is being received.
    enum Current: Sendable {
        case none
        /// Its content, if it has any, means nothing to us.
        case skipping
        case chunk(Answering)
        /// It has no content; it is answered when it ends.
        case empty(Answering)
    }

    /// The paths of the last request, and what is printed because of them: they hardly ever change.
    struct KnownPaths: Sendable {
        var toPath: ByteBuffer
        var fromPath: ByteBuffer
        var reply: PathLines
        var report: PathLines
    }

    /// What the session was set up with.
    public let configuration: Configuration
    /// The life of the session.
    public var lifecycle: SessionLifecycle
    /// What is being sent.
    public var sender: MessageSender
    var receiver: MessageReceiver
    let sendPaths: PathLines
    var current = Current.none
    var known: KnownPaths?
    var unsettled: [MessageID: Unsettled] = [:]
    var bindID: TransactionID?

    /// Makes a session that has not begun.
    ///
    /// Nothing is sent before it is established.
    public init(_ configuration: Configuration) {
        self.configuration = configuration
        self.lifecycle = SessionLifecycle(role: configuration.role, limits: configuration.limits)
        self.sender = MessageSender(limits: configuration.limits, ids: IdentifierGenerator(seed: configuration.seed))
        self.sender.setPaused(true)
        self.receiver = MessageReceiver(limits: configuration.limits)
        self.sendPaths = PathLines(to: configuration.remotePath, from: [configuration.local])
    }

    /// Messages that have begun to arrive and are not over.
    public var incompleteCount: Int { self.receiver.incompleteCount }

    /// When ``timerFired(now:)`` is due.
    public var nextDeadline: NIODeadline? {
        [self.lifecycle.nextDeadline, self.sender.nextDeadline, self.receiver.nextDeadline].compactMap { $0 }.min()
    }

    /// Does what has become due.
    public mutating func timerFired(now: NIODeadline) -> OnTimer {
        let results = self.sender.expire(now: now)
        return OnTimer(
            lifecycle: self.lifecycle.timerFired(now: now),
            results: results,
            abandoned: self.receiver.expire(now: now)
        )
    }

    // MARK: Life

    /// Prints the empty SEND that binds the session to a connection (RFC 4975 section 5.4).
    public mutating func bind(into output: inout FrameOutput) throws(MSRPError) {
        let id = self.sender.ids.transactionID()
        self.bindID = id
        try output.add(
            Frame(
                transactionID: id,
                startLine: .request(.send),
                toPath: self.configuration.remotePath,
                fromPath: [self.configuration.local],
                headers: [
                    .init("Message-ID", self.sender.makeMessageID().text),
                    .init("Byte-Range", "1-0/0"),
                ]
            )
        )
    }

    /// Lets messages flow.
    ///
    /// Call it when the life of the session says ``SessionLifecycle/Action/established(resumed:)``.
    public mutating func established() { self.sender.setPaused(false) }

    /// Hears that the connection of the session is gone.
    ///
    /// - Returns: the messages that cannot be resumed.
    public mutating func connectionLost() -> [MessageSender.Result] {
        self.current = .none
        self.bindID = nil
        self.receiver.connectionLost()
        // Their senders will ask again, and be answered then.
        for id in self.unsettled.keys { self.unsettled[id]?.answers.removeAll() }
        return self.sender.connectionLost()
    }

    /// Prints the next chunk.
    ///
    /// - Returns: what else the sending means; none when there is nothing to send.
    public mutating func writeNext(now: NIODeadline, into output: inout FrameOutput) -> MessageSender.Step? {
        guard let step = self.sender.next(now: now) else { return nil }
        output.add(step.chunk, paths: self.sendPaths)
        return step
    }
}
