/// Word-wise search over bytes.
///
/// This is the one place with unchecked loads. The bounds are checked once, before the loop.
public enum ByteSearch {
    /// Finds a byte in a part of `bytes`, eight bytes at a time.
    ///
    /// - Returns: The offset of the first occurrence in `start..<end`, or nil. Bounds outside of `bytes` are clamped.
    @inlinable
    @inline(__always)
    public static func firstOffset(of byte: UInt8, in bytes: RawSpan, from start: Int, to end: Int) -> Int? {
        let end = Swift.min(end, bytes.byteCount)
        guard start >= 0, start < end else { return nil }
        let pattern = 0x0101_0101_0101_0101 &* UInt64(byte)
        var offset = start
        // `offset + 8 <= end <= byteCount` and `offset >= 0` hold at every load below.
        while offset &+ 8 <= end {
            let word = unsafe bytes.unsafeLoadUnaligned(fromUncheckedByteOffset: offset, as: UInt64.self)
            let difference = UInt64(littleEndian: word) ^ pattern
            let hit = (difference &- 0x0101_0101_0101_0101) & ~difference & 0x8080_8080_8080_8080
            if hit != 0 { return offset &+ hit.trailingZeroBitCount / 8 }
            offset &+= 8
        }
        while offset < end {
            if unsafe bytes.unsafeLoad(fromUncheckedByteOffset: offset, as: UInt8.self) == byte { return offset }
            offset &+= 1
        }
        return nil
    }
}
