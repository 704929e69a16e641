/// A position in a stretch of bytes, with the small productions that text protocols share.
///
/// A cursor never reads outside of its bytes and never traps. A production that does not match returns nil (or false)
/// and leaves the cursor where it was. Ranges are offsets into ``bytes``.
@frozen
public struct ByteCursor: ~Escapable {
    /// The bytes being read.
    public let bytes: Span<UInt8>
    /// The offset of the next byte to read, in `0...bytes.count`.
    public private(set) var offset: Int

    /// Starts at the first byte.
    @_lifetime(copy bytes)
    public init(_ bytes: Span<UInt8>) {
        self.bytes = bytes
        self.offset = 0
    }

    /// Whether every byte was read.
    public var isAtEnd: Bool { self.offset >= self.bytes.count }

    /// The number of bytes left.
    public var remaining: Int { self.bytes.count - self.offset }

    /// The next byte, or nil at the end.
    public var next: UInt8? { self.offset < self.bytes.count ? self.bytes[self.offset] : nil }

    /// The byte `distance` places ahead, or nil past the end.
    public func peek(_ distance: Int) -> UInt8? {
        let index = self.offset + distance
        return index >= 0 && index < self.bytes.count ? self.bytes[index] : nil
    }

    /// Moves on by `count` bytes, at most to the end.
    public mutating func skip(_ count: Int = 1) {
        self.offset = min(self.bytes.count, self.offset + max(0, count))
    }

    /// Goes back (or forward) to an offset that was seen before.
    public mutating func move(to offset: Int) {
        self.offset = min(max(0, offset), self.bytes.count)
    }

    /// Takes one given byte.
    public mutating func take(_ byte: UInt8) -> Bool {
        guard self.next == byte else { return false }
        self.offset += 1
        return true
    }

    /// Takes a literal, letters compared without case.
    public mutating func take(_ literal: StaticString) -> Bool {
        let range = self.offset..<(self.offset + literal.utf8CodeUnitCount)
        guard ASCII.equal(self.bytes, range, ignoringCase: literal) else { return false }
        self.offset = range.upperBound
        return true
    }

    /// Takes the bytes that belong to `set`; the range may be empty.
    public mutating func take(while set: ByteSet) -> Range<Int> {
        let start = self.offset
        var index = start
        while index < self.bytes.count, set.contains(self.bytes[index]) { index += 1 }
        self.offset = index
        return start..<index
    }

    /// Takes the bytes up to (not including) the first that belongs to `set`; the range may be empty.
    public mutating func take(until set: ByteSet) -> Range<Int> {
        let start = self.offset
        var index = start
        while index < self.bytes.count, !set.contains(self.bytes[index]) { index += 1 }
        self.offset = index
        return start..<index
    }

    /// Takes a non-empty run of `set` (by default a `token` of RFC 3261).
    public mutating func token(_ set: ByteSet = .token) -> Range<Int>? {
        let range = self.take(while: set)
        return range.isEmpty ? nil : range
    }
}

extension ByteCursor {
    /// Skips linear white space: spaces, tabs, and line breaks that are followed by a space or tab (folding).
    ///
    /// A line break is CRLF, or LF alone. One that is not followed by white space is left unread.
    public mutating func skipWhitespace() {
        while let byte = self.next {
            switch byte {
            case 0x20, 0x09:
                self.offset += 1
            case 0x0D where self.peek(1) == 0x0A && self.isWhitespace(2):
                self.offset += 3
            case 0x0A where self.isWhitespace(1):
                self.offset += 2
            default:
                return
            }
        }
    }

    private func isWhitespace(_ distance: Int) -> Bool {
        self.peek(distance) == 0x20 || self.peek(distance) == 0x09
    }

    /// Takes a byte with optional white space on both sides (`EQUAL`, `SEMI`, `COMMA` and so on of RFC 3261).
    public mutating func separator(_ byte: UInt8) -> Bool {
        let start = self.offset
        self.skipWhitespace()
        guard self.take(byte) else {
            self.offset = start
            return false
        }
        self.skipWhitespace()
        return true
    }

    /// Takes a quoted string.
    ///
    /// - Returns: The range between the quotes, escapes still in it (see ``unescaped(_:)``), or nil when there is no
    ///   opening quote or no closing one. A backslash before a line break does not escape it.
    public mutating func quotedString() -> Range<Int>? {
        guard self.next == 0x22 else { return nil }
        var index = self.offset + 1
        while index < self.bytes.count {
            switch self.bytes[index] {
            case 0x22:
                let range = (self.offset + 1)..<index
                self.offset = index + 1
                return range
            case 0x5C where index + 1 < self.bytes.count && !ByteSet.lineBreak.contains(self.bytes[index + 1]):
                index += 2
            default:
                index += 1
            }
        }
        return nil
    }

    /// Takes decimal digits.
    ///
    /// - Returns: The number, or nil when there is no digit here or the number exceeds `maximum`.
    public mutating func unsigned(maximum: UInt64 = .max) -> UInt64? {
        let start = self.offset
        let digits = self.take(while: .digit)
        guard let value = ASCII.unsigned(self.bytes, digits, maximum: maximum) else {
            self.offset = start
            return nil
        }
        return value
    }

    /// Takes a line that ends with CRLF or with LF alone.
    ///
    /// - Returns: The range of the line without its end, or nil when the line is not complete.
    public mutating func line() -> Range<Int>? {
        let start = self.offset
        guard
            let feed = ByteSearch.firstOffset(of: 0x0A, in: self.bytes.bytes, from: start, to: self.bytes.count)
        else { return nil }
        self.offset = feed + 1
        let end = feed > start && self.bytes[feed - 1] == 0x0D ? feed - 1 : feed
        return start..<end
    }

    /// The bytes of a range as text; bytes that are not UTF-8 become U+FFFD.
    public func text(_ range: Range<Int>) -> String { self.bytes.text(range) }

    /// The content of a quoted string with its backslash escapes resolved and its folds made a single space.
    public func unescaped(_ range: Range<Int>) -> String {
        let content = range.clamped(to: 0..<self.bytes.count)
        var result: [UInt8] = []
        result.reserveCapacity(content.count)
        var index = content.lowerBound
        while index < content.upperBound {
            var byte = self.bytes[index]
            // A line break cannot be escaped (RFC 3261 section 25.1, quoted-pair).
            if byte == 0x5C, index + 1 < content.upperBound, !ByteSet.lineBreak.contains(self.bytes[index + 1]) {
                index += 1
                byte = self.bytes[index]
            } else if ByteSet.lineBreak.contains(byte) {
                byte = 0x20
                while index + 1 < content.upperBound,
                    ByteSet.lineBreak.contains(self.bytes[index + 1])
                        || ByteSet.whitespace.contains(self.bytes[index + 1])
                {
                    index += 1
                }
            }
            result.append(byte)
            index += 1
        }
        return String(decoding: result, as: UTF8.self)
    }
}

extension Span<UInt8> {
    /// The bytes of a range as text; bytes that are not UTF-8 become U+FFFD.
    ///
    /// The range is clamped to the span.
    public func text(_ range: Range<Int>) -> String {
        let range = range.clamped(to: 0..<self.count)
        return unsafe self.extracting(range).withUnsafeBufferPointer { unsafe String(decoding: $0, as: UTF8.self) }
    }

    /// The whole span as text; bytes that are not UTF-8 become U+FFFD.
    public var text: String { self.text(0..<self.count) }

    /// Narrows a range by the white space (and line breaks) at both of its ends.
    public func trimmed(_ range: Range<Int>) -> Range<Int> {
        var range = range.clamped(to: 0..<self.count)
        while let first = range.first, self.isBlank(first) { range = (first + 1)..<range.upperBound }
        while let last = range.last, self.isBlank(last) { range = range.lowerBound..<last }
        return range
    }

    private func isBlank(_ index: Int) -> Bool {
        ByteSet.whitespace.contains(self[index]) || ByteSet.lineBreak.contains(self[index])
    }
}
