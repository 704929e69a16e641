extension ConferenceInfo {
    /// Who did something, when and why.
    public struct Execution: Sendable, Equatable {
        /// When, as RFC 3339 text.
        public var when: String?
        /// Why.
        public var reason: String?
        /// The address of who did it.
        public var by: String?

        /// Makes one.
        public init(when: String? = nil, reason: String? = nil, by: String? = nil) {
            self.when = when
            self.reason = reason
            self.by = by
        }
    }

    /// A medium of an endpoint.
    public struct Medium: Sendable, Equatable {
        /// Its name in later documents.
        public var id: String
        /// The text to show.
        public var displayText: String?
        /// The media type.
        public var type: String?
        /// The label of the medium in the description.
        public var label: String?
        /// The source (SSRC) of the stream.
        public var sourceID: String?
        /// The direction as seen by the participant.
        public var status: String?

        /// Makes a medium; what is optional is set afterwards.
        public init(id: String, type: String? = nil, status: String? = nil) {
            self.id = id
            self.type = type
            self.status = status
        }
    }

    /// One device or instance through which a user takes part.
    public struct Endpoint: Sendable, Equatable {
        /// Its address; a user may have one without.
        public var entity: String?
        /// Whether this tells all about it.
        public var state: DocumentState
        /// The text to show.
        public var displayText: String?
        /// Who referred it.
        public var referred: Execution?
        /// Its state: `pending`, `dialing-out`, `dialing-in`, `alerting`, `on-hold`, `connected`,
        /// `muted-via-focus`, `disconnecting`, `disconnected`.
        public var status: String?
        /// How it joined: `dialed-in`, `dialed-out`, `focus-owner`.
        public var joiningMethod: String?
        /// When it joined.
        public var joining: Execution?
        /// How it left: `departed`, `booted`, `failed`, `busy`.
        public var disconnectionMethod: String?
        /// When it left.
        public var disconnection: Execution?
        /// Its media.
        public var media: [Medium]
        /// Its dialog with the focus.
        public var dialog: DialogInfo.Reference?
        /// Elements of other kinds, carried untouched.
        public var extensions: [BodyElement]

        /// Makes an endpoint; what is optional is set afterwards.
        public init(entity: String?, state: DocumentState = .full, status: String? = nil, media: [Medium] = []) {
            self.entity = entity
            self.state = state
            self.status = status
            self.media = media
            self.extensions = []
        }
    }

    /// A participant.
    public struct User: Sendable, Equatable {
        /// The address; mandatory by the schema, yet absent for some anonymous users.
        public var entity: String?
        /// Whether this tells all about the user, or that the user is gone.
        public var state: DocumentState
        /// The text to show.
        public var displayText: String?
        /// Other addresses of the user.
        public var associatedAddresses: [URIEntry]
        /// What the user may do.
        public var roles: [String]
        /// The languages that the user speaks.
        public var languages: String?
        /// The endpoints.
        public var endpoints: [Endpoint]
        /// Elements of other kinds, carried untouched.
        public var extensions: [BodyElement]

        /// Makes a user; what is optional is set afterwards.
        public init(
            entity: String?,
            state: DocumentState = .full,
            displayText: String? = nil,
            endpoints: [Endpoint] = []
        ) {
            self.entity = entity
            self.state = state
            self.displayText = displayText
            self.associatedAddresses = []
            self.roles = []
            self.endpoints = endpoints
            self.extensions = []
        }
    }
}
