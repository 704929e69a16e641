import ClientWire
import MessagingCore
import SIP
import SessionCore

/// One session's call on one phone, as the session and the phone see it: a value that decides who rings, who answers and
/// who hangs up.
///
/// ```
///   idle --to ring--> ringing --2xx--> answering --media placed--> standing --media gone--> idle
///     |                 |  \--over, answered elsewhere: CANCEL--> idle         \--BYE--> leaving --> idle
///     |                 \--4xx, 6xx--> declined
///     |--phone's INVITE--> placing --media placed: 200--> standing
///     |                       \--over--> idle
///     \--INVITE with Replaces--> taking --media on their way here: 200--> standing
///                                   \--over--> idle
/// ```
struct CallControl: Hashable, Sendable {
    enum State: Hashable, Sendable {
        case idle
        /// The phone calls, offering these media; its INVITE waits.
        case placing([MediumKind])
        /// The phone takes over what another device has; its INVITE waits until the media are on their way.
        case taking
        case ringing(CallShare.Ring)
        /// The phone took it; the server's word, and the media, are awaited.
        case answering
        case standing
        /// The phone hung up; the session's word of it is awaited.
        case leaving
        /// The phone does not want this: it is not rung for it again.
        case declined(CallShare.Ring)
    }

    enum Action: Hashable, Sendable {
        case ring([MediumKind])
        /// Rings no more.
        case cancel(reason: String?)
        /// The phone's own call: 200, as soon as there is an answer to its offer.
        case answerPhone
        case refusePhone(SIPStatus, reason: String?)
        case bye(reason: String?)
        // What is said in the session.
        case accept([MediumKind])
        case reject
        case ignore
        case consent(MessageID, Bool)
        case path([MessageID], Bool)
        case fail([MediumID])
        /// The media that were called for have to come within a time.
        case awaitMedia
        /// Several others are in these media: what a phone can do nothing with, unless it is over soon.
        case crowded([MediumID])
        /// The phone is out of it: it leaves, or with other devices in the session only its part ends.
        case leave
    }

    private(set) var state: State
    private var consented: Set<MessageID> = []

    init(state: State = .idle) { self.state = state }

    /// The session changed.
    mutating func take(_ share: CallShare) -> [Action] {
        let crowd: [Action] = share.crowded.isEmpty ? [] : [.crowded(share.crowded)]
        switch state {
        case .idle:
            guard let ring = share.ring else { return crowd }
            state = .ringing(ring)
            return crowd + [.ring(ring.kinds)]
        case .placing(let kinds): return crowd + placing(share, kinds)
        case .taking: return crowd + taking(share)
        case .ringing(let before):
            guard let ring = share.ring else {
                state = .idle
                return crowd + [.cancel(reason: Self.reason(before, share))]
            }
            state = .ringing(ring)
            return crowd
        case .answering:
            if share.state == .over { return crowd + hangUp() }
            if !share.lines.isEmpty { state = .standing }
            return crowd
        case .standing:
            guard share.state == .over || share.lines.isEmpty && share.crowded.isEmpty else { return crowd }
            return crowd + hangUp()
        case .leaving:
            if share.state == .over || share.lines.isEmpty { state = .idle }
            return crowd
        case .declined(let ring):
            guard share.ring != ring else { return crowd }
            state = .idle
            return take(share)
        }
    }

    private mutating func placing(_ share: CallShare, _ kinds: [MediumKind]) -> [Action] {
        if share.state == .over {
            state = .idle
            return [.refusePhone(share.end.status, reason: nil)]
        }
        if !share.lines.isEmpty {
            state = .standing
            return [.answerPhone]
        }
        guard share.state == .open else { return [] }
        // Both called at once: the other's call is the one, and what it proposes is what the phone wants too.
        let wanted = share.awaited.filter { kinds.contains($0.value) && !consented.contains($0.key) }.map(\.key)
            .sorted { $0.description < $1.description }
        consented.formUnion(wanted)
        if !wanted.isEmpty { return wanted.map { .consent($0, true) } }
        // Another provider's word on them comes after its word that somebody took the call.
        return [.awaitMedia]
    }

    private mutating func taking(_ share: CallShare) -> [Action] {
        if share.state == .over {
            state = .idle
            return [.refusePhone(share.end.status, reason: nil)]
        }
        guard !share.lines.isEmpty else { return [] }
        state = .standing
        return [.answerPhone]
    }

    private mutating func hangUp() -> [Action] {
        state = .idle
        return [.bye(reason: nil)]
    }

    private static func reason(_ ring: CallShare.Ring, _ share: CallShare) -> String? {
        switch ring {
        case .request: share.elsewhere?.reason
        // The medium is there, on another device; or it is not, and nobody here said so.
        case .change: share.state == .open && share.awaited.isEmpty ? CallShare.Elsewhere.answered.reason : nil
        case .move, .placed: nil
        }
    }

    /// The phone took the call; its offer has these media.
    mutating func phoneAnswered(_ offered: [MediumKind]) -> [Action] {
        guard case .ringing(let ring) = state else { return [] }
        switch ring {
        case .request(let kinds):
            state = .answering
            return [.accept(kinds.filter(offered.contains))]
        case .change(let id, _):
            state = .answering
            return [.consent(id, true)]
        case .move, .placed:
            state = .standing
            return []
        }
    }

    /// The phone did not take it. 6xx speaks for its user; anything else for this phone alone.
    mutating func phoneRefused(_ status: SIPStatus, media: [MediumID]) -> [Action] {
        guard case .ringing(let ring) = state else { return [] }
        state = .declined(ring)
        let isForAll = status.family == 6
        switch ring {
        case .request: return [isForAll ? .reject : .ignore]
        case .change(let id, _): return isForAll ? [.consent(id, false)] : []
        case .move(let ids, _): return [.path(ids, false)]
        case .placed: return [.fail(media)]
        }
    }

    /// The phone hung up, or took its own call back.
    mutating func phoneLeft() -> [Action] {
        switch state {
        case .placing, .taking, .answering, .standing:
            state = .leaving
            return [.leave]
        case .idle, .ringing, .leaving, .declined: return []
        }
    }

    /// The server did not take the phone's answer: somebody else was faster.
    mutating func serverRefused() -> [Action] {
        switch state {
        case .answering:
            state = .idle
            return [.bye(reason: CallShare.Elsewhere.answered.reason)]
        case .idle, .placing, .taking, .ringing, .standing, .leaving, .declined: return []
        }
    }

    /// No medium came in time, of the phone's answer or of what it takes over.
    mutating func timeReached() -> [Action] {
        switch state {
        case .answering, .taking:
            state = .leaving
            return [.bye(reason: nil), .leave]
        case .placing:
            state = .idle
            return [.refusePhone(488, reason: "Answered in writing")]
        case .idle, .ringing, .standing, .leaving, .declined: return []
        }
    }
}

extension SessionEnd? {
    /// What a phone is told whose call came to nothing (RFC 3261, section 21).
    var status: SIPStatus {
        switch self {
        case .rejected: 603
        case .cancelled: 487
        case .missed, .left, .removed, .unreachable, nil: 480
        }
    }
}
