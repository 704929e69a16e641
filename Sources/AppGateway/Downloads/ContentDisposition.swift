/// `Content-Disposition: attachment` with a file name that is safe for old and new clients (RFC 6266).
enum ContentDisposition {
    static func attachment(name: String?) -> String {
        guard let name, !name.isEmpty else { return "attachment" }
        let fallback = String(
            decoding: name.utf8.map { isPlain($0) ? $0 : UInt8(ascii: "_") },
            as: UTF8.self
        )
        return "attachment; filename=\"\(fallback)\"; filename*=UTF-8''\(extended(name))"
    }

    /// What can stand in a quoted string and in any file system.
    private static func isPlain(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"):
            true
        default: " ._-()+".utf8.contains(byte)
        }
    }

    /// The bytes of UTF-8 with everything but `attr-char` escaped (RFC 8187, section 3.2.1).
    private static func extended(_ name: String) -> String {
        let digits = Array("0123456789ABCDEF".utf8)
        var bytes: [UInt8] = []
        for byte in name.utf8 {
            let isAttributeCharacter =
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                    UInt8(ascii: "0")...UInt8(ascii: "9"):
                    true
                default: "!#$&+-.^_`|~".utf8.contains(byte)
                }
            if isAttributeCharacter {
                bytes.append(byte)
            } else {
                bytes += [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
