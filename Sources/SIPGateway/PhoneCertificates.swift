import FoundationEssentials
import NIOSSL

/// What the doors for phones show over TLS.
struct PhoneCertificates: Sendable {
    let context: NIOSSLContext
    let leaf: NIOSSLCertificate
    /// What the two files held.
    let contents: [Data]

    /// Reads the files.
    /// - Throws: when one cannot be read, is no PEM, or the key is not the certificate's.
    init(_ files: SIPGatewayConfiguration.Certificate) throws {
        contents = try Self.read(files)
        let chain = try NIOSSLCertificate.fromPEMBytes(Array(contents[0]))
        guard let leaf = chain.first else { throw NIOSSLError.failedToLoadCertificate }
        self.leaf = leaf
        var configuration = TLSConfiguration.makeServerConfiguration(
            certificateChain: chain.map { .certificate($0) },
            privateKey: .privateKey(try NIOSSLPrivateKey(bytes: Array(contents[1]), format: .pem))
        )
        configuration.minimumTLSVersion = .tlsv12
        context = try NIOSSLContext(configuration: configuration)
    }

    static func read(_ files: SIPGatewayConfiguration.Certificate) throws -> [Data] {
        [try Data(contentsOf: URL(filePath: files.chain)), try Data(contentsOf: URL(filePath: files.key))]
    }
}
