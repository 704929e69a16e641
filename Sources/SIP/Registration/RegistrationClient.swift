public import NIOCore

/// One registration of a client: when to register, refresh, back off and leave (RFC 3261 section 10.2, RFC 5626
/// section 4).
public struct RegistrationClient: Sendable, Hashable {
    /// Where the registration stands.
    public enum State: Sendable, Hashable {
        /// Not registered, and not trying.
        case idle
        /// REGISTER is on its way; whether the address is registered while it is.
        case registering(isRefresh: Bool)
        /// Registered; REGISTER again at this time.
        case registered(refresh: NIODeadline)
        /// It failed; try again at this time.
        case waiting(until: NIODeadline)
        /// REGISTER with Expires 0 is on its way.
        case unregistering
        /// The registrar refused for good.
        case refused(SIPStatus)
    }

    /// What the owner does next.
    public enum Action: Sendable, Hashable {
        /// Nothing.
        case none
        /// Send REGISTER with this Expires; 0 leaves.
        case register(expires: UInt32)
        /// Registered for so many seconds.
        case registered(seconds: UInt32)
        /// Not registered any more, and not trying.
        case unregistered
        /// Not registered; the machine tries again by itself.
        case failed(SIPStatus)
        /// Refused for good.
        case refused(SIPStatus)
    }

    /// Where the registration stands.
    public private(set) var state: State
    /// The Expires that is asked for; a 423 raises it.
    public private(set) var expires: UInt32
    /// How often it failed since it last worked.
    public private(set) var failures: Int

    /// Starts idle.
    public init(expires: UInt32 = 3600) {
        self.state = .idle
        self.expires = expires
        self.failures = 0
    }

    init(state: State, expires: UInt32, failures: Int) {
        self.state = state
        self.expires = expires
        self.failures = failures
    }

    /// When to call ``timeReached(_:)``, nil when no timer runs.
    public var deadline: NIODeadline? {
        switch self.state {
        case .registered(let refresh): refresh
        case .waiting(let until): until
        case .idle, .registering, .unregistering, .refused: nil
        }
    }

    /// The user wants to be registered.
    public mutating func start() -> Action {
        switch self.state {
        case .idle, .refused, .waiting:
            self.state = .registering(isRefresh: false)
            return .register(expires: self.expires)
        case .registering, .registered, .unregistering:
            return .none
        }
    }

    /// The user wants to leave.
    public mutating func stop() -> Action {
        switch self.state {
        case .registered, .registering:
            self.state = .unregistering
            return .register(expires: 0)
        case .waiting:
            self.state = .idle
            return .unregistered
        case .idle, .unregistering, .refused:
            return .none
        }
    }

    /// A final response arrived that is no challenge which was answered.
    ///
    /// - Parameters:
    ///   - status: The status; 408 when nobody answered, 503 when the transport failed.
    ///   - granted: The seconds that the registrar granted to our Contact, in a 2xx.
    ///   - minimum: Min-Expires of a 423.
    ///   - retryAfter: Retry-After in seconds.
    ///   - random: A number that the caller drew, for the back-off.
    public mutating func received(
        _ status: SIPStatus,
        granted: UInt32? = nil,
        minimum: UInt32? = nil,
        retryAfter: UInt32? = nil,
        now: NIODeadline,
        random: UInt64
    ) -> Action {
        switch self.state {
        case .unregistering:
            guard status.isFinal else { return .none }
            self.state = .idle
            return .unregistered
        case .registering:
            guard status.isFinal else { return .none }
            if status.isSuccess { return self.succeeded(granted ?? self.expires, now: now) }
            return self.failed(status, minimum, retryAfter, now, random)
        case .idle, .registered, .waiting, .refused:
            return .none
        }
    }

    private mutating func succeeded(_ seconds: UInt32, now: NIODeadline) -> Action {
        self.failures = 0
        guard seconds > 0 else {
            self.state = .idle
            return .unregistered
        }
        self.state = .registered(refresh: now + Self.refreshDelay(seconds))
        return .registered(seconds: seconds)
    }

    private mutating func failed(
        _ status: SIPStatus,
        _ minimum: UInt32?,
        _ retryAfter: UInt32?,
        _ now: NIODeadline,
        _ random: UInt64
    ) -> Action {
        if status == 423, let minimum, minimum > self.expires {
            self.expires = minimum
            return .register(expires: minimum)
        }
        let isTemporary = [408, 430, 480, 500, 502, 503, 504].contains(status.rawValue) || retryAfter != nil
        guard isTemporary else {
            self.state = .refused(status)
            return .refused(status)
        }
        self.failures += 1
        let wait =
            retryAfter.map { Int64($0) * 1000 } ?? Self.backOffMilliseconds(failures: self.failures, random: random)
        self.state = .waiting(until: now + .milliseconds(wait))
        return .failed(status)
    }

    /// The flow to the registrar broke: register again over a new one, at once the first time (RFC 5626 section 4.4).
    public mutating func flowFailed(now: NIODeadline, random: UInt64) -> Action {
        switch self.state {
        case .registered:
            self.state = .registering(isRefresh: false)
            return .register(expires: self.expires)
        case .registering:
            return self.failed(503, nil, nil, now, random)
        case .unregistering:
            self.state = .idle
            return .unregistered
        case .idle, .waiting, .refused:
            return .none
        }
    }

    /// Time passed.
    public mutating func timeReached(_ now: NIODeadline) -> Action {
        switch self.state {
        case .registered(let refresh) where now >= refresh:
            self.state = .registering(isRefresh: true)
            return .register(expires: self.expires)
        case .waiting(let until) where now >= until:
            self.state = .registering(isRefresh: false)
            return .register(expires: self.expires)
        case .idle, .registering, .registered, .waiting, .unregistering, .refused:
            return .none
        }
    }

    /// Refresh some time before the end: a tenth of it, at most a minute, and never under half of a short one.
    static func refreshDelay(_ seconds: UInt32) -> TimeAmount {
        let whole = Int64(seconds) * 1000
        let margin: Int64 = min(60_000, max(5000, whole / 10))
        return .milliseconds(Swift.max(whole / 2, whole - margin))
    }

    /// Between half of and the whole of min(1800 s, 30 s * 2^failures) (RFC 5626 section 4.5).
    static func backOffMilliseconds(failures: Int, random: UInt64) -> Int64 {
        let exponent = Int64(min(max(failures, 0), 10))
        let upper: Int64 = min(1_800_000, 30_000 << exponent)
        let half: Int64 = upper / 2
        return half + Int64(random % UInt64(half + 1))
    }
}
