import ClientWire
import Foundation
import MessagingCore
import MessagingService
import NIOCore
import NIOPosix
import SIP
import SessionCore
import Store
import Testing

/// Phones that do what is allowed and seldom done, played by SIPp.
@Suite(
    "Hard cases of calls, by SIPp",
    .enabled(if: SIPp.path != nil, "SIPp is not installed"),
    .serialized,
    .timeLimit(.minutes(4))
)
struct HardCallTests {
    /// Alice has SIPp, Bob a phone that answers.
    private struct Line {
        let provider: Provider
        let (alice, bob): (Person, Person)
        let account: PhoneAnswer
        let bobs: TestPhone
        let port: Int

        static func start(as kind: String = "phone") async throws -> Line {
            let provider = try await Provider.start(algorithms: [.md5])
            let (alice, bob) = (try await provider.person("alice"), try await provider.person("bob"))
            let account = try await provider.phone(of: alice)
            let bobs = try await TestPhone.make(try await provider.phone(of: bob), at: provider, .tcp)
            try await bobs.hears(at: 42000)
            try await bobs.register()
            let line = Line(
                provider: provider,
                alice: alice,
                bob: bob,
                account: account,
                bobs: bobs,
                port: try await Self.freePort()
            )
            let registered = try await line.play(kind, uri: "example.org")
            #expect(registered.status == 0, "\(registered.log)")
            #expect(
                try await eventually {
                    for (person, phone) in [(alice, account.device.id), (bob, nil)] {
                        let devices = try await provider.service.devices(person.identity.account, asking: nil).devices
                        let phones = devices.filter { $0.device.capabilities.features.contains("sip") }
                        let isThere = phones.allSatisfy { $0.isRegistered && $0.isConnected }
                        guard isThere, phone == nil || phones.contains(where: { $0.device.id == phone }) else {
                            return false
                        }
                    }
                    return true
                }
            )
            return line
        }

        private static func freePort() async throws -> Int {
            let socket = try await DatagramBootstrap(group: MultiThreadedEventLoopGroup.singleton)
                .bind(host: "127.0.0.1", port: 0).get()
            let port = socket.localAddress?.port ?? 0
            try await socket.close()
            return port
        }

        func play(_ scenario: String, uri: String = "bob@example.org") async throws -> (status: Int32, log: String) {
            try await SIPp.run(scenario, account, uri: uri, "u1", port: provider.port(.udp), from: port)
        }

        func stop() async throws {
            try await bobs.close()
            try await provider.stop()
        }
    }

    @Test(
        "A phone that calls: unknown extensions, a late ACK, session timers of its own, and a BYE before the answer",
        arguments: ["calls-require", "calls-unacknowledged", "calls-refresh", "calls-early-bye"]
    )
    func calls(scenario: String) async throws {
        let line = try await Line.start()
        if scenario == "calls-early-bye" { try await line.bobs.rings(true) }
        let played = try await line.play(scenario)
        #expect(played.status == 0, "\(played.log)")
        // Nothing of it is left.
        #expect(
            try await eventually {
                try await line.provider.service.sessions(line.alice.identity).sessions.allSatisfy { $0.media.isEmpty }
            }
        )
        try await line.stop()
    }

    @Test(
        "A phone that is called: its 200 crosses the CANCEL, it sends us elsewhere, or it wants PRACK",
        arguments: ["called-late", "called-moved", "called-reliable", "called-progress"]
    )
    func called(scenario: String) async throws {
        let line = try await Line.start()
        async let playing = line.play(scenario)
        var request = SessionRequest(
            id: try SessionID(line.provider.newID().description),
            to: [line.alice.address],
            media: [.audio]
        )
        request.from = line.bob.address
        let asking = try await line.provider.service.request(line.bob.identity, request)
        if scenario == "called-late" {
            #expect(
                try await eventually {
                    try await line.provider.service.session(line.alice.identity, asking.id).state == .alerting
                }
            )
            try await Task.sleep(for: .milliseconds(500))
            _ = try await line.provider.service.accept(line.alice.identity, asking.id, AcceptRequest())
        }
        if scenario == "called-progress" {
            #expect(
                try await eventually {
                    try await line.provider.service.session(line.alice.identity, asking.id).state == .open
                }
            )
            _ = try await line.provider.service.leave(line.bob.identity, asking.id)
        }
        let played = try await playing
        #expect(played.status == 0, "\(played.log)")
        #expect(
            try await eventually {
                let document = try await line.provider.service.session(line.alice.identity, asking.id)
                switch scenario {
                case "called-late": return document.legs.map(\.device) == [line.alice.identity.device]
                case "called-progress": return document.state == .over
                // The laptop rings on.
                default: return document.request?.alerting == [line.alice.identity.device]
                }
            }
        )
        try await line.stop()
    }

    @Test("Asked by an offer of texts over MSRP, SIPp takes it and is in the conversation, without ever connecting")
    func texts() async throws {
        let line = try await Line.start(as: "phone-texts")
        async let playing = line.play("called-texts")
        let id = try await line.provider.ask(line.bob, line.alice)
        #expect(
            try await eventually {
                try await line.provider.leg(of: line.account, line.alice, id)?.state == .live
            }
        )
        _ = try await line.provider.service.leave(line.bob.identity, id)
        let played = try await playing
        #expect(played.status == 0, "\(played.log)")
        try await line.stop()
    }
}
