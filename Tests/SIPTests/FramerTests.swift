import NIOCore
import SIP
import Testing

@Suite("Stream framer")
struct FramerTests {
    static let first = Samples.request(body: "hello")
    static let second = Samples.request(callID: "two@example.com", body: "")

    static func run(_ pieces: [ByteBuffer], side: StreamFramer.Side = .server) -> [String] {
        var framer = StreamFramer(side: side)
        var events: [String] = []
        for piece in pieces {
            framer.append(piece)
            while let event = framer.next() {
                switch event {
                case .message(let message): events.append(String(buffer: message.serialized()))
                case .ping: events.append("ping")
                case .pong: events.append("pong")
                case .failed(let error, _): events.append("failed \(error.code.rawValue)")
                }
            }
        }
        return events
    }

    @Test("Two messages with keep-alives around them, split in two at every place, and byte by byte")
    func splits() {
        let stream = Array(("\r\n\r\n" + Self.first + "\r\n\r\n\r\n\r\n" + Self.second).utf8)
        let expected = ["ping", Self.first, "ping", "ping", Self.second]
        for cut in 0...stream.count {
            let pieces = [ByteBuffer(bytes: stream[..<cut]), ByteBuffer(bytes: stream[cut...])]
            #expect(Self.run(pieces) == expected, "cut at \(cut)")
        }
        #expect(Self.run(stream.map { ByteBuffer(bytes: [$0]) }) == expected)
    }

    @Test("On a connection that we opened a single CRLF is a pong")
    func pong() {
        #expect(
            Self.run([ByteBuffer(string: "\r\n" + Self.first + "\r\n")], side: .client) == ["pong", Self.first, "pong"]
        )
        #expect(Self.run([ByteBuffer(string: "\r\n" + Self.first)]) == [Self.first])
    }

    @Test(
        "Framing that is lost ends the stream",
        arguments: [
            ("Content-Length: -5", "malformed-content-length"), ("X: y", "missing-content-length"),
            ("Content-Length: 1\r\nContent-Length: 2", "malformed-content-length"),
            ("Content-Length: 99999999", "body-too-large"),
            ("Content-Length: 99999999999999999999", "malformed-content-length"),
            ("no colon", "malformed-header"),
        ]
    )
    func lost(line: String, code: String) {
        let text = Self.first.replacing("Content-Length: 5", with: line)
        let events = Self.run([ByteBuffer(string: text), ByteBuffer(string: Self.second)])
        #expect(events == ["failed \(code)"])
    }

    @Test("Limits of head size hold before a head is complete")
    func limits() {
        let endless = "OPTIONS sip:a@b SIP/2.0\r\n" + String(repeating: "X: yyyyyyyy\r\n", count: 4000)
        #expect(Self.run([ByteBuffer(string: endless)]) == ["failed head-too-large"])
        let line = "OPTIONS sip:a@b SIP/2.0\r\nX: " + String(repeating: "y", count: 9000) + "\r\n\r\n"
        #expect(Self.run([ByteBuffer(string: line)]) == ["failed line-too-long"])
        #expect(Self.run([ByteBuffer(string: String(repeating: "\r\n", count: 5000))]).allSatisfy { $0 == "ping" })
    }

    @Test("A head above the limit is too large even when its end came along, and its request can be answered")
    func largeHead() throws {
        let head = Self.first.replacing("Content-Length", with: String(repeating: "X: yyyyyyyy\r\n", count: 4000) + "X")
        let bytes = ByteBuffer(string: head)
        let half = try #require(bytes.getSlice(at: 0, length: 40_000))
        #expect(Self.run([bytes]) == ["failed head-too-large"])
        #expect(Self.run([half, ByteBuffer(string: "\r\n\r\n")]) == ["failed head-too-large"])
        var framer = StreamFramer(side: .server)
        framer.append(bytes)
        guard case .failed(_, let request?) = framer.next() else {
            Issue.record("no request to answer")
            return
        }
        #expect(try request.callID() == "one@example.com")
    }

    @Test("A message without its body waits")
    func incomplete() {
        #expect(Self.run([ByteBuffer(string: String(Self.first.dropLast()))]).isEmpty)
    }

    @Test("Streams of the corpus", arguments: Corpus.entries("sip", "sip-interop").filter { $0.file.hasSuffix(".bin") })
    func corpus(entry: Corpus.Entry) throws {
        let bytes = try entry.bytes()
        let whole = Self.run([bytes])
        let pieces = bytes.readableBytesView.map { ByteBuffer(bytes: [$0]) }
        #expect(Self.run(pieces) == whole)
        if entry.file.contains("crlfcrlf") { #expect(whole == ["ping"]) }
        if entry.file.contains("no-content-length") { #expect(whole == ["failed missing-content-length"]) }
    }
}

/// Messages for tests.
enum Samples {
    static func request(callID: String = "one@example.com", body: String) -> String {
        "MESSAGE sip:b@example.com SIP/2.0\r\nVia: SIP/2.0/TCP a.example.com;branch=z9hG4bK1\r\nMax-Forwards: 70\r\n"
            + "From: <sip:a@example.com>;tag=1\r\nTo: <sip:b@example.com>\r\nCall-ID: \(callID)\r\nCSeq: 1 MESSAGE\r\n"
            + "Content-Type: text/plain\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)"
    }

    static func invite(callID: String = "call@example.com", extra: String = "") throws -> SIPMessage {
        try SIPMessage(
            "INVITE sip:b@example.com SIP/2.0\r\nVia: SIP/2.0/UDP a.example.com;branch=z9hG4bKinv\r\nMax-Forwards: 70\r\n"
                + "From: \"A\" <sip:a@example.com>;tag=atag\r\nTo: <sip:b@example.com>\r\nCall-ID: \(callID)\r\n"
                + "CSeq: 7 INVITE\r\nContact: <sip:a@a.example.com>\r\n\(extra)Content-Length: 0\r\n\r\n"
        )
    }

    /// A response to a request, with tag, Contact and further lines.
    static func response(
        _ status: SIPStatus,
        to request: SIPMessage,
        tag: String?,
        contact: String? = "<sip:b@b.example.com>"
    ) -> SIPMessage {
        var response = SIPMessage(status, to: request, toTag: tag)
        if let contact { response.append(.contact, contact) }
        return response
    }
}
