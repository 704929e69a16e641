import MSRP
import NIOCore
import Testing

/// Every state of the session's life with every input: the action and the state after it.
@Suite struct LifecycleTableTests {
    typealias Phase = SessionLifecycle.Phase

    enum Input: CaseIterable {
        case start
        case connected
        case connectFailed
        case bindOK
        case bindRefused
        case bindTaken
        case requestHere
        case requestElsewhere
        case lostHere
        case lostElsewhere
        case timerEarly
        case timerDue
        case close
    }

    static let here = ConnectionID(1)
    static let elsewhere = ConnectionID(2)
    static let zero = NIODeadline.uptimeNanoseconds(0)
    static let late = NIODeadline.uptimeNanoseconds(0) + .hours(1)

    static func limits() -> MSRPLimits {
        var limits = MSRPLimits()
        limits.maxConnectAttempts = 2
        return limits
    }

    /// A machine in a state, reached the usual way.
    static func machine(_ phase: Phase) -> SessionLifecycle {
        let isPassive = phase == .awaitingPeer || phase == .broken
        var machine = SessionLifecycle(role: isPassive ? .passive : .active, limits: Self.limits())
        guard phase != .idle else { return machine }
        _ = machine.start(now: Self.zero)
        switch phase {
        case .idle, .connecting, .awaitingPeer: break
        case .waiting: _ = machine.connectFailed(now: Self.zero)
        case .binding: _ = machine.connected(Self.here, now: Self.zero)
        case .established:
            _ = machine.connected(Self.here, now: Self.zero)
            _ = machine.bindAnswered(.ok, now: Self.zero)
        case .broken:
            _ = machine.requestReceived(on: Self.here)
            _ = machine.connectionLost(Self.here, now: Self.zero)
        case .closed: _ = machine.close(.init(.sessionClosed, ""))
        }
        return machine
    }

    static func feed(_ input: Input, _ machine: inout SessionLifecycle) -> SessionLifecycle.Action {
        switch input {
        case .start: machine.start(now: Self.zero)
        case .connected: machine.connected(Self.here, now: Self.zero)
        case .connectFailed: machine.connectFailed(now: Self.zero)
        case .bindOK: machine.bindAnswered(.ok, now: Self.zero)
        case .bindRefused: machine.bindAnswered(.noSuchSession, now: Self.zero)
        case .bindTaken: machine.bindAnswered(.alreadyBound, now: Self.zero)
        case .requestHere: machine.requestReceived(on: Self.here)
        case .requestElsewhere: machine.requestReceived(on: Self.elsewhere)
        case .lostHere: machine.connectionLost(Self.here, now: Self.zero)
        case .lostElsewhere: machine.connectionLost(Self.elsewhere, now: Self.zero)
        case .timerEarly: machine.timerFired(now: Self.zero)
        case .timerDue: machine.timerFired(now: Self.late)
        case .close: machine.close(.init(.sessionClosed, ""))
        }
    }

    typealias Row = [Input: (SessionLifecycle.Action, Phase)]

    /// What is not in a row is ignored and changes nothing.
    static let table: [Phase: Row] = {
        let close: (SessionLifecycle.Action, Phase) = (.close(.sessionClosed), .closed)
        let unknown: SessionLifecycle.Action = .refuse(.noSuchSession)
        let taken: SessionLifecycle.Action = .refuse(.alreadyBound)
        return [
            .idle: [
                .start: (.connect, .connecting),
                .requestHere: (unknown, .idle),
                .requestElsewhere: (unknown, .idle),
                .close: close,
            ],
            .connecting: [
                .connected: (.bind, .binding),
                .connectFailed: (.wait, .waiting),
                .requestHere: (unknown, .connecting),
                .requestElsewhere: (unknown, .connecting),
                .timerDue: (.wait, .waiting),
                .close: close,
            ],
            .binding: [
                .bindOK: (.established(resumed: false), .established),
                .bindRefused: (.close(.refused), .closed),
                .bindTaken: (.close(.refused), .closed),
                .requestElsewhere: (taken, .binding),
                .lostHere: (.wait, .waiting),
                .timerDue: (.close(.transactionTimeout), .closed),
                .close: close,
            ],
            .waiting: [
                .requestHere: (unknown, .waiting),
                .requestElsewhere: (unknown, .waiting),
                .timerDue: (.connect, .connecting),
                .close: close,
            ],
            .awaitingPeer: [
                .requestHere: (.established(resumed: false), .established),
                .requestElsewhere: (.established(resumed: false), .established),
                .timerDue: (.close(.peerTimeout), .closed),
                .close: close,
            ],
            .established: [
                .requestElsewhere: (taken, .established),
                .lostHere: (.wait, .waiting),
                .close: close,
            ],
            .broken: [
                .requestHere: (.established(resumed: true), .established),
                .requestElsewhere: (.established(resumed: true), .established),
                .timerDue: (.close(.peerTimeout), .closed),
                .close: close,
            ],
            .closed: [
                .requestHere: (unknown, .closed),
                .requestElsewhere: (unknown, .closed),
            ],
        ]
    }()

    @Test(arguments: Phase.allCases, Input.allCases)
    func transition(_ phase: Phase, _ input: Input) throws {
        var machine = Self.machine(phase)
        #expect(machine.phase == phase)
        let action = Self.feed(input, &machine)
        let expected = try #require(Self.table[phase])[input] ?? (.ignore, phase)
        #expect(action == expected.0)
        #expect(machine.phase == expected.1)
        #expect((machine.closeReason != nil) == (machine.phase == .closed))
        #expect((machine.connection != nil) == (machine.phase == .binding || machine.phase == .established))
        let isTimed = ![.idle, .established, .closed].contains(machine.phase)
        #expect((machine.nextDeadline != nil) == isTimed)
    }

    @Test func theActiveEndGivesUpAfterItsLastAttempt() {
        var machine = Self.machine(.waiting)
        #expect(machine.timerFired(now: Self.late) == .connect)
        #expect(machine.connectFailed(now: Self.late) == .close(.connectFailed))
        #expect(machine.phase == .closed)
    }

    @Test func aResumingEndTriesAgainWhenThePeerHasNotNoticedTheBreak() {
        var machine = Self.machine(.established)
        #expect(machine.connectionLost(Self.here, now: Self.zero) == .wait)
        #expect(machine.timerFired(now: Self.late) == .connect)
        #expect(machine.connected(Self.elsewhere, now: Self.late) == .bind)
        #expect(machine.bindAnswered(.alreadyBound, now: Self.late) == .wait)
        #expect(machine.phase == .waiting)
        #expect(machine.timerFired(now: Self.late + .hours(1)) == .connect)
        #expect(machine.connected(Self.elsewhere, now: Self.late) == .bind)
        #expect(machine.bindAnswered(.ok, now: Self.late) == .established(resumed: true))
    }

    @Test func thePassiveEndIsRoledByItsStart() {
        var machine = SessionLifecycle(role: .passive)
        #expect(machine.start(now: Self.zero) == .wait)
        #expect(machine.phase == .awaitingPeer)
    }

    @Test func theDelayDoubles() throws {
        var limits = MSRPLimits()
        limits.reconnectDelay = .milliseconds(100)
        var machine = SessionLifecycle(role: .active, limits: limits)
        _ = machine.start(now: Self.zero)
        var delays: [Int64] = []
        for _ in 0..<4 {
            #expect(machine.connectFailed(now: Self.zero) == .wait)
            let deadline = try #require(machine.nextDeadline)
            delays.append((deadline - Self.zero).nanoseconds / 1_000_000)
            #expect(machine.timerFired(now: deadline) == .connect)
        }
        #expect(delays == [100, 200, 400, 800])
    }
}
