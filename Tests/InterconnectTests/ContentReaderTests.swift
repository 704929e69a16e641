import Testing

@testable import Interconnect

@Suite("The content of a message that arrives in pieces")
struct ContentReaderTests {
    private static let head = "From: <sip:a@a.example>\r\nTo: <sip:b@b.example>\r\n\r\n"

    /// What each part holds.
    private func parts(_ text: String, pieces: Int) throws -> [String] {
        var reader = ContentReader(maximumParts: 8)
        var parts: [[UInt8]] = []
        let bytes = Array(text.utf8)
        var events: [ContentReader.Event] = []
        for start in stride(from: 0, to: bytes.count, by: pieces) {
            events += try reader.feed(bytes[start..<min(start + pieces, bytes.count)])
        }
        for event in events + (try reader.finish()) {
            switch event {
            case .part: parts.append([])
            case .bytes(let piece): parts[parts.count - 1] += piece
            case .head, .endOfPart: break
            }
        }
        return parts.map { String(decoding: $0, as: UTF8.self) }
    }

    @Test(
        "parts are the same however the octets come, empty ones and such as look like a delimiter too",
        arguments: 1...40
    )
    func pieces(size: Int) throws {
        let text = """
            \(Self.head)Content-Type: multipart/mixed;boundary=b\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\n\r\n--b\r\n\
            Content-Type: text/plain\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\n--a\r\n--b\r\n\r\nbare\r\n--b--\r\n
            """
        #expect(try parts(text, pieces: size) == ["", "", "--a", "bare"])
    }

    @Test("what is not closed is refused")
    func cut() throws {
        let text =
            "\(Self.head)Content-Type: multipart/mixed;boundary=b\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\nx"
        #expect(throws: (any Error).self) { try parts(text, pieces: 7) }
    }
}
