import ClientWire
import Foundation
import MessagingCore
import MessagingService
import NIOCore
import SIP
import SIPTransport
import SessionCore
import Synchronization
import Testing
import XMLBodies

@testable import Interconnect

/// What a user of another provider hears of a conversation of several, where our server is the focus.
@Suite("Conversations of several and who is in them", .timeLimit(.minutes(4)))
struct ConferenceTests {
    static let bob = RawPeerTests.bob
    static let event = ["Event: conference", "Accept: application/conference-info+xml"]

    /// Alice's conversation with Anna, who is of the same provider, and Bob; all are in.
    struct Three {
        var pair: RawPeerTests.Pair
        let anna: Person
        let id: SessionID
        let sip: RawSIP
        let invite: String

        init() async throws {
            pair = try await RawPeerTests.Pair()
            anna = try await pair.a.person("anna")
            id = SessionID(stored: pair.a.newID().description)
            let request = SessionRequest(id: id, to: [anna.address, bob])
            _ = try await pair.a.service.request(pair.alice.who, request)
            sip = try await pair.accept()
            invite = try await sip.request("INVITE")
            try sip.respond(invite, "200 OK", body: sip.description(1))
            _ = try await sip.request("ACK")
            _ = try await pair.foreign.accept()
            _ = try await pair.a.session(anna, id, "ringing") { $0.state == .alerting }
            _ = try await pair.a.service.accept(anna.who, id, AcceptRequest())
            _ = try await pair.a.session(pair.alice, id, "all are in") { $0.participants.count == 3 }
        }

        var conference: String { String(invite.header("Contact")?.split(separator: ">").first?.dropFirst() ?? "") }

        func subscribe(_ call: String, from: String = bob.description, _ headers: [String] = event) throws {
            try sip.send("SUBSCRIBE", from: from, to: conference, call: call, headers)
        }

        /// The next NOTIFY; it is answered.
        func notified() async throws -> (message: String, info: ConferenceInfo?) {
            let message = try await sip.request("NOTIFY")
            try sip.respond(message, "200 OK")
            let body = try #require(message.range(of: "\r\n\r\n")).upperBound
            let bytes = Array(message[body...].utf8)
            return (message, bytes.isEmpty ? nil : try ConferenceInfo(parsing: bytes))
        }

        /// The first NOTIFY in which so many are in it.
        func notified(of count: Int) async throws -> (message: String, info: ConferenceInfo) {
            while true {
                let (message, info) = try await notified()
                if let info, info.users?.users.count == count { return (message, info) }
            }
        }
    }

    @Test("the focus says so, tells who is in it and with what, tells again when somebody leaves, and that it is over")
    func story() async throws {
        let three = try await Three()
        #expect(three.invite.header("Contact")?.contains(";isfocus") == true)
        #expect(three.conference.hasPrefix("sip:\(three.id)@a.example:"))
        try three.subscribe("watch", Self.event + ["Expires: 600"])
        let answer = try await three.sip.answer(1, "SUBSCRIBE")
        #expect(answer.hasPrefix("SIP/2.0 200") && answer.header("Expires") == "600")
        let (first, info) = try await three.notified(of: 3)
        #expect(first.header("Event") == "conference")
        #expect(first.header("Subscription-State")?.hasPrefix("active;expires=") == true)
        #expect(first.header("Call-ID") == "watch")
        #expect(info.entity == three.conference && info.state == .full)
        #expect(info.status?.userCount == 3)
        let all = ["sip:alice@a.example", "sip:anna@a.example", "sip:bob@b.example"]
        #expect(info.users?.users.map(\.entity) == all)
        // One place for each, whichever and however many devices there are.
        for user in info.users?.users ?? [] {
            #expect(user.endpoints.map(\.entity) == [user.entity])
            #expect(user.endpoints.first?.media.map(\.type) == ["message"])
        }

        _ = try await three.pair.a.service.leave(three.anna.who, three.id)
        let (_, later) = try await three.notified(of: 2)
        #expect(later.users?.users.map(\.entity) == [all[0], all[2]])
        #expect(try #require(later.version) > (try #require(info.version)))

        // Refreshed: the full state at once.
        try three.sip.send("SUBSCRIBE", 2, after: answer, Self.event + ["Expires: 300"])
        #expect(try await three.sip.answer(2, "SUBSCRIBE").header("Expires") == "300")
        let (_, again) = try await three.notified(of: 2)
        #expect(try #require(again.version) > (try #require(later.version)))

        // The conversation ends.
        _ = try await three.pair.a.service.leave(three.pair.alice.who, three.id)
        let (last, nothing) = try await three.notified()
        #expect(last.header("Subscription-State") == "terminated;reason=noresource")
        #expect(nothing == nil)
        let bye = try await three.sip.request("BYE")
        #expect(bye.header("Reason")?.hasPrefix("Q.850;cause=16") == true)
        await three.pair.end()
    }

    @Test("within the call's own dialog, and unsubscribed; it ends with the call of whoever leaves")
    func within() async throws {
        let three = try await Three()
        try three.sip.send("SUBSCRIBE", 1, within: three.invite, Self.event)
        #expect(try await three.sip.answer(1, "SUBSCRIBE").hasPrefix("SIP/2.0 200"))
        let (first, _) = try await three.notified(of: 3)
        #expect(first.header("Call-ID") == three.invite.header("Call-ID"))
        try three.sip.send("SUBSCRIBE", 2, within: three.invite, Self.event + ["Expires: 0"])
        #expect(try await three.sip.answer(2, "SUBSCRIBE").header("Expires") == "0")
        #expect(try await three.notified().message.header("Subscription-State") == "terminated;reason=timeout")
        // And once more, for the end.
        try three.sip.send("SUBSCRIBE", 3, within: three.invite, Self.event)
        _ = try await three.notified(of: 3)
        try three.sip.send("BYE", 4, within: three.invite)
        let last = try await three.sip.request("NOTIFY")
        #expect(last.header("Subscription-State") == "terminated;reason=noresource")
        _ = try await three.pair.a.session(three.pair.alice, three.id, "two are left") { $0.participants.count == 2 }
        await three.pair.end()
    }

    @Test("who is not in it learns nothing; other packages, short times and too many subscriptions are refused")
    func refused() async throws {
        let three = try await Three()
        try three.subscribe("stranger", from: "sip:carol@b.example")
        #expect(try await three.sip.answer(1).hasPrefix("SIP/2.0 404"))
        try three.subscribe("spoofed", from: "sip:alice@a.example")
        #expect(try await three.sip.answer(1).hasPrefix("SIP/2.0 403"))
        try three.subscribe("presence", ["Event: presence"])
        let other = try await three.sip.answer(1)
        #expect(other.hasPrefix("SIP/2.0 489") && other.header("Allow-Events") == "conference")
        try three.subscribe("none", [])
        #expect(try await three.sip.answer(1).hasPrefix("SIP/2.0 489"))
        try three.subscribe("type", ["Event: conference", "Accept: text/plain"])
        #expect(try await three.sip.answer(1).hasPrefix("SIP/2.0 406"))
        try three.subscribe("short", Self.event + ["Expires: 5"])
        let short = try await three.sip.answer(1)
        #expect(short.hasPrefix("SIP/2.0 423") && short.header("Min-Expires") == "60")
        try three.sip.send("SUBSCRIBE", 7, within: three.invite.replacing("Call-ID: ", with: "Call-ID: x"), Self.event)
        #expect(try await three.sip.answer(7).hasPrefix("SIP/2.0 481"))
        for index in 0..<InterconnectLimits.watches {
            try three.subscribe("watch\(index)")
            #expect(try await three.sip.answer(1, "SUBSCRIBE").hasPrefix("SIP/2.0 200"))
            _ = try await three.notified(of: 3)
        }
        try three.subscribe("more")
        #expect(try await three.sip.answer(1, "SUBSCRIBE").hasPrefix("SIP/2.0 403"))
        await three.pair.end()
    }

    @Test("a conversation of two has no focus; with a third one it has, and its server says so")
    func third() async throws {
        let pair = try await RawPeerTests.Pair()
        let (id, sip, invite, _) = try await pair.open()
        #expect(invite.header("Contact")?.contains("isfocus") == false)
        try sip.send("SUBSCRIBE", 1, within: invite, Self.event)
        #expect(try await sip.answer(1).hasPrefix("SIP/2.0 481"))
        let anna = try await pair.a.person("anna")
        _ = try await pair.a.service.invite(pair.alice.who, id, anna.address)
        _ = try await pair.a.session(anna, id, "ringing") { $0.state == .alerting }
        _ = try await pair.a.service.accept(anna.who, id, AcceptRequest())
        let again = try await sip.request("INVITE")
        #expect(again.header("Contact")?.contains(";isfocus") == true)
        try sip.respond(again, "200 OK", body: sip.description(1))
        _ = try await sip.request("ACK")
        let contact = try #require(again.header("Contact"))
        let named = invite.replacing(try #require(invite.header("Contact")), with: contact)
        try sip.send("SUBSCRIBE", 2, within: named, Self.event)
        #expect(try await sip.answer(2, "SUBSCRIBE").hasPrefix("SIP/2.0 200"))
        #expect(try await sip.request("NOTIFY").contains("sip:anna@a.example"))
        await pair.end()
    }

    @Test("after a restart it is the focus still; the subscription is not known any more, and a new one begins")
    func restart() async throws {
        var three = try await Three()
        try three.subscribe("watch")
        let answer = try await three.sip.answer(1, "SUBSCRIBE")
        _ = try await three.notified(of: 3)
        let folder = await three.pair.a.stop()
        let last = try await three.sip.request("NOTIFY")
        #expect(last.header("Subscription-State") == "terminated;reason=deactivated")
        let peer = RawPeerTests.Pair.peer(three.pair.foreign, false)
        three.pair.a = try await Provider("a.example", peers: [peer], folder: folder)
        let sip = try await three.pair.accept()
        let again = try await sip.request("INVITE")
        #expect(again.header("Contact")?.contains(";isfocus") == true)
        try sip.respond(again, "200 OK", body: sip.description(2, session: "second"))
        _ = try await sip.request("ACK")
        let (other, tunnel) = try await three.pair.connect()
        try other.send("SUBSCRIBE", 2, after: answer, Self.event)
        #expect(try await other.answer(2).hasPrefix("SIP/2.0 481"))
        try other.send("SUBSCRIBE", from: Self.bob.description, to: three.conference, call: "next", Self.event)
        #expect(try await other.answer(1, "SUBSCRIBE").hasPrefix("SIP/2.0 200"))
        let told = try await other.request("NOTIFY")
        #expect(["alice@a", "anna@a", "bob@b"].allSatisfy { told.contains("sip:\($0).example") })
        await tunnel.close()
        await three.pair.end()
    }

    // MARK: As a machine

    static let now = NIODeadline.uptimeNanoseconds(1_000_000_000)
    static func state(_ count: Int) -> ConferenceState {
        ConferenceState(users: (0..<count).map { Address(stored: "sip:u\($0)@a.example") }, media: [])
    }

    @Test("one NOTIFY at a time, with a pause between; what changed meanwhile is told then, once")
    func pace() {
        var watch = ConferenceWatch(seconds: 600, now: Self.now)
        func told(_ count: Int, _ time: TimeAmount) -> ConferenceWatch.Notification? {
            watch.next(Self.state(count), now: Self.now + time)
        }
        let first = told(3, .zero)
        #expect(first?.version == 0 && first?.content == Self.state(3))
        let (same, unanswered) = (told(3, .zero), told(2, .seconds(5)))
        #expect(same == nil && unanswered == nil)
        watch.answered(200, now: Self.now)
        let second = told(2, .seconds(5))
        #expect(second?.version == 1 && second?.content == Self.state(2))
        watch.answered(200, now: Self.now)
        let soon = told(4, .milliseconds(5010))
        #expect(soon == nil && watch.deadline == Self.now + .seconds(6))
        let third = told(4, .seconds(6))
        #expect(third?.content == Self.state(4))
        watch.answered(200, now: Self.now)
        let nothing = told(4, .seconds(60))
        #expect(nothing == nil)
    }

    @Test("a subscription runs out, is fetched once, ends, or is gone when nobody answers")
    func ends() throws {
        var watch = ConferenceWatch(seconds: 600, now: Self.now)
        _ = watch.next(Self.state(3), now: Self.now)
        let out = watch.next(Self.state(3), now: Self.now + .seconds(600))
        #expect(out?.state.value == .terminated && out?.content == nil && watch.isOver)

        var once = ConferenceWatch(seconds: 0, now: Self.now)
        #expect(!once.isOver)
        let fetched = once.next(Self.state(3), now: Self.now)
        #expect(fetched?.state.value == .terminated && fetched?.content == Self.state(3) && once.isOver)

        var ended = ConferenceWatch(seconds: 600, now: Self.now)
        let (end, again) = (ended.end(.noresource), ended.end(.noresource))
        #expect(end?.state.description == "terminated;reason=noresource")
        #expect(again == nil && ended.isOver)
        let isRefreshed = ended.refresh(seconds: 60, now: Self.now)
        #expect(!isRefreshed)

        for status in [nil, 400, 404, 481, 500, 603] as [SIPStatus?] {
            var silent = ConferenceWatch(seconds: 600, now: Self.now)
            _ = silent.next(Self.state(3), now: Self.now)
            silent.answered(status, now: Self.now)
            #expect(silent.isOver && silent.deadline == nil, "\(String(describing: status))")
        }
    }

    @Test("whoever asks for time gets it, and then the full state; not for ever, and not beyond the subscription")
    func putOff() throws {
        var watch = ConferenceWatch(seconds: 600, now: Self.now)
        _ = watch.next(Self.state(3), now: Self.now)
        watch.answered(503, retryAfter: 30, now: Self.now)
        #expect(!watch.isOver && watch.deadline == Self.now + .seconds(30))
        let early = watch.next(Self.state(3), now: Self.now + .seconds(29))
        #expect(early == nil)
        // Nothing has changed, but what was told was not taken.
        let again = watch.next(Self.state(3), now: Self.now + .seconds(30))
        #expect(again?.content == Self.state(3) && again?.version == 1)
        watch.answered(200, now: Self.now + .seconds(30))
        let nothing = watch.next(Self.state(3), now: Self.now + .seconds(60))
        #expect(nothing == nil)
        // 503 need not say for how long; a SUBSCRIBE is answered with the state at once all the same.
        _ = watch.next(Self.state(2), now: Self.now + .seconds(70))
        watch.answered(503, now: Self.now + .seconds(70))
        #expect(watch.deadline == Self.now + .seconds(72))
        let isRefreshed = watch.refresh(seconds: 600, now: Self.now + .seconds(71))
        let fresh = watch.next(Self.state(2), now: Self.now + .seconds(71))
        #expect(isRefreshed && fresh?.content == Self.state(2))

        var busy = ConferenceWatch(seconds: 600, now: Self.now)
        var time = Self.now
        var told = 0
        while told < 100, let news = busy.next(Self.state(3), now: time), news.content != nil {
            told += 1
            busy.answered(500, retryAfter: 0, now: time)
            time = time + .seconds(1)
        }
        #expect(told == ConferenceWatch.failuresMaximum && busy.isOver)

        var long = ConferenceWatch(seconds: 60, now: Self.now)
        _ = long.next(Self.state(3), now: Self.now)
        long.answered(503, retryAfter: 4_000_000_000, now: Self.now)
        #expect(long.deadline == Self.now + .seconds(60))
        let end = long.next(Self.state(3), now: Self.now + .seconds(60))
        #expect(end?.state.description == "terminated;reason=timeout" && long.isOver)
    }

    @Test("a NOTIFY that is put off comes again with the full state; one that is refused is the last")
    func putOffOnTheWire() async throws {
        let three = try await Three()
        try three.subscribe("watch")
        _ = try await three.sip.answer(1, "SUBSCRIBE")
        let first = try await three.sip.request("NOTIFY")
        try three.sip.respond(first, "503 Service Unavailable", ["Retry-After: 1"])
        let (again, info) = try await three.notified(of: 3)
        #expect(again.header("Call-ID") == "watch" && info.version == 1)
        _ = try await three.pair.a.service.leave(three.anna.who, three.id)
        let last = try await three.sip.request("NOTIFY")
        try three.sip.respond(last, "403 Forbidden")
        let live = try #require(three.pair.a.interconnect.focus(of: three.id, for: Self.bob))
        _ = try await eventually("nobody watches") { live.state.withLock { $0.watches.isEmpty } ? true : nil }
        await three.pair.end()
    }

    @Test(
        "why a BYE comes",
        arguments: [
            ([], false), (["Q.850;cause=16;text=\"Normal call clearing\""], false), (["Q.850;cause=41"], true),
            (["SIP;cause=200;text=\"Call completed elsewhere\""], false), (["SIP;cause=487"], false),
            (["SIP;cause=503;text=\"x\", Q.850;cause=16"], true), (["X;cause=900"], false), (["SIP"], false),
            (["SIP;cause=z"], false),
        ] as [([String], Bool)]
    )
    func why(reasons: [String], isFailure: Bool) {
        var bye = SIPMessage(method: .bye, uri: "sip:alice@a.example")
        for reason in reasons { bye.append(.reason, reason) }
        #expect(Parting.isFailure(bye) == isFailure)
    }

    @Test("every reason that is given can be read")
    func reasons() {
        for parting in Parting.allCases {
            var bye = SIPMessage(method: .bye, uri: "sip:alice@a.example")
            bye.append(.reason, parting.reason)
            #expect(Parting.isFailure(bye) == [.notAcceptable, .lost].contains(parting))
        }
    }

    @Test("their server gives a conversation up: it was not left, it broke")
    func broken() async throws {
        let pair = try await RawPeerTests.Pair()
        let (id, sip, invite, _) = try await pair.open()
        try sip.send("BYE", 1, within: invite, ["Reason: SIP;cause=503;text=\"Going down\""])
        #expect(try await sip.answer(1).hasPrefix("SIP/2.0 200"))
        #expect(try await pair.a.session(pair.alice, id, "over") { $0.state == .over }.end == .unreachable)
        await pair.end()
    }
}
