import MessagingCore

/// Where one device's stream stands: a value that decides, while the session reads and writes.
///
/// ```
///   opening --current--> live <---------------------- caught up
///      |                  |  \--change not next--> reading --page, more, room--> reading
///      |                  |                         |  \--page, more, no room--> paused
///      \--behind--> reading(digest | reset) --last--/                              |
///                         \--window full--> paused --ack makes room--> reading ----/
/// ```
struct DeviceStream: Sendable {
    /// A read of the store that the session is to make; at most one is under way.
    enum Request: Hashable, Sendable {
        /// What died or was read among items created at or below `createdUpTo`, changed after `after`.
        case digest(after: ChangeNumber, createdUpTo: ChangeNumber)
        /// A page of the listing, created below `before`.
        case reset(CatchUp.ResetReason, asOf: ChangeNumber, before: ChangeNumber)
        /// Everything changed after `after`; created after `level` in full.
        case changes(after: ChangeNumber, level: ChangeNumber)
    }

    enum State: Hashable, Sendable {
        case opening
        case reading(Request)
        case live
        /// Waits for an acknowledgement, or for the link to take bytes, before the request.
        case paused(Request)
        case closed
    }

    /// What the session does next.
    enum Action: Hashable {
        case none
        case read(Request)
        /// Push the change that was just given, from memory.
        case push
        /// All is sent up to this number: tell the device its level.
        case mark(ChangeNumber)
        /// The peer broke the contract.
        case fail
    }

    private struct Sent: Sendable {
        var upTo: ChangeNumber
        var items: Int
        var bytes: Int
        /// `created` numbers of messages whose sender wants to know that they arrived.
        var deliverables: [ChangeNumber]
    }

    private(set) var state: State = .opening
    /// The highest `changed` that was sent.
    private(set) var sent: ChangeNumber = 0
    /// The newest mark that the device was sent.
    private(set) var marked: ChangeNumber = 0
    private(set) var acknowledged: ChangeNumber = 0
    private(set) var level: ChangeNumber = 0
    /// What is being read counts no more: the stream goes back behind it.
    private(set) var isRewinding = false
    private var known: ChangeNumber = 0
    private var window: [Sent] = []
    private var windowStart = 0
    private var items = 0
    private var bytes = 0
    private let limits: WindowLimits

    init(limits: WindowLimits) { self.limits = limits }

    private var hasRoom: Bool { items < limits.items && bytes < limits.bytes }
    /// Half of the window is free: after a pause it goes on with many pages in one turn, not with one for each
    /// acknowledgement.
    private var hasMuchRoom: Bool { items <= limits.items / 2 && bytes <= limits.bytes / 2 }

    /// The device said where it stands.
    mutating func open(_ catchUp: CatchUp, head: ChangeNumber) -> Action {
        guard state == .opening else { return .fail }
        known = max(known, head)
        switch catchUp {
        case .current:
            sent = head
            acknowledged = head
            level = head
            marked = head
            // Something may have been committed since the head was read.
            return known > head ? read(.changes(after: head, level: head)) : settle(head)
        case .stream(let after, let level):
            sent = after
            acknowledged = after
            self.level = level
            return read(.digest(after: after, createdUpTo: after))
        case .reset(let reason):
            return read(.reset(reason, asOf: head, before: .max))
        }
    }

    /// The mailbox grew from `base` to `head`.
    mutating func changed(base: ChangeNumber, head: ChangeNumber) -> Action {
        known = max(known, head)
        guard state == .live, head > sent else { return .none }
        guard base == sent else { return read(.changes(after: sent, level: marked)) }
        guard hasRoom else {
            state = .paused(.changes(after: sent, level: marked))
            return .none
        }
        sent = head
        marked = head
        return .push
    }

    /// The change at hand cannot be pushed from memory after all.
    mutating func readInstead(from base: ChangeNumber) -> Action {
        sent = base
        marked = min(marked, base)
        return read(.changes(after: base, level: marked))
    }

    /// A page of changes was written, up to `upTo`; `exhausted` if that is all there is.
    mutating func wrote(changesUpTo upTo: ChangeNumber, exhausted: Bool) -> Action {
        guard case .reading(.changes(_, let level)) = state else { return state == .closed ? .none : .fail }
        sent = max(sent, upTo)
        if exhausted, sent >= known { return settle(sent) }
        return proceed(.changes(after: sent, level: level))
    }

    /// A page of the digest was written, up to `upTo`.
    mutating func wrote(digestUpTo upTo: ChangeNumber, createdUpTo: ChangeNumber, last: Bool) -> Action {
        guard case .reading(.digest) = state else { return state == .closed ? .none : .fail }
        guard last else { return proceed(.digest(after: upTo, createdUpTo: createdUpTo)) }
        marked = level
        return proceed(.changes(after: sent, level: level))
    }

    /// What was to be read cannot bring the device up to date: it starts from a listing.
    mutating func restart(_ reason: CatchUp.ResetReason, head: ChangeNumber) -> Action {
        guard case .reading = state else { return state == .closed ? .none : .fail }
        return read(.reset(reason, asOf: head, before: .max))
    }

    /// A page of the listing was written; `next` is where the following one starts.
    mutating func wrote(resetAsOf head: ChangeNumber, reason: CatchUp.ResetReason, next: ChangeNumber?) -> Action {
        guard case .reading(.reset) = state else { return state == .closed ? .none : .fail }
        if let next { return proceed(.reset(reason, asOf: head, before: next)) }
        sent = head
        marked = head
        known = max(known, head)
        if sent >= known { return settle(sent) }
        return proceed(.changes(after: sent, level: sent))
    }

    /// What a write puts on the way; an acknowledgement of `upTo` settles it.
    mutating func noteSent(upTo: ChangeNumber, items count: Int, bytes size: Int, deliverables: [ChangeNumber]) {
        window.append(Sent(upTo: upTo, items: count, bytes: size, deliverables: deliverables))
        items += count
        bytes += size
    }

    /// The device stored everything up to `number`, and the mark `level` if it names one.
    mutating func acknowledge(
        _ number: ChangeNumber,
        level newLevel: ChangeNumber?
    ) -> (Action, delivered: [ChangeNumber]) {
        guard number <= sent, number >= 0, newLevel ?? 0 <= marked else { return (.fail, []) }
        acknowledged = max(acknowledged, number)
        if let newLevel { level = max(level, min(newLevel, acknowledged)) }
        let delivered = settle(upTo: number)
        return (resume(), delivered)
    }

    /// The device knows of everything up to `number`, and will say later what of it is stored: it takes no more room.
    mutating func seen(_ number: ChangeNumber) -> Action {
        _ = settle(upTo: number)
        return resume()
    }

    /// The device gets again what it did not acknowledge. What is being read comes to nothing before that.
    ///
    /// - Parameter hasRead: that is over now.
    mutating func rewind(hasRead: Bool = false) -> Action {
        switch state {
        case .opening, .closed: return .none
        case .reading where !hasRead:
            isRewinding = true
            return .none
        case .reading, .live, .paused: break
        }
        isRewinding = false
        window.removeAll(keepingCapacity: true)
        (windowStart, items, bytes) = (0, 0, 0)
        sent = acknowledged
        marked = level
        return read(.digest(after: acknowledged, createdUpTo: acknowledged))
    }

    /// Takes what is on the way off the window.
    private mutating func settle(upTo number: ChangeNumber) -> [ChangeNumber] {
        var delivered: [ChangeNumber] = []
        while windowStart < window.count, window[windowStart].upTo <= number {
            items -= window[windowStart].items
            bytes -= window[windowStart].bytes
            delivered.append(contentsOf: window[windowStart].deliverables)
            windowStart += 1
        }
        if windowStart == window.count {
            window.removeAll(keepingCapacity: true)
            windowStart = 0
        } else if windowStart > 512 {
            window.removeFirst(windowStart)
            windowStart = 0
        }
        return delivered
    }

    /// There may be room again.
    mutating func resume() -> Action {
        guard case .paused(let request) = state, hasMuchRoom else { return .none }
        return read(request)
    }

    mutating func close() { state = .closed }

    private mutating func read(_ request: Request) -> Action {
        state = .reading(request)
        return .read(request)
    }

    private mutating func proceed(_ request: Request) -> Action {
        guard hasRoom else {
            state = .paused(request)
            return .none
        }
        return read(request)
    }

    private mutating func settle(_ number: ChangeNumber) -> Action {
        state = .live
        marked = number
        return .mark(number)
    }
}
