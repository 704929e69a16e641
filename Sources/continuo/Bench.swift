import ArgumentParser
import ContinuoBench
import Foundation

/// `continuo bench`
struct Bench: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Measure this program on this machine.",
        subcommands: [Messages.self, Sessions.self, Interconnect.self, Protocols.self]
    )

    struct Messages: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Messages a second, processor time and bytes for each, idle connections, catching up."
        )
        @Flag(help: "Print JSON, one object a line.")
        var json = false
        @Option(help: "Runs of each measurement.")
        var runs = 1
        @Option(help: "Seconds of load for each run.")
        var seconds = 30.0
        @Option(help: "Messages stored before the load.")
        var stored = 100_000
        @Option(help: ArgumentHelp("Only this: w1, reports, tls, idle or catchup.", valueName: "part"))
        var only: [String] = []

        func validate() throws { try checkLoad(runs: runs, seconds: seconds, stored: stored) }

        func run() async throws {
            let parts = try only.map { text in
                guard let part = MessageBench.Part(rawValue: text) else {
                    throw CommandFailure.misused("'\(text)' is no part of the benchmark")
                }
                return part
            }
            raiseDescriptorLimit()
            let bench = MessageBench(
                executable: Bundle.main.executablePath ?? CommandLine.arguments[0],
                plan: BenchPlan(runs: runs, seconds: seconds, stored: stored),
                progress: { printError($0) }
            )
            let figures = try await bench.run(parts.isEmpty ? Set(MessageBench.Part.allCases) : Set(parts))
            try printFigures(figures, json: json)
        }
    }

    struct Sessions: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Live conversations: setting up, texts, hand-over, withdrawal of alerts, memory."
        )
        @Flag(help: "Print JSON, one object a line.")
        var json = false
        @Option(help: "Runs of each measurement.")
        var runs = 1
        @Option(help: "Seconds of load for each run.")
        var seconds = 15.0

        @Option(help: ArgumentHelp("Only this: texts, setups, moves or memory.", valueName: "part"))
        var only: [String] = []

        func validate() throws { try checkLoad(runs: runs, seconds: seconds) }

        func run() async throws {
            let parts = try only.map { text in
                guard let part = SessionBench.Part(rawValue: text) else {
                    throw CommandFailure.misused("'\(text)' is no part of the benchmark")
                }
                return part
            }
            raiseDescriptorLimit()
            let bench = SessionBench(
                executable: Bundle.main.executablePath ?? CommandLine.arguments[0],
                runs: runs,
                seconds: seconds,
                progress: { printError($0) }
            )
            let figures = try await bench.run(parts.isEmpty ? Set(SessionBench.Part.allCases) : Set(parts))
            try printFigures(figures, json: json)
        }
    }

    struct Interconnect: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "SIP phones, beside Kamailio when it is installed, and messages from one server to another."
        )
        @Flag(help: "Print JSON, one object a line.")
        var json = false
        @Option(help: "Runs of each measurement.")
        var runs = 1
        @Option(help: "Seconds of load for each run.")
        var seconds = 15.0
        @Option(help: ArgumentHelp("Only this: phones, kamailio or servers.", valueName: "part"))
        var only: [String] = []

        func validate() throws { try checkLoad(runs: runs, seconds: seconds) }

        func run() async throws {
            let parts = try only.map { text in
                guard let part = InterconnectBench.Part(rawValue: text) else {
                    throw CommandFailure.misused("'\(text)' is no part of the benchmark")
                }
                return part
            }
            raiseDescriptorLimit()
            let bench = InterconnectBench(
                executable: Bundle.main.executablePath ?? CommandLine.arguments[0],
                runs: runs,
                seconds: seconds,
                progress: { printError($0) }
            )
            let figures = try await bench.run(parts.isEmpty ? Set(InterconnectBench.Part.allCases) : Set(parts))
            try printFigures(figures, json: json)
        }
    }

    struct Protocols: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract:
                "The protocol libraries: parsing, answering, forwarding, UDP, framing, transfers; and their floors."
        )
        @Flag(help: "Print JSON, one object a line.")
        var json = false
        @Option(help: "Runs of each measurement.")
        var runs = 5

        func validate() throws { try checkLoad(runs: runs) }

        func run() async throws {
            let bench = ProtocolBench(runs: runs, progress: { printError($0) })
            try printFigures(try await bench.run(), json: json)
        }
    }
}

/// A median of nothing and a load of no time are no figures.
private func checkLoad(runs: Int, seconds: Double = 1, stored: Int = 0) throws {
    guard (1...1000).contains(runs) else { throw ValidationError("--runs is 1 to 1000") }
    guard (0.1...86_400).contains(seconds) else { throw ValidationError("--seconds is 0.1 to 86400") }
    guard (0...100_000_000).contains(stored) else { throw ValidationError("--stored is 0 to 100000000") }
}

private func printFigures(_ figures: [Figure], json: Bool) throws {
    if json {
        for figure in figures { try printJSON(figure) }
    } else {
        printTable(
            [["FIGURE", "MEDIAN", "UNIT", "RUNS"]]
                + figures.map { figure in
                    [
                        figure.name, "\(figure.median)", figure.unit,
                        figure.runs.map { "\($0)" }.joined(separator: " "),
                    ]
                }
        )
    }
}
