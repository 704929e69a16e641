import ClientWire
import MessagingCore
import SessionCore
import Store

/// What a conversation costs: booked when it is asked for, given back when it does not come about.
extension SessionTurn {
    /// Books a price that may have to be given back.
    /// - Throws: ``Refusal`` `no-credit`.
    func reserve(_ price: Int64, for id: MessageID, _ reason: LedgerLine.Reason, _ account: AccountID) throws {
        guard price > 0, var part = try work.part(account, self.id) else { return }
        try charge(price, reason, account, about: id)
        part.prices[id] = price
        try work.put(part, account)
    }

    private func charge(_ price: Int64, _ reason: LedgerLine.Reason, _ account: AccountID, about id: MessageID) throws {
        var user = try work.user(account)
        guard user.account.balance >= price else {
            throw Refusal(.noCredit, "it costs \(price) and the balance is \(user.account.balance)")
        }
        try work.transaction.apply(.ledger(user.account.book(reason, -price, at: now, message: id)))
        work.put(user)
    }

    /// What was reserved is owed now.
    func spend(_ id: MessageID, _ account: AccountID) throws {
        guard var part = try work.part(account, self.id), part.prices.removeValue(forKey: id) != nil else { return }
        try work.put(part, account)
    }

    /// What was reserved for a text is owed now, for those it went to: somebody may have come or gone since it was said.
    func spend(_ id: MessageID, for envelope: Envelope, _ account: AccountID) throws {
        guard var part = try work.part(account, self.id) else { return }
        let reserved = part.prices.removeValue(forKey: id) ?? 0
        try work.put(part, account)
        let price = service.settingsInForce.tariff.price(bytes: envelope.bytes) * Int64(envelope.to.count)
        if price < reserved { return try refund(reserved - price, account, about: id) }
        // It has its place: whoever cannot pay all of it pays what there is.
        let extra = try min(price - reserved, work.user(account).account.balance)
        if extra > 0 { try charge(extra, .message, account, about: id) }
    }

    /// What was reserved is given back.
    func giveBack(_ id: MessageID, _ account: AccountID) throws {
        guard var part = try work.part(account, self.id), let price = part.prices.removeValue(forKey: id) else {
            return
        }
        try work.put(part, account)
        try refund(price, account, about: id)
    }

    /// The session is over: whatever still waited did not come about.
    func giveBackAll(_ account: AccountID) throws {
        guard let part = try work.part(account, id) else { return }
        for id in part.prices.keys.sorted(by: { $0.description < $1.description }) { try giveBack(id, account) }
    }

    private func refund(_ price: Int64, _ account: AccountID, about id: MessageID) throws {
        var user = try work.user(account)
        try work.transaction.apply(.ledger(user.account.book(.refund, price, at: now, message: id)))
        work.put(user)
    }

    /// Books what asking a user costs; the owner keeps the price until that user has answered.
    func chargeRequest(_ address: Address, _ host: inout HostSide, _ account: AccountID) throws {
        let price = service.settingsInForce.tariff.perRequest
        guard price > 0 else { return }
        try charge(price, .request, account, about: MessageID(stored: id.description))
        host.prices[address] = price
    }

    /// Gives back what asking users cost who did not come; for those who did it is spent.
    func refund(_ host: inout HostSide, _ before: [Address: HostedSession.Seat], _ account: AccountID) throws {
        guard !host.prices.isEmpty else { return }
        for (address, seat) in host.machine.seats where before[address] != seat {
            switch seat {
            case .called: continue
            case .present: host.prices[address] = nil
            case .gone:
                guard let price = host.prices.removeValue(forKey: address) else { continue }
                try refund(price, account, about: MessageID(stored: id.description))
            }
        }
    }

    /// What became of one's own change of the media.
    func settle(_ message: FromOwner, _ account: AccountID) throws {
        switch message {
        case .settled(let id, .done): try spend(id, account)
        case .settled(let id, _), .refused(let id, _): try giveBack(id, account)
        case .cancelled, .admitted, .participants, .text, .asked, .media, .ended: break
        }
    }
}
