/// Lists of addresses, `application/resource-lists+xml` (RFC 4826 section 3), with copy control (RFC 5364).
public struct ResourceLists: XMLDocument {
    /// How a recipient is addressed (RFC 5364).
    public enum CopyControl: String, Sendable, Hashable {
        /// A first-hand recipient.
        case to
        /// A recipient of a copy that all see.
        case cc
        /// A recipient that the others do not see.
        case bcc
    }

    /// One address in a list.
    public struct Entry: Sendable, Equatable {
        /// The address.
        public var uri: String
        /// The name to show.
        public var displayName: String?
        /// How it is addressed; nil counts as bcc in a recipient list (RFC 5364 section 4).
        public var copyControl: CopyControl?
        /// Whether its address is to be hidden from the other recipients.
        public var isAnonymized: Bool
        /// How many anonymous recipients a hidden entry stands for.
        public var count: UInt64?

        /// Makes an entry.
        public init(
            uri: String,
            displayName: String? = nil,
            copyControl: CopyControl? = nil,
            isAnonymized: Bool = false,
            count: UInt64? = nil
        ) {
            self.uri = uri
            self.displayName = displayName
            self.copyControl = copyControl
            self.isAnonymized = isAnonymized
            self.count = count
        }
    }

    /// What stands in a list.
    public enum Item: Sendable, Equatable {
        /// An address.
        case entry(Entry)
        /// A list inside.
        case list(List)
        /// A reference to an entry elsewhere, relative to the XCAP root.
        case entryReference(String)
        /// A reference to a list elsewhere.
        case external(anchor: String)
        /// An element of another kind, carried untouched.
        case other(BodyElement)
    }

    /// A list, which may be named and hold other lists.
    public struct List: Sendable, Equatable {
        /// Its name, unique among its neighbours.
        public var name: String?
        /// The name to show.
        public var displayName: String?
        /// What it holds, in order.
        public var items: [Item]

        /// Makes a list.
        public init(name: String? = nil, displayName: String? = nil, items: [Item]) {
            self.name = name
            self.displayName = displayName
            self.items = items
        }

        /// The entries of this list and of the lists inside it, in order.
        public var entries: [Entry] {
            self.items.flatMap { item -> [Entry] in
                switch item {
                case .entry(let entry): [entry]
                case .list(let list): list.entries
                case .entryReference, .external, .other: []
                }
            }
        }
    }

    /// The media type.
    public static let contentType = "application/resource-lists+xml"
    /// The root element.
    public static let rootName = XMLName("resource-lists", in: "urn:ietf:params:xml:ns:resource-lists")
    /// `cp` for copy control.
    public static let prefixes = [copyControlNamespace: "cp"]

    static let copyControlNamespace = "urn:ietf:params:xml:ns:copyControl"

    /// The lists.
    public var lists: [List]

    /// Makes a document.
    public init(lists: [List]) { self.lists = lists }

    /// A document with one unnamed list of addresses, as in a request to several recipients (RFC 5365, 5366).
    public init(recipients: [Entry]) { self.lists = [List(items: recipients.map(Item.entry))] }

    /// All entries in order.
    public var entries: [Entry] { self.lists.flatMap(\.entries) }

    /// Reads a document.
    ///
    /// - Throws: ``XMLError`` when a mandatory attribute is absent or has a wrong value.
    public init(element: BodyElement) throws(XMLError) {
        self.lists = []
        for child in element.all("list") { self.lists.append(try List(element: child)) }
    }

    /// The root element.
    public var element: BodyElement {
        var root = BodyElement(Self.rootName)
        root.append(self.lists.map(\.element))
        return root
    }
}

extension ResourceLists.List {
    init(element: BodyElement) throws(XMLError) {
        self.init(name: element.attribute("name"), displayName: element.tokenOfFirst("display-name"), items: [])
        for child in element.elements(except: ["display-name"]) {
            guard child.name.namespace == element.name.namespace else {
                self.items.append(.other(child))
                continue
            }
            switch child.name.local {
            case "entry": self.items.append(.entry(try ResourceLists.Entry(element: child)))
            case "list": self.items.append(.list(try Self(element: child)))
            case "entry-ref": self.items.append(.entryReference(try child.requiredAttribute("ref")))
            case "external": self.items.append(.external(anchor: try child.requiredAttribute("anchor")))
            default: self.items.append(.other(child))
            }
        }
    }

    var element: BodyElement {
        let namespace = ResourceLists.rootName.namespace
        var element = BodyElement(XMLName("list", in: namespace))
        element.set("name", self.name)
        element.append("display-name", text: self.displayName)
        for item in self.items {
            switch item {
            case .entry(let entry): element.append(entry.element)
            case .list(let list): element.append(list.element)
            case .other(let other): element.append(other)
            case .entryReference(let reference):
                var child = BodyElement(XMLName("entry-ref", in: namespace))
                child.set("ref", reference)
                element.append(child)
            case .external(let anchor):
                var child = BodyElement(XMLName("external", in: namespace))
                child.set("anchor", anchor)
                element.append(child)
            }
        }
        return element
    }
}

extension ResourceLists.Entry {
    init(element: BodyElement) throws(XMLError) {
        let namespace = ResourceLists.copyControlNamespace
        self.init(
            uri: try element.requiredAttribute("uri"),
            displayName: element.tokenOfFirst("display-name"),
            copyControl: element.attribute("copyControl", in: namespace).flatMap(ResourceLists.CopyControl.init),
            isAnonymized: ["true", "1"].contains(element.attribute("anonymize", in: namespace)),
            count: element.attribute("count", in: namespace)?.unsignedInteger
        )
    }

    var element: BodyElement {
        let namespace = ResourceLists.copyControlNamespace
        var element = BodyElement(XMLName("entry", in: ResourceLists.rootName.namespace))
        element.set("uri", self.uri)
        let control = [
            ("copyControl", self.copyControl?.rawValue), ("anonymize", self.isAnonymized ? "true" : nil),
            ("count", self.count.map(String.init)),
        ]
        for case (let name, let value?) in control {
            element.attributes.append(XMLAttribute(XMLName(name, in: namespace), value))
        }
        element.append("display-name", text: self.displayName)
        return element
    }
}
