public import ClientWire
public import MessagingCore
public import SessionCore

/// What one user's server says to another's about a session.
public enum SessionLine: Hashable, Sendable, Codable {
    /// The owner asks a user.
    case request(SessionDetails)
    case toOwner(ToOwner)
    case fromOwner(FromOwner)

    /// The text that goes with it.
    var text: MessageID? {
        switch self {
        case .toOwner(.text(let id)), .fromOwner(.text(_, let id, _)): id
        case .request, .toOwner, .fromOwner: nil
        }
    }

    /// Whether it ends what was before: then it counts also when something before it was given up.
    var isFinal: Bool {
        switch self {
        case .toOwner(.leave), .fromOwner(.ended): true
        case .request, .toOwner, .fromOwner: false
        }
    }
}

/// A text as it goes from server to server.
public struct PeerText: Hashable, Sendable, Codable {
    public var envelope: Envelope
    /// The reports that its sender asks for.
    public var reports: [Report]

    /// A text with what its sender wants to know of it.
    public init(envelope: Envelope, reports: [Report]) {
        self.envelope = envelope
        self.reports = reports
    }

    /// As it is stored here.
    func submission(to receivers: [Address], _ place: SessionPlace, _ legs: [AccountID: Set<DeviceID>]) -> Submission {
        var envelope = envelope
        envelope.to = receivers
        envelope.session = place
        // Whoever is in has it, full mailbox or not: one order for all.
        let delivery = SessionDelivery(legs: legs, isPaid: true)
        return Submission(envelope: envelope, device: nil, reports: reports, session: delivery)
    }
}

/// One line on its way between two servers, under its number in the lane of (session, sender, receiver).
public struct SessionParcel: Hashable, Sendable, Codable {
    public var session: SessionID
    /// The user whose server speaks, and the user whose server is spoken to.
    public var from: Address
    public var to: Address
    public var number: Int64
    public var line: SessionLine
    public var text: PeerText?

    /// A parcel as it arrived.
    public init(
        session: SessionID,
        from: Address,
        to: Address,
        number: Int64,
        line: SessionLine,
        text: PeerText? = nil
    ) {
        self.session = session
        self.from = from
        self.to = to
        self.number = number
        self.line = line
        self.text = text
    }

    /// What an entry of the outbox says; nil when it is about something else.
    /// - Throws: ``Refusal`` `internal-error` when the line cannot be read.
    public init?(_ entry: OutboxEntry, envelope: Envelope?) throws {
        guard case .session(let session, let from, let to, let number, let bytes) = entry.task else { return nil }
        self.init(
            session: session,
            from: from,
            to: to,
            number: number,
            line: try Documents.decode(SessionLine.self, bytes),
            text: envelope.map { PeerText(envelope: $0, reports: entry.reports) }
        )
    }
}

/// What goes to another provider without being stored.
public enum PeerHint: Hashable, Sendable, Codable {
    /// A user types.
    case typing(SessionID, from: Address, to: Address)
    /// An offer, an answer or a candidate; its sender is named in it.
    case signal(MediaSignal)

    /// The user it is for.
    public var receiver: Address {
        switch self {
        case .typing(_, _, let to): to
        case .signal(let signal): signal.to
        }
    }

    /// The user it comes from.
    public var sender: Address? {
        switch self {
        case .typing(_, let from, _): from
        case .signal(let signal): signal.from
        }
    }
}
