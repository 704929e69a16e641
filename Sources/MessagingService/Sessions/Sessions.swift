public import ClientWire
public import MessagingCore
import SessionCore
public import Store

/// Live conversations: asked for, answered, joined by devices, left.
extension MessagingService {
    /// Asks users for a conversation.
    ///
    /// Whoever is being asked by the very user they ask accepts that request instead: the answer names that session.
    /// - Throws: ``Refusal`` `not-found` for an address that nobody has, `no-credit`, `not-entitled`, `too-many`,
    ///   `conflict` when the id was used for another session, `rate-limited`.
    public func request(_ who: DeviceIdentity, _ request: SessionRequest) async throws -> SessionDocument {
        try admit(requestBy: "\(who.account.rawValue)")
        return try await perform { work in
            if let known = try work.part(who.account, request.id) {
                guard known.details.creator == known.machine.user, known.details.invited == request.to else {
                    throw Refusal(.conflict, "this id was used for another conversation")
                }
                return SessionDocument(known)
            }
            if let (turn, account) = try self.crossing(work, who, request) {
                try turn.change(account) { part in
                    try part.machine.answer(.accept(on: who.device, by: who.device), now: work.now)
                }
                return try self.document(work, account, turn.id)
            }
            return try self.call(work, who, request)
        }
    }

    /// What ends at once is limited by nothing else, and kept and shown all the same.
    func admit(requestBy asker: String) throws(Refusal) {
        guard let wait = sessionRequests.take(asker, now: clock().rawValue) else { return }
        throw Refusal(.rateLimited, "too many requests for conversations: the next in \(wait / 1000 + 1) s")
    }

    /// A request that alerts here and comes from the very user who is asked now.
    private func crossing(
        _ work: Work,
        _ who: DeviceIdentity,
        _ request: SessionRequest
    ) throws -> (SessionTurn, AccountID)? {
        guard request.to.count == 1 else { return nil }
        for record in try work.transaction.sessions(of: who.account, limit: SessionLimits.sessionsPerUser) {
            guard let part = try work.part(who.account, record.session), part.machine.phase == .alerting,
                part.details.creator == request.to[0], part.details.invited.count == 1
            else { continue }
            return (SessionTurn(self, work, record.session, part.details), who.account)
        }
        return nil
    }

    private func call(_ work: Work, _ who: DeviceIdentity, _ request: SessionRequest) throws -> SessionDocument {
        try Self.checkAge(MessageID(stored: request.id.description), now: work.now)
        let user = try work.user(who.account)
        guard user.device(who.device) != nil else { throw Refusal(.unauthenticated, "the device was revoked") }
        guard !user.account.suspended, user.account.entitlement.canSend else {
            throw Refusal(.notEntitled, "this account may not ask for conversations")
        }
        guard let from = request.from ?? user.account.addresses.first, user.account.addresses.contains(from) else {
            throw Refusal(.forbidden, "the asking address is not one of this account's")
        }
        let open = try work.transaction.sessions(of: who.account, limit: SessionLimits.sessionsPerUser)
        guard open.count < SessionLimits.sessionsPerUser else {
            throw Refusal(.tooMany, "at most \(SessionLimits.sessionsPerUser) conversations at a time")
        }
        for address in request.to {
            guard let account = try toAsk(work, address, who) else { continue }
            guard try work.part(account, request.id) == nil else {
                throw Refusal(.conflict, "this id was used for another conversation")
            }
        }
        let details = try details(request, from: from, device: who.device, now: work.now)
        let turn = SessionTurn(self, work, request.id, details)
        let machine = try HostedSession(
            id: request.id,
            creator: from,
            invited: Set(request.to),
            firstText: details.firstText?.id,
            now: work.now
        )
        var host = HostSide(machine: machine, details: details)
        for address in machine.called { try turn.chargeRequest(address, &host, who.account) }
        try work.put(host, who.account)
        let part = PartSide(
            machine: Participation(
                calling: request.id,
                user: from,
                on: who.device,
                firstText: details.firstText?.id
            ),
            details: details
        )
        try work.put(part, who.account)
        if let text = details.firstText {
            let price = settingsInForce.tariff.price(bytes: text.bytes) * Int64(request.to.count)
            try turn.reserve(price, for: text.id, .message, who.account)
        }
        turn.showAgain(who.account)
        for address in machine.called { try turn.ask(address) }
        try turn.run()
        return try document(work, who.account, request.id)
    }

    /// Somebody who can be asked: an account of this provider, or nil for another provider's user.
    /// - Throws: ``Refusal`` `not-found`, `invalid-request`.
    private func toAsk(_ work: Work, _ address: Address, _ who: DeviceIdentity) throws -> AccountID? {
        let account = try mayBeAsked(work, address)
        guard account != who.account else { throw Refusal(.invalidRequest, "a conversation is asked of others") }
        return account
    }

    /// Whether there is somebody of that address, here or at a provider that there is a way to.
    /// - Returns: the account of one who is here.
    func mayBeAsked(_ work: Work, _ address: Address) throws -> AccountID? {
        switch try resolve(work, address) {
        case .local(let account): return account
        case .remote where address.domain.map(router.reaches) ?? false: return nil
        case .remote, .unknown: throw Refusal(.notFound, "\(address): there is nobody to ask")
        }
    }

    private func details(
        _ request: SessionRequest,
        from: Address,
        device: DeviceID,
        now: Timestamp
    ) throws -> SessionDetails {
        guard Set(request.to).count == request.to.count else {
            throw Refusal(.invalidRequest, "somebody is asked twice")
        }
        guard request.media?.contains(where: { $0 != .audio && $0 != .video }) != true else {
            throw Refusal(.invalidRequest, "media: a request can want audio and video")
        }
        let conversation = Self.conversation(of: [from] + request.to)
        let text = request.text.map { text in
            Envelope(
                id: MessageID(stored: "\(request.id)-text"),
                from: from,
                to: request.to,
                date: now,
                kind: .inSession,
                conversation: conversation,
                parts: [Part(type: "text/plain", text: text)]
            )
        }
        // The subject is checked as a message's is.
        if let text { try text.validate() }
        if let subject = request.subject {
            try Envelope(
                id: MessageID(stored: request.id.description),
                from: from,
                to: request.to,
                date: now,
                conversation: conversation,
                subject: subject,
                parts: []
            ).validate()
        }
        return SessionDetails(
            creator: from,
            device: device,
            invited: request.to,
            conversation: conversation,
            subject: request.subject,
            started: now,
            wanted: request.media ?? [],
            firstText: text
        )
    }

    /// The devices that ring for a request.
    func devicesToAlert(
        _ user: UserState,
        _ details: SessionDetails,
        to address: Address,
        now: Timestamp
    ) -> [DeviceID] {
        let preferences = user.preferences
        let policy = settingsInForce.policy
        guard !user.account.suspended, !preferences.blocked.contains(details.creator),
            !policy.prohibitedDomains.contains(details.creator.domain ?? ""),
            preferences.availability.state(at: now) != .doNotDisturb
        else { return [] }
        let facts = MessageFacts(
            Envelope(
                id: MessageID(stored: ""),
                from: details.creator,
                to: [address],
                date: now,
                kind: .inSession,
                conversation: details.conversation,
                subject: details.subject,
                parts: []
            ),
            ownAddresses: [address]
        )
        return user.devices.filter { device in
            guard device.isRegistered(at: now), device.availability.state(at: now) != .doNotDisturb,
                device.capabilities.accept("text/plain")
            else { return false }
            let (outcome, _) = preferences.rules.requests.outcome(facts, device, preferences, now)
            return outcome.deliver != .nothing && !outcome.silent
        }.map(\.id)
    }

    // MARK: Answers

    /// Accepts, on the asking device or on another one of the same user.
    /// - Throws: ``Refusal`` `conflict` when it was answered elsewhere or is over, naming what became of it.
    public func accept(
        _ who: DeviceIdentity,
        _ id: SessionID,
        _ request: AcceptRequest
    ) async throws -> SessionDocument {
        try await change(who, id) { turn in
            let device = try self.device(turn.work, who, request.device)
            try turn.change(who.account) { part in
                if part.machine.phase == .alerting {
                    part.welcome = request.media ?? []
                    part.welcomeDevice = device
                }
                return try part.machine.answer(.accept(on: device, by: who.device), now: turn.now)
            }
        }
    }

    /// Says no, for all of the user's devices.
    public func reject(_ who: DeviceIdentity, _ id: SessionID) async throws -> SessionDocument {
        try await change(who, id) { turn in
            try turn.change(who.account) { try $0.machine.answer(.reject(by: who.device), now: turn.now) }
        }
    }

    /// Silences the request on this device alone.
    public func ignore(_ who: DeviceIdentity, _ id: SessionID) async throws -> SessionDocument {
        try await change(who, id) { turn in
            turn.showAgain(who.account)
            try turn.change(who.account) { part in
                part.machine.alert(.silence, from: who.device)
                return []
            }
        }
    }

    /// Takes one's own request back, or leaves; with nobody left to talk to, that ends it.
    public func leave(_ who: DeviceIdentity, _ id: SessionID) async throws -> SessionDocument {
        try await change(who, id) { turn in
            try turn.change(who.account) { part in
                if case .alerting = part.machine.phase {
                    return try part.machine.answer(.reject(by: who.device), now: turn.now)
                }
                return part.machine.leave()
            }
        }
    }

    // MARK: Who takes part

    /// Asks another user to join.
    /// - Throws: ``Refusal`` `conflict` when that user takes part already, or when the user who asked for the session is one of a
    ///   provider that takes nobody in from here; `too-many`, `not-found`.
    public func invite(_ who: DeviceIdentity, _ id: SessionID, _ address: Address) async throws -> SessionDocument {
        try await change(who, id) { turn in
            _ = try self.toAsk(turn.work, address, who)
            guard let part = try turn.work.part(who.account, id), !part.machine.participants.contains(address) else {
                throw Refusal(.conflict, "\(address) takes part already")
            }
            // An owner elsewhere counts the seats itself.
            if let owner = try turn.work.account(holding: turn.details.creator) {
                guard let host = try turn.work.host(owner, id), host.machine.seats.count < SessionLimits.participants
                else { throw Refusal(.tooMany, "at most \(SessionLimits.participants) users in a session") }
            } else if self.router.isDialog(id, of: part.machine.user, with: turn.details.creator) {
                let domain = turn.details.creator.domain ?? ""
                throw Refusal(.conflict, "this conversation was begun at \(domain), which takes in nobody from here")
            }
            try turn.change(who.account) { try $0.machine.invite(address) }
        }
    }

    /// Takes another user out; only whoever asked for the session may.
    public func remove(_ who: DeviceIdentity, _ id: SessionID, _ address: Address) async throws -> SessionDocument {
        try await change(who, id) { turn in
            guard let part = try turn.work.part(who.account, id), part.machine.user == turn.details.creator else {
                throw Refusal(.forbidden, "only \(turn.details.creator) may take somebody out")
            }
            try turn.change(who.account) { try $0.machine.remove(address) }
        }
    }

    // MARK: Texts

    /// A text of a session: ordered and stored on all sides, or refused.
    func say(
        _ work: Work,
        _ who: DeviceIdentity,
        _ id: SessionID,
        _ request: SendRequest,
        _ parts: [Part],
        _ digest: [UInt8]
    ) throws -> SendAnswer {
        guard request.to.isEmpty, request.conversation == nil, request.kind == nil, request.from == nil else {
            throw Refusal(.invalidRequest, "a text of a conversation goes to all who take part in it")
        }
        let turn = try SessionTurn(self, work, id, of: who.account)
        guard let part = try work.part(who.account, id) else { throw Refusal(.notFound, "no such conversation") }
        let envelope = Envelope(
            id: request.id,
            from: part.machine.user,
            to: part.machine.participants.filter { $0 != part.machine.user },
            date: work.now,
            kind: .inSession,
            conversation: turn.details.conversation,
            subject: request.subject,
            inReplyTo: request.inReplyTo,
            expires: request.expires,
            parts: parts
        )
        let submission = Submission(
            envelope: envelope,
            device: who.device,
            reports: request.reports ?? [],
            session: SessionDelivery(legs: [:]),
            digest: digest
        )
        guard try turn.isHostedHere else { return try turn.sayElsewhere(submission, who.account) }
        turn.outgoing[request.id] = submission
        try turn.change(who.account) { try $0.machine.send(request.id) }
        guard let answer = turn.placed[request.id]?.answer else {
            throw Refusal(.conflict, "the conversation ended before the text could join it")
        }
        return answer
    }

    // MARK: Common

    /// Runs a change of a session and returns what the user sees of it then.
    func change(
        _ who: DeviceIdentity,
        _ id: SessionID,
        _ body: @escaping @Sendable (SessionTurn) throws -> Void
    ) async throws -> SessionDocument {
        try await perform { work in
            try body(try SessionTurn(self, work, id, of: who.account))
            return try self.document(work, who.account, id)
        }
    }

    func document(_ work: Work, _ account: AccountID, _ id: SessionID) throws -> SessionDocument {
        guard let part = try work.part(account, id) else { throw Refusal(.notFound, "no such conversation") }
        return SessionDocument(part)
    }

    /// A device of the user; the asking one if none is named.
    /// - Throws: ``Refusal`` `not-found`, or `conflict` when it is not registered.
    func device(_ work: Work, _ who: DeviceIdentity, _ named: DeviceID?) throws -> DeviceID {
        guard let named, named != who.device else { return who.device }
        guard let device = try work.user(who.account).device(named) else {
            throw Refusal(.notFound, "no such device")
        }
        guard device.isRegistered(at: work.now) else {
            throw Refusal(.conflict, "\(device.label) is not registered")
        }
        return named
    }
}
