public import MessagingCore
public import SessionCore

/// A conversation to be asked for (`POST /v1/sessions`).
public struct SessionRequest: Hashable, Sendable, Codable {
    /// A UUID of version 7 on the server's clock; asking again with it never makes a second session.
    public var id: SessionID
    /// One of the asking user's own addresses; the principal one if absent.
    public var from: Address?
    public var to: [Address]
    public var subject: String?
    /// The first text: it is the first of the session if anybody accepts.
    public var text: String?
    /// Media that are wanted beside text: they are proposed when somebody accepts.
    public var media: [MediumKind]?

    /// A request.
    public init(id: SessionID, to: [Address], subject: String? = nil, text: String? = nil, media: [MediumKind]? = nil) {
        self.id = id
        self.to = to
        self.subject = subject
        self.text = text
        self.media = media
    }
}

/// Accepts a request (`POST /v1/sessions/{id}/accept`).
public struct AcceptRequest: Hashable, Sendable, Codable {
    /// The device that joins; the asking one if absent.
    public var device: DeviceID?
    /// The wanted media that are accepted with it; none if absent.
    public var media: [MediumKind]?

    /// An acceptance.
    public init(device: DeviceID? = nil, media: [MediumKind]? = nil) {
        self.device = device
        self.media = media
    }
}

/// Asks a device to join a session (`POST /v1/sessions/{id}/legs`).
public struct LegRequest: Hashable, Sendable, Codable {
    /// What a device is given of what was said before.
    public enum History: String, Sendable, Codable, CaseIterable {
        case none
        case last
        case all
    }

    /// The device that is to join; the asking one if absent.
    public var device: DeviceID?
    /// The device that hands its leg over; absent to add the device beside the others.
    public var from: DeviceID?
    /// All if absent.
    public var history: History?
    /// How many texts, with `last`.
    public var count: Int?

    /// A hand-over from `from`, or a device that is added.
    public init(device: DeviceID? = nil, from: DeviceID? = nil, history: History? = nil, count: Int? = nil) {
        self.device = device
        self.from = from
        self.history = history
        self.count = count
    }
}

/// What a device says of its own leg (`POST /v1/sessions/{id}/leg`).
public struct LegStep: Hashable, Sendable, Codable {
    /// Where it stands.
    public enum Step: String, Sendable, Codable, CaseIterable {
        /// It is able to join: texts may come.
        case ready
        /// It has everything up to `position`.
        case progress
        /// It cannot, or its person does not want to.
        case failed
        /// It is done with the session, which goes on elsewhere.
        case closed
    }

    public var generation: Generation
    public var step: Step
    public var position: Ordinal?

    /// A step.
    public init(_ generation: Generation, _ step: Step, position: Ordinal? = nil) {
        self.generation = generation
        self.step = step
        self.position = position
    }
}

/// Names a user (`POST /v1/sessions/{id}/participants`, and `/remove`).
public struct ParticipantRequest: Hashable, Sendable, Codable {
    public var address: Address

    /// A user to be asked, or taken out.
    public init(address: Address) { self.address = address }
}

/// A change of the media (`POST /v1/sessions/{id}/media`).
public struct MediaRequest: Hashable, Sendable, Codable {
    /// What is to be done.
    public enum Change: String, Sendable, Codable, CaseIterable {
        case add
        case hold
        case resume
        case direct
        case move
        /// Takes part in a medium that the others have already.
        case join
        /// Takes part no longer; the others go on.
        case part
        case remove
    }

    /// Chosen by the device; repeated, it is the same change.
    public var id: MessageID
    /// The state of the media that the device saw.
    public var revision: Revision
    public var change: Change
    /// The medium that is changed; absent with `add`.
    public var medium: MediumID?
    /// With `add`.
    public var kind: MediumKind?
    /// With `add` and `direct`: who alone sends; absent when all do.
    public var sender: Address?
    /// With `add` of a file or a stored video: the file of one's personal area.
    public var source: String?
    /// With `add`, `join` and `move`: one's own device; the asking one if absent.
    public var device: DeviceID?

    /// A change.
    public init(id: MessageID, revision: Revision, change: Change, medium: MediumID? = nil) {
        self.id = id
        self.revision = revision
        self.change = change
        self.medium = medium
    }
}

/// Answers a proposed change (`POST /v1/sessions/{id}/media/{change}/answer`).
public struct MediaAnswer: Hashable, Sendable, Codable {
    public var accept: Bool
    /// One's own device that is to have it; the asking one if absent.
    public var device: DeviceID?

    /// Yes, on a device, or no.
    public init(accept: Bool, device: DeviceID? = nil) {
        self.accept = accept
        self.device = device
    }
}

/// Tells how the path of a medium came out (`POST /v1/sessions/{id}/media/{change}/path`).
public struct PathReport: Hashable, Sendable, Codable {
    public var connected: Bool

    /// A path that runs, or could not be made.
    public init(connected: Bool) { self.connected = connected }
}

/// Plays, pauses or seeks a stored video (`POST /v1/sessions/{id}/play/{medium}`).
public typealias PlayRequest = Playback.Wish

/// A session as one user's devices see it: the `value` of items of the kind `session`.
public struct SessionDocument: Hashable, Sendable, Codable {
    /// Where the user stands.
    public enum State: String, Sendable, Codable, CaseIterable {
        case calling
        case alerting
        case joining
        case open
        case over
    }

    /// What was asked, and what became of it on this user's side.
    public struct Request: Hashable, Sendable, Codable {
        /// How it was answered here; `waiting` while it was not.
        public enum Outcome: String, Sendable, Codable, CaseIterable {
            case waiting
            case accepted
            case rejected
            case cancelled
            case missed
        }

        public var outcome: Outcome
        /// The own devices that ring.
        public var alerting: [DeviceID]
        /// The device that joins, and the one on which the person answered.
        public var device: DeviceID?
        public var by: DeviceID?
        public var until: Timestamp?

        /// A request's state.
        public init(outcome: Outcome, alerting: [DeviceID] = []) {
            self.outcome = outcome
            self.alerting = alerting
        }
    }

    /// One own device's attachment.
    public struct Leg: Hashable, Sendable, Codable {
        /// Where it stands.
        public enum State: String, Sendable, Codable, CaseIterable {
            case preparing
            case replaying
            case live
            case draining
        }

        public var device: DeviceID
        public var generation: Generation
        public var state: State
        /// Its history begins after this ordinal.
        public var start: Ordinal?
        /// While replaying: it has everything up to here.
        public var position: Ordinal?
        /// Live after, or draining up to, this ordinal.
        public var fence: Ordinal?
        /// The leg that it is to replace.
        public var replaces: Generation?
        /// The device that took over.
        public var to: DeviceID?

        /// A leg.
        public init(device: DeviceID, generation: Generation, state: State) {
            self.device = device
            self.generation = generation
            self.state = state
        }
    }

    /// Where a participant has a medium.
    public struct Placement: Hashable, Sendable, Codable {
        public var user: Address
        public var generation: Generation
        /// The number that the device has with its own user: media on the same one share a connection.
        public var device: DeviceID

        /// A placement.
        public init(user: Address, generation: Generation, device: DeviceID) {
            self.user = user
            self.generation = generation
            self.device = device
        }
    }

    /// One medium.
    public struct Medium: Hashable, Sendable, Codable {
        public var id: MediumID
        public var kind: MediumKind
        /// Who alone sends; absent when all do.
        public var sender: Address?
        public var held: [Address]
        public var placements: [Placement]
        /// Whose file it is, when it is one; its bytes are at `/v1/sessions/{id}/media/{medium}/content`.
        public var owner: Address?
        public var playback: Playback?

        /// A medium.
        public init(id: MediumID, kind: MediumKind, held: [Address], placements: [Placement]) {
            self.id = id
            self.kind = kind
            self.held = held
            self.placements = placements
        }
    }

    /// A change that waits: for answers, or for the path of a move.
    public struct Pending: Hashable, Sendable, Codable {
        public var id: MessageID
        public var by: Address
        public var change: MediaRequest.Change
        public var medium: MediumID
        public var kind: MediumKind?
        public var sender: Address?
        /// Where the proposer has it, or moves it to.
        public var device: DeviceID?
        public var awaited: [Address]
        public var until: Timestamp?

        /// A pending change.
        public init(id: MessageID, by: Address, change: MediaRequest.Change, medium: MediumID, awaited: [Address]) {
            self.id = id
            self.by = by
            self.change = change
            self.medium = medium
            self.awaited = awaited
        }
    }

    public var id: SessionID
    public var creator: Address
    /// The address under which the user takes part.
    public var user: Address
    public var conversation: ConversationID
    public var subject: String?
    public var started: Timestamp
    public var state: State
    /// Why it is over.
    public var end: SessionEnd?
    /// Who is in the session.
    public var participants: [Address]
    /// Who was asked at the beginning.
    public var invited: [Address]
    /// Media that the request asked for.
    public var wanted: [MediumKind]
    /// The first text, as long as it has no place in the session.
    public var text: String?
    /// Absent for whoever asked.
    public var request: Request?
    public var legs: [Leg]
    public var revision: Revision
    public var media: [Medium]
    public var pending: [Pending]

    /// A session's frame, to be filled.
    public init(
        id: SessionID,
        creator: Address,
        user: Address,
        conversation: ConversationID,
        started: Timestamp,
        state: State
    ) {
        self.id = id
        self.creator = creator
        self.user = user
        self.conversation = conversation
        self.started = started
        self.state = state
        participants = []
        invited = []
        wanted = []
        legs = []
        revision = 0
        media = []
        pending = []
    }
}

/// Sessions that are not over.
public struct SessionList: Hashable, Sendable, Codable {
    public var sessions: [SessionDocument]

    /// A list.
    public init(sessions: [SessionDocument]) { self.sessions = sessions }
}

/// Texts of a session, as the asking device holds or gets them.
public struct SessionTexts: Sendable, Codable {
    public var texts: [ItemDocument]
    /// The last ordinal that the user has.
    public var head: Ordinal
    /// How far this page goes: what is deleted has no text in it, and its ordinals count.
    public var upTo: Ordinal?

    /// A page of texts in order.
    public init(texts: [ItemDocument], head: Ordinal, upTo: Ordinal) {
        self.texts = texts
        self.head = head
        self.upTo = upTo
    }
}

/// What a participant lets the others see of the own devices.
public struct CounterpartDocument: Hashable, Sendable, Codable {
    /// A device, by name.
    public struct Device: Hashable, Sendable, Codable {
        public var label: String
        public var kind: DeviceKind
        public var features: [String]
        public var registered: Bool
        /// Media of the session that are on it.
        public var media: [MediumID]

        /// A device as its user shows it.
        public init(label: String, kind: DeviceKind, features: [String], registered: Bool, media: [MediumID]) {
            self.label = label
            self.kind = kind
            self.features = features
            self.registered = registered
            self.media = media
        }
    }

    public var user: Address
    /// What the user's registered devices can do, all together; absent when nothing is shown.
    public var features: [String]?
    /// Absent when they are not shown.
    public var devices: [Device]?

    /// Nothing shown yet.
    public init(user: Address) { self.user = user }
}

/// Everybody else in a session.
public struct CounterpartList: Hashable, Sendable, Codable {
    public var users: [CounterpartDocument]

    /// A list.
    public init(users: [CounterpartDocument]) { self.users = users }
}

/// Something for one leg alone: an offer, an answer, a candidate. It is not stored (`signal` on the socket).
public struct MediaSignal: Hashable, Sendable, Codable {
    public var session: SessionID
    public var medium: MediumID
    /// The placement that speaks.
    public var from: Address?
    public var generation: Generation
    /// The placement that is spoken to: an older generation's is dropped.
    public var to: Address
    public var toGeneration: Generation
    public var payload: JSONValue

    /// A signal.
    public init(
        session: SessionID,
        medium: MediumID,
        generation: Generation,
        to: Address,
        toGeneration: Generation,
        payload: JSONValue
    ) {
        self.session = session
        self.medium = medium
        self.generation = generation
        self.to = to
        self.toGeneration = toGeneration
        self.payload = payload
    }
}

/// STUN and TURN servers, as a browser's `RTCConfiguration` has them.
public struct IceDocument: Hashable, Sendable, Codable {
    /// One or more addresses of a server, and what it wants to know.
    public struct Server: Hashable, Sendable, Codable {
        public var urls: [String]
        public var username: String?
        public var credential: String?

        /// A server.
        public init(urls: [String]) { self.urls = urls }
    }

    public var iceServers: [Server]

    /// A list of servers.
    public init(iceServers: [Server]) { self.iceServers = iceServers }
}

/// Somebody types (`typing` on the socket): a hint that is not stored.
public struct TypingHint: Hashable, Sendable, Codable {
    public var session: SessionID
    /// Who; filled in by the server.
    public var from: Address?

    /// A hint.
    public init(session: SessionID, from: Address? = nil) {
        self.session = session
        self.from = from
    }
}
