import CPIM
import Foundation
import Testing

@Suite("Inflate")
struct InflateTests {
    static func fixture(_ name: String) throws -> [UInt8] {
        let folder = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Fixtures")
        return Array(try Data(contentsOf: folder.appending(path: name)))
    }

    static func hex(_ text: String) -> [UInt8] {
        stride(from: 0, to: text.utf8.count, by: 2).compactMap { index in
            UInt8(text.dropFirst(index).prefix(2), radix: 16)
        }
    }

    /// Streams made by zlib 1.2.13.
    @Test(
        "streams of every block type",
        arguments: [
            (
                "78daf348cdc9c9d751c840a214153c46054705470549110400ae131658",
                String(repeating: "Hello, hello, hello! ", count: 40)
            ), ("78014b4c4a4e0423858cd49c9c7c002cd605a7", "abcabcabc hello"),
            ("7801010600f9ff73746f726564093c0292", "stored"), ("789c030000000001", ""),
        ]
    )
    func streams(_ hex: String, _ text: String) throws {
        let bytes = Self.hex(hex)
        #expect(try Inflate.zlib(bytes[...], maximumBytes: 10_000) == Array(text.utf8))
        // Cut anywhere it is damaged, never a crash and never a short result.
        for count in 0..<bytes.count {
            #expect(throws: CPIMError(.invalidCompression, "")) {
                try Inflate.zlib(bytes[..<count], maximumBytes: 10_000)
            }
        }
    }

    @Test("a large stream with dynamic codes")
    func dynamic() throws {
        let output = try Inflate.zlib(try Self.fixture("dynamic.zlib")[...], maximumBytes: 1 << 20)
        #expect(output.count == 231570)
        #expect(output.starts(with: "<imdn><message-id>".utf8))
    }

    @Test("a small message cannot fill memory")
    func bomb() throws {
        let bytes = try Self.fixture("zeros-4MiB.zlib")
        #expect(throws: CPIMError(.contentTooLarge, "")) { try Inflate.zlib(bytes[...], maximumBytes: 100_000) }
    }

    @Test("the bound is exact")
    func bound() throws {
        let bytes = Inflate.storedZlib(Array("12345".utf8))
        #expect(try Inflate.zlib(bytes[...], maximumBytes: 5) == Array("12345".utf8))
        #expect(throws: CPIMError(.contentTooLarge, "")) { try Inflate.zlib(bytes[...], maximumBytes: 4) }
    }

    @Test("stored streams of any length come back", arguments: [0, 1, 65_534, 65_535, 65_536, 200_000])
    func stored(_ count: Int) throws {
        let bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 31) }
        #expect(try Inflate.zlib(Inflate.storedZlib(bytes)[...], maximumBytes: count) == bytes)
    }

    @Test("damage is noticed")
    func damage() {
        let good = Inflate.storedZlib(Array("stored".utf8))
        for index in good.indices {
            var bad = good
            bad[index] ^= 0x55
            // The window size in the header and the bits behind the last block may differ without harm.
            if let output = try? Inflate.zlib(bad[...], maximumBytes: 100) { #expect(output == Array("stored".utf8)) }
        }
        #expect(throws: CPIMError(.invalidCompression, "")) {
            try Inflate.zlib([0x78, 0x01, 0x07, 0, 0, 0, 0, 1][...], maximumBytes: 100)
        }
    }

    @Test("a body with Content-Encoding comes out plain, within the limit")
    func contentEncoding() throws {
        let entity = MIMEEntity(
            headers: [
                MIMEHeader("Content-Type", "message/cpim"), MIMEHeader("Content-Encoding", "deflate"),
                MIMEHeader("Content-Transfer-Encoding", "base64"),
            ],
            body: TransferEncoding.encodeBase64(Inflate.storedZlib(Array("Hello".utf8))).utf8
        )
        #expect(try entity.decodedBody() == Array("Hello".utf8))
        var limits = CPIMLimits()
        limits.maximumDecodedBytes = 4
        #expect(throws: CPIMError(.contentTooLarge, "")) { try entity.decodedBody(limits: limits) }
        #expect(throws: CPIMError(.unsupportedEncoding, "")) {
            try TransferEncoding.decode([][...], contentCoding: "br")
        }
    }
}
