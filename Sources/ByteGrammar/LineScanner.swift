/// Walks over lines that end in CRLF or, from lenient senders, in a bare LF.
///
/// Unlike ``ByteCursor/line()`` it also gives a last line that has no end, as a whole message may close with one.
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
        let start = self.position
        guard start < self.bytes.count else { return nil }
        let end = ByteSearch.firstOffset(of: 0x0A, in: self.bytes.span.bytes, from: start, to: self.bytes.count)
        guard let end else {
            self.position = self.bytes.count
            return Line(range: start..<self.bytes.count, isTerminated: false)
        }
        self.position = end + 1
        let hasReturn = end > start && self.bytes[end - 1] == 0x0D
        return Line(range: start..<(hasReturn ? end - 1 : end), isTerminated: true)
    }
}
