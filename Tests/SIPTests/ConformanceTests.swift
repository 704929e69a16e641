import ByteGrammar
import Foundation
import NIOCore
import SIP
import Testing

@Suite("Conformance corpus")
struct ConformanceTests {
    static let messages = Corpus.entries("sip", "sip-torture", "sip-interop").filter { entry in
        !entry.file.hasSuffix(".json") && !entry.file.hasSuffix(".bin")
    }

    @Test("The corpus is there")
    func corpus() {
        #expect(Self.messages.count > 850)
    }

    @Test("Each message has the verdict of the manifest", arguments: messages)
    func verdict(entry: Corpus.Entry) throws {
        let result = Self.parse(try entry.bytes())
        if let reason = Corpus.exceptions[entry.file] {
            #expect(throws: SIPError.self, "no exception any more: \(reason)") { try result.get() }
            return
        }
        switch entry.parse {
        case "ok":
            let message = try result.get()
            Self.compare(message, entry.expect)
        case "reject":
            #expect(throws: SIPError.self) { try result.get() }
        case "either":
            if case .success(let message) = result, let accepted = entry.expect["if_accepted"] {
                Self.compare(message, accepted)
            }
        default:
            #expect(["must not crash", nil].contains(entry.parse))
        }
    }

    @Test("A message that is read and printed is the same bytes", arguments: messages)
    func roundTrip(entry: Corpus.Entry) throws {
        guard case .success(let message) = Self.parse(try entry.bytes()) else { return }
        var original = try entry.bytes()
        let printed = message.serialized()
        // Empty lines before and octets behind the message are not part of it.
        while original.readableBytes >= 2, original.getInteger(at: original.readerIndex, as: UInt16.self) == 0x0D0A {
            original.moveReaderIndex(forwardBy: 2)
        }
        let prefix = original.getSlice(at: original.readerIndex, length: printed.readableBytes)
        let isNormalised = (message.status != nil && message.reasonPhrase == "") || prefix == nil
        #expect(prefix == printed || isNormalised)
        #expect(printed.readableBytes == message.serializedLength)
    }

    static func parse(_ bytes: ByteBuffer) -> Result<SIPMessage, SIPError> {
        var limits = SIPLimits()
        limits.headerFields = 2000
        do throws(SIPError) {
            let message = try SIPMessage(parsing: bytes, limits: limits)
            try message.validate()
            return .success(message)
        } catch {
            return .failure(error)
        }
    }

    static func compare(_ message: SIPMessage, _ expect: JSON) {
        if let request = expect["request"] {
            #expect(message.method?.rawValue == request["method"]?.string)
            #expect(message.uriText == request["uri"]?.string)
        }
        if let response = expect["response"] {
            #expect(message.status?.rawValue == response["status"]?.int.map { UInt16($0) })
            if let reason = response["reason"]?.string { #expect(message.reasonPhrase == reason) }
        }
        if let callID = expect["call_id"]?.string { #expect((try? message.callID()) == callID) }
        if let cSeq = expect["cseq"] {
            #expect((try? message.cSeq())?.number == cSeq["number"]?.int.map { UInt32($0) })
            #expect((try? message.cSeq())?.method.rawValue == cSeq["method"]?.string)
        }
        if let tag = expect["from_tag"] { #expect((try? message.from())?.tag ?? "" == tag.string ?? "") }
        if let tag = expect["to_tag"] { #expect((try? message.to())?.tag ?? "" == tag.string ?? "") }
        let vias = (try? message.vias()) ?? []
        if let count = expect["via_count"]?.int { #expect(vias.count == count) }
        if let via = expect["top_via"] {
            #expect(vias.first?.transport == via["transport"]?.string)
            #expect(vias.first?.sentBy.description == via["sent_by"]?.string)
            #expect(vias.first?.branch == via["branch"]?.string)
        }
        if let count = expect["contact_count"]?.int {
            let contacts = try? message.contacts()
            #expect((contacts == .all ? 1 : contacts?.addresses.count) == count)
        }
        if let count = expect["route_count"]?.int {
            #expect((try? message.list(.route, as: NameAddress.self).count) == count)
        }
        if let count = expect["record_route_count"]?.int {
            #expect((try? message.list(.recordRoute, as: NameAddress.self).count) == count)
        }
        if let type = expect["content_type"]?.string {
            #expect((try? message.contentType())?.essence == (try? MediaType(type))?.essence)
        }
        if let length = expect["content_length_header"] {
            #expect((try? message.contentLength()) ?? nil == length.int.map { UInt32($0) })
        }
        if let length = expect["body_length"]?.int { #expect(message.bodyLength == length) }
        Self.compareDetails(message, vias, expect)
    }

    static func compareDetails(_ message: SIPMessage, _ vias: [Via], _ expect: JSON) {
        if let received = expect["top_via_received"]?.string { #expect(vias.first?.received == received) }
        if let hops = expect["max_forwards"]?.int { #expect((try? message.maxForwards()) == UInt8(hops)) }
        if let subject = expect["subject"]?.string { #expect(message.text(.subject) == subject) }
        if let count = expect["header_count_at_least"]?.int { #expect(message.fieldCount >= count) }
        if let tags = expect["supported"]?.array {
            #expect((try? message.optionTags(.supported)) == tags.compactMap(\.string))
        }
        if let seconds = expect["session_expires"]?.int {
            #expect((try? message.sessionExpires())?.seconds == UInt32(seconds))
        }
        if let rack = expect["rack"] {
            let value = try? message.value(.rAck, as: RAck.self)
            #expect(value?.responseNumber == rack["rseq"]?.int.map { UInt32($0) })
            #expect(value?.number == rack["cseq"]?.int.map { UInt32($0) })
            #expect(value?.method.rawValue == rack["method"]?.string)
        }
        if let hosts = expect["via_hosts"]?.array { #expect(vias.map(\.sentBy.host) == hosts.compactMap(\.string)) }
        if let names = expect["via_transports"]?.array { #expect(vias.map(\.transport) == names.compactMap(\.string)) }
        if let name = expect["from_display_name"]?.string { #expect((try? message.from())?.displayName == name) }
        if let user = expect["request_user_decoded"]?.string {
            #expect((try? message.requestURI())?.sip?.decodedUser == user)
        }
        if let scheme = expect["request_uri_scheme"]?.string { #expect((try? message.requestURI())?.scheme == scheme) }
        if let number = expect["tel_number_canonical"]?.string {
            #expect((try? message.requestURI())?.tel?.canonicalNumber == number)
        }
        if let name = expect["contact_display_name_decoded"]?.string {
            #expect((try? message.contacts())?.addresses.first?.displayName == name)
        }
        if let names = expect["unknown_headers_kept"]?.array?.compactMap(\.string) {
            for name in names { #expect(message.contains(HeaderName(name))) }
        }
        Self.compareContact((try? message.contacts())?.addresses.first, expect)
    }

    static func compareContact(_ contact: NameAddress?, _ expect: JSON) {
        if let names = expect["contact_header_params"]?.array?.compactMap(\.string) {
            #expect(names.allSatisfy { contact?.parameters.contains($0) == true })
        }
        if let names = expect["contact_uri_params"]?.array?.compactMap(\.string) {
            #expect(contact?.uri.sip?.parameters.items.map(\.name) == names)
        }
        if let names = expect["contact_uri_headers"]?.array?.compactMap(\.string) {
            #expect(contact?.uri.sip?.headers.map(\.name) == names)
        }
    }
}

@Suite("URIs of the corpus")
struct URIConformanceTests {
    @Test("Valid texts parse and print the same; invalid ones do not parse")
    func syntax() throws {
        let cases = try JSON.parse(try Corpus.data("sip/uri-syntax.json"))
        let valid = try #require(cases["valid"]?.array).compactMap(\.string)
        let invalid = try #require(cases["invalid"]?.array).compactMap(\.string)
        for text in valid { #expect(try URI(text).description == text) }
        for text in invalid { #expect(throws: SIPError.self, "\(text)") { try URI(text) } }
        #expect(throws: SIPError.self) { try URI("sip:a@256.256.256.256") }
        #expect(try URI("sip:a@under_score.example.com").sip?.host == "under_score.example.com")
    }

    @Test("Equivalence is that of RFC 3261 section 19.1.4")
    func equivalence() throws {
        let cases = try JSON.parse(try Corpus.data("sip/uri-equivalence.json"))
        for pair in try #require(cases["equal"]?.array) {
            let texts = try #require(pair.array).compactMap(\.string)
            #expect(try URI(texts[0]).isEquivalent(to: try URI(texts[1])), "\(texts)")
            #expect(try URI(texts[1]).isEquivalent(to: try URI(texts[0])), "\(texts)")
        }
        for pair in try #require(cases["different"]?.array) {
            let texts = try #require(pair.array).compactMap(\.string)
            #expect(try !URI(texts[0]).isEquivalent(to: try URI(texts[1])), "\(texts)")
        }
    }
}
