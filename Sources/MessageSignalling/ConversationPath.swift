package import MSRP
package import SDP

/// The way to the other end of a conversation's texts.
package struct ConversationPath: Sendable, Equatable {
    package let path: [MSRPURI]
    package let fingerprint: CertificateFingerprint?
    /// What the other end takes.
    package let attributes: MSRPAttributes
    /// Whether it is this end that connects.
    package let connects: Bool
}

/// How this end reaches, and is reached by, ends of one sort.
package struct TextReach: Sendable, Hashable {
    /// Over TLS, with the certificates that both descriptions name (RFC 4572).
    package var isSecure: Bool
    /// Whether this end connects where the other one says; if not it only waits to be connected to.
    package var connects: Bool

    package init(isSecure: Bool, connects: Bool) {
        self.isSecure = isSecure
        self.connects = connects
    }

    /// Another provider.
    package static let provider = TextReach(isSecure: true, connects: true)

    /// The transport of the `m=` line (RFC 4975, section 8.1).
    package var proto: String { isSecure ? "TCP/TLS/MSRP" : "TCP/MSRP" }

    /// The way to the other end; nil when texts cannot flow there.
    ///
    /// Over TLS whoever connects must know whom it meets: by the certificate that the other side names.
    package func path(_ remote: SessionDescription, slot: Int, connects: Bool) -> ConversationPath? {
        guard remote.media.indices.contains(slot) else { return nil }
        let medium = remote.media[slot]
        guard medium.proto.uppercased() == proto, !medium.isRejected,
            let attributes = try? MSRPAttributes(of: medium), attributes.accepts("message/cpim"),
            let path = try? attributes.path.map({ try MSRPURI(parsing: $0) }),
            path.allSatisfy({ $0.isSecure == isSecure })
        else { return nil }
        let stated = medium.fingerprints.first ?? remote.fingerprints.first
        let fingerprint = stated.flatMap { try? CertificateFingerprint(parsing: $0.text) }
        guard !isSecure || fingerprint != nil || !connects else { return nil }
        return ConversationPath(path: path, fingerprint: fingerprint, attributes: attributes, connects: connects)
    }
}
