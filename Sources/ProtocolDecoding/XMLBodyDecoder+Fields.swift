internal import CPIM
internal import XMLBodies

extension XMLBodyDecoder {
    static func fields(of document: IMDNDocument) -> [JSONValue.Member] {
        [
            .init("message_id", .string(document.messageID)),
            .init("datetime", .optional(document.dateTime)),
            .init("recipient_uri", .optional(document.recipientURI)),
            .init("original_recipient_uri", .optional(document.originalRecipientURI)),
            .init("notification", .optional(document.notification?.elementName)),
            .init("status", .optional(document.notification?.status.rawValue)),
        ]
    }

    static func fields(of document: IsComposingDocument) -> [JSONValue.Member] {
        let timeout = ComposingReceiver<ContinuousClock.Instant>.timeoutSeconds(of: document)
        return [
            .init("state", .string(document.state.rawValue)),
            .init("content_type", .optional(document.composedType)),
            .init("last_active", .optional(document.lastActive)),
            .init("refresh", .optional(document.refreshSeconds)),
            .init("receiver_timeout_s", .optional(timeout)),
        ]
    }

    static func fields(of document: RegistrationInfo) -> [JSONValue.Member] {
        let contacts = document.registrations.flatMap(\.contacts)
        let registrations = document.registrations.map { registration in
            JSONValue.object([
                .init("aor", .string(registration.addressOfRecord)),
                .init("state", .string(registration.state.rawValue)),
                .init("contacts", .array(registration.contacts.map(Self.object))),
            ])
        }
        return [
            .init("version", .optional(document.version)),
            .init("state", .string(document.state.rawValue)),
            .init("registrations", .array(registrations)),
            .init("active_contacts", .count(contacts.count { $0.isActive })),
            .init("terminated_contacts", .count(contacts.count { !$0.isActive })),
        ]
    }

    private static func object(_ contact: RegistrationInfo.Contact) -> JSONValue {
        .object([
            .init("state", .string(contact.isActive ? "active" : "terminated")),
            .init("event", .string(contact.event.rawValue)),
            .init("uri", .string(contact.uri)),
            .init("pub_gruu", .optional(contact.publicGRUU)),
            .init("temp_gruu", .optional(contact.temporaryGRUU?.uri)),
        ])
    }

    static func fields(of document: DialogInfo) -> [JSONValue.Member] {
        let dialogs = document.dialogs.map { dialog in
            JSONValue.object([
                .init("id", .string(dialog.id)),
                .init("state", .string(dialog.state.rawValue)),
                .init("call_id", .optional(dialog.callID)),
                .init("direction", .optional(dialog.direction)),
            ])
        }
        return [
            .init("version", .optional(document.version)),
            .init("state", .string(document.state.rawValue)),
            .init("entity", .optional(document.entity)),
            .init("dialogs", .array(dialogs)),
        ]
    }

    static func fields(of document: ConferenceInfo) -> [JSONValue.Member] {
        let users = document.allUsers
        let endpoints = users.flatMap(\.endpoints)
        let removed = users.filter { $0.state == .deleted }.compactMap(\.entity)
        return [
            .init("version", .optional(document.version)),
            .init("state", .string(document.state.rawValue)),
            .init("entity", .string(document.entity)),
            .init("users", .array(users.map { .optional($0.entity) })),
            .init("removed_users", .strings(removed)),
            .init("endpoints", .count(endpoints.count)),
            .init("media", .count(endpoints.flatMap(\.media).count)),
        ]
    }

    static func fields(of document: FileTransferInfo) -> [JSONValue.Member] {
        let files = document.files.map { file in
            JSONValue.object([
                .init("type", .string(file.kind.rawValue)),
                .init("size", .optional(file.size)),
                .init("name", .optional(file.name)),
                .init("content_type", .string(file.contentType)),
                .init("url", .string(file.url)),
                .init("until", .optional(file.until)),
            ])
        }
        return [.init("files", .array(files))]
    }

    /// A presence document (RFC 3863), read without a type of its own.
    static func presenceFields(_ root: BodyElement) -> [JSONValue.Member] {
        let tuples = root.all("tuple").map { tuple in
            JSONValue.object([
                .init("id", .optional(tuple.attribute("id"))),
                .init("basic", .optional(tuple.first("status")?.first("basic")?.token)),
            ])
        }
        return Self.commonFields(root) + [.init("tuples", .array(tuples))]
    }

    /// A list of watchers (RFC 3858), read without a type of its own.
    static func watcherFields(_ root: BodyElement) -> [JSONValue.Member] {
        let watchers = root.descendants("watcher").map { watcher in
            JSONValue.object([
                .init("id", .optional(watcher.attribute("id"))),
                .init("status", .optional(watcher.attribute("status"))),
                .init("event", .optional(watcher.attribute("event"))),
                .init("uri", .string(watcher.token)),
            ])
        }
        return Self.commonFields(root) + [.init("watchers", .array(watchers))]
    }

    /// What the documents of event packages have in common.
    static func commonFields(_ root: BodyElement) -> [JSONValue.Member] {
        var fields: [JSONValue.Member] = []
        if let version = root.attribute("version").flatMap(UInt64.init) {
            fields.append(.init("version", .optional(version)))
        }
        for name in ["state", "entity"] {
            if let value = root.attribute(name) { fields.append(.init(name, .string(value))) }
        }
        return fields
    }
}
