/// Prices in the operator's integer units.
public struct Tariff: Hashable, Sendable, Codable {
    public var perReceiver: Int64
    /// For each started 64 KiB beyond the first, for each receiver.
    public var perBlock: Int64
    /// For each medium of a conversation, when it starts.
    public var perMedium: Int64
    public var perRequest: Int64

    /// A price list; free unless told.
    public init(perReceiver: Int64 = 0, perBlock: Int64 = 0, perMedium: Int64 = 0, perRequest: Int64 = 0) {
        self.perReceiver = perReceiver
        self.perBlock = perBlock
        self.perMedium = perMedium
        self.perRequest = perRequest
    }

    /// The price of one message of `bytes` to one receiver.
    public func price(bytes: Int64) -> Int64 {
        let blocks = max(0, (bytes - 1) / 65536)
        let (extra, overflow) = perBlock.multipliedReportingOverflow(by: blocks)
        return overflow ? .max : perReceiver.addingReportingOverflow(extra).partialValue
    }
}

/// One movement of credit; lines are numbered within the account and never change.
public struct LedgerLine: Hashable, Sendable {
    /// What the movement was for.
    public enum Reason: String, Sendable, Codable, CaseIterable {
        case message
        case refund
        case credit
        /// A conversation that somebody was asked for.
        case request
        /// A medium of a conversation.
        case medium
    }

    public var account: AccountID
    public var number: Int64
    public var time: Timestamp
    public var reason: Reason
    /// Negative for a charge.
    public var amount: Int64
    public var balance: Int64
    public var message: MessageID?
    public var receiver: Address?
    public var note: String?

    /// A line as booked.
    public init(
        account: AccountID,
        number: Int64,
        time: Timestamp,
        reason: Reason,
        amount: Int64,
        balance: Int64,
        message: MessageID? = nil,
        receiver: Address? = nil,
        note: String? = nil
    ) {
        self.account = account
        self.number = number
        self.time = time
        self.reason = reason
        self.amount = amount
        self.balance = balance
        self.message = message
        self.receiver = receiver
        self.note = note
    }
}

extension Account {
    /// The most that a balance can be credited to: what JSON carries exactly (RFC 8259, section 6). What is charged and given
    /// back afterwards has room above it.
    public static let largestBalance: Int64 = (1 << 53) - 1

    /// Books a movement and returns its line, whose amount is what was booked: a balance does not go beyond the numbers.
    /// The caller has checked that the balance allows it.
    public mutating func book(
        _ reason: LedgerLine.Reason,
        _ amount: Int64,
        at time: Timestamp,
        message: MessageID? = nil,
        receiver: Address? = nil,
        note: String? = nil
    ) -> LedgerLine {
        let before = balance
        let (sum, overflow) = before.addingReportingOverflow(amount)
        balance = overflow ? (amount > 0 ? .max : .min) : sum
        ledgerLines += 1
        return LedgerLine(
            account: id,
            number: ledgerLines,
            time: time,
            reason: reason,
            amount: balance.subtractingReportingOverflow(before).partialValue,
            balance: balance,
            message: message,
            receiver: receiver,
            note: note
        )
    }
}
