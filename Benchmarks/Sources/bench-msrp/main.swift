import MSRPBenchmarks

let runs = CommandLine.arguments.dropFirst().first.flatMap { Int($0) } ?? 5
try await MSRPBenchmarks.run(runs: runs) { print($0.json) }
