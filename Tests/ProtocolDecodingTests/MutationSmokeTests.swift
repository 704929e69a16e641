import CPIM
import Foundation
import ProtocolDecoding
import SDP
import Testing
import XMLBodies

/// A small generator with a seed, so that a failure can be had again.
struct SplitMix: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { self.state = seed }

    mutating func next() -> UInt64 {
        self.state &+= 0x9E37_79B9_7F4A_7C15
        var value = self.state
        value = (value ^ value >> 30) &* 0xBF58_476D_1CE4_E5B9
        value = (value ^ value >> 27) &* 0x94D0_49BB_1331_11EB
        return value ^ value >> 31
    }
}

/// Changes inputs in the ways that find faults in parsers.
struct Mutator {
    var random: SplitMix
    static let tokens = [
        "\r\n", "\r\n\r\n", "\n", "\0", "<", ">", "&", "\"", "'", "=", ":", ";", "\\u", "\\", "--", "]]>", "<![CDATA[",
        "&#x",
        "xmlns=\"\"", "99999999999999999999", "-1", "a=", "m=", "v=0", "\u{FEFF}", "\u{10FFFF}",
    ]

    mutating func mutate(_ bytes: [UInt8], with other: [UInt8]) -> [UInt8] {
        var bytes = bytes
        for _ in 0..<Int.random(in: 1...4, using: &self.random) {
            let place = Int.random(in: 0...bytes.count, using: &self.random)
            let length = Int.random(in: 0...16, using: &self.random)
            let range = place..<min(place + length, bytes.count)
            switch Int.random(in: 0..<6, using: &self.random) {
            case 0 where place < bytes.count: bytes[place] ^= 1 << UInt8.random(in: 0..<8, using: &self.random)
            case 1: bytes.removeSubrange(range)
            case 2: bytes.insert(contentsOf: bytes[range], at: place)
            case 3:
                let token = Self.tokens.randomElement(using: &self.random) ?? ""
                bytes.insert(contentsOf: token.utf8, at: place)
            case 4: bytes.removeSubrange(place...)
            default:
                let from = Int.random(in: 0...other.count, using: &self.random)
                bytes.insert(contentsOf: other[from...].prefix(64), at: place)
            }
        }
        return bytes
    }
}

@Suite("Changed inputs")
struct MutationSmokeTests {
    static let regressions = URL(filePath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent().appending(
            path: "Fuzz/corpus"
        )

    /// What must hold for any input: nothing traps, and what is printed is read as the same.
    static func check(_ bytes: [UInt8]) {
        for name in DecoderRegistry.standard.names { _ = DecoderRegistry.standard.decode(bytes, as: name).json.text }
        if let description = try? SessionDescription(parsing: bytes) {
            #expect((try? SessionDescription(parsing: description.bytes)) == description)
        }
        if let message = try? CPIMMessage(parsing: bytes) {
            #expect((try? CPIMMessage(parsing: message.bytes))?.bytes == message.bytes)
        }
        if let root = try? BodyElement(parsing: bytes) {
            var limits = XMLLimits()
            limits.maximumNamespaces = .max
            limits.maximumAttributes = .max
            let text = XMLWriter.document(root)
            #expect((try? BodyElement(parsing: Array(text.utf8), limits: limits)) == root)
        }
        _ = try? Inflate.zlib(bytes[...], maximumBytes: 1 << 16)
    }

    @Test("mutations of the corpus", arguments: Corpus.kept.indices.filter { $0 % 3 == 0 })
    func mutations(_ index: Int) throws {
        let bytes = try Corpus.kept[index].bytes
        let other = try Corpus.kept[(index + 1) % Corpus.kept.count].bytes
        // The two files that are there for their size only would take most of the time.
        guard bytes.count < 8000, other.count < 8000 else { return }
        var mutator = Mutator(random: SplitMix(seed: UInt64(index)))
        for _ in 0..<12 { Self.check(mutator.mutate(bytes, with: other)) }
    }

    @Test("what fuzzing once found")
    func kept() throws {
        let files = FileManager.default.enumerator(at: Self.regressions, includingPropertiesForKeys: nil)
        var count = 0
        while let file = files?.nextObject() as? URL {
            guard let data = try? Data(contentsOf: file) else { continue }
            Self.check(Array(data))
            count += 1
        }
        #expect(count > 0)
    }
}
