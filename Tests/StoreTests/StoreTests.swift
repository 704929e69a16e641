import MemoryStore
import Store
import StoreConformance
import Synchronization
import Testing

@Suite("Every store keeps the contract")
struct StoreTests {
    @Test("conformance", arguments: StoreConformance.checks, Backend.allCases)
    func conformance(_ check: StoreConformance.Check, _ backend: Backend) async throws {
        try await backend.run(check)
    }

    @Test("the in-memory store refuses as it is told to, keeps nothing of that, and goes on afterwards")
    func refusal() async throws {
        let store = MemoryStore()
        try await store.write { try $0.apply(.setting("before", [])) }
        store.refuseWrites(StoreError(.full, "no room"))
        await #expect(throws: StoreError(.full, "")) {
            try await store.write { try $0.apply(.setting("refused", [])) }
        }
        store.refuseWrites(nil)
        try await store.write { try $0.apply(.setting("after", [])) }
        let stored = try await store.read { view in
            try ["before", "refused", "after"].filter { try view.setting($0) != nil }
        }
        #expect(stored == ["before", "after"])
        store.close()
    }

    @Test("telling of a batch costs the same after a million batches")
    func observation() {
        let observation = BatchObservation()
        let count = Atomic(0)
        observation.set { _ in count.add(1, ordering: .relaxed) }
        // With a wrapping for each this would run out of stack.
        for _ in 0..<1_000_000 { observation.tell(.committed) }
        #expect(count.load(ordering: .relaxed) == 1_000_000)
    }
}
