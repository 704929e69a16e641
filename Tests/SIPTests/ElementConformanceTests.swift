import NIOCore
import SIP
import Testing

@Suite("What an element answers to the corpus")
struct ElementConformanceTests {
    static let entries = Corpus.entries("sip", "sip-torture", "sip-interop").filter {
        $0.file.hasSuffix(".json") == false
    }
    static let answered = Self.entries.filter { $0.expect["uas_response"] != nil || $0.expect["request_answer"] != nil }
    static let registered = Self.entries.filter { $0.expect["registrar_response"] != nil }
    static let proxied = Self.entries.filter {
        $0.expect["proxy_response"] != nil || $0.expect["proxy_unsupported"] != nil
    }

    static func status(_ verdict: ElementProfile.Verdict) -> SIPMessage? {
        if case .respond(let response) = verdict { response } else { nil }
    }

    /// The codes that a key names: a number, a list of numbers, or the first number of a sentence; and the alternative.
    static func codes(_ expect: JSON, _ key: String) -> [Int] {
        var codes: [Int] = []
        for value in [expect[key], expect["alternative"]] {
            if let code = value?.int { codes.append(code) }
            codes += value?.array?.compactMap(\.int) ?? []
            codes +=
                value?.string?.split(whereSeparator: { !$0.isNumber }).compactMap { Int($0) }.filter { $0 > 99 } ?? []
        }
        return codes
    }

    @Test("A user agent answers as the manifest says", arguments: answered)
    func userAgent(entry: Corpus.Entry) throws {
        let reading = SIPMessage.read(try entry.bytes())
        // No dialog of the corpus exists here, and only PRACK is expected to be judged by that.
        let isPrack = entry.file.contains("prack")
        let verdict = ElementProfile.endpoint.check(reading) { _ in !isPrack }
        let key = entry.expect["uas_response"] != nil ? "uas_response" : "request_answer"
        let expected = Self.codes(entry.expect, key)
        guard let response = Self.status(verdict) else {
            // Some faults may be tolerated: the alternative is in words, or the verdict is `either`.
            let isTolerated = entry.parse == "either" || entry.expect["alternative"]?.string != nil
            #expect(isTolerated, "accepted or dropped, expected \(expected)")
            return
        }
        #expect(expected.contains(Int(response.status?.rawValue ?? 0)), "\(response) expected \(expected)")
        for name in entry.expect["uas_response_headers"]?.array?.compactMap(\.string) ?? [] {
            #expect(response.contains(HeaderName(name)), "no \(name)")
        }
        if let tags = entry.expect["uas_unsupported"]?.array?.compactMap(\.string) {
            #expect(try response.optionTags(.unsupported) == tags)
        }
    }

    @Test("A registrar answers as the manifest says", arguments: registered)
    func registrar(entry: Corpus.Entry) throws {
        let profile = ElementProfile(methods: [.register, .options])
        let expected = Self.codes(entry.expect, "registrar_response")
        let response: SIPMessage?
        switch profile.check(SIPMessage.read(try entry.bytes())) {
        case .discard: response = nil
        case .respond(let refusal): response = refusal
        case .accept(let request):
            guard let address = try request.to().uri.sip else {
                response = SIPMessage(400, to: request)
                break
            }
            var record = RegistrarRecord(addressOfRecord: address)
            switch record.register(request, policy: .init(), arrival: .init(now: .uptimeNanoseconds(0))) {
            case .accepted(let answer, _), .rejected(let answer): response = answer
            }
        }
        let status = try #require(response?.status)
        let isTolerated = status == 200 && (entry.parse == "either" && entry.expect["alternative"] != nil)
        #expect(expected.contains(Int(status.rawValue)) || isTolerated, "\(status) expected \(expected)")
    }

    @Test("A proxy answers as the manifest says", arguments: proxied)
    func proxy(entry: Corpus.Entry) throws {
        let proxy = ProxyCore(sentBy: HostPort(host: "proxy.example.net"), ownAddresses: [], secret: "s")
        let message = try SIPMessage(parsing: try entry.bytes())
        let response = proxy.check(message)
        if let code = entry.expect["proxy_response"]?.int { #expect(response?.status?.rawValue == UInt16(code)) }
        if let tags = entry.expect["proxy_unsupported"]?.array?.compactMap(\.string) {
            #expect(response?.status == 420)
            #expect(try response?.optionTags(.unsupported) == tags)
        }
    }

    @Test("The suites are not empty")
    func counts() {
        #expect(Self.answered.count >= 35)
        #expect(Self.registered.count >= 9)
        #expect(!Self.proxied.isEmpty)
    }

    @Test("A response of a request that must be merged is 482, seen by its identity")
    func merged() throws {
        let first = try SIPMessage(parsing: ByteBuffer(bytes: try Corpus.data("sip/own-merged-request.sip")))
        var second = first
        second.removeFirstValue(.via)
        second.prepend(.via, "SIP/2.0/UDP other.example.com;branch=z9hG4bKother")
        #expect(try RequestIdentity(first) == RequestIdentity(second))
        #expect(try ServerTransactionKey(first) != ServerTransactionKey(second))
    }
}
