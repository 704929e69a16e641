import ClientWire
import Interconnect
import MessagingCore
import MessagingService
import SessionCore
import Testing

/// Requests whose lists of places are longer than anybody needs.
@Suite("Requests with very long lists", .timeLimit(.minutes(4)))
struct LongListTests {
    @Test(
        "an INVITE with more of them than the limits have is refused, and nothing else is disturbed",
        arguments: [
            ("Record-Route, each in a field of its own", 300, false), ("Record-Route in one field", 300, true),
            ("Record-Route in a field that is too long", 2000, true), ("Contact", 300, true),
        ] as [(String, Int, Bool)]
    )
    func lists(what: String, count: Int, isOne: Bool) async throws {
        let pair = try await RawPeerTests.Pair()
        let (id, _, _, talk) = try await pair.open()
        let (sip, tunnel) = try await pair.connect()
        let name = what.hasPrefix("Contact") ? "Contact" : "Record-Route"
        let places = (0..<count).map { "<sip:p\($0);lr>" }
        let fields = isOne ? ["\(name): \(places.joined(separator: ","))"] : places.map { "\(name): \($0)" }
        try sip.send(
            "INVITE",
            from: RawPeerTests.bob.description,
            to: pair.alice.address.description,
            call: "long",
            ["P-Asserted-Identity: <\(RawPeerTests.bob)>"] + fields,
            body: sip.description(1, setup: "actpass", session: "long")
        )
        let answer = try await sip.answer(1)
        #expect(answer.hasPrefix("SIP/2.0 4") || answer.hasPrefix("SIP/2.0 513"), "\(answer.prefix(60))")
        #expect(pair.a.interconnect.liveDialogs == 1)
        #expect(try await pair.a.service.sessions(pair.alice.who).sessions.count == 1)
        // The conversation that there is goes on, and so does whoever comes anew.
        try await pair.a.say("still here", pair.alice, id)
        #expect(try await talk.message().hasSuffix("\r\nstill here"))
        let (other, second) = try await pair.connect()
        try other.send("OPTIONS", from: RawPeerTests.bob.description, to: "sip:a.example", call: "after")
        #expect(try await other.answer(1).hasPrefix("SIP/2.0 200"))
        await tunnel.close()
        await second.close()
        await pair.end()
    }
}
