import ClientWire
import Crypto
public import MessagingCore
import Store

/// What comes from other providers. Whoever calls has made sure that the peer may speak for the sender's domain.
extension MessagingService {
    /// Stores a message from another provider's user for users of this one.
    ///
    /// A message that is there already, by id and sender, or was there and is deleted, is not stored again: its answer is
    /// the same.
    /// - Parameter files: those that its parts name, taken in before.
    /// - Returns: why some receivers do not get it.
    /// - Throws: ``Refusal`` as ``Envelope/validate()``, `forbidden` when the sender is this provider's own.
    public func receive(
        _ text: PeerText,
        for receivers: [Address],
        with files: [IncomingFile] = []
    ) async throws -> [Address: Refusal.Code] {
        try text.envelope.validate()
        return try await perform { work in
            guard try self.resolve(work, text.envelope.from) == .remote else {
                throw Refusal(.forbidden, "another provider may not speak for this one's users")
            }
            var envelope = text.envelope
            envelope.session = nil
            let submission = Submission(envelope: envelope, device: nil, reports: text.reports)
            var failures: [Address: Refusal.Code] = [:]
            let digest = [UInt8](SHA256.hash(data: Array(envelope.from.description.utf8)))
            let isKnown = { (account: AccountID) in
                try work.transaction.key(account, envelope.id)?.digest == digest
            }
            let items = try self.deliver(work, submission, to: receivers, isKnown: isKnown, failures: &failures).items
            // The key outlives the item and what is left when it is deleted: the peer may try again for two weeks.
            for item in items where try work.transaction.key(item.account, envelope.id) == nil {
                let key = SubmissionKey(digest: digest, created: item.created, time: work.now)
                try work.transaction.apply(.key(item.account, envelope.id, key))
            }
            try Self.drop(files, work)
            return failures
        }
    }

    /// A receiver at another provider has a message, has seen it, or never will get it.
    /// - Returns: whether it was news.
    @discardableResult
    public func receiveReport(
        of id: MessageID,
        to sender: Address,
        from receiver: Address,
        _ disposition: Disposition,
        failure: Refusal.Code? = nil
    ) async throws -> Bool {
        try await perform { work in
            guard let account = try work.account(holding: sender) else {
                throw Refusal(.notFound, "\(sender): no such user")
            }
            return try self.raise(work, account, id, [receiver], to: disposition, failure: failure)
        }
    }

    /// Puts a text of a session into mailboxes of this provider.
    /// - Parameter keeping: the content is wanted even if nobody here shows it.
    func deliver(
        _ work: Work,
        _ submission: Submission,
        to receivers: [Address],
        keeping: Bool = false
    ) throws -> (content: ContentID?, items: [Item]) {
        var failures: [Address: Refusal.Code] = [:]
        return try deliver(work, submission, to: receivers, keeping: keeping, failures: &failures)
    }

    private func deliver(
        _ work: Work,
        _ submission: Submission,
        to receivers: [Address],
        keeping: Bool = false,
        isKnown: (AccountID) throws -> Bool = { _ in false },
        failures: inout [Address: Refusal.Code]
    ) throws -> (content: ContentID?, items: [Item]) {
        let envelope = submission.envelope
        let content = try work.transaction.nextContentID()
        var delivery = LocalDelivery(
            submission: submission,
            content: content,
            bytes: envelope.bytes,
            policy: settingsInForce.policy,
            now: work.now
        )
        for address in receivers {
            guard case .local(let account) = try resolve(work, address) else {
                failures[address] = .notFound
                continue
            }
            let existing = try work.transaction.item(account, kind: .message, object: envelope.id.description)
            if delivery.items[account] == nil {
                if let existing, try isSame(work, existing, envelope) { continue }
                if existing == nil, try isKnown(account) { continue }
            }
            var user: UserState? = try work.user(account)
            failures[address] = delivery.deliver(to: account, address, &user, existing)
            if failures[address] == nil, let user { work.put(user) }
        }
        let items = delivery.order.compactMap { delivery.items[$0] }
        guard keeping || delivery.fresh > 0 else { return (nil, items) }
        let document = ItemWriter.document(of: envelope)
        let blobs = envelope.parts.compactMap(\.sha256)
        try work.transaction.apply(
            .content(
                StoredContent(
                    id: content,
                    message: envelope.id,
                    document: document,
                    blobs: blobs,
                    accounts: delivery.order,
                    references: delivery.fresh,
                    holders: delivery.fresh,
                    time: work.now
                )
            )
        )
        indexSoon(work, content, envelope)
        for blob in blobs { try work.transaction.apply(.refer(blob, by: 1, at: work.now)) }
        for item in items { try work.put(item, document: document) }
        return (content, items)
    }

    /// Whether an item is this very message: one that its owner deleted stays deleted.
    private func isSame(_ work: Work, _ item: Item, _ envelope: Envelope) throws -> Bool {
        guard let message = item.message else { return true }
        guard let content = try work.transaction.content(message.content) else { return false }
        return try Documents.decode(Envelope.self, content.document).from == envelope.from
    }

    /// One more hold on a content: for what waits in the outbox.
    func hold(_ work: Work, _ id: ContentID) throws {
        guard var content = try work.transaction.content(id) else { return }
        content.references += 1
        content.holders += 1
        try work.transaction.apply(.content(content))
    }
}
