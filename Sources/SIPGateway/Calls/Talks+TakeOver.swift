import ClientWire
import MessagingCore
import MessagingService
import NIOCore
import SDP
import SIP
import SIPTransport
import SessionCore
import Store

/// INVITE with Replaces (RFC 3891): the phone takes over what another device of its account has of a conversation.
extension Talks {
    /// What the INVITE is to take, or what it is answered.
    private enum Target {
        case device(DeviceID, SessionID)
        case leg(Generation, SessionID, isEarlyOnly: Bool)
        case refused(SIPStatus, String?)
    }

    func takeOver(_ transaction: ServerTransaction) {
        let request = transaction.request
        let session: SessionID
        let target = target(request)
        switch target {
        case .refused(let status, let reason):
            transaction.respond(transaction.makeResponse(status, reason: reason))
            return
        case .device(_, let id), .leg(_, let id, _): session = id
        }
        // One that the phone took back is on its way until the server has said so.
        guard !takingOver.contains(session) else {
            transaction.respond(491)
            return
        }
        guard takingOver.count < context.limits.takeOversPerPhone else {
            transaction.respond(486)
            return
        }
        takingOver.insert(session)
        let bound = NIOLoopBound((transaction, target), eventLoop: context.eventLoop)
        Task { [service = context.service, identity, self] in
            let document = try? await service.session(identity, session)
            self.post {
                let (transaction, target) = bound.value
                self.takingOver.remove(session)
                // Taken back meanwhile.
                guard !transaction.isAnswered else { return }
                self.takeOver(transaction, target, document)
            }
        }
    }

    private func target(_ request: SIPMessage) -> Target {
        guard !request.contains(.join), let value = try? request.value(.replaces, as: DialogReference.self),
            let id = value.dialogID(.replacesOrJoin)
        else { return .refused(400, nil) }
        switch NamedDialog(id, for: identity.account, in: context) {
        case .unknown: return .refused(481, nil)
        case .foreign: return .refused(403, nil)
        case .ended: return .refused(603, nil)
        case .part(let name):
            switch name.part {
            case .leg(let generation):
                return .leg(generation, name.session, isEarlyOnly: value.isEarlyOnly)
            case .device(let device):
                return value.isEarlyOnly ? .refused(486, nil) : .device(device, name.session)
            }
        case .call(let call):
            // Only who sent its INVITE may have an early dialog replaced, and that is the phone.
            guard case .standing = call.link, let session = call.session else { return .refused(481, nil) }
            return value.isEarlyOnly ? .refused(486, nil) : .device(call.phone.identity.device, session)
        }
    }

    private func takeOver(_ transaction: ServerTransaction, _ target: Target, _ document: SessionDocument?) {
        func refuse(_ status: SIPStatus, _ reason: String? = nil) {
            transaction.respond(transaction.makeResponse(status, reason: reason))
        }
        guard let document else { return refuse(481) }
        guard document.state != .over else { return refuse(603) }
        let source: DeviceID
        switch target {
        case .refused(let status, let reason): return refuse(status, reason)
        case .device(let device, _): source = device
        case .leg(let generation, _, let isEarlyOnly):
            guard let leg = document.legs.first(where: { $0.generation == generation }) else {
                return refuse(document.legs.contains { $0.generation > generation } ? 603 : 481)
            }
            // Nothing that rings yet may be taken by this.
            guard leg.state == .live || leg.state == .draining else { return refuse(481) }
            guard !isEarlyOnly else { return refuse(486) }
            source = leg.device
        }
        guard document.state == .open else { return refuse(481) }
        guard source != identity.device, calls[document.id].map({ $0.holdsDialog }) != true,
            chats[document.id].map({ $0.holdsDialog }) != true
        else {
            return refuse(488, "This phone has a part in it already")
        }
        let offered = PhoneCall.description(of: transaction.request)
        if let offered, offered.kinds.isEmpty, offersTexts(offered, on: transaction.flow) {
            return takeOverTexts(transaction, document, from: source)
        }
        guard let offer = offered, !offer.kinds.isEmpty else {
            return refuse(488, "An offer of audio or video is needed")
        }
        let there = document.media.filter { medium in
            medium.placements.contains { $0.user == document.user && $0.device == source }
        }
        let kinds = Set(there.map(\.kind)).intersection(offer.kinds)
        guard !kinds.isEmpty else { return refuse(488, "It has nothing that this phone offers") }
        guard let dialog = try? Dialog(server: transaction.request, localTag: transaction.localTag, state: .early)
        else { return refuse(400) }
        guard mayBegin else { return refuse(486) }
        let call = PhoneCall(phone, self, session: document.id, user: document.user, state: .taking)
        call.begin(transaction, dialog, offer)
        replaceCall(document.id)
        calls[document.id] = call
        call.take(document.id, from: source, kinds, learning: phone.learnt(offer))
    }
}

extension PhoneCall {
    /// Has the media moved here, and the leg behind them.
    fileprivate func take(
        _ session: SessionID,
        from source: DeviceID,
        _ kinds: Set<MediumKind>,
        learning change: DeviceChange?
    ) {
        isTaking = true
        talks.takingOver.insert(session)
        mediaDue = .now() + .seconds(context.limits.mediaSeconds)
        arm()
        let identity = phone.identity
        let texts = context.limits.historyTexts
        Task { [service = context.service, inbox = context.inbox, self] in
            let result: Result<HandOver, any Error>
            do {
                if let change { _ = try await service.changeDevice(identity, identity.device, change) }
                result = .success(
                    try await service.handOver(
                        identity,
                        session,
                        from: source,
                        to: identity.device,
                        kinds: kinds,
                        texts: texts
                    )
                )
            } catch {
                result = .failure(error)
            }
            inbox.post {
                self.talks.takingOver.remove(session)
                self.taken(result)
            }
        }
    }

    private func taken(_ result: Result<HandOver, any Error>) {
        isTaking = false
        switch result {
        // It was on its way here already, pushed in the same moment: that is what the phone has now.
        case .failure where control.state == .standing: break
        case .failure(let error):
            refuse((error as? Refusal ?? Refusal(.internalError, "")).handOverStatus, reason: nil)
            control = CallControl()
        case .success(let handOver):
            // Taken back meanwhile.
            if control.state == .leaving { perform([CallControl.Action.leave]) }
            take(talks.documents[handOver.session.id] ?? handOver.session)
        }
        talks.settle(self)
    }
}

extension Refusal {
    /// What a phone is told that would take something over, or hand it on.
    var handOverStatus: SIPStatus {
        switch code {
        case .notFound: 481
        case .unavailable: 480
        case .invalidRequest: 488
        // It is on its way to somewhere already.
        case .conflict, .stale: 491
        default: sipStatus
        }
    }
}
