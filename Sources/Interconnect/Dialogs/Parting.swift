import SIP
import SessionCore

/// Why a conversation ends, as BYE says it (RFC 3326).
enum Parting: Sendable, Hashable, CaseIterable {
    /// Somebody left, or ended it.
    case left
    /// Its asker took the user out of it.
    case removed
    /// It was taken back, and accepted too late.
    case takenBack
    /// Nothing of what the other side offered could be taken.
    case notAcceptable
    /// There was no path for too long, or no sign of the other side.
    case lost

    init(_ end: SessionEnd) {
        self =
            switch end {
            case .left, .rejected: .left
            case .removed: .removed
            case .cancelled, .missed: .takenBack
            case .unreachable: .lost
            }
    }

    /// The value of Reason. Causes of Q.850 are for what has no status in SIP.
    var reason: String {
        switch self {
        case .left: "Q.850;cause=16;text=\"Normal call clearing\""
        case .removed: "Q.850;cause=16;text=\"Removed\""
        case .takenBack: "SIP;cause=487;text=\"Request Terminated\""
        case .notAcceptable: "SIP;cause=488;text=\"Not Acceptable Here\""
        case .lost: "SIP;cause=408;text=\"Request Timeout\""
        }
    }

    /// Whether a BYE says that something went wrong. Without a word, and with one that nobody here knows, somebody has hung
    /// up.
    static func isFailure(_ bye: SIPMessage) -> Bool {
        let reasons = (try? bye.list(.reason, as: TokenWithParameters.self)) ?? []
        return reasons.contains { reason in
            guard let cause = reason.parameters["cause"].flatMap({ Int($0) }) else { return false }
            return switch reason.text.lowercased() {
            // What people do is none: decline, be busy, take back, go on elsewhere.
            case "sip": cause >= 400 && ![486, 487, 600, 603].contains(cause)
            // Normal events have causes up to 31 (Q.850, section 2.2.7.1).
            case "q.850": cause > 31
            default: false
            }
        }
    }
}
