internal import ByteGrammar

/// Octets as pairs of hexadecimal digits with colons between, as fingerprints and file hashes are written.
enum ColonHex {
    /// Decodes; digits may be small, although the grammars have capitals only.
    static func decode(_ text: String) -> [UInt8]? {
        var octets: [UInt8] = []
        for pair in text.utf8.split(separator: UInt8(ascii: ":"), omittingEmptySubsequences: false) {
            let digits = pair.compactMap(ASCII.hexadecimalValue)
            guard pair.count == 2, digits.count == 2 else { return nil }
            octets.append(digits[0] << 4 | digits[1])
        }
        return octets
    }

    static func encode(_ octets: [UInt8]) -> String {
        octets.map { octet in
            let digits = String(octet, radix: 16, uppercase: true)
            return octet < 16 ? "0\(digits)" : digits
        }.joined(separator: ":")
    }
}
