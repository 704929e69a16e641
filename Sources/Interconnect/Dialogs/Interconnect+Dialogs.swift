import MessageSignalling
import MessagingCore
import MessagingService
import NIOCore
import SDP
import SIP
import SessionCore

/// Whose server keeps lanes, and the conversations with users of those that do not.
extension Interconnect {
    /// Where this host is reached by a peer that connects to it.
    var address: String {
        configuration.messageHost
            ?? (["0.0.0.0", "::"].contains(configuration.host) ? configuration.name : configuration.host)
    }

    /// Answers of a server that is busy, starting or ending: they do not tell what it can.
    private static let saysNothing: Set<SIPStatus> = [408, 429, 480, 500, 502, 503, 504]

    /// Whether a peer takes lines of sessions, as it says when it is asked; nil when it does not say.
    func keepsLanes(_ peer: Peer) async -> Bool? {
        if let known = peer.keepsLanes ?? kind(of: peer)?.keepsLanes { return known }
        let question = Requests.options(to: peer, from: configuration.domains.first ?? "")
        // Whoever cannot say now is asked again: only what is certain is remembered.
        guard let response = await exchange(question, with: peer), let status = response.status,
            !Self.saysNothing.contains(status)
        else { return nil }
        let types = response.texts(.accept).flatMap { $0.lowercased().split(separator: ",") }
        let isKept = types.contains { $0.trimmed == SessionMapping.lineType }
        remember(peer, PeerKind(keepsLanes: isKept, hasTexts: Requests.Service.session.isNamed(in: response)))
        return isKept
    }

    /// Carries one line of a session.
    func deliver(_ parcel: SessionParcel, _ outgoing: Outgoing, to peer: Peer) async -> OutboundResult {
        // Before the start it is not known what goes on.
        guard let running else { return .temporary }
        let key = LiveDialog.Key(session: parcel.session, own: parcel.from, other: parcel.to)
        if let live = dialog(key) {
            // Asked once more because nothing was heard of how the first time ended.
            if case .request = parcel.line { return .delivered }
            return await live.take(parcel)
        }
        guard let isKept = await keepsLanes(peer) else { return .temporary }
        if isKept { return await deliver(plain: outgoing, to: peer) }
        guard case .request(let details) = parcel.line else { return await deliver(orphan: parcel) }
        guard let live = begin(key, .host, details.conversation, peer, running) else { return .temporary }
        return await live.call(details)
    }

    /// A line of a conversation of which nothing is known here, as after a restart: what waits for an answer gets one, the
    /// rest ends.
    private func deliver(orphan parcel: SessionParcel) async -> OutboundResult {
        switch parcel.line {
        case .fromOwner(.cancelled):
            do {
                try await running?.service.takeNext(
                    .toOwner(.answered(.cancelled)),
                    of: parcel.session,
                    from: parcel.to,
                    to: parcel.from
                )
            } catch {
                return error is Refusal ? .delivered : .temporary
            }
            return .delivered
        case .fromOwner(.ended), .toOwner(.leave), .toOwner(.answered(.rejected)), .toOwner(.answered(.missed)),
            .toOwner(.answered(.cancelled)):
            return .delivered
        case .request, .fromOwner, .toOwner: return .permanent(.unavailable)
        }
    }

    /// A text with parts that a conversation's path does not take goes as a message beside it.
    func deliverApart(_ text: PeerText, _ key: LiveDialog.Key, _ peer: Peer) async -> OutboundResult {
        let result = await deliver(text, to: key.other, of: peer)
        guard case .permanent(let code) = result else { return result }
        _ = try? await running?.service.receiveReport(
            of: text.envelope.id,
            to: text.envelope.from,
            from: key.other,
            .failed,
            failure: code
        )
        return .delivered
    }

    /// Makes room for a conversation; nil when there are too many, or it is there.
    func begin(
        _ key: LiveDialog.Key,
        _ role: PeerDialog.Role,
        _ conversation: ConversationID,
        _ peer: Peer,
        _ running: Running,
        at address: String? = nil
    ) -> LiveDialog? {
        let live = LiveDialog(key, role, conversation, peer, self, running, at: address ?? self.address)
        return begin(live) ? live : nil
    }

    /// Hears of what is no request.
    func heard(_ notice: PeerNotice) -> Bool {
        switch notice {
        case .cancelled(let id):
            guard let live = dialog(id) else { return false }
            live.cancelled()
        case .acknowledged(let id, let body): dialog(id)?.acknowledged(body)
        case .unacknowledged(let id): dialog(id)?.handle(.vanished)
        }
        return true
    }
}

extension Answering {
    /// A user of a peer asks for a conversation.
    func converse(_ request: PeerRequest, _ context: IncomingContext) async throws {
        guard try await service.knows(context.receiver) else { throw Refusal(.notFound, "no such user") }
        let offer = request.message.descriptionOctets
        // Without an offer ours goes into the 200 (RFC 3261, section 13.2.1).
        guard offer.isEmpty || DialogDescription.isAcceptable(offer),
            let peer = context.sender.domain.flatMap({ interconnect.peers[$0] })
        else { return request.respond(488) }
        if case .tooSmall(let minimum) = try LiveDialog.timer(request.message) {
            return request.respond(422, headers: [(.minSE, "\(minimum)")])
        }
        let name = request.message.text(Requests.contribution).flatMap { try? SessionID($0) }
        let key = LiveDialog.Key(
            session: name ?? SessionID(stored: context.fallbackID.description),
            own: context.receiver,
            other: context.sender
        )
        if let live = interconnect.dialog(key) {
            // What begins anew in the middle has to say where texts are to go.
            guard !offer.isEmpty else { return request.respond(488) }
            if try await live.adopt(request, offer) { return }
        }
        let details = SessionDetails(asking: key, request.message, context, wanted: PeerMedia.wanted(offer))
        guard
            let live = interconnect.begin(key, .guest, details.conversation, peer, running, at: request.address)
        else { return request.respond(503, headers: [(.retryAfter, "5")]) }
        do {
            try await live.ring(request, offer)
            interconnect.name(live, try request.dialogID())
            // It may have been taken back before anybody here could hear of it.
            guard await request.isOpen else { return live.abandon() }
            try await service.takeNext(.request(details), of: key.session, from: key.other, to: key.own)
        } catch {
            // Why is said by whoever answers the request.
            live.withdraw()
            throw error
        }
        request.respond(180, headers: [(.contact, "\(running.contact);\(Requests.Service.session.tag)")])
    }
}

extension SessionDetails {
    /// What an INVITE says of a conversation.
    init(asking key: LiveDialog.Key, _ request: SIPMessage, _ context: IncomingContext, wanted: [MediumKind]) {
        let subject = request.text(.subject).map { String($0.prefix(InterconnectLimits.subjectCharacters)) }
        self.init(
            creator: key.other,
            invited: [key.own],
            conversation: context.conversation ?? MessagingService.conversation(of: [key.own, key.other]),
            subject: subject?.isEmpty == false ? subject : nil,
            started: context.now,
            wanted: wanted
        )
    }
}

extension Substring {
    fileprivate var trimmed: Substring {
        let start = drop { $0 == " " || $0 == "\t" }
        return start.prefix { $0 != " " && $0 != "\t" && $0 != ";" }
    }
}
