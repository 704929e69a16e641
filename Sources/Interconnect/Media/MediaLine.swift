import MediaSignalling
import MessagingCore
import NIOCore
import SDP
import SessionCore

/// One `m=` line of a conversation beside its texts: one medium between a device of our user and whatever the other
/// provider has at its end.
///
/// ```
///   asking --our user agrees--> pressing --the device answers--> pressed --our 200--> running
///     \--too late for their INVITE--> asked --agrees--> summoning
///   summoning --the device offers--> waiting --our INVITE--> offered --their 200--> running
///   running --another device, or a device that begins anew--> summoning
///   running --they are somewhere else--> pressing
///   any --the medium is over--> closing --port 0 is said--> gone
/// ```
struct MediaLine: Sendable, Hashable {
    /// A device of our user, under the generation of its placement.
    struct End: Sendable, Hashable, Codable {
        var device: DeviceID
        var generation: Generation
        /// Whose it is, if it is not the user's whom the dialog is with: who called may have handed the call on.
        var user: Address?
    }

    /// What holds between both ends.
    struct Agreed: Sendable, Hashable {
        var end: End
        var own: SDP.MediaDescription
        var theirs: SDP.MediaDescription
    }

    /// What a device wants to be told to the other side.
    struct Offer: Sendable, Hashable {
        var end: End
        var own: SDP.MediaDescription
        /// The device's own description and the place in it, if it waits for an answer.
        var asked: SessionDescription?
        var index = 0
        var until: NIODeadline
    }

    enum Stage: Sendable, Hashable {
        /// They offer it, and our user was asked; their INVITE waits until then.
        case asking(SDP.MediaDescription, until: NIODeadline)
        /// Their INVITE was answered without it, and our user may still agree.
        case asked
        /// The device has their offer.
        case pressing(End, SDP.MediaDescription, again: NIODeadline, until: NIODeadline)
        case pressed(Agreed)
        /// The device is to make an offer.
        case summoning(End, again: NIODeadline, until: NIODeadline)
        /// Its offer waits for our INVITE, or is in it.
        case waiting(Offer)
        case offered(Offer)
        case running
        case closing
    }

    /// What the session calls the device at the other end. Each line has its own and none is given twice, so that no
    /// connection is shared by lines that may be on several devices there.
    let number: DeviceID
    let kind: MediumKind
    var stage: Stage
    /// Its place in descriptions; nil until it has one.
    var slot: Int?
    var medium: MediumID?
    /// A medium that runs already, which they are to have a part in.
    var joining: MediumID?
    /// The proposal that it came with, while it is not agreed to.
    var proposal: MessageID?
    /// The other side has agreed to it; the session has yet to say so.
    var isConsented = false
    var agreed: Agreed?
    /// The direction that the other side was told last, as far as it is ours to say; nil when it did not hear.
    var told: MediaDirection?
    var isHeldThere = false
    /// The change that tells the session so, on its way.
    var holding: MessageID?
    /// A device that they would not have: it is not offered again.
    var refused: End?
    /// What the device offered last and what it was answered: it may ask again.
    var reply: Reply?
    /// Its slot is new in an offer that is not answered.
    var isNew = false
    /// How often the other end has become another one.
    var epoch = 0

    struct Reply: Sendable, Hashable {
        var end: End
        var offer: SessionDescription
        var payload: MediaPayload
    }

    init(number: DeviceID, kind: MediumKind, stage: Stage) {
        self.number = number
        self.kind = kind
        self.stage = stage
    }

    /// The device that it is being agreed with.
    var end: End? {
        switch stage {
        case .asking, .asked, .closing: nil
        case .pressing(let end, _, _, _), .summoning(let end, _, _): end
        case .pressed(let agreed): agreed.end
        case .waiting(let offer), .offered(let offer): offer.end
        case .running: agreed?.end
        }
    }

    /// Whether an INVITE of theirs waits for it.
    var isOwed: Bool {
        switch stage {
        case .asking, .pressing: true
        case .asked, .pressed, .summoning, .waiting, .offered, .running, .closing: false
        }
    }

    /// Whether an offer of the device is taken now.
    var takesOffers: Bool {
        switch stage {
        case .summoning, .waiting, .running: true
        case .asking, .asked, .pressing, .pressed, .offered, .closing: false
        }
    }

    var deadline: NIODeadline? {
        switch stage {
        case .asking(_, let until): until
        case .pressing(_, _, let again, let until), .summoning(_, let again, let until): min(again, until)
        case .waiting(let offer): offer.until
        case .asked, .pressed, .offered, .running, .closing: nil
        }
    }
}

extension MediaLine {
    /// Which way this side wants it to flow: nothing is received while our user has it on hold (RFC 3264, section 8.4).
    static func wish(_ medium: Medium, of own: Address) -> MediaDirection {
        var direction = MediaDirection.sendReceive
        if case .from(let sender) = medium.direction {
            direction = sender == own ? .sendOnly : .receiveOnly
        }
        return medium.held.contains(own) ? direction.without(receiving: true) : direction
    }

    /// A device's part of a description as the other side is told: for itself, without the names that its own
    /// description has for it.
    static func outward(_ own: SDP.MediaDescription) -> SDP.MediaDescription {
        var own = own
        for name in ["mid", "bundle-only"] { own.removeAttributes(named: name) }
        return own
    }

    /// Their part as a device is told. What is held is not for the device to agree to: it comes and goes.
    static func inward(
        _ theirs: SDP.MediaDescription,
        name: String?,
        _ medium: Medium,
        of own: Address
    )
        -> SDP.MediaDescription
    {
        var theirs = theirs
        if let name { theirs.set(Attribute("mid", name)) } else { theirs.removeAttributes(named: "mid") }
        var direction = MediaDirection.sendReceive
        if case .from(let sender) = medium.direction { direction = sender == own ? .receiveOnly : .sendOnly }
        theirs.setDirection(direction)
        return theirs
    }

    /// Their line as an offer to a device.
    func press(_ theirs: SDP.MediaDescription, _ medium: Medium, of own: Address) -> MediaPayload {
        let name = "m\(medium.id.rawValue)"
        let place = theirs.connection
        let origin = Origin(
            sessionID: "\(Int(number.rawValue) * 1000 + epoch)",
            sessionVersion: "1",
            addressType: place?.addressType ?? "IP4",
            address: place?.address ?? "0.0.0.0"
        )
        let media = [Self.inward(theirs, name: name, medium, of: own)]
        return .press(SessionDescription(origin: origin, media: media), names: [name: medium.id])
    }

    /// Their line as the answer to a device's offer; what else is in that is refused in its place.
    static func answer(
        _ theirs: SDP.MediaDescription,
        to offer: Offer,
        _ medium: Medium,
        of own: Address
    )
        -> MediaPayload?
    {
        guard let asked = offer.asked, let origin = asked.origin, asked.media.indices.contains(offer.index) else {
            return nil
        }
        var media = asked.media.map(\.rejected)
        var line = inward(theirs, name: asked.media[offer.index].mediaID, medium, of: own)
        let offered = asked.direction(of: asked.media[offer.index])
        line.setDirection(offered.answering(wish: line.statedDirection ?? .sendReceive))
        media[offer.index] = line
        return .description(.answer, SessionDescription(origin: origin, media: media), names: [:])
    }

    /// How our 200 takes what they offer; nil when the device's answer does not answer it.
    static func acceptance(
        _ own: SDP.MediaDescription,
        of offered: SDP.MediaDescription,
        wish: MediaDirection
    )
        -> MediaAcceptance?
    {
        let formats = own.formats.filter(offered.formats.contains)
        guard !own.isRejected, own.proto.uppercased() == offered.proto.uppercased(), !formats.isEmpty else {
            return nil
        }
        if let role = offered.setup, let answer = own.setup, !role.allowedAnswers.contains(answer) { return nil }
        let stated = own.statedDirection ?? .sendReceive
        return MediaAcceptance(
            port: own.port,
            formats: formats,
            wish: MediaDirection(sends: stated.sends && wish.sends, receives: stated.receives && wish.receives),
            connection: own.connection,
            attributes: own.attributes.filter { $0.name != "mid" && MediaDirection(rawValue: $0.name) == nil }
        )
    }
}

extension SDP.MediaDescription {
    /// Whether it leads to the same place in the same way, whichever direction it states, and whoever is to connect: that
    /// is settled with the connection (RFC 8842, section 5.5).
    func isSamePlace(as other: SDP.MediaDescription) -> Bool { line == other.line && place == other.place }

    private var place: Set<Line> {
        Set(lines.filter { !$0.value.hasPrefix("setup:") && MediaDirection(rawValue: $0.value) == nil })
    }

    /// With the role that the other side's answer leaves to this one.
    func settled(by answer: SDP.MediaDescription) -> SDP.MediaDescription {
        var settled = self
        switch answer.setup {
        case .active: settled.set(Attribute("setup", SetupRole.passive.rawValue))
        case .passive: settled.set(Attribute("setup", SetupRole.active.rawValue))
        case .activePassive, .holdConnection, nil: break
        }
        return settled
    }

    /// Whether it is another connection: its keys or its certificate are others.
    func isOtherConnection(than other: SDP.MediaDescription) -> Bool {
        ["ice-ufrag", "fingerprint"].contains { attributes(named: $0) != other.attributes(named: $0) }
    }

    /// Whether nothing is to be sent there for now, as its sender states it.
    var isHold: Bool {
        !(statedDirection ?? .sendReceive).receives || connection?.isUnspecified ?? false
    }
}
