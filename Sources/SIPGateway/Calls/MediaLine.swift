import ClientWire
import MessagingCore
import SessionCore

/// One medium of a session that this phone shares with another user's device: both ends by their generations, as
/// signalling names them.
struct MediaLine: Hashable, Sendable {
    /// The device at the other end.
    struct Peer: Hashable, Sendable {
        var user: Address
        var device: DeviceID
    }

    var medium: MediumID
    var kind: MediumKind
    var own: Generation
    var peer: Peer
    var theirs: Generation
    /// Whether this end makes the offers: that of the lower address does.
    var offers: Bool
    /// Who has it on hold.
    var held: Set<Address>
    /// Who alone sends; nil when both do.
    var sender: Address?
    /// The change that brings it onto this phone, until its path runs.
    var move: MessageID?
    /// Whether the other end is being moved there, until its path runs.
    var isTheirMove = false

    /// What signals of both ends are addressed by.
    func isAddressed(by signal: MediaSignal) -> Bool {
        signal.medium == medium && signal.from == peer.user && signal.generation == theirs
            && signal.toGeneration == own
    }
}

/// What a phone is to have of one session, as the session's document says it.
struct CallShare: Hashable, Sendable {
    /// Why the phone is to ring.
    enum Ring: Hashable, Sendable {
        /// Somebody asks for a conversation, with these media.
        case request([MediumKind])
        /// Somebody proposes a medium.
        case change(MessageID, MediumKind)
        /// These media are being moved onto the phone, by these changes.
        case move([MessageID], [MediumKind])
        /// These media have been placed on the phone by another device of its user.
        case placed([MediumKind])

        var kinds: [MediumKind] {
            switch self {
            case .request(let kinds), .move(_, let kinds), .placed(let kinds): kinds
            case .change(_, let kind): [kind]
            }
        }
    }

    var ring: Ring?
    var lines: [MediaLine]
    /// Media that a phone cannot have: several others are in them.
    var crowded: [MediumID]
    /// Proposals that wait for this user: what the phone itself is calling for may be proposed from the other side.
    var awaited: [MessageID: MediumKind]
    var state: SessionDocument.State
    var end: SessionEnd?
    /// Why a phone rings no more, for the Reason of its CANCEL.
    var elsewhere: Elsewhere?

    /// How it came out on another device.
    enum Elsewhere: Hashable, Sendable {
        case answered
        case declined

        init?(_ document: SessionDocument) {
            switch document.request?.outcome {
            case .accepted: self = .answered
            case .rejected: self = .declined
            case .waiting, .cancelled, .missed, nil: return nil
            }
        }

        /// The value of Reason (RFC 3326).
        var reason: String {
            switch self {
            case .answered: "SIP;cause=200;text=\"Call completed elsewhere\""
            case .declined: "SIP;cause=600;text=\"Declined elsewhere\""
            }
        }
    }

    /// - Parameters:
    ///   - can: what the phone can do beside text.
    ///   - rings: whether the rules let the phone ring for a proposal.
    init(
        _ document: SessionDocument,
        on device: DeviceID,
        can: Set<MediumKind>,
        rings: (MessageID) -> Bool = { _ in true }
    ) {
        state = document.state
        end = document.end
        let media = document.media.filter { $0.kind == .audio || $0.kind == .video }
        lines = []
        crowded = []
        for medium in media {
            let others = Set(medium.placements.map(\.user)).subtracting([document.user])
            guard let line = MediaLine(medium, in: document, on: device) else { continue }
            if others.count > 1 { crowded.append(medium.id) } else { lines.append(line) }
        }
        let adds = document.pending.filter { $0.change == .add && ($0.kind == .audio || $0.kind == .video) }
        awaited = [:]
        for change in adds where change.awaited.contains(document.user) { awaited[change.id] = change.kind }
        ring = Self.ring(document, on: device, can: can, lines: lines, rings: rings)
        elsewhere = Elsewhere(document)
    }

    private static func ring(
        _ document: SessionDocument,
        on device: DeviceID,
        can: Set<MediumKind>,
        lines: [MediaLine],
        rings: (MessageID) -> Bool
    ) -> Ring? {
        switch document.state {
        case .calling, .joining, .over: return nil
        case .alerting:
            guard document.request?.alerting.contains(device) ?? false else { return nil }
            let kinds = document.wanted.filter(can.contains)
            return kinds.isEmpty ? nil : .request(kinds)
        case .open: break
        }
        if !lines.isEmpty {
            let moves = lines.compactMap(\.move)
            let kinds = lines.map(\.kind)
            return moves.count == lines.count ? .move(moves, kinds) : .placed(kinds)
        }
        let proposal = document.pending.first { change in
            change.change == .add && change.by != document.user && change.awaited.contains(document.user)
                && change.kind.map(can.contains) ?? false && rings(change.id)
        }
        return proposal.flatMap { change in change.kind.map { .change(change.id, $0) } }
    }
}

extension MediaLine {
    /// A medium between the phone and the one other user who has it: of two places that somebody has it in while it
    /// moves, the one that it moves to.
    init?(_ medium: SessionDocument.Medium, in document: SessionDocument, on device: DeviceID) {
        let moves = document.pending.filter { $0.change == .move && $0.medium == medium.id && $0.until != nil }
        func end(_ user: Address, on device: DeviceID?) -> (device: DeviceID, generation: Generation, move: MessageID?)?
        {
            guard let placed = medium.placements.first(where: { $0.user == user }) else { return nil }
            if let move = moves.first(where: { $0.by == user }), let target = move.device,
                device == nil || device == target
            {
                return (target, placed.generation.next, move.id)
            }
            return device == nil || device == placed.device ? (placed.device, placed.generation, nil) : nil
        }
        guard let own = end(document.user, on: device),
            let other = medium.placements.map(\.user).first(where: { $0 != document.user }),
            let theirs = end(other, on: nil)
        else { return nil }
        self.init(
            medium: medium.id,
            kind: medium.kind,
            own: own.generation,
            peer: Peer(user: other, device: theirs.device),
            theirs: theirs.generation,
            offers: document.user < other,
            held: Set(medium.held),
            sender: medium.sender,
            move: own.move,
            isTheirMove: theirs.move != nil
        )
    }
}
