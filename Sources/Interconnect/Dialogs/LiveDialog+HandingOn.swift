public import MessagingCore
import MessagingService
import NIOCore
import SIP
import SIPTransport
import SessionCore
import Synchronization

/// REFER of ours (RFC 3515): our user hands on a call that the other side's user asked for, whose owner is there. That user calls
/// somebody else, and this call ends when the other one is made (RFC 5589, section 6).
extension LiveDialog {
    /// - Returns: what it came to; 491 while one is under way, 408 when it took too long.
    func handOn(to target: Address) async -> SIPStatus {
        let first = FirstAnswer<SIPStatus>()
        let made: (SIPMessage, Flow?)? = state.withLock { state in
            guard state.handingOn == nil, case .open = state.machine.phase,
                let request = try? state.dialog?.makeRequest(.refer)
            else { return nil }
            state.handingOn = first
            return (request, state.flow)
        }
        guard let made else { return isOver ? 481 : 491 }
        var request = made.0
        request.append(.referTo, "<\(target)>")
        request.append(.referredBy, "<\(key.own)>")
        request.append(.pAssertedIdentity, "<\(key.own)>")
        request.append(.contact, contact)
        let (refer, flow) = (request, made.1)
        let patience = Task {
            try await Task.sleep(for: InterconnectLimits.referralTime)
            first.take(408)
        }
        defer {
            patience.cancel()
            state.withLock { $0.handingOn = nil }
        }
        return await first.wait(orElse: 487) { [running, peer] in
            running.stack.post(refer, on: flow, to: peer) { response in
                let status = response?.status ?? 408
                if !status.isSuccess { first.take(status) }
            }
        }
    }

    /// NOTIFY came: how far it is. The last one is known by what it says.
    func notified(_ request: PeerRequest) {
        guard accept(request) else { return }
        guard let event = try? EventKey(request.message), event.package == "refer" else {
            return request.respond(489, headers: [("Allow-Events", Self.conferencePackage)])
        }
        guard let handingOn = state.withLock({ $0.handingOn }) else { return request.respond(481) }
        request.respond(200)
        let isLast = request.message.text(.subscriptionState)?.lowercased().hasPrefix("terminated") ?? false
        let status = Refer.status(in: request.message.body)
        if let status, status.isFinal {
            handingOn.take(status)
        } else if isLast {
            handingOn.take(480)
        }
    }
}

extension Answering {
    /// News of a REFER of ours.
    func notified(_ request: PeerRequest) throws {
        let sender = try Requests.sender(of: request.message, domains: request.domains)
        guard let id = try request.message.dialogIDAtServer(), let live = interconnect.dialog(id),
            live.key.other == sender
        else { return request.respond(481) }
        live.notified(request)
    }
}

extension Interconnect {
    public func isDialog(_ session: SessionID, of user: Address, with owner: Address) -> Bool {
        dialog(LiveDialog.Key(session: session, own: user, other: owner))?.isTheirs ?? false
    }

    public func handOn(_ session: SessionID, of user: Address, with other: Address, to target: Address) async -> UInt16?
    {
        guard let live = dialog(LiveDialog.Key(session: session, own: user, other: other)), live.isTheirs else {
            return nil
        }
        return await live.handOn(to: target).rawValue
    }
}
