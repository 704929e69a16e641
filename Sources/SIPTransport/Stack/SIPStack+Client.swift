import ByteGrammar
import NIOCore
public import SIP

extension SIPStack {
    /// Where a request goes.
    public enum Target: Sendable {
        /// On this flow and no other.
        case flow(Flow)
        /// To these places, one after the other until one answers.
        case destinations([Destination])
        /// To where its topmost Route or its Request-URI leads (RFC 3261 section 8.1.2, RFC 3263).
        case route
    }

    /// Sends a request other than ACK, with a Via of our own on top.
    ///
    /// - Parameters:
    ///   - request: The request; From, To, Call-ID, CSeq and Max-Forwards must be there.
    ///   - target: Where it goes.
    ///   - onEvent: Called for each response and at most once for a failure, on the event loop.
    /// - Returns: The transaction.
    @discardableResult
    public func send(
        _ request: SIPMessage,
        to target: Target = .route,
        onEvent: @escaping (ClientTransaction, ClientTransaction.Event) -> Void
    ) -> ClientTransaction {
        self.eventLoop.preconditionInEventLoop()
        let transaction = ClientTransaction(stack: self, request: request, onEvent: onEvent)
        guard request.isRequest, request.method != .ack, self.transactionCount < self.configuration.maximumTransactions
        else {
            self.fail(transaction, .transportFailed)
            return transaction
        }
        if request.method == .invite { transaction.cancelMachine = CancelMachine(timers: self.configuration.timers) }
        switch target {
        case .flow(let flow):
            self.start(transaction, on: flow)
        case .destinations(let destinations):
            transaction.remaining = self.withStreams(destinations, request)[...]
            self.tryNext(transaction)
        case .route:
            self.resolve(request).assumeIsolated().whenComplete { result in
                guard case .success(let destinations) = result else { return self.fail(transaction, .transportFailed) }
                transaction.remaining = self.withStreams(destinations, request)[...]
                self.tryNext(transaction)
            }
        }
        return transaction
    }

    /// Sends a message that has no transaction: an ACK for a 2xx, which gets a Via of our own, or a response that a proxy
    /// passes on outside of a transaction.
    public func sendStateless(_ message: SIPMessage, to target: Target = .route) {
        self.eventLoop.preconditionInEventLoop()
        switch target {
        case .flow(let flow):
            self.sendStateless(message, on: flow)
        case .destinations(let destinations):
            guard let first = self.withStreams(destinations, message).first else { return }
            self.flow(to: first).assumeIsolated().whenSuccess { self.sendStateless(message, on: $0) }
        case .route:
            self.resolve(message).assumeIsolated().whenSuccess { destinations in
                self.sendStateless(message, to: .destinations(destinations))
            }
        }
    }

    private func sendStateless(_ message: SIPMessage, on flow: Flow) {
        var message = message
        if message.isRequest {
            message.prepend(.via, self.makeVia(flow, branch: Via.cookie + RandomText.token(16)).description)
        }
        self.write(message.serialized(), on: flow)
    }

    /// The URI that decides on the next hop: the topmost Route, else the Request-URI.
    private func resolve(_ request: SIPMessage) -> EventLoopFuture<[Destination]> {
        let route = (try? request.first(.route, as: NameAddress.self))?.uri
        guard let uri = (route ?? (try? request.requestURI()))?.sip else {
            return self.eventLoop.makeFailedFuture(DNSError(.notFound, "no SIP URI to send to"))
        }
        return self.resolver.resolve(uri, supported: self.transports, on: self.eventLoop)
    }

    /// A request that is too large for a datagram goes over TCP first (RFC 3261 section 18.1.1).
    private func withStreams(_ destinations: [Destination], _ message: SIPMessage) -> [Destination] {
        // The Via that comes on top has about 120 bytes.
        let size = message.serializedLength + 120
        guard SIPTransportKind.needsStream(requestBytes: size, pathMTU: self.configuration.pathMTU) else {
            return destinations
        }
        return destinations.flatMap { destination -> [Destination] in
            guard destination.transport == .udp else { return [destination] }
            var stream = destination
            stream.transport = .tcp
            return [stream, destination]
        }
    }

    private func tryNext(_ transaction: ClientTransaction) {
        guard let destination = transaction.remaining.popFirst() else {
            return self.fail(transaction, .transportFailed)
        }
        self.flow(to: destination).assumeIsolated().whenComplete { result in
            switch result {
            case .success(let flow): self.start(transaction, on: flow)
            case .failure: self.tryNext(transaction)
            }
        }
    }

    private func start(_ transaction: ClientTransaction, on flow: Flow) {
        guard self.isOpen(flow) else { return self.retry(transaction, .transportFailed) }
        if case .wanted? = transaction.cancelMachine?.state {
            // Cancelled before it was ever sent.
            return self.fail(transaction, .timedOut)
        }
        let branch = Via.cookie + RandomText.token(16)
        var request = transaction.original
        request.prepend(.via, self.makeVia(flow, branch: branch).description)
        transaction.request = request
        transaction.flow = flow
        transaction.serialized = request.serialized()
        let method = request.method ?? .options
        let now = NIODeadline.now()
        let timers = self.configuration.timers
        let isReliable = flow.transport.isReliable
        transaction.machine =
            method == .invite
            ? .invite(InviteClientTransaction(now: now, isReliable: isReliable, timers: timers))
            : .nonInvite(NonInviteClientTransaction(now: now, isReliable: isReliable, timers: timers))
        let key = ClientTransactionKey(branch: branch, method: method)
        transaction.key = key
        self.clients[key] = transaction
        self.write(transaction.serialized, on: flow)
        self.schedule(transaction)
    }

    /// Our Via on a flow.
    private func makeVia(_ flow: Flow, branch: String) -> Via {
        let local = flow.local
        let isNamed = flow.transport != .ws && flow.transport != .wss
        let address = local.ipAddress ?? "127.0.0.1"
        let host = self.configuration.sentByHost ?? (address.contains(":") ? "[\(address)]" : address)
        let port = self.listeners.values.first { $0.transport == flow.transport }?.address.port ?? local.port
        let sentBy =
            isNamed
            ? HostPort(host: host, port: port.flatMap { UInt16(exactly: $0) })
            : HostPort(host: "\(RandomText.token(12)).invalid")
        return Via(
            transport: flow.transport.rawValue,
            sentBy: sentBy,
            parameters: [Parameter("branch", branch), Parameter("rport")]
        )
    }

    func received(response: SIPMessage, on flow: Flow) {
        guard let status = response.status, let key = try? ClientTransactionKey(response: response) else { return }
        guard let transaction = self.clients[key] else {
            self.handler?.received(stray: response, on: flow)
            return
        }
        transaction.hasResponse = true
        let now = NIODeadline.now()
        let kind = ResponseClass(status)
        let isDelivered: Bool
        switch transaction.machine {
        case .invite(var machine):
            let action = machine.received(kind, now: now)
            transaction.machine = .invite(machine)
            isDelivered = action == .deliver || action == .deliverAndAcknowledge
            if action == .deliverAndAcknowledge {
                transaction.acknowledgement = transaction.request.acknowledgement(for: response)?.serialized()
            }
            if action == .deliverAndAcknowledge || action == .acknowledge, let bytes = transaction.acknowledgement,
                let flow = transaction.flow
            {
                self.write(bytes, on: flow)
            }
        case .nonInvite(var machine):
            isDelivered = machine.received(kind, now: now) == .deliver
            transaction.machine = .nonInvite(machine)
        case .connecting, .finished:
            isDelivered = false
        }
        self.settle(transaction)
        if isDelivered, kind == .failure, status == 503, !transaction.remaining.isEmpty,
            transaction.cancelMachine?.isAsked != true
        {
            // RFC 3263 section 4.3: a 503 means that the next place is to be tried. What this one says again belongs to
            // nothing then.
            self.clients[key] = nil
            return self.tryNext(transaction)
        }
        if isDelivered { transaction.onEvent(transaction, .response(response)) }
        if let action = transaction.cancelMachine?.received(kind, now: now) { self.act(action, transaction) }
    }

    func cancel(_ transaction: ClientTransaction, reason: String?) {
        self.eventLoop.preconditionInEventLoop()
        transaction.cancelReason = reason
        if let action = transaction.cancelMachine?.cancel(now: .now()) { self.act(action, transaction) }
    }

    private func act(_ action: CancelMachine.Action, _ transaction: ClientTransaction) {
        switch action {
        case .sendCancel:
            guard let cancel = transaction.request.cancellation(reason: transaction.cancelReason),
                let flow = transaction.flow
            else { return }
            self.sendCancel(cancel, flow)
        case .abandon:
            self.abandon(transaction)
        case .endAnsweredCall, .none:
            // The user sees the 2xx and knows that it cancelled.
            break
        }
        self.schedule(transaction)
    }

    /// A CANCEL has the branch of its request, so it gets no Via of its own.
    private func sendCancel(_ cancel: SIPMessage, _ flow: Flow) {
        guard let branch = (try? cancel.topVia())?.branch else { return }
        let transaction = ClientTransaction(stack: self, request: cancel) { _, _ in }
        transaction.flow = flow
        transaction.serialized = cancel.serialized()
        transaction.machine = .nonInvite(
            NonInviteClientTransaction(
                now: .now(),
                isReliable: flow.transport.isReliable,
                timers: self.configuration.timers
            )
        )
        let key = ClientTransactionKey(branch: branch, method: .cancel)
        transaction.key = key
        self.clients[key] = transaction
        self.write(transaction.serialized, on: flow)
        self.schedule(transaction)
    }

    private func abandon(_ transaction: ClientTransaction) {
        guard case .invite(var machine) = transaction.machine else { return }
        let action = machine.abandon()
        transaction.machine = .invite(machine)
        self.settle(transaction)
        if action == .timedOut { transaction.onEvent(transaction, .timedOut) }
    }

    func timeReached(_ transaction: ClientTransaction, _ now: NIODeadline) {
        switch transaction.machine {
        case .invite(var machine):
            let action = machine.timeReached(now)
            transaction.machine = .invite(machine)
            if action == .resend, let flow = transaction.flow { self.write(transaction.serialized, on: flow) }
            self.settle(transaction)
            if action == .timedOut { return self.retry(transaction, .timedOut) }
        case .nonInvite(var machine):
            let action = machine.timeReached(now)
            transaction.machine = .nonInvite(machine)
            if action == .resend, let flow = transaction.flow { self.write(transaction.serialized, on: flow) }
            self.settle(transaction)
            if action == .timedOut { return self.retry(transaction, .timedOut) }
        case .connecting, .finished:
            return
        }
        if let action = transaction.cancelMachine?.timeReached(now) { self.act(action, transaction) }
    }

    /// The connection of a transaction broke.
    func transportFailed(_ transaction: ClientTransaction) {
        let isFailure: Bool
        switch transaction.machine {
        case .invite(var machine):
            isFailure = machine.transportFailed() == .transportFailed
            transaction.machine = .invite(machine)
        case .nonInvite(var machine):
            isFailure = machine.transportFailed() == .transportFailed
            transaction.machine = .nonInvite(machine)
        case .connecting, .finished:
            isFailure = false
        }
        self.settle(transaction)
        if isFailure { self.retry(transaction, .transportFailed) }
    }

    /// Tries the next place if there is one and nobody answered here.
    private func retry(_ transaction: ClientTransaction, _ event: ClientTransaction.Event) {
        if !transaction.hasResponse, !transaction.remaining.isEmpty { return self.tryNext(transaction) }
        self.fail(transaction, event)
    }

    private func fail(_ transaction: ClientTransaction, _ event: ClientTransaction.Event) {
        if let key = transaction.key, self.clients[key] === transaction { self.clients[key] = nil }
        transaction.machine = .finished
        transaction.onEvent(transaction, event)
    }

    private func settle(_ transaction: ClientTransaction) {
        guard transaction.machine.isTerminated else { return self.schedule(transaction) }
        guard let key = transaction.key, self.clients[key] === transaction else { return }
        self.clients[key] = nil
    }
}
