import ClientWire
import Foundation
import Interconnect
import MessagingCore
import MessagingService
import Testing

/// What goes wrong between providers, and what must come of it all the same.
@Suite("Faults between providers", .timeLimit(.minutes(6)))
struct FaultTests {
    @Test("the connection of 50 MB is cut in the middle, twice: the message arrives once, whole")
    func cut() async throws {
        let (first, second, messages) = (try freePort(), try freePort(), try freePort())
        // Large messages for b go through a wire that can be cut: the same port, at another address of this host.
        let wire = try await Wire.start(on: messages, to: "127.0.0.2", cuttingAfter: [7_000_000, 20_000_000])
        let a = try await Provider("a.example", port: first, peers: [peer("b.example", second, host: "127.0.0.2")])
        let b = try await Provider(
            "b.example",
            host: "127.0.0.2",
            port: second,
            messages: ("127.0.0.1", messages),
            peers: [peer("a.example", first)]
        )
        let (alice, bob) = (try await a.person("alice"), try await b.person("bob"))
        let size = 50 << 20
        let id = a.newID()
        let file = PartRequest(upload: try await a.upload(alice, bytes: size, seed: 3))
        _ = try await a.service.send(alice.who, SendRequest(id: id, to: [bob.address], parts: [file]))
        let after = try await a.send("and this", from: alice, to: [bob.address])
        _ = try await b.arrived(after, bob, seconds: 240)
        #expect(wire.cuts == 2)
        let items = try await b.service.messages(bob.who, Listing(limit: 10)).items.sorted { $0.created < $1.created }
        #expect(items.compactMap { $0.message?.id } == [id, after], "once, and in its place")
        let part = try #require(try await b.service.fetch(bob.who, id).message?.parts.first)
        #expect(part.bytes == Int64(size))
        var offset = 0
        while offset < size {
            let piece = try await b.service.readBlob(try #require(part.sha256), offset: Int64(offset), count: 1 << 20)
            try #require(piece == Provider.content(bytes: piece.count, at: offset, seed: 3), "at \(offset)")
            offset += piece.count
        }
        #expect(try await b.waitingUploads(bob) == 0)
        await a.stop()
        await b.stop()
        await wire.close()
    }

    @Test("a peer that never answers, or answers late, holds up no other, and gets what waits when it is back, once")
    func neverAnswers() async throws {
        let phone = try RawListener()
        let foreign = try await Foreign(phone: phone)
        let (first, third) = (try freePort(), try freePort())
        let a = try await Provider(
            "a.example",
            port: first,
            peers: [
                Peer(domain: "b.example", route: Peer.Route(host: "127.0.0.1", port: foreign.door.port)),
                peer("c.example", third),
            ]
        )
        let c = try await Provider("c.example", port: third, peers: [peer("a.example", first)])
        let (alice, carol) = (try await a.person("alice"), try await c.person("carol"))
        let bob = try Address("bob@b.example")
        let silent = try await a.send("0", from: alice, to: [bob])
        let sip = RawSIP(socket: try await phone.accept(), foreign: foreign)
        let unanswered = try await sip.request("MESSAGE")
        for number in 1..<5 { try await a.send("\(number)", from: alice, to: [bob]) }
        let other = try await a.send("to c", from: alice, to: [carol.address])
        _ = try await c.arrived(other, carol, seconds: 15)
        #expect(!a.interconnect.isAway("b.example"), "it is not given up yet")
        // Nothing more is sent on this lane before the first is answered; then the connection counts as dead.
        _ = try await eventually("a gives it up", seconds: 60) { a.interconnect.isAway("b.example") ? true : nil }
        try? sip.respond(unanswered, "200 OK")
        #expect(try await a.states(silent, alice) == ["pending"])
        let again = RawSIP(socket: try await phone.accept(), foreign: foreign)
        let probe = try #require(try await again.socket.message())
        #expect(probe.hasPrefix("OPTIONS "), "one probe, and no message")
        try again.respond(probe, "200 OK")
        for number in 0..<5 {
            let message = try await again.request("MESSAGE")
            #expect(message.hasSuffix("\r\n\(number)"))
            try again.respond(message, "200 OK")
        }
        try await a.becomes(silent, alice, ["delivered"])
        await a.stop()
        await c.stop()
        await foreign.close()
    }

    @Test("a peer that answers garbage is left alone, and a message that it refuses is passed over and reported")
    func garbageAndPoison() async throws {
        let phone = try RawListener()
        let foreign = try await Foreign(phone: phone)
        let a = try await Provider(
            "a.example",
            peers: [Peer(domain: "b.example", route: Peer.Route(host: "127.0.0.1", port: foreign.door.port))]
        )
        let alice = try await a.person("alice")
        let bob = try Address("bob@b.example")
        let first = try await a.send("0", from: alice, to: [bob])
        let sip = RawSIP(socket: try await phone.accept(), foreign: foreign)
        _ = try await sip.request("MESSAGE")
        try sip.socket.send(
            "HTTP/1.1 200 OK\r\nContent-Length: nine\r\n\r\n" + String(repeating: "\u{0}x", count: 70_000)
        )
        let second = try await a.send("1", from: alice, to: [bob])
        let again = RawSIP(socket: try await phone.accept(), foreign: foreign)
        // It asks whether anybody is there; or comes at once with the message.
        var next = try #require(try await again.socket.message())
        while next.hasPrefix("OPTIONS ") {
            try again.respond(next, "200 OK")
            next = try #require(try await again.socket.message())
        }
        #expect(next.hasSuffix("\r\n0"))
        try again.respond(next, "400 Bad Request")
        let other = try await again.request("MESSAGE")
        #expect(other.hasSuffix("\r\n1"))
        try again.respond(other, "200 OK")
        try await a.becomes(first, alice, ["failed"])
        try await a.becomes(second, alice, ["delivered"])
        await a.stop()
        await foreign.close()
    }
}
