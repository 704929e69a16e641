import MSRP
import NIOCore
import Testing

/// Every state of a relay's client with every input (RFC 4976 section 5.1).
@Suite struct RelayClientTableTests {
    enum Input: CaseIterable {
        case start
        case ok
        case challenge
        case bounds
        case refusal
        case unmatched
        case timerEarly
        case timerDue
        case lost
    }

    static let zero = NIODeadline.uptimeNanoseconds(0)
    static let relay = MSRPURI.known("msrps://relay.example.com:2855;tcp")
    static let granted = MSRPURI.known("msrps://relay.example.com:2855/granted;tcp")

    static func make() -> RelayClient {
        RelayClient(
            relay: [Self.relay],
            local: .alice,
            credentials: .init(username: "alice", password: "secret"),
            seed: 1
        )
    }

    /// A client in a state, and the id of its last request.
    static func client(_ phase: RelayClient.Phase) throws -> (RelayClient, String) {
        var client = Self.make()
        guard phase != .idle else { return (client, "none0000") }
        guard case .send(let frame) = client.start(now: Self.zero) else { return (client, "none0000") }
        let id = frame.transactionID.text
        switch phase {
        case .idle, .asking: break
        case .authorized: _ = client.received(try Self.answer(.ok, id), now: Self.zero)
        case .failed: _ = client.connectionLost()
        }
        return (client, id)
    }

    static func answer(_ input: Input, _ id: String, stale: Bool = false) throws -> FrameHead {
        let paths = ["To-Path: \(MSRPURI.alice.text)", "From-Path: \(Self.relay.text)"]
        let lines: [String] =
            switch input {
            case .ok: ["MSRP \(id) 200 OK"] + paths + ["Use-Path: \(Self.granted.text)", "Expires: 100"]
            case .challenge:
                ["MSRP \(id) 401 Unauthorized"] + paths
                    + ["WWW-Authenticate: Digest realm=\"r\", nonce=\"n\", qop=\"auth\"\(stale ? ", stale=true" : "")"]
            case .bounds: ["MSRP \(id) 423 Bounds"] + paths + ["Min-Expires: 1800"]
            default: ["MSRP \(id) 403 Forbidden"] + paths
            }
        let text = lines.joined(separator: "\r\n") + "\r\n-------\(id)$\r\n"
        return try #require(Collected(Array(text.utf8), split: [.max]).complete.first).head
    }

    static func describe(_ action: RelayClient.Action) -> String {
        switch action {
        case .send(let frame): frame.headers.map(\.name).joined(separator: "+")
        case .authorized(let path): "authorized \(path.map(\.text).joined())"
        case .fail(let code): "fail \(code.rawValue)"
        case .ignore: "ignore"
        }
    }

    static let table: [RelayClient.Phase: [Input: (String, RelayClient.Phase)]] = [
        .idle: [.start: ("Expires", .asking)],
        .asking: [
            .start: ("Expires", .asking),
            .ok: ("authorized \(Self.granted.text)", .authorized),
            .challenge: ("Expires+Authorization", .asking),
            .bounds: ("Expires", .asking),
            .refusal: ("fail refused", .failed),
            .timerDue: ("fail transaction-timeout", .failed),
            .lost: ("fail connection-lost", .failed),
        ],
        .authorized: [
            .start: ("Expires", .asking),
            .timerDue: ("Expires", .asking),
            .lost: ("fail connection-lost", .failed),
        ],
        .failed: [.start: ("Expires", .asking)],
    ]

    @Test(arguments: RelayClient.Phase.allCases, Input.allCases)
    func transition(_ phase: RelayClient.Phase, _ input: Input) throws {
        var (client, id) = try Self.client(phase)
        #expect(client.phase == phase)
        let action: RelayClient.Action =
            switch input {
            case .start: client.start(now: Self.zero)
            case .ok, .challenge, .bounds, .refusal:
                client.received(try Self.answer(input, id), now: Self.zero)
            case .unmatched: client.received(try Self.answer(.ok, "other000"), now: Self.zero)
            case .timerEarly: client.timerFired(now: Self.zero)
            case .timerDue: client.timerFired(now: Self.zero + .hours(1))
            case .lost: client.connectionLost()
            }
        let expected = Self.table[phase]?[input] ?? ("ignore", phase)
        #expect(Self.describe(action) == expected.0)
        #expect(client.phase == expected.1)
        #expect((client.usePath != nil) == (client.phase == .authorized))
        #expect((client.failure != nil) == (client.phase == .failed))
        let isTimed = client.phase == .asking || client.phase == .authorized
        #expect((client.nextDeadline != nil) == isTimed)
    }

    @Test func twoChallengesMeanNoUnlessTheFirstNonceWasStale() throws {
        for (stale, expected) in [(false, "fail not-authorized"), (true, "Expires+Authorization")] {
            var (client, id) = try Self.client(.asking)
            guard case .send(let second) = client.received(try Self.answer(.challenge, id), now: Self.zero) else {
                Issue.record("no second request")
                return
            }
            let again = try Self.answer(.challenge, second.transactionID.text, stale: stale)
            #expect(Self.describe(client.received(again, now: Self.zero)) == expected)
        }
    }

    @Test func theLifetimeOfTheRelayIsTakenOver() throws {
        var (client, id) = try Self.client(.asking)
        guard case .send(let second) = client.received(try Self.answer(.bounds, id), now: Self.zero) else {
            Issue.record("no second request")
            return
        }
        #expect(second.headers == [.init("Expires", "1800")])
        // Once is enough.
        let again = try Self.answer(.bounds, second.transactionID.text)
        #expect(client.received(again, now: Self.zero) == .fail(.refused))
    }

    @Test func itAsksAgainBeforeTheLifetimeEnds() throws {
        let (client, _) = try Self.client(.authorized)
        #expect(client.nextDeadline == Self.zero + .seconds(50))
    }

    @Test func theProofOfTheRelayIsCheckedAndItsNextNonceTaken() throws {
        func answered(_ info: (_ proof: String) -> String) throws -> (RelayClient, RelayClient.Action) {
            var (client, id) = try Self.client(.asking)
            guard case .send(let frame) = client.received(try Self.answer(.challenge, id), now: Self.zero),
                let value = frame.headers.first(where: { $0.name == "Authorization" })?.value,
                let nonce = value.split(separator: "cnonce=\"").last?.split(separator: "\"").first
            else { throw MSRPError(.refused, "no answer to the challenge") }
            let challenge = try DigestChallenge(parsing: "Digest realm=\"r\", nonce=\"n\", qop=\"auth\"")
            let proof = challenge.proof(
                .init(username: "alice", password: "secret"),
                uri: Self.relay.text,
                count: 1,
                clientNonce: String(nonce)
            )
            let text =
                "MSRP \(frame.transactionID.text) 200 OK\r\nTo-Path: \(MSRPURI.alice.text)\r\n"
                + "From-Path: \(Self.relay.text)\r\nUse-Path: \(Self.granted.text)\r\nExpires: 100\r\n"
                + "Authentication-Info: \(info(proof))\r\n-------\(frame.transactionID.text)$\r\n"
            let head = try #require(Collected(Array(text.utf8), split: [.max]).complete.first).head
            let action = client.received(head, now: Self.zero)
            return (client, action)
        }
        let (_, forged) = try answered { _ in "rspauth=\"\(String(repeating: "0", count: 32))\", qop=auth" }
        #expect(forged == .fail(.notAuthorized))
        let (_, silent) = try answered { _ in "qop=auth" }
        #expect(silent == .authorized([Self.granted]))
        var (client, proved) = try answered { "nextnonce=\"other\", rspauth=\"\($0)\", qop=auth" }
        #expect(proved == .authorized([Self.granted]))
        guard case .send(let again) = client.timerFired(now: Self.zero + .seconds(100)) else {
            Issue.record("it does not ask again")
            return
        }
        let value = try #require(again.headers.first { $0.name == "Authorization" }?.value)
        #expect(value.contains("nonce=\"other\"") && value.contains("nc=00000001"))
    }

    @Test(arguments: ["MD5", "SHA-256"])
    func challengesAreRead(_ algorithm: String) throws {
        let challenge = try DigestChallenge(
            parsing:
                "Digest realm=\"a \\\"b\\\", c\", nonce=abc, qop=\"auth-int, auth\", algorithm=\(algorithm), opaque=\"o\""
        )
        #expect(challenge.realm == "a \"b\", c")
        #expect(challenge.nonce == "abc")
        #expect(challenge.algorithm.rawValue == algorithm)
        #expect(challenge.opaque == "o")
        #expect(!challenge.isStale)
    }

    /// The example in RFC 7977 section 8.1.2 does not name its password; this response was computed by other means.
    @Test func theAnswerIsWhatTheRelayComputes() throws {
        let challenge = try DigestChallenge(parsing: "Digest realm=\"example.com\", nonce=\"abc\", qop=\"auth\"")
        let value = challenge.authorization(
            .init(username: "alice", password: "secret"),
            uri: "msrps://alice@a.example.com:443;ws",
            count: 10,
            clientNonce: "xyz"
        )
        #expect(value.contains("nc=0000000a"))
        #expect(value.contains("response=\"e37ac4eac98332accd9897d8f644963e\""))
    }

    @Test(arguments: [
        "Basic realm=\"r\"", "Digest nonce=\"n\"", "Digest realm=\"r\", nonce=\"n",
        "Digest realm=\"r\", nonce=\"n\", qop=\"auth-int\"",
        "Digest realm=\"r\", nonce=\"n\", algorithm=SHA-1", "Digest realm", "",
    ])
    func whatCannotBeAnsweredIsRefused(_ value: String) {
        #expect(throws: MSRPError(.malformedChallenge, "")) { try DigestChallenge(parsing: value) }
    }
}
