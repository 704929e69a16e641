/// The small questions about text in octets that the line-based grammars share.
package enum ByteText {
    /// Tells whether an octet is an ASCII digit.
    package static func isDigit(_ byte: UInt8) -> Bool { byte >= 0x30 && byte <= 0x39 }

    /// Tells whether an octet is an ASCII letter.
    package static func isLetter(_ byte: UInt8) -> Bool {
        let lower = byte | 0x20
        return lower >= 0x61 && lower <= 0x7A
    }

    /// Tells whether an octet is a space or a tab.
    package static func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 }

    /// The value of a hexadecimal digit; nil for anything else.
    package static func hexValue(_ byte: UInt8) -> UInt8? {
        switch byte {
        case 0x30...0x39: byte - 0x30
        case 0x41...0x46: byte - 0x41 + 10
        case 0x61...0x66: byte - 0x61 + 10
        default: nil
        }
    }

    /// The octet with an ASCII letter made small.
    package static func lowercase(_ byte: UInt8) -> UInt8 {
        byte >= 0x41 && byte <= 0x5A ? byte | 0x20 : byte
    }

    /// A slice without the blanks around it.
    package static func trim(_ slice: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
        var slice = slice
        while let first = slice.first, self.isBlank(first) { slice.removeFirst() }
        while let last = slice.last, self.isBlank(last) { slice.removeLast() }
        return slice
    }

    /// The pieces of a slice between runs of blanks.
    package static func fields(_ slice: ArraySlice<UInt8>) -> [ArraySlice<UInt8>] {
        slice.split(whereSeparator: self.isBlank)
    }

    /// The value of a run of digits; nil when empty, not digits only, or too large.
    package static func decimal(_ slice: some Collection<UInt8>) -> UInt64? {
        guard !slice.isEmpty else { return nil }
        var value: UInt64 = 0
        for byte in slice {
            guard self.isDigit(byte) else { return nil }
            let (product, overflow) = value.multipliedReportingOverflow(by: 10)
            let (sum, carry) = product.addingReportingOverflow(UInt64(byte - 0x30))
            guard !overflow, !carry else { return nil }
            value = sum
        }
        return value
    }

    /// Compares without regard to the case of ASCII letters.
    package static func equalIgnoringCase(_ left: some Collection<UInt8>, _ right: some Collection<UInt8>) -> Bool {
        left.count == right.count && zip(left, right).allSatisfy { self.lowercase($0) == self.lowercase($1) }
    }

    /// Text from octets, with U+FFFD in place of what is not UTF-8.
    package static func string(_ slice: some Collection<UInt8>) -> String {
        String(decoding: slice, as: UTF8.self)
    }
}

/// Walks over lines that end in CRLF or, from lenient senders, in a bare LF.
package struct LineScanner {
    /// One line.
    package struct Line {
        /// Where its text is, without the line end.
        package var range: Range<Int>
        /// Whether a line end followed; false for a last line that was cut.
        package var isTerminated: Bool
    }

    /// What is scanned.
    package let bytes: [UInt8]
    /// Where the next line begins.
    package private(set) var position: Int

    /// Begins at an offset.
    package init(_ bytes: [UInt8], from position: Int = 0) {
        self.bytes = bytes
        self.position = position
    }

    /// Gives the next line, or nil at the end.
    package mutating func next() -> Line? {
        guard self.position < self.bytes.count else { return nil }
        let start = self.position
        guard let end = self.bytes[start...].firstIndex(of: 0x0A) else {
            self.position = self.bytes.count
            return Line(range: start..<self.bytes.count, isTerminated: false)
        }
        self.position = end + 1
        let hasReturn = end > start && self.bytes[end - 1] == 0x0D
        return Line(range: start..<(hasReturn ? end - 1 : end), isTerminated: true)
    }
}
