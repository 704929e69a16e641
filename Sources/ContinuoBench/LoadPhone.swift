import NIOCore
import SIP
import SIPTransport

/// A SIP phone of the load: registers, writes, and takes what comes. It has a socket of its own.
///
/// `@unchecked Sendable`: touched on its loop alone.
final class LoadPhone: SIPStackHandler, @unchecked Sendable {
    /// What somebody enters into a phone.
    struct Account: Sendable {
        var address: String
        var user: String
        var password: String
    }

    let account: Account
    /// Messages that it was sent and took.
    private(set) var taken = 0
    var onTaken: () -> Void = {}
    private let loop: any EventLoop
    private let server: Destination
    private let domain: String
    private var digest: DigestClient
    private var stack: SIPStack?
    private var contact = ""
    private let instance = RandomText.token(12)
    private let registration = RandomText.token(16)
    private let tag = RandomText.token(8)
    private var sequence: UInt32 = 0

    /// A phone that is ready to speak to a server on this machine.
    static func make(
        _ account: Account,
        _ transport: SIPTransportKind,
        port: Int,
        domain: String,
        loop: any EventLoop
    ) async throws -> LoadPhone {
        let server = Destination(
            transport: transport,
            address: try SocketAddress(ipAddress: "127.0.0.1", port: port),
            serverName: domain
        )
        let phone = LoadPhone(account, server, domain, loop)
        let address = try await loop.flatSubmit {
            let resolver = DNSResolver(client: DNSClient(group: loop, configuration: .init(servers: [])))
            let stack = SIPStack(eventLoop: loop, resolver: resolver, handler: phone)
            phone.stack = stack
            return stack.listen(.udp, host: "127.0.0.1", port: 0)
        }.get()
        try await loop.submit {
            let kind = transport.rawValue.lowercased()
            phone.contact =
                "<sip:\(account.user)@127.0.0.1:\(address.port ?? 0);transport=\(kind)>"
                + ";+sip.instance=\"<urn:uuid:\(phone.instance)>\""
        }.get()
        return phone
    }

    private init(_ account: Account, _ server: Destination, _ domain: String, _ loop: any EventLoop) {
        self.account = account
        self.server = server
        self.domain = domain
        self.loop = loop
        digest = DigestClient(credentials: .init(username: account.user, password: account.password))
    }

    func close() async throws {
        try await loop.flatSubmit { self.stack?.close() ?? self.loop.makeSucceededVoidFuture() }.get()
    }

    func received(_ transaction: ServerTransaction) {
        transaction.respond(200)
        guard transaction.request.method == .message else { return }
        taken += 1
        onTaken()
    }

    /// Registers, and tells the final status.
    ///
    /// - Parameter isFresh: whether it starts without credentials, as after being switched on.
    func register(isFresh: Bool, _ done: @escaping (SIPStatus?) -> Void) {
        if isFresh { digest = DigestClient(credentials: .init(username: account.user, password: account.password)) }
        ask(.register, to: "sip:\(domain)", target: account.address, callID: registration, done) { request in
            request.append(.contact, self.contact)
            request.append(.expires, "600")
        }
    }

    func registered() async throws -> SIPStatus? {
        let promise = loop.makePromise(of: SIPStatus?.self)
        loop.execute { self.register(isFresh: true) { promise.succeed($0) } }
        return try await promise.futureResult.get()
    }

    /// Writes to somebody, and tells the final status.
    func write(_ text: ByteBuffer, to address: String, _ done: @escaping (SIPStatus?) -> Void) {
        ask(.message, to: address, target: address, callID: RandomText.token(16), done) { request in
            request.setBody(text, contentType: "text/plain")
        }
    }

    private func ask(
        _ method: SIPMethod,
        to uri: String,
        target: String,
        callID: String,
        mayProve: Bool = true,
        _ done: @escaping (SIPStatus?) -> Void,
        _ fill: @escaping (inout SIPMessage) -> Void
    ) {
        guard let stack else { return done(nil) }
        sequence += 1
        var request = SIPMessage(method: method, uri: uri)
        request.append(.maxForwards, "70")
        request.append(.from, "<\(account.address)>;tag=\(tag)")
        request.append(.to, "<\(target)>")
        request.append(.callID, callID)
        request.append(.cSeq, "\(sequence) \(method)")
        request.append(.contentLength, "0")
        fill(&request)
        let answered = digest.authorise(&request, clientNonce: RandomText.token(8))
        stack.send(request, to: .destinations([server])) { [self] _, event in
            guard case .response(let response) = event else { return done(nil) }
            guard let status = response.status, status.isFinal else { return }
            guard status == 401, mayProve, digest.received(response, answered: answered) == .retry else {
                return done(status)
            }
            ask(method, to: uri, target: target, callID: callID, mayProve: false, done, fill)
        }
    }
}
