public import ClientWire
public import MessagingCore

/// What a device holds of the mailbox: the items it was given and where it stands.
///
/// A value without I/O. ``apply(_:)`` takes the server's frames in order; the same frames give the same mailbox.
public struct LocalMailbox: Sendable {
    /// Something that a frame brought about.
    public enum Event: Sendable {
        /// An item this device did not hold.
        case arrived(ItemDocument)
        /// An item it holds became another: read, reported, renamed.
        case changed(ItemDocument)
        /// An item it held is gone, here or everywhere.
        case gone(ItemDocument)
        /// The mailbox was listed anew; what is not in it any more is gone.
        case relisted(CatchUp.ResetReason)
    }

    /// Items by the number of their making.
    public private(set) var items: [ChangeNumber: ItemDocument] = [:]
    /// Where the device stands; nil before the first frame.
    public private(set) var cursor: Cursor?
    /// The epoch that the server named when it last welcomed this device.
    private var epoch: Epoch?
    /// Items named by the pages of a listing that has not ended.
    private var listed: Set<ChangeNumber>?

    /// An empty mailbox.
    public init() {}

    /// Messages, oldest first.
    public var messages: [ItemDocument] {
        items.values.filter { $0.kind == "message" }.sorted { $0.created < $1.created }
    }

    /// Everything changed up to here is in the mailbox: what to acknowledge.
    public mutating func apply(_ frame: ServerFrame) -> [Event] {
        if let welcome = frame.welcome {
            epoch = welcome.epoch
            listed = nil
            return []
        }
        if let digest = frame.digest { return apply(digest) }
        if let reset = frame.reset { return apply(reset) }
        guard let changes = frame.changes else { return [] }
        var events: [Event] = []
        for change in changes { events += merge(change) }
        if let upTo = frame.upTo { advance(to: upTo, level: frame.level) }
        return events
    }

    private mutating func apply(_ digest: ServerFrame.Digest) -> [Event] {
        var events: [Event] = []
        for created in digest.gone {
            if let item = items.removeValue(forKey: created) { events.append(.gone(item)) }
        }
        for created in digest.read {
            guard var item = items[created], item.read != true else { continue }
            item.read = true
            items[created] = item
            events.append(.changed(item))
        }
        return events
    }

    private mutating func apply(_ reset: ServerFrame.Reset) -> [Event] {
        var events: [Event] = []
        var named = listed ?? []
        for item in reset.items {
            named.insert(item.created)
            events += merge(item)
        }
        guard reset.last else {
            listed = named
            return events
        }
        listed = nil
        for (created, item) in items where !named.contains(created) {
            items.removeValue(forKey: created)
            events.append(.gone(item))
        }
        cursor = Cursor(epoch: reset.epoch, number: reset.asOf, level: reset.asOf)
        events.append(.relisted(reset.reason))
        return events
    }

    /// Content comes once; a later change of an item leaves it out, and what is held stays.
    private mutating func merge(_ change: ItemDocument) -> [Event] {
        guard change.gone != true, change.deliver != .nothing else {
            return items.removeValue(forKey: change.created).map { [.gone($0)] } ?? []
        }
        guard let held = items[change.created] else {
            items[change.created] = change
            return [.arrived(change)]
        }
        var item = change
        item.message = change.message ?? held.message
        item.notice = change.notice ?? held.notice
        item.value = change.value ?? held.value
        item.receivers = change.receivers ?? held.receivers
        items[change.created] = item
        return [.changed(item)]
    }

    private mutating func advance(to number: ChangeNumber, level: ChangeNumber?) {
        guard let epoch = epoch ?? cursor?.epoch else { return }
        let before = cursor.flatMap { $0.epoch == epoch ? $0 : nil }
        cursor = Cursor(
            epoch: epoch,
            number: max(before?.number ?? 0, number),
            level: max(before?.level ?? 0, level ?? 0)
        )
    }
}

// MARK: - Snapshot

extension LocalMailbox {
    /// The whole mailbox as one document, for starting a fresh journal.
    struct Snapshot: Sendable, Codable {
        var cursor: Cursor?
        var items: [ItemDocument]
    }

    var snapshot: Snapshot { Snapshot(cursor: cursor, items: items.values.sorted { $0.created < $1.created }) }

    init(_ snapshot: Snapshot) {
        cursor = snapshot.cursor
        epoch = snapshot.cursor?.epoch
        for item in snapshot.items { items[item.created] = item }
    }
}
