import ClientWire
import Foundation
import MessagingCore
import MessagingService
import Store
import Testing

/// Files that another implementation sends in calls of their own.
@Suite("Files in calls of their own, with SIP and MSRP spoken word by word", .timeLimit(.minutes(4)))
struct FileCallTests {
    typealias Pair = RawPeerTests.Pair
    static let bob = RawPeerTests.bob

    /// What has come for a person.
    static func messages(_ pair: Pair) async throws -> [Envelope] {
        var all: [Envelope] = []
        for item in try await pair.a.service.messages(pair.alice.who, Listing(limit: 50)).items {
            if let message = try await pair.a.service.fetch(pair.alice.who, MessageID(item.id)).message {
                all.append(message)
            }
        }
        return all
    }

    @Test("the offer is answered as the standard has it, and the last octet's 200 says that the file is in the mailbox")
    func pushed() async throws {
        let pair = try await Pair()
        let (sip, tunnel) = try await pair.connect()
        var file = RawFile(bytes: 100_001)
        file.name = "über%22alles.jpg"
        let headers = ["Conversation-ID: holiday", "Contribution-ID: contribution-1"]
        let answer = try await pair.offer(sip, RawFile.head + file.medium(pair.foreign), headers)
        #expect(answer.hasPrefix("SIP/2.0 200"))
        #expect(answer.header("Contact")?.contains("oma.cpm.filetransfer") == true)
        let lines = answer.components(separatedBy: "\r\n")
        #expect(lines.contains("a=file-selector:\(file.selector)"))
        #expect(lines.contains("a=file-transfer-id:\(file.transfer)"))
        #expect(lines.contains("a=recvonly"))
        #expect(lines.contains("a=setup:passive"))
        #expect(!answer.contains("a=file-date") && !answer.contains("a=file-disposition"))
        #expect(lines.contains { $0.hasPrefix("m=message ") && !$0.hasPrefix("m=message 0 ") })

        let (talk, media) = try await pair.talk(answer)
        #expect(try await talk.send(file.bytes, type: file.type) == "200")
        let message = try #require(try await Self.messages(pair).first)
        #expect(message.from == Self.bob)
        #expect(message.to == [pair.alice.address])
        #expect(message.conversation.description == "holiday")
        let part = try #require(message.parts.first)
        #expect(message.parts.count == 1)
        #expect(part.type == "image/jpeg" && part.name == "über\"alles.jpg")
        #expect(try await pair.a.bytes(part) == file.bytes)
        try sip.send("BYE", 2, after: answer)
        let bye = try await sip.answer(2)
        #expect(bye.hasPrefix("SIP/2.0 200") && bye.header("Continuo-Reason") == nil)
        #expect(try await pair.a.waitingUploads(pair.alice) == 0)
        await media.close()
        await tunnel.close()
        await pair.end()
    }

    @Test("as the content of a message it has that one's id and reports; its icon stands beside the offer")
    func wrapped() async throws {
        let pair = try await Pair()
        let (sip, tunnel) = try await pair.connect()
        var file = RawFile(bytes: 20_000)
        file.type = "text/plain"
        file.name = "long.txt"
        file.more = ["a=file-icon:cid:icon@b.example", "a=file-range:1-20000"]
        let body =
            "--edge\r\nContent-Type: application/sdp\r\n\r\n\(RawFile.head)\(file.medium(pair.foreign))\r\n--edge\r\n"
            + "Content-Type: image/png\r\nContent-ID: <icon@b.example>\r\nContent-Disposition: icon\r\n\r\nno icon\r\n"
            + "--edge--\r\n"
        let answer = try await pair.offer(sip, body, ["Content-Type: multipart/mixed; boundary=edge"])
        #expect(answer.hasPrefix("SIP/2.0 200"))
        #expect(answer.contains("a=file-range:1-20000") && !answer.contains("a=file-icon"))
        let (talk, media) = try await pair.talk(answer)
        let content = file.wrapped(
            from: "sip:anonymous@anonymous.invalid",
            to: "\(pair.alice.address)",
            id: "files-own"
        )
        #expect(try await talk.send(content, type: "message/cpim") == "200")
        let part = try #require(try await pair.a.arrived(MessageID("files-own"), pair.alice).message?.parts.first)
        #expect(part.type == "text/plain" && part.name == "long.txt" && part.text == nil)
        #expect(try await pair.a.bytes(part) == file.bytes)
        let back = try await pair.accept()
        let report = try await back.request("MESSAGE")
        #expect(report.contains("<message-id>files-own</message-id>") && report.contains("<delivered/>"))
        try back.respond(report, "200 OK")
        await media.close()
        await tunnel.close()
        await pair.end()
    }

    @Test("cut in the middle: it goes on from there in the same call, or anew in another, and is one message")
    func cut() async throws {
        let pair = try await Pair()
        let (sip, tunnel) = try await pair.connect()
        let file = RawFile(bytes: 300_000)
        let offer = RawFile.head + file.medium(pair.foreign)
        let answer = try await pair.offer(sip, offer)
        let (first, media) = try await pair.talk(answer)
        #expect(try await first.send(file.bytes, until: 151_552, type: file.type) == "200")
        await media.close()
        // The same session, the same message, from what was answered last.
        let (second, other) = try await pair.talk(answer)
        #expect(try await second.send(file.bytes, from: 149_504, until: 200_704, type: file.type) == "200")
        #expect(try await Self.messages(pair).isEmpty)
        await other.close()
        // They have forgotten all but the file: another call, from its first octet.
        let again = try await pair.offer(sip, offer)
        let (third, last) = try await pair.talk(again)
        #expect(try await pair.a.waitingUploads(pair.alice) == 0, "what was there is given up")
        #expect(try await third.send(file.bytes, type: file.type) == "200")
        // And once more, since that 200 was lost.
        let late = try await pair.offer(sip, offer)
        let (fourth, end) = try await pair.talk(late)
        #expect(try await fourth.send(file.bytes, type: file.type) == "200")
        let messages = try await Self.messages(pair)
        #expect(messages.count == 1)
        #expect(try await pair.a.bytes(try #require(messages.first?.parts.first)) == file.bytes)
        #expect(try await pair.a.waitingUploads(pair.alice) == 0)
        // The first call goes on after a cut.
        let slow = RawFile(bytes: 50_000, seed: 3)
        let call = try await pair.offer(sip, RawFile.head + slow.medium(pair.foreign))
        let (one, wire) = try await pair.talk(call)
        #expect(try await one.send(slow.bytes, until: 20_480, type: slow.type) == "200")
        await wire.close()
        let (two, rest) = try await pair.talk(call)
        #expect(try await two.send(slow.bytes, from: 20_480, type: slow.type) == "200")
        #expect(try await Self.messages(pair).count == 2)
        for tunnel in [last, end, rest, tunnel] { await tunnel.close() }
        await pair.end()
    }

    @Test("of two files in one call the first is taken; the call as it is may be offered again, another is refused")
    func twoLines() async throws {
        let pair = try await Pair()
        let (sip, tunnel) = try await pair.connect()
        let (one, two) = (RawFile(bytes: 3000), RawFile(bytes: 4000, seed: 2))
        let offer = RawFile.head + one.medium(pair.foreign) + two.medium(pair.foreign, session: "other")
        let answer = try await pair.offer(sip, offer)
        #expect(answer.contains("a=file-transfer-id:\(one.transfer)") && !answer.contains(two.transfer))
        #expect(
            answer.components(separatedBy: "\r\n").filter { $0.hasPrefix("m=") }.last == "m=message 0 TCP/TLS/MSRP *"
        )
        try sip.send("INVITE", 2, after: answer, body: offer)
        let again = try await sip.answer(2)
        #expect(again.hasPrefix("SIP/2.0 200"))
        #expect(again.components(separatedBy: "\r\n\r\n").last == answer.components(separatedBy: "\r\n\r\n").last)
        try sip.acknowledge(again)
        try sip.send("INVITE", 3, after: answer, body: offer.replacing("o=- 7 1", with: "o=- 7 2"))
        #expect(try await sip.answer(3).hasPrefix("SIP/2.0 488"))
        let (talk, media) = try await pair.talk(answer)
        #expect(try await talk.send(one.bytes, type: one.type) == "200")
        #expect(try await Self.messages(pair).count == 1)
        await media.close()
        await tunnel.close()
        await pair.end()
    }
}
