public import ByteGrammar

/// Subscription-State of a NOTIFY (RFC 6665 section 8.2.3).
public struct SubscriptionState: HeaderValue {
    /// The state.
    public enum Value: String, Sendable, Hashable {
        /// Accepted.
        case active
        /// Waiting for a decision.
        case pending
        /// Over.
        case terminated
    }

    /// Why a subscription ended (RFC 6665 section 4.1.3).
    public enum Reason: String, Sendable, Hashable, CaseIterable {
        /// Subscribe again at once.
        case deactivated
        /// Subscribe again later.
        case probation
        /// Do not subscribe again: the user refused.
        case rejected
        /// It ran out; subscribe again at once.
        case timeout
        /// No decision came; subscribe again later.
        case giveup
        /// There is nothing left to watch; do not subscribe again.
        case noresource
        /// The state cannot change any more; do not subscribe again.
        case invariant
    }

    /// The state as it was written; an unknown one counts as neither.
    public var text: String
    /// The parameters.
    public var parameters: Parameters

    /// Makes a value.
    public init(_ value: Value, expires: UInt32? = nil, reason: Reason? = nil, retryAfter: UInt32? = nil) {
        self.text = value.rawValue
        self.parameters = []
        if let expires { self.parameters["expires"] = "\(expires)" }
        if let reason { self.parameters["reason"] = reason.rawValue }
        if let retryAfter { self.parameters["retry-after"] = "\(retryAfter)" }
    }

    /// The state, nil for one that is unknown.
    public var value: Value? { Value(rawValue: ASCII.lowercased(self.text)) }
    /// The seconds that are left.
    public var expires: UInt32? { self.parameters["expires"].flatMap { UInt32($0) } }
    /// Why the subscription ended.
    public var reason: Reason? { self.parameters["reason"].flatMap { Reason(rawValue: ASCII.lowercased($0)) } }
    /// How long to wait before subscribing again.
    public var retryAfter: UInt32? { self.parameters["retry-after"].flatMap { UInt32($0) } }
    /// The value as it is printed.
    public var description: String { "\(self.text)\(self.parameters)" }

    /// Takes one value.
    ///
    /// - Throws: ``SIPError/Code/malformedHeaderValue``.
    public init(parsing cursor: inout ByteCursor) throws(SIPError) {
        let value = try TokenWithParameters(parsing: &cursor)
        self.text = value.text
        self.parameters = value.parameters
    }
}

/// The event package and id that a subscription is for (RFC 6665 section 8.2.1).
public struct EventKey: Sendable, Hashable {
    /// The package in lower case is not enough: event types are case-sensitive tokens.
    public let package: String
    /// The `id` parameter.
    public let id: String?

    /// Makes a key.
    public init(package: String, id: String? = nil) {
        self.package = package
        self.id = id
    }

    /// The key of a SUBSCRIBE, NOTIFY or PUBLISH, nil without an Event.
    ///
    /// - Throws: What Event throws.
    public init?(_ message: SIPMessage) throws(SIPError) {
        guard let event = try message.value(.event, as: TokenWithParameters.self) else { return nil }
        self.init(package: event.text, id: event.parameters["id"])
    }

    /// The value of Event.
    public var text: String { self.id.map { "\(self.package);id=\($0)" } ?? self.package }
}
