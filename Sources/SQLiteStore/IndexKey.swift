extension SipHash {
    /// An index key for a kind and a text, verified against the text itself when it is looked up.
    ///
    /// A UUID of version 7 gives its time (48 bits), so that the messages of a batch fall on the same pages of an index, and 16
    /// bits of its hash: whoever makes many ids of one time cannot make them fall together. Anything else gives its hash.
    func indexKey(_ kind: UInt8, _ text: String) -> Int64 {
        let hash = self(text)
        guard let time = Self.time(of: text) else {
            // The same name of two kinds, such as a device and a file, are two entries anyway.
            return hash ^ Int64(kind)
        }
        return Int64(bitPattern: time << 16 | UInt64(bitPattern: hash) & 0xffff)
    }

    /// The first 48 bits of a UUID of version 7 (RFC 9562, section 5.7) in its usual form; nil for any other text.
    private static func time(of text: String) -> UInt64? {
        guard text.utf8.count == 36 else { return nil }
        var value: UInt64 = 0
        var digits = 0
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "0")...UInt8(ascii: "9"): value = value << 4 | UInt64(byte & 15)
            case UInt8(ascii: "a")...UInt8(ascii: "f"): value = value << 4 | UInt64(byte - 87)
            case UInt8(ascii: "-"): continue
            default: return nil
            }
            digits += 1
            if digits == 13 { return value & 15 == 7 ? value >> 4 : nil }
        }
        return nil
    }
}
