import Foundation
import MSRP
import NIOCore
import Testing

/// The checks of the fuzzers, for a moment, on inputs that are the same in every run.
@Suite struct FuzzSmokeTests {
    static let kept = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .appendingPathComponent("../../Fuzz/corpus").standardizedFileURL

    private func keptInputs(_ name: String) throws -> [[UInt8]] {
        try FileManager.default.contentsOfDirectory(
            at: Self.kept.appendingPathComponent(name),
            includingPropertiesForKeys: nil
        ).map { Array(try Data(contentsOf: $0)) }
    }

    private func mutated(_ bytes: [UInt8], _ numbers: inout Numbers) -> [UInt8] {
        var bytes = bytes
        for _ in 0..<Int.random(in: 1...4, using: &numbers) where !bytes.isEmpty {
            let place = bytes.indices.randomElement(using: &numbers) ?? 0
            switch Int.random(in: 0..<5, using: &numbers) {
            case 0: bytes[place] = .random(in: 0...255, using: &numbers)
            case 1: bytes.remove(at: place)
            case 2: bytes.insert([13, 10, 45, 36, 43, 32, 58].randomElement(using: &numbers) ?? 0, at: place)
            case 3: bytes.replaceSubrange(place..., with: [])
            default: bytes.insert(contentsOf: bytes[place...].prefix(40), at: place)
            }
        }
        return bytes
    }

    @Test func frames() throws {
        var numbers = Numbers(4975)
        for input in try self.keptInputs("msrp-frames") { FrameCheck.run(input) }
        for test in ConformanceTests.cases where test.bytes.count < 4096 {
            FrameCheck.run([3] + test.bytes)
            for _ in 0..<25 {
                FrameCheck.run([.random(in: 0...255, using: &numbers)] + self.mutated(test.bytes, &numbers))
            }
        }
    }

    @Test func reassembly() throws {
        var numbers = Numbers(4976)
        for input in try self.keptInputs("msrp-reassembly") { ReassemblyCheck.run(input) }
        for _ in 0..<300 {
            let count = Int.random(in: 1...40, using: &numbers)
            var input: [UInt8] = []
            for _ in 0..<count {
                // Close together, so that pieces touch and overlap.
                input += [
                    .random(in: 0...1, using: &numbers), .random(in: 0...1, using: &numbers),
                    .random(in: 0...255, using: &numbers), .random(in: 0...200, using: &numbers),
                    .random(in: 0...255, using: &numbers), .random(in: 0...3, using: &numbers),
                ]
            }
            ReassemblyCheck.run(input)
        }
    }
}
