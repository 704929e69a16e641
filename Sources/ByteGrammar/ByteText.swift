/// The small questions about slices of octets that the line-based grammars share.
package enum ByteText {
    /// Tells whether an octet is a space or a tab.
    package static func isBlank(_ byte: UInt8) -> Bool { ByteSet.whitespace.contains(byte) }

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
        let digits = Array(slice)
        return ASCII.unsigned(digits.span, 0..<digits.count)
    }

    /// Text from octets, with U+FFFD in place of what is not UTF-8.
    package static func string(_ slice: some Collection<UInt8>) -> String {
        String(decoding: slice, as: UTF8.self)
    }
}
