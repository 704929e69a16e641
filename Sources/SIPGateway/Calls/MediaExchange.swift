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

        /// What the phone's description says of that; nil while there is none.
        fileprivate var statedWish: MediaDirection? {
            guard let phone else { return nil }
            return phone.connection?.isUnspecified ?? false ? .inactive : phone.statedDirection ?? .sendReceive
        }

        /// Whether the phone has named another place for it; none at all is a hold.
        fileprivate func isElsewhere(than before: Slot) -> Bool {
            guard let old = before.phone, let phone, !(phone.connection?.isUnspecified ?? false) else { return false }
            return old.port != phone.port || old.connection != phone.connection
        }
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

    var phase: Phase = .none
    var slots: [Slot] = []
    var exchanges: [MediaLine.Peer: Exchange] = [:]
    let user: Address
    /// Our address, for what is inactive.
    let address: String
    let number: UInt64
    var version: UInt64 = 0
    /// What the phone was told last of all slots.
    var told: [SDP.MediaDescription] = []
    var isStale = false

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
    mutating func slot(_ line: MediaLine) -> Int? {
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
        for index in slots.indices { slots[index].wish = slots[index].statedWish ?? slots[index].wish }
        let answer = describe()
        wishOn()
        phase = .idle
        let actions = reopen(since: before)
        return (answer, actions + advance(now))
    }

    /// The phone's answer, in its ACK, to the offer that it had asked for.
    mutating func phoneAgreed(_ answer: SessionDescription, now: NIODeadline) -> [Action] {
        let before = slots
        note(answer)
        for (index, told) in zip(slots.indices, told) {
            // What it was not offered it cannot take, whatever it wishes.
            guard (told.statedDirection ?? .sendReceive).sends, !told.isRejected else { continue }
            slots[index].wish = slots[index].statedWish ?? slots[index].wish
        }
        wishOn()
        // What it wishes it was not told, and need not be.
        told = describe(version: false).media
        return reopen(since: before) + advance(now)
    }

    /// That a phone sends nothing holds for one answer: it has nothing to send, or mirrors a hold of the other end's, and
    /// says so anew each time.
    private mutating func wishOn() {
        let silent = slots.indices.filter { slots[$0].wish == .receiveOnly }
        guard !silent.isEmpty else { return }
        for index in silent { slots[index].wish = .sendReceive }
        told = describe(version: false).media
    }

    /// Media that the phone wants somewhere else than before: the devices at the other ends have to learn.
    /// - Parameter asked: the one that learns by the answer to its own offer.
    private mutating func reopen(since before: [Slot], but asked: MediaLine.Peer? = nil) -> [Action] {
        let moved = zip(before, slots).compactMap { $1.isElsewhere(than: $0) ? $1.medium : nil }
        var actions: [Action] = []
        for peer in exchanges.keys.sorted(by: { $0.user < $1.user }) where peer != asked {
            guard let exchange = exchanges[peer], let first = exchange.lines.first,
                exchange.lines.contains(where: { moved.contains($0.medium) })
            else { continue }
            if exchange.offers {
                exchanges[peer]?.stage = .open
                continue
            }
            // The same offer again is not to be answered as before.
            exchanges[peer]?.last = nil
            exchanges[peer]?.answer = nil
            if exchange.stage == .agreed { actions.append(.signal(first, .ask)) }
        }
        return actions
    }

    /// Media of the phone's that it put on hold itself: what it does not want to hear.
    var heldByPhone: Set<MediumID> { Set(slots.filter { !$0.wish.receives }.compactMap(\.medium)) }

    mutating func note(_ offer: SessionDescription) {
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
        let before = slots
        note(answer)
        var actions = reopen(since: before, but: peer)
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
}
