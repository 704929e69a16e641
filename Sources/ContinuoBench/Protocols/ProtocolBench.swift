/// Measures the protocol libraries in this process, on loopback where sockets are needed.
///
/// Figures whose name has `floor` in it are what the same machine does without the library.
public struct ProtocolBench: Sendable {
    let runs: Int
    let progress: @Sendable (String) -> Void

    /// A benchmark; `progress` is told what is going on.
    public init(runs: Int, progress: @escaping @Sendable (String) -> Void) {
        self.runs = runs
        self.progress = progress
    }

    /// Runs everything; the names of figures are stable.
    public func run() async throws -> [Figure] {
        progress("sip: messages in memory")
        var figures = await SIPFigures.run(runs)
        progress("sip: requests over UDP")
        figures += try await SIPDatagrams.run(runs)
        progress("msrp: frames in memory")
        figures += try await MSRPFigures.run(runs)
        progress("msrp: transfers over loopback")
        figures += try await MSRPLoopback.run(runs)
        return figures
    }
}

extension Duration {
    var seconds: Double {
        let parts = components
        return Double(parts.seconds) + Double(parts.attoseconds) / 1e18
    }
}

extension Figure {
    /// Does some work once to warm up, and then for each run; `value` makes the figure of one run out of its time and of
    /// what the work returns.
    static func measure(
        _ name: String,
        _ unit: String,
        _ runs: Int,
        _ value: (_ seconds: Double, _ amount: Int) -> Double,
        of work: () async throws -> Int
    ) async rethrows -> Figure {
        let clock = ContinuousClock()
        var results: [Double] = []
        for run in 0...runs {
            let start = clock.now
            let amount = try await work()
            if run > 0 { results.append(value((clock.now - start).seconds, amount)) }
        }
        return Figure(name, unit, results)
    }
}
