public import ClientWire
public import MessagingCore
public import Store
import Synchronization

extension MessagingService {
    /// The version that the server tells.
    public static let version = "0.1.0"

    /// Makes an account.
    /// - Throws: ``Refusal`` `conflict` when somebody has one of the addresses, `invalid-request`.
    public func createAccount(_ request: AccountRequest) async throws -> AccountDocument {
        try Self.check(label: request.name)
        try PasswordHasher.check(request.password)
        try check(addresses: request.addresses)
        guard (request.balance ?? 0).magnitude <= Account.largestBalance.magnitude else {
            throw Refusal(.invalidRequest, "balance: at most \(Account.largestBalance)")
        }
        let credential = try await hashing.run(0) { [passwords] in try passwords.hash(request.password) }
        let settings = settingsInForce
        return try await perform { work in
            for address in request.addresses where try work.account(holding: address) != nil {
                throw Refusal(.conflict, "\(address) is taken")
            }
            var account = Account(
                id: try work.transaction.nextAccountID(),
                name: request.name,
                addresses: request.addresses,
                entitlement: request.entitlement ?? settings.entitlement,
                epoch: .fresh(),
                balance: 0
            )
            let line = account.book(
                .credit,
                request.balance ?? settings.initialBalance,
                at: work.now,
                note: "opening balance"
            )
            try work.transaction.apply(.account(account))
            try work.transaction.apply(.credential(account.id, credential))
            try work.transaction.apply(.preferences(account.id, Preferences()))
            try work.transaction.apply(.ledger(line))
            return AccountDocument(account)
        }
    }

    /// A page of accounts, in order of number.
    public func accounts(after: AccountID?, limit: Int) async throws -> AccountPage {
        let limit = Self.bounded(limit)
        let accounts = try await read { try $0.accounts(after: after ?? AccountID(rawValue: 0), limit: limit) }
        return AccountPage(
            accounts: accounts.map(AccountDocument.init),
            next: accounts.count == limit ? accounts.last?.id : nil
        )
    }

    /// An account by number or by any of its addresses.
    /// - Throws: ``Refusal`` `not-found`.
    public func findAccount(_ idOrAddress: String) async throws -> AccountDocument {
        if let number = Int64(idOrAddress) {
            return AccountDocument(try await user(AccountID(rawValue: number)).account)
        }
        let address = try Address(idOrAddress)
        guard let id = try await read({ try $0.account(holding: address) }) else {
            throw Refusal(.notFound, "no such account")
        }
        return AccountDocument(try await user(id).account)
    }

    /// The account of the asking device.
    public func account(_ who: DeviceIdentity) async throws -> AccountDocument {
        AccountDocument(try await user(who.account).account)
    }

    /// Changes an account; suspending it ends its devices' sockets and refuses their tokens until it is lifted.
    public func changeAccount(_ id: AccountID, _ change: AccountChange) async throws -> AccountDocument {
        if let name = change.name { try Self.check(label: name) }
        if let addresses = change.addresses { try check(addresses: addresses) }
        var credential: Credential?
        if let password = change.password {
            try PasswordHasher.check(password)
            credential = try await hashing.run(0) { [passwords] in try passwords.hash(password) }
        }
        let document = try await perform { [credential] work in
            var user = try work.user(id)
            if let name = change.name { user.account.name = name }
            if let suspended = change.suspended { user.account.suspended = suspended }
            if let entitlement = change.entitlement { user.account.entitlement = entitlement }
            if let addresses = change.addresses {
                for address in addresses {
                    guard let holder = try work.account(holding: address), holder != id else { continue }
                    throw Refusal(.conflict, "\(address) is taken")
                }
                for address in user.account.addresses where !addresses.contains(address) {
                    self.users.forget(address)
                }
                user.account.addresses = addresses
            }
            if let credential { try work.transaction.apply(.credential(id, credential)) }
            let document = AccountDocument(user.account)
            try work.putDocument(&user, .account, "account", document)
            work.put(user)
            return document
        }
        if change.suspended == true {
            tokens.forget(id, nil)
            hub.suspend(id)
        }
        return document
    }

    /// Books a movement of credit by hand.
    public func credit(_ id: AccountID, _ request: CreditRequest) async throws -> AccountDocument {
        guard (request.note?.utf8.count ?? 0) <= Limits.subjectBytes else {
            throw Refusal(.tooLarge, "note: at most \(Limits.subjectBytes) bytes")
        }
        return try await perform { work in
            var user = try work.user(id)
            let (balance, overflow) = user.account.balance.addingReportingOverflow(request.amount)
            guard !overflow, balance.magnitude <= Account.largestBalance.magnitude else {
                throw Refusal(.invalidRequest, "amount: a balance is at most \(Account.largestBalance)")
            }
            let line = user.account.book(.credit, request.amount, at: work.now, note: request.note)
            try work.transaction.apply(.ledger(line))
            work.put(user)
            return AccountDocument(user.account)
        }
    }

    /// Changes the password by knowing the old one.
    /// - Throws: ``Refusal`` `unauthenticated` when the old one is wrong.
    public func changePassword(_ who: DeviceIdentity, _ change: PasswordChange) async throws {
        try PasswordHasher.check(change.new)
        let stored = try await read { try $0.credential(who.account) }
        let credential = try await hashing.run(0) { [passwords] in
            guard try passwords.verify(change.old, stored) else {
                throw Refusal(.unauthenticated, "the old password is wrong")
            }
            return try passwords.hash(change.new)
        }
        try await perform { work in
            guard try work.transaction.credential(who.account) == stored else {
                throw Refusal(.conflict, "the password was changed meanwhile")
            }
            try work.transaction.apply(.credential(who.account, credential))
        }
    }

    /// A page of an account's ledger, newest first.
    public func ledger(_ account: AccountID, before: Int64?, limit: Int) async throws -> LedgerPage {
        let limit = Self.bounded(limit)
        let lines = try await read { try $0.ledger(account, before: before ?? .max, limit: limit) }
        return LedgerPage(
            lines: lines.map(LedgerDocument.init),
            next: lines.count == limit ? lines.last?.number : nil
        )
    }

    /// The operator's settings.
    public func operatorSettings() async throws -> OperatorSettings { settingsInForce }

    /// Replaces them; they hold for what is decided from now on.
    public func putOperatorSettings(_ settings: OperatorSettings) async throws -> OperatorSettings {
        guard (1...Limits.retentionDays).contains(settings.retentionDays ?? 1) else {
            throw Refusal(.invalidRequest, "retentionDays: 1 to \(Limits.retentionDays), or absent")
        }
        let prices = [
            settings.tariff.perReceiver, settings.tariff.perBlock, settings.tariff.perMedium,
            settings.tariff.perRequest,
        ]
        guard prices.allSatisfy({ (0...1_000_000_000).contains($0) }) else {
            throw Refusal(.invalidRequest, "tariff: prices are 0 to 1000000000")
        }
        guard settings.initialBalance.magnitude <= Account.largestBalance.magnitude else {
            throw Refusal(.invalidRequest, "initialBalance: at most \(Account.largestBalance)")
        }
        return try await withCheckedThrowingContinuation { continuation in
            perform { work in
                try work.transaction.apply(.setting(Self.settingsName, try Documents.encode(settings)))
                return settings
            } completion: { [self] result in
                // On the writer's thread, in the order of the commits.
                if case .success = result { policy.withLock { $0 = settings } }
                continuation.resume(with: result)
            }
        }
    }

    /// What happened to a message, mailbox by mailbox and device by device.
    public func trace(_ id: MessageID) async throws -> TraceDocument {
        try await read { view in
            var mailboxes: [TraceDocument.Mailbox] = []
            var ledger: [LedgerDocument] = []
            for content in try view.contents(bearing: id, limit: 16) {
                for account in content.accounts {
                    guard let user = try view.user(account),
                        let item = try view.item(account, kind: .message, object: id.description)
                    else { continue }
                    mailboxes.append(try self.traced(view, user, item))
                    ledger += try view.ledger(account, before: .max, limit: Limits.pageItems)
                        .filter { $0.message == id }.map(LedgerDocument.init)
                }
            }
            guard !mailboxes.isEmpty else { throw Refusal(.notFound, "no such message") }
            return TraceDocument(message: id, mailboxes: mailboxes, ledger: ledger)
        }
    }

    private func traced(_ view: any ReadView, _ user: UserState, _ item: Item) throws -> TraceDocument.Mailbox {
        guard let message = item.message else {
            return TraceDocument.Mailbox(
                account: user.account.id,
                name: user.account.name,
                created: item.created,
                changed: item.changed,
                flags: ["deleted"],
                receivers: [],
                devices: []
            )
        }
        let names: [(MessageItem.Flags, String)] = [
            (.sent, "sent"), (.received, "received"), (.read, "read"), (.delivered, "delivered"),
            (.released, "released"),
        ]
        return TraceDocument.Mailbox(
            account: user.account.id,
            name: user.account.name,
            created: item.created,
            changed: item.changed,
            flags: names.filter { message.flags.contains($0.0) }.map(\.1),
            receivers: message.receivers.map(ReceiverDocument.init),
            devices: try explanations(view, user, item, message).map {
                TraceDocument.Share(decision: $0.0, acknowledged: $0.acknowledged)
            }
        )
    }

    /// Live figures.
    public func status() async throws -> StatusDocument {
        let outbox = try await read { try $0.outboxCount() }
        return StatusDocument(
            version: Self.version,
            started: started,
            connections: hub.connections.load(ordering: .relaxed),
            messages: figures.messages.load(ordering: .relaxed),
            commits: figures.commits.load(ordering: .relaxed),
            outbox: outbox,
            latency: figures.latencies
        )
    }

    /// Lanes of the outbox, those first whose oldest entry waits longest.
    public func outbox(limit: Int) async throws -> OutboxDocument {
        let limit = Self.bounded(limit)
        return try await read { view in
            OutboxDocument(
                lanes: try view.dueLanes(at: Timestamp(rawValue: .max), limit: limit).compactMap { lane in
                    let entries = try view.entries(lane: lane, limit: OutboxDocument.countedEntries)
                    return entries.first.map { first in
                        OutboxDocument.Lane(
                            lane: lane,
                            waiting: entries.count,
                            attempts: first.attempts,
                            due: first.due
                        )
                    }
                }
            )
        }
    }

    private func check(addresses: [Address]) throws(Refusal) {
        guard (1...Limits.addressesPerAccount).contains(addresses.count), Set(addresses).count == addresses.count
        else { throw Refusal(.invalidRequest, "an account has 1 to \(Limits.addressesPerAccount) different addresses") }
        for address in addresses {
            guard let domain = address.domain else { continue }
            guard configuration.domains.contains(domain) else {
                throw Refusal(
                    .invalidRequest,
                    "\(address): not of this provider's domains (\(configuration.domains.joined(separator: ", ")))"
                )
            }
        }
    }
}
