import CPIM
import MessageSignalling
import MessagingCore
import MessagingService
import NIOCore
import SIP

/// Answers requests of peers: what is committed gets a 200, what is refused says why, and has changed nothing.
struct Answering: Sendable {
    let running: Interconnect.Running
    let interconnect: Interconnect

    static let methods = "MESSAGE, OPTIONS, INVITE, ACK, CANCEL, BYE, SUBSCRIBE, REFER, NOTIFY"
    private static let types = [
        CPIMMessage.contentType, "text/plain", SessionMapping.lineType, SessionMapping.hintType,
    ]

    var service: MessagingService { running.service }

    /// Works one request.
    func answer(_ request: PeerRequest) async {
        do {
            switch request.message.method {
            case .message: try await message(request)
            case .options: try await options(request)
            case .invite: try await invite(request)
            case .bye: bye(request)
            case .subscribe: try await subscribe(request)
            case .refer: try await refer(request)
            case .notify: try notified(request)
            default: request.respond(405, headers: [(.allow, Self.methods)])
            }
        } catch let refusal as Refusal {
            refuse(request, refusal)
        } catch is CPIMError {
            refuse(request, Refusal(.invalidMessage, "the content is no message"))
        } catch let error as SIPError {
            request.respond(error.responseStatus)
        } catch {
            refuse(request, Refusal(.internalError, "something went wrong here"))
        }
    }

    /// Who asks, and for whom.
    func context(of request: PeerRequest) throws -> IncomingContext {
        try Requests.context(
            of: request.message,
            domains: request.domains,
            own: interconnect.configuration.domains,
            now: .wallClock()
        )
    }

    private func refuse(_ request: PeerRequest, _ refusal: Refusal) {
        var headers = [(Problems.header, refusal.code.rawValue)]
        if Problems.status(of: refusal.code) == 503 { headers.append((.retryAfter, "5")) }
        request.respond(Problems.status(of: refusal.code), headers: headers)
    }

    private func message(_ request: PeerRequest) async throws {
        let message = request.message
        let context = try context(of: request)
        let body = Array(message.body.readableBytesView)
        let type = try message.contentType().map { "\($0.type)/\($0.subtype)".lowercased() } ?? ""
        switch type {
        case CPIMMessage.contentType:
            var incoming = IncomingMessage(service, context, size: Int64(body.count))
            do {
                try await incoming.take(body)
                try await commit(try await incoming.finish(), context)
            } catch {
                await incoming.giveUp()
                throw error
            }
        case "text/plain": try await commit(.message(try plain(body, context), files: []), context)
        case SessionMapping.lineType:
            let parcel = try SessionMapping.decode(SessionParcel.self, body)
            guard parcel.from == context.sender, parcel.to == context.receiver, parcel.text == nil else {
                throw Refusal(.forbidden, "the line is of others than its request")
            }
            try await service.take(parcel)
        case SessionMapping.hintType:
            let hint = try SessionMapping.decode(PeerHint.self, body)
            guard hint.sender == context.sender, hint.receiver == context.receiver else {
                throw Refusal(.forbidden, "the hint is of others than its request")
            }
            service.take(hint)
        default:
            request.respond(415, headers: [(.accept, Self.types.joined(separator: ", "))])
            return
        }
        request.respond(200)
    }

    /// Puts what came in where it belongs; returns once it is committed.
    func commit(_ content: IncomingMessage.Content, _ context: IncomingContext) async throws {
        switch content {
        case .message(let text, let files):
            let failures = try await service.receive(text, for: [context.receiver], with: files)
            if let code = failures[context.receiver] { throw Refusal(code, "\(context.receiver)") }
        case .text(let parcel, let files): try await service.take(parcel, with: files)
        case .reports(let reports):
            for report in reports {
                try await service.receiveReport(
                    of: report.message,
                    to: context.receiver,
                    from: context.sender,
                    report.disposition
                )
            }
        case .composing: throw Refusal(.invalidMessage, "a status of no conversation")
        }
    }

    private func plain(_ body: [UInt8], _ context: IncomingContext) throws -> PeerText {
        guard let text = String(validating: body, as: UTF8.self), text.utf8.count <= Limits.inlineTextBytes else {
            throw Refusal(.invalidMessage, "text that is not UTF-8, or too long")
        }
        return PeerText(envelope: context.envelope([Part(type: "text/plain", text: text)]), reports: [])
    }

    /// What this provider takes (RFC 3261, section 11), and, for whoever is in a session, what a user shows of the devices.
    private func options(_ request: PeerRequest) async throws {
        let headers = [
            (HeaderName.date, SIPDate.text(unixSeconds: MessagingCore.Timestamp.wallClock().rawValue / 1000)),
            (.allow, Self.methods), (.accept, (Self.types + ["application/sdp"]).joined(separator: ", ")),
            (.supported, "timer"), (.allowEvents, LiveDialog.conferencePackage),
            (.contact, "\(running.contact);\(Requests.Service.allTags)"),
        ]
        guard let name = request.message.text(Requests.session) else { return request.respond(200, headers: headers) }
        let context = try context(of: request)
        if let medium = request.message.text(Requests.medium) {
            return try await shown(try SessionID(name), medium, context, request)
        }
        let document = try await service.counterpart(
            context.receiver,
            in: try SessionID(name),
            for: context.sender
        )
        request.respond(
            200,
            headers: headers,
            body: (try SessionMapping.encode(document), SessionMapping.devicesType)
        )
    }
}
