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
    /// Sessions that the phone takes over, until the server's word on that.
    var takingOver: Set<SessionID> = []
    /// REFERs of the phone that are being followed, one for each conversation.
    var referrals: [SessionID: PhoneReferral] = [:]
    /// Where the phone's call ended while it had a leg: that the leg ends too is no news.
    var quiet: Set<SessionID> = []
    /// Proposals that the rules let the phone ring for; false for those that they do not, and while they are asked.
    var admitted: [MessageID: Bool] = [:]
    var early: [MediaSignal] = []
    /// The phone is gone from the gateway.
    private(set) var isClosed = false
    var awaySince: NIODeadline?
    /// How far the phone was given what was said, by session; no text comes twice, and none before an earlier one.
    var given: [SessionID: Ordinal] = [:]
    /// How far the phone took it. What it was given and had not taken when its stream ended comes again in the next one.
    private var taken: [SessionID: Ordinal] = [:]
    /// Which stream it is: a history that was on its way when one ended is read anew.
    private(set) var stream = 0
    /// Sessions whose history is on its way to the phone, and the last text that was said meanwhile: it comes behind that.
    var replaying: [SessionID: Ordinal] = [:]
    /// What the phone itself said.
    var written = RecentTexts()

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

    /// The phone took a text.
    func took(_ message: PhoneMessage) {
        guard let place = message.session, documents[place.id] != nil else { return }
        taken[place.id] = max(place.ordinal, taken[place.id] ?? 0)
    }

    // MARK: What the stream says

    /// The stream begins: it tells what changes, not what has been so for long.
    func begin() {
        again()
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

    /// The stream goes on behind what the phone took. A history that was on its way is read anew.
    func again() {
        stream += 1
        given = taken
        replaying = [:]
        for document in documents.values {
            guard let leg = document.legs.last(where: { $0.device == identity.device }), leg.state == .replaying else {
                continue
            }
            replay(document.id, leg.generation, leg.position ?? leg.start ?? 0, nil)
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
            asksInWords: wording.asks(document),
            isSilent: calls[document.id] != nil || chats[document.id].map { !$0.isInWords } ?? false
                || quiet.contains(document.id)
        )
        let isOver = document.state == .over
        if !document.hasLeg(identity.device) {
            quiet.remove(document.id)
            saying.remove(document.id)
            replaying[document.id] = nil
        }
        if isOver {
            given[document.id] = nil
            taken[document.id] = nil
        }
        texts[document.id] = isOver ? nil : text
        documents[document.id] = isOver ? nil : document
        return actions
    }

    /// Which requests the phone is told of by a text: those that want nothing that it rings for, and those that it could not
    /// be rung for.
    struct Wording: Sendable {
        fileprivate let rings: Set<MediumKind>
        fileprivate let sessions: Set<SessionID>

        func asks(_ document: SessionDocument) -> Bool {
            sessions.contains(document.id) || !(document.wanted + [.text]).contains(where: rings.contains)
        }
    }

    var wording: Wording {
        Wording(rings: phone.rings, sessions: Set(chats.filter { $0.value.control.state == .inWords }.keys))
    }

    /// The phone was rung, and cannot be asked so.
    func askInWords(_ session: SessionID) {
        guard let document = documents[session] else { return }
        let words = talk(document).compactMap {
            if case .tell(let word) = $0 { PhoneQueue.Step.word(word) } else { nil }
        }
        phone.hand(words)
    }

    // MARK: What the phone writes

    /// Sends what the phone wrote: into the session that it is in with that user, or as a message.
    ///
    /// - Parameter wording: what the phone was told of in words.
    func send(_ request: SendRequest, _ wording: Wording) async throws -> SendAnswer {
        let service = context.service
        post { self.wrote(request.id) }
        let known = request.to.count == 1 ? try await service.liveSessions(identity) : []
        guard let receiver = request.to.first, !known.isEmpty else {
            return try await service.sendFromPhone(identity, request, in: nil)
        }
        let place = ReplyPlace(known, to: receiver, on: identity.device, asksInWords: wording.asks)
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

    /// What a phone has ended has to end: a store that cannot at the moment is asked again, for about a minute.
    static let leavingTries = 6
    /// So long, seven seconds, may whoever took a call wait for the word on it.
    static let answeringTries = 4

    /// - Parameters:
    ///   - tries: how often it is tried while the store cannot, each time after twice the pause.
    ///   - refused: called on the gateway's loop when nothing comes of it.
    func command(
        _ name: String,
        tries: Int = 1,
        _ body: @escaping @Sendable (MessagingService) async throws -> Void,
        refused: @escaping @Sendable () -> Void = {}
    ) {
        Task { [service = context.service, logger = context.logger] in
            for attempt in 1...tries {
                do {
                    return try await body(service)
                } catch let refusal as Refusal where !refusal.isTemporary {
                    logger.debug("\(name) was refused", metadata: ["code": "\(refusal.code.rawValue)"])
                    break
                } catch  where attempt == tries {
                    logger.error("\(name) failed", metadata: ["error": "\(type(of: error))"])
                } catch {
                    try? await Task.sleep(for: .seconds(1 << (attempt - 1)))
                }
            }
            post(refused)
        }
    }
}

extension Refusal {
    /// Whether the same may go well in a moment.
    fileprivate var isTemporary: Bool {
        [.unavailable, .storeFull, .internalError, .rateLimited].contains(code)
    }
}

extension SessionDocument {
    /// Whether a device has a leg, or is about to have one.
    func hasLeg(_ device: DeviceID) -> Bool {
        legs.contains { $0.device == device && $0.state != .draining }
    }
}
