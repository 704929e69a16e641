import SDP
import Testing

/// A description made of lines.
func describe(_ lines: String...) -> [UInt8] { Array((lines.joined(separator: "\r\n") + "\r\n").utf8) }

@Suite("Session description")
struct SessionDescriptionTests {
    static let sample = describe(
        "v=0",
        "o=- 1 2 IN IP4 192.0.2.1",
        "s= x",
        "i=about",
        "c=IN IP4 192.0.2.1",
        "b=AS:64",
        "t=0 0",
        "r=7d 1h 0 25h",
        "X=unheard of",
        "a=group:BUNDLE a b",
        "a=sendonly",
        "m=audio 5004/2 RTP/AVP 0 8",
        "i=voice",
        "a=mid:a",
        "a=rtpmap:0 PCMU/8000",
        "k=prompt",
        "m=message 9 TCP/TLS/MSRP *",
        "c=IN IP6 2001:db8::1",
        "a=recvonly",
        "a=mid:b"
    )

    @Test("what is read is printed octet for octet")
    func exact() throws {
        #expect(try SessionDescription(parsing: Self.sample).bytes == Self.sample)
    }

    @Test("octets that are not UTF-8 come out as they came")
    func notUTF8() throws {
        let bytes = describe("v=0", "o=- 1 1 IN IP4 192.0.2.1", "s=").dropLast(2) + [0xFF, 0xFE, 0x0D, 0x0A]
        let description = try SessionDescription(parsing: Array(bytes))
        #expect(description.bytes == Array(bytes))
        #expect(description.sessionName == "\u{FFFD}\u{FFFD}")
    }

    @Test("bare LF, a missing last line end and an empty last line are taken")
    func lineEnds() throws {
        let wanted = try SessionDescription(parsing: Self.sample)
        let text = String(decoding: Self.sample, as: UTF8.self)
        let bare = text.unicodeScalars.filter { $0 != "\r" }
        #expect(try SessionDescription(parsing: Array(String(String.UnicodeScalarView(bare)).utf8)) == wanted)
        #expect(try SessionDescription(parsing: Array(Self.sample.dropLast(2))) == wanted)
        #expect(try SessionDescription(parsing: Self.sample + [0x0D, 0x0A]) == wanted)
    }

    @Test("typed views")
    func views() throws {
        let description = try SessionDescription(parsing: Self.sample)
        #expect(description.origin?.sessionVersion == "2")
        #expect(description.connection == Connection(addressType: "IP4", address: "192.0.2.1"))
        let (audio, message) = (description.media[0], description.media[1])
        #expect(audio.type == "audio")
        #expect((audio.port, audio.portCount) == (5004, 2))
        #expect(audio.formats == ["0", "8"])
        #expect(audio.rtpMaps.map(\.encoding) == ["PCMU"])
        #expect(description.direction(of: audio) == .sendOnly)
        #expect(description.direction(of: message) == .receiveOnly)
        #expect(description.connection(of: audio)?.address == "192.0.2.1")
        #expect(description.connection(of: message)?.address == "2001:db8::1")
        #expect(description.groups == [MediaGroup(semantics: "BUNDLE", mediaIDs: ["a", "b"])])
    }

    @Test("changing one thing leaves the rest as it came")
    func changes() throws {
        var description = try SessionDescription(parsing: Self.sample)
        description.media[0].port = 0
        description.media[1].setDirection(.inactive)
        description.media[1].connection = nil
        description.origin = description.origin?.incremented
        let expected = String(decoding: Self.sample, as: UTF8.self).split(separator: "\r\n").compactMap { line in
            switch line {
            case "m=audio 5004/2 RTP/AVP 0 8": "m=audio 0/2 RTP/AVP 0 8"
            case "a=recvonly": "a=inactive"
            case "c=IN IP6 2001:db8::1": nil
            case "o=- 1 2 IN IP4 192.0.2.1": "o=- 1 3 IN IP4 192.0.2.1"
            default: String(line)
            }
        }
        #expect(description.text == expected.joined(separator: "\r\n") + "\r\n")
    }

    @Test(
        "what breaks the grammar is refused with its code",
        arguments: [
            ("", SDPError.Code.empty), ("v=1\r\n", .invalidVersion), ("o=- 1 1 IN IP4 h\r\n", .invalidVersion),
            ("v=0\r\ns=-\r\n", .missingOrigin), ("v=0\r\no=- 1 1 IN IP4\r\n", .invalidOrigin),
            ("v=0\r\no=- x 1 IN IP4 h\r\n", .invalidOrigin), ("v=0\r\no=- 1 1 IN IP4 h\r\nv=0\r\n", .duplicateLine),
            ("v=0\r\no=- 1 1 IN IP4 h\r\no=- 1 1 IN IP4 h\r\n", .duplicateLine),
            ("v=0\r\no=- 1 1 IN IP4 h\r\nc=IN IP4\r\n", .invalidConnection),
            ("v=0\r\no=- 1 1 IN IP4 h\r\nm=audio -1 RTP/AVP 0\r\n", .invalidMedia),
            ("v=0\r\no=- 1 1 IN IP4 h\r\nm=audio 1 RTP/AVP\r\n", .invalidMedia),
            ("v=0\r\no=- 1 1 IN IP4 h\r\nm=audio 1/0 RTP/AVP 0\r\n", .invalidMedia),
            ("v=0\r\no=- 1 1 IN IP4 h\r\nm=audio 99999999999999999999 RTP/AVP 0\r\n", .invalidMedia),
            ("v=0\r\no=- 1 1 IN IP4 h\r\nm=audio 1 RTP/AVP 0\r\nt=0 0\r\n", .misplacedLine),
            ("v=0\r\no=- 1 1 IN IP4 h\r\na =x\r\n", .malformedLine),
            ("v=0\r\no=- 1 1 IN IP4 h\r\na= x\r\n", .malformedLine),
            ("v=0\r\n\r\no=- 1 1 IN IP4 h\r\n", .malformedLine),
            ("v=0\r\no=- 1 1 IN IP4 h\r\ns=a\u{0}b\r\n", .invalidCharacter),
            ("v=0\r\no=- 1 1 IN IP4 h\r\ns=a\rb\r\n", .invalidCharacter),
        ]
    )
    func refused(_ text: String, _ code: SDPError.Code) {
        #expect(throws: SDPError(code, "")) { try SessionDescription(parsing: Array(text.utf8)) }
    }

    @Test("every limit has its own error")
    func limits() {
        var limits = SDPLimits()
        limits.maximumBytes = 400
        limits.maximumLineBytes = 60
        limits.maximumLines = 8
        limits.maximumMedia = 2
        let head = ["v=0", "o=- 1 1 IN IP4 h"]
        let cases: [([String], SDPError.Code)] = [
            ([String](repeating: "a=" + String(repeating: "x", count: 50), count: 8), .descriptionTooLarge),
            (["a=" + String(repeating: "x", count: 60)], .lineTooLong),
            ([String](repeating: "a=x", count: 7), .tooManyLines),
            ([String](repeating: "m=audio 1 RTP/AVP 0", count: 3), .tooManyMedia),
        ]
        for (lines, code) in cases {
            let bytes = Array((head + lines).joined(separator: "\r\n").utf8)
            #expect(throws: SDPError(code, "")) { try SessionDescription(parsing: bytes, limits: limits) }
        }
    }

    @Test(
        "versions of any length are counted up",
        arguments: [
            ("0", "1"), ("9", "10"), ("99", "100"), ("18446744073709551615", "18446744073709551616"), ("1999", "2000"),
        ]
    )
    func successor(_ version: String, _ next: String) {
        let origin = Origin(sessionID: "1", sessionVersion: version, addressType: "IP4", address: "h")
        #expect(origin.incremented.sessionVersion == next)
        #expect(origin.isSameSession(as: origin.incremented))
    }

    @Test("a value cannot end its line")
    func injection() {
        var description = SessionDescription(
            origin: Origin(sessionID: "1", sessionVersion: "1", addressType: "IP4", address: "h")
        )
        description.append(Attribute("x", "1\r\nm=audio 1 RTP/AVP 0\n\0"))
        #expect(description.text.hasSuffix("a=x:1  m=audio 1 RTP/AVP 0  \r\n"))
    }

    @Test("attributes are set, added and removed in place")
    func attributes() throws {
        var medium = try SessionDescription(parsing: Self.sample).media[0]
        medium.append(Attribute("x", "1"))
        medium.append(Attribute("x", "2"))
        medium.append(Attribute("xx"))
        medium.set(Attribute("x", "3"))
        #expect(medium.attributes(named: "x") == ["3"])
        #expect(medium.attribute("xx") == "")
        medium.removeAttributes(named: "x")
        #expect(medium.attribute("x") == nil)
        #expect(medium.hasAttribute("xx"))
        medium.keepFormats(["8"])
        #expect(medium.rtpMaps.isEmpty)
        #expect(medium.line.value == "audio 5004/2 RTP/AVP 8")
    }
}
