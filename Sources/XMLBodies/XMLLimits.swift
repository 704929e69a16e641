/// The bounds within which a document is read; each has its own error code.
public struct XMLLimits: Sendable, Equatable {
    /// The largest document, in octets.
    public var maximumBytes = 1 << 20
    /// The deepest nesting of elements.
    public var maximumDepth = 64
    /// The most elements in a document.
    public var maximumElements = 65_536
    /// The most attributes of one element, namespace declarations included.
    public var maximumAttributes = 64
    /// The most namespace declarations in scope at one place.
    public var maximumNamespaces = 64
    /// The longest name, prefix included, in octets.
    public var maximumNameBytes = 256

    /// The bounds for bodies that come from the network.
    public static let standard = XMLLimits()

    /// Starts from the standard bounds.
    public init() {}
}
