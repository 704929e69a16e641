import ClientWire
import HTTPTypes
import MessagingCore

/// A refusal with what only HTTP has: header fields that go with it, and a status of its own.
struct GatewayError: Error {
    var refusal: Refusal
    var status: Int
    var fields: HTTPFields

    init(_ refusal: Refusal, status: Int? = nil, fields: HTTPFields = [:]) {
        self.refusal = refusal
        self.status = status ?? refusal.code.status
        self.fields = fields
    }

    /// Too many requests: come again after so long (RFC 6585, section 4).
    static func rateLimited(_ detail: String, waitMilliseconds: Int64) -> GatewayError {
        GatewayError(
            Refusal(.rateLimited, detail),
            fields: [.retryAfter: "\(max(1, (waitMilliseconds + 999) / 1000))"]
        )
    }

    /// The problem that the client is told.
    var problem: Problem { Problem(refusal, status: status, title: refusal.code.title) }
}

extension HTTPField.Name {
    static let uploadOffset = fixed("Upload-Offset")
    static let secWebSocketVersion = fixed("Sec-WebSocket-Version")
    static let referrerPolicy = fixed("Referrer-Policy")
    static let permissionsPolicy = fixed("Permissions-Policy")
    static let crossOriginOpenerPolicy = fixed("Cross-Origin-Opener-Policy")

    /// A name written in the program.
    private static func fixed(_ name: String) -> HTTPField.Name {
        guard let name = HTTPField.Name(name) else { preconditionFailure("not a field name") }
        return name
    }
}
