import Foundation
import NIOCore
import SIP
import Testing

/// A short run of mutated corpus messages through everything that reads; the long runs are in the Fuzz package.
@Suite("Hostile input")
struct SmokeFuzzTests {
    /// A small generator with a seed, so that a failure can be repeated.
    struct Seeded: RandomNumberGenerator {
        var state: UInt64
        mutating func next() -> UInt64 {
            self.state &+= 0x9E37_79B9_7F4A_7C15
            var mixed = self.state
            mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
            mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
            return mixed ^ (mixed >> 31)
        }
    }

    static func mutate(_ bytes: [UInt8], _ generator: inout Seeded) -> [UInt8] {
        var bytes = bytes
        for _ in 0..<Int.random(in: 1...6, using: &generator) {
            guard !bytes.isEmpty else { return bytes }
            let index = Int.random(in: 0..<bytes.count, using: &generator)
            switch Int.random(in: 0..<6, using: &generator) {
            case 0: bytes[index] = UInt8.random(in: .min ... .max, using: &generator)
            case 1: bytes.remove(at: index)
            case 2:
                bytes.insert(
                    contentsOf: Array("\r\n;,<>\"%@:=\\".utf8).shuffled(using: &generator).prefix(2),
                    at: index
                )
            case 3: bytes.removeLast(bytes.count - index)
            case 4: bytes.insert(contentsOf: bytes[index..<min(bytes.count, index + 40)], at: index)
            default: bytes[index] ^= 0x20
            }
        }
        return bytes
    }

    /// Reads everything there is to read, and checks what must always hold.
    static func exercise(_ bytes: [UInt8]) {
        if case .respond(let response) = ElementProfile.endpoint.check(
            SIPMessage.read(ByteBuffer(bytes: bytes))
        ) {
            let read = try? SIPMessage(parsing: response.serialized())
            #expect(read?.status == response.status, "an answer that cannot be read")
        }
        guard case .message(var message) = SIPMessage.read(ByteBuffer(bytes: bytes)) else { return }
        let printed = message.serialized()
        #expect(printed.readableBytes == message.serializedLength)
        _ = try? message.validate()
        _ = try? message.list(.acceptContact, as: ContactPredicate.self)
        _ = try? message.value(.replaces, as: DialogReference.self)
        _ = try? message.sessionExpires()
        _ = message.challenges(.wwwAuthenticate) + message.credentials(.authorization)
        _ = message.headerFields
        _ = try? RequestDisposition(message)
        if let uri = try? message.requestURI() {
            let text = uri.description
            #expect((try? URI(text)) == uri, "\(text)")
        }
        if let vias = try? message.vias() {
            for via in vias where !via.parameters.items.contains(where: { $0.value == "" || $0.isQuoted }) {
                #expect((try? Via(via.description)) == via, "\(via)")
            }
        }
        message.removeFirstValue(.via)
        message.replaceFirstValue(.route, "<sip:x>")
        message.removeBody()
        // What is added may take a message above the limits of its reader.
        var roomy = SIPLimits()
        roomy.headBytes *= 2
        roomy.lineBytes *= 2
        roomy.headerFields += 2
        #expect((try? SIPMessage(parsing: message.serialized(), limits: roomy)) != nil, "an edited message")
        guard case .message(let again) = SIPMessage.read(printed) else {
            Issue.record("a printed message cannot be read: \(String(buffer: printed))")
            return
        }
        #expect(again.serialized() == printed)
    }

    @Test("Mutations of the corpus never trap, and what is printed can be read", arguments: 0..<4)
    func mutations(seed: Int) throws {
        var generator = Seeded(state: UInt64(seed))
        for entry in Corpus.entries("sip", "sip-torture", "sip-interop") where !entry.file.hasSuffix(".json") {
            let bytes = Array(try entry.bytes().readableBytesView)
            for _ in 0..<4 { Self.exercise(Self.mutate(bytes, &generator)) }
        }
    }

    @Test("Inputs that once broke something", arguments: ["sip", "sip-stream", "sip-uri"])
    func regressions(folder: String) throws {
        let place = Corpus.here.appendingPathComponent("../../Fuzz/corpus/\(folder)").standardizedFileURL
        let files = try FileManager.default.contentsOfDirectory(at: place, includingPropertiesForKeys: nil)
        #expect(!files.isEmpty)
        for file in files {
            let bytes = Array(try Data(contentsOf: file))
            Self.exercise(bytes)
            Self.exerciseTexts(String(decoding: bytes, as: UTF8.self))
            let cut = bytes.first.map { Int($0) * bytes.count / 256 } ?? 0
            let pieces = [ByteBuffer(bytes: bytes[..<cut]), ByteBuffer(bytes: bytes[cut...])]
            #expect(FramerTests.run(pieces) == FramerTests.run([ByteBuffer(bytes: bytes)]))
        }
    }

    /// What is printed of a text must be read as the same.
    static func exerciseTexts(_ text: String) {
        if let uri = try? URI(text) {
            #expect((try? URI(uri.description)) == uri, "\(text)")
            #expect(uri.isEquivalent(to: uri), "\(text)")
        }
        if let address = try? NameAddress(text) {
            #expect((try? NameAddress(address.description)) == address, "\(text)")
        }
    }

    @Test("A stream of mutated messages gives the same events however it is split", arguments: 0..<2)
    func streams(seed: Int) throws {
        var generator = Seeded(state: UInt64(seed) + 100)
        for entry in Corpus.entries("sip-torture", "sip-interop") where !entry.file.hasSuffix(".json") {
            let bytes = Self.mutate(Array(try entry.bytes().readableBytesView), &generator)
            let whole = FramerTests.run([ByteBuffer(bytes: bytes)])
            let cut = bytes.isEmpty ? 0 : Int.random(in: 0..<bytes.count, using: &generator)
            let split = FramerTests.run([ByteBuffer(bytes: bytes[..<cut]), ByteBuffer(bytes: bytes[cut...])])
            #expect(split == whole)
        }
    }
}
