import ClientWire
import Foundation
import MessagingCore
import MessagingService
import SIP
import Testing
import XMLBodies

/// Phones that nobody here wrote write to each other and to people on other devices.
@Suite("Foreign phones", .serialized, .timeLimit(.minutes(4)))
struct InteropTests {
    @Test(
        "liblinphone: SHA-256, CPIM both ways, read there is read everywhere, and it learns what became of its own",
        .enabled(if: ForeignClient.hasLinphone, "liblinphone is not installed")
    )
    func linphone() async throws {
        let provider = try await Provider.start()
        let (alice, bob) = (try await provider.person("alice"), try await provider.person("bob"))
        let account = try await provider.phone(of: alice, cpim: true)
        let phone = try ForeignClient(.linphone, account, transport: "tcp", port: provider.port(.tcp))
        defer { phone.end() }
        #expect(try await phone.waits("registration") { $0.state == "ok" }, "\(phone.output)")

        // Its report that a message was shown comes compressed.
        try await provider.send("look at this", from: bob, to: alice, subject: "News", reports: [.displayed])
        #expect(try await phone.waits("message") { $0.text == "look at this" && $0.sender == "sip:bob@example.org" })
        #expect(try await provider.inbox(alice).first?.read != true)
        phone.read("look at this")
        #expect(try await eventually { try await provider.inbox(alice).first?.read == true }, "\(phone.output)")

        phone.type(to: "sip:bob@example.org")
        phone.send("an answer", to: "sip:bob@example.org")
        #expect(try await eventually { try await provider.texts(bob) == ["an answer"] })
        #expect(try await phone.waits("state") { $0.state == "delivered" })
        let item = try #require(try await provider.inbox(bob).first)
        _ = try await provider.service.markRead(bob.identity, ReadRequest(ids: [.init(item.id)]))
        #expect(try await phone.waits("state") { $0.state == "displayed" }, "\(phone.output)")
        // That somebody types is no message.
        #expect(try await provider.texts(bob) == ["an answer"])
        try await provider.stop()
    }

    @Test(
        "liblinphone watches the account's devices and conversations",
        .enabled(if: ForeignClient.hasLinphone, "liblinphone is not installed")
    )
    func linphoneWatches() async throws {
        let provider = try await Provider.start()
        let (alice, bob) = (try await provider.person("alice"), try await provider.person("bob"))
        let account = try await provider.phone(of: alice)
        let phone = try ForeignClient(.linphone, account, transport: "tcp", port: provider.port(.tcp))
        defer { phone.end() }
        #expect(try await phone.waits("registration") { $0.state == "ok" }, "\(phone.output)")
        phone.watch("reg")
        #expect(
            try await phone.waits("notify") { event in
                guard event.package == "reg", let body = event.body,
                    let document = try? RegistrationInfo(parsing: Array(body.utf8))
                else { return false }
                return document.registrations.first?.contacts.map(\.displayName) == ["laptop", "phone"]
            },
            "\(phone.output)"
        )
        phone.watch("dialog")
        #expect(try await phone.waits("notify") { $0.package == "dialog" })
        let request = SessionRequest(id: .init(stored: provider.newID().description), to: [bob.address])
        _ = try await provider.service.request(alice.identity, request)
        _ = try await provider.service.accept(bob.identity, request.id, AcceptRequest())
        #expect(
            try await phone.waits("notify") { event in
                guard event.package == "dialog", let body = event.body,
                    let dialog = (try? DialogInfo(parsing: Array(body.utf8)))?.dialogs.first
                else { return false }
                return dialog.state == .confirmed && dialog.callID == "\(request.id)"
            },
            "\(phone.output)"
        )
        try await provider.stop()
    }

    @Test(
        "PJSIP: SHA-256 over TCP and UDP, MESSAGE both ways, and that it types is no message",
        .enabled(if: ForeignClient.pjsipPython != nil, "pjsua2 is not installed"),
        arguments: ["tcp", "udp"]
    )
    func pjsip(transport: String) async throws {
        let provider = try await Provider.start()
        let (alice, bob) = (try await provider.person("alice"), try await provider.person("bob"))
        let account = try await provider.phone(of: alice)
        let port = provider.port(transport == "tcp" ? .tcp : .udp)
        try await provider.send("this waited", from: bob, to: alice)
        let phone = try ForeignClient(.pjsip, account, transport: transport, port: port)
        defer { phone.end() }
        #expect(try await phone.waits("registration") { $0.state == "ok" }, "\(phone.output)")
        #expect(try await phone.waits("message") { $0.text == "this waited" })
        phone.type(to: "sip:bob@example.org")
        phone.send("from the desk", to: "sip:bob@example.org")
        #expect(try await phone.waits("sent") { $0.status == 202 && $0.text == "from the desk" }, "\(phone.output)")
        #expect(try await provider.texts(bob) == ["from the desk"])
        phone.send("to nobody", to: "sip:nobody@example.org")
        #expect(try await phone.waits("sent") { $0.status == 404 })
        try await provider.send("and this is new", from: bob, to: alice)
        #expect(try await phone.waits("message") { $0.text == "and this is new" })
        #expect(phone.events.filter { $0.event == "message" }.count == 2)
        try await provider.stop()
    }

    @Test(
        "liblinphone and PJSIP write to each other",
        .enabled(if: ForeignClient.hasLinphone && ForeignClient.pjsipPython != nil, "liblinphone or pjsua2 is missing")
    )
    func each() async throws {
        let provider = try await Provider.start()
        let (alice, bob) = (try await provider.person("alice"), try await provider.person("bob"))
        let (first, second) = (try await provider.phone(of: alice), try await provider.phone(of: bob))
        let linphone = try ForeignClient(.linphone, first, transport: "tcp", port: provider.port(.tcp))
        defer { linphone.end() }
        let pjsip = try ForeignClient(.pjsip, second, transport: "udp", port: provider.port(.udp))
        defer { pjsip.end() }
        for phone in [linphone, pjsip] { #expect(try await phone.waits("registration") { $0.state == "ok" }) }
        linphone.send("in CPIM", to: "sip:bob@example.org")
        #expect(try await pjsip.waits("message") { $0.text == "in CPIM" }, "\(pjsip.output)")
        pjsip.send("in plain text", to: "sip:alice@example.org")
        #expect(try await linphone.waits("message") { $0.text == "in plain text" }, "\(linphone.output)")
        try await provider.stop()
    }
}
