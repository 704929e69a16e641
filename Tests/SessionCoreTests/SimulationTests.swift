import Foundation
import MessagingCore
import Testing

@testable import SessionCore

/// Whole sessions between servers, by seeds. `SIMULATION_SEEDS=N` runs more of them, `SIMULATION_SEED=N` one again.
@Suite("Sessions under a network that loses, and servers that crash")
struct SimulationTests {
    private static let environment = ProcessInfo.processInfo.environment

    private static var seeds: Range<UInt64> {
        if let one = environment["SIMULATION_SEED"].flatMap(UInt64.init) { return one..<one + 1 }
        return 1..<1 + (environment["SIMULATION_SEEDS"].flatMap(UInt64.init) ?? 2000)
    }

    @Test("nothing is lost, doubled or reordered; one acceptance; alerts end; legs, media and order agree")
    func holds() {
        for seed in Self.seeds {
            var scenario = Scenario(seed: seed)
            let violations = scenario.run()
            #expect(violations.isEmpty, "seed \(seed): \(violations.prefix(3).joined(separator: "; "))")
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
