public import NIOCore
import SIP

/// The keep-alives of one flow of datagrams.
final class DatagramKeepAlive {
    var machine: STUNKeepAlive
    var timer: Scheduled<Void>?

    init(_ machine: STUNKeepAlive) { self.machine = machine }
}

extension SIPStack {
    /// Where the peer of a flow of datagrams sees us, once it has answered a keep-alive.
    public func mappedAddress(_ flow: Flow) -> SocketAddress? { self.keepAlives[flow]?.machine.mapped }

    func startAsking(_ flow: Flow, every interval: TimeAmount) {
        self.stopAsking(flow)
        let timeout = self.configuration.stunTimeout
        let keepAlive = DatagramKeepAlive(STUNKeepAlive(interval: interval, timeout: timeout, now: .now()))
        self.keepAlives[flow] = keepAlive
        self.look(at: keepAlive, flow)
    }

    func stopAsking(_ flow: Flow) { self.keepAlives.removeValue(forKey: flow)?.timer?.cancel() }

    /// A datagram arrived that is no text: a question is answered (RFC 5626 section 8), an answer ends ours.
    func received(stun datagram: ByteBuffer, on flow: Flow) {
        guard let message = STUNMessage(parsing: datagram) else { return }
        if let answer = message.answer(to: flow.remote) { return self.write(answer.bytes, on: flow) }
        guard let keepAlive = self.keepAlives[flow] else { return }
        let action = keepAlive.machine.received(message, now: .now(), random: .random(in: 0...UInt64.max))
        self.act(action, keepAlive, flow)
    }

    private func look(at keepAlive: DatagramKeepAlive, _ flow: Flow) {
        let identifier = STUNMessage.Identifier(
            random: (.random(in: 0...UInt32.max), .random(in: 0...UInt32.max), .random(in: 0...UInt32.max))
        )
        self.act(keepAlive.machine.timeReached(.now(), identifier: identifier), keepAlive, flow)
    }

    private func act(_ action: STUNKeepAlive.Action, _ keepAlive: DatagramKeepAlive, _ flow: Flow) {
        switch action {
        case .none: break
        case .send(let identifier): self.write(STUNMessage.request(identifier).bytes, on: flow)
        case .broken:
            self.stopAsking(flow)
            self.handler?.closed(flow)
        }
        keepAlive.timer?.cancel()
        guard let deadline = keepAlive.machine.deadline else { return }
        keepAlive.timer = self.eventLoop.assumeIsolated().scheduleTask(deadline: deadline) { [weak keepAlive] in
            guard let keepAlive, self.keepAlives[flow] === keepAlive else { return }
            self.look(at: keepAlive, flow)
        }
    }
}
