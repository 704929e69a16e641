import ClientWire
import MediaSignalling
import MessagingCore
import NIOCore
import SDP
import SessionCore

extension MediaExchange {
    /// What the phone is told now: each slot as the device at its other end has it.
    mutating func describe() -> SessionDescription {
        version += 1
        isStale = false
        let description = describe(version: true)
        told = description.media
        return description
    }

    func describe(version isNew: Bool) -> SessionDescription {
        let origin = Origin(
            sessionID: "\(number)",
            sessionVersion: "\(version)",
            addressType: address.contains(":") ? "IP6" : "IP4",
            address: address
        )
        let media = slots.map(describe)
        let first = media.first { !$0.isRejected }?.connection
        return SessionDescription(origin: origin, connection: first ?? here, media: media)
    }

    /// What is said now, for a phone that asks without offering; its answer is for ``phoneAgreed(_:now:)``.
    mutating func current() -> SessionDescription { describe() }

    /// The same again, to see whether the phone is still there.
    mutating func refreshed() -> [Action] {
        guard phase == .idle else { return [] }
        phase = .offering(nil)
        return [.offer(describe())]
    }

    /// An answer that takes nothing of an offer.
    mutating func refusing(_ offer: SessionDescription) -> SessionDescription {
        note(offer)
        return describe()
    }

    private var here: Connection {
        Connection(addressType: address.contains(":") ? "IP6" : "IP4", address: address)
    }

    private func describe(_ slot: Slot) -> SDP.MediaDescription {
        let line = lines.first { $0.medium == slot.medium }
        if let phone = slot.phone, phone.isRejected, slot.remote == nil || line == nil { return phone.rejected }
        guard let line, var remote = slot.remote, !remote.isRejected else { return waiting(slot) }
        remote.removeAttributes(named: "mid")
        if remote.connection == nil { remote.connection = here }
        var direction = remote.statedDirection ?? .sendReceive
        if let sender = line.sender {
            direction = sender == user ? direction.without(sending: true) : direction.without(receiving: true)
        }
        let isHeld = !line.held.subtracting(slot.wish.receives ? [] : [user]).isEmpty
        // The one who is put on hold stops sending and may be played something (RFC 3264, section 8.4); some phones do not
        // come back from anything else.
        if isHeld { direction = direction.without(receiving: true) }
        remote.setDirection(slot.wish.answering(wish: direction))
        return remote
    }

    /// Nothing flows yet: the discard port, and neither direction.
    private func waiting(_ slot: Slot) -> SDP.MediaDescription {
        guard var phone = slot.phone else {
            return SDP.MediaDescription(type: slot.kind, port: 0, proto: "RTP/AVP", formats: ["0"])
        }
        guard slot.medium != nil || slot.kind == "audio" && lines.isEmpty else { return phone.rejected }
        for name in ["mid", "rtcp", "candidate", "ice-ufrag", "ice-pwd", "crypto", "ssrc", "label"] {
            phone.removeAttributes(named: name)
        }
        phone.port = 9
        phone.connection = here
        phone.setDirection(.inactive)
        return phone
    }

    func payload(offering media: [(MediumID, SDP.MediaDescription)]) -> MediaPayload {
        var names: [String: MediumID] = [:]
        let described = media.map { medium, phone in
            var phone = phone
            let name = "m\(medium.rawValue)"
            names[name] = medium
            phone.set(Attribute("mid", name))
            return phone
        }
        return .description(.offer, SessionDescription(origin: origin, media: described), names: names)
    }

    /// The phone's part of an answer to what another device offered.
    func reply(to offer: SessionDescription, _ media: [MediumID?]) -> SessionDescription {
        let described = zip(offer.media, media).map { offered, medium -> SDP.MediaDescription in
            guard let medium, var phone = slots.first(where: { $0.medium == medium })?.phone, !phone.isRejected else {
                return offered.rejected
            }
            if let name = offered.mediaID { phone.set(Attribute("mid", name)) }
            return phone
        }
        return SessionDescription(origin: origin, media: described)
    }

    private var origin: Origin {
        Origin(sessionID: "\(number)", sessionVersion: "\(version)", addressType: "IP4", address: address)
    }
}

extension MediaLine {
    /// What a line has in common with its own earlier state: everything that signalling is addressed by.
    var route: [Int64] { [Int64(medium.rawValue), Int64(own.rawValue), Int64(theirs.rawValue)] }
}

extension SDP.MediaDescription {
    /// The formats that both have under the same numbers; nil when no codec is among them, or something else than plain
    /// RTP would have to be agreed.
    func formats(inCommonWith other: SDP.MediaDescription) -> [String]? {
        guard type == other.type, proto == other.proto, proto == "RTP/AVP", !isRejected, !other.isRejected else {
            return nil
        }
        let common = formats.filter { other.formats.contains($0) && encoding($0) == other.encoding($0) }
        return common.contains { !encoding($0).hasPrefix("telephone-event") } ? common : nil
    }

    /// What a format is; a static one is known by its number (RFC 3551).
    private func encoding(_ format: String) -> String {
        guard let map = rtpMaps.first(where: { $0.format == format }), Int(format) ?? 96 >= 96 else { return format }
        return "\(map.encoding.lowercased())/\(map.clockRate)/\(map.parameters ?? "1")"
    }
}
