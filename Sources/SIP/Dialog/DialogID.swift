/// What names a dialog at one of its ends (RFC 3261 section 12).
public struct DialogID: Sendable, Hashable {
    /// The Call-ID.
    public var callID: String
    /// The tag of this end.
    public var localTag: String
    /// The tag of the other end; empty for a peer of RFC 2543 that sends none.
    public var remoteTag: String

    /// Makes an identifier.
    public init(callID: String, localTag: String, remoteTag: String) {
        self.callID = callID
        self.localTag = localTag
        self.remoteTag = remoteTag
    }
}
