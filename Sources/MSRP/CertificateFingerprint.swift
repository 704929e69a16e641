import Crypto

/// The value of `a=fingerprint` for SHA-256: the hash of a certificate (RFC 8122).
public struct CertificateFingerprint: Sendable, Hashable {
    /// The 32 octets of the hash.
    public let octets: [UInt8]

    /// Computes the fingerprint of a certificate in DER form.
    public init(ofCertificate bytes: some Sequence<UInt8>) {
        self.octets = Array(SHA256.hash(data: Array(bytes)))
    }

    /// Reads a value: `SHA-256` and the hash in hexadecimal digits with colons.
    ///
    /// - Throws: ``MSRPError`` with ``MSRPError/Code/malformedFingerprint``, also for another hash.
    public init(parsing value: some StringProtocol) throws(MSRPError) {
        let words = value.split(separator: " ")
        guard words.count == 2, words[0].lowercased() == "sha-256" else {
            throw MSRPError(.malformedFingerprint, "SHA-256 and a hash expected")
        }
        let pairs = words[1].split(separator: ":", omittingEmptySubsequences: false)
        let octets = pairs.compactMap { $0.utf8.count == 2 ? UInt8($0, radix: 16) : nil }
        guard octets.count == 32, pairs.count == 32 else {
            throw MSRPError(.malformedFingerprint, "32 octets expected")
        }
        self.octets = octets
    }

    /// As it is printed.
    public var text: String {
        "SHA-256 "
            + self.octets.map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined(separator: ":")
            .uppercased()
    }
}
