import ClientWire
import Testing

@testable import AppGateway

/// Connections that are slow, broken, or want something else.
@Suite("Connections")
struct ConnectionTests {
    @Test(
        "what is no HTTP gets a problem and the connection ends",
        arguments: [
            ("nonsense\r\n\r\n", 400), ("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n", 400),
            ("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", 400),
            ("GET / HTTP/1.1\r\n\r\n", 400), ("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
            ("GET / HTTP/1.1\r\nHost: a\r\nBad Name: x\r\n\r\n", 400),
            ("GET / HTTP/1.1\r\nHost: a\r\nX: " + String(repeating: "x", count: 20000) + "\r\n\r\n", 431),
            (
                "GET / HTTP/1.1\r\nHost: a\r\n" + (0..<100).map { "X\($0): y\r\n" }.joined() + "\r\n", 431
            ),
            ("\u{16}\u{03}\u{01}\u{02}\u{00}\u{01}\u{00}\u{01}\u{fc}", 400),
        ]
    )
    func malformed(_ bytes: String, _ status: Int) async throws {
        try await TestGateway.run { gateway in
            let connection = try await RawConnection(port: gateway.port)
            try await connection.send(bytes)
            let reply = try await connection.reply()
            #expect(reply.status == status, "\(reply.text)")
            #expect(reply.code == (status == 431 ? "too-large" : "invalid-request"))
            #expect(reply.fields["connection"] == "close")
            #expect(try await connection.closes())
            // Also after a good request.
            let second = try await RawConnection(port: gateway.port)
            #expect(try await second.request("GET", "/v1/time").status == 200)
            try await second.send(bytes)
            #expect(try await second.reply().status == status)
            #expect(try await second.closes())
        }
    }

    @Test("a refused upgrade is answered like any request")
    func refusedUpgrade() async throws {
        try await TestGateway.run { gateway in
            func ask(_ path: String, _ fields: [(String, String)]) async throws -> Reply {
                let connection = try await RawConnection(port: gateway.port)
                let reply = try await connection.request("GET", path, fields: fields)
                if fields.contains(where: { $0.0 == "Upgrade" }) {
                    #expect(reply.fields["connection"] == "close")
                    #expect(try await connection.closes())
                } else {
                    #expect(try await connection.request("GET", "/v1/time").status == 200)
                    await connection.close()
                }
                return reply
            }
            let h2c = [
                ("Upgrade", "h2c"), ("Connection", "Upgrade, HTTP2-Settings"), ("HTTP2-Settings", "AAMAAABkAAQAAP__"),
            ]
            #expect(try await ask("/v1/time", h2c).status == 200)
            #expect(try await ask("/nope", h2c).status == 404)
            #expect(try await ask("/v1/account", h2c).status == 401)
            #expect(try await ask("/v1/account", TestSocket.upgrade).status == 401)
            #expect(try await ask("/v1/socketx", TestSocket.upgrade).status == 404)
            var fields = TestSocket.upgrade
            fields[3] = ("Sec-WebSocket-Version", "8")
            let old = try await ask("/v1/socket", fields)
            #expect(old.status == 426 && old.code == "upgrade-required" && old.fields["sec-websocket-version"] == "13")
            fields = TestSocket.upgrade
            fields[2] = ("Sec-WebSocket-Key", "short")
            #expect(try await ask("/v1/socket", fields).status == 426)
            #expect(try await ask("/v1/socket", []).status == 426)
            #expect(
                try await ask("/v1/socket", [("Upgrade", "websocket, h2c"), ("Connection", "Upgrade")]).status == 426
            )

            // A socket is opened by the first request of a connection; later it is refused properly.
            let reused = try await RawConnection(port: gateway.port)
            #expect(try await reused.request("GET", "/v1/time").status == 200)
            #expect(try await reused.request("GET", "/v1/socket", fields: TestSocket.upgrade).status == 426)
            await reused.close()
        }
    }

    @Test("slow heads, slow bodies and idle connections are cut off; others are not")
    func slow() async throws {
        var limits = GatewayLimits()
        limits.tickMilliseconds = 20
        limits.headMilliseconds = 700
        limits.bodyMilliseconds = 700
        limits.bodyBytesPerSecond = 1000
        try await TestGateway.run(limits: limits) { gateway in
            let alice = try await gateway.user("alice")
            let idle = try await RawConnection(port: gateway.port)
            let head = try await RawConnection(port: gateway.port)
            let body = try await RawConnection(port: gateway.port)
            let good = try await RawConnection(port: gateway.port)
            let request =
                "POST /v1/messages HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer \(alice.token)\r\n"
                + "Content-Type: application/json\r\nContent-Length: 1000\r\n\r\n"
            try await body.send(request)
            let began = ContinuousClock.now
            for byte in request.utf8.prefix(40) {
                try? await head.send([byte])
                try? await body.send("x")
                if good.isClosed { break }
                _ = try await good.request("GET", "/v1/time")
                try await Task.sleep(for: .milliseconds(30))
            }
            for connection in [idle, head, body] { #expect(try await connection.closes()) }
            #expect(ContinuousClock.now - began < .seconds(8))
            #expect(idle.received == 0 && head.received == 0 && body.received == 0)
            #expect(!good.isClosed)
            #expect(try await good.closes())
        }
    }

    @Test("a client that takes nothing of its answer is cut off")
    func stalledDownload() async throws {
        var limits = GatewayLimits()
        limits.tickMilliseconds = 20
        limits.stallMilliseconds = 500
        try await TestGateway.run(limits: limits) { gateway in
            let alice = try await gateway.user("alice")
            let upload = try await gateway.upload(alice, Array(repeating: 7, count: 12 << 20))
            let file = try await gateway.request("POST", "/v1/files", alice, json: "{\"upload\":\"\(upload.id)\"}")
            let id = try file.json(FileDocument.self).id
            let connection = try await RawConnection(port: gateway.port, receiveBuffer: 4096)
            try await connection.setReading(false)
            try await connection.send(
                "GET /v1/files/\(id)/content HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer \(alice.token)\r\n\r\n"
            )
            // It learns of the end when it writes, for it does not read.
            for _ in 0..<200 where !connection.isClosed {
                try await Task.sleep(for: .milliseconds(50))
                try? await connection.send(" ")
            }
            #expect(connection.isClosed)
            #expect(connection.received < 12 << 20)
        }
    }

    @Test("pipelined requests are answered in order; Connection: close and HTTP/1.0 end it")
    func pipelining() async throws {
        try await TestGateway.run { gateway in
            let connection = try await RawConnection(port: gateway.port)
            let time = "GET /v1/time HTTP/1.1\r\nHost: a\r\n\r\n"
            let last = "GET /v1/time HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
            try await connection.send(time + "GET /nope HTTP/1.1\r\nHost: a\r\n\r\n" + time + last + time)
            var statuses: [Int] = []
            for _ in 0..<4 { statuses.append(try await connection.reply().status) }
            #expect(statuses == [200, 404, 200, 200])
            #expect(try await connection.closes())
            #expect(connection.takeAll().isEmpty)
            let old = try await RawConnection(port: gateway.port)
            try await old.send("GET /v1/time HTTP/1.0\r\n\r\n")
            #expect(try await old.reply().status == 200)
            #expect(try await old.closes())
        }
    }

    @Test("Expect: 100-continue is heeded, and refused for a body that is too large")
    func expect() async throws {
        try await TestGateway.run { gateway in
            let alice = try await gateway.user("alice")
            let connection = try await RawConnection(port: gateway.port)
            let body = "{\"state\":\"busy\"}"
            func head(_ length: Int, _ path: String) -> String {
                "PUT \(path) HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer \(alice.token)\r\n"
                    + "Content-Type: application/json\r\nExpect: 100-continue\r\nContent-Length: \(length)\r\n\r\n"
            }
            try await connection.send(head(body.utf8.count, "/v1/availability"))
            let go = try await connection.take { Reply.parse($0) }
            #expect(go.status == 100)
            try await connection.send(body)
            #expect(try await connection.reply().status == 200)
            try await connection.send(head(1 << 30, "/v1/availability"))
            let refused = try await connection.take { Reply.parse($0) }
            #expect(refused.status == 413)
            #expect(try await connection.closes())
        }
    }

    @Test("more connections than the cap wait for a place")
    func cap() async throws {
        var limits = GatewayLimits()
        limits.connections = 3
        try await TestGateway.run(limits: limits) { gateway in
            var open: [RawConnection] = []
            for _ in 0..<3 {
                let connection = try await RawConnection(port: gateway.port)
                #expect(try await connection.request("GET", "/v1/time").status == 200)
                open.append(connection)
            }
            let waiting = try await RawConnection(port: gateway.port)
            try await waiting.send("GET /v1/time HTTP/1.1\r\nHost: a\r\n\r\n")
            await #expect(throws: RawConnection.TimedOut.self) { try await waiting.reply(within: 0.3) }
            await open[0].close()
            #expect(try await waiting.reply().status == 200)
        }
    }

    @Test(
        "a body that ends early is not taken for the whole",
        arguments: [
            "Content-Length: 17\r\n\r\n{\"state\":\"busy\"}",
            "Transfer-Encoding: chunked\r\n\r\n10\r\n{\"state\":\"busy\"}\r\n",
            "Transfer-Encoding: chunked\r\n\r\n10\r\n{\"state\":\"busy\"}\r\nzz\r\n",
        ],
        [true, false]
    )
    func cutBody(_ rest: String, _ closes: Bool) async throws {
        var limits = GatewayLimits()
        limits.tickMilliseconds = 20
        limits.bodyMilliseconds = 400
        try await TestGateway.run(limits: limits) { gateway in
            let alice = try await gateway.user("alice")
            let connection = try await RawConnection(port: gateway.port)
            try await connection.send(
                "PUT /v1/availability HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer \(alice.token)\r\n"
                    + "Content-Type: application/json\r\n" + rest
            )
            try await Task.sleep(for: .milliseconds(200))
            // Either the client goes, or the server's patience ends.
            if closes { await connection.close() }
            #expect(try await connection.closes())
            try await Task.sleep(for: .milliseconds(200))
            let state = try await gateway.request("GET", "/v1/availability", alice)
            #expect(state.text == "{\"state\":\"available\"}")
        }
    }
}
