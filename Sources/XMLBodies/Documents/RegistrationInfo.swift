/// The registrations of an address, `application/reginfo+xml` (RFC 3680), with GRUUs (RFC 5628).
public struct RegistrationInfo: XMLDocument {
    /// The media type.
    public static let contentType = "application/reginfo+xml"
    /// The root element.
    public static let rootName = XMLName("reginfo", in: "urn:ietf:params:xml:ns:reginfo")
    /// `gr` for the GRUU extension.
    public static let prefixes = [gruuNamespace: "gr"]

    static let gruuNamespace = "urn:ietf:params:xml:ns:gruuinfo"

    /// The number of the document in its subscription, counted from 0.
    public var version: UInt64
    /// Whether the document replaces what was known.
    public var state: DocumentState
    /// The registrations.
    public var registrations: [Registration]

    /// Makes a document.
    public init(version: UInt64, state: DocumentState, registrations: [Registration]) {
        self.version = version
        self.state = state
        self.registrations = registrations
    }

    /// Reads a document.
    ///
    /// - Throws: ``XMLError`` when a mandatory attribute or element is absent or has a wrong value.
    public init(element: BodyElement) throws(XMLError) {
        self.version = try element.requiredVersion()
        self.state = try DocumentState.required(of: element)
        self.registrations = []
        for child in element.all("registration") {
            self.registrations.append(try Registration(element: child))
        }
    }

    /// The root element.
    public var element: BodyElement {
        var root = BodyElement(Self.rootName)
        root.set("version", String(self.version))
        root.set("state", self.state.rawValue)
        root.append(self.registrations.map(\.element))
        return root
    }
}

extension RegistrationInfo {
    /// The registration of one address of record.
    public struct Registration: Sendable, Equatable {
        /// The state of a registration, as an open set.
        public struct State: RawRepresentable, Sendable, Hashable {
            /// The text in the document.
            public let rawValue: String

            /// Makes a state from its text.
            public init(rawValue: String) { self.rawValue = rawValue }

            /// Nothing is registered.
            public static let initial = Self(rawValue: "init")
            /// At least one contact is registered.
            public static let active = Self(rawValue: "active")
            /// The last contact is gone.
            public static let terminated = Self(rawValue: "terminated")
        }

        /// The address of record.
        public var addressOfRecord: String
        /// The name of this registration in later documents.
        public var id: String
        /// The state.
        public var state: State
        /// The contacts.
        public var contacts: [Contact]
        /// Elements beyond RFC 3680, carried untouched.
        public var extensions: [BodyElement]

        /// Makes a registration.
        public init(
            addressOfRecord: String,
            id: String,
            state: State,
            contacts: [Contact],
            extensions: [BodyElement] = []
        ) {
            self.addressOfRecord = addressOfRecord
            self.id = id
            self.state = state
            self.contacts = contacts
            self.extensions = extensions
        }

        init(element: BodyElement) throws(XMLError) {
            self.addressOfRecord = try element.requiredAttribute("aor")
            self.id = try element.requiredAttribute("id")
            self.state = State(rawValue: try element.requiredAttribute("state"))
            self.contacts = []
            for child in element.all("contact") {
                self.contacts.append(try Contact(element: child))
            }
            self.extensions = element.elements(except: ["contact"])
        }

        var element: BodyElement {
            var element = BodyElement(XMLName("registration", in: RegistrationInfo.rootName.namespace))
            element.set("aor", self.addressOfRecord)
            element.set("id", self.id)
            element.set("state", self.state.rawValue)
            element.append(self.contacts.map(\.element))
            element.append(self.extensions)
            return element
        }
    }
}

extension BodyElement {
    /// The mandatory version attribute of the event packages' documents.
    func requiredVersion() throws(XMLError) -> UInt64 {
        guard let version = try self.numberAttribute("version") else {
            throw XMLError(.missingAttribute, "version on <\(self.name.local)>")
        }
        return version
    }
}
