internal import ByteGrammar

/// What an MSRP medium states (RFC 4975 section 8, RFC 6135, RFC 6714).
public struct MSRPAttributes: Sendable, Equatable {
    /// The URIs of the path, the nearest hop first; the peer uses them as To-Path in this order.
    public var path: [String]
    /// The media types accepted at the top; `*` for any.
    public var acceptTypes: [String]
    /// The media types accepted inside a container only.
    public var acceptWrappedTypes: [String]
    /// The largest message, in octets.
    public var maximumSize: UInt64?
    /// Which side connects; nil for the old rule that the offerer does.
    public var setup: SetupRole?
    /// Whether the connection goes to the address in the `c=` and `m=` lines (RFC 6714).
    public var usesConnectionModel: Bool

    /// Makes the attributes.
    public init(
        path: [String],
        acceptTypes: [String],
        acceptWrappedTypes: [String] = [],
        maximumSize: UInt64? = nil,
        setup: SetupRole? = nil,
        usesConnectionModel: Bool = false
    ) {
        self.path = path
        self.acceptTypes = acceptTypes
        self.acceptWrappedTypes = acceptWrappedTypes
        self.maximumSize = maximumSize
        self.setup = setup
        self.usesConnectionModel = usesConnectionModel
    }

    /// Reads the attributes of a medium.
    ///
    /// - Throws: ``SDPError`` when the medium is not MSRP, lacks its path or accept-types, or has a bad max-size.
    public init(of medium: MediaDescription) throws(SDPError) {
        guard medium.isMSRP else { throw SDPError(.invalidMedia, "TCP/MSRP or TCP/TLS/MSRP") }
        let path = medium.words(of: "path")
        guard !path.isEmpty else { throw SDPError(.missingAttribute, "a=path of an MSRP medium") }
        let types = medium.words(of: "accept-types")
        guard !types.isEmpty else { throw SDPError(.missingAttribute, "a=accept-types of an MSRP medium") }
        self.init(path: path, acceptTypes: types, acceptWrappedTypes: medium.words(of: "accept-wrapped-types"))
        if let size = medium.attribute("max-size") {
            guard let number = ByteText.decimal(size.utf8) else {
                throw SDPError(.invalidAttribute, "a number in a=max-size")
            }
            self.maximumSize = number
        }
        self.setup = medium.setup
        self.usesConnectionModel = medium.hasAttribute("msrp-cema")
    }

    /// The attributes to print, in the customary order.
    public var attributes: [Attribute] {
        var attributes = [Attribute("accept-types", self.acceptTypes.joined(separator: " "))]
        if !self.acceptWrappedTypes.isEmpty {
            attributes.append(Attribute("accept-wrapped-types", self.acceptWrappedTypes.joined(separator: " ")))
        }
        if let size = self.maximumSize { attributes.append(Attribute("max-size", String(size))) }
        attributes.append(Attribute("path", self.path.joined(separator: " ")))
        if let setup = self.setup { attributes.append(Attribute("setup", setup.rawValue)) }
        if self.usesConnectionModel { attributes.append(Attribute("msrp-cema")) }
        return attributes
    }

    /// Tells whether a message of a media type may be sent at the top (`isWrapped` false) or inside a container.
    ///
    /// Types are compared without case and without parameters; `*` and `type/*` match.
    public func accepts(_ contentType: String, isWrapped: Bool = false) -> Bool {
        let bare = contentType.prefix { $0 != ";" && $0 != " " }.lowercased()
        let main = bare.prefix { $0 != "/" }
        return (self.acceptTypes + (isWrapped ? self.acceptWrappedTypes : [])).contains { accepted in
            let accepted = accepted.prefix { $0 != ";" }.lowercased()
            return accepted == "*" || accepted == bare || accepted == "\(main)/*"
        }
    }
}

extension MediaDescription {
    /// Whether the medium is MSRP, over TCP or TLS (RFC 4975 section 8.1).
    public var isMSRP: Bool { ["TCP/MSRP", "TCP/TLS/MSRP"].contains(self.proto.uppercased()) }

    fileprivate func words(of name: String) -> [String] {
        (self.attribute(name) ?? "").words
    }
}
