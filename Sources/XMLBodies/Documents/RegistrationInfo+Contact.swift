extension RegistrationInfo {
    /// One contact of a registration.
    public struct Contact: Sendable, Equatable {
        /// Why a contact is in its state, as an open set.
        public struct Event: RawRepresentable, Sendable, Hashable {
            /// The text in the document.
            public let rawValue: String

            /// Makes an event from its text.
            public init(rawValue: String) { self.rawValue = rawValue }

            /// A REGISTER bound it.
            public static let registered = Self(rawValue: "registered")
            /// It was bound by other means.
            public static let created = Self(rawValue: "created")
            /// A REGISTER refreshed it.
            public static let refreshed = Self(rawValue: "refreshed")
            /// The registrar shortened its lease.
            public static let shortened = Self(rawValue: "shortened")
            /// Its lease ran out.
            public static let expired = Self(rawValue: "expired")
            /// The registrar removed it; the client may register again at once.
            public static let deactivated = Self(rawValue: "deactivated")
            /// The registrar removed it; the client may register again after a while.
            public static let probation = Self(rawValue: "probation")
            /// The client removed it.
            public static let unregistered = Self(rawValue: "unregistered")
            /// The registrar does not allow it any more.
            public static let rejected = Self(rawValue: "rejected")
        }

        /// A parameter of the Contact that has no attribute of its own, such as a feature tag.
        public struct Parameter: Sendable, Equatable {
            /// Its name.
            public var name: String
            /// Its value as it stands in the Contact, quotes included; empty for a flag.
            public var value: String

            /// Makes a parameter.
            public init(name: String, value: String) {
                self.name = name
                self.value = value
            }
        }

        /// A temporary GRUU (RFC 5628 section 6).
        public struct TemporaryGRUU: Sendable, Equatable {
            /// The GRUU.
            public var uri: String
            /// The CSeq of the REGISTER that made the first valid one.
            public var firstCSeq: UInt64

            /// Makes one.
            public init(uri: String, firstCSeq: UInt64) {
                self.uri = uri
                self.firstCSeq = firstCSeq
            }
        }

        /// The name of this contact in later documents.
        public var id: String
        /// Whether the contact is registered now.
        public var isActive: Bool
        /// Why.
        public var event: Event
        /// Its URI.
        public var uri: String
        /// The display name of its Contact.
        public var displayName: String?
        /// Seconds since it was first bound.
        public var durationRegistered: UInt64?
        /// Seconds left of its lease.
        public var expires: UInt64?
        /// Seconds until the client may register again.
        public var retryAfter: UInt64?
        /// Its q-value as text.
        public var q: String?
        /// The Call-ID of the REGISTER.
        public var callID: String?
        /// The CSeq of the REGISTER.
        public var cseq: UInt64?
        /// Parameters of its Contact.
        public var parameters: [Parameter]
        /// Its public GRUU.
        public var publicGRUU: String?
        /// Its current temporary GRUU.
        public var temporaryGRUU: TemporaryGRUU?
        /// Elements of other kinds, carried untouched.
        public var extensions: [BodyElement]

        /// Makes a contact; what is optional is set afterwards.
        public init(id: String, isActive: Bool, event: Event, uri: String) {
            self.id = id
            self.isActive = isActive
            self.event = event
            self.uri = uri
            self.parameters = []
            self.extensions = []
        }

        init(element: BodyElement) throws(XMLError) {
            let state = try element.requiredAttribute("state")
            guard state == "active" || state == "terminated" else {
                throw XMLError(.invalidValue, "active or terminated in state of <contact>")
            }
            self.init(
                id: try element.requiredAttribute("id"),
                isActive: state == "active",
                event: Event(rawValue: try element.requiredAttribute("event")),
                uri: try element.requiredToken("uri")
            )
            self.displayName = element.tokenOfFirst("display-name")
            self.durationRegistered = try element.numberAttribute("duration-registered")
            self.expires = try element.numberAttribute("expires")
            self.retryAfter = try element.numberAttribute("retry-after")
            self.q = element.attribute("q")?.collapsed
            self.callID = element.attribute("callid")
            self.cseq = try element.numberAttribute("cseq")
            for child in element.all("unknown-param") {
                self.parameters.append(Parameter(name: try child.requiredAttribute("name"), value: child.token))
            }
            let gruu = RegistrationInfo.gruuNamespace
            if let child = element.first("pub-gruu", in: gruu) {
                self.publicGRUU = try child.requiredAttribute("uri")
            }
            if let child = element.first("temp-gruu", in: gruu) {
                guard let first = try child.numberAttribute("first-cseq") else {
                    throw XMLError(.missingAttribute, "first-cseq on <temp-gruu>")
                }
                self.temporaryGRUU = TemporaryGRUU(uri: try child.requiredAttribute("uri"), firstCSeq: first)
            }
            self.extensions = element.elements(except: ["uri", "display-name", "unknown-param"]).filter {
                $0.name.namespace != gruu || !["pub-gruu", "temp-gruu"].contains($0.name.local)
            }
        }

        var element: BodyElement {
            var element = BodyElement(XMLName("contact", in: RegistrationInfo.rootName.namespace))
            element.set("id", self.id)
            element.set("state", self.isActive ? "active" : "terminated")
            element.set("event", self.event.rawValue)
            element.set("duration-registered", self.durationRegistered.map(String.init))
            element.set("expires", self.expires.map(String.init))
            element.set("retry-after", self.retryAfter.map(String.init))
            element.set("q", self.q)
            element.set("callid", self.callID)
            element.set("cseq", self.cseq.map(String.init))
            element.append("uri", text: self.uri)
            element.append("display-name", text: self.displayName)
            for parameter in self.parameters {
                var child = BodyElement(XMLName("unknown-param", in: element.name.namespace), text: parameter.value)
                child.set("name", parameter.name)
                element.append(child)
            }
            if let publicGRUU = self.publicGRUU {
                var child = BodyElement(XMLName("pub-gruu", in: RegistrationInfo.gruuNamespace))
                child.set("uri", publicGRUU)
                element.append(child)
            }
            if let temporary = self.temporaryGRUU {
                var child = BodyElement(XMLName("temp-gruu", in: RegistrationInfo.gruuNamespace))
                child.set("uri", temporary.uri)
                child.set("first-cseq", String(temporary.firstCSeq))
                element.append(child)
            }
            element.append(self.extensions)
            return element
        }
    }
}
