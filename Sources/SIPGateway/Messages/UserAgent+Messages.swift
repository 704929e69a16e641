import ClientWire
import Logging
import MessagingCore
import MessagingService
import NIOCore
import SIP
import SIPTransport
import Store

/// MESSAGE from phones (RFC 3428).
extension UserAgent {
    /// - Parameter phone: nil when it is not registered, which writing does not need.
    func message(_ transaction: ServerTransaction, _ identity: DeviceIdentity, user: String, phone: Phone?) {
        let count = messagesInHand[identity] ?? 0
        guard count < context.limits.messagesInHand else { return busy(transaction) }
        messagesInHand[identity] = count + 1
        message(transaction, identity, user: user) { [self] isCPIM in
            let left = (messagesInHand[identity] ?? 1) - 1
            messagesInHand[identity] = left > 0 ? left : nil
            if isCPIM { phone?.learn(takesCPIM: true) }
        }
    }

    private func message(
        _ transaction: ServerTransaction,
        _ identity: DeviceIdentity,
        user: String,
        done: @escaping (_ isCPIM: Bool) -> Void
    ) {
        let bound = NIOLoopBound((transaction: transaction, done: done), eventLoop: context.eventLoop)
        if let known = known(user, now: .now()) {
            return message(bound, .success(known.addresses), identity, user: user)
        }
        Task { [service = context.service, self] in
            let own: Result<[Address], any Error>
            do { own = .success(try await service.addresses(identity)) } catch { own = .failure(error) }
            self.post { self.message(bound, own, identity, user: user) }
        }
    }

    private typealias InHand = NIOLoopBound<(transaction: ServerTransaction, done: (Bool) -> Void)>

    private func message(
        _ inHand: InHand,
        _ found: Result<[Address], any Error>,
        _ identity: DeviceIdentity,
        user: String
    ) {
        let (transaction, done) = inHand.value
        let own: [Address]
        switch found {
        case .success(let addresses): own = addresses
        case .failure(let error):
            done(false)
            return refuse(transaction, error)
        }
        let incoming: IncomingMessage
        do throws(IncomingMessage.Problem) {
            incoming = try IncomingMessage(
                transaction.request,
                own: own,
                user: user,
                inflatedBytes: context.limits.inflatedBytes,
                now: context.service.now
            )
        } catch {
            done(false)
            return refuse(transaction, problem: error)
        }
        switch incoming {
        case .nothing, .composing:
            done(false)
            transaction.respond(200)
        case .displayed(let ids):
            Task { [service = context.service] in
                let result: Result<Void, any Error>
                do { result = .success(try await service.markShown(identity, ids)) } catch { result = .failure(error) }
                self.post {
                    inHand.value.done(false)
                    switch result {
                    case .success: inHand.value.transaction.respond(200)
                    case .failure(let error): self.refuse(inHand.value.transaction, error)
                    }
                }
            }
        case .send(let request, let isCPIM):
            let conversation = phones[identity].map { ($0.talks, $0.talks.wording) }
            Task { [service = context.service] in
                let result: Result<SendAnswer, any Error>
                do {
                    if let (talks, wording) = conversation {
                        result = .success(try await talks.send(request, wording))
                    } else {
                        result = .success(try await service.sendFromPhone(identity, request, in: nil))
                    }
                } catch {
                    result = .failure(error)
                }
                self.post {
                    inHand.value.done(isCPIM)
                    self.answer(inHand.value.transaction, result)
                }
            }
        }
    }

    private func post(_ work: @escaping @Sendable () -> Void) { context.inbox.post(work) }

    private func answer(_ transaction: ServerTransaction, _ result: Result<SendAnswer, any Error>) {
        switch result {
        case .success(let answer): transaction.respond(answer.sipStatus)
        case .failure(let error): refuse(transaction, error)
        }
    }

    private func refuse(_ transaction: ServerTransaction, _ error: any Error) {
        let refusal = error as? Refusal ?? Refusal(.internalError, "")
        var response = transaction.makeResponse(refusal.sipStatus)
        if refusal.sipStatus == 503 { response.append(.retryAfter, "5") }
        transaction.respond(response)
    }

    private func refuse(_ transaction: ServerTransaction, problem: IncomingMessage.Problem) {
        var response = transaction.makeResponse(problem.status, reason: problem.reason)
        if problem.status == 415 {
            response.append(.accept, IncomingMessage.acceptedTypes.joined(separator: ", "))
            response.append(.acceptEncoding, "deflate, identity")
        }
        transaction.respond(response)
    }
}

extension MessagingService {
    /// Marks what a phone showed as read: in one commit, or one by one where a message is gone, which keeps none of the others
    /// from being marked.
    func markShown(_ who: DeviceIdentity, _ ids: [MessageID]) async throws {
        do {
            _ = try await markRead(who, ReadRequest(ids: ids))
        } catch let refusal as Refusal where refusal.code == .notFound {
            guard ids.count > 1 else { return }
            for id in ids { try await markShown(who, [id]) }
        }
    }
}
