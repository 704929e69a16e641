import ClientWire
import MediaSignalling
import MessagingCore
import NIOCore
import SDP
import SIP
import SessionCore
import Testing

@testable import SIPGateway

/// What is decided about calls, without a phone.
@Suite("What decides about calls")
struct CallMachineTests {
    typealias Ring = CallShare.Ring
    typealias State = CallControl.State
    typealias Action = CallControl.Action

    static let change = MessageID(stored: "change")
    static let move = MessageID(stored: "move")

    static func share(
        _ state: SessionDocument.State,
        ring: Ring? = nil,
        hasMedia: Bool = false,
        end: SessionEnd? = nil,
        elsewhere: CallShare.Elsewhere? = nil,
        awaited: [MessageID: MediumKind] = [:],
        crowded: [MediumID] = []
    ) throws -> CallShare {
        var share = CallShare(try TextTalkTests.document(state), on: 2, can: [.audio])
        share.ring = ring
        share.end = end
        share.elsewhere = elsewhere
        share.awaited = awaited
        share.crowded = crowded
        if hasMedia { share.lines = [try ExchangeTests.line(offers: true)] }
        return share
    }

    struct Step: Sendable {
        var before: State
        var share: CallShare
        var after: State
        var actions: [Action]
    }

    static func steps() throws -> [Step] {
        let request = Ring.request([.audio])
        return [
            Step(before: .idle, share: try share(.alerting), after: .idle, actions: []),
            Step(
                before: .idle,
                share: try share(.alerting, ring: request),
                after: .ringing(request),
                actions: [.ring([.audio])]
            ),
            Step(
                before: .ringing(request),
                share: try share(.alerting, ring: request),
                after: .ringing(request),
                actions: []
            ),
            Step(
                before: .ringing(request),
                share: try share(.open, elsewhere: .answered),
                after: .idle,
                actions: [.cancel(reason: "SIP;cause=200;text=\"Call completed elsewhere\"")]
            ),
            Step(
                before: .ringing(request),
                share: try share(.over, end: .rejected, elsewhere: .declined),
                after: .idle,
                actions: [.cancel(reason: "SIP;cause=600;text=\"Declined elsewhere\"")]
            ),
            Step(
                before: .ringing(request),
                share: try share(.over, end: .cancelled),
                after: .idle,
                actions: [.cancel(reason: nil)]
            ),
            // Accepted elsewhere, naming this phone: it rings on for what is placed on it.
            Step(
                before: .ringing(request),
                share: try share(.open, ring: .placed([.audio]), hasMedia: true),
                after: .ringing(.placed([.audio])),
                actions: []
            ),
            Step(before: .answering, share: try share(.open), after: .answering, actions: []),
            Step(before: .answering, share: try share(.open, hasMedia: true), after: .standing, actions: []),
            Step(before: .answering, share: try share(.over), after: .idle, actions: [.bye(reason: nil)]),
            Step(before: .standing, share: try share(.open, hasMedia: true), after: .standing, actions: []),
            Step(before: .standing, share: try share(.open), after: .idle, actions: [.bye(reason: nil)]),
            Step(before: .standing, share: try share(.over), after: .idle, actions: [.bye(reason: nil)]),
            // It hung up: what is still placed on it does not ring it again.
            Step(
                before: .leaving,
                share: try share(.open, ring: .placed([.audio]), hasMedia: true),
                after: .leaving,
                actions: []
            ),
            Step(before: .leaving, share: try share(.open), after: .idle, actions: []),
            Step(
                before: .declined(request),
                share: try share(.alerting, ring: request),
                after: .declined(request),
                actions: []
            ),
            Step(before: .declined(request), share: try share(.over), after: .idle, actions: []),
            Step(
                before: .declined(request),
                share: try share(.open, ring: .placed([.audio])),
                after: .ringing(.placed([.audio])),
                actions: [.ring([.audio])]
            ),
            Step(before: .taking, share: try share(.open), after: .taking, actions: []),
            Step(
                before: .taking,
                share: try share(.open, ring: .move([move], [.audio]), hasMedia: true),
                after: .standing,
                actions: [.answerPhone]
            ),
            Step(
                before: .taking,
                share: try share(.over, end: .left),
                after: .idle,
                actions: [.refusePhone(480, reason: nil)]
            ),
            // With somebody else in its medium for a moment nobody hangs up.
            Step(
                before: .standing,
                share: try share(.open, crowded: [1]),
                after: .standing,
                actions: [.crowded([1])]
            ),
            Step(before: .placing([.audio]), share: try share(.calling), after: .placing([.audio]), actions: []),
            // Somebody took the call; whether with its media, another provider says later.
            Step(
                before: .placing([.audio]),
                share: try share(.open),
                after: .placing([.audio]),
                actions: [.awaitMedia]
            ),
            Step(
                before: .placing([.audio]),
                share: try share(.open, hasMedia: true),
                after: .standing,
                actions: [.answerPhone]
            ),
            Step(
                before: .placing([.audio]),
                share: try share(.open, awaited: [change: .audio]),
                after: .placing([.audio]),
                actions: [.consent(change, true)]
            ),
        ]
            + (try [
                (SessionEnd.rejected, SIPStatus(603)), (.missed, 480), (.cancelled, 487), (.left, 480),
                (.unreachable, 480),
            ].map { end, status in
                Step(
                    before: .placing([.audio]),
                    share: try share(.over, end: end),
                    after: .idle,
                    actions: [.refusePhone(status, reason: nil)]
                )
            })
    }

    @Test("The session's news, in every state")
    func news() throws {
        for step in try Self.steps() {
            var control = CallControl(state: step.before)
            #expect(control.take(step.share) == step.actions, "\(step.before)")
            #expect(control.state == step.after, "\(step.before)")
        }
    }

    @Test(
        "A phone that takes it",
        arguments: [
            (State.ringing(.request([.audio, .video])), State.answering, [Action.accept([.audio])]),
            (.ringing(.change(change, .audio)), .answering, [.consent(change, true)]),
            (.ringing(.move([move], [.audio])), .standing, []),
            (.ringing(.placed([.audio])), .standing, []),
            (.idle, .idle, []),
            (.taking, .taking, []),
        ]
    )
    func takes(_ before: State, _ after: State, _ actions: [Action]) {
        var control = CallControl(state: before)
        #expect(control.phoneAnswered([.audio]) == actions)
        #expect(control.state == after)
    }

    @Test(
        "A phone that does not",
        arguments: [
            (Ring.request([.audio]), SIPStatus(486), [Action.ignore]),
            (.request([.audio]), 480, [.ignore]),
            (.request([.audio]), 603, [.reject]),
            (.change(change, .audio), 486, []),
            (.change(change, .audio), 603, [.consent(change, false)]),
            (.move([move], [.audio]), 486, [.path([move], false)]),
            (.placed([.audio]), 408, [.fail([1])]),
        ]
    )
    func refuses(_ ring: Ring, _ status: SIPStatus, _ actions: [Action]) {
        var control = CallControl(state: .ringing(ring))
        #expect(control.phoneRefused(status, media: [1]) == actions)
        #expect(control.state == .declined(ring))
    }

    @Test(
        "A phone that hangs up, and a server that was asked too late",
        arguments: [
            State.placing([.audio]), .taking, .answering, .standing, .idle, .ringing(.placed([.audio])), .leaving,
        ]
    )
    func leaves(_ before: State) {
        var control = CallControl(state: before)
        switch before {
        case .placing, .taking, .answering, .standing:
            #expect(control.phoneLeft() == [.leave])
            #expect(control.state == .leaving)
        case .idle, .ringing, .leaving, .declined:
            #expect(control.phoneLeft().isEmpty)
            #expect(control.state == before)
        }
        control = CallControl(state: before)
        let timed = control.timeReached()
        switch before {
        case .answering, .taking: #expect(timed == [.bye(reason: nil), .leave])
        case .placing: #expect(timed == [.refusePhone(488, reason: "Answered in writing")])
        case .idle, .ringing, .standing, .leaving, .declined: #expect(timed == [])
        }
        control = CallControl(state: before)
        let late = control.serverRefused()
        #expect(late == (before == .answering ? [.bye(reason: CallShare.Elsewhere.answered.reason)] : []))
    }
}

/// What became of a REFER, without a phone.
@Suite("What decides about REFER")
struct ReferralTests {
    static let move = MessageID(stored: "move")
    static let alice = Address(stored: "sip:alice@example.org")
    static let bob = Address(stored: "sip:bob@example.org")

    /// A voice of Alice's on a device.
    static func document(
        _ state: SessionDocument.State = .open,
        on device: DeviceID,
        isMoving: Bool = false
    ) throws
        -> SessionDocument
    {
        var document = try TextTalkTests.document(state)
        document.user = alice
        document.participants = [alice, bob]
        let placement = SessionDocument.Placement(user: alice, generation: .first, device: device)
        document.media = [SessionDocument.Medium(id: 1, kind: .audio, held: [], placements: [placement])]
        if isMoving {
            document.pending = [
                SessionDocument.Pending(id: move, by: alice, change: .move, medium: 1, awaited: [])
            ]
        }
        return document
    }

    @Test("Media on their way, there, or never: only what was seen pending can have failed")
    func media() throws {
        var referral = Referral(.device(3, moves: [Self.move: 1]))
        #expect(referral.take(try Self.document(on: 2)) == nil)
        #expect(referral.take(try Self.document(on: 2, isMoving: true)) == nil)
        var other = referral
        #expect(referral.take(try Self.document(on: 3)) == .done)
        #expect(other.take(try Self.document(on: 2)) == .failed(480))
        #expect(other.take(try Self.document(.over, on: 2)) == .failed(487))
        #expect(other.timedOut == .failed(480))
    }

    @Test("A leg alone: live on the target, or gone")
    func leg() throws {
        var referral = Referral(.device(3, moves: [:]))
        var document = try Self.document(on: 2)
        document.legs = [SessionDocument.Leg(device: 2, generation: 1, state: .live)]
        #expect(referral.take(document) == nil)
        document.legs.append(SessionDocument.Leg(device: 3, generation: 2, state: .preparing))
        #expect(referral.take(document) == nil)
        var other = referral
        document.legs[1].state = .live
        #expect(referral.take(document) == .done)
        document.legs.removeLast()
        #expect(other.take(document) == .failed(480))
    }

    @Test("Another user: in the conversation, or by the owner's word not")
    func user() throws {
        var referral = Referral(.user(try Address("carol@example.org")))
        var document = try Self.document(on: 2)
        #expect(referral.take(document) == nil)
        document.participants.append(try Address("carol@example.org"))
        #expect(referral.take(document) == .done)
        #expect(referral.take(.rejected) == .failed(603))
        #expect(referral.take(.missed) == .failed(480))
        #expect(referral.timedOut == .failed(408))
    }

    @Test("Ended dialogs are remembered up to a number, each end's name of one leads to the other")
    func ended() {
        var ended = EndedDialogs(capacity: 2)
        let ids = (1...3).map { DialogID(callID: "\($0)", localTag: "a", remoteTag: "b") }
        let account = AccountID(rawValue: 7)
        for id in ids { ended.insert(id, of: account) }
        #expect(ids.map { ended[$0] } == [nil, account, account])
        #expect(ids[0].swapped.swapped == ids[0])
        #expect(ids[0].swapped.localTag == "b")
    }
}

/// What passes between a phone and the devices at the other ends.
@Suite("Offers and answers of a phone's call")
struct ExchangeTests {
    typealias Action = MediaExchange.Action

    static let now = NIODeadline.uptimeNanoseconds(1_000_000_000)

    static func line(offers: Bool, held: Set<Address> = [], theirs: Generation = 1) throws -> MediaLine {
        MediaLine(
            medium: 1,
            kind: .audio,
            own: 1,
            peer: MediaLine.Peer(user: try Address("bob@example.org"), device: 1),
            theirs: theirs,
            offers: offers,
            held: held,
            sender: nil,
            move: nil
        )
    }

    static func description(
        _ port: Int,
        _ direction: String = "sendrecv",
        format: Int = 0
    ) throws -> SessionDescription {
        let text = """
            v=0\r
            o=- 1 \(port) IN IP4 192.0.2.7\r
            s=-\r
            c=IN IP4 192.0.2.7\r
            t=0 0\r
            m=audio \(port) RTP/AVP \(format)\r
            a=\(direction)\r

            """
        return try SessionDescription(parsing: Array(text.utf8))
    }

    static func make() throws -> MediaExchange {
        MediaExchange(user: try Address("alice@example.org"), address: "127.0.0.1", number: 7)
    }

    @Test("This end offers: what the phone offered goes to the other device, and its answer back; lost, it goes again")
    func offers() throws {
        var exchange = try Self.make()
        let line = try Self.line(offers: true)
        #expect(exchange.phoneOffered(try Self.description(4000), isAdmitted: false, now: Self.now).isEmpty)
        let first = exchange.set([line], now: Self.now)
        guard first.count == 1, case .signal(line, let payload) = first[0],
            case .description(.offer, let offer, let names) = payload
        else {
            _ = Issue.record("\(first)")
            return
        }
        #expect(offer.media[0].port == 4000)
        #expect(names == ["m1": 1])
        #expect(exchange.timeReached(Self.now + .seconds(2)) == [.signal(line, payload)])
        let actions = exchange.take(
            .description(.answer, try Self.description(5000), names: [:]),
            from: line,
            now: Self.now
        )
        guard actions.count == 2, case .agreed(line) = actions[0], case .answer(let answer) = actions[1] else {
            _ = Issue.record("\(actions)")
            return
        }
        #expect(answer.media.map(\.port) == [5000])
        #expect(answer.media[0].connection?.host == "192.0.2.7")
        #expect(exchange.phase == .idle)
        #expect(exchange.deadline == nil)
    }

    @Test("Both have offered, with a codec in common: each one's offer is the other's answer")
    func joined() throws {
        var exchange = try Self.make()
        let line = try Self.line(offers: false)
        _ = exchange.phoneOffered(try Self.description(4000), isAdmitted: false, now: Self.now)
        #expect(exchange.set([line], now: Self.now) == [.signal(line, .ask)])
        var theirs = try Self.description(5000)
        theirs.media[0].set(Attribute("mid", "x"))
        let actions = exchange.take(.description(.offer, theirs, names: ["x": 1]), from: line, now: Self.now)
        guard actions.count == 3, case .signal(line, .description(.answer, let reply, _)) = actions[0],
            case .agreed(line) = actions[1], case .answer(let answer) = actions[2]
        else {
            _ = Issue.record("\(actions)")
            return
        }
        #expect(reply.media.map(\.port) == [4000])
        #expect(reply.media[0].mediaID == "x")
        #expect(answer.media.map(\.port) == [5000])
        #expect(answer.media[0].statedDirection == .sendReceive)
        #expect(exchange.phase == .idle)
    }

    @Test("With no codec in common yet the phone's own offer waits with nothing flowing, then it gets the other's")
    func answers() throws {
        var exchange = try Self.make()
        let line = try Self.line(offers: false)
        _ = exchange.phoneOffered(try Self.description(4000), isAdmitted: false, now: Self.now)
        #expect(exchange.set([line], now: Self.now) == [.signal(line, .ask)])
        var theirs = try Self.description(5000, format: 8)
        theirs.media[0].set(Attribute("mid", "x"))
        let offer = MediaPayload.description(.offer, theirs, names: ["x": 1])
        let next = exchange.take(offer, from: line, now: Self.now)
        guard next.count == 2, case .answer(let waiting) = next[0], case .offer(let told) = next[1] else {
            _ = Issue.record("\(next)")
            return
        }
        #expect(waiting.media.map(\.port) == [9])
        #expect(waiting.media[0].statedDirection == .inactive)
        #expect(told.media.map(\.port) == [5000])
        #expect(!told.media[0].hasAttribute("mid"))
        // It is said again before the phone has answered: nothing more is to be done.
        #expect(exchange.take(offer, from: line, now: Self.now).isEmpty)
        let last = exchange.phoneAnswered(try Self.description(4002), now: Self.now)
        guard last.count == 2, case .signal(line, let reply) = last[0], case .agreed(line) = last[1],
            case .description(.answer, let answer, _) = reply
        else {
            _ = Issue.record("\(last)")
            return
        }
        #expect(answer.media[0].port == 4002)
        #expect(answer.media[0].mediaID == "x")
        // The answer was lost: it is said again.
        #expect(exchange.take(offer, from: line, now: Self.now) == [.signal(line, reply)])
    }

    @Test("A phone does not wait for ever for the other end's answer; a late one reaches it all the same")
    func late() throws {
        var exchange = try Self.make()
        let line = try Self.line(offers: true)
        _ = exchange.set([line], now: Self.now)
        _ = exchange.phoneOffered(try Self.description(4000), isAdmitted: true, now: Self.now)
        let timed = exchange.timeReached(Self.now + MediaExchange.answerWithin)
        guard case .answer(let waiting)? = timed.last else {
            _ = Issue.record("\(timed)")
            return
        }
        #expect(waiting.media[0].statedDirection == .inactive)
        let actions = exchange.take(
            .description(.answer, try Self.description(5000), names: [:]),
            from: line,
            now: Self.now + .seconds(4)
        )
        guard case .offer(let told)? = actions.last else {
            _ = Issue.record("\(actions)")
            return
        }
        #expect(told.media.map(\.port) == [5000])
    }

    @Test("Hold by the phone is answered at once; hold by the other end reaches the phone, and so does its end")
    func hold() throws {
        var exchange = try Self.make()
        let line = try Self.line(offers: true)
        _ = exchange.set([line], now: Self.now)
        _ = exchange.phoneOffered(try Self.description(4000), isAdmitted: true, now: Self.now)
        _ = exchange.take(.description(.answer, try Self.description(5000), names: [:]), from: line, now: Self.now)
        let (answer, actions) = exchange.phoneChanges(try Self.description(4000, "sendonly"), now: Self.now)
        #expect(answer.media[0].statedDirection == .receiveOnly)
        #expect(actions.isEmpty)
        #expect(exchange.heldByPhone == [1])
        // The session says so too, which is no news to the phone.
        let alice = try Address("alice@example.org")
        #expect(exchange.set([try Self.line(offers: true, held: [alice])], now: Self.now).isEmpty)
        let (resumed, _) = exchange.phoneChanges(try Self.description(4000), now: Self.now)
        #expect(resumed.media[0].statedDirection == .sendOnly)
        guard case .offer(let flowing)? = exchange.set([line], now: Self.now).first else {
            _ = Issue.record("no offer")
            return
        }
        #expect(flowing.media[0].statedDirection == .sendReceive)
        _ = exchange.phoneAnswered(try Self.description(4000), now: Self.now)
        let bob = try Address("bob@example.org")
        guard case .offer(let held)? = exchange.set([try Self.line(offers: true, held: [bob])], now: Self.now).first
        else {
            _ = Issue.record("no offer")
            return
        }
        #expect(held.media[0].statedDirection == .sendOnly)
    }

    @Test("What collides is tried again; what the phone refuses fails")
    func refused() throws {
        var exchange = try Self.make()
        let line = try Self.line(offers: false)
        _ = exchange.phoneOffered(try Self.description(4000), isAdmitted: true, now: Self.now)
        _ = exchange.set([line], now: Self.now)
        var theirs = try Self.description(5000, format: 8)
        theirs.media[0].set(Attribute("mid", "x"))
        #expect(exchange.take(.description(.offer, theirs, names: ["x": 1]), from: line, now: Self.now).count == 2)
        exchange.collided()
        #expect(exchange.advance(Self.now).isEmpty)
        #expect(exchange.unblocked(Self.now).count == 1)
        #expect(exchange.phoneRefused() == [.failed(1)])
    }

    @Test("A device that took the other end's place is offered anew")
    func moved() throws {
        var exchange = try Self.make()
        _ = exchange.set([try Self.line(offers: true)], now: Self.now)
        _ = exchange.phoneOffered(try Self.description(4000), isAdmitted: true, now: Self.now)
        let answer = MediaPayload.description(.answer, try Self.description(5000), names: [:])
        _ = exchange.take(answer, from: try Self.line(offers: true), now: Self.now)
        #expect(exchange.set([try Self.line(offers: true, theirs: 2)], now: Self.now) == [.fetch])
    }
}

extension MediumID: ExpressibleByIntegerLiteral {
    package init(integerLiteral value: Int32) { self.init(rawValue: value) }
}
