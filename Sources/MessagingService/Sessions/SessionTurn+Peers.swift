import ClientWire
import MessagingCore
import SessionCore
import Store

/// A session whose owner, or some of whose users, are another provider's.
extension SessionTurn {
    /// Whether the owner's side is here.
    var isHostedHere: Bool { get throws { try work.account(holding: details.creator) != nil } }

    // MARK: Saying

    /// As a participant's server, to the owner's.
    func tellOwner(_ message: ToOwner, from user: Address) throws {
        guard let account = try work.account(holding: user), var part = try work.part(account, id) else { return }
        part.lane.sent += 1
        try work.put(part, account)
        let text = SessionLine.toOwner(message).text.flatMap { part.texts[$0] }
        try enqueue(.toOwner(message), account, from: user, to: details.creator, part.lane.sent, text)
    }

    /// As the owner's server, to a participant's.
    func tell(_ user: Address, _ message: FromOwner) throws {
        var text: PendingText?
        if case .text(let ordinal, let id, let sender) = message, sender != user {
            // Stored before it is passed on: what waits in the lane shares the content.
            try place(id, ordinal)
            guard let content = placed[id]?.content else { return }
            text = PendingText(content: content, device: nil, reports: placed[id]?.reports ?? [], digest: [])
        }
        try say(.fromOwner(message), to: user, text)
    }

    /// Asks another provider's user.
    func request(_ user: Address) throws {
        var details = try detailsNow()
        details.device = nil
        try say(.request(details), to: user, nil)
    }

    private func say(_ line: SessionLine, to user: Address, _ text: PendingText?) throws {
        guard let account = try work.account(holding: details.creator), var host = try work.host(account, id) else {
            return
        }
        host.lanes[user, default: PeerLane()].sent += 1
        try work.put(host, account)
        try enqueue(line, account, from: details.creator, to: user, host.lanes[user]?.sent ?? 1, text)
    }

    private func enqueue(
        _ line: SessionLine,
        _ account: AccountID,
        from: Address,
        to: Address,
        _ number: Int64,
        _ text: PendingText?
    ) throws {
        let patience =
            line.isFinal ? Limits.outboxExpiryMilliseconds : service.configuration.sessionGraceMilliseconds
        let entry = OutboxEntry(
            account: account,
            message: line.text ?? MessageID(stored: id.description),
            content: text?.content ?? .none,
            lane: "\(to.domain ?? "tel")|\(id) \(from) \(to)",
            task: .session(id, from: from, to: to, number: number, line: try Documents.encode(line)),
            expires: now.advanced(by: patience),
            reports: text?.reports ?? []
        )
        if let text { try service.hold(work, text.content) }
        try work.transaction.apply(.enqueue(entry, due: now))
        work.hasQueued = true
    }

    // MARK: Texts of another provider's server

    /// A text that comes with its place. It is in this conversation, whichever it names: a session may not put texts into
    /// other ones.
    func expect(_ text: PeerText?) {
        guard var text else { return }
        text.envelope.conversation = details.conversation
        arriving[text.envelope.id] = text
    }

    // MARK: Texts for an owner elsewhere

    /// A text for an owner elsewhere: stored and paid for now, and in the mailbox once it has its place.
    func sayElsewhere(_ submission: Submission, _ account: AccountID) throws -> SendAnswer {
        let envelope = submission.envelope
        try envelope.validate()
        guard var part = try work.part(account, id) else { throw Refusal(.notFound, "no such conversation") }
        let sender = try work.user(account).account
        let tariff = service.settingsInForce.tariff
        let price = try MessagingCore.price(of: envelope, sender: sender, tariff: tariff) * Int64(envelope.to.count)
        let content = try work.transaction.nextContentID()
        let blobs = envelope.parts.compactMap(\.sha256)
        try work.transaction.apply(
            .content(
                StoredContent(
                    id: content,
                    message: envelope.id,
                    document: ItemWriter.document(of: envelope),
                    blobs: blobs,
                    accounts: [account],
                    references: 1,
                    holders: 1,
                    time: now
                )
            )
        )
        for blob in blobs { try work.transaction.apply(.refer(blob, by: 1, at: now)) }
        part.texts[envelope.id] = PendingText(
            content: content,
            device: submission.device,
            reports: submission.reports,
            digest: submission.digest
        )
        try work.put(part, account)
        try reserve(price, for: envelope.id, .message, account)
        try change(account) { try $0.machine.send(envelope.id) }
        let key = SubmissionKey(digest: submission.digest, created: 0, time: now)
        try work.transaction.apply(.key(account, envelope.id, key))
        return SendAnswer(
            id: envelope.id,
            created: 0,
            conversation: envelope.conversation,
            receivers: envelope.to.map {
                ReceiverDocument(ReceiverState(address: $0, disposition: .pending, since: now))
            },
            balance: try work.user(account).account.balance,
            ordinal: nil,
            repeated: false
        )
    }

    /// An own text that waited, as it was sent; it waits no more.
    func takePending(_ text: MessageID, _ account: AccountID) throws -> Submission? {
        guard var part = try work.part(account, id), let pending = part.texts.removeValue(forKey: text),
            let content = try work.transaction.content(pending.content)
        else { return nil }
        try work.put(part, account)
        let envelope = try Documents.decode(Envelope.self, content.document)
        // The item that follows in the same commit has a content of its own, and holds the same blobs.
        try service.release(work, pending.content, held: true, dropsEnvelope: true)
        return Submission(
            envelope: envelope,
            device: pending.device,
            reports: pending.reports,
            session: SessionDelivery(legs: [:], isPaid: true),
            digest: pending.digest
        )
    }

    /// A text that an owner elsewhere has ordered, for one user here.
    func storeAlone(_ ordinal: Ordinal, _ text: MessageID, _ account: AccountID) throws {
        guard let part = try work.part(account, id) else { return }
        let place = SessionPlace(id: id, ordinal: ordinal)
        let others = part.machine.participants.filter { $0 != part.machine.user }
        let legs = [account: part.devices(for: ordinal)]
        var items: [Item] = []
        if var own = try takePending(text, account) {
            own.envelope.to = others
            own.envelope.session = place
            own.session?.legs = legs
            try spend(text, for: own.envelope, account)
            items = try service.commit(work, own, sender: account, isAlone: true).items
        } else if let arrived = arriving.removeValue(forKey: text) {
            // To whom it went is the same on all sides.
            let receivers = part.machine.participants.filter { $0 != arrived.envelope.from }
            let submission = arrived.submission(to: receivers, place, legs)
            items = try service.deliver(work, submission, to: [part.machine.user]).items
        }
        guard let created = items.first(where: { $0.account == account })?.created else { return }
        try work.transaction.apply(.sessionText(account, id, SessionText(ordinal: ordinal, created: created)))
    }
}
