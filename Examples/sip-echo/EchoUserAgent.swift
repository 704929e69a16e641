import NIOCore
import SIP
import SIPTransport

/// A user agent that answers everything: it registers whoever knows the password, takes calls and sends the offered
/// description back, and sends each MESSAGE back to its sender.
final class EchoUserAgent: SIPStackHandler {
    private let profile: ElementProfile = {
        var profile = ElementProfile(methods: [
            .invite, .ack, .bye, .cancel, .options, .message, .register, .update, .info,
        ])
        profile.extensions = ["timer", "replaces", "outbound", "path", "gruu"]
        return profile
    }()
    private let password: String
    private let ringing: TimeAmount
    private var digest: DigestServer
    private var records: [String: RegistrarRecord] = [:]
    private var calls: [DialogID: EchoCall] = [:]
    var stack: SIPStack?

    init(realm: String, password: String, ringing: TimeAmount) {
        self.password = password
        self.ringing = ringing
        self.digest = DigestServer(realm: realm, algorithms: [.md5, .sha256])
    }

    func received(_ transaction: ServerTransaction) {
        switch self.profile.check(.message(transaction.request), knowsDialog: { self.calls[$0] != nil }) {
        case .discard:
            break
        case .respond(let response):
            transaction.respond(self.tagged(response, transaction))
        case .accept(let request):
            self.serve(request, transaction)
        }
    }

    private func tagged(_ response: SIPMessage, _ transaction: ServerTransaction) -> SIPMessage {
        var response = response
        if var to = try? response.to(), to.tag == nil {
            to.tag = transaction.localTag
            response.set(.to, to.description)
        }
        return response
    }

    private func serve(_ request: SIPMessage, _ transaction: ServerTransaction) {
        switch request.method {
        case .register: self.register(request, transaction)
        case .invite: self.invite(request, transaction)
        case .bye: self.bye(request, transaction)
        case .message: self.message(request, transaction)
        default: transaction.respond(200)
        }
    }

    private func register(_ request: SIPMessage, _ transaction: ServerTransaction) {
        let now = NIODeadline.now()
        let realm = self.digest.realm
        let verdict = self.digest.check(request, now: now) { username, algorithm in
            algorithm.credentialHash(username: username, realm: realm, password: self.password)
        }
        switch verdict {
        case .accepted:
            guard let address = (try? request.to())?.uri.sip else {
                transaction.respond(400)
                return
            }
            let key = address.addressOfRecord
            var record = self.records[key] ?? RegistrarRecord(addressOfRecord: address)
            let arrival = RegistrarRecord.Arrival(now: now, flow: "\(transaction.flow.number)")
            let outcome = record.register(request, policy: RegistrarRecord.Policy(), arrival: arrival)
            self.records[key] = record
            switch outcome {
            case .accepted(let response, _), .rejected(let response):
                transaction.respond(self.tagged(response, transaction))
            }
        case .challenge, .stale, .refused:
            var response = transaction.makeResponse(401)
            self.digest.challenge(&response, nonce: RandomText.token(32), isStale: verdict == .stale, now: now)
            transaction.respond(response)
        }
    }

    private func message(_ request: SIPMessage, _ transaction: ServerTransaction) {
        transaction.respond(200)
        guard let sender = try? request.from(), let own = try? request.to() else { return }
        var echo = SIPMessage(method: .message, uri: sender.uri.description)
        var from = own
        from.tag = RandomText.token(8)
        var target = sender
        target.parameters = []
        echo.append(.maxForwards, "70")
        echo.append(.from, from.description)
        echo.append(.to, target.description)
        echo.append(.callID, RandomText.token(20))
        echo.append(.cSeq, "1 MESSAGE")
        echo.setBody(request.body, contentType: request.text(.contentType) ?? "text/plain")
        self.stack?.send(echo, to: .flow(transaction.flow)) { _, _ in }
    }
}

extension EchoUserAgent {
    private func invite(_ request: SIPMessage, _ transaction: ServerTransaction) {
        if let id = try? request.dialogIDAtServer(), var call = self.calls[id] {
            self.reinvite(request, transaction, &call)
            self.calls[id] = call
            return
        }
        guard let dialog = try? Dialog(server: request, localTag: transaction.localTag, state: .early) else {
            transaction.respond(400)
            return
        }
        var call = EchoCall(dialog: dialog, invite: transaction)
        _ = call.gate.receivedInvite()
        self.calls[dialog.id] = call
        var response = transaction.makeResponse(180)
        response.copyRecordRoute(from: request)
        response.append(.contact, self.contact(transaction))
        transaction.respond(response)
        let id = dialog.id
        transaction.note = id.remoteTag
        self.stack?.eventLoop.assumeIsolated().scheduleTask(in: self.ringing) { self.answer(id, transaction) }
    }

    private func contact(_ transaction: ServerTransaction) -> String {
        let local = transaction.flow.local
        let transport = transaction.flow.transport.rawValue.lowercased()
        return "<sip:echo@\(local.ipAddress ?? "127.0.0.1"):\(local.port ?? 5060);transport=\(transport)>"
    }

    private func answer(_ id: DialogID, _ transaction: ServerTransaction) {
        guard var call = self.calls[id], !transaction.isAnswered else { return }
        var response = transaction.makeResponse(200)
        response.copyRecordRoute(from: transaction.request)
        response.append(.contact, self.contact(transaction))
        let body = transaction.request.body
        if body.readableBytes > 0 { response.setBody(body, contentType: transaction.request.text(.contentType)) }
        guard transaction.respond(response) else { return }
        call.dialog.confirm()
        call.gate.finished(succeeded: true)
        call.invite = transaction
        call.lastSuccess = response
        call.success = (try? transaction.request.cSeq()).map { SuccessRetransmission(sequence: $0.number, now: .now()) }
        self.calls[id] = call
        self.watch(id)
    }

    /// Repeats the 2xx until the ACK is there.
    private func watch(_ id: DialogID) {
        guard let deadline = self.calls[id]?.success?.deadline, let loop = self.stack?.eventLoop else { return }
        loop.assumeIsolated().scheduleTask(deadline: deadline) {
            switch self.calls[id]?.success?.timeReached(.now()) {
            case .resend:
                if let call = self.calls[id], let response = call.lastSuccess { call.invite.respond(response) }
            case .end:
                self.hangUp(id)
                return
            case .none?, nil:
                break
            }
            self.watch(id)
        }
    }

    private func hangUp(_ id: DialogID) {
        guard let call = self.calls[id], let bye = try? self.calls[id]?.dialog.makeRequest(.bye) else { return }
        self.calls[id] = nil
        self.stack?.send(bye, to: .flow(call.invite.flow)) { _, _ in }
    }

    private func reinvite(_ request: SIPMessage, _ transaction: ServerTransaction, _ call: inout EchoCall) {
        guard let verdict = try? call.dialog.received(request: request) else {
            transaction.respond(400)
            return
        }
        guard verdict == .accept else {
            transaction.respond(verdict == .outOfOrder ? 500 : 481)
            return
        }
        switch call.gate.receivedInvite() {
        case .requestPending:
            transaction.respond(491)
        case .retryLater:
            var response = transaction.makeResponse(500)
            response.append(.retryAfter, "\(Int.random(in: 0...10))")
            transaction.respond(response)
        case .accept:
            try? call.dialog.refreshTarget(from: request)
            let id = call.dialog.id
            self.stack?.eventLoop.assumeIsolated().scheduleTask(in: .zero) { self.answer(id, transaction) }
        }
    }

    private func bye(_ request: SIPMessage, _ transaction: ServerTransaction) {
        guard let id = try? request.dialogIDAtServer(), let call = self.calls.removeValue(forKey: id) else {
            transaction.respond(481)
            return
        }
        if !call.invite.isAnswered { call.invite.respond(487) }
        transaction.respond(200)
    }

    func received(acknowledgement: SIPMessage, for transaction: ServerTransaction?, on flow: Flow) {
        guard let id = try? acknowledgement.dialogIDAtServer(), let sequence = try? acknowledgement.cSeq().number else {
            return
        }
        self.calls[id]?.success?.acknowledged(sequence: sequence)
    }

    func cancelled(_ transaction: ServerTransaction, by cancel: SIPMessage) {
        transaction.respond(487)
        self.calls = self.calls.filter { $0.value.invite !== transaction }
    }

    func failed(_ transaction: ServerTransaction) {
        self.calls = self.calls.filter { $0.value.invite !== transaction }
    }
}
