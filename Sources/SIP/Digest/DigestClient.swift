import NIOCore

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
            credentialHash: self.credentialHash(challenge),
            nonce: challenge.nonce,
            protection: protection,
            clientNonce: clientNonce,
            nonceCount: String(repeating: "0", count: max(0, 8 - hex.count)) + hex
        )
        let body = protection == .authInt ? Array(request.body.readableBytesView) : []
        let username =
            challenge.hidesUsername
            ? challenge.algorithm.usernameHash(self.credentials.username, realm: challenge.realm)
            : self.credentials.username
        var parameters: Parameters = [
            Parameter("username", username, quoted: true),
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
        if challenge.hidesUsername { parameters.items.append(Parameter("userhash", "true")) }
        return AuthenticationValue(scheme: "Digest", parameters: parameters)
    }
    private func credentialHash(_ challenge: DigestChallenge) -> String {
        challenge.algorithm.credentialHash(
            username: self.credentials.username,
            realm: challenge.realm,
            password: self.credentials.password
        )
    }

    /// What a response says about who sent it.
    public enum ServerProof: Sendable, Hashable {
        /// Nothing; servers need not prove anything.
        case none
        /// The server of the realm knows the password too.
        case proved(realm: String)
        /// The proof is wrong: somebody else has answered.
        case forged
    }

    /// A final response other than a challenge arrived: checks its Authentication-Info or Proxy-Authentication-Info, and
    /// takes the next nonce from it (RFC 7616 section 3.5).
    ///
    /// - Parameter request: What was answered, with the credentials of this client.
    public mutating func verify(_ response: SIPMessage, to request: SIPMessage) -> ServerProof {
        for (name, isProxy) in [(HeaderName.authenticationInfo, false), (.proxyAuthenticationInfo, true)] {
            guard let info = try? response.value(name, as: AuthenticationInfo.self) else { continue }
            for value in request.credentials(isProxy ? .proxyAuthorization : .authorization) {
                let index = self.entries.firstIndex {
                    $0.isProxy == isProxy && $0.challenge.realm == value.parameters["realm"]
                }
                // Of several realms, the one is meant whose client nonce comes back.
                guard let index, let sent = DigestCredentials(value),
                    info.parameters["cnonce"].map({ $0 == sent.clientNonce }) ?? true
                else { continue }
                let challenge = self.entries[index].challenge
                let verdict = sent.isProved(by: info, self.credentialHash(challenge), body: response.body)
                if verdict == false { return .forged }
                if let next = info.parameters["nextnonce"] {
                    self.entries[index].challenge.nonce = next
                    self.entries[index].count = 0
                }
                if verdict == true { return .proved(realm: challenge.realm) }
            }
        }
        return .none
    }
}
