import ByteGrammar
import NIOCore

/// What a user agent or registrar can do, and with what it answers a request that it cannot serve (RFC 3261 section
/// 8.2 and the sections of its extensions).
public struct ElementProfile: Sendable, Hashable {
    /// The methods that are allowed; others that are known get 405, unknown ones 501.
    public var methods: [SIPMethod]
    /// The URI schemes of a Request-URI, in lower case.
    public var schemes: Set<String> = ["sip", "sips"]
    /// The option tags that may stand in Require.
    public var extensions: Set<String> = []
    /// The media types of bodies, such as `application/sdp`; nil takes any.
    public var acceptedTypes: [String]?
    /// The content codings besides `identity`.
    public var acceptedEncodings: [String] = []
    /// The values of Content-Disposition that are understood.
    public var dispositions: Set<String> = ["session", "render", "attachment", "icon", "alert", "notification"]
    /// What the answer to an INVITE would be; a caller that does not accept it gets 406.
    public var offeredType: String? = "application/sdp"
    /// The event packages of SUBSCRIBE.
    public var eventPackages: [String] = []
    /// The INFO packages that are received.
    public var infoPackages: [String] = []
    /// The lowest session interval in seconds.
    public var minimumSessionExpires: UInt32 = 90

    /// Makes a profile with these methods.
    public init(methods: [SIPMethod]) { self.methods = methods }

    /// An endpoint with calls and messages that is no registrar: what most phones can do, to start from.
    public static let endpoint: Self = {
        var profile = Self(
            methods: [
                .invite, .ack, .bye, .cancel, .options, .message, .update, .prack, .refer, .subscribe, .notify, .info,
            ]
        )
        profile.extensions = ["100rel", "timer", "replaces"]
        profile.acceptedTypes = ["application/sdp", "text/plain", "message/cpim", "message/sipfrag"]
        profile.eventPackages = ["reg", "dialog", "refer"]
        return profile
    }()

    /// The methods that have a meaning in some RFC, so that an element knows them without allowing them.
    static let knownMethods: Set<SIPMethod> = [
        .invite, .ack, .bye, .cancel, .options, .register, .message, .update, .prack, .refer, .subscribe, .notify,
        .publish, .info,
    ]

    /// What to do with a request.
    public enum Verdict: Sendable {
        /// Serve it.
        case accept(SIPMessage)
        /// Send this response. Add a To tag if it has none.
        case respond(SIPMessage)
        /// Send nothing: a response, an ACK, or something that cannot be answered.
        case discard(SIPError?)
    }

    /// Judges what was read.
    ///
    /// - Parameters:
    ///   - reading: The outcome of reading.
    ///   - knowsDialog: Whether a dialog exists; a request with a To tag of another dialog gets 481.
    public func check(_ reading: SIPMessage.Reading, knowsDialog: (DialogID) -> Bool = { _ in true }) -> Verdict {
        switch reading {
        case .broken(let error, let request):
            guard let request, request.method != .ack, Self.isAnswerable(request) else { return .discard(error) }
            return .respond(SIPMessage(error.responseStatus, to: request, reason: error.responseReason))
        case .message(let message):
            guard let method = message.method else { return .discard(nil) }
            guard method != .ack else { return .accept(message) }
            if let response = self.refusal(message, method, knowsDialog) { return .respond(response) }
            return .accept(message)
        }
    }

    /// Whether a response could find its transaction.
    ///
    /// A Via that is missing or malformed does not count: the transport knows where the request came from.
    static func isAnswerable(_ request: SIPMessage) -> Bool { request.contains(.callID) || request.contains(.cSeq) }

    private func refusal(
        _ request: SIPMessage,
        _ method: SIPMethod,
        _ knowsDialog: (DialogID) -> Bool
    ) -> SIPMessage? {
        guard Self.knownMethods.contains(method) || self.methods.contains(method) else {
            return self.withAllow(SIPMessage(501, to: request))
        }
        do throws(SIPError) {
            try request.validate()
            guard self.methods.contains(method) else { return self.withAllow(SIPMessage(405, to: request)) }
            let uri = try request.requestURI()
            guard self.schemes.contains(uri.scheme) else { return SIPMessage(416, to: request) }
            if let sip = uri.sip, !sip.headers.isEmpty || sip.parameters.contains("method") {
                // Neither may stand in a Request-URI (RFC 3261 section 19.1.1), and neither may be acted upon.
                return SIPMessage(400, to: request, reason: "Header or Method in Request-URI")
            }
            if let id = try request.dialogIDAtServer(), method != .cancel, !knowsDialog(id) {
                return SIPMessage(481, to: request)
            }
            if method != .cancel, let response = try self.unsupported(request) { return response }
            if let response = try self.unacceptableBody(request) { return response }
            return try self.methodRefusal(request, method)
        } catch {
            return SIPMessage(error.responseStatus, to: request, reason: error.responseReason)
        }
    }

    private func withAllow(_ response: SIPMessage) -> SIPMessage {
        var response = response
        response.append(.allow, self.methods.map(\.rawValue).joined(separator: ", "))
        return response
    }

    private func unsupported(_ request: SIPMessage) throws(SIPError) -> SIPMessage? {
        let tags = try request.optionTags(.require).filter { !self.extensions.contains(ASCII.lowercased($0)) }
        guard !tags.isEmpty else { return nil }
        var response = SIPMessage(420, to: request)
        response.append(.unsupported, tags.joined(separator: ", "))
        return response
    }

    /// RFC 3261 section 8.2.3.
    private func unacceptableBody(_ request: SIPMessage) throws(SIPError) -> SIPMessage? {
        guard request.bodyLength > 0 else { return nil }
        let disposition = try request.value(.contentDisposition, as: TokenWithParameters.self)
        let isOptional = disposition?.parameters["handling"].map { ASCII.equalIgnoringCase($0, "optional") } ?? false
        if isOptional { return nil }
        for coding in try request.list(.contentEncoding, as: Token.self).map({ ASCII.lowercased($0.text) })
        where coding != "identity" && !self.acceptedEncodings.contains(coding) {
            var response = SIPMessage(415, to: request)
            response.append(.acceptEncoding, (self.acceptedEncodings + ["identity"]).joined(separator: ", "))
            return response
        }
        if let disposition, !self.dispositions.contains(ASCII.lowercased(disposition.text)) {
            return self.unsupportedType(request)
        }
        guard let types = self.acceptedTypes, let type = try request.contentType() else { return nil }
        let isAccepted = types.contains { (try? MediaType($0))?.covers(type) ?? false }
        return isAccepted ? nil : self.unsupportedType(request)
    }

    private func unsupportedType(_ request: SIPMessage) -> SIPMessage {
        var response = SIPMessage(415, to: request)
        response.append(.accept, (self.acceptedTypes ?? ["*/*"]).joined(separator: ", "))
        return response
    }

    private func methodRefusal(_ request: SIPMessage, _ method: SIPMethod) throws(SIPError) -> SIPMessage? {
        switch method {
        case .invite, .update:
            if method == .invite, request.contains(.accept),
                let offered = self.offeredType.flatMap({ try? MediaType($0) }),
                try !request.list(.accept, as: MediaType.self).contains(where: { $0.covers(offered) })
            {
                return SIPMessage(406, to: request)
            }
            let offer = try SessionTimer.negotiate(request, minimum: self.minimumSessionExpires, preferred: nil)
            guard case .tooSmall(let minimum) = offer else { return nil }
            var response = SIPMessage(422, to: request)
            response.append(.minSE, "\(minimum)")
            return response
        case .subscribe, .publish, .notify:
            guard let event = try EventKey(request) else { return SIPMessage(489, to: request) }
            guard !self.eventPackages.contains(event.package), event.package != "refer" || method == .subscribe else {
                return nil
            }
            var response = SIPMessage(489, to: request)
            response.append(.allowEvents, self.eventPackages.joined(separator: ", "))
            return response
        case .prack:
            // A PRACK matches a reliable response of a dialog that exists, or nothing.
            return try request.value(.rAck, as: RAck.self) == nil ? SIPMessage(400, to: request) : nil
        case .info:
            guard let package = try request.value(.infoPackage, as: TokenWithParameters.self),
                !self.infoPackages.contains(package.text)
            else { return nil }
            var response = SIPMessage(469, to: request)
            response.append(.recvInfo, self.infoPackages.joined(separator: ", "))
            return response
        case .refer:
            _ = try Refer(request)
            return nil
        default:
            return nil
        }
    }
}

extension SIPError {
    /// The status that a request with this fault is answered with.
    public var responseStatus: SIPStatus {
        switch self.code {
        case .unsupportedVersion: 505
        case .bodyTooLarge: 413
        case .headTooLarge, .lineTooLong, .tooManyHeaderFields, .tooManyItems: 513
        default: 400
        }
    }

    /// The reason phrase for a 400: what was wrong, in words that hold nothing of the request.
    var responseReason: String? {
        self.responseStatus == 400 ? "Bad Request (\(self.code.rawValue))" : nil
    }
}
