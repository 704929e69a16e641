/// A piece of the document, written as literals.
indirect enum Schema: Sendable, Hashable {
    case text(String)
    case bool(Bool)
    case integer(Int64)
    case list([Schema])
    case object([String: Schema])
}

extension Schema: Encodable {
    func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        switch self {
        case .text(let value): try container.encode(value)
        case .bool(let value): try container.encode(value)
        case .integer(let value): try container.encode(value)
        case .list(let value): try container.encode(value)
        case .object(let value): try container.encode(value)
        }
    }
}

extension Schema: ExpressibleByStringLiteral, ExpressibleByBooleanLiteral, ExpressibleByIntegerLiteral,
    ExpressibleByArrayLiteral, ExpressibleByDictionaryLiteral
{
    init(stringLiteral value: String) { self = .text(value) }
    init(booleanLiteral value: Bool) { self = .bool(value) }
    init(integerLiteral value: Int64) { self = .integer(value) }
    init(arrayLiteral elements: Schema...) { self = .list(elements) }

    init(dictionaryLiteral elements: (String, Schema)...) {
        self = .object(Dictionary(elements) { _, last in last })
    }
}

/// Words to write schemas with (JSON Schema 2020-12, the part that the contract needs).
extension Schema {
    static func reference(_ name: String) -> Schema { ["$ref": .text("#/components/schemas/\(name)")] }

    static func string(_ description: String, pattern: String? = nil, format: String? = nil) -> Schema {
        var object: [String: Schema] = ["type": "string", "description": .text(description)]
        if let pattern { object["pattern"] = .text(pattern) }
        if let format { object["format"] = .text(format) }
        return .object(object)
    }

    static func oneOf(_ values: [String], _ description: String) -> Schema {
        ["type": "string", "enum": .list(values.map { .text($0) }), "description": .text(description)]
    }

    static func number(_ description: String, from minimum: Int64? = nil, to maximum: Int64? = nil) -> Schema {
        var object: [String: Schema] = ["type": "integer", "description": .text(description)]
        if let minimum { object["minimum"] = .integer(minimum) }
        if let maximum { object["maximum"] = .integer(maximum) }
        return .object(object)
    }

    static func list(of item: String) -> Schema { ["type": "array", "items": .reference(item)] }

    /// An object: its fields as references to schemas by name (`[]` around a list's), those after `optional` may be
    /// absent.
    static func record(
        _ description: String,
        _ required: KeyValuePairs<String, String>,
        optional: KeyValuePairs<String, String> = [:]
    ) -> Schema {
        var properties: [String: Schema] = [:]
        for (name, schema) in Array(required) + Array(optional) {
            properties[name] =
                schema.hasPrefix("[") ? .list(of: String(schema.dropFirst().dropLast())) : .reference(schema)
        }
        return [
            "type": "object", "description": .text(description), "properties": .object(properties),
            "required": .list(required.map { .text($0.key) }), "additionalProperties": false,
        ]
    }
}
