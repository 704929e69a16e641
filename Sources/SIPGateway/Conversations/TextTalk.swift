import ClientWire
import MessagingCore
import SessionCore

/// What a phone without MSRP is told of one session: a value that decides.
///
/// ```
///   aside --rings--> asked --withdrawn--> aside
///     |                \--accepted on it--> inside
///     \--handed over to it--> joining --live--> inside --leg gone--> aside
/// ```
struct TextTalk: Hashable, Sendable {
    enum State: Hashable, Sendable {
        /// The phone has no part in it.
        case aside
        /// It was told that somebody asks.
        case asked
        /// It was asked to take a leg over, and said that it is ready.
        case joining(Generation, hasHistory: Bool)
        /// Its leg is live.
        case inside(Generation)
    }

    enum Action: Hashable, Sendable {
        /// One MESSAGE in the words of ``PhoneWord``.
        case tell(PhoneWord)
        /// Takes it back, unless it is on its way.
        case withdraw(PhoneWord.ID)
        case ready(Generation)
        /// Texts after `after`, up to `upTo` or what there is; then how far the phone is.
        case replay(Generation, after: Ordinal, upTo: Ordinal?)
        /// The leg drained: nothing of it is left on the phone.
        case close(Generation)
    }

    private(set) var state: State

    init(state: State = .aside) { self.state = state }

    /// - Parameters:
    ///   - asksInWords: whether a request is told by a text: a phone that can do what it wants rings instead.
    ///   - isSilent: the phone learns of the end of its leg otherwise: by the end of its call, or because it left.
    mutating func take(
        _ document: SessionDocument,
        on device: DeviceID,
        asksInWords: Bool,
        isSilent: Bool
    ) -> [Action] {
        let isAsked =
            asksInWords && document.state == .alerting && (document.request?.alerting.contains(device) ?? false)
        let legs = document.legs.filter { $0.device == device }
        let leg = legs.last { $0.state != .draining }
        var actions: [Action] = []
        if state == .asked, !isAsked {
            state = .aside
            actions.append(.withdraw(.asks(document.id)))
        }
        if let leg {
            actions += follow(leg)
        } else if isAsked {
            if state == .aside {
                state = .asked
                actions.append(.tell(PhoneWord(asking: document)))
            }
        } else {
            let wasInside = if case .inside = state { true } else { false }
            state = .aside
            if wasInside, !isSilent { actions.append(.tell(PhoneWord(leaving: document, device: device))) }
        }
        return actions + legs.filter { $0.state == .draining }.map { .close($0.generation) }
    }

    private mutating func follow(_ leg: SessionDocument.Leg) -> [Action] {
        switch (leg.state, state) {
        case (.preparing, .joining(leg.generation, _)): return []
        case (.preparing, _):
            state = .joining(leg.generation, hasHistory: false)
            return [.ready(leg.generation)]
        case (.replaying, .joining(leg.generation, false)):
            state = .joining(leg.generation, hasHistory: true)
            return [.replay(leg.generation, after: leg.position ?? leg.start ?? 0, upTo: nil)]
        case (.live, .joining(leg.generation, false)):
            state = .inside(leg.generation)
            return [.replay(leg.generation, after: leg.start ?? 0, upTo: leg.fence)]
        case (.live, _):
            state = .inside(leg.generation)
            return []
        case (.replaying, _), (.draining, _): return []
        }
    }

    /// The session is as the server had it when the phone's stream began: nothing of it is news.
    mutating func resume(_ document: SessionDocument, on device: DeviceID) {
        for leg in document.legs where leg.device == device && leg.state == .live { state = .inside(leg.generation) }
    }
}

/// Words of the server's own, from the user whom they concern, so that an answer goes there.
struct PhoneWord: Hashable, Sendable {
    /// Names it, so that it is told once and can be taken back.
    enum ID: Hashable, Sendable {
        case asks(SessionID)
        case left(SessionID, Generation)
    }

    var id: ID
    var from: Address
    var text: String

    /// The whole of a text that rides on a request; longer ones are cut.
    static let firstTextCharacters = 400

    /// Somebody asks for a conversation.
    init(asking document: SessionDocument) {
        id = .asks(document.id)
        from = document.creator
        let others = document.invited.count - 1
        let name = Self.name(document.creator)
        var text =
            others > 0 ? "\(name) asks you and \(others) more for a conversation" : "\(name) asks for a conversation"
        if let subject = document.subject, !subject.isEmpty { text += ": \(subject)" }
        text += text.last.map { ".!?".contains($0) } ?? false ? " Answer to accept." : ". Answer to accept."
        if let first = document.text, !first.isEmpty { text += "\n\(first.prefix(Self.firstTextCharacters))" }
        self.text = text
    }

    /// The phone's leg is gone.
    init(leaving document: SessionDocument, device: DeviceID) {
        let generation = document.legs.last { $0.device == device }?.generation ?? .first
        id = .left(document.id, generation)
        let others = document.participants.filter { $0 != document.user }
        from =
            document.creator == document.user
            ? others.first ?? document.invited.first ?? document.creator : document.creator
        let names = others.isEmpty ? Self.name(from) : others.map(Self.name).joined(separator: ", ")
        text =
            document.state == .over
            ? "The conversation with \(names) is over."
            : "The conversation with \(names) goes on on another device."
    }

    private static func name(_ address: Address) -> String {
        let text = address.description
        return text.hasPrefix("sip:") ? String(text.dropFirst(4)) : text
    }

    /// The Call-ID of the MESSAGE: the same when it is sent again.
    var callID: String {
        switch id {
        case .asks(let session): "asks." + CallIDs.digest(session.description)
        case .left(let session, let generation):
            "left." + CallIDs.digest("\(session) \(generation.rawValue)")
        }
    }
}

/// Where a phone's MESSAGE to somebody belongs.
enum ReplyPlace: Hashable, Sendable {
    /// It is a message like any other.
    case apart
    /// The phone's leg is in this session with that user.
    case within(SessionID)
    /// It answers what the phone was told: it accepts there.
    case accepts(SessionID)

    /// - Parameters:
    ///   - documents: the account's sessions that are not over.
    ///   - asksInWords: whether the phone was told of such a request by a text.
    init(
        _ documents: [SessionDocument],
        to receiver: Address,
        on device: DeviceID,
        asksInWords: (SessionDocument) -> Bool
    ) {
        let inside = documents.filter { document in
            document.state == .open && document.user != receiver && document.participants.contains(receiver)
                && document.legs.contains { $0.device == device && $0.state == .live }
        }
        // One for the two alone before one that others hear too.
        if let document = inside.min(by: { $0.participants.count < $1.participants.count }) {
            self = .within(document.id)
            return
        }
        let asked = documents.first { document in
            document.state == .alerting && document.creator == receiver && asksInWords(document)
                && (document.request?.alerting.contains(device) ?? false)
        }
        self = asked.map { .accepts($0.id) } ?? .apart
    }
}
