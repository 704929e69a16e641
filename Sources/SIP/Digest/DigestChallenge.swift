import ByteGrammar
import NIOCore

/// A Digest challenge that a client can answer (RFC 7616 section 3.3).
public struct DigestChallenge: Sendable, Hashable {
    /// Whose credentials are wanted.
    public var realm: String
    /// The server's nonce.
    public var nonce: String
    /// Text to send back.
    public var opaque: String?
    /// The algorithm.
    public var algorithm: DigestAlgorithm
    /// The protections offered that are known; empty when the challenge has no `qop`.
    public var protections: [DigestProtection]
    /// Whether the credentials were right and only the nonce was too old.
    public var isStale: Bool
    /// Whether the user name is wanted as a hash (RFC 7616 section 3.4.4).
    public var hidesUsername = false

    /// Makes a challenge.
    public init(
        realm: String,
        nonce: String,
        opaque: String? = nil,
        algorithm: DigestAlgorithm = .sha256,
        protections: [DigestProtection] = [.auth],
        isStale: Bool = false
    ) {
        self.realm = realm
        self.nonce = nonce
        self.opaque = opaque
        self.algorithm = algorithm
        self.protections = protections
        self.isStale = isStale
    }

    /// Reads a challenge.
    ///
    /// - Returns: nil when it cannot be answered: not Digest (Basic is not allowed in SIP), no realm or nonce, an unknown
    ///   algorithm, or only unknown protections.
    public init?(_ value: AuthenticationValue) {
        guard value.isDigest, let realm = value.parameters["realm"], let nonce = value.parameters["nonce"],
            let algorithm = DigestAlgorithm(name: value.parameters["algorithm"] ?? "MD5")
        else { return nil }
        var protections: [DigestProtection] = []
        if let text = value.parameters["qop"] {
            protections = text.split(whereSeparator: { $0 == "," || $0 == " " || $0 == "\t" })
                .compactMap { DigestProtection(rawValue: ASCII.lowercased(String($0))) }
            guard !protections.isEmpty else { return nil }
        }
        self.init(
            realm: realm,
            nonce: nonce,
            opaque: value.parameters["opaque"],
            algorithm: algorithm,
            protections: protections,
            isStale: Self.isTrue(value.parameters["stale"])
        )
        self.hidesUsername = Self.isTrue(value.parameters["userhash"])
    }

    private static func isTrue(_ text: String?) -> Bool {
        text.map { ASCII.equalIgnoringCase($0, "true") } ?? false
    }

    /// The value for WWW-Authenticate or Proxy-Authenticate.
    public var value: AuthenticationValue {
        var parameters: Parameters = [
            Parameter("realm", self.realm, quoted: true), Parameter("nonce", self.nonce, quoted: true),
        ]
        if let opaque = self.opaque { parameters.items.append(Parameter("opaque", opaque, quoted: true)) }
        parameters.items.append(Parameter("algorithm", self.algorithm.rawValue))
        if !self.protections.isEmpty {
            let names = self.protections.map(\.rawValue).joined(separator: ",")
            parameters.items.append(Parameter("qop", names, quoted: true))
        }
        if self.isStale { parameters.items.append(Parameter("stale", "true")) }
        if self.hidesUsername { parameters.items.append(Parameter("userhash", "true")) }
        return AuthenticationValue(scheme: "Digest", parameters: parameters)
    }

    /// The challenge to answer for each realm: the topmost one that can be answered (RFC 8760 section 2.4).
    public static func usable(_ values: [AuthenticationValue]) -> [DigestChallenge] {
        var chosen: [DigestChallenge] = []
        for challenge in values.compactMap(DigestChallenge.init)
        where !chosen.contains(where: { $0.realm == challenge.realm }) {
            chosen.append(challenge)
        }
        return chosen
    }
}
