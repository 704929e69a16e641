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
    /// Nothing that the server has to do: a report of a delivery that it knows of, or somebody types.
    case nothing

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
        case "application/im-iscomposing+xml": self = .nothing
        case IMDNDocument.contentType:
            guard let document = try? IMDNDocument(parsing: body) else { throw Problem(400, "Malformed IMDN") }
            self = Self.reports([document])
        case CPIMMessage.contentType:
            try self.init(cpim: body, request, own: own, user: user, inflatedBytes: inflatedBytes, now: now)
        case let essence where essence.hasPrefix("text/"):
            let part = try Self.part(body, essence, charset: type.parameters["charset"])
            let (from, to) = try Self.addresses(request, own: own)
            var send = SendRequest(id: try Self.key(request, user: user), to: [to], parts: [part])
            send.from = from
            send.expires = Self.expires(request, now: now)
            self = .send(send, isCPIM: false)
        default: throw Problem(415)
        }
    }

    private init(
        cpim body: [UInt8],
        _ request: SIPMessage,
        own: [Address],
        user: String,
        inflatedBytes: Int,
        now: MessagingCore.Timestamp
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
        if content.essence == "application/im-iscomposing+xml" {
            self = .nothing
            return
        }
        guard content.type == "text", let text = try? message.content.decodedBody(limits: limits) else {
            throw Problem(415)
        }
        let (from, to) = try Self.addresses(request, own: own)
        // Who wrote it says the envelope, or nobody: never somebody else.
        if let writer = message.from?.uri, !writer.hasSuffix("anonymous.invalid"), (try? Address(writer)) != from {
            throw Problem(403, "From of the message is not yours")
        }
        let asked = DispositionRequest(message)
        let id: MessageID
        if let given = asked?.messageID {
            guard let valid = try? MessageID(given) else { throw Problem(400, "Malformed imdn.Message-ID") }
            id = valid
        } else {
            id = try Self.key(request, user: user)
        }
        let part = try Self.part(text, content.essence, charset: content.parameter("charset"))
        var reports: [Report] = []
        if asked?.wants(.positiveDelivery) ?? false { reports.append(.delivered) }
        if asked?.wants(.display) ?? false { reports.append(.displayed) }
        var send = SendRequest(id: id, to: [to], subject: message.subjects.first?.text, parts: [part], reports: reports)
        send.from = from
        send.expires = Self.expires(request, now: now)
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
