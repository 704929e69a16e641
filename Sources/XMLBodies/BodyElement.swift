/// An element of a document held in memory: what typed bodies are read from and written to.
public struct BodyElement: Sendable, Equatable {
    /// What an element contains, in document order.
    public enum Child: Sendable, Equatable {
        /// An element inside.
        case element(BodyElement)
        /// Character data, without markup.
        case text(String)
    }

    /// The expanded name.
    public var name: XMLName
    /// The attributes in document order, namespace declarations left out.
    public var attributes: [XMLAttribute]
    /// The content in document order.
    public var children: [Child]

    /// Makes an element.
    public init(_ name: XMLName, attributes: [XMLAttribute] = [], children: [Child] = []) {
        self.name = name
        self.attributes = attributes
        self.children = children
    }

    /// Makes an element that holds text only.
    public init(_ name: XMLName, text: String) {
        self.init(name, children: text.isEmpty ? [] : [.text(text)])
    }

    /// Reads a whole document.
    ///
    /// - Throws: ``XMLError`` when the document is not well-formed or beyond a limit.
    public init(parsing bytes: [UInt8], limits: XMLLimits = .standard) throws(XMLError) {
        var reader = try XMLReader(bytes, limits: limits)
        var open: [BodyElement] = []
        var root: BodyElement?
        while let event = try reader.next() {
            switch event {
            case .start(let name, let attributes):
                open.append(BodyElement(name, attributes: attributes))
            case .text(let text):
                open[open.count - 1].append(text: text)
            case .end:
                let element = open.removeLast()
                if open.isEmpty {
                    root = element
                } else {
                    open[open.count - 1].children.append(.element(element))
                }
            }
        }
        guard let root else { throw XMLError(.unexpectedEnd, "a root element") }
        self = root
    }

    private mutating func append(text: String) {
        guard case .text(var run) = self.children.last else {
            self.children.append(.text(text))
            return
        }
        // Taken out before it grows, so that many pieces do not copy what came before each time.
        self.children.removeLast()
        run += text
        self.children.append(.text(run))
    }
}

extension BodyElement {
    /// The elements inside, in order.
    public var elements: [BodyElement] {
        self.children.compactMap { child in
            if case .element(let element) = child { element } else { nil }
        }
    }

    /// The text directly inside, joined.
    public var text: String {
        self.children.reduce(into: "") { text, child in
            if case .text(let piece) = child { text += piece }
        }
    }

    /// The text directly inside with white space around it dropped and runs of it made one space (`xs:token`).
    public var token: String { self.text.collapsed }

    /// The first element inside with a local name, in the namespace of this element unless another is given.
    public func first(_ local: String, in namespace: String? = nil) -> BodyElement? {
        self.elements.first { $0.name.local == local && $0.name.namespace == namespace ?? self.name.namespace }
    }

    /// All elements inside with a local name, in the namespace of this element unless another is given.
    public func all(_ local: String, in namespace: String? = nil) -> [BodyElement] {
        self.elements.filter { $0.name.local == local && $0.name.namespace == namespace ?? self.name.namespace }
    }

    /// All elements with a local name and this namespace at any depth, in document order.
    public func descendants(_ local: String) -> [BodyElement] {
        self.elements.flatMap { element -> [BodyElement] in
            let own = element.name.local == local && element.name.namespace == self.name.namespace ? [element] : []
            return own + element.descendants(local)
        }
    }

    /// The value of an attribute; without a namespace the attribute is one without a prefix.
    public func attribute(_ local: String, in namespace: String = "") -> String? {
        self.attributes.first { $0.name.local == local && $0.name.namespace == namespace }?.value
    }
}

extension BodyElement {
    /// The token of the first element with this name, nil when it is absent.
    func tokenOfFirst(_ local: String) -> String? { self.first(local)?.token }

    /// The token of a mandatory element.
    func requiredToken(_ local: String) throws(XMLError) -> String {
        guard let token = self.tokenOfFirst(local), !token.isEmpty else {
            throw XMLError(.missingElement, "<\(local)> in <\(self.name.local)>")
        }
        return token
    }

    /// A mandatory attribute.
    func requiredAttribute(_ local: String) throws(XMLError) -> String {
        guard let value = self.attribute(local) else {
            throw XMLError(.missingAttribute, "\(local) on <\(self.name.local)>")
        }
        return value.collapsed
    }

    /// An optional attribute that is a number without sign.
    func numberAttribute(_ local: String) throws(XMLError) -> UInt64? {
        guard let value = self.attribute(local) else { return nil }
        guard let number = value.collapsed.unsignedInteger else {
            throw XMLError(.invalidValue, "a number in \(local) of <\(self.name.local)>")
        }
        return number
    }

    /// The elements that the caller does not know: what a document carries beyond its type.
    func elements(except known: Set<String>) -> [BodyElement] {
        self.elements.filter { $0.name.namespace != self.name.namespace || !known.contains($0.name.local) }
    }

    mutating func append(_ element: BodyElement?) {
        if let element { self.children.append(.element(element)) }
    }

    mutating func append(_ elements: [BodyElement]) {
        self.children.append(contentsOf: elements.map(Child.element))
    }

    /// Appends `<local>text</local>` in the namespace of this element, unless there is no text.
    mutating func append(_ local: String, text: String?) {
        guard let text else { return }
        self.append(BodyElement(XMLName(local, in: self.name.namespace), text: text))
    }

    /// Adds an attribute without namespace, unless there is no value.
    mutating func set(_ local: String, _ value: String?) {
        guard let value else { return }
        self.attributes.append(XMLAttribute(XMLName(local), value))
    }
}

extension String {
    /// The text as `xs:token` has it: no white space around, single spaces inside.
    var collapsed: String {
        self.utf8.split { XMLCharacters.isSpace($0) }.map { String(Substring($0)) }.joined(separator: " ")
    }

    /// The value of a run of digits; nil for anything else or when it does not fit.
    var unsignedInteger: UInt64? {
        guard !self.isEmpty, self.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else { return nil }
        return UInt64(self)
    }
}
