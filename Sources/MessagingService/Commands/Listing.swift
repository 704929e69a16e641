public import ClientWire
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
    func listed<T: Sendable>(
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
                let text = try Documents.decode(SearchableText.self, bytes).text
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

    // MARK: Projection

    func page(
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
