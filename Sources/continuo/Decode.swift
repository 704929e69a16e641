import ArgumentParser
import Foundation
import ProtocolDecoding

/// `continuo decode`
struct Decode: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Say what a SIP, SDP, CPIM, IMDN, MSRP or XML message is, or every one in a packet capture.",
        discussion:
            "Exits with 1 when something was no good message. The fields are described in docs/libraries/decode.md."
    )
    @Argument(help: "Files; none, or '-', reads standard input.")
    var file: [String] = []
    @Option(
        name: .customLong("as"),
        help: ArgumentHelp("What it is, instead of a guess: sip, sdp, cpim ...", valueName: "protocol")
    )
    var name: String?
    @Flag(help: "How it is printed: JSON, one object a line, or text for people.")
    var form = Form.json

    enum Form: String, EnumerableFlag {
        case json
        case text
    }

    func run() throws {
        let registry = DecoderRegistry.standard
        if let name, !registry.names.contains(name) {
            throw CommandFailure.misused(
                "'\(name)' is not known\n    take one of \(registry.names.joined(separator: ", "))"
            )
        }
        var isAllGood = true
        for path in file.isEmpty ? ["-"] : file {
            let bytes: [UInt8]
            if path == "-" {
                bytes = Array(FileHandle.standardInput.readDataToEndOfFile())
            } else if let data = FileManager.default.contents(atPath: path) {
                bytes = Array(data)
            } else {
                throw CommandFailure.misused("\(path) cannot be read")
            }
            for result in try decode(bytes, path == "-" ? nil : path, registry) {
                print(form == .json ? result.json.text : text(of: result))
                if result.decoding.verdict != .ok { isAllGood = false }
            }
        }
        if !isAllGood { throw ExitCode(1) }
    }

    private func decode(
        _ bytes: [UInt8],
        _ path: String?,
        _ registry: DecoderRegistry
    ) throws -> [DecoderRegistry.Result] {
        guard Capture.resembles(bytes) else { return [registry.decode(bytes, as: name, file: path)] }
        do {
            return registry.decode(try Capture(parsing: bytes), as: name, file: path)
        } catch {
            throw CommandFailure.refused("\(path ?? "the input") is a damaged capture: \(error.reason)")
        }
    }

    private func text(of result: DecoderRegistry.Result) -> String {
        let place = result.file.map { "\($0): " } ?? ""
        var lines = ["\(place)\(result.protocolName ?? "unknown"), \(result.decoding.verdict.rawValue)"]
        if let failure = result.decoding.failure {
            let offset = failure.offset.map { " at octet \($0)" } ?? ""
            lines.append("  \(failure.code)\(offset): expected \(failure.expected)")
        }
        lines += result.decoding.fields.map { "  \($0.name): \(printable($0.value.text))" }
        return lines.joined(separator: "\n")
    }
}
