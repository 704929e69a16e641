import MessagingCore
import SIP
import SIPTransport
import SessionCore
import Testing

@testable import SIPGateway

/// The pure parts.
@Suite("What decides for phones")
struct MachineTests {
    private static func message(_ number: ChangeNumber, isNotice: Bool = false) -> PhoneMessage {
        PhoneMessage(
            id: MessageID(stored: "m\(number)"),
            created: number,
            changed: number,
            from: Address(stored: "sip:bob@example.org"),
            date: Timestamp(rawValue: 0),
            text: "text \(number)",
            isNotice: isNotice,
            types: ["text/plain"],
            bytes: 6,
            conversation: nil
        )
    }

    private static func queue() -> PhoneQueue {
        PhoneQueue(firstWaitSeconds: 5, longestWaitSeconds: 300, waitingSteps: 4)
    }

    private static func names(_ actions: [PhoneQueue.Action]) -> [String] {
        actions.map { action in
            switch action {
            case .send(.message(let message), let form): "send \(message.created) \(form)"
            case .send(let step, let form): "send \(step) \(form)"
            case .acknowledge(let upTo, let level): "ack \(upTo)\(level.map { " level \($0)" } ?? "")"
            case .reached(_, let generation, let ordinal): "reached \(ordinal) of \(generation.rawValue)"
            case .took(let message): "took \(message.created)"
            case .seen(let upTo): "seen \(upTo)"
            case .rewind: "rewind"
            case .passedOver: "passed over"
            case .wait(let seconds): "wait \(seconds)"
            }
        }
    }

    @Test("One at a time, in order, each acknowledged when it was taken")
    func order() {
        var queue = Self.queue()
        let steps: [PhoneQueue.Step] = [
            .mark(upTo: 3, level: nil), .message(Self.message(4)), .message(Self.message(6)), .mark(upTo: 8, level: 8),
        ]
        #expect(Self.names(queue.append(steps, takesCPIM: false)) == ["ack 3", "send 4 plain"])
        #expect(queue.state == .sending(.plain, attempts: 1))
        #expect(queue.append([.message(Self.message(9))], takesCPIM: false).isEmpty)
        #expect(Self.names(queue.finished(.taken, takesCPIM: true)) == ["took 4", "ack 4", "send 6 cpim"])
        #expect(
            Self.names(queue.finished(.taken, takesCPIM: false)) == [
                "took 6", "ack 6", "ack 8 level 8", "send 9 plain",
            ]
        )
        #expect(Self.names(queue.finished(.taken, takesCPIM: false)) == ["took 9", "ack 9"])
        #expect(queue.state == .idle)
        #expect(queue.count == 0)
    }

    @Test("It waits longer each time, up to a limit; another registration ends the wait")
    func backOff() {
        var queue = Self.queue()
        _ = queue.append([.message(Self.message(1))], takesCPIM: false)
        for seconds in [5, 10, 20, 40, 80, 160, 300, 300] {
            #expect(
                Self.names(queue.finished(.notNow(retryAfterSeconds: nil), takesCPIM: false)) == ["wait \(seconds)"]
            )
            #expect(Self.names(queue.timeReached()) == ["send 1 plain"])
        }
        #expect(Self.names(queue.finished(.notNow(retryAfterSeconds: 7), takesCPIM: false)) == ["wait 7"])
        #expect(queue.finished(.taken, takesCPIM: false).isEmpty, "nothing is on its way")
        #expect(Self.names(queue.timeReached()) == ["send 1 plain"])
        #expect(queue.timeReached().isEmpty)
    }

    @Test(
        "Plainer and plainer, then passed over",
        arguments: [
            (PhoneQueue.Outcome.unknownType, ["send 1 plain", "send 1 notice", "passed over"]),
            (.tooLarge, ["send 1 notice", "passed over"]),
            (.refused, ["send 1 notice", "passed over"]),
        ]
    )
    func plainer(outcome: PhoneQueue.Outcome, expected: [String]) {
        var queue = Self.queue()
        var seen: [String] = []
        _ = queue.append([.message(Self.message(1)), .mark(upTo: 2, level: nil)], takesCPIM: true)
        while queue.state != .idle { seen += Self.names(queue.finished(outcome, takesCPIM: true)) }
        #expect(seen == expected + ["ack 2"])
    }

    @Test(
        "What a phone does not take holds up nothing: the stream goes on, and goes back once all that waited was taken"
    )
    func behind() {
        var queue = Self.queue()
        let window: [PhoneQueue.Step] = [
            .message(Self.message(4)), .mark(upTo: 5, level: 5), .message(Self.message(6)), .mark(upTo: 8, level: 8),
        ]
        _ = queue.append(window, takesCPIM: false)
        let busy = PhoneQueue.Outcome.notNow(retryAfterSeconds: nil)
        #expect(Self.names(queue.finished(busy, takesCPIM: false)) == ["wait 5", "seen 8"])
        #expect(queue.isBehind)
        let later: [PhoneQueue.Step] = [.message(Self.message(9)), .mark(upTo: 9, level: 9)]
        #expect(Self.names(queue.append(later, takesCPIM: false)) == ["seen 9"])
        #expect(queue.count == 4, "what came later is not kept")
        #expect(Self.names(queue.timeReached()) == ["send 4 plain"])
        #expect(Self.names(queue.finished(busy, takesCPIM: false)) == ["wait 10"], "nothing new was seen")
        _ = queue.timeReached()
        #expect(
            Self.names(queue.finished(.taken, takesCPIM: false)) == [
                "took 4", "ack 4", "ack 5 level 5", "send 6 plain",
            ]
        )
        #expect(Self.names(queue.append([.mark(upTo: 10, level: 10)], takesCPIM: false)) == ["seen 10"])
        #expect(Self.names(queue.finished(.taken, takesCPIM: false)) == ["took 6", "ack 6", "ack 8 level 8", "rewind"])
        #expect(!queue.isBehind)
        #expect(Self.names(queue.append(later, takesCPIM: false)) == ["send 9 plain"])
    }

    @Test(
        "Behind what a phone does not take words and reports are kept, up to a number; what waits for a path is all kept"
    )
    func kept() throws {
        var queue = Self.queue()
        let report = PhoneReport(
            id: MessageID(stored: "r"),
            receiver: Address(stored: "sip:bob@example.org"),
            state: .delivered,
            since: Timestamp(rawValue: 0)
        )
        _ = queue.append([.message(Self.message(1))], takesCPIM: false)
        #expect(Self.names(queue.finished(.later, takesCPIM: false)) == ["wait 5"])
        #expect(queue.append([.message(Self.message(2)), .mark(upTo: 2, level: nil)], takesCPIM: false).isEmpty)
        #expect(queue.count == 3)
        _ = queue.timeReached()
        #expect(Self.names(queue.finished(.notNow(retryAfterSeconds: 1), takesCPIM: false)) == ["wait 1", "seen 2"])
        for _ in 1...3 { #expect(queue.append([.report(report)], takesCPIM: false).isEmpty) }
        #expect(queue.count == 4)
        queue.clear()
        #expect(!queue.isBehind)
    }

    @Test(
        "What a phone's answer to a MESSAGE means",
        arguments: [
            (202, PhoneQueue.Outcome.taken), (415, .unknownType), (413, .tooLarge), (403, .refused),
            (480, .notNow(retryAfterSeconds: nil)), (486, .notNow(retryAfterSeconds: nil)),
            (500, .notNow(retryAfterSeconds: nil)), (503, .notNow(retryAfterSeconds: nil)),
            (603, .notNow(retryAfterSeconds: nil)), (501, .refused), (505, .refused),
        ] as [(UInt16, PhoneQueue.Outcome)]
    )
    func meaning(status: UInt16, outcome: PhoneQueue.Outcome) throws {
        let response = SIPMessage(SIPStatus(integerLiteral: status), to: SIPMessage(method: .message, uri: "sip:a@b"))
        #expect(PhoneQueue.Outcome(.response(response)) == outcome)
    }

    @Test("Withdrawn is what waits, not what is on its way")
    func withdraw() {
        var queue = Self.queue()
        _ = queue.append((1...3).map { .message(Self.message($0)) }, takesCPIM: false)
        queue.withdraw(1)
        queue.withdraw(2)
        #expect(Self.names(queue.finished(.taken, takesCPIM: false)) == ["took 1", "ack 1", "ack 2", "send 3 plain"])
        queue.clear()
        #expect(queue.finished(.taken, takesCPIM: false).isEmpty)
        #expect(queue.state == .idle)
    }

    @Test("A nonce is good for whom it was made, for a while, untouched")
    func nonces() {
        let mint = NonceMint(key: [1, 2, 3], lifeMilliseconds: 1000)
        let nonce = mint.make(for: "192.0.2.1", now: 5000, random: "abcdef")
        #expect(mint.isGood(nonce, for: "192.0.2.1", now: 5000))
        #expect(mint.isGood(nonce, for: "192.0.2.1", now: 5999))
        #expect(!mint.isGood(nonce, for: "192.0.2.1", now: 6000))
        #expect(!mint.isGood(nonce, for: "192.0.2.1", now: 4999))
        #expect(!mint.isGood(nonce, for: "192.0.2.2", now: 5000))
        #expect(!NonceMint(key: [1, 2, 4], lifeMilliseconds: 1000).isGood(nonce, for: "192.0.2.1", now: 5000))
        for bad in [
            "", "-", "--", nonce + "0", "0" + nonce, String(nonce.dropLast()), "1388-abcdeg-" + nonce.suffix(32),
        ] {
            #expect(!mint.isGood(bad, for: "192.0.2.1", now: 5000), "\(bad)")
        }
    }

    @Test("Failures count within their window, lead to a ban, and are bounded")
    func failures() {
        var table = FailureTable<Int>(allowed: 3, windowMilliseconds: 100, banMilliseconds: 50, capacity: 2)
        // At 100 the window is over, and the count begins anew.
        let firsts = [0, 10, 100, 110, 120].map { table.failed(1, now: $0) }
        #expect(firsts == [false, false, false, false, true])
        #expect(table.ban(of: 1, now: 130) == 40)
        table.succeeded(1)
        #expect(table.ban(of: 1, now: 169) == 1)
        #expect(table.ban(of: 1, now: 170) == nil)
        var others = [table.failed(2, now: 130)]
        table.succeeded(2)
        others += [table.failed(2, now: 131), table.failed(3, now: 132)]
        #expect(others == [false, false, false])
        #expect(table.count == 2)
    }

    @Test(
        "Times as SIP writes them",
        arguments: [
            (0, "Thu, 01 Jan 1970 00:00:00 GMT"), (1_795_488_552_999, "Tue, 24 Nov 2026 02:49:12 GMT"),
            (951_782_400_000, "Tue, 29 Feb 2000 00:00:00 GMT"), (-1, "Wed, 31 Dec 1969 23:59:59 GMT"),
        ]
    )
    func dates(milliseconds: Int64, text: String) {
        #expect(Timestamp(rawValue: milliseconds).sipDate == text)
    }

    @Test("Call-IDs lead back to their messages where the grammar allows it")
    func callIDs() {
        #expect(CallIDs.callID(of: MessageID(stored: "01a2-7f.x_%+")) == "01a2-7f.x_%+")
        let hidden = CallIDs.callID(of: MessageID(stored: "a=b@c"))
        #expect(!hidden.contains("=") && !hidden.contains("@"))
        let ids = [("c", 1, "u"), ("c", 2, "u"), ("c", 1, "v"), ("d", 1, "u")].map {
            CallIDs.messageID(callID: $0.0, sequence: $0.1, user: $0.2)
        }
        #expect(Set(ids).count == 4)
        #expect(CallIDs.messageID(callID: "c", sequence: 1, user: "u") == ids[0])
        #expect(throws: Never.self) { _ = try MessageID(ids[0].description) }
    }
}
