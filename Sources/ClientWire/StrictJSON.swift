public import FoundationEssentials
public import MessagingCore

/// Decodes request bodies strictly: bounded depth, no field that the type does not know, errors that name the place.
public enum StrictJSON {
    /// Nesting beyond this is refused before anything is decoded.
    public static let maximumDepth = 16

    /// Decodes one document.
    /// - Throws: ``Refusal`` with code `invalid-request`; its detail names the field and what was expected.
    public static func decode<T: Decodable>(_ type: T.Type, from bytes: Data) throws(Refusal) -> T {
        guard depth(of: bytes) <= maximumDepth else {
            throw Refusal(.invalidRequest, "JSON nested deeper than \(maximumDepth)")
        }
        do {
            return try decoder.decode(type, from: bytes)
        } catch let refusal as Refusal {
            throw refusal
        } catch let error as DecodingError {
            throw Refusal(.invalidRequest, describe(error))
        } catch {
            throw Refusal(.invalidRequest, "not a JSON document")
        }
    }

    /// Decodes a document and refuses any field that the value, written out again, does not have.
    ///
    /// For bodies that are rare; the types of frequent ones check their own keys while decoding.
    /// - Throws: ``Refusal`` with code `invalid-request`.
    public static func decodeExactly<T: Codable>(_ type: T.Type, from bytes: Data) throws(Refusal) -> T {
        let value = try decode(type, from: bytes)
        let given = try decode(JSONValue.self, from: bytes)
        guard let known = try? decode(JSONValue.self, from: encode(value)) else { return value }
        if let unknown = firstUnknown(in: given, known: known, at: "") {
            throw Refusal(.invalidRequest, "\(unknown): unknown field")
        }
        return value
    }

    private static func firstUnknown(in given: JSONValue, known: JSONValue, at path: String) -> String? {
        switch (given, known) {
        case (.object(let fields), .object(let knownFields)):
            for (key, value) in fields where value != .null {
                let place = path.isEmpty ? String(key.prefix(40)) : "\(path).\(key.prefix(40))"
                guard let knownValue = knownFields[key] else { return place }
                if let unknown = firstUnknown(in: value, known: knownValue, at: place) { return unknown }
            }
            return nil
        case (.list(let values), .list(let knownValues)):
            for (index, (value, knownValue)) in zip(values, knownValues).enumerated() {
                if let unknown = firstUnknown(in: value, known: knownValue, at: "\(path).\(index)") { return unknown }
            }
            return nil
        default: return nil
        }
    }

    /// Encodes a document; the order of its keys means nothing.
    public static func encode<T: Encodable>(_ value: T) throws -> Data {
        try encoder.encode(value)
    }

    private static let decoder = JSONDecoder()
    private static let encoder: JSONEncoder = {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.withoutEscapingSlashes]
        return encoder
    }()

    private static func depth(of bytes: Data) -> Int {
        bytes.withUnsafeBytes { depth(of: $0) }
    }

    private static func depth(of bytes: UnsafeRawBufferPointer) -> Int {
        var depth = 0
        var deepest = 0
        var inString = false
        var escaped = false
        for byte in bytes {
            if inString {
                if escaped {
                    escaped = false
                } else if byte == UInt8(ascii: "\\") {
                    escaped = true
                } else if byte == UInt8(ascii: "\"") {
                    inString = false
                }
                continue
            }
            switch byte {
            case UInt8(ascii: "\""): inString = true
            case UInt8(ascii: "{"), UInt8(ascii: "["):
                depth += 1
                deepest = max(deepest, depth)
            case UInt8(ascii: "}"), UInt8(ascii: "]"): depth -= 1
            default: break
            }
        }
        return deepest
    }

    private static func describe(_ error: DecodingError) -> String {
        func place(_ path: [any CodingKey]) -> String {
            path.isEmpty ? "the document" : path.map(\.stringValue).joined(separator: ".")
        }
        switch error {
        case .keyNotFound(let key, let context): return "\(place(context.codingPath + [key])): missing"
        case .valueNotFound(_, let context): return "\(place(context.codingPath)): must not be null"
        case .typeMismatch(let type, let context): return "\(place(context.codingPath)): expected \(name(type))"
        case .dataCorrupted(let context):
            if context.codingPath.isEmpty { return "not a JSON document" }
            return "\(place(context.codingPath)): \(context.debugDescription)"
        @unknown default: return "not a proper document"
        }
    }

    private static func name(_ type: Any.Type) -> String {
        switch type {
        case is String.Type: "text"
        case is Bool.Type: "true or false"
        case is any BinaryInteger.Type: "a whole number"
        case is any BinaryFloatingPoint.Type: "a number"
        case is [Any].Type: "a list"
        default: "another type of value"
        }
    }
}

struct AnyKey: CodingKey {
    let stringValue: String
    let intValue: Int?

    init(stringValue: String) {
        self.stringValue = stringValue
        intValue = nil
    }

    init?(intValue: Int) {
        stringValue = String(intValue)
        self.intValue = intValue
    }
}

extension Decoder {
    /// The key of a field that is there. Frequent types walk the fields once: most of those that they know are absent.
    func known<Keys: CodingKey>(_ keys: Keys.Type, _ field: AnyKey) throws -> Keys {
        guard let key = Keys(stringValue: field.stringValue) else { throw unknown(field) }
        return key
    }

    /// The value of a field that must be there.
    func required<T>(_ value: T?, _ key: some CodingKey) throws -> T {
        if let value { return value }
        throw DecodingError.keyNotFound(key, DecodingError.Context(codingPath: codingPath, debugDescription: "missing"))
    }

    private func unknown(_ field: AnyKey) -> DecodingError {
        .dataCorrupted(DecodingError.Context(codingPath: codingPath + [field], debugDescription: "unknown field"))
    }

    /// Refuses keys that the type does not know.
    func onlyKnow<Keys: CodingKey>(_ keys: Keys.Type) throws {
        let container = try container(keyedBy: AnyKey.self)
        for key in container.allKeys where Keys(stringValue: key.stringValue) == nil {
            throw unknown(key)
        }
    }
}
