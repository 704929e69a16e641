import MessagingCore
import SessionCore
import Testing

@Suite("A request, at both ends and on each device")
struct InvitationTests {
    private static let laptop = DeviceID(rawValue: 1)
    private static let mobile = DeviceID(rawValue: 2)
    private static let until = Timestamp(rawValue: 1000)
    private static let early = Timestamp(rawValue: 999)

    /// Every state with every input: what is done, and where it stands then.
    @Test("the callee's invitation: one answer wins, and later ones are told")
    func invitation() {
        let alerting = Invitation.alerting(until: Self.until)
        let accepted = Invitation.accepted(on: Self.mobile, by: Self.laptop)
        let rejected = Invitation.rejected(by: Self.laptop)
        let accept = Invitation.Input.accept(on: Self.mobile, by: Self.laptop)
        let other = Invitation.Input.accept(on: Self.mobile, by: Self.mobile)
        let reject = Invitation.Input.reject(by: Self.laptop)
        let otherReject = Invitation.Input.reject(by: Self.mobile)
        let table: [(Invitation, Invitation.Input, Invitation.Action, Invitation)] = [
            (alerting, accept, .answer(.accepted), accepted),
            (alerting, reject, .answer(.rejected), rejected),
            (alerting, .cancel, .answer(.cancelled), .cancelled),
            (alerting, .clock(Self.early), .none, alerting),
            (alerting, .clock(Self.until), .answer(.missed), .missed),
            // The same answer again is a retry; any other comes too late.
            (accepted, accept, .none, accepted),
            (accepted, other, .tooLate, accepted),
            (accepted, reject, .tooLate, accepted),
            (accepted, .cancel, .none, accepted),
            (accepted, .clock(Self.until), .none, accepted),
            (rejected, accept, .tooLate, rejected),
            (rejected, reject, .none, rejected),
            (rejected, otherReject, .tooLate, rejected),
            (rejected, .cancel, .none, rejected),
            (rejected, .clock(Self.until), .none, rejected),
            (.cancelled, accept, .tooLate, .cancelled),
            (.cancelled, reject, .tooLate, .cancelled),
            (.cancelled, .cancel, .none, .cancelled),
            (.cancelled, .clock(Self.until), .none, .cancelled),
            (.missed, accept, .tooLate, .missed),
            (.missed, reject, .tooLate, .missed),
            (.missed, .cancel, .none, .missed),
            (.missed, .clock(Self.until), .none, .missed),
        ]
        for (before, input, action, after) in table {
            var invitation = before
            #expect(invitation.take(input) == action, "\(before) \(input)")
            #expect(invitation == after, "\(before) \(input)")
            #expect((invitation.deadline == nil) == (invitation != alerting))
        }
    }

    @Test("the owner's call: a cancel is a wish until the callee's server has answered")
    func call() {
        let calling = Call.calling(until: Self.until)
        let answers: [InvitationAnswer] = [.accepted, .rejected, .cancelled, .missed]
        var table: [(Call, Call.Input, Call.Action, Call)] = [
            (calling, .answer(.accepted), .admit, .joined),
            (calling, .answer(.rejected), .drop(.rejected), .over(.rejected)),
            (calling, .answer(.cancelled), .drop(.cancelled), .over(.cancelled)),
            (calling, .answer(.missed), .drop(.missed), .over(.missed)),
            (calling, .cancel, .sendCancel, .cancelling(.cancelled)),
            (calling, .clock(Self.early), .none, calling),
            (calling, .clock(Self.until), .sendCancel, .cancelling(.missed)),
        ]
        for end in [SessionEnd.cancelled, .missed] {
            table += [
                // The acceptance came first: it opens and ends at once.
                (.cancelling(end), .answer(.accepted), .admitAndEnd(end), .over(end)),
                (.cancelling(end), .answer(.rejected), .drop(.rejected), .over(.rejected)),
                (.cancelling(end), .answer(.missed), .drop(.missed), .over(.missed)),
                (.cancelling(end), .answer(.cancelled), .drop(end), .over(end)),
                (.cancelling(end), .cancel, .none, .cancelling(end)),
                (.cancelling(end), .clock(Self.until), .none, .cancelling(end)),
            ]
        }
        for settled in [Call.joined, .over(.left)] {
            table += answers.map { (settled, .answer($0), .none, settled) }
            table += [(settled, .cancel, .none, settled), (settled, .clock(Self.until), .none, settled)]
        }
        for (before, input, action, after) in table {
            var call = before
            #expect(call.take(input) == action, "\(before) \(input)")
            #expect(call == after, "\(before) \(input)")
        }
    }

    @Test("an alert: withdrawn once, and settled when the device says so")
    func alert() {
        let table: [(Alert, Alert.Input, Alert.Action, Alert)] = [
            (.issued, .shown, .none, .shown),
            (.issued, .silence, .none, .silenced),
            (.issued, .withdraw, .sendWithdrawal, .withdrawing),
            (.issued, .acknowledged, .none, .issued),
            (.shown, .shown, .none, .shown),
            (.shown, .silence, .none, .silenced),
            (.shown, .withdraw, .sendWithdrawal, .withdrawing),
            (.shown, .acknowledged, .none, .shown),
            (.silenced, .shown, .none, .silenced),
            (.silenced, .silence, .none, .silenced),
            (.silenced, .withdraw, .sendWithdrawal, .withdrawing),
            (.silenced, .acknowledged, .none, .silenced),
            // The alert itself arrives after its withdrawal: it does not ring any more.
            (.withdrawing, .shown, .none, .withdrawing),
            (.withdrawing, .silence, .none, .withdrawing),
            (.withdrawing, .withdraw, .none, .withdrawing),
            (.withdrawing, .acknowledged, .none, .withdrawn),
            (.withdrawn, .shown, .none, .withdrawn),
            (.withdrawn, .silence, .none, .withdrawn),
            (.withdrawn, .withdraw, .none, .withdrawn),
            (.withdrawn, .acknowledged, .none, .withdrawn),
        ]
        for (before, input, action, after) in table {
            var alert = before
            #expect(alert.take(input) == action, "\(before) \(input)")
            #expect(alert == after, "\(before) \(input)")
        }
    }

    @Test("the ledger tells every device once, and is settled when all have said so")
    func ledger() {
        var ledger = AlertLedger([Self.laptop, Self.mobile])
        ledger.take(.shown, from: Self.laptop)
        #expect(ledger.rings)
        #expect(ledger.withdraw() == [Self.laptop, Self.mobile])
        #expect(ledger.withdraw().isEmpty)
        #expect(!ledger.rings)
        ledger.take(.acknowledged, from: Self.laptop)
        #expect(!ledger.isSettled)
        ledger.take(.acknowledged, from: Self.mobile)
        #expect(ledger.isSettled)
    }

    @Test("requests that cross: the lower one stays, on both sides alike")
    func crossed() throws {
        let (low, high) = (try SessionID("a"), try SessionID("b"))
        #expect(CrossedRequests(ours: low, arriving: high) == .keepOurs)
        #expect(CrossedRequests(ours: high, arriving: low) == .takeTheirs)
    }

    @Test("a lane takes each once and in order, and keeps what is not acknowledged")
    func lane() {
        var sender = LaneSender<String>()
        let numbers = ["a", "b", "c"].map { sender.put($0).number }
        #expect(numbers == [1, 2, 3])
        var receiver = LaneReceiver()
        #expect(receiver.take(2) == .gap)
        #expect(receiver.take(1) == .next)
        #expect(receiver.take(1) == .duplicate)
        #expect(receiver.take(2) == .next)
        #expect(receiver.taken == 2)
        sender.acknowledge(receiver.taken)
        #expect(sender.waiting.map(\.payload) == ["c"])
    }
}
