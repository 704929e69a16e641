import ClientWire
import MessagingCore
import MessagingService
import NIOCore
import SIP
import SessionCore
import Store

/// What was said, in order and once: the history of a leg that comes to the phone, and what its stream brings.
extension Talks {
    /// The phone is ready at once, unless the conversation comes with media, or by a path, that are not there yet.
    func prepare(_ session: SessionID, _ generation: Generation) {
        replaying[session] = 0
        if let call = calls[session], call.awaitsMedia {
            call.waitingLeg = generation
        } else if let chat = chats[session], chat.isBringing {
            chat.waitingLeg = generation
        } else {
            step(session, LegStep(generation, .ready))
        }
    }

    func step(_ session: SessionID, _ step: LegStep) {
        command("a phone's leg") { [identity] in _ = try await $0.step(identity, session, step) }
    }

    /// What was said, at most the last few, in order, and behind it what is said meanwhile; then the server knows that the
    /// phone has all up to there.
    func replay(_ session: SessionID, _ generation: Generation, _ after: Ordinal, _ upTo: Ordinal?) {
        let few = phone.takesTexts ? context.limits.replayTexts : context.limits.historyTexts
        replaying[session] = replaying[session] ?? 0
        command("a phone's history") { [self, phone, stream] service in
            // Whatever becomes of the phone meanwhile, what asks for it here finds it.
            defer { withExtendedLifetime(phone) {} }
            do {
                let head = try await service.texts(identity, session, after: .max, limit: 1).head
                var position = max(after, head - Ordinal(few))
                while try await replayPage(session, &position, stream, service) {}
                let reached = position
                self.post { [phone] in
                    guard stream == self.stream else { return }
                    withExtendedLifetime(phone) { self.replayed(session, upTo == nil ? generation : nil, reached) }
                }
            } catch {
                // What comes next shows what is missing.
                self.post { self.replaying[session] = nil }
                throw error
            }
        }
    }

    /// - Returns: whether more was said than what was handed out by now.
    private func replayPage(
        _ session: SessionID,
        _ position: inout Ordinal,
        _ stream: Int,
        _ service: MessagingService
    ) async throws -> Bool {
        let page = try await service.texts(identity, session, after: position, limit: Self.pageTexts)
        // A page may be cut short, by what was deleted at its end too.
        position = page.texts.compactMap { $0.message?.session?.ordinal }.max() ?? page.head
        let reached = position
        return try await context.eventLoop.submit {
            guard !self.isClosed, stream == self.stream else { return false }
            self.hand(page.texts)
            guard reached < max(page.head, self.replaying[session] ?? 0), !page.texts.isEmpty else {
                // From here on the stream brings them.
                self.replaying[session] = nil
                if self.documents[session] != nil { self.given[session] = max(reached, self.given[session] ?? 0) }
                return false
            }
            return true
        }.get()
    }

    /// - Parameter generation: the leg that is live once the phone has all of it, if it is not yet.
    private func replayed(_ session: SessionID, _ generation: Generation?, _ position: Ordinal) {
        if let generation { phone.hand([.reached(session, generation, position)]) }
    }

    private static let pageTexts = 50

    private func hand(_ texts: [ItemDocument]) {
        let now = context.service.now
        let messages = texts.compactMap { item -> PhoneMessage? in
            // It moves no position: the phone's own stream has passed it, or will.
            guard var message = PhoneMessage(item, now: now) else { return nil }
            message.changed = 0
            return message
        }
        phone.hand(messages.compactMap { shows($0) ? .message($0) : nil })
    }

    /// Leaves out what the phone was given already, or is given in its turn; of what its own user said only a phone that
    /// shows whole conversations is told.
    func fresh(_ steps: [PhoneQueue.Step]) -> [PhoneQueue.Step] {
        steps.flatMap { step -> [PhoneQueue.Step] in
            guard case .message(let message) = step, let place = message.session else { return [step] }
            if let last = replaying[place.id] {
                replaying[place.id] = max(last, place.ordinal)
            } else if let start = gap(before: place) {
                replaying[place.id] = place.ordinal
                replay(place.id, .first, start, place.ordinal)
            } else if shows(message) {
                return [step] + progress(at: place)
            }
            return [.mark(upTo: message.changed, level: nil)]
        }
    }

    /// While the history of its leg is on its way to the phone, what is said meanwhile is too: the leg is live once the
    /// phone is close to the last of it.
    private func progress(at place: SessionPlace) -> [PhoneQueue.Step] {
        guard let leg = documents[place.id]?.legs.last(where: { $0.device == identity.device }),
            leg.state == .replaying
        else { return [] }
        return [.reached(place.id, leg.generation, place.ordinal)]
    }

    /// Where what is missing before a text begins, for a phone that shows whole conversations; nil when nothing is. What
    /// changed again comes later in the stream than what was said after it.
    private func gap(before place: SessionPlace) -> Ordinal? {
        guard phone.takesTexts, let leg = documents[place.id]?.legs.last(where: { $0.device == identity.device }),
            leg.state == .live
        else { return nil }
        let start = given[place.id] ?? leg.start ?? 0
        return place.ordinal > start + 1 ? start : nil
    }

    /// Whether the phone is to be given it; from then on it was.
    private func shows(_ message: PhoneMessage) -> Bool {
        guard let place = message.session else { return true }
        guard place.ordinal > given[place.id] ?? 0, !isOthers(message, place) else { return false }
        if documents[place.id] != nil { given[place.id] = place.ordinal }
        return !message.isOwn || !written.contains(message.id)
    }

    /// Whether it is a text that its own user said, and this phone is not to be told of.
    private func isOthers(_ message: PhoneMessage, _ place: SessionPlace) -> Bool {
        guard message.isOwn else { return false }
        let isHere = documents[place.id]?.legs.contains { leg in
            leg.device == identity.device && (leg.state == .live || leg.state == .replaying)
        }
        return !phone.takesTexts || !(isHere ?? false)
    }

    /// The phone said this itself.
    func wrote(_ id: MessageID, in session: SessionID? = nil) { written.insert(id, session) }

    /// Where the phone said something, as far as that is remembered.
    func place(of id: MessageID) -> SessionID? { written.session(of: id) }

    /// It has its place, and nothing is missing before it.
    func placed(_ session: SessionID, _ ordinal: Ordinal) {
        if given[session] == ordinal - 1 { given[session] = ordinal }
    }
}

/// The last few texts of somebody, and where they were said.
struct RecentTexts: Sendable {
    static let capacity = 64
    private var texts: [(id: MessageID, session: SessionID?)] = []

    func contains(_ id: MessageID) -> Bool { texts.contains { $0.id == id } }

    func session(of id: MessageID) -> SessionID? { texts.first { $0.id == id }?.session }

    mutating func insert(_ id: MessageID, _ session: SessionID?) {
        guard !contains(id) else { return }
        texts.append((id, session))
        if texts.count > Self.capacity { texts.removeFirst() }
    }
}
