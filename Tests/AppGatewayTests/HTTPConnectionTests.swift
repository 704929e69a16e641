import Testing

@testable import AppGateway

/// Every state of an HTTP connection against every input: what it does, and where it goes.
@Suite("HTTP connection")
struct HTTPConnectionTests {
    private static let deadlines = HTTPConnection.Deadlines(
        head: 1000,
        body: 2000,
        bodyBytesPerSecond: 100,
        stall: 3000,
        linger: 500
    )

    enum Start: CaseIterable {
        case waiting
        case receiving
        case receivingLast
        case working
        case workingLast
        case answering
        case answeringLast
        case lingering
        case closed

        /// The machine in this state, entered at 0.
        var machine: HTTPConnection {
            var machine = HTTPConnection(HTTPConnectionTests.deadlines, now: 0)
            switch self {
            case .waiting: break
            case .receiving: _ = machine.head(expectsContinue: false, keepsAlive: true, now: 0)
            case .receivingLast: _ = machine.head(expectsContinue: false, keepsAlive: false, now: 0)
            case .working:
                machine = Start.receiving.machine
                _ = machine.end()
            case .workingLast:
                machine = Start.receivingLast.machine
                _ = machine.end()
            case .answering:
                machine = Start.working.machine
                _ = machine.answerHead()
            case .answeringLast:
                machine = Start.workingLast.machine
                _ = machine.answerHead()
            case .lingering:
                machine = Start.answeringLast.machine
                _ = machine.answerEnd(now: 0)
            case .closed: machine.closed()
            }
            return machine
        }
    }

    @Test("a head begins a request only when none is under way", arguments: Start.allCases)
    func head(_ start: Start) {
        var machine = start.machine
        let action = machine.head(expectsContinue: false, keepsAlive: true, now: 0)
        #expect(action == (start == .waiting ? .pass : .drop))
        #expect(machine == (start == .waiting ? Start.receiving : start).machine)
        var asking = start.machine
        let answered = asking.head(expectsContinue: true, keepsAlive: false, now: 0)
        #expect(answered == (start == .waiting ? .passAfterContinue : .drop))
        #expect(asking == (start == .waiting ? Start.receivingLast : start).machine)
    }

    @Test("a body belongs to a request that is coming", arguments: Start.allCases)
    func body(_ start: Start) {
        var machine = start.machine
        let passes = start == .receiving || start == .receivingLast
        #expect(machine.body(bytes: 0) == (passes ? .pass : .drop))
        #expect(machine == start.machine)
    }

    @Test("an end completes the request", arguments: Start.allCases)
    func end(_ start: Start) {
        var machine = start.machine
        let next: [Start: Start] = [.receiving: .working, .receivingLast: .workingLast]
        #expect(machine.end() == (next[start] == nil ? .drop : .pass))
        #expect(machine == (next[start] ?? start).machine)
    }

    @Test("an answer begins once; early or last ones close", arguments: Start.allCases)
    func answerHead(_ start: Start) {
        var machine = start.machine
        let expected: [Start: (HTTPConnection.OnAnswerHead, Start)] = [
            .working: (.write, .answering), .workingLast: (.writeClosing, .answeringLast),
            .receiving: (.writeClosing, .answeringLast), .receivingLast: (.writeClosing, .answeringLast),
        ]
        #expect(machine.answerHead() == expected[start]?.0 ?? .drop)
        #expect(machine == (expected[start]?.1 ?? start).machine)
        let passes = start == .answering || start == .answeringLast
        #expect(start.machine.answerBody() == (passes ? .pass : .drop))
    }

    @Test("an answer's end frees the connection, or ends it", arguments: Start.allCases)
    func answerEnd(_ start: Start) {
        var machine = start.machine
        let expected: [Start: (HTTPConnection.OnAnswerEnd, Start)] = [
            .answering: (.write, .waiting), .answeringLast: (.writeAndLinger, .lingering),
        ]
        #expect(machine.answerEnd(now: 0) == expected[start]?.0 ?? .drop)
        #expect(machine == (expected[start]?.1 ?? start).machine)
    }

    @Test("what is no HTTP is answered unless an answer is on its way", arguments: Start.allCases)
    func malformed(_ start: Start) {
        var machine = start.machine
        let expected: [Start: (HTTPConnection.OnMalformed, Start)] = [
            .waiting: (.answerAndLinger, .lingering), .receiving: (.answerAndLinger, .lingering),
            .receivingLast: (.answerAndLinger, .lingering), .working: (.answerAndLinger, .lingering),
            .workingLast: (.answerAndLinger, .lingering), .answering: (.close, .closed),
            .answeringLast: (.close, .closed),
        ]
        #expect(machine.malformed(now: 0) == expected[start]?.0 ?? .ignore)
        #expect(machine == (expected[start]?.1 ?? start).machine)
    }

    @Test("each state has its deadline, or none", arguments: Start.allCases)
    func tick(_ start: Start) {
        let deadlines: [Start: Int64] = [
            .waiting: 1000, .receiving: 2000, .receivingLast: 2000, .lingering: 500,
        ]
        guard let deadline = deadlines[start] else {
            var machine = start.machine
            #expect(machine.tick(now: 1_000_000) == .nothing)
            #expect(machine == start.machine)
            return
        }
        var early = start.machine
        #expect(early.tick(now: deadline - 1) == .nothing)
        #expect(early == start.machine)
        var late = start.machine
        #expect(late.tick(now: deadline) == .close)
        #expect(late == Start.closed.machine)
    }

    @Test("a stalled answer has a deadline until the client takes bytes again", arguments: Start.allCases)
    func stalled(_ start: Start) {
        var machine = start.machine
        machine.writability(false, now: 0)
        machine.writability(false, now: 2000)
        guard start == .answering || start == .answeringLast else {
            #expect(machine == start.machine)
            return
        }
        #expect(machine.tick(now: 2999) == .nothing)
        var again = machine
        again.writability(true, now: 2999)
        #expect(again == start.machine)
        #expect(machine.tick(now: 3000) == .close)
        #expect(machine == Start.closed.machine)
    }

    @Test("a body that trickles is cut off; one that comes is not")
    func slowBody() {
        var slow = Start.receiving.machine
        _ = slow.body(bytes: 10)
        #expect(slow.tick(now: 2099) == .nothing)
        #expect(slow.tick(now: 2100) == .close)
        var fast = Start.receiving.machine
        _ = fast.body(bytes: 1000)
        #expect(fast.tick(now: 11999) == .nothing)
    }
}
