import Foundation
import NIOCore
import SIP
import Testing

@Suite("Digest")
struct DigestTests {
    static let computations = Corpus.entries("digest").filter { $0.file.hasSuffix(".json") }

    @Test("Each computation of the corpus", arguments: computations)
    func compute(entry: Corpus.Entry) throws {
        let root = try JSON.parse(try Corpus.data(entry.file))
        let input = try #require(root["input"])
        let output = try #require(root["output"])
        func text(_ key: String) -> String { input[key]?.string ?? "" }
        let algorithm = try #require(DigestAlgorithm(name: input["algorithm"]?.string ?? "MD5"))
        let secret = algorithm.credentialHash(
            username: text("username"),
            realm: text("realm"),
            password: text("password")
        )
        let computation = DigestComputation(
            algorithm: algorithm,
            credentialHash: secret,
            nonce: text("nonce"),
            protection: input["qop"]?.string.flatMap(DigestProtection.init),
            clientNonce: text("cnonce"),
            nonceCount: text("nc")
        )
        let body = Array(text("body").utf8)
        #expect(
            computation.response(method: text("method"), uri: text("uri"), body: body) == output["response"]?.string
        )
        if let hash = output["ha1"]?.string { #expect(computation.keyHash == hash) }
        if let hash = output["ha2"]?.string {
            #expect(computation.requestHash(method: text("method"), uri: text("uri"), body: body) == hash)
        }
        if let expected = output["rspauth"]?.string {
            let answer = Array(text("response_body").utf8)
            #expect(computation.response(method: "", uri: text("uri"), body: answer) == expected)
        }
        if let userhash = output["userhash"]?.string {
            #expect(algorithm.hash(Array("\(text("username")):\(text("realm"))".utf8)) == userhash)
        }
    }

    @Test("The vector of the wire notes: SHA-256 and MD5")
    func vector() {
        for (algorithm, expected) in [
            (DigestAlgorithm.sha256, "fae7d52a1d53b5979ed2bc97fa5cc50278f9e463d92851eaf17fc4bae09bf795"),
            (.md5, "a21a189fd11e9fab07441cd7965edc73"),
        ] {
            let computation = DigestComputation(
                algorithm: algorithm,
                credentialHash: algorithm.credentialHash(
                    username: "alice@cpm.example",
                    realm: "cpm.example",
                    password: "correct horse"
                ),
                nonce: "dcd98b7102dd2f0e8b11d0f600bfb0c0",
                clientNonce: "0a4f113b"
            )
            #expect(computation.response(method: "REGISTER", uri: "sip:cpm.example") == expected)
        }
    }

    @Test("SHA-512/256 of known texts (FIPS 180-4 examples)")
    func sha512t256() {
        #expect(
            DigestAlgorithm.sha512t256.hash(Array("abc".utf8))
                == "53048e2681941ef99b2e29b76b4c7dabe4c2d0c634fc6d46e0e2f13107e7af23"
        )
        #expect(
            DigestAlgorithm.sha512t256.hash([])
                == "c672b8d1ef56ed28ab87c3622c5114069bdd3ad7b8f9737498d0c01ecef0967a"
        )
    }

    static func challenges(_ file: String) throws -> [AuthenticationValue] {
        let lines = String(decoding: try Corpus.data("digest/\(file)"), as: UTF8.self).split(
            whereSeparator: \.isNewline
        )
        return try lines.map { line in
            try AuthenticationValue(String(line.drop { $0 != ":" }.dropFirst()))
        }
    }

    @Test("Challenges of the corpus")
    func challengeFiles() throws {
        #expect(DigestChallenge.usable(try Self.challenges("challenge-basic.txt")).isEmpty)
        #expect(DigestChallenge.usable(try Self.challenges("challenge-unknown-qop.txt")).isEmpty)
        #expect(
            DigestChallenge.usable(try Self.challenges("challenge-two-algorithms.txt")).map(\.algorithm) == [.sha256]
        )
        #expect(DigestChallenge.usable(try Self.challenges("challenge-stale.txt")).map(\.isStale) == [true])
        let quirks = try #require(DigestChallenge.usable(try Self.challenges("challenge-quirks.txt")).first)
        #expect(quirks.realm == "example.com")
        #expect(quirks.nonce == "a,b=c")
        #expect(quirks.protections == [.auth])
    }

    @Test(
        "Client and server understand each other; replays and wrong passwords are refused",
        arguments: DigestAlgorithm.allCases
    )
    func exchange(algorithm: DigestAlgorithm) throws {
        var server = DigestServer(realm: "example.com", algorithms: [algorithm])
        var client = DigestClient(credentials: .init(username: "bob", password: "zanzibar"))
        var request = try Self.request()
        let start = NIODeadline.uptimeNanoseconds(1)
        func check(_ request: SIPMessage, password: String = "zanzibar", at now: NIODeadline) -> DigestServer.Verdict {
            server.check(request, now: now) { user, base in
                base.credentialHash(username: user, realm: "example.com", password: password)
            }
        }
        #expect(check(request, at: start) == .challenge)
        var response = SIPMessage(401, to: request)
        server.challenge(&response, nonce: "first-nonce", isStale: false, now: start)
        #expect(client.received(response, answered: false) == .retry)
        client.authorise(&request, clientNonce: "c1")
        #expect(check(request, at: start) == .accepted(username: "bob"))
        #expect(check(request, at: start) == .refused(.replayed))
        let used = request
        client.authorise(&request, clientNonce: "c2")
        #expect(request != used)
        #expect(check(request, password: "other", at: start) == .refused(.wrongResponse))
        #expect(check(request, at: start) == .accepted(username: "bob"))
        client.authorise(&request, clientNonce: "c3")
        #expect(check(request, at: start + .minutes(11)) == .stale)
        #expect(client.received(response, answered: true) == .refused)
        var stale = SIPMessage(401, to: request)
        server.challenge(&stale, nonce: "second-nonce", isStale: true, now: start + .minutes(11))
        #expect(client.received(stale, answered: true) == .retry)
        client.authorise(&request, clientNonce: "c4")
        #expect(check(request, at: start + .minutes(11)) == .accepted(username: "bob"))
        request.setRequestURI("sip:elsewhere.example.com")
        #expect(check(request, at: start + .minutes(11)) == .refused(.wrongURI))
    }

    @Test(
        "A user name that goes by as a hash is found, and the server proves that it knows the password",
        arguments: DigestAlgorithm.allCases
    )
    func hiddenNames(algorithm: DigestAlgorithm) throws {
        var server = DigestServer(realm: "example.com", algorithms: [algorithm], hidesUsernames: true)
        var client = DigestClient(credentials: .init(username: "bob", password: "zanzibar"))
        var request = try Self.request()
        let start = NIODeadline.uptimeNanoseconds(1)
        let users = [algorithm.base.usernameHash("bob", realm: "example.com"): "bob"]
        func secret(_ user: String, _ base: DigestAlgorithm) -> String {
            base.credentialHash(username: user, realm: "example.com", password: "zanzibar")
        }
        var challenge = SIPMessage(401, to: request)
        server.challenge(&challenge, nonce: "first", isStale: false, now: start)
        #expect(client.received(challenge, answered: false) == .retry)
        client.authorise(&request, clientNonce: "c1")
        let text = try #require(request.text(.authorization))
        #expect(text.contains("userhash=true") && !text.contains("bob"))
        #expect(server.check(request, now: start, credentialHash: secret) == .refused(.wrongResponse))
        let verdict = server.check(request, now: start, username: { hash, _ in users[hash] }, credentialHash: secret)
        #expect(verdict == .accepted(username: "bob"))

        var answer = SIPMessage(200, to: request)
        server.prove(&answer, to: request, nextNonce: "second", now: start) { secret("bob", $0) }
        var forged = answer
        let info = try #require(answer.text(.authenticationInfo))
        forged.set(.authenticationInfo, info.replacing("rspauth=\"", with: "rspauth=\"0"))
        #expect(client.verify(forged, to: request) == .forged)
        #expect(client.verify(answer, to: request) == .proved(realm: "example.com"))
        #expect(client.verify(SIPMessage(200, to: request), to: request) == .none)
        client.authorise(&request, clientNonce: "c2")
        #expect(request.text(.authorization)?.contains("nonce=\"second\"") == true)
        let again = server.check(request, now: start, username: { hash, _ in users[hash] }, credentialHash: secret)
        #expect(again == .accepted(username: "bob"))
        #expect(client.verify(answer, to: request) == .none, "the proof is of the request before")
    }

    @Test("A proof covers the body when the client asks for that; proxies prove themselves too")
    func proofs() throws {
        var server = DigestServer(realm: "r", algorithms: [.sha256])
        var request = try Self.request()
        let secret = DigestAlgorithm.sha256.credentialHash(username: "u", realm: "r", password: "p")
        let challenge = DigestChallenge(realm: "r", nonce: "n", algorithm: .sha256, protections: [.authInt])
        var unauthorised = SIPMessage(407, to: request)
        unauthorised.append(.proxyAuthenticate, challenge.value.description)
        var client = DigestClient(credentials: .init(username: "u", password: "p"))
        #expect(client.received(unauthorised, answered: false) == .retry)
        client.authorise(&request, clientNonce: "c")
        var answer = SIPMessage(200, to: request)
        answer.setBody(ByteBuffer(string: "body"), contentType: "text/plain")
        server.prove(&answer, to: request, .proxyAuthorization, now: .uptimeNanoseconds(0)) { _ in secret }
        #expect(answer.text(.proxyAuthenticationInfo)?.contains("qop=auth-int") == true)
        #expect(client.verify(answer, to: request) == .proved(realm: "r"))
        answer.setBody(ByteBuffer(string: "other"), contentType: "text/plain")
        #expect(client.verify(answer, to: request) == .forged)
    }

    @Test("The number of live nonces is bounded and old ones go")
    func nonceBound() throws {
        var server = DigestServer(realm: "r", lifetime: .seconds(60), capacity: 8)
        let request = try Self.request()
        for index in 0..<100 {
            var response = SIPMessage(401, to: request)
            server.challenge(&response, nonce: "n\(index)", isStale: false, now: .uptimeNanoseconds(UInt64(index)))
        }
        #expect(server.nonceCount == 8)
        server.expire(now: .uptimeNanoseconds(200) + .seconds(60))
        #expect(server.nonceCount == 0)
    }

    static func request() throws -> SIPMessage {
        try SIPMessage(
            """
            REGISTER sip:example.com SIP/2.0\r
            Via: SIP/2.0/UDP pc.example.com;branch=z9hG4bK1\r
            From: <sip:bob@example.com>;tag=1\r
            To: <sip:bob@example.com>\r
            Call-ID: c@example.com\r
            CSeq: 1 REGISTER\r
            Content-Length: 0\r
            \r\n
            """
        )
    }
}
