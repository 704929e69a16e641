/// How an answerer takes an offered medium.
public struct MediaAcceptance: Sendable, Equatable {
    /// The port here.
    public var port: Int
    /// The formats wanted, of those offered; nil for all.
    public var formats: [String]?
    /// The direction wanted; the offer may narrow it.
    public var wish: MediaDirection
    /// The address here; nil when that of the session holds.
    public var connection: Connection?
    /// The attributes of the answer, direction and `mid` left out.
    public var attributes: [Attribute]

    /// Makes an acceptance.
    public init(
        port: Int,
        formats: [String]? = nil,
        wish: MediaDirection = .sendReceive,
        connection: Connection? = nil,
        attributes: [Attribute] = []
    ) {
        self.port = port
        self.formats = formats
        self.wish = wish
        self.connection = connection
        self.attributes = attributes
    }
}

extension SessionDescription {
    /// Makes the answer to an offer (RFC 3264 section 6): one medium for each offered one, in the same order.
    ///
    /// - Parameters:
    ///   - offer: the offer.
    ///   - origin: who answers.
    ///   - connection: the address for media without their own.
    ///   - groups: the semantics of the groups that are taken, such as `BUNDLE`, for the media accepted.
    ///   - decisions: for each offered medium how it is taken, or nil to refuse it; media without one are refused.
    /// - Throws: ``SDPError`` when a decision accepts what was not offered.
    public init(
        answering offer: SessionDescription,
        origin: Origin,
        connection: Connection? = nil,
        acceptingGroups groups: Set<String> = [],
        decisions: [MediaAcceptance?]
    ) throws(SDPError) {
        guard decisions.count <= offer.media.count else {
            throw SDPError(.mediaMismatch, "at most \(offer.media.count) decisions")
        }
        self.init(origin: origin, connection: connection)
        if let time = offer.lines.first(of: .time) {
            self.lines.replace(.time, with: time.value, after: [])
        }
        for (index, offered) in offer.media.enumerated() {
            guard index < decisions.count, let decision = decisions[index] else {
                self.media.append(offered.rejected)
                continue
            }
            let direction = offer.direction(of: offered).answering(wish: decision.wish)
            self.media.append(try offered.accepted(decision, direction: direction))
        }
        let accepted = self.media.filter { !$0.isRejected }.compactMap(\.mediaID)
        for group in offer.groups where groups.contains(group.semantics) {
            let kept = group.mediaIDs.filter(accepted.contains)
            if !kept.isEmpty {
                self.append(Attribute("group", MediaGroup(semantics: group.semantics, mediaIDs: kept).text))
            }
        }
    }
}

extension MediaDescription {
    /// The medium refused or removed: the same slot with port 0.
    public var rejected: MediaDescription {
        let mid = self.mediaID.map { Attribute("mid", $0) }
        return MediaDescription(
            type: self.type,
            port: 0,
            proto: self.proto,
            formats: self.formats,
            attributes: mid.map { [$0] } ?? []
        )
    }

    fileprivate func accepted(
        _ decision: MediaAcceptance,
        direction: MediaDirection
    ) throws(SDPError) -> MediaDescription {
        guard !self.isRejected else { throw SDPError(.notOffered, "no answer to a refused medium") }
        let formats = decision.formats ?? self.formats
        guard !formats.isEmpty, Set(formats).isSubset(of: self.formats) else {
            throw SDPError(.notOffered, "formats of the offer")
        }
        if let offered = self.setup, let value = decision.attributes.first(where: { $0.name == "setup" })?.value {
            guard let role = SetupRole(rawValue: value), offered.allowedAnswers.contains(role) else {
                throw SDPError(.notOffered, "a role that answers \(offered.rawValue)")
            }
        }
        var attributes = decision.attributes
        if let mid = self.mediaID { attributes.insert(Attribute("mid", mid), at: 0) }
        attributes.append(Attribute(direction.rawValue))
        return MediaDescription(
            type: self.type,
            port: decision.port,
            proto: self.proto,
            formats: formats,
            connection: decision.connection,
            attributes: attributes
        )
    }
}
