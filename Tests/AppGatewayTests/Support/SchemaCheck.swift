import ClientWire

/// Checks JSON values against the schemas of a served OpenAPI document: the part of JSON Schema that it uses.
///
/// Any other keyword is itself an error, so that nothing passes for being unknown.
struct SchemaCheck {
    let document: JSONValue

    /// What is wrong with a value, each with its place; empty when it is right.
    func errors(_ value: JSONValue, _ schema: JSONValue, at place: String = "") -> [String] {
        guard case .object(let keywords) = schema else { return ["\(place): the schema is no object"] }
        var errors: [String] = []
        for (keyword, argument) in keywords {
            switch (keyword, argument) {
            case ("$ref", .text(let target)): errors += self.errors(value, resolve(target), at: place)
            case ("type", .text(let type)): if !has(value, type) { errors.append("\(place): is no \(type)") }
            case ("enum", .list(let values)):
                if !values.contains(value) { errors.append("\(place): not one of the enum") }
            case ("pattern", .text(let pattern)):
                if case .text(let text) = value, (try? Regex(pattern).wholeMatch(in: text)) == nil {
                    errors.append("\(place): '\(text)' does not match")
                }
            case ("format", .text("date-time")): if !isTime(value) { errors.append("\(place): no time") }
            case ("minimum", .integer(let bound)):
                if case .integer(let number) = value, number < bound { errors.append("\(place): below \(bound)") }
            case ("items", _):
                guard case .list(let items) = value else { continue }
                for (index, item) in items.enumerated() {
                    errors += self.errors(item, argument, at: "\(place)[\(index)]")
                }
            case ("properties", .object(let properties)):
                guard case .object(let fields) = value else { continue }
                for (name, field) in fields {
                    guard let property = properties[name] else {
                        errors.append("\(place).\(name): not in the schema")
                        continue
                    }
                    errors += self.errors(field, property, at: "\(place).\(name)")
                }
            case ("required", .list(let names)):
                guard case .object(let fields) = value else { continue }
                for case .text(let name) in names where fields[name] == nil {
                    errors.append("\(place).\(name): missing")
                }
            case ("description", _), ("additionalProperties", .bool(false)): break
            default: errors.append("\(place): the keyword \(keyword) is not known")
            }
        }
        return errors
    }

    private func has(_ value: JSONValue, _ type: String) -> Bool {
        switch (value, type) {
        case (.text, "string"), (.integer, "integer"), (.bool, "boolean"), (.list, "array"), (.object, "object"): true
        default: false
        }
    }

    private func isTime(_ value: JSONValue) -> Bool {
        guard case .text(let text) = value else { return false }
        return text.wholeMatch(of: /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z/) != nil
    }

    private func resolve(_ target: String) -> JSONValue {
        var value = document
        for piece in target.split(separator: "/").dropFirst() { value = value[String(piece)] ?? .null }
        return value
    }
}

extension JSONValue {
    subscript(name: String) -> JSONValue? {
        guard case .object(let fields) = self else { return nil }
        return fields[name]
    }

    var keys: Set<String> {
        guard case .object(let fields) = self else { return [] }
        return Set(fields.keys)
    }
}
