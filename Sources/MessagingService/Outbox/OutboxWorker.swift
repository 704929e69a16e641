import ClientWire
import Logging
public import MessagingCore
import Store

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
    static let lanesAtOnce = 16
    static let entriesAtOnce = 64
    static let retryBaseMilliseconds: Int64 = 1000
    static let retryCapMilliseconds: Int64 = 300_000
    static let outboxPollMilliseconds: Int64 = 1000

    /// Wakes the outbox; called within a command, acts after its commit at the earliest.
    func outboxHasWork() { outboxSignal.raise() }

    /// Works the outbox until the task is cancelled.
    public func runOutbox() async {
        while !Task.isCancelled {
            do {
                let worked = try await workOutbox()
                if !worked { await outboxSignal.wait(milliseconds: Self.outboxPollMilliseconds) }
            } catch {
                logger.error("the outbox stopped for a moment", metadata: ["error": "\(type(of: error))"])
                await outboxSignal.wait(milliseconds: Self.outboxPollMilliseconds)
            }
        }
    }

    /// One round over the lanes that have work due.
    /// - Returns: whether there was any that no other node is at.
    @discardableResult
    public func workOutbox() async throws -> Bool {
        let now = clock()
        let lanes = try await read { try $0.dueLanes(at: now, limit: Self.lanesAtOnce) }
        var worked = false
        for lane in lanes {
            let node = configuration.node
            let claim = try await perform { work in
                try work.transaction.claim(
                    lane: lane,
                    node: node,
                    now: work.now,
                    leaseMilliseconds: Self.laneLeaseMilliseconds
                )
            }
            guard let claim else { continue }
            worked = true
            try await work(claim)
        }
        return worked
    }

    private func work(_ claim: Claim) async throws {
        let entries = try await read { try $0.entries(lane: claim.lane, limit: Self.entriesAtOnce) }
        for queued in entries {
            let now = clock()
            guard queued.due <= now else { return }
            let result: OutboundResult
            if queued.entry.expires <= now {
                result = .permanent(.unavailable)
            } else if case .message(let receiver) = queued.entry.task,
                let local = try await deliverHere(queued, to: receiver, claim)
            {
                if local { continue }
                return
            } else {
                let envelope = try await read { view in
                    try view.content(queued.entry.content).map { try Documents.decode(Envelope.self, $0.document) }
                }
                result = await router.deliver(queued.entry, envelope: envelope, fence: claim.fence)
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
        let envelope = try Documents.decode(Envelope.self, content.document)
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
    private func done(_ work: Work, _ queued: QueuedEntry) throws {
        try work.transaction.apply(.dequeue(entry: queued.id))
        guard case .message = queued.entry.task else { return }
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
        let jitter = Int64.random(in: 0..<Self.retryBaseMilliseconds)
        return try await perform { work in
            guard try work.transaction.holds(claim) else { return false }
            switch (result, queued.entry.task) {
            case (.temporary, _):
                let backOff = min(
                    Self.retryCapMilliseconds,
                    Self.retryBaseMilliseconds << min(Int64(queued.attempts), 16)
                )
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
            case (.delivered, _), (.permanent, .report): try self.done(work, queued)
            }
            return true
        }
    }
}
