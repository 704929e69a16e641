/// The branches of one request at a forking proxy, and which of their responses go back (RFC 3261 section 16.7).
public struct ForkContext: Sendable, Hashable {
    /// What the proxy does next.
    ///
    /// Several may follow from one response, in their order.
    public enum Action: Sendable, Hashable {
        /// Send this response to the client.
        case forward(SIPMessage)
        /// Cancel this branch.
        case cancel(branch: Int)
    }

    /// What is known of a branch.
    private enum Branch: Sendable, Hashable {
        case pending
        case finished(SIPMessage)
        /// A 2xx was forwarded; more may come from forks behind it.
        case answered
    }

    /// How many branches one request may have.
    public static let maximumBranches = 64

    private let isInvite: Bool
    private var branches: [Branch] = []
    private var isFinalSent = false
    private var isCancelled = false

    /// Starts without branches.
    public init(method: SIPMethod) { self.isInvite = method == .invite }

    /// Adds a branch that is being tried.
    ///
    /// - Returns: Its number, or nil when there are too many or a final response was sent.
    public mutating func addBranch() -> Int? {
        guard self.branches.count < Self.maximumBranches, !self.isFinalSent else { return nil }
        self.branches.append(.pending)
        return self.branches.count - 1
    }

    /// Whether a final response was sent.
    public var isFinished: Bool { self.isFinalSent }

    /// The branches without a final response.
    public var pendingBranches: [Int] { self.branches.indices.filter { self.branches[$0] == .pending } }

    /// A response arrived on a branch; our Via is off it already.
    public mutating func received(_ response: SIPMessage, branch: Int) -> [Action] {
        guard self.branches.indices.contains(branch), let status = response.status, status != 100 else { return [] }
        if status.isProvisional { return self.isFinalSent ? [] : [.forward(response)] }
        if status.isSuccess { return self.succeeded(response, branch) }
        guard self.branches[branch] == .pending else { return [] }
        self.branches[branch] = .finished(response)
        if status.family == 6 { self.isCancelled = true }
        let cancels = status.family == 6 ? self.pendingBranches.map { Action.cancel(branch: $0) } : []
        return cancels + self.settle()
    }

    /// A 2xx to an INVITE always goes back at once; of any other request only the first.
    private mutating func succeeded(_ response: SIPMessage, _ branch: Int) -> [Action] {
        if self.isInvite {
            self.branches[branch] = .answered
        } else {
            guard !self.isFinalSent else { return [] }
            self.branches[branch] = .answered
        }
        let isFirst = !self.isFinalSent
        self.isFinalSent = true
        let cancels = isFirst && self.isInvite ? self.pendingBranches.map { Action.cancel(branch: $0) } : []
        return [.forward(response)] + cancels
    }

    /// The client cancelled: so are all branches that have no final response.
    public mutating func cancelled() -> [Action] {
        self.isCancelled = true
        return self.isFinalSent ? [] : self.pendingBranches.map { .cancel(branch: $0) }
    }

    /// Whether new branches make sense: neither was the request cancelled nor refused everywhere.
    public var mayContinue: Bool { !self.isCancelled && !self.isFinalSent }

    /// Sends the best response once every branch is done.
    private mutating func settle() -> [Action] {
        guard !self.isFinalSent, self.pendingBranches.isEmpty, let best = self.best() else { return [] }
        self.isFinalSent = true
        return [.forward(best)]
    }

    /// The best of the final responses (RFC 3261 section 16.7 step 6).
    private func best() -> SIPMessage? {
        let responses = self.branches.compactMap { branch -> SIPMessage? in
            if case .finished(let response) = branch { response } else { nil }
        }
        guard var best = responses.min(by: { Self.rank($0) < Self.rank($1) }) else { return nil }
        if best.status == 401 || best.status == 407 {
            // The client gets the challenges of all branches, else it could never satisfy them all (step 7).
            for other in responses where other != best {
                best.copy(.wwwAuthenticate, from: other)
                best.copy(.proxyAuthenticate, from: other)
            }
        }
        if best.status == 503 {
            // A 503 would make the client leave us out, though only what is behind us is overloaded.
            best = best.withStatus(500)
        }
        return best
    }

    /// Lower is better.
    private static func rank(_ response: SIPMessage) -> Int {
        guard let status = response.status else { return .max }
        if status.family == 6 { return Int(status.rawValue) }
        let preferred: Set<SIPStatus> = [401, 407, 415, 420, 484]
        // A 503 says nothing about the callee, and a 408 is only silence.
        let penalty = status == 408 ? 900 : status == 503 ? 950 : 500
        return status.family * 1000 + (preferred.contains(status) ? 0 : penalty) + Int(status.rawValue % 100)
    }
}

extension SIPMessage {
    /// The same response with another status and its usual reason phrase.
    func withStatus(_ status: SIPStatus) -> SIPMessage {
        var response = SIPMessage(status: status)
        for field in self.fields where field.id != HeaderName.retryAfter.id { response.copy(field, from: self) }
        response.remove(.contentLength)
        if self.bodyLength > 0 {
            response.setBody(self.body, contentType: nil)
        } else {
            response.append(.contentLength, "0")
        }
        return response
    }
}
