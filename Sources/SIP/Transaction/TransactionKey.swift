import ByteGrammar
import NIOCore

/// What a server matches requests by (RFC 3261 section 17.2.3).
///
/// With a branch of RFC 3261 that is branch, sent-by and method, where ACK and CANCEL are found under INVITE. Without
/// one it is the Request-URI, From tag, Call-ID, CSeq number and topmost Via, as RFC 2543 asks; the To tag is left out
/// because the ACK to a failure carries one that the INVITE did not have.
public struct ServerTransactionKey: Sendable, Hashable {
    /// The method that it is found under.
    public let method: SIPMethod
    private let host: String
    private let port: UInt16?
    private let text: String

    /// Makes the key of a request.
    ///
    /// - Parameter method: The method to look under: that of the request, or INVITE for ACK and CANCEL.
    /// - Throws: What the header fields throw.
    public init(_ request: SIPMessage, via: Via, method: SIPMethod) throws(SIPError) {
        self.method = method
        self.host = via.sentBy.host
        self.port = via.sentBy.port
        if let branch = via.branch, branch.hasPrefix(Via.cookie) {
            self.text = branch
        } else {
            let callID = try request.callID()
            let tag = try request.tag(of: .from) ?? ""
            let number = try request.cSeq().number
            self.text = "\(request.uriText ?? "") \(tag) \(callID) \(number) \(via)"
        }
    }

    /// Whether two requests are of one transaction; branches are tokens, which compare without case (RFC 3261 section
    /// 7.3.1).
    public static func == (left: Self, right: Self) -> Bool {
        left.method == right.method && left.port == right.port && ASCII.equalIgnoringCase(left.text, right.text)
            && ASCII.equalIgnoringCase(left.host, right.host)
    }

    /// Hashes the branch.
    public func hash(into hasher: inout Hasher) { hasher.combine(ASCII.lowercased(self.text)) }

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

/// What a request has in common with its retransmissions, with its ACK and CANCEL, and with copies of it that took another
/// way: Call-ID, From tag and CSeq number.
///
/// A request without To tag that has the identity and method of one in progress, but another key, was forked and merged
/// on its way, and gets a 482 (RFC 3261 section 8.2.2.2).
public struct RequestIdentity: Sendable, Hashable {
    private let fingerprint: Fingerprint

    /// Makes the identity of a request.
    ///
    /// - Throws: What the header fields throw.
    public init(_ request: SIPMessage) throws(SIPError) {
        var maker = Fingerprint.Maker()
        let callID = try request.callIDRange()
        maker.add(request.storage.readableBytesUInt8Span, callID)
        maker.add(try request.tag(of: .from) ?? "")
        maker.add(UInt64(try request.cSeq().number))
        self.fingerprint = maker.finish()
    }
}
