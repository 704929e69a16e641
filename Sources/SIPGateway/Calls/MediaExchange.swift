import ClientWire
import MediaSignalling
import MessagingCore
import NIOCore
import SDP
import SessionCore

/// The offers and answers of one phone's call, between the phone's dialog and the devices at the other ends: third-party
/// call control (RFC 3725), as a value that decides.
///
/// The phone's description has a slot for each medium, and each slot goes its own way: to the device that has the other
/// end. Where this end makes the offers one is fetched from the phone, by an INVITE without a description; what the others
/// offer goes to the phone in one, and its answer back. Where nothing is known yet the phone is told to wait (inactive).
struct MediaExchange: Sendable {
    /// One `m=` line of the dialog.
    struct Slot: Hashable, Sendable {
        var kind: String
        var medium: MediumID?
        /// What the phone said last of it; nil until it has.
        var phone: SDP.MediaDescription?
        /// What the other end said last.
        var remote: SDP.MediaDescription?
        /// What the phone itself wants of it: with less than both directions it is on hold.
        var wish: MediaDirection = .sendReceive
    }

    enum Phase: Hashable, Sendable {
        /// No dialog yet.
        case none
        /// Nothing is open.
        case idle
        /// The phone offered and waits for an answer, until then at the latest; nil for as long as its call is not
        /// admitted.
        case owing(until: NIODeadline?)
        /// It was asked for an offer.
        case fetching
        /// It was offered something: what this device said, or news of several.
        case offering(MediaLine.Peer?)
        /// Both changed it at once: it is tried again after a while (RFC 3261, section 14.1).
        case blocked
    }

    enum Action: Hashable, Sendable {
        /// An INVITE without a description.
        case fetch
        /// An INVITE with this one.
        case offer(SessionDescription)
        /// The answer to the phone's open offer.
        case answer(SessionDescription)
        case signal(MediaLine, MediaPayload)
        /// Media run with that end.
        case agreed(MediaLine)
        /// The phone or the other end cannot.
        case failed(MediumID)
    }

    /// What passed between this phone and one other device.
    struct Exchange: Hashable, Sendable {
        enum Stage: Hashable, Sendable {
            /// This end makes the offers and has to; or it waits for the other's.
            case open
            /// An offer is out, for these media in order.
            case offered(MediaPayload, [MediumID], again: NIODeadline)
            /// The other end's offer waits for its turn at the phone.
            case received(SessionDescription, [MediumID?])
            case agreed
        }

        var lines: [MediaLine]
        var stage: Stage = .open
        /// The other end's last offer and what it was answered: it may ask again.
        var last: SessionDescription?
        var answer: MediaPayload?
        /// Whether this end makes the offers, where the other one has said so.
        var turn: Bool?

        var offers: Bool { turn ?? lines.first?.offers ?? false }
    }

    static let offerEvery = TimeAmount.seconds(2)
    /// How long a phone's open offer waits for the other end.
    static let answerWithin = TimeAmount.seconds(3)
    /// More in a phone's description are not looked at.
    static let slotsMaximum = 16

    private(set) var phase: Phase = .none
    private(set) var slots: [Slot] = []
    private(set) var exchanges: [MediaLine.Peer: Exchange] = [:]
    private let user: Address
    /// Our address, for what is inactive.
    private let address: String
    private let number: UInt64
    private var version: UInt64 = 0
    /// What the phone was told last of all slots.
    private var told: [SDP.MediaDescription] = []
    private var isStale = false

    /// - Parameter number: names the descriptions of this call; random.
    init(user: Address, address: String, number: UInt64) {
        self.user = user
        self.address = address
        self.number = number
    }

    var lines: [MediaLine] { exchanges.values.flatMap(\.lines).sorted { $0.medium < $1.medium } }

    // MARK: What is to run

    /// The media that are to run, as the session has them now.
    mutating func set(_ lines: [MediaLine], now: NIODeadline) -> [Action] {
        var next: [MediaLine.Peer: Exchange] = [:]
        var actions: [Action] = []
        for (peer, own) in Dictionary(grouping: lines, by: \.peer) {
            let own = own.sorted { $0.medium < $1.medium }
            if var known = exchanges[peer], known.lines.map(\.route) == own.map(\.route) {
                known.lines = own
                next[peer] = known
            } else {
                next[peer] = Exchange(lines: own)
                // Another device may hold on to a connection of before.
                if let first = own.first, !first.offers { actions.append(.signal(first, .ask)) }
            }
        }
        exchanges = next
        let media = Set(lines.map(\.medium))
        for index in slots.indices where slots[index].medium.map({ !media.contains($0) }) ?? false {
            slots[index].medium = nil
            slots[index].remote = nil
        }
        if case .owing(nil) = phase, !lines.isEmpty { phase = .owing(until: now + Self.answerWithin) }
        return actions + advance(now)
    }

    /// The slot of a medium; the first free one of its kind becomes it.
    private mutating func slot(_ line: MediaLine) -> Int? {
        if let index = slots.firstIndex(where: { $0.medium == line.medium }) { return index }
        let index = slots.firstIndex {
            $0.medium == nil && $0.kind == line.kind.rawValue && !($0.phone?.isRejected ?? false)
        }
        if let index { slots[index].medium = line.medium }
        return index
    }

    // MARK: The phone

    /// The phone's first offer, or what it was asked for.
    mutating func phoneOffered(_ offer: SessionDescription, isAdmitted: Bool, now: NIODeadline) -> [Action] {
        note(offer)
        phase = .owing(until: isAdmitted ? now + Self.answerWithin : nil)
        for peer in exchanges.keys where exchanges[peer]?.offers ?? false {
            if exchanges[peer]?.stage != .agreed { exchanges[peer]?.stage = .open }
        }
        return advance(now)
    }

    /// The phone changes what it has, by an offer that is answered at once.
    /// - Returns: the answer, and what follows.
    mutating func phoneChanges(_ offer: SessionDescription, now: NIODeadline) -> (SessionDescription, [Action]) {
        let before = slots
        note(offer)
        var isMoved = false
        for index in slots.indices {
            guard let phone = slots[index].phone else { continue }
            slots[index].wish = phone.statedDirection ?? .sendReceive
            if phone.connection?.isUnspecified ?? false { slots[index].wish = .inactive }
            let old = index < before.count ? before[index].phone : nil
            if slots[index].medium != nil, old?.port != phone.port || old?.connection != phone.connection {
                isMoved = true
            }
        }
        let answer = describe()
        phase = .idle
        if isMoved { reopen() }
        return (answer, advance(now))
    }

    /// The phone is somewhere else: the others have to learn.
    private mutating func reopen() {
        for (peer, exchange) in exchanges where exchange.offers {
            exchanges[peer]?.stage = .open
        }
    }

    /// Media of the phone's that it put on hold itself.
    var heldByPhone: Set<MediumID> { Set(slots.filter { $0.wish != .sendReceive }.compactMap(\.medium)) }

    private mutating func note(_ offer: SessionDescription) {
        let media = offer.withSelfContainedMedia.media.prefix(Self.slotsMaximum)
        for (index, medium) in media.enumerated() {
            if index < slots.count {
                slots[index].phone = medium
                slots[index].kind = medium.type
            } else {
                slots.append(Slot(kind: medium.type, phone: medium))
            }
        }
    }

    /// The phone's answer to what it was offered.
    mutating func phoneAnswered(_ answer: SessionDescription, now: NIODeadline) -> [Action] {
        guard case .offering(let peer) = phase else { return [] }
        phase = .idle
        note(answer)
        var actions: [Action] = []
        if let peer, var exchange = exchanges[peer], case .received(let offer, let media) = exchange.stage {
            let failed = exchange.lines.filter { line in
                slots.first { $0.medium == line.medium }?.phone?.isRejected ?? true
            }
            actions += failed.map { .failed($0.medium) }
            let payload = MediaPayload.description(.answer, reply(to: offer, media), names: [:])
            exchange.stage = .agreed
            exchange.answer = payload
            exchanges[peer] = exchange
            if let first = exchange.lines.first { actions.append(.signal(first, payload)) }
            actions += exchange.lines.filter { line in !failed.contains(line) }.map { .agreed($0) }
        }
        return actions + advance(now)
    }

    /// An INVITE of ours collided with one of the phone's: it is tried again after ``unblocked(_:)``.
    mutating func collided() {
        isStale = true
        phase = .blocked
    }

    /// The wait is over.
    mutating func unblocked(_ now: NIODeadline) -> [Action] {
        guard phase == .blocked else { return [] }
        phase = .idle
        return advance(now)
    }

    /// An INVITE of ours came to nothing: what it was for fails, and the phone is left with what it had.
    mutating func phoneRefused() -> [Action] {
        let failed = phase
        phase = .idle
        switch failed {
        case .offering(let peer?):
            exchanges[peer]?.stage = .agreed
            return (exchanges[peer]?.lines ?? []).map { .failed($0.medium) }
        case .fetching:
            let open = exchanges.filter { $0.value.offers && $0.value.stage == .open }
            for peer in open.keys { exchanges[peer]?.stage = .agreed }
            return open.values.flatMap(\.lines).map { .failed($0.medium) }
        case .none, .idle, .owing, .offering(nil), .blocked: return []
        }
    }

    // MARK: The other ends

    /// Another device says something of a medium.
    mutating func take(_ payload: MediaPayload, from line: MediaLine, now: NIODeadline) -> [Action] {
        guard var exchange = exchanges[line.peer] else { return [] }
        switch payload {
        case .summon:
            if !exchange.offers || exchange.stage == .agreed { exchange.stage = .open }
            exchange.turn = true
            exchanges[line.peer] = exchange
        case .press(let offer, let names):
            exchanges[line.peer]?.turn = false
            return take(.description(.offer, offer, names: names), from: line, now: now)
        case .ask:
            guard exchange.offers, exchange.stage == .agreed else { return [] }
            exchanges[line.peer]?.stage = .open
        case .description(.offer, let offer, let names):
            guard !exchange.offers else { return [] }
            if offer == exchange.last {
                // What it was answered was lost.
                return exchange.answer.map { [.signal(line, $0)] } ?? []
            }
            let media = offer.media.enumerated().map { index, medium -> MediumID? in
                let named = medium.mediaID.flatMap { names[$0] }
                return exchange.lines.first { $0.medium == named }?.medium
            }
            exchange.last = offer
            exchange.answer = nil
            exchange.stage = .received(offer, media)
            exchanges[line.peer] = exchange
        case .description(.answer, let answer, _):
            guard case .offered(_, let media, _) = exchange.stage else { return [] }
            exchange.stage = .agreed
            exchanges[line.peer] = exchange
            var actions: [Action] = []
            let described = answer.withSelfContainedMedia.media
            for (index, medium) in media.enumerated() {
                guard let place = slots.firstIndex(where: { $0.medium == medium }) else { continue }
                if index < described.count, !described[index].isRejected {
                    slots[place].remote = described[index]
                    if let line = exchange.lines.first(where: { $0.medium == medium }) { actions.append(.agreed(line)) }
                } else {
                    actions.append(.failed(medium))
                }
            }
            return actions + advance(now)
        case .refused, .needsProtection: return exchange.lines.map { .failed($0.medium) }
        }
        return advance(now)
    }

    /// What that device was offered last, once more: it goes another way now.
    func again(_ peer: MediaLine.Peer) -> [Action] {
        guard let exchange = exchanges[peer], case .offered(let payload, _, _) = exchange.stage,
            let first = exchange.lines.first
        else { return [] }
        return [.signal(first, payload)]
    }

    // MARK: Going on

    /// When ``timeReached(_:)`` is to be called.
    var deadline: NIODeadline? {
        var times = exchanges.values.compactMap { exchange -> NIODeadline? in
            if case .offered(_, _, let again) = exchange.stage { again } else { nil }
        }
        if case .owing(let until?) = phase { times.append(until) }
        return times.min()
    }

    /// Offers that were not answered are said again; a phone does not wait for ever.
    mutating func timeReached(_ now: NIODeadline) -> [Action] {
        var actions: [Action] = []
        for (peer, exchange) in exchanges {
            guard case .offered(let payload, let media, let again) = exchange.stage, again <= now,
                let first = exchange.lines.first
            else { continue }
            exchanges[peer]?.stage = .offered(payload, media, again: now + Self.offerEvery)
            actions.append(.signal(first, payload))
        }
        return actions + advance(now)
    }

    /// Does what is next.
    mutating func advance(_ now: NIODeadline) -> [Action] {
        switch phase {
        case .none, .fetching, .offering, .blocked, .owing(nil): return []
        case .owing(let until?): return owing(until, now)
        case .idle: return idle(now)
        }
    }

    private mutating func owing(_ until: NIODeadline, _ now: NIODeadline) -> [Action] {
        var actions: [Action] = []
        for peer in exchanges.keys.sorted(by: { $0.user < $1.user }) {
            guard let exchange = exchanges[peer], exchange.offers, exchange.stage == .open else { continue }
            var media: [(MediumID, SDP.MediaDescription)] = []
            for line in exchange.lines {
                guard let index = slot(line), let phone = slots[index].phone, !phone.isRejected else {
                    actions.append(.failed(line.medium))
                    continue
                }
                media.append((line.medium, phone))
            }
            guard let first = exchange.lines.first, !media.isEmpty else {
                exchanges[peer]?.stage = .agreed
                continue
            }
            let payload = payload(offering: media)
            exchanges[peer]?.stage = .offered(payload, media.map(\.0), again: now + Self.offerEvery)
            actions.append(.signal(first, payload))
        }
        for peer in exchanges.keys.sorted(by: { $0.user < $1.user }) { actions += join(peer) }
        let waits = exchanges.values.contains { exchange in
            switch exchange.stage {
            case .offered: true
            // At the beginning the other end's offer is on its way: that spares the phone a change.
            case .open: !exchange.offers && told.isEmpty
            case .received, .agreed: false
            }
        }
        guard now >= until || (!exchanges.isEmpty && !waits) else { return actions }
        for exchange in exchanges.values { for line in exchange.lines { _ = slot(line) } }
        let answer = describe()
        phase = .idle
        return actions + [.answer(answer)] + idle(now)
    }

    /// Both ends have offered. Where they have codecs in common under the same numbers, each one's offer is the other's
    /// answer, and no third round is needed.
    private mutating func join(_ peer: MediaLine.Peer) -> [Action] {
        guard var exchange = exchanges[peer], case .received(let offer, let media) = exchange.stage else { return [] }
        let described = offer.withSelfContainedMedia.media
        var common: [(slot: Int, remote: SDP.MediaDescription, phone: SDP.MediaDescription)] = []
        for (index, medium) in media.enumerated() {
            guard let line = exchange.lines.first(where: { $0.medium == medium }) else { continue }
            guard let place = slot(line), let phone = slots[place].phone,
                let formats = described[index].formats(inCommonWith: phone)
            else { return [] }
            var (theirs, own) = (described[index], phone)
            theirs.keepFormats(formats)
            own.keepFormats(formats)
            common.append((place, theirs, own))
        }
        guard common.count == exchange.lines.count, let first = exchange.lines.first else { return [] }
        for (place, theirs, own) in common {
            slots[place].remote = theirs
            slots[place].phone = own
        }
        let payload = MediaPayload.description(.answer, reply(to: offer, media), names: [:])
        exchange.stage = .agreed
        exchange.answer = payload
        exchanges[peer] = exchange
        return [.signal(first, payload)] + exchange.lines.map { .agreed($0) }
    }

    private mutating func idle(_ now: NIODeadline) -> [Action] {
        for peer in exchanges.keys.sorted(by: { $0.user < $1.user }) {
            guard case .received(let offer, let media)? = exchanges[peer]?.stage else { continue }
            let described = offer.withSelfContainedMedia.media
            for (index, medium) in media.enumerated() {
                guard let medium, let line = exchanges[peer]?.lines.first(where: { $0.medium == medium }) else {
                    continue
                }
                let place = slot(line) ?? append(line)
                slots[place].remote = described[index]
            }
            phase = .offering(peer)
            return [.offer(describe())]
        }
        if exchanges.values.contains(where: { $0.offers && $0.stage == .open }) {
            phase = .fetching
            return [.fetch]
        }
        guard isStale || !told.isEmpty && describe(version: false).media != told else { return [] }
        phase = .offering(nil)
        return [.offer(describe())]
    }

    private mutating func append(_ line: MediaLine) -> Int {
        slots.append(Slot(kind: line.kind.rawValue, medium: line.medium))
        return slots.count - 1
    }
}

extension MediaExchange {
    /// What the phone is told now: each slot as the device at its other end has it.
    private mutating func describe() -> SessionDescription {
        version += 1
        isStale = false
        let description = describe(version: true)
        told = description.media
        return description
    }

    private func describe(version isNew: Bool) -> SessionDescription {
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

    /// What is said now, for a phone that asks without offering.
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
        let isHeld = !line.held.subtracting(slot.wish == .sendReceive ? [] : [user]).isEmpty
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

    private func payload(offering media: [(MediumID, SDP.MediaDescription)]) -> MediaPayload {
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
    private func reply(to offer: SessionDescription, _ media: [MediumID?]) -> SessionDescription {
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
