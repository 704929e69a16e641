public import ClientWire
public import MessagingCore
public import Store

extension MessagingService {
    /// The user's rules in force.
    public func rules(_ who: DeviceIdentity) async throws -> RuleBook {
        try await user(who.account).preferences.rules
    }

    /// Replaces the rules; `revision` must be the one that was read.
    /// - Throws: ``Refusal`` `invalid-rules`, or `conflict` when another device was faster.
    public func putRules(_ who: DeviceIdentity, _ book: RuleBook) async throws -> RuleBook {
        try book.validate()
        return try await change(who, .rules, "rules") { user in
            guard user.preferences.rules.revision == book.revision else {
                throw Refusal(
                    .conflict,
                    "the rules were changed meanwhile: they are at revision "
                        + "\(user.preferences.rules.revision)"
                )
            }
            user.preferences.rules = book
            user.preferences.rules.revision += 1
            return user.preferences.rules
        }
    }

    /// Whether the person wants to be disturbed.
    public func availability(_ who: DeviceIdentity) async throws -> Availability {
        try await user(who.account).preferences.availability
    }

    /// Sets it, on all devices.
    public func putAvailability(_ who: DeviceIdentity, _ value: Availability) async throws -> Availability {
        try await change(who, .availability, "availability") { user in
            user.preferences.availability = value
            return value
        }
    }

    /// Senders that nothing is taken from.
    public func blocked(_ who: DeviceIdentity) async throws -> BlockedDocument {
        BlockedDocument(addresses: try await user(who.account).preferences.blocked.sorted())
    }

    /// Replaces the list of blocked senders.
    public func putBlocked(_ who: DeviceIdentity, _ value: BlockedDocument) async throws -> BlockedDocument {
        guard value.addresses.count <= Limits.blockedPerAccount else {
            throw Refusal(.tooMany, "at most \(Limits.blockedPerAccount) blocked senders")
        }
        return try await change(who, .blocked, "blocked") { user in
            user.preferences.blocked = Set(value.addresses)
            return BlockedDocument(addresses: user.preferences.blocked.sorted())
        }
    }

    /// The user's switches.
    public func settings(_ who: DeviceIdentity) async throws -> AccountSettings {
        try await user(who.account).account.settings
    }

    /// Replaces them.
    public func putSettings(_ who: DeviceIdentity, _ settings: AccountSettings) async throws -> AccountSettings {
        guard settings.muted.count <= Limits.contactsPerAccount else {
            throw Refusal(.tooMany, "at most \(Limits.contactsPerAccount) muted conversations")
        }
        return try await change(who, .settings, "settings") { user in
            user.account.settings = settings
            return settings
        }
    }

    /// Changes a user's preferences and the item that tells the devices of it.
    private func change<T: Codable & Sendable>(
        _ who: DeviceIdentity,
        _ kind: ItemKind,
        _ object: String,
        _ body: @escaping @Sendable (inout UserState) throws -> T
    ) async throws -> T {
        try await perform { work in
            var user = try work.user(who.account)
            let before = user.preferences
            let value = try body(&user)
            if user.preferences != before {
                try work.transaction.apply(.preferences(who.account, user.preferences))
            }
            try work.putDocument(&user, kind, object, value)
            work.put(user)
            return value
        }
    }

    // MARK: Contacts

    /// A page of contacts, newest first.
    public func contacts(_ who: DeviceIdentity, before: ChangeNumber?, limit: Int) async throws -> ContactPage {
        let limit = Self.bounded(limit)
        let items = try await read {
            try $0.list(who.account, Listing(kinds: [.contact], before: before ?? .max, limit: limit))
        }
        let contacts = try items.compactMap { item -> Contact? in
            guard case .document(let bytes) = item.body else { return nil }
            return try Documents.decode(Contact.self, bytes)
        }
        return ContactPage(contacts: contacts, next: items.count == limit ? items.last?.created : nil)
    }

    /// Adds or replaces a contact; its lists can be used in rules at once.
    public func putContact(_ who: DeviceIdentity, _ contact: Contact) async throws -> Contact {
        try Self.check(label: contact.name)
        guard contact.addresses.count <= Limits.addressesPerAccount,
            contact.lists.count <= Limits.contactListsPerAccount,
            contact.lists.allSatisfy({ (1...Limits.labelBytes).contains($0.utf8.count) }),
            (contact.note?.utf8.count ?? 0) <= Limits.subjectBytes
        else { throw Refusal(.invalidRequest, "too many addresses or lists, or too long a note") }
        return try await perform { work in
            var user = try work.user(who.account)
            let object = contact.id.description
            let old = try work.transaction.item(who.account, kind: .contact, object: object)
            if old?.isTombstone ?? true {
                guard try work.transaction.count(who.account, .contact) < Limits.contactsPerAccount else {
                    throw Refusal(.tooMany, "at most \(Limits.contactsPerAccount) contacts")
                }
            }
            try self.relist(work, &user, removing: old, adding: contact)
            guard user.preferences.lists.count <= Limits.contactListsPerAccount,
                user.preferences.lists.values.allSatisfy({ $0.count <= Limits.membersPerList })
            else {
                throw Refusal(
                    .tooMany,
                    "at most \(Limits.contactListsPerAccount) lists of \(Limits.membersPerList) members"
                )
            }
            guard user.preferences.listedBytes <= Limits.listedBytesPerAccount else {
                throw Refusal(.tooMany, "the lists hold more than \(Limits.listedBytesPerAccount) bytes of addresses")
            }
            try work.transaction.apply(.preferences(who.account, user.preferences))
            try work.putDocument(&user, .contact, object, contact)
            work.put(user)
            return contact
        }
    }

    /// Removes a contact.
    public func deleteContact(_ who: DeviceIdentity, _ id: MessageID) async throws {
        try await perform { work in
            var user = try work.user(who.account)
            let old = try work.transaction.item(who.account, kind: .contact, object: id.description)
            guard try work.removeDocument(&user, .contact, id.description) else {
                throw Refusal(.notFound, "no such contact")
            }
            try self.relist(work, &user, removing: old, adding: nil)
            try work.transaction.apply(.preferences(who.account, user.preferences))
            work.put(user)
        }
    }

    /// Keeps the lists that rules speak of in step with the contacts.
    private func relist(
        _ work: Work,
        _ user: inout UserState,
        removing old: Item?,
        adding contact: Contact?
    ) throws {
        func add(_ contact: Contact, to lists: Set<String>) {
            for list in lists.intersection(contact.lists) {
                user.preferences.lists[list, default: []].formUnion(contact.addresses)
            }
        }
        if case .document(let bytes) = old?.body {
            let previous = try Documents.decode(Contact.self, bytes)
            let left = Set(previous.lists)
            for list in left {
                user.preferences.lists[list]?.subtract(previous.addresses)
                if user.preferences.lists[list]?.isEmpty ?? false { user.preferences.lists[list] = nil }
            }
            // Other contacts may have brought the same addresses to these lists.
            for item in left.isEmpty ? [] : try contactItems(work, user.account.id) where item.object != old?.object {
                guard case .document(let bytes) = item.body else { continue }
                add(try Documents.decode(Contact.self, bytes), to: left)
            }
        }
        if let contact { add(contact, to: Set(contact.lists)) }
    }

    private func contactItems(_ work: Work, _ account: AccountID) throws -> [Item] {
        try work.transaction.list(account, Listing(kinds: [.contact], limit: Limits.contactsPerAccount))
    }

    /// A page's size within bounds.
    static func bounded(_ limit: Int) -> Int { min(max(limit, 1), Limits.pageItems) }
}
