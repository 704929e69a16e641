public import ClientWire
import Logging
public import MessagingCore
import Store
import Synchronization

/// How one attempt to hand work to another provider ended.
public enum OutboundResult: Sendable, Hashable {
    case delivered
    /// Try again later.
    case temporary
    /// Never will: the sender is told, the price is refunded.
    case permanent(Refusal.Code)
}

/// Ways to other providers. The service keeps the queue; a router only tries.
public protocol OutboundRouter: Sendable {
    /// Hands one entry over; called by one worker at a time for each lane, with the lane's fence.
    func deliver(_ entry: OutboxEntry, envelope: Envelope?, fence: Int64) async -> OutboundResult

    /// Whether there is a way to a domain, working or not.
    func reaches(_ domain: String) -> Bool

    /// Whether the way to a domain is known not to work now: nothing is tried until it does, and the service is told by
    /// ``MessagingService/isBack(_:)``.
    func isAway(_ domain: String) -> Bool

    /// Carries what is not stored; it may be lost.
    func hint(_ hint: PeerHint, to domain: String)

    /// What another provider's user lets those in a session see of the devices; nil when there is no answer.
    func counterpart(_ address: Address, in session: SessionID, for user: Address) async -> CounterpartDocument?

    /// Whether a session is one that another provider's user asked for whose server keeps no lanes: of what is said to its owner
    /// only what SIP has a word for gets there.
    func isDialog(_ session: SessionID, of user: Address, with owner: Address) -> Bool

    /// Asks the server of another provider's user, who asked for a session and whose server keeps no lanes, to have that user call
    /// somebody else.
    /// - Returns: the status of SIP that it came to; nil when it is no such session.
    func handOn(_ session: SessionID, of user: Address, with other: Address, to target: Address) async -> UInt16?

    /// What another provider's user shows in a session; nil when there is no such file, or no answer.
    func shownFile(_ place: PeerFile.Place) async -> PeerFile?

    /// Some octets of it, from an offset, at most so many; nil when there is no answer.
    func shownBytes(_ place: PeerFile.Place, offset: Int64, count: Int) async -> [UInt8]?
}

extension OutboundRouter {
    public func reaches(_ domain: String) -> Bool { false }

    public func isAway(_ domain: String) -> Bool { false }

    public func hint(_ hint: PeerHint, to domain: String) {}

    public func counterpart(
        _ address: Address,
        in session: SessionID,
        for user: Address
    ) async
        -> CounterpartDocument?
    { nil }

    public func isDialog(_ session: SessionID, of user: Address, with owner: Address) -> Bool { false }

    public func handOn(
        _ session: SessionID,
        of user: Address,
        with other: Address,
        to target: Address
    ) async
        -> UInt16?
    { nil }

    public func shownFile(_ place: PeerFile.Place) async -> PeerFile? { nil }

    public func shownBytes(_ place: PeerFile.Place, offset: Int64, count: Int) async -> [UInt8]? { nil }
}

/// No other provider is known: every foreign address fails for good, and its sender is told so.
public struct NoRoutes: OutboundRouter {
    /// A router without routes.
    public init() {}

    public func deliver(_ entry: OutboxEntry, envelope: Envelope?, fence: Int64) async -> OutboundResult {
        .permanent(.notFound)
    }
}

extension MessagingService {
    static let laneLeaseMilliseconds: Int64 = 60000
    /// Lanes of one group that are looked at in one round.
    static let lanesAtOnce = 16
    static let entriesAtOnce = 64
    static let retryBaseMilliseconds: Int64 = 1000
    /// A large odd number (Knuth's multiplicative hash).
    private static let jitterStep: Int64 = 2_654_435_761
    static let retryCapMilliseconds: Int64 = 300_000
    /// So often the other side may answer "later" to one message before it is passed over, and its sender told: some
    /// two hours.
    static let messageAttempts = 32
    /// What is live is tried again soon, and given up only after it was tried as often: waiting behind others is no sign
    /// that the other side is away.
    static let liveRetryCapMilliseconds: Int64 = 10_000
    static let liveAttempts = 8
    static let outboxPollMilliseconds: Int64 = 1000
    /// Oldest entries that are looked at while nothing can be sent, whether their time is over.
    static let lanesWhileAway = 1024

    /// Works the outbox until the task is cancelled: each group of lanes for itself, so that a provider that is slow to
    /// answer holds up no other.
    public func runOutbox() async {
        let hands = GroupsInHand()
        await withDiscardingTaskGroup { tasks in
            while !Task.isCancelled {
                for group in await laneGroups() where hands.take(group) {
                    tasks.addTask { [self] in
                        await runGroup(group)
                        if hands.release(group) { outboxSignal.raise() }
                    }
                }
                await outboxSignal.wait(milliseconds: Self.outboxPollMilliseconds)
            }
        }
    }

    private func laneGroups() async -> [String] {
        do {
            return try await read { try $0.laneGroups() }
        } catch {
            logger.error("the outbox stopped for a moment", metadata: ["error": "\(type(of: error))"])
            return []
        }
    }

    /// Works a group until nothing in it is due.
    private func runGroup(_ group: String) async {
        do {
            while !Task.isCancelled, try await work(group: group) {}
        } catch {
            logger.error("the outbox stopped for a moment", metadata: ["error": "\(type(of: error))"])
        }
    }

    /// One round over the lanes that have work due.
    /// - Returns: whether there was any that no other node is at.
    @discardableResult
    public func workOutbox() async throws -> Bool {
        var worked = false
        for group in try await read({ try $0.laneGroups() }) where try await work(group: group) { worked = true }
        return worked
    }

    /// A way that did not work does again: what waits for another attempt goes out at once.
    public func isBack(_ domain: String) async throws {
        try await perform { work in
            for lane in try work.transaction.dueLanes(in: domain, at: .distantFuture, limit: Self.lanesWhileAway) {
                guard let queued = try work.transaction.entries(lane: lane, limit: 1).first, queued.due > work.now
                else {
                    continue
                }
                try work.transaction.apply(.postpone(entry: queued.id, attempts: queued.attempts, due: work.now))
            }
        }
        outboxSignal.raise()
    }

    private func work(group: String) async throws -> Bool {
        if router.isAway(group) { return try await giveUpOverdue(group) }
        let now = clock()
        let lanes = try await read { try $0.dueLanes(in: group, at: now, limit: Self.lanesAtOnce) }
        return try await withThrowingTaskGroup(of: Bool.self) { tasks in
            var waiting = lanes[...]
            var worked = false
            for lane in waiting.prefix(configuration.lanesInHand) { tasks.addTask { try await self.work(lane: lane) } }
            waiting = waiting.dropFirst(configuration.lanesInHand)
            while let one = try await tasks.next() {
                worked = worked || one
                if let lane = waiting.popFirst() { tasks.addTask { try await self.work(lane: lane) } }
            }
            return worked
        }
    }

    /// - Returns: whether no other node is at it.
    private func work(lane: String) async throws -> Bool {
        let node = configuration.node
        let claim = try await perform { work in
            try work.transaction.claim(
                lane: lane,
                node: node,
                now: work.now,
                leaseMilliseconds: Self.laneLeaseMilliseconds
            )
        }
        guard let claim else { return false }
        do {
            try await work(claim)
            stuckLanes.withLock { _ = $0.remove(lane) }
            return true
        } catch let refusal as Refusal where refusal.code == .internalError {
            // What cannot be read in one lane holds up no other. It is told of once, however often it is tried.
            let isNew = stuckLanes.withLock { lanes in
                if lanes.count >= Self.lanesWhileAway { lanes.removeAll() }
                return lanes.insert(lane).inserted
            }
            if isNew {
                let group = lane.prefix { $0 != "|" }
                logger.error("a lane of the outbox stands still", metadata: ["domain": "\(group)"])
            }
            return false
        }
    }

    /// While nothing can be sent, what waited too long is told of all the same.
    private func giveUpOverdue(_ group: String) async throws -> Bool {
        let now = clock()
        let overdue = try await read { view in
            try view.dueLanes(in: group, at: .distantFuture, limit: Self.lanesWhileAway).filter { lane in
                try view.entries(lane: lane, limit: 1).first.map { $0.entry.expires <= now } ?? false
            }
        }
        for lane in overdue { _ = try await work(lane: lane) }
        return false
    }

    private func work(_ claim: Claim) async throws {
        let entries = try await read { try $0.entries(lane: claim.lane, limit: Self.entriesAtOnce) }
        for queued in entries {
            let now = clock()
            let isAway = queued.entry.target.domain.map(router.isAway) ?? false
            let result: OutboundResult
            if queued.isGivenUp(now, isAway: isAway) {
                result = .permanent(.unavailable)
            } else if isAway || queued.due > now {
                return
            } else if case .message(let receiver) = queued.entry.task,
                let local = try await deliverHere(queued, to: receiver, claim)
            {
                if local { continue }
                return
            } else {
                let content = try await read { try $0.content(queued.entry.content) }
                let envelope = content.flatMap { try? Documents.decode(Envelope.self, $0.document) }
                result =
                    content != nil && envelope == nil
                    ? .permanent(.internalError)
                    : await router.deliver(queued.entry, envelope: envelope, fence: claim.fence)
            }
            guard try await settle(queued, result, claim) else { return }
        }
    }

    /// Delivers to a receiver of this provider; nil if the address is another provider's.
    private func deliverHere(_ queued: QueuedEntry, to receiver: Address, _ claim: Claim) async throws -> Bool? {
        try await perform { work in
            guard try work.transaction.holds(claim) else { return false }
            let resolution = try self.resolve(work, receiver)
            guard resolution != .remote else { return nil }
            var failure: Refusal.Code? = .notFound
            if case .local(let account) = resolution {
                failure = try self.deliver(work, queued.entry, to: account, receiver)
            }
            if let failure { try self.fail(work, queued.entry, receiver, failure) }
            try self.done(work, queued)
            return true
        }
    }

    private func deliver(
        _ work: Work,
        _ entry: OutboxEntry,
        to account: AccountID,
        _ receiver: Address
    ) throws -> Refusal.Code? {
        guard var content = try work.transaction.content(entry.content) else { return .noLongerStored }
        guard let envelope = try? Documents.decode(Envelope.self, content.document) else { return .internalError }
        let existing = try work.transaction.item(account, kind: .message, object: entry.message.description)
        let submission = Submission(envelope: envelope, device: nil, reports: entry.reports)
        var delivery = LocalDelivery(
            submission: submission,
            content: content.id,
            bytes: envelope.bytes,
            policy: settingsInForce.policy,
            now: work.now
        )
        var user: UserState? = try work.user(account)
        if let failure = delivery.deliver(to: account, receiver, &user, existing) { return failure }
        if let user { work.put(user) }
        for item in delivery.order.compactMap({ delivery.items[$0] }) { try work.put(item, document: content.document) }
        if delivery.fresh > 0 {
            content.references += 1
            content.holders += 1
            if !content.accounts.contains(account) {
                // The index tells whose a content is: it takes the text in again under one more name.
                let isIndexed = try unindex(work, content)
                content.accounts.append(account)
                if isIndexed { try index(work, content) }
            }
            try work.transaction.apply(.content(content))
        } else if let message = existing?.message, message.flags.contains(.delivered) {
            // One more address of somebody who has it already: the sender is told of this one too.
            try tellOfJoined(work, entry, receiver, message)
        }
        return nil
    }

    private func tellOfJoined(_ work: Work, _ entry: OutboxEntry, _ receiver: Address, _ message: MessageItem) throws {
        if message.flags.contains(.read), message.flags.contains(.wantsDisplayed) {
            try raise(work, entry.account, entry.message, [receiver], to: .displayed, failure: nil)
        } else if message.flags.contains(.wantsDelivered) {
            try raise(work, entry.account, entry.message, [receiver], to: .delivered, failure: nil)
        }
    }

    /// Takes an entry out of the queue, and its hold on the content with it.
    func done(_ work: Work, _ queued: QueuedEntry) throws {
        try work.transaction.apply(.dequeue(entry: queued.id))
        switch queued.entry.task {
        case .message: break
        case .session where queued.entry.content != .none: break
        case .report, .session: return
        }
        try release(work, queued.entry.content, held: true, dropsEnvelope: true)
    }

    private func fail(_ work: Work, _ entry: OutboxEntry, _ receiver: Address, _ code: Refusal.Code) throws {
        try raise(work, entry.account, entry.message, [receiver], to: .failed, failure: code)
        var user = try work.user(entry.account)
        let line = user.account.book(
            .refund,
            entry.price,
            at: work.now,
            message: entry.message,
            receiver: receiver
        )
        try work.transaction.apply(.ledger(line))
        work.put(user)
    }

    /// Writes down how an attempt ended; false when the lane has to wait or was lost.
    private func settle(_ queued: QueuedEntry, _ result: OutboundResult, _ claim: Claim) async throws -> Bool {
        // Spread over entries by what tells them apart, so that the same story plays the same way again.
        let jitter = queued.id &* Self.jitterStep & .max % Self.retryBaseMilliseconds
        return try await perform { work in
            guard try work.transaction.holds(claim) else { return false }
            switch (result, queued.entry.task) {
            case (.temporary, .message(let receiver)) where queued.attempts + 1 >= Self.messageAttempts:
                try self.fail(work, queued.entry, receiver, .unavailable)
                try self.done(work, queued)
            case (.temporary, .report) where queued.attempts + 1 >= Self.messageAttempts: try self.done(work, queued)
            case (.temporary, _):
                let backOff = min(queued.retryCap, Self.retryBaseMilliseconds << min(Int64(queued.attempts), 16))
                try work.transaction.apply(
                    .postpone(
                        entry: queued.id,
                        attempts: queued.attempts + 1,
                        due: work.now.advanced(by: backOff + jitter)
                    )
                )
                return false
            case (.permanent(let code), .message(let receiver)):
                try self.fail(work, queued.entry, receiver, code)
                try self.done(work, queued)
            case (.permanent, .session):
                try self.giveUp(work, queued)
                return false
            case (.delivered, _), (.permanent, .report): try self.done(work, queued)
            }
            return true
        }
    }
}

extension QueuedEntry {
    private var isLive: Bool { if case .session = entry.task { true } else { false } }

    fileprivate var retryCap: Int64 {
        isLive ? MessagingService.liveRetryCapMilliseconds : MessagingService.retryCapMilliseconds
    }

    fileprivate func isGivenUp(_ now: Timestamp, isAway: Bool) -> Bool {
        entry.expires <= now && (!isLive || isAway || attempts >= MessagingService.liveAttempts)
    }
}
