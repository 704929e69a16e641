import SDP
import Testing

@Suite("Exchange of offers and answers")
struct OfferAnswerExchangeTests {
    typealias Make = OfferAnswerTests

    /// The inputs of the machine.
    enum Input: CaseIterable {
        case sendOffer
        case receiveOffer
        case sendAnswer
        case receiveAnswer
        case withdraw
    }

    static let ours = Make.description("a", Make.audio())
    static let theirs = Make.description("b", Make.audio(port: 6000))

    /// An exchange brought to a phase.
    static func exchange(_ phase: OfferAnswerExchange.Phase) throws -> OfferAnswerExchange {
        var exchange = OfferAnswerExchange()
        switch phase {
        case .idle: break
        case .localOffer: _ = try exchange.sendOffer(Self.ours)
        case .remoteOffer: _ = try exchange.receiveOffer(Self.theirs)
        case .agreed:
            _ = try exchange.sendOffer(Self.ours)
            _ = try exchange.receiveAnswer(Self.theirs)
        }
        return exchange
    }

    static func apply(_ input: Input, to exchange: inout OfferAnswerExchange) throws {
        switch input {
        case .sendOffer: _ = try exchange.sendOffer(Self.ours)
        case .receiveOffer: _ = try exchange.receiveOffer(Self.theirs)
        case .sendAnswer: _ = try exchange.sendAnswer(Self.ours)
        case .receiveAnswer: _ = try exchange.receiveAnswer(Self.theirs)
        case .withdraw: try exchange.withdraw()
        }
    }

    @Test("every state and input: the next state, or the error with the state unchanged")
    func table() throws {
        typealias Outcome = Result<OfferAnswerExchange.Phase, SDPError>
        func fails(_ code: SDPError.Code) -> Outcome { .failure(SDPError(code, "")) }
        // Columns as in Input: send offer, receive offer, send answer, receive answer, withdraw.
        let table: [(OfferAnswerExchange.Phase, [Outcome])] = [
            (
                .idle,
                [
                    .success(.localOffer), .success(.remoteOffer), fails(.wrongState), fails(.wrongState),
                    fails(.wrongState),
                ]
            ),
            (
                .localOffer,
                [fails(.wrongState), fails(.glare), fails(.wrongState), .success(.agreed), .success(.idle)]
            ),
            (
                .remoteOffer,
                [fails(.wrongState), fails(.wrongState), .success(.agreed), fails(.wrongState), .success(.idle)]
            ),
            (
                .agreed,
                [
                    .success(.localOffer), .success(.remoteOffer), fails(.wrongState), fails(.wrongState),
                    fails(.wrongState),
                ]
            ),
        ]
        for (phase, outcomes) in table {
            for (input, outcome) in zip(Input.allCases, outcomes) {
                var exchange = try Self.exchange(phase)
                let before = exchange
                switch outcome {
                case .success(let next):
                    try Self.apply(input, to: &exchange)
                    #expect(exchange.phase == next, "\(phase) \(input)")
                case .failure(let error):
                    #expect(throws: error, "\(phase) \(input)") { try Self.apply(input, to: &exchange) }
                    #expect(exchange == before, "\(phase) \(input)")
                }
            }
        }
    }

    @Test("a withdrawn offer leaves what was agreed, and the version goes up with each change")
    func renegotiation() throws {
        var exchange = try Self.exchange(.agreed)
        let agreed = try #require(exchange.agreement)
        var offer = agreed.local
        offer.add(Make.message())
        let sent = try exchange.sendOffer(offer)
        #expect(sent.origin?.sessionVersion == "2")
        #expect(exchange.agreement == agreed)
        #expect(exchange.openOffer == sent)
        try exchange.withdraw()
        #expect(exchange.phase == .agreed)
        #expect(exchange.agreement == agreed)
        // The same description again keeps its version.
        #expect(try exchange.sendOffer(agreed.local).origin?.sessionVersion == "1")
    }

    @Test("slots may not go away")
    func lostSlots() throws {
        var exchange = try Self.exchange(.agreed)
        #expect(throws: SDPError(.mediaMismatch, "")) { try exchange.sendOffer(Make.description("a")) }
        #expect(throws: SDPError(.mediaMismatch, "")) { try exchange.receiveOffer(Make.description("b")) }
        #expect(exchange.phase == .agreed)
    }

    @Test("a refresh is answered with what was said before, open roles settled")
    func refresh() throws {
        let ours = Make.description("a", Make.message(Attribute("setup", "actpass")))
        let theirs = Make.description("b", Make.message(Attribute("setup", "active")))
        var exchange = OfferAnswerExchange()
        _ = try exchange.sendOffer(ours)
        _ = try exchange.receiveAnswer(theirs)
        guard case .repeatAnswer(let answer) = try exchange.receiveOffer(theirs) else {
            Issue.record("a refresh was not recognised")
            return
        }
        #expect(answer.media[0].setup == .passive)
        let agreement = try exchange.sendAnswer(answer)
        #expect(agreement.local.origin?.sessionVersion == "2")
        #expect(agreement.media[0].isLocalConnecting == false)
        #expect(exchange.phase == .agreed)
    }

    @Test("our own answer is held to the offer")
    func strictAnswer() throws {
        let offer = Make.description("b", Make.audio(Attribute("sendonly")))
        var exchange = OfferAnswerExchange()
        #expect(try exchange.receiveOffer(offer) == .answer)
        #expect(throws: SDPError(.directionMismatch, "")) { try exchange.sendAnswer(Self.ours) }
        var other = Make.description("a", Make.audio(Attribute("recvonly")))
        other.media[0].formats = ["18"]
        #expect(throws: SDPError(.notOffered, "")) { try exchange.sendAnswer(other) }
        #expect(exchange.phase == .remoteOffer)
        #expect(
            try exchange.sendAnswer(Make.description("a", Make.audio(Attribute("recvonly")))).media[0].direction
                == .receiveOnly
        )
    }
}
