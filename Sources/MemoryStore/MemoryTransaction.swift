import MessagingCore
import Store

/// One job's changes, on a copy of its own.
final class MemoryTransaction: MemoryView, WriteTransaction {
    private var failure: (any Error)?

    /// What the job comes to, whatever it did with the errors of its changes.
    var outcome: Result<Void, any Error> { failure.map { .failure($0) } ?? .success(()) }

    func nextAccountID() -> AccountID {
        rows.lastAccount += 1
        return AccountID(rawValue: rows.lastAccount)
    }

    func nextContentID() -> ContentID {
        rows.lastContent += 1
        return ContentID(rawValue: rows.lastContent)
    }

    func claim(lane: String, node: String, now: Timestamp, leaseMilliseconds: Int64) -> Claim? {
        let current = rows.leases[lane]
        if let current, current.node != node, current.until > now { return nil }
        let fence = (current?.fence ?? 0) + (current?.node == node ? 0 : 1)
        let until = now.advanced(by: leaseMilliseconds)
        rows.leases[lane] = MemoryRows.Lease(node: node, fence: fence, until: until)
        return Claim(lane: lane, fence: fence, until: until)
    }

    func holds(_ claim: Claim) -> Bool { rows.leases[claim.lane]?.fence == claim.fence }

    func apply(_ change: Change) throws {
        if let failure { throw failure }
        do {
            switch change {
            case .account, .preferences, .credential, .device, .deviceProgress, .removeDevice, .token,
                .sipCredential, .ledger, .setting:
                try applyToAccounts(change)
            case .item, .content, .removeContent, .key, .removeKeys, .trim, .index, .unindex:
                try applyToMailboxes(change)
            case .enqueue, .postpone, .dequeue, .removeClaims: applyToOutbox(change)
            case .upload, .removeUpload, .blob, .refer, .removeBlob: applyToBlobs(change)
            case .session, .removeSession, .sessionText: try applyToSessions(change)
            }
        } catch {
            failure = error
            throw error
        }
    }

    private func applyToAccounts(_ change: Change) throws {
        switch change {
        case .account(let account): try write(account)
        case .preferences(let account, let preferences): write(preferences, of: account)
        case .credential(let account, let credential):
            if rows.accounts[account] != nil { rows.credentials[account] = credential }
        case .device(let account, let device): rows.devices[account, default: [:]][device.id] = device
        case .deviceProgress(let account, let progress):
            guard var device = rows.devices[account]?[progress.id] else { return }
            device.cursor = progress.cursor
            device.leaseEnds = progress.leaseEnds
            device.lastSeen = progress.lastSeen
            rows.devices[account]?[progress.id] = device
        case .removeDevice(let account, let device):
            rows.devices[account]?[device] = nil
            let identity = DeviceIdentity(account: account, device: device)
            rows.tokens = rows.tokens.filter { $0.value != identity }
            rows.sipCredentials = rows.sipCredentials.filter { $0.value.identity != identity }
        case .token(let hash, let identity): rows.tokens[hash] = identity
        case .sipCredential(let credential):
            rows.sipCredentials = rows.sipCredentials.filter { $0.value.identity != credential.identity }
            rows.sipCredentials[credential.user] = credential
        case .ledger(let line):
            guard rows.ledger[line.account]?[line.number] == nil else {
                throw StoreError(.conflict, "the ledger has a line of that number")
            }
            rows.ledger[line.account, default: [:]][line.number] = line
        case .setting(let name, let value): rows.settings[name] = value
        default: break
        }
    }

    private func write(_ account: Account) throws {
        for address in account.addresses {
            if let holder = rows.holders[address], holder != account.id {
                throw StoreError(.conflict, "another account holds the address")
            }
        }
        for address in rows.accounts[account.id]?.addresses ?? [] { rows.holders[address] = nil }
        for address in account.addresses { rows.holders[address] = account.id }
        rows.accounts[account.id] = account
    }

    private func write(_ preferences: Preferences, of account: AccountID) {
        guard rows.accounts[account] != nil else { return }
        let current = preferences.rules.revision
        rows.preferences[account] = preferences
        let named = Set((rows.devices[account] ?? [:]).values.map(\.rulesRevision))
        var books = rows.rules[account] ?? [:]
        books[current] = preferences.rules
        rows.rules[account] = books.filter { revision, _ in
            Int64(revision) > Int64(current) - Int64(StoreLimits.ruleRevisions) || named.contains(revision)
        }
    }

    private func applyToMailboxes(_ change: Change) throws {
        switch change {
        case .item(let item): try write(item)
        case .content(var content):
            if let stored = rows.contents[content.id] {
                content.message = stored.message
                content.time = stored.time
            }
            rows.contents[content.id] = content
        case .removeContent(let id): rows.contents[id] = nil
        case .key(let account, let message, let key):
            rows.keys[MemoryRows.KeyID(account: account, message: message)] = key
        case .removeKeys(let time): rows.keys = rows.keys.filter { $0.value.time >= time }
        case .trim(let account, let number):
            for item in (rows.mailboxes[account]?.items ?? [:]).values where item.isTombstone && item.changed <= number
            {
                rows.mailboxes[account]?.items[item.created] = nil
                rows.mailboxes[account]?.changed[item.changed] = nil
            }
        case .index(let id, let accounts, let text): rows.index[id] = IndexedText(accounts: accounts, text: text)
        case .unindex(let id, _, _): rows.index[id] = nil
        default: break
        }
    }

    private func write(_ item: Item) throws {
        var mailbox = rows.mailboxes[item.account] ?? MemoryRows.Mailbox()
        if let other = mailbox.changed[item.changed], other != item.created {
            throw StoreError(.conflict, "another item of the account has that number of change")
        }
        var item = item
        if let stored = mailbox.items[item.created] {
            mailbox.changed[stored.changed] = nil
            item.kind = stored.kind
            item.object = stored.object
        }
        mailbox.items[item.created] = item
        mailbox.changed[item.changed] = item.created
        rows.mailboxes[item.account] = mailbox
    }

    private func applyToOutbox(_ change: Change) {
        switch change {
        case .enqueue(let entry, let due):
            rows.lastEntry += 1
            rows.outbox[rows.lastEntry] = QueuedEntry(id: rows.lastEntry, entry: entry, attempts: 0, due: due)
        case .postpone(let id, let attempts, let due):
            rows.outbox[id]?.attempts = attempts
            rows.outbox[id]?.due = due
        case .dequeue(let id): rows.outbox[id] = nil
        case .removeClaims(let time):
            let busy = Set(rows.outbox.values.map(\.entry.lane))
            rows.leases = rows.leases.filter { $0.value.until >= time || busy.contains($0.key) }
        default: break
        }
    }

    private func applyToSessions(_ change: Change) throws {
        switch change {
        case .session(let record):
            let key = SessionKey(account: record.account, session: record.session, role: record.role)
            rows.sessions[key] = record
        case .removeSession(let account, let session, let role):
            let key = SessionKey(account: account, session: session, role: role)
            rows.sessions[key] = nil
            rows.texts[key] = nil
        case .sessionText(let account, let session, let text):
            let key = SessionKey(account: account, session: session, role: .participant)
            guard rows.sessions[key] != nil else {
                throw StoreError(.missing, "a text of a session that is not there")
            }
            guard rows.texts[key]?[text.ordinal] == nil else {
                throw StoreError(.conflict, "the ordinal is taken")
            }
            rows.texts[key, default: [:]][text.ordinal] = text.created
        default: break
        }
    }

    private func applyToBlobs(_ change: Change) {
        switch change {
        case .upload(let upload): rows.uploads[upload.id] = upload
        case .removeUpload(let id): rows.uploads[id] = nil
        case .blob(let hash, let bytes):
            let fresh = BlobRecord(hash: hash, bytes: bytes, references: 0, dyingSince: nil)
            rows.blobs[hash, default: fresh].dyingSince = nil
        case .refer(let hash, let count, let time):
            guard var blob = rows.blobs[hash] else { return }
            blob.references += count
            blob.dyingSince = blob.references > 0 ? nil : time
            rows.blobs[hash] = blob
        case .removeBlob(let hash): rows.blobs[hash] = nil
        default: break
        }
    }
}
