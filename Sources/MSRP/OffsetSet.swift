/// A set of octet positions, counted from 0, as ranges that neither touch nor overlap.
struct OffsetSet: Sendable, Hashable {
    private(set) var ranges: [Range<UInt64>] = []

    /// Adds positions; false, and nothing is added, when the set would have more than `maxRanges` ranges.
    mutating func insert(_ range: Range<UInt64>, maxRanges: Int) -> Bool {
        guard !range.isEmpty else { return true }
        // The ranges that the new one touches are replaced by their union with it.
        let first = self.ranges.firstIndex { $0.upperBound >= range.lowerBound } ?? self.ranges.count
        var last = first
        var union = range
        while last < self.ranges.count, self.ranges[last].lowerBound <= range.upperBound {
            union =
                min(
                    union.lowerBound,
                    self.ranges[last].lowerBound
                )..<max(union.upperBound, self.ranges[last].upperBound)
            last += 1
        }
        guard self.ranges.count - (last - first) < maxRanges else { return false }
        self.ranges.replaceSubrange(first..<last, with: CollectionOfOne(union))
        return true
    }

    /// Whether every position below `end` is there.
    func covers(upTo end: UInt64) -> Bool {
        end == 0 || (self.ranges.first.map { $0.lowerBound == 0 && $0.upperBound >= end } ?? false)
    }
}
