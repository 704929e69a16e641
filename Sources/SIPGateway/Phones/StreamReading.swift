import ClientWire
import FoundationEssentials
import MessagingCore
import MessagingService

/// What the frames of a device's stream mean for a phone, which keeps nothing and shows only what is new.
struct StreamReading: Sendable {
    /// What the phone's own code does about a frame.
    struct Reading: Sendable {
        var steps: [PhoneQueue.Step] = []
        /// Read or deleted elsewhere, by the number of their making.
        var withdrawn: [ChangeNumber] = []
        /// Messages of this account whose receivers moved on.
        var reported: [ItemDocument] = []
        /// Live conversations that changed, in order.
        var sessions: [SessionDocument] = []
        /// What another device says of a medium that it shares with the phone.
        var signal: MediaSignal?
        /// Somebody types in a live conversation.
        var typing: TypingHint?
        /// What the phone may be watching, and may have changed.
        var touched: Set<EventPackage> = []
    }

    /// A listing comes newest first: it is turned around when its last page is there.
    private var listing: [PhoneMessage] = []
    private let resetMessages: Int

    init(resetMessages: Int) { self.resetMessages = resetMessages }

    /// Reads one frame of the server.
    ///
    /// - Parameter start: where the stream began: in a listing, what was made before is not new to the phone.
    mutating func read(_ frame: ServerFrame, start: ChangeNumber, now: Timestamp) -> Reading {
        var reading = Reading()
        if let digest = frame.digest {
            reading.withdrawn = digest.gone + digest.read
            reading.touched.insert(.messageSummary)
        }
        if let reset = frame.reset { read(reset, start, into: &reading, now: now) }
        if let changes = frame.changes { read(changes, into: &reading, now: now) }
        reading.signal = frame.signal
        reading.typing = frame.typing
        if frame.changes != nil, let upTo = frame.upTo {
            reading.steps.append(.mark(upTo: upTo, level: frame.level))
        }
        return reading
    }

    private func read(_ changes: [ItemDocument], into reading: inout Reading, now: Timestamp) {
        reading.sessions = changes.compactMap(SessionDocument.init(item:))
        for item in changes {
            switch item.kind {
            case ItemKind.message.name: reading.touched.insert(.messageSummary)
            case ItemKind.device.name: reading.touched.insert(.registrations)
            case ItemKind.session.name: reading.touched.insert(.dialogs)
            default: break
            }
        }
        for item in changes where item.kind == ItemKind.message.name {
            if item.gone ?? false || item.read ?? false {
                reading.withdrawn.append(item.created)
            } else if let message = PhoneMessage(item, now: now),
                message.isOwn || !(message.session != nil && item.silent ?? false)
            {
                // What is said on other devices would be a pop-up here; what is one's own is one's own part's business.
                reading.steps.append(.message(message))
            }
            if item.receivers?.contains(where: { $0.state != Disposition.pending.name }) ?? false {
                reading.reported.append(item)
            }
        }
    }

    private mutating func read(
        _ reset: ServerFrame.Reset,
        _ start: ChangeNumber,
        into reading: inout Reading,
        now: Timestamp
    ) {
        reading.sessions = reset.items.compactMap(SessionDocument.init(item:))
        for item in reset.items where item.kind == ItemKind.message.name && item.created > start {
            guard !(item.read ?? false), listing.count < resetMessages, var message = PhoneMessage(item, now: now),
                !(message.session != nil && item.silent ?? false), !message.isOwn
            else { continue }
            // Nothing of a listing moves the position before all of it is taken.
            message.changed = 0
            listing.append(message)
        }
        guard reset.last else { return }
        reading.touched = Set(EventPackage.allCases)
        reading.steps = listing.reversed().map { .message($0) } + [.mark(upTo: reset.asOf, level: reset.asOf)]
        listing = []
    }
}

extension PhoneMessage {
    /// A message of the inbox that is new, as a phone shows it, or what its user said in a live conversation; nil for
    /// everything else.
    init?(_ item: ItemDocument, now: Timestamp) {
        let isOwn = !(item.boxes?.contains("inbox") ?? false)
        guard !isOwn || item.message?.session != nil, item.deliver != .nothing, let id = try? MessageID(item.id) else {
            return nil
        }
        if let envelope = item.message {
            if let expires = envelope.expires, expires <= now { return nil }
            self.init(
                id: id,
                created: item.created,
                changed: item.changed,
                from: envelope.from,
                date: envelope.date,
                subject: envelope.subject,
                text: envelope.parts.compactMap(\.text).joined(separator: "\n"),
                isNotice: envelope.parts.contains { $0.text == nil },
                types: envelope.parts.map(\.type),
                bytes: envelope.bytes,
                conversation: item.conversation,
                session: envelope.session,
                isOwn: isOwn
            )
        } else if let notice = item.notice {
            self.init(
                id: id,
                created: item.created,
                changed: item.changed,
                from: notice.from,
                date: notice.date,
                subject: notice.subject,
                text: "",
                isNotice: true,
                types: notice.types,
                bytes: notice.bytes,
                conversation: item.conversation
            )
        } else {
            return nil
        }
    }
}

extension SessionDocument {
    /// A live conversation of the stream; nil for everything else.
    init?(item: ItemDocument) {
        guard item.kind == ItemKind.session.name, let value = item.value, let bytes = try? JSONEncoder().encode(value),
            let document = try? JSONDecoder().decode(SessionDocument.self, from: bytes)
        else { return nil }
        self = document
    }
}
