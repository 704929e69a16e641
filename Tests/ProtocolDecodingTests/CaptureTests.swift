import Foundation
import ProtocolDecoding
import Testing

/// Captures of a talk on loopback: MSRP over IPv4 and IPv6, written in pieces of 97 octets, then four datagrams.
@Suite("Captures")
struct CaptureTests {
    static func fixture(_ name: String) throws -> [UInt8] {
        Array(try Data(contentsOf: Corpus.fixtures.appending(path: "capture/\(name)")))
    }

    static func message(_ name: String) throws -> [UInt8] {
        Array(try Data(contentsOf: Corpus.messages.appending(path: name)))
    }

    static func sent() throws -> [UInt8] {
        try ["rfc4975-s4-01-SEND.msrp", "own-two-chunks.msrp", "own-binary-body.msrp"].flatMap { try Self.message($0) }
    }

    /// The records of a little-endian pcap file, after its header.
    static func records(_ bytes: [UInt8]) -> [[UInt8]] {
        var records: [[UInt8]] = []
        var position = 24
        while position + 16 <= bytes.count {
            let length = bytes[position + 8..<position + 12].reversed().reduce(0) { $0 << 8 | Int($1) }
            records.append(Array(bytes[position..<position + 16 + length]))
            position += 16 + length
        }
        return records
    }

    @Test("streams and datagrams come out whole", arguments: ["loopback.pcap", "loopback.pcapng"])
    func payloads(_ name: String) throws {
        let capture = try Capture(parsing: try Self.fixture(name))
        let sent = try Self.sent()
        let answer = try Self.message("rfc4975-s4-02-200.msrp")
        let streams = capture.payloads.filter { $0.transport == .tcp }
        #expect(streams.map(\.bytes) == [sent, answer, sent, answer])
        #expect(streams[0].destination.description == "127.0.0.1:28550")
        #expect(streams[2].destination.description == "[0:0:0:0:0:0:0:1]:28551")
        #expect(streams.allSatisfy { !$0.hasGap })
        let datagrams = capture.payloads.filter { $0.transport == .udp }
        #expect(datagrams.count == 4)
        let kept = try #require(Corpus.kept.first { $0.file == "cpim/own-quoted-formal-name.cpim" })
        #expect(datagrams[1].bytes == (try kept.bytes))
    }

    @Test("messages are decoded where they were seen, what looks like nothing is passed over")
    func decoded() throws {
        let capture = try Capture(parsing: try Self.fixture("loopback.pcap"))
        let results = DecoderRegistry.standard.decode(capture, file: "loopback.pcap")
        let lines = results.map { "\($0.protocolName ?? "-") \($0.decoding.verdict.rawValue)" }
        let talk = [String](repeating: "msrp ok", count: 5)
        #expect(lines == talk + talk + ["sdp ok", "cpim ok", "imdn rejected"])
        #expect(results[0].json["transport"] == .string("tcp"))
        #expect(results[0].json["destination"] == .string("127.0.0.1:28550"))
        #expect(results[4].json["fields"]?["response"]?["status"] == .integer(200))
        #expect(results.last?.json["frame"] == .integer(63))
    }

    @Test("segments in another order, and sent twice, make the same streams", arguments: UInt64(1)...20)
    func order(_ seed: UInt64) throws {
        let bytes = try Self.fixture("loopback.pcap")
        let expected = try Capture(parsing: bytes).payloads.filter { $0.transport == .tcp }.map(\.bytes)
        var random = SplitMix(seed: seed)
        // The beginnings stay in front and the ends behind, as a stream is known by them.
        var records = Self.records(bytes)
        for _ in 0..<30 {
            let index = Int.random(in: 4..<20, using: &random)
            records.swapAt(index, Int.random(in: max(4, index - 6)...index, using: &random))
        }
        records.insert(records[7], at: 12)
        let shuffled = try Capture(parsing: Array(bytes[..<24]) + records.flatMap(\.self))
        #expect(shuffled.payloads.filter { $0.transport == .tcp }.map(\.bytes) == expected)
    }

    @Test("a lost segment leaves a gap that is told")
    func gap() throws {
        let bytes = try Self.fixture("loopback.pcap")
        var records = Self.records(bytes)
        let lost = try #require(records[3...].firstIndex { $0.count == 16 + 14 + 20 + 32 + 97 })
        records.remove(at: lost)
        let stream = try #require(try Capture(parsing: Array(bytes[..<24]) + records.flatMap(\.self)).payloads.first)
        #expect(stream.hasGap)
        #expect(stream.bytes.count == (try Self.sent().count) - 97)
    }

    @Test("cut and changed files never trap")
    func hostile() throws {
        for name in ["loopback.pcap", "loopback.pcapng"] {
            let bytes = try Self.fixture(name)
            for count in stride(from: 0, to: bytes.count, by: 13) { _ = try? Capture(parsing: Array(bytes[..<count])) }
            var mutator = Mutator(random: SplitMix(seed: 5))
            for _ in 0..<300 {
                guard let capture = try? Capture(parsing: mutator.mutate(bytes, with: bytes)) else { continue }
                _ = DecoderRegistry.standard.decode(capture).map(\.json.text)
            }
        }
    }

    @Test("what is no capture is refused with its code")
    func refused() {
        let cases: [([UInt8], CaptureError.Code)] = [
            ([], .unknownFormat), (Array("v=0\r\n".utf8), .unknownFormat), ([0xD4, 0xC3, 0xB2, 0xA1], .malformed),
            ([0x0A, 0x0D, 0x0D, 0x0A, 28, 0, 0, 0, 0, 0, 0, 0], .malformed),
            ([0x0A, 0x0D, 0x0D, 0x0A, 11, 0, 0, 0, 0x4D, 0x3C, 0x2B, 0x1A], .malformed),
        ]
        for (bytes, code) in cases {
            #expect(throws: CaptureError(code, "")) { try Capture(parsing: bytes) }
        }
        var limits = CaptureLimits()
        limits.maximumPackets = 3
        #expect(throws: CaptureError(.tooManyPackets, "")) {
            try Capture(parsing: try Self.fixture("loopback.pcap"), limits: limits)
        }
        limits = CaptureLimits()
        limits.maximumStreams = 1
        #expect(throws: CaptureError(.tooManyStreams, "")) {
            try Capture(parsing: try Self.fixture("loopback.pcap"), limits: limits)
        }
    }
}
