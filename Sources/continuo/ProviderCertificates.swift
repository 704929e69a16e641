import Crypto
import Foundation
import SwiftASN1
import X509

/// Certificates for providers on one machine: an authority made for them alone, and one for each domain.
///
/// What is there is kept, so that they are made at the first start; nobody else's certificate comes from this authority,
/// whose key is thrown away as soon as it has signed.
struct ProviderCertificates: Sendable {
    private let folder: URL

    /// The PEM file with the authority that all of them trust.
    var authorities: String { folder.appendingPathComponent("authorities.pem").path }

    func certificate(_ domain: String) -> String { folder.appendingPathComponent("\(domain).pem").path }

    func key(_ domain: String) -> String { folder.appendingPathComponent("\(domain).key").path }

    private static let day: TimeInterval = 86_400
    private static let life: TimeInterval = 365 * day
    /// Clocks of two machines are never quite the same.
    private static let tolerance: TimeInterval = 3600

    /// Finds the certificates of some domains in a folder, or makes them anew: when one is missing, or soon over.
    init(domains: [String], folder path: String) throws {
        folder = URL(fileURLWithPath: path)
        guard !domains.allSatisfy(isGood) else { return }
        try FileManager.default.createDirectory(
            at: folder,
            withIntermediateDirectories: true,
            attributes: [.posixPermissions: 0o700]
        )
        let authority = try DistinguishedName { CommonName("Continuo providers on this machine") }
        let signer = Certificate.PrivateKey(P256.Signing.PrivateKey())
        let root = try Self.certificate(
            of: authority,
            signer.publicKey,
            by: authority,
            signer,
            Certificate.Extensions {
                Critical(BasicConstraints.isCertificateAuthority(maxPathLength: 0))
                Critical(KeyUsage(keyCertSign: true))
            }
        )
        for domain in domains {
            let own = P256.Signing.PrivateKey()
            let certificate = try Self.certificate(
                of: try DistinguishedName { CommonName(domain) },
                Certificate.PrivateKey(own).publicKey,
                by: authority,
                signer,
                Certificate.Extensions {
                    Critical(BasicConstraints.notCertificateAuthority)
                    Critical(KeyUsage(digitalSignature: true))
                    try ExtendedKeyUsage([.serverAuth, .clientAuth])
                    SubjectAlternativeNames([.dnsName(domain)])
                }
            )
            try write(own.pemRepresentation, to: key(domain), 0o600)
            try write(try certificate.serializeAsPEM().pemString, to: self.certificate(domain), 0o644)
        }
        try write(try root.serializeAsPEM().pemString, to: authorities, 0o644)
    }

    /// Whether there is a certificate of this domain that holds for a while yet, with all that belongs to it.
    private func isGood(_ domain: String) -> Bool {
        guard FileManager.default.fileExists(atPath: key(domain)),
            FileManager.default.fileExists(atPath: authorities),
            let text = try? String(contentsOfFile: certificate(domain), encoding: .utf8),
            let certificate = try? Certificate(pemEncoded: text)
        else { return false }
        return certificate.notValidAfter > Date().addingTimeInterval(Self.day)
    }

    private static func certificate(
        of subject: DistinguishedName,
        _ key: Certificate.PublicKey,
        by issuer: DistinguishedName,
        _ signer: Certificate.PrivateKey,
        _ extensions: @autoclosure () throws -> Certificate.Extensions
    ) throws -> Certificate {
        try Certificate(
            version: .v3,
            serialNumber: Certificate.SerialNumber(),
            publicKey: key,
            notValidBefore: Date().addingTimeInterval(-tolerance),
            notValidAfter: Date().addingTimeInterval(life),
            issuer: issuer,
            subject: subject,
            signatureAlgorithm: .ecdsaWithSHA256,
            extensions: try extensions(),
            issuerPrivateKey: signer
        )
    }

    private func write(_ text: String, to path: String, _ rights: Int) throws {
        guard
            FileManager.default.createFile(
                atPath: path,
                contents: Data((text + "\n").utf8),
                attributes: [.posixPermissions: rights]
            )
        else { throw CommandFailure.refused("\(path) cannot be written") }
    }
}
