/// The dialogs of a user, `application/dialog-info+xml` (RFC 4235).
public struct DialogInfo: XMLDocument {
    /// The media type.
    public static let contentType = "application/dialog-info+xml"
    /// The root element.
    public static let rootName = XMLName("dialog-info", in: "urn:ietf:params:xml:ns:dialog-info")

    /// The number of the document in its subscription, counted from 0.
    public var version: UInt64
    /// Whether the document replaces what was known.
    public var state: DocumentState
    /// The user whose dialogs these are; mandatory, yet absent in an example of the RFC.
    public var entity: String?
    /// The dialogs.
    public var dialogs: [Dialog]

    /// Makes a document.
    public init(version: UInt64, state: DocumentState, entity: String?, dialogs: [Dialog]) {
        self.version = version
        self.state = state
        self.entity = entity
        self.dialogs = dialogs
    }

    /// Reads a document; the state may be called `notify-state`, as in one example of the RFC.
    ///
    /// - Throws: ``XMLError`` when a mandatory attribute or element is absent or has a wrong value.
    public init(element: BodyElement) throws(XMLError) {
        self.version = try element.requiredVersion()
        let attribute = element.attribute("state") == nil ? "notify-state" : "state"
        self.state = try DocumentState.required(of: element, attribute: attribute)
        self.entity = element.attribute("entity")?.collapsed
        self.dialogs = []
        for child in element.all("dialog") { self.dialogs.append(try Dialog(element: child)) }
    }

    /// The root element.
    public var element: BodyElement {
        var root = BodyElement(Self.rootName)
        root.set("version", String(self.version))
        root.set("state", self.state.rawValue)
        root.set("entity", self.entity)
        root.append(self.dialogs.map(\.element))
        return root
    }
}

extension DialogInfo {
    /// The state of a dialog, as an open set (RFC 4235 section 3.7.1).
    public struct State: RawRepresentable, Sendable, Hashable {
        /// The text in the document.
        public let rawValue: String

        /// Makes a state from its text.
        public init(rawValue: String) { self.rawValue = rawValue }

        /// An INVITE was sent or received.
        public static let trying = Self(rawValue: "trying")
        /// A provisional response without a tag came.
        public static let proceeding = Self(rawValue: "proceeding")
        /// A provisional response with a tag came.
        public static let early = Self(rawValue: "early")
        /// A 2xx came.
        public static let confirmed = Self(rawValue: "confirmed")
        /// It is over.
        public static let terminated = Self(rawValue: "terminated")
    }

    /// Names a dialog by the identifiers of SIP.
    public struct Reference: Sendable, Equatable {
        /// The Call-ID.
        public var callID: String
        /// The local tag.
        public var localTag: String
        /// The remote tag.
        public var remoteTag: String

        /// Makes a reference.
        public init(callID: String, localTag: String, remoteTag: String) {
            self.callID = callID
            self.localTag = localTag
            self.remoteTag = remoteTag
        }
    }

    /// One end of a dialog.
    public struct Participant: Sendable, Equatable {
        /// The address in From or To.
        public var identity: String?
        /// The display name of that address.
        public var identityDisplay: String?
        /// The URI of its Contact.
        public var target: String?
        /// The parameters of its Contact, name and value.
        public var targetParameters: [RegistrationInfo.Contact.Parameter]
        /// The media type of the session description.
        public var sessionDescriptionType: String?
        /// The session description.
        public var sessionDescription: String?
        /// The CSeq of its last request.
        public var cseq: UInt64?
        /// Elements of other kinds, carried untouched.
        public var extensions: [BodyElement]

        /// Makes an end of a dialog; the rest is set afterwards.
        public init(identity: String? = nil, target: String? = nil) {
            self.identity = identity
            self.target = target
            self.targetParameters = []
            self.extensions = []
        }
    }

    /// One dialog.
    public struct Dialog: Sendable, Equatable {
        /// The name of this dialog in later documents.
        public var id: String
        /// The Call-ID.
        public var callID: String?
        /// The local tag.
        public var localTag: String?
        /// The remote tag.
        public var remoteTag: String?
        /// Who began it: `initiator`, or `recipient` (one example of the RFC has `receiver`).
        public var direction: String?
        /// The state.
        public var state: State
        /// Why it is in that state.
        public var event: String?
        /// The status code that goes with the event.
        public var code: UInt64?
        /// Seconds since it began.
        public var duration: UInt64?
        /// The dialog that it replaces.
        public var replaces: Reference?
        /// The address that referred to it.
        public var referredBy: String?
        /// The local end.
        public var local: Participant?
        /// The remote end.
        public var remote: Participant?
        /// Elements of other kinds, carried untouched.
        public var extensions: [BodyElement]

        /// Makes a dialog; what is optional is set afterwards.
        public init(id: String, state: State) {
            self.id = id
            self.state = state
            self.extensions = []
        }
    }
}
