import StoreConformance
import Testing

@Suite("Every store keeps the contract")
struct StoreTests {
    @Test("conformance", arguments: StoreConformance.checks, Backend.allCases)
    func conformance(_ check: StoreConformance.Check, _ backend: Backend) async throws {
        try await backend.run(check)
    }
}
