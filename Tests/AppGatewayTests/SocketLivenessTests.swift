import Testing

@testable import AppGateway

/// Every state of a socket against every input: what it does, and where it goes.
@Suite("Socket liveness")
struct SocketLivenessTests {
    private static let deadlines = SocketLiveness.Deadlines(
        hello: 1000,
        ping: 100,
        missedPongs: 2,
        stall: 5000,
        close: 300
    )

    enum Start: CaseIterable {
        case silent
        case open
        case pinged
        case stalled
        case closing
        case closed

        /// The machine in this state, entered at 0.
        var machine: SocketLiveness {
            var machine = SocketLiveness(SocketLivenessTests.deadlines, now: 0)
            switch self {
            case .silent: break
            case .open: _ = machine.message(now: 0)
            case .pinged:
                machine = Start.open.machine
                _ = machine.tick(now: 100)
            case .stalled:
                machine = Start.open.machine
                machine.writability(false, now: 0)
            case .closing: _ = machine.close(now: 0)
            case .closed: machine.gone()
            }
            return machine
        }

        var isOver: Bool { self == .closing || self == .closed }
    }

    @Test("messages count until we close", arguments: Start.allCases)
    func message(_ start: Start) {
        var machine = start.machine
        #expect(machine.message(now: 0) == !start.isOver)
        let next: [Start: Start] = [.silent: .open, .pinged: .open]
        #expect(machine == (next[start] ?? start).machine)
        #expect(machine.isOpen == !start.isOver)
    }

    @Test("control frames keep alive, but are no hello", arguments: Start.allCases)
    func control(_ start: Start) {
        var machine = start.machine
        #expect(machine.control(now: 0) == !start.isOver)
        let next: [Start: Start] = [.pinged: .open]
        #expect(machine == (next[start] ?? start).machine)
    }

    @Test("we say once that we close", arguments: Start.allCases)
    func close(_ start: Start) {
        var machine = start.machine
        #expect(machine.close(now: 0) == (start.isOver ? .nothing : .sayIt))
        #expect(machine == (start.isOver ? start : .closing).machine)
    }

    @Test("the other side's close is answered once", arguments: Start.allCases)
    func peerCloses(_ start: Start) {
        var machine = start.machine
        let expected: [Start: SocketLiveness.OnPeerClose] = [.closing: .drop, .closed: .nothing]
        #expect(machine.peerCloses() == expected[start] ?? .answer)
        #expect(machine == Start.closed.machine)
    }

    @Test("a lost connection ends everything", arguments: Start.allCases)
    func gone(_ start: Start) {
        var machine = start.machine
        machine.gone()
        #expect(machine == Start.closed.machine)
    }

    @Test("writability matters to open sockets", arguments: Start.allCases)
    func writability(_ start: Start) {
        var machine = start.machine
        machine.writability(false, now: 0)
        if start == .open { #expect(machine == Start.stalled.machine) }
        if start == .silent || start == .stalled || start.isOver { #expect(machine == start.machine) }
        machine.writability(true, now: 0)
        if start == .open || start == .stalled { #expect(machine == Start.open.machine) }
    }

    @Test("time passes", arguments: Start.allCases)
    func tick(_ start: Start) {
        let due: [Start: (Int64, SocketLiveness.OnTick)] = [
            .silent: (1000, .close(.noHello)), .open: (100, .ping), .pinged: (200, .ping),
            .stalled: (5000, .close(.tooSlow)), .closing: (300, .drop),
        ]
        guard let (time, action) = due[start] else {
            var machine = start.machine
            #expect(machine.tick(now: 1_000_000) == .nothing)
            return
        }
        var early = start.machine
        #expect(early.tick(now: time - 1) == .nothing)
        #expect(early == start.machine)
        var late = start.machine
        #expect(late.tick(now: time) == action)
        switch start {
        case .open: #expect(late == Start.pinged.machine)
        case .closing: #expect(late == Start.closed.machine)
        default: break
        }
    }

    @Test("two unanswered pings are enough; an answer starts again")
    func pongs() {
        var machine = Start.open.machine
        #expect(machine.tick(now: 100) == .ping)
        #expect(machine.tick(now: 200) == .ping)
        var answered = machine
        _ = answered.control(now: 250)
        #expect(answered.tick(now: 300) == .nothing)
        #expect(answered.tick(now: 350) == .ping)
        #expect(machine.tick(now: 299) == .nothing)
        #expect(machine.tick(now: 300) == .close(.noPong))
    }

    @Test("silence while nothing could be read is not held against the other side")
    func stalledThenBack() {
        var machine = Start.stalled.machine
        #expect(machine.tick(now: 400) == .nothing)
        machine.writability(true, now: 4000)
        #expect(machine.tick(now: 4099) == .nothing)
        #expect(machine.tick(now: 4100) == .ping)
    }
}
