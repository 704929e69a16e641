import ClientWire
import MessagingCore
import NIOCore
import SIP
import SIPTransport

/// Requests of dialogs with the phone.
extension Phone {
    /// The INVITE that asks the phone into a session, without a body.
    func invitation(to document: SessionDocument, _ binding: Binding, _ flow: Flow, tag: String) -> SIPMessage {
        let others = document.participants.filter { $0 != document.user }
        let caller = document.creator == document.user ? others.first ?? document.creator : document.creator
        var request = PhoneRequests.request(
            .invite,
            to: binding,
            from: caller,
            own: address,
            callID: RandomText.token(20),
            sequence: 1,
            tag: tag
        )
        prepare(&request, on: flow)
        if let subject = document.subject, !subject.isEmpty { request.append(.subject, Self.line(subject)) }
        return request
    }

    /// Header values are one line.
    private static func line(_ text: String) -> String {
        String(text.unicodeScalars.map { $0.value < 0x20 || $0.value == 0x7F ? " " : Character($0) }.prefix(200))
    }

    /// What every INVITE of ours carries.
    func prepare(_ request: inout SIPMessage, on flow: Flow) {
        request.append(.contact, context.contact(flow))
        request.append(.allow, UserAgent.methods.map(\.rawValue).joined(separator: ", "))
        request.append(.supported, "timer, replaces")
        let seconds = context.limits.sessionTimerSeconds
        request.append(.sessionExpires, SessionExpires(seconds: seconds, refresher: .uac).description)
        request.append(.minSE, "\(SessionTimer.absoluteMinimum)")
    }

    /// - Parameter target: the remote target of the dialog.
    func send(_ request: SIPMessage, target: URI?, _ onEvent: @escaping (ClientTransaction.Event) -> Void) {
        guard let (binding, flow) = self.target(now: .now()), let stack = context.stack else {
            return onEvent(.transportFailed)
        }
        stack.send(aimed(request, target, binding), to: .flow(flow)) { _, event in onEvent(event) }
    }

    func sendStateless(_ request: SIPMessage, target: URI?) {
        guard let (binding, flow) = self.target(now: .now()), let stack = context.stack else { return }
        stack.sendStateless(aimed(request, target, binding), to: .flow(flow))
    }

    /// A GRUU is the registrar's name of a phone: it is turned into the phone's own (RFC 5627, section 6.1).
    private func aimed(_ request: SIPMessage, _ target: URI?, _ binding: Binding) -> SIPMessage {
        guard let uri = target?.sip, uri.gruu != nil, let own = record.targets(for: uri, now: .now()).first else {
            return request
        }
        var request = request
        request.setRequestURI(own.contact.uri.description)
        return request
    }
}
