import ClientWire
import MessagingCore
import Store

/// What a device asks for, and the answers.
extension DeviceSession {
    func acknowledge(_ identity: DeviceIdentity, _ number: ChangeNumber, _ level: ChangeNumber?) {
        let (action, delivered) = stream.acknowledge(number, level: level)
        progressIsDue = true
        if !delivered.isEmpty {
            uncommittedDeliveries += 1
            service.delivered(identity.account, delivered) { [inbox, self] in
                inbox.post { self.uncommittedDeliveries -= 1 }
            }
        }
        act(action)
    }

    func handle(_ frame: ClientFrame) {
        guard case .open(let identity) = phase else { return end(CloseCode.badFrame, "wait for welcome") }
        if let number = frame.ack { return acknowledge(identity, number, frame.level) }
        if frame.typing != nil || frame.signal != nil { return relay(identity, frame) }
        guard let ref = frame.ref else { return end(CloseCode.badFrame, "a command has a ref") }
        guard commands < Self.commandsInFlight else {
            return answer(ref, .failure(Refusal(.rateLimited, "wait for answers before sending more commands")))
        }
        if let request = frame.send {
            commands += 1
            service.send(identity, request) { [inbox, self] result in
                inbox.post { self.sent(ref, result) }
            }
        } else if let request = frame.read {
            command(ref) {
                try await $0.markRead(identity, request)
            } fill: {
                $0.done = $1
            }
        } else if let request = frame.delete {
            command(ref) {
                try await $0.delete(identity, request)
            } fill: {
                $0.done = $1
            }
        } else if let id = frame.fetch {
            command(ref) {
                try await $0.fetch(identity, id)
            } fill: {
                $0.item = $1
            }
        } else {
            answer(ref, .failure(Refusal(.invalidRequest, "the frame holds no command that this server knows")))
        }
    }

    /// Hints are not answered; beyond so many between two ticks they are dropped.
    private func relay(_ identity: DeviceIdentity, _ frame: ClientFrame) {
        hints += 1
        guard hints <= Self.hintsPerTick else { return }
        if let typing = frame.typing { service.typing(identity, typing) }
        if let signal = frame.signal { service.signal(identity, signal) }
    }

    private func command<T: Sendable>(
        _ ref: Int,
        _ body: @escaping @Sendable (MessagingService) async throws -> T,
        fill: @escaping @Sendable (inout ServerFrame, T) -> Void
    ) {
        commands += 1
        Task { [service, inbox, self] in
            let result: Result<T, any Error>
            do { result = .success(try await body(service)) } catch { result = .failure(error) }
            inbox.post { self.finish(ref, result, fill: fill) }
        }
    }

    /// The answer that is written most often, without the general encoder.
    private func sent(_ ref: Int, _ result: Result<SendAnswer, any Error>) {
        guard case .success(let answer) = result else { return finish(ref, result) { $0.sent = $1 } }
        commands -= 1
        if case .closed = phase { return }
        var writer = ItemWriter()
        writer.answer(answer, ref: ref)
        link.write(writer.bytes)
        link.flush()
    }

    private func finish<T>(
        _ ref: Int,
        _ result: Result<T, any Error>,
        fill: (inout ServerFrame, T) -> Void
    ) {
        commands -= 1
        answer(
            ref,
            result.map { value in
                var frame = ServerFrame()
                fill(&frame, value)
                return frame
            }
        )
    }

    private func answer(_ ref: Int, _ result: Result<ServerFrame, any Error>) {
        if case .closed = phase { return }
        var frame: ServerFrame
        switch result {
        case .success(let filled): frame = filled
        case .failure(let error):
            let refusal = error as? Refusal ?? Refusal(.internalError, "the server could not do this")
            frame = ServerFrame()
            frame.problem = Problem(refusal)
        }
        frame.ref = ref
        write(frame)
        link.flush()
    }
}
