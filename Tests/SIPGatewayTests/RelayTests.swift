import Foundation
import Logging
import MediaSignalling
import MessagingCore
import NIOCore
import NIOPosix
import SDP
import SessionCore
import Testing

@testable import MediaRelaying
@testable import SIPGateway

@Suite("What a media relay is told")
struct RelayTests {
    static let plain = """
        v=0\r
        o=phone 7 1 IN IP4 127.0.0.1\r
        s=-\r
        c=IN IP4 127.0.0.1\r
        t=0 0\r
        m=audio 40000 RTP/AVP 0 8\r
        a=rtpmap:0 PCMU/8000\r
        a=mid:m1\r
        a=sendrecv\r

        """

    static func description(_ text: String) throws -> SessionDescription {
        try SessionDescription(parsing: Array(text.utf8))
    }

    static func payload(_ kind: MediaPayload.Kind, _ description: SessionDescription) -> MediaPayload {
        .description(kind, description, names: kind == .offer ? ["m1": MediumID(rawValue: 1)] : [:])
    }

    // MARK: Bencode

    @Test("Values are printed in one way and read back")
    func roundTrip() {
        let value = Bencode.dictionary([
            "sdp": .text("v=0\r\n"), "command": .text("offer"), "n": .integer(-7),
            "rtcp-mux": .list([.text("demux"), .list([]), .dictionary([:])]),
        ])
        let octets = value.octets
        #expect(
            String(decoding: octets, as: UTF8.self)
                == "d7:command5:offer1:ni-7e8:rtcp-muxl5:demuxlede" + "e3:sdp5:v=0\r\ne"
        )
        #expect(Bencode(octets[...]) == value)
        #expect(Bencode(octets[...])?["command"]?.string == "offer")
    }

    @Test(
        "What is no value, or not one alone, is not read",
        arguments: [
            "", "d", "de1", "i7", "ie", "i7x", "5:four", "-1:x", "9223372036854775807:x", "99999999999999999999:x", "l",
            "li1e", "di1ei2ee", "d1:ae", "1", ":", "lllllllll", "lllllllllleeeeeeeeee",
        ]
    )
    func hostile(text: String) {
        #expect(Bencode(Array(text.utf8)[...]) == nil)
    }

    // MARK: Commands

    @Test("An offer of a phone becomes a browser's; a browser's becomes plain, and the relay waits for its keys")
    func commands() throws {
        let description = try Self.description(Self.plain)
        let toBrowser = RelayCommand(call: "c", work: .offer(from: .phone, description)).request
        #expect(toBrowser["command"]?.string == "offer")
        #expect(toBrowser["from-tag"]?.string == "phone")
        #expect(toBrowser["to-tag"] == nil)
        #expect(toBrowser["ICE"]?.string == "force")
        #expect(toBrowser["transport-protocol"]?.string == "UDP/TLS/RTP/SAVPF")
        let toPhone = RelayCommand(call: "c", work: .offer(from: .browser, description)).request
        #expect(toPhone["ICE"]?.string == "remove")
        #expect(toPhone["transport-protocol"]?.string == "RTP/AVP")
        #expect(toPhone["DTLS-reverse"]?.string == "passive")
        let answer = RelayCommand(call: "c", work: .answer(from: .phone, description)).request
        #expect(answer["from-tag"]?.string == "browser")
        #expect(answer["to-tag"]?.string == "phone")
        #expect(answer["ICE"]?.string == "force")
        #expect(RelayCommand(call: "c", work: .delete).request["command"]?.string == "delete")
    }

    // MARK: The bridge

    @Test("One thing is asked at a time, in order; what is said again is not asked again")
    func bridge() throws {
        let offer = Self.payload(.offer, try Self.description(Self.plain))
        let other = try Self.description(Self.plain.replacing("40000", with: "41000"))
        let answer = Self.payload(.answer, other)
        var bridge = MediaBridge(call: "c")
        let asked = bridge.take(offer, from: .phone)
        #expect(asked == [.ask(RelayCommand(call: "c", work: .offer(from: .phone, try Self.description(Self.plain))))])
        #expect(bridge.take(offer, from: .phone) == [])
        #expect(bridge.take(answer, from: .browser) == [])
        let passed = Self.payload(.offer, other)
        #expect(
            bridge.relayed(other)
                == [
                    .pass(passed, to: .browser),
                    .ask(RelayCommand(call: "c", work: .answer(from: .browser, other))),
                ]
        )
        #expect(bridge.relayed(other) == [.pass(Self.payload(.answer, other), to: .phone)])
        // The first answer was lost: the same words pass at once.
        #expect(bridge.take(offer, from: .phone) == [.pass(passed, to: .browser)])
        #expect(bridge.take(.ask, from: .browser) == [.pass(.ask, to: .phone)])
        #expect(bridge.relayed(other) == [])
    }

    @Test("The same answer to another offer is asked of the relay anew: it keeps what belongs together")
    func answeredAlike() throws {
        let first = try Self.description(Self.plain)
        let second = try Self.description(Self.plain.replacing("40000", with: "42000"))
        let other = try Self.description(Self.plain.replacing("40000", with: "41000"))
        let answer = Self.payload(.answer, other)
        var bridge = MediaBridge(call: "c")
        for offer in [first, second] {
            _ = bridge.take(Self.payload(.offer, offer), from: .phone)
            _ = bridge.relayed(other)
            #expect(
                bridge.take(answer, from: .browser)
                    == [.ask(RelayCommand(call: "c", work: .answer(from: .browser, other)))]
            )
            _ = bridge.relayed(other)
        }
    }

    @Test("Words that wait are few")
    func limit() throws {
        var bridge = MediaBridge(call: "c")
        for port in 40000..<40100 {
            let offer = Self.payload(.offer, try Self.description(Self.plain.replacing("40000", with: "\(port)")))
            #expect(bridge.take(offer, from: .browser).count == (port == 40000 ? 1 : 0))
        }
        var passed = 0
        while case .pass? = bridge.relayed(try Self.description(Self.plain)).first { passed += 1 }
        #expect(passed == 1 + MediaBridge.waitingMaximum)
    }

    @Test("What is not protected, and what is")
    func protection() throws {
        #expect(try !Self.description(Self.plain).isProtected)
        #expect(try Self.description(Self.plain.replacing("RTP/AVP", with: "UDP/TLS/RTP/SAVPF")).isProtected)
    }

    // MARK: The real thing

    @Test(
        "rtpengine makes of a phone's offer one with keys and ICE, and refuses what it knows nothing of",
        .enabled(if: MediaRelayProgram.isInstalled, "rtpengine is not installed"),
        .timeLimit(.minutes(1))
    )
    func rtpengine() async throws {
        let program = try await MediaRelayProgram.start()
        defer { program.end() }
        let relay = try await ConnectedRelay(port: program.port)
        let description = try Self.description(Self.plain)
        var offered: SessionDescription?
        // It may still be starting.
        for _ in 0..<10 where offered == nil {
            offered = try? await relay.ask(RelayCommand(call: "c1", work: .offer(from: .phone, description)))
        }
        let media = try #require(offered?.media.first)
        #expect(media.proto == "UDP/TLS/RTP/SAVPF")
        #expect(media.port != 40000)
        #expect(media.mediaID == "m1")
        let names = Set(media.attributes.map(\.name))
        #expect(names.isSuperset(of: ["ice-ufrag", "ice-pwd", "candidate", "fingerprint", "setup"]))
        #expect(offered?.origin?.sessionID == "7")
        // As long as a browser's of voice and video: the answer to it does not fit into an ordinary datagram.
        let notes = (0..<60).map { "a=note:\($0) \(String(repeating: "x", count: 90))\r\n" }.joined()
        let long = try Self.description(Self.plain + notes)
        let answered = try await relay.ask(RelayCommand(call: "c2", work: .offer(from: .phone, long)))
        #expect(answered?.media.first?.attributes.count { $0.name == "note" } == 60)
        await #expect(throws: MediaRelay.Failure.self) {
            try await relay.ask(RelayCommand(call: "unknown", work: .answer(from: .browser, description)))
        }
        _ = try await relay.ask(RelayCommand(call: "c1", work: .delete))
        try await relay.close()
    }

    @Test("A relay that is not there is found out in time")
    func silent() async throws {
        let socket = try await DatagramBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .bind(host: "127.0.0.1", port: 0).get()
        let relay = try await ConnectedRelay(port: try #require(socket.localAddress?.port))
        await #expect(throws: MediaRelay.Failure.silent) {
            try await relay.ask(RelayCommand(call: "c", work: .delete))
        }
        try await relay.close()
        try await socket.close()
    }
}

/// A relay's client on a loop of its own.
private struct ConnectedRelay {
    private let loop = MultiThreadedEventLoopGroup.singleton.next()
    private let relay: MediaRelay

    init(port: Int) async throws {
        let address = try SocketAddress(ipAddress: "127.0.0.1", port: port)
        let relay = MediaRelay(eventLoop: loop, address: address, logger: Logger(label: "test"))
        self.relay = relay
        try await loop.flatSubmit { relay.open() }.get()
    }

    @discardableResult
    func ask(_ command: RelayCommand) async throws -> SessionDescription? {
        let (loop, relay) = (loop, relay)
        return try await loop.flatSubmit {
            let promise = loop.makePromise(of: SessionDescription?.self)
            relay.ask(command) { promise.completeWith($0.mapError { $0 }) }
            return promise.futureResult
        }.get()
    }

    func close() async throws {
        let relay = relay
        try await loop.submit { relay.close() }.get()
    }
}

/// rtpengine without its kernel module, on loopback.
private struct MediaRelayProgram {
    static let path = "/usr/bin/rtpengine"
    static var isInstalled: Bool { FileManager.default.isExecutableFile(atPath: path) }

    let port: Int
    private let process: Process

    static func start() async throws -> MediaRelayProgram {
        let socket = try await DatagramBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .bind(host: "127.0.0.1", port: 0).get()
        let port = socket.localAddress?.port ?? 0
        try await socket.close()
        let process = Process()
        process.executableURL = URL(fileURLWithPath: path)
        process.arguments = [
            "--config-file=none", "--foreground", "--log-stderr", "--table=-1", "--interface=127.0.0.1",
            "--listen-ng=127.0.0.1:\(port)", "--port-min=42000", "--port-max=42999",
        ]
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        try process.run()
        return MediaRelayProgram(port: port, process: process)
    }

    func end() {
        process.terminate()
        process.waitUntilExit()
    }
}
