/// The proxy's part of session timers (RFC 4028 section 8).
public struct SessionTimerProxy: Sendable, Hashable {
    /// What a proxy does with an INVITE or UPDATE.
    public enum Verdict: Sendable {
        /// Answer 422 with this Min-SE.
        case tooSmall(minimum: UInt32)
        /// Forward this one, and give the 2xx to ``SessionTimerProxy/complete(_:)``.
        case forward(SIPMessage, SessionTimerProxy)
    }

    /// Whether the sender of the request can refresh.
    private let senderRefreshes: Bool
    /// The interval that was forwarded, nil for none.
    private let interval: UInt32?

    /// Asks for a session timer, or for a longer or shorter one.
    ///
    /// - Parameters:
    ///   - minimum: The lowest interval that the proxy takes, in seconds.
    ///   - preferred: The longest interval that it wants, nil to leave the interval to the ends.
    /// - Throws: What Session-Expires and Min-SE throw.
    public static func forward(
        _ request: SIPMessage,
        minimum: UInt32,
        preferred: UInt32?
    ) throws(SIPError) -> Verdict {
        let minimum = max(minimum, SessionTimer.absoluteMinimum)
        let isSupported = request.hasOption("timer", in: .supported)
        var floor = try request.minimumSessionExpires() ?? SessionTimer.absoluteMinimum
        let wanted = try request.sessionExpires()
        var forwarded = request
        if let wanted, wanted.seconds < minimum {
            // Whoever does not know session timers cannot make sense of a 422: the bound is raised on its way.
            guard !isSupported else { return .tooSmall(minimum: minimum) }
            floor = max(floor, minimum)
            forwarded.set(.minSE, "\(floor)")
        }
        var value = wanted
        if let preferred, wanted.map({ $0.seconds > preferred }) ?? true {
            value = value ?? SessionExpires(seconds: preferred)
            value?.seconds = preferred
        }
        if var value {
            value.seconds = max(value.seconds, floor)
            if value != wanted { forwarded.set(.sessionExpires, value.description) }
            return .forward(forwarded, Self(senderRefreshes: isSupported, interval: value.seconds))
        }
        return .forward(forwarded, Self(senderRefreshes: isSupported, interval: nil))
    }

    /// Completes a 2xx of an end that knows no session timers, when the other end can refresh alone.
    public func complete(_ response: SIPMessage) -> SIPMessage {
        guard let interval = self.interval, self.senderRefreshes, response.status?.isSuccess == true,
            !response.contains(.sessionExpires)
        else { return response }
        var response = response
        response.append(.sessionExpires, SessionExpires(seconds: interval, refresher: .uac).description)
        response.append(.require, OptionTag.timer)
        return response
    }
}
