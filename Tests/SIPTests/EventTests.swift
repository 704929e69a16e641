import NIOCore
import Testing

@testable import SIP

@Suite("Events, REFER and session timers")
struct EventTests {
    static let now = NIODeadline.uptimeNanoseconds(0)

    @Test("Subscriber, state by input")
    func subscriber() {
        typealias Machine = SubscriberMachine
        let lease = Machine.Lease(refresh: Self.now + .seconds(240), expires: Self.now + .seconds(300))
        let wait = Machine.State.notifyWait(until: Self.now + .seconds(32))
        enum Input: CaseIterable {
            case success
            case gone
            case active
            case pending
            case terminated
            case refreshTime
            case endTime
        }
        let later = Machine.Lease(refresh: nil, expires: Self.now + .seconds(300))
        let table: [(Machine.State, [Input: (Machine.Action, Machine.State)])] = [
            (
                wait,
                [
                    .success: (.none, wait), .gone: (.ended(retry: .never), .terminated),
                    .active: (.useNotification, .active(lease)), .pending: (.useNotification, .pending(lease)),
                    .terminated: (.ended(retry: .never), .terminated),
                    .refreshTime: (.ended(retry: .after(seconds: 0)), .terminated),
                    .endTime: (.ended(retry: .after(seconds: 0)), .terminated),
                ]
            ),
            (
                .pending(lease),
                [
                    .success: (.none, .pending(lease)), .gone: (.ended(retry: .after(seconds: 0)), .terminated),
                    .active: (.useNotification, .active(lease)), .pending: (.useNotification, .pending(lease)),
                    .terminated: (.ended(retry: .never), .terminated), .refreshTime: (.refresh, .pending(later)),
                    .endTime: (.ended(retry: .after(seconds: 0)), .terminated),
                ]
            ),
            (
                .active(lease),
                [
                    .success: (.none, .active(lease)), .gone: (.ended(retry: .after(seconds: 0)), .terminated),
                    .active: (.useNotification, .active(lease)), .pending: (.useNotification, .pending(lease)),
                    .terminated: (.ended(retry: .never), .terminated), .refreshTime: (.refresh, .active(later)),
                    .endTime: (.ended(retry: .after(seconds: 0)), .terminated),
                ]
            ),
            (
                .terminated,
                [
                    .success: (.none, .terminated), .gone: (.none, .terminated), .active: (.reject, .terminated),
                    .pending: (.reject, .terminated), .terminated: (.reject, .terminated),
                    .refreshTime: (.none, .terminated),
                    .endTime: (.none, .terminated),
                ]
            ),
        ]
        for (state, row) in table {
            for input in Input.allCases {
                var machine = Machine(state: state, timers: TransactionTimers())
                let action =
                    switch input {
                    case .success: machine.received(200, expires: 300, now: Self.now)
                    case .gone: machine.received(481, expires: nil, now: Self.now)
                    case .active: machine.notified(.init(.active, expires: 300), now: Self.now)
                    case .pending: machine.notified(.init(.pending, expires: 300), now: Self.now)
                    case .terminated: machine.notified(.init(.terminated, reason: .rejected), now: Self.now)
                    case .refreshTime: machine.timeReached(Self.now + .seconds(240))
                    case .endTime: machine.timeReached(Self.now + .seconds(300))
                    }
                #expect(row[input]?.0 == action, "\(state) \(input)")
                #expect(row[input]?.1 == machine.state, "\(state) \(input)")
            }
        }
    }

    @Test("Notifier: pending, allowed, changed, refreshed, ended and timed out")
    func notifier() {
        var machine = NotifierMachine(expires: 60, isAuthorised: false, now: Self.now)
        #expect(machine.firstNotification(now: Self.now) == .notify(.init(.pending, expires: 60)))
        #expect(machine.changed(now: Self.now) == .none)
        #expect(machine.decided(isAuthorised: true, now: Self.now) == .notify(.init(.active, expires: 60)))
        #expect(machine.decided(isAuthorised: true, now: Self.now) == .none)
        #expect(machine.changed(now: Self.now + .seconds(10)) == .notify(.init(.active, expires: 50)))
        #expect(machine.refreshed(expires: 100, now: Self.now) == .notify(.init(.active, expires: 100)))
        #expect(machine.timeReached(Self.now + .seconds(99)) == .none)
        #expect(machine.timeReached(Self.now + .seconds(100)) == .notify(.init(.terminated, reason: .timeout)))
        #expect(machine.state == .terminated)
        #expect(machine.refreshed(expires: 100, now: Self.now) == .reject)
        #expect(machine.end(.noresource) == .none)
        machine = NotifierMachine(expires: 60, isAuthorised: false, now: Self.now)
        #expect(machine.decided(isAuthorised: false, now: Self.now) == .notify(.init(.terminated, reason: .rejected)))
        machine = NotifierMachine(expires: 60, isAuthorised: true, now: Self.now)
        #expect(machine.refreshed(expires: 0, now: Self.now) == .notify(.init(.terminated, reason: .timeout)))
        machine = NotifierMachine(expires: 60, isAuthorised: true, now: Self.now)
        #expect(machine.notifyFailed(500) == .none)
        #expect(machine.state != .terminated)
        #expect(machine.notifyFailed(481) == .none)
        #expect(machine.state == .terminated)
        #expect(NotifierMachine(expires: 0, isAuthorised: true, now: Self.now).deadline == nil)
    }

    @Test("REFER is read with its Replaces; two Refer-To are refused")
    func refer() throws {
        func request(_ lines: String) throws -> SIPMessage {
            var message = try Samples.invite(extra: lines)
            let text = String(buffer: message.serialized()).replacing("INVITE", with: "REFER")
            message = try SIPMessage(text)
            return message
        }
        let refer = try Refer(
            request(
                "Refer-To: <sip:c@example.com;method=INVITE?Replaces=4b1c%40bob%3Bto-tag%3Db2%3Bfrom-tag%3Da1&Require=replaces>\r\n"
                    + "Referred-By: <sip:a@example.com>\r\nRefer-Sub: false\r\n"
            )
        )
        #expect(
            refer.replaces?.dialogID(.replacesOrJoin) == DialogID(callID: "4b1c@bob", localTag: "b2", remoteTag: "a1")
        )
        #expect(refer.targetURI.description == "sip:c@example.com")
        #expect(refer.wantsSubscription == false)
        #expect(refer.event.text == "refer;id=7")
        #expect(throws: SIPError(.missingHeader, "")) { try Refer(request("")) }
        #expect(throws: SIPError(.repeatedHeader, "")) {
            try Refer(request("Refer-To: <sip:a@b>\r\nRefer-To: <sip:c@d>\r\n"))
        }
        #expect(Refer.status(in: Refer.fragment(486)) == 486)
        #expect(Refer.status(in: ByteBuffer(string: "nonsense")) == nil)
    }

    @Test("Session timers are negotiated")
    func negotiation() throws {
        func negotiate(_ lines: String, preferred: UInt32? = nil) throws -> SessionTimer.Offer {
            try SessionTimer.negotiate(try Samples.invite(extra: lines), minimum: 90, preferred: preferred)
        }
        #expect(try negotiate("") == .none)
        #expect(
            try negotiate("", preferred: 1800)
                == .use(SessionExpires(seconds: 1800, refresher: .uas), requireTimer: false)
        )
        #expect(try negotiate("Supported: timer\r\nSession-Expires: 60\r\n") == .tooSmall(minimum: 90))
        #expect(
            try negotiate("Session-Expires: 60\r\n")
                == .use(SessionExpires(seconds: 90, refresher: .uas), requireTimer: false)
        )
        #expect(
            try negotiate("Supported: timer\r\nx: 1800;refresher=uas\r\n")
                == .use(SessionExpires(seconds: 1800, refresher: .uas), requireTimer: false)
        )
        #expect(
            try negotiate("Supported: timer\r\nSession-Expires: 1800\r\n")
                == .use(SessionExpires(seconds: 1800, refresher: .uac), requireTimer: true)
        )
    }

    @Test("Session timers refresh at half, end in time, and end on 481")
    func sessionTimer() {
        var timer = SessionTimer()
        timer.agreed(SessionExpires(seconds: 180, refresher: .uac), isRequester: true, now: Self.now)
        #expect(timer.deadline == Self.now + .seconds(90))
        #expect(timer.timeReached(Self.now + .seconds(89)) == .none)
        #expect(timer.timeReached(Self.now + .seconds(90)) == .refresh)
        #expect(timer.state == .refreshSent(expires: Self.now + .seconds(180)))
        #expect(timer.refreshFailed(500, now: Self.now + .seconds(100)) == .none)
        #expect(timer.deadline == Self.now + .seconds(140))
        #expect(timer.timeReached(Self.now + .seconds(140)) == .refresh)
        #expect(timer.refreshFailed(481, now: Self.now + .seconds(141)) == .end)
        #expect(timer.state == .expired)
        timer.agreed(SessionExpires(seconds: 180, refresher: .uac), isRequester: false, now: Self.now)
        #expect(timer.state == .waiting(until: Self.now + .seconds(148)))
        #expect(timer.timeReached(Self.now + .seconds(148)) == .end)
        timer.agreed(nil, isRequester: true, now: Self.now)
        #expect(timer.state == .off)
        // RFC 4028, section 5: no answer may go below, and one that does is not obeyed.
        timer.agreed(SessionExpires(seconds: 1, refresher: .uac), isRequester: true, now: Self.now)
        #expect(timer.state == .refreshing(at: Self.now + .seconds(45), expires: Self.now + .seconds(90)))
    }

    @Test("A message summary is read and written")
    func summary() throws {
        let body = "Messages-Waiting: yes\r\nMessage-Account: sip:a@b\r\nVoice-Message: 4/8 (1/2)\r\nnonsense\r\n"
        let summary = try MessageSummary(parsing: ByteBuffer(string: body))
        #expect(summary.isWaiting)
        #expect(summary.account == "sip:a@b")
        #expect(summary.counts == ["voice-message": .init(new: 4, old: 8, newUrgent: 1, oldUrgent: 2)])
        #expect(try MessageSummary(parsing: summary.body) == summary)
        #expect(throws: SIPError.self) { try MessageSummary(parsing: ByteBuffer(string: "x")) }
    }

    @Test("Responses find their way (RFC 3261 section 18.2.2, RFC 3581)")
    func responseRoute() throws {
        func route(_ via: String) throws -> ResponseRoute { ResponseRoute(via: try Via(via)) }
        #expect(try route("SIP/2.0/UDP h.example.com:5070;branch=z") == .datagram(host: "h.example.com", port: 5070))
        #expect(try route("SIP/2.0/UDP h;received=192.0.2.1;rport=9") == .datagram(host: "192.0.2.1", port: 9))
        #expect(try route("SIP/2.0/UDP h;received=192.0.2.1") == .datagram(host: "192.0.2.1", port: 5060))
        #expect(
            try route("SIP/2.0/UDP h;maddr=192.0.2.7;received=192.0.2.1") == .datagram(host: "192.0.2.7", port: 5060)
        )
        #expect(
            try route("SIP/2.0/TLS h;received=192.0.2.1;rport=9") == .connection(fallbackHost: "192.0.2.1", port: 5061)
        )
    }

    @Test(
        "The source of a request is noted in its topmost Via, where every other octet stays",
        arguments: [
            ("Via: SIP/2.0/UDP 192.0.2.1;rport", "Via: SIP/2.0/UDP 192.0.2.1;rport=7;received=192.0.2.1"),
            ("Via: SIP/2.0/UDP 192.0.2.1", "Via: SIP/2.0/UDP 192.0.2.1"),
            ("v:SIP / 2.0 / UDP h ; branch = z", "v:SIP / 2.0 / UDP h ; branch = z;received=192.0.2.1"),
            (
                "Via: SIP/2.0/UDP h;x=\";rport\";received=192.0.2.9;RPORT=1 ;a , SIP/2.0/UDP b;rport",
                "Via: SIP/2.0/UDP h;x=\";rport\";received=192.0.2.1;rport=7 ;a , SIP/2.0/UDP b;rport"
            ),
            (
                "Via: SIP/2.0/UDP h;rport\r\n ;branch=z,\r\n SIP/2.0/UDP b",
                "Via: SIP/2.0/UDP h;rport=7\r\n ;branch=z;received=192.0.2.1,\r\n SIP/2.0/UDP b"
            ),
        ]
    )
    func sourceNote(before: String, after: String) throws {
        func text(_ via: String) -> String {
            "OPTIONS sip:a@b SIP/2.0\r\nSubject: 1\r\n\(via)\r\nVia: SIP/2.0/UDP last\r\nContent-Length: 2\r\n\r\nhi"
        }
        var request = try SIPMessage(text(before))
        request.noteSource(address: "192.0.2.1", port: 7, in: try request.topVia())
        #expect(String(buffer: request.serialized()) == text(after))
        #expect(try request.topVia() == SIPMessage(text(after)).topVia())
        #expect(try request.vias().count == SIPMessage(text(before)).vias().count)
    }
}
