import HTTPTypes
import Hummingbird
import Store

/// One thing that a listener does: method, path, who may, what the contract says of it, and the doing.
struct Route: Sendable {
    /// Who may use a route.
    enum Access: Hashable, Sendable {
        /// Anybody.
        case open
        /// A device, by its token.
        case device
        /// The operator, by theirs.
        case operated
    }

    let method: HTTPRequest.Method
    let path: PathTemplate
    let access: Access
    let operation: Operation
    let handle: @Sendable (Call) async throws -> Response

    private init(
        _ method: HTTPRequest.Method,
        _ path: String,
        _ access: Access,
        _ operation: Operation,
        _ handle: @escaping @Sendable (Call) async throws -> Response
    ) {
        self.method = method
        self.path = PathTemplate(path)
        self.access = access
        self.operation = operation
        self.handle = handle
    }

    static func open(
        _ method: HTTPRequest.Method,
        _ path: String,
        _ operation: Operation,
        _ handle: @escaping @Sendable (Call) async throws -> Response
    ) -> Route {
        Route(method, path, .open, operation, handle)
    }

    static func device(
        _ method: HTTPRequest.Method,
        _ path: String,
        _ operation: Operation,
        _ handle: @escaping @Sendable (Call, DeviceIdentity) async throws -> Response
    ) -> Route {
        Route(method, path, .device, operation) { call in try await handle(call, try call.device()) }
    }

    static func operated(
        _ method: HTTPRequest.Method,
        _ path: String,
        _ operation: Operation,
        _ handle: @escaping @Sendable (Call) async throws -> Response
    ) -> Route {
        Route(method, path, .operated, operation, handle)
    }
}

/// What the contract says of a route; the OpenAPI document is made of these.
struct Operation: Sendable {
    /// What comes back when it goes well.
    struct Answer: Sendable {
        var status: Int
        /// A schema's name; nil for no body.
        var schema: String?
        var mediaType = "application/json"
        var description: String

        static func json(_ schema: String, _ status: Int = 200, _ description: String = "Done.") -> Answer {
            Answer(status: status, schema: schema, description: description)
        }

        static let nothing = Answer(status: 204, schema: nil, description: "Done.")

        /// Bytes of a part or file: whole, a range, or what the client has already.
        static func bytes(_ status: Int, _ description: String) -> Answer {
            Answer(status: status, schema: "Bytes", mediaType: "application/octet-stream", description: description)
        }
    }

    /// A parameter of the query or a header field.
    struct Parameter: Sendable {
        /// Where it stands.
        enum Place: String, Sendable { case query, header }

        var name: String
        var place = Place.query
        var schema = "Text"
        var isRequired = false
        var description: String
    }

    var id: String
    var summary: String
    var parameters: [Parameter] = []
    /// The schema of the JSON body; `Bytes` for raw bytes; nil for none.
    var body: String?
    var answers: [Answer]

    init(_ id: String, _ summary: String, body: String? = nil, _ answers: Answer...) {
        self.id = id
        self.summary = summary
        self.body = body
        self.answers = answers
    }

    init(_ id: String, _ summary: String, _ parameters: [Parameter], body: String? = nil, _ answers: Answer...) {
        self.id = id
        self.summary = summary
        self.parameters = parameters
        self.body = body
        self.answers = answers
    }
}

extension Operation.Parameter {
    static let before = Operation.Parameter(
        name: "before",
        schema: "Number",
        description: "Only what was created before this number: the `next` of the page before."
    )
    static let limit = Operation.Parameter(
        name: "limit",
        schema: "Number",
        description: "At most so many; 1 to 200, 50 if absent."
    )
    static let range = Operation.Parameter(
        name: "Range",
        place: .header,
        description: "One range of bytes (RFC 9110, section 14.2)."
    )
    static let ifRange = Operation.Parameter(
        name: "If-Range",
        place: .header,
        description: "The ETag that the range belongs to."
    )
    static let ifNoneMatch = Operation.Parameter(
        name: "If-None-Match",
        place: .header,
        description: "The ETag that the client has."
    )
}
