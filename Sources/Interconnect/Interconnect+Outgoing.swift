import CPIM
public import ClientWire
import Logging
import MessageSignalling
public import MessagingCore
public import MessagingService
import NIOCore
import SIP

extension Interconnect {
    /// Sends one entry and waits for its answer, which says that it is committed over there.
    public func deliver(_ entry: OutboxEntry, envelope: Envelope?, fence: Int64) async -> OutboundResult {
        guard let domain = entry.target.domain, let peer = peers[domain] else { return .permanent(.notFound) }
        do {
            let outgoing = try Outgoing(entry, await linked(envelope, entry, to: peer))
            if let parcel = try SessionParcel(entry, envelope: envelope) {
                return await deliver(parcel, outgoing, to: peer)
            }
            // A report on what was said in a conversation goes with it.
            if case .report(let sender, let receiver, _) = entry.task, let bytes = outgoing.inline,
                let live = dialog(between: receiver, sender), await live.report(bytes)
            {
                return .delivered
            }
            if case .message = entry.task, let envelope, peer.files == .transfers {
                let text = PeerText(envelope: envelope, reports: entry.reports)
                return await deliver(text, to: entry.target, of: peer)
            }
            return await deliver(plain: outgoing, to: peer)
        } catch {
            logger.error("an entry of the outbox cannot be written", metadata: ["error": "\(type(of: error))"])
            return .permanent(.invalidMessage)
        }
    }

    /// A message to somebody whose provider takes files as links: each that is large enough stands for its link. What the
    /// sender keeps no copy of goes as it is.
    private func linked(_ envelope: Envelope?, _ entry: OutboxEntry, to peer: Peer) async -> Envelope? {
        guard case .links(let from) = peer.files, case .message = entry.task, var envelope,
            let service = running?.service
        else { return envelope }
        for (index, part) in envelope.parts.enumerated() where part.sha256 != nil && part.bytes >= from {
            guard let link = await service.fileLink(to: index, of: envelope.id, account: entry.account) else {
                continue
            }
            envelope.parts[index] = LinkedFile.description(of: part, link)
        }
        return envelope
    }

    /// As a MESSAGE, or over MSRP where that does not bear it.
    func deliver(plain outgoing: Outgoing, to peer: Peer) async -> OutboundResult {
        guard outgoing.size <= InterconnectLimits.pagerBytes, let body = outgoing.inline else {
            return await deliverLarge(outgoing, to: peer)
        }
        guard let response = await exchange(outgoing.request(body), with: peer) else { return .temporary }
        return Problems.result(of: response)
    }

    public func hint(_ hint: PeerHint, to domain: String) {
        if case .typing(let session, let from, let to) = hint,
            let live = dialog(LiveDialog.Key(session: session, own: from, other: to))
        {
            return live.composed()
        }
        if case .signal(let signal) = hint, let from = signal.from,
            // Somebody whom the call was handed on to speaks in the dialog that there is.
            let live = dialog(LiveDialog.Key(session: signal.session, own: from, other: signal.to))
                ?? dialogs(of: signal.session).first(where: { $0.key.other == signal.to })
        {
            return live.take(signal)
        }
        guard let peer = peers[domain], !isAway(domain), peer.keepsLanes ?? kind(of: peer)?.keepsLanes ?? true,
            let from = hint.sender,
            let body = try? SessionMapping.encode(hint), body.count <= InterconnectLimits.incomingPagerBytes
        else { return }
        let request = Requests.message(from: from, to: hint.receiver, body, type: SessionMapping.hintType)
        Task { await exchange(request, with: peer) }
    }

    public func counterpart(
        _ address: Address,
        in session: SessionID,
        for user: Address
    ) async -> CounterpartDocument? {
        guard let domain = address.domain, let peer = peers[domain], !isAway(domain) else { return nil }
        var request = Requests.make(.options, from: user, to: address)
        request.append(.accept, SessionMapping.devicesType)
        request.append(Requests.session, session.description)
        guard let response = await exchange(request, with: peer), response.status == 200,
            response.text(.contentType) == SessionMapping.devicesType
        else { return nil }
        let document = try? SessionMapping.decode(CounterpartDocument.self, Array(response.body.readableBytesView))
        // A peer speaks for its own users.
        return document?.user == address ? document : nil
    }
}

/// An entry of the outbox as it goes over the wire.
struct Outgoing: Sendable {
    let from: Address
    let to: Address
    let type: String
    let pieces: [MessageMapping.Piece]
    /// The message whose headers go with it.
    private let envelope: Envelope?

    /// - Throws: what is wrong with the entry.
    init(_ entry: OutboxEntry, _ envelope: Envelope?) throws {
        self.envelope = envelope
        to = entry.target
        switch entry.task {
        case .message:
            guard let envelope else { throw Refusal(.noLongerStored, "the message is gone") }
            from = envelope.from
            type = CPIMMessage.contentType
            pieces = MessageMapping.pieces(envelope, reports: entry.reports)
        case .report(let sender, let receiver, let disposition):
            // The same each time that it is sent.
            let id = "\(entry.message)-\(disposition.rawValue)-\(receiver)".filter { $0.isLetter || $0.isNumber }
            let report = try MessageMapping.report(
                on: entry.message,
                to: sender,
                from: receiver,
                disposition,
                id: String(id.suffix(Limits.messageIDBytes)),
                now: .wallClock()
            )
            guard let report else { throw Refusal(.invalidMessage, "there is nothing to report yet") }
            from = receiver
            type = CPIMMessage.contentType
            pieces = [.bytes(report.bytes)]
        case .session:
            guard let parcel = try SessionParcel(entry, envelope: envelope) else {
                throw Refusal(.invalidMessage, "no line of a session")
            }
            from = parcel.from
            guard let text = parcel.text else {
                type = SessionMapping.lineType
                pieces = [.bytes(try SessionMapping.encode(parcel))]
                return
            }
            type = CPIMMessage.contentType
            pieces = MessageMapping.pieces(
                text.envelope,
                reports: text.reports,
                try SessionMapping.header(of: parcel)
            )
        }
    }

    /// A text that goes as a message.
    init(_ text: PeerText, to receiver: Address) {
        envelope = text.envelope
        from = text.envelope.from
        to = receiver
        type = CPIMMessage.contentType
        pieces = MessageMapping.pieces(text.envelope, reports: text.reports)
    }

    var size: Int64 { pieces.reduce(0) { $0 + $1.size } }

    /// All of it, if none of it stands in files.
    var inline: [UInt8]? {
        var bytes: [UInt8] = []
        for piece in pieces {
            guard case .bytes(let some) = piece else { return nil }
            bytes += some
        }
        return bytes
    }

    /// As a MESSAGE.
    func request(_ body: [UInt8]) -> SIPMessage {
        var request = Requests.message(from: from, to: to, body, type: type)
        Requests.mark(&request, as: .pager)
        name(&request)
        return request
    }

    /// Says what it belongs to.
    func name(_ request: inout SIPMessage) { if let envelope { Requests.name(envelope, in: &request) } }
}
