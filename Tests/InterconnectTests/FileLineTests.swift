import ClientWire
import Foundation
import MessagingCore
import MessagingService
import SessionCore
import Store
import Testing

/// Files that are sent in lines of a conversation of their own.
@Suite("Files beside the texts of a conversation, with SIP and MSRP spoken word by word", .timeLimit(.minutes(4)))
struct FileLineTests {
    typealias Pair = RawPeerTests.Pair
    static let bob = RawPeerTests.bob

    static func lines(_ answer: String) -> [String] {
        answer.components(separatedBy: "\r\n").filter { $0.hasPrefix("m=") }
    }

    static let refused = "m=message 0 TCP/TLS/MSRP *"

    @Test(
        "a file is said in the conversation; the texts' path stays as it is, and the line is taken out when it is over"
    )
    func said() async throws {
        let pair = try await Pair()
        let (id, sip, invite, talk) = try await pair.open()
        try await pair.a.say("before", pair.alice, id)
        #expect(try await talk.message().hasSuffix("\r\nbefore"))
        let file = RawFile(bytes: 60_000)
        try sip.send("INVITE", 1, within: invite, body: sip.description(2) + file.medium(pair.foreign))
        let answer = try await sip.answer(1)
        try sip.acknowledge(answer)
        #expect(answer.hasPrefix("SIP/2.0 200"))
        #expect(Self.lines(answer).count == 2 && !Self.lines(answer).contains(Self.refused))
        #expect(answer.contains("a=file-selector:\(file.selector)\r\n") && answer.contains("a=recvonly\r\n"))
        let (push, media) = try await pair.talk(answer)
        #expect(try await push.send(file.bytes, until: 20_480, type: file.type) == "200")
        // Texts flow meanwhile, where they did.
        let hello = cpim("meanwhile", from: Self.bob.description, to: pair.alice.address.description, id: "meanwhile")
        #expect(try await talk.send(hello, id: "send0001") == "200")
        #expect(try await push.send(file.bytes, from: 20_480, type: file.type) == "200")
        let parts = try await eventually("it is said") {
            let texts = try await pair.a.service.texts(pair.alice.who, id, after: 0, limit: 20).texts
            return texts.count == 3 ? texts.last?.message?.parts : nil
        }
        #expect(parts.first?.name == file.name && parts.first?.type == file.type)
        #expect(try await pair.a.bytes(try #require(parts.first)) == file.bytes)
        // Offered again as it is, it is answered so; in an offer of ours it is over.
        try sip.send("INVITE", 2, within: invite, body: sip.description(3) + file.medium(pair.foreign))
        let again = try await sip.answer(2)
        #expect(Self.lines(again) == Self.lines(answer))
        try sip.acknowledge(again)
        try sip.send("INVITE", 3, within: invite)
        let ours = try await sip.answer(3)
        #expect(Self.lines(ours).count == 2 && Self.lines(ours).last == Self.refused)
        try sip.acknowledge(ours, body: sip.description(4) + Self.refused + "\r\n")
        try await pair.a.say("after", pair.alice, id)
        _ = try await eventually("our text is there") { try await talk.message().hasSuffix("\r\nafter") ? true : nil }
        #expect(try await pair.a.waitingUploads(pair.alice) == 0)
        await media.close()
        await pair.end()
    }

    @Test("a line that cannot be taken is refused in its place, and the rest of the conversation is untouched")
    func refusedLines() async throws {
        let pair = try await Pair()
        let (id, sip, invite, talk) = try await pair.open()
        var pull = RawFile(bytes: 1000)
        pull.direction = "recvonly"
        var clear = RawFile(bytes: 1000)
        clear.proto = "TCP/MSRP"
        var nameless = RawFile(bytes: 1000)
        nameless.transfer = ""
        let files = [pull, clear, nameless].map { $0.medium(pair.foreign) }.joined()
        try sip.send("INVITE", 1, within: invite, body: sip.description(2) + files)
        let answer = try await sip.answer(1)
        #expect(answer.hasPrefix("SIP/2.0 200"))
        #expect(Self.lines(answer).dropFirst() == [Self.refused, "m=message 0 TCP/MSRP *", Self.refused])
        #expect(Self.lines(answer).first?.hasPrefix("m=message 0 ") == false)
        try sip.acknowledge(answer)
        try await pair.a.say("still here", pair.alice, id)
        #expect(try await talk.message().hasSuffix("\r\nstill here"))
        // Six at once are more than there is room for; what is taken out again leaves nothing behind.
        let six = (1...6).map { RawFile(bytes: 1000, seed: UInt8($0)) }
        let many = six.map { $0.medium(pair.foreign, session: "file\($0.transfer)") }.joined()
        let gone = [Self.refused, "m=message 0 TCP/MSRP *", Self.refused].joined(separator: "\r\n") + "\r\n"
        try sip.send("INVITE", 2, within: invite, body: sip.description(3) + gone + many)
        let taken = Self.lines(try await sip.answer(2)).dropFirst(4)
        #expect(taken.count == 6 && taken.filter { $0 == Self.refused }.count == 2)
        try await pair.a.say("and on", pair.alice, id)
        #expect(try await talk.message().hasSuffix("\r\nand on"))
        try sip.send("BYE", 3, within: invite)
        #expect(try await sip.answer(3).hasPrefix("SIP/2.0 200"))
        #expect(try await pair.a.session(pair.alice, id, "over") { $0.state == .over }.end == .left)
        await pair.end()
    }

    @Test("a conversation that is asked for with a file first has its texts where they belong")
    func first() async throws {
        let pair = try await Pair()
        let (sip, tunnel) = try await pair.connect()
        let id = SessionID(stored: "theirs-\(pair.a.newID())")
        let file = RawFile(bytes: 5000)
        let texts = try #require(sip.description(1, setup: "actpass").components(separatedBy: "t=0 0\r\n").last)
        let body = RawFile.head + file.medium(pair.foreign) + texts
        try sip.send(
            "INVITE",
            from: Self.bob.description,
            to: pair.alice.address.description,
            call: "first",
            ["P-Asserted-Identity: <\(Self.bob)>", "Contribution-ID: \(id)"],
            body: body
        )
        _ = try await pair.a.session(pair.alice, id, "ringing") { $0.state == .alerting }
        _ = try await pair.a.service.accept(pair.alice.who, id, AcceptRequest())
        let answer = try await sip.answer(1)
        try sip.acknowledge(answer)
        #expect(answer.hasPrefix("SIP/2.0 200"))
        #expect(Self.lines(answer).count == 2)
        let talk = try await pair.foreign.accept()
        _ = try await pair.a.session(pair.alice, id, "open") { $0.state == .open }
        try await pair.a.say("hello", pair.alice, id)
        #expect(try await talk.message().hasSuffix("\r\nhello"))
        await tunnel.close()
        await pair.end()
    }
}
