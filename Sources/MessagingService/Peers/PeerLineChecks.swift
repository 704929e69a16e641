import MessagingCore
import SessionCore

/// What a line of another provider's server has to be before anything is made of it. Its numbers are stored and counted on
/// from: one at the end of its type would end the process that adds one to it, and again after each start.
extension SessionParcel {
    /// - Throws: ``Refusal`` `invalid-message`, `too-many`, `too-large`.
    func validate() throws(Refusal) {
        guard PeerLimits.numbers.contains(number) else {
            throw Refusal(.invalidMessage, "number: lines are counted from 1")
        }
        switch line {
        case .request(let details): try validate(details)
        case .toOwner(.text(let id)): try validate(text, id, from: from)
        // One's own text comes back as its place alone.
        case .fromOwner(.text(let ordinal, let id, let sender)):
            guard PeerLimits.numbers.contains(ordinal) else { throw PeerLimits.badNumber }
            if sender != to { try validate(text, id, from: sender) }
        case .toOwner(let message):
            try validateNoText()
            try message.validate()
        case .fromOwner(let message):
            try validateNoText()
            try message.validate()
        }
    }

    private func validate(_ details: SessionDetails) throws(Refusal) {
        guard details.creator == from, !details.invited.isEmpty, details.invited.count < SessionLimits.participants
        else { throw Refusal(.invalidMessage, "whoever asks is the owner, and asks somebody") }
        guard Set(details.wanted).count == details.wanted.count else {
            throw Refusal(.invalidMessage, "wanted: a medium is named twice")
        }
        if let subject = details.subject { try Envelope.validate(subject: subject) }
        guard let text = details.firstText else { return }
        guard text.from == from else { throw Refusal(.forbidden, "the text is somebody else's than its request") }
        try text.validate()
    }

    private func validate(_ text: PeerText?, _ id: MessageID, from sender: Address) throws(Refusal) {
        guard let text, text.envelope.id == id, text.envelope.from == sender else {
            throw Refusal(.invalidMessage, "a text has to come with its place")
        }
        try text.envelope.validate()
    }

    private func validateNoText() throws(Refusal) {
        guard text == nil else { throw Refusal(.invalidMessage, "a text belongs to no such line") }
    }
}

/// Bounds of what another provider's server may say about a session.
private enum PeerLimits {
    /// Lines, ordinals and revisions: as many as JSON counts exactly (RFC 8259, section 6), and one can always be added.
    static let numbers: ClosedRange<Int64> = 1...1 << 53
    static let generations: ClosedRange<Int32> = 0...1 << 30
    /// A time or a position in a video, in milliseconds: some ten thousand years.
    static let milliseconds: ClosedRange<Int64> = 0...1 << 48
    static let sourceBytes = 256

    static let badNumber = Refusal(.invalidMessage, "a number is out of its bounds")
}

extension ToOwner {
    fileprivate func validate() throws(Refusal) {
        switch self {
        case .propose(let proposal): try proposal.validate()
        case .play(_, let wish): try wish.validate()
        case .answered, .text, .consent, .prepare, .connected, .withdraw, .mediumFailed, .narrow, .invite, .remove,
            .leave:
            break
        }
    }
}

extension FromOwner {
    fileprivate func validate() throws(Refusal) {
        switch self {
        case .admitted(let first, let all):
            guard PeerLimits.numbers.contains(first) else { throw PeerLimits.badNumber }
            try Self.validate(all)
        case .participants(let all): try Self.validate(all)
        case .asked(let change): try change.validate()
        case .media(let revision, let media, let pending):
            guard revision == 0 || PeerLimits.numbers.contains(revision) else { throw PeerLimits.badNumber }
            guard media.count <= SessionLimits.media, pending.count <= SessionLimits.changes else {
                throw Refusal(.tooMany, "at most \(SessionLimits.media) media in a session")
            }
            for medium in media { try medium.validate() }
            for change in pending { try change.validate() }
        case .cancelled, .text, .refused, .settled, .ended: break
        }
    }

    private static func validate(_ participants: [Address]) throws(Refusal) {
        guard participants.count <= SessionLimits.participants, Set(participants).count == participants.count else {
            throw Refusal(.tooMany, "at most \(SessionLimits.participants) users in a session, each once")
        }
    }
}

extension Medium {
    fileprivate func validate() throws(Refusal) {
        guard placements.count <= SessionLimits.participants, held.count <= SessionLimits.participants,
            (source?.utf8.count ?? 0) <= PeerLimits.sourceBytes
        else { throw Refusal(.tooMany, "a medium has too many places") }
        guard placements.values.allSatisfy({ PeerLimits.generations.contains($0.generation.rawValue) }) else {
            throw PeerLimits.badNumber
        }
        guard let playback else { return }
        try playback.state.validate()
        guard PeerLimits.milliseconds.contains(playback.at.rawValue),
            playback.revision == 0 || PeerLimits.numbers.contains(playback.revision)
        else { throw PeerLimits.badNumber }
    }
}

extension Playback.Wish {
    fileprivate func validate() throws(Refusal) {
        guard PeerLimits.milliseconds.contains(position), Playback.rates.contains(rate) else {
            throw PeerLimits.badNumber
        }
    }
}

extension PendingChange {
    fileprivate func validate() throws(Refusal) {
        try proposal.validate()
        guard awaited.count <= SessionLimits.participants,
            until.map({ PeerLimits.milliseconds.contains($0.rawValue) }) ?? true
        else { throw PeerLimits.badNumber }
    }
}

extension MediaProposal {
    fileprivate func validate() throws(Refusal) {
        guard revision == 0 || PeerLimits.numbers.contains(revision) else { throw PeerLimits.badNumber }
        if case .add(_, _, let source?, _) = change, source.utf8.count > PeerLimits.sourceBytes {
            throw Refusal(.tooLarge, "source: the name of a file has at most \(PeerLimits.sourceBytes) bytes")
        }
    }
}
