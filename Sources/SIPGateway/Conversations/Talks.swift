import ClientWire
import Logging
import MessagingCore
import MessagingService
import NIOCore
import SIP
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
    /// The dialogs of texts, of a phone that takes them over MSRP.
    var chats: [SessionID: PhoneTexts] = [:]
    /// Sessions with a call in which something was said: their texts need a dialog too.
    var saying: Set<SessionID> = []
    /// REFERs of the phone that are being followed, one for each conversation.
    var referrals: [SessionID: PhoneReferral] = [:]
    /// Where the phone's call ended while it had a leg: that the leg ends too is no news.
    var quiet: Set<SessionID> = []
    /// Proposals that the rules let the phone ring for; false for those that they do not, and while they are asked.
    var admitted: [MessageID: Bool] = [:]
    var early: [MediaSignal] = []
    /// The phone is gone from the gateway.
    private var isClosed = false
    var awaySince: NIODeadline?
    /// How far the phone was given what was said, by session; no text comes twice, and none before an earlier one.
    private var given: [SessionID: Ordinal] = [:]
    /// Sessions whose history is on its way to the phone, and the last text that was said meanwhile: it comes behind that.
    private var replaying: [SessionID: Ordinal] = [:]
    /// What the phone itself said.
    private var written = RecentTexts()

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
        for chat in chats.values {
            chat.stop()
            if let id = chat.dialog?.id, context.textDialogs[id] === chat { context.textDialogs[id] = nil }
        }
        chats = [:]
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
                for document in known {
                    self.chats[document.id]?.control.phoneReturned()
                    self.chat(self.documents[document.id] ?? document)
                }
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
        for document in news { chat(document) }
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
            isSilent: calls[document.id] != nil || chats[document.id] != nil || quiet.contains(document.id)
        )
        let isOver = document.state == .over
        if !document.hasLeg(identity.device) {
            quiet.remove(document.id)
            saying.remove(document.id)
            replaying[document.id] = nil
        }
        if isOver { given[document.id] = nil }
        texts[document.id] = isOver ? nil : text
        documents[document.id] = isOver ? nil : document
        return actions
    }

    /// A request that wants nothing that the phone rings for.
    func asksInWords(_ document: SessionDocument) -> Bool { Self.asksInWords(document, phone.rings) }

    private static func asksInWords(_ document: SessionDocument, _ rings: Set<MediumKind>) -> Bool {
        !(document.wanted + [.text]).contains(where: rings.contains)
    }

    // MARK: Hand-over

    /// The phone is ready at once, unless the conversation comes with media, or by a path, that are not there yet.
    private func prepare(_ session: SessionID, _ generation: Generation) {
        replaying[session] = 0
        if let call = calls[session], call.awaitsMedia {
            call.waitingLeg = generation
        } else if let chat = chats[session], chat.isBringing {
            chat.waitingLeg = generation
        } else {
            step(session, LegStep(generation, .ready))
        }
    }

    func step(_ session: SessionID, _ step: LegStep) {
        command("a phone's leg") { [identity] in _ = try await $0.step(identity, session, step) }
    }

    /// What was said, at most the last few, in order, and behind it what is said meanwhile; then the server knows that the
    /// phone has all up to there.
    private func replay(_ session: SessionID, _ generation: Generation, _ after: Ordinal, _ upTo: Ordinal?) {
        let few = phone.takesTexts ? context.limits.replayTexts : context.limits.historyTexts
        replaying[session] = replaying[session] ?? 0
        command("a phone's history") { [identity, self] service in
            let head = try await service.texts(identity, session, after: .max, limit: 1).head
            var position = max(after, head - Ordinal(few))
            var isBehind = true
            while isBehind {
                let page = try await service.texts(identity, session, after: position, limit: Self.pageTexts)
                let last = page.texts.compactMap { $0.message?.session?.ordinal }.max() ?? page.head
                // A page may be cut short, by what was deleted at its end too.
                position = page.texts.isEmpty ? page.head : last
                let (texts, reached, head) = (page.texts, position, page.head)
                isBehind = try await self.context.eventLoop.submit {
                    self.hand(texts)
                    let said = max(head, self.replaying[session] ?? 0)
                    if reached < said, !texts.isEmpty { return true }
                    self.replaying[session] = nil
                    self.given[session] = max(reached, self.given[session] ?? 0)
                    if upTo == nil { self.phone.hand([.reached(session, generation, reached)]) }
                    return false
                }.get()
            }
        }
    }

    private static let pageTexts = 50

    private func hand(_ texts: [ItemDocument]) {
        let now = context.service.now
        let messages = texts.compactMap { item -> PhoneMessage? in
            // It moves no position: the phone's own stream has passed it, or will.
            guard var message = PhoneMessage(item, now: now) else { return nil }
            message.changed = 0
            return message
        }
        phone.hand(messages.compactMap { shows($0) ? .message($0) : nil })
    }

    /// Leaves out what the phone was given already, or is given in its turn; of what its own user said only a phone that
    /// shows whole conversations is told.
    func fresh(_ steps: [PhoneQueue.Step]) -> [PhoneQueue.Step] {
        steps.flatMap { step -> [PhoneQueue.Step] in
            guard case .message(let message) = step, let place = message.session else { return [step] }
            if let last = replaying[place.id] {
                replaying[place.id] = max(last, place.ordinal)
            } else if let start = gap(before: place) {
                replaying[place.id] = place.ordinal
                replay(place.id, .first, start, place.ordinal)
            } else if shows(message) {
                return [step] + progress(at: place)
            }
            return [.mark(upTo: message.changed, level: nil)]
        }
    }

    /// While the history of its leg is on its way to the phone, what is said meanwhile is too: the leg is live once the
    /// phone is close to the last of it.
    private func progress(at place: SessionPlace) -> [PhoneQueue.Step] {
        guard let leg = documents[place.id]?.legs.last(where: { $0.device == identity.device }),
            leg.state == .replaying
        else { return [] }
        return [.reached(place.id, leg.generation, place.ordinal)]
    }

    /// Where what is missing before a text begins, for a phone that shows whole conversations; nil when nothing is. What
    /// changed again comes later in the stream than what was said after it.
    private func gap(before place: SessionPlace) -> Ordinal? {
        guard phone.takesTexts, let leg = documents[place.id]?.legs.last(where: { $0.device == identity.device }),
            leg.state == .live
        else { return nil }
        let start = given[place.id] ?? leg.start ?? 0
        return place.ordinal > start + 1 ? start : nil
    }

    /// Whether the phone is to be given it; from then on it was.
    private func shows(_ message: PhoneMessage) -> Bool {
        guard let place = message.session else { return true }
        guard place.ordinal > given[place.id] ?? 0, !isOthers(message, place) else { return false }
        if documents[place.id] != nil { given[place.id] = place.ordinal }
        return !message.isOwn || !written.contains(message.id)
    }

    /// Whether it is a text that its own user said, and this phone is not to be told of.
    private func isOthers(_ message: PhoneMessage, _ place: SessionPlace) -> Bool {
        guard message.isOwn else { return false }
        let isHere = documents[place.id]?.legs.contains { leg in
            leg.device == identity.device && (leg.state == .live || leg.state == .replaying)
        }
        return !phone.takesTexts || !(isHere ?? false)
    }

    /// The phone said this itself.
    func wrote(_ id: MessageID, in session: SessionID? = nil) { written.insert(id, session) }

    /// Where the phone said something, as far as that is remembered.
    func place(of id: MessageID) -> SessionID? { written.session(of: id) }

    /// It has its place, and nothing is missing before it.
    func placed(_ session: SessionID, _ ordinal: Ordinal) {
        if given[session] == ordinal - 1 { given[session] = ordinal }
    }

    // MARK: What the phone writes

    /// Sends what the phone wrote: into the session that it is in with that user, or as a message.
    ///
    /// - Parameter rings: what the phone rings for, beside being told in words.
    func send(_ request: SendRequest, rings: Set<MediumKind>) async throws -> SendAnswer {
        let service = context.service
        post { self.wrote(request.id) }
        let known = request.to.count == 1 ? try await service.liveSessions(identity) : []
        guard let receiver = request.to.first, !known.isEmpty else {
            return try await service.sendFromPhone(identity, request, in: nil)
        }
        let place = ReplyPlace(known, to: receiver, on: identity.device) { Self.asksInWords($0, rings) }
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

extension SessionDocument {
    /// Whether a device has a leg, or is about to have one.
    func hasLeg(_ device: DeviceID) -> Bool {
        legs.contains { $0.device == device && $0.state != .draining }
    }
}

/// The last few texts of somebody, and where they were said.
struct RecentTexts: Sendable {
    static let capacity = 64
    private var texts: [(id: MessageID, session: SessionID?)] = []

    func contains(_ id: MessageID) -> Bool { texts.contains { $0.id == id } }

    func session(of id: MessageID) -> SessionID? { texts.first { $0.id == id }?.session }

    mutating func insert(_ id: MessageID, _ session: SessionID?) {
        guard !contains(id) else { return }
        texts.append((id, session))
        if texts.count > Self.capacity { texts.removeFirst() }
    }
}
