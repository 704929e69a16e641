import Synchronization

#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// Text for branches, tags and Call-IDs.
public enum RandomText {
    private static let letters = Array("abcdefghijklmnopqrstuvwxyz234567".utf8)

    /// Random numbers of the system, fetched many at once: each fetch is a system call.
    private struct Pool: Sendable {
        private var numbers: [UInt64] = []

        mutating func next() -> UInt64 {
            if let number = self.numbers.popLast() { return number }
            self.numbers = [UInt64](repeating: 0, count: 32)
            // 256 bytes are the most that this call gives; it fails only where there is no such call at all.
            let result = self.numbers.withUnsafeMutableBytes { getentropy($0.baseAddress, $0.count) }
            precondition(result == 0, "the system has no random numbers")
            return self.numbers.removeLast()
        }
    }

    private static let pool = Mutex(Pool())

    /// A text of letters and digits; 12 of them hold 60 random bits.
    public static func token(_ count: Int) -> String {
        let count = max(0, count)
        return self.pool.withLock { pool in
            String(unsafeUninitializedCapacity: count) { buffer in
                var bits: UInt64 = 0
                for index in 0..<count {
                    if index % 12 == 0 { bits = pool.next() }
                    buffer[index] = self.letters[Int(bits & 31)]
                    bits >>= 5
                }
                return count
            }
        }
    }
}
