import ClientWire
import MediaSignalling
import MessagingCore
import MessagingService
import NIOCore
import SDP
import SIP
import SessionCore
import Testing

@testable import SIPGateway

/// Calls that the phone changes.
@Suite("Calls that a phone changes", .timeLimit(.minutes(3)))
struct ChangedCallTests {
    /// Bob calls Alice: her address is the lower one, so her end makes the offers.
    private struct Line {
        let provider: Provider
        let (alice, bob): (Person, Person)
        let (alices, bobs): (TestPhone, TestPhone)
        let answer: SIPMessage

        static func start() async throws -> Line {
            let provider = try await Provider.start()
            let (alice, bob) = (try await provider.person("alice"), try await provider.person("bob"))
            let alices = try await TestPhone.make(try await provider.phone(of: alice), at: provider, .tcp)
            let bobs = try await TestPhone.make(try await provider.phone(of: bob), at: provider, .tcp)
            try await bobs.hears(at: 42000)
            for phone in [alices, bobs] { try await phone.register() }
            try await provider.isAble(alice, bob)
            let answer = try await bobs.call("sip:alice@example.org", offer: TestPhone.offer(42000))
            #expect(answer.status == 200)
            let line = Line(provider: provider, alice: alice, bob: bob, alices: alices, bobs: bobs, answer: answer)
            #expect(try await eventually { try await line.isToldToSend(to: 42000) })
            return line
        }

        /// Whether Alice's phone was told that port last.
        func isToldToSend(to port: Int) async throws -> Bool {
            let told = try await alices.all().filter { $0.bodyLength > 0 }.last
            return told.map { String(buffer: $0.body).contains("m=audio \(port) ") } ?? false
        }

        func held() async throws -> [Address]? {
            guard let id = try await provider.service.sessions(alice.identity).sessions.first?.id else { return nil }
            return try await provider.service.session(alice.identity, id).media.first?.held
        }

        func stop() async throws {
            for phone in [alices, bobs] { try await phone.close() }
            try await provider.stop()
        }
    }

    @Test("A phone that wants its media elsewhere gets them there, though the other end makes the offers")
    func moves() async throws {
        let line = try await Line.start()
        try await line.bobs.hears(at: 45000)
        let changed = try await line.bobs.within(line.answer, .invite) {
            $0.setBody(ByteBuffer(string: TestPhone.offer(45000)), contentType: "application/sdp")
        }
        #expect(changed.status == 200)
        try await line.bobs.acknowledge(changed)
        #expect(try await eventually { try await line.isToldToSend(to: 45000) })
        try await line.stop()
    }

    @Test("Each 2xx of a phone has its own ACK, however often it comes; a second place is ended once")
    func repeated() async throws {
        let line = try await Line.start()
        func acknowledged() async throws -> [String] {
            try await line.alices.received(.ack).map { "\(try $0.to().tag ?? "") \(try $0.cSeq().number)" }
        }
        let first = try #require(try await acknowledged().first)
        // By now a later INVITE may have had its ACK too.
        let known = try await acknowledged().count
        try await line.alices.answersAgain(as: "fork")
        #expect(try await eventually { try await line.alices.received(.bye).count == 1 })
        for number in 1...2 {
            try await line.alices.answersAgain(as: "fork")
            #expect(try await eventually { try await acknowledged().count == known + 1 + number })
        }
        try await line.alices.answersAgain()
        #expect(try await eventually { try await acknowledged().count == known + 4 })
        let all = try await acknowledged()
        #expect(Set(all[known..<known + 3]).count == 1 && all[known].hasPrefix("fork "))
        #expect(all.last == first)
        #expect(try await line.alices.received(.bye).count == 1)
        try await line.stop()
    }

    @Test("A phone that takes a change after its call has ended has its ACK all the same")
    func late() async throws {
        let line = try await Line.start()
        try await line.alices.rings(true)
        let held = try await line.bobs.within(line.answer, .invite) {
            $0.setBody(ByteBuffer(string: TestPhone.offer(42000) + "a=sendonly\r\n"), contentType: "application/sdp")
        }
        try await line.bobs.acknowledge(held)
        func asked() async throws -> UInt32? { try await line.alices.received(.invite).last?.cSeq().number }
        #expect(try await eventually { try await asked() ?? 0 > 1 })
        #expect(try await line.bobs.within(line.answer, .bye).status == 200)
        #expect(try await eventually { try await line.alices.received(.bye).count == 1 })
        let number = try await asked()
        #expect(try await line.alices.received(.ack).allSatisfy { try $0.cSeq().number != number })
        try await line.alices.rings(false)
        #expect(
            try await eventually { try await line.alices.received(.ack).contains { try $0.cSeq().number == number } }
        )
        try await line.stop()
    }

    @Test(
        "A phone that asks for an offer answers in its ACK: where it listens now, and that it holds; without one it is over"
    )
    func asks() async throws {
        let line = try await Line.start()
        try await line.bobs.hears(at: 46000)
        let offered = try await line.bobs.within(line.answer, .invite)
        #expect(offered.status == 200)
        #expect(String(buffer: offered.body).contains("m=audio"))
        // Nothing else before it has answered.
        let early = try await line.bobs.within(line.answer, .invite) {
            $0.setBody(ByteBuffer(string: TestPhone.offer(47000)), contentType: "application/sdp")
        }
        #expect(early.status == 491)
        try await line.bobs.acknowledge(offered, body: TestPhone.offer(46000) + "a=sendonly\r\n")
        #expect(try await eventually { try await line.held() == [line.bob.address] })
        #expect(try await eventually { try await line.isToldToSend(to: 46000) })
        #expect(try await line.bobs.received(.bye).isEmpty)
        // What the server asks of the phone on its own account is over before that.
        var again = try await line.bobs.within(line.answer, .invite)
        for _ in 1...20 where again.status == 491 {
            try await Task.sleep(for: .milliseconds(200))
            again = try await line.bobs.within(line.answer, .invite)
        }
        #expect(again.status == 200)
        try await line.bobs.acknowledge(again)
        #expect(try await eventually { try await line.bobs.received(.bye).count == 1 })
        try await line.stop()
    }
}

/// What the machine makes of it.
@Suite("Offers and answers of a phone that changes its call")
struct ChangedExchangeTests {
    private static let now = ExchangeTests.now
    private static let bob = Address(stored: "sip:bob@example.org")

    /// A call that runs, the phone at 4000 and the other end at 5000.
    private static func running(offers: Bool) throws -> (MediaExchange, MediaLine, offer: MediaPayload) {
        var exchange = try ExchangeTests.make()
        let line = try ExchangeTests.line(offers: offers)
        _ = exchange.set([line], now: now)
        _ = exchange.phoneOffered(try ExchangeTests.description(4000), isAdmitted: true, now: now)
        var theirs = try ExchangeTests.description(5000)
        theirs.media[0].set(Attribute("mid", "x"))
        let payload = MediaPayload.description(offers ? .answer : .offer, theirs, names: offers ? [:] : ["x": 1])
        let actions = exchange.take(payload, from: line, now: now)
        #expect(actions.contains(.agreed(line)))
        #expect(exchange.phase == .idle)
        return (exchange, line, payload)
    }

    @Test("Elsewhere: whoever makes the offers is asked for one, and the same one again goes to the phone")
    func elsewhere() throws {
        var (exchange, line, offer) = try Self.running(offers: false)
        #expect(exchange.phoneChanges(try ExchangeTests.description(4000), now: Self.now).1.isEmpty)
        #expect(exchange.phoneChanges(try ExchangeTests.description(4002), now: Self.now).1 == [.signal(line, .ask)])
        let told = exchange.take(offer, from: line, now: Self.now)
        guard case .offer? = told.first else {
            _ = Issue.record("\(told)")
            return
        }
        let answered = exchange.phoneAnswered(try ExchangeTests.description(4002), now: Self.now)
        guard case .signal(line, .description(.answer, let answer, _))? = answered.first else {
            _ = Issue.record("\(answered)")
            return
        }
        #expect(answer.media.map(\.port) == [4002])
        var (own, _, _) = try Self.running(offers: true)
        #expect(own.phoneChanges(try ExchangeTests.description(4002), now: Self.now).1 == [.fetch])
    }

    @Test("Elsewhere in the answer to news of the session: the other end learns that too")
    func elsewhereInAnswer() throws {
        for offers in [true, false] {
            var (exchange, line, _) = try Self.running(offers: offers)
            guard
                case .offer? = exchange.set([try ExchangeTests.line(offers: offers, held: [Self.bob])], now: Self.now)
                    .first
            else {
                _ = Issue.record("no offer")
                return
            }
            line.held = [Self.bob]
            let actions = exchange.phoneAnswered(try ExchangeTests.description(4002, "recvonly"), now: Self.now)
            #expect(actions == (offers ? [.fetch] : [.signal(line, .ask)]))
        }
    }

    @Test("A phone that only listens holds nothing, and may send again without a word of its own")
    func listens() throws {
        var (exchange, line, _) = try Self.running(offers: true)
        let held = try ExchangeTests.line(offers: true, held: [Self.bob])
        _ = exchange.set([held], now: Self.now)
        _ = exchange.phoneAnswered(try ExchangeTests.description(4000, "recvonly"), now: Self.now)
        // It asks whether we are there.
        let (answer, actions) = exchange.phoneChanges(try ExchangeTests.description(4000, "recvonly"), now: Self.now)
        #expect(answer.media[0].statedDirection == .sendOnly)
        #expect(actions.isEmpty)
        #expect(exchange.heldByPhone.isEmpty)
        guard case .offer(let flowing)? = exchange.set([line], now: Self.now).first else {
            _ = Issue.record("no offer")
            return
        }
        #expect(flowing.media[0].statedDirection == .sendReceive)
        _ = exchange.phoneAnswered(try ExchangeTests.description(4000), now: Self.now)
        // One that has nothing to send, such as no camera: answered, and nothing follows.
        let (silent, none) = exchange.phoneChanges(try ExchangeTests.description(4000, "recvonly"), now: Self.now)
        #expect(silent.media[0].statedDirection == .sendOnly)
        #expect(none.isEmpty && exchange.heldByPhone.isEmpty)
        line.held = []
        #expect(exchange.set([line], now: Self.now).isEmpty)
    }

    @Test("An answer in an ACK: a hold is one, unless nothing else was offered; a new place is told")
    func agreed() throws {
        var (exchange, line, _) = try Self.running(offers: false)
        _ = exchange.current()
        #expect(
            exchange.phoneAgreed(try ExchangeTests.description(4002, "sendonly"), now: Self.now) == [
                .signal(line, .ask)
            ]
        )
        #expect(exchange.heldByPhone == [1])
        var waiting = try ExchangeTests.make()
        _ = waiting.set([try ExchangeTests.line(offers: false)], now: Self.now)
        _ = waiting.phoneOffered(try ExchangeTests.description(4000), isAdmitted: true, now: Self.now)
        _ = waiting.timeReached(Self.now + MediaExchange.answerWithin)
        #expect(waiting.current().media[0].statedDirection == .inactive)
        _ = waiting.phoneAgreed(try ExchangeTests.description(4000, "inactive"), now: Self.now)
        #expect(waiting.heldByPhone.isEmpty)
    }
}
