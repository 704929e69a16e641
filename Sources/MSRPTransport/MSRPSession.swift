public import MSRP
public import NIOCore
import Synchronization

/// A session that runs on a connection.
///
/// Its state is touched on one event loop only. A passive session moves to the loop of the connection that its peer
/// comes in on; nothing outside notices. Everything here can be called from anywhere.
public final class MSRPSession: @unchecked Sendable {
    /// The URI of this end.
    public let local: MSRPURI
    /// The way to the peer.
    public let remotePath: [MSRPURI]
    let endpoint: MSRPEndpoint
    let address: ConnectionAddress?
    let relay: MSRPRelay?
    private let handler: any MSRPSessionHandler
    /// The loop that the rest belongs to.
    private let home: Mutex<any EventLoop>

    // Touched on the loop only.
    var core: Session
    private(set) var connection: MSRPConnection?
    private(set) var isReadingPaused = false
    private var timer: (deadline: NIODeadline, task: Scheduled<Void>)?
    var waiters = SendWaiters()

    init(
        endpoint: MSRPEndpoint,
        configuration: Session.Configuration,
        address: ConnectionAddress?,
        relay: MSRPRelay?,
        handler: any MSRPSessionHandler,
        on loop: any EventLoop
    ) {
        self.local = configuration.local
        self.remotePath = configuration.remotePath
        self.endpoint = endpoint
        self.address = address
        self.relay = relay
        self.handler = handler
        self.home = Mutex(loop)
        self.core = Session(configuration)
    }

    /// The loop on which the session lives now.
    public var eventLoop: any EventLoop { self.home.withLock { $0 } }

    /// Does something where the state is.
    ///
    /// When the session has moved meanwhile, the work moves after it.
    func onLoop(_ work: @escaping @Sendable () -> Void) {
        let loop = self.eventLoop
        if loop.inEventLoop { return work() }
        loop.execute { self.onLoop(work) }
    }

    /// Gives the session to another loop.
    ///
    /// The caller is on the old one and does not touch the state again.
    func move(to loop: any EventLoop) {
        self.timer?.task.cancel()
        self.timer = nil
        self.home.withLock { $0 = loop }
    }

    func emit(_ event: MSRPSessionEvent) { self.handler.session(self, did: event) }

    // MARK: For its owner

    /// Connects, or begins to wait for the peer.
    public func start() {
        self.onLoop { self.perform(self.core.lifecycle.start(now: .now())) }
    }

    /// Ends the session.
    ///
    /// Messages under way are given up.
    public func close() {
        self.onLoop { self.perform(self.core.lifecycle.close(.init(.sessionClosed, "closed by its owner"))) }
    }

    /// Says what is to become of a complete message, with ``MSRP/Session/Acceptance/explicit``.
    public func settle(_ id: MessageID, _ status: MSRPStatus = .ok) {
        self.onLoop {
            guard let connection = self.connection else {
                var nowhere = FrameOutput(framing: .stream)
                return self.core.settle(id, status, into: &nowhere)
            }
            self.core.settle(id, status, into: &connection.control)
            connection.flushControl()
        }
    }

    /// Asks the sender of a message that is coming in to stop.
    public func stop(_ id: MessageID, _ status: MSRPStatus = .stopSending) {
        self.onLoop {
            if self.core.stop(id, status) { self.emit(.aborted(id)) }
        }
    }

    /// Gives up a message that is being sent.
    public func abort(_ id: MessageID) {
        self.onLoop {
            guard self.core.sender.abort(id) else { return }
            self.finish(.init(id: id, outcome: .failed(.stopSending)))
            self.connection?.sendMore()
        }
    }

    /// Stops and resumes reading.
    ///
    /// The peer is slowed down by it, and with it whoever shares the connection.
    public func setReading(_ isReading: Bool) {
        self.onLoop {
            guard self.isReadingPaused == isReading else { return }
            self.isReadingPaused = !isReading
            self.connection?.sessionPaused(!isReading)
        }
    }

    // MARK: For its connection

    func attach(_ connection: MSRPConnection) { self.connection = connection }

    /// Hears that the connection is gone.
    func connectionLost(_ connection: MSRPConnection) {
        guard self.connection === connection else { return }
        self.connection = nil
        let wasEstablished = self.core.lifecycle.phase == .established
        for result in self.core.connectionLost() { self.finish(result) }
        let action = self.core.lifecycle.connectionLost(connection.id, now: .now())
        if wasEstablished, self.core.lifecycle.phase != .closed { self.emit(.interrupted) }
        self.perform(action)
    }

    /// Tells whoever waits what became of a message.
    func finish(_ result: MessageSender.Result) {
        self.waiters.finished(result)
        self.emit(.result(result))
    }

    // MARK: Life

    func perform(_ action: SessionLifecycle.Action) {
        switch action {
        case .ignore, .refuse: break
        case .wait: self.letGo()
        case .connect: self.connect()
        case .bind: self.bind()
        case .established(let resumed):
            self.core.established()
            self.emit(.established(resumed: resumed))
            self.connection?.sendMore()
        case .close: self.closed()
        }
        self.scheduleTimer()
    }

    /// Leaves a connection that the session is not bound to any more.
    private func letGo() {
        guard let connection, self.core.lifecycle.connection == nil else { return }
        self.connection = nil
        connection.remove(self)
    }

    private func connect() {
        if let relay {
            return relay.connection(for: self) { result in self.connected(result) }
        }
        guard let address else {
            return self.perform(self.core.lifecycle.connectFailed(now: .now()))
        }
        self.endpoint.connect(to: address, on: self.eventLoop).whenComplete { result in
            self.onLoop { self.connected(result) }
        }
    }

    private func connected(_ result: Result<MSRPConnection, any Error>) {
        switch result {
        case .failure: self.perform(self.core.lifecycle.connectFailed(now: .now()))
        case .success(let connection):
            guard connection.loop === self.eventLoop else {
                // A connection that another session opened lives elsewhere: go there.
                self.move(to: connection.loop)
                return self.onLoop { self.connected(result) }
            }
            guard connection.add(self) else {
                return self.perform(self.core.lifecycle.connectFailed(now: .now()))
            }
            let action = self.core.lifecycle.connected(connection.id, now: .now())
            guard action == .bind else { return connection.remove(self) }
            self.perform(action)
        }
    }

    private func bind() {
        guard let connection = self.connection else { return }
        do {
            try self.core.bind(into: &connection.control)
            connection.flushControl()
        } catch {
            self.perform(self.core.lifecycle.close(error))
        }
    }

    private func closed() {
        let error = self.core.lifecycle.closeReason ?? MSRPError(.sessionClosed, "closed")
        self.endpoint.forget(self)
        let rest = self.core.close()
        for result in rest.results { self.finish(result) }
        for id in rest.incoming { self.emit(.aborted(id)) }
        self.connection?.remove(self)
        self.connection = nil
        self.timer?.task.cancel()
        self.timer = nil
        self.waiters.failAll(error)
        self.emit(.closed(error))
    }

    // MARK: Time

    /// Sees to it that something happens at the next deadline.
    ///
    /// A timer that is early costs a look; one that is set anew for each chunk would cost more.
    func scheduleTimer() {
        guard let deadline = self.core.nextDeadline else { return }
        if let timer, timer.deadline <= deadline { return }
        self.timer?.task.cancel()
        let loop = self.eventLoop
        let task = loop.assumeIsolated().scheduleTask(deadline: deadline) { self.timerFired(on: loop) }
        self.timer = (deadline, task)
    }

    private func timerFired(on loop: any EventLoop) {
        // The session may have moved between the firing and now.
        guard loop === self.eventLoop else { return }
        self.timer = nil
        let due = self.core.timerFired(now: .now())
        for result in due.results { self.finish(result) }
        for id in due.abandoned { self.emit(.aborted(id)) }
        self.perform(due.lifecycle)
    }
}
