internal import NIOCore
internal import SIP

/// What elements would answer to a request, before anything that depends on their users: an endpoint with audio and
/// messages that knows every dialog, a proxy on the way, and for REGISTER a registrar without passwords.
enum SIPAnswers {
    /// The answers by the names that `docs/libraries/decode.md` lists; null where the element would serve the request.
    static func fields(of bytes: ByteBuffer) -> [JSONValue.Member] {
        let reading = SIPMessage.read(bytes)
        let request: SIPMessage? =
            switch reading {
            case .message(let message): message.isRequest ? message : nil
            case .broken(_, let request): request
            }
        guard let request else { return [] }
        // A PRACK alone matches no response that was sent.
        let user = Self.refusal(ElementProfile.endpoint.check(reading) { _ in request.method != .prack })
        var fields = [
            JSONValue.Member("uas_response", Self.status(user)),
            .init("uas_unsupported", Self.unsupported(user)),
            .init("uas_response_headers", .strings(Self.explanations(in: user))),
        ]
        if case .message = reading {
            let forwarded = Self.proxy.check(request)
            fields += [
                .init("proxy_response", Self.status(forwarded)),
                .init("proxy_unsupported", Self.unsupported(forwarded)),
            ]
        }
        if request.method == .register { fields.append(.init("registrar_response", Self.registration(reading))) }
        return fields
    }

    private static let proxy = ProxyCore(sentBy: HostPort(host: "proxy.invalid"), ownAddresses: [], secret: "")

    private static func refusal(_ verdict: ElementProfile.Verdict) -> SIPMessage? {
        if case .respond(let response) = verdict { response } else { nil }
    }

    private static func status(_ response: SIPMessage?) -> JSONValue {
        .optional(response?.status.map { UInt64($0.rawValue) })
    }

    private static func unsupported(_ response: SIPMessage?) -> JSONValue {
        guard let response, response.contains(.unsupported) else { return .null }
        return .strings((try? response.optionTags(.unsupported)) ?? [])
    }

    /// The header fields that tell the sender what would be taken.
    private static func explanations(in response: SIPMessage?) -> [String] {
        let names: [(String, HeaderName)] = [
            ("Accept", .accept), ("Accept-Encoding", .acceptEncoding), ("Allow", .allow),
            ("Allow-Events", .allowEvents), ("Min-SE", .minSE), ("Recv-Info", .recvInfo), ("Unsupported", .unsupported),
        ]
        return names.filter { response?.contains($0.1) ?? false }.map(\.0)
    }

    private static func registration(_ reading: SIPMessage.Reading) -> JSONValue {
        switch ElementProfile(methods: [.register, .options]).check(reading) {
        case .discard: return .null
        case .respond(let refusal): return Self.status(refusal)
        case .accept(let request):
            guard let address = (try? request.to())?.uri.sip else { return .integer(400) }
            var record = RegistrarRecord(addressOfRecord: address)
            switch record.register(request, policy: .init(), arrival: .init(now: .uptimeNanoseconds(0))) {
            case .accepted(let response, _), .rejected(let response): return Self.status(response)
            }
        }
    }
}
