import MessagingCore
import SIP
import SessionCore

/// Names a device's part in a live conversation as a dialog, so that a phone can take over with INVITE and Replaces (RFC
/// 3891) what an own device without SIP holds.
///
/// It says nothing that only its user may know: whoever names it must be a phone of the part's account.
struct SessionDialogID: Hashable, Sendable {
    enum Part: Hashable, Sendable {
        case leg(Generation)
        /// A device that has media and no leg.
        case device(DeviceID)
    }

    var session: SessionID
    var part: Part

    private static let leg = "leg"
    private static let device = "device"
    private static let server = "continuo"

    init(_ session: SessionID, _ part: Part) {
        self.session = session
        self.part = part
    }

    /// Reads what a phone names, tags as the device has them; nil for any other dialog.
    init?(_ id: DialogID) {
        guard id.remoteTag == Self.server, let session = try? SessionID(id.callID) else { return nil }
        if let number = Self.number(id.localTag, behind: Self.leg) {
            self.init(session, .leg(Generation(rawValue: number)))
        } else if let number = Self.number(id.localTag, behind: Self.device) {
            self.init(session, .device(DeviceID(rawValue: number)))
        } else {
            return nil
        }
    }

    private static func number(_ tag: String, behind prefix: String) -> Int32? {
        guard tag.hasPrefix(prefix) else { return nil }
        let digits = tag.dropFirst(prefix.count)
        guard !digits.isEmpty, digits.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }) else {
            return nil
        }
        return Int32(digits)
    }

    /// The dialog as the device would have it: its own tag is the local one.
    var dialog: DialogID {
        let tag =
            switch part {
            case .leg(let generation): "\(Self.leg)\(generation.rawValue)"
            case .device(let device): "\(Self.device)\(device.rawValue)"
            }
        return DialogID(callID: session.description, localTag: tag, remoteTag: Self.server)
    }
}
