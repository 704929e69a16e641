import ClientWire
import MessagingCore
import SIP
import SessionCore

/// What a phone's REFER is for, and what has become of it: a value that decides.
struct Referral: Hashable, Sendable {
    enum Goal: Hashable, Sendable {
        /// What the phone has of a conversation goes to another device of its account: media by these changes, or where
        /// there are none the leg.
        case device(DeviceID, moves: [MessageID: MediumID])
        /// Another user is asked into the conversation, in the place of the phone's.
        case user(Address)
        /// A user of another provider, whose part in the media may begin later than in the conversation.
        case guest(Address)
    }

    enum Outcome: Hashable, Sendable {
        case done
        case failed(SIPStatus)

        /// What the last NOTIFY says.
        var status: SIPStatus {
            switch self {
            case .done: 200
            case .failed(let status): status
            }
        }
    }

    let goal: Goal
    /// Changes that were seen: which of them is gone without its medium having moved has failed.
    private var seen: Set<MessageID> = []
    private var hasLegBegun = false

    init(_ goal: Goal) { self.goal = goal }

    /// The conversation changed.
    /// - Returns: nil while it is open how it comes out.
    mutating func take(_ document: SessionDocument) -> Outcome? {
        guard document.state == .open else { return .failed(document.state == .over ? 487 : 480) }
        switch goal {
        case .user(let address): return document.participants.contains(address) ? .done : nil
        case .guest(let address):
            let own = document.media.filter { medium in medium.placements.contains { $0.user == document.user } }
            let isThere = own.isEmpty || own.contains { $0.placements.contains { $0.user == address } }
            return document.participants.contains(address) && isThere ? .done : nil
        case .device(let device, let moves) where moves.isEmpty: return leg(document, device)
        case .device(let device, let moves):
            let pending = Set(document.pending.map(\.id)).intersection(moves.keys)
            seen.formUnion(pending)
            let moved = document.media.filter { medium in
                moves.values.contains(medium.id)
                    && medium.placements.contains { $0.user == document.user && $0.device == device }
            }
            guard pending.isEmpty else { return nil }
            if !moved.isEmpty { return .done }
            return seen.isEmpty ? nil : .failed(480)
        }
    }

    private mutating func leg(_ document: SessionDocument, _ device: DeviceID) -> Outcome? {
        guard let leg = document.legs.last(where: { $0.device == device }) else {
            return hasLegBegun ? .failed(480) : nil
        }
        hasLegBegun = true
        return leg.state == .live ? .done : nil
    }

    /// Another user's answer, of which the conversation itself says nothing.
    func take(_ invitation: SessionEnd) -> Outcome {
        switch invitation {
        case .rejected: .failed(603)
        case .missed, .left, .removed, .unreachable, .cancelled: .failed(480)
        }
    }

    /// It took too long.
    var timedOut: Outcome { user == nil ? .failed(480) : .failed(408) }

    /// Another user who is asked.
    var user: Address? {
        switch goal {
        case .device: nil
        case .user(let address), .guest(let address): address
        }
    }
}
