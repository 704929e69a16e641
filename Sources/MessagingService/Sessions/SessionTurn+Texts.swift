import ClientWire
import MessagingCore
import SessionCore
import Store

/// Texts of a session: stored once, shown by the items of all who take part.
extension SessionTurn {
    /// A text got its place: it becomes an item of the user's mailbox, in the commit that orders it.
    func store(_ ordinal: Ordinal, _ text: MessageID, _ account: AccountID) throws {
        guard try isHostedHere else { return try storeAlone(ordinal, text, account) }
        try place(text, ordinal)
        guard let created = placed[text]?.created[account] else { return }
        try work.transaction.apply(.sessionText(account, id, SessionText(ordinal: ordinal, created: created)))
    }

    /// Puts a text into the mailboxes of all who take part and are this provider's; once, whoever is told of it first.
    func place(_ text: MessageID, _ ordinal: Ordinal) throws {
        guard placed[text] == nil, let owner = try work.account(holding: details.creator),
            let present = try work.host(owner, id)?.machine.present
        else { return }
        var legs: [AccountID: Set<DeviceID>] = [:]
        for address in present {
            guard let account = try work.account(holding: address), let part = try work.part(account, id) else {
                continue
            }
            legs[account, default: []].formUnion(part.devices(for: ordinal))
        }
        if let arrived = arriving.removeValue(forKey: text) {
            let receivers = present.filter { $0 != arrived.envelope.from }
            let submission = arrived.submission(to: receivers, SessionPlace(id: id, ordinal: ordinal), legs)
            let local = try receivers.filter { try work.account(holding: $0) != nil }
            let (content, items) = try service.deliver(work, submission, to: local, keeping: local != receivers)
            placed[text] = PlacedText(items, content: content, reports: arrived.reports)
            return
        }
        guard var submission = outgoing.removeValue(forKey: text) ?? firstText(text),
            let sender = try work.account(holding: submission.envelope.from)
        else { return }
        submission.envelope.to = present.filter { $0 != submission.envelope.from }
        submission.envelope.session = SessionPlace(id: id, ordinal: ordinal)
        submission.session?.legs = legs
        if submission.session?.isPaid == true { try spend(text, for: submission.envelope, sender) }
        let (answer, content, items) = try service.commit(work, submission, sender: sender)
        placed[text] = PlacedText(items, answer: answer, content: content, reports: submission.reports)
    }

    /// The text that rode on the request: paid for when it was asked.
    private func firstText(_ text: MessageID) -> Submission? {
        guard var envelope = details.firstText, envelope.id == text else { return nil }
        envelope.date = now
        return Submission(
            envelope: envelope,
            device: details.device,
            reports: [.delivered, .displayed],
            session: SessionDelivery(legs: [:], isPaid: true)
        )
    }

    /// A text that found no place in the session goes as an ordinary message, charged once.
    func sendApart(_ text: MessageID, _ account: AccountID) throws {
        try giveBack(text, account)
        let waited = try takePending(text, account)
        guard var submission = waited ?? outgoing.removeValue(forKey: text) ?? firstText(text) else { return }
        submission.envelope.kind = .deferred
        submission.session = nil
        do {
            _ = try service.commit(work, submission, sender: account)
        } catch is Refusal {
            // The caller cannot pay any more, or may not send: the request's text is not sent.
            return
        }
    }
}

extension SessionTurn.PlacedText {
    init(_ items: [Item], answer: SendAnswer? = nil, content: ContentID?, reports: [Report]) {
        self.answer = answer
        self.reports = reports
        self.content = content
        created = Dictionary(items.map { ($0.account, $0.created) }) { first, _ in first }
    }
}

extension PartSide {
    /// The devices that are given a text.
    func devices(for ordinal: Ordinal) -> Set<DeviceID> {
        Set(machine.legs.legs.filter { machine.legs.isGiven(ordinal, $0) }.map(\.device))
    }
}
