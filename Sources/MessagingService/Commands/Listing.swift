public import ClientWire
import FoundationEssentials
public import MessagingCore
public import Store

extension MessagingService {
    /// A page of messages, newest first, as the asking device would see them.
    public func messages(_ who: DeviceIdentity, _ listing: Listing) async throws -> ItemPage {
        var listing = listing
        listing.kinds = [.message]
        listing.limit = Self.bounded(listing.limit)
        return try await listed(who) { [listing] reader in
            let items = try reader.view.list(who.account, listing)
            return try self.page(reader, items, limit: listing.limit)
        }
    }

    /// One message as the asking device would see it; whole if it was decided so or fetched.
    /// - Throws: ``Refusal`` `not-found`.
    public func message(_ who: DeviceIdentity, _ id: MessageID) async throws -> ItemDocument {
        try await listed(who) { reader in
            let view = reader.view
            guard let item = try view.item(who.account, kind: .message, object: id.description), !item.isTombstone
            else { throw Refusal(.notFound, "no such message") }
            let listed = try self.document(reader, item)
            return (listed.document, listed.isDelivery ? [item.created] : [])
        }
    }

    /// Conversations by their newest message.
    public func conversations(
        _ who: DeviceIdentity,
        before: ChangeNumber?,
        limit: Int
    ) async throws -> ConversationPage {
        let limit = Self.bounded(limit)
        return try await listed(who) { reader in
            let view = reader.view
            let found = try view.conversations(who.account, before: before ?? .max, limit: limit)
            var arrived: [ChangeNumber] = []
            let entries = try found.map { summary in
                let newest = try view.item(who.account, created: summary.newest).map { try self.document(reader, $0) }
                if newest?.isDelivery ?? false { arrived.append(summary.newest) }
                return ConversationPage.Entry(
                    conversation: summary.conversation,
                    messages: summary.messages,
                    unread: summary.unread,
                    newest: newest?.document
                )
            }
            let page = ConversationPage(
                conversations: entries,
                next: found.count == limit ? found.last?.newest : nil
            )
            return (page, arrived)
        }
    }

    /// Messages whose text, subject, names or counterpart hold every word of the query, newest first.
    ///
    /// What the index has not taken in yet is looked through directly, so that a message can be found at once.
    /// - Throws: ``Refusal`` `invalid-request` for an empty query.
    public func search(
        _ who: DeviceIdentity,
        _ query: String,
        before: ChangeNumber?,
        limit: Int
    ) async throws -> ItemPage {
        let limit = Self.bounded(limit)
        let words = Self.words(of: query)
        guard !words.isEmpty else { throw Refusal(.invalidRequest, "q: give at least one word") }
        return try await listed(who) { reader in
            let view = reader.view
            var found: [Item] = []
            var seen: Set<ChangeNumber> = []
            for item in try self.unindexedMatches(view, who.account, words, before: before ?? .max)
            where seen.insert(item.created).inserted { found.append(item) }
            for item in try view.search(who.account, words: words, before: before ?? .max, limit: limit)
            where seen.insert(item.created).inserted { found.append(item) }
            found.sort { $0.created > $1.created }
            return try self.page(reader, Array(found.prefix(limit)), limit: limit)
        }
    }

    /// Reads a listing for a device; what arrives there by it is delivered.
    private func listed<T: Sendable>(
        _ who: DeviceIdentity,
        _ body: @escaping @Sendable (PageReader) throws -> (T, arrived: [ChangeNumber])
    ) async throws -> T {
        let (listing, arrived) = try await read { view in
            try body(try PageReader(service: self, view: view, identity: who))
        }
        if !arrived.isEmpty { delivered(who.account, arrived) }
        return listing
    }

    /// The newest messages that the index lacks and that match, looked through one by one.
    private func unindexedMatches(
        _ view: any ReadView,
        _ account: AccountID,
        _ words: [String],
        before: ChangeNumber
    ) throws -> [Item] {
        let indexed = try indexedUpTo(view)
        var matches: [Item] = []
        var position = before
        while true {
            let items = try view.list(
                account,
                Listing(kinds: [.message], before: position, limit: Limits.pageItems)
            )
            let fresh = items.filter { ($0.message?.content.rawValue ?? 0) > indexed.rawValue }
            let documents = try view.documents(fresh.compactMap { $0.message?.content })
            for item in fresh {
                guard let bytes = documents[item] else { continue }
                let text = Self.searchText(try Documents.decode(Envelope.self, bytes))
                if Self.matches(text, words) { matches.append(item) }
            }
            guard let last = fresh.last, fresh.count == items.count, items.count == Limits.pageItems else {
                return matches
            }
            position = last.created
        }
    }

    /// The query's words, at most so many.
    static func words(of query: String) -> [String] {
        SearchWords.of(query).prefix(16).map { String($0.prefix(64)) }
    }

    /// Every word stands in the text; the last may be the beginning of one.
    private static func matches(_ text: String, _ words: [String]) -> Bool {
        let present = SearchWords.of(text)
        return words.enumerated().allSatisfy { index, word in
            present.contains { index == words.count - 1 ? $0.hasPrefix(word) : $0 == word }
        }
    }

    /// What of a message can be searched for.
    static func searchText(_ envelope: Envelope) -> String {
        var pieces = [envelope.subject ?? "", envelope.from.description]
        pieces += envelope.to.map(\.description)
        for part in envelope.parts {
            pieces.append(part.name ?? "")
            if part.type.hasPrefix("text/") { pieces.append(part.text ?? "") }
        }
        return pieces.joined(separator: "\n")
    }

    // MARK: Explaining

    /// Why each device got what it got.
    public func explain(_ who: DeviceIdentity, _ id: MessageID) async throws -> ExplanationDocument {
        try await read { view in
            guard let item = try view.item(who.account, kind: .message, object: id.description),
                let message = item.message, let user = try view.user(who.account)
            else { throw Refusal(.notFound, "no such message") }
            return ExplanationDocument(
                devices: try self.explanations(view, user, item, message).map(\.0)
            )
        }
    }

    /// Each device's share of a message with its reason, and whether the device has acknowledged it.
    func explanations(
        _ view: any ReadView,
        _ user: UserState,
        _ item: Item,
        _ message: MessageItem
    ) throws -> [(ExplanationDocument.Entry, acknowledged: Bool)] {
        let envelope = try view.content(message.content).map { try Documents.decode(Envelope.self, $0.document) }
        let past = try view.rules(user.account.id, revision: message.decisions.revision) ?? user.preferences.rules
        return try user.devices.sorted { $0.id < $1.id }.map { device in
            let reader = try PageReader(
                service: self,
                view: view,
                identity: DeviceIdentity(account: user.account.id, device: device.id)
            )
            let decision = try reader.decision(for: item, message, document: nil)
            let isLate = message.decisions[device.id] == nil
            let book = isLate ? try view.rules(user.account.id, revision: device.rulesRevision) ?? past : past
            let facts = envelope.map { MessageFacts($0, ownAddresses: message.ownAddresses) }
            let list = message.flags.contains(.received) ? book.incoming : book.sentCopies
            let entry = ExplanationDocument.Entry(
                device: device.id,
                label: device.label,
                kind: device.kind,
                deliver: decision.deliver,
                silent: decision.silent,
                because: decision.explanation(list, facts, device)
                    + (isLate ? " (by the rules at the device's registration)" : "")
            )
            return (entry, device.cursor.number >= item.changed)
        }
    }

    /// What each device would get of a message that might come.
    public func dryRun(_ who: DeviceIdentity, _ request: DryRunRequest) async throws -> ExplanationDocument {
        try request.rules?.validate()
        let user = try await user(who.account)
        var preferences = user.preferences
        if let rules = request.rules { preferences.rules = rules }
        let now = request.at ?? clock()
        var parts: [Part] = []
        for type in request.mediaTypes ?? ["text/plain"] {
            guard let type = canonicalMediaType(type) else {
                throw Refusal(.invalidRequest, "mediaTypes: not a media type")
            }
            parts.append(Part(type: type, text: ""))
        }
        let own = request.to ?? Array(user.account.addresses.prefix(1))
        var envelope = Envelope(
            id: MessageID(stored: "dry-run"),
            from: request.from,
            to: own,
            date: now,
            kind: request.kind ?? .immediate,
            conversation: ConversationID(stored: "dry-run"),
            parts: parts
        )
        if let bytes = request.bytes, let first = envelope.parts.indices.first { envelope.parts[first].bytes = bytes }
        let facts = MessageFacts(envelope, ownAddresses: own)
        let policy = settingsInForce.policy
        return ExplanationDocument(
            devices: user.devices.sorted { $0.id < $1.id }.map { device in
                let decision = decide(
                    facts,
                    .incoming,
                    device: device,
                    preferences: preferences,
                    policy: policy,
                    now: now
                )
                return ExplanationDocument.Entry(
                    device: device.id,
                    label: device.label,
                    kind: device.kind,
                    deliver: decision.deliver,
                    silent: decision.silent,
                    because: decision.explanation(preferences.rules.incoming, facts, device)
                )
            }
        )
    }

    // MARK: Projection

    private func page(
        _ reader: PageReader,
        _ items: [Item],
        limit: Int
    ) throws -> (ItemPage, arrived: [ChangeNumber]) {
        let listed = try items.map { try document(reader, $0) }
        let page = ItemPage(items: listed.map(\.document), next: items.count == limit ? items.last?.created : nil)
        return (page, zip(items, listed).compactMap { $1.isDelivery ? $0.created : nil })
    }

    /// The item as listed: what was decided "nothing" can still be listed, as a notice.
    private func document(_ reader: PageReader, _ item: Item) throws -> (document: ItemDocument, isDelivery: Bool) {
        guard let message = item.message else {
            var writer = ItemWriter()
            writer.item(item, decision: nil, form: .state, document: nil, notice: nil)
            return (try Documents.decode(ItemDocument.self, writer.bytes), false)
        }
        let content = try reader.view.content(message.content)?.document
        let decision = try reader.decision(for: item, message, document: content)
        var writer = ItemWriter(reserving: 512 + (content?.count ?? 0))
        let form: ItemWriter.Form =
            content == nil
            ? .state : decision.deliver == .whole && !message.flags.contains(.released) ? .whole : .notice
        writer.item(
            item,
            decision: decision,
            form: form,
            document: content,
            notice: form == .notice ? try content.map { try notice($0, account: item.account) } : nil
        )
        let isDelivery = item.isDeliverable && form != .state && decision.deliver != .nothing
        return (try Documents.decode(ItemDocument.self, writer.bytes), isDelivery)
    }
}

extension Decision {
    /// A sentence that names the rule and the facts that matched.
    func explanation(_ list: RuleList, _ facts: MessageFacts?, _ device: Device) -> String {
        switch because {
        case .operatorProhibits: "the operator does not allow it"
        case .blockedSender: "the sender is blocked"
        case .otherwise: "no rule matched: the default holds"
        case .cannotShow:
            "the device cannot show "
                + (facts?.mediaTypes.filter { !device.capabilities.accept($0) }.joined(separator: ", ") ?? "a part")
        case .deviceSizeLimit:
            "the message is larger than the device takes (\(device.capabilities.maximumMessageBytes ?? 0) bytes)"
        case .operatorMedia: "the operator sends such media as a notification"
        case .operatorSizeLimit: "the operator sends messages of this size as a notification"
        case .sentFromHere: "it was sent from this device"
        case .deletedHere: "it was deleted on this device only"
        case .fetchedHere: "it was fetched by this device"
        case .rule(let index):
            if list.rules.indices.contains(index) {
                "rule '\(list.rules[index].name)' matched: \(list.rules[index].matched(facts, device))"
            } else {
                "rule \(index + 1) of an earlier revision matched"
            }
        }
    }
}

extension Rule {
    /// The facts that the rule's conditions speak of.
    fileprivate func matched(_ facts: MessageFacts?, _ device: Device) -> String {
        var pieces: [String] = []
        if let to = when.to, let facts {
            pieces.append("to=" + facts.ownAddresses.filter(to.contains).map(\.description).joined(separator: ","))
        }
        if when.from != nil || when.fromDomains != nil || when.fromLists != nil, let facts {
            pieces.append("from=\(facts.from)")
        }
        if when.devices != nil || unless?.devices != nil { pieces.append("device is \(device.label)") }
        if let kinds = when.deviceKinds, kinds.contains(device.kind) {
            pieces.append("device kind is \(device.kind.rawValue)")
        }
        if let kinds = unless?.deviceKinds, !kinds.contains(device.kind) {
            pieces.append("device kind is not " + kinds.map(\.rawValue).joined(separator: " or "))
        }
        if when.messageKinds != nil, let facts { pieces.append("kind=\(facts.kind.rawValue)") }
        if let media = when.media, let facts {
            let types = facts.mediaTypes.filter { type in media.contains { $0.matches(type) } }
            pieces.append("media=" + types.joined(separator: ","))
        }
        if when.atLeastBytes != nil || when.belowBytes != nil, let facts { pieces.append("bytes=\(facts.bytes)") }
        if when.hours != nil { pieces.append("within the hours") }
        if when.availability != nil { pieces.append("by availability") }
        if when.deviceAvailability != nil { pieces.append("by the device's availability") }
        return pieces.isEmpty ? "it has no conditions" : pieces.joined(separator: ", ")
    }
}
