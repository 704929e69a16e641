/// What both ends of a dialog know of it (RFC 3261 section 12).
///
/// A dialog does not know about sessions or subscriptions; those are usages of it.
public struct Dialog: Sendable, Hashable {
    /// How far a dialog is.
    public enum State: Sendable, Hashable {
        /// A provisional response with a tag made it.
        case early
        /// A 2xx made or confirmed it.
        case confirmed
        /// It is over.
        case terminated
    }

    /// Call-ID and tags.
    public let id: DialogID
    /// Our address with our tag.
    public let local: NameAddress
    /// The peer's address with its tag.
    public private(set) var remote: NameAddress
    /// Where requests to the peer go.
    public private(set) var remoteTarget: URI
    /// The proxies in between, nearest first; never changes once the dialog is confirmed.
    public private(set) var routeSet: [NameAddress]
    /// Whether all hops must use TLS.
    public let isSecure: Bool
    /// Whether we sent the request that made the dialog.
    public let isInitiator: Bool
    /// How far the dialog is.
    public private(set) var state: State
    /// The CSeq number of our last request.
    public private(set) var localNumber: UInt32
    /// The CSeq number of the peer's last request, nil before the first.
    public private(set) var remoteNumber: UInt32?

    /// The dialog that a response to our own request makes (RFC 3261 section 12.1.2).
    ///
    /// - Returns: nil when the response makes no dialog: a 100, a provisional response without a To tag, or a failure.
    /// - Throws: What the header fields throw; ``SIPError/Code/missingHeader`` when a 2xx has no Contact.
    public init?(client request: SIPMessage, response: SIPMessage) throws(SIPError) {
        guard let status = response.status, status != 100, status.family <= 2, request.method?.createsDialog == true
        else { return nil }
        let remote = try response.to()
        guard let remoteTag = remote.tag ?? (status.isSuccess ? "" : nil) else { return nil }
        let local = try request.from()
        guard let target = try response.contacts().addresses.first?.uri ?? (status.isSuccess ? nil : remote.uri) else {
            throw SIPError(.missingHeader, "a 2xx that makes a dialog needs a Contact")
        }
        self.id = DialogID(callID: try request.callID(), localTag: local.tag ?? "", remoteTag: remoteTag)
        self.local = local
        self.remote = remote
        self.remoteTarget = target
        self.routeSet = try response.list(.recordRoute, as: NameAddress.self).reversed()
        self.isSecure = try request.requestURI().sip?.isSecure ?? false
        self.isInitiator = true
        self.state = status.isSuccess ? .confirmed : .early
        self.localNumber = try request.cSeq().number
        self.remoteNumber = nil
    }

    /// The dialog that our response to a request makes (RFC 3261 section 12.1.1).
    ///
    /// - Parameters:
    ///   - request: The peer's request.
    ///   - localTag: The tag that we put into To.
    ///   - state: `.early` for a provisional response, `.confirmed` for a 2xx.
    /// - Throws: What the header fields throw; ``SIPError/Code/missingHeader`` without a Contact;
    ///   ``SIPError/Code/notAllowed`` when the method makes no dialog.
    public init(server request: SIPMessage, localTag: String, state: State) throws(SIPError) {
        guard request.method?.createsDialog == true || request.method == .notify else {
            throw SIPError(.notAllowed, "the method makes no dialog")
        }
        let remote = try request.from()
        guard let target = try request.contacts().addresses.first?.uri else {
            throw SIPError(.missingHeader, "a request that makes a dialog needs a Contact")
        }
        var local = try request.to()
        local.tag = localTag
        self.id = DialogID(callID: try request.callID(), localTag: localTag, remoteTag: remote.tag ?? "")
        self.local = local
        self.remote = remote
        self.remoteTarget = target
        self.routeSet = try request.list(.recordRoute, as: NameAddress.self)
        self.isSecure = try request.requestURI().sip?.isSecure ?? false
        self.isInitiator = false
        self.state = state
        self.localNumber = 0
        self.remoteNumber = try request.cSeq().number
    }

    /// A confirmed dialog of which all is known.
    init(
        id: DialogID,
        local: NameAddress,
        remote: NameAddress,
        remoteTarget: URI,
        routeSet: [NameAddress],
        isSecure: Bool,
        isInitiator: Bool,
        localNumber: UInt32,
        remoteNumber: UInt32?
    ) {
        self.id = id
        self.local = local
        self.remote = remote
        self.remoteTarget = remoteTarget
        self.routeSet = routeSet
        self.isSecure = isSecure
        self.isInitiator = isInitiator
        self.state = .confirmed
        self.localNumber = localNumber
        self.remoteNumber = remoteNumber
    }

    /// What to do with a request of the peer in this dialog.
    public enum RequestVerdict: Sendable, Hashable {
        /// Handle it.
        case accept
        /// Answer 500: its number is lower than one that was seen (RFC 3261 section 12.2.2).
        case outOfOrder
        /// Answer 481: the dialog is over.
        case noDialog
    }

    /// A request of the peer arrived in this dialog; takes note of its number and of a new remote target.
    ///
    /// ACK and CANCEL carry the number of their INVITE and are never out of order.
    ///
    /// - Throws: What CSeq or Contact throw.
    public mutating func received(request: SIPMessage) throws(SIPError) -> RequestVerdict {
        guard self.state != .terminated else { return .noDialog }
        let cSeq = try request.cSeq()
        if cSeq.method == .ack || cSeq.method == .cancel { return .accept }
        if let last = self.remoteNumber, cSeq.number < last { return .outOfOrder }
        self.remoteNumber = cSeq.number
        return .accept
    }

    /// A target refresh request of the peer was accepted with a 2xx: its Contact is where requests go from now on (RFC
    /// 3261 section 12.2.2).
    ///
    /// A re-INVITE also does so with a reliable 1xx (RFC 6141 section 4.6).
    ///
    /// - Throws: What Contact throws.
    public mutating func refreshTarget(from message: SIPMessage) throws(SIPError) {
        guard self.state != .terminated else { return }
        let method = if let method = message.method { method } else { try message.cSeq().method }
        guard method.refreshesTarget, let target = try message.contacts().addresses.first?.uri else { return }
        self.remoteTarget = target
    }

    /// A response to the request that made this early dialog, with the same tag: a 2xx confirms the dialog and
    /// recomputes its route set (RFC 3261 section 13.2.2.4); a failure ends it.
    ///
    /// - Throws: What the header fields throw.
    public mutating func received(initialResponse response: SIPMessage) throws(SIPError) {
        guard self.isInitiator, self.state == .early, let status = response.status else { return }
        if status.isSuccess {
            self.routeSet = try response.list(.recordRoute, as: NameAddress.self).reversed()
            self.state = .confirmed
            self.remote = try response.to()
            try self.refreshTarget(from: response)
        } else if status.isFinal {
            self.state = .terminated
        } else {
            try self.refreshTarget(from: response)
        }
    }

    /// We sent a 2xx to the request that made this dialog.
    public mutating func confirm() { if self.state == .early { self.state = .confirmed } }

    /// The dialog is over: BYE, a final failure, a 408 or 481 to a request in it (RFC 3261 section 12.2.1.2).
    public mutating func terminate() { self.state = .terminated }

    /// Makes a request in this dialog, with the next CSeq number, without Via and Contact (RFC 3261 section 12.2.1.1).
    ///
    /// - Throws: ``SIPError/Code/notAllowed`` when the dialog is over, for ACK and CANCEL, or when the numbers are used
    ///   up.
    public mutating func makeRequest(_ method: SIPMethod) throws(SIPError) -> SIPMessage {
        guard self.state != .terminated, method != .ack, method != .cancel, self.localNumber < UInt32(Int32.max) else {
            throw SIPError(.notAllowed, "no \(method) can be sent in this dialog")
        }
        self.localNumber += 1
        return self.request(method, number: self.localNumber)
    }

    /// Makes the ACK for a 2xx to our INVITE of that CSeq number, a transaction of its own (RFC 3261 section 13.2.2.4).
    public func makeAcknowledgement(inviteNumber: UInt32) -> SIPMessage { self.request(.ack, number: inviteNumber) }

    private func request(_ method: SIPMethod, number: UInt32) -> SIPMessage {
        var target = self.remoteTarget
        var routes = self.routeSet
        if let first = routes.first, first.uri.sip?.isLooseRouter == false {
            // A strict router wants to find itself in the Request-URI, and the target at the end of the route.
            routes.removeFirst()
            routes.append(NameAddress(target))
            target = first.uri
        }
        var request = SIPMessage(method: method, uri: target.description)
        request.append(.maxForwards, "70")
        for route in routes { request.append(.route, route.description) }
        request.append(.from, self.local.description)
        request.append(.to, self.remote.description)
        request.append(.callID, self.id.callID)
        request.append(.cSeq, CSeq(number: number, method: method).description)
        request.append(.contentLength, "0")
        return request
    }
}

extension SIPMessage {
    /// The dialog that a request belongs to, as its receiver names it: local tag from To, remote tag from From.
    ///
    /// - Returns: nil when To has no tag.
    /// - Throws: What the header fields throw.
    public func dialogIDAtServer() throws(SIPError) -> DialogID? {
        guard let local = try self.to().tag else { return nil }
        return DialogID(callID: try self.callID(), localTag: local, remoteTag: try self.from().tag ?? "")
    }

    /// The dialog that a response belongs to, as the sender of the request names it.
    ///
    /// - Returns: nil when To has no tag.
    /// - Throws: What the header fields throw.
    public func dialogIDAtClient() throws(SIPError) -> DialogID? {
        guard let remote = try self.to().tag else { return nil }
        return DialogID(callID: try self.callID(), localTag: try self.from().tag ?? "", remoteTag: remote)
    }
}
