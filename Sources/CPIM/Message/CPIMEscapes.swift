internal import ByteGrammar

/// The escapes of header values (RFC 3862 section 2.3): a backslash with a letter, a quote, or `u` and four digits.
enum CPIMEscapes {
    /// Undoes escapes; two escapes of a surrogate pair make one character.
    ///
    /// - Throws: ``CPIMError`` for an unknown escape or half a surrogate pair.
    static func decode(_ slice: ArraySlice<UInt8>) throws(CPIMError) -> String {
        guard slice.contains(UInt8(ascii: "\\")) else { return ByteText.string(slice) }
        var output: [UInt8] = []
        output.reserveCapacity(slice.count)
        var index = slice.startIndex
        while index < slice.endIndex {
            guard slice[index] == UInt8(ascii: "\\") else {
                output.append(slice[index])
                index += 1
                continue
            }
            let start = index
            guard let (scalar, next) = self.escape(slice, at: index) else {
                throw CPIMError(.invalidEscape, "an escape of RFC 3862 section 2.3", offset: start)
            }
            output.append(contentsOf: Array(String(Character(scalar)).utf8))
            index = next
        }
        return ByteText.string(output)
    }

    private static func escape(_ slice: ArraySlice<UInt8>, at index: Int) -> (Unicode.Scalar, next: Int)? {
        guard index + 1 < slice.endIndex else { return nil }
        switch slice[index + 1] {
        case UInt8(ascii: "\\"): return ("\\", index + 2)
        case UInt8(ascii: "\""): return ("\"", index + 2)
        case UInt8(ascii: "'"): return ("'", index + 2)
        case UInt8(ascii: "b"): return ("\u{8}", index + 2)
        case UInt8(ascii: "t"): return ("\t", index + 2)
        case UInt8(ascii: "n"): return ("\n", index + 2)
        case UInt8(ascii: "r"): return ("\r", index + 2)
        case UInt8(ascii: "u"): break
        default: return nil
        }
        guard let unit = self.unit(slice, at: index) else { return nil }
        if let scalar = Unicode.Scalar(unit) { return (scalar, index + 6) }
        guard (0xD800...0xDBFF).contains(unit), let low = self.unit(slice, at: index + 6),
            (0xDC00...0xDFFF).contains(low),
            let scalar = Unicode.Scalar(0x10000 + (UInt32(unit) - 0xD800) << 10 + (UInt32(low) - 0xDC00))
        else { return nil }
        return (scalar, index + 12)
    }

    /// Reads `\uXXXX`.
    private static func unit(_ slice: ArraySlice<UInt8>, at index: Int) -> UInt16? {
        guard slice.endIndex - index >= 6, slice[index] == UInt8(ascii: "\\"), slice[index + 1] == UInt8(ascii: "u")
        else { return nil }
        var unit: UInt16 = 0
        for byte in slice[index + 2..<index + 6] {
            guard let digit = ASCII.hexadecimalValue(byte) else { return nil }
            unit = unit << 4 | UInt16(digit)
        }
        return unit
    }

    /// Escapes what may not stand in a value: backslashes and control characters; in quotes also quotes.
    static func encode(_ text: String, quoted: Bool = false) -> String {
        var output = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\\": output += "\\\\"
            case "\"" where quoted: output += "\\\""
            case "\u{8}": output += "\\b"
            case "\t": output += "\\t"
            case "\n": output += "\\n"
            case "\r": output += "\\r"
            case _ where scalar.value < 0x20 || (0x7F...0x9F).contains(scalar.value):
                let digits = String(scalar.value, radix: 16)
                output += "\\u" + String(repeating: "0", count: 4 - digits.utf8.count) + digits
            default: output.unicodeScalars.append(scalar)
            }
        }
        return output
    }
}
