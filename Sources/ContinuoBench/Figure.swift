import Foundation

/// One measured quantity: all runs, and their median.
public struct Figure: Sendable, Codable, Equatable {
    public var name: String
    public var unit: String
    public var median: Double
    public var runs: [Double]

    init(_ name: String, _ unit: String, _ runs: [Double]) {
        self.name = name
        self.unit = unit
        self.runs = runs.map { ($0 * 1000).rounded() / 1000 }
        median = self.runs.sorted()[runs.count / 2]
    }

    /// Puts the same figures of several runs together.
    static func merge(_ runs: [[Figure]]) -> [Figure] {
        (runs.first ?? []).enumerated().map { index, figure in
            Figure(figure.name, figure.unit, runs.flatMap { $0[index].runs })
        }
    }
}

/// What the benchmark does.
public struct BenchPlan: Sendable {
    public var runs: Int
    public var seconds: Double
    /// Messages in the mailboxes before anything is measured.
    public var stored: Int
    public var pairs = 50
    public var devicesPerUser = 3
    /// Messages in flight for each pair.
    public var inFlight = 4
    public var textBytes = 1024
    public var idleConnections = 1500
    public var missed = 1000

    /// A plan; the published figures use 3 runs of 30 s over 100,000 stored messages.
    public init(runs: Int, seconds: Double, stored: Int) {
        self.runs = runs
        self.seconds = seconds
        self.stored = stored
    }
}
