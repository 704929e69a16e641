/// A body of a known type: read from and printed as a document with a fixed root element.
public protocol XMLDocument: Sendable, Equatable {
    /// The media type that names it in a Content-Type.
    static var contentType: String { get }
    /// The expanded name of its root element.
    static var rootName: XMLName { get }
    /// The prefixes that it likes to give to other namespaces.
    static var prefixes: [String: String] { get }

    /// Reads it from its root element, whose name was checked.
    ///
    /// - Throws: ``XMLError`` when a mandatory part is missing or a value is outside its type.
    init(element: BodyElement) throws(XMLError)

    /// The root element to print.
    var element: BodyElement { get }
}

extension XMLDocument {
    /// No prefixes are wanted.
    public static var prefixes: [String: String] { [:] }

    /// Reads a document.
    ///
    /// The root may lack a namespace altogether, as some handsets send it; then no element in it has one.
    ///
    /// - Throws: ``XMLError`` when it is not well-formed, not of this type, or beyond a limit.
    public init(parsing bytes: [UInt8], limits: XMLLimits = .standard) throws(XMLError) {
        let root = try BodyElement(parsing: bytes, limits: limits)
        guard root.name == Self.rootName || root.name == XMLName(Self.rootName.local) else {
            throw XMLError(.unexpectedRoot, "<\(Self.rootName)>, not <\(root.name)>")
        }
        try self.init(element: root)
    }

    /// The document as text, with an XML declaration.
    public var text: String { XMLWriter.document(self.element, prefixes: Self.prefixes) }

    /// The document in UTF-8.
    public var bytes: [UInt8] { Array(self.text.utf8) }
}

/// Whether a document holds all there is or only what changed.
public enum DocumentState: String, Sendable, Hashable {
    /// The document replaces what was known.
    case full
    /// The document holds changes only.
    case partial
    /// The thing described is gone (conference-info only).
    case deleted

    static func required(of element: BodyElement, attribute: String = "state") throws(XMLError) -> DocumentState {
        let value = try element.requiredAttribute(attribute)
        guard let state = DocumentState(rawValue: value) else {
            throw XMLError(.invalidValue, "full or partial in \(attribute) of <\(element.name.local)>, not \(value)")
        }
        return state
    }
}
