import CPIM
import ClientWire
import Logging
import MessagingCore
import MessagingService
import NIOCore
import SIP
import SIPTransport
import SessionCore
import Store

/// The stream of the mailbox as the phone gets it.
extension Phone {
    var isWritable: Bool { session != nil }

    func flush() {}

    func close(code: UInt16, reason: String) {
        context.logger.debug("a phone's stream ended", metadata: ["code": "\(code)"])
        guard session != nil else { return }
        // The session ends itself behind this call.
        session = nil
        switch code {
        case CloseCode.unauthenticated, CloseCode.suspended:
            // Nothing leads here any more; whose account comes back registers anew.
            record = RegistrarRecord(addressOfRecord: record.addressOfRecord)
            stop()
        case CloseCode.replaced: stop()
        default:
            // The store could not be read. The phone is registered all the same, and watches what it watches; not all phones
            // come back at one time.
            halt()
            let seconds = context.limits.reopenSeconds
            reopenDue = .now() + .seconds(.random(in: seconds...2 * seconds))
        }
    }

    func write(_ frame: [UInt8]) {
        let found: StreamReading.Reading
        do {
            let frame = try context.decode(frame)
            found = reading.read(frame, start: session?.start ?? .max, now: context.service.now)
        } catch {
            context.logger.error("a frame for a phone cannot be read", metadata: ["error": "\(type(of: error))"])
            return
        }
        for number in found.withdrawn { queue.withdraw(number) }
        for package in found.touched { subscriptions.changed(package) }
        // Behind this turn: the session notes what it wrote only when the write returns.
        let generation = generation
        if !found.steps.isEmpty || !found.sessions.isEmpty || found.signal != nil || found.typing != nil {
            context.inbox.post { [self] in
                guard generation == self.generation else { return }
                take(found)
            }
        }
        for item in found.reported { report(item) }
    }

    /// Words about live conversations go before the mark of what they are about: they are said before that counts as
    /// handed out.
    private func take(_ found: StreamReading.Reading) {
        let (words, withdrawn) = talks.take(found.sessions)
        for id in withdrawn { queue.withdraw(id) }
        if let signal = found.signal { talks.take(signal) }
        if let typing = found.typing { talks.typed(typing) }
        var steps = talks.fresh(news(found.steps))
        let place = if case .mark? = steps.last { steps.count - 1 } else { steps.count }
        steps.insert(contentsOf: words.map { .word($0) }, at: place)
        hand(steps)
    }

    /// Leaves out what the phone took already.
    private func news(_ steps: [PhoneQueue.Step]) -> [PhoneQueue.Step] {
        steps.map { step in
            guard case .message(let message) = step, took.contains(message) else { return step }
            return .mark(upTo: message.changed, level: nil)
        }
    }

    /// What the phone is to get next.
    func hand(_ steps: [PhoneQueue.Step]) {
        guard isOpen, !steps.isEmpty else { return }
        perform(queue.append(steps, takesCPIM: takesCPIM))
    }

    /// Tells the phone what became of a message, if it was written there.
    private func report(_ item: ItemDocument) {
        guard takesCPIM || takesTexts, let id = try? MessageID(item.id) else { return }
        let news = (item.receivers ?? []).compactMap { receiver -> PhoneReport? in
            guard let state = Disposition.allCases.first(where: { $0.name == receiver.state }), state != .pending
            else { return nil }
            let report = PhoneReport(
                id: id,
                receiver: receiver.address,
                state: state,
                since: receiver.since,
                session: talks.place(of: id)
            )
            return reported.insert(report) ? report : nil
        }
        guard !news.isEmpty else { return }
        Task { [service = context.service, inbox = context.inbox, identity, self] in
            guard (try? await service.wasSent(id, from: identity)) ?? false else { return }
            inbox.post { self.hand(news.map { .report($0) }) }
        }
    }

    func perform(_ actions: [PhoneQueue.Action]) {
        for action in actions {
            switch action {
            case .send(let step, let form): send(step, form)
            case .acknowledge(let number, let level): session?.acknowledge(upTo: number, level: level)
            case .reached(let session, let generation, let ordinal):
                talks.step(session, LegStep(generation, .progress, position: ordinal))
            case .seen(let number): session?.seen(upTo: number)
            case .rewind: rewind()
            case .took(let message):
                talks.took(message)
                took.insert(message)
                if !message.isOwn { session?.took(created: message.created) }
            case .passedOver(let step):
                context.logger.notice("a phone takes this in no form", metadata: ["what": "\(step.name)"])
            case .wait(let seconds): wait(seconds)
            }
        }
    }

    /// The phone takes again what is sent to it: what its stream brought meanwhile comes again.
    private func rewind() {
        generation += 1
        reading = StreamReading(resetMessages: context.limits.resetMessages)
        talks.again()
        session?.rewind()
    }

    /// What keeps the phone from getting something may have changed.
    func resume() { context.inbox.post { self.perform(self.queue.timeReached()) } }

    private func wait(_ seconds: Int64) {
        waiting?.cancel()
        waiting = context.eventLoop.assumeIsolated().scheduleTask(in: .seconds(seconds)) { [weak self] in
            guard let self else { return }
            self.perform(self.queue.timeReached())
        }
    }
}
