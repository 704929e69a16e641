import ClientWire
import MessagingCore
import MessagingService
import SIP
import SessionCore
import Store
import Testing

@testable import SIPGateway

/// Calls that another dialog of the phone takes the place of.
@Suite("Calls that are replaced", .timeLimit(.minutes(3)))
struct ReplacedCallTests {
    @Test("Both called at once: the phone's own INVITE is the call, and what rang there is ended, however it answers")
    func crossed() async throws {
        let provider = try await Provider.start()
        let (alice, bob) = (try await provider.person("alice"), try await provider.person("bob"))
        let phone = try await TestPhone.make(try await provider.phone(of: alice), at: provider, .tcp)
        let bobs = try await TestPhone.make(try await provider.phone(of: bob), at: provider, .tcp)
        try await bobs.hears(at: 42000)
        for phone in [phone, bobs] { try await phone.register() }
        try await provider.isAble(alice, bob)
        try await phone.rings(true)
        // Its 200 crosses the CANCEL.
        try await phone.takesCancelledCalls()
        async let theirs = bobs.call("sip:alice@example.org")
        #expect(try await eventually { try await phone.received(.invite).count == 1 })
        let rung = try #require(try await phone.received(.invite).first)
        async let own = phone.call("sip:bob@example.org")
        #expect(
            try await eventually {
                let callIDs = try await phone.received(.bye).map { $0.text(.callID) }
                return callIDs.contains(rung.text(.callID))
            }
        )
        #expect(try await phone.received(.cancel).count == 1)
        #expect(try await phone.received(.ack).contains { $0.text(.callID) == rung.text(.callID) })
        #expect(try await own.status == 200)
        #expect(try await theirs.status == 200)
        for phone in [phone, bobs] { try await phone.close() }
        try await provider.stop()
    }

    @Test(
        "Proposed anew before the phone has said what became of an INVITE that was taken back: asked anew behind that"
    )
    func takenBack() async throws {
        let provider = try await Provider.start()
        let (alice, bob) = (try await provider.person("alice"), try await provider.person("bob"))
        var change = DeviceChange()
        change.capabilities = .everything
        change.capabilities?.features = ["text", "audio"]
        _ = try await provider.service.changeDevice(bob.identity, bob.identity.device, change)
        let account = try await provider.phone(of: alice)
        let phone = try await TestPhone.make(account, at: provider, .tcp)
        try await phone.register()
        try await provider.isAble(alice)
        let id = try await provider.ask(bob, alice)
        _ = try await provider.service.accept(alice.identity, id, AcceptRequest())
        try await phone.rings(true)
        try await phone.keepsCancelled(true)
        func propose() async throws -> MessageID {
            let revision = try await provider.service.session(bob.identity, id).revision
            var proposal = MediaRequest(id: provider.newID(), revision: revision, change: .add)
            proposal.kind = .audio
            _ = try await provider.service.propose(bob.identity, id, proposal)
            return proposal.id
        }
        let first = try await propose()
        #expect(try await eventually { try await phone.received(.invite).count == 1 })
        _ = try await provider.service.answer(alice.identity, id, first, MediaAnswer(accept: false))
        #expect(try await eventually { try await phone.received(.cancel).count == 1 })
        _ = try await propose()
        // What the phone says to the first is not its word on the second.
        try await provider.say("again", bob, id)
        try await phone.keepsCancelled(false)
        #expect(try await eventually { try await phone.received(.invite).count == 2 })
        try await phone.rings(false)
        #expect(try await eventually { try await provider.place(alice, id) == account.device.id })
        try await phone.close()
        try await provider.stop()
    }
}
