import ByteGrammar

/// What a server matches requests by (RFC 3261 section 17.2.3).
///
/// With a branch of RFC 3261 that is branch, sent-by and method, where ACK and CANCEL are found under INVITE. Without
/// one it is the Request-URI, From tag, Call-ID, CSeq number and topmost Via, as RFC 2543 asks; the To tag is left out
/// because the ACK to a failure carries one that the INVITE did not have.
public struct ServerTransactionKey: Sendable, Hashable {
    private let text: String
    private let sentBy: String
    private let method: SIPMethod

    /// Makes the key of a request.
    ///
    /// - Parameter method: The method to look under: that of the request, or INVITE for ACK and CANCEL.
    /// - Throws: What the header fields throw.
    public init(_ request: SIPMessage, via: Via, method: SIPMethod) throws(SIPError) {
        self.method = method
        if via.hasUniqueBranch, let branch = via.branch {
            // Branches are tokens, which compare without case (RFC 3261 section 7.3.1).
            self.text = ASCII.lowercased(branch)
            self.sentBy = ASCII.lowercased(via.sentBy.description)
        } else {
            let callID = try request.callID()
            let tag = try request.from().tag ?? ""
            let number = try request.cSeq().number
            self.text = "\(request.uriText ?? "") \(tag) \(callID) \(number)"
            self.sentBy = via.description
        }
    }

    /// Makes the key of a request under its own method, ACK under INVITE.
    ///
    /// - Throws: What the header fields throw.
    public init(_ request: SIPMessage) throws(SIPError) {
        let method = request.method ?? .options
        try self.init(request, via: try request.topVia(), method: method == .ack ? .invite : method)
    }

    /// The key of the INVITE that a CANCEL wants to cancel: same branch, method INVITE (RFC 3261 section 9.2).
    ///
    /// - Throws: What the header fields throw.
    public init(cancelledBy cancel: SIPMessage) throws(SIPError) {
        try self.init(cancel, via: try cancel.topVia(), method: .invite)
    }
}

/// What a client matches responses by: the branch of its own Via and the method of CSeq (RFC 3261 section 17.1.3).
public struct ClientTransactionKey: Sendable, Hashable {
    private let branch: String
    private let method: SIPMethod

    /// Makes the key of a request that is sent.
    public init(branch: String, method: SIPMethod) {
        self.branch = ASCII.lowercased(branch)
        self.method = method
    }

    /// Makes the key of a response; nil when its topmost Via has no branch.
    ///
    /// - Throws: What the header fields throw.
    public init?(response: SIPMessage) throws(SIPError) {
        guard let branch = try response.topVia().branch else { return nil }
        self.init(branch: branch, method: try response.cSeq().method)
    }
}

/// What tells a request apart from the same request over another path: Call-ID, CSeq and From tag.
///
/// A request without a To tag that has the identity of one in progress but no transaction was merged on its way, and gets
/// a 482 (RFC 3261 section 8.2.2.2).
public struct MergeIdentity: Sendable, Hashable {
    private let callID: String
    private let fromTag: String
    private let sequence: CSeq

    /// Makes the identity of a request.
    ///
    /// - Returns: nil for a request with a To tag.
    /// - Throws: What the header fields throw.
    public init?(_ request: SIPMessage) throws(SIPError) {
        guard try request.tag(of: .to) == nil else { return nil }
        self.callID = try request.callID()
        self.fromTag = try request.tag(of: .from) ?? ""
        self.sequence = try request.cSeq()
    }
}
