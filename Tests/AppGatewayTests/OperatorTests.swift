import ClientWire
import MessagingCore
import Synchronization
import Testing

@testable import AppGateway

/// The operator's listener: who is let in, and what they can do.
@Suite("Operator")
struct OperatorTests {
    @Test("only with the token, under a known Host, and not from other origins")
    func doors() async throws {
        try await TestGateway.run { gateway in
            let connection = try await RawConnection(port: gateway.operatorPort)
            func ask(
                host: String,
                origin: String? = nil,
                token: String? = TestGateway.operatorToken
            ) async throws -> Reply {
                try await connection.request(
                    "GET",
                    "/operator/status",
                    token: token,
                    fields: origin.map { [("Origin", $0)] } ?? [],
                    host: host
                )
            }
            for host in ["localhost", "LOCALHOST:1234", "127.0.0.1:80", "[::1]:9", "[::1]", "admin.a.example"] {
                #expect(try await ask(host: host).status == 200, "\(host)")
            }
            for host in ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "[::2]", "[", "::1"] {
                let reply = try await ask(host: host)
                #expect(reply.status == 403 && reply.code == "forbidden", "\(host)")
                // Not even health is told to such a page.
                #expect(try await connection.request("GET", "/health/live", host: host).status == 403)
            }
            #expect(try await ask(host: "localhost:1", origin: "http://localhost:1").status == 200)
            for origin in ["http://evil.example", "null", "http://localhost:2", "http://localhost:1.evil.example"] {
                #expect(try await ask(host: "localhost:1", origin: origin).status == 403, "\(origin)")
            }
            let none = try await ask(host: "localhost", token: nil)
            #expect(none.status == 401 && none.code == "unauthenticated")
            let alice = try await gateway.user("alice")
            #expect(try await ask(host: "localhost", token: alice.token).status == 401)
            // The operator's token opens no mailbox.
            let client = try await RawConnection(port: gateway.port)
            #expect(try await client.request("GET", "/v1/account", token: TestGateway.operatorToken).status == 401)
            for _ in 0..<20 { _ = try await ask(host: "localhost", token: "guess") }
            let limited = try await ask(host: "localhost", token: "guess")
            #expect(limited.status == 429 && limited.code == "rate-limited")
            // Whoever has the right one is not kept out by those who guess.
            #expect(try await ask(host: "localhost").status == 200)
            await connection.close()
            await client.close()
        }
    }

    @Test("accounts from the making to the revoking")
    func accounts() async throws {
        try await TestGateway.run { gateway in
            let body =
                "{\"name\":\"Alice\",\"addresses\":[\"alice@a.example\"],\"password\":\"\(TestGateway.password)\"}"
            let made = try await gateway.operate("POST", "/operator/accounts", json: body)
            #expect(made.status == 201, "\(made.text)")
            #expect(try await gateway.operate("POST", "/operator/accounts", json: body).status == 409)
            let alice = try await gateway.device(of: "alice")
            for name in ["\(alice.account.rawValue)", "alice@a.example", "sip%3Aalice%40a.example"] {
                let found = try await gateway.operate("GET", "/operator/accounts/\(name)")
                #expect(found.status == 200 && found.text.contains("Alice"), "\(name): \(found.text)")
            }
            #expect(try await gateway.operate("GET", "/operator/accounts/99").status == 404)
            #expect(try await gateway.operate("GET", "/operator/accounts/99/devices").status == 404)
            let path = "/operator/accounts/alice@a.example"
            let credit = try await gateway.operate("POST", "\(path)/credit", json: "{\"amount\":25,\"note\":\"gift\"}")
            #expect(credit.status == 200 && credit.text.contains("\"balance\":25"), "\(credit.text)")
            let ledger = try await gateway.operate("GET", "\(path)/ledger?limit=1")
            #expect(try ledger.json(LedgerPage.self).lines.first?.note == "gift")
            let changed = try await gateway.operate("PATCH", path, json: "{\"name\":\"Alice B.\"}")
            #expect(changed.status == 200 && changed.text.contains("Alice B."))
            #expect(try await gateway.operate("PATCH", path, json: "{\"nam\":\"x\"}").status == 400)
            let page = try await gateway.operate("GET", "/operator/accounts?limit=1")
            #expect(page.status == 200 && page.text.contains("\"next\":\(alice.account.rawValue)"), "\(page.text)")
            #expect(try await gateway.operate("GET", "\(path)/devices").text.contains("\"label\":\"test\""))
            let revoked = try await gateway.operate("DELETE", "\(path)/devices/\(alice.device.rawValue)")
            #expect(revoked.status == 204)
            #expect(try await gateway.request("GET", "/v1/account", alice).status == 401)
            #expect(try await gateway.operate("DELETE", "\(path)/devices/\(alice.device.rawValue)").status == 404)
        }
    }

    @Test("settings, trace, status, backup, health and metrics")
    func running() async throws {
        try await TestGateway.run { gateway in
            let alice = try await gateway.user("alice")
            let settings = try await gateway.operate("GET", "/operator/settings")
            #expect(settings.status == 200)
            #expect(try await gateway.operate("PUT", "/operator/settings", json: settings.text).status == 200)
            #expect(try await gateway.operate("PUT", "/operator/settings", json: "{}").status == 400)
            let id = messageID()
            let body = "{\"id\":\"\(id)\",\"to\":[\"alice@a.example\"],\"parts\":[{\"text\":\"x\"}]}"
            #expect(try await gateway.request("POST", "/v1/messages", alice, json: body).status == 201)
            let trace = try await gateway.operate("GET", "/operator/trace/\(id)")
            #expect(trace.status == 200 && trace.text.contains("\"received\""), "\(trace.text)")
            #expect(try await gateway.operate("GET", "/operator/trace/\(messageID())").status == 404)
            let status = try await gateway.operate("GET", "/operator/status")
            #expect(status.status == 200 && status.text.contains("\"messages\":1"), "\(status.text)")
            let backup = try await gateway.operate("POST", "/operator/backup", json: "{\"path\":\"/somewhere/safe\"}")
            #expect(backup.status == 200)
            #expect(gateway.written.paths.withLock { $0 } == ["/somewhere/safe"])
            #expect(
                try await gateway.operate("POST", "/operator/backup", json: "{\"path\":\"relative\"}").status == 400
            )
            for path in ["/health/live", "/health/ready"] {
                let health = try await gateway.operate("GET", path, token: nil)
                #expect(health.status == 200 && health.text == "{\"status\":\"ok\"}")
            }
            let metrics = try await gateway.operate("GET", "/metrics", token: nil)
            #expect(
                metrics.status == 200 && metrics.fields["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
            )
            #expect(
                metrics.text.contains("continuo_http_answers_total{listener=\"client\",status=\"2xx\"} 1\n"),
                "\(metrics.text)"
            )
            #expect(metrics.text.contains("continuo_sockets{listener=\"client\"} 0\n"))
            #expect(!metrics.text.contains(alice.token))
        }
    }
}
