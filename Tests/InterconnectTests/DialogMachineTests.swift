import MSRP
import MessageSignalling
import MessagingCore
import MessagingService
import NIOCore
import SDP
import SIP
import SessionCore
import Synchronization
import Testing

@testable import Interconnect

@Suite("What another server says was wrong")
struct ProblemTests {
    @Test(
        "a code is a few letters: whatever else stands there is not taken",
        arguments: ["not-found", "x\"}]},{", "", "A B"]
    )
    func reasons(word: String) throws {
        let header = word.isEmpty ? "" : "Continuo-Reason: \(word)\r\n"
        let text =
            "SIP/2.0 403 Forbidden\r\nVia: SIP/2.0/TCP a.example;branch=z9hG4bK1\r\n\(header)Content-Length: 0\r\n\r\n"
        let response = try SIPMessage(parsing: ByteBuffer(string: text))
        let expected: Refusal.Code = word == "not-found" ? .notFound : .forbidden
        guard case .permanent(let code) = Problems.result(of: response) else {
            Issue.record("not permanent")
            return
        }
        #expect(code == expected)
    }
}

@Suite("A conversation in SIP and MSRP, as a machine")
struct DialogMachineTests {
    typealias Action = PeerDialog.Action
    typealias Phase = PeerDialog.Phase

    static let alice = Address(stored: "sip:alice@a.example")
    static let bob = Address(stored: "sip:bob@b.example")
    static let now = NIODeadline.uptimeNanoseconds(1_000_000_000)
    static let grace = now + PeerDialog.grace

    /// A machine that has taken some inputs.
    static func machine(_ role: PeerDialog.Role, _ inputs: [PeerDialog.Input] = []) -> PeerDialog {
        var machine = PeerDialog(role, of: alice, with: bob, name: "theirs")
        for input in inputs { _ = machine.take(input, now: now) }
        return machine
    }

    struct Row: Sendable, CustomTestStringConvertible {
        let name: String
        let role: PeerDialog.Role
        var before: [PeerDialog.Input] = []
        let input: PeerDialog.Input
        let actions: [Action]
        let phase: Phase

        var testDescription: String { name }
    }

    static let answered = PeerDialog.Input.line(.toOwner(.answered(.accepted)))
    static let rows: [Row] = [
        Row(
            name: "it rings over there",
            role: .host,
            input: .provisional,
            actions: [],
            phase: .calling(isWanted: true, isHeard: true)
        ),
        Row(
            name: "accepted over there",
            role: .host,
            input: .accepted,
            actions: [.say(.toOwner(.answered(.accepted))), .connect],
            phase: .open(.connecting(until: grace))
        ),
        Row(
            name: "accepted over there with an offer that holds nothing of what is wanted",
            role: .host,
            input: .offered([], wanted: [.audio]),
            actions: [.say(.toOwner(.answered(.accepted))), .media(.answer)],
            phase: .open(.connecting(until: grace))
        ),
        Row(
            name: "the same after it was taken back: the owner ends it",
            role: .host,
            before: [.line(.fromOwner(.cancelled))],
            input: .offered([], wanted: [.audio]),
            actions: [.say(.toOwner(.answered(.accepted)))],
            phase: .open(.connecting(until: grace))
        ),
        Row(
            name: "nothing of their offer is taken",
            role: .host,
            before: [.offered([], wanted: [.audio])],
            input: .fruitless,
            actions: [.hangUp(.notAcceptable), .say(.toOwner(.leave))],
            phase: .over
        ),
        Row(
            name: "taken back while it rings",
            role: .host,
            before: [.provisional],
            input: .line(.fromOwner(.cancelled)),
            actions: [.cancel],
            phase: .calling(isWanted: false, isHeard: true)
        ),
        Row(
            name: "taken back twice",
            role: .host,
            before: [.line(.fromOwner(.cancelled))],
            input: .line(.fromOwner(.cancelled)),
            actions: [],
            phase: .calling(isWanted: false, isHeard: false)
        ),
        Row(
            name: "taken back, and gone",
            role: .host,
            before: [.provisional, .line(.fromOwner(.cancelled))],
            input: .refused(487),
            actions: [.say(.toOwner(.answered(.cancelled)))],
            phase: .over
        ),
        Row(
            name: "taken back too late: no medium starts, and the owner says what next",
            role: .host,
            before: [.provisional, .line(.fromOwner(.cancelled))],
            input: .accepted,
            actions: [.say(.toOwner(.answered(.accepted)))],
            phase: .open(.connecting(until: grace))
        ),
        Row(
            name: "taken back too late, and ended",
            role: .host,
            before: [.provisional, .line(.fromOwner(.cancelled)), .accepted],
            input: .line(.fromOwner(.ended(.cancelled))),
            actions: [.hangUp(.takenBack)],
            phase: .over
        ),
        Row(
            name: "no answer at all: the request stays where it was",
            role: .host,
            input: .unanswered,
            actions: [],
            phase: .over
        ),
        Row(
            name: "it rang, and nobody answered",
            role: .host,
            before: [.provisional],
            input: .unanswered,
            actions: [.say(.toOwner(.answered(.missed)))],
            phase: .over
        ),
        Row(
            name: "their user accepts twice: nothing new",
            role: .host,
            before: [.accepted],
            input: .accepted,
            actions: [],
            phase: .open(.connecting(until: grace))
        ),
        Row(
            name: "our user accepts",
            role: .guest,
            input: answered,
            actions: [.say(.fromOwner(.admitted(first: 1, [alice, bob]))), .accept],
            phase: .open(.connecting(until: grace))
        ),
        Row(
            name: "our user says no",
            role: .guest,
            input: .line(.toOwner(.answered(.rejected))),
            actions: [.refuse(603)],
            phase: .over
        ),
        Row(
            name: "nobody here answers",
            role: .guest,
            input: .line(.toOwner(.answered(.missed))),
            actions: [.refuse(480)],
            phase: .over
        ),
        Row(
            name: "two requests crossed, and ours stays",
            role: .guest,
            input: .line(.toOwner(.answered(.cancelled))),
            actions: [.refuse(486)],
            phase: .over
        ),
        Row(
            name: "CANCEL comes: our side decides",
            role: .guest,
            input: .cancelled,
            actions: [.say(.fromOwner(.cancelled))],
            phase: .ringing(isWithdrawn: true)
        ),
        Row(
            name: "CANCEL came first",
            role: .guest,
            before: [.cancelled],
            input: .line(.toOwner(.answered(.cancelled))),
            actions: [.refuse(487)],
            phase: .over
        ),
        Row(
            name: "the acceptance came before CANCEL",
            role: .guest,
            before: [.cancelled],
            input: answered,
            actions: [.say(.fromOwner(.admitted(first: 1, [alice, bob]))), .accept],
            phase: .open(.connecting(until: grace))
        ),
        Row(
            name: "our user leaves",
            role: .guest,
            before: [answered, .connected],
            input: .line(.toOwner(.leave)),
            actions: [.hangUp(.left), .say(.fromOwner(.ended(.left)))],
            phase: .over
        ),
        Row(
            name: "their user leaves a conversation of ours",
            role: .host,
            before: [.accepted, .connected],
            input: .hungUp(isFailure: false),
            actions: [.say(.toOwner(.leave))],
            phase: .over
        ),
        Row(
            name: "their side breaks",
            role: .host,
            before: [.accepted, .connected],
            input: .hungUp(isFailure: true),
            actions: [.lose],
            phase: .over
        ),
        Row(
            name: "their user leaves a conversation of theirs",
            role: .guest,
            before: [answered],
            input: .hungUp(isFailure: false),
            actions: [.say(.fromOwner(.ended(.left)))],
            phase: .over
        ),
        Row(
            name: "the path works",
            role: .host,
            before: [.accepted],
            input: .connected,
            actions: [],
            phase: .open(.running)
        ),
        Row(
            name: "a path that we made breaks: another is offered at once",
            role: .host,
            before: [.accepted, .connected],
            input: .disconnected(connects: true),
            actions: [.offer],
            phase: .open(.lost(repair: nil, until: grace))
        ),
        Row(
            name: "a path that they made breaks: they are given time",
            role: .host,
            before: [.accepted, .connected],
            input: .disconnected(connects: false),
            actions: [],
            phase: .open(.lost(repair: now + PeerDialog.patience, until: grace))
        ),
        Row(
            name: "they come back by themselves",
            role: .host,
            before: [.accepted, .connected, .disconnected(connects: false)],
            input: .connected,
            actions: [],
            phase: .open(.running)
        ),
        Row(
            name: "both offer a new path: again a little later",
            role: .host,
            before: [.accepted, .connected, .disconnected(connects: true)],
            input: .offerRefused(491, delay: .milliseconds(700)),
            actions: [],
            phase: .open(.lost(repair: now + .milliseconds(700), until: grace))
        ),
        Row(
            name: "the other side does not know the dialog any more",
            role: .host,
            before: [.accepted, .connected, .disconnected(connects: true)],
            input: .offerRefused(481, delay: .zero),
            actions: [.hangUp(.lost), .lose],
            phase: .over
        ),
        Row(
            name: "our 2xx is never acknowledged",
            role: .guest,
            before: [answered],
            input: .vanished,
            actions: [.hangUp(.lost), .lose],
            phase: .over
        ),
        Row(
            name: "what crossed the end",
            role: .host,
            before: [.accepted, .hungUp(isFailure: false)],
            input: .line(.fromOwner(.ended(.left))),
            actions: [],
            phase: .over
        ),
    ]

    @Test("each input has its actions and its next state", arguments: rows)
    func table(row: Row) {
        var machine = Self.machine(row.role, row.before)
        #expect(machine.take(row.input, now: Self.now) == row.actions)
        #expect(machine.phase == row.phase)
    }

    @Test("no path for too long: it is over, and our side is told")
    func grace() {
        var machine = Self.machine(.host, [.accepted])
        #expect(machine.deadline == Self.grace)
        #expect(machine.take(.clock, now: Self.grace - .milliseconds(1)).isEmpty)
        #expect(machine.take(.clock, now: Self.grace) == [.hangUp(.lost), .lose])
        #expect(machine.phase == .over)
        #expect(machine.deadline == nil)
        // Trying again does not make the time longer.
        machine = Self.machine(.host, [.accepted, .connected, .disconnected(connects: true)])
        let later = Self.now + .seconds(5)
        #expect(machine.take(.offerRefused(503, delay: .seconds(5)), now: Self.now).isEmpty)
        #expect(machine.deadline == later)
        #expect(machine.take(.clock, now: later) == [.offer])
        #expect(machine.deadline == Self.grace)
    }

    @Test(
        "what a refusal means",
        arguments: [
            (403, .rejected), (404, .missed), (408, .missed), (415, .missed), (480, .missed), (486, .rejected),
            (487, .cancelled), (488, .missed), (503, .missed), (600, .rejected), (603, .rejected), (604, .missed),
        ] as [(UInt16, InvitationAnswer)]
    )
    func refusals(status: UInt16, answer: InvitationAnswer) {
        var machine = Self.machine(.host, [.provisional])
        let status = SIPStatus(rawValue: status) ?? 500
        #expect(machine.take(.refused(status), now: Self.now) == [.say(.toOwner(.answered(answer)))])
        #expect(machine.phase == .over)
        // Behind our CANCEL they all mean the same.
        machine = Self.machine(.host, [.provisional, .line(.fromOwner(.cancelled))])
        #expect(machine.take(.refused(status), now: Self.now) == [.say(.toOwner(.answered(.cancelled)))])
    }
}

extension PeerDialog {
    /// Where nothing depends on what others are told of the time.
    mutating func take(_ input: Input, now: NIODeadline) -> [Action] {
        take(input, now: now, clock: Timestamp(rawValue: 0))
    }
}

extension DialogDescription {
    /// Takes an offer and answers it at once.
    mutating func invited(_ offer: [UInt8]) throws -> (answer: [UInt8], isMoved: Bool) {
        _ = try open(offer)
        return try answer()
    }
}

@Suite("Descriptions of a conversation")
struct DialogDescriptionTests {
    static let fingerprint = "a=fingerprint:sha-256 " + Array(repeating: "AB", count: 32).joined(separator: ":")

    /// One end, whose sessions are numbered.
    static func end(_ host: String) -> DialogDescription {
        let counter = Counter()
        let make: @Sendable (MSRPURI, SetupRole) -> MediaAcceptance = { uri, setup in
            let own = MSRPAttributes(
                path: [uri.text],
                acceptTypes: ["message/cpim"],
                acceptWrappedTypes: ["*"],
                setup: setup
            )
            return MediaAcceptance(
                port: 2855,
                connection: Connection(addressType: "IP4", address: host),
                attributes: own.attributes
                    + [Attribute("fingerprint", String(fingerprint.dropFirst("a=fingerprint:".count)))]
            )
        }
        return DialogDescription(
            DialogDescription.Ends {
                let uri = try MSRPURI(secure: true, host: host, port: 2855, sessionID: "s\(counter.next())")
                return (uri, make(uri, $0))
            } again: {
                make($0, $1)
            },
            origin: Origin(sessionID: "1", sessionVersion: "1", addressType: "IP4", address: host)
        )
    }

    private static func agreed() throws -> (DialogDescription, DialogDescription) {
        var (ours, theirs) = (end("192.0.2.1"), end("192.0.2.2"))
        let offer = try #require(try ours.invite(.activePassive, keeping: false))
        let (answer, isMoved) = try theirs.invited(offer)
        #expect(isMoved)
        #expect(try ours.accepted(answer))
        return (ours, theirs)
    }

    @Test("whoever is offered both roles connects, and each knows the other's path")
    func roles() throws {
        let (ours, theirs) = try Self.agreed()
        #expect(ours.path?.other.connects == false)
        #expect(theirs.path?.other.connects == true)
        #expect(ours.path?.other.path == [try #require(theirs.path?.local)])
        #expect(theirs.path?.other.path == [try #require(ours.path?.local)])
    }

    @Test("a refresh leaves the path as it is, a repair makes another")
    func refreshAndRepair() throws {
        var (ours, theirs) = try Self.agreed()
        let before = ours.path
        let refresh = try #require(try ours.invite(.active, keeping: true))
        let (answer, isMoved) = try theirs.invited(refresh)
        #expect(!isMoved)
        #expect(try !ours.accepted(answer))
        #expect(ours.path == before)
        let repair = try #require(try ours.invite(.active, keeping: false))
        let second = try theirs.invited(repair)
        #expect(second.isMoved)
        #expect(try ours.accepted(second.answer))
        #expect(ours.path?.local != before?.local)
        #expect(ours.path?.other.connects == true)
        #expect(theirs.path?.other.connects == false)
    }

    @Test("offers that meet: each refuses the other's, and what was agreed holds")
    func glare() throws {
        var (ours, theirs) = try Self.agreed()
        let before = ours.path
        let first = try #require(try ours.invite(.active, keeping: false))
        let second = try #require(try theirs.invite(.active, keeping: false))
        #expect(throws: DialogDescription.Problem.pending) { try ours.invited(second) }
        #expect(throws: DialogDescription.Problem.pending) { try theirs.invited(first) }
        #expect(try ours.invite(.active, keeping: false) == nil)
        ours.refused()
        theirs.refused()
        #expect(ours.path == before)
        #expect(try ours.invite(.active, keeping: false) != nil)
    }

    @Test("lines that are not understood are refused in their place, and never dropped")
    func otherMedia() throws {
        var (ours, theirs) = try Self.agreed()
        let offer = try #require(try ours.invite(.active, keeping: true))
        ours.refused()
        let text = String(decoding: offer, as: UTF8.self)
        let audio = "m=audio 4000 RTP/AVP 0\r\nc=IN IP4 192.0.2.9\r\n"
        let (answer, _) = try theirs.invited(Array((text + audio).utf8))
        let media = try SessionDescription(parsing: answer).media
        #expect(media.map(\.type) == ["message", "audio"])
        #expect(media.map(\.isRejected) == [false, true])
    }

    @Test("held by the other side: nothing is sent there until it is resumed")
    func hold() throws {
        var (ours, theirs) = try Self.agreed()
        let before = theirs.path
        let offer = try #require(try ours.invite(.active, keeping: true))
        ours.refused()
        let text = String(decoding: offer, as: UTF8.self)
        let held = try theirs.invited(Array(text.replacing("a=sendrecv", with: "a=sendonly").utf8))
        #expect(try SessionDescription(parsing: held.answer).media.first?.statedDirection == .receiveOnly)
        #expect(theirs.isHeld)
        #expect(!held.isMoved)
        _ = try theirs.invited(offer)
        #expect(!theirs.isHeld)
        #expect(theirs.path == before)
    }

    @Test(
        "what no text can flow on is not acceptable",
        arguments: [
            "", "no description", "v=0\r\no=- 1 1 IN IP4 192.0.2.2\r\ns=-\r\nt=0 0\r\n",
            description("m=message 0 TCP/TLS/MSRP *", fingerprint),
            description("m=message 9 TCP/MSRP *", fingerprint),
            description("m=message 9 TCP/TLS/MSRP *", fingerprint, types: "text/plain"),
            description("m=message 9 TCP/TLS/MSRP *", fingerprint, path: "msrp://192.0.2.2:9/x;tcp"),
            description("m=message 9 TCP/TLS/MSRP *", "a=setup:passive"),
            description("m=message 9 TCP/TLS/MSRP *", fingerprint + "\r\na=setup:holdconn"),
        ]
    )
    func unacceptable(offer: String) {
        #expect(!DialogDescription.isAcceptable(Array(offer.utf8)))
        var ours = Self.end("192.0.2.1")
        #expect(throws: DialogDescription.Problem.notAcceptable) { try ours.invited(Array(offer.utf8)) }
        // It leaves nothing behind.
        #expect(throws: Never.self) {
            try ours.invited(Array(Self.description("m=message 9 TCP/TLS/MSRP *", Self.fingerprint).utf8))
        }
    }

    @Test("whoever does not say who it is can connect, but is not connected to")
    func withoutFingerprint() throws {
        var ours = Self.end("192.0.2.1")
        let offer = Self.description("m=message 9 TCP/TLS/MSRP *", "a=setup:actpass")
        let (answer, _) = try ours.invited(Array(offer.utf8))
        #expect(try SessionDescription(parsing: answer).media.first?.setup == .passive)
    }

    private static func description(
        _ medium: String,
        _ attribute: String,
        types: String = "message/cpim",
        path: String = "msrps://192.0.2.2:9/x;tcp"
    ) -> String {
        """
        v=0\r\no=- 1 1 IN IP4 192.0.2.2\r\ns=-\r\nc=IN IP4 192.0.2.2\r\nt=0 0\r\n\(medium)\r\n\
        a=accept-types:\(types)\r\na=accept-wrapped-types:*\r\na=path:\(path)\r\n\(attribute)\r\n
        """
    }
}

private final class Counter: Sendable {
    private let value = Mutex(0)

    func next() -> Int {
        value.withLock { value in
            value += 1
            return value
        }
    }
}
