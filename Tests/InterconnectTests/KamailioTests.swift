import ClientWire
import Foundation
import Interconnect
import MessagingCore
import MessagingService
import SessionCore
import Store
import Testing

/// The neighbouring provider has Kamailio for a proxy.
@Suite(
    "A provider behind Kamailio",
    .serialized,
    .enabled(if: KamailioProxy.isInstalled, "Kamailio with its tls module is not installed"),
    .enabled(if: ForeignPhone.isInstalled, "baresip is not installed"),
    .timeLimit(.minutes(4))
)
struct KamailioTests {
    static let bob = RawPeerTests.bob
    static let carol = Address(stored: "sip:carol@b.example")

    /// Alice's provider, Kamailio, a telephone and a socket behind it; what goes to these is recorded.
    struct Neighbours {
        let a: Provider
        let alice: Person
        let mobile: MediaDevice
        let kamailio: KamailioProxy
        let phone: ForeignPhone
        let writer: RawListener
        let wires: [Tunnel]

        init(hasTexts: Bool = false) async throws {
            let (home, door, port) = (try freePort(), try freePort(), try freePort())
            writer = try RawListener()
            // baresip listens at the next one, too.
            _ = try freePort()
            wires = [try await .plain(to: port), try await .plain(to: Int(writer.port))]
            let route = Peer.Route(host: "127.0.0.1", port: door)
            a = try await Provider("a.example", port: home, peers: [Peer(domain: "b.example", route: route)])
            alice = try await a.person("alice")
            mobile = MediaDevice(alice, at: a)
            kamailio = try await KamailioProxy(
                home: home,
                door: door,
                telephone: wires[0].port,
                writer: wires[1].port,
                hasTexts: hasTexts
            )
            phone = try await ForeignPhone("sip:bob@b.example", through: kamailio.inside, port: port, tone: 700)
        }

        /// The capture of what Kamailio said to its users, without a fault.
        func check(_ index: Int, atLeast least: Int) async throws {
            guard Tshark.isInstalled else { return }
            let (bytes, count) = wires[index].capture.file
            let file = FileManager.default.temporaryDirectory.appendingPathComponent("proxy-\(UUID()).pcap")
            defer { try? FileManager.default.removeItem(at: file) }
            try Data(bytes).write(to: file)
            #expect(count >= least)
            #expect(try await Tshark.count(file, "sip", "sip", 5060) == count)
            #expect(
                try await Tshark.count(file, "_ws.malformed || _ws.expert.severity >= 0x600000", "sip", 5060) == 0
            )
        }

        func end() async {
            phone.end()
            await mobile.close()
            await a.stop()
            kamailio.stop()
            for wire in wires { await wire.close() }
        }
    }

    @Test("messages both ways, through TLS with certificates on both sides")
    func messages() async throws {
        let both = try await Neighbours()
        _ = try await both.a.send("Hello, Carol", from: both.alice, to: [Self.carol])
        let socket = try await both.writer.accept()
        let message = try #require(try await socket.message())
        #expect(message.hasPrefix("MESSAGE sip:carol@b.example"))
        #expect(message.contains("Hello, Carol"))
        #expect(message.header("P-Asserted-Identity") == "<sip:alice@a.example>")
        #expect(message.components(separatedBy: "\r\n").filter { $0.hasPrefix("Via:") }.count == 2)
        try Self.respond(message, "200 OK", on: socket)
        // Acknowledged, it makes room for the next one.
        _ = try await both.a.send("Are you there?", from: both.alice, to: [Self.carol])
        let next = try #require(try await socket.message())
        #expect(next.contains("Are you there?"))
        try Self.respond(next, "200 OK", on: socket)

        let inside = try RawSocket(port: UInt16(both.kamailio.inside))
        let text = "Hello, Alice"
        try inside.send(
            """
            MESSAGE sip:alice@a.example SIP/2.0\r\nVia: SIP/2.0/TCP 127.0.0.1:9;branch=z9hG4bKcarol1\r\n\
            From: <sip:carol@b.example>;tag=c1\r\nTo: <sip:alice@a.example>\r\nCall-ID: carol1\r\nCSeq: 1 MESSAGE\r\n\
            Max-Forwards: 70\r\nContent-Type: text/plain\r\nContent-Length: \(text.utf8.count)\r\n\r\n\(text)
            """
        )
        let answer = try #require(try await inside.message())
        #expect(answer.hasPrefix("SIP/2.0 200"), "\(answer) \(both.kamailio.log)")
        _ = try await eventually("it is there") {
            try await both.a.service.messages(both.alice.who, Listing(limit: 10)).items.contains {
                $0.message?.from == Self.carol && $0.message?.parts.map(\.text) == [text]
            } ? true : nil
        }
        try await both.check(1, atLeast: 4)
        await both.end()
    }

    @Test(
        "a call to a telephone behind it, heard both ways; its user hangs up through both Record-Routes",
        arguments: [false, true]
    )
    func called(isOfferedTexts: Bool) async throws {
        // Where texts are offered first, the telephone refuses them, and is asked again.
        let both = try await Neighbours(hasTexts: isOfferedTexts)
        let voice = VoiceSocket()
        let port = try await voice.open()
        let id = try await both.a.ask(both.alice, Self.bob, media: [.audio])
        try await both.phone.sees("CALL_INCOMING")
        try await both.phone.command("accept")
        try await both.mobile.takes(
            "m=audio \(port) RTP/AVP 0\r\nc=IN IP4 127.0.0.1\r\na=mid:x\r\na=sendrecv\r\n"
        )
        try await both.phone.sees("CALL_ESTABLISHED")
        let says = Task { await voice.says(440) }
        _ = try await eventually("it is heard") { voice.packets > 100 ? true : nil }
        try await both.phone.hears(440)
        let invite = String(decoding: both.wires[0].capture.file.bytes, as: UTF8.self)
        #expect(invite.components(separatedBy: "r2=on").count >= 3, "a route for either side")
        #expect(invite.contains("m=message") == isOfferedTexts)
        try await both.phone.command("hangup")
        #expect(try await both.a.session(both.alice, id, "over") { $0.state == .over }.end == .left)
        says.cancel()
        try await voice.close()
        try await both.check(0, atLeast: 3)
        await both.end()
    }

    @Test("a call of that telephone; our user hangs up through both Record-Routes")
    func calls() async throws {
        let both = try await Neighbours()
        try await both.phone.command("dial", "sip:alice@a.example")
        let id = try await eventually("the call") {
            try await both.a.service.sessions(both.alice.who).sessions.first { $0.state == .alerting }?.id
        }
        #expect(try await both.a.session(both.alice, id).creator == Self.bob)
        _ = try await both.a.service.accept(both.alice.who, id, AcceptRequest(media: [.audio]))
        try await both.mobile.takes("m=audio 40000 RTP/AVP 0\r\nc=IN IP4 127.0.0.1\r\na=mid:x\r\na=sendrecv\r\n")
        try await both.phone.sees("CALL_ESTABLISHED")
        _ = try await both.a.session(both.alice, id, "voice") { $0.media.count == 1 && $0.pending.isEmpty }
        _ = try await both.a.service.leave(both.alice.who, id)
        try await both.phone.sees("CALL_CLOSED")
        _ = try await both.a.session(both.alice, id, "over") { $0.state == .over }
        await both.end()
    }

    private static func respond(_ request: String, _ status: String, on socket: RawSocket) throws {
        var lines = ["SIP/2.0 \(status)"]
        lines += request.components(separatedBy: "\r\n").filter { $0.hasPrefix("Via:") }
        lines += ["From", "Call-ID", "CSeq"].map { "\($0): \(request.header($0) ?? "")" }
        lines += ["To: \(request.header("To") ?? "");tag=c", "Content-Length: 0"]
        try socket.send(lines.joined(separator: "\r\n") + "\r\n\r\n")
    }
}
