import ClientWire
import Foundation
import MessagingCore
import Synchronization
import Testing

@testable import MessagingService

@Suite("What waits is bounded")
struct BusyTests {
    private final class Gate: Sendable {
        let isOpen = Mutex(false)
    }

    @Test("more work that blocks than may wait is refused, and what waits is done")
    func lanes() async throws {
        let lanes = BlockingLanes(label: "test", width: 1, limit: 3)
        let gate = Gate()
        let results = await withTaskGroup(of: Bool.self) { group in
            for _ in 0..<10 {
                group.addTask {
                    do {
                        return try await lanes.run(0) {
                            while !gate.isOpen.withLock({ $0 }) { usleep(1000) }
                            return true
                        }
                    } catch {
                        #expect(error as? Refusal == Refusal(.unavailable, ""))
                        return false
                    }
                }
            }
            var results: [Bool] = []
            while results.count < 7, let one = await group.next() { results.append(one) }
            gate.isOpen.withLock { $0 = true }
            for await one in group { results.append(one) }
            return results
        }
        #expect(results.count { $0 } == 3)
        // All of them have gone: there is room again.
        #expect(try await lanes.run(0) { 7 } == 7)
    }

    @Test("a connection says hello once: a second one is no second look-up")
    func hello() async throws {
        let world = try await World.open()
        let alice = try await world.person("alice")
        let device = TestDevice(world: world, identity: alice.who, acknowledges: true)
        device.open()
        var frame = ClientFrame()
        frame.hello = ClientFrame.Hello(token: "nobody-has-it", cursor: nil)
        // In one turn of the connection: the second comes before the first can be judged.
        let bytes = [UInt8](try StrictJSON.encode(frame))
        await device.receive([bytes, bytes])
        try await eventually("closed") { device.mirror.closed != nil }
        #expect(device.mirror.closed == CloseCode.badFrame)
    }

    @Test("a user asks for conversations so often, and again after a while")
    func requests() async throws {
        let world = try await World.open()
        let alice = try await world.person("alice")
        let bob = try await world.person("bob")
        for _ in 0..<Int(world.service.configuration.sessionRequests.burst) {
            let id = try await world.ask(alice, bob).id
            _ = try await world.service.leave(alice.who, id)
        }
        await #expect(throws: Refusal(.rateLimited, "")) { _ = try await world.ask(alice, bob) }
        world.clock.advance(milliseconds: 1000)
        _ = try await world.ask(alice, bob)
        // Whoever is asked may ask too.
        _ = try await world.ask(bob, alice)
    }
}
