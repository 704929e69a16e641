import Foundation
import NIOCore
import NIOPosix
import SIP
import SIPTransport
import Testing

/// A real DNS server on loopback.
final class Dnsmasq: @unchecked Sendable {
    let address: SocketAddress
    private let process: Process

    static let path = Program.find("dnsmasq")

    init(_ path: String, options: [String]) throws {
        let port = 20_000 + Int(ProcessInfo.processInfo.processIdentifier) % 20_000
        self.address = try SocketAddress(ipAddress: "127.0.0.1", port: port)
        let process = Process()
        process.executableURL = URL(fileURLWithPath: path)
        process.arguments =
            [
                "--keep-in-foreground", "--conf-file=/dev/null", "--no-resolv", "--no-hosts", "--bind-interfaces",
                "--listen-address=127.0.0.1", "--port=\(port)", "--pid-file=", "--user=\(NSUserName())",
                "--local=/test/",
            ] + options
        process.standardError = FileHandle.nullDevice
        try process.run()
        self.process = process
    }

    func stop() { Program.kill(self.process) }
}

@Suite("Resolution by a real DNS server", .enabled(if: Dnsmasq.path != nil), .serialized, .timeLimit(.minutes(5)))
struct DNSTests {
    static let options =
        [
            "--host-record=a.example.test,192.0.2.1", "--host-record=b.example.test,192.0.2.2,2001:db8::2",
            "--host-record=plain.test,192.0.2.9", "--host-record=kept.test,192.0.2.10,2",
            "--cname=alias.test,plain.test",
            "--srv-host=_sip._tcp.example.test,a.example.test,5070,10,5",
            "--srv-host=_sip._tcp.example.test,b.example.test,5071,20,5",
            "--srv-host=_sip._udp.example.test,a.example.test,5060,0,0",
            "--srv-host=_sips._tcp.example.test,b.example.test,5061,0,0",
            "--naptr-record=example.test,20,50,s,SIP+D2U,,_sip._udp.example.test",
            "--naptr-record=example.test,10,50,s,SIP+D2T,,_sip._tcp.example.test",
            "--naptr-record=example.test,15,50,s,SIPS+D2T,,_sips._tcp.example.test",
        ] + (0..<60).map { "--host-record=many.test,198.51.100.\($0 + 1)" }

    static func withResolver(_ body: (DNSResolver, any EventLoop, Dnsmasq) async throws -> Void) async throws {
        let server = try Dnsmasq(try #require(Dnsmasq.path), options: Self.options)
        defer { server.stop() }
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        let client = DNSClient(
            group: loop,
            configuration: .init(servers: [server.address], timeout: .milliseconds(500), attempts: 6)
        )
        for _ in 0..<50 {
            if (try? await client.query("plain.test", .a, on: loop).get()) != nil { break }
            try await Task.sleep(for: .milliseconds(50))
        }
        try await body(DNSResolver(client: client), loop, server)
    }

    @Test("NAPTR, SRV and addresses, in the order of RFC 3263; aliases; names that do not exist; cut answers over TCP")
    func resolution() async throws {
        try await Self.withResolver { (resolver, loop, server) async throws in
            func resolve(_ text: String, _ supported: [SIPTransportKind] = [.tls, .tcp, .udp]) async throws -> [String]
            {
                let uri = try #require(try URI(text).sip)
                let found = try await resolver.resolve(uri, supported: supported, on: loop).get()
                return found.map { "\($0.transport.rawValue) \($0.address.ipAddress ?? "") \($0.address.port ?? 0)" }
            }
            #expect(
                try await resolve("sip:x@example.test")
                    == [
                        "TCP 192.0.2.1 5070", "TCP 2001:db8:0:0:0:0:0:2 5071", "TCP 192.0.2.2 5071",
                        "TLS 2001:db8:0:0:0:0:0:2 5061", "TLS 192.0.2.2 5061", "UDP 192.0.2.1 5060",
                    ].map { $0.replacing("2001:db8:0:0:0:0:0:2", with: "2001:db8::2") }
            )
            #expect(try await resolve("sip:x@example.test", [.udp]) == ["UDP 192.0.2.1 5060"])
            #expect(try await resolve("sips:x@example.test").allSatisfy { $0.hasPrefix("TLS") })
            #expect(try await resolve("sip:x@example.test;transport=udp") == ["UDP 192.0.2.1 5060"])
            #expect(try await resolve("sip:x@a.example.test:5099") == ["UDP 192.0.2.1 5099"])
            #expect(try await resolve("sip:x@plain.test") == ["UDP 192.0.2.9 5060"])
            #expect(try await resolve("sip:x@alias.test;transport=tcp") == ["TCP 192.0.2.9 5060"])
            #expect(try await resolve("sip:x@192.0.2.77;transport=tcp") == ["TCP 192.0.2.77 5060"])
            #expect(try await resolve("sip:x@[2001:db8::7]:5090") == ["UDP 2001:db8::7 5090"])
            #expect(try await resolve("sip:x@localhost:9") == ["UDP 127.0.0.1 9"])
            await #expect(throws: DNSError(.notFound, "")) { _ = try await resolve("sip:x@missing.test") }
            let unknown = "sip:x@example.test;transport=sctp"
            await #expect(throws: DNSError(.notFound, "")) { _ = try await resolve(unknown) }
            let client = DNSClient(group: loop, configuration: .init(servers: [server.address]))
            #expect(try await client.query("many.test", .a, on: loop).get().count == 60)
        }
    }

    @Test("An answer is kept for the time that it says, and no longer")
    func kept() async throws {
        try await Self.withResolver { _, loop, server in
            let client = DNSClient(
                group: loop,
                configuration: .init(servers: [server.address], timeout: .milliseconds(200), attempts: 1)
            )
            let found = try await client.query("kept.test", .a, on: loop).get()
            #expect(found.map(\.data) == [.address([192, 0, 2, 10])])
            server.stop()
            #expect(try await client.query("KEPT.test", .a, on: loop).get() == found)
            await #expect(throws: DNSError.self) { try await client.query("plain.test", .a, on: loop).get() }
            try await Task.sleep(for: .milliseconds(2100))
            await #expect(throws: DNSError.self) { try await client.query("kept.test", .a, on: loop).get() }
        }
    }

    @Test("A server that is silent is given up, and the next one is asked")
    func fallback() async throws {
        try await Self.withResolver { (_, loop, server) async throws in
            let silent = try await DatagramBootstrap(group: loop).bind(host: "127.0.0.1", port: 0).get()
            let place = try #require(silent.localAddress)
            let both = DNSClient(
                group: loop,
                configuration: .init(servers: [place, server.address], timeout: .milliseconds(100))
            )
            #expect(try await both.query("plain.test", .a, on: loop).get().count == 1)
            let alone = DNSClient(group: loop, configuration: .init(servers: [place], timeout: .milliseconds(50)))
            await #expect(throws: DNSError(.timeout, "")) { try await alone.query("plain.test", .a, on: loop).get() }
            try await silent.close()
        }
    }
}

@Suite("DNS messages")
struct DNSMessageTests {
    static let answer: [UInt8] = {
        var bytes: [UInt8] = [0x12, 0x34, 0x81, 0x80, 0, 1, 0, 1, 0, 0, 0, 0]
        bytes += [1] + Array("a".utf8) + [4] + Array("test".utf8) + [0, 0, 1, 0, 1]
        bytes += [0xC0, 0x0C, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 192, 0, 2, 1]
        return bytes
    }()

    @Test("An answer is read")
    func read() throws {
        let message = try DNSMessage(parsing: ByteBuffer(bytes: Self.answer))
        #expect(message.questionName == "a.test")
        #expect(message.records == [DNSRecord(name: "a.test", timeToLive: 60, data: .address([192, 0, 2, 1]))])
    }

    @Test("The cache keeps answers by their life, and answers without records by that of the zone")
    func cache() {
        let start = NIODeadline.uptimeNanoseconds(0)
        var cache = DNSCache()
        let long = DNSRecord(name: "a.test", timeToLive: 300, data: .address([192, 0, 2, 1]))
        let short = DNSRecord(name: "a.test", timeToLive: 60, data: .address([192, 0, 2, 2]))
        cache.keep([long, short], "a.test", .a, now: start)
        #expect(cache.records("A.Test", .a, now: start + .seconds(59)) == [long, short])
        #expect(cache.records("a.test", .a, now: start + .seconds(60)) == nil)
        #expect(cache.records("a.test", .aaaa, now: start) == nil)

        let zone = DNSRecord(name: "test", timeToLive: 900, data: .authority(minimum: 30))
        cache.keep([zone], "none.test", .naptr, now: start)
        #expect(cache.records("none.test", .naptr, now: start + .seconds(29)) == [])
        #expect(cache.records("none.test", .naptr, now: start + .seconds(30)) == nil)
        cache.keep([], "unsaid.test", .naptr, now: start)
        #expect(cache.records("unsaid.test", .naptr, now: start) == nil)
        cache.keep([DNSRecord(name: "n", timeToLive: 0, data: long.data)], "never.test", .a, now: start)
        #expect(cache.records("never.test", .a, now: start) == nil)

        for number in 0..<(DNSCache.maximumAnswers * 2) { cache.keep([long], "\(number).test", .a, now: start) }
        #expect(cache.count <= DNSCache.maximumAnswers)
    }

    @Test("The start of a zone is read, whatever its names are")
    func zone() throws {
        var buffer = ByteBuffer(bytes: [0, 1, 0x81, 0x83, 0, 1, 0, 0, 0, 1, 0, 0])
        buffer.writeBytes([1, 0x61, 4, 0x74, 0x65, 0x73, 0x74, 0, 0, 1, 0, 1])
        buffer.writeBytes([4, 0x74, 0x65, 0x73, 0x74, 0, 0, 6, 0, 1, 0, 0, 3, 0x84, 0, 26])
        buffer.writeBytes([0, 3, 0x61, 0x2E, 0x62, 0])
        buffer.writeRepeatingByte(0, count: 16)
        buffer.writeInteger(UInt32(120))
        let message = try DNSMessage(parsing: buffer)
        #expect(message.records == [DNSRecord(name: "test", timeToLive: 900, data: .authority(minimum: 120))])
    }

    @Test("Inputs kept by the fuzzer are read within the bounds")
    func kept() throws {
        let folder = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().appending(path: "Fuzz/corpus/dns")
        let files = try FileManager.default.contentsOfDirectory(at: folder, includingPropertiesForKeys: nil)
        #expect(!files.isEmpty)
        for file in files {
            guard let message = try? DNSMessage(parsing: ByteBuffer(bytes: try Data(contentsOf: file))) else {
                continue
            }
            #expect(message.records.count <= DNSMessage.maximumRecords)
            #expect(message.questionName.utf8.count <= 253)
        }
    }

    @Test("Every cut and every changed byte is survived; pointers cannot loop")
    func hostile() {
        for count in 0..<Self.answer.count {
            #expect(throws: DNSError.self) { try DNSMessage(parsing: ByteBuffer(bytes: Self.answer[..<count])) }
        }
        for index in Self.answer.indices {
            for value in UInt8.min...UInt8.max {
                var bytes = Self.answer
                bytes[index] = value
                _ = try? DNSMessage(parsing: ByteBuffer(bytes: bytes))
            }
        }
        var loop = Self.answer
        loop[loop.count - 16] = 0xC0
        loop[loop.count - 15] = UInt8(loop.count - 16)
        #expect(throws: DNSError.self) { try DNSMessage(parsing: ByteBuffer(bytes: loop)) }
    }

    @Test(
        "Names that DNS cannot hold are refused",
        arguments: ["", ".", "a..b", String(repeating: "a", count: 64) + ".test"]
    )
    func names(name: String) {
        #expect(throws: DNSError(.badName, "")) { try DNSMessage.query(identifier: 1, name: name, type: .a) }
    }

    @Test("The file of the resolver is read")
    func configuration() {
        let file = "# comment\nsearch x\nnameserver 192.0.2.53\nnameserver  2001:db8::53\nnameserver nonsense\n"
        #expect(
            DNSClient.Configuration.parsing(resolverFile: file).servers.map(\.ipAddress) == [
                "192.0.2.53", "2001:db8::53",
            ]
        )
    }
}
