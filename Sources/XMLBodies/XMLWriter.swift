/// Prints elements as an XML document in UTF-8.
///
/// The namespace of the root is the default namespace of the document; every other one gets a prefix, declared on the
/// root: the one asked for, or `ns1`, `ns2` and so on.
public struct XMLWriter: Sendable {
    private static let xmlNamespace = "http://www.w3.org/XML/1998/namespace"

    private var output = ""
    private var prefixes: [String: String] = [:]
    /// The namespaces with a prefix, in the order of first use.
    private var declared: [String] = []
    private let rootNamespace: String

    /// Prints an element as a document.
    ///
    /// - Parameters:
    ///   - root: the root element.
    ///   - prefixes: the prefixes wanted, by namespace URI.
    public static func document(_ root: BodyElement, prefixes: [String: String] = [:]) -> String {
        var writer = XMLWriter(root: root, wanted: prefixes)
        writer.output = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
        writer.write(root, defaultNamespace: nil)
        writer.output += "\n"
        return writer.output
    }

    private init(root: BodyElement, wanted: [String: String]) {
        self.rootNamespace = root.name.namespace
        self.collect(root)
        var taken: Set<String> = ["", "xml", "xmlns"]
        var number = 0
        for namespace in self.declared {
            var prefix = wanted[namespace] ?? ""
            while taken.contains(prefix) {
                number += 1
                prefix = "ns\(number)"
            }
            taken.insert(prefix)
            self.prefixes[namespace] = prefix
        }
    }

    /// Notes every namespace that needs a prefix: that of an attribute always, that of an element unless it is the
    /// root's.
    private mutating func collect(_ element: BodyElement) {
        if element.name.namespace != self.rootNamespace { self.note(element.name.namespace) }
        for attribute in element.attributes { self.note(attribute.name.namespace) }
        for child in element.elements { self.collect(child) }
    }

    private mutating func note(_ namespace: String) {
        guard !namespace.isEmpty, namespace != Self.xmlNamespace, self.prefixes[namespace] == nil else { return }
        self.prefixes[namespace] = ""
        self.declared.append(namespace)
    }

    /// Writes an element; `defaultNamespace` is what is in force around it, nil at the root.
    private mutating func write(_ element: BodyElement, defaultNamespace: String?) {
        let namespace = element.name.namespace
        let usesDefault = namespace.isEmpty || namespace == self.rootNamespace
        let tag = usesDefault ? Self.legalName(element.name.local) : self.prefixed(element.name)
        self.output += "<\(tag)"
        if usesDefault, namespace != defaultNamespace ?? "" {
            self.output += " xmlns=\"\(Self.escape(namespace, quoted: true))\""
        }
        if defaultNamespace == nil {
            for declared in self.declared {
                self.output += " xmlns:\(self.prefixes[declared, default: ""])"
                self.output += "=\"\(Self.escape(declared, quoted: true))\""
            }
        }
        for attribute in element.attributes {
            let local = Self.legalName(attribute.name.local)
            let name = attribute.name.namespace.isEmpty ? local : self.prefixed(attribute.name)
            self.output += " \(name)=\"\(Self.escape(attribute.value, quoted: true))\""
        }
        guard !element.children.isEmpty else {
            self.output += "/>"
            return
        }
        self.output += ">"
        let inside = usesDefault ? namespace : defaultNamespace ?? ""
        for child in element.children {
            switch child {
            case .element(let inner): self.write(inner, defaultNamespace: inside)
            case .text(let text): self.output += Self.escape(text, quoted: false)
            }
        }
        self.output += "</\(tag)>"
    }

    private func prefixed(_ name: XMLName) -> String {
        let local = Self.legalName(name.local)
        if name.namespace == Self.xmlNamespace { return "xml:\(local)" }
        return "\(self.prefixes[name.namespace, default: ""]):\(local)"
    }

    /// A local name with an underscore in place of each character that no name has, so that no name can hold markup.
    private static func legalName(_ name: String) -> String {
        var legal = String.UnicodeScalarView()
        for scalar in name.unicodeScalars {
            let isLegal = legal.isEmpty ? XMLCharacters.isNameStart(scalar) : XMLCharacters.isName(scalar)
            legal.append(isLegal && scalar != ":" ? scalar : "_")
        }
        return legal.isEmpty ? "_" : String(legal)
    }

    /// Escapes text for an element or a quoted attribute value; characters that XML cannot carry become U+FFFD.
    static func escape(_ text: String, quoted: Bool) -> String {
        var escaped = ""
        escaped.reserveCapacity(text.utf8.count)
        for scalar in text.unicodeScalars {
            switch scalar {
            case "&": escaped += "&amp;"
            case "<": escaped += "&lt;"
            case ">": escaped += "&gt;"
            case "\"" where quoted: escaped += "&quot;"
            case "\t" where quoted: escaped += "&#9;"
            case "\n" where quoted: escaped += "&#10;"
            case "\r": escaped += "&#13;"
            case _ where !XMLCharacters.isAllowed(scalar.value): escaped += "\u{FFFD}"
            default: escaped.unicodeScalars.append(scalar)
            }
        }
        return escaped
    }
}
