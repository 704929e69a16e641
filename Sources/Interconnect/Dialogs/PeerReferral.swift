import MessagingCore
import MessagingService
import SIP
import SIPTransport
import SessionCore

/// A REFER of another provider's user (RFC 3515), and the subscription that comes with it: somebody is asked into the
/// conversation.
struct PeerReferral: Sendable {
    let user: Address
    let event: EventKey
    let wantsNews: Bool
    /// Its own; nil for one within the call's.
    var dialog: Dialog?
    let flow: Flow?
    let due: ContinuousClock.Instant
    /// Ends when it is known how it came out, and told.
    var following: Task<Void, Never>?

    /// How an invitation came out.
    /// - Parameters:
    ///   - state: where it stands; nil when the conversation knows of none any more.
    ///   - hasMedia: whether that user has a part in what whoever referred has of voice and video; before that there is no
    ///     hanging up.
    /// - Returns: what the last NOTIFY says; nil while it is open.
    static func outcome(_ state: InvitationState?, hasMedia: Bool, isDue: Bool) -> SIPStatus? {
        switch state {
        case .present: hasMedia || isDue ? 200 : nil
        case .waiting: isDue ? 408 : nil
        case .gone(.rejected): 603
        case .gone, nil: 480
        }
    }
}
