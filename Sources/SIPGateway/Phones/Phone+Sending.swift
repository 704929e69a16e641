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

/// What is handed to the phone, on its way there.
extension Phone {
    /// The binding to use, and its flow.
    func target(now: NIODeadline) -> (binding: Binding, flow: Flow)? {
        for binding in record.targets(for: record.addressOfRecord, now: now) {
            for candidate in [binding] + record.alternatives(to: binding, now: now) {
                if let flow = candidate.flow.flatMap({ flows[$0] }), context.stack?.isOpen(flow) ?? false {
                    return (candidate, flow)
                }
            }
        }
        return nil
    }

    func send(_ step: PhoneQueue.Step, _ form: PhoneQueue.Form) {
        switch talks.way(step.session) {
        case .message: sendMessage(step, form)
        case .later: finished(.later, generation)
        case .path(let texts):
            guard let said = said(step, form) else { return finished(.taken, generation) }
            let generation = generation
            texts.send(said) { [weak self] in self?.finished($0, generation) }
        }
    }

    private func sendMessage(_ step: PhoneQueue.Step, _ form: PhoneQueue.Form) {
        // What its own user said is not told by MESSAGE.
        if case .message(let message) = step, message.isOwn { return finished(.taken, generation) }
        if case .report = step, !takesCPIM { return finished(.taken, generation) }
        guard let (binding, flow) = target(now: .now()), let stack = context.stack else {
            return finished(.notNow(retryAfterSeconds: nil), generation)
        }
        let request: SIPMessage
        switch step {
        case .message(let message): request = make(message, form, binding)
        case .report(let report): request = make(report, binding)
        case .word(let word): request = make(word, form, binding)
        case .mark, .reached: return finished(.taken, generation)
        }
        // A phone that could have had it over MSRP was promised more than fits here.
        if flow.transport == .udp, form != .notice, request.bodyLength > PhoneRequests.datagramBodyBytes {
            return finished(.tooLarge, generation)
        }
        let generation = generation
        stack.send(request, to: .flow(flow)) { [weak self] _, event in
            guard let self, let outcome = PhoneQueue.Outcome(event) else { return }
            if outcome == .unknownType, form == .cpim { self.learn(takesCPIM: false) }
            self.finished(outcome, generation)
        }
    }

    private func finished(_ outcome: PhoneQueue.Outcome, _ generation: Int) {
        guard generation == self.generation else { return }
        perform(queue.finished(outcome, takesCPIM: takesCPIM))
    }

    private func make(_ message: PhoneMessage, _ form: PhoneQueue.Form, _ binding: Binding) -> SIPMessage {
        var request = PhoneRequests.message(
            to: binding,
            from: message.from,
            own: address,
            callID: CallIDs.callID(of: message.id),
            sequence: sequence(),
            tag: tag
        )
        request.append(.date, message.date.sipDate)
        let body = PhoneRequests.body(
            message,
            form,
            own: address,
            link: context.service.link(identity, to: message.id)
        )
        request.setBody(ByteBuffer(bytes: body.bytes), contentType: body.type)
        return request
    }

    /// What goes over MSRP: always in its envelope. Nil for what is no part of a conversation.
    private func said(_ step: PhoneQueue.Step, _ form: PhoneQueue.Form) -> CPIMMessage? {
        switch step {
        case .report(let report): return PhoneRequests.report(report, own: address)
        case .message(var message):
            if form == .notice {
                message.text = PhoneRequests.notice(message, link: context.service.link(identity, to: message.id))
                message.subject = nil
            }
            let document = message.session.flatMap { talks.documents[$0.id] }
            let others = (document?.participants ?? []).filter { $0 != message.from }
            return PhoneRequests.cpim(message, own: message.isOwn ? others.first ?? address : address)
        case .word, .mark, .reached: return nil
        }
    }

    private func make(_ report: PhoneReport, _ binding: Binding) -> SIPMessage {
        var request = PhoneRequests.message(
            to: binding,
            from: report.receiver,
            own: address,
            callID: PhoneRequests.reportID(report),
            sequence: sequence(),
            tag: tag
        )
        let body = PhoneRequests.report(report, own: address).bytes
        request.setBody(ByteBuffer(bytes: body), contentType: "message/cpim")
        return request
    }

    private func make(_ word: PhoneWord, _ form: PhoneQueue.Form, _ binding: Binding) -> SIPMessage {
        var request = PhoneRequests.message(
            to: binding,
            from: word.from,
            own: address,
            callID: word.callID,
            sequence: sequence(),
            tag: tag
        )
        let body = PhoneRequests.body(word, form, own: address, now: context.service.now)
        request.setBody(ByteBuffer(bytes: body.bytes), contentType: body.type)
        return request
    }

    /// Seconds, and more within one second: higher with every attempt, after a restart of the server too. The same
    /// number again would be taken for a copy that went another way (RFC 3261, section 8.2.2.2).
    private func sequence() -> UInt32 {
        let seconds = UInt32(truncatingIfNeeded: context.service.now.rawValue / 1000) & UInt32(Int32.max)
        lastSequence = max(lastSequence + 1, seconds) & UInt32(Int32.max)
        return lastSequence
    }
}

extension PhoneQueue.Step {
    var name: String {
        switch self {
        case .message: "message"
        case .report: "report"
        case .word: "word"
        case .mark, .reached: "mark"
        }
    }

    /// The live conversation that it is a part of.
    fileprivate var session: SessionID? {
        switch self {
        case .message(let message): message.session?.id
        case .report(let report): report.session
        case .word, .mark, .reached: nil
        }
    }
}

extension PhoneQueue.Outcome {
    /// What an event of a MESSAGE's transaction means; nil for one that decides nothing yet.
    init?(_ event: ClientTransaction.Event) {
        switch event {
        case .timedOut, .transportFailed: self = .notNow(retryAfterSeconds: nil)
        case .response(let response):
            guard let status = response.status, status.isFinal else { return nil }
            let retry = (try? response.value(.retryAfter, as: RetryAfter.self))?.seconds
            switch status.rawValue {
            case 200..<300: self = .taken
            case 406, 415, 488: self = .unknownType
            case 413, 513: self = .tooLarge
            case 501, 505: self = .refused
            case 408, 430, 480, 486, 491, 500..<600, 600, 603: self = .notNow(retryAfterSeconds: retry.map(Int64.init))
            default: self = .refused
            }
        }
    }
}
