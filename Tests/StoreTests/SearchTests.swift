import MessagingCore
import SQLiteStore
import Store
import Testing

@Suite("Words of the search index")
struct SearchTests {
    @Test("are letters, digits and marks, in one case, without diacritics")
    func words() {
        let cases: [(String, [String])] = [
            ("", []), ("--- …", []), ("Hello, World", ["hello", "world"]), ("snake_case-2", ["snake", "case", "2"]),
            ("Grüße", ["gruße"]), ("u\u{308}ber", ["uber"]), ("İstanbul", ["istanbul"]),
            ("नमस्ते दुनिया", ["नमस्ते", "दुनिया"]), ("日本語", ["日本語"]), ("a\u{E000}b", ["a", "b"]), ("a\u{0}b", ["a", "b"]),
            ("𞤀𞤣", ["𞤢𞤣"]),
        ]
        for (text, expected) in cases { #expect(SearchWords.of(text) == expected) }
    }

    @Test("every character divides words for queries as it does for the index")
    func characters() async throws {
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        let store = try SQLiteStore(path: folder.path("a.sqlite"))
        let one = AccountID(rawValue: 1)
        // One text for each 256 characters, each between letters, so that it is known whether it divides.
        let scalars = (0...0x2ffff as ClosedRange<UInt32>).compactMap(Unicode.Scalar.init)
        let groups = stride(from: 0, to: scalars.count, by: 256).map {
            Array(scalars[$0..<min($0 + 256, scalars.count)])
        }
        try await store.write { transaction in
            for (index, group) in groups.enumerated() {
                let number = Int64(index) + 1
                let id = ContentID(rawValue: number)
                let text = group.map { "q\(index)x\($0)y" }.joined(separator: " ")
                try transaction.apply(
                    .content(
                        StoredContent(
                            id: id,
                            message: MessageID(stored: "m\(number)"),
                            document: [],
                            blobs: [],
                            accounts: [one],
                            references: 1,
                            holders: 1,
                            time: Timestamp(rawValue: 1)
                        )
                    )
                )
                try transaction.apply(
                    .item(
                        Item(
                            account: one,
                            kind: .message,
                            object: "m\(number)",
                            created: number,
                            changed: number,
                            body: .message(
                                MessageItem(
                                    flags: .received,
                                    content: id,
                                    conversation: ConversationID(stored: "c"),
                                    decisions: PackedDecisions(revision: 0)
                                )
                            )
                        )
                    )
                )
                try transaction.apply(.index(id, accounts: [one], text: text))
            }
        }
        let missed = try await store.read { view in
            var missed: [String] = []
            for (index, group) in groups.enumerated() {
                for scalar in group {
                    let found = try view.search(one, words: ["q\(index)x\(scalar)y"], before: .max, limit: 1)
                    if found.first?.created != Int64(index) + 1 { missed.append(String(scalar.value, radix: 16)) }
                }
            }
            return missed
        }
        #expect(missed == [], "texts with these characters are not found by their own words")
        try store.close()
    }
}
