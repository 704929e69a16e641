import ByteGrammar
import NIOCore

/// What a stateful or stateless proxy does to requests and responses (RFC 3261 section 16).
///
/// The core changes messages; it knows nothing of sockets or of where users are.
public struct ProxyCore: Sendable, Hashable {
    /// The sent-by of our Via for each transport is up to the caller; this one names us in loop detection.
    public var sentBy: HostPort
    /// Whether a URI of a Route, Record-Route or Request-URI means us: host without case, and port.
    public var ownAddresses: [HostPort]
    /// The option tags that may stand in Proxy-Require.
    public var extensions: Set<String> = []
    /// The URI schemes that can be routed.
    public var schemes: Set<String> = ["sip", "sips"]
    /// Text that nobody else knows, which keeps others from forging the mark of loop detection.
    private let secret: String

    /// Makes a core.
    public init(sentBy: HostPort, ownAddresses: [HostPort], secret: String) {
        self.sentBy = sentBy
        self.ownAddresses = ownAddresses
        self.secret = secret
    }

    /// Whether a URI names this proxy.
    public func isOwn(_ uri: URI) -> Bool {
        guard let sip = uri.sip else { return false }
        let port = sip.port ?? (sip.isSecure ? 5061 : 5060)
        return self.ownAddresses.contains { own in
            Host.areEquivalent(own.host, sip.host) && (own.port ?? (sip.isSecure ? 5061 : 5060)) == port
        }
    }

    /// Checks a request before it is routed (RFC 3261 section 16.3).
    ///
    /// - Returns: The response to send, or nil when the request may be routed. Nothing is ever sent to an ACK.
    public func check(_ request: SIPMessage) -> SIPMessage? {
        do throws(SIPError) {
            try request.validate()
            let uri = try request.requestURI()
            guard self.schemes.contains(uri.scheme) else { return SIPMessage(416, to: request) }
            if try request.maxForwards() == 0 { return SIPMessage(483, to: request) }
            if try self.isLoop(request) { return SIPMessage(482, to: request) }
            let tags = try request.optionTags(.proxyRequire).filter { !self.extensions.contains(ASCII.lowercased($0)) }
            guard !tags.isEmpty else { return nil }
            var response = SIPMessage(420, to: request)
            response.append(.unsupported, tags.joined(separator: ", "))
            return response
        } catch {
            return SIPMessage(error.responseStatus, to: request, reason: error.responseReason)
        }
    }

    /// Takes ourselves out of the route (RFC 3261 section 16.4).
    ///
    /// - Returns: The Route value that was ours, with whatever parameters we put there; nil when there was none.
    /// - Throws: What the header fields throw.
    @discardableResult
    public func removeOwnRoute(_ request: inout SIPMessage) throws(SIPError) -> NameAddress? {
        let target = try request.requestURI()
        let routes = try request.list(.route, as: NameAddress.self)
        if self.isOwn(target), target.sip?.isLooseRouter == true, let last = routes.last {
            // A strict router put our Record-Route into the Request-URI and the real target at the end.
            request.setRequestURI(last.uri.description)
            request.remove(.route)
            for route in routes.dropLast() { request.append(.route, route.description) }
            return NameAddress(target)
        }
        guard let first = routes.first, self.isOwn(first.uri) else { return nil }
        request.removeFirstValue(.route)
        return first
    }

    /// How to forward a request.
    public struct Forward: Sendable, Hashable {
        /// The new Request-URI, nil to leave it.
        public var target: URI?
        /// The transport token of our Via.
        public var transport: String
        /// The sent-by of our Via.
        public var sentBy: HostPort
        /// A fresh random text for the branch; a stateless proxy derives it from the request instead.
        public var unique: String
        /// The Record-Route to add, nil for none.
        public var recordRoute: NameAddress?
        /// Route values to put in front, such as the Path of a binding.
        public var routes: [NameAddress]

        /// Describes a forwarding.
        public init(
            target: URI? = nil,
            transport: String,
            sentBy: HostPort,
            unique: String,
            recordRoute: NameAddress? = nil,
            routes: [NameAddress] = []
        ) {
            self.target = target
            self.transport = transport
            self.sentBy = sentBy
            self.unique = unique
            self.recordRoute = recordRoute
            self.routes = routes
        }
    }

    /// Makes the copy of a request that goes on (RFC 3261 section 16.6 steps 1 to 8).
    ///
    /// Everything but the Request-URI, Max-Forwards, Via, Route and Record-Route is byte for byte that of the request.
    ///
    /// - Throws: What the header fields throw.
    public func forward(_ request: SIPMessage, _ how: Forward) throws(SIPError) -> SIPMessage {
        let mark = try self.loopMark(request)
        var copy = request
        if let target = how.target { copy.setRequestURI(target.description) }
        if let hops = try request.maxForwards() {
            copy.set(.maxForwards, "\(hops == 0 ? 0 : hops - 1)")
        } else {
            copy.append(.maxForwards, "70")
        }
        if let recordRoute = how.recordRoute { copy.prepend(.recordRoute, recordRoute.description) }
        for route in how.routes.reversed() { copy.prepend(.route, route.description) }
        if let first = try copy.first(.route, as: NameAddress.self), first.uri.sip?.isLooseRouter == false {
            let last = try copy.requestURI()
            copy.removeFirstValue(.route)
            copy.append(.route, NameAddress(last).description)
            copy.setRequestURI(first.uri.description)
        }
        let branch = "\(Via.cookie)\(how.unique).\(mark)"
        let via = Via(
            transport: how.transport,
            sentBy: how.sentBy,
            parameters: [Parameter("branch", branch), Parameter("rport")]
        )
        copy.prepend(.via, via.description)
        return copy
    }

    /// Takes our Via from a response (RFC 3261 section 16.7 step 3).
    ///
    /// - Returns: nil when no Via is left, so that the response was for ourselves.
    /// - Throws: What Via throws.
    public func strip(_ response: SIPMessage) throws(SIPError) -> SIPMessage? {
        var copy = response
        copy.removeFirstValue(.via)
        return try copy.first(.via, as: Via.self) == nil ? nil : copy
    }

    /// Whether this very request passed here before without being rerouted (RFC 3261 section 16.3 item 4).
    private func isLoop(_ request: SIPMessage) throws(SIPError) -> Bool {
        let vias = try request.vias().filter { $0.sentBy.isEquivalent(to: self.sentBy) }
        guard !vias.isEmpty else { return false }
        let mark = try self.loopMark(request)
        return vias.contains { via in
            via.branch?.split(separator: ".").last.map { String($0) == mark } ?? false
        }
    }

    /// A hash over all that routing depends on.
    ///
    /// A spiral comes back with another Request-URI and so another mark.
    private func loopMark(_ request: SIPMessage) throws(SIPError) -> String {
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        func mix(_ text: String) {
            for byte in text.utf8 { hash = (hash ^ UInt64(byte)) &* 0x0000_0100_0000_01B3 }
            hash = (hash ^ 0xFF) &* 0x0000_0100_0000_01B3
        }
        mix(self.secret)
        mix(request.uriText ?? "")
        mix(try request.from().tag ?? "")
        mix(try request.to().tag ?? "")
        mix(try request.callID())
        mix("\(try request.cSeq().number)")
        for name in [HeaderName.proxyRequire, .proxyAuthorization, .route] {
            mix(request.texts(name).joined(separator: ","))
        }
        return String(hash, radix: 36)
    }
}
