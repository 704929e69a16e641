import ClientWire
import MessagingCore
import SIP
import SessionCore

/// What a phone with MSRP is to have of one session's texts, as the session's document says it.
struct TextShare: Hashable, Sendable {
    struct Leg: Hashable, Sendable {
        var generation: Generation
        var isLive: Bool
    }

    /// Somebody asks, and this phone is to ring for it.
    var isAsked: Bool
    /// The phone's leg that is live, or is to be.
    var leg: Leg?
    var state: SessionDocument.State
    var end: SessionEnd?
    /// How it came out on another device.
    var elsewhere: CallShare.Elsewhere?

    /// - Parameter rings: whether a request is this dialog's business, and not that of a call.
    init(_ document: SessionDocument, on device: DeviceID, rings: Bool) {
        state = document.state
        end = document.end
        isAsked = rings && document.state == .alerting && (document.request?.alerting.contains(device) ?? false)
        let leg = document.legs.last { $0.device == device && $0.state != .draining }
        self.leg = leg.map { Leg(generation: $0.generation, isLive: $0.state == .live) }
        elsewhere = CallShare.Elsewhere(document)
    }
}

/// The dialog of one session's texts with one phone, as the session and the phone see it: a value that decides who rings,
/// who answers and who hangs up.
///
/// ```
///   idle --asked--> ringing --2xx--> answering --leg live--> standing --leg gone: BYE--> idle
///     |               | \--over, answered elsewhere: CANCEL--> idle       \--phone's BYE--> leaving --> idle
///     |               |--refused--> declined
///     |               \--cannot--> inWords --leg on this phone--> plain
///     |--leg on this phone--> joining --2xx--> standing
///     |                          \--refused, or no path--> plain --leg gone--> idle
///     |--phone's INVITE--> placing --leg live: 200--> standing
///     |                       \--over--> idle
///     \--INVITE with Replaces--> taking --leg on its way here: 200--> standing
/// ```
struct TextControl: Hashable, Sendable {
    enum State: Hashable, Sendable {
        case idle
        /// The phone asks somebody; its INVITE waits.
        case placing
        /// The phone takes over another device's leg; its INVITE waits until that is on its way.
        case taking
        /// Our INVITE asks the phone's user.
        case ringing
        /// Our INVITE brings a leg that the phone is to have.
        case joining(Generation)
        /// The phone took it; the server's word is awaited.
        case answering
        case standing
        /// The phone hung up; the session's word of it is awaited.
        case leaving
        /// The phone does not want this: it is not rung for it again.
        case declined
        /// The phone cannot be asked by INVITE: it was asked by a text, and what it writes back accepts.
        case inWords
        /// The phone has a leg and takes no MSRP for it: its texts go as MESSAGE.
        case plain
    }

    enum Action: Hashable, Sendable {
        case ring
        case cancel(reason: String?)
        case answerPhone
        case refusePhone(SIPStatus)
        case bye(reason: String?)
        // What is said in the session.
        case accept
        case reject
        case ignore
        /// Asks by a text what the phone could not be asked by INVITE.
        case askInWords
        /// The leg that is being brought cannot be had.
        case fail(Generation)
        case leave
    }

    private(set) var state: State

    init(state: State = .idle) { self.state = state }

    /// The session changed.
    mutating func take(_ share: TextShare) -> [Action] {
        switch state {
        case .idle:
            if let leg = share.leg, share.state != .over {
                state = .joining(leg.generation)
                return [.ring]
            }
            guard share.isAsked else { return [] }
            state = .ringing
            return [.ring]
        case .placing:
            if share.state == .over { return end([.refusePhone(share.end.status)]) }
            guard share.leg?.isLive ?? false else { return [] }
            state = .standing
            return [.answerPhone]
        case .taking:
            if share.state == .over { return end([.refusePhone(603)]) }
            guard share.leg != nil else { return [] }
            state = .standing
            return [.answerPhone]
        case .ringing:
            if let leg = share.leg {
                state = .joining(leg.generation)
                return []
            }
            return share.isAsked ? [] : end([.cancel(reason: share.elsewhere?.reason)])
        case .joining:
            guard let leg = share.leg, share.state != .over else { return end([.cancel(reason: nil)]) }
            state = .joining(leg.generation)
            return []
        case .answering:
            if share.state == .over { return end([.bye(reason: nil)]) }
            if share.leg != nil { state = .standing }
            return []
        case .standing: return share.leg == nil || share.state == .over ? end([.bye(reason: nil)]) : []
        case .leaving:
            if share.leg == nil, !share.isAsked { state = .idle }
            return []
        case .declined:
            guard share.leg != nil || !share.isAsked else { return [] }
            state = .idle
            return take(share)
        case .inWords:
            if share.leg != nil, share.state != .over {
                state = .plain
            } else if !share.isAsked, share.state != .joining {
                state = .idle
            }
            return []
        case .plain:
            if share.leg == nil || share.state == .over { state = .idle }
            return []
        }
    }

    private mutating func end(_ actions: [Action]) -> [Action] {
        state = .idle
        return actions
    }

    /// The phone took our INVITE.
    mutating func phoneAnswered() -> [Action] {
        switch state {
        case .ringing:
            state = .answering
            return [.accept]
        case .joining:
            state = .standing
            return []
        case .idle, .placing, .taking, .answering, .standing, .leaving, .declined, .inWords, .plain: return []
        }
    }

    /// The phone did not take it. What says that it cannot is no word on what it was asked; 6xx speaks for its user, and
    /// anything else for this phone alone.
    mutating func phoneRefused(_ status: SIPStatus) -> [Action] {
        switch state {
        case .ringing where status.isOfAbility:
            state = .inWords
            return [.askInWords]
        case .ringing:
            state = .declined
            return [status.family == 6 ? .reject : .ignore]
        case .joining(let generation):
            state = .plain
            // Who cannot have it this way has it as messages; who does not want it has it not.
            return status.isOfAbility ? [] : [.fail(generation)]
        case .idle, .placing, .taking, .answering, .standing, .leaving, .declined, .inWords, .plain: return []
        }
    }

    /// The phone hung up, or took its own request back.
    mutating func phoneLeft() -> [Action] {
        switch state {
        case .placing, .taking, .answering, .standing:
            state = .leaving
            return [.leave]
        case .idle, .ringing, .joining, .leaving, .declined, .inWords, .plain: return []
        }
    }

    /// The server did not take the phone's answer: somebody else was faster.
    mutating func serverRefused() -> [Action] {
        guard state == .answering else { return [] }
        return end([.bye(reason: CallShare.Elsewhere.answered.reason)])
    }

    /// The phone is there anew: what it could not have it may have now.
    mutating func phoneReturned() { if state == .plain { state = .idle } }

    /// No path came in time, or the dialog is dead: the conversation goes on, by MESSAGE.
    mutating func pathFailed() -> [Action] {
        switch state {
        case .answering, .standing:
            state = .plain
            return [.bye(reason: nil)]
        case .idle, .placing, .taking, .ringing, .joining, .leaving, .declined, .inWords, .plain: return []
        }
    }
}

extension SIPStatus {
    /// Whether a refusal says that the phone cannot, and not that it, or its user, does not want to.
    fileprivate var isOfAbility: Bool { [405, 406, 415, 420, 488, 501, 606].contains(rawValue) }
}
