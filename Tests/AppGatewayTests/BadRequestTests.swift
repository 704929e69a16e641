import ClientWire
import MemoryStore
import MessagingCore
import MessagingService
import Store
import Synchronization
import Testing

@testable import AppGateway

/// What a client can get wrong in a request, and what it is told.
@Suite("Bad requests")
struct BadRequestTests {
    @Test("bodies: malformed, wrong types, unknown fields, wrong media type, too large")
    func bodies() async throws {
        try await TestGateway.run { gateway in
            let alice = try await gateway.user("alice")
            let id = messageID()
            let cases: [(String, Int, String)] = [
                ("{", 400, "invalid-request"), ("", 400, "invalid-request"), ("[]", 400, "invalid-request"),
                ("{\"id\":7,\"to\":[]}", 400, "invalid-request"),
                ("{\"id\":\"\(id)\"}", 400, "invalid-request"),
                ("{\"id\":\"\(id)\",\"to\":[\"nobody\"],\"parts\":[]}", 400, "invalid-address"),
                ("{\"id\":\"\(id)\",\"to\":[\"alice@a.example\"],\"parts\":[],\"x\":1}", 400, "invalid-request"),
                ("{\"id\":\"a b\",\"to\":[\"alice@a.example\"],\"parts\":[{\"text\":\"x\"}]}", 400, "invalid-id"),
                (
                    "{\"id\":\"\(id)\",\"to\":[\"alice@a.example\"],\"parts\":[{\"text\":\"x\",\"y\":1}]}", 400,
                    "invalid-request"
                ),
                (
                    "{\"id\":\"\(id)\",\"to\":[\"alice@a.example\"],\"parts\":[{\"type\":\"junk\",\"text\":\"x\"}]}",
                    400,
                    "invalid-message"
                ),
                (String(repeating: "[", count: 1000), 400, "invalid-request"),
                ("\u{FEFF}{}", 400, "invalid-request"),
            ]
            for (body, status, code) in cases {
                let reply = try await gateway.request("POST", "/v1/messages", alice, json: body)
                #expect(reply.status == status, "\(body.prefix(80)): \(reply.text)")
                #expect(reply.code == code, "\(body.prefix(80)): \(reply.text)")
            }
            // Rare bodies are just as strict.
            for body in ["{\"state\":\"busy\",\"x\":1}", "{\"state\":\"asleep\"}", "{\"state\":null}"] {
                let reply = try await gateway.request("PUT", "/v1/availability", alice, json: body)
                #expect(reply.status == 400 && reply.code == "invalid-request", "\(reply.text)")
            }
            for type in ["text/plain", "application/json; charset=latin1", "application/x-www-form-urlencoded"] {
                let reply = try await gateway.request(
                    "POST",
                    "/v1/messages",
                    alice,
                    body: Array("{}".utf8),
                    fields: [("Content-Type", type)]
                )
                #expect(reply.status == 415 && reply.code == "unsupported-media-type", "\(type): \(reply.text)")
            }
            let absent = try await gateway.request("POST", "/v1/messages", alice, body: Array("{}".utf8))
            #expect(absent.status == 415)
            #expect(try await gateway.request("GET", "/v1/messages", alice).json(ItemPage.self).items.isEmpty)
        }
    }

    @Test("an oversize body is refused before it is sent, and while it comes in chunks")
    func oversize() async throws {
        try await TestGateway.run { gateway in
            let alice = try await gateway.user("alice")
            let announced = try await RawConnection(port: gateway.port)
            try await announced.send(
                "POST /v1/messages HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer \(alice.token)\r\n"
                    + "Content-Type: application/json\r\nContent-Length: 10000000\r\n\r\n{\"id\":"
            )
            let reply = try await announced.reply()
            #expect(reply.status == 413 && reply.code == "too-large" && reply.fields["connection"] == "close")
            #expect(try await announced.closes())

            let chunked = try await RawConnection(port: gateway.port)
            try await chunked.send(
                "POST /v1/messages HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer \(alice.token)\r\n"
                    + "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
            )
            let piece = "10000\r\n" + String(repeating: " ", count: 0x10000) + "\r\n"
            for _ in 0..<8 { try? await chunked.send(piece) }
            let second = try await chunked.reply()
            #expect(second.status == 413 && second.code == "too-large" && second.fields["connection"] == "close")
            #expect(try await chunked.closes())
        }
    }

    @Test("too many parts or receivers, path tricks in names, quota and entitlement")
    func refused() async throws {
        try await TestGateway.run { gateway in
            let alice = try await gateway.user("alice")
            func send(_ user: TestGateway.User, to: [String], parts: [String]) async throws -> Reply {
                let to = to.map { "\"\($0)\"" }.joined(separator: ",")
                return try await gateway.request(
                    "POST",
                    "/v1/messages",
                    user,
                    json: "{\"id\":\"\(messageID())\",\"to\":[\(to)],\"parts\":[\(parts.joined(separator: ","))]}"
                )
            }
            let text = "{\"text\":\"x\"}"
            let parts = try await send(alice, to: ["alice@a.example"], parts: Array(repeating: text, count: 33))
            #expect(parts.status == 422 && parts.code == "too-many", "\(parts.text)")
            let receivers = try await send(alice, to: (0..<201).map { "u\($0)@a.example" }, parts: [text])
            #expect(receivers.status == 422 && receivers.code == "too-many", "\(receivers.text)")
            let long = try await send(
                alice,
                to: ["alice@a.example"],
                parts: ["{\"text\":\"\(String(repeating: "x", count: 65537))\"}"]
            )
            #expect(long.status == 413 && long.code == "too-large", "\(long.text)")
            for name in ["../../etc/passwd", "a/b", "a\\\\b", "..", "a\\u0000b", "\\u202Egnp.exe", ""] {
                let part = "{\"text\":\"x\",\"name\":\"\(name)\"}"
                let reply = try await send(alice, to: ["alice@a.example"], parts: [part])
                #expect(reply.status == 400 && reply.code == "invalid-message", "\(name): \(reply.text)")
                let upload = "{\"type\":\"image/png\",\"name\":\"\(name)\",\"bytes\":5}"
                let started = try await gateway.request("POST", "/v1/uploads", alice, json: upload)
                #expect(started.status == 400, "\(name): \(started.text)")
            }

            _ = try await gateway.service.putOperatorSettings(OperatorSettings(tariff: Tariff(perReceiver: 10)))
            let poor = try await gateway.user("poor", balance: 5)
            let credit = try await send(poor, to: ["alice@a.example"], parts: [text])
            #expect(credit.status == 402 && credit.code == "no-credit", "\(credit.text)")
            #expect(try await gateway.request("GET", "/v1/account", poor).json(Balance.self).balance == 5)
            #expect(try await gateway.request("GET", "/v1/messages", poor).json(ItemPage.self).items.isEmpty)
            #expect(try await gateway.request("GET", "/v1/messages", alice).json(ItemPage.self).items.isEmpty)

            let small = try await gateway.user("small", entitlement: Entitlement(quotaBytes: 100))
            let full = try await send(
                small,
                to: ["alice@a.example"],
                parts: ["{\"text\":\"\(String(repeating: "x", count: 200))\"}"]
            )
            #expect(full.status == 507 && full.code == "quota-exceeded", "\(full.text)")
            let upload = "{\"type\":\"image/png\",\"bytes\":1000}"
            let started = try await gateway.request("POST", "/v1/uploads", small, json: upload)
            #expect(started.status == 507 && started.code == "quota-exceeded", "\(started.text)")
            let mute = try await gateway.user("mute", entitlement: Entitlement(canSend: false))
            let forbidden = try await send(mute, to: ["alice@a.example"], parts: [text])
            #expect(forbidden.status == 403 && forbidden.code == "not-entitled", "\(forbidden.text)")
        }
    }

    private struct Balance: Decodable { var balance: Int64 }

    @Test("the same id: repeated, conflicting, too old; foreign ids are not there")
    func identity() async throws {
        try await TestGateway.run { gateway in
            let alice = try await gateway.user("alice")
            let eve = try await gateway.user("eve")
            let id = messageID()
            func body(_ id: String, _ text: String) -> String {
                "{\"id\":\"\(id)\",\"to\":[\"alice@a.example\"],\"parts\":[{\"text\":\"\(text)\"}]}"
            }
            let first = try await gateway.request("POST", "/v1/messages", alice, json: body(id, "one"))
            let again = try await gateway.request("POST", "/v1/messages", alice, json: body(id, "one"))
            #expect(first.status == 201 && again.status == 200)
            #expect(try again.json(SendAnswer.self).repeated)
            #expect(try first.json(SendAnswer.self).created == again.json(SendAnswer.self).created)
            let other = try await gateway.request("POST", "/v1/messages", alice, json: body(id, "two"))
            #expect(other.status == 409 && other.code == "conflict")
            let old = messageID(at: Timestamp.wallClock().advanced(by: -61 * 86_400_000))
            let stale = try await gateway.request("POST", "/v1/messages", alice, json: body(old, "old"))
            #expect(stale.status == 409 && stale.code == "stale", "\(stale.text)")
            for path in ["", "/parts/0", "/decisions"] {
                let foreign = try await gateway.request("GET", "/v1/messages/\(id)\(path)", eve)
                let none = try await gateway.request("GET", "/v1/messages/\(messageID())\(path)", eve)
                #expect(
                    foreign.status == 404 && foreign.code == "not-found" && foreign.problem == none.problem,
                    "\(foreign.text)"
                )
            }
            for (path, body) in [
                ("read", "{\"ids\":[\"\(id)\"]}"), ("delete", "{\"ids\":[\"\(id)\"],\"scope\":\"everywhere\"}"),
            ] {
                let foreign = try await gateway.request("POST", "/v1/messages/\(path)", eve, json: body)
                #expect(foreign.status == 404, "\(foreign.text)")
            }
            let fetch = try await gateway.request("POST", "/v1/messages/\(id)/fetch", eve)
            #expect(fetch.status == 404)
            let missing = try await gateway.request("GET", "/v1/messages/\(id)/parts/9", alice)
            #expect(missing.status == 404)
            let junk = try await gateway.request("GET", "/v1/messages/\(id)/parts/-1", alice)
            #expect(junk.status == 404)
            let bad = try await gateway.request("GET", "/v1/messages/a%20b", alice)
            #expect(bad.status == 400 && bad.code == "invalid-id")
        }
    }

    @Test("tokens: none, wrong, of a device that is gone")
    func tokens() async throws {
        try await TestGateway.run { gateway in
            let alice = try await gateway.user("alice")
            let laptop = try await gateway.device(of: "alice")
            let connection = try await RawConnection(port: gateway.port)
            for token in [nil, "x", "ct_" + String(repeating: "0", count: 64), String(repeating: "y", count: 4000)] {
                let reply = try await connection.request("GET", "/v1/account", token: token)
                #expect(
                    reply.status == 401 && reply.code == "unauthenticated"
                        && reply.fields["www-authenticate"] == "Bearer"
                )
            }
            let basic = try await connection.request(
                "GET",
                "/v1/account",
                fields: [("Authorization", "Basic \(alice.token)")]
            )
            #expect(basic.status == 401)
            let revoked = try await gateway.request("DELETE", "/v1/devices/\(laptop.device.rawValue)", alice)
            #expect(revoked.status == 204 && revoked.body.isEmpty)
            #expect(try await connection.request("GET", "/v1/account", token: laptop.token).status == 401)
            #expect(try await gateway.request("POST", "/v1/logout", alice).status == 204)
            #expect(try await connection.request("GET", "/v1/account", token: alice.token).status == 401)
            await connection.close()
        }
    }

    @Test("logging in: uniform refusal, limited per address and per peer, success does not count")
    func login() async throws {
        var limits = GatewayLimits()
        limits.loginsOfAddress = Rate(burst: 3, perSecond: 0.01)
        limits.loginsOfPeer = Rate(burst: 6, perSecond: 0.01)
        try await TestGateway.run(limits: limits) { gateway in
            try await gateway.account("alice")
            try await gateway.account("bob")
            func login(_ name: String, _ password: String) async throws -> Reply {
                try await gateway.request(
                    "POST",
                    "/v1/login",
                    json: """
                        {"address":"\(name)@a.example","password":"\(password)","device":{"kind":"mobile","label":"x"}}
                        """
                )
            }
            for _ in 0..<5 { #expect(try await login("bob", TestGateway.password).status == 201) }
            let wrong = try await login("alice", "wrong password")
            let unknown = try await login("nobody", "wrong password")
            #expect(wrong.status == 401 && wrong.problem == unknown.problem)
            _ = try await login("alice", "wrong password")
            _ = try await login("alice", "wrong password")
            let limited = try await login("alice", TestGateway.password)
            #expect(limited.status == 429 && limited.code == "rate-limited")
            #expect(limited.fields["retry-after"].flatMap { Int($0) } ?? 0 > 0)
            // The refused attempt counted for the peer as well; one more failure, and the peer is out.
            _ = try await login("nobody", "wrong password")
            let peer = try await login("bob", TestGateway.password)
            #expect(peer.status == 429, "\(peer.text)")
        }
    }

    @Test("a device that asks too fast is told when to come again")
    func rate() async throws {
        var limits = GatewayLimits()
        limits.requestsOfDevice = Rate(burst: 5, perSecond: 0.01)
        try await TestGateway.run(limits: limits) { gateway in
            let alice = try await gateway.user("alice")
            let bob = try await gateway.user("bob")
            let connection = try await RawConnection(port: gateway.port)
            for _ in 0..<5 {
                #expect(try await connection.request("GET", "/v1/account", token: alice.token).status == 200)
            }
            let limited = try await connection.request("GET", "/v1/account", token: alice.token)
            #expect(limited.status == 429 && limited.code == "rate-limited")
            #expect((90...100).contains(limited.fields["retry-after"].flatMap { Int($0) } ?? 0))
            #expect(try await connection.request("GET", "/v1/account", token: bob.token).status == 200)
            await connection.close()
        }
    }

    @Test("unknown paths, wrong methods, bad queries")
    func routes() async throws {
        try await TestGateway.run { gateway in
            let alice = try await gateway.user("alice")
            let cases: [(String, String, Int, String)] = [
                ("GET", "/", 404, "not-found"), ("GET", "/v1/nothing", 404, "not-found"),
                ("GET", "/v1/messages/", 404, "not-found"), ("GET", "/operator/accounts", 404, "not-found"),
                ("DELETE", "/v1/account", 405, "method-not-allowed"), ("BREW", "/v1/account", 400, "invalid-request"),
                ("OPTIONS", "/v1/account", 405, "method-not-allowed"),
                ("GET", "/v1/messages?limit=0", 400, "invalid-request"),
                ("GET", "/v1/messages?limit=x", 400, "invalid-request"),
                ("GET", "/v1/messages?nonsense=1", 400, "invalid-request"),
                ("GET", "/v1/messages?box=outbox", 400, "invalid-request"),
                ("GET", "/v1/messages?before=99999999999999999999", 400, "invalid-request"),
                ("GET", "/v1/search", 400, "invalid-request"), ("GET", "/v1/search?q=%ff", 400, "invalid-request"),
                ("DELETE", "/v1/devices/999", 404, "not-found"), ("DELETE", "/v1/devices/x", 404, "not-found"),
                ("DELETE", "/v1/devices/99999999999", 404, "not-found"),
                ("GET", "/v1/uploads/..%2F..%2Fetc", 404, "not-found"),
                ("GET", "/v1/files/..%2Fx/content", 404, "not-found"),
                ("GET", "/l/1.2.3.x", 403, "forbidden"), ("GET", "/l/x", 403, "forbidden"),
                ("GET", "/f/1.2.3.4.x", 403, "forbidden"), ("GET", "/f/x", 403, "forbidden"),
                ("GET", "/" + String(repeating: "a", count: 5000), 414, "too-large"),
            ]
            for (method, path, status, code) in cases {
                let reply = try await gateway.request(method, path, alice)
                #expect(reply.status == status && reply.code == code, "\(method) \(path.prefix(60)): \(reply.text)")
                if status == 405 { #expect(reply.fields["allow"] == "GET") }
                #expect(
                    reply.fields["cache-control"] == "no-store" && reply.fields["access-control-allow-origin"] == nil
                )
            }
        }
    }

    @Test("a full disk refuses writes clearly, reads go on, and it recovers")
    func full() async throws {
        try await TestGateway.run { gateway in
            let alice = try await gateway.user("alice")
            let id = messageID()
            let body = "{\"id\":\"\(id)\",\"to\":[\"alice@a.example\"],\"parts\":[{\"text\":\"x\"}]}"
            let socket = try await TestSocket(port: gateway.port)
            try await socket.hello(alice.token)
            _ = try await socket.document { $0.welcome != nil }
            gateway.store.refuseWrites(StoreError(.full, "no space left"))
            let refused = try await gateway.request("POST", "/v1/messages", alice, json: body)
            #expect(refused.status == 507 && refused.code == "store-full" && refused.fields["retry-after"] != nil)
            try await socket.send("{\"ref\":1,\"send\":\(body)}")
            #expect(try await socket.document { $0.ref == 1 }.problem?.status == 507)
            #expect(try await gateway.request("GET", "/v1/messages", alice).status == 200)
            gateway.store.refuseWrites(nil)
            #expect(try await gateway.request("POST", "/v1/messages", alice, json: body).status == 201)
            #expect(try await socket.document { $0.changes?.contains { $0.id == id } ?? false }.problem == nil)
        }
    }

    @Test("the ends of the number range harm nobody")
    func extremes() async throws {
        try await TestGateway.run { gateway in
            let entitlement = Entitlement(maximumMessageBytes: .max, quotaBytes: .max)
            let alice = try await gateway.user("alice", balance: 10, entitlement: entitlement)
            let upload = try await gateway.upload(alice, [1, 2, 3])
            _ = try await gateway.request("POST", "/v1/files", alice, json: "{\"upload\":\"\(upload.id)\"}")
            for number in [
                "9223372036854775807", "-9223372036854775808", "9223372036854775808", "-1", "0", "1e300", "1.5",
            ] {
                let requests: [(String, String, String?)] = [
                    ("POST", "/v1/uploads", "{\"type\":\"a/b\",\"bytes\":\(number)}"),
                    (
                        "POST", "/v1/rules/dry-run",
                        "{\"from\":\"a@a.example\",\"mediaTypes\":[\"a/b\",\"c/d\"],\"bytes\":\(number)}"
                    ),
                    ("POST", "/v1/messages/read", "{\"conversation\":\"c\",\"upTo\":\(number)}"),
                    (
                        "PATCH", "/v1/devices/this",
                        "{\"capabilities\":{\"accepts\":[],\"features\":[],\"maximumMessageBytes\":\(number)}}"
                    ),
                    (
                        "PUT", "/v1/rules",
                        "{\"revision\":\(number),\"incoming\":{\"rules\":[{\"name\":\"a\",\"when\":{\"atLeastBytes\":\(number),"
                            + "\"hours\":{\"from\":0,\"until\":\(number),\"utcOffset\":\(number)}},\"then\":{\"deliver\":\"whole\"}}]}}"
                    ),
                    ("GET", "/v1/messages?before=\(number)&limit=\(number)", nil),
                    ("GET", "/v1/account/ledger?before=\(number)", nil), ("DELETE", "/v1/devices/\(number)", nil),
                    ("GET", "/v1/messages/x/parts/\(number)", nil), ("GET", "/l/\(number).\(number).00.x", nil),
                    ("GET", "/f/\(number).\(number).\(number).00.x", nil),
                ]
                for (method, path, body) in requests {
                    let reply = try await gateway.request(method, path, alice, json: body)
                    #expect(reply.status < 500 || reply.status == 507, "\(method) \(path) \(body ?? ""): \(reply.text)")
                }
                let path = "/operator/accounts/\(alice.account.rawValue)"
                let credit = try await gateway.operate("POST", path + "/credit", json: "{\"amount\":\(number)}")
                #expect(credit.status < 500, "\(credit.text)")
                let settings = """
                    {"policy":{"prohibitedDomains":[],"notificationOnlyMedia":[],"sentCopies":true,
                     "wholeUpToBytes":\(number)},"tariff":{"perReceiver":1,"perBlock":\(number),"perMedium":0,
                     "perRequest":0},"retentionAlsoOnDevices":false,"retentionDays":\(number),"initialBalance":\(number),
                     "entitlement":{"canSend":true,"maximumMessageBytes":\(number),"quotaBytes":\(number),
                     "storesReceived":true,"storesSent":true}}
                    """
                #expect(try await gateway.operate("PUT", "/operator/settings", json: settings).status < 500)
                let socket = try await TestSocket(port: gateway.port)
                try await socket.hello(
                    alice.token,
                    cursor: "{\"epoch\":\"x\",\"number\":\(number),\"level\":\(number)}"
                )
                try? await Task.sleep(for: .milliseconds(50))
                try? await socket.send("{\"ref\":\(number),\"fetch\":\"x\"}")
                try? await socket.send("{\"ack\":\(number),\"level\":\(number)}")
                try? await Task.sleep(for: .milliseconds(50))
                await socket.connection.close()
                let id = messageID()
                let send = "{\"id\":\"\(id)\",\"to\":[\"alice@a.example\"],\"parts\":[{\"text\":\"x\"}]}"
                let sent = try await gateway.request("POST", "/v1/messages", alice, json: send)
                #expect(sent.status == 201 || sent.status == 402, "\(sent.text)")
            }
            for time in [
                "9999-12-31T23:59:59Z", "0000-01-01T00:00:00Z", "2024-02-31T00:00:00-23:59", "99999-01-01T00:00:00Z",
            ] {
                let body = "{\"from\":\"a@a.example\",\"at\":\"\(time)\"}"
                #expect(try await gateway.request("POST", "/v1/rules/dry-run", alice, json: body).status < 500)
            }
        }
    }
}
