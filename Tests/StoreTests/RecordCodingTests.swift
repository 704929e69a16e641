import MessagingCore
import Store
import Testing

@testable import SQLiteStore

@Suite("Records of rows")
struct RecordCodingTests {
    private static let message = Item.Body.message(
        MessageItem(
            flags: [.received, .wantsDisplayed],
            content: ContentID(rawValue: .max),
            conversation: ConversationID(stored: "talk-€"),
            ownAddresses: [Address(stored: "sip:a@example.org"), Address(stored: "tel:+491234567")],
            decisions: PackedDecisions(
                revision: .min,
                entries: [PackedDecisions.Entry(device: DeviceID(rawValue: .max), result: 7, reason: 255)]
            ),
            receivers: [
                ReceiverState(
                    address: Address(stored: "sip:b@example.org"),
                    disposition: .failed,
                    since: Timestamp(rawValue: .min),
                    failure: .noCredit
                )
            ],
            expires: Timestamp(rawValue: -1)
        )
    )

    private static let entry = OutboxEntry(
        account: AccountID(rawValue: .min),
        message: MessageID(stored: "m"),
        content: ContentID(rawValue: -1),
        lane: "lane",
        task: .report(
            to: Address(stored: "sip:a@example.org"),
            receiver: Address(stored: "sip:b@example.org"),
            .displayed
        ),
        expires: Timestamp(rawValue: .max),
        price: -5,
        reports: [.displayed, .delivered]
    )

    private static let bonds = Bonds(
        blobs: [BlobHash(stored: String(repeating: "ab", count: 32)), BlobHash(stored: "")],
        accounts: [AccountID(rawValue: .min), AccountID(rawValue: .max)]
    )

    @Test("are read as they were written")
    func roundTrip() throws {
        for body in [Self.message, .document([]), .document([0, 1, 255]), .tombstone] {
            #expect(try Item.Body(record: body.record) == body)
        }
        #expect(try OutboxEntry(record: Self.entry.record, lane: "lane") == Self.entry)
        let bonds = try Bonds(record: Self.bonds.record)
        #expect(bonds.blobs == Self.bonds.blobs)
        #expect(bonds.accounts == Self.bonds.accounts)
    }

    @Test("hold every integer")
    func integers() throws {
        var generator = SystemRandomNumberGenerator()
        var values: [Int64] = [0, 1, -1, 63, 64, -64, -65, .max, .min]
        for shift: Int64 in 0..<64 { values.append(Int64.random(in: .min ... .max, using: &generator) >> shift) }
        for value in values {
            var writer = RecordWriter()
            writer.integer(value)
            let read = try writer.bytes.withUnsafeBytes { bytes in
                var reader = RecordReader(bytes)
                return try reader.integer()
            }
            #expect(read == value)
        }
    }

    @Test("that are cut short are corrupt, at every length")
    func truncated() {
        let corrupt = StoreError(.corrupt, "")
        for length in 0..<Self.message.record.count {
            #expect(throws: corrupt) { try Item.Body(record: Array(Self.message.record.prefix(length))) }
        }
        for length in 0..<Self.entry.record.count {
            #expect(throws: corrupt) { try OutboxEntry(record: Array(Self.entry.record.prefix(length)), lane: "l") }
        }
        for length in 0..<Self.bonds.record.count {
            #expect(throws: corrupt) { try Bonds(record: Array(Self.bonds.record.prefix(length))) }
        }
    }

    @Test("of random or altered bytes are read or refused as corrupt, and never trap")
    func hostile() {
        var refused = 0
        func tryAll(_ bytes: [UInt8]) {
            let attempts: [() throws -> Void] = [
                { _ = try Item.Body(record: bytes) },
                { _ = try OutboxEntry(record: bytes, lane: "l") },
                { _ = try Bonds(record: bytes) },
            ]
            for attempt in attempts {
                do {
                    try attempt()
                } catch {
                    #expect(error as? StoreError == StoreError(.corrupt, ""))
                    refused += 1
                }
            }
        }
        for _ in 0..<20000 {
            var bytes = (0..<Int.random(in: 0...60)).map { _ in UInt8.random(in: 0...255) }
            // The first byte names the shape: most tries get past it.
            if !bytes.isEmpty, Bool.random() { bytes[0] = .random(in: 0...7) }
            tryAll(bytes)
        }
        for original in [Self.message.record, Self.entry.record, Self.bonds.record] {
            for _ in 0..<20000 {
                var bytes = original
                for _ in 0..<Int.random(in: 1...4) {
                    bytes[.random(in: bytes.indices)] =
                        [0, 1, 0x7f, 0x80, 0xff, .random(in: 0...255)].randomElement() ?? 0
                }
                tryAll(bytes)
            }
        }
        #expect(refused > 20000)
    }

    @Test("documents that are not what they should be are corrupt")
    func documents() {
        for bytes: [UInt8] in [
            [], [0xff], Array("{}".utf8), Array("[[[[".utf8), [UInt8](repeating: 0x5b, count: 100_000),
        ] {
            #expect(throws: StoreError(.corrupt, "")) { try RowDocument.decode(AccountProfile.self, bytes) }
        }
    }

    @Test("the hash of conversations is SipHash-1-3: values of another implementation, under a key of zeros")
    func sipHash() {
        let hash = SipHash(key: [UInt8](repeating: 0, count: SipHash.keyBytes))
        let expected: [String: Int64] = [
            "a": 4_644_417_185_603_328_019, "ab": 6_148_830_537_548_944_441, "abcdefg": 7_904_145_750_247_929_094,
            "abcdefgh": 4_574_395_652_268_504_554, "abcdefghi": -532_774_252_720_507_163,
            "01890a5d-ac96-774b-bcce-b302099a8057": -4_309_392_165_721_248_423,
        ]
        for (text, value) in expected { #expect(hash(text) == value) }
        let other = SipHash(key: [UInt8](repeating: 1, count: SipHash.keyBytes))
        #expect(other("a") != hash("a"))
    }
}

extension Item.Body {
    fileprivate init(record: [UInt8]) throws { self = try record.withUnsafeBytes { try Self(record: $0) } }
}

extension OutboxEntry {
    fileprivate init(record: [UInt8], lane: String) throws {
        self = try record.withUnsafeBytes { try Self(record: $0, lane: lane) }
    }
}

extension Bonds {
    fileprivate init(record: [UInt8]) throws { self = try record.withUnsafeBytes { try Self(record: $0) } }
}

@Suite("Documents that were read")
struct DocumentCacheTests {
    @Test("are kept by their bytes: no more than so many, whatever one of them is")
    func cache() throws {
        let cache = DocumentCache<String>(capacity: 4, maximumBytes: 100)
        func read(_ text: String) throws { #expect(try cache.decode(Array("\"\(text)\"".utf8)) == text) }
        for number in 0..<4 { try read("\(number)") }
        try read("0")
        #expect(cache.size == (4, 12))
        try read("4")
        #expect(cache.size == (1, 3))
        try read(String(repeating: "x", count: 95))
        #expect(cache.size == (2, 100))
        try read("5")
        #expect(cache.size == (1, 3))
    }
}
