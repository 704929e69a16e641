import CPIM
import ClientWire
import MSRP
import MSRPTransport
import MessageSignalling
import MessagingCore
import MessagingService
import NIOCore
import SDP
import SIP
import SessionCore
import Store
import XMLBodies

/// What is said, both ways: `message/cpim` in MSRP, answered once it is stored.
extension PhoneTexts {
    // MARK: The path

    /// Begins the MSRP session that the descriptions have agreed on; the one before ends.
    func connect() {
        guard let agreed = description.path, let media = context.texts else { return }
        path?.close()
        isRunning = false
        fruitlessPaths += 1
        guard fruitlessPaths <= context.limits.fruitlessPaths else { return lose() }
        pathDue = pathDue ?? .now() + .seconds(context.limits.textPathSeconds)
        offerDue = nil
        let events = SessionEvents(maxUnreadBytes: context.limits.textBytes)
        path = try? media.session(agreed, events)
        guard let path else {
            offerDue = .now() + .seconds(context.limits.textPatienceSeconds)
            return
        }
        Task { await pump(events, path) }
        path.start()
        arm()
    }

    private func pump(_ events: SessionEvents, _ path: MSRPSession) async {
        var arrivals: [MSRP.MessageID: (type: String, bytes: [UInt8])] = [:]
        for await event in events {
            switch event {
            case .established: talks.post { self.attached(path) }
            case .interrupted: talks.post { self.detached(path, isClosed: false) }
            case .closed: talks.post { self.detached(path, isClosed: true) }
            case .began(let incoming): arrivals[incoming.id] = (incoming.contentType, [])
            case .content(let id, _, let bytes):
                arrivals[id]?.bytes.append(contentsOf: bytes.readableBytesView)
                guard arrivals[id]?.bytes.count ?? 0 > context.limits.textBytes else { continue }
                arrivals[id] = nil
                path.stop(id)
            case .completed(let id, _):
                guard let arrival = arrivals.removeValue(forKey: id) else {
                    // All of it was here before it could be stopped.
                    path.settle(id, .stopSending)
                    continue
                }
                let status = await commit(arrival.bytes, type: arrival.type, named: id)
                if status == .ok { talks.post { self.fruitlessPaths = 0 } }
                path.settle(id, status)
            case .aborted(let id): arrivals[id] = nil
            case .result: break
            }
        }
    }

    private func attached(_ path: MSRPSession) {
        guard self.path === path else { return }
        isRunning = true
        pathDue = nil
        offerDue = nil
        settleLeg()
        phone.resume()
        arm()
    }

    /// A phone may come back to the same session, or ask for another; else another one is offered to it.
    private func detached(_ path: MSRPSession, isClosed: Bool) {
        guard self.path === path, case .standing = link else { return }
        isRunning = false
        let now = NIODeadline.now()
        pathDue = pathDue ?? now + .seconds(context.limits.textPathSeconds)
        // The first time at once: it ended on purpose. One that ends whatever is said on it has time.
        let isNew = isClosed && fruitlessPaths <= 1
        offerDue = offerDue ?? now + (isNew ? .zero : .seconds(context.limits.textPatienceSeconds))
        if isClosed { self.path = nil }
        arm()
    }

    // MARK: From the phone

    private func commit(_ bytes: [UInt8], type: String, named id: MSRP.MessageID) async -> MSRPStatus {
        guard let document = try? await context.eventLoop.submit({ self.talks.documents[self.session] }).get() else {
            return .noSuchSession
        }
        let others = document.participants.filter { $0 != document.user }
        let frame = IncomingMessage.Frame(
            from: document.user,
            to: others.first ?? document.invited.first ?? document.creator,
            id: CallIDs.messageID(callID: "msrp \(document.id) \(id)", sequence: 0, user: phone.user)
        )
        do {
            switch try IncomingMessage(said: bytes, type: type, frame, inflatedBytes: context.limits.inflatedBytes) {
            case .nothing: break
            case .composing(let isActive):
                if isActive { context.service.typingOnPhone(phone.identity, in: document.id) }
            case .displayed(let ids): try await context.service.markShown(phone.identity, ids)
            case .send(let request, _): try await say(request, in: document.id)
            }
            return .ok
        } catch let problem as IncomingMessage.Problem {
            return MSRPStatus(problem.status)
        } catch let refusal as Refusal {
            return MSRPStatus(refusal.sipStatus)
        } catch {
            return .timeout
        }
    }

    /// Stores what the phone said; where its acceptance is on its way to another provider, behind that.
    private func say(_ request: SendRequest, in session: SessionID) async throws {
        let (service, identity) = (context.service, phone.identity)
        talks.post { self.talks.wrote(request.id, in: session) }
        let end = ContinuousClock.now + .seconds(context.limits.joinSeconds)
        while try await service.session(identity, session).isJoining, ContinuousClock.now < end {
            try await Task.sleep(for: .milliseconds(50))
        }
        let answer = try await service.sendFromPhone(identity, request, in: session)
        if let ordinal = answer.ordinal { talks.post { self.talks.placed(session, ordinal) } }
    }

    // MARK: To the phone

    /// Hands something to the phone; it has it when it says so.
    func send(_ message: CPIMMessage, _ done: @escaping (PhoneQueue.Outcome) -> Void) {
        guard let path else { return done(.later) }
        _ = composing.messageSent()
        let done = NIOLoopBound(done, eventLoop: context.eventLoop)
        let bytes = ByteBuffer(bytes: message.bytes)
        Task { [talks] in
            let outcome: PhoneQueue.Outcome
            do {
                try await path.send(bytes, contentType: CPIMMessage.contentType)
                outcome = .taken
            } catch let error as MSRPError where error.code == .refused {
                outcome = PhoneQueue.Outcome(error.status, path)
            } catch {
                outcome = .later
            }
            talks.post {
                if case .taken = outcome { self.fruitlessPaths = 0 }
                done.value(outcome)
            }
        }
    }

    /// Somebody types there (RFC 3994).
    func typed() {
        if case .send(let document) = composing.composed(at: .now) { send(document) }
        arm()
    }

    /// Whether somebody types; it may be lost.
    func send(_ document: IsComposingDocument) {
        guard isRunning, let path, let other = description.path?.other,
            other.attributes.accepts(IsComposingDocument.contentType)
        else { return }
        let bytes = ByteBuffer(bytes: document.bytes)
        Task { try? await path.send(bytes, contentType: IsComposingDocument.contentType) }
    }
}

extension SessionDocument {
    /// It was accepted, and is not open yet.
    fileprivate var isJoining: Bool {
        switch state {
        case .alerting, .joining: true
        case .calling, .open, .over: false
        }
    }
}

extension MSRPStatus {
    /// What a phone is told whose text is not taken (RFC 4975, section 10).
    fileprivate init(_ status: SIPStatus) {
        switch status.rawValue {
        case 402, 403: self = .forbidden
        case 404, 481: self = .noSuchSession
        case 413: self = .stopSending
        case 415: self = .unsupportedMediaType
        case 480, 500...599: self = .timeout
        default: self = .badRequest
        }
    }
}

extension PhoneQueue.Outcome {
    /// What a phone's refusal of a text means; on another path it may be taken.
    fileprivate init(_ status: MSRPStatus?, _ path: MSRPSession) {
        switch status {
        case .stopSending?: self = .tooLarge
        case .badRequest?, .forbidden?, .unsupportedMediaType?: self = .refused
        case .noSuchSession?:
            path.close()
            self = .later
        default: self = .notNow(retryAfterSeconds: nil)
        }
    }
}
