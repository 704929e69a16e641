package import MediaSignalling
package import SDP

/// The way of what a phone and a browser say to each other of their media: by the relay, which makes of each description
/// what the other side understands. In order, one at a time, as a value that decides.
package struct MediaBridge: Sendable {
    package enum Action: Hashable, Sendable {
        /// To be asked of the relay; ``relayed(_:)`` takes what it answers.
        case ask(RelayCommand)
        /// For the phone's side of the call, or for the browser.
        case pass(MediaPayload, to: RelayCommand.Side)
    }

    private struct Word: Hashable, Sendable {
        var payload: MediaPayload
        var side: RelayCommand.Side
    }

    /// Words that wait for the relay: both ends say theirs again, so that no more is needed.
    package static let waitingMaximum = 8

    /// Names the call at the relay.
    package let call: String
    private var asked: Word?
    private var waiting: [Word] = []
    /// What was said last by each side, and what became of it: offers are said again until they are answered.
    private var known: [RelayCommand.Side: (word: Word, passed: MediaPayload)] = [:]

    package init(call: String) { self.call = call }

    /// One side says something.
    package mutating func take(_ payload: MediaPayload, from side: RelayCommand.Side) -> [Action] {
        let word = Word(payload: payload, side: side)
        guard word != asked, !waiting.contains(word), waiting.count < Self.waitingMaximum else { return [] }
        waiting.append(word)
        return next()
    }

    /// The relay's answer to what it was asked last.
    package mutating func relayed(_ description: SessionDescription) -> [Action] {
        guard let asked, let passed = asked.payload.replacing(description) else { return [] }
        known[asked.side] = (asked, passed)
        self.asked = nil
        return [.pass(passed, to: asked.side.other)] + next()
    }

    private mutating func next() -> [Action] {
        var actions: [Action] = []
        while asked == nil, !waiting.isEmpty {
            let word = waiting.removeFirst()
            if let known = known[word.side], known.word == word {
                actions.append(.pass(known.passed, to: word.side.other))
                continue
            }
            let work: RelayCommand.Work
            switch word.payload {
            case .description(.offer, let description, _), .press(let description, _):
                work = .offer(from: word.side, description)
                // Whatever the other side answered was to an offer before, and the relay has to hear it again.
                known[word.side.other] = nil
            case .description(.answer, let description, _): work = .answer(from: word.side, description)
            case .ask, .summon, .refused, .needsProtection:
                actions.append(.pass(word.payload, to: word.side.other))
                continue
            }
            asked = word
            actions.append(.ask(RelayCommand(call: call, work: work)))
        }
        return actions
    }
}

extension MediaPayload {
    /// The same with another description; nil where there is none.
    fileprivate func replacing(_ description: SessionDescription) -> MediaPayload? {
        switch self {
        case .description(let kind, _, let names): .description(kind, description, names: names)
        case .press(_, let names): .press(description, names: names)
        case .ask, .summon, .refused, .needsProtection: nil
        }
    }
}
