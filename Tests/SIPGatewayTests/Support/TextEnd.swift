import CPIM
import MSRP
import MSRPTransport
import NIOCore
import NIOPosix
import NIOSSL
import SDP
import SIP
import Synchronization
import XMLBodies

/// The MSRP of a test's phone: it connects, shows what it gets and says things.
final class TextEnd: MSRPSessionHandler, Sendable {
    private struct State {
        var sessions: [MSRPSession] = []
        var waiting: MSRPSession?
        var local: MSRPURI?
        var content: [MSRP.MessageID: (type: String, bytes: [UInt8])] = [:]
        var heard: [CPIMMessage] = []
        var composing = 0
        var established = 0
        var settles = true
        var answer = MSRPStatus.ok
    }

    private let endpoint: MSRPEndpoint
    private let isSecure: Bool
    private let state = Mutex(State())

    /// - Parameter tls: what it connects with; none for the clear.
    init(tls: NIOSSLContext? = nil) {
        var configuration = MSRPEndpoint.Configuration()
        configuration.clientTLS = tls
        isSecure = tls != nil
        endpoint = MSRPEndpoint(group: MultiThreadedEventLoopGroup.singleton, configuration: configuration)
    }

    // MARK: Descriptions

    /// An offer of texts; this end connects.
    func offer() throws -> String {
        let local = try MSRPURI(secure: isSecure, host: "127.0.0.1", port: 9, sessionID: MSRPEndpoint.makeSessionID())
        state.withLock { $0.local = local }
        return Self.description(local)
    }

    /// Answers an offer; connects once it is acknowledged.
    func answer(_ offer: SIPMessage) throws -> String {
        let answer = try self.offer()
        try expect(offer)
        return answer
    }

    /// The description of the other end.
    func expect(_ message: SIPMessage) throws {
        let description = try SessionDescription(parsing: Array(buffer: message.body))
        guard let medium = description.media.first(where: { $0.isMSRP && !$0.isRejected }) else { throw NotInTime() }
        let path = try MSRPAttributes(of: medium).path.map { try MSRPURI(parsing: $0) }
        guard let local = state.withLock({ $0.local }) else { throw NotInTime() }
        var address: ConnectionAddress?
        if isSecure, let first = path.first {
            // It must meet the certificate that signalling names (RFC 4975, section 14.4).
            guard let named = medium.fingerprints.first else { throw NotInTime() }
            address = ConnectionAddress(first)
            address?.fingerprint = try CertificateFingerprint(parsing: named.text)
        }
        let session = try endpoint.makeSession(
            local: local,
            remotePath: path,
            role: .active,
            address: address,
            handler: self
        ) {
            $0.acceptance = .explicit
        }
        state.withLock { $0.waiting = session }
    }

    func connect() {
        let (session, old) = state.withLock { state in
            let session = state.waiting.take()
            let old = session == nil ? nil : state.sessions.last
            if let session { state.sessions.append(session) }
            return (session, old)
        }
        old?.close()
        session?.start()
    }

    private static func description(_ local: MSRPURI) -> String {
        """
        v=0\r
        o=- 1 1 IN IP4 127.0.0.1\r
        s=-\r
        c=IN IP4 127.0.0.1\r
        t=0 0\r
        m=message 9 \(local.isSecure ? "TCP/TLS/MSRP" : "TCP/MSRP") *\r
        a=accept-types:message/cpim application/im-iscomposing+xml\r
        a=accept-wrapped-types:*\r
        a=path:\(local.text)\r
        a=setup:active\r

        """
    }

    // MARK: What it does

    private var session: MSRPSession? { state.withLock { $0.sessions.last } }

    /// Breaks the connection: this end knows nothing of the session any more.
    func cut() { session?.close() }

    /// What comes is not answered, or is again.
    func settles(_ settles: Bool) { state.withLock { $0.settles = settles } }

    /// What comes is answered so.
    func answers(_ status: MSRPStatus) { state.withLock { $0.answer = status } }

    /// - Throws: the status with which it was refused.
    func say(
        _ text: String,
        from: String,
        to: String,
        id: String? = nil,
        reports: Bool = false
    ) async throws {
        var headers = [
            CPIMHeader("From", address: CPIMAddress(uri: from)), CPIMHeader("To", address: CPIMAddress(uri: to)),
            CPIMHeader("DateTime", value: "2026-11-30T12:00:00Z"),
        ]
        if let id {
            headers += DispositionRequest(messageID: id, kinds: reports ? [.positiveDelivery, .display] : []).headers
        }
        let content = MIMEEntity(contentType: "text/plain;charset=UTF-8", body: Array(text.utf8))
        try await send(CPIMMessage(headers: headers, content: content).bytes, "message/cpim")
    }

    func send(_ bytes: [UInt8], _ type: String) async throws {
        guard let session else { throw NotInTime() }
        try await session.send(ByteBuffer(bytes: bytes), contentType: type)
    }

    func types() async throws {
        try await send(IsComposingDocument(state: .active).bytes, IsComposingDocument.contentType)
    }

    func shows(_ message: CPIMMessage, from own: String) async throws {
        let report = try IMDNReport.message(
            .display(.displayed),
            on: message,
            from: CPIMAddress(uri: own),
            messageID: "report-\(message.dateTime?.text ?? "")",
            dateTime: CPIM.Timestamp(unixSeconds: 1_800_000_000, nanosecond: 0)
        )
        try await send(report.bytes, "message/cpim")
    }

    // MARK: What comes

    func session(_ session: MSRPSession, did event: MSRPSessionEvent) {
        let settled = state.withLock { state -> MSRP.MessageID? in
            switch event {
            case .established: state.established += 1
            case .began(let incoming): state.content[incoming.id] = (incoming.contentType, [])
            case .content(let id, _, let bytes): state.content[id]?.bytes.append(contentsOf: bytes.readableBytesView)
            case .completed(let id, _):
                guard let content = state.content.removeValue(forKey: id) else { break }
                if content.type.hasPrefix("message/cpim") {
                    if let message = try? CPIMMessage(parsing: content.bytes) { state.heard.append(message) }
                } else {
                    state.composing += 1
                }
                return state.settles ? id : nil
            case .interrupted, .aborted, .result, .closed: break
            }
            return nil
        }
        if let settled { session.settle(settled, state.withLock { $0.answer }) }
    }

    var heard: [CPIMMessage] { state.withLock { $0.heard } }
    var texts: [String] {
        heard.filter { !$0.isNotification }.map { String(decoding: $0.content.body, as: UTF8.self) }
    }
    /// The ids, each once.
    var ids: [String] {
        var ids: [String] = []
        for id in heard.compactMap({ DispositionRequest($0)?.messageID }) where !ids.contains(id) { ids.append(id) }
        return ids
    }
    var composing: Int { state.withLock { $0.composing } }
    /// How often it was connected.
    var paths: Int { state.withLock { $0.established } }
}
