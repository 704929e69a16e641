internal import ByteGrammar

/// The namespaces of header names (RFC 3862 section 3.4).
public enum CPIMNamespace {
    /// The headers of RFC 3862 itself: the default until a message declares another.
    public static let core = "urn:ietf:params:cpim-headers:"
    /// The headers of RFC 5438.
    public static let imdn = "urn:ietf:params:imdn"
}

/// A header with the namespace that its prefix stands for.
public struct ResolvedHeader: Sendable, Hashable {
    /// The namespace; nil when the prefix was not declared before the header.
    public let namespace: String?
    /// The header.
    public let header: CPIMHeader
}

extension CPIMMessage {
    /// The headers with their namespaces, in order, NS headers left out.
    public var resolvedHeaders: [ResolvedHeader] {
        var byPrefix: [String: String] = [:]
        var byDefault = CPIMNamespace.core
        var resolved: [ResolvedHeader] = []
        for header in self.headers {
            if let (prefix, uri) = Self.declaration(header) {
                if let prefix { byPrefix[prefix] = uri } else { byDefault = uri }
                continue
            }
            let namespace = header.prefix.map { byPrefix[$0] } ?? byDefault
            resolved.append(ResolvedHeader(namespace: namespace, header: header))
        }
        return resolved
    }

    /// Reads `NS: prefix <uri>` or `NS: <uri>`, with or without the space.
    private static func declaration(_ header: CPIMHeader) -> (prefix: String?, uri: String)? {
        guard header.prefix == nil, header.name == "NS" else { return nil }
        let value = header.rawValue
        guard let open = value.firstIndex(of: UInt8(ascii: "<")),
            let close = value[open...].firstIndex(of: UInt8(ascii: ">"))
        else { return nil }
        let prefix = ByteText.trim(value[..<open])
        return (prefix.isEmpty ? nil : ByteText.string(prefix), ByteText.string(value[(open + 1)..<close]))
    }

    /// The headers with a name in a namespace, in order.
    public func headers(named name: String, in namespace: String = CPIMNamespace.core) -> [CPIMHeader] {
        self.resolvedHeaders.filter { $0.namespace == namespace && $0.header.name == name }.map(\.header)
    }

    /// The value of the first header with a name in a namespace; nil when it is absent or has an unknown escape.
    public func value(of name: String, in namespace: String = CPIMNamespace.core) -> String? {
        self.headers(named: name, in: namespace).first.flatMap { try? $0.value() }
    }

    /// The prefix under which a namespace is declared last, for headers to be added; nil when it is not declared.
    public func prefix(for namespace: String) -> String? {
        self.headers.reversed().lazy.compactMap { header -> String? in
            guard let (prefix, uri) = Self.declaration(header), uri == namespace else { return nil }
            return prefix
        }.first
    }
}

extension CPIMMessage {
    /// A subject in one language.
    public struct Subject: Sendable, Hashable {
        /// The language tag; nil when none is given.
        public let language: String?
        /// The text.
        public let text: String
    }

    /// Who sent the message; nil when it is absent or no address.
    public var from: CPIMAddress? { self.addresses("From").first }

    /// To whom it is sent.
    public var to: [CPIMAddress] { self.addresses("To") }

    /// Who gets a copy.
    public var cc: [CPIMAddress] { self.addresses("cc") }

    /// When it was sent; nil when it is absent or no date and time.
    public var dateTime: Timestamp? { self.value(of: "DateTime").flatMap { try? Timestamp($0) } }

    /// Its subjects, one for each language.
    public var subjects: [Subject] {
        self.headers(named: "Subject").compactMap { header in
            guard let text = try? header.value() else { return nil }
            return Subject(language: header.parameter("lang"), text: text)
        }
    }

    /// The headers that the receiver must understand, as named in Require (RFC 3862 section 4.7).
    public var required: [String] {
        self.headers(named: "Require").flatMap { header in
            header.rawValue.split(separator: UInt8(ascii: ",")).map { ByteText.string(ByteText.trim($0)) }
        }.filter { !$0.isEmpty }
    }

    /// The required headers that are not understood: if there are any the message must not be shown, and a failure is
    /// to be reported.
    ///
    /// - Parameter understood: for a namespace and a name, whether the receiver understands it.
    public func requirementsNotMet(understood: (_ namespace: String, _ name: String) -> Bool) -> [String] {
        let resolved = self.resolvedHeaders
        return self.required.filter { full in
            guard let found = resolved.first(where: { $0.header.fullName == full }),
                let namespace = found.namespace
            else { return true }
            return !understood(namespace, found.header.name)
        }
    }

    private func addresses(_ name: String) -> [CPIMAddress] {
        self.headers(named: name).compactMap { try? CPIMAddress($0) }
    }
}
