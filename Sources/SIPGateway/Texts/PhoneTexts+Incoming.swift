import ClientWire
import MSRPTransport
import MessageSignalling
import MessagingCore
import MessagingService
import NIOCore
import SDP
import SIP
import SIPTransport
import SessionCore
import Store

/// INVITE from the phone, the first one and what comes within the dialog.
extension PhoneTexts {
    /// The phone's own request, with an offer of texts.
    /// - Returns: false when it cannot be taken, and nothing was done.
    func begin(_ transaction: ServerTransaction, _ dialog: Dialog) -> Bool {
        guard (try? description.open(Array(buffer: transaction.request.body))) != nil else { return false }
        link = .incoming(transaction)
        self.dialog = dialog
        context.textDialogs[dialog.id] = self
        return true
    }

    /// Asks for the session; 180 once something rings there.
    func request(_ wish: SessionRequest) {
        let identity = phone.identity
        Task { [service = context.service, self] in
            let result: Result<SessionDocument, any Error>
            do { result = .success(try await service.request(identity, wish)) } catch { result = .failure(error) }
            talks.post { self.requested(result) }
        }
    }

    private func requested(_ result: Result<SessionDocument, any Error>) {
        switch result {
        case .failure(let error):
            let refusal = error as? Refusal ?? Refusal(.internalError, "")
            refuse(refusal.code == .tooMany || refusal.code == .conflict ? 486 : refusal.sipStatus)
            control = TextControl()
        case .success(let document):
            if document.id != session { talks.move(self, to: document.id) }
            // Taken back meanwhile.
            if control.state == .leaving { talks.leave(document.id) }
            if case .incoming(let transaction) = link, document.state == .calling { context.ringing(transaction) }
            take(talks.documents[document.id] ?? document)
        }
        talks.settle(self)
    }

    func answerPhone() {
        guard case .incoming(let transaction) = link else { return }
        guard let answer = try? description.answer().answer else {
            refuse(488)
            return perform(control.phoneLeft())
        }
        link = .standing
        dialog?.confirm()
        succeed(transaction, answer)
        connect()
    }

    func refuse(_ status: SIPStatus) {
        guard case .incoming(let transaction) = link else { return }
        link = .ended
        dialog?.terminate()
        var response = transaction.makeResponse(status)
        if status == 503 { response.append(.retryAfter, "5") }
        transaction.respond(response)
    }

    /// A 2xx, said again until its ACK comes.
    private func succeed(_ transaction: ServerTransaction, _ body: [UInt8]?) {
        var response = context.success(transaction, &timer, tag: CPMService.session.tag)
        if let body { response.setBody(ByteBuffer(bytes: body), contentType: "application/sdp") }
        transaction.respond(response)
        success = PendingSuccess(response, to: transaction) ?? success
    }

    func acknowledged(_ request: SIPMessage) {
        guard success?.isAcknowledged(by: request) ?? false else { return }
        success = nil
        if description.isAnswerOwed {
            switch Result(catching: { try description.acknowledged(Array(buffer: request.body)) }) {
            case .success(true): connect()
            case .success(false): break
            case .failure: lose()
            }
        }
        arm()
    }

    /// The phone takes its request back.
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
        switch (try? dialog?.received(request: transaction.request)) ?? .noDialog {
        case .noDialog:
            transaction.respond(481)
            return
        case .outOfOrder:
            transaction.respond(500)
            return
        case .accept: break
        }
        switch transaction.request.method {
        case .bye:
            transaction.respond(200)
            if case .incoming(let own) = link { own.respond(487) }
            link = .ended
            dialog?.terminate()
            hangUp()
            perform(control.phoneLeft())
        case .invite: changes(transaction)
        case .update where transaction.request.bodyLength == 0:
            try? dialog?.refreshTarget(from: transaction.request)
            succeed(transaction, nil)
        case .update: transaction.respond(488)
        default: transaction.respond(405)
        }
        arm()
    }

    /// What the phone changes is answered at once.
    private func changes(_ transaction: ServerTransaction) {
        guard case .standing = link else {
            transaction.respond(491)
            return
        }
        let body = Array(buffer: transaction.request.body)
        do {
            // The last 2xx has no ACK yet.
            guard success == nil else { throw DialogDescription.Problem.pending }
            let answer: [UInt8]
            var isMoved = false
            if body.isEmpty {
                answer = try description.invitedToOffer(.passive)
            } else {
                _ = try description.open(body)
                (answer, isMoved) = try description.answer()
            }
            try? dialog?.refreshTarget(from: transaction.request)
            succeed(transaction, answer)
            if isMoved { connect() }
            phone.resume()
        } catch DialogDescription.Problem.pending {
            guard !description.isOurs else {
                transaction.respond(491)
                return
            }
            var response = transaction.makeResponse(500)
            response.append(.retryAfter, "\(Int.random(in: 0...10))")
            transaction.respond(response)
        } catch {
            transaction.respond(488)
        }
    }
}
