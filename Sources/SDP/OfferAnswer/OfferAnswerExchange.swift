/// The offers and answers of one dialog (RFC 3264, RFC 6337): at most one offer is open at a time.
///
/// ```
///                     sendOffer                    receiveAnswer
///   idle / agreed ---------------> localOffer  --------------------> agreed
///                     receiveOffer                 sendAnswer
///   idle / agreed ---------------> remoteOffer --------------------> agreed
///
///   localOffer, remoteOffer -- withdraw --> what was before the offer
/// ```
///
/// An input that is not allowed throws and leaves the state as it was.
public struct OfferAnswerExchange: Sendable, Equatable {
    /// Where the exchange stands.
    public enum Phase: Sendable, Equatable {
        /// Nothing was offered yet.
        case idle
        /// Our offer waits for its answer.
        case localOffer
        /// Their offer waits for our answer.
        case remoteOffer
        /// The last offer was answered.
        case agreed
    }

    /// What a received offer asks for.
    public enum OnOffer: Sendable, Equatable {
        /// Decide on the media and answer.
        case answer
        /// Their description is the one agreed on: repeat our last description as the answer (a session refresh).
        case repeatAnswer(SessionDescription)
    }

    private enum State: Equatable {
        case idle
        case localOffer(SessionDescription, previous: Agreement?)
        case remoteOffer(SessionDescription, previous: Agreement?)
        case agreed(Agreement)
    }

    private var state: State = .idle

    /// Begins without any agreement.
    public init() {}

    /// Where the exchange stands.
    public var phase: Phase {
        switch self.state {
        case .idle: .idle
        case .localOffer: .localOffer
        case .remoteOffer: .remoteOffer
        case .agreed: .agreed
        }
    }

    /// What holds now: while an offer is open, what was agreed before it.
    public var agreement: Agreement? {
        switch self.state {
        case .idle: nil
        case .localOffer(_, let previous), .remoteOffer(_, let previous): previous
        case .agreed(let agreement): agreement
        }
    }

    /// The open offer, whoever made it.
    public var openOffer: SessionDescription? {
        switch self.state {
        case .idle, .agreed: nil
        case .localOffer(let offer, _), .remoteOffer(let offer, _): offer
        }
    }

    /// Opens our offer.
    ///
    /// - Returns: the offer to send, its version one higher when it differs from our last description.
    /// - Throws: ``SDPError`` when an offer is open already, or media of the last description are missing.
    public mutating func sendOffer(_ offer: SessionDescription) throws(SDPError) -> SessionDescription {
        switch self.state {
        case .localOffer, .remoteOffer:
            throw SDPError(.wrongState, "no second offer while one is open")
        case .idle:
            self.state = .localOffer(offer, previous: nil)
            return offer
        case .agreed(let agreement):
            try Self.check(offer, keepsSlotsOf: agreement.local)
            let next = offer.succeeding(agreement.local)
            self.state = .localOffer(next, previous: agreement)
            return next
        }
    }

    /// Takes their offer.
    ///
    /// - Throws: ``SDPError`` with code `glare` while our own is open (SIP answers it with 491), with `wrongState`
    ///   while theirs is (500), or when media of their last description are missing.
    public mutating func receiveOffer(_ offer: SessionDescription) throws(SDPError) -> OnOffer {
        switch self.state {
        case .localOffer:
            throw SDPError(.glare, "no offer while ours is open")
        case .remoteOffer:
            throw SDPError(.wrongState, "no second offer while one is open")
        case .idle:
            self.state = .remoteOffer(offer, previous: nil)
            return .answer
        case .agreed(let agreement):
            try Self.check(offer, keepsSlotsOf: agreement.remote)
            self.state = .remoteOffer(offer, previous: agreement)
            return offer == agreement.remote ? .repeatAnswer(agreement.settledLocal) : .answer
        }
    }

    /// Answers their offer.
    ///
    /// - Returns: what was agreed; its `local` is the answer to send, its version kept in order.
    /// - Throws: ``SDPError`` when no offer of theirs is open or the answer does not fit it.
    public mutating func sendAnswer(_ answer: SessionDescription) throws(SDPError) -> Agreement {
        guard case .remoteOffer(let offer, let previous) = self.state else {
            throw SDPError(.wrongState, "an offer of theirs to answer")
        }
        for (offered, answered) in zip(offer.media, answer.media) where !answered.isRejected {
            let (asked, given) = (offer.direction(of: offered), answer.direction(of: answered))
            guard asked.answering(wish: given) == given else {
                throw SDPError(.directionMismatch, "what \(asked.rawValue) allows, not \(given.rawValue)")
            }
            guard !Set(offered.formats).isDisjoint(with: answered.formats) else {
                throw SDPError(.notOffered, "a format of the offer")
            }
        }
        let next = previous.map { answer.succeeding($0.local) } ?? answer
        let agreement = try Agreement(local: next, remote: offer, isLocalOffer: false)
        self.state = .agreed(agreement)
        return agreement
    }

    /// Takes the answer to our offer.
    ///
    /// A direction wider than the offer allows is narrowed, as some peers state their own wish there.
    ///
    /// - Throws: ``SDPError`` when no offer of ours is open or the answer does not fit it.
    public mutating func receiveAnswer(_ answer: SessionDescription) throws(SDPError) -> Agreement {
        guard case .localOffer(let offer, _) = self.state else {
            throw SDPError(.wrongState, "an offer of ours to be answered")
        }
        let agreement = try Agreement(local: offer, remote: answer, isLocalOffer: true)
        self.state = .agreed(agreement)
        return agreement
    }

    /// Ends the open offer without an answer, by whoever made or refused it: what was agreed before still holds.
    ///
    /// - Throws: ``SDPError`` when no offer is open.
    public mutating func withdraw() throws(SDPError) {
        switch self.state {
        case .localOffer(_, let previous), .remoteOffer(_, let previous):
            self.state = previous.map(State.agreed) ?? .idle
        case .idle, .agreed:
            throw SDPError(.wrongState, "an open offer")
        }
    }

    private static func check(
        _ offer: SessionDescription,
        keepsSlotsOf earlier: SessionDescription
    ) throws(SDPError) {
        guard offer.media.count >= earlier.media.count else {
            throw SDPError(.mediaMismatch, "at least \(earlier.media.count) media: a slot is never dropped")
        }
    }
}
