import ClientWire
import FoundationEssentials
import HTTPTypes
import Hummingbird
import NIOCore

extension Response {
    /// A JSON document.
    static func json(
        _ value: some Encodable,
        _ status: HTTPResponse.Status = .ok,
        fields: HTTPFields = [:]
    ) throws -> Response {
        try json(value, status, type: "application/json", fields: fields)
    }

    /// A refusal as problem details (RFC 9457).
    static func problem(_ error: GatewayError) throws -> Response {
        try json(
            error.problem,
            HTTPResponse.Status(code: error.status),
            type: "application/problem+json",
            fields: error.fields
        )
    }

    /// Done, and nothing to say.
    static var nothing: Response { Response(status: .noContent) }

    private static func json(
        _ value: some Encodable,
        _ status: HTTPResponse.Status,
        type: String,
        fields: HTTPFields
    ) throws -> Response {
        var fields = fields
        fields[.contentType] = type
        return Response(
            status: status,
            headers: fields,
            body: ResponseBody(byteBuffer: ByteBuffer(bytes: try StrictJSON.encode(value)))
        )
    }
}
