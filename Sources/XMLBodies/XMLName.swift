/// The expanded name of an element or attribute: a namespace and a local name.
public struct XMLName: Sendable, Hashable, CustomStringConvertible {
    /// The namespace URI; empty for none.
    public var namespace: String
    /// The name without prefix.
    public var local: String

    /// Makes a name; without a namespace it is in none.
    public init(_ local: String, in namespace: String = "") {
        self.namespace = namespace
        self.local = local
    }

    /// The name in the form `{namespace}local`.
    public var description: String {
        self.namespace.isEmpty ? self.local : "{\(self.namespace)}\(self.local)"
    }
}

/// One attribute of an element.
public struct XMLAttribute: Sendable, Hashable {
    /// The expanded name; an attribute without prefix is in no namespace.
    public var name: XMLName
    /// The value with references resolved and white space normalised.
    public var value: String

    /// Makes an attribute.
    public init(_ name: XMLName, _ value: String) {
        self.name = name
        self.value = value
    }
}

/// What a reader meets next in a document.
public enum XMLEvent: Sendable, Equatable {
    /// An element begins, with its attributes (namespace declarations left out).
    case start(XMLName, [XMLAttribute])
    /// Character data with references resolved; one run may come in several pieces.
    case text(String)
    /// The innermost open element ends.
    case end(XMLName)
}
