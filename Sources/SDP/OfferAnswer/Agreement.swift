/// What an offer and its answer came to, as one side sees it.
public struct Agreement: Sendable, Equatable {
    /// One slot of the agreement.
    public struct Medium: Sendable, Equatable {
        /// What this side stated.
        public var local: MediaDescription
        /// What the other side stated.
        public var remote: MediaDescription
        /// Where this side receives.
        public var localConnection: Connection?
        /// Where the other side receives.
        public var remoteConnection: Connection?
        /// Whether both sides take the medium.
        public var isActive: Bool
        /// Which way media flow, as this side sees it; the narrower of what both state.
        public var direction: MediaDirection
        /// Whether this side opens the connection; nil when neither states a role and the medium is not MSRP, or
        /// when the connection is held.
        public var isLocalConnecting: Bool?
    }

    /// What this side stated.
    public let local: SessionDescription
    /// What the other side stated.
    public let remote: SessionDescription
    /// Whether this side made the offer.
    public let isLocalOffer: Bool
    /// The slots, in order.
    public let media: [Medium]

    /// Puts an offer and its answer together.
    ///
    /// - Throws: ``SDPError`` when the answer does not fit the offer (RFC 3264 section 6): another number of media,
    ///   other types or transports, an accepted medium that was refused, or roles by which nobody connects.
    public init(local: SessionDescription, remote: SessionDescription, isLocalOffer: Bool) throws(SDPError) {
        let (offer, answer) = isLocalOffer ? (local, remote) : (remote, local)
        guard offer.media.count == answer.media.count else {
            throw SDPError(.mediaMismatch, "\(offer.media.count) media, not \(answer.media.count)")
        }
        for (offered, answered) in zip(offer.media, answer.media) {
            guard offered.type == answered.type, offered.proto.uppercased() == answered.proto.uppercased() else {
                throw SDPError(.mediaMismatch, "\(offered.type) \(offered.proto)")
            }
            guard !offered.isRejected || answered.isRejected else {
                throw SDPError(.mediaMismatch, "port 0 for a medium that was not offered")
            }
            if !answered.isRejected, let role = offered.setup, let answer = answered.setup,
                !role.allowedAnswers.contains(answer)
            {
                throw SDPError(.notOffered, "a role that answers \(role.rawValue), not \(answer.rawValue)")
            }
        }
        self.local = local
        self.remote = remote
        self.isLocalOffer = isLocalOffer
        self.media = zip(local.media, remote.media).map { own, other in
            Self.medium(own, other, local: local, remote: remote, isLocalOffer: isLocalOffer)
        }
    }

    private static func medium(
        _ own: MediaDescription,
        _ other: MediaDescription,
        local: SessionDescription,
        remote: SessionDescription,
        isLocalOffer: Bool
    ) -> Medium {
        let (ours, theirs) = (local.direction(of: own), remote.direction(of: other))
        let remoteConnection = remote.connection(of: other)
        let isActive = !own.isRejected && !other.isRejected
        // The all-zero address is the old way to say that nothing is received there.
        let receivesThere = theirs.receives && !(remoteConnection?.isUnspecified ?? false)
        let direction = MediaDirection(
            sends: isActive && ours.sends && receivesThere,
            receives: isActive && ours.receives && theirs.sends
        )
        return Medium(
            local: own,
            remote: other,
            localConnection: local.connection(of: own),
            remoteConnection: remoteConnection,
            isActive: isActive,
            direction: direction,
            isLocalConnecting: isActive ? self.connects(own, other, isLocalOffer: isLocalOffer) : nil
        )
    }

    private static func connects(_ own: MediaDescription, _ other: MediaDescription, isLocalOffer: Bool) -> Bool? {
        let answer = isLocalOffer ? other.setup : own.setup
        switch answer {
        case .active: return !isLocalOffer
        case .passive: return isLocalOffer
        case .holdConnection: return nil
        // Without a role in the answer, MSRP's rule is that the offerer connects (RFC 4975 section 5.4).
        case .activePassive, nil: return own.isMSRP ? isLocalOffer : nil
        }
    }

    /// What this side stated, with open roles replaced by those that were settled, so that it can be an answer.
    var settledLocal: SessionDescription {
        var settled = self.local
        for (index, medium) in self.media.enumerated() where medium.local.setup == .activePassive {
            guard let connects = medium.isLocalConnecting else { continue }
            let role: SetupRole = connects ? .active : .passive
            settled.media[index].set(Attribute("setup", role.rawValue))
        }
        return settled
    }
}
