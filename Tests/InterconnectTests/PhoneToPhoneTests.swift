import ClientWire
import Foundation
import Interconnect
import Logging
import MessagingCore
import MessagingService
import NIOPosix
import PhonePrograms
import SIP
import SIPGateway
import SessionCore
import Store
import Testing

/// Two telephones that know nothing of each other's provider.
@Suite(
    "A phone of ours and one of another provider",
    .serialized,
    .enabled(if: ForeignPhone.isInstalled),
    .timeLimit(.minutes(4))
)
struct PhoneToPhoneTests {
    /// Our provider with telephones, and a telephone of another one.
    struct Providers {
        let a: Provider
        let running: Task<Void, any Error>
        let theirs: ForeignPhone
        private let door: Int
        private let tunnels: [Tunnel]

        init() async throws {
            let files = try await Authority.shared.certificate("b.example")
            let (port, _, home) = (try freePort(), try freePort(), try freePort())
            let door = try freePort()
            // The proxy of their telephones, which stays in the way of their calls: they know no way to our server.
            let back = try await Tunnel.outward(files, to: home, name: "a.example", isProxy: true)
            let front = try await Tunnel.inward(files, to: port, proxy: back.port)
            let peer = Peer(
                domain: "b.example",
                route: Peer.Route(host: "127.0.0.1", port: front.port),
                keepsLanes: false
            )
            let access = SIPAccess(realm: "a.example", servers: ["127.0.0.1:\(door)"], allowsMD5: true)
            a = try await Provider("a.example", port: home, peers: [peer], sip: access)
            var logger = Logger(label: "phones")
            logger.logLevel = .critical
            let gateway = SIPGateway(
                service: a.service,
                configuration: SIPGatewayConfiguration(
                    doors: [.init(.tcp, host: "127.0.0.1", port: door, algorithms: [.md5])],
                    realm: "a.example"
                ),
                group: MultiThreadedEventLoopGroup.singleton,
                logger: logger
            )
            running = Task { try await gateway.run() }
            self.door = door
            tunnels = [front, back]
            theirs = try await ForeignPhone("sip:bob@b.example", through: back.port, port: port, tone: 700)
        }

        /// A telephone of ours, registered.
        func phone(of person: Person, tone: Int) async throws -> ForeignPhone {
            let answer = try await a.service.addPhone(person.who, PhoneRequest(label: "desk", cpim: nil))
            let phone = try await ForeignPhone(
                account: BaresipSettings.account(
                    "\(answer.address)",
                    user: answer.user,
                    password: answer.password,
                    port: door,
                    transport: "tcp"
                ),
                tone: tone
            )
            _ = try await eventually("a phone of ours is registered") {
                try await a.service.devices(person.who.account, asking: nil).devices.first {
                    $0.device.id == answer.device.id && $0.isConnected
                }
            }
            return phone
        }

        func end(_ phones: [ForeignPhone]) async {
            for phone in phones + [theirs] { phone.end() }
            running.cancel()
            _ = await running.result
            await a.stop()
            for tunnel in tunnels { await tunnel.close() }
        }
    }

    @Test("ours calls theirs: each hears the other, and whoever hangs up, it is over", arguments: ["ours", "theirs"])
    func calls(hangsUp: String) async throws {
        let both = try await Providers()
        let (a, theirs) = (both.a, both.theirs)
        let alice = try await a.person("alice")
        let ours = try await both.phone(of: alice, tone: 440)

        try await ours.command("dial", "sip:bob@b.example")
        try await theirs.sees("CALL_INCOMING")
        try await theirs.command("accept")
        try await theirs.sees("CALL_ESTABLISHED")
        try await ours.sees("CALL_ESTABLISHED")
        try await theirs.hears(440)
        try await ours.hears(700)
        let (leaver, other) = hangsUp == "ours" ? (ours, theirs) : (theirs, ours)
        try await leaver.command("hangup")
        try await other.sees("CALL_CLOSED")
        _ = try await eventually("it is over") {
            try await a.service.sessions(alice.who).sessions.allSatisfy { $0.state == .over } ? true : nil
        }
        await both.end([ours])
    }

    @Test(
        "ours hands its call on to theirs, by REFER: the other one of ours and theirs hear each other",
        arguments: ["the caller", "the called"]
    )
    func handsOn(who: String) async throws {
        let both = try await Providers()
        let (a, theirs) = (both.a, both.theirs)
        let (alice, anna) = (try await a.person("alice"), try await a.person("anna"))
        let (alices, annas) = (try await both.phone(of: alice, tone: 440), try await both.phone(of: anna, tone: 550))
        let (caller, called) = who == "the caller" ? (alices, annas) : (annas, alices)
        try await caller.command("dial", who == "the caller" ? "sip:anna@a.example" : "sip:alice@a.example")
        try await called.sees("CALL_INCOMING")
        try await called.command("accept")
        try await caller.sees("CALL_ESTABLISHED")
        try await annas.hears(440)

        try await alices.command("transfer", "sip:bob@b.example")
        try await theirs.sees("CALL_INCOMING")
        try await theirs.command("accept")
        try await alices.sees("CALL_CLOSED")
        try await theirs.hears(550)
        try await annas.hears(700)
        let open = try await eventually("two are in it") {
            try await a.service.sessions(anna.who).sessions.first { $0.participants.count == 2 }
        }
        #expect(Set(open.participants) == [anna.address, RawPeerTests.bob])
        try await theirs.command("hangup")
        try await annas.sees("CALL_CLOSED")
        await both.end([alices, annas])
    }

    @Test("theirs hands its call on to another one of ours, by REFER: these two hear each other")
    func isHandedOn() async throws {
        let both = try await Providers()
        let (a, theirs) = (both.a, both.theirs)
        let (alice, anna) = (try await a.person("alice"), try await a.person("anna"))
        let (alices, annas) = (try await both.phone(of: alice, tone: 440), try await both.phone(of: anna, tone: 550))
        try await alices.command("dial", "sip:bob@b.example")
        try await theirs.sees("CALL_INCOMING")
        try await theirs.command("accept")
        try await theirs.hears(440)
        try await theirs.command("transfer", "sip:anna@a.example")
        try await annas.sees("CALL_INCOMING")
        try await annas.command("accept")
        try await theirs.sees("CALL_CLOSED")
        try await annas.hears(440)
        try await alices.hears(550)
        try await annas.command("hangup")
        try await alices.sees("CALL_CLOSED")
        await both.end([alices, annas])
    }

    @Test(
        "ours hands a call on that theirs has made, to another one of ours: theirs calls that one itself, and the first call ends"
    )
    func handsBack() async throws {
        let both = try await Providers()
        let theirs = both.theirs
        let (alices, annas, _) = try await Self.talk(both)
        try await annas.command("accept")
        try await alices.sees("CALL_CLOSED")
        try await theirs.hears(550)
        try await annas.hears(700)
        try await annas.command("hangup")
        _ = try await eventually("both calls are over") { theirs.count("CALL_CLOSED") == 2 ? true : nil }
        await both.end([alices, annas])
    }

    @Test("ours hands a call on that theirs has made, to one who declines: that is what ours hears of it")
    func handsBackInVain() async throws {
        let both = try await Providers()
        let (alices, annas, anna) = try await Self.talk(both)
        let id = try await eventually("she is asked") {
            try await both.a.service.sessions(anna.who).sessions.first { $0.state == .alerting }?.id
        }
        _ = try await both.a.service.leave(anna.who, id)
        try await alices.sees("TRANSFER_FAILED")
        #expect(alices.told.contains("603 Decline"))
        await both.end([alices, annas])
    }

    @Test("ours talks to theirs, and a third one comes to it: these two go on, and nobody is hung up on")
    func visited() async throws {
        let both = try await Providers()
        let (a, theirs) = (both.a, both.theirs)
        let (alice, anna) = (try await a.person("alice"), try await a.person("anna"))
        let alices = try await both.phone(of: alice, tone: 440)
        let device = MediaDevice(anna, at: a)
        try await alices.command("dial", "sip:bob@b.example")
        try await theirs.sees("CALL_INCOMING")
        try await theirs.command("accept")
        try await theirs.hears(440)
        let id = try #require(try await a.service.sessions(alice.who).sessions.first { $0.state == .open }?.id)
        _ = try await a.service.invite(alice.who, id, anna.address)
        _ = try await a.session(anna, id, "ringing") { $0.state == .alerting }
        _ = try await a.service.accept(anna.who, id, AcceptRequest(media: [.audio]))
        _ = try await a.session(anna, id, "three have it") { $0.media.first?.placements.count == 3 }
        try await TransferTests.isTold(device)
        let open = try await a.session(anna, id, "two have it") {
            TransferTests.isOn([alice.address, RawPeerTests.bob], $0)
        }
        #expect(open.state == .open && open.participants.count == 3)
        try await theirs.hears(440)
        try await alices.hears(700)
        #expect(theirs.count("CALL_CLOSED") == 0 && alices.count("CALL_CLOSED") == 0)
        try await theirs.command("hangup")
        try await alices.sees("CALL_CLOSED")
        await device.close()
        await both.end([alices])
    }

    /// Theirs has called Alice's and hears her, and she hands that on to Anna's, which rings.
    private static func talk(
        _ both: Providers
    ) async throws -> (
        alices: ForeignPhone, annas: ForeignPhone, anna: Person
    ) {
        let (a, theirs) = (both.a, both.theirs)
        let (alice, anna) = (try await a.person("alice"), try await a.person("anna"))
        let (alices, annas) = (try await both.phone(of: alice, tone: 440), try await both.phone(of: anna, tone: 550))
        try await theirs.command("dial", "sip:alice@a.example")
        try await alices.sees("CALL_INCOMING")
        try await alices.command("accept")
        try await theirs.hears(440)
        try await alices.command("transfer", "sip:anna@a.example")
        try await annas.sees("CALL_INCOMING")
        return (alices, annas, anna)
    }
}
