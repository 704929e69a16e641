public import NIOCore

/// Checks the credentials of requests, and keeps track of nonces and their counts (RFC 7616 section 3.3, RFC 3261
/// section 22).
///
/// Nonces and the clock come from outside. The number of live nonces is bounded; the oldest goes first, and whoever used
/// it gets a `stale` challenge, which costs one round trip.
public struct DigestServer: Sendable {
    /// What came of checking a request.
    public enum Verdict: Sendable, Hashable {
        /// The credentials are right; the user name they carry.
        case accepted(username: String)
        /// No credentials for this realm: challenge.
        case challenge
        /// The credentials are right (or were of an old nonce): challenge with `stale=true`.
        case stale
        /// The credentials are wrong, replayed or malformed: challenge again or refuse.
        case refused(Refusal)
    }

    /// Why credentials were refused.
    public enum Refusal: Sendable, Hashable {
        /// A parameter is missing or malformed, or the algorithm was not offered.
        case malformed
        /// The `uri` is not the Request-URI.
        case wrongURI
        /// The user is not known, or the response is wrong.
        case wrongResponse
        /// The nonce count was seen before.
        case replayed
    }

    private struct Nonce: Sendable {
        let issued: NIODeadline
        var highest: UInt32 = 0
        /// Bit n is set when the count `highest - n` was seen, so that requests may overtake each other.
        var window: UInt64 = 0

        mutating func use(_ count: UInt32) -> Bool {
            if count > self.highest {
                let distance = count - self.highest
                self.window = distance >= 64 ? 1 : self.window << UInt64(distance) | 1
                self.highest = count
                return true
            }
            let distance = self.highest - count
            guard distance < 64, self.window & (1 << UInt64(distance)) == 0 else { return false }
            self.window |= 1 << UInt64(distance)
            return true
        }
    }

    /// The realm.
    public let realm: String
    /// The algorithms that are offered, strongest first.
    public let algorithms: [DigestAlgorithm]
    /// How long a nonce is good.
    public let lifetime: TimeAmount
    /// How many nonces may be live.
    public let capacity: Int
    /// Whether clients are asked to send a hash in the place of their user name (RFC 7616 section 3.4.4).
    public let hidesUsernames: Bool
    private var nonces: [String: Nonce] = [:]
    private var order: [String] = []
    private var oldest = 0

    /// Makes a checker for a realm.
    public init(
        realm: String,
        algorithms: [DigestAlgorithm] = [.sha256, .md5],
        lifetime: TimeAmount = .minutes(10),
        capacity: Int = 65_536,
        hidesUsernames: Bool = false
    ) {
        self.realm = realm
        self.algorithms = algorithms
        self.lifetime = lifetime
        self.capacity = max(1, capacity)
        self.hidesUsernames = hidesUsernames
    }

    /// The number of live nonces.
    public var nonceCount: Int { self.nonces.count }

    /// Adds the challenges to a 401 or 407, one header field for each algorithm, strongest first.
    ///
    /// - Parameter nonce: A fresh random text of at least 128 bits.
    public mutating func challenge(_ response: inout SIPMessage, nonce: String, isStale: Bool, now: NIODeadline) {
        self.issue(nonce, now)
        let name: HeaderName = response.status == 407 ? .proxyAuthenticate : .wwwAuthenticate
        for algorithm in self.algorithms {
            var challenge = DigestChallenge(realm: self.realm, nonce: nonce, algorithm: algorithm, isStale: isStale)
            challenge.hidesUsername = self.hidesUsernames
            response.append(name, challenge.value.description)
        }
    }

    private mutating func issue(_ nonce: String, _ now: NIODeadline) {
        if self.nonces.updateValue(Nonce(issued: now), forKey: nonce) == nil { self.order.append(nonce) }
        while self.nonces.count > self.capacity, self.oldest < self.order.count { self.dropOldest() }
    }

    private mutating func dropOldest() {
        self.nonces[self.order[self.oldest]] = nil
        self.oldest += 1
        if self.oldest > 1024, self.oldest * 2 > self.order.count {
            self.order.removeFirst(self.oldest)
            self.oldest = 0
        }
    }

    /// Forgets nonces that are too old.
    public mutating func expire(now: NIODeadline) {
        while self.oldest < self.order.count {
            guard let nonce = self.nonces[self.order[self.oldest]] else {
                self.dropOldest()
                continue
            }
            guard nonce.issued + self.lifetime <= now else { return }
            self.dropOldest()
        }
    }

    /// Checks a request.
    ///
    /// - Parameters:
    ///   - name: Authorization or Proxy-Authorization.
    ///   - username: The user whose name has this hash (``DigestAlgorithm/usernameHash(_:realm:)``), nil for none; needed
    ///     with ``hidesUsernames`` only.
    ///   - credentialHash: H(user:realm:password) of a user under a base algorithm, nil for one that is not known.
    ///     It must not touch this value again, which is being changed while it runs.
    public mutating func check(
        _ request: SIPMessage,
        _ name: HeaderName = .authorization,
        now: NIODeadline,
        username: (_ hash: String, _ algorithm: DigestAlgorithm) -> String? = { _, _ in nil },
        credentialHash: (_ username: String, _ algorithm: DigestAlgorithm) -> String?
    ) -> Verdict {
        guard let value = self.value(of: request, name) else { return .challenge }
        return self.check(request, value, now: now, username: username, credentialHash: credentialHash)
    }

    /// The same for credentials that were read from the request before.
    ///
    /// - Parameter value: What Authorization or Proxy-Authorization of this very request says for this realm.
    public mutating func check(
        _ request: SIPMessage,
        _ value: AuthenticationValue,
        now: NIODeadline,
        username: (_ hash: String, _ algorithm: DigestAlgorithm) -> String? = { _, _ in nil },
        credentialHash: (_ username: String, _ algorithm: DigestAlgorithm) -> String?
    ) -> Verdict {
        guard let credentials = DigestCredentials(value), self.algorithms.contains(credentials.algorithm),
            self.hidesUsernames || !credentials.isNameHashed, let method = request.method
        else { return .refused(.malformed) }
        guard Self.isSame(credentials.uri, request) else { return .refused(.wrongURI) }
        let base = credentials.algorithm.base
        let user = credentials.isNameHashed ? username(credentials.username, base) : credentials.username
        guard let user, let secret = credentialHash(user, base),
            credentials.isRight(secret, method, body: request.body)
        else { return .refused(.wrongResponse) }
        guard let known = self.nonces[credentials.nonce], known.issued + self.lifetime > now else { return .stale }
        guard self.nonces[credentials.nonce]?.use(credentials.count) == true else { return .refused(.replayed) }
        return .accepted(username: user)
    }

    /// Adds Authentication-Info (or Proxy-Authentication-Info) to the answer to a request that was accepted: the proof
    /// that we know the password too (RFC 7616 section 3.5).
    ///
    /// - Parameters:
    ///   - response: The answer with its body, which the proof covers when the client asked for that.
    ///   - name: Where the credentials of the request are: Authorization or Proxy-Authorization.
    ///   - nextNonce: A fresh random text that the client shall use from now on, nil to keep the nonce.
    ///   - credentialHash: H(user:realm:password) of the accepted user under a base algorithm.
    public mutating func prove(
        _ response: inout SIPMessage,
        to request: SIPMessage,
        _ name: HeaderName = .authorization,
        nextNonce: String? = nil,
        now: NIODeadline,
        credentialHash: (_ algorithm: DigestAlgorithm) -> String?
    ) {
        guard let credentials = self.value(of: request, name).flatMap(DigestCredentials.init),
            let secret = credentialHash(credentials.algorithm.base)
        else { return }
        var info = credentials.info(secret, body: response.body)
        if let nextNonce {
            self.issue(nextNonce, now)
            info.parameters.items.insert(Parameter("nextnonce", nextNonce, quoted: true), at: 0)
        }
        response.append(name == .authorization ? .authenticationInfo : .proxyAuthenticationInfo, info.description)
    }

    /// The credentials for our realm.
    private func value(of request: SIPMessage, _ name: HeaderName) -> AuthenticationValue? {
        request.credentials(name).first { $0.isDigest && $0.parameters["realm"] == self.realm }
    }

    /// Whether `uri` is the Request-URI; proxies may have rewritten it into an equivalent form.
    private static func isSame(_ uri: String, _ request: SIPMessage) -> Bool {
        if uri == request.uriText { return true }
        guard let left = try? URI(uri), let right = try? request.requestURI() else { return false }
        return left.isEquivalent(to: right)
    }
}
