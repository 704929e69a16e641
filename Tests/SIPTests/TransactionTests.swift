import NIOCore
import Testing

@testable import SIP

/// Every state of each machine against every input: the action and the state behind it.
@Suite("Transaction machines, state by input")
struct TransactionTableTests {
    static let timers = TransactionTimers()
    static let start = NIODeadline.uptimeNanoseconds(1_000_000_000)
    static let late = Self.start + .seconds(32)

    enum Input: CaseIterable {
        case provisional
        case success
        case failure
        case early
        case atDeadline
        case transport
    }

    @Test("INVITE client, unreliable")
    func inviteClient() {
        typealias Machine = InviteClientTransaction
        let t1 = Self.timers.t1
        let resend = Retransmission(first: t1, from: Self.start)
        let calling = Machine.State.calling(resend: resend, timeout: Self.late)
        let completed = Machine.State.completed(until: Self.late)
        let accepted = Machine.State.accepted(until: Self.late)
        let now = Self.late - .seconds(31)
        let fresh = now + .seconds(32)
        let table: [(Machine.State, [Input: (Machine.Action, Machine.State)])] = [
            (
                calling,
                [
                    .provisional: (.deliver, .proceeding), .success: (.deliver, .accepted(until: fresh)),
                    .failure: (.deliverAndAcknowledge, .completed(until: fresh)), .early: (.none, calling),
                    .atDeadline: (.timedOut, .terminated), .transport: (.transportFailed, .terminated),
                ]
            ),
            (
                .proceeding,
                [
                    .provisional: (.deliver, .proceeding), .success: (.deliver, .accepted(until: fresh)),
                    .failure: (.deliverAndAcknowledge, .completed(until: fresh)), .early: (.none, .proceeding),
                    .atDeadline: (.none, .proceeding), .transport: (.transportFailed, .terminated),
                ]
            ),
            (
                completed,
                [
                    .provisional: (.none, completed), .success: (.none, completed), .failure: (.acknowledge, completed),
                    .early: (.none, completed), .atDeadline: (.terminated, .terminated),
                    .transport: (.transportFailed, .terminated),
                ]
            ),
            (
                accepted,
                [
                    .provisional: (.none, accepted), .success: (.deliver, accepted), .failure: (.none, accepted),
                    .early: (.none, accepted), .atDeadline: (.terminated, .terminated), .transport: (.none, accepted),
                ]
            ),
            (
                .terminated,
                [
                    .provisional: (.none, .terminated), .success: (.none, .terminated), .failure: (.none, .terminated),
                    .early: (.none, .terminated), .atDeadline: (.none, .terminated), .transport: (.none, .terminated),
                ]
            ),
        ]
        for (state, row) in table {
            for input in Input.allCases {
                var machine = Machine(state: state, isReliable: false, timers: Self.timers)
                let action: Machine.Action =
                    switch input {
                    case .provisional: machine.received(.provisional, now: now)
                    case .success: machine.received(.success, now: now)
                    case .failure: machine.received(.failure, now: now)
                    case .early: machine.timeReached(Self.start)
                    case .atDeadline: machine.timeReached(Self.late)
                    case .transport: machine.transportFailed()
                    }
                #expect(row[input]?.0 == action, "\(state) \(input)")
                #expect(row[input]?.1 == machine.state, "\(state) \(input)")
            }
        }
    }

    @Test("INVITE client: timer A doubles without limit, B ends it after 64*T1, and reliable transports never resend")
    func inviteClientRetransmission() {
        var machine = InviteClientTransaction(now: Self.start, isReliable: false)
        var sends: [Int64] = []
        var action = InviteClientTransaction.Action.none
        while let deadline = machine.deadline {
            action = machine.timeReached(deadline)
            if action == .resend { sends.append((deadline - Self.start).nanoseconds / 1_000_000) }
        }
        #expect(sends == [500, 1500, 3500, 7500, 15_500, 31_500])
        #expect(action == .timedOut)
        var reliable = InviteClientTransaction(now: Self.start, isReliable: true)
        #expect(reliable.deadline == Self.late)
        #expect(reliable.timeReached(Self.start + .seconds(1)) == .none)
        #expect(reliable.received(.failure, now: Self.start) == .deliverAndAcknowledge)
        #expect(reliable.state == .terminated)
    }

    @Test("Non-INVITE client, unreliable")
    func nonInviteClient() {
        typealias Machine = NonInviteClientTransaction
        let resend = Retransmission(first: Self.timers.t1, from: Self.start)
        let trying = Machine.State.trying(resend: resend, timeout: Self.late)
        let proceeding = Machine.State.proceeding(resend: resend, timeout: Self.late)
        let completed = Machine.State.completed(until: Self.late)
        let now = Self.start + .seconds(1)
        let done = Machine.State.completed(until: now + .seconds(5))
        let table: [(Machine.State, [Input: (Machine.Action, Machine.State)])] = [
            (
                trying,
                [
                    .provisional: (.deliver, proceeding), .success: (.deliver, done), .failure: (.deliver, done),
                    .early: (.none, trying), .atDeadline: (.timedOut, .terminated),
                    .transport: (.transportFailed, .terminated),
                ]
            ),
            (
                proceeding,
                [
                    .provisional: (.deliver, proceeding), .success: (.deliver, done), .failure: (.deliver, done),
                    .early: (.none, proceeding), .atDeadline: (.timedOut, .terminated),
                    .transport: (.transportFailed, .terminated),
                ]
            ),
            (
                completed,
                [
                    .provisional: (.none, completed), .success: (.none, completed), .failure: (.none, completed),
                    .early: (.none, completed), .atDeadline: (.terminated, .terminated), .transport: (.none, completed),
                ]
            ),
            (
                .terminated,
                [
                    .provisional: (.none, .terminated), .success: (.none, .terminated), .failure: (.none, .terminated),
                    .early: (.none, .terminated), .atDeadline: (.none, .terminated), .transport: (.none, .terminated),
                ]
            ),
        ]
        for (state, row) in table {
            for input in Input.allCases {
                var machine = Machine(state: state, isReliable: false, timers: Self.timers)
                let action: Machine.Action =
                    switch input {
                    case .provisional: machine.received(.provisional, now: now)
                    case .success: machine.received(.success, now: now)
                    case .failure: machine.received(.failure, now: now)
                    case .early: machine.timeReached(Self.start)
                    case .atDeadline: machine.timeReached(Self.late)
                    case .transport: machine.transportFailed()
                    }
                #expect(row[input]?.0 == action, "\(state) \(input)")
                #expect(row[input]?.1 == machine.state, "\(state) \(input)")
            }
        }
    }

    @Test("Non-INVITE client: timer E doubles up to T2, and is T2 once a 1xx came")
    func nonInviteClientRetransmission() {
        var machine = NonInviteClientTransaction(now: Self.start, isReliable: false)
        var sends: [Int64] = []
        while let deadline = machine.deadline {
            if machine.timeReached(deadline) == .resend {
                sends.append((deadline - Self.start).nanoseconds / 1_000_000)
            }
        }
        #expect(sends == [500, 1500, 3500, 7500, 11_500, 15_500, 19_500, 23_500, 27_500, 31_500])
        var slow = NonInviteClientTransaction(now: Self.start, isReliable: false)
        #expect(slow.received(.provisional, now: Self.start) == .deliver)
        #expect(slow.timeReached(Self.start + .milliseconds(500)) == .resend)
        #expect(slow.deadline == Self.start + .milliseconds(4500))
    }

    @Test("INVITE server, unreliable")
    func inviteServer() {
        typealias Machine = InviteServerTransaction
        enum Input: CaseIterable {
            case invite
            case ack
            case sendProvisional
            case sendSuccess
            case sendFailure
            case early
            case atDeadline
            case transport
        }
        let now = Self.start + .seconds(1)
        let fresh = now + .seconds(32)
        let completed = Machine.State.completed(
            resend: Retransmission(first: .milliseconds(500), from: Self.start),
            timeout: Self.late
        )
        let failed = Machine.State.completed(
            resend: Retransmission(first: .milliseconds(500), from: now),
            timeout: fresh
        )
        let confirmed = Machine.State.confirmed(until: Self.late)
        let accepted = Machine.State.accepted(until: Self.late)
        let waiting = Machine.State.proceeding(hasResponse: false)
        let ringing = Machine.State.proceeding(hasResponse: true)
        let table: [(Machine.State, [Input: (Machine.Action, Machine.State)])] = [
            (
                waiting,
                [
                    .invite: (.none, waiting), .ack: (.none, waiting), .sendProvisional: (.send, ringing),
                    .sendSuccess: (.send, .accepted(until: fresh)), .sendFailure: (.send, failed),
                    .early: (.none, waiting),
                    .atDeadline: (.none, waiting), .transport: (.transportFailed, waiting),
                ]
            ),
            (
                ringing,
                [
                    .invite: (.resend, ringing), .ack: (.none, ringing), .sendProvisional: (.send, ringing),
                    .sendSuccess: (.send, .accepted(until: fresh)), .sendFailure: (.send, failed),
                    .early: (.none, ringing),
                    .atDeadline: (.none, ringing), .transport: (.transportFailed, ringing),
                ]
            ),
            (
                completed,
                [
                    .invite: (.resend, completed), .ack: (.none, .confirmed(until: now + .seconds(5))),
                    .sendProvisional: (.refused, completed), .sendSuccess: (.refused, completed),
                    .sendFailure: (.refused, completed), .early: (.none, completed),
                    .atDeadline: (.timedOut, .terminated),
                    .transport: (.transportFailed, .terminated),
                ]
            ),
            (
                confirmed,
                [
                    .invite: (.none, confirmed), .ack: (.none, confirmed), .sendProvisional: (.refused, confirmed),
                    .sendSuccess: (.refused, confirmed), .sendFailure: (.refused, confirmed),
                    .early: (.none, confirmed),
                    .atDeadline: (.terminated, .terminated), .transport: (.none, confirmed),
                ]
            ),
            (
                accepted,
                [
                    .invite: (.none, accepted), .ack: (.deliverAcknowledgement, accepted),
                    .sendProvisional: (.refused, accepted), .sendSuccess: (.send, accepted),
                    .sendFailure: (.refused, accepted), .early: (.none, accepted),
                    .atDeadline: (.terminated, .terminated),
                    .transport: (.transportFailed, accepted),
                ]
            ),
            (
                .terminated,
                [
                    .invite: (.none, .terminated), .ack: (.none, .terminated),
                    .sendProvisional: (.refused, .terminated),
                    .sendSuccess: (.refused, .terminated), .sendFailure: (.refused, .terminated),
                    .early: (.none, .terminated), .atDeadline: (.none, .terminated), .transport: (.none, .terminated),
                ]
            ),
        ]
        for (state, row) in table {
            for input in Input.allCases {
                var machine = Machine(state: state, isReliable: false, timers: Self.timers)
                let action: Machine.Action =
                    switch input {
                    case .invite: machine.receivedInvite()
                    case .ack: machine.receivedAcknowledgement(now: now)
                    case .sendProvisional: machine.send(.provisional, now: now)
                    case .sendSuccess: machine.send(.success, now: now)
                    case .sendFailure: machine.send(.failure, now: now)
                    case .early: machine.timeReached(Self.start)
                    case .atDeadline: machine.timeReached(Self.late)
                    case .transport: machine.transportFailed()
                    }
                #expect(row[input]?.0 == action, "\(state) \(input)")
                #expect(row[input]?.1 == machine.state, "\(state) \(input)")
            }
        }
    }

    @Test("INVITE server: timer G doubles up to T2; a reliable transport only waits for the ACK")
    func inviteServerRetransmission() {
        var machine = InviteServerTransaction(isReliable: false)
        #expect(machine.send(.failure, now: Self.start) == .send)
        var sends: [Int64] = []
        while let deadline = machine.deadline {
            if machine.timeReached(deadline) == .resend {
                sends.append((deadline - Self.start).nanoseconds / 1_000_000)
            }
        }
        #expect(sends == [500, 1500, 3500, 7500, 11_500, 15_500, 19_500, 23_500, 27_500, 31_500])
        var reliable = InviteServerTransaction(isReliable: true)
        #expect(reliable.send(.failure, now: Self.start) == .send)
        #expect(reliable.deadline == Self.late)
        #expect(reliable.receivedAcknowledgement(now: Self.start) == .terminated)
        #expect(reliable.state == .terminated)
    }

    @Test("Non-INVITE server, unreliable")
    func nonInviteServer() {
        typealias Machine = NonInviteServerTransaction
        enum Input: CaseIterable {
            case request
            case sendProvisional
            case sendSuccess
            case sendFailure
            case early
            case atDeadline
            case transport
        }
        let now = Self.start + .seconds(1)
        let done = Machine.State.completed(until: now + .seconds(32))
        let completed = Machine.State.completed(until: Self.late)
        let table: [(Machine.State, [Input: (Machine.Action, Machine.State)])] = [
            (
                .trying,
                [
                    .request: (.none, .trying), .sendProvisional: (.send, .proceeding), .sendSuccess: (.send, done),
                    .sendFailure: (.send, done), .early: (.none, .trying), .atDeadline: (.none, .trying),
                    .transport: (.none, .trying),
                ]
            ),
            (
                .proceeding,
                [
                    .request: (.resend, .proceeding), .sendProvisional: (.send, .proceeding),
                    .sendSuccess: (.send, done),
                    .sendFailure: (.send, done), .early: (.none, .proceeding), .atDeadline: (.none, .proceeding),
                    .transport: (.transportFailed, .terminated),
                ]
            ),
            (
                completed,
                [
                    .request: (.resend, completed), .sendProvisional: (.refused, completed),
                    .sendSuccess: (.refused, completed), .sendFailure: (.refused, completed),
                    .early: (.none, completed),
                    .atDeadline: (.terminated, .terminated), .transport: (.transportFailed, .terminated),
                ]
            ),
            (
                .terminated,
                [
                    .request: (.none, .terminated), .sendProvisional: (.refused, .terminated),
                    .sendSuccess: (.refused, .terminated), .sendFailure: (.refused, .terminated),
                    .early: (.none, .terminated), .atDeadline: (.none, .terminated), .transport: (.none, .terminated),
                ]
            ),
        ]
        for (state, row) in table {
            for input in Input.allCases {
                var machine = Machine(state: state, isReliable: false, timers: Self.timers)
                let action: Machine.Action =
                    switch input {
                    case .request: machine.receivedRequest()
                    case .sendProvisional: machine.send(.provisional, now: now)
                    case .sendSuccess: machine.send(.success, now: now)
                    case .sendFailure: machine.send(.failure, now: now)
                    case .early: machine.timeReached(Self.start)
                    case .atDeadline: machine.timeReached(Self.late)
                    case .transport: machine.transportFailed()
                    }
                #expect(row[input]?.0 == action, "\(state) \(input)")
                #expect(row[input]?.1 == machine.state, "\(state) \(input)")
            }
        }
        var reliable = Machine(isReliable: true)
        #expect(reliable.send(.success, now: now) == .send)
        #expect(reliable.state == .terminated)
    }
}
