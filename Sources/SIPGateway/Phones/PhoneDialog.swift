import NIOCore
import SIP
import SIPTransport

// What every dialog with a phone has, whether it is a call or the texts of a conversation.

/// A 2xx of ours to an INVITE, said again until its ACK comes (RFC 3261, section 13.3.1.4).
struct PendingSuccess {
    private var machine: SuccessRetransmission
    private let transaction: ServerTransaction
    private let response: SIPMessage

    /// - Returns: nil for a request that has no ACK.
    init?(_ response: SIPMessage, to transaction: ServerTransaction) {
        guard transaction.request.method == .invite, let number = try? transaction.request.cSeq().number else {
            return nil
        }
        machine = SuccessRetransmission(sequence: number, now: .now())
        self.transaction = transaction
        self.response = response
    }

    var deadline: NIODeadline? { machine.deadline }

    /// - Returns: whether it is the ACK that was awaited.
    mutating func isAcknowledged(by request: SIPMessage) -> Bool {
        guard let number = try? request.cSeq().number else { return false }
        machine.acknowledged(sequence: number)
        return machine.state == .acknowledged
    }

    /// Says it again if it is time.
    /// - Returns: whether the phone never answered.
    mutating func isLost(at now: NIODeadline) -> Bool {
        guard let deadline, deadline <= now else { return false }
        let action = machine.timeReached(now)
        if action == .resend { transaction.respond(response) }
        return action == .end
    }
}

/// The last ACKs of one call, which a 2xx that comes again gets again: the one to its own INVITE, in its own dialog.
struct SentAcknowledgements {
    static let capacity = 8
    private var sent: [(id: DialogID, number: UInt32, request: SIPMessage)] = []

    subscript(_ id: DialogID, _ number: UInt32) -> SIPMessage? {
        sent.last { $0.id == id && $0.number == number }?.request
    }

    mutating func insert(_ request: SIPMessage, in id: DialogID, _ number: UInt32) {
        sent.append((id, number, request))
        if sent.count > Self.capacity { sent.removeFirst() }
    }
}

/// The earliest of somebody's deadlines, on the gateway's loop.
struct Alarm {
    private var task: Scheduled<Void>?
    private var time: NIODeadline?

    /// - Parameter ring: called at that time, or not at all when another one is set before.
    mutating func set(_ deadlines: [NIODeadline?], on loop: any EventLoop, _ ring: @escaping () -> Void) {
        let next = deadlines.compactMap(\.self).min()
        guard next != time else { return }
        task?.cancel()
        time = next
        task = next.map { loop.assumeIsolated().scheduleTask(deadline: $0, ring) }
    }

    /// It rang: the same time may be set again.
    mutating func rang() { time = nil }

    mutating func cancel() {
        task?.cancel()
        task = nil
        time = nil
    }
}

extension GatewayContext {
    /// Something rings for what the phone asked for.
    func ringing(_ transaction: ServerTransaction) {
        guard !transaction.isAnswered else { return }
        var response = transaction.makeResponse(180)
        response.copyRecordRoute(from: transaction.request)
        response.append(.contact, contact(transaction.flow))
        transaction.respond(response)
    }

    /// A 200 within a dialog, or to what begins one, without a body.
    /// - Parameter tag: a feature tag of our Contact.
    func success(_ transaction: ServerTransaction, _ timer: inout SessionTimer, tag: String? = nil) -> SIPMessage {
        let request = transaction.request
        var response = transaction.makeResponse(200)
        response.copyRecordRoute(from: request)
        let contact = contact(transaction.flow)
        response.append(.contact, tag.map { "\(contact);\($0)" } ?? contact)
        response.append(.allow, UserAgent.methods.map(\.rawValue).joined(separator: ", "))
        response.append(.supported, "timer, replaces")
        let seconds = limits.sessionTimerSeconds
        let offer = try? SessionTimer.negotiate(request, minimum: SessionTimer.absoluteMinimum, preferred: seconds)
        if case .use(let value, let requiresTimer)? = offer {
            response.append(.sessionExpires, value.description)
            if requiresTimer { response.append(.require, "timer") }
            timer.agreed(value, isRequester: false, now: .now())
        }
        return response
    }

    /// What a phone's 2xx says of refreshes; one that knows none is asked after all the same.
    func agree(_ timer: inout SessionTimer, _ response: SIPMessage) {
        let said = (try? response.sessionExpires()) ?? nil
        let own = SessionExpires(seconds: limits.sessionTimerSeconds, refresher: .uac)
        timer.agreed(said ?? own, isRequester: true, now: .now())
    }
}
