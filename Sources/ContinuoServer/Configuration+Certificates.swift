import Foundation
import NIOSSL

extension Configuration {
    /// What is wrong with the certificates that the doors show, and with those that other providers are known by: told before
    /// a door opens, by key and file.
    func certificateProblems() -> [ConfigurationProblem] {
        var problems: [ConfigurationProblem] = []
        if let tls { problems += Self.problems("client.tls", tls) }
        if let tls = sip.tls { problems += Self.problems("sip.certificate", tls) }
        if peering.listen != nil {
            problems += Self.problems("interconnect", TLS(certificate: peering.certificate, key: peering.key))
            var isFolder: ObjCBool = false
            let isThere = FileManager.default.fileExists(atPath: peering.authorities, isDirectory: &isFolder)
            // A folder of them is read by TLS itself.
            if !(isThere && isFolder.boolValue),
                (try? NIOSSLCertificate.fromPEMFile(peering.authorities).isEmpty) ?? true
            {
                problems.append(Self.unreadable("interconnect.authorities", peering.authorities, "certificates"))
            }
        }
        return problems
    }

    private static func problems(_ key: String, _ files: TLS) -> [ConfigurationProblem] {
        guard let chain = try? NIOSSLCertificate.fromPEMFile(files.certificate), !chain.isEmpty else {
            return [unreadable(key, files.certificate, "certificates")]
        }
        guard let secret = try? NIOSSLPrivateKey(file: files.key, format: .pem) else {
            return [unreadable(key, files.key, "private key")]
        }
        let settings = TLSConfiguration.makeServerConfiguration(
            certificateChain: chain.map { .certificate($0) },
            privateKey: .privateKey(secret)
        )
        guard (try? NIOSSLContext(configuration: settings)) != nil else {
            return [
                ConfigurationProblem(
                    key: key,
                    line: nil,
                    problem: "the key in \(files.key) is not that of the first certificate in \(files.certificate)",
                    mend: "give the pair, with the server's own certificate before those of its authorities"
                )
            ]
        }
        return []
    }

    private static func unreadable(_ key: String, _ path: String, _ what: String) -> ConfigurationProblem {
        ConfigurationProblem(
            key: key,
            line: nil,
            problem: "\(path) holds no \(what) that can be read",
            mend: "give a PEM file, which begins with '-----BEGIN'"
        )
    }
}
