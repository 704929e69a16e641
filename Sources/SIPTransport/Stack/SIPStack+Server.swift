import NIOCore
import SIP

extension SIPStack {
    /// A datagram, a WebSocket message or a piece of a stream was read.
    func received(_ reading: consuming SIPMessage.Reading, on flow: Flow) {
        switch consume reading {
        case .message(let message):
            if message.isRequest {
                self.received(request: message, on: flow)
            } else {
                self.received(response: message, on: flow)
            }
        case .broken(let error, let request):
            guard let request, request.method != .ack, request.contains(.callID), request.contains(.cSeq) else {
                return
            }
            self.answerStateless(request, error.responseStatus, on: flow)
        }
    }

    private func received(request: consuming SIPMessage, on flow: Flow) {
        var request = request
        guard let via = try? request.topVia() else { return }
        request.noteSource(address: AddressText.text(flow.remote), port: UInt16(flow.remote.port ?? 0), in: via)
        self.noteAlias(via, flow)
        guard let method = request.method, let identity = try? RequestIdentity(request),
            let key = try? ServerTransactionKey(request, via: via, method: method == .ack ? .invite : method)
        else {
            if request.method != .ack { self.answerStateless(request, 400, on: flow) }
            return
        }
        if let known = self.servers.find(identity, key) {
            return self.again(request, known, on: flow)
        }
        if method == .cancel, self.invite(cancelledBy: request, identity) == nil {
            // Of whoever sends it nothing is kept.
            self.answerStateless(request, 481, on: flow)
        } else if method == .ack {
            self.handler?.received(acknowledgement: request, for: nil, on: flow)
        } else if method != .cancel, let answer = self.handler?.answerWithoutTransaction(request, on: flow) {
            self.sendWithoutTransaction(answer, to: request, on: flow)
        } else if let transaction = self.make(request, via, key, identity, on: flow) {
            self.begin(transaction)
        }
    }

    /// A request that belongs to a transaction: a retransmission, or the ACK of an INVITE.
    private func again(_ request: SIPMessage, _ known: ServerRecord, on flow: Flow) {
        switch known.machine {
        case .nonInvite(var machine):
            let action = machine.receivedRequest()
            known.machine = .nonInvite(machine)
            if action == .resend { self.resend(known) }
        case .invite(var machine):
            if request.method == .ack {
                let action = machine.receivedAcknowledgement(now: .now())
                known.machine = .invite(machine)
                if action == .deliverAcknowledgement {
                    self.handler?.received(acknowledgement: request, for: known.transaction, on: flow)
                }
                self.settle(known)
            } else {
                let action = machine.receivedInvite()
                known.machine = .invite(machine)
                if action == .resend { self.resend(known) }
            }
        }
    }

    private func begin(_ transaction: ServerTransaction) {
        switch transaction.request.method {
        case .cancel: return self.cancel(transaction)
        case .invite:
            transaction.record.tryingDeadline = .now() + self.configuration.tryingDelay
            self.schedule(transaction.record)
        default: break
        }
        guard let handler = self.handler else {
            transaction.respond(503)
            return
        }
        handler.received(transaction)
    }

    /// Makes a transaction unless there are too many, or the request came here before on another way.
    private func make(
        _ request: SIPMessage,
        _ via: Via,
        _ key: ServerTransactionKey,
        _ identity: RequestIdentity,
        on flow: Flow
    ) -> ServerTransaction? {
        guard self.servers.count < self.configuration.maximumServerTransactions,
            self.transactionCount < self.configuration.maximumTransactions
        else {
            self.answerStateless(request, 503, on: flow)
            return nil
        }
        let copies = self.servers.copies(identity, of: key.method)
        let isMerged = copies.sameMethod > 0 && key.method != .cancel && (try? request.to())?.tag == nil
        if (isMerged && self.configuration.refusesMergedRequests) || copies.all >= ServerTable.maximumCopies {
            self.answerStateless(request, 482, on: flow)
            return nil
        }
        let record = ServerRecord(
            isInvite: request.method == .invite,
            via: via,
            flow: flow,
            key: key,
            identity: identity,
            timers: self.configuration.timers
        )
        let transaction = ServerTransaction(stack: self, request: request, record: record)
        record.transaction = transaction
        self.servers.insert(record)
        return transaction
    }

    private func invite(cancelledBy cancel: SIPMessage, _ identity: RequestIdentity) -> ServerTransaction? {
        guard let target = try? ServerTransactionKey(cancelledBy: cancel) else { return nil }
        return self.servers.find(identity, target)?.transaction
    }

    private func cancel(_ own: ServerTransaction) {
        guard let invite = self.invite(cancelledBy: own.request, own.record.identity) else {
            own.respond(481)
            return
        }
        own.respond(SIPMessage(200, to: own.request, toTag: invite.localTag))
        if !invite.isAnswered { self.handler?.cancelled(invite, by: own.request) }
    }

    func respond(_ record: ServerRecord, _ response: SIPMessage) -> Bool {
        self.eventLoop.preconditionInEventLoop()
        guard let status = response.status else { return false }
        let now = NIODeadline.now()
        let isSent: Bool
        switch record.machine {
        case .invite(var machine):
            isSent = machine.send(ResponseClass(status), now: now) == .send
            record.machine = .invite(machine)
        case .nonInvite(var machine):
            isSent = machine.send(ResponseClass(status), now: now) == .send
            record.machine = .nonInvite(machine)
        }
        guard isSent else { return false }
        record.tryingDeadline = nil
        let bytes = response.serialized()
        record.lastResponse = bytes
        self.send(bytes, record)
        self.settle(record)
        return true
    }

    private func resend(_ record: ServerRecord) {
        guard let bytes = record.lastResponse else { return }
        self.send(bytes, record)
    }

    private func transportFailed(_ record: ServerRecord, _ transaction: ServerTransaction?) {
        let isFailure: Bool
        switch record.machine {
        case .invite(var machine):
            isFailure = machine.transportFailed() == .transportFailed
            record.machine = .invite(machine)
        case .nonInvite(var machine):
            isFailure = machine.transportFailed() == .transportFailed
            record.machine = .nonInvite(machine)
        }
        self.settle(record)
        if isFailure, let transaction { self.handler?.failed(transaction) }
    }

    func timeReached(_ record: ServerRecord, _ now: NIODeadline) {
        if let trying = record.tryingDeadline, now >= trying, let request = record.transaction?.request {
            _ = self.respond(record, SIPMessage(100, to: request))
            return
        }
        switch record.machine {
        case .invite(var machine):
            let action = machine.timeReached(now)
            record.machine = .invite(machine)
            if action == .resend { self.resend(record) }
            if action == .timedOut, let transaction = record.transaction { self.handler?.failed(transaction) }
        case .nonInvite(var machine):
            _ = machine.timeReached(now)
            record.machine = .nonInvite(machine)
        }
        self.settle(record)
    }

    /// Forgets a transaction that is over, and keeps the timer of one that is not.
    private func settle(_ record: ServerRecord) {
        record.releaseIfDone()
        guard record.machine.isTerminated else { return self.schedule(record) }
        self.servers.remove(record)
    }

    /// Answers without a transaction: a retransmission gets the same answer again.
    func answerStateless(_ request: SIPMessage, _ status: SIPStatus, on flow: Flow) {
        var response = SIPMessage(status, to: request, toTag: RandomText.token(16))
        if status == 503 { response.append(.retryAfter, "5") }
        self.sendWithoutTransaction(response, to: request, on: flow)
    }

    private func sendWithoutTransaction(_ response: SIPMessage, to request: SIPMessage, on flow: Flow) {
        let via = try? request.topVia()
        let address = via.map { ServerRecord.returnAddress($0, flow) } ?? flow.remote
        _ = self.send(response.serialized(), to: address, on: flow) {}
    }

    private func send(_ bytes: ByteBuffer, _ record: ServerRecord) {
        let transaction = record.transaction
        let isSent = self.send(bytes, to: record.returnAddress, on: record.flow) {
            self.transportFailed(record, transaction)
        }
        if !isSent { self.transportFailed(record, transaction) }
    }

    /// Sends a response on its way (RFC 3261 section 18.2.2): datagrams to the address, others on the connection of the
    /// request, or on one to the address when that is gone.
    ///
    /// - Returns: Whether it can be sent as far as is known; `onFailure` is called when that turns out wrong.
    private func send(
        _ bytes: ByteBuffer,
        to address: SocketAddress,
        on flow: Flow,
        onFailure: @escaping () -> Void
    ) -> Bool {
        if flow.transport == .udp {
            guard let listener = self.listeners[flow.number] else { return false }
            self.write(AddressedEnvelope(remoteAddress: address, data: bytes), to: listener, number: flow.number)
            return true
        }
        if let connection = self.connections[flow.number] {
            connection.send(bytes)
            return true
        }
        guard flow.transport != .ws, flow.transport != .wss else { return false }
        let destination = Destination(transport: flow.transport, address: address)
        self.connection(to: destination).assumeIsolated().whenComplete { result in
            guard case .success(let number) = result, let connection = self.connections[number] else {
                return onFailure()
            }
            connection.send(bytes)
        }
        return true
    }

    /// Remembers that requests to the sent-by of this peer may go over its connection (RFC 5923).
    private func noteAlias(_ via: Via, _ flow: Flow) {
        guard self.configuration.acceptsAliases, flow.transport == .tls, via.parameters.contains("alias"),
            self.connections[flow.number]?.peerCertificate != nil,
            let address = try? SocketAddress(
                ipAddress: via.received ?? Host.unbracketed(via.sentBy.host),
                port: Int(via.sentBy.port ?? 5061)
            ),
            address.ipAddress == flow.remote.ipAddress
        else { return }
        self.aliases[Destination(transport: .tls, address: address)] = flow.number
    }
}
