import ClientWire
import Foundation
import Interconnect
import MessagingCore
import MessagingService
import SessionCore
import Testing

/// A telephone of another provider calls, and voice flows both ways.
@Suite(
    "Calls of a real telephone at another provider",
    .serialized,
    .enabled(if: ForeignPhone.isInstalled),
    .timeLimit(.minutes(4))
)
struct ForeignPhoneTests {
    @Test("it calls, is heard and hears; it holds, goes on, and hangs up")
    func calls() async throws {
        let pair = try await RawPeerTests.Pair()
        let mobile = MediaDevice(pair.alice, at: pair.a)
        let files = try await Authority.shared.certificate("b.example")
        let tunnel = try await Tunnel.outward(files, to: pair.a.port, name: "a.example", isProxy: true)
        let phone = try await ForeignPhone("sip:bob@b.example", through: tunnel.port, tone: 700)
        let voice = VoiceSocket()
        let port = try await voice.open()

        try await phone.command("dial", "sip:alice@a.example")
        let id = try await eventually("the call") {
            try await pair.a.service.sessions(pair.alice.who).sessions.first { $0.state == .alerting }?.id
        }
        let ringing = try await pair.a.session(pair.alice, id)
        #expect(ringing.wanted == [.audio])
        #expect(ringing.creator == RawPeerTests.bob)
        _ = try await pair.a.service.accept(pair.alice.who, id, AcceptRequest(media: [.audio]))
        try await mobile.takes("m=audio \(port) RTP/AVP 0\r\nc=IN IP4 127.0.0.1\r\na=mid:x\r\na=sendrecv\r\n")
        try await phone.sees("CALL_ESTABLISHED")
        let says = Task { await voice.says(440) }
        _ = try await eventually("it is heard") { voice.packets > 100 ? true : nil }
        try await phone.hears(440)
        let open = try await pair.a.session(pair.alice, id, "voice") { $0.media.count == 1 && $0.pending.isEmpty }
        #expect(open.media.first?.kind == .audio)

        // It holds, and goes on; the conversation has it.
        try await phone.command("hold")
        _ = try await pair.a.session(pair.alice, id, "held") { $0.media.first?.held == [RawPeerTests.bob] }
        try await phone.command("resume")
        _ = try await pair.a.session(pair.alice, id, "resumed") { $0.media.first?.held == [] }
        // Texts have no place in it: they go as messages.
        try await pair.a.say("I can hear you", pair.alice, id)
        let message = try await pair.accept().request("MESSAGE")
        #expect(message.contains("I can hear you"))

        try await phone.command("hangup")
        _ = try await pair.a.session(pair.alice, id, "over") { $0.state == .over }
        says.cancel()
        phone.end()
        try await voice.close()
        await mobile.close()
        await tunnel.close()
        await pair.end()
    }

    @Test("it is called, is heard and hears; whoever hangs up, it is over for both", arguments: ["they", "we"])
    func called(hangsUp: String) async throws {
        let files = try await Authority.shared.certificate("b.example")
        let port = try freePort()
        // It listens at the next one, too.
        _ = try freePort()
        // What it sends within the call comes back by its own way out.
        let home = try freePort()
        let back = try await Tunnel.outward(files, to: home, name: "a.example")
        let door = try await Tunnel.inward(files, to: port, proxy: back.port)
        let route = Peer.Route(host: "127.0.0.1", port: door.port)
        let peer = Peer(domain: "b.example", route: route, keepsLanes: false)
        let a = try await Provider("a.example", port: home, peers: [peer])
        let alice = try await a.person("alice")
        let mobile = MediaDevice(alice, at: a)
        let phone = try await ForeignPhone("sip:bob@b.example", through: back.port, port: port, tone: 700)
        let voice = VoiceSocket()
        let media = try await voice.open()

        let id = try await a.ask(alice, RawPeerTests.bob, media: [.audio])
        try await phone.sees("CALL_INCOMING")
        try await phone.command("accept")
        try await mobile.takes("m=audio \(media) RTP/AVP 0\r\nc=IN IP4 127.0.0.1\r\na=mid:x\r\na=sendrecv\r\n")
        try await phone.sees("CALL_ESTABLISHED")
        let says = Task { await voice.says(440) }
        _ = try await eventually("it is heard") { voice.packets > 100 ? true : nil }
        try await phone.hears(440)
        let open = try await a.session(alice, id, "voice") { $0.media.count == 1 && $0.pending.isEmpty }
        #expect(open.state == .open)
        #expect(open.media.first?.kind == .audio)

        try await phone.command("hold")
        _ = try await a.session(alice, id, "held") { $0.media.first?.held == [RawPeerTests.bob] }
        try await phone.command("resume")
        _ = try await a.session(alice, id, "resumed") { $0.media.first?.held == [] }

        if hangsUp == "they" {
            try await phone.command("hangup")
        } else {
            _ = try await a.service.leave(alice.who, id)
        }
        try await phone.sees("CALL_CLOSED")
        #expect(try await a.session(alice, id, "over") { $0.state == .over }.end == .left)
        says.cancel()
        phone.end()
        try await voice.close()
        await mobile.close()
        await a.stop()
        await door.close()
        await back.close()
    }

    @Test("our user hangs up, by leaving or by taking voice away", arguments: ["leave", "remove"])
    func ended(how: String) async throws {
        let pair = try await RawPeerTests.Pair()
        let mobile = MediaDevice(pair.alice, at: pair.a)
        let files = try await Authority.shared.certificate("b.example")
        let tunnel = try await Tunnel.outward(files, to: pair.a.port, name: "a.example", isProxy: true)
        let phone = try await ForeignPhone("sip:bob@b.example", through: tunnel.port, tone: 700)
        try await phone.command("dial", "sip:alice@a.example")
        let id = try await eventually("the call") {
            try await pair.a.service.sessions(pair.alice.who).sessions.first { $0.state == .alerting }?.id
        }
        _ = try await pair.a.service.accept(pair.alice.who, id, AcceptRequest(media: [.audio]))
        try await mobile.takes("m=audio 40000 RTP/AVP 0\r\nc=IN IP4 127.0.0.1\r\na=mid:x\r\na=sendrecv\r\n")
        try await phone.sees("CALL_ESTABLISHED")
        let open = try await pair.a.session(pair.alice, id, "voice") { $0.media.count == 1 && $0.pending.isEmpty }
        if how == "leave" {
            _ = try await pair.a.service.leave(pair.alice.who, id)
        } else {
            try await MediaTests.change(.remove, try #require(open.media.first?.id), pair, id)
        }
        try await phone.sees("CALL_CLOSED")
        _ = try await pair.a.session(pair.alice, id, "over") { $0.state == .over }
        phone.end()
        await mobile.close()
        await tunnel.close()
        await pair.end()
    }
}
