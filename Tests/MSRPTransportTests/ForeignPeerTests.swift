import Foundation
import MSRP
import MSRPTransport
import NIOCore
import Testing

/// Peers that speak MSRP as other implementations do, on plain sockets.
@Suite(.timeLimit(.minutes(5))) struct ForeignPeerTests {
    /// A passive session of Bob's that waits for a foreign peer, and a socket connected to it.
    struct Waiting {
        let pair: Pair
        let session: MSRPSession
        let events: SessionEvents
        let local: String
        let remote = "msrp://198.51.100.7:7654/foreign;tcp"

        init(
            _ configuration: MSRPEndpoint.Configuration = .init(),
            configure: (inout Session.Configuration) -> Void = { _ in }
        ) async throws {
            self.pair = try await Pair.start(bob: configuration)
            let uri = try self.pair.uris().bob
            self.local = uri.text
            self.events = SessionEvents()
            // The port of the peer's URI is not the one that its connection comes from.
            self.session = try self.pair.bob.makeSession(
                local: uri,
                remotePath: [MSRPURI(parsing: self.remote)],
                role: .passive,
                handler: self.events,
                configure: configure
            )
            self.session.start()
        }

        func request(
            _ id: String,
            _ headers: [String],
            content: String? = nil,
            flag: String = "$",
            to: String? = nil
        )
            -> String
        {
            let head = ["MSRP \(id) SEND", "To-Path: \(to ?? self.local)", "From-Path: \(self.remote)"] + headers
            let body = content.map { "\r\n\($0)\r\n" } ?? ""
            return head.joined(separator: "\r\n") + "\r\n" + body + "-------\(id)\(flag)\r\n"
        }
    }

    @Test func bindsWithAnEmptySendAndSendsSmallChunksWithOpenTotals() async throws {
        let waiting = try await Waiting()
        let socket = try RawSocket(port: waiting.pair.port)
        // No Content-Type, no empty line.
        try socket.send(waiting.request("bind0001", ["Message-ID: bind", "Byte-Range: 1-0/0"]))
        let answer = try #require(try await socket.frame())
        #expect(answer.startLine == "MSRP bind0001 200 OK")
        #expect(answer.header("To-Path") == waiting.remote)
        #expect(answer.header("From-Path") == waiting.local)

        // Reads that end within the end-line, and totals that nobody knows before the last chunk.
        let content = String(repeating: "0123456789abcdef", count: 128)
        for (index, flag) in ["+", "+", "$"].enumerated() {
            let start = index * 2048 + 1
            let range = flag == "$" ? "\(start)-*/*" : "\(start)-\(start + 2047)/*"
            let request = waiting.request(
                "chunk00\(index)",
                ["Message-ID: message1", "Byte-Range: \(range)", "Success-Report: yes", "Content-Type: text/plain"],
                content: content,
                flag: flag
            )
            let size = request.utf8.count
            try await socket.send(request, splitAt: [size - 15, 3, 7, 4, 1])
            #expect(try await socket.frame()?.startLine == "MSRP chunk00\(index) 200 OK")
        }
        let report = try #require(try await socket.frame())
        #expect(report.startLine.hasSuffix(" REPORT"))
        #expect(report.header("Message-ID") == "message1")
        #expect(report.header("Byte-Range") == "1-6144/6144")
        #expect(report.header("Status") == "000 200 OK")
        #expect(
            await receive(1, from: waiting.events).first?.content == Array(String(repeating: content, count: 3).utf8)
        )
        waiting.session.close()
        try await waiting.pair.listener.close()
    }

    @Test(arguments: [false, true])
    func reportsForChunksAddUpAndCumulativeOnesToo(_ isCumulative: Bool) async throws {
        let waiting = try await Waiting()
        let socket = try RawSocket(port: waiting.pair.port)
        try socket.send(waiting.request("bind0001", ["Message-ID: bind"]))
        #expect(try await socket.frame()?.startLine == "MSRP bind0001 200 OK")
        async let sent: Void = waiting.session.send(
            ByteBuffer(repeating: UInt8(ascii: "x"), count: 5000),
            contentType: "text/plain",
            wantsSuccessReport: true
        )
        var total = 0
        var flag = "+"
        while flag == "+" {
            let chunk = try #require(try await socket.frame())
            total += try #require(chunk.content).utf8.count
            #expect(chunk.header("Success-Report") == "yes")
            flag = chunk.hasSuffix("$\r\n") ? "$" : "+"
            let range = try ByteRange(parsing: try #require(chunk.header("Byte-Range")))
            #expect(range.total == 5000)
            try socket.send(
                "MSRP \(chunk.transactionID) 200 OK\r\nTo-Path: \(waiting.local)\r\nFrom-Path: \(waiting.remote)\r\n"
                    + "-------\(chunk.transactionID)$\r\n"
            )
            let reported = isCumulative ? "1-\(total)/5000" : "\(range.start)-\(total)/5000"
            try socket.send(
                "MSRP report\(total) REPORT\r\nTo-Path: \(waiting.local)\r\nFrom-Path: \(waiting.remote)\r\n"
                    + "Message-ID: \(chunk.header("Message-ID") ?? "")\r\nByte-Range: \(reported)\r\n"
                    + "Status: 000 200 OK\r\n-------report\(total)$\r\n"
            )
        }
        #expect(total == 5000)
        try await sent
        waiting.session.close()
        try await waiting.pair.listener.close()
    }

    @Test func aPassivePeerIsCalledAndBoundAtOnce() async throws {
        let listener = try RawListener()
        let remote = "msrp://127.0.0.1:\(listener.port)/passive;tcp"
        var configuration = MSRPEndpoint.Configuration()
        configuration.limits.idleTimeout = .milliseconds(50)
        let pair = try await Pair.start(alice: configuration)
        let local = try pair.uris().alice
        let events = SessionEvents()
        let session = try pair.alice.makeSession(
            local: local,
            remotePath: [MSRPURI(parsing: remote)],
            role: .active,
            handler: events
        )
        session.start()
        let socket = try await listener.accept()
        let bind = try #require(try await socket.frame())
        #expect(bind.startLine.hasSuffix(" SEND"))
        #expect(bind.header("To-Path") == remote)
        #expect(bind.header("Content-Type") == nil)
        #expect(bind.content == nil)
        func answer(_ request: String, _ status: String) throws {
            try socket.send(
                "MSRP \(request.transactionID) \(status)\r\nTo-Path: \(local.text)\r\nFrom-Path: \(remote)\r\n"
                    + "-------\(request.transactionID)$\r\n"
            )
        }
        try answer(bind, "200 OK")
        async let sent: Void = session.send(ByteBuffer(repeating: 0, count: 100_000), contentType: "image/png")
        // The peer has enough after the first chunk.
        let chunk = try #require(try await socket.frame())
        try answer(chunk, "413 Too much")
        do {
            try await sent
            Issue.record("413 was not heard")
        } catch let error as MSRPError {
            #expect(error.code == .refused)
        }
        session.close()
        // What was under way when 413 came is all that still comes.
        var rest = 0
        while try await socket.frame() != nil { rest += 1 }
        #expect(rest <= 50)
        try await pair.listener.close()
    }

    @Test func refusesWhatIsNotForIt() async throws {
        let waiting = try await Waiting()
        let socket = try RawSocket(port: waiting.pair.port)
        let stranger = "msrp://127.0.0.1:\(waiting.pair.port)/nobody;tcp"
        try socket.send(waiting.request("nobody01", ["Message-ID: bind"], to: stranger))
        #expect(try await socket.frame()?.startLine == "MSRP nobody01 481 No such session")
        try socket.send(waiting.request("bind0001", ["Message-ID: bind"]))
        #expect(try await socket.frame()?.startLine == "MSRP bind0001 200 OK")
        let second = try RawSocket(port: waiting.pair.port)
        try second.send(waiting.request("bind0002", ["Message-ID: bind"]))
        #expect(try await second.frame()?.startLine == "MSRP bind0002 506 Session already bound")
        try socket.send(
            "MSRP frob0001 FROBNICATE\r\nTo-Path: \(waiting.local)\r\nFrom-Path: \(waiting.remote)\r\n-------frob0001$\r\n"
        )
        #expect(try await socket.frame()?.startLine == "MSRP frob0001 501 Unknown method")
        try socket.send("GET / HTTP/1.1\r\n")
        #expect(try await socket.frame() == nil)
        waiting.session.close()
        try await waiting.pair.listener.close()
    }

    @Test func whoGuessesSessionsIsHungUpOn() async throws {
        var configuration = MSRPEndpoint.Configuration()
        configuration.limits.maxRefusals = 3
        let waiting = try await Waiting(configuration)
        let socket = try RawSocket(port: waiting.pair.port)
        for turn in 0..<4 {
            let stranger = "msrp://127.0.0.1:\(waiting.pair.port)/guess\(turn);tcp"
            try socket.send(waiting.request("guess00\(turn)", ["Message-ID: bind"], to: stranger))
            #expect(try await socket.frame()?.startLine == "MSRP guess00\(turn) 481 No such session")
        }
        #expect(try await socket.frame() == nil)
        waiting.session.close()
        try await waiting.pair.listener.close()
    }

    @Test func aConnectionWithoutASessionIsClosed() async throws {
        var configuration = MSRPEndpoint.Configuration()
        configuration.limits.unboundTimeout = .milliseconds(50)
        let waiting = try await Waiting(configuration)
        let socket = try RawSocket(port: waiting.pair.port)
        #expect(try await socket.frame() == nil)
        waiting.session.close()
        try await waiting.pair.listener.close()
    }

    @Test func oneAddressTakesOnlyItsShareOfTheConnections() async throws {
        var configuration = MSRPEndpoint.Configuration()
        configuration.limits.maxConnectionsPerAddress = 1
        let waiting = try await Waiting(configuration)
        let first = try RawSocket(port: waiting.pair.port)
        try first.send(waiting.request("send0001", ["Message-ID: message1", "Byte-Range: 1-0/0"]))
        #expect(try await first.frame()?.startLine == "MSRP send0001 200 OK")
        let second = try RawSocket(port: waiting.pair.port)
        #expect(try await second.frame() == nil)
        #expect(waiting.pair.listener.openConnections == 1)
        waiting.session.close()
        try await waiting.pair.listener.close()
    }

    @Test func aCompleteMessageIsAnsweredWhenItsOwnerSaysSo() async throws {
        let waiting = try await Waiting { $0.acceptance = .explicit }
        let socket = try RawSocket(port: waiting.pair.port)
        let headers = ["Message-ID: message1", "Byte-Range: 1-5/5", "Success-Report: yes", "Content-Type: text/plain"]
        try socket.send(waiting.request("send0001", headers, content: "hello"))
        let id = await first(waiting.events) { event -> MessageID? in
            if case .completed(let id, _) = event { id } else { nil }
        }
        waiting.session.settle(try #require(id), .forbidden)
        #expect(try await socket.frame()?.startLine == "MSRP send0001 403 Forbidden")
        // Sent again, it is known, and not delivered again.
        try socket.send(waiting.request("send0002", headers, content: "hello"))
        #expect(try await socket.frame()?.startLine == "MSRP send0002 403 Forbidden")
        waiting.session.close()
        try await waiting.pair.listener.close()
    }
}
