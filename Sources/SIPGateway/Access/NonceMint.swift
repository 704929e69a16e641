import Crypto

/// Nonces that say themselves when and for whom they were made, so that a challenge costs no memory:
/// `MILLISECONDS-RANDOM-MAC` (RFC 7616, section 3.3).
struct NonceMint: Sendable {
    /// Has taken the key already: each code begins as a copy of it.
    private let keyed: HMAC<SHA256>
    private let lifeMilliseconds: Int64

    private static let macBytes = 16

    init(key: [UInt8], lifeMilliseconds: Int64) {
        keyed = HMAC(key: SymmetricKey(data: key))
        self.lifeMilliseconds = lifeMilliseconds
    }

    /// - Parameters:
    ///   - source: who is challenged: a nonce is worth nothing to others.
    ///   - now: milliseconds of a clock that never goes back.
    ///   - random: a fresh text of at least 64 bits, without `-`.
    func make(for source: String, now: Int64, random: String) -> String {
        let claim = "\(String(now, radix: 16))-\(random)"
        return "\(claim)-\(mac(claim, source))"
    }

    /// Whether this mint made it, for this source, and not too long ago.
    func isGood(_ nonce: String, for source: String, now: Int64) -> Bool {
        let fields = nonce.split(separator: "-", maxSplits: 3, omittingEmptySubsequences: false)
        guard fields.count == 3, let made = Int64(fields[0], radix: 16), made <= now, now - made < lifeMilliseconds
        else { return false }
        let expected = Array(mac("\(fields[0])-\(fields[1])", source).utf8)
        let given = Array(fields[2].utf8)
        guard expected.count == given.count else { return false }
        var difference: UInt8 = 0
        for (left, right) in zip(expected, given) { difference |= left ^ right }
        return difference == 0
    }

    private func mac(_ claim: String, _ source: String) -> String {
        var code = keyed
        code.update(data: Array("\(claim)|\(source)".utf8))
        let digits = Array("0123456789abcdef".utf8)
        var text: [UInt8] = []
        for byte in code.finalize().prefix(Self.macBytes) {
            text.append(digits[Int(byte >> 4)])
            text.append(digits[Int(byte & 15)])
        }
        return String(decoding: text, as: UTF8.self)
    }
}
