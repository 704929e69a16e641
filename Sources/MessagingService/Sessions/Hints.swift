import ClientWire
import MessagingCore
import SessionCore
import Store

/// What goes from leg to leg without being stored: that somebody types, and the signalling of media.
extension MessagingService {
    /// Tells the live legs of everybody else that this user types.
    func typing(_ who: DeviceIdentity, _ hint: TypingHint) {
        store.read({ [hub] view in
            guard let part = try? Self.part(view, who.account, hint.session),
                part.machine.control(of: who.device) != nil
            else { return }
            var frame = ServerFrame()
            frame.typing = TypingHint(session: hint.session, from: part.machine.user)
            guard let bytes = try? Documents.encode(frame) else { return }
            for address in part.machine.participants where address != part.machine.user {
                guard let account = try? view.account(holding: address),
                    let other = try? Self.part(view, account, hint.session)
                else { continue }
                hub.send(bytes, to: other.machine.legs.live.map(\.device), of: account)
            }
        }) { _ in }
    }

    /// Carries an offer, an answer or a candidate to the leg that it is for, and to no other.
    ///
    /// Both ends are named by their generation: what an earlier device still says, or what is still said to it, is
    /// dropped.
    func signal(_ who: DeviceIdentity, _ signal: MediaSignal) {
        store.read({ [hub] view in
            guard let part = try? Self.part(view, who.account, signal.session),
                part.machine.holder(of: signal.medium, part.machine.user, signal.generation) == who.device,
                let device = part.machine.holder(of: signal.medium, signal.to, signal.toGeneration),
                let account = try? view.account(holding: signal.to)
            else { return }
            var frame = ServerFrame()
            frame.signal = signal
            frame.signal?.from = part.machine.user
            guard let bytes = try? Documents.encode(frame) else { return }
            hub.send(bytes, to: [device], of: account)
        }) { _ in }
    }
}

extension Participation {
    /// The device that speaks for a user's placement of a medium under a generation: the one that has it, or the one
    /// that it is being moved to.
    func holder(of medium: MediumID, _ user: Address, _ generation: Generation) -> DeviceID? {
        guard let placement = media.first(where: { $0.id == medium })?.placements[user] else { return nil }
        if generation == placement.generation { return placement.device }
        guard generation == placement.generation.next else { return nil }
        for change in changes where change.by == user && change.medium == medium {
            if case .move(_, let device) = change.proposal.change { return device }
        }
        return nil
    }
}
