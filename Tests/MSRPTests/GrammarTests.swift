import MSRP
import NIOCore
import Testing

@Suite struct URITests {
    @Test(arguments: [
        ("msrp://a.example.com:7654/abc;tcp", "MSRP://A.Example.COM:7654/abc;TCP", true),
        ("msrp://a.example.com:7654/abc;tcp", "msrp://a.example.com:7654/ABC;tcp", false),
        ("msrp://a.example.com:7654/abc;tcp", "msrps://a.example.com:7654/abc;tcp", false),
        ("msrp://a.example.com:7654/abc;tcp", "msrp://a.example.com/abc;tcp", false),
        ("msrp://a.example.com:7654/abc;tcp", "msrp://a.example.com:7654;tcp", false),
        ("msrp://a.example.com:7654/abc;tcp", "msrp://a.example.com:7654/abc;ws", false),
        ("msrp://u@a.example.com:7654/abc;tcp", "msrp://a.example.com:7654/abc;tcp;x=1", true),
        ("msrp://[2001:DB8::1]:7654/abc;tcp", "msrp://[2001:db8::1]:7654/abc;tcp", true),
    ])
    func comparison(_ left: String, _ right: String, _ isEqual: Bool) throws {
        let left = try MSRPURI(parsing: left)
        let right = try MSRPURI(parsing: right)
        #expect((left == right) == isEqual)
        #expect(!isEqual || left.hashValue == right.hashValue)
    }

    @Test func partsComeOutAndTheTextStays() throws {
        let text = "msrps://bob:x@[2001:DB8::2]:2855/a-._~+=/b;tcp;x=1;y"
        let uri = try MSRPURI(parsing: text)
        #expect(uri.isSecure && uri.isIPv6)
        #expect(uri.user == "bob:x")
        #expect(uri.host == "2001:db8::2")
        #expect(uri.port == 2855)
        #expect(uri.sessionID == "a-._~+=/b")
        #expect(uri.transport == "tcp")
        #expect(uri.text == text)
        let made = try MSRPURI(secure: false, host: "2001:db8::3", port: nil, sessionID: nil)
        #expect(made.text == "msrp://[2001:db8::3];tcp")
        #expect(made.effectivePort == 2855)
    }

    @Test(arguments: [
        "", "msrp:/a;tcp", "http://a;tcp", "msrp://;tcp", "msrp://a", "msrp://a/;tcp", "msrp://a:/b;tcp",
        "msrp://a:65536/b;tcp", "msrp://a:x/b;tcp", "msrp://a/b;", "msrp://a/b;t-p", "msrp://a/b$c;tcp",
        "msrp://[]/b;tcp",
        "msrp://[::1/b;tcp", "msrp://[::1]x/b;tcp", "msrp://a b/c;tcp", "msrp://@a@b/c;tcp", "msrp://a/b;tcp;",
        "msrp://é/b;tcp",
    ])
    func whatIsNoURIIsRefused(_ text: String) {
        #expect(throws: MSRPError(.malformedURI, "")) { try MSRPURI(parsing: text) }
    }

    @Test func pathsAreBounded() throws {
        var limits = MSRPLimits()
        limits.maxPathURIs = 2
        let one = "msrp://a/b;tcp"
        #expect(try MSRPURI.path(parsing: "\(one)  \(one)", limits: limits).count == 2)
        #expect(throws: MSRPError(.tooManyPathURIs, "")) {
            try MSRPURI.path(parsing: "\(one) \(one) \(one)", limits: limits)
        }
        #expect(throws: MSRPError(.malformedURI, "")) { try MSRPURI.path(parsing: " ") }
        let long = "msrp://a/\(String(repeating: "b", count: 2000));tcp"
        #expect(throws: MSRPError(.malformedURI, "")) { try MSRPURI(parsing: long) }
    }

    @Test func sessionIDsDifferAndFit() throws {
        var numbers = Numbers(1)
        let ids = Set((0..<100).map { _ in MSRPURI.makeSessionID(using: &numbers) })
        #expect(ids.count == 100)
        for id in ids { #expect(try MSRPURI(secure: true, host: "h", port: 1, sessionID: id).sessionID == id) }
        #expect(try WebSocketFraming.clientURI(using: &numbers).transport == "ws")
    }
}

@Suite struct ByteRangeTests {
    @Test(arguments: ["1-*/*", "1-5/5", "1-0/0", "6-5/*", "2-*/10", "1-18446744073709551614/*"])
    func readAndPrinted(_ text: String) throws { #expect(try ByteRange(parsing: text).text == text) }

    @Test(arguments: [
        "", "1", "1-5", "-5/5", "0-5/5", "5-3/9", "1-6/5", "1-x/5", "*-5/5", "1-5/", "1-5/5/5", "1 -5/5", "+1-5/5",
        "18446744073709551615-*/*", "1-18446744073709551616/*", "1-18446744073709551615/*",
    ])
    func refused(_ text: String) {
        #expect(throws: MSRPError(.malformedByteRange, "")) { try ByteRange(parsing: text) }
    }
}

@Suite struct FrameTests {
    @Test func everyLimitHasItsError() throws {
        func error(_ text: String, _ change: (inout MSRPLimits) -> Void) -> MSRPError.Code? {
            var limits = MSRPLimits()
            change(&limits)
            for split in [1, 7, Int.max] {
                guard let found = Collected(Array(text.utf8), split: [split], limits: limits).error else { return nil }
                guard split == .max else { continue }
                return found.code
            }
            return nil
        }
        let start = "MSRP abcd1234 SEND\r\n"
        #expect(error(start + "X: " + String(repeating: "x", count: 100)) { $0.maxLineBytes = 64 } == .lineTooLong)
        #expect(error(start + String(repeating: "X: y\r\n", count: 20)) { $0.maxHeadBytes = 100 } == .headTooLong)
        #expect(error(start + String(repeating: "X: y\r\n", count: 5)) { $0.maxHeaders = 4 } == .tooManyHeaders)
        #expect(error("MSRQ") { _ in } == .malformedStartLine)
        #expect(error("MSRP abcd1234 send\r\n") { _ in } == .malformedStartLine)
        #expect(error("MSRP  SEND\r\n") { _ in } == .malformedStartLine)
        #expect(error("MSRP abcd\u{1}234 SEND\r\n") { _ in } == .malformedStartLine)
    }

    @Test func aBodyPassesThroughWithoutBeingHeld() throws {
        var parser = FrameParser()
        parser.append(ByteBuffer(string: "MSRP abcd1234 SEND\r\nTo-Path: a\r\nFrom-Path: b\r\n\r\n"))
        _ = try parser.next()
        for _ in 0..<100 {
            parser.append(ByteBuffer(repeating: UInt8(ascii: "-"), count: 10_000))
            guard case .body? = try parser.next() else {
                Issue.record("a body was held back")
                return
            }
            #expect(try parser.next() == nil)
            #expect(parser.heldBytes == 0)
        }
    }

    @Test func theEndLineIsFoundWhereverItIsSplit() throws {
        let text =
            "MSRP abcd1234 SEND\r\nTo-Path: a\r\nFrom-Path: b\r\n\r\nx\r\n------\r\n-------abcd123\r\n\r\n-------abcd1234+\r\n"
        for cut in 0..<text.utf8.count {
            let bytes = Array(text.utf8)
            let collected = Collected(bytes, split: [max(cut, 1), bytes.count])
            let item = try #require(collected.complete.first)
            #expect(String(decoding: item.body, as: UTF8.self) == "x\r\n------\r\n-------abcd123\r\n")
            #expect(item.end == .more)
        }
    }

    @Test func whatCannotBePrintedIsRefused() throws {
        let id = try TransactionID(validating: "abcd1234")
        let good = Frame(transactionID: id, startLine: .request(.send), toPath: [.bob], fromPath: [.alice])
        var cases: [Frame] = []
        for change: (inout Frame) -> Void in [
            { $0.headers = [.init("X", "a\r\nY: b")] }, { $0.headers = [.init("X Y", "a")] }, { $0.toPath = [] },
            { $0.contentType = "a\nb" }, { $0.startLine = .request(.init(rawValue: "send")) },
            { $0.startLine = .request(.init(rawValue: "")) }, { $0.startLine = .response(.ok, comment: "\r") },
            { $0.headers = [.init("", "a")] }, { $0.body = ByteBuffer(string: "x\r\n-------abcd1234$\r\n") },
        ] {
            var frame = good
            change(&frame)
            cases.append(frame)
        }
        for frame in cases {
            var buffer = ByteBuffer()
            #expect(throws: MSRPError(.unprintable, "")) { try frame.write(into: &buffer) }
            #expect(buffer.readableBytes == 0)
        }
        var buffer = ByteBuffer()
        try good.write(into: &buffer)
        #expect(buffer.text.hasSuffix("-------abcd1234$\r\n"))
    }

    @Test func webSocketMessagesHoldExactlyOneChunk() throws {
        let frame = "MSRP abcd1234 SEND\r\nTo-Path: a\r\nFrom-Path: b\r\n-------abcd1234$\r\n"
        #expect(try WebSocketFraming.events(in: ByteBuffer(string: frame)).count == 2)
        for text in ["", frame + frame, frame + "x", String(frame.dropLast(1)), String(frame.prefix(20))] {
            #expect(throws: (any Error).self) { try WebSocketFraming.events(in: ByteBuffer(string: text)) }
        }
    }
}

@Suite struct SetupTests {
    @Test(arguments: ConnectionSetup.allCases + [nil], [true, false])
    func rolesFitTogether(_ offered: ConnectionSetup?, _ isReachable: Bool) throws {
        guard let answer = try? ConnectionSetup.answer(to: offered, isReachable: isReachable) else {
            #expect(offered == .holdconn || ((offered ?? .active) == .active && !isReachable))
            return
        }
        let role = try ConnectionSetup.offererRole(offered: offered ?? .active, answered: answer.setup)
        #expect(role != answer.role)
        #expect(answer.setup.rawValue == "\(answer.role)")
    }

    @Test func offersAreNeverPassive() {
        #expect(ConnectionSetup.offer(isReachable: true) == .actpass)
        #expect(ConnectionSetup.offer(isReachable: false) == .active)
    }

    @Test func bothActiveIsNoConnection() {
        #expect(throws: MSRPError(.noConnectionRole, "")) {
            try ConnectionSetup.offererRole(offered: .active, answered: .active)
        }
        #expect(throws: MSRPError(.noConnectionRole, "")) {
            try ConnectionSetup.answer(to: .active, isReachable: false)
        }
    }

    @Test func withCEMAOneConnectsToWhereTheLinesSay() throws {
        let path = [MSRPURI.known("msrps://bob.example.com:2855/bbb;tcp")]
        let through = MediaAddress(host: "192.0.2.9", port: 4000, path: path, hasCEMA: true)
        let direct = MediaAddress(host: "bob.example.com", port: 2855, path: path, hasCEMA: false)
        var changed = through
        changed.hasCEMA = false
        let byLines = ConnectionAddress(host: "192.0.2.9", port: 4000, isSecure: true)
        let byPath = ConnectionAddress(host: "bob.example.com", port: 2855, isSecure: true)
        #expect(try CEMA.decide(localHasCEMA: true, remote: through, isOfferer: true) == .connect(byLines))
        #expect(try CEMA.decide(localHasCEMA: false, remote: through, isOfferer: true) == .connect(byPath))
        #expect(try CEMA.decide(localHasCEMA: true, remote: direct, isOfferer: true) == .connect(byPath))
        #expect(try CEMA.decide(localHasCEMA: true, remote: changed, isOfferer: true) == .fallBack)
        #expect(try CEMA.decide(localHasCEMA: true, remote: changed, isOfferer: false) == .connect(byPath))
        #expect(CEMA.offers(usesRelay: false) && !CEMA.offers(usesRelay: true))
        #expect(CEMA.answers(to: through, usesRelay: false, role: .active))
        #expect(!CEMA.answers(to: through, usesRelay: true, role: .active))
        #expect(!CEMA.answers(to: direct, usesRelay: false, role: .passive))
    }

    @Test func fingerprints() throws {
        let text =
            "SHA-256 "
            + (0..<32).map { $0 < 16 ? "0\(String($0, radix: 16).uppercased())" : "1F" }.joined(separator: ":")
        #expect(try CertificateFingerprint(parsing: text).text == text)
        for bad in ["", "SHA-256", "SHA-1 00", "SHA-256 00:11", text + ":00", text.replacing("1F", with: "1G")] {
            #expect(throws: MSRPError(.malformedFingerprint, "")) { try CertificateFingerprint(parsing: bad) }
        }
    }

    @Test func acceptTypes() {
        let types = AcceptTypes("message/cpim text/* Application/JSON")
        for type in ["message/CPIM", "text/plain;charset=utf-8", "application/json"] { #expect(types.contains(type)) }
        for type in ["message/imdn+xml", "application/xml", "text", ""] { #expect(!types.contains(type)) }
        #expect(AcceptTypes.all.contains("x/y"))
    }
}
