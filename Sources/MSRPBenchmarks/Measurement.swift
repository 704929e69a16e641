/// What was measured, in the form in which benchmarks print it: one JSON object a line.
public struct Measurement: Sendable {
    /// What was measured.
    public let name: String
    /// What the numbers count.
    public let unit: String
    /// One number for each run, in the order of the runs.
    public let runs: [Double]

    /// The middle one of the runs.
    public var median: Double {
        let sorted = self.runs.sorted()
        guard !sorted.isEmpty else { return 0 }
        return sorted[sorted.count / 2]
    }

    /// As it is printed.
    public var json: String {
        let runs = self.runs.map(Self.rounded).joined(separator: ",")
        return "{\"name\":\"\(self.name)\",\"unit\":\"\(self.unit)\",\"median\":\(Self.rounded(self.median)),"
            + "\"runs\":[\(runs)]}"
    }

    private static func rounded(_ number: Double) -> String { String((number * 1000).rounded() / 1000) }
}
