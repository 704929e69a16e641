/// The composition status of a message, `application/im-iscomposing+xml` (RFC 3994 section 3.4).
public struct IsComposingDocument: XMLDocument {
    /// Whether the other side is composing; any state that is not known counts as idle.
    public enum State: String, Sendable, Hashable {
        /// A message is being composed.
        case active
        /// No message is being composed.
        case idle
    }

    /// The media type.
    public static let contentType = "application/im-iscomposing+xml"
    /// The root element.
    public static let rootName = XMLName("isComposing", in: "urn:ietf:params:xml:ns:im-iscomposing")

    /// Whether a message is being composed.
    public var state: State
    /// When the composer was last active, as RFC 3339 text.
    public var lastActive: String?
    /// The media type, or its first part, of the message being composed.
    public var composedType: String?
    /// Seconds until the next status is due while active; nil when absent or no number.
    public var refreshSeconds: UInt64?
    /// Elements beyond RFC 3994, carried untouched.
    public var extensions: [BodyElement]

    /// Makes a status.
    public init(
        state: State,
        lastActive: String? = nil,
        composedType: String? = nil,
        refreshSeconds: UInt64? = nil,
        extensions: [BodyElement] = []
    ) {
        self.state = state
        self.lastActive = lastActive
        self.composedType = composedType
        self.refreshSeconds = refreshSeconds
        self.extensions = extensions
    }

    /// Reads a status.
    ///
    /// - Throws: ``XMLError`` when there is no state.
    public init(element: BodyElement) throws(XMLError) {
        self.state = State(rawValue: try element.requiredToken("state")) ?? .idle
        self.lastActive = element.tokenOfFirst("lastactive")
        self.composedType = element.tokenOfFirst("contenttype")
        self.refreshSeconds = element.tokenOfFirst("refresh")?.unsignedInteger
        self.extensions = element.elements(except: ["state", "lastactive", "contenttype", "refresh"])
    }

    /// The root element.
    public var element: BodyElement {
        var root = BodyElement(Self.rootName)
        root.append("state", text: self.state.rawValue)
        root.append("lastactive", text: self.lastActive)
        root.append("contenttype", text: self.composedType)
        root.append("refresh", text: self.refreshSeconds.map(String.init))
        root.append(self.extensions)
        return root
    }
}
