import ClientWire
import MessageSignalling
import MessagingCore
import MessagingService
import NIOCore
import SDP
import SIP
import SIPTransport
import SessionCore
import Store

/// Texts of the phone over MSRP, one dialog for each session that it has a leg in, or rings for.
extension Talks {
    /// The session's news for the texts in it; where the phone is to ring, or has a leg without a call, a dialog begins.
    func chat(_ document: SessionDocument) {
        if let chat = chats[document.id] {
            chat.take(document)
            return settle(chat)
        }
        guard phone.takesTexts, document.state != .over else { return }
        let share = TextShare(document, on: identity.device, rings: asksOverMSRP(document))
        // A call needs no texts before somebody says something.
        let brings = share.leg != nil && (calls[document.id] == nil || saying.contains(document.id))
        guard share.isAsked || brings, let chat = PhoneTexts(phone, self, session: document.id, state: .idle) else {
            return
        }
        chats[document.id] = chat
        chat.take(document)
        settle(chat)
    }

    /// A request that wants nothing that the phone rings for as a call, of a phone that takes texts over MSRP.
    func asksOverMSRP(_ document: SessionDocument) -> Bool {
        phone.takesTexts && !document.wanted.contains(where: phone.abilities.contains)
    }

    /// How a text of a session gets to the phone now.
    func way(_ session: SessionID?) -> PhoneTexts.Way {
        guard let session, let document = documents[session], document.state == .open else { return .message }
        if let chat = chats[session] { return chat.way }
        guard phone.takesTexts, document.hasLeg(identity.device) else { return .message }
        saying.insert(session)
        chat(document)
        return chats[session]?.way ?? .message
    }

    /// Lets go of a dialog that is over.
    func settle(_ chat: PhoneTexts) {
        if !chat.holdsDialog, let id = chat.dialog?.id, context.textDialogs[id] === chat {
            context.textDialogs[id] = nil
            context.endedDialogs.insert(id, of: identity.account)
        }
        guard chat.isOver else { return chat.settleLeg() }
        chat.stop()
        guard chats[chat.session] === chat else { return }
        chats[chat.session] = nil
        let leg = chat.waitingLeg.take()
        // What became of the session while its last dialog ended.
        if let document = documents[chat.session] { self.chat(document) }
        if let leg { prepare(chat.session, leg) }
        phone.resume()
    }

    func typed(_ hint: TypingHint) {
        if hint.from != documents[hint.session]?.user { chats[hint.session]?.typed() }
    }

    // MARK: The phone asks

    /// The phone asks somebody for a conversation in texts.
    func placeTexts(_ transaction: ServerTransaction, from own: Address, to: Address) {
        let request = transaction.request
        guard let dialog = try? Dialog(server: request, localTag: transaction.localTag, state: .early),
            let session = try? SessionID(TimedID.make(now: context.service.now))
        else {
            transaction.respond(400)
            return
        }
        guard mayBeginTexts else {
            transaction.respond(486)
            return
        }
        guard let chat = PhoneTexts(phone, self, session: session, state: .placing), chat.begin(transaction, dialog)
        else {
            transaction.respond(488)
            return
        }
        chats[session] = chat
        var wish = SessionRequest(id: session, to: [to], subject: request.text(.subject))
        wish.from = own
        chat.request(wish)
    }

    /// Whether the phone may begin another dialog of texts.
    private var mayBeginTexts: Bool { chats.values.count(where: \.isUnderWay) < context.limits.textsPerPhone }

    /// The session that the phone's request is in: another one than it asked for, when both asked at once.
    func move(_ chat: PhoneTexts, to session: SessionID) {
        if chats[chat.session] === chat { chats[chat.session] = nil }
        // The phone rang for it: it need not any more.
        replace(session)
        chat.session = session
        chats[session] = chat
    }

    /// Ends the dialog that a session has with the phone, for another one.
    private func replace(_ session: SessionID) {
        guard let old = chats.removeValue(forKey: session) else { return }
        // What the phone says to it is no word on the session any more.
        old.control = TextControl()
        old.cancel(reason: nil)
        settle(old)
    }

    /// The phone takes over another device's leg.
    func takeOverTexts(_ transaction: ServerTransaction, _ document: SessionDocument, from source: DeviceID) {
        guard let dialog = try? Dialog(server: transaction.request, localTag: transaction.localTag, state: .early)
        else {
            transaction.respond(400)
            return
        }
        guard mayBeginTexts else {
            transaction.respond(486)
            return
        }
        guard let chat = PhoneTexts(phone, self, session: document.id, state: .taking), chat.begin(transaction, dialog)
        else {
            transaction.respond(488)
            return
        }
        replace(document.id)
        chats[document.id] = chat
        takingOver.insert(document.id)
        let texts = context.limits.replayTexts
        Task { [service = context.service, identity, self] in
            let result: Result<HandOver, any Error>
            do {
                result = .success(
                    try await service.handOver(
                        identity,
                        document.id,
                        from: source,
                        to: identity.device,
                        kinds: [],
                        texts: texts
                    )
                )
            } catch {
                result = .failure(error)
            }
            self.post {
                self.takingOver.remove(document.id)
                switch result {
                // It was on its way here already.
                case .failure where chat.control.state == .standing: break
                case .failure(let error):
                    chat.refuse((error as? Refusal ?? Refusal(.internalError, "")).handOverStatus)
                    chat.control = TextControl()
                case .success(let handOver):
                    // Taken back meanwhile: it would be nowhere.
                    if chat.control.state == .leaving { self.leave(document.id) }
                    chat.take(self.documents[document.id] ?? handOver.session)
                }
                self.settle(chat)
            }
        }
    }

    // MARK: Leaving

    /// The phone is out of a session. With other devices of its user in it only its own part ends.
    /// - Parameter keepsLeg: it is out of the call alone.
    func leave(_ session: SessionID, keepsLeg: Bool = false) {
        command("a phone's leaving", tries: Self.leavingTries) { [identity] service in
            let document = try await service.session(identity, session)
            guard document.state != .over else { return }
            let legs = document.legs.filter { $0.state != .draining }
            let others = legs.contains { $0.device != identity.device }
            let isHere = document.state != .open || legs.contains { $0.device == identity.device }
            guard others || !isHere || keepsLeg else {
                _ = try await service.leave(identity, session)
                return
            }
            for medium in document.media {
                guard let line = MediaLine(medium, in: document, on: identity.device) else { continue }
                if let move = line.move {
                    _ = try await service.path(identity, session, move, PathReport(connected: false))
                } else {
                    _ = try await service.mediumFailed(identity, session, medium.id)
                }
            }
            guard !keepsLeg, let leg = legs.last(where: { $0.device == identity.device }) else { return }
            _ = try await service.step(identity, session, LegStep(leg.generation, .closed))
        }
    }
}
