import NIOCore
import SIP
import XMLBodies

/// What a phone may watch of its own account.
enum EventPackage: String, CaseIterable, Sendable {
    /// Unread messages (RFC 3842).
    case messageSummary = "message-summary"
    /// The account's devices (RFC 3680, RFC 5628).
    case registrations = "reg"
    /// The conversations that are going on, and which device holds them (RFC 4235).
    case dialogs = "dialog"

    var contentType: String {
        switch self {
        case .messageSummary: "application/simple-message-summary"
        case .registrations: RegistrationInfo.contentType
        case .dialogs: DialogInfo.contentType
        }
    }

    /// Whether a SUBSCRIBE takes documents of this type; without Accept the type of the package is meant.
    func isAccepted(by request: SIPMessage) -> Bool {
        guard request.contains(.accept) else { return true }
        let types = (try? request.list(.accept, as: MediaType.self))?.map { $0.essence.lowercased() } ?? []
        return types.contains { $0 == contentType || $0 == "application/*" || $0 == "*/*" }
    }
}

/// What there is to tell, without the number that a document has in its subscription.
enum EventState: Equatable, Sendable {
    case messageSummary(unread: Int)
    case registrations(RegistrationInfo.Registration)
    case dialogs([DialogInfo.Dialog])

    /// The document, always of the full state.
    func body(_ version: UInt64, account: String) -> [UInt8] {
        switch self {
        case .messageSummary(let unread):
            let summary = MessageSummary(
                isWaiting: unread > 0,
                account: account,
                counts: [
                    "text-message": MessageSummary.Count(new: UInt32(unread), old: 0),
                    // What most desk phones look at.
                    "voice-message": MessageSummary.Count(new: UInt32(unread), old: 0),
                ]
            )
            return Array(buffer: summary.body)
        case .registrations(let registration):
            return RegistrationInfo(version: version, state: .full, registrations: [registration]).bytes
        case .dialogs(let dialogs):
            return DialogInfo(version: version, state: .full, entity: account, dialogs: dialogs).bytes
        }
    }
}
