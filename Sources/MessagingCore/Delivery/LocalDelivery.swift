/// Puts one message into mailboxes of this provider, within one commit.
public struct LocalDelivery: Sendable {
    let submission: Submission
    let content: ContentID
    let bytes: Int64
    let policy: OperatorPolicy
    let now: Timestamp
    /// The sender's own addresses among the receivers.
    var toSelf: [Address] = []
    public private(set) var items: [AccountID: Item] = [:]
    public private(set) var order: [AccountID] = []
    /// Items that did not exist before.
    public private(set) var fresh = 0

    /// A delivery of one submission's content.
    public init(submission: Submission, content: ContentID, bytes: Int64, policy: OperatorPolicy, now: Timestamp) {
        self.submission = submission
        self.content = content
        self.bytes = bytes
        self.policy = policy
        self.now = now
    }

    /// Adds the message to one receiver's mailbox, or another address of theirs to it.
    /// - Returns: the reason when this receiver, and no other, fails.
    public mutating func deliver(
        to account: AccountID,
        _ address: Address,
        _ user: inout UserState?,
        _ existing: Item?
    ) -> Refusal.Code? {
        guard var receiver = user else { return .notFound }
        guard !receiver.account.suspended else { return .notFound }
        let envelope = submission.envelope
        if submission.session == nil, receiver.account.settings.refuseBlocked,
            receiver.preferences.blocked.contains(envelope.from)
        {
            return .forbidden
        }
        let facts = MessageFacts(envelope, ownAddresses: [address])
        var decisions = receiver.decisions(facts, .incoming, policy: policy, now: now)
        if let session = submission.session {
            decisions.follow(session.legs[account] ?? [])
        } else if receiver.account.settings.muted.contains(envelope.conversation) {
            decisions.silence()
        }

        if var item = items[account] ?? existing {
            // A tombstoned item stays dead, and somebody else's message of that id is not joined.
            guard case .message(var message) = item.body else { return nil }
            guard message.content == content else { return .conflict }
            guard message.join(address, decisions: decisions) else { return nil }
            item.body = .message(message)
            item.changed = receiver.account.nextNumber()
            remember(item)
        } else {
            guard receiver.account.hasRoom(for: bytes) || submission.session?.isPaid == true else {
                return .quotaExceeded
            }
            receiver.account.used += bytes
            let number = receiver.account.nextNumber()
            var flags: MessageItem.Flags = .received
            let settings = receiver.account.settings
            if submission.reports.contains(.delivered), settings.tellDelivered { flags.insert(.wantsDelivered) }
            if submission.reports.contains(.displayed), settings.tellDisplayed { flags.insert(.wantsDisplayed) }
            if !receiver.account.entitlement.storesReceived { flags.insert(.transient) }
            remember(
                Item(
                    account: account,
                    kind: .message,
                    object: envelope.id.description,
                    created: number,
                    changed: number,
                    body: .message(
                        MessageItem(
                            flags: flags,
                            content: content,
                            conversation: envelope.conversation,
                            ownAddresses: [address],
                            decisions: decisions,
                            expires: envelope.expires
                        )
                    )
                )
            )
            fresh += 1
        }
        user = receiver
        return nil
    }

    private mutating func remember(_ item: Item) {
        if items.updateValue(item, forKey: item.account) == nil { order.append(item.account) }
    }

    /// The sentbox item; a message to oneself is one item, in both boxes.
    func senderItem(_ sender: inout UserState, receivers: [ReceiverState]) -> Item {
        let envelope = submission.envelope
        var flags: MessageItem.Flags = .sent
        var decisions = sender.decisions(
            MessageFacts(envelope, ownAddresses: []),
            .sentCopy,
            policy: policy,
            now: now,
            sentFrom: submission.device
        )
        if let session = submission.session {
            decisions.follow(session.legs[sender.account.id] ?? [])
            decisions.silence()
        }
        if !toSelf.isEmpty {
            flags.insert(.received)
            if submission.reports.contains(.delivered) { flags.insert(.wantsDelivered) }
            if submission.reports.contains(.displayed) { flags.insert(.wantsDisplayed) }
            let incoming = sender.decisions(
                MessageFacts(envelope, ownAddresses: toSelf),
                .incoming,
                policy: policy,
                now: now
            )
            for entry in incoming.entries where entry.device != submission.device {
                guard let new = entry.decision, new.deliver > decisions[entry.device]?.deliver ?? .nothing else {
                    continue
                }
                decisions[entry.device] = new
            }
        }
        if !sender.account.entitlement.storesSent { flags.insert(.transient) }
        let number = sender.account.nextNumber()
        return Item(
            account: sender.account.id,
            kind: .message,
            object: envelope.id.description,
            created: number,
            changed: number,
            body: .message(
                MessageItem(
                    flags: flags,
                    content: content,
                    conversation: envelope.conversation,
                    ownAddresses: toSelf,
                    decisions: decisions,
                    receivers: receivers,
                    expires: envelope.expires
                )
            )
        )
    }
}

extension PackedDecisions {
    /// Devices that take part get the text whole; on the others it never makes a sound.
    mutating func follow(_ legs: Set<DeviceID>) {
        for index in entries.indices {
            let device = entries[index].device
            guard legs.contains(device) else {
                entries[index].result |= 4
                continue
            }
            guard entries[index].decision?.because != .sentFromHere else { continue }
            entries[index] = Entry(device, Decision(.whole, because: .takesPart))
        }
    }

    /// Makes every decision silent: the conversation is muted.
    mutating func silence() {
        for index in entries.indices { entries[index].result |= 4 }
    }
}
