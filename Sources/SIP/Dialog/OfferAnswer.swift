/// Who may offer and who must answer within one dialog (RFC 3261 sections 13.2.1 and 14, RFC 3262 section 5, RFC 3311
/// section 5.2, RFC 6141).
///
/// The machine knows nothing of the content of a description. At most one offer is open at a time.
public struct OfferAnswer: Sendable, Hashable {
    /// Where the exchange stands.
    public enum State: Sendable, Hashable, CaseIterable {
        /// No description was exchanged yet.
        case none
        /// We offered; the peer has to answer.
        case localOffer
        /// The peer offered; we have to answer.
        case remoteOffer
        /// Both agree.
        case agreed
    }

    /// Where the exchange stands.
    public private(set) var state: State
    /// Whether an exchange was ever completed, so that a failed one falls back to it.
    public private(set) var hasAgreement: Bool

    /// Starts without any description.
    public init() {
        self.state = .none
        self.hasAgreement = false
    }

    init(state: State, hasAgreement: Bool) {
        self.state = state
        self.hasAgreement = hasAgreement
    }

    /// What a description is, and whether it may be there.
    public enum Role: Sendable, Hashable {
        /// It is an offer.
        case offer
        /// It is the answer to the open offer.
        case answer
        /// It must not be there: an offer is open already.
        case refused
    }

    /// We send a description.
    public mutating func sent() -> Role {
        switch self.state {
        case .none, .agreed:
            self.state = .localOffer
            return .offer
        case .remoteOffer:
            self.state = .agreed
            self.hasAgreement = true
            return .answer
        case .localOffer:
            return .refused
        }
    }

    /// The peer sent a description.
    public mutating func received() -> Role {
        switch self.state {
        case .none, .agreed:
            self.state = .remoteOffer
            return .offer
        case .localOffer:
            self.state = .agreed
            self.hasAgreement = true
            return .answer
        case .remoteOffer:
            return .refused
        }
    }

    /// The request that carried the open offer failed: what was agreed before stays as it was (RFC 3261 section 14.1).
    public mutating func rolledBack() {
        guard self.state == .localOffer || self.state == .remoteOffer else { return }
        self.state = self.hasAgreement ? .agreed : .none
    }
}

/// Which INVITE or UPDATE may run in a dialog, and what a colliding one is answered (RFC 3261 section 14, RFC 3311
/// section 5.2, RFC 6141 section 3).
public struct ModificationGate: Sendable, Hashable {
    /// A request that changes the session.
    public enum Pending: Sendable, Hashable, CaseIterable {
        /// None is pending.
        case none
        /// Our INVITE has no final response.
        case localInvite
        /// The peer's INVITE has no final response of ours.
        case remoteInvite
        /// Our UPDATE has no final response.
        case localUpdate
        /// The peer's UPDATE has no final response of ours.
        case remoteUpdate
    }

    /// What to do with a request of the peer.
    public enum Verdict: Sendable, Hashable {
        /// Handle it.
        case accept
        /// Answer 491: ours is pending.
        case requestPending
        /// Answer 500 with Retry-After of 0 to 10 seconds: the peer's last one is not answered yet.
        case retryLater
    }

    /// What is pending.
    public private(set) var pending: Pending
    /// The offer and answer exchange of the dialog.
    public var offerAnswer: OfferAnswer

    /// Starts with nothing pending.
    public init() {
        self.pending = .none
        self.offerAnswer = OfferAnswer()
    }

    init(pending: Pending, offerAnswer: OfferAnswer) {
        self.pending = pending
        self.offerAnswer = offerAnswer
    }

    /// Whether we may send an INVITE now; if so, it counts as pending.
    public mutating func beginInvite() -> Bool {
        guard self.pending == .none, self.offerAnswer.state == .none || self.offerAnswer.state == .agreed else {
            return false
        }
        self.pending = .localInvite
        return true
    }

    /// Whether we may send an UPDATE with an offer now; if so, it counts as pending unless an INVITE is.
    ///
    /// An UPDATE may run inside of an INVITE as long as no offer is open.
    public mutating func beginUpdate() -> Bool {
        guard self.pending != .localUpdate, self.pending != .remoteUpdate,
            self.offerAnswer.state == .none || self.offerAnswer.state == .agreed
        else { return false }
        if self.pending == .none { self.pending = .localUpdate }
        return true
    }

    /// The peer sent an INVITE.
    public mutating func receivedInvite() -> Verdict {
        switch self.pending {
        case .none:
            self.pending = .remoteInvite
            return .accept
        case .localInvite, .localUpdate: return .requestPending
        case .remoteInvite, .remoteUpdate: return .retryLater
        }
    }

    /// The peer sent an UPDATE.
    ///
    /// - Parameter hasOffer: Whether it carries a description; one without never collides.
    public mutating func receivedUpdate(hasOffer: Bool) -> Verdict {
        if self.pending == .remoteUpdate { return .retryLater }
        guard hasOffer else { return .accept }
        switch self.offerAnswer.state {
        case .localOffer: return .requestPending
        case .remoteOffer: return .retryLater
        case .none, .agreed:
            if self.pending == .localUpdate { return .requestPending }
            if self.pending == .none { self.pending = .remoteUpdate }
            return .accept
        }
    }

    /// The pending request got its final response.
    ///
    /// - Parameter succeeded: Whether that was a 2xx. After a failure an open offer is rolled back.
    public mutating func finished(succeeded: Bool) {
        self.pending = .none
        if !succeeded { self.offerAnswer.rolledBack() }
    }

    /// How long to wait before trying again after a 491 (RFC 3261 section 14.1): 2.1 to 4 seconds for the owner of the
    /// Call-ID, 0 to 2 seconds for the other, in steps of 10 ms.
    ///
    /// - Parameter random: A number that the caller drew; every value is good.
    /// - Returns: Milliseconds.
    public static func glareDelayMilliseconds(isCallIDOwner: Bool, random: UInt64) -> Int {
        isCallIDOwner ? 2100 + Int(random % 191) * 10 : Int(random % 201) * 10
    }
}
