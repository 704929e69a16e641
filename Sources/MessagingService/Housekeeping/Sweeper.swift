import ClientWire
import Logging
import MessagingCore
import Store
import Synchronization

extension MessagingService {
    static let sweepMilliseconds: Int64 = 5000
    static let indexMilliseconds: Int64 = 1000
    static let sweepItems = 200
    static let blobGraceMilliseconds: Int64 = 60000
    private static let claimSweepMilliseconds: Int64 = 3_600_000
    /// Far longer than anything that a claim's holder has under way.
    private static let claimKeptMilliseconds: Int64 = 86_400_000

    /// Keeps the house until the task is cancelled: expiry, retention, tombstones, uploads, blobs, keys, index.
    ///
    /// The index more often than the rest: so that whoever looks for a message that just came finds it, and while its
    /// words are still in memory.
    public func runHousekeeping() async {
        async let index: Void = again(every: Self.indexMilliseconds, indexNewContent)
        await again(every: Self.sweepMilliseconds, sweep)
        await index
    }

    private func again(every milliseconds: Int64, _ chore: () async throws -> Void) async {
        while !Task.isCancelled {
            do {
                try await chore()
            } catch {
                logger.error("housekeeping stopped for a moment", metadata: ["error": "\(type(of: error))"])
            }
            try? await Task.sleep(for: .milliseconds(milliseconds))
        }
    }

    /// One round of everything; a chore that fails does not keep the others from their turn.
    /// - Throws: what the first of them failed with.
    public func sweep() async throws {
        let chores = [
            indexNewContent, releaseTransient, applyRetention, expireUploads, buryBlobs, trimTombstones, forgetKeys,
            forgetClaims,
        ]
        var failure: (any Error)?
        for chore in chores {
            do { try await chore() } catch { failure = failure ?? error }
        }
        if let failure { throw failure }
    }

    private func forgetKeys() async throws {
        let horizon = clock().advanced(by: -Limits.keyHorizonMilliseconds - Limits.clockSkewMilliseconds)
        try await perform { work in try work.transaction.apply(.removeKeys(before: horizon)) }
    }

    /// Now and then: all of them are looked through.
    private func forgetClaims() async throws {
        let now = clock()
        let isDue = claimsSwept.withLock { last in
            guard now.milliseconds(since: last) >= Self.claimSweepMilliseconds else { return false }
            last = now
            return true
        }
        guard isDue else { return }
        let horizon = now.advanced(by: -Self.claimKeptMilliseconds)
        try await perform { work in try work.transaction.apply(.removeClaims(before: horizon)) }
    }

    // MARK: Content

    /// Releases what is not to be stored once every device decided whole has it, or at its expiry.
    private func releaseTransient() async throws {
        var position = (AccountID(rawValue: 0), ChangeNumber(0))
        while true {
            let from = position
            let items = try await read { try $0.transient(after: from, limit: Self.sweepItems) }
            for item in items { try await perform { work in try self.releaseIfHeldEverywhere(work, item) } }
            guard let last = items.last, items.count == Self.sweepItems else { return }
            position = (last.account, last.created)
        }
    }

    private func releaseIfHeldEverywhere(_ work: Work, _ stale: Item) throws {
        guard let item = try work.transaction.item(stale.account, created: stale.created),
            let message = item.message, message.flags.contains(.transient)
        else { return }
        let user = try work.user(item.account)
        let waiting = user.devices.contains { device in
            message.decisions[device.id]?.deliver == .whole && !device.isExpired(at: work.now)
                && device.cursor.number < item.created
        }
        guard !waiting || message.expires ?? .distantFuture <= work.now else { return }
        try release(work, item)
    }

    private func release(_ work: Work, _ stale: Item) throws {
        var item = stale
        guard var message = item.message else { return }
        var user = try work.user(item.account)
        user.account.used -= try releaseContent(work, message, dropsEnvelope: false)
        guard message.release() else { return }
        item.changed = user.account.nextNumber()
        item.body = .message(message)
        work.put(user)
        try work.put(item)
    }

    /// Retention by age: content is released; on devices too only if the operator says so.
    private func applyRetention() async throws {
        let settings = settingsInForce
        guard let days = settings.retentionDays else { return }
        let limit = clock().advanced(by: -Int64(days) * 86_400_000)
        var position = ContentID(rawValue: 0)
        while true {
            let from = position
            let old = try await read { try $0.contents(storedBy: limit, after: from, limit: Self.sweepItems) }
            for content in old {
                try await perform { work in
                    for account in content.accounts {
                        guard
                            let item = try work.transaction.item(
                                account,
                                kind: .message,
                                object: content.message.description
                            ),
                            item.message?.content == content.id
                        else { continue }
                        if settings.retentionAlsoOnDevices {
                            _ = try self.deleteEverywhere(work, item)
                        } else if item.message?.flags.contains(.released) == false {
                            try self.release(work, item)
                        }
                    }
                }
            }
            guard let last = old.last, old.count == Self.sweepItems else { return }
            position = last.id
        }
    }

    // MARK: Files

    private func expireUploads() async throws {
        let now = clock()
        let stale = try await read { try $0.uploads(leaseEndedBy: now, limit: Self.sweepItems) }
        for upload in stale where uploadsInHand.take(upload.id) {
            defer { uploadsInHand.release(upload.id) }
            try await perform { work in
                guard let current = try work.transaction.upload(upload.id), current.leaseEnds <= now else { return }
                try Self.drop(current, work)
            }
            try await onFiles(upload.id) { try $0.discard(upload: upload.id) }
        }
    }

    /// Unlinks what has been dying for a grace, in the writer's turn: a reference made before saves the blob, and an
    /// upload of the same bytes that completes afterwards finds in its own turn that the file is gone.
    private func buryBlobs() async throws {
        guard !keepers.isKeeping else { return }
        let now = clock()
        let dead = try await read {
            try $0.dyingBlobs(since: now.advanced(by: -Self.blobGraceMilliseconds), limit: Self.sweepItems)
        }
        for blob in dead {
            try await perform { [blobs, keepers] work in
                guard !keepers.isKeeping,
                    let current = try work.transaction.blob(blob.hash), current.references == 0,
                    current.dyingSince != nil
                else { return }
                try blobs.unlink(blob.hash)
                try work.transaction.apply(.removeBlob(blob.hash))
            }
        }
    }

    /// Runs `body` while no blob is buried; for copying what one state of the database names.
    public func keepingBlobs<T: Sendable>(_ body: () async throws -> T) async throws -> T {
        keepers.enter()
        defer { keepers.leave() }
        return try await body()
    }

    // MARK: Tombstones

    private func trimTombstones() async throws {
        var position = AccountID(rawValue: 0)
        while true {
            let from = position
            let accounts = try await read { try $0.accountsWithTombstones(after: from, limit: Self.sweepItems) }
            for account in accounts {
                try await perform { work in
                    var user = try work.user(account)
                    // A device of another epoch, or one that never followed the stream, starts from a listing: it holds
                    // nothing back. Nor does a SIP phone, which keeps nothing that would have to be taken back.
                    let holding = user.devices.filter {
                        !$0.isPhone && !$0.isExpired(at: work.now) && $0.cursor.epoch == user.account.epoch
                            && $0.cursor.number > 0
                    }
                    let upTo = min(holding.map(\.cursor.number).min() ?? .max, user.account.head)
                    guard upTo > user.account.trim else { return }
                    try work.transaction.apply(.trim(account, upTo: upTo))
                    user.account.trim = upTo
                    work.put(user)
                }
            }
            guard let last = accounts.last, accounts.count == Self.sweepItems else { return }
            position = last
        }
    }
}
