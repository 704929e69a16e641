import MessagingService
import NIOCore
import SIP
import SIPTransport
import Store

/// Who a request is from: digest with a policy for each listener, and bans for those who guess.
///
/// Belongs to the gateway's loop.
final class Authenticator {
    /// What is to be done with a request before its credentials are looked at.
    enum Opening {
        /// Say this; nothing is kept.
        case answer(SIPMessage)
        /// Look the user up, then call ``check(_:_:_:from:now:)``.
        case lookUp(Claim)
    }

    /// What a request says of who sends it, and that it does so under a nonce of ours; nothing is proved yet.
    struct Claim {
        let user: String
        fileprivate let source: String
        fileprivate let credentials: AuthenticationValue
        fileprivate let text: String?

        /// Whether it was read from this request.
        func isOf(_ request: SIPMessage) -> Bool { text == Authenticator.credentialText(of: request) }
    }

    /// What came of looking at them.
    enum Verdict {
        case accepted
        case answer(SIPMessage, isNewBan: Bool)
    }

    private struct Guess: Hashable {
        var source: String
        var user: String
    }

    private let realm: String
    private let algorithms: [SIPTransportKind: [DigestAlgorithm]]
    private let mint: NonceMint
    private var digests: [[DigestAlgorithm]: DigestServer] = [:]
    private var ofUser: FailureTable<Guess>
    private var ofSource: FailureTable<String>
    /// Stands in for the hash of a user that nobody has, so that both take the same steps.
    private let nobody = RandomText.token(32)

    /// A longer user name is nobody's.
    private static let userBytes = 128

    init(_ configuration: SIPGatewayConfiguration) {
        let limits = configuration.limits
        realm = configuration.realm
        algorithms = Dictionary(
            configuration.doors.map { ($0.transport, $0.algorithms) },
            uniquingKeysWith: { first, _ in first }
        )
        mint = NonceMint(key: Array(RandomText.token(43).utf8), lifeMilliseconds: limits.nonceSeconds * 1000)
        ofUser = FailureTable(
            allowed: limits.failuresOfUser,
            windowMilliseconds: limits.failureWindowSeconds * 1000,
            banMilliseconds: limits.banSeconds * 1000,
            capacity: limits.failureEntries
        )
        ofSource = FailureTable(
            allowed: limits.failuresOfSource,
            windowMilliseconds: limits.failureWindowSeconds * 1000,
            banMilliseconds: limits.banSeconds * 1000,
            capacity: limits.failureEntries
        )
        for algorithms in Set(configuration.doors.map(\.algorithms)) {
            digests[algorithms] = DigestServer(
                realm: realm,
                algorithms: algorithms,
                lifetime: .seconds(limits.nonceSeconds),
                capacity: limits.phones
            )
        }
    }

    /// The cheap part: no store, no hash of a password, nothing kept.
    ///
    /// Whoever shows no nonce of ours, made for this very source, is challenged; so nobody can have others banned by
    /// writing their address into datagrams.
    func open(_ request: SIPMessage, on flow: Flow, now: NIODeadline) -> Opening {
        let source = Self.source(flow)
        guard let credentials = credentials(of: request) else {
            return .answer(challenge(request, flow, isStale: false, now))
        }
        guard let nonce = credentials.parameters["nonce"],
            mint.isGood(nonce, for: source, now: now.milliseconds)
        else { return .answer(challenge(request, flow, isStale: true, now)) }
        let user = credentials.parameters["username"] ?? ""
        let bans = [
            ofSource.ban(of: source, now: now.milliseconds),
            ofUser.ban(of: Guess(source: source, user: user), now: now.milliseconds),
        ]
        if let wait = bans.compactMap(\.self).max() {
            return .answer(refusal(request, waitMilliseconds: wait))
        }
        guard user.utf8.count <= Self.userBytes else { return .answer(challenge(request, flow, isStale: false, now)) }
        let text = Self.credentialText(of: request)
        return .lookUp(Claim(user: user, source: source, credentials: credentials, text: text))
    }

    /// Checks the credentials against what was found; nil for a user name that nobody has.
    func check(
        _ request: SIPMessage,
        _ claim: Claim,
        _ phone: PhoneRecord?,
        from flow: Flow,
        now: NIODeadline
    ) -> Verdict {
        guard let offered = algorithms[flow.transport], var digest = digests[offered] else {
            return .answer(SIPMessage(403, to: request), isNewBan: false)
        }
        digests[offered] = nil
        defer { digests[offered] = digest }
        digest.expire(now: now)
        let nobody = nobody
        let secret = { (_: String, algorithm: DigestAlgorithm) -> String? in
            guard let phone else { return nobody }
            return phone.credential.hashes[algorithm.rawValue]
        }
        var verdict = digest.check(request, claim.credentials, now: now, credentialHash: secret)
        if verdict == .stale, let nonce = claim.credentials.parameters["nonce"] {
            // Right credentials and a nonce of ours that was not used yet: only now it is worth remembering.
            var unsent = SIPMessage(status: 401)
            digest.challenge(&unsent, nonce: nonce, isStale: false, now: now)
            verdict = digest.check(request, claim.credentials, now: now, credentialHash: secret)
        }
        let guess = Guess(source: claim.source, user: claim.user)
        switch verdict {
        case .accepted:
            guard phone != nil else { break }
            ofUser.succeeded(guess)
            return .accepted
        case .refused(.wrongResponse):
            let milliseconds = now.milliseconds
            let banned = [ofUser.failed(guess, now: milliseconds), ofSource.failed(claim.source, now: milliseconds)]
            return .answer(challenge(request, flow, isStale: false, now), isNewBan: banned.contains(true))
        case .challenge, .stale, .refused: break
        }
        return .answer(challenge(request, flow, isStale: verdict == .stale, now), isNewBan: false)
    }

    /// The 401 with the algorithms of this listener: the same for everybody, whomever they ask for.
    private func challenge(_ request: SIPMessage, _ flow: Flow, isStale: Bool, _ now: NIODeadline) -> SIPMessage {
        var response = SIPMessage(401, to: request, toTag: RandomText.token(8))
        let nonce = mint.make(for: Self.source(flow), now: now.milliseconds, random: RandomText.token(16))
        for algorithm in algorithms[flow.transport] ?? [] {
            let challenge = DigestChallenge(realm: realm, nonce: nonce, algorithm: algorithm, isStale: isStale)
            response.append(.wwwAuthenticate, challenge.value.description)
        }
        return response
    }

    private func refusal(_ request: SIPMessage, waitMilliseconds: Int64) -> SIPMessage {
        var response = SIPMessage(403, to: request, toTag: RandomText.token(8), reason: "Too many wrong passwords")
        response.append(.retryAfter, "\((waitMilliseconds + 999) / 1000)")
        return response
    }

    private func credentials(of request: SIPMessage) -> AuthenticationValue? {
        request.credentials(Self.credentialHeader(of: request))
            .first { $0.isDigest && $0.parameters["realm"] == realm }
    }

    private static func credentialText(of request: SIPMessage) -> String? {
        request.text(credentialHeader(of: request))
    }

    /// Phones that take us for a proxy put theirs there.
    private static func credentialHeader(of request: SIPMessage) -> HeaderName {
        request.contains(.authorization) ? .authorization : .proxyAuthorization
    }

    /// Who is counted as one: an address, of IPv6 the network of the last router.
    static func source(_ flow: Flow) -> String {
        let address = flow.remote.ipAddress ?? ""
        guard let bytes = Host.addressBytes(address), bytes.count == 16 else { return address }
        return bytes.prefix(8).map { String($0, radix: 16) }.joined(separator: ":")
    }
}

extension NIODeadline {
    var milliseconds: Int64 { Int64(uptimeNanoseconds / 1_000_000) }
}
