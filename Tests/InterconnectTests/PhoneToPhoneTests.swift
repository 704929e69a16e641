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
    @Test("ours calls theirs: each hears the other, and whoever hangs up, it is over", arguments: ["ours", "theirs"])
    func calls(hangsUp: String) async throws {
        let files = try await Authority.shared.certificate("b.example")
        let (port, _, home, door) = (try freePort(), try freePort(), try freePort(), try freePort())
        let back = try await Tunnel.outward(files, to: home, name: "a.example")
        let front = try await Tunnel.inward(files, to: port, proxy: back.port)
        let peer = Peer(
            domain: "b.example",
            route: Peer.Route(host: "127.0.0.1", port: front.port),
            keepsLanes: false
        )
        let access = SIPAccess(realm: "a.example", servers: ["127.0.0.1:\(door)"], allowsMD5: true)
        let a = try await Provider("a.example", port: home, peers: [peer], sip: access)
        let alice = try await a.person("alice")
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
        let running = Task { try await gateway.run() }
        let answer = try await a.service.addPhone(alice.who, PhoneRequest(label: "desk", cpim: nil))
        let ours = try await ForeignPhone(
            account: BaresipSettings.account(
                "\(answer.address)",
                user: answer.user,
                password: answer.password,
                port: door,
                transport: "tcp"
            ),
            tone: 440
        )
        _ = try await eventually("ours is registered") {
            try await a.service.devices(alice.who.account, asking: nil).devices.first {
                $0.device.id == answer.device.id && $0.isConnected
            }
        }
        let theirs = try await ForeignPhone("sip:bob@b.example", through: back.port, port: port, tone: 700)

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
        ours.end()
        theirs.end()
        running.cancel()
        _ = await running.result
        await a.stop()
        await front.close()
        await back.close()
    }
}
