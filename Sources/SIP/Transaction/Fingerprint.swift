/// 128 bits that stand for a few texts under a secret of the process.
///
/// Nobody outside can make two lists of texts meet, and chance does so once in many ages of any server: so tables are
/// kept by fingerprints, which are found, moved and forgotten faster than the texts.
struct Fingerprint: Sendable, Hashable {
    private let first: Int
    private let second: Int

    fileprivate init(first: Int, second: Int) {
        self.first = first
        self.second = second
    }

    /// What is in it is well mixed already.
    func hash(into hasher: inout Hasher) { hasher.combine(self.first) }

    /// Takes the texts of a fingerprint, each with its length, so that none runs into the next.
    struct Maker {
        private var first = Hasher()
        private var second = Hasher()

        init() { self.second.combine(UInt8.max) }

        mutating func add(_ number: UInt64) {
            self.first.combine(number)
            self.second.combine(number)
        }

        mutating func add(_ text: String) {
            var text = text
            text.withUTF8 { self.add($0.span, 0..<$0.count) }
        }

        mutating func add(_ bytes: Span<UInt8>, _ range: Range<Int>) {
            var word: UInt64 = 0
            for index in range {
                word = word << 8 | UInt64(bytes[index])
                guard (index - range.lowerBound) & 7 == 7 else { continue }
                self.add(word)
                word = 0
            }
            self.add(word)
            self.add(UInt64(range.count))
        }

        func finish() -> Fingerprint { Fingerprint(first: self.first.finalize(), second: self.second.finalize()) }
    }
}
