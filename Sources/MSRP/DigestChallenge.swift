import Crypto

/// A digest challenge of a relay (RFC 4976 section 5.1, RFC 7616): the value of a WWW-Authenticate header.
public struct DigestChallenge: Sendable, Hashable {
    /// The hash to compute with.
    public enum Algorithm: String, Sendable, Hashable, CaseIterable {
        /// The one that is meant when none is named.
        case md5 = "MD5"
        /// RFC 7616.
        case sha256 = "SHA-256"
    }

    /// What the user is known in.
    public var realm: String
    /// What the relay made up for this challenge.
    public var nonce: String
    /// Handed back as it came.
    public var opaque: String?
    /// The hash; MD5 when none is named.
    public var algorithm: Algorithm
    /// The credentials were right, and only the nonce was too old.
    public var isStale: Bool

    /// Reads a challenge.
    ///
    /// - Throws: ``MSRPError`` with ``MSRPError/Code/malformedChallenge``, also for a scheme, algorithm or quality of
    ///   protection that we do not know.
    public init(parsing value: String) throws(MSRPError) {
        let parameters = try Self.parameters(of: value)
        guard let realm = parameters["realm"], let nonce = parameters["nonce"] else {
            throw MSRPError(.malformedChallenge, "realm and nonce expected")
        }
        guard let algorithm = Algorithm(rawValue: (parameters["algorithm"] ?? "MD5").uppercased()) else {
            throw MSRPError(.malformedChallenge, "an unknown algorithm")
        }
        let qualities = (parameters["qop"] ?? "auth").split(separator: ",").map {
            $0.filter { $0 != " " }.lowercased()
        }
        guard qualities.contains("auth") else { throw MSRPError(.malformedChallenge, "qop=auth expected") }
        self.realm = realm
        self.nonce = nonce
        self.opaque = parameters["opaque"]
        self.algorithm = algorithm
        self.isStale = parameters["stale"]?.lowercased() == "true"
    }

    /// The parameters behind the word `Digest`, names in lower case, quotes and escapes removed.
    private static func parameters(of value: String) throws(MSRPError) -> [String: String] {
        let bytes = Array(value.utf8)
        guard bytes.count > 7, bytes.span.extracting(0..<7).equalsIgnoringCase("Digest ") else {
            throw MSRPError(.malformedChallenge, "Digest expected")
        }
        return try self.parameters(bytes, from: 7)
    }

    /// The parameters of an Authentication-Info header (RFC 7616 section 3.5).
    static func parameters(ofInfo value: String) throws(MSRPError) -> [String: String] {
        try self.parameters(Array(value.utf8), from: 0)
    }

    private static func parameters(_ bytes: [UInt8], from start: Int) throws(MSRPError) -> [String: String] {
        var parameters: [String: String] = [:]
        var index = start
        while index < bytes.count {
            guard bytes[index] != ASCII.space, bytes[index] != ASCII.tab, bytes[index] != UInt8(ascii: ",") else {
                index += 1
                continue
            }
            let nameStart = index
            while index < bytes.count, ASCII.isToken(bytes[index]) { index += 1 }
            guard index > nameStart, index < bytes.count, bytes[index] == UInt8(ascii: "=") else {
                throw MSRPError(.malformedChallenge, "name=value expected", offset: index)
            }
            let name = String(decoding: bytes[nameStart..<index], as: UTF8.self).lowercased()
            index += 1
            parameters[name] = try self.value(in: bytes, at: &index)
        }
        return parameters
    }

    private static func value(in bytes: [UInt8], at index: inout Int) throws(MSRPError) -> String {
        guard index < bytes.count, bytes[index] == UInt8(ascii: "\"") else {
            let start = index
            while index < bytes.count, bytes[index] != UInt8(ascii: ","), bytes[index] != ASCII.space { index += 1 }
            return String(decoding: bytes[start..<index], as: UTF8.self)
        }
        var value: [UInt8] = []
        index += 1
        while index < bytes.count, bytes[index] != UInt8(ascii: "\"") {
            if bytes[index] == UInt8(ascii: "\\"), index + 1 < bytes.count { index += 1 }
            value.append(bytes[index])
            index += 1
        }
        guard index < bytes.count else {
            throw MSRPError(.malformedChallenge, "a closing quote expected", offset: index)
        }
        index += 1
        return String(decoding: value, as: UTF8.self)
    }
}

/// Who a client is to a relay.
public struct RelayCredentials: Sendable, Hashable {
    /// The name.
    public var username: String
    /// The secret.
    public var password: String

    /// Makes credentials.
    public init(username: String, password: String) {
        self.username = username
        self.password = password
    }
}

extension DigestChallenge {
    /// The value of an Authorization header that answers the challenge.
    ///
    /// - Parameters:
    ///   - uri: the relay's URI: the last one of the To-Path.
    ///   - count: how often the nonce has been used, this time included.
    ///   - clientNonce: letters and digits that nobody can foresee.
    public func authorization(
        _ credentials: RelayCredentials,
        uri: String,
        count: UInt32,
        clientNonce: String
    ) -> String {
        let nc = Self.digits(count)
        let response = self.compute(credentials, MSRPMethod.auth.rawValue, uri, nc, clientNonce)
        var value =
            "Digest username=\(Self.quoted(credentials.username)), realm=\(Self.quoted(self.realm)), "
            + "nonce=\(Self.quoted(self.nonce)), uri=\(Self.quoted(uri)), response=\"\(response)\", "
            + "algorithm=\(self.algorithm.rawValue), qop=auth, cnonce=\"\(clientNonce)\", nc=\(nc)"
        if let opaque { value += ", opaque=\(Self.quoted(opaque))" }
        return value
    }

    /// What a relay that knows the password as well gives as `rspauth` to an authorization with these values.
    public func proof(_ credentials: RelayCredentials, uri: String, count: UInt32, clientNonce: String) -> String {
        self.compute(credentials, "", uri, Self.digits(count), clientNonce)
    }

    private func compute(
        _ credentials: RelayCredentials,
        _ method: String,
        _ uri: String,
        _ count: String,
        _ clientNonce: String
    ) -> String {
        let secret = self.hash("\(credentials.username):\(self.realm):\(credentials.password)")
        let request = self.hash("\(method):\(uri)")
        return self.hash("\(secret):\(self.nonce):\(count):\(clientNonce):auth:\(request)")
    }

    private static func digits(_ count: UInt32) -> String {
        let digits = String(count, radix: 16)
        return String(repeating: "0", count: 8 - digits.count) + digits
    }

    private func hash(_ text: String) -> String {
        switch self.algorithm {
        case .md5: Self.hexadecimal(Insecure.MD5.hash(data: Array(text.utf8)))
        case .sha256: Self.hexadecimal(SHA256.hash(data: Array(text.utf8)))
        }
    }

    private static func hexadecimal(_ digest: some Sequence<UInt8>) -> String {
        digest.map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined()
    }

    private static func quoted(_ text: String) -> String {
        "\"" + text.map { $0 == "\"" || $0 == "\\" ? "\\\($0)" : String($0) }.joined() + "\""
    }
}
