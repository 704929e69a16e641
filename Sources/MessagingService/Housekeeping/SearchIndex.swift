import MessagingCore
import Store

extension MessagingService {
    static let indexedAtOnce = 500
    /// Texts that wait for the index in memory, and how long each is at most.
    static let keptTexts = 16384
    private static let keptTextBytes: Int64 = 2048
    private static let indexMark = "indexed-content"

    /// Contents up to this number are in the index.
    func indexedUpTo(_ view: any ReadView) throws -> ContentID {
        let bytes = try view.setting(Self.indexMark)
        return ContentID(rawValue: bytes.flatMap { Int64(String(decoding: $0, as: UTF8.self)) } ?? 0)
    }

    /// Takes new content into the search index, many in one commit: cheaper than one by one, and off the send path.
    public func indexNewContent() async throws {
        // Nothing is written while nothing comes.
        guard try await read({ try !$0.unindexed(after: self.indexedUpTo($0), limit: 1).isEmpty }) else { return }
        while true {
            let more = try await perform { work in
                let mark = try self.indexedUpTo(work.transaction)
                let fresh = try work.transaction.unindexed(after: mark, limit: Self.indexedAtOnce)
                guard let last = fresh.last else { return false }
                for content in fresh where content.holders > 0 { try self.index(work, content) }
                try work.transaction.apply(.setting(Self.indexMark, Array("\(last.id.rawValue)".utf8)))
                return fresh.count == Self.indexedAtOnce
            }
            guard more else { return }
        }
    }

    func index(_ work: Work, _ content: StoredContent) throws {
        let known = work.cache.searchable[content.id]
        if known != nil { work.cache.searchable.stageRemoval(content.id) }
        let text = try known ?? Documents.decode(SearchableText.self, content.document).text
        try work.transaction.apply(.index(content.id, accounts: content.accounts, text: text))
    }

    /// Keeps what is to be indexed soon, so that the document need not be read again for it.
    func indexSoon(_ work: Work, _ content: ContentID, _ envelope: Envelope) {
        guard envelope.bytes <= Self.keptTextBytes else { return }
        work.cache.searchable.stage(content, SearchableText(envelope).text)
    }

    /// Takes a content out of the index before its text, or whose it is, is lost.
    /// - Returns: whether it was there.
    @discardableResult
    func unindex(_ work: Work, _ content: StoredContent) throws -> Bool {
        guard content.id.rawValue <= (try indexedUpTo(work.transaction)).rawValue else { return false }
        // What cannot be read any more cannot be taken out; whatever finds it finds no message.
        guard let text = try? Documents.decode(SearchableText.self, content.document).text else { return false }
        try work.transaction.apply(.unindex(content.id, accounts: content.accounts, text: text))
        return true
    }
}

/// What of a message can be searched for, read from its document.
///
/// Every message is read once for the index: the rest of an envelope, which is checked as it is decoded, is left out.
struct SearchableText: Decodable {
    private struct Part: Decodable {
        var type: String
        var name: String?
        var text: String?
    }

    private var from: String
    private var to: [String]
    private var subject: String?
    private var parts: [Part]

    /// The same as is read from the envelope's document: what is taken out of the index must be what went in.
    init(_ envelope: Envelope) {
        from = envelope.from.description
        to = envelope.to.map(\.description)
        subject = envelope.subject
        parts = envelope.parts.map { Part(type: $0.type, name: $0.name, text: $0.text) }
    }

    var text: String {
        var pieces = [subject ?? "", from]
        pieces += to
        for part in parts {
            pieces.append(part.name ?? "")
            if part.type.hasPrefix("text/") { pieces.append(part.text ?? "") }
        }
        return pieces.joined(separator: "\n")
    }
}
