public import XMLBodies

/// Tells the other side whether a message is being composed (RFC 3994 section 3.2).
///
/// ```
///          composed: send active                     refresh due: send active
///   idle --------------------------> active ------+-----------------------------> active
///     ^                                |          | composed: put off idle
///     |  message sent: nothing to send |          +-----------------------------> active
///     +--------------------------------+
///     |  cleared, idle due: send idle  |
///     +--------------------------------+
/// ```
///
/// The caller runs one timer, for ``deadline``, and passes the time in.
public struct ComposingSender<Instant: InstantProtocol<Duration> & Sendable>: Sendable {
    /// The intervals of a sender.
    public struct Settings: Sendable, Hashable {
        /// After how long without input the composer counts as idle.
        public var idleAfter: Duration = .seconds(15)
        /// How often an active status is repeated; 60 seconds or more.
        public var refresh: Duration = .seconds(120)

        /// Starts from the intervals of the RFC.
        public init() {}
    }

    /// What to do.
    public enum Action: Sendable, Equatable {
        /// Send a status.
        case send(IsComposingDocument)
        /// Nothing.
        case none
    }

    private enum State: Sendable, Equatable {
        case idle
        case active(type: String?, idleAt: Instant, refreshAt: Instant)
    }

    private let settings: Settings
    private var state: State = .idle

    /// Begins idle; a refresh under 60 seconds is made 60.
    public init(settings: Settings = Settings()) {
        var settings = settings
        settings.refresh = max(settings.refresh, .seconds(60))
        self.settings = settings
    }

    /// Whether the composer counts as active.
    public var isActive: Bool { self.state != .idle }

    /// When to call ``timerFired(at:)``; nil while idle.
    public var deadline: Instant? {
        guard case .active(_, let idleAt, let refreshAt) = self.state else { return nil }
        return min(idleAt, refreshAt)
    }

    /// Takes a keystroke or other work on a message.
    ///
    /// - Parameter type: the media type of the message, for the status.
    public mutating func composed(at now: Instant, type: String? = nil) -> Action {
        let idleAt = now.advanced(by: self.settings.idleAfter)
        switch self.state {
        case .idle:
            self.state = .active(type: type, idleAt: idleAt, refreshAt: now.advanced(by: self.settings.refresh))
            return .send(self.document(.active, type: type))
        case .active(let before, _, let refreshAt):
            self.state = .active(type: type ?? before, idleAt: idleAt, refreshAt: refreshAt)
            return self.timerFired(at: now)
        }
    }

    /// Takes that the message was sent: the message itself ends the status, so nothing is sent.
    public mutating func messageSent() -> Action {
        self.state = .idle
        return .none
    }

    /// Takes that the composer gave up the message.
    public mutating func cleared() -> Action {
        guard self.isActive else { return .none }
        self.state = .idle
        return .send(self.document(.idle, type: nil))
    }

    /// Takes the time; it may come early or late.
    public mutating func timerFired(at now: Instant) -> Action {
        guard case .active(let type, let idleAt, let refreshAt) = self.state else { return .none }
        if now >= idleAt { return self.cleared() }
        guard now >= refreshAt else { return .none }
        self.state = .active(type: type, idleAt: idleAt, refreshAt: now.advanced(by: self.settings.refresh))
        return .send(self.document(.active, type: type))
    }

    private func document(_ state: IsComposingDocument.State, type: String?) -> IsComposingDocument {
        let seconds = UInt64(max(self.settings.refresh.components.seconds, 60))
        return IsComposingDocument(
            state: state,
            composedType: type,
            refreshSeconds: state == .active ? seconds : nil
        )
    }
}
