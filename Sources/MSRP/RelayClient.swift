public import NIOCore

/// A client of a relay: gets a URI at it by AUTH, and keeps it (RFC 4976 section 5.1).
///
/// ```
///   idle -> asking --200--> authorized -- before it expires --> asking ...
///             |  ^
///             |  +-- 401 with a new nonce, 423 with other bounds
///             +----> failed
/// ```
public struct RelayClient: Sendable {
    private struct Request {
        var id: TransactionID
        var deadline: NIODeadline
        /// Challenges answered in a row; one may be stale, two mean that we are not let in.
        var challenges: Int
        /// The bounds of the relay were taken over once.
        var isAdjusted: Bool
        /// What a relay that knows the password can say, when credentials were sent.
        var proof: String?
    }

    private enum State {
        case idle
        case asking(Request)
        case authorized(path: [MSRPURI], refreshAt: NIODeadline, expiresAt: NIODeadline)
        case failed(MSRPError)
    }

    /// The names of the states.
    public enum Phase: Sendable, Hashable, CaseIterable {
        /// Nothing was asked.
        case idle
        /// An answer is awaited.
        case asking
        /// The relay lets us in.
        case authorized
        /// It does not.
        case failed
    }

    /// What to do next; the machine performs no I/O.
    public enum Action: Sendable, Hashable {
        /// Send this.
        case send(Frame)
        /// The relay's URIs: they go into `a=path` before our own, in this order.
        case authorized([MSRPURI])
        /// It is over.
        case fail(MSRPError.Code)
        /// Nothing has changed.
        case ignore
    }

    /// Challenges answered for one AUTH.
    public static let maxChallenges = 2
    /// Seconds that are asked for, unless said otherwise.
    public static let defaultExpires: UInt32 = 900

    private let relay: [MSRPURI]
    private let local: MSRPURI
    private let credentials: RelayCredentials
    private let limits: MSRPLimits
    private var ids: IdentifierGenerator
    private var expires: UInt32
    private var challenge: (DigestChallenge, uses: UInt32)?
    private var state = State.idle

    /// Makes a client that has asked nothing.
    ///
    /// - Parameters:
    ///   - relay: the relay; with more than one URI, the relays on the way and the one meant last.
    ///   - local: the URI of this end.
    ///   - seed: where ids and client nonces start; take it from a source of secrets.
    public init(
        relay: [MSRPURI],
        local: MSRPURI,
        credentials: RelayCredentials,
        expires: UInt32 = Self.defaultExpires,
        limits: MSRPLimits = .init(),
        seed: UInt64
    ) {
        self.relay = relay
        self.local = local
        self.credentials = credentials
        self.expires = expires
        self.limits = limits
        self.ids = IdentifierGenerator(seed: seed)
    }

    /// Where the client is.
    public var phase: Phase {
        switch self.state {
        case .idle: .idle
        case .asking: .asking
        case .authorized: .authorized
        case .failed: .failed
        }
    }

    /// The relay's URIs, while it lets us in.
    public var usePath: [MSRPURI]? {
        if case .authorized(let path, _, _) = self.state { path } else { nil }
    }

    /// Why the relay does not let us in.
    public var failure: MSRPError? {
        if case .failed(let error) = self.state { error } else { nil }
    }

    /// When ``timerFired(now:)`` is due.
    public var nextDeadline: NIODeadline? {
        switch self.state {
        case .asking(let request): request.deadline
        case .authorized(_, let refreshAt, _): refreshAt
        case .idle, .failed: nil
        }
    }

    /// Asks, on a connection that has just been opened, or again after one broke.
    public mutating func start(now: NIODeadline) -> Action {
        self.challenge = nil
        return self.ask(challenges: 0, isAdjusted: false, now: now)
    }

    /// Hears an answer.
    public mutating func received(_ response: FrameHead, now: NIODeadline) -> Action {
        guard case .asking(let request) = self.state, request.id == response.transactionID,
            let status = response.status
        else { return .ignore }
        do throws(MSRPError) {
            if status.isSuccess { return try self.accepted(response, request, now: now) }
            switch status {
            case .unauthorized: return try self.challenged(response, request, now: now)
            case .parameterOutOfBounds where !request.isAdjusted:
                return try self.adjusted(response, request, now: now)
            default: throw MSRPError(.refused, "the relay answered \(status.rawValue)")
            }
        } catch {
            return self.fail(error)
        }
    }

    private mutating func accepted(
        _ response: FrameHead,
        _ request: Request,
        now: NIODeadline
    ) throws(MSRPError) -> Action {
        if let text = response.header(named: "Authentication-Info") { try self.check(text, request) }
        guard let text = response.header(named: "Use-Path") else {
            throw MSRPError(.missingHeader, "Use-Path expected")
        }
        let path = try MSRPURI.path(parsing: text, limits: self.limits)
        let seconds = Int64(try response.seconds(named: "Expires") ?? self.expires)
        // Early enough for one try that gets no answer; a very short life is refreshed at its half.
        let margin = min(seconds / 2, 60)
        self.state = .authorized(
            path: path,
            refreshAt: now + .seconds(seconds - margin),
            expiresAt: now + .seconds(seconds)
        )
        return .authorized(path)
    }

    /// A relay need not prove that it knows the password; a wrong proof means that another one has answered.
    private mutating func check(_ info: String, _ request: Request) throws(MSRPError) {
        let parameters = try DigestChallenge.parameters(ofInfo: info)
        if let proof = request.proof, let given = parameters["rspauth"], given.lowercased() != proof {
            throw MSRPError(.notAuthorized, "the relay does not know the password")
        }
        guard let next = parameters["nextnonce"], var (challenge, _) = self.challenge else { return }
        challenge.nonce = next
        self.challenge = (challenge, 0)
    }

    private mutating func challenged(
        _ response: FrameHead,
        _ request: Request,
        now: NIODeadline
    ) throws(MSRPError) -> Action {
        guard let text = response.header(named: "WWW-Authenticate") else {
            throw MSRPError(.missingHeader, "WWW-Authenticate expected")
        }
        let challenge = try DigestChallenge(parsing: text)
        let isFirst = request.challenges == 0
        guard isFirst || (challenge.isStale && request.challenges < Self.maxChallenges) else {
            throw MSRPError(.notAuthorized, "the relay does not take the credentials")
        }
        self.challenge = (challenge, 0)
        return self.ask(challenges: request.challenges + 1, isAdjusted: request.isAdjusted, now: now)
    }

    private mutating func adjusted(
        _ response: FrameHead,
        _ request: Request,
        now: NIODeadline
    ) throws(MSRPError) -> Action {
        let bounds = (try response.seconds(named: "Min-Expires"), try response.seconds(named: "Max-Expires"))
        switch bounds {
        case (let low?, _) where low > self.expires: self.expires = low
        case (_, let high?) where high < self.expires: self.expires = high
        default: throw MSRPError(.refused, "the relay names no other bounds")
        }
        return self.ask(challenges: request.challenges, isAdjusted: true, now: now)
    }

    /// Hears that a deadline may have passed.
    public mutating func timerFired(now: NIODeadline) -> Action {
        guard let deadline = self.nextDeadline, deadline <= now else { return .ignore }
        switch self.state {
        case .asking: return self.fail(.init(.transactionTimeout, "the relay did not answer"))
        case .authorized: return self.ask(challenges: 0, isAdjusted: false, now: now)
        case .idle, .failed: return .ignore
        }
    }

    /// Hears that the connection to the relay is gone: the URI goes with it.
    ///
    /// ``start(now:)`` asks again.
    public mutating func connectionLost() -> Action {
        switch self.state {
        case .asking, .authorized: return self.fail(.init(.connectionLost, "the connection to the relay is gone"))
        case .idle, .failed: return .ignore
        }
    }

    private mutating func fail(_ error: MSRPError) -> Action {
        self.state = .failed(error)
        return .fail(error.code)
    }

    private mutating func ask(challenges: Int, isAdjusted: Bool, now: NIODeadline) -> Action {
        let id = self.ids.transactionID()
        var headers = [Frame.Header("Expires", String(self.expires))]
        var proof: String?
        if let (challenge, uses) = self.challenge, let uri = self.relay.last?.text {
            let count = uses + 1
            let nonce = self.ids.transactionID().text
            self.challenge = (challenge, count)
            proof = challenge.proof(self.credentials, uri: uri, count: count, clientNonce: nonce)
            let value = challenge.authorization(self.credentials, uri: uri, count: count, clientNonce: nonce)
            headers.append(.init("Authorization", value))
        }
        self.state = .asking(
            Request(
                id: id,
                deadline: now + self.limits.transactionTimeout,
                challenges: challenges,
                isAdjusted: isAdjusted,
                proof: proof
            )
        )
        return .send(
            Frame(
                transactionID: id,
                startLine: .request(.auth),
                toPath: self.relay,
                fromPath: [self.local],
                headers: headers
            )
        )
    }
}
