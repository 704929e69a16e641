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

@testable import SIPGateway

/// What a phone may watch: the account's devices (RFC 3680) and its conversations (RFC 4235).
@Suite("SIP events", .timeLimit(.minutes(3)))
struct EventTests {
    @Test("A leg's name as a dialog leads back to it, and no other dialog's does")
    func sessionDialogs() throws {
        let session = SessionID(stored: "01a20bcd-bc4f-7d7b-815e-1e08d0d60f15")
        let name = SessionDialogID(session, .leg(Generation(rawValue: 7)))
        #expect(SessionDialogID(name.dialog) == name)
        let beside = SessionDialogID(session, .device(DeviceID(rawValue: 3)))
        #expect(SessionDialogID(beside.dialog) == beside)
        for other in [
            DialogID(callID: "\(session)", localTag: "leg7", remoteTag: "x"),
            DialogID(callID: "\(session)", localTag: "device", remoteTag: "continuo"),
            DialogID(callID: "\(session)", localTag: "leg", remoteTag: "continuo"),
            DialogID(callID: "\(session)", localTag: "leg+7", remoteTag: "continuo"),
            DialogID(callID: "\(session)", localTag: "leg99999999999", remoteTag: "continuo"),
            DialogID(callID: "a call", localTag: "leg7", remoteTag: "continuo"),
        ] { #expect(SessionDialogID(other) == nil) }
    }

    @Test("A device's address leads back to it, and no other address does")
    func deviceAddresses() throws {
        let account = SIPURI(user: "alice", host: "example.org")
        let uri = DeviceGRUU.uri(account, DeviceID(rawValue: 12))
        #expect(uri.description == "sip:alice@example.org;gr=urn:continuo:device:12")
        #expect(try URI(uri.description).sip.flatMap(DeviceGRUU.device) == DeviceID(rawValue: 12))
        for other in ["", ";gr", ";gr=urn:uuid:1", ";gr=urn:continuo:device:x", ";gr=urn:continuo:device:-1"] {
            let address = try #require(try URI("sip:alice@example.org\(other)").sip)
            #expect(DeviceGRUU.device(address) == nil)
        }
    }

    @Test("Own devices: registered or not, what each can do, and an address of each")
    func registrations() async throws {
        let provider = try await Provider.start {
            $0.eventPauseSeconds = 0
            $0.eventPollSeconds = 1
        }
        let alice = try await provider.person("alice")
        let phone = try await TestPhone.make(try await provider.phone(of: alice), at: provider, .tcp)
        try await phone.register(parameters: ";audio;mobility=\"fixed\"")
        #expect(try await phone.watch("reg").status == 200)
        func contacts() async throws -> [RegistrationInfo.Contact] {
            guard let last = try await phone.received(.notify).last else { return [] }
            #expect(last.text(.contentType) == "application/reginfo+xml")
            let document = try RegistrationInfo(parsing: Array(buffer: last.body))
            #expect(document.state == .full)
            let registration = try #require(document.registrations.first)
            #expect(document.registrations.count == 1 && registration.addressOfRecord == "sip:alice@example.org")
            return registration.contacts
        }
        #expect(try await eventually { try await contacts().map(\.isActive) == [true, true] })
        let laptop = try #require(try await contacts().first)
        #expect(laptop.displayName == "laptop")
        #expect(laptop.publicGRUU == "sip:alice@example.org;gr=urn:continuo:device:1")
        #expect(laptop.uri == laptop.publicGRUU)
        let desk = try #require(try await contacts().last)
        // What the phone says of itself is noted behind its registration.
        #expect(try await eventually { try await contacts().last?.parameters.contains { $0.name == "audio" } == true })
        #expect(desk.parameters.contains { $0.name == "mobility" && $0.value == "\"fixed\"" })
        #expect(desk.uri.hasPrefix("sip:phone@127.0.0.1"))

        // Another one is added, registers, and leaves again.
        let other = try await TestPhone.make(try await provider.phone(of: alice), at: provider, .tcp)
        #expect(try await eventually { try await contacts().map(\.isActive) == [true, true, false] })
        try await other.register(parameters: ";+sip.instance=\"<urn:uuid:1>\"")
        #expect(
            try await eventually {
                let last = try await contacts().last
                return last?.isActive == true && last?.publicGRUU == "sip:alice@example.org;gr=urn:uuid:1"
            }
        )
        try await other.register(expires: 0, parameters: ";+sip.instance=\"<urn:uuid:1>\"")
        #expect(try await eventually { try await contacts().last?.isActive == false })
        let versions = try await phone.received(.notify).map {
            try RegistrationInfo(parsing: Array(buffer: $0.body)).version
        }
        #expect(versions == Array(0..<UInt64(versions.count)))
        for phone in [phone, other] { try await phone.close() }
        try await provider.stop()
    }

    @Test("Conversations with their media and the device that holds each; over, they are gone")
    func dialogs() async throws {
        let provider = try await Provider.start { $0.eventPauseSeconds = 0 }
        let (alice, bob) = (try await provider.person("alice"), try await provider.person("bob"))
        for person in [alice, bob] {
            var change = DeviceChange()
            change.capabilities = .everything
            change.capabilities?.features = ["text", "audio"]
            _ = try await provider.service.changeDevice(person.identity, person.identity.device, change)
        }
        let phone = try await TestPhone.make(try await provider.phone(of: alice), at: provider, .tcp)
        try await phone.register()
        #expect(try await phone.watch("dialog").status == 200)
        func dialogs() async throws -> [DialogInfo.Dialog]? {
            guard let last = try await phone.received(.notify).last else { return nil }
            let document = try DialogInfo(parsing: Array(buffer: last.body))
            #expect(document.entity == "sip:alice@example.org")
            return document.dialogs
        }
        #expect(try await eventually { try await dialogs() == [] })

        let id = SessionID(stored: provider.newID().description)
        _ = try await provider.service.request(
            bob.identity,
            SessionRequest(id: id, to: [alice.address], subject: "Lunch?")
        )
        #expect(try await eventually { try await dialogs()?.first?.state == .early })
        #expect(try await dialogs()?.first?.direction == "recipient")
        _ = try await provider.service.accept(alice.identity, id, AcceptRequest())
        #expect(try await eventually { try await dialogs()?.first?.state == .confirmed })
        let held = try #require(try await dialogs()?.first)
        #expect(held.local?.target == "sip:alice@example.org;gr=urn:continuo:device:1")
        #expect(held.local?.targetParameters.map(\.name) == ["text"])
        #expect(held.remote?.identity == "sip:bob@example.org")
        let name = DialogID(
            callID: held.callID ?? "",
            localTag: held.localTag ?? "",
            remoteTag: held.remoteTag ?? ""
        )
        #expect(SessionDialogID(name)?.session == id)

        // A voice comes in, on the laptop.
        let voice = Self.voice(provider.newID())
        _ = try await provider.service.propose(bob.identity, id, voice)
        _ = try await provider.service.answer(alice.identity, id, voice.id, MediaAnswer(accept: true))
        #expect(
            try await eventually {
                try await dialogs()?.first?.local?.targetParameters.map(\.name).contains("audio") == true
            }
        )
        _ = try await provider.service.leave(bob.identity, id)
        #expect(try await eventually { try await dialogs() == [] })
        try await phone.close()
        try await provider.stop()
    }

    private static func voice(_ id: MessageID) -> MediaRequest {
        var request = MediaRequest(id: id, revision: 0, change: .add)
        request.kind = .audio
        return request
    }

    @Test("Only one's own account, only what there is, and only what one can read")
    func refusals() async throws {
        let provider = try await Provider.start()
        let (alice, bob) = (try await provider.person("alice"), try await provider.person("bob"))
        _ = try await provider.phone(of: alice)
        let phone = try await TestPhone.make(try await provider.phone(of: bob), at: provider, .tcp)
        try await phone.register()
        for package in ["reg", "dialog", "message-summary"] {
            #expect(try await phone.watch(package, of: "sip:alice@example.org").status == 403)
            #expect(try await phone.watch(package, of: "sip:nobody@example.org").status == 403)
        }
        #expect(try await phone.watch("presence").status == 489)
        #expect(try await phone.watch("dialog") { $0.set(.accept, "text/plain") }.status == 406)
        var statuses: [SIPStatus?] = []
        for _ in 1...8 { statuses.append(try await phone.watch("dialog").status) }
        #expect(statuses == [200, 200, 200, 200, 200, 200, 403, 403])
        try await phone.close()
        try await provider.stop()
    }

    @Test("A watch is renewed and ended in its dialog, and fetched without one")
    func ends() async throws {
        let provider = try await Provider.start()
        let alice = try await provider.person("alice")
        let phone = try await TestPhone.make(try await provider.phone(of: alice), at: provider, .tcp)
        try await phone.register()
        let answer = try await phone.watch("reg")
        #expect(try await eventually { try await phone.received(.notify).count == 1 })
        func again(_ expires: Int) async throws -> SIPStatus? {
            try await phone.watch("reg") { request in
                request.set(.to, answer.text(.to) ?? "")
                request.set(.callID, answer.text(.callID) ?? "")
                request.set(.expires, "\(expires)")
            }.status
        }
        #expect(try await again(300) == 200)
        #expect(try await eventually { try await phone.received(.notify).count == 2 })
        #expect(try await again(0) == 200)
        #expect(
            try await eventually {
                try await phone.received(.notify).last?.text(.subscriptionState)?.hasPrefix("terminated") == true
            }
        )
        #expect(try await again(300) == 481)
        #expect(try await phone.watch("reg") { $0.set(.expires, "0") }.status == 200)
        #expect(
            try await eventually {
                let last = try await phone.received(.notify).last
                return last?.text(.subscriptionState)?.hasPrefix("terminated") == true
                    && last?.body.readableBytes ?? 0 > 0
                    && last?.text(.callID) != answer.text(.callID)
            }
        )
        try await phone.close()
        try await provider.stop()
    }
}

extension TestPhone {
    /// Subscribes to something of an account, the own one unless told.
    func watch(
        _ package: String,
        of address: String = "",
        _ adjust: @escaping @Sendable (inout SIPMessage) -> Void = { _ in }
    ) async throws -> SIPMessage {
        let address = address.isEmpty ? ownAddress : address
        return try await ask(.subscribe, to: address, target: address) { request in
            request.append(.event, package)
            request.append(.expires, "600")
            adjust(&request)
        }
    }
}
