import Foundation
import MSRP
import ProtocolDecoding
import Testing

/// One file of the conformance corpus with what is expected of it.
struct CorpusEntry: Sendable, CustomTestStringConvertible {
    let file: String
    let protocolName: String
    let format: String?
    let kind: String
    let expect: JSONValue
    let path: URL

    var testDescription: String { self.file }

    var bytes: [UInt8] {
        get throws { Array(try Data(contentsOf: self.path)) }
    }

    /// The name to ask the decoder for, as a person would who knows what the file is.
    var decoderName: String? {
        switch self.protocolName {
        case "events":
            let known = ["reginfo", "dialog-info", "conference-info", "resource-lists", "pidf", "watcherinfo"]
            return self.format.map { known.contains($0) ? $0 : "xml" }
        case "sip", "sip-torture", "sip-interop":
            // Beside messages there are lists of URIs and captures of streams.
            return self.file.hasSuffix(".json") || self.file.hasSuffix(".bin") ? nil : "sip"
        case "imdn": return self.file.hasSuffix(".cpim") ? "cpim" : "imdn"
        default: return self.protocolName
        }
    }
}

/// The corpus: the files kept with the project, and the whole shared one where it is at hand.
enum Corpus {
    static let fixtures = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Fixtures")
    static let messages = Self.fixtures.deletingLastPathComponent().deletingLastPathComponent()
        .appending(path: "MSRPTests/Fixtures")
    static let shared = URL(filePath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().appending(path: "shared/conformance")

    static let requests = Self.fixtures.deletingLastPathComponent().deletingLastPathComponent()
        .appending(path: "SIPTests/Fixtures")

    static let kept: [CorpusEntry] = (try? Self.load(Self.fixtures)) ?? []
    static let keptMessages: [CorpusEntry] = (try? Self.load(Self.messages, isFlat: true)) ?? []
    static let keptRequests = ((try? Self.load(Self.requests)) ?? []).filter {
        $0.decoderName == "sip" && FileManager.default.fileExists(atPath: $0.path.path)
    }
    static let whole: [CorpusEntry] = (try? Self.load(Self.shared)) ?? []

    /// Files whose verdict is not the manifest's, each with the reason; the aim is none.
    static let exceptions: [String: String] = {
        let file = Self.fixtures.deletingLastPathComponent().deletingLastPathComponent()
            .appending(path: "conformance-exceptions.json")
        return (try? JSONDecoder().decode([String: String].self, from: Data(contentsOf: file))) ?? [:]
    }()

    static func entries(_ protocols: String...) -> [CorpusEntry] {
        self.kept.filter { protocols.contains($0.protocolName) }
    }

    private static func load(_ folder: URL, isFlat: Bool = false) throws -> [CorpusEntry] {
        let data = try Data(contentsOf: folder.appending(path: "manifest.json"))
        guard case .array(let items) = try JSONDecoder().decode(ParsedJSON.self, from: data).value else { return [] }
        return items.compactMap { item in
            guard case .string(let file)? = item["file"], case .string(let name)? = item["protocol"],
                case .string(let kind)? = item["kind"], let expect = item["expect"]
            else { return nil }
            var format: String?
            if case .string(let text)? = item["format"] { format = text }
            return CorpusEntry(
                file: file,
                protocolName: name,
                format: format,
                kind: kind,
                expect: expect,
                path: folder.appending(path: isFlat ? String(file.split(separator: "/").last ?? "") : file)
            )
        }
    }
}

/// Reads any JSON document.
struct ParsedJSON: Decodable {
    let value: JSONValue

    private struct Key: CodingKey {
        let stringValue: String
        var intValue: Int? { nil }
        init(stringValue: String) { self.stringValue = stringValue }
        init?(intValue: Int) { nil }
    }

    init(from decoder: any Decoder) throws {
        if let object = try? decoder.container(keyedBy: Key.self) {
            // The decoder gives the members in any order.
            self.value = .object(
                try object.allKeys.sorted { $0.stringValue < $1.stringValue }
                    .map { .init($0.stringValue, try object.decode(ParsedJSON.self, forKey: $0).value) }
            )
            return
        }
        if var array = try? decoder.unkeyedContainer() {
            var values: [JSONValue] = []
            while !array.isAtEnd { values.append(try array.decode(ParsedJSON.self).value) }
            self.value = .array(values)
            return
        }
        let single = try decoder.singleValueContainer()
        if single.decodeNil() {
            self.value = .null
        } else if let flag = try? single.decode(Bool.self) {
            self.value = .bool(flag)
        } else if let number = try? single.decode(Int64.self) {
            self.value = .integer(number)
        } else if let number = try? single.decode(Double.self) {
            self.value = .number(number)
        } else {
            self.value = .string(try single.decode(String.self))
        }
    }
}

/// Compares what is expected with what was found.
enum Expectation {
    /// Keys whose value is prose for the reader of the manifest, or judged by a test of its own.
    static let prose: Set<String> = [
        "parse", "note", "must_not", "action", "inner", "direction", "client", "stream", "datagram",
        // What a session makes of a frame is held to the corpus by the tests of the MSRP library.
        "response_expected", "report_expected", "reassembled", "reason_utf8",
    ]
    /// Keys whose list names alternatives, any of which is right.
    static let alternatives: Set<String> = ["answer_direction", "uas_response", "proxy_response"]

    /// What is compared of SIP messages; more is held to the corpus by the tests of the SIP library.
    static let sipKeys: Set<String> = [
        "request", "response", "call_id", "cseq", "from_tag", "to_tag", "via_count", "top_via", "contact_count",
        "route_count", "record_route_count", "content_length_header", "body_length", "max_forwards", "subject",
        "from_display_name", "top_via_received", "via_hosts", "via_transports", "request_uri_scheme",
        "request_user_decoded", "tel_number_canonical", "supported", "session_expires", "rack",
        "contact_display_name_decoded", "contact_header_params", "contact_uri_params", "contact_uri_headers",
        "uas_unsupported", "proxy_unsupported", "proxy_response",
    ]

    /// The differences, one text each; what is found beyond what is expected is no difference.
    static func differences(expected: JSONValue, found: JSONValue?, path: String = "") -> [String] {
        switch (expected, found) {
        case (.null, nil), (.null, .null?): return []
        case (.object(let members), let found?):
            if case .array(let values) = found, let count = expected["count"] {
                return self.differences(expected: count, found: .count(values.count), path: "\(path).count")
            }
            return members.filter { !self.prose.contains($0.name) }.flatMap { member in
                let inner = found[member.name]
                if self.alternatives.contains(member.name), case .array(let choices) = member.value {
                    return inner.map(choices.contains) ?? false ? [] : ["\(path).\(member.name): \(inner?.text ?? "-")"]
                }
                // The manifest has one remark in place of a value.
                if member.name == "datetime", case .string(let text) = member.value, text.contains("must not") {
                    return []
                }
                if member.name == "to_path_equals" { return self.pathDifferences(member.value, found["to_path"]) }
                // The msrp verdict is prose that begins with what to do.
                if member.name == "msrp", case .string(let text)? = inner {
                    return text.hasPrefix("reject") ? [] : [text]
                }
                return self.differences(expected: member.value, found: inner, path: "\(path).\(member.name)")
            }
        case (.array(let wanted), .array(let values)?):
            guard wanted.count == values.count else {
                return ["\(path): \(wanted.count) wanted, \(values.count) found: \(found?.text ?? "")"]
            }
            return zip(wanted, values).enumerated().flatMap { index, pair in
                self.differences(expected: pair.0, found: pair.1, path: "\(path)[\(index)]")
            }
        case (.number(let wanted), .number(let value)?):
            return abs(wanted - value) < 0.000_001 ? [] : ["\(path): \(wanted) wanted, \(value) found"]
        default:
            return expected == found ? [] : ["\(path): \(expected.text) wanted, \(found?.text ?? "nothing") found"]
        }
    }

    /// Compares a path as URIs, whose scheme, host and transport have no case.
    private static func pathDifferences(_ expected: JSONValue, _ found: JSONValue?) -> [String] {
        guard case .string(let wanted) = expected, case .array(let path)? = found, case .string(let uri)? = path.first,
            let left = try? MSRPURI(parsing: wanted), let right = try? MSRPURI(parsing: uri), left == right
        else { return ["to_path_equals: \(expected.text) wanted, \(found?.text ?? "nothing") found"] }
        return []
    }
}
