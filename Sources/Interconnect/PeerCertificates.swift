import FoundationEssentials
import NIOSSL

/// This provider's certificate and whom it trusts, for both ends of connections with peers.
///
/// Both sides show a certificate that the authorities vouch for (RFC 3261, section 26.3.2.1); what is in it says which
/// domains the other side may speak for (RFC 5922).
struct PeerCertificates {
    let server: NIOSSLContext
    let client: NIOSSLContext
    /// For connections to hosts whose certificate is named by signalling: it is compared with that, not with a host name.
    let media: NIOSSLContext
    /// To look at what somebody shows; nothing is said on such a connection.
    let unverified: NIOSSLContext
    /// One's own.
    let leaf: NIOSSLCertificate
    /// What the files held.
    let contents: [Data]

    /// Reads the files.
    /// - Throws: when one cannot be read, is no PEM, or the key is not the certificate's.
    init(_ configuration: InterconnectConfiguration) throws {
        contents = try Self.read(configuration)
        let certificates = try NIOSSLCertificate.fromPEMBytes(Array(contents[0]))
        guard let leaf = certificates.first else { throw NIOSSLError.failedToLoadCertificate }
        self.leaf = leaf
        let chain = certificates.map { NIOSSLCertificateSource.certificate($0) }
        let key = NIOSSLPrivateKeySource.privateKey(try NIOSSLPrivateKey(bytes: Array(contents[1]), format: .pem))
        let roots = NIOSSLTrustRoots.file(configuration.authorities)
        var server = TLSConfiguration.makeServerConfiguration(certificateChain: chain, privateKey: key)
        server.minimumTLSVersion = .tlsv12
        server.trustRoots = roots
        // Whoever connects is known by its domain, not by the name of its host.
        server.certificateVerification = .noHostnameVerification
        var client = TLSConfiguration.makeClientConfiguration()
        client.minimumTLSVersion = .tlsv12
        client.certificateChain = chain
        client.privateKey = key
        client.trustRoots = roots
        client.certificateVerification = .fullVerification
        self.server = try NIOSSLContext(configuration: server)
        self.client = try NIOSSLContext(configuration: client)
        client.certificateVerification = .noHostnameVerification
        media = try NIOSSLContext(configuration: client)
        client.certificateVerification = .none
        unverified = try NIOSSLContext(configuration: client)
    }

    /// The chain, its key, and the authorities (nothing of them if they are a folder).
    static func read(_ configuration: InterconnectConfiguration) throws -> [Data] {
        [
            try Data(contentsOf: URL(filePath: configuration.certificate)),
            try Data(contentsOf: URL(filePath: configuration.key)),
            (try? Data(contentsOf: URL(filePath: configuration.authorities))) ?? Data(),
        ]
    }

    /// The names in a certificate that was verified: its DNS names, and the domains of its SIP URIs (RFC 5922, section
    /// 7.1), in lower case.
    static func identities(of certificate: NIOSSLCertificate) -> Set<String> {
        var names: Set<String> = []
        for name in certificate._subjectAlternativeNames() {
            let text = String(decoding: name.contents, as: UTF8.self).lowercased()
            switch name.nameType {
            case .dnsName: names.insert(text)
            // A domain stands without a user.
            case .uri where text.hasPrefix("sip:") && !text.contains("@"): names.insert(String(text.dropFirst(4)))
            default: break
            }
        }
        return names
    }
}
