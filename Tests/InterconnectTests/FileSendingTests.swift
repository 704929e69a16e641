import ClientWire
import Foundation
import Interconnect
import MessagingCore
import MessagingService
import Store
import Testing

/// Files of ours for those who take them in calls of their own.
@Suite("Files that go in calls of their own", .timeLimit(.minutes(4)))
struct FileSendingTests {
    typealias Pair = RawPeerTests.Pair

    /// Uploads a file of letters.
    static func upload(_ pair: Pair, _ bytes: [UInt8]) async throws -> PartRequest {
        let (service, who) = (pair.a.service, pair.alice.who)
        let request = UploadRequest(type: "application/json", name: "a \"b\".json", bytes: Int64(bytes.count))
        let upload = try await service.startUpload(who, request)
        _ = try await service.appendUpload(who, upload.id, offset: 0, bytes)
        _ = try await service.finishPiece(who, upload.id)
        return PartRequest(upload: upload.id)
    }

    private static func answer(_ sip: RawSIP, _ invite: String, types: String) -> String {
        let echoed = invite.components(separatedBy: "\r\n").filter {
            $0.hasPrefix("a=file-selector:") || $0.hasPrefix("a=file-transfer-id:")
        }
        return sip.description(1, direction: "recvonly").replacing(
            "a=accept-types:message/cpim application/im-iscomposing+xml",
            with: "a=accept-types:\(types)"
        ) + echoed.joined(separator: "\r\n") + "\r\n"
    }

    @Test(
        "to another implementation: the text as ever, each file as the standard has it, tried again under the same names"
    )
    func foreign() async throws {
        let pair = try await Pair(files: .transfers)
        let files = (0..<2).map { seed in (0..<5000).map { UInt8(ascii: "a") + UInt8(($0 / 7 + seed) % 26) } }
        var parts = [PartRequest(text: "two files")]
        for file in files { parts.append(try await Self.upload(pair, file)) }
        let id = pair.a.newID()
        let to = [RawPeerTests.bob]
        _ = try await pair.a.service.send(
            pair.alice.who,
            SendRequest(id: id, to: to, parts: parts, reports: [.displayed])
        )
        let sip = try await pair.accept()
        let text = try await sip.request("MESSAGE")
        #expect(text.hasSuffix("\r\ntwo files") && text.contains("imdn.Message-ID: \(id)"))
        try sip.respond(text, "200 OK")

        let refused = try await sip.request("INVITE")
        try sip.respond(refused, "503 Service Unavailable", ["Retry-After: 1"])
        _ = try await sip.request("ACK")
        // The whole message comes once more, by the same names.
        let known = try await sip.request("MESSAGE")
        #expect(known.contains("imdn.Message-ID: \(id)"))
        try sip.respond(known, "200 OK")
        let first = try await sip.request("INVITE")
        #expect(first.header("Accept-Contact")?.hasSuffix("oma.cpm.filetransfer\"") == true)
        #expect(first.header("P-Asserted-Service")?.hasSuffix("oma.cpm.filetransfer") == true)
        #expect(first.header("P-Asserted-Identity") == "<\(pair.alice.address)>")
        let selector = "a=file-selector:name:\"a %22b%22.json\" type:application/json size:5000 hash:sha-1:"
        #expect(first.contains("\(selector)\(RawFile.sha1(files[0]))\r\n"))
        #expect(first.contains("a=file-disposition:attachment\r\n") && first.contains("a=sendonly\r\n"))
        let transfer = { (invite: String) in
            invite.components(separatedBy: "\r\n").first { $0.hasPrefix("a=file-transfer-id:") }
        }
        #expect(transfer(first) != nil && transfer(first) == transfer(refused))
        try sip.respond(first, "200 OK", body: Self.answer(sip, first, types: "message/cpim"))
        let wrapped = try await pair.foreign.accept().message()
        #expect(wrapped.contains("From: <\(pair.alice.address)>\r\n"))
        #expect(wrapped.hasSuffix("\r\n" + String(decoding: files[0], as: UTF8.self)))
        #expect(!wrapped.contains("imdn.Message-ID: \(id)\r\n") && !wrapped.contains("Disposition-Notification"))
        try sip.respond(try await sip.request("BYE"), "200 OK")

        // One who takes files as they are gets no envelope.
        let second = try await sip.request("INVITE")
        #expect(second.contains(RawFile.sha1(files[1])) && transfer(second) != transfer(first))
        try sip.respond(second, "200 OK", body: Self.answer(sip, second, types: "application/json"))
        #expect(try await pair.foreign.accept().message() == String(decoding: files[1], as: UTF8.self))
        try sip.respond(try await sip.request("BYE"), "200 OK")
        _ = try await eventually("nothing waits") {
            try await pair.a.service.outbox(limit: 10).lanes.isEmpty ? true : nil
        }
        #expect(try await pair.a.states(id, pair.alice) == ["pending"])

        // A file alone is the message; who does not take it fails it.
        let alone = pair.a.newID()
        let part = try await Self.upload(pair, files[0])
        _ = try await pair.a.service.send(pair.alice.who, SendRequest(id: alone, to: to, parts: [part]))
        let third = try await sip.request("INVITE")
        #expect(transfer(third) != transfer(first), "the same file once more is another transfer")
        try sip.respond(third, "488 Not Acceptable Here")
        _ = try await sip.request("ACK")
        try await pair.a.becomes(alone, pair.alice, ["failed"])
        let late = pair.a.newID()
        let last = try await Self.upload(pair, files[1])
        _ = try await pair.a.service.send(pair.alice.who, SendRequest(id: late, to: to, parts: [last]))
        let fourth = try await sip.request("INVITE")
        try sip.respond(fourth, "200 OK", body: RawFile.head + "m=message 0 TCP/TLS/MSRP *\r\n")
        try sip.respond(try await sip.request("BYE"), "200 OK")
        try await pair.a.becomes(late, pair.alice, ["failed"])
        await pair.end()
    }

    @Test("between two of ours: a file alone is the message with its reports, others come beside their text")
    func ours() async throws {
        let (one, two) = (try freePort(), try freePort())
        let route = { Peer.Route(host: "127.0.0.1", port: $0) }
        let a = try await Provider(
            "a.example",
            port: one,
            peers: [Peer(domain: "b.example", route: route(two), files: .transfers)]
        )
        let b = try await Provider("b.example", port: two, peers: [peer("a.example", one)])
        let (alice, bob) = (try await a.person("alice"), try await b.person("bob", quota: 5_000_000))
        let alone = a.newID()
        let picture = PartRequest(upload: try await a.upload(alice, bytes: 2_000_000, seed: 5))
        _ = try await a.service.send(
            alice.who,
            SendRequest(id: alone, to: [bob.address], subject: "sea", parts: [picture], reports: [.displayed])
        )
        _ = try await b.arrived(alone, bob)
        let message = try #require(try await b.service.fetch(bob.who, alone).message)
        #expect(message.subject == "sea" && message.parts.count == 1)
        let part = try #require(message.parts.first)
        #expect(part.name == "picture äö.png" && part.type == "image/png")
        #expect(try await b.bytes(part) == Provider.content(bytes: 2_000_000, at: 0, seed: 5))
        _ = try await b.service.markRead(bob.who, ReadRequest(ids: [alone]))
        try await a.becomes(alone, alice, ["displayed"])

        let id = a.newID()
        var parts = [PartRequest(text: "two pictures")]
        for seed: UInt8 in [1, 2] {
            parts.append(PartRequest(upload: try await a.upload(alice, bytes: 9000, seed: seed)))
        }
        _ = try await a.service.send(alice.who, SendRequest(id: id, to: [bob.address], parts: parts))
        _ = try await eventually("three messages") {
            try await b.service.messages(bob.who, Listing(limit: 10)).items.count == 4 ? true : nil
        }
        #expect(try await b.service.fetch(bob.who, id).message?.parts.map(\.text) == ["two pictures"])

        // Too large for what is left of the receiver's room: refused before anything goes.
        let late = a.newID()
        let large = PartRequest(upload: try await a.upload(alice, bytes: 4_000_000, seed: 8))
        _ = try await a.service.send(alice.who, SendRequest(id: late, to: [bob.address], parts: [large]))
        try await a.becomes(late, alice, ["failed"])
        #expect(try await a.service.message(alice.who, late).receivers?.first?.reason == .quotaExceeded)
        #expect(try await b.waitingUploads(bob) == 0)
        await a.stop()
        await b.stop()
    }
}
