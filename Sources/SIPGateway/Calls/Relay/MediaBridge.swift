import SDP

/// The way of what a phone and a browser say to each other of their media: by the relay, which makes of each description
/// what the other side understands. In order, one at a time, as a value that decides.
struct MediaBridge: Sendable {
    enum Action: Hashable, Sendable {
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
    static let waitingMaximum = 8

    /// Names the call at the relay.
    let call: String
    private var asked: Word?
    private var waiting: [Word] = []
    /// What was said last by each side, and what became of it: offers are said again until they are answered.
    private var known: [RelayCommand.Side: (word: Word, passed: MediaPayload)] = [:]

    init(call: String) { self.call = call }

    /// One side says something.
    mutating func take(_ payload: MediaPayload, from side: RelayCommand.Side) -> [Action] {
        let word = Word(payload: payload, side: side)
        guard word != asked, !waiting.contains(word), waiting.count < Self.waitingMaximum else { return [] }
        waiting.append(word)
        return next()
    }

    /// The relay's answer to what it was asked last.
    mutating func relayed(_ description: SessionDescription) -> [Action] {
        guard let asked, case .description(let kind, _, let names) = asked.payload else { return [] }
        let passed = MediaPayload.description(kind, description, names: names)
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
            guard case .description(let kind, let description, _) = word.payload else {
                actions.append(.pass(word.payload, to: word.side.other))
                continue
            }
            asked = word
            let work: RelayCommand.Work =
                switch kind {
                case .offer: .offer(from: word.side, description)
                case .answer: .answer(from: word.side, description)
                }
            actions.append(.ask(RelayCommand(call: call, work: work)))
        }
        return actions
    }
}
