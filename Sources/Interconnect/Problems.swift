import MSRP
import MessagingCore
import MessagingService
import SIP

/// Refusals as SIP says them, and back.
///
/// The status says what any element understands; the header beside it says it exactly, to whoever knows it.
enum Problems {
    static let header: HeaderName = "Continuo-Reason"

    static func status(of code: Refusal.Code) -> SIPStatus {
        switch code {
        case .notFound: 404
        case .forbidden: 403
        case .tooLarge, .tooMany: 413
        case .conflict: 482
        case .quotaExceeded, .notEntitled: 480
        case .storeFull, .unavailable, .internalError, .rateLimited: 503
        default: 400
        }
    }

    /// The same for a message in MSRP, which has fewer words.
    static func messageStatus(of code: Refusal.Code) -> MSRPStatus {
        switch status(of: code) {
        case 403, 404: .forbidden
        case 413, 480: .stopSending
        case 503: .timeout
        default: .badRequest
        }
    }

    /// What an answer means for what was sent.
    static func result(of response: SIPMessage) -> OutboundResult {
        guard let status = response.status?.rawValue else { return .temporary }
        if (200..<300).contains(status) { return .delivered }
        let code = response.text(header).flatMap { Refusal.Code(heard: $0) }
        switch status {
        case 404, 410, 416, 484, 485, 604: return .permanent(code ?? .notFound)
        case 401, 403, 407, 603, 607: return .permanent(code ?? .forbidden)
        case 413, 513: return .permanent(code ?? .tooLarge)
        case 400, 405, 415, 420, 482, 483, 488, 493, 505, 606: return .permanent(code ?? .invalidMessage)
        case 480 where code == .quotaExceeded || code == .notEntitled: return .permanent(code ?? .quotaExceeded)
        default: return .temporary
        }
    }
}
