import Foundation
import ProtocolDecoding
import Testing

@Suite("Results")
struct ResultTests {
    @Test("a good message has its fields, a bad one its error")
    func lines() {
        let bytes = Array("v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nt=0 0\r\n".utf8)
        let result = DecoderRegistry.standard.decode(bytes, file: "offer.sdp")
        #expect(
            result.json.text
                == #"{"file":"offer.sdp","protocol":"sdp","verdict":"ok","fields":{"origin":"- 1 1 IN IP4 192.0.2.1","#
                + #""session_name":"-","session_attributes":0,"media":[],"media_directions":[]}}"#
        )
        let broken = DecoderRegistry.standard.decode(Array("v=0\r\nx\r\n".utf8))
        #expect(
            broken.json.text
                == #"{"protocol":"sdp","verdict":"rejected","error":{"code":"sdp-malformed-line","offset":5,"#
                + #""expected":"letter=value"},"fields":{}}"#
        )
    }

    @Test("an input of no known look, and a name that is none")
    func unknown() {
        for result in [
            DecoderRegistry.standard.decode([0xFF]), DecoderRegistry.standard.decode([], as: "smoke-signals"),
        ] {
            #expect(result.decoding.verdict == .rejected)
            #expect(result.decoding.failure?.code == "decode-unknown-protocol")
        }
    }

    @Test("a broken document is still told to be of its kind")
    func brokenDocument() {
        let bytes = Array("<?xml version='1.0'?>\n<!-- <x --><d:imdn xmlns:d='urn:ietf:params:xml:ns:imdn'>".utf8)
        let result = DecoderRegistry.standard.decode(bytes)
        #expect(result.protocolName == "imdn")
        #expect(result.decoding.failure?.code == "xml-unexpected-end")
    }

    @Test("SIP messages on a stream are told apart by their lengths")
    func stream() throws {
        func message(_ callID: String, _ body: String) -> [UInt8] {
            let lines = [
                "OPTIONS sip:b@example.com SIP/2.0", "Via: SIP/2.0/TCP h.example.com;branch=z9hG4bK1",
                "From: <sip:a@example.com>;tag=1", "To: <sip:b@example.com>", "Call-ID: \(callID)", "CSeq: 1 OPTIONS",
                "Max-Forwards: 70", "Content-Length: \(body.utf8.count)", "", body,
            ]
            return Array(lines.joined(separator: "\r\n").utf8)
        }
        let whole = [message("1", ""), message("2", "OPTIONS sip:x SIP/2.0\r\n\r\n"), message("3", "z")]
        let cut = Array(message("4", "cut").dropLast())
        let stream = whole[0] + Array("\r\n\r\n".utf8) + whole[1] + whole[2] + cut
        let decoder = try #require(DecoderRegistry.standard.decoders.first { $0.resembles(stream) })
        #expect(decoder.name == "sip")
        #expect(decoder.messages(in: stream) == whole + [cut])
        #expect(decoder.messages(in: stream).map { decoder.decode($0).verdict } == [.ok, .ok, .ok, .rejected])
    }

    @Test("a file over HTTP")
    func file() {
        let text =
            "<file xmlns='urn:gsma:params:xml:ns:rcs:rcs:fthttp'><file-info type='file'><file-size>9</file-size>"
            + "<content-type>image/png</content-type><data url='https://h/1'/></file-info></file>"
        let result = DecoderRegistry.standard.decode(Array(text.utf8))
        #expect(result.protocolName == "ft-http")
        guard case .array(let files)? = result.json["fields"]?["files"] else {
            Issue.record("no files")
            return
        }
        #expect(files.map { $0["size"] } == [.integer(9)])
        #expect(files.map { $0["url"] } == [.string("https://h/1")])
    }

    @Test("JSON text escapes what it must")
    func escapes() {
        let value = JSONValue.object([
            .init("a\"\\", .string("\u{0}\n\r\t\u{7F}\u{2028}é🎧")), .init("n", .null),
            .init("l", .array([.bool(true), .bool(false), .integer(-1), .number(.infinity), .number(0.5)])),
        ])
        #expect(
            value.text
                == "{\"a\\\"\\\\\":\"\\u0000\\n\\r\\t\\u007f\\u2028é🎧\",\"n\":null,\"l\":[true,false,-1,null,0.5]}"
        )
        #expect(JSONValue.optional(UInt64.max) == .string("18446744073709551615"))
    }

    @Test("the example of the documentation prints its line")
    func example() throws {
        let bytes = Array("v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nt=0 0\r\n".utf8)
        let result = DecoderRegistry.standard.decode(bytes, file: "offer.sdp")
        #expect(result.json.text.hasPrefix("{\"file\":\"offer.sdp\",\"protocol\":\"sdp\",\"verdict\":\"ok\""))
        let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        let page = root.appending(path: "Sources/ProtocolDecoding/ProtocolDecoding.docc/ProtocolDecoding.md")
        let code = "let result = DecoderRegistry.standard.decode(bytes, file: \"offer.sdp\")"
        #expect(try String(contentsOf: page, encoding: .utf8).contains(code))
    }
}
