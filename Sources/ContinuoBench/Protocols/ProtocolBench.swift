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
        var figures = SIPFigures.run(runs)
        progress("sip: requests over UDP")
        figures += try await SIPDatagrams.run(runs)
        progress("msrp: frames in memory")
        figures += try MSRPFigures.run(runs)
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
