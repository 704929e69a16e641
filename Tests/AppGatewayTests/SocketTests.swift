import ClientWire
import MessagingCore
import MessagingService
import Testing

@testable import AppGateway

/// Sockets of devices that behave, misbehave, stall and disappear.
@Suite("Sockets")
struct SocketTests {
    /// Connects, greets and waits for the welcome.
    private func open(
        _ gateway: TestGateway,
        _ user: TestGateway.User,
        cursor: String? = nil
    ) async throws -> (TestSocket, ServerFrame.Welcome) {
        let socket = try await TestSocket(port: gateway.port)
        try await socket.hello(user.token, cursor: cursor)
        let welcome = try await socket.document { $0.welcome != nil }.welcome
        guard let welcome else { throw RawConnection.Ended() }
        return (socket, welcome)
    }

    private func send(_ to: String, _ text: String, id: String = messageID()) -> String {
        "{\"id\":\"\(id)\",\"to\":[\"\(to)\"],\"parts\":[{\"text\":\"\(text)\"}]}"
    }

    @Test("commands are answered under their ref")
    func commands() async throws {
        try await TestGateway.run { gateway in
            let alice = try await gateway.user("alice")
            let (socket, _) = try await open(gateway, alice)
            let id = messageID()
            try await socket.send("{\"ref\":1,\"send\":\(send("alice@a.example", "hello", id: id))}")
            let sent = try await socket.document { $0.ref == 1 }
            #expect(sent.sent?.id.description == id && sent.problem == nil)
            try await socket.send("{\"ref\":2,\"read\":{\"ids\":[\"\(id)\"]}}")
            #expect(try await socket.document { $0.ref == 2 }.done?.changed == 1)
            try await socket.send("{\"ref\":3,\"fetch\":\"\(id)\"}")
            #expect(try await socket.document { $0.ref == 3 }.item?.id == id)
            try await socket.send("{\"ref\":4,\"delete\":{\"ids\":[\"\(messageID())\"],\"scope\":\"everywhere\"}}")
            #expect(try await socket.document { $0.ref == 4 }.problem?.code == .notFound)
            try await socket.send("{\"ref\":5}")
            #expect(try await socket.document { $0.ref == 5 }.problem?.code == .invalidRequest)
            try await socket.connection.send(TestSocket.frame(8, [0x03, 0xE8]))
            #expect(try await socket.closeCode() == 1000)
            #expect(try await socket.connection.closes())
        }
    }

    @Test(
        "a first frame that is no proper hello closes the socket",
        arguments: [
            ("{}", 4400), ("garbage", 4400), ("{\"ack\":1}", 4400), ("{\"hello\":{\"token\":\"no\"}}", 4401),
            ("{\"hello\":{}}", 4400), (String(repeating: "[", count: 5000), 4400),
        ] as [(String, UInt16)]
    )
    func badHello(_ text: String, _ code: UInt16) async throws {
        try await TestGateway.run { gateway in
            let socket = try await TestSocket(port: gateway.port)
            try await socket.send(text)
            #expect(try await socket.closeCode() == code)
            #expect(try await socket.connection.closes())
        }
    }

    @Test("frames that break the protocol close the socket with the right code")
    func badFrames() async throws {
        try await TestGateway.run { gateway in
            let text = Array("{}".utf8)
            let cases: [(String, [UInt8], UInt16)] = [
                ("binary", TestSocket.frame(2, text), 4400),
                ("no mask", TestSocket.frame(1, text, masked: false), 1002),
                ("extension bit", TestSocket.frame(1, text, reserved: 4), 1002),
                ("reserved kind", TestSocket.frame(3, text), 1002),
                ("continuation of nothing", TestSocket.frame(0, text), 1002),
                (
                    "new message within a message", TestSocket.frame(1, text, fin: false) + TestSocket.frame(1, text),
                    1002
                ),
                ("fragmented ping", TestSocket.frame(9, text, fin: false), 1002),
                ("huge length", [0x81, 0xFF, 0x7F, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 1, 2, 3, 4], 1009),
                ("over the limit", [0x81, 0xFF, 0, 0, 0, 0, 0, 4, 0, 1, 1, 2, 3, 4], 1009),
                ("not UTF-8", TestSocket.frame(1, [0xFF, 0xFE, 0x80]), 4400),
                (
                    "too many fragments",
                    TestSocket.frame(1, [], fin: false)
                        + (0..<600).flatMap { _ in TestSocket.frame(0, [], fin: false) },
                    1009
                ),
                (
                    "too large in fragments",
                    TestSocket.frame(1, Array(repeating: 32, count: 200_000), fin: false)
                        + TestSocket.frame(0, Array(repeating: 32, count: 200_000)),
                    1009
                ),
            ]
            for (what, bytes, code) in cases {
                let socket = try await TestSocket(port: gateway.port)
                try? await socket.connection.send(bytes)
                let seen = try? await socket.closeCode()
                #expect(seen == code, "\(what)")
                #expect(try await socket.connection.closes(), "\(what)")
            }
            #expect(try await gateway.operate("GET", "/health/ready").status == 200)
        }
    }

    @Test("a message in fragments, with a ping between, arrives")
    func fragments() async throws {
        var limits = GatewayLimits()
        // Each octet by itself takes its time on a busy machine.
        limits.helloMilliseconds = 120_000
        try await TestGateway.run(limits: limits) { gateway in
            let alice = try await gateway.user("alice")
            let socket = try await TestSocket(port: gateway.port)
            let text = Array("{\"hello\":{\"token\":\"\(alice.token)\"}}".utf8)
            try await socket.connection.send(TestSocket.frame(1, Array(text[..<5]), fin: false))
            try await socket.connection.send(TestSocket.frame(9, [1, 2, 3]))
            let pong = try await socket.next()
            #expect(pong.opcode == 10 && pong.payload == [1, 2, 3])
            for byte in text[5...] { try await socket.connection.send(TestSocket.frame(0, [byte], fin: false)) }
            try await socket.connection.send(TestSocket.frame(0, []))
            #expect(try await socket.document { $0.welcome != nil }.welcome?.device == alice.device)
        }
    }

    @Test("a device that is revoked, or connects again, is told so")
    func revoked() async throws {
        try await TestGateway.run { gateway in
            let alice = try await gateway.user("alice")
            let phone = try await gateway.device(of: "alice", kind: .mobile)
            let (first, _) = try await open(gateway, phone)
            let (second, _) = try await open(gateway, phone)
            #expect(try await first.closeCode() == CloseCode.replaced)
            #expect(try await gateway.request("DELETE", "/v1/devices/\(phone.device.rawValue)", alice).status == 204)
            #expect(try await second.closeCode() == CloseCode.unauthenticated)
            #expect(try await second.connection.closes())
            let late = try await TestSocket(port: gateway.port)
            try await late.hello(phone.token)
            #expect(try await late.closeCode() == CloseCode.unauthenticated)
        }
    }

    @Test("cursors of another epoch or beyond the head start from a listing")
    func cursors() async throws {
        try await TestGateway.run { gateway in
            let alice = try await gateway.user("alice")
            let sent = try await gateway.request("POST", "/v1/messages", alice, json: send("alice@a.example", "x"))
            #expect(sent.status == 201)
            let (_, welcome) = try await open(gateway, alice)
            for (cursor, reason) in [
                ("{\"epoch\":\"other\",\"number\":1,\"level\":1}", CatchUp.ResetReason.otherEpoch),
                ("{\"epoch\":\"\(welcome.epoch)\",\"number\":\(welcome.head + 1),\"level\":0}", .beyondHead),
                ("{\"epoch\":\"\(welcome.epoch)\",\"number\":9223372036854775807,\"level\":0}", .beyondHead),
                ("{\"epoch\":\"\(welcome.epoch)\",\"number\":0,\"level\":-5}", .beyondHead),
            ] {
                let (socket, _) = try await open(gateway, alice, cursor: cursor)
                let reset = try await socket.document { $0.reset != nil }.reset
                #expect(reset?.reason == reason && reset?.asOf == welcome.head)
                await socket.connection.close()
            }
            let (socket, _) = try await open(gateway, alice)
            try await socket.send("{\"ack\":\(welcome.head + 1000),\"level\":0}")
            #expect(try await socket.closeCode() == CloseCode.badFrame)
        }
    }

    @Test("silence, and unanswered pings, end a socket")
    func liveness() async throws {
        var limits = GatewayLimits()
        limits.tickMilliseconds = 20
        // Long enough for a busy machine to answer in time.
        limits.helloMilliseconds = 5000
        limits.pingMilliseconds = 4000
        try await TestGateway.run(limits: limits) { gateway in
            let silent = try await TestSocket(port: gateway.port)
            try await silent.connection.send(TestSocket.frame(9, []))
            #expect(try await silent.closeCode() == CloseCode.badFrame)
            let alice = try await gateway.user("alice")
            let (lively, _) = try await open(gateway, alice)
            // Pings that are answered keep the socket.
            for _ in 0..<3 {
                let frame = try await lively.connection.take { TestSocket.parse($0) }
                #expect(frame.opcode != 8)
                if frame.opcode == 9 { try await lively.connection.send(TestSocket.frame(10, frame.payload)) }
            }
            // Now nobody answers.
            var pings = 0
            var code: UInt16?
            while code == nil {
                let frame = try await lively.connection.take { TestSocket.parse($0) }
                if frame.opcode == 9 { pings += 1 }
                code = frame.closeCode
            }
            #expect(pings <= 3 && code == CloseCode.tooSlow)
        }
    }

    @Test("a device that takes nothing costs bounded memory and delays nobody")
    func slowReader() async throws {
        var limits = GatewayLimits()
        limits.tickMilliseconds = 50
        limits.stallMilliseconds = 3000
        limits.pingMilliseconds = 2000
        limits.closeMilliseconds = 500
        try await TestGateway.run(limits: limits) { gateway in
            let alice = try await gateway.user("alice")
            let tablet = try await gateway.device(of: "alice", kind: .tablet)
            let stuck = try await TestSocket(port: gateway.port, receiveBuffer: 4096)
            try await stuck.hello(tablet.token)
            _ = try await stuck.document { $0.welcome != nil }
            try await stuck.connection.setReading(false)
            let (quick, _) = try await open(gateway, alice)
            let before = residentBytes()
            let text = String(repeating: "y", count: 60000)
            for index in 0..<300 {
                try await quick.send("{\"ref\":\(index),\"send\":\(send("alice@a.example", text))}")
                let answer = try await quick.document(within: 5) { $0.ref == index }
                #expect(answer.problem == nil, "\(answer.problem?.detail ?? "")")
            }
            // 18 MB were sent; what the stuck device is due waits in the store, not in its queue.
            let grown = residentBytes() - before
            #expect(grown < 120 << 20, "\(grown >> 20) MiB")
            #expect(stuck.connection.received < 6 << 20)
            // It is given up, though it never reads that it is.
            var connections = 2
            for _ in 0..<200 where connections > 1 {
                try await Task.sleep(for: .milliseconds(50))
                _ = try? await quick.next(within: 0.01)
                connections = try await gateway.service.status().connections
            }
            #expect(connections == 1)
            await quick.connection.close()
        }
    }

    @Test("a listing of a large mailbox comes at the pace of the device")
    func slowListing() async throws {
        try await TestGateway.run { gateway in
            let alice = try await gateway.user("alice")
            let text = String(repeating: "z", count: 60000)
            let connection = try await RawConnection(port: gateway.port)
            for _ in 0..<400 {
                let reply = try await connection.request(
                    "POST",
                    "/v1/messages",
                    token: alice.token,
                    json: send("alice@a.example", text)
                )
                #expect(reply.status == 201, "\(reply.text)")
            }
            await connection.close()
            let fresh = try await gateway.device(of: "alice", kind: .tablet)
            let socket = try await TestSocket(port: gateway.port, receiveBuffer: 4096)
            try await socket.connection.setReading(false)
            try await socket.hello(fresh.token)
            let before = residentBytes()
            try await Task.sleep(for: .seconds(2))
            let grown = residentBytes() - before
            #expect(grown < 64 << 20, "\(grown >> 20) MiB")
            try await socket.connection.setReading(true)
            var items: Set<String> = []
            while true {
                let frame = try await socket.document(within: 20)
                guard let reset = frame.reset else { continue }
                for item in reset.items where item.kind == "message" { items.insert(item.id) }
                if reset.last { break }
            }
            #expect(items.count == 400)
            await socket.connection.close()
        }
    }

    @Test("a flood of commands whose answers nobody takes ends the socket, or waits")
    func flood() async throws {
        var limits = GatewayLimits()
        limits.tickMilliseconds = 50
        limits.stallMilliseconds = 2000
        try await TestGateway.run(limits: limits) { gateway in
            let alice = try await gateway.user("alice")
            let socket = try await TestSocket(port: gateway.port, receiveBuffer: 4096)
            try await socket.hello(alice.token)
            _ = try await socket.document { $0.welcome != nil }
            try await socket.connection.setReading(false)
            let before = residentBytes()
            let command = TestSocket.frame(
                1,
                Array("{\"ref\":1,\"fetch\":\"\(String(repeating: "x", count: 100))\"}".utf8)
            )
            let burst = Array(repeating: command, count: 200).flatMap(\.self)
            let flooding = Task {
                for _ in 0..<2000 where !socket.connection.isClosed { try await socket.connection.send(burst) }
            }
            #expect(try await gateway.operate("GET", "/health/ready").status == 200)
            try await Task.sleep(for: .seconds(1))
            let grown = residentBytes() - before
            #expect(grown < 100 << 20, "\(grown >> 20) MiB")
            #expect(try await gateway.request("GET", "/v1/account", alice).status == 200)
            try? await socket.connection.setReading(true)
            flooding.cancel()
            await socket.connection.close()
            _ = await flooding.result
        }
    }

    @Test("a shut-down says good-bye with 1001")
    func shutdown() async throws {
        var socket: TestSocket?
        try await TestGateway.run { gateway in
            let alice = try await gateway.user("alice")
            (socket, _) = try await open(gateway, alice)
            let idle = try await RawConnection(port: gateway.port)
            #expect(try await idle.request("GET", "/v1/time").status == 200)
        }
        #expect(try await socket?.closeCode() == CloseCode.goingAway)
    }
}
