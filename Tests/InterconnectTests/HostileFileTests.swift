import ClientWire
import Foundation
import MessagingCore
import MessagingService
import Store
import Testing

/// Files that are not what they are said to be, or not for those who offer them.
@Suite("Files that are refused, and leave nothing behind", .timeLimit(.minutes(4)))
struct HostileFileTests {
    typealias Pair = RawPeerTests.Pair
    static let bob = RawPeerTests.bob

    struct Case: Sendable {
        let name: String
        let status: String
        var reason: String?
        var from = "\(bob)"
        var asserted: String?
        var to: String?
        var change: @Sendable (inout RawFile) -> Void = { _ in }
    }

    static let cases = [
        Case(name: "for nobody", status: "404", reason: "not-found", to: "sip:nobody@a.example"),
        Case(
            name: "for nobody, too large",
            status: "404",
            reason: "not-found",
            to: "sip:nobody@a.example"
        ) { $0.size = 1 << 60 },
        Case(
            name: "for nobody, to be fetched",
            status: "404",
            reason: "not-found",
            to: "sip:nobody@a.example"
        ) { $0.direction = "recvonly" },
        Case(
            name: "of another provider's user",
            status: "403",
            reason: "forbidden",
            asserted: "sip:carol@c.example"
        ),
        Case(name: "of our user", status: "403", reason: "forbidden", from: "sip:alice@a.example"),
        Case(name: "too large", status: "413", reason: "too-large") { $0.size = 1 << 60 },
        Case(name: "larger than any number", status: "488") {
            $0.size = .max
            $0.more = ["a=file-range:2-*"]
        },
        Case(name: "no room", status: "480", reason: "quota-exceeded") { $0.size = 600_000 },
        Case(name: "empty", status: "488") { $0.size = 0 },
        Case(name: "to be fetched", status: "488") { $0.direction = "recvonly" },
        Case(name: "both ways", status: "488") { $0.direction = "sendrecv" },
        Case(name: "without the transfer's name", status: "488") { $0.transfer = "" },
        Case(name: "a name without end", status: "488") { $0.transfer = String(repeating: "x", count: 300) },
        Case(name: "the end of a file", status: "488") { $0.more = ["a=file-range:500-1000"] },
        Case(name: "no type", status: "488") { $0.type = "jpeg" },
        Case(name: "a hash that is none", status: "488") { $0.hash = "XY" },
        Case(name: "in the clear", status: "488") { $0.proto = "TCP/MSRP" },
        Case(name: "to be connected to", status: "488") { $0.setup = "passive" },
    ]

    @Test("what cannot be taken is refused before anything of it comes")
    func refused() async throws {
        var pair = try await Pair()
        pair.alice = try await pair.a.person("anna", quota: 500_000)
        let (sip, tunnel) = try await pair.connect()
        for one in Self.cases {
            var file = RawFile(bytes: 1000)
            one.change(&file)
            let answer = try await pair.offer(
                sip,
                RawFile.head + file.medium(pair.foreign),
                from: Address(stored: one.from),
                asserted: one.asserted.map { Address(stored: $0) },
                to: one.to.map { Address(stored: $0) }
            )
            #expect(answer.hasPrefix("SIP/2.0 \(one.status) "), "\(one.name): \(answer)")
            #expect(answer.header("Continuo-Reason") == one.reason, "\(one.name)")
            if one.name == "to be fetched" {
                #expect(answer.header("Warning")?.contains("sent, not fetched") == true)
            }
            #expect(try await pair.a.waitingUploads(pair.alice) == 0, "\(one.name)")
        }
        await tunnel.close()
        await pair.end()
    }

    struct Content: Sendable {
        let name: String
        let status: String
        var reason: String?
        var type = "image/jpeg"
        var change: @Sendable (inout RawFile) -> Void = { _ in }
        /// What is sent; the file itself unless told otherwise.
        var sent: @Sendable (RawFile) -> [UInt8] = { $0.bytes }
    }

    static func wrapped(_ file: RawFile, from: String = "\(bob)") -> [UInt8] {
        file.wrapped(from: from, to: "sip:alice@a.example", id: "wrapped")
    }

    static let contents = [
        Content(name: "more than was said", status: "413", reason: "too-large") { $0.size = 9999 },
        Content(name: "much more than was said", status: "413", reason: "too-large") { $0.size = 10 },
        Content(name: "less than was said", status: "400", reason: "invalid-message") { $0.size = 10_001 },
        Content(name: "another file", status: "400", reason: "invalid-message") {
            $0.hash = RawFile.sha1([1, 2, 3])
        },
        Content(name: "another type", status: "415", type: "text/html"),
        Content(name: "a message of somebody else", status: "403", reason: "forbidden", type: "message/cpim") {
            _ in
        } sent: {
            wrapped($0, from: "sip:carol@b.example")
        },
        Content(name: "no message", status: "400", reason: "invalid-message", type: "message/cpim"),
        Content(
            name: "another file in a message",
            status: "400",
            reason: "invalid-message",
            type: "message/cpim"
        ) {
            $0.hash = RawFile.sha1([1])
        } sent: {
            wrapped($0)
        },
        Content(name: "two parts", status: "400", reason: "invalid-message", type: "message/cpim") {
            $0.bytes = Array(repeating: 65, count: 100)
        } sent: {
            let part = "--x\r\nContent-Type: image/jpeg\r\n\r\n\(String(decoding: $0.bytes, as: UTF8.self))\r\n"
            let head = cpim(
                "",
                from: "\(bob)",
                to: "sip:alice@a.example",
                id: "two",
                type: "multipart/mixed; boundary=x"
            )
            return Array((head + part + part + "--x--\r\n").utf8)
        },
    ]

    @Test("what is not the file that was offered is refused when that shows, and the BYE's answer says why")
    func content() async throws {
        let pair = try await Pair()
        let (sip, tunnel) = try await pair.connect()
        for one in Self.contents {
            var file = RawFile(bytes: 10_000)
            one.change(&file)
            let answer = try await pair.offer(sip, RawFile.head + file.medium(pair.foreign))
            #expect(answer.hasPrefix("SIP/2.0 200"), "\(one.name)")
            let (talk, media) = try await pair.talk(answer)
            #expect(try await talk.send(one.sent(file), type: one.type) == one.status, "\(one.name)")
            try sip.send("BYE", 2, after: answer)
            let bye = try await sip.answer(2)
            #expect(bye.hasPrefix("SIP/2.0 200"), "\(one.name)")
            #expect(bye.header("Continuo-Reason") == one.reason, "\(one.name)")
            #expect(try await FileCallTests.messages(pair).isEmpty, "\(one.name)")
            _ = try await eventually("nothing is left") {
                try await pair.a.waitingUploads(pair.alice) == 0 ? true : nil
            }
            await media.close()
        }
        await tunnel.close()
        await pair.end()
    }

    @Test("a second file in the same session is stopped, and the first is not harmed")
    func second() async throws {
        let pair = try await Pair()
        let (sip, tunnel) = try await pair.connect()
        let (file, other) = (RawFile(bytes: 10_000), RawFile(bytes: 10_000, seed: 1))
        let answer = try await pair.offer(sip, RawFile.head + file.medium(pair.foreign))
        let (talk, media) = try await pair.talk(answer)
        #expect(try await talk.send(file.bytes, until: 4096, type: file.type) == "200")
        let status = try await talk.send(other.bytes, type: file.type, id: "file0002")
        #expect(["413", "400"].contains(status))
        #expect(try await talk.send(file.bytes, from: 4096, type: file.type) == "200")
        let messages = try await FileCallTests.messages(pair)
        #expect(messages.count == 1)
        #expect(try await pair.a.bytes(try #require(messages.first?.parts.first)) == file.bytes)
        await media.close()
        await tunnel.close()
        await pair.end()
    }

    @Test("a file that never ends is given up with its call, and one whose end nobody said when it is too long")
    func endless() async throws {
        let pair = try await Pair()
        let (sip, tunnel) = try await pair.connect()
        let file = RawFile(bytes: 100_000)
        let answer = try await pair.offer(sip, RawFile.head + file.medium(pair.foreign))
        let (talk, media) = try await pair.talk(answer)
        #expect(try await talk.send(file.bytes, until: 40_960, type: file.type) == "200")
        _ = try await eventually("it has begun") { try await pair.a.waitingUploads(pair.alice) == 1 ? true : nil }
        try sip.send("BYE", 2, after: answer)
        #expect(try await sip.answer(2).hasPrefix("SIP/2.0 200"))
        _ = try await eventually("nothing is left") { try await pair.a.waitingUploads(pair.alice) == 0 ? true : nil }
        // Nothing says how long it is.
        let unknown = RawFile(bytes: 5000, seed: 4)
        let plain = unknown.medium(pair.foreign).replacing(" size:5000", with: "")
        let open = try await pair.offer(sip, RawFile.head + plain)
        let (end, other) = try await pair.talk(open)
        let chunk =
            "MSRP endless1 SEND\r\nTo-Path: \(end.remote)\r\nFrom-Path: \(end.local)\r\nMessage-ID: endless1\r\n"
            + "Byte-Range: 1-*/*\r\nContent-Type: image/jpeg\r\n\r\nabc\r\n-------endless1+\r\n"
        try end.socket.send(chunk)
        let first = try #require(try await end.socket.frame())
        #expect(first.hasPrefix("MSRP endless1 200") || first.hasPrefix("MSRP endless1 400"))
        _ = try await eventually("it is stopped") {
            try await end.send(Array(repeating: 1, count: 3000), from: 3, type: "image/jpeg", id: "endless1") == "400"
                ? true : nil
        }
        #expect(try await FileCallTests.messages(pair).isEmpty)
        #expect(try await pair.a.waitingUploads(pair.alice) == 0)
        await other.close()
        await media.close()
        await tunnel.close()
        await pair.end()
    }
}
