public import ClientWire
public import MessagingCore
import SessionCore
import Store

/// What goes from leg to leg without being stored: that somebody types, and the signalling of media.
extension MessagingService {
    /// Tells the live legs of everybody else that this user types.
    func typing(_ who: DeviceIdentity, _ hint: TypingHint) {
        store.read({ [self] view in
            guard let part = try? Self.part(view, who.account, hint.session),
                part.machine.control(of: who.device) != nil
            else { return }
            let user = part.machine.user
            for address in part.machine.participants where address != user {
                if let account = try? view.account(holding: address) {
                    typing(view, hint.session, from: user, to: account)
                } else if let domain = address.domain {
                    router.hint(.typing(hint.session, from: user, to: address), to: domain)
                }
            }
        }) { _ in }
    }

    /// Tells the live legs of one user that another provider's user types.
    func typing(_ session: SessionID, from: Address, to: Address) {
        store.read({ [self] view in
            guard let account = try? view.account(holding: to) else { return }
            typing(view, session, from: from, to: account)
        }) { _ in }
    }

    private func typing(_ view: any ReadView, _ session: SessionID, from: Address, to account: AccountID) {
        guard let part = try? Self.part(view, account, session), part.machine.participants.contains(from) else {
            return
        }
        var frame = ServerFrame()
        frame.typing = TypingHint(session: session, from: from)
        guard let bytes = try? Documents.encode(frame) else { return }
        hub.send(bytes, to: part.machine.legs.live.map(\.device), of: account)
    }

    /// Carries an offer, an answer or a candidate to the leg that it is for, and to no other.
    ///
    /// Both ends are named by their generation: what an earlier device still says, or what is still said to it, is
    /// dropped.
    func signal(_ who: DeviceIdentity, _ signal: MediaSignal) {
        store.read({ [self] view in
            guard let part = try? Self.part(view, who.account, signal.session),
                part.machine.holder(of: signal.medium, part.machine.user, signal.generation) == who.device
            else { return }
            var signal = signal
            signal.from = part.machine.user
            if (try? view.account(holding: signal.to)) ?? nil != nil {
                pass(view, signal, from: part.machine.user)
            } else if let domain = signal.to.domain {
                router.hint(.signal(signal), to: domain)
            }
        }) { _ in }
    }

    /// As above, from another provider's user.
    func signal(_ signal: MediaSignal, from: Address) {
        store.read({ [self] view in pass(view, signal, from: from) }) { _ in }
    }

    /// As above; what is said afterwards comes after it.
    public func deliver(_ signal: MediaSignal, from: Address) async {
        // It may be lost, as every signal may.
        try? await read { [self] view in pass(view, signal, from: from) }
    }

    private func pass(_ view: any ReadView, _ signal: MediaSignal, from: Address) {
        guard let account = try? view.account(holding: signal.to),
            let part = try? Self.part(view, account, signal.session),
            // Whoever speaks has the medium: which device it is, its own server has seen to.
            part.machine.holder(of: signal.medium, from, signal.generation) != nil,
            let device = part.machine.holder(of: signal.medium, signal.to, signal.toGeneration)
        else { return }
        var frame = ServerFrame()
        frame.signal = signal
        guard let bytes = try? Documents.encode(frame) else { return }
        hub.send(bytes, to: [device], of: account)
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
