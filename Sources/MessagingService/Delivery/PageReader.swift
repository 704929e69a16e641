import ClientWire
import MessagingCore
import Store

/// Reads the pages of one device's stream in a snapshot of the store and writes them as frames.
struct PageReader {
    let service: MessagingService
    let view: any ReadView
    let user: UserState
    let device: Device
    /// Whether the device is told of reports: asked once, not for each item of a page.
    private let wantsReports: Bool

    /// Changes read at once: few enough that a frame of ordinary messages takes them all, and none is read twice.
    static let pageItems = 128
    /// Items of a listing read at once: each page of it is a turn.
    static let listingItems = 256
    /// Documents read at once, while there is room in the frame.
    static let documentsAtOnce = 32
    /// A frame stops growing here.
    static let frameBytes = 256 << 10

    /// A frame and what the stream has to know of it.
    struct Page: Sendable {
        var frame: [UInt8]
        var items = 0
        var upTo: ChangeNumber = 0
        var last = false
        var next: ChangeNumber?
        var deliverables: [ChangeNumber] = []
    }

    /// - Throws: ``Refusal`` with code `unauthenticated` when the device is gone, `not-entitled` when the account is suspended.
    init(service: MessagingService, view: any ReadView, identity: DeviceIdentity) throws {
        guard let user = try view.user(identity.account), let device = user.device(identity.device) else {
            throw Refusal(.unauthenticated, "the device was revoked")
        }
        guard !user.account.suspended else { throw Refusal(.notEntitled, "the account is suspended") }
        self.service = service
        self.view = view
        self.user = user
        self.device = device
        wantsReports = user.preferences.wantReports(device, at: service.clock())
    }

    /// Messages that the device says it has and whose acknowledgement this server does not remember: it was lost with a
    /// crash or a full disk. The number that the server keeps of a device is never committed before its deliveries.
    func arrivals(upTo cursor: Cursor?) throws -> [ChangeNumber] {
        let account = user.account
        guard let cursor, cursor.epoch == account.epoch, device.cursor.epoch == account.epoch,
            cursor.number <= account.head, device.cursor.number < cursor.number
        else { return [] }
        return try view.changes(account.id, after: device.cursor.number, limit: Limits.itemsPerCommand)
            .filter { item in
                guard item.changed <= cursor.number, item.isDeliverable, let message = item.message else {
                    return false
                }
                return try decision(for: item, message, document: nil).deliver != .nothing
            }
            .map(\.created)
    }

    /// What changed after a number, in order; items created after `level` with their content.
    func changes(after: ChangeNumber, level: ChangeNumber) throws -> Page {
        let items = try view.changes(user.account.id, after: after, limit: Self.pageItems)
        var documents: [ContentID: [UInt8]] = [:]
        var writer = ItemWriter(reserving: min(Self.frameBytes, items.count << 10) + 4096)
        writer.text("{\"changes\":[")
        var page = Page(frame: [], upTo: after)
        var written = 0
        for (index, item) in items.enumerated() {
            if written > 0, writer.bytes.count > Self.frameBytes { break }
            if index.isMultiple(of: Self.documentsAtOnce) {
                documents = try self.documents(of: items[index...]) { $0.created > level }
            }
            page.upTo = item.changed
            page.items += 1
            let isNew = item.created > level
            if !isNew, !device.isTold(ofStateOf: item) { continue }
            let document = documents[item]
            guard let projection = try project(item, full: isNew, document: document) else { continue }
            if written > 0 { writer.text(",") }
            written += 1
            writer.item(item, projection, document)
            if projection.form != .state, item.isDeliverable { page.deliverables.append(item.created) }
        }
        page.last = page.items == items.count && items.count < Self.pageItems
        if page.last { page.upTo = max(page.upTo, user.account.head) }
        writer.text("],\"upTo\":")
        writer.number(page.upTo)
        writer.text("}")
        page.frame = writer.bytes
        return page
    }

    /// What died or was read among the items created at or below a number.
    func digest(after: ChangeNumber, createdUpTo: ChangeNumber) throws -> Page {
        let items = try view.changes(
            user.account.id,
            after: after,
            createdUpTo: createdUpTo,
            limit: Self.digestItems
        )
        var gone: [ChangeNumber] = []
        var read: [ChangeNumber] = []
        if device.synchronises {
            for item in items {
                if item.isTombstone {
                    gone.append(item.created)
                } else if let message = item.message, message.flags.contains(.received), !message.isUnread {
                    read.append(item.created)
                }
            }
        }
        var frame = ServerFrame()
        let last = items.count < Self.digestItems
        let unread = last ? try unreadCount() : 0
        frame.digest = ServerFrame.Digest(
            asOf: user.account.head,
            unread: unread,
            gone: gone,
            read: read,
            last: last
        )
        return Page(
            frame: try Documents.encode(frame),
            items: items.count,
            upTo: items.last?.changed ?? after,
            last: last
        )
    }

    /// Entries of one digest frame.
    static let digestItems = 2000

    /// A page of the listing from scratch, newest first.
    func reset(_ reason: CatchUp.ResetReason, asOf: ChangeNumber, before: ChangeNumber) throws -> Page {
        let items = try view.list(user.account.id, Listing(before: min(before, asOf + 1), limit: Self.listingItems))
        var documents: [ContentID: [UInt8]] = [:]
        var writer = ItemWriter(reserving: 64 << 10)
        writer.text("{\"reset\":{\"reason\":")
        writer.safe(reason.rawValue)
        writer.text(",\"epoch\":")
        writer.safe(user.account.epoch.description)
        writer.text(",\"asOf\":")
        writer.number(asOf)
        writer.text(",\"unread\":")
        writer.number(before == .max ? Int64(try unreadCount()) : 0)
        writer.text(",\"items\":[")
        var page = Page(frame: [], upTo: asOf)
        var written = 0
        for (index, item) in items.enumerated() {
            if written > 0, writer.bytes.count > Self.frameBytes { break }
            if index.isMultiple(of: Self.documentsAtOnce) { documents = try self.documents(of: items[index...]) }
            page.items += 1
            page.next = item.created
            let document = documents[item]
            guard let projection = try project(item, full: true, document: document) else { continue }
            if written > 0 { writer.text(",") }
            written += 1
            writer.item(item, projection, document)
            if projection.form != .state, item.isDeliverable { page.deliverables.append(item.created) }
        }
        page.last = page.items == items.count && items.count < Self.listingItems
        if page.last { page.next = nil }
        writer.text("],\"last\":")
        writer.text(page.last ? "true}}" : "false}}")
        page.frame = writer.bytes
        return page
    }

    /// One item as this device gets it; nil when it gets nothing.
    private func project(_ item: Item, full: Bool, document: [UInt8]?) throws -> Projection? {
        guard let message = item.message else { return Projection(reports: true) }
        var decision = try decision(for: item, message, document: document)
        guard decision.deliver != .nothing else { return nil }
        // It is still there, but nobody is to be disturbed for it any more.
        if let expires = message.expires, expires <= service.clock() { decision.silent = true }
        var projection = Projection(decision: decision, reports: wantsReports)
        guard full, let document, !message.flags.contains(.released) else { return projection }
        switch decision.deliver {
        case .whole: projection.form = .whole
        case .notification:
            projection.form = .notice
            projection.notice = try service.notice(document, account: user.account.id)
        case .nothing: break
        }
        return projection
    }

    /// The packed decision, or the one that the rules at the device's registration make.
    func decision(for item: Item, _ message: MessageItem, document: [UInt8]?) throws -> Decision {
        if let packed = message.decisions[device.id] { return packed }
        guard let bytes = try document ?? view.content(message.content)?.document else {
            return Decision(.notification, because: .otherwise)
        }
        let envelope = try Documents.decode(Envelope.self, bytes)
        var preferences = user.preferences
        if device.rulesRevision != preferences.rules.revision,
            let past = try view.rules(user.account.id, revision: device.rulesRevision)
        {
            preferences.rules = past
        }
        let facts = MessageFacts(envelope, ownAddresses: message.ownAddresses)
        let direction: Direction = message.flags.contains(.received) ? .incoming : .sentCopy
        var decision = decide(
            facts,
            direction,
            device: device,
            preferences: preferences,
            policy: service.settingsInForce.policy,
            now: envelope.date
        )
        decision.silent = true
        return decision
    }

    /// The documents of the next few items: a frame may be full before all of a page's are needed.
    private func documents(
        of items: ArraySlice<Item>,
        where isNeeded: (Item) -> Bool = { _ in true }
    ) throws -> [ContentID: [UInt8]] {
        let contents = items.prefix(Self.documentsAtOnce).compactMap { item -> ContentID? in
            guard isNeeded(item), let message = item.message, !message.flags.contains(.released) else { return nil }
            return message.decisions[device.id]?.deliver == .nothing ? nil : message.content
        }
        return try view.documents(contents)
    }

    /// Unread messages that this device was not spared; bounded, for a badge needs no more.
    func unreadCount() throws -> Int {
        let unread = try view.unread(
            user.account.id,
            conversation: nil,
            after: 0,
            upTo: .max,
            limit: Self.unreadCounted
        )
        return unread.count { $0.message?.decisions[device.id]?.deliver != .nothing }
    }

    /// Counting stops here: a badge says "99+".
    static let unreadCounted = 100
}

/// What one device gets of an item.
struct Projection {
    var decision: Decision?
    var form = ItemWriter.Form.state
    var notice: [UInt8]?
    var reports: Bool
}

extension ItemWriter {
    fileprivate mutating func item(_ item: Item, _ projection: Projection, _ document: [UInt8]?) {
        self.item(
            item,
            decision: projection.decision,
            form: projection.form,
            document: document,
            notice: projection.notice,
            reports: projection.reports
        )
    }
}

extension [ContentID: [UInt8]] {
    /// The document of a message item.
    subscript(item: Item) -> [UInt8]? { item.message.flatMap { self[$0.content] } }
}

extension UserState {
    /// The devices that are told of reports; nil when the rules make no difference between them.
    func devicesToldOfReports(at now: Timestamp) -> Set<DeviceID>? {
        if preferences.rules.reports.rules.isEmpty, preferences.rules.reports.otherwise.deliver != .nothing {
            return nil
        }
        return Set(devices.filter { preferences.wantReports($0, at: now) }.map(\.id))
    }
}

extension Preferences {
    /// Whether a device is told of delivery and read reports, by the user's rules for them.
    func wantReports(_ device: Device, at now: Timestamp) -> Bool {
        guard !rules.reports.rules.isEmpty else { return rules.reports.otherwise.deliver != .nothing }
        let facts = MessageFacts.report
        return rules.reports.outcome(facts, device, self, now).0.deliver != .nothing
    }
}
