import NIOCore
import Testing

@testable import SIP

@Suite("Dialogs")
struct DialogTests {
    @Test("A 2xx makes the same dialog at both ends, with the route set turned round at the sender")
    func bothEnds() throws {
        let request = try Samples.invite(extra: "Record-Route: <sip:p2.example.com;lr>, <sip:p1.example.com;lr>\r\n")
        var response = Samples.response(200, to: request, tag: "btag")
        response.copyRecordRoute(from: request)
        var client = try #require(try Dialog(client: request, response: response))
        let server = try Dialog(server: request, localTag: "btag", state: .confirmed)
        #expect(client.id == DialogID(callID: "call@example.com", localTag: "atag", remoteTag: "btag"))
        #expect(server.id == DialogID(callID: "call@example.com", localTag: "btag", remoteTag: "atag"))
        #expect(client.routeSet.map(\.uri.description) == ["sip:p1.example.com;lr", "sip:p2.example.com;lr"])
        #expect(server.routeSet.map(\.uri.description) == ["sip:p2.example.com;lr", "sip:p1.example.com;lr"])
        let bye = try client.makeRequest(.bye)
        #expect(bye.uriText == "sip:b@b.example.com")
        #expect(try bye.cSeq() == CSeq(number: 8, method: .bye))
        #expect(bye.texts(.route) == ["<sip:p1.example.com;lr>", "<sip:p2.example.com;lr>"])
        #expect(try bye.to().tag == "btag")
        let ack = client.makeAcknowledgement(inviteNumber: 7)
        #expect(try ack.cSeq() == CSeq(number: 7, method: .ack))
    }

    @Test("A strict router gets itself in the Request-URI and the target at the end of the route")
    func strictRouter() throws {
        let request = try Samples.invite(extra: "Record-Route: <sip:strict.example.com>\r\n")
        var response = Samples.response(200, to: request, tag: "b")
        response.copyRecordRoute(from: request)
        var dialog = try #require(try Dialog(client: request, response: response))
        let bye = try dialog.makeRequest(.bye)
        #expect(bye.uriText == "sip:strict.example.com")
        #expect(bye.texts(.route) == ["<sip:b@b.example.com>"])
    }

    @Test("Requests out of order are refused, equal and higher numbers pass, and nothing passes after the end")
    func order() throws {
        var dialog = try Dialog(server: try Samples.invite(), localTag: "b", state: .confirmed)
        func request(_ number: Int, _ method: String) throws -> SIPMessage {
            var request = try Samples.invite()
            request.set(.cSeq, "\(number) \(method)")
            return request
        }
        #expect(try dialog.received(request: request(6, "BYE")) == .outOfOrder)
        #expect(try dialog.received(request: request(7, "ACK")) == .accept)
        #expect(try dialog.received(request: request(9, "INFO")) == .accept)
        #expect(try dialog.received(request: request(8, "INFO")) == .outOfOrder)
        #expect(dialog.remoteNumber == 9)
        dialog.terminate()
        #expect(try dialog.received(request: request(10, "INFO")) == .noDialog)
        #expect(throws: SIPError.self) { try dialog.makeRequest(.bye) }
    }

    @Test("A forked INVITE: two early dialogs, one answer, one that is too late, and repeated answers")
    func forks() throws {
        let request = try Samples.invite()
        var set = DialogSet(request: request)
        let call = "call@example.com"
        func id(_ tag: String) -> DialogID { DialogID(callID: call, localTag: "atag", remoteTag: tag) }
        #expect(try set.received(Samples.response(100, to: request, tag: nil, contact: nil)) == .none)
        #expect(try set.received(Samples.response(180, to: request, tag: "x")) == .early(id("x")))
        #expect(try set.received(Samples.response(183, to: request, tag: "y")) == .early(id("y")))
        #expect(try set.received(Samples.response(180, to: request, tag: "x")) == .progress(id("x")))
        #expect(try set.received(Samples.response(200, to: request, tag: "y")) == .answered(id("y")))
        #expect(set[id("y")]?.state == .confirmed)
        #expect(try set.received(Samples.response(200, to: request, tag: "y")) == .acknowledgeAgain(id("y")))
        #expect(try set.received(Samples.response(200, to: request, tag: "z")) == .acknowledgeAndEnd(id("z")))
        #expect(try set.received(Samples.response(200, to: request, tag: "z")) == .acknowledgeAndEnd(id("z")))
        #expect(try set.received(Samples.response(486, to: request, tag: "x", contact: nil)) == .none)
        #expect(set.transactionEnded() == [id("x")])
        #expect(set[id("x")]?.state == .terminated)
    }

    @Test("A failure ends all early dialogs; too many dialogs are refused")
    func forkLimits() throws {
        let request = try Samples.invite()
        var set = DialogSet(request: request)
        for index in 0..<DialogSet.maximumDialogs {
            _ = try set.received(Samples.response(180, to: request, tag: "t\(index)"))
        }
        #expect(try set.received(Samples.response(180, to: request, tag: "more")) == .tooManyDialogs)
        #expect(try set.received(Samples.response(486, to: request, tag: "t1", contact: nil)) == .failed)
        #expect(set.dialogs.values.allSatisfy { $0.state == .terminated })
    }

    @Test("CANCEL waits for a provisional response, in every state and for every input")
    func cancel() {
        typealias Machine = CancelMachine
        let now = NIODeadline.uptimeNanoseconds(0)
        let sent = Machine.State.sent(until: now + .seconds(32))
        let table: [(Machine.State, [(Machine.Action, Machine.State)])] = [
            // cancel, provisional, success, failure, time
            (.silent, [(.none, .wanted), (.none, .proceeding), (.none, .done), (.none, .done), (.none, .silent)]),
            (
                .wanted,
                [(.none, .wanted), (.sendCancel, sent), (.endAnsweredCall, .done), (.none, .done), (.none, .wanted)]
            ),
            (
                .proceeding,
                [(.sendCancel, sent), (.none, .proceeding), (.none, .done), (.none, .done), (.none, .proceeding)]
            ),
            (sent, [(.none, sent), (.none, sent), (.endAnsweredCall, .done), (.none, .done), (.abandon, .done)]),
            (.done, [(.none, .done), (.none, .done), (.none, .done), (.none, .done), (.none, .done)]),
        ]
        for (state, row) in table {
            #expect(Machine(state: state, timers: TransactionTimers()).isAsked == (state == .wanted || state == sent))
            for (index, expected) in row.enumerated() {
                var machine = Machine(state: state, timers: TransactionTimers())
                let action =
                    switch index {
                    case 0: machine.cancel(now: now)
                    case 1: machine.received(.provisional, now: now)
                    case 2: machine.received(.success, now: now)
                    case 3: machine.received(.failure, now: now)
                    default: machine.timeReached(now + .seconds(32))
                    }
                #expect(action == expected.0, "\(state) input \(index)")
                #expect(machine.state == expected.1, "\(state) input \(index)")
            }
        }
    }

    @Test("Glare: every pending state against INVITE and UPDATE of the peer")
    func gate() {
        typealias Gate = ModificationGate
        let free = OfferAnswer(state: .agreed, hasAgreement: true)
        let table: [(Gate.Pending, Gate.Verdict, Gate.Pending, Gate.Verdict, Gate.Pending)] = [
            (.none, .accept, .remoteInvite, .accept, .remoteUpdate),
            (.localInvite, .requestPending, .localInvite, .accept, .localInvite),
            (.remoteInvite, .retryLater, .remoteInvite, .accept, .remoteInvite),
            (.localUpdate, .requestPending, .localUpdate, .requestPending, .localUpdate),
            (.remoteUpdate, .retryLater, .remoteUpdate, .retryLater, .remoteUpdate),
        ]
        for (pending, invite, afterInvite, update, afterUpdate) in table {
            var gate = Gate(pending: pending, offerAnswer: free)
            #expect(gate.receivedInvite() == invite, "\(pending)")
            #expect(gate.pending == afterInvite, "\(pending)")
            gate = Gate(pending: pending, offerAnswer: free)
            #expect(gate.receivedUpdate(hasOffer: true) == update, "\(pending)")
            #expect(gate.pending == afterUpdate, "\(pending)")
        }
        var open = Gate(pending: .localInvite, offerAnswer: OfferAnswer(state: .localOffer, hasAgreement: true))
        #expect(open.receivedUpdate(hasOffer: true) == .requestPending)
        #expect(open.receivedUpdate(hasOffer: false) == .accept)
        open = Gate(pending: .remoteInvite, offerAnswer: OfferAnswer(state: .remoteOffer, hasAgreement: false))
        #expect(open.receivedUpdate(hasOffer: true) == .retryLater)
        #expect(open.beginUpdate() == false)
        open.finished(succeeded: false)
        #expect(open.offerAnswer.state == .none)
        #expect(open.beginInvite() == true)
        for random in [0, 190, 191, UInt64.max] {
            #expect(
                (2100...4000).contains(ModificationGate.glareDelayMilliseconds(isCallIDOwner: true, random: random))
            )
            #expect((0...2000).contains(ModificationGate.glareDelayMilliseconds(isCallIDOwner: false, random: random)))
        }
    }

    @Test("Offer and answer: every state against sending, receiving and roll-back")
    func offerAnswer() {
        typealias State = OfferAnswer.State
        let table: [(State, OfferAnswer.Role, State, OfferAnswer.Role, State, State)] = [
            (.none, .offer, .localOffer, .offer, .remoteOffer, .none),
            (.localOffer, .refused, .localOffer, .answer, .agreed, .agreed),
            (.remoteOffer, .answer, .agreed, .refused, .remoteOffer, .agreed),
            (.agreed, .offer, .localOffer, .offer, .remoteOffer, .agreed),
        ]
        for (state, sent, afterSent, received, afterReceived, afterRollBack) in table {
            var machine = OfferAnswer(state: state, hasAgreement: true)
            #expect(machine.sent() == sent)
            #expect(machine.state == afterSent)
            machine = OfferAnswer(state: state, hasAgreement: true)
            #expect(machine.received() == received)
            #expect(machine.state == afterReceived)
            machine = OfferAnswer(state: state, hasAgreement: true)
            machine.rolledBack()
            #expect(machine.state == (state == .none ? .none : afterRollBack))
        }
    }

    @Test("Reliable provisional responses: one at a time, repeated, acknowledged, given up")
    func reliableSender() {
        let now = NIODeadline.uptimeNanoseconds(0)
        var sender = ReliableProvisionalSender(inviteNumber: 7, firstNumber: 0)
        #expect(sender.send(now: now) == .send(number: 1))
        #expect(sender.send(now: now) == .wait)
        #expect(sender.holdsSuccess)
        #expect(sender.timeReached(now + .milliseconds(499)) == .none)
        #expect(sender.timeReached(now + .milliseconds(500)) == .resend)
        #expect(sender.received(RAck(responseNumber: 2, number: 7, method: .invite)) == .reject)
        #expect(sender.received(RAck(responseNumber: 1, number: 8, method: .invite)) == .reject)
        #expect(sender.received(RAck(responseNumber: 1, number: 7, method: .invite)) == .accept)
        #expect(sender.received(RAck(responseNumber: 1, number: 7, method: .invite)) == .reject)
        #expect(sender.state == .idle(next: 2))
        #expect(sender.send(now: now) == .send(number: 2))
        #expect(sender.timeReached(now + .seconds(32)) == .fail)
        #expect(sender.state == .finished)
        #expect(sender.send(now: now) == .none)
        #expect(sender.deadline == nil)
    }

    @Test("Reliable provisional responses are taken in order, once")
    func reliableReceiver() throws {
        let request = try Samples.invite()
        func response(_ number: UInt32?) -> SIPMessage {
            var response = Samples.response(183, to: request, tag: "b")
            if let number {
                response.append(.require, "100rel")
                response.append(.rSeq, "\(number)")
            }
            return response
        }
        var receiver = ReliableProvisionalReceiver()
        #expect(try receiver.received(response(nil)) == .unreliable)
        #expect(try receiver.received(response(5)) == .acknowledge(RAck(responseNumber: 5, number: 7, method: .invite)))
        #expect(try receiver.received(response(5)) == .drop)
        #expect(try receiver.received(response(7)) == .drop)
        #expect(try receiver.received(response(6)) == .acknowledge(RAck(responseNumber: 6, number: 7, method: .invite)))
    }

    @Test("The 2xx is repeated until the ACK, up to T2, and given up after 64*T1")
    func success() {
        let start = NIODeadline.uptimeNanoseconds(0)
        var machine = SuccessRetransmission(sequence: 7, now: start)
        var times: [UInt64] = []
        var last = SuccessRetransmission.Action.none
        while let deadline = machine.deadline {
            last = machine.timeReached(deadline)
            if last == .resend { times.append(deadline.uptimeNanoseconds / 1_000_000) }
        }
        #expect(times == [500, 1500, 3500, 7500, 11_500, 15_500, 19_500, 23_500, 27_500, 31_500])
        #expect(last == .end)
        #expect(machine.state == .failed)
        machine = SuccessRetransmission(sequence: 7, now: start)
        machine.acknowledged(sequence: 6)
        #expect(machine.deadline != nil, "the ACK of an earlier INVITE ends nothing")
        machine.acknowledged(sequence: 7)
        #expect(machine.state == .acknowledged)
        #expect(machine.timeReached(start + .seconds(60)) == .none)
    }

    @Test("ACK and CANCEL of an INVITE carry its branch, route and number")
    func derived() throws {
        let invite = try Samples.invite(extra: "Route: <sip:p.example.com;lr>\r\n")
        let busy = Samples.response(486, to: invite, tag: "b", contact: nil)
        let ack = try #require(invite.acknowledgement(for: busy))
        #expect(try ack.topVia().branch == "z9hG4bKinv")
        #expect(try ack.to().tag == "b")
        #expect(ack.texts(.route) == ["<sip:p.example.com;lr>"])
        #expect(try ServerTransactionKey(ack) == ServerTransactionKey(invite))
        let cancel = try #require(invite.cancellation(reason: "SIP;cause=200"))
        #expect(try cancel.to().tag == nil)
        #expect(try ServerTransactionKey(cancelledBy: cancel) == ServerTransactionKey(invite))
        #expect(cancel.text(.reason) == "SIP;cause=200")
        #expect(ack.cancellation() == nil)
    }

    @Test("Replaces: every fate of the dialog that is named")
    func replaces() throws {
        let request = try Samples.invite()
        var dialog = try #require(try Dialog(client: request, response: Samples.response(180, to: request, tag: "b")))
        let header = DialogReference(replacing: dialog.id).description
        func decide(_ dialog: Dialog?, _ value: String) throws -> ReplacesVerdict? {
            var invite = try Samples.invite(callID: "other@example.com")
            invite.append(.replaces, value)
            return ReplacesVerdict.decide(invite) { $0 == dialog?.id ? dialog : nil }
        }
        #expect(try decide(dialog, header) == .replace(dialog.id))
        #expect(try decide(nil, header) == .reject(481))
        #expect(try decide(dialog, "nonsense") == .reject(400))
        let incoming = try Dialog(server: request, localTag: "b", state: .early)
        #expect(try decide(incoming, DialogReference(replacing: incoming.id).description) == .reject(481))
        try dialog.received(initialResponse: Samples.response(200, to: request, tag: "b"))
        #expect(try decide(dialog, header) == .replace(dialog.id))
        #expect(try decide(dialog, header + ";early-only") == .reject(486))
        dialog.terminate()
        #expect(try decide(dialog, header) == .reject(603))
    }

    @Test("Join: every fate of the dialog that is named")
    func join() throws {
        let request = try Samples.invite()
        var dialog = try #require(try Dialog(client: request, response: Samples.response(180, to: request, tag: "b")))
        let incoming = try Dialog(server: request, localTag: "b", state: .early)
        func decide(
            _ dialog: Dialog?,
            _ value: String,
            isConference: Bool = false,
            replaces: Bool = false
        ) throws -> JoinVerdict? {
            var invite = try Samples.invite(callID: "other@example.com")
            invite.append(.join, value)
            if replaces { invite.append(.replaces, value) }
            return JoinVerdict.decide(invite, isConference: isConference) { $0 == dialog?.id ? dialog : nil }
        }
        let header = DialogReference(replacing: dialog.id).description
        #expect(try decide(dialog, header) == .join(dialog.id))
        #expect(try decide(incoming, DialogReference(replacing: incoming.id).description) == .join(incoming.id))
        #expect(try decide(nil, header) == .reject(481))
        #expect(try decide(nil, header, isConference: true) == .ignore)
        #expect(try decide(dialog, header, replaces: true) == .reject(400))
        #expect(try decide(dialog, "nonsense") == .reject(400))
        #expect(JoinVerdict.decide(request) { _ in dialog } == nil)
        dialog.terminate()
        #expect(try decide(dialog, header) == .reject(603))
    }
}
