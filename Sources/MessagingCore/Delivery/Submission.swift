/// How a text of a live conversation goes: to all who take part or to nobody, loud on the devices that do.
public struct SessionDelivery: Sendable {
    /// The devices of each user that are given the text.
    public var legs: [AccountID: Set<DeviceID>]
    /// The text came with the request and was paid for then: it is in, whatever has changed meanwhile.
    public var isPaid: Bool

    /// A delivery to these devices.
    public init(legs: [AccountID: Set<DeviceID>], isPaid: Bool = false) {
        self.legs = legs
        self.isPaid = isPaid
    }
}

/// A message that a user's device wants sent.
public struct Submission: Sendable {
    public var envelope: Envelope
    /// The device that sends it; nil for a sender without one.
    public var device: DeviceID?
    public var reports: [Report]
    /// How a text of a live conversation goes; nil for a message by itself.
    public var session: SessionDelivery?
    /// What makes a repetition the same request.
    public var digest: [UInt8]

    /// A message with the reports its sender asks for.
    public init(
        envelope: Envelope,
        device: DeviceID?,
        reports: [Report],
        session: SessionDelivery? = nil,
        digest: [UInt8] = []
    ) {
        self.envelope = envelope
        self.device = device
        self.reports = reports
        self.session = session
        self.digest = digest
    }
}

/// What an address turned out to be.
public enum Resolution: Hashable, Sendable {
    /// An account of this provider, with its place in the list of loaded users.
    case local(AccountID)
    /// Another provider's domain: goes through the outbox.
    case remote
    /// Of this provider, but nobody has it.
    case unknown
}

/// One message waiting for another provider, or for receivers beyond the commit's limit.
public struct OutboxEntry: Hashable, Sendable {
    /// What is to be done.
    public enum Task: Hashable, Sendable {
        /// Deliver to this receiver.
        case message(receiver: Address)
        /// Tell the sender at another provider what became of the message at this receiver.
        case report(to: Address, receiver: Address, Disposition)
        /// Say the next thing about a live conversation, of one user's server to another's; numbered in its lane.
        case session(SessionID, from: Address, to: Address, number: Int64, line: [UInt8])
    }

    /// Whom it is for in the end: the user whose provider has to take it.
    public var target: Address {
        switch task {
        case .message(let receiver): receiver
        case .report(let sender, _, _): sender
        case .session(_, _, let to, _, _): to
        }
    }

    public var account: AccountID
    public var message: MessageID
    public var content: ContentID
    /// Work of one lane is done in order by one worker at a time.
    public var lane: String
    public var task: Task
    public var expires: Timestamp
    /// What the sender was charged for this receiver: refunded when it fails for good.
    public var price: Int64
    /// The reports that the sender asked for.
    public var reports: [Report]

    /// An entry as committed with its message.
    public init(
        account: AccountID,
        message: MessageID,
        content: ContentID,
        lane: String,
        task: Task,
        expires: Timestamp,
        price: Int64 = 0,
        reports: [Report] = []
    ) {
        self.account = account
        self.message = message
        self.content = content
        self.lane = lane
        self.task = task
        self.expires = expires
        self.price = price
        self.reports = reports
    }
}

/// Everything that one accepted message changes; applied in one commit.
public struct Submitted: Sendable {
    /// Items that are new or changed, with their numbers; the sender's is the first unless nothing is stored.
    public var items: [Item]
    public var ledger: [LedgerLine]
    public var outbox: [OutboxEntry]
    /// The number of the sender's item.
    public var created: ChangeNumber
    public var receivers: [ReceiverState]
    /// How many items show the content.
    public var references: Int
}

/// Accepts or refuses a message: rights, price, then every mailbox it enters (design: "Sending").
///
/// - Parameters:
///   - users: everyone of this provider that is concerned, the sender included; changed in place on success.
///   - resolve: what each receiver's address is.
///   - existing: a receiver's item of the same message id, if there is one.
/// - Throws: ``Refusal`` `not-entitled`, `too-large`, `quota-exceeded`, `no-credit`; then nothing has changed.
public func submit(
    _ submission: Submission,
    content: ContentID,
    sender: AccountID,
    users: inout [AccountID: UserState],
    resolve: (Address) -> Resolution,
    existing: (AccountID) -> Item?,
    policy: OperatorPolicy,
    tariff: Tariff,
    now: Timestamp
) throws(Refusal) -> Submitted {
    let envelope = submission.envelope
    try envelope.validate()
    guard var from = users[sender] else { throw Refusal(.notFound, "no such account") }
    let bytes = envelope.bytes
    let isPaid = submission.session?.isPaid ?? false
    let price = isPaid ? 0 : try price(of: envelope, sender: from.account, tariff: tariff)

    var result = Submitted(items: [], ledger: [], outbox: [], created: 0, receivers: [], references: 0)
    var delivery = LocalDelivery(submission: submission, content: content, bytes: bytes, policy: policy, now: now)
    var inCommit = 0
    for address in envelope.to {
        var state = ReceiverState(address: address, disposition: .pending, since: now)
        // A text that costs nothing leaves no line: there are too many of them.
        if submission.session == nil || price > 0 {
            result.ledger.append(
                from.account.book(.message, -price, at: now, message: envelope.id, receiver: address)
            )
        }
        switch resolve(address) {
        case .unknown:
            _ = state.raise(to: .failed, at: now, failure: .notFound)
        // Lanes of the session carry it.
        case .remote where submission.session != nil: break
        case .remote:
            result.outbox.append(
                outbox(submission, sender, content, address, lane: address.domain ?? "tel", price: price, now: now)
            )
        case .local(let account) where account == sender:
            delivery.toSelf.append(address)
        case .local(let account):
            guard
                inCommit < Limits.receiversInCommit || delivery.items[account] != nil || submission.session != nil
            else {
                result.outbox.append(
                    outbox(submission, sender, content, address, lane: "local", price: price, now: now)
                )
                break
            }
            if let failure = delivery.deliver(to: account, address, &users[account], existing(account)) {
                guard submission.session == nil else { throw Refusal(failure, "the text cannot reach everybody") }
                _ = state.raise(to: .failed, at: now, failure: failure)
            } else {
                inCommit += 1
            }
        }
        if state.disposition == .failed {
            result.ledger.append(
                from.account.book(.refund, price, at: now, message: envelope.id, receiver: address)
            )
        }
        result.receivers.append(state)
    }

    let own = delivery.senderItem(&from, receivers: result.receivers)
    result.created = own.created
    result.items = [own] + delivery.order.compactMap { delivery.items[$0] }
    result.references = 1 + delivery.fresh
    from.account.used += bytes
    users[sender] = from
    return result
}

/// Rights and credit of the sender; returns the price for each receiver.
/// - Throws: ``Refusal`` `not-entitled`, `forbidden`, `too-large`, `quota-exceeded`, `no-credit`.
public func price(of envelope: Envelope, sender: Account, tariff: Tariff) throws(Refusal) -> Int64 {
    let bytes = envelope.bytes
    guard !sender.suspended, sender.entitlement.canSend else {
        throw Refusal(.notEntitled, "this account may not send")
    }
    guard sender.addresses.contains(envelope.from) else {
        throw Refusal(.forbidden, "the sender's address is not one of this account's")
    }
    guard bytes <= sender.entitlement.maximumMessageBytes else {
        throw Refusal(.tooLarge, "a message has at most \(sender.entitlement.maximumMessageBytes) bytes")
    }
    guard sender.hasRoom(for: bytes) else {
        throw Refusal(.quotaExceeded, "the account's storage is full")
    }
    let price = tariff.price(bytes: bytes)
    let (sum, overflow) = price.multipliedReportingOverflow(by: Int64(envelope.to.count))
    guard !overflow, sum <= sender.balance || sum == 0 else {
        throw Refusal(.noCredit, "the message costs \(overflow ? .max : sum) and the balance is \(sender.balance)")
    }
    return price
}

private func outbox(
    _ submission: Submission,
    _ sender: AccountID,
    _ content: ContentID,
    _ receiver: Address,
    lane: String,
    price: Int64,
    now: Timestamp
) -> OutboxEntry {
    let envelope = submission.envelope
    return OutboxEntry(
        account: sender,
        message: envelope.id,
        content: content,
        lane: lane == "local" ? lane : "\(lane)|\(envelope.conversation)",
        task: .message(receiver: receiver),
        expires: min(envelope.expires ?? .distantFuture, now.advanced(by: Limits.outboxExpiryMilliseconds)),
        price: price,
        reports: submission.reports
    )
}

extension Timestamp {
    /// Later than every deadline.
    public static let distantFuture = Timestamp(rawValue: .max)
}
