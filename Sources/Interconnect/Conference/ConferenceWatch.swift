import NIOCore
import SIP

/// One subscription to a conversation of several users (RFC 4575): what is told, and when.
///
/// The full state follows each SUBSCRIBE, and each change, with a pause between and one NOTIFY at a time. Pure; times are
/// passed in.
struct ConferenceWatch: Sendable, Hashable {
    /// A NOTIFY: without a document when there is nothing to tell any more.
    struct Notification: Sendable, Hashable {
        let state: SubscriptionState
        let content: ConferenceState?
        let version: UInt64
    }

    /// The shortest time between two of them; a change that comes sooner is told then.
    static let pause = TimeAmount.seconds(1)
    /// For how long a subscription is granted at most, and at least.
    static let longestSeconds: UInt32 = 3600
    static let shortestSeconds: UInt32 = 60
    /// How often in a row a NOTIFY may be put off by the other side until it is taken for gone.
    static let failuresMaximum = 8
    /// The first pause after one that does not say for how long; the next is twice as long.
    static let firstBackOff = TimeAmount.seconds(2)

    private var machine: NotifierMachine
    private var said: ConferenceState?
    private var version: UInt64 = 0
    /// A SUBSCRIBE was answered, and its NOTIFY has not been sent.
    private var isOwed = true
    private var isUnanswered = false
    private var notBefore = NIODeadline.uptimeNanoseconds(0)
    /// There is something to tell once the pause is over.
    private var isLate = false
    /// NOTIFYs in a row that were put off.
    private var failures = 0

    /// - Parameter seconds: what is granted; 0 fetches the state once.
    init(seconds: UInt32, now: NIODeadline) {
        machine = NotifierMachine(expires: seconds, isAuthorised: true, now: now)
    }

    /// Whether nothing is told any more.
    var isOver: Bool { machine.state == .terminated && !isOwed }

    /// SUBSCRIBE came again.
    /// - Returns: false when there is nothing to refresh.
    mutating func refresh(seconds: UInt32, now: NIODeadline) -> Bool {
        guard case .notify = machine.refreshed(expires: seconds, now: now) else { return false }
        isOwed = true
        return true
    }

    /// What is to be told of this state now.
    mutating func next(_ state: ConferenceState, now: NIODeadline) -> Notification? {
        isLate = false
        if case .notify(let end) = machine.timeReached(now) {
            isOwed = false
            return Notification(state: end, content: nil, version: version)
        }
        guard isOwed || said != state, case .notify(let subscription) = machine.firstNotification(now: now) else {
            return nil
        }
        // The NOTIFY after a SUBSCRIBE comes at once (RFC 6665, section 4.2.1.2).
        guard isOwed || !isUnanswered && notBefore <= now && subscription.value == .active else {
            isLate = !isUnanswered && subscription.value == .active
            return nil
        }
        defer { version += 1 }
        (isOwed, isUnanswered, said, notBefore) = (false, true, state, now + Self.pause)
        return Notification(state: subscription, content: state, version: version)
    }

    /// A NOTIFY was answered, or not (nil).
    ///
    /// Who asks for time gets it, and then the full state, since nobody knows what it has seen. Any other refusal, and silence,
    /// end the subscription (RFC 6665, section 4.2.2); 503 alone may say nothing of the time.
    /// - Parameter retryAfter: what Retry-After says, in seconds.
    mutating func answered(_ status: SIPStatus?, retryAfter: UInt32? = nil, now: NIODeadline) {
        isUnanswered = false
        if status?.isSuccess ?? false {
            failures = 0
            return
        }
        failures += 1
        let isGone = status.map { [404, 405, 410, 416, 481, 489, 501].contains($0.rawValue) } ?? true
        guard !isGone, retryAfter != nil || status == 503, failures < Self.failuresMaximum else {
            _ = machine.end(.giveup)
            isOwed = false
            return
        }
        let pause = retryAfter.map { TimeAmount.seconds(Int64($0)) } ?? Self.firstBackOff * (1 << (failures - 1))
        // What is granted ends before that, if it is longer.
        said = nil
        notBefore = now + max(Self.pause, pause)
        isLate = machine.state != .terminated
    }

    /// The conversation is over, or its subscriber has left; or this server stops, and a new subscription may be made.
    mutating func end(_ reason: SubscriptionState.Reason) -> Notification? {
        guard case .notify(let state) = machine.end(reason) else { return nil }
        isOwed = false
        return Notification(state: state, content: nil, version: version)
    }

    /// When ``next(_:now:)`` is due without a change.
    var deadline: NIODeadline? {
        [machine.deadline, isLate ? notBefore : nil].compactMap(\.self).min()
    }
}
