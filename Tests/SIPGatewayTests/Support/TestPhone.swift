import CPIM
import ClientWire
import NIOCore
import NIOPosix
import NIOSSL
import SIP
import SIPTransport

/// A phone of the tests: a user agent on real sockets that registers, writes and shows what it gets.
///
/// `@unchecked Sendable`: what changes is touched on its loop alone.
final class TestPhone: SIPStackHandler, @unchecked Sendable {
    let loop: any EventLoop
    let transport: SIPTransportKind
    private let server: Destination
    private let account: PhoneAnswer
    private var digest: DigestClient
    private var sequence: UInt32 = 0
    private var stack: SIPStack?
    private var contact = ""
    private var requests: [SIPMessage] = []
    private var answers: [SIPStatus] = []
    /// What every MESSAGE is answered with; 200 unless told.
    private var messageAnswer = SIPStatus(200)
    /// Calls that it lets ring.
    private var ringing: [ServerTransaction] = []
    private var letsRing = false
    /// Takes a call that is cancelled: its answer and the CANCEL have crossed.
    private var takesLate = false
    /// Says nothing to a CANCEL, and keeps what it should have answered.
    private var keepsCancelled = false
    private var cancelledCalls: [ServerTransaction] = []
    private var asked: ClientTransaction?
    /// The last call that it took, and what it said then.
    private var taken: (transaction: ServerTransaction, answer: SIPMessage)?
    /// Where it wants its media.
    private var mediaPort = 40000
    /// Its MSRP, if it can that; set before it registers.
    private(set) var texts: TextEnd?
    private let tls: NIOSSLContext?
    private let callID = RandomText.token(16)
    private let tag = RandomText.token(8)

    /// - Parameter port: that of a proxy before the provider's door.
    static func make(
        _ account: PhoneAnswer,
        at provider: Provider,
        _ transport: SIPTransportKind = .udp,
        password: String? = nil,
        user: String? = nil,
        tls: NIOSSLContext? = nil,
        through port: Int? = nil
    ) async throws -> TestPhone {
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        let destination = Destination(
            transport: transport,
            address: try SocketAddress(ipAddress: "127.0.0.1", port: port ?? provider.port(transport)),
            serverName: "localhost"
        )
        let phone = TestPhone(loop, transport, destination, account, password, user, tls)
        var configuration = SIPStackConfiguration()
        configuration.clientTLS = tls
        let settings = configuration
        let address = try await loop.flatSubmit {
            let resolver = DNSResolver(client: DNSClient(group: loop, configuration: .init(servers: [])))
            let stack = SIPStack(eventLoop: loop, configuration: settings, resolver: resolver, handler: phone)
            phone.stack = stack
            return stack.listen(.udp, host: "127.0.0.1", port: 0)
        }.get()
        try await loop.submit {
            let kind = transport.rawValue.lowercased()
            phone.contact = "<sip:phone@127.0.0.1:\(address.port ?? 0);transport=\(kind)>"
        }.get()
        return phone
    }

    private init(
        _ loop: any EventLoop,
        _ transport: SIPTransportKind,
        _ server: Destination,
        _ account: PhoneAnswer,
        _ password: String?,
        _ user: String?,
        _ tls: NIOSSLContext?
    ) {
        self.tls = tls
        self.loop = loop
        self.transport = transport
        self.server = server
        self.account = account
        digest = DigestClient(
            credentials: .init(username: user ?? account.user, password: password ?? account.password)
        )
    }

    var ownAddress: String { "\(account.address)" }

    func close() async throws {
        try await loop.flatSubmit { self.stack?.close() ?? self.loop.makeSucceededVoidFuture() }.get()
    }

    // MARK: What comes

    func received(_ transaction: ServerTransaction) {
        requests.append(transaction.request)
        guard answers.isEmpty else {
            transaction.respond(answers.removeFirst())
            return
        }
        guard transaction.request.method == .invite else {
            transaction.respond(transaction.request.method == .message ? messageAnswer : 200)
            return
        }
        if letsRing, texts == nil || (try? transaction.request.dialogIDAtServer()) ?? nil == nil {
            ringing.append(transaction)
            transaction.respond(180)
        } else {
            take(transaction)
        }
    }

    func received(acknowledgement: SIPMessage, for transaction: ServerTransaction?, on flow: Flow) {
        requests.append(acknowledgement)
        texts?.connect()
    }

    func cancelled(_ transaction: ServerTransaction, by cancel: SIPMessage) {
        requests.append(cancel)
        ringing.removeAll { $0 === transaction }
        if keepsCancelled {
            cancelledCalls.append(transaction)
        } else if takesLate {
            take(transaction)
        } else {
            transaction.respond(487)
        }
    }

    private func take(_ transaction: ServerTransaction) {
        var response = transaction.makeResponse(200)
        response.append(.contact, contact)
        var body = Self.offer(mediaPort)
        if let texts, let answer = try? texts.answer(transaction.request) { body = answer }
        response.setBody(ByteBuffer(string: body), contentType: "application/sdp")
        transaction.respond(response)
        taken = (transaction, response)
    }

    /// Says once more that it takes the last call; as if it were at another place, with a tag of its own.
    func answersAgain(as tag: String? = nil) async throws {
        try await loop.submit {
            guard let (transaction, answer) = self.taken else { return }
            var response = answer
            if let tag, var to = try? response.to() {
                to.tag = tag
                response.set(.to, to.description)
            }
            transaction.respond(response)
        }.get()
    }

    /// Takes conversations over MSRP, and says so when it registers.
    func registerWithTexts() async throws -> TextEnd {
        let end = TextEnd(tls: transport.isSecure ? tls : nil)
        try await loop.submit { self.texts = end }.get()
        try await register(parameters: ";+g.oma.sip-im;audio=\"FALSE\"")
        return end
    }

    /// Asks for a conversation in texts, or in a dialog for another path.
    func ask(_ target: String, within answer: SIPMessage? = nil) async throws -> SIPMessage {
        let offer = try await loop.submit { self.texts }.get()?.offer() ?? ""
        let answer =
            if let answer {
                try await within(answer, .invite) {
                    $0.setBody(ByteBuffer(string: offer), contentType: "application/sdp")
                }
            } else {
                try await call(target, offer: offer)
            }
        guard answer.status?.isSuccess ?? false else { return answer }
        try await acknowledge(answer)
        try await loop.submit {
            try self.texts?.expect(answer)
            self.texts?.connect()
        }.get()
        return answer
    }

    /// Lets calls ring from now on; or takes them, those that ring already too.
    func rings(_ letsRing: Bool) async throws {
        try await loop.submit {
            self.letsRing = letsRing
            if !letsRing {
                for transaction in self.ringing { self.take(transaction) }
                self.ringing = []
            }
        }.get()
    }

    /// Answers what rings like this.
    func refuses(_ status: SIPStatus) async throws {
        try await loop.submit {
            for transaction in self.ringing { transaction.respond(status) }
            self.ringing = []
        }.get()
    }

    /// Answers every MESSAGE like this from now on.
    func answersMessages(_ status: SIPStatus) async throws {
        try await loop.submit { self.messageAnswer = status }.get()
    }

    func hears(at port: Int) async throws { try await loop.submit { self.mediaPort = port }.get() }

    func takesCancelledCalls() async throws { try await loop.submit { self.takesLate = true }.get() }

    /// Calls that are taken back have no answer from now on; or have it, those before too.
    func keepsCancelled(_ keeps: Bool) async throws {
        try await loop.submit {
            self.keepsCancelled = keeps
            guard !keeps else { return }
            for transaction in self.cancelledCalls { transaction.respond(487) }
            self.cancelledCalls = []
        }.get()
    }

    /// Takes its last request back.
    func takeBack() async throws { try await loop.submit { self.asked?.cancel(reason: nil) }.get() }

    /// What the next requests are answered with; 200 behind them.
    func answer(_ statuses: [SIPStatus]) async throws { try await loop.submit { self.answers = statuses }.get() }

    func received(_ method: SIPMethod = .message) async throws -> [SIPMessage] {
        try await loop.submit { self.requests.filter { $0.method == method } }.get()
    }

    /// All requests so far, in order.
    func all() async throws -> [SIPMessage] { try await loop.submit { self.requests }.get() }

    /// The bodies of the MESSAGEs so far.
    func texts() async throws -> [String] {
        try await received().map { String(buffer: $0.body) }
    }

    /// What the MESSAGEs so far say, without their envelopes, and without reports.
    func words() async throws -> [String] {
        try await received().compactMap { request in
            guard request.text(.contentType)?.hasPrefix("message/cpim") ?? false else {
                return String(buffer: request.body)
            }
            let message = try CPIMMessage(parsing: Array(buffer: request.body))
            return message.isNotification ? nil : String(decoding: message.content.body, as: UTF8.self)
        }
    }

    /// Waits for so many MESSAGEs.
    func waits(for count: Int) async throws -> Bool {
        try await eventually { try await self.received().count >= count }
    }

    // MARK: What it asks

    /// Registers, or with 0 leaves.
    @discardableResult
    func register(
        expires: Int = 300,
        parameters: String = "",
        _ adjust: @escaping @Sendable (inout SIPMessage) -> Void = { _ in }
    ) async throws -> SIPMessage {
        let contact = try await loop.submit { self.contact }.get()
        return try await ask(.register, to: "sip:example.org", target: "\(account.address)") { request in
            request.append(.contact, "\(contact)\(parameters)")
            request.append(.expires, "\(expires)")
            adjust(&request)
        }
    }

    @discardableResult
    func write(
        _ text: String,
        to address: String,
        type: String = "text/plain",
        _ adjust: @escaping @Sendable (inout SIPMessage) -> Void = { _ in }
    ) async throws -> SIPMessage {
        try await ask(.message, to: address, target: address) { request in
            request.setBody(ByteBuffer(string: text), contentType: type)
            adjust(&request)
        }
    }

    /// Sends a request, proves who it is when asked, and returns the final response.
    func ask(
        _ method: SIPMethod,
        to uri: String,
        target: String,
        proves: Bool = true,
        _ fill: @escaping @Sendable (inout SIPMessage) -> Void
    ) async throws -> SIPMessage {
        let build = { @Sendable (phone: TestPhone) -> SIPMessage in
            phone.sequence += 1
            var request = SIPMessage(method: method, uri: uri)
            request.append(.maxForwards, "70")
            request.append(.from, "<\(phone.account.address)>;tag=\(phone.tag)")
            request.append(.to, "<\(target)>")
            request.append(.callID, method == .register ? phone.callID : RandomText.token(16))
            request.append(.cSeq, "\(phone.sequence) \(method)")
            if method == .subscribe || method == .invite || method == .refer { request.append(.contact, phone.contact) }
            request.append(.contentLength, "0")
            fill(&request)
            return request
        }
        let first = try await send(build)
        guard proves, first.status == 401 || first.status == 407 else { return first }
        return try await send { phone in
            _ = phone.digest.received(first, answered: false)
            var request = build(phone)
            _ = phone.digest.authorise(&request, clientNonce: RandomText.token(8))
            return request
        }
    }

    func acknowledge(_ answer: SIPMessage, body: String? = nil) async throws {
        let target = try answer.contacts().addresses.first?.uri.description ?? ""
        let number = try answer.cSeq().number
        try await loop.submit {
            var request = SIPMessage(method: .ack, uri: target)
            request.append(.maxForwards, "70")
            for name in [HeaderName.from, .to, .callID] { request.append(name, answer.text(name) ?? "") }
            request.append(.cSeq, "\(number) ACK")
            request.append(.contentLength, "0")
            if let body { request.setBody(ByteBuffer(string: body), contentType: "application/sdp") }
            self.stack?.sendStateless(request, to: .destinations([self.server]))
        }.get()
    }

    private func send(_ build: @escaping @Sendable (TestPhone) -> SIPMessage) async throws -> SIPMessage {
        let promise = loop.makePromise(of: SIPMessage.self)
        loop.execute {
            guard let stack = self.stack else { return promise.fail(NotInTime()) }
            self.asked = stack.send(build(self), to: .destinations([self.server])) { _, event in
                switch event {
                case .response(let response):
                    if response.status?.isFinal ?? false { promise.succeed(response) }
                case .timedOut, .transportFailed: promise.fail(NotInTime())
                }
            }
        }
        return try await promise.futureResult.get()
    }
}

// MARK: - Calls

extension TestPhone {
    /// Voice, wanted at a port.
    static func offer(_ port: Int) -> String {
        """
        v=0\r
        o=- 1 \(port) IN IP4 127.0.0.1\r
        s=-\r
        c=IN IP4 127.0.0.1\r
        t=0 0\r
        m=audio \(port) RTP/AVP 0\r

        """
    }

    /// Calls, and returns the final answer; a 2xx is acknowledged.
    func call(
        _ target: String,
        offer: String? = TestPhone.offer(40000),
        _ adjust: @escaping @Sendable (inout SIPMessage) -> Void = { _ in }
    ) async throws -> SIPMessage {
        let answer = try await ask(.invite, to: target, target: target) { request in
            if let offer { request.setBody(ByteBuffer(string: offer), contentType: "application/sdp") }
            adjust(&request)
        }
        if answer.status?.isSuccess ?? false { try await acknowledge(answer) }
        return answer
    }

    /// Calls, and takes it back as soon as that has begun.
    func callBriefly(
        _ target: String,
        offer: String? = TestPhone.offer(40000),
        _ adjust: @escaping @Sendable (inout SIPMessage) -> Void = { _ in }
    ) async throws -> SIPStatus? {
        async let answer = call(target, offer: offer, adjust)
        let taking = Task {
            while true {
                try await Task.sleep(for: .milliseconds(20))
                try await self.takeBack()
            }
        }
        defer { taking.cancel() }
        return try await answer.status
    }

    /// A request in the dialog that an answer to this phone's INVITE made.
    func within(
        _ answer: SIPMessage,
        _ method: SIPMethod,
        _ fill: @escaping @Sendable (inout SIPMessage) -> Void = { _ in }
    ) async throws -> SIPMessage {
        let target = try answer.contacts().addresses.first?.uri.description ?? ""
        return try await ask(method, to: target, target: target) { request in
            request.set(.to, answer.text(.to) ?? "")
            request.set(.callID, answer.text(.callID) ?? "")
            fill(&request)
        }
    }

    /// The statuses of the `message/sipfrag` bodies that it got.
    func fragments() async throws -> [SIPStatus] {
        try await received(.notify).compactMap { Refer.status(in: $0.body) }
    }
}
