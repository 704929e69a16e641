public import ClientWire
public import MessagingCore
import NIOHTTP1
public import SessionCore

/// Live conversations: what these calls return, the user's other devices get as an item of the kind `session`.
extension ContinuoClient {
    // MARK: Requests

    /// Asks users for a conversation; asking again with the same id never makes a second one.
    public func request(_ request: SessionRequest) async throws -> SessionDocument {
        try await http.send(.POST, "/v1/sessions", request, as: SessionDocument.self)
    }

    /// A new session id: a UUID of version 7 on the server's clock.
    public func newSessionID() async throws -> SessionID { SessionID(stored: try await newMessageID().description) }

    /// Accepts, on this device or on another one of the same user.
    public func accept(_ id: SessionID, _ request: AcceptRequest = AcceptRequest()) async throws -> SessionDocument {
        try await post(id, "accept", request)
    }

    /// Says no, for all of the user's devices.
    public func reject(_ id: SessionID) async throws -> SessionDocument { try await post(id, "reject", Nothing()) }

    /// Silences the request on this device alone.
    public func ignore(_ id: SessionID) async throws -> SessionDocument { try await post(id, "ignore", Nothing()) }

    /// Takes one's own request back, leaves, or ends a conversation of two.
    public func leave(_ id: SessionID) async throws -> SessionDocument { try await post(id, "leave", Nothing()) }

    /// Asks another user to join.
    public func invite(_ address: Address, to id: SessionID) async throws -> SessionDocument {
        try await post(id, "participants", ParticipantRequest(address: address))
    }

    /// Takes a user out; only whoever asked for the session may.
    public func remove(_ address: Address, from id: SessionID) async throws -> SessionDocument {
        try await post(id, "remove", ParticipantRequest(address: address))
    }

    // MARK: Lists and texts

    /// The user's sessions that are not over, on any device.
    public func sessions() async throws -> [SessionDocument] {
        try await http.get("/v1/sessions", as: SessionList.self).sessions
    }

    /// One session.
    public func session(_ id: SessionID) async throws -> SessionDocument {
        try await http.get(path(id), as: SessionDocument.self)
    }

    /// The devices of everybody else, as far as each of them lets others see.
    public func counterparts(_ id: SessionID) async throws -> [CounterpartDocument] {
        try await http.get(path(id, "devices"), as: CounterpartList.self).users
    }

    /// Texts in their order, above an ordinal.
    public func texts(_ id: SessionID, after: Ordinal = 0, limit: Int = 200) async throws -> SessionTexts {
        try await http.get(path(id, "texts") + "?after=\(after)&limit=\(limit)", as: SessionTexts.self)
    }

    /// Says something in a session; the answer has its place.
    public func say(_ text: String, in id: SessionID) async throws -> SendAnswer {
        try await send(SendRequest(id: try await newMessageID(), session: id, parts: [PartRequest(text: text)]))
    }

    // MARK: Devices

    /// Asks a device of one's own to join: in place of another one, or beside all.
    public func attach(_ id: SessionID, _ request: LegRequest) async throws -> SessionDocument {
        try await post(id, "legs", request)
    }

    /// Says where this device's own leg stands.
    public func step(_ id: SessionID, _ step: LegStep) async throws -> SessionDocument {
        try await post(id, "leg", step)
    }

    /// Takes this device, which was asked to join, through getting ready and catching up, until its leg is live.
    /// - Returns: the texts of its history, in order, up to the moment it went live; what is said later comes with the
    ///   mailbox.
    public func join(_ id: SessionID, under generation: Generation) async throws -> [ItemDocument] {
        var document = try await step(id, LegStep(generation, .ready))
        var texts: [ItemDocument] = []
        var position: Ordinal?
        while let leg = document.legs.first(where: { $0.generation == generation }) {
            let after = position ?? leg.start ?? 0
            let page = try await self.texts(id, after: after)
            texts += page.texts
            let reached = page.upTo ?? page.texts.last?.message?.session?.ordinal ?? after
            position = reached
            if leg.state == .live, reached >= page.head { return texts }
            guard leg.state != .draining else { return texts }
            if leg.state == .replaying {
                document = try await step(id, LegStep(generation, .progress, position: reached))
            }
        }
        throw ClientError.unexpected("the conversation went on without this device")
    }

    // MARK: Media

    /// Proposes a change of the media.
    public func propose(_ id: SessionID, _ request: MediaRequest) async throws -> SessionDocument {
        try await post(id, "media", request)
    }

    /// Accepts a proposed medium on a device, or rejects it.
    public func answer(_ id: SessionID, _ change: MessageID, _ answer: MediaAnswer) async throws -> SessionDocument {
        try await post(id, "media/\(escaped(change.description))/answer", answer)
    }

    /// The path of a move runs, or could not be made; or a proposal is taken back.
    public func report(_ id: SessionID, _ change: MessageID, _ report: PathReport) async throws -> SessionDocument {
        try await post(id, "media/\(escaped(change.description))/path", report)
    }

    /// A medium could not be made to run on this device.
    public func mediumFailed(_ id: SessionID, _ medium: MediumID) async throws -> SessionDocument {
        try await post(id, "failed/\(medium.rawValue)", Nothing())
    }

    /// Plays, pauses or seeks a stored video, for all.
    public func play(_ id: SessionID, _ medium: MediumID, _ wish: PlayRequest) async throws -> SessionDocument {
        try await post(id, "play/\(medium.rawValue)", wish)
    }

    private func path(_ id: SessionID, _ what: String? = nil) -> String {
        "/v1/sessions/\(escaped(id.description))\(what.map { "/\($0)" } ?? "")"
    }

    private func post(
        _ id: SessionID,
        _ what: String,
        _ body: some Encodable & Sendable
    ) async throws
        -> SessionDocument
    {
        try await http.send(.POST, path(id, what), body, as: SessionDocument.self)
    }
}

extension ItemDocument {
    /// The live conversation that an item of the kind `session` stands for.
    public var session: SessionDocument? {
        guard kind == "session", let value, let bytes = try? StrictJSON.encode(value) else { return nil }
        return try? StrictJSON.decode(SessionDocument.self, from: bytes)
    }
}
