import MessagingCore
import SIP
import SessionCore
import Store

/// What a dialog that a phone names is to this gateway.
///
/// A phone may have learnt of a dialog as a device of its account has it, or as whoever is at the other end: either order
/// of the tags is the same dialog.
enum NamedDialog {
    /// A phone's.
    case call(PhoneCall)
    /// A device's part in a conversation, by the name that it has for phones.
    case part(SessionDialogID)
    /// That it was once.
    case ended
    /// Another account's.
    case foreign
    case unknown

    /// - Parameter account: the account of the phone that names it.
    init(_ id: DialogID, for account: AccountID, in context: GatewayContext) {
        for id in [id, id.swapped] {
            if let call = context.dialogs[id] {
                self = call.phone.identity.account == account ? .call(call) : .foreign
                return
            }
            if let chat = context.textDialogs[id] {
                let identity = chat.phone.identity
                self =
                    identity.account == account
                    ? .part(SessionDialogID(chat.session, .device(identity.device))) : .foreign
                return
            }
            if let owner = context.endedDialogs[id] {
                self = owner == account ? .ended : .foreign
                return
            }
            if let part = SessionDialogID(id) {
                self = .part(part)
                return
            }
        }
        self = .unknown
    }
}

extension DialogID {
    /// The same dialog at its other end.
    var swapped: DialogID { DialogID(callID: callID, localTag: remoteTag, remoteTag: localTag) }
}

/// Dialogs that ended lately, and whose they were: whoever would replace one is told that it is over (RFC 3891, section 3).
struct EndedDialogs: Sendable {
    private var accounts: [DialogID: AccountID] = [:]
    private var order: [DialogID] = []
    private let capacity: Int

    init(capacity: Int) { self.capacity = max(1, capacity) }

    subscript(_ id: DialogID) -> AccountID? { accounts[id] }

    mutating func insert(_ id: DialogID, of account: AccountID) {
        guard accounts.updateValue(account, forKey: id) == nil else { return }
        order.append(id)
        if order.count > capacity { accounts[order.removeFirst()] = nil }
    }
}
