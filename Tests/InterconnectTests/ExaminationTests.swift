import Interconnect
import Logging
import Testing

@Suite("Looking at the way to a provider")
struct ExaminationTests {
    private func look(_ domain: String, from own: String, at port: Int) async throws -> [PeerFinding] {
        let files = try await Authority.shared.certificate(own)
        let configuration = InterconnectConfiguration(
            domains: [own],
            certificate: files.certificate,
            key: files.key,
            authorities: try await Authority.shared.root(),
            peers: [peer("b.example", port)]
        )
        return await Interconnect.examine(domain, configuration, logger: Logger(label: "test"))
    }

    @Test("all is well")
    func good() async throws {
        let b = try await Provider("b.example", peers: [peer("a.example", 1)])
        let findings = try await look("b.example", from: "a.example", at: b.port)
        #expect(findings.filter { !$0.isGood } == [])
        #expect(
            findings.map(\.subject) == [.certificate, .peer, .route, .connection, .identity, .answer, .clock]
        )
        await b.stop()
    }

    @Test("the first thing that is wrong is named, and what it means")
    func bad() async throws {
        let b = try await Provider("b.example", peers: [peer("a.example", 1)])
        let wrong = try await Provider(
            "b.example",
            certificate: try await Authority.shared.certificate("c.example")
        )
        let over = try await Provider(
            "b.example",
            certificate: try await Authority.shared.certificate("b.example", isExpired: true)
        )
        let stranger = try await Provider(
            "b.example",
            certificate: try await Authority.stranger.certificate("b.example")
        )
        let closed = try freePort()
        let cases: [(String, String, Int, PeerFinding.Subject)] = [
            ("d.example", "a.example", b.port, .peer),
            ("b.example", "a.example", closed, .connection),
            ("b.example", "a.example", wrong.port, .identity),
            ("b.example", "a.example", over.port, .identity),
            ("b.example", "a.example", stranger.port, .answer),
            // The other side does not know this one.
            ("b.example", "e.example", b.port, .answer),
        ]
        for (domain, own, port, subject) in cases {
            let findings = try await look(domain, from: own, at: port)
            let last = try #require(findings.last)
            #expect(findings.dropLast().filter { !$0.isGood } == [])
            #expect(!last.isGood)
            #expect(last.subject == subject, "\(findings)")
            #expect(last.mend != nil)
        }
        for one in [b, wrong, over, stranger] { await one.stop() }
    }
}
