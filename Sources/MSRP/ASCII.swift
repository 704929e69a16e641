/// Octets that have a meaning in MSRP, and the few questions asked of them.
enum ASCII {
    static let tab = UInt8(ascii: "\t")
    static let cr = UInt8(ascii: "\r")
    static let lf = UInt8(ascii: "\n")
    static let space = UInt8(ascii: " ")
    static let hyphen = UInt8(ascii: "-")
    static let colon = UInt8(ascii: ":")

    static func isDigit(_ byte: UInt8) -> Bool { byte &- UInt8(ascii: "0") < 10 }

    static func isAlpha(_ byte: UInt8) -> Bool { (byte | 0x20) &- UInt8(ascii: "a") < 26 }

    static func isAlphanumeric(_ byte: UInt8) -> Bool { self.isDigit(byte) || self.isAlpha(byte) }

    /// The characters of an RFC 3261 token, of which header names are made.
    static func isToken(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "!"), UInt8(ascii: "%"), UInt8(ascii: "*"),
            UInt8(ascii: "_"), UInt8(ascii: "+"), UInt8(ascii: "`"), UInt8(ascii: "'"), UInt8(ascii: "~"):
            true
        default: self.isAlphanumeric(byte)
        }
    }

    /// A control character that no header value may hold.
    static func isForbiddenInValue(_ byte: UInt8) -> Bool { (byte < 0x20 && byte != self.tab) || byte == 0x7F }

    static func lowercased(_ byte: UInt8) -> UInt8 { byte &- UInt8(ascii: "A") < 26 ? byte | 0x20 : byte }
}

extension Span<UInt8> {
    /// Whether the octets are those of a literal, letters compared without case.
    func equalsIgnoringCase(_ literal: StaticString) -> Bool {
        guard self.count == literal.utf8CodeUnitCount else { return false }
        return literal.withUTF8Buffer { other in
            for index in 0..<other.count where ASCII.lowercased(self[index]) != ASCII.lowercased(other[index]) {
                return false
            }
            return true
        }
    }

    /// Whether the octets are the same, letters compared without case.
    func equalsIgnoringCase(_ other: Span<UInt8>) -> Bool {
        guard self.count == other.count else { return false }
        for index in 0..<other.count where ASCII.lowercased(self[index]) != ASCII.lowercased(other[index]) {
            return false
        }
        return true
    }

    /// Whether the octets from `offset` on start with those of another span.
    func matches(_ other: Span<UInt8>, at offset: Int) -> Bool {
        guard offset >= 0, self.count - offset >= other.count else { return false }
        for index in 0..<other.count where self[offset + index] != other[index] { return false }
        return true
    }

    func firstIndex(of byte: UInt8, in range: Range<Int>) -> Int? {
        for index in range where self[index] == byte { return index }
        return nil
    }

    /// A decimal number made of all the octets; none when one is no digit, when there are none, or when it overflows.
    func decimal<Number: FixedWidthInteger>(as type: Number.Type = Number.self) -> Number? {
        guard self.count > 0 else { return nil }
        var number: Number = 0
        for index in 0..<self.count {
            guard ASCII.isDigit(self[index]) else { return nil }
            let (product, overflow) = number.multipliedReportingOverflow(by: 10)
            let (sum, carry) = product.addingReportingOverflow(Number(self[index] - UInt8(ascii: "0")))
            guard !overflow, !carry else { return nil }
            number = sum
        }
        return number
    }

    /// The octets without blanks at both ends.
    func trimmed(_ range: Range<Int>) -> Range<Int> {
        var lower = range.lowerBound
        var upper = range.upperBound
        while lower < upper, self[lower] == ASCII.space || self[lower] == ASCII.tab { lower += 1 }
        while upper > lower, self[upper - 1] == ASCII.space || self[upper - 1] == ASCII.tab { upper -= 1 }
        return lower..<upper
    }
}
