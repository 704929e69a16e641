import ClientWire
import Foundation
import MessagingCore
import MessagingService
import NIOCore
import SIP
import SessionCore
import Store
import Testing
import XMLBodies

/// Calls between phones that nobody here wrote, through a real provider; each hears the other's tone.
@Suite("Calls of baresip", .enabled(if: Baresip.isInstalled), .timeLimit(.minutes(5)), .serialized)
struct CallTests {
    @Test("One calls the other: both hear each other; hold stops it, resume ends that, and hanging up ends all")
    func call() async throws {
        let provider = try await Provider.start(algorithms: [.md5])
        let (alice, bob) = (try await provider.person("alice"), try await provider.person("bob"))
        let one = try await BaresipPhone.start(try await provider.phone(of: alice), at: provider, tone: 400)
        defer { one.end() }
        let other = try await BaresipPhone.start(try await provider.phone(of: bob), at: provider, tone: 900)
        defer { other.end() }
        try await provider.isAble(alice, bob)
        try await one.command("dial", "sip:bob@example.org")
        #expect(try await other.sees("CALL_INCOMING"))
        #expect(try await one.sees("CALL_RINGING"))
        try await other.command("accept")
        #expect(try await one.sees("CALL_ESTABLISHED"))
        #expect(
            try await eventually { one.hears(900) > 0.8 && other.hears(400) > 0.8 },
            "\(one.recorded)\n\(other.recorded)"
        )
        let session = try #require(try await provider.service.sessions(alice.identity).sessions.first)
        #expect(session.state == .open)
        #expect(session.media.map(\.kind) == [.audio])
        try await one.command("hold")
        #expect(
            try await eventually {
                try await provider.service.session(bob.identity, session.id).media.first?.held == [alice.address]
            }
        )
        try await one.command("resume")
        #expect(
            try await eventually {
                try await provider.service.session(bob.identity, session.id).media.first?.held == []
            }
        )
        // The other phone was told, and answered that it only listens.
        #expect(try await eventually { other.output.contains("a=recvonly") })
        try await other.command("hangup")
        #expect(try await one.sees("CALL_CLOSED"))
        #expect(try await eventually { try await provider.service.sessions(alice.identity).sessions.isEmpty })
        try await provider.stop()
    }

    @Test(
        "A call rings both phones; answered on one, the other one's CANCEL says so, and its log is not of a missed call"
    )
    func answeredElsewhere() async throws {
        let provider = try await Provider.start(algorithms: [.md5])
        let (alice, bob) = (try await provider.person("alice"), try await provider.person("bob"))
        let caller = try await BaresipPhone.start(try await provider.phone(of: alice), at: provider, tone: 400)
        defer { caller.end() }
        let desk = try await BaresipPhone.start(try await provider.phone(of: bob), at: provider, tone: 900)
        defer { desk.end() }
        let hall = try await BaresipPhone.start(
            try await provider.phone(of: bob),
            at: provider,
            tone: 1500,
            transport: "tcp"
        )
        defer { hall.end() }
        try await provider.isAble(alice, bob)
        try await caller.command("dial", "sip:bob@example.org")
        #expect(try await desk.sees("CALL_INCOMING"))
        #expect(try await hall.sees("CALL_INCOMING"))
        try await hall.command("accept")
        #expect(try await desk.sees("CALL_CLOSED"))
        #expect(desk.output.contains("Reason: SIP;cause=200;text=\"Call completed elsewhere\""))
        #expect(try await eventually { caller.hears(1500) > 0.8 && hall.hears(400) > 0.8 })
        try await caller.command("hangup")
        #expect(try await hall.sees("CALL_CLOSED"))
        try await provider.stop()
    }

    @Test("Taken back, a call rings nowhere; declined by one phone, it rings on at the other")
    func cancelled() async throws {
        let provider = try await Provider.start(algorithms: [.md5])
        let (alice, bob) = (try await provider.person("alice"), try await provider.person("bob"))
        let caller = try await BaresipPhone.start(try await provider.phone(of: alice), at: provider, tone: 400)
        defer { caller.end() }
        let called = try await BaresipPhone.start(try await provider.phone(of: bob), at: provider, tone: 900)
        defer { called.end() }
        try await provider.isAble(alice, bob)
        try await caller.command("dial", "sip:bob@example.org")
        #expect(try await called.sees("CALL_INCOMING"))
        try await caller.command("hangup")
        #expect(try await called.sees("CALL_CLOSED"))
        #expect(called.output.contains("CANCEL sip:"))
        #expect(try await eventually { try await provider.service.sessions(bob.identity).sessions.isEmpty })
        // 486 is this phone's own: the request goes on, and with nothing else that rings its caller waits.
        try await caller.command("dial", "sip:bob@example.org")
        #expect(try await called.sees("CALL_INCOMING", 2))
        try await called.command("hangup")
        #expect(try await called.sees("CALL_CLOSED", 2))
        let session = try #require(try await provider.service.sessions(bob.identity).sessions.first)
        #expect(session.state == .alerting)
        #expect(
            try await eventually {
                try await provider.service.session(bob.identity, session.id).request?.alerting == [bob.identity.device]
            }
        )
        // Declined for all, on the computer.
        _ = try await provider.service.reject(bob.identity, session.id)
        #expect(try await eventually { caller.output.contains("603 Decline") })
        try await provider.stop()
    }

    @Test(
        "Voice on two phones, in a conversation whose text is on computers; a phone that hangs up leaves the text alone"
    )
    func medium() async throws {
        let provider = try await Provider.start(algorithms: [.md5])
        let (alice, bob) = (try await provider.person("alice"), try await provider.person("bob"))
        let account = try await provider.phone(of: alice)
        let one = try await BaresipPhone.start(account, at: provider, tone: 400, answers: true)
        defer { one.end() }
        let other = try await BaresipPhone.start(try await provider.phone(of: bob), at: provider, tone: 900)
        defer { other.end() }
        try await provider.isAble(alice, bob)
        let id = try await provider.ask(alice, bob, subject: "Plans")
        _ = try await provider.service.accept(bob.identity, id, AcceptRequest())
        var proposal = MediaRequest(id: provider.newID(), revision: 0, change: .add)
        proposal.kind = .audio
        proposal.device = account.device.id
        _ = try await provider.service.propose(alice.identity, id, proposal)
        #expect(try await other.sees("CALL_INCOMING"))
        try await other.command("accept")
        #expect(try await one.sees("CALL_ESTABLISHED"))
        #expect(try await eventually { one.hears(900) > 0.8 && other.hears(400) > 0.8 })
        try await provider.say("can you hear me?", alice, id)
        #expect(try await provider.said(bob, id) == ["can you hear me?"])
        // A phone without a leg holds what is on it.
        try await other.command("hold")
        #expect(
            try await eventually {
                try await provider.service.session(alice.identity, id).media.first?.held == [bob.address]
            }
        )
        try await one.command("hangup")
        #expect(try await other.sees("CALL_CLOSED"))
        let after = try await provider.service.session(alice.identity, id)
        #expect(after.state == .open)
        #expect(after.media.isEmpty)
        try await provider.say("and now?", bob, id)
        #expect(try await provider.said(alice, id).last == "and now?")
        try await provider.stop()
    }
}

/// Calls that move between phones that nobody here wrote.
@Suite("Real phones hand over", .enabled(if: Baresip.isInstalled), .timeLimit(.minutes(5)), .serialized)
struct MovedCallTests {
    @Test("baresip hands its call on to another phone of its user by REFER: that one is heard, and hears")
    func referred() async throws {
        let provider = try await Provider.start(algorithms: [.md5])
        let (alice, bob) = (try await provider.person("alice"), try await provider.person("bob"))
        let (first, second) = (try await provider.phone(of: alice), try await provider.phone(of: alice))
        let desk = try await BaresipPhone.start(first, at: provider, tone: 400)
        defer { desk.end() }
        let hall = try await BaresipPhone.start(second, at: provider, tone: 1500, transport: "tcp")
        defer { hall.end() }
        let other = try await BaresipPhone.start(
            try await provider.phone(of: bob),
            at: provider,
            tone: 900,
            answers: true
        )
        defer { other.end() }
        try await provider.isAble(alice, bob)
        try await desk.command("dial", "sip:bob@example.org")
        #expect(try await desk.sees("CALL_ESTABLISHED"))
        #expect(try await eventually { other.hears(400) > 0.8 && desk.hears(900) > 0.8 })
        let id = try #require(try await provider.service.sessions(alice.identity).sessions.first?.id)
        try await desk.command("transfer", "sip:alice@example.org;gr=urn:continuo:device:\(second.device.id.rawValue)")
        #expect(try await hall.sees("CALL_INCOMING"), "\(desk.output)")
        try await hall.command("accept")
        #expect(try await hall.sees("CALL_ESTABLISHED"))
        #expect(try await desk.sees("CALL_CLOSED"))
        #expect(
            try await eventually(within: 40) { hall.hears(900) > 0.8 && other.hears(1500) > 0.8 },
            "\(hall.recorded)\n\(other.recorded)"
        )
        #expect(try await eventually { try await provider.place(alice, id) == second.device.id })
        #expect(
            try await eventually {
                try await provider.service.session(alice.identity, id).legs.map(\.device) == [second.device.id]
            }
        )
        #expect(other.count("CALL_CLOSED") == 0)
        #expect(desk.output.contains("SIP/2.0 200 OK\r\n") && desk.output.contains("message/sipfrag"))
        try await hall.command("hangup")
        #expect(try await other.sees("CALL_CLOSED"))
        try await provider.stop()
    }

    @Test(
        "PJSIP takes a call over from baresip by INVITE with Replaces, is heard, and hands it back by REFER",
        .enabled(if: ForeignClient.pjsipPython != nil, "pjsua2 is not installed")
    )
    func replaced() async throws {
        let provider = try await Provider.start(algorithms: [.md5])
        let (alice, bob) = (try await provider.person("alice"), try await provider.person("bob"))
        let (first, second) = (try await provider.phone(of: alice), try await provider.phone(of: alice))
        let desk = try await BaresipPhone.start(first, at: provider, tone: 400)
        defer { desk.end() }
        let hall = try ForeignClient(.pjsip, second, transport: "tcp", port: provider.port(.tcp))
        defer { hall.end() }
        #expect(try await hall.waits("registration") { $0.state == "ok" }, "\(hall.output)")
        let other = try await BaresipPhone.start(
            try await provider.phone(of: bob),
            at: provider,
            tone: 900,
            answers: true
        )
        defer { other.end() }
        let watcher = try await TestPhone.make(try await provider.phone(of: alice), at: provider, .tcp)
        try await watcher.register(parameters: ";audio=\"FALSE\"")
        try await provider.isAble(bob)
        try await desk.command("dial", "sip:bob@example.org")
        #expect(try await desk.sees("CALL_ESTABLISHED"))
        #expect(try await eventually { other.hears(400) > 0.8 && desk.hears(900) > 0.8 })
        let id = try #require(try await provider.service.sessions(alice.identity).sessions.first?.id)
        _ = try await watcher.watch("dialog")
        #expect(try await eventually { try await watcher.watchedDialog(on: first) != nil })
        hall.call("sip:bob@example.org", replaces: try await watcher.watchedDialog(on: first))
        #expect(try await hall.waits("call") { $0.state == "CONFIRMED" }, "\(hall.output)")
        #expect(try await desk.sees("CALL_CLOSED"))
        #expect(
            try await eventually(within: 40) { hall.hears(900) > 0.8 && other.hears(700) > 0.8 },
            "\(hall.output)\n\(other.recorded)"
        )
        #expect(try await eventually { try await provider.place(alice, id) == second.device.id })
        hall.refer(to: Provider.address(of: first))
        #expect(try await desk.sees("CALL_INCOMING"), "\(hall.output)")
        try await desk.command("accept")
        #expect(try await hall.waits("transfer") { $0.status == 200 }, "\(hall.output)")
        #expect(
            try await eventually(within: 40) { desk.hears(900) > 0.8 && other.hears(400) > 0.8 },
            "\(desk.recorded)\n\(other.recorded)"
        )
        #expect(try await hall.waits("call") { $0.state == "DISCONNECTED" }, "\(hall.output)")
        #expect(other.count("CALL_CLOSED") == 0)
        try await watcher.close()
        try await provider.stop()
    }
}

extension MovedCallTests {
    @Test(
        "liblinphone calls, hands its call on to a baresip by REFER, and takes it back by INVITE with Replaces",
        .enabled(if: ForeignClient.hasLinphone, "liblinphone is not installed")
    )
    func linphone() async throws {
        let provider = try await Provider.start(algorithms: [.md5])
        let (alice, bob) = (try await provider.person("alice"), try await provider.person("bob"))
        let (first, second) = (try await provider.phone(of: alice), try await provider.phone(of: alice))
        let desk = try ForeignClient(.linphone, first, transport: "tcp", port: provider.port(.tcp))
        defer { desk.end() }
        #expect(try await desk.waits("registration") { $0.state == "ok" }, "\(desk.output)")
        let hall = try await BaresipPhone.start(second, at: provider, tone: 1500, answers: true)
        defer { hall.end() }
        let other = try await BaresipPhone.start(
            try await provider.phone(of: bob),
            at: provider,
            tone: 900,
            answers: true
        )
        defer { other.end() }
        let watcher = try await TestPhone.make(try await provider.phone(of: alice), at: provider, .tcp)
        try await watcher.register(parameters: ";audio=\"FALSE\"")
        _ = try await watcher.watch("dialog")
        try await provider.isAble(bob)
        desk.call("sip:bob@example.org")
        #expect(try await desk.waits("call") { $0.state == "running" }, "\(desk.output)")
        #expect(try await eventually(within: 40) { other.hears(700) > 0.8 }, "\(other.recorded)")
        #expect(try await eventually(within: 40) { desk.hears(900) > 0.8 }, "\(desk.output)")
        desk.refer(to: Provider.address(of: second))
        #expect(try await hall.sees("CALL_ESTABLISHED"), "\(desk.output)")
        #expect(try await eventually(within: 40) { other.hears(1500) > 0.8 && hall.hears(900) > 0.8 })
        #expect(try await desk.waits("call") { $0.state == "ended" }, "\(desk.output)")
        #expect(try await desk.waits("transfer") { $0.status == 200 }, "\(desk.output)")
        #expect(try await eventually { try await watcher.watchedDialog(on: second) != nil })
        desk.call("sip:bob@example.org", replaces: try await watcher.watchedDialog(on: second))
        #expect(try await hall.sees("CALL_CLOSED"), "\(desk.output)")
        #expect(try await eventually(within: 40) { other.hears(700) > 0.8 }, "\(other.recorded)")
        #expect(try await eventually(within: 40) { desk.hears(900) > 0.8 }, "\(desk.output)")
        #expect(other.count("CALL_CLOSED") == 0)
        try await watcher.close()
        try await provider.stop()
    }
}

extension TestPhone {
    /// What the last NOTIFY says of the dialog of a device, as Replaces names it; nil while it has none.
    func watchedDialog(on phone: PhoneAnswer) async throws -> String? {
        guard let last = try await received(.notify).last else { return nil }
        let dialog = try DialogInfo(parsing: Array(buffer: last.body)).dialogs.first {
            $0.state == .confirmed
                && $0.local?.target == "sip:alice@example.org;gr=urn:continuo:device:\(phone.device.id.rawValue)"
        }
        guard let dialog, let callID = dialog.callID, let local = dialog.localTag, let remote = dialog.remoteTag else {
            return nil
        }
        return "\(callID);to-tag=\(remote);from-tag=\(local)"
    }
}

/// What a phone is answered whose call cannot be.
@Suite("Calls that come to nothing", .timeLimit(.minutes(3)))
struct RefusedCallTests {
    @Test("Each refusal has the status that says why")
    func refusals() async throws {
        let provider = try await Provider.start()
        let alice = try await provider.person("alice")
        let bob = try await provider.person("bob")
        let phone = try await TestPhone.make(try await provider.phone(of: alice), at: provider)
        try await phone.register()
        try await provider.isAble(alice)
        #expect(try await phone.call("sip:nobody@example.org").status == 404)
        #expect(try await phone.call("sip:alice@example.org").status == 400)
        #expect(try await phone.call("sip:bob@example.org", offer: nil).status == 488)
        // Whoever does not want to be disturbed has nothing that rings.
        _ = try await provider.service.putBlocked(bob.identity, BlockedDocument(addresses: [alice.address]))
        #expect(try await phone.call("sip:bob@example.org").status == 480)
        try await phone.close()
        try await provider.stop()
    }

    @Test("Whoever has no credit, or no right to call, is told so")
    func rights() async throws {
        let provider = try await Provider.start()
        var settings = try await provider.service.operatorSettings()
        settings.tariff.perRequest = 10
        _ = try await provider.service.putOperatorSettings(settings)
        _ = try await provider.person("bob")
        let poor = try await provider.person("poor", balance: 5)
        var entitlement = Entitlement()
        entitlement.canSend = false
        let mute = try await provider.person("mute", entitlement: entitlement)
        for (person, status) in [(poor, SIPStatus(integerLiteral: 402)), (mute, 403)] {
            let phone = try await TestPhone.make(try await provider.phone(of: person), at: provider)
            try await phone.register()
            try await provider.isAble(person)
            #expect(try await phone.call("sip:bob@example.org").status == status)
            try await phone.close()
        }
        try await provider.stop()
    }
}

extension Provider {
    /// Waits until the phones of these people are known to make calls.
    func isAble(_ people: Person..., to feature: String = "audio") async throws {
        for person in people {
            let isSo = try await eventually {
                try await service.devices(person.identity.account, asking: nil).devices
                    .filter { $0.device.capabilities.features.contains("sip") }
                    .allSatisfy {
                        $0.device.capabilities.features.contains(feature) && $0.isRegistered && $0.isConnected
                    }
            }
            guard isSo else { throw NotInTime() }
        }
    }
}
