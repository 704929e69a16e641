import MessagingCore
import Testing

@testable import SessionCore

@Suite("Legs and hand-over")
struct LegsTests {
    private static let laptop = DeviceID(rawValue: 1)
    private static let mobile = DeviceID(rawValue: 2)
    private static let pda = DeviceID(rawValue: 3)
    private static let now = Timestamp(rawValue: 0)
    private static let handOver = Timestamp(rawValue: SessionLimits.handOverMilliseconds)
    private static let drain = Timestamp(rawValue: SessionLimits.drainMilliseconds)

    /// The laptop live from the beginning.
    private static func steady() -> (Legs, Generation) {
        var legs = Legs()
        let generation = legs.attach(laptop, at: 0)
        return (legs, generation)
    }

    private static func preparing(_ history: History = .all) throws -> (Legs, old: Generation, new: Generation) {
        var (legs, old) = steady()
        let new = try legs.prepare(mobile, replacing: old, history: history, now: now)
        return (legs, old, new)
    }

    @Test("moves: prepared, given its history, live at a fence, the old one drains and closes")
    func move() throws {
        var (legs, old, new) = try Self.preparing()
        #expect(legs[new]?.state == .preparing(.all, until: Self.handOver))
        #expect(legs[old]?.isLive == true)

        #expect(legs.ready(new, first: 1, head: 100, now: Self.now) == [.replay(new, after: 0)])
        #expect(legs[new]?.state == .replaying(position: 0, until: Self.handOver))

        // Both sides type on: the head moves away while it catches up.
        #expect(legs.progress(new, position: 60, head: 110, now: Self.now) == [])
        #expect(legs[old]?.isLive == true)
        let live = legs.progress(new, position: 103, head: 111, now: Self.now)
        #expect(live == [.wentLive(new, fence: 111, draining: old)])
        #expect(legs[new]?.state == .live(fence: 111))
        #expect(legs[old]?.state == .draining(fence: 111, to: Self.mobile, until: Self.drain))
        #expect(legs.live(Self.laptop) == nil)

        #expect(legs.close(old, holdsMedia: false) == [.closed(old)])
        #expect(legs.legs.map(\.generation) == [new])
    }

    @Test("what is given to whom: the old leg up to the fence, the new one everything from its start")
    func given() throws {
        var (legs, old, new) = try Self.preparing()
        let preparing = try #require(legs[new])
        #expect(!legs.isGiven(1, preparing))
        _ = legs.ready(new, first: 1, head: 20, now: Self.now)
        let replaying = try #require(legs[new])
        #expect(legs.isGiven(1, replaying))
        _ = legs.progress(new, position: 20, head: 20, now: Self.now)
        let (first, second) = (try #require(legs[old]), try #require(legs[new]))
        #expect(legs.isGiven(20, first))
        #expect(!legs.isGiven(21, first))
        #expect(legs.isGiven(21, second))
    }

    @Test("history: none, some, all, and never what was said before the user came")
    func history() {
        let table: [(History, Ordinal)] = [
            (.none, 100), (.last(10), 90), (.last(0), 100), (.last(1000), 4), (.all, 4),
        ]
        for (history, start) in table { #expect(history.start(first: 5, head: 100) == start) }
    }

    @Test("a target that is close to the head already goes live when it is ready")
    func short() throws {
        var (legs, old, new) = try Self.preparing(.none)
        #expect(
            legs.ready(new, first: 1, head: 100, now: Self.now) == [
                .replay(new, after: 100), .wentLive(new, fence: 100, draining: old),
            ]
        )
    }

    @Test("added beside: nothing drains")
    func add() throws {
        var (legs, old) = Self.steady()
        let new = try legs.prepare(Self.mobile, replacing: nil, history: .none, now: Self.now)
        let actions = legs.ready(new, first: 1, head: 3, now: Self.now)
        #expect(actions.last == .wentLive(new, fence: 3, draining: nil))
        #expect(legs.live.map(\.generation) == [old, new])
    }

    @Test("a target that cannot, or says nothing in time, leaves the old leg as it was")
    func returned() throws {
        for isReady in [false, true] {
            var (legs, old, new) = try Self.preparing()
            if isReady { _ = legs.ready(new, first: 1, head: 100, now: Self.now) }
            var failed = legs
            #expect(failed.fail(new) == [.returned(new)])
            #expect(failed.legs.map(\.generation) == [old])
            #expect(failed[old]?.isLive == true)
            #expect(legs.clock(Timestamp(rawValue: Self.handOver.rawValue - 1)) { _ in false } == [])
            #expect(legs.clock(Self.handOver) { _ in false } == [.returned(new)])
            #expect(legs[old]?.isLive == true)
        }
    }

    @Test("after it went live it is no longer pending: failing it does nothing, and the old device may pull at once")
    func pullBack() throws {
        var (legs, old, new) = try Self.preparing(.none)
        _ = legs.ready(new, first: 1, head: 5, now: Self.now)
        #expect(legs.fail(new) == [])
        let back = try legs.prepare(Self.laptop, replacing: new, history: .last(3), now: Self.now)
        #expect(back > new)
        let actions = legs.ready(back, first: 1, head: 6, now: Self.now)
        #expect(actions == [.replay(back, after: 3), .wentLive(back, fence: 6, draining: new)])
        #expect(legs[old] != nil, "the first leg of the laptop still drains")
        #expect(legs.live(Self.laptop)?.generation == back)
    }

    @Test("refused: a leg that is handed over already, one that is not live, a device that is there already")
    func refused() throws {
        var (legs, old, new) = try Self.preparing()
        #expect(throws: Refusal(.conflict, "")) {
            try legs.prepare(Self.pda, replacing: old, history: .all, now: Self.now)
        }
        #expect(throws: Refusal(.conflict, "")) {
            try legs.prepare(Self.pda, replacing: new, history: .all, now: Self.now)
        }
        #expect(throws: Refusal(.conflict, "")) {
            try legs.prepare(Self.mobile, replacing: nil, history: .all, now: Self.now)
        }
        #expect(throws: Refusal(.conflict, "")) {
            try legs.prepare(Self.laptop, replacing: nil, history: .all, now: Self.now)
        }
        #expect(throws: Refusal(.conflict, "")) {
            try legs.prepare(Self.pda, replacing: Generation(rawValue: 99), history: .all, now: Self.now)
        }
    }

    @Test("a draining leg closes in time, but stays for a medium and closes when that has left")
    func drains() throws {
        var (legs, old, new) = try Self.preparing(.none)
        _ = legs.ready(new, first: 1, head: 5, now: Self.now)
        var free = legs
        #expect(free.clock(Self.drain) { _ in false } == [.closed(old)])
        #expect(legs.clock(Self.drain) { $0 == old } == [])
        #expect(legs[old]?.state == .draining(fence: 5, to: Self.mobile, until: nil))
        #expect(legs.deadline == nil)
        #expect(legs.mediaLeft(old) == [.closed(old)])
        #expect(legs.mediaLeft(new) == [], "a live one does not close for that")
    }

    @Test("the leg that was to be replaced is gone: the target goes live all the same")
    func oldIsGone() throws {
        var (legs, old, new) = try Self.preparing(.none)
        #expect(legs.drop(Self.laptop) == [.closed(old)])
        #expect(
            legs.ready(new, first: 1, head: 5, now: Self.now).last == .wentLive(new, fence: 5, draining: nil)
        )
    }

    @Test("late words of a leg that is gone do nothing")
    func late() throws {
        var (legs, _, new) = try Self.preparing()
        _ = legs.fail(new)
        let before = legs
        #expect(legs.ready(new, first: 1, head: 5, now: Self.now) == [])
        #expect(legs.progress(new, position: 5, head: 5, now: Self.now) == [])
        #expect(legs.close(new, holdsMedia: false) == [])
        #expect(legs == before)
    }
}
