import Foundation
import NIOCore
import NIOPosix
import NIOSSL
import SIP
import SIPTransport
import Synchronization

/// A handler that answers with closures and keeps what it saw.
///
/// Used on one event loop only.
final class Agent: SIPStackHandler, @unchecked Sendable {
    var onRequest: (ServerTransaction) -> Void = { $0.respond(200) }
    var onAcknowledgement: (SIPMessage) -> Void = { _ in }
    var requests: [SIPMessage] = []
    var acknowledgements: [SIPMessage] = []
    var closedFlows: [Flow] = []
    var failures = 0
    var cancels = 0
    var statusOfCancelled: SIPStatus = 487

    func received(_ transaction: ServerTransaction) {
        self.requests.append(transaction.request)
        self.onRequest(transaction)
    }

    func received(acknowledgement: SIPMessage, for transaction: ServerTransaction?, on flow: Flow) {
        self.acknowledgements.append(acknowledgement)
        self.onAcknowledgement(acknowledgement)
    }

    func cancelled(_ transaction: ServerTransaction, by cancel: SIPMessage) {
        self.cancels += 1
        transaction.respond(self.statusOfCancelled)
    }

    func failed(_ transaction: ServerTransaction) { self.failures += 1 }
    func closed(_ flow: Flow) { self.closedFlows.append(flow) }
}

/// A stack with its loop and handler.
struct Node: Sendable {
    let loop: any EventLoop
    let agent: Agent
    let stack: SIPStack

    static func make(_ configure: (inout SIPStackConfiguration) -> Void = { _ in }) async throws -> Node {
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        var configuration = SIPStackConfiguration()
        configure(&configuration)
        let agent = Agent()
        let resolver = DNSResolver(client: DNSClient(group: loop, configuration: .init(servers: [])))
        let stack = SIPStack(eventLoop: loop, configuration: configuration, resolver: resolver, handler: agent)
        return Node(loop: loop, agent: agent, stack: stack)
    }

    func run<Value: Sendable>(_ body: @escaping @Sendable () throws -> Value) async throws -> Value {
        try await self.loop.submit(body).get()
    }

    func listen(_ transport: SIPTransportKind) async throws -> SocketAddress {
        let stack = self.stack
        return try await self.loop.flatSubmit { stack.listen(transport, host: "127.0.0.1", port: 0) }.get()
    }

    /// Sends a request and waits for the final event; the provisional statuses come along.
    func send(
        _ request: SIPMessage,
        to target: SIPStack.Target
    ) async throws -> (final: ClientTransaction.Event, provisional: [SIPStatus]) {
        let promise = self.loop.makePromise(of: (ClientTransaction.Event, [SIPStatus]).self)
        let stack = self.stack
        try await self.run {
            var provisional: [SIPStatus] = []
            stack.send(request, to: target) { _, event in
                if case .response(let response) = event, let status = response.status, status.isProvisional {
                    provisional.append(status)
                    return
                }
                promise.succeed((event, provisional))
            }
        }
        let (event, provisional) = try await promise.futureResult.get()
        return (event, provisional)
    }

    func close() async throws {
        let stack = self.stack
        try await self.loop.flatSubmit { stack.close() }.get()
    }
}

extension ClientTransaction.Event {
    var response: SIPMessage? { if case .response(let response) = self { response } else { nil } }
}

/// Requests of tests.
enum Requests {
    static func make(_ method: SIPMethod, to uri: String = "sip:b@127.0.0.1", body: String = "") -> SIPMessage {
        var request = SIPMessage(method: method, uri: uri)
        request.append(.maxForwards, "70")
        request.append(.from, "<sip:a@127.0.0.1>;tag=\(RandomText.token(8))")
        request.append(.to, "<sip:b@127.0.0.1>")
        request.append(.callID, RandomText.token(20))
        request.append(.cSeq, "1 \(method)")
        request.append(.contact, "<sip:a@127.0.0.1>")
        request.setBody(ByteBuffer(string: body), contentType: body.isEmpty ? nil : "text/plain")
        return request
    }
}

/// A certificate for localhost (not for its address, which would do for any name), made once for a run of the tests.
actor TestCertificate {
    static let shared = TestCertificate()
    private var made: Task<(certificate: NIOSSLCertificate, key: NIOSSLPrivateKey), any Error>?

    private func pair() async throws -> (certificate: NIOSSLCertificate, key: NIOSSLPrivateKey) {
        let task = self.made ?? Task { try await Self.make() }
        self.made = task
        return try await task.value
    }

    private static func make() async throws -> (certificate: NIOSSLCertificate, key: NIOSSLPrivateKey) {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("sip-test-\(UUID())")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let key = folder.appendingPathComponent("key.pem").path
        let certificate = folder.appendingPathComponent("cert.pem").path
        let arguments = [
            "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
            "-subj",
            "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-keyout", key, "-out", certificate,
        ]
        _ = try await Program.run(Program.find("openssl") ?? "openssl", arguments)
        guard let loaded = try NIOSSLCertificate.fromPEMFile(certificate).first else {
            throw SIPError(.notAllowed, "no certificate was made")
        }
        return (loaded, try NIOSSLPrivateKey(file: key, format: .pem))
    }

    /// A server that asks for certificates of clients, a client that shows one, and one that shows none.
    static func mutual() async throws -> (server: NIOSSLContext, known: NIOSSLContext, unknown: NIOSSLContext) {
        let pair = try await Self.shared.pair()
        var server = TLSConfiguration.makeServerConfiguration(
            certificateChain: [.certificate(pair.certificate)],
            privateKey: .privateKey(pair.key)
        )
        server.certificateVerification = .optionalVerification
        server.trustRoots = .certificates([pair.certificate])
        var client = TLSConfiguration.makeClientConfiguration()
        client.certificateVerification = .none
        let unknown = try NIOSSLContext(configuration: client)
        client.certificateChain = [.certificate(pair.certificate)]
        client.privateKey = .privateKey(pair.key)
        return (try NIOSSLContext(configuration: server), try NIOSSLContext(configuration: client), unknown)
    }

    static func contexts() async throws -> (server: NIOSSLContext, client: NIOSSLContext) {
        let pair = try await Self.shared.pair()
        let server = TLSConfiguration.makeServerConfiguration(
            certificateChain: [.certificate(pair.certificate)],
            privateKey: .privateKey(pair.key)
        )
        var client = TLSConfiguration.makeClientConfiguration()
        client.trustRoots = .certificates([pair.certificate])
        return (try NIOSSLContext(configuration: server), try NIOSSLContext(configuration: client))
    }
}
