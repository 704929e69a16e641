/// A pull reader for the small XML documents that travel in messages.
///
/// It reads well-formed XML 1.0 in UTF-8 with namespaces and nothing else: a document type declaration is an error, so
/// there are no entities beyond the five of XML and character references, no external fetch and no expansion. What it
/// gives out is never larger than what it was given. Comments and processing instructions are checked and skipped.
public struct XMLReader: Sendable {
    let bytes: [UInt8]
    let limits: XMLLimits
    var position = 0
    private var stage = Stage.beforeRoot
    private var elementCount = 0
    private var openElements: [OpenElement] = []
    private var bindings: [Binding] = []
    private var pendingEnd = false

    private enum Stage {
        case beforeRoot
        case inRoot
        case afterRoot
    }

    private struct OpenElement {
        var rawName: Range<Int>
        var name: XMLName
        var bindingCount: Int
    }

    private struct Binding {
        var prefix: String
        var uri: String
    }

    struct RawAttribute {
        var prefix: String
        var local: String
        var value: String
        var offset: Int
    }

    /// Prepares to read a document.
    ///
    /// - Throws: ``XMLError`` when it is too large, not UTF-8, or declares another encoding.
    public init(_ bytes: [UInt8], limits: XMLLimits = .standard) throws(XMLError) {
        guard bytes.count <= limits.maximumBytes else {
            throw XMLError(.documentTooLarge, "at most \(limits.maximumBytes) octets", offset: limits.maximumBytes)
        }
        self.bytes = bytes
        self.limits = limits
        try self.validateCharacters()
        if self.hasPrefix([0xEF, 0xBB, 0xBF]) { self.position = 3 }
        try self.skipDeclaration()
    }

    /// Gives the next event, or nil after the end of the document.
    ///
    /// - Throws: ``XMLError``; after an error the reader must not be used again.
    public mutating func next() throws(XMLError) -> XMLEvent? {
        if self.pendingEnd {
            self.pendingEnd = false
            return .end(self.close())
        }
        while true {
            switch self.stage {
            case .beforeRoot, .afterRoot:
                self.skipSpace()
                guard let byte = self.peek() else {
                    guard self.stage == .afterRoot else { throw self.error(.unexpectedEnd, "a root element") }
                    return nil
                }
                guard byte == UInt8(ascii: "<") else {
                    throw self.error(self.stage == .afterRoot ? .trailingContent : .malformed, "markup")
                }
            case .inRoot:
                guard let byte = self.peek() else { throw self.error(.unexpectedEnd, "an end tag") }
                guard byte == UInt8(ascii: "<") else { return .text(try self.readText()) }
            }
            if let event = try self.readMarkup() { return event }
        }
    }

    /// Reads what begins with `<`; nil for what is skipped.
    private mutating func readMarkup() throws(XMLError) -> XMLEvent? {
        switch self.peek(1) {
        case UInt8(ascii: "/"):
            return .end(try self.readEndTag())
        case UInt8(ascii: "?"):
            try self.skipProcessingInstruction()
            return nil
        case UInt8(ascii: "!"):
            if self.hasPrefix(Array("<!--".utf8)) {
                try self.skipComment()
                return nil
            }
            if self.hasPrefix(Array("<![CDATA[".utf8)) {
                guard self.stage == .inRoot else { throw self.error(.malformed, "an element") }
                return .text(try self.readCDATA())
            }
            if self.hasPrefix(Array("<!DOCTYPE".utf8)) {
                throw self.error(.doctypeForbidden, "no document type declaration")
            }
            throw self.error(.malformed, "a comment or CDATA section")
        default:
            return try self.readStartTag()
        }
    }

    private mutating func readStartTag() throws(XMLError) -> XMLEvent {
        guard self.stage != .afterRoot else { throw self.error(.trailingContent, "the end of the document") }
        guard self.openElements.count < self.limits.maximumDepth else {
            throw self.error(.tooDeep, "at most \(self.limits.maximumDepth) nested elements")
        }
        self.elementCount += 1
        guard self.elementCount <= self.limits.maximumElements else {
            throw self.error(.tooManyElements, "at most \(self.limits.maximumElements) elements")
        }
        let start = self.position
        self.position += 1
        let raw = try self.readRawName()
        let bindingCount = self.bindings.count
        let (plain, selfClosing) = try self.readAttributes()
        let (prefix, local) = try self.split(raw)
        guard prefix != "xmlns" else { throw XMLError(.invalidNamespace, "no element in xmlns", offset: start) }
        let name = XMLName(local, in: try self.resolve(prefix, at: start))
        let attributes = try self.expand(plain)
        self.openElements.append(OpenElement(rawName: raw, name: name, bindingCount: bindingCount))
        self.stage = .inRoot
        self.pendingEnd = selfClosing
        return .start(name, attributes)
    }

    /// Reads up to and including the `>`; namespace declarations go to the bindings.
    private mutating func readAttributes() throws(XMLError) -> (plain: [RawAttribute], selfClosing: Bool) {
        var plain: [RawAttribute] = []
        var declared: [String] = []
        while true {
            let hadSpace = self.skipSpace()
            guard let byte = self.peek() else { throw self.error(.unexpectedEnd, "the end of a tag") }
            if byte == UInt8(ascii: ">") {
                self.position += 1
                return (plain, false)
            }
            if byte == UInt8(ascii: "/") {
                guard self.peek(1) == UInt8(ascii: ">") else { throw self.error(.malformed, "/>") }
                self.position += 2
                return (plain, true)
            }
            guard hadSpace else { throw self.error(.malformed, "white space before an attribute") }
            guard plain.count + declared.count < self.limits.maximumAttributes else {
                throw self.error(.tooManyAttributes, "at most \(self.limits.maximumAttributes) attributes")
            }
            let attribute = try self.readAttribute()
            if attribute.prefix == "xmlns" || (attribute.prefix.isEmpty && attribute.local == "xmlns") {
                let prefix = attribute.prefix.isEmpty ? "" : attribute.local
                guard !declared.contains(prefix) else {
                    throw XMLError(.duplicateAttribute, "one declaration of a prefix", offset: attribute.offset)
                }
                declared.append(prefix)
                try self.bind(prefix, to: attribute.value, at: attribute.offset)
            } else {
                plain.append(attribute)
            }
        }
    }

    private mutating func bind(_ prefix: String, to uri: String, at offset: Int) throws(XMLError) {
        let xml = "http://www.w3.org/XML/1998/namespace"
        let legal: Bool
        switch prefix {
        case "xml": legal = uri == xml
        case "xmlns": legal = false
        case "": legal = uri != xml
        default: legal = !uri.isEmpty && uri != xml
        }
        guard legal, uri != "http://www.w3.org/2000/xmlns/" else {
            throw XMLError(.invalidNamespace, "a legal namespace declaration", offset: offset)
        }
        guard self.bindings.count < self.limits.maximumNamespaces else {
            throw XMLError(.tooManyNamespaces, "at most \(self.limits.maximumNamespaces) in scope", offset: offset)
        }
        self.bindings.append(Binding(prefix: prefix, uri: uri))
    }

    private func resolve(_ prefix: String, at offset: Int) throws(XMLError) -> String {
        if let binding = self.bindings.last(where: { $0.prefix == prefix }) { return binding.uri }
        if prefix.isEmpty { return "" }
        if prefix == "xml" { return "http://www.w3.org/XML/1998/namespace" }
        throw XMLError(.undeclaredPrefix, "a declaration of the prefix \(prefix)", offset: offset)
    }

    private func expand(_ plain: [RawAttribute]) throws(XMLError) -> [XMLAttribute] {
        var expanded: [XMLAttribute] = []
        expanded.reserveCapacity(plain.count)
        for attribute in plain {
            // The default namespace is not for attributes.
            let namespace =
                attribute.prefix.isEmpty ? "" : try self.resolve(attribute.prefix, at: attribute.offset)
            let name = XMLName(attribute.local, in: namespace)
            guard !expanded.contains(where: { $0.name == name }) else {
                throw XMLError(.duplicateAttribute, "\(name) once", offset: attribute.offset)
            }
            expanded.append(XMLAttribute(name, attribute.value))
        }
        return expanded
    }

    private mutating func readEndTag() throws(XMLError) -> XMLName {
        let start = self.position
        self.position += 2
        let raw = try self.readRawName()
        self.skipSpace()
        guard self.peek() == UInt8(ascii: ">") else { throw self.error(.malformed, "> of an end tag") }
        self.position += 1
        guard let open = self.openElements.last else {
            throw XMLError(.mismatchedTag, "no end tag here", offset: start)
        }
        guard self.bytes[raw].elementsEqual(self.bytes[open.rawName]) else {
            throw XMLError(.mismatchedTag, "the end tag of \(open.name.local)", offset: start)
        }
        return self.close()
    }

    private mutating func close() -> XMLName {
        let element = self.openElements.removeLast()
        self.bindings.removeLast(self.bindings.count - element.bindingCount)
        if self.openElements.isEmpty { self.stage = .afterRoot }
        return element.name
    }
}
