import ClientWire
import Foundation
import Interconnect
import MessagingCore
import MessagingService
import SessionCore
import Testing

/// Conversations with a provider of foreign make.
@Suite("Live conversations with SIPp and raw MSRP", .enabled(if: SIPpRun.path != nil), .timeLimit(.minutes(4)))
struct ForeignTests {
    static let bob = Address(stored: "sip:bob@b.example")

    /// A provider of ours beside one of foreign make.
    static func pair() async throws -> (Provider, Foreign) {
        let foreign = try await Foreign()
        let a = try await Provider("a.example", peers: [stranger("b.example", foreign.door.port)])
        return (a, foreign)
    }

    @Test("we call: headers and description are as the standard has them, texts and reports go both ways, we hang up")
    func outgoing() async throws {
        let (a, foreign) = try await Self.pair()
        let alice = try await a.person("alice")
        let run = try await foreign.answer("answer")
        let id = try await a.ask(alice, Self.bob, text: "Are you hungry?", subject: "Lunch?")
        let talk = try await foreign.accept()
        let first = try await talk.message()
        #expect(first.contains("From: <sip:alice@a.example>\r\n"))
        #expect(first.contains("To: <sip:bob@b.example>\r\n"))
        #expect(first.contains("imdn.Message-ID: \(id)-text\r\n"))
        #expect(first.hasSuffix("\r\nAre you hungry?"))
        _ = try await a.session(alice, id, "open") { $0.state == .open }
        try await a.becomes(MessageID(stored: "\(id)-text"), alice, ["pending"])

        // Both ways, with what RCS clients put into From and To, and the same message twice.
        let anonymous = "sip:anonymous@anonymous.invalid"
        let yes = cpim("Yes!", from: anonymous, to: anonymous, id: "bobs-first-one")
        #expect(try await talk.send(yes, id: "send0001") == "200")
        #expect(try await talk.send(yes, id: "send0002") == "200")
        _ = try await eventually("it is said once") {
            try await a.said(alice, id) == ["Are you hungry?", "Yes!"] ? true : nil
        }
        // The report that it arrived comes in the same session, and ours on the first text goes back.
        let report = try await talk.message()
        #expect(report.contains("<message-id>bobs-first-one</message-id>"))
        #expect(report.contains("<delivered/>"))
        #expect(try await talk.send(Self.report(on: "\(id)-text"), id: "send0003") == "200")
        try await a.becomes(MessageID(stored: "\(id)-text"), alice, ["displayed"])
        let status =
            "<?xml version=\"1.0\"?><isComposing xmlns=\"urn:ietf:params:xml:ns:im-iscomposing\"><state>active</state>"
            + "</isComposing>"
        #expect(try await talk.send(status, type: "application/im-iscomposing+xml", id: "send0004") == "200")

        // What is no message of theirs changes nothing.
        let forged = cpim("I am Carol", from: "sip:carol@b.example", to: anonymous, id: "forged")
        #expect(try await talk.send(forged, id: "send0005") == "403")
        #expect(try await talk.send("garbage", id: "send0006") == "400")
        #expect(try await talk.send("text", type: "text/plain", id: "send0007") == "415")
        #expect(try await a.said(alice, id) == ["Are you hungry?", "Yes!"])

        for index in 0..<10 { try await a.say("\(index)", alice, id) }
        for index in 0..<10 { #expect(try await talk.message().hasSuffix("\r\n\(index)")) }
        _ = try await a.service.leave(alice.who, id)
        try await run.passes()
        #expect(try await a.session(alice, id, "over") { $0.state == .over }.end == .left)
        try await Self.check(foreign)
        await a.stop()
        await foreign.close()
    }

    private static func report(on id: String) -> String {
        cpim(
            "<?xml version=\"1.0\"?><imdn xmlns=\"urn:ietf:params:xml:ns:imdn\"><message-id>\(id)</message-id>"
                + "<datetime>2026-11-24T04:26:02.205Z</datetime><display-notification><status><displayed/></status>"
                + "</display-notification></imdn>",
            from: "sip:bob@b.example",
            to: "sip:alice@a.example",
            id: "report1",
            type: "message/imdn+xml"
        )
    }

    @Test("they hang up: our user's part ends, and what is said then has no place in it")
    func theyHangUp() async throws {
        let (a, foreign) = try await Self.pair()
        let alice = try await a.person("alice")
        let run = try await foreign.answer("hang-up")
        let id = try await a.ask(alice, Self.bob)
        let talk = try await foreign.accept()
        _ = try await a.session(alice, id, "open") { $0.state == .open }
        #expect(
            try await talk.send(
                cpim("bye", from: Self.bob.description, to: alice.address.description, id: "b"),
                id: "send"
            ) == "200"
        )
        try await run.passes()
        #expect(try await a.session(alice, id, "over") { $0.state == .over }.end == .left)
        #expect(try await a.said(alice, id) == ["bye"])
        await #expect(throws: Refusal.self) { try await a.say("too late", alice, id) }
        await a.stop()
        await foreign.close()
    }

    @Test(
        "nobody takes it: busy, declined, not there",
        arguments: [("busy", SessionEnd.rejected), ("decline", .rejected), ("unavailable", .missed)]
    )
    func refused(scenario: String, end: SessionEnd) async throws {
        let (a, foreign) = try await Self.pair()
        let alice = try await a.person("alice")
        let run = try await foreign.answer(scenario)
        let id = try await a.ask(alice, Self.bob)
        #expect(try await a.session(alice, id, "over") { $0.state == .over }.end == end)
        try await run.passes()
        await a.stop()
        await foreign.close()
    }

    @Test(
        "we take it back: CANCEL, but not before anything was heard; a 200 that comes all the same is ended",
        arguments: ["cancelled", "silent", "late"]
    )
    func cancelled(scenario: String) async throws {
        let (a, foreign) = try await Self.pair()
        let alice = try await a.person("alice")
        let run = try await foreign.answer(scenario)
        let id = try await a.ask(alice, Self.bob)
        // Time for the INVITE to be there: what is taken back before it is sent would never be seen.
        _ = try await eventually("the INVITE is there") { foreign.door.capture.file.count > 0 ? true : nil }
        _ = try await a.service.leave(alice.who, id)
        #expect(try await a.session(alice, id, "over") { $0.state == .over }.end == .cancelled)
        try await run.passes()
        await a.stop()
        await foreign.close()
    }

    @Test("they call: alerted, accepted, held and resumed, other media refused in their place, and hung up")
    func incoming() async throws {
        let (a, foreign) = try await Self.pair()
        let alice = try await a.person("alice")
        let tunnel = try await Tunnel.outward(
            try await Authority.shared.certificate("b.example"),
            to: a.port,
            name: "a.example"
        )
        let id = SessionID(stored: "theirs-\(a.newID())")
        let run = try foreign.call("call", through: tunnel, contribution: id.description)
        let ringing = try await a.session(alice, id, "ringing") { $0.state == .alerting }
        #expect(ringing.subject == "Dinner?")
        _ = try await a.service.accept(alice.who, id, AcceptRequest())
        let talk = try await foreign.accept()
        _ = try await a.session(alice, id, "open") { $0.state == .open }
        let hello = cpim("hello", from: Self.bob.description, to: alice.address.description, id: "hello")
        #expect(try await talk.send(hello, id: "send0001") == "200")
        try await a.say("hi", alice, id)
        // The report on theirs may come before it.
        _ = try await eventually("our text is there") { try await talk.message().hasSuffix("\r\nhi") ? true : nil }
        _ = try await eventually("both have their places") {
            try await a.said(alice, id) == ["hello", "hi"] ? true : nil
        }
        try await run.passes()
        #expect(try await a.session(alice, id, "over") { $0.state == .over }.end == .left)
        try await Self.check(tunnel)
        await tunnel.close()
        await a.stop()
        await foreign.close()
    }

    @Test("they take it back: no device rings any more")
    func incomingCancelled() async throws {
        let (a, foreign) = try await Self.pair()
        let alice = try await a.person("alice")
        let tunnel = try await Tunnel.outward(
            try await Authority.shared.certificate("b.example"),
            to: a.port,
            name: "a.example"
        )
        let id = SessionID(stored: "theirs-\(a.newID())")
        let run = try foreign.call("call-cancel", through: tunnel, contribution: id.description)
        _ = try await a.session(alice, id, "ringing") { $0.state == .alerting }
        try await run.passes()
        #expect(try await a.session(alice, id, "over") { $0.state == .over }.end == .cancelled)
        await tunnel.close()
        await a.stop()
        await foreign.close()
    }

    @Test("our user declines; what no text can flow on is refused")
    func incomingRefused() async throws {
        let (a, foreign) = try await Self.pair()
        let alice = try await a.person("alice")
        let tunnel = try await Tunnel.outward(
            try await Authority.shared.certificate("b.example"),
            to: a.port,
            name: "a.example"
        )
        let id = SessionID(stored: "theirs-\(a.newID())")
        let declined = try foreign.call("call-declined", through: tunnel, contribution: id.description)
        _ = try await a.session(alice, id, "ringing") { $0.state == .alerting }
        _ = try await a.service.reject(alice.who, id)
        try await declined.passes()
        let refused = try foreign.call("call-refused", through: tunnel, contribution: "another")
        try await refused.passes()
        await tunnel.close()
        await a.stop()
        await foreign.close()
    }

    /// tshark reads all of a conversation without a fault.
    private static func check(_ foreign: Foreign) async throws {
        try await check(foreign.door)
        try await check(foreign.media, "msrp", 2855)
    }

    private static func check(_ tunnel: Tunnel, _ name: String = "sip", _ port: Int = 5060) async throws {
        guard Tshark.isInstalled else { return }
        let (bytes, count) = tunnel.capture.file
        let file = FileManager.default.temporaryDirectory.appendingPathComponent("peer-\(UUID()).pcap")
        defer { try? FileManager.default.removeItem(at: file) }
        try Data(bytes).write(to: file)
        #expect(count > 4)
        #expect(try await Tshark.count(file, name, name, port) == count, "every segment is \(name)")
        #expect(try await Tshark.count(file, "_ws.malformed || _ws.expert.severity >= 0x600000", name, port) == 0)
    }
}

/// The outside program.
enum Tshark {
    private static let program = "/usr/bin/tshark"
    static let isInstalled = FileManager.default.isExecutableFile(atPath: Tshark.program)

    /// How many frames of a capture pass a filter.
    static func count(_ file: URL, _ filter: String, _ name: String, _ port: Int) async throws -> Int {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: program)
        process.arguments = [
            "-r", file.path, "-d", "tcp.port==\(port),\(name)", "-Y", filter, "-T", "fields", "-e", "frame.number",
        ]
        let output = FileManager.default.temporaryDirectory.appendingPathComponent("tshark-\(UUID()).out")
        _ = FileManager.default.createFile(atPath: output.path, contents: nil)
        defer { try? FileManager.default.removeItem(at: output) }
        process.standardOutput = try FileHandle(forWritingTo: output)
        process.standardError = FileHandle.nullDevice
        process.standardInput = FileHandle.nullDevice
        let status = try await withCheckedThrowingContinuation { (done: CheckedContinuation<Int32, any Error>) in
            process.terminationHandler = { done.resume(returning: $0.terminationStatus) }
            do { try process.run() } catch { done.resume(throwing: error) }
        }
        #expect(status == 0)
        return try String(contentsOf: output, encoding: .utf8).split(separator: "\n").count
    }
}
