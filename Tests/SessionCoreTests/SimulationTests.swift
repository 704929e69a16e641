import Foundation
import MessagingCore
import Testing

@testable import SessionCore

/// Whole sessions between servers, by seeds. `SIMULATION_SEEDS=N` runs more of them, `SIMULATION_SEED=N` one again.
@Suite("Sessions under a network that loses, and servers that crash")
struct SimulationTests {
    private static let environment = ProcessInfo.processInfo.environment

    /// The one story that is wanted again.
    private static let again = environment["SIMULATION_SEED"].flatMap(UInt64.init)

    /// In parts, so that each processor plays some.
    private static var parts: [Range<UInt64>] {
        if let again { return [again..<again + 1] }
        let end = 1 + (environment["SIMULATION_SEEDS"].flatMap(UInt64.init) ?? 2000)
        return stride(from: 1, to: end, by: 250).map { $0..<min($0 + 250, end) }
    }

    @Test(
        "nothing is lost, doubled or reordered; one acceptance; alerts end; legs, media and order agree",
        arguments: parts
    )
    func holds(_ seeds: Range<UInt64>) {
        for seed in seeds {
            var scenario = Scenario(seed: seed, isTold: Self.again != nil)
            let violations = scenario.run()
            #expect(violations.isEmpty, "seed \(seed): \(violations.prefix(3).joined(separator: "; "))")
            for line in scenario.world.journal ?? [] { print(line) }
            if !violations.isEmpty { return }
        }
    }

    @Test("the same seed plays the same story")
    func repeats() {
        func story() -> [String] {
            var scenario = Scenario(seed: 7)
            _ = scenario.run()
            return scenario.world.users.flatMap { user in
                (scenario.world.servers[user]?.mailbox ?? [:]).sorted { $0.key < $1.key }.map { "\($0)" }
            }
        }
        let first = story()
        #expect(!first.isEmpty)
        #expect(first == story())
    }

    @Test("a mistake made on purpose is found", arguments: Sabotage.allCases)
    func finds(_ sabotage: Sabotage) {
        let found = (1...UInt64(200)).contains { seed in
            var scenario = Scenario(seed: seed, sabotage: sabotage)
            return !scenario.run().isEmpty
        }
        #expect(found)
    }
}
