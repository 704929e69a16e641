import ByteGrammar
internal import Crypto

/// A hash that Digest may use (RFC 7616 section 3.2, RFC 8760).
public enum DigestAlgorithm: String, Sendable, Hashable, CaseIterable {
    /// MD5, for clients that know nothing better.
    case md5 = "MD5"
    /// MD5 with a session key.
    case md5Session = "MD5-sess"
    /// SHA-256.
    case sha256 = "SHA-256"
    /// SHA-256 with a session key.
    case sha256Session = "SHA-256-sess"
    /// SHA-512/256.
    case sha512t256 = "SHA-512-256"
    /// SHA-512/256 with a session key.
    case sha512t256Session = "SHA-512-256-sess"

    /// The algorithm of a name in any case; nil for one that is not known.
    public init?(name: String) {
        guard let found = Self.allCases.first(where: { ASCII.equalIgnoringCase($0.rawValue, name) }) else { return nil }
        self = found
    }

    /// Whether the key is made anew for each nonce and cnonce.
    public var isSession: Bool { self.rawValue.hasSuffix("-sess") }

    /// The algorithm without the session key, under which HA1 is kept.
    public var base: DigestAlgorithm {
        switch self {
        case .md5, .md5Session: .md5
        case .sha256, .sha256Session: .sha256
        case .sha512t256, .sha512t256Session: .sha512t256
        }
    }

    /// The hash of bytes as lower-case hexadecimal digits.
    public func hash(_ bytes: [UInt8]) -> String {
        let digest =
            switch self.base {
            case .sha256, .sha256Session: Array(SHA256.hash(data: bytes))
            case .sha512t256, .sha512t256Session: SHA512t256.hash(bytes)
            case .md5, .md5Session: Array(Insecure.MD5.hash(data: bytes))
            }
        var text: [UInt8] = []
        text.reserveCapacity(digest.count * 2)
        for byte in digest {
            text.append(Self.digits[Int(byte >> 4)])
            text.append(Self.digits[Int(byte & 15)])
        }
        return String(decoding: text, as: UTF8.self)
    }

    private static let digits = Array("0123456789abcdef".utf8)

    /// H(user ":" realm ":" password): what a server keeps in the place of the password.
    public func credentialHash(username: String, realm: String, password: String) -> String {
        self.hash(Array("\(username):\(realm):\(password)".utf8))
    }

    /// H(user ":" realm): what a client sends in the place of its user name when the server asks for that
    /// (RFC 7616 section 3.4.4).
    public func usernameHash(_ username: String, realm: String) -> String {
        self.hash(Array("\(username):\(realm)".utf8))
    }
}

/// The quality of protection (RFC 7616 section 3.3).
public enum DigestProtection: String, Sendable, Hashable {
    /// Method and URI.
    case auth
    /// Method, URI and body.
    case authInt = "auth-int"
}

/// The input of one Digest computation (RFC 7616 section 3.4).
public struct DigestComputation: Sendable, Hashable {
    /// The hash.
    public var algorithm: DigestAlgorithm
    /// H(user ":" realm ":" password) under the base algorithm.
    public var credentialHash: String
    /// The nonce.
    public var nonce: String
    /// The protection, nil for the form of RFC 2069.
    public var protection: DigestProtection?
    /// The client's nonce.
    public var clientNonce: String
    /// How often the nonce was used, as 8 hexadecimal digits.
    public var nonceCount: String

    /// Makes an input.
    public init(
        algorithm: DigestAlgorithm,
        credentialHash: String,
        nonce: String,
        protection: DigestProtection? = .auth,
        clientNonce: String = "",
        nonceCount: String = "00000001"
    ) {
        self.algorithm = algorithm
        self.credentialHash = credentialHash
        self.nonce = nonce
        self.protection = protection
        self.clientNonce = clientNonce
        self.nonceCount = nonceCount
    }

    /// HA1, with the session key when the algorithm has one.
    public var keyHash: String {
        guard self.algorithm.isSession else { return self.credentialHash }
        return self.hash("\(self.credentialHash):\(self.nonce):\(self.clientNonce)")
    }

    /// HA2: method, URI and, for auth-int, the hash of the body.
    ///
    /// The method is empty for `rspauth`.
    public func requestHash(method: String, uri: String, body: [UInt8]) -> String {
        guard self.protection == .authInt else { return self.hash("\(method):\(uri)") }
        return self.hash("\(method):\(uri):\(self.algorithm.hash(body))")
    }

    /// The `response` parameter, or `rspauth` when the method is empty.
    public func response(method: String, uri: String, body: [UInt8] = []) -> String {
        let key = self.keyHash
        let request = self.requestHash(method: method, uri: uri, body: body)
        guard let protection = self.protection else { return self.hash("\(key):\(self.nonce):\(request)") }
        return self.hash(
            "\(key):\(self.nonce):\(self.nonceCount):\(self.clientNonce):\(protection.rawValue):\(request)"
        )
    }

    private func hash(_ text: String) -> String { self.algorithm.hash(Array(text.utf8)) }
}
