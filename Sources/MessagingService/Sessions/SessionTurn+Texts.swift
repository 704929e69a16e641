import ClientWire
import MessagingCore
import SessionCore
import Store

/// Texts of a session: stored once, shown by the items of all who take part.
extension SessionTurn {
    /// A text got its place: it becomes an item of the user's mailbox, in the commit that orders it.
    func store(_ ordinal: Ordinal, _ text: MessageID, _ account: AccountID) throws {
        if placed[text] == nil { try place(text, ordinal) }
        guard let created = placed[text]?.created[account] else { return }
        try work.transaction.apply(.sessionText(account, id, SessionText(ordinal: ordinal, created: created)))
    }

    private func place(_ text: MessageID, _ ordinal: Ordinal) throws {
        guard var submission = outgoing.removeValue(forKey: text) ?? firstText(text) else { return }
        var present: [Address] = []
        if let owner = try work.account(holding: details.creator), let host = try work.host(owner, id) {
            present = host.machine.present
        }
        submission.envelope.to = present.filter { $0 != submission.envelope.from }
        submission.envelope.session = SessionPlace(id: id, ordinal: ordinal)
        var legs: [AccountID: Set<DeviceID>] = [:]
        for address in present {
            guard let account = try work.account(holding: address), let part = try work.part(account, id) else {
                continue
            }
            let given = part.machine.legs.legs.filter { part.machine.legs.isGiven(ordinal, $0) }
            legs[account, default: []].formUnion(given.map(\.device))
        }
        submission.session?.legs = legs
        guard let sender = try work.account(holding: submission.envelope.from) else { return }
        if submission.session?.isPaid == true { try spend(text, sender) }
        let (answer, items) = try service.commit(work, submission, sender: sender)
        placed[text] = PlacedText(
            answer: answer,
            created: Dictionary(items.map { ($0.account, $0.created) }) { first, _ in first }
        )
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
        guard var submission = outgoing.removeValue(forKey: text) ?? firstText(text) else { return }
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
