import ProtocolDecoding
import Testing

@Suite("Conformance corpus")
struct ConformanceTests {
    @Test("the corpus is there whole")
    func corpusIsThere() throws {
        #expect(Corpus.entries("sdp").count == 149)
        #expect(Corpus.entries("cpim").count == 28)
        #expect(Corpus.entries("imdn").count == 32)
        #expect(Corpus.entries("iscomposing").count == 8)
        #expect(Corpus.entries("events").count == 59)
        #expect(Corpus.keptMessages.count == 91)
        #expect(Corpus.keptRequests.count > 640)
    }

    @Test("session descriptions", arguments: Corpus.entries("sdp"))
    func sdp(_ entry: CorpusEntry) throws { try Self.check(entry) }

    @Test("message/cpim", arguments: Corpus.entries("cpim"))
    func cpim(_ entry: CorpusEntry) throws { try Self.check(entry) }

    @Test("disposition notifications", arguments: Corpus.entries("imdn"))
    func imdn(_ entry: CorpusEntry) throws { try Self.check(entry) }

    @Test("composition status", arguments: Corpus.entries("iscomposing"))
    func isComposing(_ entry: CorpusEntry) throws { try Self.check(entry) }

    @Test("documents of event packages", arguments: Corpus.entries("events"))
    func events(_ entry: CorpusEntry) throws { try Self.check(entry) }

    @Test("MSRP", arguments: Corpus.keptMessages)
    func msrp(_ entry: CorpusEntry) throws { try Self.check(entry) }

    @Test("SIP", arguments: Corpus.keptRequests)
    func sip(_ entry: CorpusEntry) throws { try Self.check(entry) }

    @Test("what elements would answer", arguments: Corpus.keptRequests)
    func answers(_ entry: CorpusEntry) throws {
        let fields = JSONValue.object(DecoderRegistry.standard.decode(try entry.bytes, as: "sip").decoding.fields)
        // What a liberal element may do instead is said in words.
        guard entry.expect["alternative"] == nil else { return }
        for key in ["uas_response", "registrar_response"] {
            guard case .integer(let status)? = entry.expect[key] else { continue }
            // A registrar takes more than the torture test asks for where its text is `either`.
            if entry.expect["parse"] == .string("either"), fields[key] == .null { continue }
            #expect(fields[key] == .integer(status), "\(key)")
        }
        if case .array(let names)? = entry.expect["uas_response_headers"],
            case .array(let found)? = fields["uas_response_headers"]
        {
            #expect(names.allSatisfy(found.contains))
        }
    }

    /// Also holds the files kept with the project to those of the shared corpus.
    @Test("the whole shared corpus", .enabled(if: !Corpus.whole.isEmpty), arguments: Corpus.whole)
    func whole(_ entry: CorpusEntry) throws {
        guard DecoderRegistry.standard.names.contains(entry.decoderName ?? "") else { return }
        try Self.check(entry)
        for kept in Corpus.kept + Corpus.keptMessages where kept.file == entry.file {
            #expect(try kept.bytes == entry.bytes)
            #expect(kept.expect == entry.expect)
        }
    }

    @Test("the protocol is guessed from the content", arguments: Corpus.kept)
    func guess(_ entry: CorpusEntry) throws {
        let bytes = try entry.bytes
        let guessed = DecoderRegistry.standard.decode(bytes)
        // What is empty or begins with no header looks like nothing.
        let shapeless = ["cpim/own-empty.cpim", "cpim/own-empty-header-block.cpim", "sdp/own-missing-version.sdp"]
        let nameless = [
            "cpim/own-header-name-case.cpim", "cpim/own-generic-params.cpim", "cpim/own-header-no-colon.cpim",
        ]
        guard !shapeless.contains(entry.file), !nameless.contains(entry.file) else { return }
        #expect(guessed.protocolName == entry.decoderName)
    }

    static func check(_ entry: CorpusEntry) throws {
        let result = DecoderRegistry.standard.decode(try entry.bytes, as: entry.decoderName, file: entry.file)
        let differences = Self.differences(of: result, from: entry)
        if let reason = Corpus.exceptions[entry.file] {
            #expect(!differences.isEmpty, "the exception can go: \(reason)")
        } else {
            #expect(differences == [], "\(result.json.text)")
        }
    }

    /// The keys compared of a SIP message.
    static func sipExpectation(_ expect: JSONValue) -> JSONValue {
        guard case .object(let members) = expect else { return expect }
        return .object(members.filter { Expectation.sipKeys.contains($0.name) })
    }

    static func differences(of result: DecoderRegistry.Result, from entry: CorpusEntry) -> [String] {
        let verdict = result.decoding.verdict
        guard case .string(let wanted)? = entry.expect["parse"] else { return [] }
        switch wanted {
        case "ok":
            guard verdict == .ok else { return ["verdict: \(result.json.text)"] }
            return Expectation.differences(
                expected: entry.decoderName == "sip" ? Self.sipExpectation(entry.expect) : entry.expect,
                found: .object(result.decoding.fields)
            )
        case "reject": return verdict == .ok ? ["not rejected: \(result.json.text)"] : []
        case "incomplete": return verdict == .incomplete ? [] : ["not incomplete: \(result.json.text)"]
        case "either": return verdict == .incomplete ? ["incomplete"] : []
        default: return []
        }
    }
}
