/// SipHash-1-3 under a secret key: nobody who does not know the key can choose texts whose hashes meet.
struct SipHash {
    static let keyBytes = 16

    private let key: (UInt64, UInt64)

    /// Takes the first ``keyBytes``; missing ones count as zero.
    init(key: [UInt8]) {
        func word(_ bytes: some Sequence<UInt8>) -> UInt64 { bytes.reversed().reduce(0) { $0 << 8 | UInt64($1) } }
        self.key = (word(key.prefix(8)), word(key.dropFirst(8).prefix(8)))
    }

    private struct State {
        var v0, v1, v2, v3: UInt64

        mutating func round() {
            v0 &+= v1
            v1 = (v1 << 13 | v1 >> 51) ^ v0
            v0 = v0 << 32 | v0 >> 32
            v2 &+= v3
            v3 = (v3 << 16 | v3 >> 48) ^ v2
            v0 &+= v3
            v3 = (v3 << 21 | v3 >> 43) ^ v0
            v2 &+= v1
            v1 = (v1 << 17 | v1 >> 47) ^ v2
            v2 = v2 << 32 | v2 >> 32
        }

        mutating func absorb(_ word: UInt64) {
            v3 ^= word
            round()
            v0 ^= word
        }
    }

    func callAsFunction(_ text: String) -> Int64 {
        var state = State(
            v0: key.0 ^ 0x736f_6d65_7073_6575,
            v1: key.1 ^ 0x646f_7261_6e64_6f6d,
            v2: key.0 ^ 0x6c79_6765_6e65_7261,
            v3: key.1 ^ 0x7465_6462_7974_6573
        )
        var word: UInt64 = 0
        var count = 0
        for byte in text.utf8 {
            word |= UInt64(byte) << UInt64(count % 8 * 8)
            count += 1
            if count % 8 == 0 {
                state.absorb(word)
                word = 0
            }
        }
        state.absorb(word | UInt64(truncatingIfNeeded: count) << 56)
        state.v2 ^= 0xff
        for _ in 0..<3 { state.round() }
        return Int64(bitPattern: state.v0 ^ state.v1 ^ state.v2 ^ state.v3)
    }
}
