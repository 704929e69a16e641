import ClientWire
import MessagingCore
import MessagingService
import SessionCore
import Store
import Testing

@testable import AppGateway

extension OpenAPITests {
    /// A conversation of Alice's, with everything that the contract says of it.
    func sessions(_ api: Checker, _ gateway: TestGateway, alice: TestGateway.User) async throws {
        let features = "{\"capabilities\":{\"accepts\":[\"*/*\"],\"features\":[\"text\",\"audio\",\"video\"]}}"
        try await api.ask("PATCH", "/v1/devices/{id}", ["this"], json: features)
        let bob = try await gateway.user("bea")
        let carol = try await gateway.user("cora")
        try await requests(api, gateway, bob)

        let id = messageID()
        let request = """
            {"id":"\(id)","to":["bea@a.example"],"from":"alice@a.example","subject":"s","text":"first","media":["audio"]}
            """
        try await api.ask("POST", "/v1/sessions", json: request)
        let who = DeviceIdentity(account: bob.account, device: bob.device)
        let session = try SessionID(id)
        _ = try await gateway.service.accept(who, session, AcceptRequest())
        try await api.ask("GET", "/v1/sessions")
        try await api.ask("GET", "/v1/ice")
        let text = "{\"id\":\"\(messageID())\",\"session\":\"\(id)\",\"parts\":[{\"text\":\"hello\"}]}"
        try await api.ask("POST", "/v1/messages", json: text)
        try await api.ask("GET", "/v1/sessions/{id}/texts", [id], query: "?after=0&limit=5")
        try await api.ask("GET", "/v1/sessions/{id}/devices", [id])
        let other = try await gateway.device(of: "alice", kind: .mobile)
        let leg =
            "{\"device\":\(other.device.rawValue),\"from\":\(alice.device.rawValue),\"history\":\"last\",\"count\":5}"
        try await api.ask("POST", "/v1/sessions/{id}/legs", [id], json: leg)
        try await api.ask("POST", "/v1/sessions/{id}/leg", [id], json: "{\"generation\":1,\"step\":\"closed\"}")
        let again = "{\"history\":\"all\"}"
        try await api.ask("POST", "/v1/sessions/{id}/legs", [id], json: again)
        try await api.ask("POST", "/v1/sessions/{id}/leg", [id], json: "{\"generation\":3,\"step\":\"ready\"}")
        let progress = "{\"generation\":3,\"step\":\"progress\",\"position\":1}"
        try await api.ask("POST", "/v1/sessions/{id}/leg", [id], json: progress)
        try await api.ask("POST", "/v1/sessions/{id}/participants", [id], json: "{\"address\":\"cora@a.example\"}")
        try await api.ask("POST", "/v1/sessions/{id}/remove", [id], json: "{\"address\":\"\(carol.address)\"}")
        try await media(api, gateway, id, who)
        try await api.ask("POST", "/v1/sessions/{id}/leave", [id])
        try await api.ask("GET", "/v1/sessions/{id}", [id])
    }

    /// Requests that others make of Alice.
    private func requests(_ api: Checker, _ gateway: TestGateway, _ bob: TestGateway.User) async throws {
        let who = DeviceIdentity(account: bob.account, device: bob.device)
        func asked() async throws -> String {
            let id = try SessionID(messageID())
            let request = SessionRequest(id: id, to: [try Address("alice@a.example")], subject: "s", media: [.audio])
            _ = try await gateway.service.request(who, request)
            return id.description
        }
        try await api.ask("POST", "/v1/sessions/{id}/accept", [try await asked()], json: "{\"media\":[\"audio\"]}")
        try await api.ask("POST", "/v1/sessions/{id}/reject", [try await asked()])
        let ignored = try await asked()
        try await api.ask("POST", "/v1/sessions/{id}/ignore", [ignored])
        try await api.ask("GET", "/v1/sessions/{id}", [ignored])
        try await api.ask("POST", "/v1/sessions/{id}/leave", [ignored])
    }

    private func media(_ api: Checker, _ gateway: TestGateway, _ id: String, _ bob: DeviceIdentity) async throws {
        let session = try SessionID(id)
        let announce = "{\"type\":\"video/webm\",\"name\":\"a.webm\",\"bytes\":3}"
        let upload = try await api.ask("POST", "/v1/uploads", json: announce).json(UploadDocument.self).id
        try await api.ask("PATCH", "/v1/uploads/{id}", [upload], body: [1, 2, 3], fields: [("Upload-Offset", "0")])
        let file = try await api.ask("POST", "/v1/files", json: "{\"upload\":\"\(upload)\"}").json(FileDocument.self).id

        let change = messageID()
        let revision = try await gateway.service.session(bob, session).revision
        let show = """
            {"id":"\(change)","revision":\(revision),"change":"add","kind":"stored-video","source":"\(file)",
             "sender":"alice@a.example"}
            """
        try await api.ask("POST", "/v1/sessions/{id}/media", [id], json: show)
        var bobs = DeviceChange()
        bobs.capabilities = Capabilities(accepts: [], features: ["video", "audio"])
        _ = try await gateway.service.changeDevice(bob, bob.device, bobs)
        _ = try await gateway.service.answer(bob, session, try MessageID(change), MediaAnswer(accept: true))
        let medium = try #require(try await gateway.service.session(bob, session).media.first).id.rawValue
        let wish = "{\"isPlaying\":true,\"position\":10,\"rate\":1000}"
        try await api.ask("POST", "/v1/sessions/{id}/play/{medium}", [id, "\(medium)"], json: wish)
        try await api.ask("GET", "/v1/sessions/{id}/content/{medium}", [id, "\(medium)"])
        try await api.ask("HEAD", "/v1/sessions/{id}/content/{medium}", [id, "\(medium)"])
        try await api.ask("POST", "/v1/sessions/{id}/failed/{medium}", [id, "\(medium)"])

        // Bob proposes; Alice answers, and a path that nobody waits for is reported.
        var request = MediaRequest(
            id: try MessageID(messageID()),
            revision: try await gateway.service.session(bob, session).revision,
            change: .add
        )
        request.kind = .video
        _ = try await gateway.service.propose(bob, session, request)
        let answer = "{\"accept\":false}"
        try await api.ask("POST", "/v1/sessions/{id}/media/{change}/answer", [id, "\(request.id)"], json: answer)
        try await api.ask(
            "POST",
            "/v1/sessions/{id}/media/{change}/path",
            [id, "\(request.id)"],
            json: "{\"connected\":true}"
        )
    }
}
