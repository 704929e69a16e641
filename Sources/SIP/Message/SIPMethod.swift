import ByteGrammar

/// A request method. Methods are case-sensitive (RFC 3261 section 7.1).
public struct SIPMethod: RawRepresentable, Sendable, Hashable, ExpressibleByStringLiteral, CustomStringConvertible {
    /// The text of the method.
    public let rawValue: String

    /// Makes a method.
    public init(rawValue: String) { self.rawValue = rawValue }

    /// Makes a method from a literal.
    public init(stringLiteral value: String) { self.rawValue = value }

    /// The text of the method.
    public var description: String { self.rawValue }

    /// `INVITE` (RFC 3261).
    public static let invite: Self = "INVITE"
    /// `ACK` (RFC 3261).
    public static let ack: Self = "ACK"
    /// `BYE` (RFC 3261).
    public static let bye: Self = "BYE"
    /// `CANCEL` (RFC 3261).
    public static let cancel: Self = "CANCEL"
    /// `OPTIONS` (RFC 3261).
    public static let options: Self = "OPTIONS"
    /// `REGISTER` (RFC 3261).
    public static let register: Self = "REGISTER"
    /// `MESSAGE` (RFC 3428).
    public static let message: Self = "MESSAGE"
    /// `UPDATE` (RFC 3311).
    public static let update: Self = "UPDATE"
    /// `PRACK` (RFC 3262).
    public static let prack: Self = "PRACK"
    /// `REFER` (RFC 3515).
    public static let refer: Self = "REFER"
    /// `SUBSCRIBE` (RFC 6665).
    public static let subscribe: Self = "SUBSCRIBE"
    /// `NOTIFY` (RFC 6665).
    public static let notify: Self = "NOTIFY"
    /// `PUBLISH` (RFC 3903).
    public static let publish: Self = "PUBLISH"
    /// `INFO` (RFC 6086).
    public static let info: Self = "INFO"

    /// Whether a 2xx to this method can create a dialog (RFC 3261, 3515, 6665).
    public var createsDialog: Bool { self == .invite || self == .subscribe || self == .refer }

    /// Whether the method refreshes the remote target of a dialog (RFC 3261 section 12.2, RFC 3311, RFC 6665).
    public var refreshesTarget: Bool { self == .invite || self == .update || self == .subscribe || self == .notify }
}
