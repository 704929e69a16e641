import ClientWire
import MediaRelaying
import MediaSignalling
import MessagingCore
import NIOCore
import SDP
import SIP
import SIPTransport

/// Between a phone that speaks plain RTP and a browser: by the relay, or not at all, and then both know why.
extension PhoneCall {
    /// Something for another device, by the relay where that device needs it.
    func send(_ payload: MediaPayload, _ line: MediaLine) {
        guard bridges[line.peer] != nil else { return say(line, payload) }
        bridged(line.peer) { $0.take(payload, from: .phone) }
    }

    /// Something from another device.
    func hear(_ payload: MediaPayload, _ line: MediaLine) {
        switch payload {
        case .needsProtection:
            guard bridges[line.peer] == nil else { return }
            guard openBridge(line) else { return }
            perform(exchange.again(line.peer))
        case .ask where bridges[line.peer] != nil:
            // Its page was loaded anew, with other keys: the relay has to begin anew as well.
            closeBridge(line.peer)
            guard openBridge(line) else { return }
            perform(exchange.take(payload, from: line, now: .now()))
        case .description(_, let description, _) where bridges[line.peer] == nil,
            .press(let description, _) where bridges[line.peer] == nil:
            if description.isProtected, !isProtected {
                guard openBridge(line) else { return }
                bridged(line.peer) { $0.take(payload, from: .browser) }
            } else {
                perform(exchange.take(payload, from: line, now: .now()))
            }
        case .description, .press: bridged(line.peer) { $0.take(payload, from: .browser) }
        case .ask, .summon, .refused: perform(exchange.take(payload, from: line, now: .now()))
        }
    }

    /// Whether the phone itself does what browsers do.
    private var isProtected: Bool {
        if let described = exchange.slots.first(where: { $0.phone != nil })?.phone {
            return described.proto.hasPrefix("UDP/TLS/")
        }
        let transport = phone.target(now: .now())?.flow.transport
        return transport == .ws || transport == .wss
    }

    /// - Returns: whether there is a relay; without one, this device and the other are told.
    private func openBridge(_ line: MediaLine) -> Bool {
        guard context.relay != nil else {
            refuse(line, MediaPayload.noRelay)
            return false
        }
        bridges[line.peer] = MediaBridge(call: RandomText.token(24))
        return true
    }

    private func refuse(_ line: MediaLine, _ reason: String) {
        say(line, .refused(reason))
        perform(exchange.take(.refused(reason), from: line, now: .now()))
    }

    /// Ends the ways to devices that have no more part in the call.
    func closeBridges(all: Bool = false) {
        for peer in bridges.keys where all || exchange.exchanges[peer] == nil { closeBridge(peer) }
    }

    private func closeBridge(_ peer: MediaLine.Peer) {
        guard let bridge = bridges.removeValue(forKey: peer) else { return }
        context.relay?.ask(RelayCommand(call: bridge.call, work: .delete)) { _ in }
    }

    private func bridged(_ peer: MediaLine.Peer, _ body: (inout MediaBridge) -> [MediaBridge.Action]) {
        guard var bridge = bridges[peer] else { return }
        let actions = body(&bridge)
        bridges[peer] = bridge
        for action in actions {
            guard let line = exchange.exchanges[peer]?.lines.first else { return }
            switch action {
            case .pass(let payload, to: .browser): say(line, payload)
            case .pass(let payload, to: .phone): perform(exchange.take(payload, from: line, now: .now()))
            case .ask(let command): context.relay?.ask(command) { [weak self] in self?.relayed($0, peer, command.call) }
            }
        }
        arm()
    }

    private func relayed(
        _ result: Result<SessionDescription?, MediaRelay.Failure>,
        _ peer: MediaLine.Peer,
        _ call: String
    ) {
        guard bridges[peer]?.call == call, let line = exchange.exchanges[peer]?.lines.first else { return }
        guard case .success(let description?) = result else {
            closeBridge(peer)
            refuse(line, MediaPayload.relayFailed)
            return arm()
        }
        bridged(peer) { $0.relayed(description) }
    }
}
