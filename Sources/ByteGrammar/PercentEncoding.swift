/// Percent escapes of URIs (RFC 3986 section 2.1).
public enum PercentEncoding {
    /// Decodes the escapes of a text.
    ///
    /// - Returns: The bytes that the text stands for, or nil when a percent sign is not followed by two hexadecimal
    ///   digits.
    public static func decode(_ text: String.UTF8View) -> [UInt8]? {
        var result: [UInt8] = []
        result.reserveCapacity(text.count)
        var iterator = text.makeIterator()
        while let byte = iterator.next() {
            guard byte == 0x25 else {
                result.append(byte)
                continue
            }
            guard let first = iterator.next().flatMap(ASCII.hexadecimalValue),
                let second = iterator.next().flatMap(ASCII.hexadecimalValue)
            else { return nil }
            result.append(first << 4 | second)
        }
        return result
    }

    /// Encodes bytes, leaving those of `unescaped` as they are.
    public static func encode(_ bytes: some Sequence<UInt8>, unescaped: ByteSet) -> String {
        var result: [UInt8] = []
        for byte in bytes {
            if unescaped.contains(byte), byte != 0x25 {
                result.append(byte)
            } else {
                result.append(0x25)
                result.append(digits[Int(byte >> 4)])
                result.append(digits[Int(byte & 15)])
            }
        }
        return String(decoding: result, as: UTF8.self)
    }

    private static let digits = Array("0123456789ABCDEF".utf8)
}
