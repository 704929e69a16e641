import ClientWire
import HTTPTypes
import MessagingCore
import MessagingService
import Store
import Synchronization
import Testing

@testable import AppGateway

/// The served OpenAPI documents against what the server really does.
@Suite("OpenAPI")
struct OpenAPITests {
    /// Asks a listener and holds each answer against the document.
    final class Checker: Sendable {
        let document: JSONValue
        let port: Int
        let token: String
        private let checked = Mutex<Set<String>>([])

        init(_ document: JSONValue, port: Int, token: String) {
            self.document = document
            self.port = port
            self.token = token
        }

        /// Method and path of everything in the document.
        var operations: Set<String> {
            var found: Set<String> = []
            for path in document["paths"]?.keys ?? [] {
                for method in document["paths"]?[path]?.keys ?? [] { found.insert("\(method.uppercased()) \(path)") }
            }
            return found
        }

        /// What was asked and answered as documented.
        var covered: Set<String> { checked.withLock { $0 } }

        @discardableResult
        func ask(
            _ method: String,
            _ template: String,
            _ values: [String] = [],
            query: String = "",
            json: String? = nil,
            body: [UInt8]? = nil,
            fields: [(String, String)] = []
        ) async throws -> Reply {
            var path = ""
            var values = values[...]
            for piece in template.split(separator: "/") {
                path += "/" + (piece.hasPrefix("{") ? values.popFirst() ?? "" : String(piece))
            }
            let connection = try await RawConnection(port: port)
            let reply = try await connection.request(
                method,
                path + query,
                token: token,
                json: json,
                body: body,
                fields: fields
            )
            await connection.close()
            let operation = document["paths"]?[template]?[method.lowercased()]
            let answer = operation?["responses"]?["\(reply.status)"]
            #expect(answer != nil, "\(method) \(template): \(reply.status) is not in the document: \(reply.text)")
            if let content = answer?["content"] {
                let type = String(reply.fields["content-type"]?.split(separator: ";").first ?? "")
                let media = content[type]
                // Raw bytes stand for any type.
                #expect(media != nil || content["application/octet-stream"] != nil, "\(method) \(template): \(type)")
                if type == "application/json", let schema = media?["schema"] {
                    let errors = SchemaCheck(document: document).errors(try reply.json(JSONValue.self), schema)
                    #expect(errors.isEmpty, "\(method) \(template): \(errors.joined(separator: "; "))")
                }
            } else {
                #expect(reply.body.isEmpty)
            }
            if let json, let schema = operation?["requestBody"]?["content"]?["application/json"]?["schema"] {
                let given = try Reply(status: 0, fields: [:], body: Array(json.utf8)).json(JSONValue.self)
                let errors = SchemaCheck(document: document).errors(given, schema)
                #expect(errors.isEmpty, "body of \(method) \(template): \(errors.joined(separator: "; "))")
            }
            checked.withLock { _ = $0.insert("\(method) \(template)") }
            return reply
        }

        /// Every method that a path has, and no other, is let in at the door.
        func probe() async throws {
            let all: Set<String> = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]
            for template in document["paths"]?.keys ?? [] {
                let documented = Set((document["paths"]?[template]?.keys ?? []).map { $0.uppercased() })
                let path = template.split(separator: "/").map { $0.hasPrefix("{") ? "x" : String($0) }
                    .joined(separator: "/")
                for method in all {
                    let connection = try await RawConnection(port: port)
                    let reply = try await connection.request(method, "/\(path)")
                    await connection.close()
                    #expect((reply.status == 405) != documented.contains(method), "\(method) \(template)")
                    guard reply.status == 405 else { continue }
                    #expect(Set((reply.fields["allow"] ?? "").split(separator: ", ").map(String.init)) == documented)
                }
            }
        }
    }

    private func document(port: Int) async throws -> JSONValue {
        let connection = try await RawConnection(port: port)
        let reply = try await connection.request("GET", "/openapi.json")
        #expect(reply.status == 200 && reply.fields["content-type"] == "application/json")
        await connection.close()
        return try reply.json(JSONValue.self)
    }

    @Test("the document names the routes, and nothing else")
    func routes() async throws {
        try await TestGateway.run { gateway in
            for (port, path) in [(gateway.port, "/v1/messages"), (gateway.operatorPort, "/operator/accounts")] {
                let document = try await document(port: port)
                #expect(document["openapi"] == .text("3.1.0"))
                #expect(document["paths"]?[path] != nil)
                try await Checker(document, port: port, token: "").probe()
            }
            let client = Set(
                ClientRoutes(service: gateway.service, limits: GatewayLimits(), clock: Timestamp.wallClock).all.map {
                    "\($0.method.rawValue) \($0.path)"
                }
            )
            let checker = Checker(try await document(port: gateway.port), port: gateway.port, token: "")
            #expect(checker.operations == client.union(["GET /openapi.json"]))
        }
    }

    @Test("every answer of the client listener is as documented")
    func client() async throws {
        var configuration = TestGateway.configuration()
        // Files are shown to others by HTTPS alone.
        configuration.publicURL = "https://a.example"
        try await TestGateway.run(configuration: configuration) { gateway in
            let alice = try await gateway.user("alice")
            let spare = try await gateway.device(of: "alice", kind: .tablet)
            let api = Checker(try await document(port: gateway.port), port: gateway.port, token: alice.token)
            try await api.ask("GET", "/openapi.json")
            try await api.ask("GET", "/v1/time")
            try await api.ask(
                "POST",
                "/v1/login",
                json: """
                    {"address":"alice@a.example","password":"\(TestGateway.password)","device":{"kind":"mobile",
                     "label":"x","capabilities":{"accepts":["text/*"],"maximumMessageBytes":1000,"features":["text"]}}}
                    """
            )
            try await account(api, spare: spare)
            let upload = try await uploads(api)
            let file = try await api.ask("POST", "/v1/files", json: "{\"upload\":\"\(upload)\",\"name\":\"b.png\"}")
            let fileID = try file.json(FileDocument.self).id
            try await messages(api, file: fileID)
            try await api.ask("GET", "/v1/files", query: "?limit=5")
            try await api.ask("GET", "/v1/files/{id}/content", [fileID])
            try await api.ask("GET", "/v1/files/{id}/content", [fileID], fields: [("Range", "bytes=0-0")])
            try await api.ask("HEAD", "/v1/files/{id}/content", [fileID])
            try await api.ask("DELETE", "/v1/files/{id}", [fileID])
            try await links(api, gateway, of: alice.account)
            try await sessions(api, gateway, alice: alice)
            try await api.ask("POST", "/v1/logout")
            #expect(api.covered.symmetricDifference(api.operations) == ["GET /v1/socket"])
        }
    }

    private func account(_ api: Checker, spare: TestGateway.User) async throws {
        try await api.ask("GET", "/v1/account")
        try await api.ask("GET", "/v1/account/ledger", query: "?limit=10&before=100")
        let change = "{\"old\":\"\(TestGateway.password)\",\"new\":\"\(TestGateway.password)\"}"
        try await api.ask("PUT", "/v1/account/password", json: change)
        let settings = try await api.ask("GET", "/v1/settings")
        try await api.ask("PUT", "/v1/settings", json: settings.text)
        try await api.ask("GET", "/v1/devices")
        try await api.ask(
            "PATCH",
            "/v1/devices/{id}",
            ["this"],
            json: "{\"label\":\"new\",\"availability\":{\"state\":\"busy\",\"until\":\"2099-01-01T00:00:00.000Z\"}}"
        )
        try await api.ask("POST", "/v1/phones", json: "{\"label\":\"desk\",\"kind\":\"fixed-phone\",\"cpim\":true}")
        try await api.ask("POST", "/v1/devices/this/lease")
        try await api.ask("DELETE", "/v1/devices/{id}", ["\(spare.device.rawValue)"])
        try await api.ask("PUT", "/v1/availability", json: "{\"state\":\"available\"}")
        try await api.ask("GET", "/v1/availability")
        try await api.ask("PUT", "/v1/blocked", json: "{\"addresses\":[\"eve@b.example\",\"tel:+4144\"]}")
        try await api.ask("GET", "/v1/blocked")
        let rules = """
            {"revision":0,"incoming":{"rules":[{"name":"night","when":{"hours":{"from":0,"until":10,"days":[1]},
            "media":["image/*"],"fromLists":["friends"]},"then":{"deliver":"notification","silent":true}}]}}
            """
        try await api.ask("PUT", "/v1/rules", json: rules)
        try await api.ask("GET", "/v1/rules")
        try await api.ask(
            "POST",
            "/v1/rules/dry-run",
            json: "{\"from\":\"bob@a.example\",\"mediaTypes\":[\"image/png\"]}"
        )
        try await api.ask(
            "PUT",
            "/v1/contacts/{id}",
            ["c1"],
            json:
                "{\"id\":\"c1\",\"name\":\"Bob\",\"addresses\":[\"bob@a.example\"],\"lists\":[\"friends\"],\"note\":\"n\"}"
        )
        try await api.ask("GET", "/v1/contacts")
        try await api.ask("DELETE", "/v1/contacts/{id}", ["c1"])
    }

    private func uploads(_ api: Checker) async throws -> String {
        let announce = "{\"type\":\"image/png\",\"name\":\"a.png\",\"bytes\":3}"
        let started = try await api.ask("POST", "/v1/uploads", json: announce)
        let id = try started.json(UploadDocument.self).id
        try await api.ask("GET", "/v1/uploads/{id}", [id])
        try await api.ask("HEAD", "/v1/uploads/{id}", [id])
        try await api.ask("PATCH", "/v1/uploads/{id}", [id], body: [1, 2, 3], fields: [("Upload-Offset", "0")])
        let other = try await api.ask("POST", "/v1/uploads", json: announce).json(UploadDocument.self).id
        try await api.ask("DELETE", "/v1/uploads/{id}", [other])
        return id
    }

    private func messages(_ api: Checker, file: String) async throws {
        let id = messageID()
        let body = """
            {"id":"\(id)","to":["alice@a.example","nobody@a.example"],"subject":"s","reports":["delivered"],
             "expires":"2099-01-01T00:00:00.000Z","parts":[{"text":"words","type":"text/plain"},{"file":"\(file)"}]}
            """
        try await api.ask("POST", "/v1/messages", json: body)
        try await api.ask("POST", "/v1/messages", json: body)
        try await api.ask("GET", "/v1/messages", query: "?box=inbox&unread=true&limit=3&before=1000")
        try await api.ask("GET", "/v1/messages/{id}", [id])
        try await api.ask("GET", "/v1/messages/{id}/decisions", [id])
        try await api.ask("GET", "/v1/messages/{id}/parts/{part}", [id, "0"])
        try await api.ask("GET", "/v1/messages/{id}/parts/{part}", [id, "1"], fields: [("Range", "bytes=1-1")])
        try await api.ask("HEAD", "/v1/messages/{id}/parts/{part}", [id, "1"])
        try await api.ask("POST", "/v1/messages/{id}/fetch", [id])
        try await api.ask("POST", "/v1/messages/read", json: "{\"ids\":[\"\(id)\"]}")
        try await api.ask("GET", "/v1/conversations", query: "?limit=1")
        try await api.ask("GET", "/v1/search", query: "?q=words")
        try await api.ask("POST", "/v1/messages/delete", json: "{\"ids\":[\"\(id)\"],\"scope\":\"everywhere\"}")
    }

    /// A device that takes only text is sent a notice of a picture, whose link needs no token.
    private func links(_ api: Checker, _ gateway: TestGateway, of alice: AccountID) async throws {
        let bob = try await gateway.user("bob")
        let narrow = try await gateway.request(
            "PATCH",
            "/v1/devices/this",
            bob,
            json: "{\"capabilities\":{\"accepts\":[\"text/*\"],\"features\":[]}}"
        )
        #expect(narrow.status == 200, "\(narrow.text)")
        let upload = try await uploads(api)
        let id = messageID()
        let body = "{\"id\":\"\(id)\",\"to\":[\"bob@a.example\"],\"parts\":[{\"upload\":\"\(upload)\"}]}"
        try await api.ask("POST", "/v1/messages", json: body)
        // And one for somebody with another provider.
        let file = try #require(await gateway.service.fileLink(to: 0, of: MessageID(stored: "\(id)"), account: alice))
        let shared = String(file.url.split(separator: "/").last ?? "")
        try await api.ask("GET", "/f/{token}", [shared])
        try await api.ask("GET", "/f/{token}", [shared], fields: [("Range", "bytes=0-0")])
        try await api.ask("HEAD", "/f/{token}", [shared])
        let bobs = Checker(api.document, port: gateway.port, token: bob.token)
        let items = try await bobs.ask("GET", "/v1/messages").json(ItemPage.self).items
        let links = items.compactMap(\.notice?.link)
        try await open(api, try #require(links.first))
    }

    private func open(_ api: Checker, _ link: String) async throws {
        let token = String(link.split(separator: "/").last ?? "")
        try await api.ask("GET", "/l/{token}", [token])
        try await api.ask("GET", "/l/{token}/parts/{part}", [token, "0"])
        try await api.ask("HEAD", "/l/{token}/parts/{part}", [token, "0"])
        // Forged, and past its time.
        var pieces = token.split(separator: ".", maxSplits: 3).map(String.init)
        pieces[1] = "1"
        for bad in [pieces.joined(separator: "."), token + "x", "9" + token] {
            let connection = try await RawConnection(port: api.port)
            let reply = try await connection.request("GET", "/l/\(bad)")
            #expect(reply.status == 403 && reply.code == "forbidden", "\(reply.text)")
            await connection.close()
        }
    }

    @Test("a link ends with its time")
    func expiredLink() async throws {
        var configuration = TestGateway.configuration()
        configuration.linkLifeMilliseconds = -1
        configuration.publicURL = "https://a.example"
        try await TestGateway.run(configuration: configuration) { gateway in
            let alice = try await gateway.user("alice")
            let bob = try await gateway.user("bob")
            let narrow = "{\"capabilities\":{\"accepts\":[\"image/*\"],\"features\":[]}}"
            #expect(try await gateway.request("PATCH", "/v1/devices/this", bob, json: narrow).status == 200)
            let upload = try await gateway.service.startUpload(
                DeviceIdentity(account: alice.account, device: alice.device),
                UploadRequest(type: "image/png", name: nil, bytes: 3)
            )
            let fields = [("Upload-Offset", "0")]
            let path = "/v1/uploads/\(upload.id)"
            #expect(try await gateway.request("PATCH", path, alice, body: [1, 2, 3], fields: fields).status == 200)
            let id = messageID()
            let body =
                "{\"id\":\"\(id)\",\"to\":[\"bob@a.example\"],\"parts\":[{\"text\":\"x\"},{\"upload\":\"\(upload.id)\"}]}"
            #expect(try await gateway.request("POST", "/v1/messages", alice, json: body).status == 201)
            let items = try await gateway.request("GET", "/v1/messages", bob).json(ItemPage.self).items
            let links = items.compactMap(\.notice?.link)
            let link = try #require(links.first)
            let token = link.split(separator: "/").last ?? ""
            let message = MessageID(stored: "\(id)")
            let file = try #require(await gateway.service.fileLink(to: 1, of: message, account: alice.account))
            let shared = file.url.split(separator: "/").last ?? ""
            for path in ["/l/\(token)", "/l/\(token)/parts/0", "/f/\(shared)"] {
                let reply = try await gateway.request("GET", path)
                #expect(reply.status == 403 && reply.code == "forbidden" && reply.text.contains("expired"))
            }
        }
    }

    @Test("every answer of the operator listener is as documented")
    func operators() async throws {
        try await TestGateway.run { gateway in
            let port = gateway.operatorPort
            let api = Checker(try await document(port: port), port: port, token: TestGateway.operatorToken)
            try await api.ask("GET", "/openapi.json")
            try await api.ask(
                "POST",
                "/operator/accounts",
                json:
                    "{\"name\":\"A\",\"addresses\":[\"alice@a.example\"],\"password\":\"\(TestGateway.password)\",\"balance\":5}"
            )
            let alice = try await gateway.device(of: "alice")
            let id = ["alice@a.example"]
            let message = messageID()
            let body = "{\"id\":\"\(message)\",\"to\":[\"alice@a.example\"],\"parts\":[{\"text\":\"x\"}]}"
            #expect(try await gateway.request("POST", "/v1/messages", alice, json: body).status == 201)
            try await api.ask("GET", "/operator/accounts", query: "?after=0&limit=3")
            try await api.ask("GET", "/operator/accounts/{id}", id)
            try await api.ask("PATCH", "/operator/accounts/{id}", id, json: "{\"name\":\"B\",\"suspended\":false}")
            try await api.ask("POST", "/operator/accounts/{id}/credit", id, json: "{\"amount\":-3,\"note\":\"n\"}")
            try await api.ask("GET", "/operator/accounts/{id}/ledger", id)
            try await api.ask("GET", "/operator/accounts/{id}/devices", id)
            let settings = try await api.ask("GET", "/operator/settings")
            try await api.ask("PUT", "/operator/settings", json: settings.text)
            try await api.ask("GET", "/operator/trace/{message}", [message])
            try await api.ask("GET", "/operator/status")
            try await api.ask("GET", "/operator/outbox", query: "?limit=10")
            try await api.ask("GET", "/operator/errors")
            try await api.ask("POST", "/operator/backup", json: "{\"path\":\"/tmp/b\"}")
            try await api.ask("GET", "/health/live")
            try await api.ask("GET", "/health/ready")
            try await api.ask("GET", "/metrics")
            try await api.ask("DELETE", "/operator/accounts/{id}/devices/{device}", id + ["\(alice.device.rawValue)"])
            #expect(api.covered == api.operations)
        }
    }

    @Test("frames of a socket are as documented")
    func frames() async throws {
        try await TestGateway.run { gateway in
            let document = try await document(port: gateway.port)
            let schema = document["components"]?["schemas"]?["ServerFrame"] ?? .null
            let alice = try await gateway.user("alice")
            let socket = try await TestSocket(port: gateway.port)
            try await socket.hello(alice.token)
            let id = messageID()
            let message = "{\"id\":\"\(id)\",\"to\":[\"alice@a.example\"],\"parts\":[{\"text\":\"x\"}]}"
            let welcome = try await socket.next()
            var frames = [try Reply(status: 0, fields: [:], body: welcome.payload).json(JSONValue.self)]
            for command in [
                "\"send\":\(message)", "\"read\":{\"ids\":[\"\(id)\"]}", "\"fetch\":\"\(id)\"", "\"fetch\":\"none\"",
            ] {
                try await socket.send("{\"ref\":1,\(command)}")
                while true {
                    let frame = try await socket.next()
                    let value = try Reply(status: 0, fields: [:], body: frame.payload).json(JSONValue.self)
                    frames.append(value)
                    if value["ref"] != nil { break }
                }
            }
            for frame in frames { #expect(SchemaCheck(document: document).errors(frame, schema).isEmpty, "\(frame)") }
            let kinds = frames.reduce(into: Set<String>()) { $0.formUnion($1.keys) }
            #expect(kinds.isSuperset(of: ["welcome", "sent", "done", "item", "problem"]))
        }
    }
}
