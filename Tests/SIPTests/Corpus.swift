import Foundation
import NIOCore
import SIP
import Testing

/// The conformance corpus: the project's own fixtures, and the shared corpus when it is there.
enum Corpus {
    struct Entry: Sendable, CustomTestStringConvertible {
        let file: String
        let protocolName: String
        let kind: String
        let expect: JSON
        var testDescription: String { self.file }

        var parse: String? { self.expect["parse"]?.string }
        func bytes() throws -> ByteBuffer { ByteBuffer(bytes: try Corpus.data(self.file)) }
    }

    /// Entries of the given protocols that can be read here.
    static func entries(_ protocols: String...) -> [Entry] {
        guard let manifest = try? JSON.parse(Data(contentsOf: Self.manifest)), case .array(let items) = manifest else {
            return []
        }
        return items.compactMap { item in
            guard let file = item["file"]?.string, let name = item["protocol"]?.string, protocols.contains(name),
                let expect = item["expect"], let kind = item["kind"]?.string, Self.url(file) != nil
            else { return nil }
            return Entry(file: file, protocolName: name, kind: kind, expect: expect)
        }
    }

    static func data(_ file: String) throws -> Data {
        guard let url = Self.url(file) else { throw CocoaError(.fileNoSuchFile) }
        return try Data(contentsOf: url)
    }

    static let here = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
    private static let fixtures = Self.here.appendingPathComponent("Fixtures")
    private static let manifest = Self.fixtures.appendingPathComponent("manifest.json")
    private static let shared = Self.here.appendingPathComponent("../../../shared/conformance").standardizedFileURL

    /// Files whose verdict is not the manifest's, each with the reason; the aim is none.
    static let exceptions: [String: String] = {
        let file = Self.here.appendingPathComponent("../conformance-exceptions.json").standardizedFileURL
        return (try? JSONDecoder().decode([String: String].self, from: Data(contentsOf: file))) ?? [:]
    }()

    private static func url(_ file: String) -> URL? {
        [Self.fixtures, Self.shared].map { $0.appendingPathComponent(file) }
            .first { FileManager.default.fileExists(atPath: $0.path) }
    }
}

/// Just enough of JSON to read the manifest with types.
enum JSON: Sendable {
    case null
    case bool(Bool)
    case number(Double)
    case string(String)
    case array([JSON])
    case object([String: JSON])

    static func parse(_ data: Data) throws -> JSON { Self(try JSONSerialization.jsonObject(with: data)) }

    private init(_ value: Any) {
        switch value {
        case let value as NSNumber where CFBooleanLike.isBool(value): self = .bool(value.boolValue)
        case let value as NSNumber: self = .number(value.doubleValue)
        case let value as String: self = .string(value)
        case let value as [Any]: self = .array(value.map(JSON.init))
        case let value as [String: Any]: self = .object(value.mapValues(JSON.init))
        default: self = .null
        }
    }

    subscript(_ key: String) -> JSON? {
        if case .object(let items) = self { items[key] } else { nil }
    }

    var string: String? { if case .string(let value) = self { value } else { nil } }
    var int: Int? { if case .number(let value) = self { Int(value) } else { nil } }
    var array: [JSON]? { if case .array(let value) = self { value } else { nil } }
    var isNull: Bool { if case .null = self { true } else { false } }
}

private enum CFBooleanLike {
    static func isBool(_ number: NSNumber) -> Bool { String(cString: number.objCType) == "c" }
}
