import FoundationEssentials
import HTTPTypes
import Hummingbird
import MessagingService
import NIOCore

/// The OpenAPI 3.1 description of a listener, made of its own routes.
enum OpenAPIDocument {
    static let path = "/openapi.json"

    /// The route that serves a document.
    static func route(serving document: String) -> Route {
        let body = ByteBuffer(string: document)
        return .open(.get, path, Operation("openapi", "This document.", .json("Document"))) { _ in
            Response(
                status: .ok,
                headers: [.contentType: "application/json", .cacheControl: "max-age=300"],
                body: ResponseBody(byteBuffer: body)
            )
        }
    }

    /// The document as JSON, keys in order.
    static func make(title: String, description: String, routes: [Route], socketPath: String?) throws -> String {
        var paths: [String: Schema] = [:]
        for route in routes {
            var item: [String: Schema] = [:]
            if case .object(let known)? = paths[route.path.description] { item = known }
            item[route.method.rawValue.lowercased()] = operation(route)
            paths[route.path.description] = .object(item)
        }
        var used: Set<String> = ["Problem"]
        for route in routes { used.formUnion(schemas(of: route.operation)) }
        if socketPath != nil { used.formUnion(["ClientFrame", "ServerFrame"]) }
        let document: Schema = [
            "openapi": "3.1.0",
            "info": [
                "title": .text(title), "description": .text(description), "version": .text(MessagingService.version),
                "license": ["name": "Apache-2.0", "identifier": "Apache-2.0"],
            ],
            "jsonSchemaDialect": "https://json-schema.org/draft/2020-12/schema",
            "paths": .object(paths),
            "components": [
                "schemas": .object(ContractSchemas.closure(of: used)),
                "securitySchemes": ["token": ["type": "http", "scheme": "bearer"]],
            ],
        ]
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.withoutEscapingSlashes, .sortedKeys]
        return String(decoding: try encoder.encode(document), as: UTF8.self)
    }

    private static func schemas(of operation: Operation) -> Set<String> {
        Set(
            operation.parameters.map(\.schema) + [operation.body].compactMap(\.self)
                + operation.answers.compactMap(\.schema)
        )
    }

    private static func operation(_ route: Route) -> Schema {
        let operation = route.operation
        var object: [String: Schema] = [
            "operationId": .text(operation.id),
            "summary": .text(operation.summary),
            "responses": .object(responses(operation)),
            "security": route.access == .open ? [] : [["token": []]],
        ]
        let parameters = route.path.parameters.map(pathParameter) + operation.parameters.map(parameter)
        if !parameters.isEmpty { object["parameters"] = .list(parameters) }
        if let body = operation.body {
            let type = body == ContractSchemas.bytes ? "application/octet-stream" : "application/json"
            object["requestBody"] = ["required": true, "content": content(type, body)]
        }
        return .object(object)
    }

    private static func responses(_ operation: Operation) -> [String: Schema] {
        var responses: [String: Schema] = [
            "default": [
                "description": "A problem, with a stable code.",
                "content": content("application/problem+json", "Problem"),
            ]
        ]
        for answer in operation.answers {
            var object: [String: Schema] = ["description": .text(answer.description)]
            if let schema = answer.schema { object["content"] = content(answer.mediaType, schema) }
            responses["\(answer.status)"] = .object(object)
        }
        return responses
    }

    /// Raw bytes have a media type and no schema (OpenAPI 3.1, section 4.8.14.3).
    private static func content(_ type: String, _ schema: String) -> Schema {
        .object([type: schema == ContractSchemas.bytes ? [:] : ["schema": .reference(schema)]])
    }

    private static func pathParameter(_ name: String) -> Schema {
        ["name": .text(name), "in": "path", "required": true, "schema": .reference("Text")]
    }

    private static func parameter(_ parameter: Operation.Parameter) -> Schema {
        [
            "name": .text(parameter.name), "in": .text(parameter.place.rawValue),
            "required": .bool(parameter.isRequired), "description": .text(parameter.description),
            "schema": .reference(parameter.schema),
        ]
    }
}
