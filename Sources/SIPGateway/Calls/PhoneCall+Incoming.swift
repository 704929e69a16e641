import ClientWire
import MessagingCore
import MessagingService
import NIOCore
import SDP
import SIP
import SIPTransport
import SessionCore
import Store

/// INVITE from the phone, the first one and what comes within the dialog.
extension PhoneCall {
    /// The phone's own call.
    func begin(_ transaction: ServerTransaction, _ dialog: Dialog, _ offer: SessionDescription) {
        link = .incoming(transaction)
        self.dialog = dialog
        context.dialogs[dialog.id] = self
        perform(exchange.phoneOffered(offer, isAdmitted: false, now: .now()))
    }

    /// Asks for the session; 180 once something rings there.
    func request(_ wish: SessionRequest, learning change: DeviceChange?) {
        let identity = phone.identity
        Task { [service = context.service, inbox = context.inbox, self] in
            let result: Result<SessionDocument, any Error>
            do {
                if let change { _ = try await service.changeDevice(identity, identity.device, change) }
                result = .success(try await service.request(identity, wish))
            } catch {
                result = .failure(error)
            }
            inbox.post { self.requested(result) }
        }
    }

    private func requested(_ result: Result<SessionDocument, any Error>) {
        switch result {
        case .failure(let error):
            let refusal = error as? Refusal ?? Refusal(.internalError, "")
            let status: SIPStatus = refusal.code == .tooMany || refusal.code == .conflict ? 486 : refusal.sipStatus
            refuse(status, reason: nil)
            control = CallControl()
            if let session { talks.saying.remove(session) }
        case .success(let document):
            if document.id != session { talks.move(self, to: document.id) }
            // Taken back meanwhile.
            if control.state == .leaving { perform([CallControl.Action.leave]) }
            if case .incoming(let transaction) = link, document.state == .calling { context.ringing(transaction) }
            take(talks.documents[document.id] ?? document)
        }
        talks.settle(self)
    }

    /// The answer to whatever the phone offered.
    func answer(_ description: SessionDescription) {
        if let number = unacknowledged {
            unacknowledged = nil
            return acknowledge(number, description)
        }
        guard case .incoming(let transaction) = link else { return }
        link = .standing
        dialog?.confirm()
        succeed(transaction, description)
    }

    /// A 2xx, said again until its ACK comes.
    private func succeed(_ transaction: ServerTransaction, _ description: SessionDescription?) {
        var response = context.success(transaction, &timer)
        if let description { response.set(description) }
        transaction.respond(response)
        success = PendingSuccess(response, to: transaction) ?? success
    }

    func acknowledged(_ request: SIPMessage) {
        if success?.isAcknowledged(by: request) ?? false {
            success = nil
            if owesAnswer {
                owesAnswer = false
                guard let answer = Self.description(of: request) else { return phoneIsGone() }
                let before = exchange.heldByPhone
                let actions = exchange.phoneAgreed(answer, now: .now())
                sayHolds(since: before)
                perform(actions)
            }
            perform(exchange.unblocked(.now()))
        }
        arm()
    }

    func refuse(_ status: SIPStatus, reason: String?) {
        guard case .incoming(let transaction) = link else { return }
        link = .ended
        dialog?.terminate()
        var response = transaction.makeResponse(status, reason: reason)
        if status == 503 { response.append(.retryAfter, "5") }
        transaction.respond(response)
    }

    /// The phone takes its call back.
    func cancelled(_ transaction: ServerTransaction) {
        transaction.respond(487)
        guard case .incoming(let own) = link, own === transaction else { return }
        link = .ended
        dialog?.terminate()
        perform(control.phoneLeft())
        talks.settle(self)
    }

    // MARK: Within the dialog

    func received(_ transaction: ServerTransaction) {
        let request = transaction.request
        switch (try? dialog?.received(request: request)) ?? .noDialog {
        case .noDialog:
            transaction.respond(481)
            return
        case .outOfOrder:
            transaction.respond(500)
            return
        case .accept: break
        }
        switch request.method {
        case .bye: hungUp(transaction)
        case .invite: changes(transaction)
        case .update: updates(transaction)
        case .refer: talks.refer(transaction, in: self)
        default: transaction.respond(405)
        }
        arm()
    }

    private func hungUp(_ transaction: ServerTransaction) {
        transaction.respond(200)
        if case .incoming(let own) = link { own.respond(487) }
        link = .ended
        dialog?.terminate()
        timer.stop()
        success = nil
        mediaDue = nil
        let actions = control.phoneLeft()
        // Who hands a call on may hang up before it is taken: the call waits for that.
        if !talks.isReferring(self) { perform(actions) }
    }

    private func changes(_ transaction: ServerTransaction) {
        guard case .standing = link else {
            transaction.respond(491)
            return
        }
        switch gate.receivedInvite() {
        case .requestPending:
            transaction.respond(491)
            return
        case .retryLater: return later(transaction)
        case .accept: break
        }
        defer { gate.finished(succeeded: true) }
        guard isChangeable else {
            transaction.respond(491)
            return
        }
        try? dialog?.refreshTarget(from: transaction.request)
        change(transaction)
    }

    private func later(_ transaction: ServerTransaction) {
        var response = transaction.makeResponse(500)
        response.append(.retryAfter, "\(Int.random(in: 0...10))")
        transaction.respond(response)
    }

    private func updates(_ transaction: ServerTransaction) {
        guard case .standing = link else {
            transaction.respond(491)
            return
        }
        switch gate.receivedUpdate(hasOffer: transaction.request.bodyLength > 0) {
        case .requestPending:
            transaction.respond(491)
            return
        case .retryLater: return later(transaction)
        case .accept: break
        }
        if gate.pending == .remoteUpdate { gate.finished(succeeded: true) }
        try? dialog?.refreshTarget(from: transaction.request)
        guard transaction.request.bodyLength > 0 else { return succeed(transaction, nil) }
        guard isChangeable else {
            transaction.respond(491)
            return
        }
        change(transaction)
    }

    /// Whether no offer waits for its answer, on either side.
    private var isChangeable: Bool { (exchange.phase == .idle || exchange.phase == .blocked) && !owesAnswer }

    /// What the phone changes is answered at once; that it holds, or goes on, is said in the session.
    private func change(_ transaction: ServerTransaction) {
        guard transaction.request.bodyLength > 0 else {
            owesAnswer = true
            return succeed(transaction, exchange.current())
        }
        guard let offer = Self.description(of: transaction.request) else {
            transaction.respond(488)
            return
        }
        let before = exchange.heldByPhone
        let (answer, actions) = exchange.phoneChanges(offer, now: .now())
        succeed(transaction, answer)
        sayHolds(since: before)
        perform(actions)
    }

    private func sayHolds(since before: Set<MediumID>) {
        let now = exchange.heldByPhone
        for medium in now.subtracting(before) { propose(.hold, medium) }
        for medium in before.subtracting(now) { propose(.resume, medium) }
    }

    /// On the state of the media that is now: what changed meanwhile has nothing to do with it.
    private func propose(_ change: MediaRequest.Change, _ medium: MediumID) {
        guard let session else { return }
        let identity = phone.identity
        let id = MessageID(stored: RandomText.token(24))
        talks.command("a phone's \(change.rawValue)") { service in
            for _ in 1...3 {
                let revision = try await service.session(identity, session).revision
                let request = MediaRequest(id: id, revision: revision, change: change, medium: medium)
                do {
                    _ = try await service.propose(identity, session, request)
                    return
                } catch let refusal as Refusal where refusal.code == .stale {
                    continue
                }
            }
        }
    }
}

/// Ids that carry the time of their making: UUIDs of version 7 (RFC 9562).
enum TimedID {
    static func make(now: MessagingCore.Timestamp) -> String {
        let time = UInt64(max(0, now.rawValue))
        let high = time << 16 | 0x7000 | UInt64.random(in: 0...0xFFF)
        let low = 1 << 63 | UInt64.random(in: 0..<(1 << 62))
        let digits = pad(high) + pad(low)
        var text = ""
        for (index, digit) in digits.enumerated() {
            if [8, 12, 16, 20].contains(index) { text.append("-") }
            text.append(digit)
        }
        return text
    }

    private static func pad(_ value: UInt64) -> String {
        let text = String(value, radix: 16)
        return String(repeating: "0", count: 16 - text.count) + text
    }
}
