import ClientWire
import MessagingCore
import Testing

@Suite("The whole way")
struct SmokeTests {
    @Test("log in, send, receive on a socket, list")
    func whole() async throws {
        try await TestGateway.run { gateway in
            let alice = try await gateway.user("alice")
            try await gateway.account("bob")
            let connection = try await RawConnection(port: gateway.port)
            let login = try await connection.request(
                "POST",
                "/v1/login",
                json: """
                    {"address":"bob@a.example","password":"\(TestGateway.password)",
                     "device":{"kind":"mobile","label":"phone"}}
                    """
            )
            #expect(login.status == 201)
            let bob = try login.json(LoginAnswer.self)

            let socket = try await TestSocket(port: gateway.port)
            try await socket.hello(alice.token)
            let welcome = try await socket.document().welcome
            #expect(welcome?.account == alice.account)

            let id = messageID()
            let sent = try await connection.request(
                "POST",
                "/v1/messages",
                token: bob.token,
                json: "{\"id\":\"\(id)\",\"to\":[\"alice@a.example\"],\"parts\":[{\"text\":\"hello\"}]}"
            )
            #expect(sent.status == 201, "\(sent.text)")
            let changes = try await socket.document { frame in
                frame.changes?.contains { $0.id == id } ?? false
            }
            #expect(changes.changes?.first { $0.id == id }?.message?.parts.first?.text == "hello")

            let list = try await gateway.request("GET", "/v1/messages?box=inbox", alice)
            #expect(list.status == 200)
            #expect(try list.json(ItemPage.self).items.map(\.id) == [id])
            await connection.close()
        }
    }
}
