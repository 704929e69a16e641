/// Keeping what is known up to date with the documents of a subscription.
///
/// ``DocumentVersions`` tells which documents to apply; the order of what is known stays, what is new comes last.
extension RegistrationInfo {
    /// Takes a document (RFC 3680 section 5.1): a full one replaces what is known, a partial one changes the
    /// registrations and contacts it names; what is terminated is forgotten.
    public mutating func apply(_ document: RegistrationInfo) {
        if document.state == .full {
            self.registrations = document.registrations
        } else {
            self.registrations = self.registrations.merged(document.registrations, by: \.id) { known, change in
                var merged = change
                merged.contacts = known.contacts.merged(change.contacts, by: \.id)
                return merged
            }
        }
        self.version = document.version
        self.state = .full
        self.registrations.removeAll { $0.state == .terminated }
        for index in self.registrations.indices { self.registrations[index].contacts.removeAll { !$0.isActive } }
    }
}

extension DialogInfo {
    /// Takes a document (RFC 4235 section 4.3): a full one replaces what is known, a partial one changes the dialogs
    /// it names; what is terminated is forgotten.
    public mutating func apply(_ document: DialogInfo) {
        self.dialogs =
            document.state == .full
            ? document.dialogs : self.dialogs.merged(document.dialogs, by: \.id)
        self.dialogs.removeAll { $0.state == .terminated }
        self.version = document.version
        self.entity = document.entity ?? self.entity
        self.state = .full
    }
}

extension ConferenceInfo {
    /// Takes a document (RFC 4575 section 4.6): a full one replaces what is known, a partial one changes the parts,
    /// users, endpoints, media and sidebars it names; what is deleted is forgotten.
    public mutating func apply(_ document: ConferenceInfo) {
        if document.state == .full {
            self = document
        } else {
            self.description = document.description ?? self.description
            self.host = document.host ?? self.host
            self.status = document.status ?? self.status
            if let change = document.users {
                let before = change.state == .full ? [] : self.users?.users ?? []
                self.users = Users(users: before.merged(change.users, by: \.entity, User.applying))
            }
            if !document.sidebarReferences.isEmpty { self.sidebarReferences = document.sidebarReferences }
            self.sidebars = self.sidebars.merged(document.sidebars, by: \.entity) { known, change in
                guard change.state == .partial else { return change }
                var known = known
                known.apply(change)
                return known
            }
            self.version = document.version ?? self.version
        }
        self.forget()
    }

    /// Removes what is deleted; what stays is all there is.
    private mutating func forget() {
        self.state = .full
        self.sidebars.removeAll { $0.state == .deleted }
        guard var users = self.users?.users else { return }
        users.removeAll { $0.state == .deleted }
        for index in users.indices {
            users[index].state = .full
            users[index].endpoints.removeAll { $0.state == .deleted }
            for place in users[index].endpoints.indices { users[index].endpoints[place].state = .full }
        }
        self.users = Users(users: users)
    }
}

extension ConferenceInfo.User {
    fileprivate static func applying(_ known: Self, _ change: Self) -> Self {
        guard change.state == .partial else { return change }
        var merged = change
        merged.displayText = change.displayText ?? known.displayText
        merged.languages = change.languages ?? known.languages
        if change.associatedAddresses.isEmpty { merged.associatedAddresses = known.associatedAddresses }
        if change.roles.isEmpty { merged.roles = known.roles }
        merged.endpoints = known.endpoints.merged(
            change.endpoints,
            by: \.entity,
            ConferenceInfo.Endpoint.applying
        )
        return merged
    }
}

extension ConferenceInfo.Endpoint {
    fileprivate static func applying(_ known: Self, _ change: Self) -> Self {
        guard change.state == .partial else { return change }
        var merged = change
        merged.displayText = change.displayText ?? known.displayText
        merged.referred = change.referred ?? known.referred
        merged.status = change.status ?? known.status
        merged.joiningMethod = change.joiningMethod ?? known.joiningMethod
        merged.joining = change.joining ?? known.joining
        merged.disconnectionMethod = change.disconnectionMethod ?? known.disconnectionMethod
        merged.disconnection = change.disconnection ?? known.disconnection
        merged.dialog = change.dialog ?? known.dialog
        merged.media = known.media.merged(change.media, by: \.id)
        return merged
    }
}

extension Array {
    /// These with changes put in place of those with the same key, or after all.
    fileprivate func merged(
        _ changes: [Element],
        by key: (Element) -> some Hashable,
        _ combine: (_ known: Element, _ change: Element) -> Element = { _, change in change }
    ) -> [Element] {
        var result = self
        var places = Dictionary(zip(self.map(key), self.indices)) { first, _ in first }
        for change in changes {
            if let place = places[key(change)] {
                result[place] = combine(result[place], change)
            } else {
                places[key(change)] = result.count
                result.append(change)
            }
        }
        return result
    }
}
