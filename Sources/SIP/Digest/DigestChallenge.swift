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
            isStale: value.parameters["stale"].map { ASCII.equalIgnoringCase($0, "true") } ?? false
        )
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

/// The answers of a client to challenges; keeps nonces and counts so that later requests need no new challenge.
public struct DigestClient: Sendable, Hashable {
    /// Who the client is in a realm.
    public struct Credentials: Sendable, Hashable {
        /// The user name.
        public var username: String
        /// The password.
        public var password: String

        /// Makes credentials.
        public init(username: String, password: String) {
            self.username = username
            self.password = password
        }
    }

    /// What came of a challenge.
    public enum Outcome: Sendable, Hashable {
        /// Send the request again, with these header fields, a new branch and the next CSeq number.
        case retry
        /// The credentials were refused.
        case refused
        /// No challenge can be answered.
        case unanswerable
    }

    private struct Entry: Sendable, Hashable {
        var challenge: DigestChallenge
        var count: UInt32
        var isProxy: Bool
    }

    private var entries: [Entry] = []
    private let credentials: Credentials

    /// How many realms are remembered.
    public static let maximumRealms = 16

    /// Makes a client of one user.
    public init(credentials: Credentials) { self.credentials = credentials }

    /// A 401 or 407 arrived.
    ///
    /// A challenge that comes again for a nonce that was used means that the credentials are wrong, unless it is stale.
    ///
    /// - Parameter answered: Whether the request that failed carried an answer of this client.
    public mutating func received(_ response: SIPMessage, answered: Bool) -> Outcome {
        let name: HeaderName = response.status == 407 ? .proxyAuthenticate : .wwwAuthenticate
        let challenges = DigestChallenge.usable(response.challenges(name))
        guard !challenges.isEmpty else { return .unanswerable }
        var hasNew = false
        for challenge in challenges.prefix(Self.maximumRealms) {
            let index = self.entries.firstIndex {
                $0.challenge.realm == challenge.realm && $0.isProxy == (response.status == 407)
            }
            let known = index.map { self.entries[$0] }
            if answered, known != nil, !challenge.isStale { continue }
            hasNew = true
            let entry = Entry(challenge: challenge, count: 0, isProxy: response.status == 407)
            if let index { self.entries[index] = entry } else { self.entries.append(entry) }
        }
        if self.entries.count > Self.maximumRealms { self.entries.removeFirst(self.entries.count - Self.maximumRealms) }
        return hasNew ? .retry : .refused
    }

    /// Adds an answer for every realm that challenged before; replaces older answers.
    ///
    /// - Parameter clientNonce: A fresh random text.
    /// - Returns: Whether any was added.
    @discardableResult
    public mutating func authorise(_ request: inout SIPMessage, clientNonce: String) -> Bool {
        guard let method = request.method, let uri = request.uriText else { return false }
        request.remove(.authorization)
        request.remove(.proxyAuthorization)
        for index in self.entries.indices {
            self.entries[index].count += 1
            let entry = self.entries[index]
            let value = self.answer(entry.challenge, entry.count, clientNonce, method, uri, request)
            request.append(entry.isProxy ? .proxyAuthorization : .authorization, value.description)
        }
        return !self.entries.isEmpty
    }

    private func answer(
        _ challenge: DigestChallenge,
        _ count: UInt32,
        _ clientNonce: String,
        _ method: SIPMethod,
        _ uri: String,
        _ request: SIPMessage
    ) -> AuthenticationValue {
        let hex = String(count, radix: 16)
        let protection: DigestProtection? = challenge.protections.contains(.auth) ? .auth : challenge.protections.first
        let computation = DigestComputation(
            algorithm: challenge.algorithm,
            credentialHash: challenge.algorithm.credentialHash(
                username: self.credentials.username,
                realm: challenge.realm,
                password: self.credentials.password
            ),
            nonce: challenge.nonce,
            protection: protection,
            clientNonce: clientNonce,
            nonceCount: String(repeating: "0", count: max(0, 8 - hex.count)) + hex
        )
        let body = protection == .authInt ? Array(request.body.readableBytesView) : []
        var parameters: Parameters = [
            Parameter("username", self.credentials.username, quoted: true),
            Parameter("realm", challenge.realm, quoted: true), Parameter("nonce", challenge.nonce, quoted: true),
            Parameter("uri", uri, quoted: true),
            Parameter("response", computation.response(method: method.rawValue, uri: uri, body: body), quoted: true),
            Parameter("algorithm", challenge.algorithm.rawValue),
        ]
        if let protection {
            parameters.items.append(Parameter("qop", protection.rawValue))
            parameters.items.append(Parameter("nc", computation.nonceCount))
        }
        if protection != nil || challenge.algorithm.isSession {
            parameters.items.append(Parameter("cnonce", clientNonce, quoted: true))
        }
        if let opaque = challenge.opaque { parameters.items.append(Parameter("opaque", opaque, quoted: true)) }
        return AuthenticationValue(scheme: "Digest", parameters: parameters)
    }
}
