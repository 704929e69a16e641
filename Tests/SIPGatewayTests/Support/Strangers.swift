import Foundation
import NIOCore
import NIOPosix
import SIP
import SIPTransport
import Synchronization

@testable import SIPGateway

/// Somebody at one address who guesses passwords over UDP.
///
/// `@unchecked Sendable`: what changes is touched on its loop alone.
final class Guesser: SIPStackHandler, @unchecked Sendable {
    private let loop: any EventLoop
    private let server: Destination
    private var stack: SIPStack?

    static func connect(to address: SocketAddress?) async throws -> Guesser {
        guard let address else { throw NotInTime() }
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        let guesser = Guesser(loop, Destination(transport: .udp, address: address))
        _ = try await loop.flatSubmit {
            let resolver = DNSResolver(client: DNSClient(group: loop, configuration: .init(servers: [])))
            let stack = SIPStack(eventLoop: loop, resolver: resolver, handler: guesser)
            guesser.stack = stack
            return stack.listen(.udp, host: "127.0.0.1", port: 0)
        }.get()
        return guesser
    }

    private init(_ loop: any EventLoop, _ server: Destination) {
        self.loop = loop
        self.server = server
    }

    func close() async throws {
        try await loop.flatSubmit { self.stack?.close() ?? self.loop.makeSucceededVoidFuture() }.get()
    }

    func received(_ transaction: ServerTransaction) { transaction.respond(404) }

    /// Asks for a challenge and answers it with a wrong password, again and again; under another name each time, unless
    /// one is given. Each name is tried by one after the other.
    ///
    /// - Parameter nonce: what is answered instead of the challenge.
    /// - Returns: how often each status came.
    func guess(_ count: Int, user: String? = nil, nonce: String? = nil) async throws -> [Int: Int] {
        var statuses: [Int: Int] = [:]
        for index in 0..<count {
            let name = user ?? "guess\(index)"
            let challenge = try await ask(Self.request(.register, name))
            var digest = DigestClient(credentials: .init(username: name, password: "wrong"))
            _ = digest.received(challenge, answered: false)
            var request = Self.request(.register, name)
            _ = digest.authorise(&request, clientNonce: RandomText.token(8))
            if let nonce, let header = request.text(.authorization),
                let given = challenge.challenges(.wwwAuthenticate).first?.parameters["nonce"]
            {
                request.set(.authorization, header.replacingOccurrences(of: given, with: nonce))
            }
            let answer = try await ask(request)
            for status in [challenge.status, answer.status] {
                statuses[Int(status?.rawValue ?? 0), default: 0] += 1
            }
        }
        return statuses
    }

    /// What is the same for everybody in the answers to a request for each of these names.
    func shapes(_ method: SIPMethod, of names: [String]) async throws -> [String] {
        var shapes: [String] = []
        for name in names {
            let answer = try await ask(Self.request(method, name))
            let challenge = answer.challenges(.wwwAuthenticate).map { value in
                ["realm", "algorithm", "qop", "stale"].map { value.parameters[$0] ?? "-" }.joined(separator: " ")
            }
            shapes.append(
                "\(answer.status?.rawValue ?? 0) \(answer.headerFields.map(\.name)) \(challenge) \(answer.body.readableBytes)"
            )
        }
        return shapes
    }

    private static func request(_ method: SIPMethod, _ name: String) -> SIPMessage {
        var request = SIPMessage(
            method: method,
            uri: method == .register ? "sip:example.org" : "sip:\(name)@example.org"
        )
        request.append(.maxForwards, "70")
        request.append(.from, "<sip:\(name)@example.org>;tag=\(RandomText.token(8))")
        request.append(.to, "<sip:\(name)@example.org>")
        request.append(.callID, RandomText.token(16))
        request.append(.cSeq, "1 \(method)")
        request.append(.contact, "<sip:\(name)@127.0.0.1:9>")
        if method == .subscribe || method == .publish { request.append(.event, "presence") }
        request.append(.contentLength, "0")
        return request
    }

    private func ask(_ request: SIPMessage) async throws -> SIPMessage {
        let promise = loop.makePromise(of: SIPMessage.self)
        loop.execute {
            guard let stack = self.stack else { return promise.fail(NotInTime()) }
            stack.send(request, to: .destinations([self.server])) { _, event in
                switch event {
                case .response(let response):
                    if response.status?.isFinal ?? false { promise.succeed(response) }
                case .timedOut: promise.fail(Unanswered(why: "no answer to \(request.method?.rawValue ?? "")"))
                case .transportFailed: promise.fail(Unanswered(why: "not sent"))
                }
            }
        }
        return try await promise.futureResult.get()
    }
}

/// A request of a guesser came to nothing.
struct Unanswered: Error {
    var why: String
}

/// Somebody who connects and sends octets.
final class Stranger: Sendable {
    private let channel: any Channel
    private let closed = Mutex(false)

    private init(_ channel: any Channel) { self.channel = channel }

    static func connect(port: Int) async throws -> Stranger {
        let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .connect(host: "127.0.0.1", port: port).get()
        let stranger = Stranger(channel)
        channel.closeFuture.whenComplete { [stranger] _ in stranger.closed.withLock { $0 = true } }
        return stranger
    }

    func send(_ bytes: [UInt8]) { channel.writeAndFlush(ByteBuffer(bytes: bytes), promise: nil) }

    /// Whether the other side ends the connection.
    func isClosed(within seconds: Int) async throws -> Bool {
        try await eventually(within: seconds) { closed.withLock { $0 } }
    }
}

/// A certificate for the TLS door of a test.
enum SelfSigned {
    static func make() async throws -> SIPGatewayConfiguration.Certificate {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("continuo-tls-\(UUID())")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        let (chain, key) = (folder.path + "/certificate.pem", folder.path + "/key.pem")
        let made = try await Program.run(
            "/usr/bin/openssl",
            [
                "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
                "-subj", "/CN=localhost", "-keyout", key, "-out", chain,
            ]
        )
        guard made.status == 0 else { throw NotInTime() }
        return .init(chain: chain, key: key)
    }
}

/// The extension scanner of SIPVicious, on loopback and with a handful of names.
enum Scanner {
    /// The Python that has it, nil when there is none.
    static let python = ForeignClient.python(with: "sipvicious")

    static func probe(_ names: [String], method: String, port: Int, in folder: URL) async throws -> String {
        let dictionary = folder.appendingPathComponent("names")
        try (names.joined(separator: "\n") + "\n").write(to: dictionary, atomically: true, encoding: .utf8)
        let script = "import sys; from sipvicious.svwar import main; sys.stderr = sys.stdout; sys.exit(main())"
        return try await Program.run(
            python ?? "python3",
            ["-B", "-c", script, "-d", dictionary.path, "-m", method, "udp://127.0.0.1:\(port)/"]
        ).output
    }
}
