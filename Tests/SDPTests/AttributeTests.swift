import SDP
import Testing

@Suite("SDP attributes")
struct AttributeTests {
    static func medium(_ lines: String...) throws -> MediaDescription {
        let text = (["v=0", "o=- 1 1 IN IP4 192.0.2.1", "s=-", "t=0 0"] + lines).joined(separator: "\r\n")
        return try SessionDescription(parsing: Array(text.utf8)).media[0]
    }

    @Test("MSRP attributes come back as printed")
    func msrp() throws {
        let medium = try Self.medium(
            "m=message 2855 TCP/TLS/MSRP *",
            "a=accept-types:message/cpim application/im-iscomposing+xml",
            "a=accept-wrapped-types:text/* message/imdn+xml",
            "a=max-size:100",
            "a=path:msrps://r.example.com:9999/ab;tcp msrps://[2001:db8::1]:2855/x;tcp",
            "a=setup:actpass",
            "a=msrp-cema"
        )
        let attributes = try MSRPAttributes(of: medium)
        #expect(attributes.path.count == 2)
        #expect(attributes.maximumSize == 100)
        #expect(attributes.setup == .activePassive)
        #expect(attributes.usesConnectionModel)
        #expect(attributes.attributes == medium.attributes)
        #expect(attributes.accepts("Message/CPIM; charset=utf-8"))
        #expect(!attributes.accepts("text/plain"))
        #expect(attributes.accepts("text/plain", isWrapped: true))
        #expect(!attributes.accepts("image/png", isWrapped: true))
        #expect(MSRPAttributes(path: ["x"], acceptTypes: ["*"]).accepts("image/png"))
    }

    @Test("an MSRP medium needs its path and its types")
    func msrpMissing() throws {
        let cases: [([String], SDPError.Code)] = [
            (["m=message 1 TCP/MSRP *", "a=accept-types:*"], .missingAttribute),
            (["m=message 1 TCP/MSRP *", "a=path:msrp://h/s;tcp"], .missingAttribute),
            (["m=audio 1 RTP/AVP 0"], .invalidMedia),
            (["m=message 1 TCP/MSRP *", "a=accept-types:*", "a=path:x", "a=max-size:-1"], .invalidAttribute),
        ]
        for (lines, code) in cases {
            let text = (["v=0", "o=- 1 1 IN IP4 h"] + lines).joined(separator: "\r\n")
            let medium = try SessionDescription(parsing: Array(text.utf8)).media[0]
            #expect(throws: SDPError(code, "")) { try MSRPAttributes(of: medium) }
        }
    }

    @Test("a file selector comes back, in quotes and with its hash")
    func fileSelector() throws {
        let text = "name:\"My cool picture.jpg\" type:image/jpeg size:32349 hash:sha-1:72:24:5F:E8"
        let selector = try FileSelector(text)
        #expect(selector.name == "My cool picture.jpg")
        #expect(selector.size == 32_349)
        #expect(selector.hashes == [.init(algorithm: "sha-1", octets: [0x72, 0x24, 0x5F, 0xE8])])
        #expect(selector.text == text)
        #expect(try FileSelector("hash:SHA-1:72:24:5f:e8").matches(selector))
        #expect(try !FileSelector("hash:sha-1:72:24:5f:e9").matches(selector))
        #expect(try FileSelector("").matches(selector))
        #expect(try !FileSelector("size:1").matches(selector))
    }

    @Test(
        "a name never leads out of its folder",
        arguments: [
            ("..%2f..%2Fetc/passwd", "passwd"), ("c:\\windows\\x.txt", "x.txt"), ("..", ""), (".", ""),
            ("a%22b%0D%0Ac", "a\"b\r\nc"),
            ("50%", "50%"), ("%zz", "%zz"),
        ]
    )
    func fileNames(_ encoded: String, _ name: String) throws {
        let selector = try FileSelector("name:\"\(encoded)\"")
        #expect(selector.name == name)
        #expect(try FileSelector(selector.text).name == name)
    }

    @Test(
        "broken selectors are refused",
        arguments: ["name:x", "size:x", "hash:sha-1", "hash:sha-1:7", "hash:sha-1:zz", "x"]
    )
    func badSelectors(_ text: String) {
        #expect(throws: SDPError(.invalidAttribute, "")) { try FileSelector(text) }
    }

    @Test("a range has a start and perhaps an end")
    func fileRange() throws {
        func range(_ value: String) throws -> String {
            let range = try Self.medium("m=message 1 TCP/MSRP *", "a=file-range:\(value)").fileRange
            return range.map { "\($0.start)-\($0.end.map(String.init) ?? "*")" } ?? "none"
        }
        #expect(try range("1-9") == "1-9")
        #expect(try range("5-*") == "5-*")
        for bad in ["0-1", "9-1", "x", "1", "-1", "1-x"] { #expect(try range(bad) == "none") }
    }

    @Test("a bad rtpmap is passed over")
    func rtpMaps() throws {
        let medium = try Self.medium(
            "m=audio 1 RTP/AVP 96 97",
            "a=rtpmap:96 speex",
            "a=rtpmap:97 opus/48000/2",
            "a=fmtp:97 x=1; y"
        )
        #expect(medium.rtpMaps.map(\.encoding) == ["opus"])
        #expect(medium.rtpMaps[0].parameters == "2")
        #expect(medium.formatParameters(of: "97") == "x=1; y")
        #expect(medium.formatParameters(of: "96") == nil)
    }

    @Test("encodings are the same without case, one channel is the default")
    func sameEncodings() throws {
        let one = try #require(RTPMap("0 PCMU/8000"))
        #expect(one.isSameEncoding(as: try #require(RTPMap("97 pcmu/8000/1"))))
        #expect(!one.isSameEncoding(as: try #require(RTPMap("97 pcmu/16000"))))
        #expect(!one.isSameEncoding(as: try #require(RTPMap("97 pcmu/8000/2"))))
        #expect(!one.isSameEncoding(as: try #require(RTPMap("97 pcma/8000"))))
    }

    @Test("bandwidths are read, bad ones passed over")
    func bandwidths() throws {
        let medium = try Self.medium("m=audio 1 RTP/AVP 0", "b=X-YZ:128", "b=AS:64", "b=AS", "b=AS:x")
        #expect(medium.bandwidths == [.init(type: "X-YZ", value: 128), .init(type: "AS", value: 64)])
    }

    @Test("a fingerprint comes back with capital digits")
    func fingerprint() throws {
        let fingerprint = try #require(Fingerprint("SHA-256 0a:ff"))
        #expect(fingerprint.octets == [0x0A, 0xFF])
        #expect(fingerprint.text == "sha-256 0A:FF")
        #expect(Fingerprint("sha-256") == nil)
        #expect(Fingerprint("sha-256 0a:f") == nil)
    }

    @Test("every role has its answers (RFC 4145 section 4.1)")
    func roles() {
        // Rows: the offer; columns: can listen and connect, listen only, connect only, neither.
        let table: [(SetupRole, [SetupRole?])] = [
            (.active, [.passive, .passive, nil, nil]), (.passive, [.active, nil, .active, nil]),
            (.activePassive, [.active, .passive, .active, nil]),
            (.holdConnection, [.holdConnection, .holdConnection, .holdConnection, .holdConnection]),
        ]
        let abilities = [(true, true), (true, false), (false, true), (false, false)]
        for (offer, answers) in table {
            for (ability, answer) in zip(abilities, answers) {
                #expect(offer.answering(canListen: ability.0, canConnect: ability.1) == answer)
                if let answer { #expect(offer.allowedAnswers.contains(answer)) }
            }
        }
    }

    @Test("directions meet (RFC 3264 section 6.1)")
    func directions() {
        let table: [(MediaDirection, MediaDirection, MediaDirection)] = [
            (.sendReceive, .sendReceive, .sendReceive), (.sendReceive, .sendOnly, .sendOnly),
            (.sendReceive, .receiveOnly, .receiveOnly), (.sendReceive, .inactive, .inactive),
            (.sendOnly, .sendReceive, .receiveOnly), (.sendOnly, .sendOnly, .inactive),
            (.sendOnly, .receiveOnly, .receiveOnly), (.sendOnly, .inactive, .inactive),
            (.receiveOnly, .sendReceive, .sendOnly), (.receiveOnly, .sendOnly, .sendOnly),
            (.receiveOnly, .receiveOnly, .inactive), (.receiveOnly, .inactive, .inactive),
            (.inactive, .sendReceive, .inactive), (.inactive, .sendOnly, .inactive),
            (.inactive, .receiveOnly, .inactive), (.inactive, .inactive, .inactive),
        ]
        for (offer, wish, answer) in table { #expect(offer.answering(wish: wish) == answer) }
        #expect(MediaDirection.allCases.allSatisfy { $0.reversed.reversed == $0 })
    }
}
