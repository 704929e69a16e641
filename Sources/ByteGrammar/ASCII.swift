/// Comparison and conversion of US-ASCII bytes without regard to locale.
public enum ASCII {
    /// The byte in lower case when it is a capital letter of US-ASCII, else the byte itself.
    @inlinable
    @inline(__always)
    public static func lowercased(_ byte: UInt8) -> UInt8 {
        byte &- 0x41 < 26 ? byte | 0x20 : byte
    }

    /// Whether a stretch of bytes equals a literal, letters compared without case.
    @inlinable
    public static func equal(_ bytes: Span<UInt8>, _ range: Range<Int>, ignoringCase literal: StaticString) -> Bool {
        let count = range.count
        guard count == literal.utf8CodeUnitCount, range.lowerBound >= 0, range.upperBound <= bytes.count else {
            return false
        }
        let text = unsafe UnsafeRawBufferPointer(start: literal.utf8Start, count: count)
        let raw = bytes.bytes
        var index = 0
        // Mostly the case is the usual one: eight bytes at a time while they are the very same.
        // `index + 8 <= count`, and `count` bytes are there on both sides, hold at every load below.
        while index &+ 8 <= count {
            let left = unsafe raw.unsafeLoadUnaligned(
                fromUncheckedByteOffset: range.lowerBound &+ index,
                as: UInt64.self
            )
            guard left == (unsafe text.loadUnaligned(fromByteOffset: index, as: UInt64.self)) else { break }
            index &+= 8
        }
        while index < count {
            guard lowercased(bytes[range.lowerBound &+ index]) == lowercased(unsafe text[index]) else { return false }
            index &+= 1
        }
        return true
    }

    /// Whether two strings are equal byte for byte once the letters of US-ASCII are in one case.
    ///
    /// Unlike `==` on strings this knows nothing of Unicode equivalence, which is what protocol elements need.
    @inlinable
    public static func equalIgnoringCase(_ left: String, _ right: String) -> Bool {
        let left = left.utf8
        let right = right.utf8
        guard left.count == right.count else { return false }
        var others = right.makeIterator()
        for byte in left {
            guard let other = others.next(), byte == other || lowercased(byte) == lowercased(other) else {
                return false
            }
        }
        return true
    }

    /// The string with the letters of US-ASCII in lower case and everything else as it is.
    public static func lowercased(_ text: String) -> String {
        guard text.utf8.contains(where: { $0 &- 0x41 < 26 }) else { return text }
        let bytes = text.utf8
        return String(unsafeUninitializedCapacity: bytes.count) { buffer in
            var count = 0
            for byte in bytes {
                unsafe buffer[count] = lowercased(byte)
                count += 1
            }
            return count
        }
    }

    /// The value of a hexadecimal digit, or nil.
    @inlinable
    public static func hexadecimalValue(_ byte: UInt8) -> UInt8? {
        switch byte {
        case 0x30...0x39: byte - 0x30
        case 0x41...0x46: byte - 0x41 + 10
        case 0x61...0x66: byte - 0x61 + 10
        default: nil
        }
    }

    /// Reads a stretch of bytes as an unsigned decimal number.
    ///
    /// - Returns: The number, or nil when the stretch is empty, holds anything but digits, or exceeds `maximum`.
    public static func unsigned(_ bytes: Span<UInt8>, _ range: Range<Int>, maximum: UInt64 = .max) -> UInt64? {
        guard !range.isEmpty, range.lowerBound >= 0, range.upperBound <= bytes.count else { return nil }
        var value: UInt64 = 0
        for index in range {
            let digit = bytes[index] &- 0x30
            guard digit < 10 else { return nil }
            let (product, overflow) = value.multipliedReportingOverflow(by: 10)
            let (sum, carry) = product.addingReportingOverflow(UInt64(digit))
            guard !overflow, !carry, sum <= maximum else { return nil }
            value = sum
        }
        return value
    }
}
