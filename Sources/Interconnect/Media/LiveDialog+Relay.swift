import ClientWire
import MediaRelaying
import MediaSignalling
import MessagingCore
import MessagingService
import SDP
import SIPTransport
import SessionCore
import Synchronization

/// Between a browser here and what speaks plain RTP at the other provider: by the relay, or not at all, and then the
/// device is told why.
extension LiveDialog {
    /// Names a way through the relay: a medium, and the device of ours that it is on.
    struct Crossing: Hashable, Sendable {
        let medium: MediumID
        let end: MediaLine.End
    }

    /// One of our devices says something of a medium.
    func hear(_ payload: MediaPayload, _ crossing: Crossing) {
        let (isOpen, takesOffers) = state.withLock { state in
            (state.bridges[crossing] != nil, state.machine.media.takesOffers(of: crossing))
        }
        switch payload {
        // It crosses what the device is offered itself: the relay is not to hear of it.
        case .description(.offer, _, _) where !takesOffers: return
        case .needsProtection where running.relay != nil:
            // What it was offered is said again, and goes by the relay now.
            if !isOpen { begin(crossing, with: .ask) }
        case .ask where isOpen:
            // Its page was loaded anew, with other keys: the relay has to begin anew as well.
            close(crossing)
            begin(crossing, with: .ask)
        case .description(.offer, let description, _) where !isOpen && description.isProtected && isPlainThere:
            guard running.relay != nil else { return tell(.refused(MediaPayload.noRelay), crossing) }
            begin(crossing)
            bridged(crossing) { $0.take(payload, from: .browser) }
        case .description where isOpen: bridged(crossing) { $0.take(payload, from: .browser) }
        case .description, .ask, .summon, .press, .refused, .needsProtection: tell(payload, crossing)
        }
    }

    /// Something for one of our devices, by the relay where there is a way through it.
    func say(_ payload: MediaPayload, _ crossing: Crossing, from generation: Generation) async {
        guard state.withLock({ $0.bridges[crossing] != nil }) else {
            return await deliver(payload, crossing, generation)
        }
        await follow(word(crossing) { $0.take(payload, from: .phone) }, crossing)
    }

    private var isPlainThere: Bool { state.withLock { $0.machine.media.isPlainThere } }

    private func tell(_ payload: MediaPayload, _ crossing: Crossing) {
        handle(.media(.signal(crossing.medium, crossing.end, payload)))
    }

    private func begin(_ crossing: Crossing, with payload: MediaPayload? = nil) {
        state.withLock { $0.bridges[crossing] = MediaBridge(call: RandomText.token(24)) }
        if let payload { tell(payload, crossing) }
    }

    private func bridged(_ crossing: Crossing, _ body: (inout MediaBridge) -> [MediaBridge.Action]) {
        let actions = word(crossing, body)
        Task { await follow(actions, crossing) }
    }

    private func word(_ crossing: Crossing, _ body: (inout MediaBridge) -> [MediaBridge.Action]) -> [MediaBridge.Action]
    {
        state.withLock { state in
            guard var bridge = state.bridges[crossing] else { return [] }
            defer { state.bridges[crossing] = bridge }
            return body(&bridge)
        }
    }

    private func follow(_ actions: [MediaBridge.Action], _ crossing: Crossing) async {
        for action in actions {
            switch action {
            case .pass(let payload, to: .phone): tell(payload, crossing)
            case .pass(let payload, to: .browser):
                // The generation may have become another one while the relay was asked.
                let generation = state.withLock { state in
                    state.machine.media.board.media.first { $0.id == crossing.medium }?.placements[key.other]?
                        .generation
                }
                if let generation { await deliver(payload, crossing, generation) }
            case .ask(let command): Task { await ask(command, crossing) }
            }
        }
    }

    private func ask(_ command: RelayCommand, _ crossing: Crossing) async {
        guard let relay = running.relay else { return }
        let result = await relay.ask(command)
        guard state.withLock({ $0.bridges[crossing]?.call == command.call }) else { return }
        guard case .success(let description?) = result else {
            close(crossing)
            return tell(.refused(MediaPayload.relayFailed), crossing)
        }
        await follow(word(crossing) { $0.relayed(description) }, crossing)
    }

    private func deliver(_ payload: MediaPayload, _ crossing: Crossing, _ generation: Generation) async {
        var signal = MediaSignal(
            session: key.session,
            medium: crossing.medium,
            generation: generation,
            to: crossing.end.user ?? key.own,
            toGeneration: crossing.end.generation,
            payload: payload.value
        )
        signal.from = key.other
        // Before what is said next: with its medium gone it would reach nobody.
        await service.deliver(signal, from: key.other)
    }

    // MARK: Ending

    /// Ends the ways of devices that have no more part in the call.
    func closeCrossings(all: Bool = false) {
        let gone = state.withLock { state -> [Crossing] in
            guard !state.bridges.isEmpty else { return [] }
            let used = all ? [] : state.machine.media.ends
            return state.bridges.keys.filter { !used.contains($0) }
        }
        for crossing in gone { close(crossing) }
    }

    private func close(_ crossing: Crossing) {
        guard let bridge = state.withLock({ $0.bridges.removeValue(forKey: crossing) }), let relay = running.relay
        else {
            return
        }
        Task { _ = await relay.ask(RelayCommand(call: bridge.call, work: .delete)) }
    }
}

extension PeerMedia {
    /// Whether the other side has shown that it speaks plain RTP: by what it has described, or by what it refused.
    var isPlainThere: Bool {
        if isProtectionRefused { return true }
        let described = lines.compactMap { line in
            if case .pressing(_, let theirs, _, _) = line.stage { theirs } else { line.agreed?.theirs }
        }
        return described.last.map { !$0.isProtected } ?? false
    }

    /// Whether an offer of that device would be taken now.
    func takesOffers(of crossing: LiveDialog.Crossing) -> Bool {
        lines.contains { $0.medium == crossing.medium && $0.end == crossing.end && $0.takesOffers }
    }

    /// The devices that lines are on, or are being agreed upon with.
    var ends: Set<LiveDialog.Crossing> {
        var all: Set<LiveDialog.Crossing> = []
        for line in lines {
            guard let medium = line.medium else { continue }
            for end in [line.end, line.agreed?.end].compactMap(\.self) { all.insert(.init(medium: medium, end: end)) }
        }
        return all
    }
}
