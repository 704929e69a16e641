/// Text for branches, tags and Call-IDs.
public enum RandomText {
    private static let letters = Array("abcdefghijklmnopqrstuvwxyz0123456789".utf8)

    /// A text of letters and digits; 12 of them hold 62 random bits, which is one draw.
    public static func token(_ count: Int) -> String {
        var generator = SystemRandomNumberGenerator()
        return String(unsafeUninitializedCapacity: max(0, count)) { buffer in
            var bits: UInt64 = 0
            var left = 0
            for index in 0..<max(0, count) {
                if left == 0 {
                    bits = generator.next()
                    left = 12
                }
                buffer[index] = self.letters[Int(bits % 36)]
                bits /= 36
                left -= 1
            }
            return max(0, count)
        }
    }
}
