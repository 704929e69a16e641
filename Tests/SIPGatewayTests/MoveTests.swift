import ClientWire
import Foundation
import MessagingCore
import MessagingService
import NIOCore
import SDP
import SIP
import SessionCore
import Store
import Testing
import XMLBodies

@testable import SIPGateway

/// Alice with two phones in a call with Bob's one.
struct Household {
    let provider: Provider
    let (alice, bob): (Person, Person)
    let (deskAccount, hallAccount): (PhoneAnswer, PhoneAnswer)
    let (desk, hall, bobs): (TestPhone, TestPhone, TestPhone)
    /// What the desk phone's INVITE was answered.
    let answer: SIPMessage
    let session: SessionID

    static func start(_ adjust: (inout SIPGatewayLimits) -> Void = { _ in }) async throws -> Household {
        let provider = try await Provider.start {
            $0.eventPauseSeconds = 0
            adjust(&$0)
        }
        let (alice, bob) = (try await provider.person("alice"), try await provider.person("bob"))
        let accounts = (try await provider.phone(of: alice), try await provider.phone(of: alice))
        let desk = try await TestPhone.make(accounts.0, at: provider, .tcp)
        let hall = try await TestPhone.make(accounts.1, at: provider, .tcp)
        let bobs = try await TestPhone.make(try await provider.phone(of: bob), at: provider, .tcp)
        for (phone, port) in [(desk, 40000), (hall, 41000), (bobs, 42000)] {
            try await phone.hears(at: port)
            try await phone.register()
        }
        try await provider.isAble(alice, bob)
        let answer = try await desk.call("sip:bob@example.org")
        #expect(answer.status == 200)
        let session = try #require(try await provider.service.sessions(alice.identity).sessions.first)
        #expect(try await eventually { try await provider.place(alice, session.id) == accounts.0.device.id })
        return Household(
            provider: provider,
            alice: alice,
            bob: bob,
            deskAccount: accounts.0,
            hallAccount: accounts.1,
            desk: desk,
            hall: hall,
            bobs: bobs,
            answer: answer,
            session: session.id
        )
    }

    func stop() async throws {
        for phone in [desk, hall, bobs] { try await phone.close() }
        try await provider.stop()
    }

    /// Which dialog the desk phone has, as whoever gets the INVITE has it.
    func replaces(_ parameters: String = "") throws -> String {
        let (to, from) = (try answer.to().tag ?? "", try answer.from().tag ?? "")
        return "\(try answer.callID());to-tag=\(to);from-tag=\(from)\(parameters)"
    }

    /// Takes over from another phone.
    func take(
        _ replaces: String,
        on phone: TestPhone? = nil,
        offer: String? = TestPhone.offer(41000)
    ) async throws -> SIPMessage {
        try await (phone ?? hall).call("sip:bob@example.org", offer: offer) { $0.append(.replaces, replaces) }
    }

    func refer(
        _ target: String,
        _ adjust: @escaping @Sendable (inout SIPMessage) -> Void = { _ in }
    ) async throws
        -> SIPStatus?
    {
        try await desk.within(answer, .refer) { request in
            request.append(.referTo, target)
            adjust(&request)
        }.status
    }

    func isOn(_ account: PhoneAnswer) async throws -> Bool {
        try await eventually {
            let document = try await provider.service.session(alice.identity, session)
            let place = try await provider.place(alice, session)
            return place == account.device.id && document.legs.map(\.device) == [account.device.id]
        }
    }

    func isStill(on account: PhoneAnswer) async throws -> Bool {
        let document = try await provider.service.session(alice.identity, session)
        return document.state == .open && document.pending.isEmpty
            && document.legs.map(\.device) == [account.device.id]
            && document.media.first?.placements.first { $0.user == alice.address }?.device == account.device.id
    }

    /// Where Bob's phone was told last to send its voice.
    func heardByBob() async throws -> Int? {
        try await bobs.all().compactMap { PhoneCall.description(of: $0)?.media.first?.port }.last
    }
}

extension Provider {
    /// The device that somebody has the voice on.
    func place(_ person: Person, _ session: SessionID) async throws -> DeviceID? {
        try await service.session(person.identity, session).media.first?.placements
            .first { $0.user == person.address }?.device
    }

    static func address(of account: PhoneAnswer) -> String {
        "<sip:alice@example.org;gr=urn:continuo:device:\(account.device.id.rawValue)>"
    }
}

/// INVITE with Replaces: a phone takes over what another device of its account has.
@Suite("Calls that are taken over", .timeLimit(.minutes(3)))
struct TakeOverTests {
    @Test("As a phone reads it of the conversations: voice and text move, then the old phone's call ends, Bob's never")
    func pull() async throws {
        let house = try await Household.start()
        #expect(try await house.hall.watch("dialog").status == 200)
        let ids: @Sendable () async throws -> DialogID? = {
            guard let last = try await house.hall.received(.notify).last else { return nil }
            let dialog = try DialogInfo(parsing: Array(buffer: last.body)).dialogs.first
            guard let dialog, dialog.state == .confirmed else { return nil }
            return DialogID(
                callID: dialog.callID ?? "",
                localTag: dialog.localTag ?? "",
                remoteTag: dialog.remoteTag ?? ""
            )
        }
        // The desk phone's own dialog.
        let real = DialogID(
            callID: try house.answer.callID(),
            localTag: try house.answer.from().tag ?? "",
            remoteTag: try house.answer.to().tag ?? ""
        )
        #expect(try await eventually { try await ids() == real })
        let answer = try await house.take("\(real.callID);to-tag=\(real.remoteTag);from-tag=\(real.localTag)")
        #expect(answer.status == 200)
        #expect(PhoneCall.description(of: answer)?.media.first?.port == 42000)
        #expect(try await house.isOn(house.hallAccount))
        #expect(try await eventually { try await house.desk.received(.bye).count == 1 })
        #expect(try await eventually { try await house.heardByBob() == 41000 })
        #expect(try await house.bobs.received(.bye).isEmpty)
        // The texts of the conversation are on the new phone.
        try await house.provider.say("still there?", house.bob, house.session)
        #expect(try await house.hall.waits(for: 1))
        #expect(try await house.desk.received(.message).isEmpty)
        // It goes back the same way, tags the other way round: as the phone has them that is to be replaced.
        let ours = "\(try answer.callID());to-tag=\(try answer.from().tag ?? "");from-tag=\(try answer.to().tag ?? "")"
        #expect(try await house.take(ours, on: house.desk, offer: TestPhone.offer(40002)).status == 200)
        #expect(try await house.isOn(house.deskAccount))
        #expect(try await eventually { try await house.hall.received(.bye).count == 1 })
        #expect(try await eventually { try await house.heardByBob() == 40002 })
        try await house.stop()
    }

    @Test("From a device without SIP, by the name that its part has: its voice comes, and its text behind that")
    func fromComputer() async throws {
        let provider = try await Provider.start()
        let (alice, bob) = (try await provider.person("alice"), try await provider.person("bob"))
        var change = DeviceChange()
        change.capabilities = .everything
        change.capabilities?.features = ["text", "audio"]
        _ = try await provider.service.changeDevice(alice.identity, alice.identity.device, change)
        let account = try await provider.phone(of: alice)
        let hall = try await TestPhone.make(account, at: provider, .tcp)
        let bobs = try await TestPhone.make(try await provider.phone(of: bob), at: provider, .tcp)
        for phone in [hall, bobs] { try await phone.register() }
        try await provider.isAble(alice, bob)
        let id = try await provider.ask(alice, bob, media: [.audio])
        #expect(try await eventually { try await provider.place(alice, id) == alice.identity.device })
        let leg = try #require(try await provider.service.session(alice.identity, id).legs.first)
        let name = SessionDialogID(id, .leg(leg.generation)).dialog
        let replaces = "\(name.callID);to-tag=\(name.remoteTag);from-tag=\(name.localTag)"
        let answer = try await hall.call("sip:bob@example.org") { $0.append(.replaces, replaces) }
        #expect(answer.status == 200)
        #expect(try await eventually { try await provider.place(alice, id) == account.device.id })
        #expect(
            try await eventually {
                try await provider.service.session(alice.identity, id).legs
                    .contains { $0.device == account.device.id && $0.state == .live }
            }
        )
        // What is not there any more has ended.
        let again = try await hall.call("sip:bob@example.org") { $0.append(.replaces, replaces) }
        #expect(again.status == 488 || again.status == 603)
        for phone in [hall, bobs] { try await phone.close() }
        try await provider.stop()
    }

    @Test("Each refusal has the status that says why, and nothing of the call changes")
    func refusals() async throws {
        let house = try await Household.start()
        let replaces = try house.replaces()
        let callID = try house.answer.callID()
        #expect(try await house.take("\(callID);to-tag=x;from-tag=y").status == 481)
        #expect(try await house.take("\(callID);to-tag=x").status == 400)
        #expect(try await house.take(callID).status == 400)
        #expect(try await house.take(";;;").status == 400)
        #expect(try await house.take(try house.replaces(";early-only")).status == 486)
        let both = try await house.hall.call("sip:bob@example.org") { request in
            request.append(.replaces, replaces)
            request.append(.join, replaces)
        }
        #expect(both.status == 400)
        let twice = try await house.hall.call("sip:bob@example.org") { request in
            request.append(.replaces, replaces)
            request.append(.replaces, replaces)
        }
        #expect(twice.status == 400)
        #expect(try await house.take(replaces, offer: nil).status == 488)
        let video = TestPhone.offer(41000).replacingOccurrences(of: "m=audio", with: "m=video")
        #expect(try await house.take(replaces, offer: video).status == 488)
        // Its own, and another account's.
        #expect(try await house.take(replaces, on: house.desk).status == 488)
        #expect(try await house.take(replaces, on: house.bobs).status == 403)
        let leg = try #require(
            try await house.provider.service.session(house.alice.identity, house.session).legs.first
        )
        let name = SessionDialogID(house.session, .leg(leg.generation)).dialog
        let foreign = "\(name.callID);to-tag=continuo;from-tag=\(name.localTag)"
        let unknown = "\(name.callID);to-tag=continuo;from-tag=leg99"
        #expect(try await house.take(unknown).status == 481)
        #expect(try await house.take("\(foreign);early-only").status == 486)
        let mallory = try await house.provider.person("mallory")
        let theirs = try await TestPhone.make(try await house.provider.phone(of: mallory), at: house.provider, .tcp)
        try await theirs.register()
        #expect(try await house.take(foreign, on: theirs).status == 481)
        #expect(try await house.take(replaces, on: theirs).status == 403)
        try await theirs.close()
        #expect(try await house.isStill(on: house.deskAccount))
        #expect(try await house.desk.received(.bye).isEmpty)
        // Over, it is declined.
        #expect(try await house.desk.within(house.answer, .bye).status == 200)
        #expect(
            try await eventually {
                try await house.provider.service.session(house.alice.identity, house.session).state == .over
            }
        )
        #expect(try await house.take(replaces).status == 603)
        #expect(try await house.take(foreign).status == 603)
        try await house.stop()
    }

    @Test("A phone whose voice the other side does not take is told so, and the call stays where it was")
    func refused() async throws {
        let house = try await Household.start()
        try await house.bobs.answer([488])
        let odd = TestPhone.offer(41000).replacingOccurrences(of: "AVP 0", with: "AVP 8")
        let answer = try await house.take(try house.replaces(), offer: odd)
        #expect(answer.status == 488)
        #expect(try await eventually { try await house.isStill(on: house.deskAccount) })
        #expect(try await house.desk.received(.bye).isEmpty)
        #expect(try await house.bobs.received(.bye).isEmpty)
        try await house.stop()
    }
}

/// REFER: a phone hands its call on.
@Suite("Calls that are handed on", .timeLimit(.minutes(3)))
struct ReferTests {
    @Test("To another own phone: it rings; taken, the news come, then the old phone's call ends, and Bob's never")
    func push() async throws {
        let house = try await Household.start()
        try await house.hall.rings(true)
        #expect(try await house.refer(Provider.address(of: house.hallAccount)) == 202)
        #expect(try await eventually { try await house.hall.received(.invite).count == 1 })
        #expect(try await house.desk.fragments() == [100])
        // One at a time.
        #expect(try await house.refer(Provider.address(of: house.hallAccount)) == 491)
        // Nothing has moved as long as it rings.
        let document = try await house.provider.service.session(house.alice.identity, house.session)
        #expect(document.legs.map(\.state) == [.live, .preparing])
        try await house.hall.rings(false)
        #expect(try await house.isOn(house.hallAccount))
        #expect(try await eventually { try await house.desk.fragments() == [100, 200] })
        #expect(try await eventually { try await house.desk.received(.bye).count == 1 })
        #expect(try await eventually { try await house.heardByBob() == 41000 })
        #expect(try await house.bobs.received(.bye).isEmpty)
        let news = try await house.desk.received(.notify)
        #expect(news.map { $0.text(.event) } == ["refer", "refer"])
        #expect(news.last?.text(.subscriptionState) == "terminated;reason=noresource")
        #expect(news.allSatisfy { $0.text(.contentType)?.hasPrefix("message/sipfrag") ?? false })
        try await house.stop()
    }

    @Test("A phone that hangs up as soon as its REFER is taken ends nothing; declined then, the call is over")
    func impatient() async throws {
        let house = try await Household.start()
        try await house.hall.rings(true)
        #expect(try await house.refer(Provider.address(of: house.hallAccount)) == 202)
        #expect(try await house.desk.within(house.answer, .bye).status == 200)
        #expect(try await eventually { try await house.hall.received(.invite).count == 1 })
        try await house.hall.rings(false)
        #expect(try await house.isOn(house.hallAccount))
        #expect(try await eventually { try await house.heardByBob() == 41000 })
        #expect(try await house.bobs.received(.bye).isEmpty)
        // Back again, and nobody takes it.
        let call = try #require(try await house.hall.received(.invite).first)
        try await house.desk.answer([486])
        let answered = try await house.hall.reply(call, .refer) {
            $0.append(.referTo, Provider.address(of: house.deskAccount))
        }
        #expect(answered.status == 202)
        #expect(try await house.hall.reply(call, .bye).status == 200)
        #expect(try await eventually { try await house.bobs.received(.bye).count == 1 })
        try await house.stop()
    }

    @Test("Declined, not registered, unknown: the news say so, and the call stays")
    func failures() async throws {
        let house = try await Household.start()
        try await house.hall.answer([486])
        #expect(try await house.refer(Provider.address(of: house.hallAccount)) == 202)
        #expect(try await eventually { try await house.desk.fragments() == [100, 480] })
        #expect(try await eventually { try await house.isStill(on: house.deskAccount) })
        let third = try await house.provider.phone(of: house.alice)
        #expect(try await house.refer(Provider.address(of: third)) == 202)
        #expect(try await eventually { try await house.desk.fragments() == [100, 480, 100, 480] })
        #expect(try await house.refer("<sip:alice@example.org;gr=urn:continuo:device:99>") == 202)
        #expect(try await eventually { try await house.desk.fragments().suffix(2) == [100, 404] })
        #expect(try await house.refer("<sip:alice@example.org;gr=urn:uuid:1>") == 202)
        #expect(try await eventually { try await house.desk.fragments().suffix(2) == [100, 404] })
        #expect(try await house.refer("<sip:nobody@example.org>") == 202)
        #expect(try await eventually { try await house.desk.fragments().count == 10 })
        #expect(try await house.desk.fragments().last == 404)
        // The laptop can do no voice.
        #expect(try await house.refer("<sip:alice@example.org;gr=urn:continuo:device:1>") == 202)
        #expect(try await eventually { try await house.desk.fragments().suffix(2) == [100, 488] })
        #expect(try await house.isStill(on: house.deskAccount))
        #expect(try await house.desk.received(.bye).isEmpty)
        try await house.stop()
    }

    @Test("Without news when none are wanted; outside of the call's dialog, which is named; by a phone's own GRUU")
    func forms() async throws {
        let house = try await Household.start()
        try await house.hall.register(parameters: ";+sip.instance=\"<urn:uuid:7>\"")
        let target = "<sip:alice@example.org;gr=urn:uuid:7>"
        let (local, remote) = (try house.answer.from().tag ?? "", try house.answer.to().tag ?? "")
        let named = "\(try house.answer.callID());local-tag=\(local);remote-tag=\(remote)"
        let answer = try await house.desk.ask(.refer, to: "sip:alice@example.org", target: "sip:alice@example.org") {
            $0.append(.referTo, target)
            $0.append(.targetDialog, named)
            $0.append(.referSub, "false")
            $0.append(.require, "tdialog, norefersub")
        }
        #expect(answer.status == 202)
        #expect(answer.text(.referSub) == "false")
        #expect(try await house.isOn(house.hallAccount))
        #expect(try await eventually { try await house.desk.received(.bye).count == 1 })
        #expect(try await house.desk.received(.notify).isEmpty)
        try await house.stop()
    }

    @Test("To another user: asked into the conversation, and whoever handed it on leaves when the other is in")
    func transfer() async throws {
        let house = try await Household.start()
        let carol = try await house.provider.person("carol")
        let carols = try await TestPhone.make(try await house.provider.phone(of: carol), at: house.provider, .tcp)
        try await carols.hears(at: 43000)
        try await carols.register()
        try await house.provider.isAble(carol)
        // She does not want to, at first.
        try await carols.answer([603])
        #expect(try await house.refer("<sip:carol@example.org>") == 202)
        #expect(try await eventually { try await house.desk.fragments() == [100, 603] })
        #expect(try await house.isStill(on: house.deskAccount))
        #expect(try await house.refer("<sip:carol@example.org>") == 202)
        #expect(try await eventually { try await house.desk.fragments() == [100, 603, 100, 200] })
        #expect(try await eventually { try await house.desk.received(.bye).count == 1 })
        #expect(
            try await eventually {
                let document = try await house.provider.service.session(house.bob.identity, house.session)
                return document.state == .open && document.participants == [house.bob.address, carol.address]
                    && document.media.first?.placements.map(\.user) == [house.bob.address, carol.address]
            }
        )
        #expect(try await eventually { try await house.heardByBob() == 43000 })
        #expect(try await house.bobs.received(.bye).isEmpty)
        #expect(try await carols.received(.bye).isEmpty)
        try await carols.close()
        try await house.stop()
    }

    @Test("Two calls of a phone are joined: the others hear each other, in place of the call that one of them had")
    func attended() async throws {
        let house = try await Household.start()
        let carol = try await house.provider.person("carol")
        let carols = try await TestPhone.make(try await house.provider.phone(of: carol), at: house.provider, .tcp)
        try await carols.hears(at: 43000)
        try await carols.register()
        try await house.provider.isAble(carol)
        let second = try await house.desk.call("sip:carol@example.org", offer: TestPhone.offer(40002))
        #expect(second.status == 200)
        let other = try #require(
            try await house.provider.service.sessions(carol.identity).sessions.first?.id
        )
        let (to, from) = (try second.to().tag ?? "", try second.from().tag ?? "")
        let named = "\(try second.callID());to-tag=\(to);from-tag=\(from)"
            .replacing(";", with: "%3B").replacing("=", with: "%3D")
        #expect(try await house.refer("<sip:carol@example.org?Replaces=\(named)>") == 202)
        #expect(try await eventually { try await house.desk.fragments() == [100, 200] })
        // Carol's phone is told which of its calls it is about, and rings for nothing else.
        let invites = try await carols.received(.invite).filter { $0.contains(.replaces) }
        #expect(invites.count == 1)
        let replaced = try #require(invites.first?.text(.replaces))
        let first = try #require(try await carols.received(.invite).first)
        #expect(replaced.hasPrefix("\(try first.callID());"))
        #expect(replaced.contains("from-tag=\(try first.from().tag ?? "-")"))
        #expect(
            try await eventually {
                let document = try await house.provider.service.session(house.bob.identity, house.session)
                return document.state == .open && document.participants == [house.bob.address, carol.address]
                    && document.media.first?.placements.map(\.user) == [house.bob.address, carol.address]
            }
        )
        #expect(try await eventually { try await house.heardByBob() == 43000 })
        #expect(try await eventually { try await house.desk.received(.bye).count == 2 })
        #expect(try await eventually { try await carols.received(.bye).count == 1 })
        #expect(
            try await eventually {
                try await house.provider.service.session(carol.identity, other).state == .over
            }
        )
        #expect(try await house.bobs.received(.bye).isEmpty)
        try await carols.close()
        try await house.stop()
    }

    @Test("What cannot be meant is refused at once")
    func refusals() async throws {
        let house = try await Household.start()
        let own = Provider.address(of: house.hallAccount)
        #expect(try await house.desk.within(house.answer, .refer).status == 400)
        #expect(try await house.refer(own) { $0.append(.referTo, own) } == 400)
        #expect(try await house.refer("<") == 400)
        #expect(try await house.refer("<tel:+15551234567>") == 416)
        #expect(try await house.refer("<http://example.org/>") == 416)
        #expect(try await house.refer("<sip:bob@elsewhere.example>") == 403)
        #expect(try await house.refer("<sip:alice@example.org>") == 403)
        #expect(try await house.refer(Provider.address(of: house.deskAccount)) == 603)
        #expect(try await house.refer("<sip:bob@example.org;method=BYE>") == 603)
        let attended = "<sip:bob@example.org?Replaces=1%3Bto-tag%3D2%3Bfrom-tag%3D3>"
        #expect(try await house.refer(attended) == 481)
        // It cannot be joined with itself, nor with a call that is another phone's.
        let itself = try house.replaces().replacing(";", with: "%3B").replacing("=", with: "%3D")
        #expect(try await house.refer("<sip:bob@example.org?Replaces=\(itself)>") == 491)
        let claimed = try await house.desk.within(house.answer, .refer) {
            $0.append(.referTo, own)
            $0.append(.pAssertedIdentity, "<sip:bob@example.org>")
        }
        #expect(claimed.status == 403)
        // Who is not in the dialog.
        #expect(try await house.hall.within(house.answer, .refer) { $0.append(.referTo, own) }.status == 481)
        let (local, remote) = (try house.answer.from().tag ?? "", try house.answer.to().tag ?? "")
        let named = "\(try house.answer.callID());local-tag=\(local);remote-tag=\(remote)"
        for (phone, dialog, status) in [
            (house.hall, named, SIPStatus(403)), (house.bobs, named, 403),
            (house.bobs, "x;local-tag=1;remote-tag=2", 481),
            (house.desk, "x;local-tag=1", 400), (house.desk, "", 400),
        ] {
            let answer = try await phone.ask(.refer, to: "sip:alice@example.org", target: "sip:alice@example.org") {
                $0.append(.referTo, own)
                $0.append(.targetDialog, dialog)
            }
            #expect(answer.status == status, "\(dialog)")
        }
        let bare = try await house.desk.ask(.refer, to: "sip:bob@example.org", target: "sip:bob@example.org") {
            $0.append(.referTo, own)
        }
        #expect(bare.status == 403)
        #expect(try await house.isStill(on: house.deskAccount))
        #expect(try await house.desk.received(.notify).isEmpty)
        try await house.stop()
    }
}

/// Moves that cross with something else.
@Suite("Moves under fire", .timeLimit(.minutes(3)))
struct MoveRaceTests {
    @Test("Taken back while the other end has not answered: the call stays, and the other end is told where it goes on")
    func takenBack() async throws {
        let house = try await Household.start()
        try await house.bobs.rings(true)
        let replaces = try house.replaces()
        async let answer = house.take(replaces)
        #expect(
            try await eventually {
                try await house.provider.service.session(house.alice.identity, house.session).pending.count == 1
            }
        )
        try await house.hall.takeBack()
        #expect(try await answer.status == 487)
        try await house.bobs.rings(false)
        #expect(try await eventually { try await house.isStill(on: house.deskAccount) })
        #expect(try await eventually { try await house.heardByBob() == 40000 })
        #expect(try await house.desk.received(.bye).isEmpty)
        #expect(try await house.bobs.received(.bye).isEmpty)
        // It can be taken after that.
        #expect(try await house.take(replaces).status == 200)
        #expect(try await house.isOn(house.hallAccount))
        try await house.stop()
    }

    @Test("The other end's phone changes something at the same moment: 491, and once more after a while")
    func glare() async throws {
        let house = try await Household.start()
        try await house.bobs.answer([491])
        #expect(try await house.take(try house.replaces()).status == 200)
        #expect(try await house.isOn(house.hallAccount))
        #expect(try await eventually { try await house.heardByBob() == 41000 })
        #expect(try await house.hall.received(.bye).isEmpty)
        #expect(try await house.bobs.received(.bye).isEmpty)
        try await house.stop()
    }

    @Test("The other side hangs up while the target rings: a 200 that crosses the CANCEL is acknowledged and ended")
    func late() async throws {
        let house = try await Household.start()
        try await house.hall.rings(true)
        try await house.hall.takesCancelledCalls()
        #expect(try await house.refer(Provider.address(of: house.hallAccount)) == 202)
        #expect(try await eventually { try await house.hall.received(.invite).count == 1 })
        let call = try #require(try await house.bobs.received(.invite).first)
        #expect(try await house.bobs.reply(call, .bye).status == 200)
        #expect(try await eventually { try await house.hall.received(.bye).count == 1 })
        #expect(try await house.hall.received(.cancel).count == 1)
        #expect(try await house.hall.received(.ack).count >= 1)
        #expect(try await eventually { try await house.desk.fragments() == [100, 487] })
        #expect(try await eventually { try await house.desk.received(.bye).count == 1 })
        #expect(
            try await eventually {
                try await house.provider.service.session(house.alice.identity, house.session).state == .over
            }
        )
        try await house.stop()
    }

    @Test("Nobody answers in time: the news say so, the target rings no more, and the call stays")
    func slow() async throws {
        let house = try await Household.start { $0.moveSeconds = 1 }
        try await house.hall.rings(true)
        #expect(try await house.refer(Provider.address(of: house.hallAccount)) == 202)
        #expect(try await eventually { try await house.desk.fragments() == [100, 480] })
        #expect(try await eventually { try await house.hall.received(.cancel).count == 1 })
        #expect(try await eventually { try await house.isStill(on: house.deskAccount) })
        #expect(try await house.desk.received(.bye).isEmpty)
        try await house.stop()
    }

    @Test("Pulled and pushed in the same moment, by many requests at once: one moves it, once")
    func both() async throws {
        let house = try await Household.start()
        let replaces = try house.replaces()
        let target = Provider.address(of: house.hallAccount)
        async let taken = house.take(replaces).status
        let referred = try await withThrowingTaskGroup(of: SIPStatus?.self) { group in
            for _ in 1...10 { group.addTask { try await house.refer(target) } }
            return try await group.reduce(into: []) { $0.append($1) }
        }
        let answer = try await taken
        #expect(answer == 200 || answer == 488 || answer == 491)
        #expect(referred.allSatisfy { [202, 481, 491, 500].contains($0) }, "\(referred)")
        #expect(try await house.isOn(house.hallAccount))
        #expect(try await eventually { try await house.desk.received(.bye).count == 1 })
        #expect(try await eventually { try await house.heardByBob() == 41000 })
        let document = try await house.provider.service.session(house.alice.identity, house.session)
        #expect(document.pending.isEmpty && document.media.count == 1)
        #expect(try await house.bobs.received(.bye).isEmpty)
        try await house.stop()
    }
}

extension TestPhone {
    /// A request in the dialog of a call that this phone took.
    func reply(
        _ call: SIPMessage,
        _ method: SIPMethod,
        _ fill: @escaping @Sendable (inout SIPMessage) -> Void = { _ in }
    ) async throws -> SIPMessage {
        let target = try call.contacts().addresses.first?.uri.description ?? ""
        let acknowledgement = try #require(
            try await received(.ack).first { $0.text(.callID) == call.text(.callID) }
        )
        return try await ask(method, to: target, target: target) { request in
            request.set(.from, acknowledgement.text(.to) ?? "")
            request.set(.to, call.text(.from) ?? "")
            request.set(.callID, call.text(.callID) ?? "")
            fill(&request)
        }
    }
}
