public import MSRP
public import NIOCore
import Synchronization

/// A connection to a relay that lets us in (RFC 4976): sessions made with it go through the relay both ways.
public final class MSRPRelay: @unchecked Sendable {
    /// The loop that it lives on.
    public let eventLoop: any EventLoop
    private let local: MSRPURI
    private let endpoint: MSRPEndpoint
    private let address: ConnectionAddress
    private let path: Mutex<[MSRPURI]>

    // Touched on the loop only.
    private var client: RelayClient
    private var connection: MSRPConnection?
    private var timer: Scheduled<Void>?
    private var ready: EventLoopPromise<MSRPRelay>?

    fileprivate init(
        endpoint: MSRPEndpoint,
        client: RelayClient,
        local: MSRPURI,
        address: ConnectionAddress,
        ready: EventLoopPromise<MSRPRelay>
    ) {
        self.endpoint = endpoint
        self.client = client
        self.local = local
        self.address = address
        self.eventLoop = ready.futureResult.eventLoop
        self.ready = ready
        self.path = Mutex([])
    }

    /// The relay's URIs as its answer named them: put them before our own URI in `a=path`, in this order.
    public var usePath: [MSRPURI] { self.path.withLock { $0 } }

    /// Lets go of the relay; sessions that go through it end or wait for it.
    public func close() {
        self.eventLoop.execute {
            self.timer?.cancel()
            self.connection?.close()
        }
    }

    fileprivate func connected(_ connection: MSRPConnection) {
        guard let name = self.local.sessionID else { return }
        self.connection = connection
        connection.relays[name] = self
        self.perform(self.client.start(now: .now()))
    }

    func received(_ response: FrameHead) { self.perform(self.client.received(response, now: .now())) }

    func connectionLost() {
        self.connection = nil
        self.perform(self.client.connectionLost())
    }

    /// Gives a session the connection to the relay.
    func connection(for session: MSRPSession, _ then: (Result<MSRPConnection, any Error>) -> Void) {
        if let connection, self.client.usePath != nil {
            then(.success(connection))
        } else {
            then(.failure(self.client.failure ?? MSRPError(.connectFailed, "the relay has not let us in")))
        }
    }

    private func perform(_ action: RelayClient.Action) {
        switch action {
        case .ignore: break
        case .send(let frame):
            guard let connection else { break }
            do throws(MSRPError) {
                try connection.control.add(frame)
                connection.flushControl()
            } catch {
                self.fail(error)
            }
        case .authorized(let path):
            self.path.withLock { $0 = path }
            self.ready?.succeed(self)
            self.ready = nil
        case .fail: self.fail(self.client.failure ?? MSRPError(.notAuthorized, "the relay does not let us in"))
        }
        self.scheduleTimer()
    }

    private func fail(_ error: MSRPError) {
        self.ready?.fail(error)
        self.ready = nil
        self.connection?.close()
    }

    private func scheduleTimer() {
        self.timer?.cancel()
        self.timer = self.client.nextDeadline.map { deadline in
            self.eventLoop.scheduleTask(deadline: deadline) { self.perform(self.client.timerFired(now: .now())) }
        }
    }
}

extension MSRPEndpoint {
    /// Connects to a relay and gets a URI at it.
    ///
    /// - Parameters:
    ///   - relay: the relay's URI.
    ///   - local: a URI of ours, with a session id, that the relay answers to.
    ///   - address: where to connect to when it is not where the URI says.
    /// - Throws: ``MSRP/MSRPError``: ``MSRP/MSRPError/Code/notAuthorized`` and what ``MSRP/RelayClient`` says; or why
    ///   there is no connection.
    public func connectRelay(
        _ relay: MSRPURI,
        local: MSRPURI,
        credentials: RelayCredentials,
        expires: UInt32 = RelayClient.defaultExpires,
        address: ConnectionAddress? = nil
    ) async throws -> MSRPRelay {
        let client = RelayClient(
            relay: [relay],
            local: local,
            credentials: credentials,
            expires: expires,
            limits: self.frameLimits,
            seed: .random(in: .min ... .max)
        )
        let loop = self.group.next()
        let ready = loop.makePromise(of: MSRPRelay.self)
        let address = address ?? ConnectionAddress(relay)
        let made = MSRPRelay(endpoint: self, client: client, local: local, address: address, ready: ready)
        self.open(address, on: loop).whenComplete { result in
            switch result {
            case .failure(let error): ready.fail(error)
            case .success(let connection): made.connected(connection)
            }
        }
        return try await ready.futureResult.get()
    }
}
