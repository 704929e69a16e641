import MessagingCore
import SIP
import SessionCore

/// Names a leg of a live conversation as a dialog, so that a phone can take over with INVITE and Replaces (RFC 3891) what
/// an own device without SIP holds.
///
/// It says nothing that only its user may know: whoever names it must be a phone of the leg's account.
struct SessionDialogID: Hashable, Sendable {
    var session: SessionID
    var generation: Generation

    private static let prefix = "leg"
    private static let server = "continuo"

    init(_ session: SessionID, _ generation: Generation) {
        self.session = session
        self.generation = generation
    }

    /// Reads what a phone names, tags as the device has them; nil for any other dialog.
    init?(_ id: DialogID) {
        guard id.remoteTag == Self.server, id.localTag.hasPrefix(Self.prefix),
            case let digits = id.localTag.dropFirst(Self.prefix.count),
            !digits.isEmpty, digits.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }),
            let number = Int32(digits), let session = try? SessionID(id.callID)
        else { return nil }
        self.init(session, Generation(rawValue: number))
    }

    /// The dialog as the device would have it: its own tag is the local one.
    var dialog: DialogID {
        DialogID(
            callID: session.description,
            localTag: "\(Self.prefix)\(generation.rawValue)",
            remoteTag: Self.server
        )
    }
}
