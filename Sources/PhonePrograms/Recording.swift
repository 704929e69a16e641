public import Foundation

/// A file of 16-bit samples (WAVE) that may still be written to.
public struct Recording: Sendable {
    private static let headerBytes = 44
    /// Fewer say nothing of a tone.
    private static let fewestSamples = 400
    /// The mean square below which it is silent.
    private static let silence = 100.0

    /// The file.
    public let file: URL

    /// What is in a file.
    public init(_ file: URL) { self.file = file }

    /// The share of the energy that is at one frequency, from 0 to 1, in the last stretch of the first channel; 0 for
    /// silence, and for too little.
    public func share(of frequency: Int, seconds: Double) -> Double {
        guard let data = try? Data(contentsOf: file), data.count > Self.headerBytes else { return 0 }
        let bytes = [UInt8](data)
        func number(_ at: Int, _ count: Int) -> Int {
            (0..<count).reduce(0) { $0 | Int(bytes[at + $1]) << (8 * $1) }
        }
        // Some programs write the head of the file at its end: until then it is as G.711 has it.
        let channels = max(1, number(22, 2))
        let rate = number(24, 4) == 0 ? 8000 : Double(number(24, 4))
        let all = stride(from: Self.headerBytes, to: bytes.count - 1, by: 2 * channels).map { at in
            Double(Int16(truncatingIfNeeded: number(at, 2)))
        }
        let samples = all.suffix(Int(rate * seconds))
        let total = samples.reduce(0) { $0 + $1 * $1 }
        guard samples.count > Self.fewestSamples, total / Double(samples.count) > Self.silence else { return 0 }
        let step = 2 * Double.pi * Double(frequency) / rate
        var (real, imaginary) = (0.0, 0.0)
        for (index, sample) in samples.enumerated() {
            real += sample * cos(step * Double(index))
            imaginary += sample * sin(step * Double(index))
        }
        return 2 * (real * real + imaginary * imaginary) / (Double(samples.count) * total)
    }
}
