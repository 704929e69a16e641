import ClientWire
import Logging
import MessagingCore
import MessagingService
import NIOCore
import SDP
import SIP
import SIPTransport
import SessionCore
import Store

/// The live conversations of one phone: what it is told of them, and what it takes part in, by the same commands as any
/// other device.
///
/// `@unchecked Sendable`: touched on the gateway's loop alone.
final class Talks: @unchecked Sendable {
    let context: GatewayContext
    let identity: DeviceIdentity
    unowned let phone: Phone
    private(set) var documents: [SessionID: SessionDocument] = [:]
    private var texts: [SessionID: TextTalk] = [:]
    var calls: [SessionID: PhoneCall] = [:]
    /// REFERs of the phone that are being followed, one for each conversation.
    var referrals: [SessionID: PhoneReferral] = [:]
    /// Where the phone's call ended while it had a leg: that the leg ends too is no news.
    private var quiet: Set<SessionID> = []
    /// Proposals that the rules let the phone ring for; false for those that they do not, and while they are asked.
    private var admitted: [MessageID: Bool] = [:]
    private var early: [MediaSignal] = []
    /// The phone is gone from the gateway.
    private var isClosed = false
    private var awaySince: NIODeadline?
    /// Texts that the phone has of a hand-over, by either way: none comes a second time by the other.
    private var replayed = RecentTexts()

    init(_ context: GatewayContext, _ identity: DeviceIdentity, phone: Phone) {
        self.context = context
        self.identity = identity
        self.phone = phone
    }

    /// The phone is gone: what was asked for it has nobody left to go to.
    func close() {
        isClosed = true
        for call in calls.values {
            call.stop()
            if let id = call.dialog?.id, context.dialogs[id] === call { context.dialogs[id] = nil }
        }
        calls = [:]
        referrals = [:]
    }

    /// Back on the gateway's loop, as long as the phone is there.
    func post(_ work: @escaping @Sendable () -> Void) {
        context.inbox.post { if !self.isClosed { work() } }
    }

    // MARK: What the stream says

    /// The stream begins: it tells what changes, not what has been so for long.
    func begin() {
        Task { [service = context.service, identity, self] in
            guard let known = try? await service.liveSessions(identity), !known.isEmpty else { return }
            self.post {
                for document in known where self.documents[document.id] == nil { self.resume(document) }
            }
        }
    }

    private func resume(_ document: SessionDocument) {
        documents[document.id] = document
        texts[document.id, default: TextTalk()].resume(document, on: identity.device)
        // A dialog does not outlive the server, and the phone's part in the media goes with it.
        let lost = document.media.filter { MediaLine($0, in: document, on: identity.device) != nil }
        for medium in lost where calls[document.id] == nil {
            command("a lost call's medium") { [identity] in
                _ = try await $0.mediumFailed(identity, document.id, medium.id)
            }
        }
    }

    /// What a page of the stream tells of sessions.
    /// - Returns: what the phone is to be told, and what of it is to be taken back.
    func take(_ news: [SessionDocument]) -> (words: [PhoneWord], withdrawn: [PhoneWord.ID]) {
        var words: [PhoneWord] = []
        var withdrawn: [PhoneWord.ID] = []
        var ready: [(SessionID, Generation)] = []
        for document in news {
            for action in talk(document) {
                switch action {
                case .tell(let word): words.append(word)
                case .withdraw(let id):
                    words.removeAll { $0.id == id }
                    withdrawn.append(id)
                case .ready(let generation): ready.append((document.id, generation))
                case .close(let generation): step(document.id, LegStep(generation, .closed))
                case .replay(let generation, let after, let upTo): replay(document.id, generation, after, upTo)
                }
            }
        }
        // Before its call ends the phone is told what it asked for: that goes in the same dialog.
        for document in news { follow(document) }
        for document in news { call(document) }
        for (session, generation) in ready { prepare(session, generation) }
        if !news.isEmpty { for signal in early { take(signal) } }
        return (words, withdrawn)
    }

    private func talk(_ document: SessionDocument) -> [TextTalk.Action] {
        var text = texts[document.id] ?? TextTalk()
        let actions = text.take(
            document,
            on: identity.device,
            asksInWords: asksInWords(document),
            isSilent: calls[document.id] != nil || quiet.contains(document.id)
        )
        if !document.hasLeg(identity.device) { quiet.remove(document.id) }
        let isOver = document.state == .over
        texts[document.id] = isOver ? nil : text
        documents[document.id] = isOver ? nil : document
        return actions
    }

    /// A request that wants nothing that the phone can do but text.
    func asksInWords(_ document: SessionDocument) -> Bool { Self.asksInWords(document, phone.abilities) }

    private static func asksInWords(_ document: SessionDocument, _ abilities: Set<MediumKind>) -> Bool {
        !document.wanted.contains(where: abilities.contains)
    }

    // MARK: Hand-over

    /// The phone is ready at once, unless the conversation comes with media that are not there yet.
    private func prepare(_ session: SessionID, _ generation: Generation) {
        guard let call = calls[session], call.awaitsMedia else { return step(session, LegStep(generation, .ready)) }
        call.waitingLeg = generation
    }

    func step(_ session: SessionID, _ step: LegStep) {
        command("a phone's leg") { [identity] in _ = try await $0.step(identity, session, step) }
    }

    /// At most the last few, in order; then the server knows that the phone has all up to there.
    private func replay(_ session: SessionID, _ generation: Generation, _ after: Ordinal, _ upTo: Ordinal?) {
        let few = context.limits.historyTexts
        command("a phone's history") { [identity, self] service in
            var head = upTo ?? 0
            if upTo == nil { head = try await service.texts(identity, session, after: .max, limit: 1).head }
            let start = max(after, head - Ordinal(few))
            let page = start < head ? try await service.texts(identity, session, after: start, limit: few) : nil
            let texts = (page?.texts ?? []).filter { ($0.message?.session?.ordinal ?? .max) <= head }
            let position = head
            self.post { self.hand(texts) }
            if upTo == nil {
                _ = try await service.step(identity, session, LegStep(generation, .progress, position: position))
            }
        }
    }

    private func hand(_ texts: [ItemDocument]) {
        let now = context.service.now
        let messages = texts.compactMap { item -> PhoneMessage? in
            // It moves no position: the phone's own stream has passed it, or will.
            guard var message = PhoneMessage(item, now: now) else { return nil }
            message.changed = 0
            return message
        }
        phone.hand(fresh(messages.map { .message($0) }))
    }

    /// Leaves out what the phone was given already.
    func fresh(_ steps: [PhoneQueue.Step]) -> [PhoneQueue.Step] {
        guard texts.values.contains(where: \.isFresh) || !replayed.isEmpty else { return steps }
        return steps.map { step in
            guard case .message(let message) = step, message.isInSession, !replayed.insert(message.id) else {
                return step
            }
            return .mark(upTo: message.changed, level: nil)
        }
    }

    // MARK: What the phone writes

    /// Sends what the phone wrote: into the session that it is in with that user, or as a message.
    ///
    /// - Parameter abilities: what the phone can do in a call.
    func send(_ request: SendRequest, abilities: Set<MediumKind>) async throws -> SendAnswer {
        let service = context.service
        let known = request.to.count == 1 ? try await service.liveSessions(identity) : []
        guard let receiver = request.to.first, !known.isEmpty else {
            return try await service.sendFromPhone(identity, request, in: nil)
        }
        let place = ReplyPlace(known, to: receiver, on: identity.device) { Self.asksInWords($0, abilities) }
        do {
            switch place {
            case .apart: break
            case .within(let session): return try await service.sendFromPhone(identity, request, in: session)
            case .accepts(let session):
                if try await accept(session) {
                    return try await service.sendFromPhone(identity, request, in: session)
                }
            }
        } catch let refusal as Refusal where refusal.code == .conflict || refusal.code == .notFound {
            // Answered elsewhere, or over by now: it goes as a message.
        }
        return try await service.sendFromPhone(identity, request, in: nil)
    }

    /// - Returns: whether the phone is in the session: its owner elsewhere has a few seconds to say so.
    private func accept(_ session: SessionID) async throws -> Bool {
        var document = try await context.service.accept(identity, session, AcceptRequest())
        let end = ContinuousClock.now + .seconds(context.limits.joinSeconds)
        while document.state == .joining, ContinuousClock.now < end {
            try await Task.sleep(for: .milliseconds(50))
            document = try await context.service.session(identity, session)
        }
        return document.state == .open
    }

    func command(
        _ name: String,
        _ body: @escaping @Sendable (MessagingService) async throws -> Void
    ) {
        Task { [service = context.service, logger = context.logger] in
            do {
                try await body(service)
            } catch let refusal as Refusal {
                logger.debug("\(name) was refused", metadata: ["code": "\(refusal.code.rawValue)"])
            } catch {
                logger.error("\(name) failed", metadata: ["error": "\(type(of: error))"])
            }
        }
    }
}

// MARK: - Calls

extension Talks {
    /// The session's news for the call in it; where the phone is to ring, one begins.
    private func call(_ document: SessionDocument) {
        admit(document)
        if let call = calls[document.id] {
            call.take(document)
            return settle(call)
        }
        guard CallShare(document, on: identity.device, can: phone.abilities, rings: rings).ring != nil else { return }
        let call = PhoneCall(phone, self, session: document.id, user: document.user, state: .idle)
        calls[document.id] = call
        call.take(document)
        settle(call)
    }

    /// Whether the rules let the phone ring for a proposed medium.
    func rings(_ change: MessageID) -> Bool { admitted[change] ?? false }

    private func admit(_ document: SessionDocument) {
        guard document.state == .open else { return }
        for change in document.pending where change.awaited.contains(document.user) && admitted[change.id] == nil {
            if admitted.count >= Self.proposalsRemembered { admitted = [:] }
            admitted[change.id] = false
            Task { [service = context.service, identity, self] in
                guard (try? await service.mayRing(identity, document.id)) ?? false else { return }
                self.post {
                    self.admitted[change.id] = true
                    if let now = self.documents[document.id] { self.call(now) }
                }
            }
        }
    }

    private static let proposalsRemembered = 256

    /// Something for the other end of a medium of the phone. News of the medium may still be on its way.
    func take(_ signal: MediaSignal) {
        early.removeAll { $0 == signal }
        if calls[signal.session]?.take(signal) ?? false { return }
        early.append(signal)
        if early.count > context.limits.earlySignals { early.removeFirst() }
    }

    func hasRoom(beside call: PhoneCall) -> Bool {
        calls.values.count { $0 !== call && $0.holdsDialog } < context.limits.callsPerPhone
    }

    var holdsCalls: Bool { calls.values.contains(where: \.holdsDialog) || !referrals.isEmpty }

    /// Lets go of a call that is over.
    func settle(_ call: PhoneCall) {
        if !call.holdsDialog, let id = call.dialog?.id, context.dialogs[id] === call {
            context.dialogs[id] = nil
            context.endedDialogs.insert(id, of: identity.account)
        }
        call.settleLeg()
        guard call.isOver else { return }
        call.stop()
        guard let session = call.session, calls[session] === call else { return }
        calls[session] = nil
        if documents[session]?.hasLeg(identity.device) ?? false { quiet.insert(session) }
    }

    /// The phone calls somebody, or says something in a call.
    func received(_ transaction: ServerTransaction) {
        let request = transaction.request
        if let id = try? request.dialogIDAtServer() {
            guard let call = context.dialogs[id], call.phone === phone else {
                transaction.respond(481)
                return
            }
            call.received(transaction)
            return settle(call)
        }
        switch request.method {
        case .invite where request.contains(.replaces): takeOver(transaction)
        case .invite: place(transaction)
        case .refer: refer(transaction)
        default: transaction.respond(481)
        }
    }

    private func place(_ transaction: ServerTransaction) {
        let request = transaction.request
        guard let own = (try? request.from().uri.description).flatMap({ try? Address($0) }) else {
            transaction.respond(400)
            return
        }
        guard let to = request.uriText.flatMap({ try? Address($0) }) else {
            transaction.respond(404)
            return
        }
        guard let offer = PhoneCall.description(of: request), !offer.kinds.isEmpty else {
            transaction.respond(transaction.makeResponse(488, reason: "An offer of audio or video is needed"))
            return
        }
        guard let dialog = try? Dialog(server: request, localTag: transaction.localTag, state: .early),
            let session = try? SessionID(TimedID.make(now: context.service.now))
        else {
            transaction.respond(400)
            return
        }
        let call = PhoneCall(phone, self, session: session, user: own, state: .placing(offer.kinds))
        guard hasRoom(beside: call) else {
            transaction.respond(486)
            return
        }
        call.begin(transaction, dialog, offer)
        calls[session] = call
        var wish = SessionRequest(id: session, to: [to], subject: request.text(.subject), media: offer.kinds)
        wish.from = own
        call.request(wish, learning: phone.learnt(offer))
    }

    /// The session that the phone's call is in: another one than it asked for, when both called at once.
    func move(_ call: PhoneCall, to session: SessionID) {
        if let old = call.session, calls[old] === call { calls[old] = nil }
        // The phone rang for it: it need not any more.
        calls[session]?.cancel(reason: nil)
        call.session = session
        calls[session] = call
    }

    /// About once a second: calls of a phone that is away do not go on for ever.
    func tick(now: NIODeadline) {
        for referral in referrals.values { referral.tick(now: now) }
        guard phone.record.bindings.isEmpty, !calls.isEmpty else {
            awaySince = nil
            return
        }
        let since = awaySince ?? now
        awaySince = since
        if now - since > .seconds(context.limits.callsAwaySeconds) { for call in calls.values { call.phoneIsGone() } }
    }

    /// The server shuts down: phones are told, as far as they can be.
    func end() { for call in calls.values { call.bye(reason: nil) } }
}

extension SessionDocument {
    /// Whether a device has a leg, or is about to have one.
    fileprivate func hasLeg(_ device: DeviceID) -> Bool {
        legs.contains { $0.device == device && $0.state != .draining }
    }
}

extension TextTalk {
    /// What was said before and what is said now may meet.
    var isFresh: Bool {
        switch state {
        case .joining: true
        case .aside, .asked, .inside: false
        }
    }
}

/// Texts that were handed out lately, so that none is twice.
struct RecentTexts: Sendable {
    static let capacity = 64
    private var order: [MessageID] = []

    var isEmpty: Bool { order.isEmpty }

    /// - Returns: whether it is new.
    mutating func insert(_ id: MessageID) -> Bool {
        guard !order.contains(id) else { return false }
        order.append(id)
        if order.count > Self.capacity { order.removeFirst() }
        return true
    }
}
