/// The state of a conference, `application/conference-info+xml` (RFC 4575).
///
/// The same type describes a sidebar given by value, which has neither a version of its own nor another root.
public struct ConferenceInfo: XMLDocument {
    /// The media type.
    public static let contentType = "application/conference-info+xml"
    /// The root element.
    public static let rootName = XMLName("conference-info", in: "urn:ietf:params:xml:ns:conference-info")

    /// The conference's URI.
    public var entity: String
    /// Whether the document replaces what was known.
    public var state: DocumentState
    /// The number of the document in its subscription; nil for a sidebar.
    public var version: UInt64?
    /// What the conference is about.
    public var description: Description?
    /// Who hosts it.
    public var host: Host?
    /// How it stands.
    public var status: Status?
    /// Its participants; nil when the document says nothing about them.
    public var users: Users?
    /// The URIs of its sidebars.
    public var sidebarReferences: [URIEntry]
    /// Its sidebars in full.
    public var sidebars: [ConferenceInfo]
    /// Elements of other kinds, carried untouched.
    public var extensions: [BodyElement]

    /// Makes a document; what is optional is set afterwards.
    public init(entity: String, state: DocumentState, version: UInt64?) {
        self.entity = entity
        self.state = state
        self.version = version
        self.sidebarReferences = []
        self.sidebars = []
        self.extensions = []
    }

    /// Reads a document.
    ///
    /// - Throws: ``XMLError`` when a mandatory attribute is absent or has a wrong value.
    public init(element: BodyElement) throws(XMLError) {
        self.init(
            entity: try element.requiredAttribute("entity"),
            state: try element.optionalState(),
            version: try element.numberAttribute("version")
        )
        if element.name.local == Self.rootName.local, self.version == nil, self.state == .partial {
            throw XMLError(.missingAttribute, "version on <conference-info>")
        }
        self.description = try element.first("conference-description").map(Description.init)
        self.host = element.first("host-info").map(Host.init)
        self.status = element.first("conference-state").map(Status.init)
        if let users = element.first("users") { self.users = try Users(element: users) }
        self.sidebarReferences = element.first("sidebars-by-ref")?.all("entry").map(URIEntry.init) ?? []
        for child in element.first("sidebars-by-val")?.all("entry") ?? [] {
            self.sidebars.append(try ConferenceInfo(element: child))
        }
        self.extensions = element.elements(except: Self.known)
    }

    private static let known: Set<String> = [
        "conference-description", "host-info", "conference-state", "users", "sidebars-by-ref", "sidebars-by-val",
    ]

    /// The root element.
    public var element: BodyElement { self.element(named: Self.rootName.local) }

    private func element(named name: String) -> BodyElement {
        var element = BodyElement(XMLName(name, in: Self.rootName.namespace))
        element.set("entity", self.entity)
        element.set("state", self.state.rawValue)
        element.set("version", self.version.map(String.init))
        element.append(self.description?.element)
        element.append(self.host?.element)
        element.append(self.status?.element)
        element.append(self.users?.element)
        element.append("sidebars-by-ref", holding: self.sidebarReferences.map(\.element))
        element.append("sidebars-by-val", holding: self.sidebars.map { $0.element(named: "entry") })
        element.append(self.extensions)
        return element
    }
}

extension ConferenceInfo {
    /// A URI with what it is for.
    public struct URIEntry: Sendable, Equatable {
        /// The URI.
        public var uri: String
        /// The text to show.
        public var displayText: String?
        /// What it is for, such as `participation` or `streaming`.
        public var purpose: String?

        /// Makes an entry.
        public init(uri: String, displayText: String? = nil, purpose: String? = nil) {
            self.uri = uri
            self.displayText = displayText
            self.purpose = purpose
        }
    }

    /// A medium that the conference offers.
    public struct AvailableMedium: Sendable, Equatable {
        /// Its label.
        public var label: String
        /// The text to show.
        public var displayText: String?
        /// The media type: `audio`, `video`, `message`.
        public var type: String?
        /// The direction as seen by a participant.
        public var status: String?

        /// Makes one.
        public init(label: String, displayText: String? = nil, type: String? = nil, status: String? = nil) {
            self.label = label
            self.displayText = displayText
            self.type = type
            self.status = status
        }
    }

    /// What the conference is about.
    public struct Description: Sendable, Equatable {
        /// The text to show.
        public var displayText: String?
        /// The subject.
        public var subject: String?
        /// More about it.
        public var freeText: String?
        /// Words to find it by, separated by spaces.
        public var keywords: String?
        /// Its addresses.
        public var conferenceURIs: [URIEntry] = []
        /// Addresses of services around it.
        public var serviceURIs: [URIEntry] = []
        /// How many may take part.
        public var maximumUserCount: UInt64?
        /// The media it offers.
        public var availableMedia: [AvailableMedium] = []
        /// Elements of other kinds, carried untouched.
        public var extensions: [BodyElement] = []

        /// Makes an empty description.
        public init() {}
    }

    /// Who hosts the conference.
    public struct Host: Sendable, Equatable {
        /// The text to show.
        public var displayText: String?
        /// The host's page.
        public var webPage: String?
        /// The host's addresses.
        public var uris: [URIEntry] = []

        /// Makes an empty host.
        public init() {}
    }

    /// How the conference stands.
    public struct Status: Sendable, Equatable {
        /// How many take part.
        public var userCount: UInt64?
        /// Whether it is going on.
        public var isActive: Bool?
        /// Whether nobody may join any more.
        public var isLocked: Bool?

        /// Makes a status.
        public init(userCount: UInt64? = nil, isActive: Bool? = nil, isLocked: Bool? = nil) {
            self.userCount = userCount
            self.isActive = isActive
            self.isLocked = isLocked
        }
    }

    /// The participants.
    public struct Users: Sendable, Equatable {
        /// Whether these are all.
        public var state: DocumentState
        /// The participants told about.
        public var users: [User]

        /// Makes a set of participants.
        public init(state: DocumentState = .full, users: [User]) {
            self.state = state
            self.users = users
        }
    }

    /// The users of the conference and of its sidebars, in document order.
    public var allUsers: [User] { (self.users?.users ?? []) + self.sidebars.flatMap(\.allUsers) }
}
