import DequeModule
import MSRP
import NIOCore
import NIOTLS

/// One connection, with the sessions that are bound to it.
///
/// Everything in it happens on its event loop.
final class MSRPConnection: ChannelDuplexHandler, @unchecked Sendable {
    typealias InboundIn = ByteBuffer
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    /// Whom the frame that is coming in is for.
    enum Target {
        case nobody
        case session(MSRPSession)
        case relay(MSRPRelay)
    }

    /// When frames can be exchanged.
    enum Readiness {
        /// As soon as the connection is open.
        case whenActive
        /// Once TLS is set up.
        case afterHandshake
        /// From the start: this handler comes in when a WebSocket is there.
        case now
    }

    let id: ConnectionID
    let loop: any EventLoop
    let endpoint: MSRPEndpoint
    /// Whether we opened it.
    let isOutgoing: Bool
    let limits: TransportLimits
    /// Where we connected to, for a connection that others may share.
    let address: ConnectionAddress?
    /// Completed once frames can be exchanged.
    private var ready: EventLoopPromise<MSRPConnection>?
    private let readiness: Readiness
    /// Answers and reports.
    ///
    /// They go out even when the socket takes no more content for now.
    var control: FrameOutput
    private var content: FrameOutput
    private var parser: FrameParser
    /// Whole WebSocket messages that wait for their turn.
    private var messages: Deque<ByteBuffer> = []
    private(set) var context: ChannelHandlerContext?

    var sessions: [String: MSRPSession] = [:]
    var relays: [String: MSRPRelay] = [:]
    /// The sessions, each once, in the order in which they may send next.
    private var turns: Deque<MSRPSession> = []
    var target = Target.nobody
    /// The last To-Path and whom it led to: it hardly ever changes.
    var lastRoute: (toPath: ByteBuffer, session: MSRPSession)?

    /// A session is coming over from another loop; what is read waits for it.
    var isBinding = false
    /// Sessions whose owners are slow.
    private var pausedSessions = 0
    private var isReadWanted = false
    private var isInPump = false
    private var unreadAnswerBytes = 0
    var refusals = 0
    private var idleTimer: Scheduled<Void>?

    init(
        id: ConnectionID,
        endpoint: MSRPEndpoint,
        loop: any EventLoop,
        address: ConnectionAddress?,
        framing: FrameOutput.Framing,
        readiness: Readiness,
        ready: EventLoopPromise<MSRPConnection>?
    ) {
        self.id = id
        self.endpoint = endpoint
        self.loop = loop
        self.address = address
        self.isOutgoing = ready != nil
        self.readiness = readiness
        self.ready = ready
        self.limits = endpoint.limits
        self.parser = FrameParser(limits: endpoint.frameLimits)
        self.control = FrameOutput(framing: framing)
        self.content = FrameOutput(framing: framing)
    }

    var framing: FrameOutput.Framing { self.control.framing }

    // MARK: Sessions

    /// Binds a session, unless there are too many already.
    func add(_ session: MSRPSession) -> Bool {
        guard let name = session.local.sessionID, self.context != nil,
            self.sessions.count < self.limits.maxSessionsPerConnection
        else { return false }
        self.sessions[name] = session
        self.turns.append(session)
        if session.isReadingPaused { self.pausedSessions += 1 }
        session.attach(self)
        self.idleTimer?.cancel()
        self.idleTimer = nil
        return true
    }

    func remove(_ session: MSRPSession) {
        guard let name = session.local.sessionID, self.sessions[name] === session else { return }
        self.sessions[name] = nil
        self.turns.removeAll { $0 === session }
        if session.isReadingPaused { self.pausedSessions -= 1 }
        if self.lastRoute?.session === session { self.lastRoute = nil }
        if case .session(let current) = self.target, current === session { self.target = .nobody }
        self.flushControl()
        self.watchIdle()
        self.readingChanged()
    }

    /// Closes a connection that nobody has used for a while.
    func watchIdle() {
        guard self.sessions.isEmpty, self.relays.isEmpty, self.idleTimer == nil, self.context != nil else { return }
        let delay = self.isOutgoing ? self.limits.idleTimeout : self.limits.unboundTimeout
        self.idleTimer = self.loop.assumeIsolated().scheduleTask(in: delay) {
            self.idleTimer = nil
            guard self.sessions.isEmpty, self.relays.isEmpty else { return }
            self.close()
        }
    }

    func close() { self.context?.close(promise: nil) }

    // MARK: Channel

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        self.watchIdle()
        if self.readiness == .now || (self.readiness == .whenActive && context.channel.isActive) {
            self.becomeReady()
        }
    }

    func channelActive(context: ChannelHandlerContext) {
        if self.readiness == .whenActive { self.becomeReady() }
        context.fireChannelActive()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case .handshakeCompleted? = event as? TLSUserEvent { self.becomeReady() }
        context.fireUserInboundEventTriggered(event)
    }

    private func becomeReady() {
        self.ready?.succeed(self)
        self.ready = nil
    }

    func handlerRemoved(context: ChannelHandlerContext) { self.gone() }

    func channelInactive(context: ChannelHandlerContext) {
        self.gone()
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }

    private func gone() {
        guard self.context != nil else { return }
        self.context = nil
        self.ready?.fail(MSRPError(.connectFailed, "closed before it was ready"))
        self.ready = nil
        self.idleTimer?.cancel()
        self.idleTimer = nil
        self.endpoint.forget(self)
        let sessions = self.sessions.values
        self.sessions.removeAll()
        self.turns.removeAll()
        self.lastRoute = nil
        self.target = .nobody
        for relay in self.relays.values { relay.connectionLost() }
        self.relays.removeAll()
        for session in sessions { session.connectionLost(self) }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let bytes = self.unwrapInboundIn(data)
        switch self.framing {
        case .stream: self.parser.append(bytes)
        case .message: self.messages.append(bytes)
        }
        self.pump()
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        self.flushControl()
        self.sendMore()
        context.fireChannelReadComplete()
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        if context.channel.isWritable { self.sendMore() }
        context.fireChannelWritabilityChanged()
    }

    func read(context: ChannelHandlerContext) {
        if self.isReadingPaused {
            self.isReadWanted = true
        } else {
            context.read()
        }
    }

    // MARK: Reading

    /// Whether nothing more is taken in for now: an owner is slow, the peer does not read its answers, or a session is
    /// on its way here.
    private var isReadingPaused: Bool {
        self.isBinding || self.unreadAnswerBytes > self.limits.maxUnreadAnswerBytes
            || self.pausedSessions > 0
    }

    /// Hears that the owner of one of the sessions wants no more for now, or wants more again.
    func sessionPaused(_ isPaused: Bool) {
        self.pausedSessions += isPaused ? 1 : -1
        if !isPaused { self.readingChanged() }
    }

    /// Goes on with what was held back, if nothing holds it back any more.
    func readingChanged() {
        guard !self.isReadingPaused else { return }
        self.pump()
        self.flushControl()
        self.sendMore()
        guard self.isReadWanted, !self.isReadingPaused, let context else { return }
        self.isReadWanted = false
        context.read()
    }

    private func pump() {
        // An owner that resumes reading from within an event finds the loop below still running.
        guard !self.isInPump else { return }
        self.isInPump = true
        defer { self.isInPump = false }
        do throws(MSRPError) {
            while self.context != nil, !self.isReadingPaused, let event = try self.nextEvent() {
                self.handle(event)
            }
        } catch {
            self.close()
        }
    }

    private func nextEvent() throws(MSRPError) -> FrameEvent? {
        if let event = try self.parser.next() { return event }
        guard self.framing == .message, let message = self.messages.popFirst() else { return nil }
        // Each message is looked through first: what is not exactly one chunk must not have any effect.
        _ = try WebSocketFraming.events(in: message, limits: self.endpoint.frameLimits)
        self.parser.append(message)
        return try self.parser.next()
    }

    // MARK: Writing

    /// Writes answers and reports.
    func flushControl() {
        guard !self.control.isEmpty, let context else { return }
        let bytes = self.control.byteCount
        let promise = self.loop.makePromise(of: Void.self)
        self.unreadAnswerBytes += bytes
        let buffers = self.control.take()
        for (index, buffer) in buffers.enumerated() {
            context.write(self.wrapOutboundOut(buffer), promise: index == buffers.count - 1 ? promise : nil)
        }
        promise.futureResult.assumeIsolated().whenComplete { _ in
            let wasFull = self.unreadAnswerBytes > self.limits.maxUnreadAnswerBytes
            self.unreadAnswerBytes -= bytes
            if wasFull { self.readingChanged() }
        }
        context.flush()
    }

    /// Writes content, as much as the socket takes: sessions take turns, a chunk each.
    func sendMore() {
        guard let context, !self.turns.isEmpty else { return }
        let now = NIODeadline.now()
        var idle = 0
        while context.channel.isWritable, idle < self.turns.count, let session = self.turns.popFirst() {
            self.turns.append(session)
            guard let step = session.core.writeNext(now: now, into: &self.content) else {
                idle += 1
                continue
            }
            idle = 0
            self.written(step, by: session)
            if self.content.byteCount >= self.limits.flushBytes { self.flushContent(context) }
            guard self.context != nil else { return }
        }
        self.flushContent(context)
    }

    private func written(_ step: MessageSender.Step, by session: MSRPSession) {
        session.scheduleTimer()
        if let result = step.result { session.finish(result) }
        if step.resumesProducer { session.waiters.hasRoom(step.chunk.messageID) }
    }

    private func flushContent(_ context: ChannelHandlerContext) {
        guard !self.content.isEmpty else { return }
        for buffer in self.content.take() { context.write(self.wrapOutboundOut(buffer), promise: nil) }
        context.flush()
    }
}
