import CPIM
import Testing
import XMLBodies

/// Time counted in seconds by hand.
struct Tick: InstantProtocol, Sendable {
    var seconds: Int64
    func advanced(by duration: Duration) -> Tick { Tick(seconds: self.seconds + duration.components.seconds) }
    func duration(to other: Tick) -> Duration { .seconds(other.seconds - self.seconds) }
    static func < (left: Tick, right: Tick) -> Bool { left.seconds < right.seconds }
}

@Suite("Composition status, sender")
struct ComposingSenderTests {
    typealias Sender = ComposingSender<Tick>

    static let active = Sender.Action.send(IsComposingDocument(state: .active, refreshSeconds: 120))
    static let idle = Sender.Action.send(IsComposingDocument(state: .idle))

    enum Input: CaseIterable {
        case composed
        case messageSent
        case cleared
        case timerEarly
        case timerAtIdle
    }

    static func apply(_ input: Input, to sender: inout Sender) -> Sender.Action {
        switch input {
        case .composed: sender.composed(at: Tick(seconds: 5))
        case .messageSent: sender.messageSent()
        case .cleared: sender.cleared()
        case .timerEarly: sender.timerFired(at: Tick(seconds: 14))
        case .timerAtIdle: sender.timerFired(at: Tick(seconds: 15))
        }
    }

    @Test("every state and input: what is sent and whether the composer is active then")
    func table() {
        let fromIdle: [(Sender.Action, Bool)] = [
            (Self.active, true), (.none, false), (.none, false), (.none, false), (.none, false),
        ]
        let fromActive: [(Sender.Action, Bool)] = [
            (.none, true), (.none, false), (Self.idle, false), (.none, true), (Self.idle, false),
        ]
        for (isActive, outcomes) in [(false, fromIdle), (true, fromActive)] {
            for (input, outcome) in zip(Input.allCases, outcomes) {
                var sender = Sender()
                if isActive { _ = sender.composed(at: Tick(seconds: 0)) }
                #expect(Self.apply(input, to: &sender) == outcome.0, "\(isActive) \(input)")
                #expect(sender.isActive == outcome.1, "\(isActive) \(input)")
            }
        }
    }

    @Test("typing on and on repeats the status when it is due, and only then")
    func refresh() {
        var sender = Sender()
        var sent: [Int64] = []
        for second in stride(from: Int64(0), through: 300, by: 10)
        where sender.composed(at: Tick(seconds: second), type: "text/plain") != .none {
            sent.append(second)
        }
        #expect(sent == [0, 120, 240])
        #expect(sender.deadline == Tick(seconds: 315))
        #expect(sender.timerFired(at: Tick(seconds: 315)) == Self.idle)
        #expect(sender.deadline == nil)
    }

    @Test("a key long after the last begins anew when the timer was late")
    func lateTimer() {
        var sender = Sender()
        _ = sender.composed(at: Tick(seconds: 0))
        #expect(sender.composed(at: Tick(seconds: 100)) == .none)
        #expect(sender.composed(at: Tick(seconds: 130)) == Self.active)
    }

    @Test("a refresh under a minute is made a minute")
    func shortRefresh() {
        var settings = Sender.Settings()
        settings.refresh = .seconds(5)
        var sender = Sender(settings: settings)
        #expect(
            sender.composed(at: Tick(seconds: 0)) == .send(IsComposingDocument(state: .active, refreshSeconds: 60))
        )
    }
}

@Suite("Composition status, receiver")
struct ComposingReceiverTests {
    typealias Receiver = ComposingReceiver<Tick>

    enum Input: CaseIterable {
        case active
        case idle
        case message
        case timerEarly
        case timerDue
    }

    static func apply(_ input: Input, to receiver: inout Receiver) -> Receiver.Action {
        switch input {
        case .active:
            receiver.received(IsComposingDocument(state: .active, composedType: "audio"), at: Tick(seconds: 10))
        case .idle: receiver.received(IsComposingDocument(state: .idle), at: Tick(seconds: 10))
        case .message: receiver.messageReceived()
        case .timerEarly: receiver.timerFired(at: Tick(seconds: 89))
        case .timerDue: receiver.timerFired(at: Tick(seconds: 90))
        }
    }

    @Test("every state and input: what is shown and until when")
    func table() {
        let fromIdle: [(Receiver.Action, Int64?)] = [
            (.began(type: "audio"), 130), (.none, nil), (.none, nil), (.none, nil), (.none, nil),
        ]
        let fromActive: [(Receiver.Action, Int64?)] = [
            (.none, 130), (.ended, nil), (.ended, nil), (.none, 90), (.ended, nil),
        ]
        for (isActive, outcomes) in [(false, fromIdle), (true, fromActive)] {
            for (input, outcome) in zip(Input.allCases, outcomes) {
                var receiver = Receiver()
                if isActive {
                    let status = IsComposingDocument(state: .active, refreshSeconds: 90)
                    #expect(receiver.received(status, at: Tick(seconds: 0)) == .began(type: nil))
                }
                #expect(Self.apply(input, to: &receiver) == outcome.0, "\(isActive) \(input)")
                #expect(receiver.deadline?.seconds == outcome.1, "\(isActive) \(input)")
                #expect(receiver.isActive == (outcome.1 != nil), "\(isActive) \(input)")
            }
        }
    }

    @Test("a status holds as long as it says, two minutes unless it says, a day at most")
    func timeouts() {
        #expect(Receiver.timeoutSeconds(of: IsComposingDocument(state: .active)) == 120)
        #expect(Receiver.timeoutSeconds(of: IsComposingDocument(state: .active, refreshSeconds: 5)) == 5)
        #expect(Receiver.timeoutSeconds(of: IsComposingDocument(state: .active, refreshSeconds: .max)) == 86_400)
    }
}
