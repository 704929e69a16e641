/// How far a message has come with one receiver: pending < failed < delivered < displayed.
///
/// The steps are those of RFC 5438, section 7; displayed implies delivered. It only ever rises.
public enum Disposition: UInt8, Sendable, Comparable, Hashable, CaseIterable {
    case pending
    case failed
    case delivered
    case displayed

    public static func < (lhs: Self, rhs: Self) -> Bool { lhs.rawValue < rhs.rawValue }

    public var name: String {
        switch self {
        case .pending: "pending"
        case .failed: "failed"
        case .delivered: "delivered"
        case .displayed: "displayed"
        }
    }
}

/// A report a sender can ask for (`imdn.Disposition-Notification`, RFC 5438 section 6.2).
public enum Report: String, Sendable, Codable, CaseIterable {
    case delivered
    case displayed
}

/// The sender's view of one receiver.
public struct ReceiverState: Hashable, Sendable {
    public var address: Address
    public var disposition: Disposition
    /// When it last rose.
    public var since: Timestamp
    /// Why it failed: a refusal's code.
    public var failure: Refusal.Code?

    /// A receiver as a message is submitted, or as read back.
    public init(address: Address, disposition: Disposition, since: Timestamp, failure: Refusal.Code? = nil) {
        self.address = address
        self.disposition = disposition
        self.since = since
        self.failure = failure
    }

    /// Raises the state; false if it was as high already.
    public mutating func raise(to new: Disposition, at now: Timestamp, failure: Refusal.Code? = nil) -> Bool {
        guard new > disposition else { return false }
        disposition = new
        since = now
        self.failure = new == .failed ? failure : nil
        return true
    }
}
