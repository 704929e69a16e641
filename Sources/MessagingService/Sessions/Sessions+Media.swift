public import ClientWire
public import MessagingCore
public import SessionCore
public import Store

/// Media of a session: proposed, answered, moved; what runs between devices is theirs.
extension MessagingService {
    /// Proposes a change of the media. Adding waits for the others' consent, moving for its path; the rest is done.
    /// - Throws: ``Refusal`` `conflict` when this device has no live part in the session, `stale` when the media have
    ///   changed, `no-credit`, `not-found`, `too-many`, `invalid-request`.
    public func propose(_ who: DeviceIdentity, _ id: SessionID, _ request: MediaRequest) async throws -> SessionDocument
    {
        try await change(who, id) { turn in try turn.propose(request, who.account, who.device) }
    }

    /// Answers a proposal, for the user: accepted on a device, or rejected.
    /// - Throws: ``Refusal`` `not-found` when it does not wait for this user, `conflict` when the device cannot.
    public func answer(
        _ who: DeviceIdentity,
        _ id: SessionID,
        _ change: MessageID,
        _ answer: MediaAnswer
    ) async throws -> SessionDocument {
        try await self.change(who, id) { turn in
            let device = try answer.accept ? self.device(turn.work, who, answer.device) : nil
            if let device, let part = try turn.work.part(who.account, id),
                let kind = part.machine.changes.first(where: { $0.proposal.id == change })?.kind
            {
                try turn.check(kind, on: device, who.account)
            }
            try turn.change(who.account) { part in
                // Whoever is asked anew answers anew: what was said to the request holds no longer.
                part.welcome = []
                return try part.machine.consent(change, on: device)
            }
        }
    }

    /// The path of one's own move runs, or could not be made; or one takes a proposal back.
    public func path(
        _ who: DeviceIdentity,
        _ id: SessionID,
        _ change: MessageID,
        _ report: PathReport
    ) async throws -> SessionDocument {
        try await self.change(who, id) { turn in
            try turn.change(who.account) { $0.machine.moved(change, report.connected) }
        }
    }

    /// A device could not make a medium run: it ends, among several for this user alone; the session stays.
    /// - Throws: ``Refusal`` `conflict` when the medium is not on this device.
    public func mediumFailed(_ who: DeviceIdentity, _ id: SessionID, _ medium: MediumID) async throws -> SessionDocument
    {
        try await change(who, id) { turn in
            try turn.change(who.account) { try $0.machine.mediumFailed(medium, on: who.device) }
        }
    }

    /// A device can have a medium with one other user only, and has it with this one: whoever else is in it goes out of it.
    /// - Throws: ``Refusal`` `conflict` when the medium is not on this device.
    public func narrow(
        _ who: DeviceIdentity,
        _ id: SessionID,
        _ medium: MediumID,
        with other: Address
    ) async throws
        -> SessionDocument
    {
        try await change(who, id) { turn in
            try turn.change(who.account) { try $0.machine.narrow(medium, on: who.device, with: other) }
        }
    }

    /// Plays, pauses or seeks a stored video, for all.
    public func play(
        _ who: DeviceIdentity,
        _ id: SessionID,
        _ medium: MediumID,
        _ wish: PlayRequest
    ) async throws -> SessionDocument {
        try await change(who, id) { turn in
            try turn.change(who.account) { try $0.machine.play(medium, wish) }
        }
    }

    /// Where the bytes of a file or stored video of a session are, for everybody who takes part.
    ///
    /// What another provider's user shows comes through this provider, a piece at a time.
    /// - Throws: ``Refusal`` `not-found` once its owner has deleted it.
    public func content(_ who: DeviceIdentity, _ id: SessionID, _ medium: MediumID) async throws -> PartSource {
        let (source, place) = try await read { view -> (PartSource?, PeerFile.Place) in
            let part = try Self.part(view, who.account, id)
            guard let medium = part.machine.media.first(where: { $0.id == medium }), let owner = medium.owner else {
                throw Refusal(.notFound, "no such medium with a file")
            }
            let place = PeerFile.Place(owner: owner, session: id, medium: medium.id, asker: part.machine.user)
            guard let account = try view.account(holding: owner) else { return (nil, place) }
            let file = try Self.file(of: medium, account, view)
            return (.blob(file.sha256, bytes: file.bytes, type: file.type, name: file.name), place)
        }
        if let source { return source }
        guard let file = await router.shownFile(place) else { throw Refusal(.notFound, "no such medium with a file") }
        return .peer(file)
    }
}

extension SessionTurn {
    /// A device proposes a change; adding a medium is paid for now and given back if nobody accepts it.
    func propose(_ request: MediaRequest, _ account: AccountID, _ asking: DeviceID) throws {
        guard let part = try work.part(account, id) else { throw Refusal(.notFound, "no such conversation") }
        let who = DeviceIdentity(account: account, device: asking)
        let device = try service.device(work, who, request.device)
        let change = try Self.change(request, device)
        switch change {
        case .add(let kind, _, let source, let device):
            try check(kind, on: device, account)
            if let source { try check(source, kind, account) }
        case .move(let medium, let device), .join(let medium, let device):
            guard let kind = part.machine.media.first(where: { $0.id == medium })?.kind else {
                throw Refusal(.notFound, "there is no such medium in the session")
            }
            try check(kind, on: device, account)
        case .hold, .resume, .direct, .part, .remove: break
        }
        // The owner's refusal is the device's answer: nothing is left pending when it is the same server.
        if let owner = try work.account(holding: details.creator), let host = try work.host(owner, id) {
            var copy = host.machine.media
            let others = Set(host.machine.present).subtracting([part.machine.user])
            let proposal = MediaProposal(id: request.id, change: change, revision: request.revision)
            _ = try copy.propose(proposal, by: part.machine.user, others: others, now: now)
        }
        let price = service.settingsInForce.tariff.perMedium
        if case .add = change, part.prices[request.id] == nil, !part.machine.knows(request.id) {
            try reserve(price, for: request.id, .medium, account)
        }
        try self.change(account) { part in
            try part.machine.propose(
                MediaProposal(id: request.id, change: change, revision: request.revision),
                from: asking
            )
        }
    }

    private static func change(_ request: MediaRequest, _ device: DeviceID) throws(Refusal) -> MediaChange {
        if request.change == .add {
            guard let kind = request.kind, request.medium == nil else {
                throw Refusal(.invalidRequest, "kind: what is to be added?")
            }
            return .add(kind, request.sender.map { .from($0) } ?? .both, source: request.source, device: device)
        }
        guard let medium = request.medium, request.kind == nil, request.source == nil else {
            throw Refusal(.invalidRequest, "medium: which one?")
        }
        switch request.change {
        case .add, .remove: return .remove(medium)
        case .hold: return .hold(medium)
        case .resume: return .resume(medium)
        case .direct: return .direct(medium, request.sender.map { .from($0) } ?? .both)
        case .move: return .move(medium, to: device)
        case .join: return .join(medium, on: device)
        case .part: return .part(medium)
        }
    }

    /// - Throws: ``Refusal`` `conflict` when the device says that it cannot do this.
    func check(_ kind: MediumKind, on device: DeviceID, _ account: AccountID) throws {
        guard let device = try work.user(account).device(device) else { throw Refusal(.notFound, "no such device") }
        let features = device.capabilities.features
        let isAble: Bool =
            switch kind {
            case .text, .file: true
            case .audio: features.contains("audio")
            case .video: features.contains("video")
            // It takes a screen to look at it, and no camera.
            case .storedVideo: features.contains { $0 == "video" || $0.hasPrefix("screen-") }
            }
        guard !isAble else { return }
        throw Refusal(.conflict, "\(device.label) cannot do \(kind.rawValue)")
    }

    private func check(_ source: String, _ kind: MediumKind, _ account: AccountID) throws {
        guard let item = try work.transaction.item(account, kind: .file, object: source),
            case .document(let bytes) = item.body
        else { throw Refusal(.notFound, "source: no such file in the personal area") }
        let file = try Documents.decode(FileDocument.self, bytes)
        guard kind != .storedVideo || file.type.hasPrefix("video/") else {
            throw Refusal(.invalidRequest, "source: \(file.name) is no video")
        }
    }
}

extension PendingChange {
    /// What it adds; nil for a move.
    var kind: MediumKind? { if case .add(let kind, _, _, _) = proposal.change { kind } else { nil } }
}

extension Participation {
    /// Whether a change of this id is pending already.
    func knows(_ id: MessageID) -> Bool { changes.contains { $0.proposal.id == id } }
}
