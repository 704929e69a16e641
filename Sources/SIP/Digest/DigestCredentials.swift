import ByteGrammar
import NIOCore

/// The credentials of a request, complete and of the right form (RFC 7616 section 3.4).
struct DigestCredentials {
    let username: String
    /// Whether the user name is a hash (section 3.4.4).
    let isNameHashed: Bool
    let uri: String
    let response: String
    let nonce: String
    let algorithm: DigestAlgorithm
    let protection: DigestProtection
    let clientNonce: String
    let nonceCount: String
    let count: UInt32

    /// - Returns: nil when a parameter is missing or malformed.
    init?(_ value: AuthenticationValue) {
        let parameters = value.parameters
        guard let username = parameters["username"], let nonce = parameters["nonce"], let uri = parameters["uri"],
            let response = parameters["response"],
            let algorithm = DigestAlgorithm(name: parameters["algorithm"] ?? "MD5"),
            let protection = parameters["qop"].flatMap(DigestProtection.init),
            let clientNonce = parameters["cnonce"], let nonceCount = parameters["nc"],
            nonceCount.utf8.count == 8, let count = UInt32(nonceCount, radix: 16), count > 0
        else { return nil }
        self.username = username
        self.isNameHashed = parameters["userhash"].map { ASCII.equalIgnoringCase($0, "true") } ?? false
        self.uri = uri
        self.response = response
        self.nonce = nonce
        self.algorithm = algorithm
        self.protection = protection
        self.clientNonce = clientNonce
        self.nonceCount = nonceCount
        self.count = count
    }

    /// Whether the response is the one of a user whose H(user:realm:password) is given.
    func isRight(_ credentialHash: String, _ method: SIPMethod, body: ByteBuffer) -> Bool {
        Self.isEqual(self.compute(credentialHash, self.protection, method.rawValue, body), self.response)
    }

    /// What a server that knows the user answers with.
    func info(_ credentialHash: String, body: ByteBuffer) -> AuthenticationInfo {
        AuthenticationInfo(parameters: [
            Parameter("qop", self.protection.rawValue),
            Parameter("rspauth", self.compute(credentialHash, self.protection, "", body), quoted: true),
            Parameter("cnonce", self.clientNonce, quoted: true), Parameter("nc", self.nonceCount),
        ])
    }

    /// Whether a server has proved that it knows the user; nil when it did not try.
    func isProved(by info: AuthenticationInfo, _ credentialHash: String, body: ByteBuffer) -> Bool? {
        guard let proof = info.parameters["rspauth"] else { return nil }
        let protection = info.parameters["qop"].flatMap(DigestProtection.init) ?? self.protection
        return info.parameters["cnonce"] == self.clientNonce && info.parameters["nc"] == self.nonceCount
            && Self.isEqual(self.compute(credentialHash, protection, "", body), proof)
    }

    /// The method is empty for what a server proves.
    private func compute(
        _ credentialHash: String,
        _ protection: DigestProtection,
        _ method: String,
        _ body: ByteBuffer
    ) -> String {
        DigestComputation(
            algorithm: self.algorithm,
            credentialHash: credentialHash,
            nonce: self.nonce,
            protection: protection,
            clientNonce: self.clientNonce,
            nonceCount: self.nonceCount
        ).response(method: method, uri: self.uri, body: protection == .authInt ? Array(body.readableBytesView) : [])
    }

    /// Compares in a time that does not tell where the texts differ.
    private static func isEqual(_ left: String, _ right: String) -> Bool {
        let left = Array(left.utf8)
        let right = Array(right.utf8)
        guard left.count == right.count else { return false }
        return zip(left, right).reduce(UInt8(0)) { $0 | ($1.0 ^ ASCII.lowercased($1.1)) } == 0
    }
}
