import MessagingCore
import SessionCore

/// What waits for one phone, one thing in flight at a time: a value that decides, while the phone sends and waits.
///
/// ```
///   idle --something to say--> sending --2xx--> idle
///     ^                          |  \--408, 480, 5xx, silence--> waiting --time, or registered again--> sending
///     |                          |--cannot show this--> sending, more plainly
///     \--said no twice: passed over
/// ```
///
/// A phone that takes nothing for a while keeps nothing else from it: what the stream brings meanwhile is let go, so that
/// the stream goes on, and comes again once all that waited was taken.
struct PhoneQueue: Sendable {
    /// One thing to do, in the order of the mailbox.
    enum Step: Sendable {
        case message(PhoneMessage)
        case report(PhoneReport)
        /// The server's own words about a live conversation.
        case word(PhoneWord)
        /// All up to here was handed out; with the level when nothing is missing.
        case mark(upTo: ChangeNumber, level: ChangeNumber?)
        /// Of a conversation's history everything up to here was handed out.
        case reached(SessionID, Generation, Ordinal)
    }

    /// How a message is put; each is plainer than the one before.
    enum Form: Hashable, Comparable, Sendable {
        case cpim
        case plain
        case notice
    }

    /// What the phone made of it.
    enum Outcome: Hashable, Sendable {
        case taken
        /// It does not know the media type.
        case unknownType
        case tooLarge
        /// Not now: it is busy, or could not be reached.
        case notNow(retryAfterSeconds: Int64?)
        /// The way to it is being made, which takes some seconds at most.
        case later
        case refused
    }

    enum Action: Sendable {
        case send(Step, Form)
        case acknowledge(upTo: ChangeNumber, level: ChangeNumber?)
        case reached(SessionID, Generation, Ordinal)
        /// All up to here was looked at: what of it was not acknowledged comes again by ``rewind``.
        case seen(upTo: ChangeNumber)
        /// The stream is to go back to the last acknowledgement.
        case rewind
        /// This message arrived.
        case took(PhoneMessage)
        case passedOver(Step)
        /// Call ``PhoneQueue/timeReached()`` after so many seconds.
        case wait(seconds: Int64)
    }

    enum State: Hashable, Sendable {
        case idle
        case sending(Form, attempts: Int)
        case waiting(Form, attempts: Int)
    }

    private(set) var state: State = .idle
    private var steps: [Step] = []
    private var start = 0
    /// The phone took nothing for a while: what the stream has brought since is not here.
    private(set) var isBehind = false
    private let firstWaitSeconds: Int64
    private let longestWaitSeconds: Int64
    private let waitingSteps: Int

    /// - Parameter waitingSteps: up to how many steps words and reports are kept behind what the phone does not take.
    init(firstWaitSeconds: Int64, longestWaitSeconds: Int64, waitingSteps: Int) {
        self.firstWaitSeconds = firstWaitSeconds
        self.longestWaitSeconds = longestWaitSeconds
        self.waitingSteps = waitingSteps
    }

    var count: Int { steps.count - start }

    /// New steps behind those that wait.
    mutating func append(_ new: [Step], takesCPIM: Bool) -> [Action] {
        guard isBehind else {
            steps.append(contentsOf: new)
            return state == .idle ? advance(takesCPIM) : []
        }
        // What no stream says again is kept.
        for step in new where count < waitingSteps {
            switch step {
            case .report, .word: steps.append(step)
            case .message, .mark, .reached: break
            }
        }
        return Self.seen(new)
    }

    private static func seen(_ steps: some Sequence<Step>) -> [Action] {
        var number: ChangeNumber = 0
        for case .mark(let upTo, _) in steps { number = max(number, upTo) }
        return number > 0 ? [.seen(upTo: number)] : []
    }

    /// The message was read or deleted elsewhere: what is not on its way yet is not sent.
    mutating func withdraw(_ created: ChangeNumber) {
        let first = state == .idle ? start : start + 1
        guard first < steps.count else { return }
        for index in first..<steps.count {
            guard case .message(let message) = steps[index], message.created == created else { continue }
            steps[index] = .mark(upTo: message.changed, level: nil)
        }
    }

    /// What the words were about is no more: they are not sent, unless they are on their way.
    mutating func withdraw(_ word: PhoneWord.ID) {
        let first = state == .idle ? start : start + 1
        guard first < steps.count else { return }
        for index in first..<steps.count {
            guard case .word(let other) = steps[index], other.id == word else { continue }
            steps[index] = .mark(upTo: 0, level: nil)
        }
    }

    /// What was sent came to this.
    mutating func finished(_ outcome: Outcome, takesCPIM: Bool) -> [Action] {
        guard case .sending(let form, let attempts) = state, start < steps.count else { return [] }
        let step = steps[start]
        switch (outcome, step) {
        case (.taken, .message(let message)):
            return [.took(message)] + settle(takesCPIM, upTo: message.changed)
        case (.taken, .report), (.taken, .word), (.taken, .mark), (.taken, .reached):
            return settle(takesCPIM, upTo: nil)
        case (.notNow(let seconds), _):
            state = .waiting(form, attempts: attempts)
            let seen = isBehind ? [] : Self.seen(steps[start...])
            isBehind = true
            return [.wait(seconds: seconds.map { min(max($0, 1), longestWaitSeconds) } ?? backOff(attempts))] + seen
        case (.later, _):
            state = .waiting(form, attempts: attempts)
            return [.wait(seconds: backOff(attempts))]
        case (.unknownType, .message) where form == .cpim, (.unknownType, .word) where form == .cpim:
            return again(step, .plain, attempts)
        case (.unknownType, .message), (.tooLarge, .message), (.refused, .message):
            // Once more as what any phone can show.
            guard form < .notice else { return [.passedOver(step)] + settle(takesCPIM, upTo: nil) }
            return again(step, .notice, attempts)
        case (.unknownType, _), (.tooLarge, _), (.refused, _):
            return [.passedOver(step)] + settle(takesCPIM, upTo: nil)
        }
    }

    /// The wait is over, or the phone registered again.
    mutating func timeReached() -> [Action] {
        guard case .waiting(let form, let attempts) = state, start < steps.count else { return [] }
        return again(steps[start], form, attempts)
    }

    /// The stream is gone: what it handed out comes again from the last acknowledgement.
    mutating func clear() {
        steps = []
        start = 0
        state = .idle
        isBehind = false
    }

    private mutating func again(_ step: Step, _ form: Form, _ attempts: Int) -> [Action] {
        state = .sending(form, attempts: attempts + 1)
        return [.send(step, form)]
    }

    private func backOff(_ attempts: Int) -> Int64 {
        min(firstWaitSeconds << Int64(min(max(attempts - 1, 0), 16)), longestWaitSeconds)
    }

    /// The step at the head is done with.
    private mutating func settle(_ takesCPIM: Bool, upTo: ChangeNumber?) -> [Action] {
        state = .idle
        start += 1
        let acknowledged = upTo.map { [Action.acknowledge(upTo: $0, level: nil)] } ?? []
        return acknowledged + advance(takesCPIM)
    }

    private mutating func advance(_ takesCPIM: Bool) -> [Action] {
        var actions: [Action] = []
        marks: while start < steps.count {
            switch steps[start] {
            case .mark(let upTo, let level): actions.append(.acknowledge(upTo: upTo, level: level))
            case .reached(let session, let generation, let ordinal):
                actions.append(.reached(session, generation, ordinal))
            case .message, .report, .word: break marks
            }
            start += 1
        }
        if start == steps.count {
            steps.removeAll(keepingCapacity: false)
            start = 0
            if isBehind { actions.append(.rewind) }
            isBehind = false
            return actions
        }
        let form: Form
        switch steps[start] {
        case .message(let message): form = message.isNotice ? .notice : takesCPIM ? .cpim : .plain
        case .word: form = takesCPIM ? .cpim : .plain
        case .report, .mark, .reached: form = .cpim
        }
        return actions + again(steps[start], form, 0)
    }
}

/// A message as a phone gets it.
struct PhoneMessage: Hashable, Sendable {
    var id: MessageID
    var created: ChangeNumber
    var changed: ChangeNumber
    var from: Address
    var date: Timestamp
    var subject: String?
    /// Its texts; for a notice what stands for them.
    var text: String
    /// It stands for a message that the phone is not given whole.
    var isNotice: Bool
    var types: [String]
    var bytes: Int64
    var conversation: ConversationID?
    /// Its place in the live conversation that it was said in.
    var session: SessionPlace?
    /// Its own user said it there, on another device.
    var isOwn = false
}

/// What became of a message that was written on the phone.
struct PhoneReport: Hashable, Sendable {
    var id: MessageID
    var receiver: Address
    var state: Disposition
    var since: Timestamp
    /// The live conversation that the message was said in.
    var session: SessionID?
}
