public import XMLBodies

/// Knows whether the other side is composing a message (RFC 3994 section 3.3).
///
/// ```
///   idle -- active status --> active -- idle status, message, time out --> idle
/// ```
///
/// The caller runs one timer, for ``deadline``, and passes the time in.
public struct ComposingReceiver<Instant: InstantProtocol<Duration> & Sendable>: Sendable {
    /// What to show.
    public enum Action: Sendable, Equatable {
        /// The other side began to compose a message of a media type, when it told one.
        case began(type: String?)
        /// The other side stopped.
        case ended
        /// What is shown stays.
        case none
    }

    /// How long an active status holds when it does not tell, in seconds.
    public static var defaultRefreshSeconds: UInt64 { 120 }
    /// The longest that a status may hold, in seconds, whatever it tells: a day.
    public static var maximumRefreshSeconds: UInt64 { 86_400 }

    private enum State: Sendable, Equatable {
        case idle
        case active(until: Instant)
    }

    private var state: State = .idle

    /// Begins idle.
    public init() {}

    /// Whether the other side is composing.
    public var isActive: Bool { self.state != .idle }

    /// When to call ``timerFired(at:)``; nil while idle.
    public var deadline: Instant? {
        if case .active(let until) = self.state { until } else { nil }
    }

    /// How long a status holds, in seconds: what it tells, within bounds.
    public static func timeoutSeconds(of document: IsComposingDocument) -> UInt64 {
        min(document.refreshSeconds ?? Self.defaultRefreshSeconds, Self.maximumRefreshSeconds)
    }

    /// Takes a status.
    public mutating func received(_ document: IsComposingDocument, at now: Instant) -> Action {
        guard document.state == .active else { return self.end() }
        let wasActive = self.isActive
        self.state = .active(until: now.advanced(by: .seconds(Self.timeoutSeconds(of: document))))
        return wasActive ? .none : .began(type: document.composedType)
    }

    /// Takes a message: what was being composed is here.
    public mutating func messageReceived() -> Action { self.end() }

    /// Takes the time; it may come early or late.
    public mutating func timerFired(at now: Instant) -> Action {
        guard case .active(let until) = self.state, now >= until else { return .none }
        return self.end()
    }

    private mutating func end() -> Action {
        guard self.isActive else { return .none }
        self.state = .idle
        return .ended
    }
}
