public import ClientWire
public import MessagingCore
import NIOHTTP1

extension ContinuoClient {
    // MARK: Account

    /// The account of this device.
    public func account() async throws -> AccountDocument {
        try await http.get("/v1/account", as: AccountDocument.self)
    }

    /// Changes the password; other devices keep their tokens.
    public func changePassword(old: String, new: String) async throws {
        _ = try await http.call(.PUT, "/v1/account/password", try StrictJSON.encode(PasswordChange(old: old, new: new)))
    }

    /// A page of the ledger, newest first.
    public func ledger(before: Int64? = nil, limit: Int? = nil) async throws -> LedgerPage {
        var query = Query()
        query.add(before: before, limit: limit)
        return try await http.get("/v1/account/ledger\(query)", as: LedgerPage.self)
    }

    /// The user's switches.
    public func settings() async throws -> AccountSettings {
        try await http.get("/v1/settings", as: AccountSettings.self)
    }

    /// Replaces the user's switches.
    public func putSettings(_ settings: AccountSettings) async throws -> AccountSettings {
        try await http.send(.PUT, "/v1/settings", settings, as: AccountSettings.self)
    }

    // MARK: Devices

    /// Makes a device for a SIP phone; its password is in this answer only.
    public func addPhone(_ request: PhoneRequest) async throws -> PhoneAnswer {
        try await http.send(.POST, "/v1/phones", request, as: PhoneAnswer.self)
    }

    /// The account's devices.
    public func devices() async throws -> [DeviceStatus] {
        try await http.get("/v1/devices", as: DeviceList.self).devices
    }

    /// Changes a device: name, kind, capabilities, availability.
    public func changeDevice(_ id: DeviceID, _ change: DeviceChange) async throws -> DeviceDocument {
        try await http.send(.PATCH, "/v1/devices/\(id.rawValue)", change, as: DeviceDocument.self)
    }

    /// Revokes a device: its token ends at once.
    public func revokeDevice(_ id: DeviceID) async throws { try await http.call(.DELETE, "/v1/devices/\(id.rawValue)") }

    // MARK: Preferences

    /// Whether the person wants to be disturbed.
    public func availability() async throws -> Availability {
        try await http.get("/v1/availability", as: Availability.self)
    }

    /// Sets it, on all devices.
    public func putAvailability(_ availability: Availability) async throws -> Availability {
        try await http.send(.PUT, "/v1/availability", availability, as: Availability.self)
    }

    /// Senders that nothing is taken from.
    public func blocked() async throws -> [Address] {
        try await http.get("/v1/blocked", as: BlockedDocument.self).addresses
    }

    /// Replaces the blocked senders.
    public func putBlocked(_ addresses: [Address]) async throws -> [Address] {
        let document = BlockedDocument(addresses: addresses)
        return try await http.send(.PUT, "/v1/blocked", document, as: BlockedDocument.self).addresses
    }

    /// The rules in force, with their revision.
    public func rules() async throws -> RuleBook { try await http.get("/v1/rules", as: RuleBook.self) }

    /// Replaces the rules; `revision` is the one that was read.
    public func putRules(_ rules: RuleBook) async throws -> RuleBook {
        try await http.send(.PUT, "/v1/rules", rules, as: RuleBook.self)
    }

    /// What each device would get.
    public func tryRules(_ request: DryRunRequest) async throws -> ExplanationDocument {
        try await http.send(.POST, "/v1/rules/dry-run", request, as: ExplanationDocument.self)
    }

    // MARK: Contacts

    /// A page of contacts, newest first.
    public func contacts(before: ChangeNumber? = nil, limit: Int? = nil) async throws -> ContactPage {
        var query = Query()
        query.add(before: before, limit: limit)
        return try await http.get("/v1/contacts\(query)", as: ContactPage.self)
    }

    /// Adds or replaces a contact.
    public func putContact(_ contact: Contact) async throws -> Contact {
        try await http.send(.PUT, "/v1/contacts/\(escaped(contact.id.description))", contact, as: Contact.self)
    }

    /// Removes a contact.
    public func deleteContact(_ id: MessageID) async throws {
        try await http.call(.DELETE, "/v1/contacts/\(escaped(id.description))")
    }

    // MARK: Personal area

    /// A page of the personal area, newest first.
    public func files(before: ChangeNumber? = nil, limit: Int? = nil) async throws -> FilePage {
        var query = Query()
        query.add(before: before, limit: limit)
        return try await http.get("/v1/files\(query)", as: FilePage.self)
    }

    /// A complete upload becomes a file of the personal area.
    public func putFile(upload: String, name: String?) async throws -> FileDocument {
        try await http.send(.POST, "/v1/files", FileRequest(upload: upload, name: name), as: FileDocument.self)
    }

    /// Removes a file from the personal area.
    public func deleteFile(_ id: String) async throws { try await http.call(.DELETE, "/v1/files/\(escaped(id))") }
}
