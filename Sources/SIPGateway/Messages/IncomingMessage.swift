import CPIM
import ClientWire
import MessagingCore
import NIOCore
import SIP
import XMLBodies

/// What a phone's MESSAGE asks for.
enum IncomingMessage: Sendable {
    case send(SendRequest, isCPIM: Bool)
    /// The phone showed these messages to its user.
    case displayed([MessageID])
    /// Whether somebody types.
    case composing(Bool)
    /// Nothing that the server has to do: a report of a delivery that it knows of.
    case nothing

    /// What stands around a message and not in it.
    struct Frame {
        var from: Address
        var to: Address
        /// What it is called if it does not say: the same each time that it comes.
        var id: MessageID
        var expires: MessagingCore.Timestamp?
    }

    /// Why it is none of these.
    struct Problem: Error, Hashable {
        var status: SIPStatus
        var reason: String?

        init(_ status: SIPStatus, _ reason: String? = nil) {
            self.status = status
            self.reason = reason
        }
    }

    /// Media types that are taken; `text/*` as it comes.
    static let acceptedTypes = [
        "text/*", "message/cpim", "message/imdn+xml", "application/im-iscomposing+xml",
    ]

    /// Reads a request that is authenticated.
    ///
    /// - Parameters:
    ///   - own: the addresses that the phone may write as.
    ///   - user: the phone's user name, which keeps the ids of two phones apart.
    init(
        _ request: SIPMessage,
        own: [Address],
        user: String,
        inflatedBytes: Int,
        now: MessagingCore.Timestamp
    ) throws(Problem) {
        let body = try Self.body(request, inflatedBytes: inflatedBytes)
        guard let type = try? request.contentType() else { throw Problem(415) }
        switch type.essence {
        case IsComposingDocument.contentType: self = try Self.composing(body)
        case IMDNDocument.contentType:
            guard let document = try? IMDNDocument(parsing: body) else { throw Problem(400, "Malformed IMDN") }
            self = Self.reports([document])
        case CPIMMessage.contentType:
            try self.init(cpim: body, inflatedBytes: inflatedBytes) { () throws(Problem) in
                try Self.frame(request, own: own, user: user, now: now)
            }
        case let essence where essence.hasPrefix("text/"):
            let part = try Self.part(body, essence, charset: type.parameters["charset"])
            let frame = try Self.frame(request, own: own, user: user, now: now)
            var send = SendRequest(id: frame.id, to: [frame.to], parts: [part])
            send.from = frame.from
            send.expires = frame.expires
            self = .send(send, isCPIM: false)
        default: throw Problem(415)
        }
    }

    /// Reads what a phone says in a live conversation over MSRP.
    init(said content: [UInt8], type: String, _ frame: Frame, inflatedBytes: Int) throws(Problem) {
        switch type.prefix(while: { $0 != ";" && $0 != " " }).lowercased() {
        case IsComposingDocument.contentType: self = try Self.composing(content)
        case CPIMMessage.contentType:
            try self.init(cpim: content, inflatedBytes: inflatedBytes) { () throws(Problem) in frame }
        default: throw Problem(415)
        }
    }

    private init(
        cpim body: [UInt8],
        inflatedBytes: Int,
        _ frame: () throws(Problem) -> Frame
    ) throws(Problem) {
        var limits = CPIMLimits()
        limits.maximumDecodedBytes = inflatedBytes
        guard let message = try? CPIMMessage(parsing: body, limits: limits) else {
            throw Problem(400, "Malformed message/cpim")
        }
        if message.isNotification {
            guard let documents = try? IMDNReport.notifications(in: message, limits: limits) else {
                throw Problem(400, "Malformed IMDN")
            }
            self = Self.reports(documents)
            return
        }
        let content = message.content.effectiveMediaType
        if content.essence == IsComposingDocument.contentType {
            guard let body = try? message.content.decodedBody(limits: limits) else { throw Problem(415) }
            self = try Self.composing(body)
            return
        }
        guard content.type == "text", let text = try? message.content.decodedBody(limits: limits) else {
            throw Problem(415)
        }
        let frame = try frame()
        // Who wrote it says the envelope, or nobody: never somebody else.
        if let writer = message.from?.uri, !writer.hasSuffix("anonymous.invalid"), (try? Address(writer)) != frame.from
        {
            throw Problem(403, "From of the message is not yours")
        }
        let asked = DispositionRequest(message)
        let id: MessageID
        if let given = asked?.messageID {
            guard let valid = try? MessageID(given) else { throw Problem(400, "Malformed imdn.Message-ID") }
            id = valid
        } else {
            id = frame.id
        }
        let part = try Self.part(text, content.essence, charset: content.parameter("charset"))
        var reports: [Report] = []
        if asked?.wants(.positiveDelivery) ?? false { reports.append(.delivered) }
        if asked?.wants(.display) ?? false { reports.append(.displayed) }
        var send = SendRequest(
            id: id,
            to: [frame.to],
            subject: message.subjects.first?.text,
            parts: [part],
            reports: reports
        )
        send.from = frame.from
        send.expires = frame.expires
        self = .send(send, isCPIM: true)
    }

    /// The body with its compression undone: liblinphone compresses reports.
    private static func body(_ request: SIPMessage, inflatedBytes: Int) throws(Problem) -> [UInt8] {
        let bytes = Array(buffer: request.body)
        guard let coding = request.text(.contentEncoding) else { return bytes }
        do throws(CPIMError) {
            return try TransferEncoding.decode(bytes[...], contentCoding: coding, maximumBytes: inflatedBytes)
        } catch {
            switch error.code {
            case .unsupportedEncoding: throw Problem(415)
            case .contentTooLarge: throw Problem(413)
            default: throw Problem(400, "Malformed compressed body")
            }
        }
    }

    private static func part(_ bytes: [UInt8], _ type: String, charset: String?) throws(Problem) -> PartRequest {
        let name = charset?.lowercased() ?? "utf-8"
        guard name == "utf-8" || name == "us-ascii" else { throw Problem(415, "Only UTF-8") }
        guard let text = String(validating: bytes, as: UTF8.self) else { throw Problem(400, "Not UTF-8") }
        return PartRequest(text: text, type: type)
    }

    /// From, which must be one of the phone's own, and the receiver: the Request-URI, as a proxy would route it.
    private static func addresses(_ request: SIPMessage, own: [Address]) throws(Problem) -> (from: Address, to: Address)
    {
        guard let sender = try? request.from().uri.description, let from = try? Address(sender), own.contains(from),
            CallerIdentity.isOwn(request, own)
        else { throw Problem(403, "From is not yours") }
        guard let target = request.uriText, let to = try? Address(target) else { throw Problem(404) }
        return (from, to)
    }

    private static func frame(
        _ request: SIPMessage,
        own: [Address],
        user: String,
        now: MessagingCore.Timestamp
    ) throws(Problem) -> Frame {
        let (from, to) = try addresses(request, own: own)
        return Frame(from: from, to: to, id: try key(request, user: user), expires: expires(request, now: now))
    }

    private static func composing(_ body: [UInt8]) throws(Problem) -> IncomingMessage {
        guard let document = try? IsComposingDocument(parsing: body) else { throw Problem(400, "Malformed status") }
        return .composing(document.state == .active)
    }

    private static func key(_ request: SIPMessage, user: String) throws(Problem) -> MessageID {
        guard let callID = try? request.callID(), let sequence = try? request.cSeq().number else { throw Problem(400) }
        return CallIDs.messageID(callID: callID, sequence: sequence, user: user)
    }

    /// Expires 0 would mean "now or never" (RFC 3428, section 9), which a message that is stored cannot be.
    private static func expires(_ request: SIPMessage, now: MessagingCore.Timestamp) -> MessagingCore.Timestamp? {
        guard let seconds = request.expires, seconds > 0 else { return nil }
        return now.advanced(by: Int64(seconds) * 1000)
    }

    /// That it arrived the server knows from the 2xx; that it was shown is news.
    private static func reports(_ documents: [IMDNDocument]) -> IncomingMessage {
        let shown = documents.compactMap { document -> MessageID? in
            guard case .display(.displayed)? = document.notification else { return nil }
            return try? MessageID(document.messageID)
        }
        return shown.isEmpty ? .nothing : .displayed(Array(shown.prefix(Limits.itemsPerCommand)))
    }
}

extension Refusal {
    /// What a phone is told (RFC 3261, section 21).
    var sipStatus: SIPStatus {
        switch code {
        case .notFound: 404
        case .noCredit: 402
        case .forbidden, .notEntitled, .unauthenticated: 403
        case .tooLarge: 413
        case .quotaExceeded: 480
        case .unavailable, .storeFull, .rateLimited: 503
        case .internalError: 500
        default: 400
        }
    }
}

extension SendAnswer {
    /// 202: stored for whoever is to get it (RFC 3428, section 7); or why nobody will.
    var sipStatus: SIPStatus {
        guard !receivers.isEmpty, receivers.allSatisfy({ $0.state == Disposition.failed.name }) else { return 202 }
        return receivers.first?.reason.map { Refusal($0, "").sipStatus } ?? 480
    }
}
